//! A room itself: how it is shown, made and changed.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    Fields, Limits, Parse, Role, RoomId, Seq, Timestamp, UserId, Violation,
    accounts::UserSummary,
    fields::{nullable, word},
    messages::Message,
    text::{RoomName, RoomPassword, Topic},
};

/// Who finds a room and how they get in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Visibility {
    /// Listed; anyone may join.
    Public,
    /// Listed by name and topic; joined by password or invite.
    Private,
    /// Not listed; joined by invite.
    Secret,
    /// A conversation of named people.
    Direct,
}

impl Visibility {
    /// The stable word, as on the wire and in the store.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::Private => "private",
            Self::Secret => "secret",
            Self::Direct => "direct",
        }
    }

    /// Whether strangers find it in the list, so that its name must be unique.
    pub const fn is_listed(self) -> bool {
        matches!(self, Self::Public | Self::Private)
    }
}

/// How far back a new member reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum HistoryVisibility {
    /// Everything.
    All,
    /// From their joining on.
    SinceJoin,
}

impl HistoryVisibility {
    /// The stable word, as on the wire and in the store.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::SinceJoin => "since_join",
        }
    }
}

/// A room. To people who are not members of a private room only `id`, `name`, `topic`, `visibility`,
/// `has_password` and `members` are told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Room {
    /// The room.
    pub id: RoomId,
    /// Its name.
    pub name: String,
    /// What it is about.
    pub topic: String,
    /// Who finds it.
    pub visibility: Visibility,
    /// Whether a password opens it.
    pub has_password: bool,
    /// How many members it has.
    pub members: u32,
    /// Who has it; nobody, if the owner's account was erased.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner_id: Option<UserId>,
    /// How many members it may have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_members: Option<u32>,
    /// How far back a new member reads.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub history: Option<HistoryVisibility>,
    /// Seconds that a member waits between two messages; 0 for none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slow_mode_s: Option<u32>,
    /// The place of its latest event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub head: Option<Seq>,
    /// When it was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_at: Option<Timestamp>,
    /// Since when it can only be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub archived_at: Option<Timestamp>,
    /// What the caller is there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<Role>,
    /// How many messages the caller has not read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unread: Option<u64>,
    /// Of a direct conversation, the people that it is of; left out otherwise.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub people: Vec<UserSummary>,
}

/// One of the caller's own rooms.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct MyRoom {
    /// The room.
    #[serde(flatten)]
    pub room: Room,
    /// How far the caller has read.
    pub read: Seq,
    /// How many messages call the caller that they have not read.
    #[serde(default)]
    pub mentions: u64,
    /// The latest message that the caller may read.
    pub last_message: Option<Message>,
}

/// `POST /v1/rooms`
#[derive(Deserialize, Serialize, ToSchema)]
pub struct CreateRoomBody {
    /// 1 to 64 characters; unique among public and private rooms.
    #[schema(
        required,
        nullable = false,
        min_length = 1,
        max_length = 64,
        example = "Tea"
    )]
    pub name: Option<String>,
    /// At most 1,024 characters.
    #[schema(max_length = 1024)]
    pub topic: Option<String>,
    /// `public` if left out.
    #[schema(value_type = Option<Visibility>)]
    pub visibility: Option<String>,
    /// 4 to 128 characters; only for private rooms.
    #[schema(min_length = 4, max_length = 128)]
    pub password: Option<String>,
    /// At most 10,000.
    #[schema(value_type = Option<u32>, minimum = 1, maximum = 10000)]
    pub max_members: Option<u64>,
    /// `all` if left out.
    #[schema(value_type = Option<HistoryVisibility>)]
    pub history: Option<String>,
}

/// A checked new room.
#[derive(Clone, Debug)]
pub struct CreateRoom {
    /// Its name.
    pub name: RoomName,
    /// What it is about.
    pub topic: Topic,
    /// Who finds it; never `direct`.
    pub visibility: Visibility,
    /// What opens it.
    pub password: Option<RoomPassword>,
    /// How many members it may have.
    pub max_members: u32,
    /// How far back a new member reads.
    pub history: HistoryVisibility,
}

impl Parse for CreateRoom {
    type Raw = CreateRoomBody;

