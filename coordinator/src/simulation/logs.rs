//! The model of the store: the logs of all rooms in plain collections, by the rules of
//! [`shared::store`]. It knows no time and loses nothing; what goes wrong on the way to it is the
//! database's.

mod against_the_store;

use std::{collections::BTreeMap, sync::Arc};

use protocol::{
    ErrorCode, EventId, Limits, Role, RoomId, Seq, Timestamp, UserId,
    accounts::UserSummary,
    events::{Edited, Event, EventKind, Moderated, Target},
    messages::MessageContent,
    text::ClientId,
};
use shared::{
    Refusal,
    store::{Append, Appended, Head, Place, Resume, ResumeFrom},
};
use uuid::Uuid;

/// Every room's log, and who may write into it. All rooms are public.
#[derive(Clone)]
pub(super) struct Logs {
    rooms: BTreeMap<RoomId, RoomLog>,
    users: BTreeMap<UserId, UserSummary>,
    /// Unset, a message that is sent twice is stored twice: a fault that the checks must find.
    pub(super) dedupes: bool,
    ids: u128,
}

/// One room.
#[derive(Clone)]
struct RoomLog {
    /// Whether members read what was written before they came.
    reads_all: bool,
    members: BTreeMap<UserId, Member>,
    events: Vec<Event>,
    messages: u64,
    /// Where the messages of each sender stand, by their own names.
    places: BTreeMap<(UserId, String), Place>,
    deleted: bool,
}

#[derive(Clone, Copy)]
struct Member {
    role: Role,
    first: Seq,
}

type Outcome<T = ()> = Result<T, Refusal>;

impl Logs {
    /// Of these people, without rooms.
    pub(super) fn of(users: impl IntoIterator<Item = UserSummary>) -> Self {
        Self {
            rooms: BTreeMap::new(),
            users: users.into_iter().map(|user| (user.id, user)).collect(),
            dedupes: true,
            ids: 0,
        }
    }

    /// A public room; its owner joins it.
    pub(super) fn create(&mut self, room: RoomId, owner: UserId, reads_all: bool, at: Timestamp) {
        let log = RoomLog {
            reads_all,
            members: BTreeMap::new(),
            events: Vec::new(),
            messages: 0,
            places: BTreeMap::new(),
            deleted: false,
        };
        self.rooms.insert(room, log);
        self.admit(room, owner, Role::Owner, at);
    }

    /// Lets somebody in, unless they are in.
    pub(super) fn join(&mut self, room: RoomId, user: UserId, at: Timestamp) -> Outcome {
        if !self.open(room)?.members.contains_key(&user) {
            self.admit(room, user, Role::Member, at);
        }
        Ok(())
    }

    pub(super) fn leave(&mut self, room: RoomId, user: UserId, at: Timestamp) -> Outcome {
        if self.member(room, user)?.role == Role::Owner {
            return Err(ErrorCode::LastOwner.into());
        }
        self.open(room)?.members.remove(&user);
        self.write(room, user, EventKind::Leave, at);
        Ok(())
    }

    pub(super) fn kick(
        &mut self,
        room: RoomId,
        by: UserId,
        user: UserId,
        at: Timestamp,
    ) -> Outcome {
        let own = self.member(room, by)?;
        if own.role != Role::Owner {
            return Err(ErrorCode::Forbidden.into());
        }
        let log = self.open(room)?;
        let member = log.members.get(&user).ok_or(ErrorCode::MemberNotFound)?;
        if !own.role.may_moderate(member.role) {
            return Err(ErrorCode::Forbidden.into());
        }
        log.members.remove(&user);
        let kicked = Moderated {
            member: self.users[&user].clone(),
            role: None,
            reason: None,
            until: None,
        };
        self.write(room, by, EventKind::Kick(kicked), at);
        Ok(())
    }

    pub(super) fn edit(
        &mut self,
        room: RoomId,
        by: UserId,
        target: Seq,
        body: &str,
        at: Timestamp,
    ) -> Outcome {
        let member = self.member(room, by)?;
        let (writer, content) = self.message(room, target, member.first)?;
        if writer != by {
            return Err(ErrorCode::Forbidden.into());
        }
        body.clone_into(&mut content.body);
        content.edited_at = Some(at);
        let body = body.to_owned();
        self.write(
            room,
            by,
            EventKind::Edit(Edited {
                target,
                body,
                mentions: Vec::new(),
            }),
            at,
        );
        Ok(())
    }

