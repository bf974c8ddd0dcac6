//! A short story in which every promise holds, for tests to spoil.

use std::{collections::BTreeMap, time::Duration};

use protocol::{EventId, RoomId, Seq, UserId, frame::UnsubscribeReason};
use uuid::Uuid;

use super::{Bounds, Promise, check};
use crate::{
    diary::{
        Change, Delivered, Diary, End, Facts, Item, KeptBy, Moment, Outcome, Sent, Stream, Way,
        digest,
    },
    stored::{Log, Row, Stored},
};

pub(super) struct Story {
    pub(super) people: Vec<UserId>,
    pub(super) room: RoomId,
    pub(super) diary: Diary,
    pub(super) stored: Stored,
    pub(super) bounds: Bounds,
}

/// The event at each place happens at so many seconds.
fn second(seq: u64) -> u64 {
    seq * 1_000_000
}

fn row(
    seq: u64,
    kind: &str,
    user: UserId,
    about: (Option<Seq>, Option<UserId>),
    body: Option<&str>,
) -> Row {
    let id = EventId::from_uuid(Uuid::from_u128(u128::from(seq) + 1_000));
    let (target, member) = about;
    Row {
        seq,
        n: 0,
        kind: kind.to_owned(),
        user,
        member,
        target,
        name: None,
        what: Facts::new(id, kind, user, target, member, body),
        is_changed: false,
        at_ms: i64::try_from(seq * 1_000).expect("a short story"),
    }
}

pub(super) fn message(seq: u64, user: UserId, name: &str, body: &str) -> Row {
    Row {
        name: Some(name.to_owned()),
        ..row(seq, "message", user, (None, None), Some(body))
    }
}

/// Three people; one of them edits, another is removed and comes again.
pub(super) fn story() -> Story {
    let people: Vec<_> = (1..=3)
        .map(|number| UserId::from_uuid(Uuid::from_u128(number)))
        .collect();
    let [owner, writer, guest] = [people[0], people[1], people[2]];
    let room = RoomId::from_uuid(Uuid::from_u128(9));
    let nothing = (None, None);
    let mut events = vec![
        row(1, "join", owner, nothing, None),
        row(2, "join", writer, nothing, None),
        row(3, "join", guest, nothing, None),
        message(4, writer, "1-1", "one"),
        message(5, guest, "2-1", "two"),
        row(6, "edit", writer, (Some(Seq(4)), None), None),
        row(7, "kick", owner, (None, Some(guest)), None),
        message(8, writer, "1-2", "three"),
        row(9, "join", guest, nothing, None),
        message(10, guest, "2-2", "four"),
    ];
    let mut n = 0;
    for event in &mut events {
        n += u64::from(event.kind == "message");
        event.n = n;
    }
    let log = Log {
        head: 10,
        messages: n,
        events,
    };
    let sent = |client, name: &str, body, seq| Sent {
        client,
        room,
        name: name.to_owned(),
        body: digest(body),
        way: Way::Socket,
        begun: Moment(second(seq) - 500_000),
        outcome: Outcome::Acked {
            at: Moment(second(seq) + 100_000),
            seq: Seq(seq),
        },
    };
    let stream = |client, kept_by, after: u64, until: u64, since: u64, end| Stream {
        client,
        room,
        kept_by,
        after: Seq(after),
        items: log.events
            [usize::try_from(after).expect("short")..usize::try_from(until).expect("short")]
            .iter()
            .map(|row| Item::Event(delivered(row, second(row.seq.max(since)))))
            .collect(),
        end,
    };
    let kicked = End::Unsubscribed(UnsubscribeReason::Kicked);
    let diary = Diary {
        people: people.clone(),
        sends: vec![
            sent(1, "1-1", "one", 4),
            sent(2, "2-1", "two", 5),
            sent(1, "1-2", "three", 8),
            sent(2, "2-2", "four", 10),
        ],
        changes: vec![Change {
            client: 1,
            room,
            target: Seq(4),
            kind: "edit",
        }],
        streams: vec![
            stream(0, KeptBy::Server, 0, 10, 0, End::Open),
            stream(1, KeptBy::Client, 0, 10, 0, End::Open),
            stream(2, KeptBy::Client, 0, 7, 0, kicked),
            stream(2, KeptBy::Client, 7, 10, 9, End::Open),
        ],
        places: Vec::new(),
        failures: Vec::new(),
    };
    Story {
        people,
        room,
        diary,
        stored: Stored {
            rooms: BTreeMap::from([(room, log)]),
        },
        bounds: Bounds {
            quiet: Moment(second(20)),
            final_within: Duration::from_secs(5),
            clock_slack: Duration::ZERO,
        },
    }
}

fn delivered(row: &Row, at: u64) -> Delivered {
    Delivered {
        seq: Seq(row.seq),
        what: row.what,
        at: Moment(at + 200_000),
    }
}

impl Story {
    pub(super) fn log(&mut self) -> &mut Log {
        self.stored.rooms.get_mut(&self.room).expect("the room")
    }

    /// One more event comes to the latest stream of a client.
    pub(super) fn deliver(&mut self, client: usize, row: &Row) {
        let mut streams = self.diary.streams.iter_mut().rev();
        let stream = streams.find(|stream| stream.client == client);
        let item = Item::Event(delivered(row, second(row.seq)));
        stream.expect("every client has one").items.push(item);
    }

    /// One more event is stored and comes to everybody.
    pub(super) fn append_and_deliver(&mut self, mut row: Row) {
        let log = self.log();
        log.head = row.seq;
        log.messages += u64::from(row.kind == "message");
        row.n = log.messages;
        log.events.push(row.clone());
        for client in 0..self.people.len() {
            self.deliver(client, &row);
        }
    }

    /// What the first stream of a client has at a place.
    pub(super) fn delivered(&mut self, client: usize, seq: u64) -> &mut Delivered {
        let mut streams = self.diary.streams.iter_mut();
        let stream = streams.find(|stream| stream.client == client);
        let items = stream.expect("every client has one").items.iter_mut();
        items
            .filter_map(|item| match item {
                Item::Event(delivered) => Some(delivered),
                Item::Reset(_) => None,
            })
            .find(|delivered| delivered.seq.0 == seq)
            .expect("it was delivered")
    }
}

/// The promises that do not hold in a story.
pub(super) fn broken(story: &Story) -> Vec<Promise> {
    let breaches = check(&story.diary, &story.stored, &story.bounds);
    breaches.0.into_keys().collect()
}

#[test]
fn in_the_story_every_promise_holds() {
    assert_eq!(broken(&story()), []);
}
