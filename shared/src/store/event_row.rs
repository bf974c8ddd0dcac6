//! How an event stands in its row: its columns, and what the protocol makes of them.

use protocol::{
    EventId, Role, RoomId, Seq, Timestamp, UserId,
    accounts::UserSummary,
    events::{
        Archived, Changed, Edited, Event, EventKind, Moderated, Reacted, RoomChanges, Target,
        Unknown,
    },
    files::File,
    mentions::Mention,
    messages::MessageContent,
    text::ClientId,
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
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
    data: Option<Json<Value>>,
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
    #[serde(skip_serializing_if = "Option::is_none")]
    emoji: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    mentions: Vec<Mention>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    files: Vec<File>,
}

impl EventData {
    /// What a text says beside itself, if anything.
    pub(super) fn of_text(mentions: &[Mention], files: &[File]) -> Option<Json<Value>> {
        let data = Self {
            mentions: mentions.to_vec(),
            files: files.to_vec(),
            ..Self::default()
        };
        (!mentions.is_empty() || !files.is_empty()).then(|| Json(json!(data)))
    }
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
        let data = match &self.data {
            Some(Json(data)) => match EventData::deserialize(data) {
                Ok(data) => data,
                // A later version says more of this kind than can be read here.
                Err(_) => return Ok(EventKind::Unknown(self.unknown())),
            },
            None => EventData::default(),
        };
        Ok(match self.kind.as_str() {
            "message" => EventKind::Message(MessageContent {
                client_id: self.client_id.map(|word| word.0),
                body: self.body.unwrap_or_default(),
                edited_at: self.edited_at.map(Timestamp::from),
                deleted_at: self.deleted_at.map(Timestamp::from),
                reply_to: self.reply_to.map(Seq::from_i64),
                thread: self.thread.map(Seq::from_i64),
                mentions: data.mentions,
                files: data.files,
                ..MessageContent::default()
            }),
            "edit" => EventKind::Edit(Edited {
                target: self.target()?,
                body: self.body.unwrap_or_default(),
                mentions: data.mentions,
            }),
            "delete" => EventKind::Delete(Target {
                target: self.target()?,
            }),
            "react" => EventKind::React(reacted(self.target()?, data)?),
            "unreact" => EventKind::Unreact(reacted(self.target()?, data)?),
            "pin" => EventKind::Pin(Target {
                target: self.target()?,
            }),
            "unpin" => EventKind::Unpin(Target {
                target: self.target()?,
            }),
            "join" => EventKind::Join,
            "leave" => EventKind::Leave,
            "kick" => EventKind::Kick(self.moderated(data)?),
            "ban" => EventKind::Ban(self.moderated(data)?),
            "unban" => EventKind::Unban(self.moderated(data)?),
            "role" => EventKind::Role(self.moderated(data)?),
            "mute" => EventKind::Mute(self.moderated(data)?),
            "room" => EventKind::Room(Changed {
                changes: data.changes.unwrap_or_default(),
            }),
            "archive" => EventKind::Archive(Archived {
                archived: data.archived.unwrap_or_default(),
            }),
            _ => EventKind::Unknown(self.unknown()),
        })
    }

    fn target(&self) -> Result<Seq> {
        self.target
            .map(Seq::from_i64)
            .ok_or_else(|| unreadable("an event without its target"))
    }

    fn member(&mut self) -> Option<UserSummary> {
        Some(UserSummary {
            id: UserId::from_uuid(self.member_id?),
            username: self.member_username.take()?,
            display_name: self.member_display_name.take()?,
        })
    }

    fn moderated(mut self, data: EventData) -> Result<Moderated> {
        let member = self.member();
        Ok(Moderated {
            member: member.ok_or_else(|| unreadable("an event without its member"))?,
            role: data.role,
            reason: data.reason,
            until: data.until,
        })
    }

    /// What the row says, for those who know what it means.
    fn unknown(mut self) -> Unknown {
        let mut fields = match self.data.take() {
            Some(Json(Value::Object(fields))) => fields,
            _ => Map::new(),
        };
        let columns = [
            ("target", self.target.map(Value::from)),
            ("body", self.body.take().map(Value::from)),
            (
                "member",
                self.member()
                    .and_then(|member| serde_json::to_value(member).ok()),
            ),
        ];
        for (name, value) in columns {
            if let Some(value) = value {
                fields.insert(name.to_owned(), value);
            }
        }
        // These are said of every event, and by the row.
        for name in ["room", "seq", "id", "n", "at", "user", "kind"] {
            fields.remove(name);
        }
        Unknown {
            kind: self.kind,
            fields,
        }
    }
}

fn reacted(target: Seq, data: EventData) -> Result<Reacted> {
    let emoji = data
        .emoji
        .ok_or_else(|| unreadable("a reaction without its emoji"))?;
    Ok(Reacted { target, emoji })
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
    pub(super) data: Option<Json<Value>>,
}

impl<'a> From<&'a EventKind> for KindColumns<'a> {
    fn from(kind: &'a EventKind) -> Self {
        let with = |data: EventData| Self {
            data: Some(Json(json!(data))),
            ..Self::default()
        };
        match kind {
            EventKind::Message(content) => Self {
                body: Some(&content.body),
                data: EventData::of_text(&content.mentions, &content.files),
                ..Self::default()
            },
            EventKind::Edit(edited) => Self {
                target: Some(edited.target.to_i64()),
                body: Some(&edited.body),
                data: EventData::of_text(&edited.mentions, &[]),
                ..Self::default()
            },
            EventKind::React(reacted) | EventKind::Unreact(reacted) => Self {
                target: Some(reacted.target.to_i64()),
                ..with(EventData {
                    emoji: Some(reacted.emoji.clone()),
                    ..EventData::default()
                })
            },
            EventKind::Delete(target) | EventKind::Pin(target) | EventKind::Unpin(target) => Self {
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
            EventKind::Unknown(unknown) => Self {
                data: Some(Json(json!(unknown.fields))),
                ..Self::default()
            },
        }
    }
}
