//! What must hold when everything has healed and is quiet, by the names of the promises.

use std::collections::{BTreeMap, BTreeSet};

use protocol::{
    RoomId, Seq, UserId,
    events::{Event, EventKind},
    frame::PresenceState,
    text::ClientId,
};

use super::{
    client::{Acked, Client},
    logs::{Logs, client_id},
};

/// What is broken; nothing if all is well.
pub(super) fn broken(
    logs: &Logs,
    refused: &BTreeSet<ClientId>,
    rooms: &[RoomId],
    clients: &[Client],
) -> Vec<String> {
    let mut broken: Vec<String> = Vec::new();
    for client in clients {
        broken.extend(client.broken.iter().cloned());
        let late = client.unanswered();
        if !late.is_empty() {
            broken.push(format!(
                "client {} has no answer to {late:?}",
                client.number
            ));
        }
    }
    for (number, room) in rooms.iter().enumerate() {
        let log = logs.log(*room);
        let mut found = dense(log);
        found.extend(unique(log));
        found.extend(by_members(log));
        for client in clients {
            found.extend(acked(log, refused, *room, client));
            found.extend(delivered(logs, *room, client));
        }
        broken.extend(
            found
                .into_iter()
                .map(|what| format!("room {number}: {what}")),
        );
    }
    broken
}

/// I1.
fn dense(log: &[Event]) -> Vec<String> {
    let expected = (1..).map(Seq);
    let hole = log
        .iter()
        .zip(expected)
        .find(|(event, seq)| event.seq != *seq);
    hole.map(|(event, seq)| format!("I1: {} stands where {seq} should", event.seq))
        .into_iter()
        .collect()
}

/// I2.
fn unique(log: &[Event]) -> Vec<String> {
    let mut names = BTreeSet::new();
    let name = |event: &Event| Some((event.user.id, client_id(event)?.as_str().to_owned()));
    let names = log
        .iter()
        .filter_map(name)
        .filter(|name| !names.insert(name.clone()));
    names
        .map(|(_, name)| format!("I2: {name} is stored twice"))
        .collect()
}

/// I9, as the log shows it.
fn by_members(log: &[Event]) -> Vec<String> {
    let mut members: BTreeSet<UserId> = BTreeSet::new();
    let mut broken = Vec::new();
    for event in log {
        match &event.kind {
            EventKind::Join => drop(members.insert(event.user.id)),
            EventKind::Leave => drop(members.remove(&event.user.id)),
            EventKind::Kick(kicked) => drop(members.remove(&kicked.member.id)),
            _ if !members.contains(&event.user.id) => {
                broken.push(format!("I9: {} is by somebody who is no member", event.seq));
            }
            _ => {}
        }
    }
    broken
}

/// I3, I7, and that the messages of one socket keep their order.
fn acked(
    log: &[Event],
    refused: &BTreeSet<ClientId>,
    room: RoomId,
    client: &Client,
) -> Vec<String> {
    let mut broken = Vec::new();
    let mut last: BTreeMap<u64, (u64, &Acked)> = BTreeMap::new();
    let mut acked: Vec<_> = client
        .acked
        .iter()
        .filter(|acked| acked.room == room)
        .collect();
    acked.sort_unstable_by_key(|acked| number(&acked.name));
    for acked in acked {
        let name = acked.name.as_str();
        let stored = log.iter().find(|event| event.seq == acked.seq);
        if stored.and_then(client_id) != Some(&acked.name) {
            broken.push(format!(
                "I3: {name} is acked at {}, and not there",
                acked.seq
            ));
        }
        if acked.seq <= acked.floor {
            broken.push(format!(
                "I7: {name} is at {}, and {} was acked before it was sent",
                acked.seq, acked.floor
            ));
        }
        if acked.at_once && !refused.contains(&acked.name) {
            let before = last.insert(acked.first_session, (number(&acked.name), acked));
            if let Some((_, before)) = before
                && before.seq > acked.seq
            {
                broken.push(format!(
                    "order: {} at {} was sent before {name} at {}",
                    before.name.as_str(),
                    before.seq,
                    acked.seq
                ));
            }
        }
    }
    broken
}

/// The how-manieth message of its client it is.
fn number(name: &ClientId) -> u64 {
    let number = name.as_str().rsplit('-').next();
    number.and_then(|number| number.parse().ok()).unwrap_or(0)
}

/// I4, I6 and I8.
fn delivered(logs: &Logs, room: RoomId, client: &Client) -> Vec<String> {
    let log = logs.log(room);
    let mut broken = Vec::new();
    for (followed, is_live, delivered) in client.logs() {
        if followed != room {
            continue;
        }
        for event in delivered {
            let stored = log.iter().find(|stored| stored.seq == event.seq);
            if !stored.is_some_and(|stored| is_same(stored, event)) {
                broken.push(format!(
                    "I4, I6: client {} has another {}",
                    client.number, event.seq
                ));
            }
        }
        let is_member = logs.is_member(room, client.user.id);
        if is_live && !is_member {
            broken.push(format!("I9: client {} still follows", client.number));
        }
        let (has, head) = (
            delivered.last().map(|event| event.seq),
            log.last().map(|event| event.seq),
        );
        // Who came to a room where there was nothing to see has seen nothing.
        if is_live && is_member && has != head && has.is_some() {
            broken.push(format!(
                "I8: client {} has {has:?} of {head:?}",
                client.number
            ));
        }
    }
    if !client.is_settled() {
        broken.push(format!("client {} has not come to rest", client.number));
    }
    broken
}

/// The same event; its text may have been changed since.
fn is_same(stored: &Event, delivered: &Event) -> bool {
    let is_changed = match &stored.kind {
        EventKind::Message(content) => content.edited_at.or(content.deleted_at).is_some(),
        // Once its message is deleted it is empty.
        EventKind::Edit(_) => true,
        _ => false,
    };
    stored.id == delivered.id
        && stored.user == delivered.user
        && stored.n == delivered.n
        && stored.at == delivered.at
        && stored.kind.as_str() == delivered.kind.as_str()
        && (is_changed || stored.kind == delivered.kind)
}

/// Who is in a room, and how.
pub(super) type Roster = BTreeMap<UserId, PresenceState>;

/// Who should be seen in a room.
pub(super) fn present(room: RoomId, clients: &[Client]) -> Roster {
    let mut roster = Roster::new();
    for client in clients {
        if let Some(state) = client.presence(room) {
            let seen = roster.entry(client.user.id).or_insert(state);
            *seen = state.max(*seen);
        }
    }
    roster
}
