//! Names of things that no two things share: UUIDv7, told apart by type so that a room is never
//! passed where a user is meant.

use std::{fmt, marker::PhantomData, str::FromStr};

use serde::{Deserialize, Serialize};
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{KnownFormat, ObjectBuilder, RefOr, Schema, SchemaFormat, schema::Type},
};
use uuid::Uuid;

/// The id of one `K`, written as a hyphenated lower-case UUID.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Id<K>(Uuid, #[serde(skip)] PhantomData<K>);

/// Marks the id of a room.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum OfRoom {}
/// Marks the id of a user.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum OfUser {}
/// Marks the id of an event.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum OfEvent {}
/// Marks the id of a session.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum OfSession {}
/// Marks the id of a connection.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum OfConnection {}

/// Marks the id of a report.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum OfReport {}
/// Marks the id of a file.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum OfFile {}

/// Marks the id of a webhook.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum OfWebhook {}
/// Marks the id of a hook.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum OfHook {}

/// Marks the id of an identity.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum OfIdentity {}

/// Names a room.
pub type RoomId = Id<OfRoom>;
/// Names an account.
pub type UserId = Id<OfUser>;
/// Names one entry of a room's log, beside its place (see [`crate::Seq`]).
pub type EventId = Id<OfEvent>;
/// Names one login of one user on one device.
pub type SessionId = Id<OfSession>;
/// Names an uploaded file.
pub type FileId = Id<OfFile>;
/// Names a way out of rooms, to a url elsewhere.
pub type WebhookId = Id<OfWebhook>;
/// Names a way into a room, for tools that can only post.
pub type HookId = Id<OfHook>;
/// Names what somebody told moderators of a message.
pub type ReportId = Id<OfReport>;
/// Names an account elsewhere that somebody may log in by.
pub type IdentityId = Id<OfIdentity>;
/// Names one socket.
pub type ConnectionId = Id<OfConnection>;

impl<K> Id<K> {
    /// The id that these bytes are.
    pub const fn from_uuid(uuid: Uuid) -> Self {
        Self(uuid, PhantomData)
    }

    /// The bytes of this id.
    pub const fn uuid(self) -> Uuid
    where
        K: Copy,
    {
        self.0
    }
}

impl<K> fmt::Display for Id<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<K> fmt::Debug for Id<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<K> FromStr for Id<K> {
    type Err = uuid::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Uuid::from_str(text).map(Self::from_uuid)
    }
}

impl<K> PartialSchema for Id<K> {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(Type::String)
            .format(Some(SchemaFormat::KnownFormat(KnownFormat::Uuid)))
            .description(Some("A UUIDv7."))
            .into()
    }
}

impl<K> ToSchema for Id<K> {
    fn name() -> std::borrow::Cow<'static, str> {
        "Id".into()
    }
}
