//! A room as whoever has its log knows it: a plain reducer, which asks nobody anything.

use std::collections::{BTreeMap, BTreeSet};

use protocol::{
    Role, Seq, UserId,
    events::{Event, EventKind},
    mentions::Mention,
};
use serde_json::{Map, Value, json};

/// What a reader has of a room's log.
#[derive(Clone, Debug, Default)]
pub(crate) struct Log {
    /// One after the other, without a hole.
    pub(crate) events: Vec<Event>,
    /// The place of the latest event.
    pub(crate) last: u64,
    /// The lowest place that this reader may read.
    pub(crate) first: u64,
}

/// A room as a log tells of it.
#[derive(Default)]
pub(crate) struct Reduced {
    messages: BTreeMap<u64, Written>,
    /// The latest last.
    pins: Vec<Value>,
    members: BTreeMap<UserId, Role>,
    mutes: BTreeMap<UserId, Value>,
    bans: BTreeMap<UserId, Value>,
    room: Map<String, Value>,
    joined: BTreeMap<UserId, u64>,
}

struct Written {
    fixed: Value,
    by: UserId,
    body: String,
    edited_at: Value,
    deleted_at: Value,
    thread: Option<u64>,
    replies: u64,
    /// Who, in the order in which they did.
    reactions: Vec<(UserId, String)>,
    files: Value,
    mentions: Vec<Mention>,
    is_pinned: bool,
}