    fn parse(raw: CreateRoomBody, limits: &Limits) -> Result<Self, Fields> {
        let mut fields = Fields::default();
        let name = fields.required("name", raw.name, |raw| RoomName::parse(&raw, limits));
        let topic = fields.optional("topic", raw.topic, |raw| Topic::parse(&raw, limits));
        let visibility = fields.optional("visibility", raw.visibility, chosen_visibility);
        let visibility = visibility.unwrap_or(Visibility::Public);
        let password = fields.optional("password", raw.password, |raw| {
            RoomPassword::parse(&raw, limits)
        });
        if password.is_some() && visibility != Visibility::Private {
            fields.add("password", Violation::Conflicting);
        }
        let max_members =
            fields.optional("max_members", raw.max_members, |raw| capacity(raw, limits));
        let history = fields.optional("history", raw.history, word);
        match name {
            Some(name) if fields.is_empty() => Ok(Self {
                name,
                topic: topic.unwrap_or_default(),
                visibility,
                password,
                max_members: max_members.unwrap_or(limits.room_max_members),
                history: history.unwrap_or(HistoryVisibility::All),
            }),
            _ => Err(fields),
        }
    }
}

/// `PATCH /v1/rooms/{id}`: what is left out stays.
#[derive(Default, Deserialize, Serialize, ToSchema)]
pub struct ChangeRoomBody {
    /// 1 to 64 characters.
    #[schema(min_length = 1, max_length = 64)]
    pub name: Option<String>,
    /// At most 1,024 characters.
    #[schema(max_length = 1024)]
    pub topic: Option<String>,
    /// Who finds it.
    #[schema(value_type = Option<Visibility>)]
    pub visibility: Option<String>,
    /// 4 to 128 characters; `null` removes it.
    #[serde(
        default,
        deserialize_with = "nullable",
        skip_serializing_if = "Option::is_none"
    )]
    #[schema(value_type = Option<String>, min_length = 4, max_length = 128)]
    pub password: Option<Option<String>>,
    /// At most 10,000.
    #[schema(value_type = Option<u32>, minimum = 1, maximum = 10000)]
    pub max_members: Option<u64>,
    /// How far back a new member reads.
    #[schema(value_type = Option<HistoryVisibility>)]
    pub history: Option<String>,
    /// Whether it can only be read.
    pub archived: Option<bool>,
    /// Seconds between two messages of a member, at most 21,600; 0 for none.
    #[schema(value_type = Option<u32>, maximum = 21600)]
    pub slow_mode_s: Option<u64>,
}

/// A checked change of a room.
#[derive(Clone, Debug, Default)]
pub struct ChangeRoom {
    /// The new name.
    pub name: Option<RoomName>,
    /// The new topic.
    pub topic: Option<Topic>,
    /// The new visibility; never `direct`.
    pub visibility: Option<Visibility>,
    /// The new password; `Some(None)` removes it.
    pub password: Option<Option<RoomPassword>>,
    /// The new capacity.
    pub max_members: Option<u32>,
    /// How far back new members read.
    pub history: Option<HistoryVisibility>,
    /// Whether it can only be read.
    pub archived: Option<bool>,
    /// Seconds between two messages of a member.
    pub slow_mode_s: Option<u32>,
}

impl Parse for ChangeRoom {
    type Raw = ChangeRoomBody;

    fn parse(raw: ChangeRoomBody, limits: &Limits) -> Result<Self, Fields> {
        let mut fields = Fields::default();
        let changed = Self {
            name: fields.optional("name", raw.name, |raw| RoomName::parse(&raw, limits)),
            topic: fields.optional("topic", raw.topic, |raw| Topic::parse(&raw, limits)),
            visibility: fields.optional("visibility", raw.visibility, chosen_visibility),
            password: fields.optional("password", raw.password, |raw| {
                raw.map(|raw| RoomPassword::parse(&raw, limits)).transpose()
            }),
            max_members: fields
                .optional("max_members", raw.max_members, |raw| capacity(raw, limits)),
            history: fields.optional("history", raw.history, word),
            archived: raw.archived,
            slow_mode_s: fields.optional("slow_mode_s", raw.slow_mode_s, |raw| {
                let seconds = u32::try_from(raw).map_err(|_| Violation::OutOfRange)?;
                if seconds > limits.slow_mode_max_s {
                    Err(Violation::OutOfRange)
                } else {
                    Ok(seconds)
                }
            }),
        };
        if fields.is_empty() {
            Ok(changed)
        } else {
            Err(fields)
        }
    }
}

fn chosen_visibility(raw: String) -> Result<Visibility, Violation> {
    match word(raw)? {
        Visibility::Direct => Err(Violation::Invalid),
        visibility => Ok(visibility),
    }
}

fn capacity(raw: u64, limits: &Limits) -> Result<u32, Violation> {
    u32::try_from(raw)
        .ok()
        .filter(|count| (1..=limits.room_max_members).contains(count))
        .ok_or(Violation::OutOfRange)
}
