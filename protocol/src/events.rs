//! Events: the entries of a room's log, as clients see them.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::{IntoParams, ToSchema};

use crate::{
    EventId, Fields, Limits, Parse, Role, RoomId, Seq, Timestamp,
    accounts::UserSummary,
    fields::Whole,
    marks::React,
    mentions::Mention,
    messages::{Message, MessageContent, MessageKind},
    rooms::{HistoryVisibility, Visibility},
};

/// One entry of a room's log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Event {
    /// The room.
    pub room: RoomId,
    /// Its place in the room's log.
    pub seq: Seq,
    /// Its id.
    pub id: EventId,
    /// How many messages the room has had so far, this one included: what unread counts stand on.
    pub n: u64,
    /// When it was stored.
    pub at: Timestamp,
    /// Who did it.
    pub user: UserSummary,
    /// What they did.
    #[serde(flatten)]
    pub kind: EventKind,
}

/// What somebody did in a room.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum EventKind {
    /// Wrote something.
    Message(MessageContent),
    /// Changed the text of their message.
    Edit(Edited),
    /// Deleted a message; its text is gone everywhere.
    Delete(Target),
    /// Reacted to a message.
    React(Reacted),
    /// Took a reaction back.
    Unreact(Reacted),
    /// Pinned a message.
    Pin(Target),
    /// Took a pin away.
    Unpin(Target),
    /// Became a member.
    Join,
    /// Stopped being one.
    Leave,
    /// Removed a member.
    Kick(Moderated),
    /// Removed somebody and keeps them out.
    Ban(Moderated),
    /// Lets somebody in again.
    Unban(Moderated),
    /// Gave a member another role.
    Role(Moderated),
    /// Silenced a member until a moment, or lets them write again (no `until`).
    Mute(Moderated),
    /// Changed the room.
    Room(Changed),
    /// Made the room read-only, or writable again.
    Archive(Archived),
    /// Did something that only a later version knows, whatever its `kind` is called. It has its place
    /// in the log and is passed on as it is; who shows a room leaves it out.
    #[serde(untagged)]
    Unknown(Unknown),
}

impl EventKind {
    /// The stable word, as on the wire and in the store.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Message(_) => "message",
            Self::Edit(_) => "edit",
            Self::Delete(_) => "delete",
            Self::React(_) => "react",
            Self::Unreact(_) => "unreact",
            Self::Pin(_) => "pin",
            Self::Unpin(_) => "unpin",
            Self::Join => "join",
            Self::Leave => "leave",
            Self::Kick(_) => "kick",
            Self::Ban(_) => "ban",
            Self::Unban(_) => "unban",
            Self::Role(_) => "role",
            Self::Mute(_) => "mute",
            Self::Room(_) => "room",
            Self::Archive(_) => "archive",
            Self::Unknown(unknown) => &unknown.kind,
        }
    }
}

/// Names the message that an event is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Target {
    /// The message's seq.
    pub target: Seq,
}

/// A message's new text. Later reads of the log may find it empty, once the message is deleted.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Edited {
    /// The message's seq.
    pub target: Seq,
    /// The new text.
    pub body: String,
    /// Whom it calls.
    #[serde(default)]
    pub mentions: Vec<Mention>,
}

/// Shows the length only: bodies never reach a log.
impl std::fmt::Debug for Edited {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Edited({}, {} bytes)", self.target, self.body.len())
    }
}

/// Names a message and what was reacted with; who did it is the event's user.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Reacted {
    /// The message's seq.
    pub target: Seq,
    /// The emoji.
    pub emoji: String,
}

impl From<&React> for Reacted {
    fn from(react: &React) -> Self {
        Self {
            target: react.seq,
            emoji: react.emoji.as_str().to_owned(),
        }
    }
}

/// What was done to a person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Moderated {
    /// To whom.
    pub member: UserSummary,
    /// What they are now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<Role>,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Until when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
}

/// What is new about a room; only what changed is there.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RoomChanges {
    /// The new name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The new topic.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub topic: Option<String>,
    /// The new visibility.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub visibility: Option<Visibility>,
    /// Whether a password opens it now. The password itself is never told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub has_password: Option<bool>,
    /// The new capacity.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_members: Option<u32>,
    /// How far back new members read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub history: Option<HistoryVisibility>,
    /// Seconds between two messages of a member.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slow_mode_s: Option<u32>,
}

/// Carries what is new about a room.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Changed {
    /// What is new.
    pub changes: RoomChanges,
}

