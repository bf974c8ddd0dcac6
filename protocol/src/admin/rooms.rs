//! A room as server admins see and change it.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::truth;
use crate::{
    Fields, Limits, Parse, Timestamp, UserId, Violation,
    accounts::UserSummary,
    fields::{Whole, id},
    rooms::{Room, page_cursor, page_limit},
    text::{RoomName, searchable},
};

/// A room, of whatever visibility.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AdminRoom {
    /// The room.
    pub room: Room,
    /// Who has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<UserSummary>,
    /// Whether its owner is erased or suspended, so that nobody can act as such.
    pub ownerless: bool,
    /// How many messages it has had.
    pub messages: u64,
    /// When it was deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deleted_at: Option<Timestamp>,
    /// Until when it can be restored; a deleted room without it is being erased.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restorable_until: Option<Timestamp>,
}

/// The query of `GET /v1/admin/rooms`.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct AdminRoomsQuery {
    /// What their name contains.
    #[param(max_length = 64)]
    query: Option<String>,
    /// Only those that nobody can act as the owner of.
    #[param(value_type = bool, required = false)]
    ownerless: Option<String>,
    /// Those that are deleted, in place of those that are there.
    #[param(value_type = bool, required = false)]
    deleted: Option<String>,
    /// Where the page before ended.
    #[param(max_length = 512)]
    cursor: Option<String>,
    /// At most so many; 50 if left out.
    #[param(value_type = u32, required = false, minimum = 1, maximum = 200)]
    limit: Option<Whole>,
}

/// A checked search for rooms.
#[derive(Clone, Debug, Default)]
pub struct FindAdminRooms {
    /// What their name contains, folded; empty for all.
    pub query: String,
    /// Only those that nobody can act as the owner of.
    pub ownerless: bool,
    /// Those that are deleted, in place of those that are there.
    pub deleted: bool,
    /// Where the page before ended.
    pub cursor: Option<String>,
    /// At most so many.
    pub limit: u32,
}

impl Parse for FindAdminRooms {
    type Raw = AdminRoomsQuery;

    fn parse(raw: AdminRoomsQuery, limits: &Limits) -> Result<Self, Fields> {
        let mut fields = Fields::default();
        let query = fields.optional("query", raw.query, |raw| {
            if raw.chars().count() > limits.room_name_max_chars {
                return Err(Violation::TooLong);
            }
            searchable(&raw)?;
            Ok(RoomName::search_key(&raw))
        });
        let ownerless = fields.optional("ownerless", raw.ownerless.as_deref(), truth);
        let deleted = fields.optional("deleted", raw.deleted.as_deref(), truth);
        let cursor = page_cursor(&mut fields, raw.cursor);
        let limit = page_limit(&mut fields, raw.limit, limits);
        if !fields.is_empty() {
            return Err(fields);
        }
        Ok(Self {
            query: query.unwrap_or_default(),
            ownerless: ownerless.unwrap_or_default(),
            deleted: deleted.unwrap_or_default(),
            cursor,
            limit,
        })
    }
}

/// A page of rooms, the newest first.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct AdminRoomList {
    /// The rooms.
    pub rooms: Vec<AdminRoom>,
    /// Where the next page begins; left out at the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}

/// `PATCH /v1/admin/rooms/{room}`: what is left out stays.
#[derive(Default, Deserialize, Serialize, ToSchema)]
pub struct AdminRoomBody {
    /// Who has it from now on; they join it if they are not in it.
    #[schema(value_type = Option<UserId>)]
    pub owner: Option<String>,
    /// Whether it can only be read.
    pub archived: Option<bool>,
    /// `false` brings a deleted room back.
    pub deleted: Option<bool>,
}

/// A checked change of a room.
#[derive(Clone, Copy, Debug, Default)]
pub struct ChangeAdminRoom {
    /// Who has it from now on.
    pub owner: Option<UserId>,
    /// Whether it can only be read.
    pub archived: Option<bool>,
    /// Whether it is brought back.
    pub restored: bool,
}

impl Parse for ChangeAdminRoom {
    type Raw = AdminRoomBody;

    fn parse(raw: AdminRoomBody, _: &Limits) -> Result<Self, Fields> {
        let mut fields = Fields::default();
        let owner = fields.optional("owner", raw.owner, id);
        // A room is deleted by `DELETE`.
        if raw.deleted == Some(true) {
            fields.add("deleted", Violation::Invalid);
        }
        if !fields.is_empty() {
            return Err(fields);
        }
        Ok(Self {
            owner,
            archived: raw.archived,
            restored: raw.deleted == Some(false),
        })
    }
}
