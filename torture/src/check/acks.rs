//! Acks against the logs: I3 and I7, and the half of I2 that clients see.

use std::collections::{BTreeMap, HashMap};

use protocol::{RoomId, Seq};

use super::{Breaches, Promise, at};
use crate::{
    diary::{Change, Diary, Moment, Outcome, Sent},
    stored::{Row, Stored},
};

/// One message, over all the times that it was given to be sent.
struct Message<'a> {
    client: usize,
    name: &'a str,
    /// When it was first given.
    begun: Moment,
    /// When its place was first heard of, and which one that is.
    acked: Option<(Moment, Seq)>,
}

pub(super) fn check(diary: &Diary, stored: &Stored, breaches: &mut Breaches) {
    for sent in &diary.sends {
        if let Outcome::Acked { seq, .. } = sent.outcome {
            is_stored(diary, stored, sent, seq, breaches);
        }
    }
    for change in &diary.changes {
        is_done(diary, stored, change, breaches);
    }
    for (room, messages) in messages(diary, breaches) {
        is_in_real_time(room, &messages, breaches);
    }
}

/// I3: an acked message is where the ack says, with the text that was sent.
fn is_stored(diary: &Diary, stored: &Stored, sent: &Sent, seq: Seq, breaches: &mut Breaches) {
    let Some(log) = stored.rooms.get(&sent.room) else {
        return;
    };
    let is_it = |row: &Row| {
        row.kind == "message"
            && row.user == diary.people[sent.client]
            && (row.is_changed || row.what.body == sent.body)
    };
    let what = match log.at(seq) {
        Some(row) if is_it(row) => return,
        Some(row) => format!("{} was acked here, and a {} is stored", sent.name, row.kind),
        None => format!("{} was acked here, and nothing is stored", sent.name),
    };
    breaches.add(Promise::I3, at(sent.room, seq.0, Some(sent.client), what));
}

/// I3: an edit or a delete that was said to be done is an event of the log.
fn is_done(diary: &Diary, stored: &Stored, change: &Change, breaches: &mut Breaches) {
    let Some(log) = stored.rooms.get(&change.room) else {
        return;
    };
    let by = diary.people[change.client];
    let is_it =
        |row: &Row| row.kind == change.kind && row.user == by && row.target == Some(change.target);
    if !log.events.iter().any(is_it) {
        let what = format!("its {} was said to be done, and is not stored", change.kind);
        breaches.add(
            Promise::I3,
            at(change.room, change.target.0, Some(change.client), what),
        );
    }
}

/// The messages of each room; I2: whoever says one again hears of one place only.
fn messages<'a>(diary: &'a Diary, breaches: &mut Breaches) -> BTreeMap<RoomId, Vec<Message<'a>>> {
    let mut rooms: BTreeMap<RoomId, HashMap<(usize, &str), Message<'_>>> = BTreeMap::new();
    for sent in &diary.sends {
        let acked = match sent.outcome {
            Outcome::Acked { at, seq } => Some((at, seq)),
            Outcome::Refused(..) | Outcome::Unanswered => None,
        };
        let message = Message {
            client: sent.client,
            name: &sent.name,
            begun: sent.begun,
            acked,
        };
        let room = rooms.entry(sent.room).or_default();
        let Some(known) = room.get_mut(&(sent.client, sent.name.as_str())) else {
            room.insert((sent.client, &sent.name), message);
            continue;
        };
        known.begun = known.begun.min(sent.begun);
        match (known.acked, acked) {
            (Some((_, one)), Some((_, other))) if one != other => {
                let what = format!("{} was acked here and at {one}", sent.name);
                breaches.add(Promise::I2, at(sent.room, other.0, Some(sent.client), what));
            }
            _ => known.acked = known.acked.into_iter().chain(acked).min(),
        }
    }
    rooms
        .into_iter()
        .map(|(room, messages)| (room, messages.into_values().collect()))
        .collect()
}

/// I7: whoever begins when another message is acked comes after it.
fn is_in_real_time(room: RoomId, messages: &[Message<'_>], breaches: &mut Breaches) {
    let mut acked: Vec<_> = messages
        .iter()
        .filter_map(|message| Some((message.acked?, message)))
        .collect();
    let mut begun = acked.clone();
    acked.sort_by_key(|((when, _), _)| *when);
    begun.sort_by_key(|(_, message)| message.begun);
    let mut earlier = acked.into_iter().peekable();
    let mut highest: Option<(Seq, &Message<'_>)> = None;
    for ((_, seq), message) in begun {
        while let Some(((_, place), before)) =
            earlier.next_if(|((when, _), _)| *when < message.begun)
        {
            if highest.is_none_or(|(high, _)| place > high) {
                highest = Some((place, before));
            }
        }
        if let Some((high, before)) = highest.filter(|(high, _)| seq <= *high) {
            let what = format!(
                "{} was begun after {} had been acked at {high}",
                message.name, before.name
            );
            breaches.add(Promise::I7, at(room, seq.0, Some(message.client), what));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::story::{broken, message, story};
    use super::*;

    #[test]
    fn an_ack_of_what_is_not_stored_breaks_i3() {
        let mut story = story();
        let lost = Sent {
            name: "never stored".to_owned(),
            begun: Moment(20_000_000),
            body: 7,
            outcome: Outcome::Acked {
                at: Moment(20_100_000),
                seq: Seq(11),
            },
            ..story.diary.sends[0].clone()
        };
        story.diary.sends.push(lost);
        assert_eq!(broken(&story), [Promise::I3]);
    }

    #[test]
    fn an_acked_text_that_was_changed_by_nobody_breaks_i3() {
        let mut story = story();
        story.diary.sends[1].body += 1;
        assert_eq!(broken(&story), [Promise::I3]);
    }

    #[test]
    fn an_edit_that_is_not_stored_breaks_i3() {
        let mut story = story();
        story.diary.changes[0].target = Seq(5);
        assert_eq!(broken(&story), [Promise::I3]);
    }

    #[test]
    fn two_places_for_one_message_break_i2() {
        let mut story = story();
        let next = story.log().head + 1;
        let twin = message(next, story.people[1], "1-2", "three");
        story.append_and_deliver(twin);
        let mut again = story.diary.sends[2].clone();
        again.outcome = Outcome::Acked {
            at: Moment(30_000_000),
            seq: Seq(next),
        };
        story.diary.sends.push(again);
        assert_eq!(broken(&story), [Promise::I2]);
    }

    #[test]
    fn who_begins_later_and_stands_earlier_breaks_i7() {
        let mut story = story();
        // Stored at 8, it is said to have been begun after what is at 10 was acked.
        story.diary.sends[2].begun = Moment(15_000_000);
        story.diary.sends[2].outcome = Outcome::Acked {
            at: Moment(15_100_000),
            seq: Seq(8),
        };
        assert_eq!(broken(&story), [Promise::I7]);
    }
}
