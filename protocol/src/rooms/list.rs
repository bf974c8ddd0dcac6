//! Lists of rooms, and the pages that every list comes in.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{MyRoom, Room};
use crate::{
    Fields, Limits, Parse, Timestamp, Violation,
    fields::{Whole, word},
    text::{RoomName, searchable},
};

/// The query of `GET /v1/rooms`, and the fields of `list_rooms`.
#[derive(Deserialize, IntoParams, ToSchema)]
#[into_params(parameter_in = Query)]
pub struct RoomsQuery {
    /// What their name contains.
    #[param(max_length = 64)]
    query: Option<String>,
    /// Where the page before ended.
    #[param(max_length = 512)]
    cursor: Option<String>,
    /// At most so many; 50 if left out.
    #[schema(value_type = Option<u32>, minimum = 1, maximum = 200)]
    #[param(value_type = u32, required = false, minimum = 1, maximum = 200)]
    limit: Option<Whole>,
    /// In which order; by name if left out.
    #[schema(value_type = Option<RoomSort>)]
    #[param(inline, value_type = RoomSort, required = false)]
    sort: Option<String>,
}

/// How a list of rooms is ordered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RoomSort {
    /// By name.
    #[default]
    Name,
    /// Most members first.
    Members,
    /// Newest first.
    Created,
}

/// A checked search for rooms.
#[derive(Clone, Debug, Default)]
pub struct FindRooms {
    /// What their name contains, folded; empty for all.
    pub query: String,
    /// Where the page before ended.
    pub cursor: Option<String>,
    /// At most so many.
    pub limit: u32,
    /// In which order.
    pub sort: RoomSort,
}

impl Parse for FindRooms {
    type Raw = RoomsQuery;

    fn parse(raw: RoomsQuery, limits: &Limits) -> Result<Self, Fields> {
        let mut fields = Fields::default();
        let query = fields.optional("query", raw.query, |raw| {
            if raw.chars().count() > limits.room_name_max_chars {
                return Err(Violation::TooLong);
            }
            searchable(&raw)?;
            Ok(RoomName::search_key(&raw))
        });
        let sort = fields.optional("sort", raw.sort, word);
        let cursor = page_cursor(&mut fields, raw.cursor);
        let limit = page_limit(&mut fields, raw.limit, limits);
        if !fields.is_empty() {
            return Err(fields);
        }
        Ok(Self {
            query: query.unwrap_or_default(),
            cursor,
            limit,
            sort: sort.unwrap_or_default(),
        })
    }
}

/// The query of a plain list, and the fields of `members`.
#[derive(Deserialize, IntoParams, ToSchema)]
#[into_params(parameter_in = Query)]
pub struct PageQuery {
    /// Where the page before ended.
    #[param(max_length = 512)]
    cursor: Option<String>,
    /// At most so many; 50 if left out.
    #[schema(value_type = Option<u32>, minimum = 1, maximum = 200)]
    #[param(value_type = u32, required = false, minimum = 1, maximum = 200)]
    limit: Option<Whole>,
}

/// A checked page of a list.
#[derive(Clone, Debug, Default)]
pub struct Page {
    /// Where the page before ended.
    pub cursor: Option<String>,
    /// At most so many.
    pub limit: u32,
}

impl Parse for Page {
    type Raw = PageQuery;

    fn parse(raw: PageQuery, limits: &Limits) -> Result<Self, Fields> {
        let mut fields = Fields::default();
        let cursor = page_cursor(&mut fields, raw.cursor);
        let limit = page_limit(&mut fields, raw.limit, limits);
        if fields.is_empty() {
            Ok(Self { cursor, limit })
        } else {
            Err(fields)
        }
    }
}

pub(crate) fn page_cursor(fields: &mut Fields, raw: Option<String>) -> Option<String> {
    fields.optional("cursor", raw, |raw| {
        if raw.len() > 512 {
            Err(Violation::Invalid)
        } else {
            Ok(raw)
        }
    })
}

pub(crate) fn page_limit(fields: &mut Fields, raw: Option<Whole>, limits: &Limits) -> u32 {
    let max = u64::from(limits.page_max);
    let limit = fields.optional("limit", raw, |raw| raw.within(1..=max));
    limit
        .and_then(|limit| u32::try_from(limit).ok())
        .unwrap_or(limits.page_default)
}

/// A page of rooms.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct RoomList {
    /// The rooms.
    pub rooms: Vec<Room>,
    /// Where the next page begins; left out at the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}

/// A room that the caller deleted and can bring back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DeletedRoom {
    /// The room, as it was.
    pub room: Room,
    /// When it was deleted.
    pub deleted_at: Timestamp,
    /// Until when it can be restored.
    pub restorable_until: Timestamp,
}

/// The rooms that the caller deleted and can bring back, the latest first.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct DeletedRoomList {
    /// The rooms.
    pub rooms: Vec<DeletedRoom>,
}

/// The caller's own rooms.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct MyRoomList {
    /// The rooms.
    pub rooms: Vec<MyRoom>,
}
