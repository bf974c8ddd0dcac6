//! How much is stored. What rooms weigh is told by where their logs stand, so that nothing is counted row by
//! row.

use protocol::{
    RoomId,
    admin::{LargeRoom, Storage},
    rooms::Visibility,
};
use sqlx::FromRow;
use uuid::Uuid;

use crate::store::{Engine, Result, Store, columns::Word, events::count, pool::on};

impl Store {
    /// What is stored.
    ///
    /// # Errors
    /// [`crate::store::Error::Unavailable`].
    pub async fn storage(&self) -> Result<Storage> {
        let sql = self.reader().dialect(
            "select pg_database_size(current_database()) as bytes,
                (select count(*) from users where erased_at is null) as users,
                count(*) filter (where deleted_at is null) as rooms,
                count(*) filter (where deleted_at is not null) as deleted_rooms,
                coalesce(sum(head), 0)::bigint as events, coalesce(sum(messages), 0)::bigint as messages,
                (select count(*) from files) as files,
                (select coalesce(sum(size), 0)::bigint from files) as files_bytes
             from rooms",
            "select (select page_count * page_size from pragma_page_count(), pragma_page_size()) as bytes,
                (select count(*) from users where erased_at is null) as users,
                count(*) filter (where deleted_at is null) as rooms,
                count(*) filter (where deleted_at is not null) as deleted_rooms,
                coalesce(sum(head), 0) as events, coalesce(sum(messages), 0) as messages,
                (select count(*) from files) as files,
                (select coalesce(sum(size), 0) from files) as files_bytes
             from rooms",
        );
        let total: TotalRow = on!(self.reader(), pool => sqlx::query_as(sql).fetch_one(pool))?;
        let sql = self.reader().dialect(
            "select id, name, visibility, head, messages, member_count, (
                select coalesce(sum(f.size), 0)::bigint from files f where f.room_id = rooms.id
             ) as files_bytes
             from rooms where deleted_at is null order by head desc, id limit 10",
            "select id, name, visibility, head, messages, member_count, (
                select coalesce(sum(f.size), 0) from files f where f.room_id = rooms.id
             ) as files_bytes
             from rooms where deleted_at is null order by head desc, id limit 10",
        );
        let largest: Vec<LargeRow> =
            on!(self.reader(), pool => sqlx::query_as(sql).fetch_all(pool))?;
        let engine = match self.engine() {
            Engine::Postgres => "postgres",
            Engine::Sqlite => "sqlite",
        };
        Ok(Storage {
            engine: engine.to_owned(),
            database_bytes: whole(total.bytes),
            users: whole(total.users),
            rooms: whole(total.rooms),
            deleted_rooms: whole(total.deleted_rooms),
            events: whole(total.events),
            messages: whole(total.messages),
            files: whole(total.files),
            files_bytes: whole(total.files_bytes),
            largest: largest.into_iter().map(LargeRow::room).collect(),
        })
    }
}

fn whole(number: i64) -> u64 {
    u64::try_from(number).unwrap_or_default()
}

#[derive(FromRow)]
struct TotalRow {
    bytes: i64,
    users: i64,
    rooms: i64,
    deleted_rooms: i64,
    events: i64,
    messages: i64,
    files: i64,
    files_bytes: i64,
}

#[derive(FromRow)]
struct LargeRow {
    id: Uuid,
    name: String,
    visibility: Word<Visibility>,
    head: i64,
    messages: i64,
    member_count: i64,
    files_bytes: i64,
}

impl LargeRow {
    fn room(self) -> LargeRoom {
        LargeRoom {
            room: RoomId::from_uuid(self.id),
            name: self.name,
            visibility: self.visibility.0,
            events: whole(self.head),
            messages: whole(self.messages),
            members: count(self.member_count),
            files_bytes: whole(self.files_bytes),
        }
    }
}
