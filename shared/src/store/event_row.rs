//! How an event stands in its row: its columns, and what the protocol makes of them.

use protocol::{
    EventId, Role, RoomId, Seq, Timestamp, UserId,
    accounts::UserSummary,
    events::{Archived, Changed, Edited, Event, EventKind, Moderated, RoomChanges, Target},
    messages::MessageContent,
    text::ClientId,
};
use serde::{Deserialize, Serialize};
use sqlx::{FromRow, types::Json};
use uuid::Uuid;

use super::{
    Error, Result,
    columns::{At, Word},
};

/// Selects events with the people in them; what follows `where`, and the order, is given.
macro_rules! select_events {
    ($tail:literal) => {
        concat!(
            "select e.room_id, e.seq, e.n, e.id, e.kind, e.user_id, u.username, u.display_name,
                e.member_id, s.username as member_username, s.display_name as member_display_name,
                e.client_id, e.target, e.reply_to, e.thread, e.body, e.data, e.at, e.edited_at, e.deleted_at
            from events e join users u on u.id = e.user_id left join users s on s.id = e.member_id ",
            $tail
        )
    };
}
pub(super) use select_events;

/// An event as it stands in the log, with the names of the people in it.
#[derive(FromRow)]
pub(super) struct EventRow {
    room_id: Uuid,
    pub(super) seq: i64,
    n: i64,
    id: Uuid,
    kind: String,
    user_id: Uuid,
    username: String,
    display_name: String,
    member_id: Option<Uuid>,
    member_username: Option<String>,
    member_display_name: Option<String>,
    client_id: Option<Word<ClientId>>,
    target: Option<i64>,
    reply_to: Option<i64>,
    thread: Option<i64>,
    body: Option<String>,
    data: Option<Json<EventData>>,
    at: At,
    edited_at: Option<At>,
    deleted_at: Option<At>,
}

/// What only some kinds of events need.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct EventData {
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<Role>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    until: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    changes: Option<RoomChanges>,
    #[serde(skip_serializing_if = "Option::is_none")]
    archived: Option<bool>,
}

impl EventRow {
    pub(super) fn event(self) -> Result<Event> {
        Ok(Event {
            room: RoomId::from_uuid(self.room_id),
            seq: Seq::from_i64(self.seq),
            id: EventId::from_uuid(self.id),
            n: Seq::from_i64(self.n).0,
            at: self.at.0,
            user: UserSummary {
                id: UserId::from_uuid(self.user_id),
                username: self.username.clone(),
                display_name: self.display_name.clone(),
            },
            kind: self.kind()?,
        })
    }

    fn kind(self) -> Result<EventKind> {
        Ok(match self.kind.as_str() {
            "message" => EventKind::Message(MessageContent {
                client_id: self.client_id.map(|word| word.0),
                body: self.body.unwrap_or_default(),
                edited_at: self.edited_at.map(Timestamp::from),
                deleted_at: self.deleted_at.map(Timestamp::from),
                reply_to: self.reply_to.map(Seq::from_i64),
                thread: self.thread.map(Seq::from_i64),
            }),
            "edit" => EventKind::Edit(Edited {
                target: self.target()?,
                body: self.body.unwrap_or_default(),
            }),
            "delete" => EventKind::Delete(Target {
                target: self.target()?,
            }),
            "join" => EventKind::Join,
            "leave" => EventKind::Leave,
            "kick" => EventKind::Kick(self.moderated()?),
            "ban" => EventKind::Ban(self.moderated()?),
            "unban" => EventKind::Unban(self.moderated()?),
            "role" => EventKind::Role(self.moderated()?),
            "mute" => EventKind::Mute(self.moderated()?),
            "room" => EventKind::Room(Changed {
                changes: self
                    .data
                    .and_then(|data| data.0.changes)
                    .unwrap_or_default(),
            }),
            "archive" => EventKind::Archive(Archived {
                archived: self
                    .data
                    .and_then(|data| data.0.archived)
                    .unwrap_or_default(),
            }),
            _ => return Err(unreadable("an event of an unknown kind")),
        })
    }

    fn target(&self) -> Result<Seq> {
        self.target
            .map(Seq::from_i64)
            .ok_or_else(|| unreadable("an event without its target"))
    }

    fn moderated(self) -> Result<Moderated> {
        let (Some(id), Some(username), Some(display_name)) = (
            self.member_id,
            self.member_username,
            self.member_display_name,
        ) else {
            return Err(unreadable("an event without its member"));
        };
        let data = self.data.map(|data| data.0).unwrap_or_default();
        Ok(Moderated {
            member: UserSummary {
                id: UserId::from_uuid(id),
                username,
                display_name,
            },
            role: data.role,
            reason: data.reason,
            until: data.until,
        })
    }
}

fn unreadable(what: &'static str) -> Error {
    Error::Broken(sqlx::Error::Decode(what.into()))
}

/// What an event of this kind has in its row, beside who, where and when.
#[derive(Default)]
pub(super) struct KindColumns<'a> {
    pub(super) target: Option<i64>,
    pub(super) member_id: Option<Uuid>,
    pub(super) body: Option<&'a str>,
    pub(super) data: Option<Json<EventData>>,
}

impl<'a> From<&'a EventKind> for KindColumns<'a> {
    fn from(kind: &'a EventKind) -> Self {
        let with = |data| Self {
            data: Some(Json(data)),
            ..Self::default()
        };
        match kind {
            EventKind::Message(content) => Self {
                body: Some(&content.body),
                ..Self::default()
            },
            EventKind::Edit(edited) => Self {
                target: Some(edited.target.to_i64()),
                body: Some(&edited.body),
                ..Self::default()
            },
            EventKind::Delete(target) => Self {
                target: Some(target.target.to_i64()),
                ..Self::default()
            },
            EventKind::Join | EventKind::Leave => Self::default(),
            EventKind::Kick(moderated)
            | EventKind::Ban(moderated)
            | EventKind::Unban(moderated)
            | EventKind::Role(moderated)
            | EventKind::Mute(moderated) => Self {
                member_id: Some(moderated.member.id.uuid()),
                ..with(EventData {
                    role: moderated.role,
                    reason: moderated.reason.clone(),
                    until: moderated.until,
                    ..EventData::default()
                })
            },
            EventKind::Room(changed) => with(EventData {
                changes: Some(changed.changes.clone()),
                ..EventData::default()
            }),
            EventKind::Archive(archive) => with(EventData {
                archived: Some(archive.archived),
                ..EventData::default()
            }),
        }
    }
}