    /// Deletes a message: its text is gone everywhere.
    pub(super) fn erase(
        &mut self,
        room: RoomId,
        by: UserId,
        target: Seq,
        at: Timestamp,
    ) -> Outcome {
        let member = self.member(room, by)?;
        let (writer, content) = self.message(room, target, member.first)?;
        if writer != by && member.role != Role::Owner {
            return Err(ErrorCode::Forbidden.into());
        }
        content.body.clear();
        content.deleted_at = Some(at);
        for event in &mut self.open(room)?.events {
            if let EventKind::Edit(edited) = &mut event.kind
                && edited.target == target
            {
                edited.body.clear();
            }
        }
        self.write(room, by, EventKind::Delete(Target { target }), at);
        Ok(())
    }

    pub(super) fn delete(&mut self, room: RoomId, by: UserId) -> Outcome {
        if self.member(room, by)?.role != Role::Owner {
            return Err(ErrorCode::Forbidden.into());
        }
        self.open(room)?.deleted = true;
        Ok(())
    }

    pub(super) fn append(&mut self, entries: &[Append]) -> Vec<Appended> {
        entries.iter().map(|entry| self.append_one(entry)).collect()
    }

    fn append_one(&mut self, entry: &Append) -> Appended {
        let Append {
            room, user, at, id, ..
        } = *entry;
        assert!(
            entry.reply_to.is_none() && entry.thread.is_none(),
            "answers and threads are not modelled"
        );
        let dedupes = self.dedupes;
        let Ok(log) = self.open(room) else {
            return Appended::Refused(ErrorCode::RoomNotFound.into());
        };
        let name = (user, entry.client_id.as_str().to_owned());
        if let Some(place) = log.places.get(&name).filter(|_| dedupes) {
            return if place.id == id {
                Appended::Stored(place.clone())
            } else {
                Appended::Duplicate(place.clone())
            };
        }
        if !log.members.contains_key(&user) {
            return Appended::Refused(ErrorCode::NotAMember.into());
        }
        let place = Place {
            seq: log.head().next(),
            n: log.messages + 1,
            id,
            at,
            mentions: Vec::new(),
            files: Vec::new(),
        };
        log.messages += 1;
        log.places.insert(name, place.clone());
        let kind = EventKind::Message(MessageContent {
            client_id: Some(entry.client_id.clone()),
            body: entry.body.as_str().to_owned(),
            ..MessageContent::default()
        });
        let user = self.users[&user].clone();
        self.push(room, id, user, kind, at);
        Appended::Stored(place)
    }

    pub(super) fn events(&self, room: RoomId, after: Seq, limit: u32) -> Vec<Event> {
        self.events_between(room, after, Seq(u64::MAX), limit)
    }

    pub(super) fn moved(&self, known: &[(RoomId, Seq)]) -> Vec<Head> {
        let rooms: Vec<RoomId> = known.iter().map(|(room, _)| *room).collect();
        let heads = self.heads(&rooms).into_iter().zip(known);
        let moved = heads.filter(|(head, (_, seq))| head.gone || head.seq != *seq);
        moved.map(|(head, _)| head).collect()
    }

    pub(super) fn heads(&self, rooms: &[RoomId]) -> Vec<Head> {
        let head = |room: &RoomId| match self.rooms.get(room).filter(|log| !log.deleted) {
            Some(log) => Head {
                room: *room,
                seq: log.head(),
                n: log.messages,
                gone: false,
            },
            None => Head {
                room: *room,
                seq: Seq::ZERO,
                n: 0,
                gone: true,
            },
        };
        rooms.iter().map(head).collect()
    }

