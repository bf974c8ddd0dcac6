//! What came to clients against the logs and against each other: I4, I5, I6 and I8.

use std::collections::{BTreeMap, HashMap};

use protocol::{EventId, RoomId, Seq};

use super::{Bounds, Breaches, Promise, at};
use crate::{
    diary::{Delivered, Diary, Digest, End, Item, KeptBy, Moment, Stream},
    stored::{Log, Stored},
};

/// A socket gives everything that was missed, unless that is more than this.
const GIVEN_MAX: u64 = 500;

pub(super) fn check(diary: &Diary, stored: &Stored, bounds: &Bounds, breaches: &mut Breaches) {
    let mut held = HashMap::new();
    for stream in &diary.streams {
        let Some(log) = stored.rooms.get(&stream.room) else {
            continue;
        };
        is_consecutive(stream, breaches);
        for delivered in events(stream) {
            is_stored(stream, delivered, log, breaches);
            is_agreed(stream, delivered, &mut held, breaches);
        }
    }
    is_final(diary, stored, bounds, breaches);
}

fn events(stream: &Stream) -> impl DoubleEndedIterator<Item = &Delivered> {
    stream.items.iter().filter_map(|item| match item {
        Item::Event(delivered) => Some(delivered),
        Item::Reset(_) => None,
    })
}

/// I4: what was delivered is what is stored there.
fn is_stored(stream: &Stream, delivered: &Delivered, log: &Log, breaches: &mut Breaches) {
    let what = match log.at(delivered.seq) {
        None => "an event was delivered, and nothing is stored",
        Some(row) if row.what.id != delivered.what.id => "another event is stored",
        Some(row) if row.what.deed != delivered.what.deed => "the event is stored differently",
        Some(row) if !row.is_changed && row.what.body != delivered.what.body => {
            "the message is stored with another text"
        }
        Some(_) => return,
    };
    breaches.add(
        Promise::I4,
        at(
            stream.room,
            delivered.seq.0,
            Some(stream.client),
            what.to_owned(),
        ),
    );
}

/// I5: each event is the one after the last.
fn is_consecutive(stream: &Stream, breaches: &mut Breaches) {
    let mut add = |seq: Seq, what| {
        breaches.add(
            Promise::I5,
            at(stream.room, seq.0, Some(stream.client), what),
        );
    };
    let mut last = Some(stream.after);
    for item in &stream.items {
        match (item, last) {
            (Item::Event(delivered), before) => {
                if let Some(before) = before.filter(|before| delivered.seq != before.next()) {
                    add(delivered.seq, format!("it was delivered after {before}"));
                }
                last = Some(delivered.seq);
            }
            (Item::Reset(head), Some(before)) => {
                let is_far = head.0 > before.0.saturating_add(GIVEN_MAX);
                if stream.kept_by == KeptBy::Client || !is_far {
                    add(
                        *head,
                        format!("what was delivered up to {before} was taken back"),
                    );
                }
                last = None;
            }
            (Item::Reset(_), None) => {}
        }
    }
}

/// I6: whoever has something at a place has the same there.
fn is_agreed(
    stream: &Stream,
    delivered: &Delivered,
    held: &mut HashMap<(RoomId, Seq), (usize, EventId, Digest)>,
    breaches: &mut Breaches,
) {
    let (id, deed) = (delivered.what.id, delivered.what.deed);
    let first = held
        .entry((stream.room, delivered.seq))
        .or_insert((stream.client, id, deed));
    let (other, ..) = *first;
    if *first != (other, id, deed) {
        let what = format!("client {other} has another event here");
        breaches.add(
            Promise::I6,
            at(stream.room, delivered.seq.0, Some(stream.client), what),
        );
    }
}

/// I8: once it is quiet, every subscriber soon has everything.
fn is_final(diary: &Diary, stored: &Stored, bounds: &Bounds, breaches: &mut Breaches) {
    let mut latest: BTreeMap<(usize, RoomId), &Stream> = BTreeMap::new();
    for stream in &diary.streams {
        latest.insert((stream.client, stream.room), stream);
    }
    let due = bounds.quiet.after(bounds.final_within);
    for ((client, room), stream) in latest {
        let Some(log) = stored.rooms.get(&room) else {
            continue;
        };
        let what = match &stream.end {
            End::Open => late(stream, log, due),
            ended => Some(format!("it is no longer followed: {ended:?}")),
        };
        if let Some(what) = what {
            breaches.add(Promise::I8, at(room, log.head, Some(client), what));
        }
    }
}

fn late(stream: &Stream, log: &Log, due: Moment) -> Option<String> {
    let last = events(stream).next_back();
    let (seq, when) = last.map_or((stream.after, Moment(0)), |last| (last.seq, last.at));
    if seq.0 < log.events.last().map_or(0, |row| row.seq) {
        return Some(format!("the last event that came is {seq}"));
    }
    let late = when.since(due);
    (!late.is_zero()).then(|| format!("it came {late:.1?} too late"))
}

#[cfg(test)]
mod tests {
    use super::super::story::{broken, message, story};
    use super::*;
    use std::time::Duration;

    #[test]
    fn an_event_that_is_not_stored_breaks_i4() {
        let mut story = story();
        let ghost = message(11, story.people[1], "1-9", "ghost");
        story.deliver(0, &ghost);
        assert_eq!(broken(&story), [Promise::I4]);
    }

    #[test]
    fn another_text_than_the_stored_one_breaks_i4() {
        let mut story = story();
        story.delivered(0, 5).what.body += 1;
        assert_eq!(broken(&story), [Promise::I4]);
    }

    #[test]
    fn a_hole_a_repetition_and_a_wrong_order_break_i5() {
        let mut story = story();
        story.diary.streams[0].items.remove(4);
        assert_eq!(broken(&story), [Promise::I5]);
        let mut story = super::super::story::story();
        let twice = story.diary.streams[0].items[4];
        story.diary.streams[0].items.insert(4, twice);
        assert_eq!(broken(&story), [Promise::I5]);
        let mut story = super::super::story::story();
        story.diary.streams[1].items.swap(4, 5);
        assert_eq!(broken(&story), [Promise::I5]);
    }

    #[test]
    fn a_reset_breaks_i5_unless_a_socket_was_far_behind() {
        let mut story = story();
        story.diary.streams[0].items.insert(2, Item::Reset(Seq(10)));
        assert_eq!(broken(&story), [Promise::I5]);
        story.diary.streams[0].items[2] = Item::Reset(Seq(1_000));
        assert_eq!(broken(&story), []);
        story.diary.streams[0].kept_by = KeptBy::Client;
        assert_eq!(broken(&story), [Promise::I5]);
    }

    #[test]
    fn two_events_at_one_place_break_i6() {
        let mut story = story();
        story.delivered(1, 5).what.deed += 1;
        assert!(broken(&story).contains(&Promise::I6));
    }

    #[test]
    fn a_subscriber_who_lacks_the_end_breaks_i8() {
        let mut story = story();
        story.diary.streams[0].items.pop();
        assert_eq!(broken(&story), [Promise::I8]);
        let mut story = super::super::story::story();
        story.bounds.final_within = Duration::ZERO;
        story.bounds.quiet = Moment(0);
        assert_eq!(broken(&story), [Promise::I8]);
        let mut story = super::super::story::story();
        story.diary.streams[1].end = End::Left;
        assert_eq!(broken(&story), [Promise::I8]);
    }
}