impl Reduced {
    /// `born`: the room as it was made, of which no event tells.
    pub(crate) fn of<'a>(
        born: &Map<String, Value>,
        events: impl IntoIterator<Item = &'a Event>,
    ) -> Self {
        let mut reduced = Self {
            room: born.clone(),
            ..Self::default()
        };
        for event in events {
            reduced.take(event);
        }
        reduced
    }

    /// Everything, as `viewer` sees it who has read up to `read`. `is_whole`: the log was there from its beginning on.
    pub(crate) fn seen_by(&self, viewer: UserId, read: u64, is_whole: bool) -> Value {
        let unread = self.messages.range(read + 1..);
        let calls = |written: &Written| {
            written.by != viewer
                && written
                    .mentions
                    .iter()
                    .any(|mention| mention.id.is_none_or(|id| id == viewer))
        };
        let mut seen = json!({
            "messages": self.messages.iter().map(|(seq, written)| (seq.to_string(), written.seen_by(viewer))).collect::<Map<_, _>>(),
            "pins": self.pins.iter().rev().collect::<Vec<_>>(),
            "read": read,
            "unread": unread.clone().count(),
            "mentions": unread.filter(|(_, written)| calls(written)).count(),
            "last_message": self.messages.keys().next_back(),
        });
        if is_whole {
            seen["members"] = self
                .members
                .iter()
                .map(|(user, role)| {
                    (
                        user.to_string(),
                        json!({ "role": role, "muted_until": self.mutes.get(user) }),
                    )
                })
                .collect::<Map<_, _>>()
                .into();
            seen["bans"] = self
                .bans
                .iter()
                .map(|(user, ban)| (user.to_string(), ban.clone()))
                .collect::<Map<_, _>>()
                .into();
            seen["room"] = self.room.clone().into();
            seen["room"]["members"] = self.members.len().into();
            seen["room"]["role"] = json!(self.members.get(&viewer));
        }
        seen
    }

    /// Where somebody joined last.
    pub(crate) fn joined(&self, user: UserId) -> u64 {
        self.joined.get(&user).copied().unwrap_or_default()
    }

    fn take(&mut self, event: &Event) {
        let by = event.user.id;
        match &event.kind {
            EventKind::Message(content) => {
                if content.deleted_at.is_none() {
                    self.answered(content.thread, 1);
                }
                self.messages.insert(event.seq.0, Written {
                    fixed: json!({
                        "seq": event.seq, "id": event.id, "at": event.at, "user": by,
                        "client_id": content.client_id, "reply_to": content.reply_to, "thread": content.thread,
                    }),
                    by,
                    body: content.body.clone(),
                    edited_at: json!(content.edited_at),
                    deleted_at: json!(content.deleted_at),
                    thread: content.thread.map(|seq| seq.0),
                    replies: 0,
                    reactions: Vec::new(),
                    files: json!(content.files),
                    mentions: content.mentions.clone(),
                    is_pinned: false,
                });
            }
            EventKind::Edit(edit) => {
                if let Some(written) = self.standing(edit.target) {
                    written.body.clone_from(&edit.body);
                    written.mentions.clone_from(&edit.mentions);
                    written.edited_at = json!(event.at);
                }
            }
            EventKind::Delete(target) => self.deleted(target.target, json!(event.at)),
            EventKind::React(reacted) => {
                if let Some(written) = self.standing(reacted.target) {
                    written.reactions.push((by, reacted.emoji.clone()));
                }
            }
            EventKind::Unreact(reacted) => {
                if let Some(written) = self.standing(reacted.target) {
                    written
                        .reactions
                        .retain(|(user, emoji)| (*user, emoji) != (by, &reacted.emoji));
                }
            }
            EventKind::Pin(target) => {
                if let Some(written) = self.standing(target.target) {
                    written.is_pinned = true;
                    self.pins
                        .push(json!({ "seq": target.target, "user": by, "at": event.at }));
                }
            }
            EventKind::Unpin(target) => {
                if let Some(written) = self.standing(target.target) {
                    written.is_pinned = false;
                }
                self.unpinned(target.target);
            }
            EventKind::Join => {
                // The first is who made the room; nobody has a conversation.
                let is_owner = event.seq == Seq(1) && self.room["visibility"] != "direct";
                let role = if is_owner { Role::Owner } else { Role::Member };
                self.members.insert(by, role);
                self.joined.insert(by, event.seq.0);
            }
            EventKind::Leave => drop(self.members.remove(&by)),
            EventKind::Kick(done) => drop(self.members.remove(&done.member.id)),
            EventKind::Ban(done) => {
                self.members.remove(&done.member.id);
                self.bans.insert(
                    done.member.id,
                    json!({ "by": by, "reason": done.reason, "until": done.until }),
                );
            }
            EventKind::Unban(done) => drop(self.bans.remove(&done.member.id)),
            EventKind::Role(done) => {
                if let Some(role) = done.role {
                    self.members.insert(done.member.id, role);
                }
            }
            EventKind::Mute(done) => match done.until {
                Some(until) => drop(self.mutes.insert(done.member.id, json!(until))),
                None => drop(self.mutes.remove(&done.member.id)),
            },
            EventKind::Room(changed) => {
                if let Value::Object(changes) = json!(changed.changes) {
                    self.room.extend(changes);
                }
            }
            EventKind::Archive(archive) => drop(
                self.room
                    .insert("archived".to_owned(), archive.archived.into()),
            ),
            EventKind::Unknown(unknown) => panic!("the log has an event of kind {}", unknown.kind),
        }
    }

    /// A message that is there and not deleted.
    fn standing(&mut self, seq: Seq) -> Option<&mut Written> {
        self.messages
            .get_mut(&seq.0)
            .filter(|written| written.deleted_at.is_null())
    }

    fn deleted(&mut self, seq: Seq, at: Value) {
        let Some(written) = self.standing(seq) else {
            return;
        };
        written.deleted_at = at;
        written.body.clear();
        written.reactions.clear();
        written.mentions.clear();
        written.files = json!([]);
        written.is_pinned = false;
        let thread = written.thread.map(Seq);
        self.answered(thread, -1);
        self.unpinned(seq);
    }

    fn answered(&mut self, thread: Option<Seq>, by: i64) {
        if let Some(root) = thread.and_then(|seq| self.messages.get_mut(&seq.0)) {
            root.replies = root.replies.saturating_add_signed(by);
        }
    }

    fn unpinned(&mut self, seq: Seq) {
        self.pins.retain(|pin| pin["seq"] != json!(seq));
    }
}

impl Written {
    fn seen_by(&self, viewer: UserId) -> Value {
        let emoji: BTreeSet<&String> = self.reactions.iter().map(|(_, emoji)| emoji).collect();
        let mut reactions: Vec<(usize, Value)> = emoji
            .into_iter()
            .map(|emoji| {
                let of = || {
                    self.reactions
                        .iter()
                        .filter(move |(_, other)| other == emoji)
                };
                let first = self.reactions.iter().position(|(_, other)| other == emoji);
                let me = of().any(|(user, _)| *user == viewer);
                (
                    first.unwrap_or_default(),
                    json!({ "emoji": emoji, "count": of().count(), "me": me }),
                )
            })
            .collect();
        reactions.sort_by_key(|(first, _)| *first);
        let mut seen = self.fixed.clone();
        seen["body"] = self.body.clone().into();
        seen["edited_at"] = self.edited_at.clone();
        seen["deleted_at"] = self.deleted_at.clone();
        seen["replies"] = self.replies.into();
        seen["reactions"] = reactions
            .into_iter()
            .map(|(_, reaction)| reaction)
            .collect();
        seen["files"] = self.files.clone();
        seen["mentions"] = json!(self.mentions);
        seen["pinned"] = self.is_pinned.into();
        seen
    }
}
