//! Who was removed, and when: I9.

use std::collections::{BTreeSet, HashMap};

use protocol::{RoomId, UserId};

use super::{Bounds, Breaches, Promise, at};
use crate::{
    diary::{Diary, Item, Stream},
    stored::{Log, Stored},
};

/// A member's going, and their next coming.
#[derive(Clone, Copy)]
struct Absence {
    /// The place of the event that removed them.
    from: u64,
    /// When they came again, by the clock of the node that let them in.
    until_ms: Option<i64>,
}

pub(super) fn check(diary: &Diary, stored: &Stored, bounds: &Bounds, breaches: &mut Breaches) {
    let mut absences: HashMap<(RoomId, UserId), Vec<Absence>> = HashMap::new();
    for (room, log) in &stored.rooms {
        for (user, absence) in replay(*room, log, breaches) {
            absences.entry((*room, user)).or_default().push(absence);
        }
    }
    let slack_ms = i64::try_from(bounds.clock_slack.as_millis()).unwrap_or(i64::MAX);
    for stream in &diary.streams {
        let user = diary.people[stream.client];
        if let Some(absences) = absences.get(&(stream.room, user)) {
            reaches_nobody_removed(stream, absences, slack_ms, breaches);
        }
    }
}

/// Plays a log through: nothing is taken from who is no member. Answers who was away, in order.
fn replay(room: RoomId, log: &Log, breaches: &mut Breaches) -> Vec<(UserId, Absence)> {
    let mut members = BTreeSet::new();
    let mut away: HashMap<UserId, u64> = HashMap::new();
    let mut absences = Vec::new();
    for row in &log.events {
        let removed = match row.kind.as_str() {
            "join" => {
                members.insert(row.user);
                if let Some(from) = away.remove(&row.user) {
                    let until_ms = Some(row.at_ms);
                    absences.push((row.user, Absence { from, until_ms }));
                }
                None
            }
            "leave" => Some(row.user),
            "kick" | "ban" => row.member,
            _ => None,
        };
        let is_taken = row.kind != "join" && !members.contains(&row.user);
        if is_taken {
            let what = format!("a {} was taken from who was no member", row.kind);
            breaches.add(Promise::I9, at(room, row.seq, None, what));
        }
        if let Some(user) = removed
            && members.remove(&user)
        {
            away.insert(user, row.seq);
        }
    }
    let still_away = |(user, from)| {
        let until_ms = None;
        (user, Absence { from, until_ms })
    };
    absences.extend(away.into_iter().map(still_away));
    absences
}

/// Whoever was removed gets the event that says so and nothing after it, until they come again; then
/// they may read everything. That what comes was sent before their coming is seen by the clock alone.
fn reaches_nobody_removed(
    stream: &Stream,
    absences: &[Absence],
    slack_ms: i64,
    breaches: &mut Breaches,
) {
    for item in &stream.items {
        let Item::Event(delivered) = item else {
            continue;
        };
        let latest = absences
            .iter()
            .filter(|absence| absence.from < delivered.seq.0)
            .max_by_key(|absence| absence.from);
        let Some(absence) = latest else { continue };
        let at_ms = i64::try_from(delivered.at.0 / 1_000).unwrap_or(i64::MAX);
        if absence
            .until_ms
            .is_none_or(|until_ms| at_ms.saturating_add(slack_ms) < until_ms)
        {
            let what = format!(
                "it reached somebody who had been removed at {}",
                absence.from
            );
            breaches.add(
                Promise::I9,
                at(stream.room, delivered.seq.0, Some(stream.client), what),
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::story::{broken, message, story};
    use super::*;
    use crate::diary::Moment;

    #[test]
    fn what_reaches_somebody_after_their_removal_breaks_i9() {
        let mut story = story();
        // The kick is at 7, and they come again at 9, which is at nine seconds.
        let stream = story.diary.streams.len() - 1;
        let Item::Event(delivered) = &mut story.diary.streams[stream].items[0] else {
            panic!("an event");
        };
        assert_eq!(delivered.seq.0, 8);
        delivered.at = Moment(8_200_000);
        assert_eq!(broken(&story), [Promise::I9]);
    }

    #[test]
    fn what_is_taken_from_who_was_removed_breaks_i9() {
        let mut story = story();
        let late = message(8, story.people[2], "1-2", "three");
        let room = story.room;
        let log = story.stored.rooms.get_mut(&room).expect("the room");
        log.events[7].user = late.user;
        assert!(broken(&story).contains(&Promise::I9));
    }
}
