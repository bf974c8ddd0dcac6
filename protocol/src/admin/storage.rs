//! What the server stores, and how much of it.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{RoomId, rooms::Visibility};

/// What is stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Storage {
    /// `postgres` or `sqlite`.
    pub engine: String,
    /// How large the database is.
    pub database_bytes: u64,
    /// Accounts that are not erased.
    pub users: u64,
    /// Rooms that are there.
    pub rooms: u64,
    /// Rooms that are deleted and not erased yet.
    pub deleted_rooms: u64,
    /// Entries of the logs of all these rooms.
    pub events: u64,
    /// How many of them are messages.
    pub messages: u64,
    /// Files that are kept.
    pub files: u64,
    /// How large they are, without their small pictures.
    pub files_bytes: u64,
    /// The rooms with the most events, at most ten.
    pub largest: Vec<LargeRoom>,
}

/// A room of which much is stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LargeRoom {
    /// The room.
    pub room: RoomId,
    /// Its name.
    pub name: String,
    /// Who finds it.
    pub visibility: Visibility,
    /// Entries of its log.
    pub events: u64,
    /// How many of them are messages.
    pub messages: u64,
    /// How many members it has.
    pub members: u32,
    /// How large the files in it are.
    pub files_bytes: u64,
}
