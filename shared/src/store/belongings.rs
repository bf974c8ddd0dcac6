//! What is kept of a person, wherever it is: read a little at a time, by who takes it along and by what takes it
//! away.

use std::collections::VecDeque;

use protocol::{FileId, RoomId, Seq, UserId, files::File, messages::Message};
use serde::Serialize;
use sqlx::FromRow;
use uuid::Uuid;

use super::{
    Result, Store,
    events::count,
    message_row::{MessageRow, select_messages},
    pool::on,
};

/// A walk through all rooms, in the order of their ids, past those in which somebody has said nothing.
#[derive(Debug, Default)]
pub struct Walk {
    /// The room that was looked at last.
    upto: Option<RoomId>,
    /// Rooms in which they have said something, that are still to be visited.
    rooms: VecDeque<RoomId>,
    is_at_end: bool,
}

/// A reaction, and where it is.
#[derive(Clone, Debug, Serialize)]
pub struct Reaction {
    /// The room.
    pub room: RoomId,
    /// The message.
    pub seq: Seq,
    /// The emoji.
    pub emoji: String,
}

/// A file, and where it is.
#[derive(Clone, Debug, Serialize)]
pub struct OwnFile {
    /// The room.
    pub room: RoomId,
    /// The message that has it; none has it yet if there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seq: Option<Seq>,
    /// The file.
    #[serde(flatten)]
    pub file: File,
}

/// How many rooms are looked at at once: one look into the log's index for each.
const ROOMS_AT_ONCE: i64 = 500;
/// How many messages are read at once.
const MESSAGES_AT_ONCE: i64 = 200;
/// How many of the others.
const AT_ONCE: i64 = 200;

impl Walk {
    /// One that goes on behind a room.
    pub fn behind(upto: Option<RoomId>) -> Self {
        Self {
            upto,
            ..Self::default()
        }
    }

    /// Up to where no room is left to be visited.
    pub fn upto(&self) -> Option<RoomId> {
        self.upto
    }
}

impl Store {
    /// The next room in which `user` has said something that is not deleted; nothing at the end of the walk.
    ///
    /// # Errors
    /// When the store cannot answer.
    pub async fn next_room_of(&self, user: UserId, walk: &mut Walk) -> Result<Option<RoomId>> {
        loop {
            if let Some(room) = walk.rooms.pop_front() {
                walk.upto = Some(room);
                return Ok(Some(room));
            }
            if walk.is_at_end {
                return Ok(None);
            }
            // Each room is asked on its own, by the key of its senders: nobody reads the log for it.
            let rows: Vec<RoomLookedAt> = on!(self.reader(), pool => sqlx::query_as(
                "select r.id, (
                    select e.seq from events e
                    where e.room_id = r.id and e.user_id = $1 and e.kind = 'message' and e.deleted_at is null
                    limit 1
                 ) as said
                 from rooms r where $2 is null or r.id > $2
                 order by r.id limit $3",
            )
            .bind(user.uuid())
            .bind(walk.upto.map(RoomId::uuid))
            .bind(ROOMS_AT_ONCE)
            .fetch_all(pool))?;
            walk.is_at_end = count_of(&rows) < ROOMS_AT_ONCE;
            let said = rows.iter().filter(|row| row.said.is_some());
            walk.rooms.extend(said.map(|row| RoomId::from_uuid(row.id)));
            if let (true, Some(last)) = (walk.rooms.is_empty(), rows.last()) {
                walk.upto = Some(RoomId::from_uuid(last.id));
            }
        }
    }

    /// The next messages of `user` in a room after a place, wherever they may read by now, oldest first.
    ///
    /// # Errors
    /// When the store cannot answer.
    pub async fn messages_by(
        &self,
        user: UserId,
        room: RoomId,
        after: Seq,
    ) -> Result<Vec<Message>> {
        let rows: Vec<MessageRow> = on!(self.reader(), pool => sqlx::query_as(select_messages!(
            "$1",
            "where e.room_id = $2 and e.user_id = $1 and e.kind = 'message' and e.deleted_at is null
                and e.seq > $3
             order by e.seq limit $4"
        ))
        .bind(user.uuid())
        .bind(room.uuid())
        .bind(after.to_i64())
        .bind(MESSAGES_AT_ONCE)
        .fetch_all(pool))?;
        rows.into_iter().map(MessageRow::message).collect()
    }

    /// The reactions of `user` after one of them, in their order.
    ///
    /// # Errors
    /// When the store cannot answer.
    pub async fn reactions_by(
        &self,
        user: UserId,
        after: Option<&Reaction>,
    ) -> Result<Vec<Reaction>> {
        let rows: Vec<ReactionRow> = on!(self.reader(), pool => sqlx::query_as(
            "select room_id, seq, emoji from reactions
             where user_id = $1 and ($2 is null or (room_id, seq, emoji) > ($2, $3, $4))
             order by room_id, seq, emoji limit $5",
        )
        .bind(user.uuid())
        .bind(after.map(|after| after.room.uuid()))
        .bind(after.map(|after| after.seq.to_i64()))
        .bind(after.map(|after| after.emoji.as_str()))
        .bind(AT_ONCE)
        .fetch_all(pool))?;
        Ok(rows.into_iter().map(ReactionRow::reaction).collect())
    }

    /// The files of `user` after one of them, in the order in which they came.
    ///
    /// # Errors
    /// When the store cannot answer.
    pub async fn files_by(&self, user: UserId, after: Option<FileId>) -> Result<Vec<OwnFile>> {
        let rows: Vec<OwnFileRow> = on!(self.reader(), pool => sqlx::query_as(
            "select room_id, seq, id, name, mime, size, width, height from files
             where user_id = $1 and ($2 is null or id > $2) and stored_at is not null and dropped_at is null
             order by id limit $3",
        )
        .bind(user.uuid())
        .bind(after.map(FileId::uuid))
        .bind(AT_ONCE)
        .fetch_all(pool))?;
        Ok(rows.into_iter().map(OwnFileRow::file).collect())
    }
}

fn count_of<T>(rows: &[T]) -> i64 {
    i64::try_from(rows.len()).unwrap_or(i64::MAX)
}

#[derive(FromRow)]
struct RoomLookedAt {
    id: Uuid,
    said: Option<i64>,
}

#[derive(FromRow)]
struct ReactionRow {
    room_id: Uuid,
    seq: i64,
    emoji: String,
}

impl ReactionRow {
    fn reaction(self) -> Reaction {
        Reaction {
            room: RoomId::from_uuid(self.room_id),
            seq: Seq::from_i64(self.seq),
            emoji: self.emoji,
        }
    }
}

#[derive(FromRow)]
struct OwnFileRow {
    room_id: Uuid,
    seq: Option<i64>,
    id: Uuid,
    name: String,
    mime: String,
    size: i64,
    width: Option<i64>,
    height: Option<i64>,
}

impl OwnFileRow {
    fn file(self) -> OwnFile {
        OwnFile {
            room: RoomId::from_uuid(self.room_id),
            seq: self.seq.map(Seq::from_i64),
            file: File {
                id: FileId::from_uuid(self.id),
                name: self.name,
                mime: self.mime,
                size: Seq::from_i64(self.size).0,
                width: self.width.map(count),
                height: self.height.map(count),
            },
        }
    }
}