/// Whether a room is read-only from here on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Archived {
    /// Whether it is.
    pub archived: bool,
}

/// Something that this version does not know.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Unknown {
    /// What the later version calls it.
    pub kind: String,
    /// What else it says of it.
    #[serde(flatten)]
    pub fields: Map<String, Value>,
}

/// Shows the kind only: a body may be among the fields.
impl std::fmt::Debug for Unknown {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Unknown({})", self.kind)
    }
}

impl Event {
    /// The message that this event is, if it is one.
    pub fn into_message(self) -> Option<Message> {
        let EventKind::Message(content) = self.kind else {
            return None;
        };
        Some(Message {
            room: self.room,
            seq: self.seq,
            id: self.id,
            kind: MessageKind::Message,
            user: self.user,
            at: self.at,
            content,
        })
    }
}

/// The query of `GET /v1/rooms/{id}/events`.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct EventsQuery {
    /// The seq of the latest event that the caller has; 0 if left out.
    #[param(value_type = u64, required = false, minimum = 0)]
    after: Option<Whole>,
    /// At most so many; 50 if left out.
    #[param(value_type = u32, required = false, minimum = 1, maximum = 200)]
    limit: Option<Whole>,
    /// Seconds to wait for an event if there is none; 0 if left out.
    #[param(value_type = u32, required = false, minimum = 0, maximum = 30)]
    wait_s: Option<Whole>,
}

/// A checked question for events.
#[derive(Clone, Copy, Debug)]
pub struct FindEvents {
    /// Those next after this place.
    pub after: Seq,
    /// At most so many.
    pub limit: u32,
    /// Seconds to wait for the first one.
    pub wait_s: u64,
}

/// Longest that a question for events waits, seconds.
const WAIT_MAX_S: u64 = 30;

impl Parse for FindEvents {
    type Raw = EventsQuery;

    fn parse(raw: EventsQuery, limits: &Limits) -> Result<Self, Fields> {
        let mut fields = Fields::default();
        let after = fields.optional("after", raw.after, Whole::seq);
        let limit = crate::rooms::page_limit(&mut fields, raw.limit, limits);
        let wait_s = fields.optional("wait_s", raw.wait_s, |raw| raw.within(0..=WAIT_MAX_S));
        if !fields.is_empty() {
            return Err(fields);
        }
        Ok(Self {
            after: after.unwrap_or_default(),
            limit,
            wait_s: wait_s.unwrap_or(0),
        })
    }
}

/// A stretch of a room's log, in order.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct EventList {
    /// The events.
    pub events: Vec<Event>,
    /// The place of the room's latest event.
    pub head: Seq,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn event(kind: &Value) -> Value {
        let mut event = json!({
            "room": "01890a5d-ac96-774b-bcce-b302099a8057", "seq": 7, "n": 3,
            "id": "01890a5d-ac96-774b-bcce-b302099a8058", "at": "2026-11-22T07:15:00.123Z",
            "user": {
                "id": "01890a5d-ac96-774b-bcce-b302099a8059", "username": "ada", "display_name": "Ada",
            },
        });
        let (Some(fields), Some(more)) = (event.as_object_mut(), kind.as_object()) else {
            unreachable!("both are objects");
        };
        fields.extend(more.clone());
        event
    }

    #[test]
    fn what_only_a_later_version_knows_keeps_its_place_and_its_fields() {
        let told =
            event(&json!({ "kind": "poll", "question": "Tea?", "options": [1, { "a": null }] }));
        let read: Event = serde_json::from_value(told.clone()).unwrap();
        assert_eq!((read.seq, read.kind.as_str()), (Seq(7), "poll"));
        assert_eq!(format!("{:?}", read.kind), "Unknown(Unknown(poll))");
        assert_eq!(serde_json::to_value(&read).unwrap(), told);

        // The same for a known kind that says what this version cannot read.
        let told = event(&json!({ "kind": "role", "member": 7, "role": "guest" }));
        let read: Event = serde_json::from_value(told.clone()).unwrap();
        assert!(matches!(read.kind, EventKind::Unknown(_)));
        assert_eq!(serde_json::to_value(&read).unwrap(), told);

        let told = event(&json!({ "kind": "leave" }));
        let read: Event = serde_json::from_value(told.clone()).unwrap();
        assert_eq!(read.kind, EventKind::Leave);
        assert_eq!(serde_json::to_value(&read).unwrap(), told);
    }
}
