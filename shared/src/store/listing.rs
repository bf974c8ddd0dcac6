//! Finding rooms: those that anybody may find, and one's own.

use std::collections::HashMap;

use protocol::{
    RoomId, Seq, UserId,
    messages::Message,
    rooms::{FindRooms, MyRoom, RoomList, RoomSort},
};
use uuid::Uuid;

use super::{
    Result, Store, cursor,
    message_row::{MessageRow, select_messages},
    pool::on,
    room_row::{ListedRoom, select_rooms},
};

impl Store {
    /// The rooms that anybody can find.
    ///
    /// # Errors
    /// `validation_failed` for a cursor that no page ended with.
    pub async fn rooms(&self, viewer: UserId, find: &FindRooms) -> Result<RoomList> {
        let like = format!(
            "%{}%",
            find.query
                .replace('\\', "\\\\")
                .replace('%', "\\%")
                .replace('_', "\\_")
        );
        let (count, id, key) = match &find.cursor {
            Some(text) => {
                let Cursor { count, id, key } = cursor::read(text)?;
                (Some(count), Some(id), Some(key))
            }
            None => (None, None, None),
        };
        let statement = match find.sort {
            RoomSort::Name => select_rooms!(
                r"where r.visibility in ('public', 'private') and r.deleted_at is null
                    and r.name_key like $2 escape '\' and ($5 is null or r.name_key > $5)
                order by r.name_key limit $6"
            ),
            RoomSort::Members => select_rooms!(
                r"where r.visibility in ('public', 'private') and r.deleted_at is null
                    and r.name_key like $2 escape '\'
                    and ($3 is null or r.member_count < $3 or (r.member_count = $3 and r.id < $4))
                order by r.member_count desc, r.id desc limit $6"
            ),
            RoomSort::Created => select_rooms!(
                r"where r.visibility in ('public', 'private') and r.deleted_at is null
                    and r.name_key like $2 escape '\' and ($4 is null or r.id < $4)
                order by r.id desc limit $6"
            ),
        };
        let mut rows: Vec<ListedRoom> = on!(self.reader(), pool => sqlx::query_as(statement)
            .bind(viewer.uuid())
            .bind(&like)
            .bind(count)
            .bind(id)
            .bind(key.as_deref())
            .bind(i64::from(find.limit) + 1)
            .fetch_all(pool))?;
        let next_cursor = cursor::page(&mut rows, find.limit, |row| Cursor {
            count: row.room.member_count,
            id: row.room.id,
            key: row.name_key.clone(),
        });
        Ok(RoomList {
            rooms: rows.iter().map(ListedRoom::room).collect(),
            next_cursor,
        })
    }

    /// The rooms of one person, each with its latest message.
    ///
    /// # Errors
    /// When the store cannot answer.
    pub async fn my_rooms(&self, user: UserId) -> Result<Vec<MyRoom>> {
        let rooms: Vec<ListedRoom> = on!(self.reader(), pool => sqlx::query_as(
            select_rooms!("where m.user_id = $1 and r.deleted_at is null order by r.name_key, r.id"),
        ).bind(user.uuid()).fetch_all(pool))?;
        let latest: Vec<MessageRow> = on!(self.reader(), pool => sqlx::query_as(concat!(
            "with latest as materialized (
                select m.room_id, (
                    select max(x.seq) from events x
                    where x.room_id = m.room_id and x.kind = 'message' and x.seq >= m.first_seq
                ) as seq
                from members m where m.user_id = $1
            ) ",
            select_messages!("$1", "join latest l on l.room_id = e.room_id and l.seq = e.seq"),
        )).bind(user.uuid()).fetch_all(pool))?;
        let mut latest = latest
            .into_iter()
            .map(|row| row.message().map(|message| (message.room, message)))
            .collect::<Result<HashMap<RoomId, Message>>>()?;
        Ok(rooms
            .iter()
            .map(|row| MyRoom {
                read: Seq::from_i64(row.read_seq.unwrap_or(0)),
                mentions: row.mentions(),
                last_message: latest.remove(&row.room.id()),
                room: row.room(),
            })
            .collect())
    }
}

/// Where a page of rooms ended: everything that any of the orders goes by.
#[derive(serde::Serialize, serde::Deserialize)]
struct Cursor {
    count: i64,
    id: Uuid,
    #[serde(deserialize_with = "cursor::name")]
    key: String,
}