    pub(super) fn resume(&self, from: ResumeFrom, limits: &Limits) -> Outcome<Resume> {
        let ResumeFrom {
            room,
            user,
            after,
            after_id,
            limit,
        } = from;
        let log = self.rooms.get(&room).filter(|log| !log.deleted);
        let log = log.ok_or(ErrorCode::RoomNotFound)?;
        let member = log.members.get(&user).ok_or(ErrorCode::NotAMember)?;
        let (head, first) = (log.head(), member.first);
        let reset = after.is_some_and(|after| {
            let has_hole = after > Seq::ZERO && after.next() < first;
            let missed = head.0.saturating_sub(after.max(first.previous()).0);
            let is_another = after_id.is_some_and(|id| {
                after > Seq::ZERO && log.event(after).is_none_or(|event| event.id != id)
            });
            after > head || has_hole || missed > u64::from(limits.resume_max_events) || is_another
        });
        let latest = if reset { limits.page_default } else { limit };
        let from = after
            .filter(|_| !reset)
            .unwrap_or(Seq(head.0.saturating_sub(u64::from(latest))))
            .max(first.previous());
        let limit = limits.resume_max_events.max(latest);
        let events = self.events_between(room, from, head, limit);
        Ok(Resume {
            head,
            n: log.messages,
            first,
            reset,
            events: events.into_iter().map(Arc::new).collect(),
            role: member.role,
            member_count: u32::try_from(log.members.len()).unwrap_or(u32::MAX),
        })
    }

    /// Everything that was ever written into a room.
    pub(super) fn log(&self, room: RoomId) -> &[Event] {
        self.rooms.get(&room).map_or(&[], |log| &log.events)
    }

    /// Whether somebody is a member of a room that is not deleted.
    pub(super) fn is_member(&self, room: RoomId, user: UserId) -> bool {
        let log = self.rooms.get(&room).filter(|log| !log.deleted);
        log.is_some_and(|log| log.members.contains_key(&user))
    }

    fn events_between(&self, room: RoomId, after: Seq, last: Seq, limit: u32) -> Vec<Event> {
        let events = self.log(room).iter();
        events
            .filter(|event| event.seq > after && event.seq <= last)
            .take(limit as usize)
            .cloned()
            .collect()
    }

    fn open(&mut self, room: RoomId) -> Outcome<&mut RoomLog> {
        let log = self.rooms.get_mut(&room).filter(|log| !log.deleted);
        log.ok_or_else(|| ErrorCode::RoomNotFound.into())
    }

    fn member(&mut self, room: RoomId, user: UserId) -> Outcome<Member> {
        let member = self.open(room)?.members.get(&user).copied();
        member.ok_or_else(|| ErrorCode::NotAMember.into())
    }

    /// Who wrote a message that is not deleted, and what it says.
    fn message(
        &mut self,
        room: RoomId,
        seq: Seq,
        first: Seq,
    ) -> Outcome<(UserId, &mut MessageContent)> {
        let events = self.open(room)?.events.iter_mut();
        let event = events
            .filter(|event| event.seq >= first)
            .find(|event| event.seq == seq);
        match event.map(|event| (event.user.id, &mut event.kind)) {
            Some((user, EventKind::Message(content))) if content.deleted_at.is_none() => {
                Ok((user, content))
            }
            _ => Err(ErrorCode::MessageNotFound.into()),
        }
    }

    fn admit(&mut self, room: RoomId, user: UserId, role: Role, at: Timestamp) {
        self.write(room, user, EventKind::Join, at);
        if let Ok(log) = self.open(room) {
            let first = if log.reads_all { Seq(1) } else { log.head() };
            log.members.insert(user, Member { role, first });
        }
    }

    fn write(&mut self, room: RoomId, by: UserId, kind: EventKind, at: Timestamp) {
        self.ids += 1;
        let id = EventId::from_uuid(Uuid::from_u128(self.ids << 64));
        let by = self.users[&by].clone();
        self.push(room, id, by, kind, at);
    }

    fn push(
        &mut self,
        room: RoomId,
        id: EventId,
        user: UserSummary,
        kind: EventKind,
        at: Timestamp,
    ) {
        if let Ok(log) = self.open(room) {
            let event = Event {
                room,
                seq: log.head().next(),
                id,
                n: log.messages,
                at,
                user,
                kind,
            };
            log.events.push(event);
        }
    }
}

impl RoomLog {
    fn head(&self) -> Seq {
        self.events.last().map_or(Seq::ZERO, |event| event.seq)
    }

    fn event(&self, seq: Seq) -> Option<&Event> {
        self.events.iter().find(|event| event.seq == seq)
    }
}

/// The sender's own name for the message that an event is, if it is one.
pub(super) fn client_id(event: &Event) -> Option<&ClientId> {
    match &event.kind {
        EventKind::Message(content) => content.client_id.as_ref(),
        _ => None,
    }
}
