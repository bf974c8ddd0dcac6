//! A stored log by itself: I1, and the half of I2 that can be read from it.

use std::collections::HashMap;

use protocol::{RoomId, UserId};

use super::{Breaches, Promise, at};
use crate::{diary::Digest, stored::Log};

pub(super) fn check(room: RoomId, log: &Log, breaches: &mut Breaches) {
    is_dense(room, log, breaches);
    is_unique(room, log, breaches);
}

/// Places are 1 to the head, and messages are counted beside them.
fn is_dense(room: RoomId, log: &Log, breaches: &mut Breaches) {
    let mut add = |seq, what| breaches.add(Promise::I1, at(room, seq, None, what));
    let (mut last, mut messages) = (0, 0);
    for row in &log.events {
        // A place that is taken twice is the business of I2.
        if row.seq > last + 1 {
            add(row.seq, format!("the place before it is {last}"));
        }
        last = row.seq;
        messages += u64::from(row.kind == "message");
        if row.n != messages {
            let n = row.n;
            add(
                row.seq,
                format!("it counts {n} messages, and there are {messages}"),
            );
        }
    }
    if log.head != last {
        add(last, format!("the room's head is {}", log.head));
    }
    if log.messages != messages {
        let said = log.messages;
        add(
            last,
            format!("the room counts {said} messages, and there are {messages}"),
        );
    }
}

/// No place twice, no name twice, and no text twice: every text of the crowd is written once only, so
/// that a message which lost its name on the way is recognised too.
fn is_unique(room: RoomId, log: &Log, breaches: &mut Breaches) {
    let mut add = |seq, what| breaches.add(Promise::I2, at(room, seq, None, what));
    let mut names: HashMap<(UserId, &str), u64> = HashMap::new();
    let mut texts: HashMap<Digest, u64> = HashMap::new();
    let mut last = 0;
    for row in &log.events {
        if row.seq == last {
            add(row.seq, "two events have this place".to_owned());
        }
        last = row.seq;
        if row.kind != "message" {
            continue;
        }
        let again = row
            .name
            .as_deref()
            .and_then(|name| names.insert((row.user, name), row.seq));
        let told = (!row.is_changed).then_some(row.what.body);
        let said = told.and_then(|text| texts.insert(text, row.seq));
        if let Some(first) = again.or(said) {
            add(row.seq, format!("the same message is stored at {first}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::story::{broken, message, story};
    use super::*;

    #[test]
    fn a_hole_in_a_log_breaks_i1() {
        let mut story = story();
        story.log().events.remove(3);
        assert!(broken(&story).contains(&Promise::I1));
        let mut story = super::super::story::story();
        story.log().head += 1;
        assert_eq!(broken(&story), [Promise::I1]);
    }

    #[test]
    fn a_message_that_is_stored_twice_breaks_i2() {
        let mut story = story();
        let next = story.log().head + 1;
        let mut twin = message(next, story.people[1], "1-1", "one");
        twin.name = Some("another name".to_owned());
        story.append_and_deliver(twin);
        assert_eq!(broken(&story), [Promise::I2]);
    }
}
