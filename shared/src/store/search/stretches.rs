//! The index of a search, which is behind the log: each full stretch of a room is taken in once, by
//! whoever comes to it first. An edit or a delete changes what was taken in, in its own transaction.

use std::collections::BTreeMap;

use protocol::{RoomId, Seq, UserId};
use sqlx::FromRow;
use uuid::Uuid;

use super::lexemes::Lexemes;
use crate::store::{
    Result, Store,
    columns::At,
    pool::{On, Tx, execute, on, within},
};

/// How many places are a stretch: more make a smaller index, and more texts to be read for each hit.
pub(super) const PLACES: i64 = 64;

/// How many stretches are looked up at once to be told when they ended.
const TOLD_AT_ONCE: i64 = 64;

/// The number of the stretch that a place is in.
pub(super) const fn number_of(seq: i64) -> i64 {
    (seq - 1) / PLACES
}

/// The first place of a stretch.
pub(super) const fn first_of(number: i64) -> i64 {
    number * PLACES + 1
}

/// The last place of a stretch.
pub(super) const fn last_of(number: i64) -> i64 {
    (number + 1) * PLACES
}

impl Store {
    /// Rooms that have full stretches which are not in the index, at most so many.
    ///
    /// # Errors
    /// When the store cannot answer.
    pub async fn rooms_to_index(&self, most: u32) -> Result<Vec<RoomId>> {
        let rooms: Vec<Uuid> = on!(self.reader(), pool => sqlx::query_scalar(
            "select r.id from rooms r left join search_progress p on p.room_id = r.id
             where r.head - coalesce(p.indexed, 0) >= $1 and r.deleted_at is null
             limit $2",
        ).bind(PLACES).bind(i64::from(most)).fetch_all(pool))?;
        Ok(rooms.into_iter().map(RoomId::from_uuid).collect())
    }

    /// Takes the next full stretches of a room into the index, and says how many they were.
    ///
    /// # Errors
    /// When the store cannot answer.
    pub async fn index(&self, room: RoomId) -> Result<usize> {
        let mut transaction = self.begin().await?;
        let indexed = progress(&mut transaction, room).await?;
        let stood: Option<Stood> = on!(transaction.connection(), connection => sqlx::query_as(
            "select r.head, (
                select max(s.last_at) from search_stretches s where s.room_id = r.id
             ) as last_at
             from rooms r where r.id = $1 and r.deleted_at is null",
        ).bind(room.uuid()).fetch_optional(connection))?;
        let Some(stood) = stood else {
            return Ok(0);
        };
        // SQLite has one writer: appends wait for as long as this takes.
        let most = match transaction.connection() {
            On::Postgres(_) => 32,
            On::Sqlite(_) => 4,
        };
        let full = ((stood.head - indexed) / PLACES).min(most);
        if full <= 0 {
            return Ok(0);
        }
        let upto = indexed + full * PLACES;
        let texts = texts(&mut transaction, room, indexed + 1, upto).await?;
        let stretches = stretches(room, &texts, stood.last_at);
        write(&mut transaction, room, &stretches).await?;
        execute!(
            transaction.connection(),
            sqlx::query("update search_progress set indexed = $2 where room_id = $1")
                .bind(room.uuid())
                .bind(upto)
        )?;
        transaction.commit().await?;
        Ok(usize::try_from(full).unwrap_or_default())
    }

    /// Lets some stretches that were indexed when none said when it ended say so, the latest first, and says how many
    /// they were.
    ///
    /// # Errors
    /// When the store cannot answer.
    pub async fn tell_ends(&self) -> Result<usize> {
        let untold: Vec<(Uuid, i64)> = on!(self.reader(), pool => sqlx::query_as(
            "select room_id, number from search_stretches where not knows_when order by last_at desc limit $1",
        ).bind(TOLD_AT_ONCE).fetch_all(pool))?;
        for (room, number) in &untold {
            let room = RoomId::from_uuid(*room);
            let mut transaction = self.begin().await?;
            // Nobody edits what is in it meanwhile.
            progress(&mut transaction, room).await?;
            tell(&mut transaction, room, *number).await?;
            transaction.commit().await?;
        }
        Ok(untold.len())
    }
}

/// Lets the index say what the text at a place says now.
pub(in crate::store) async fn follow(transaction: &mut Tx, room: RoomId, seq: Seq) -> Result<()> {
    // The lock holds who is just taking the stretch in, with the text as it was.
    if seq.to_i64() > progress(transaction, room).await? {
        return Ok(());
    }
    tell(transaction, room, number_of(seq.to_i64())).await
}

/// Writes anew what a stretch of the index has, and when it ended.
async fn tell(transaction: &mut Tx, room: RoomId, number: i64) -> Result<()> {
    let last_at: Option<At> = on!(transaction.connection(), connection => sqlx::query_scalar(
        "select last_at from search_stretches where room_id = $1 and number = $2",
    ).bind(room.uuid()).bind(number).fetch_optional(connection))?;
    let Some(last_at) = last_at else {
        return Ok(());
    };
    let texts = texts(transaction, room, first_of(number), last_of(number)).await?;
    let mut lexemes = Lexemes::of_room(room);
    lexemes.end(last_at.0);
    for text in &texts {
        text.say(&mut lexemes);
    }
    let statements: &[&str] = match transaction.connection() {
        On::Postgres(_) => &["update search_stretches
             set knows_when = true, lexemes = array_to_tsvector(string_to_array($3, ' '))
             where room_id = $1 and number = $2"],
        On::Sqlite(_) => &[
            "update search_lexemes set lexemes = $3
             where rowid = (select id from search_stretches where room_id = $1 and number = $2)",
            "update search_stretches set knows_when = true
             where room_id = $1 and number = $2 and not knows_when and $3 is not null",
        ],
    };
    for statement in statements {
        execute!(
            transaction.connection(),
            sqlx::query(*statement)
                .bind(room.uuid())
                .bind(number)
                .bind(lexemes.joined())
        )?;
    }
    Ok(())
}

/// Up to which place a room is indexed. Nobody else moves it before the end of the transaction.
async fn progress(transaction: &mut Tx, room: RoomId) -> Result<i64> {
    on!(transaction.connection(), connection => sqlx::query_scalar(
        "insert into search_progress (room_id, indexed) values ($1, 0)
         on conflict (room_id) do update set indexed = search_progress.indexed
         returning indexed",
    ).bind(room.uuid()).fetch_one(connection))
}

#[derive(FromRow)]
struct Stood {
    head: i64,
    last_at: Option<At>,
}

/// A message that can be found.
#[derive(FromRow)]
struct Text {
    seq: i64,
    user_id: Uuid,
    body: String,
    at: At,
    has_files: bool,
}

impl Text {
    fn say(&self, lexemes: &mut Lexemes) {
        lexemes.add(UserId::from_uuid(self.user_id), &self.body, self.has_files);
    }
}

async fn texts(transaction: &mut Tx, room: RoomId, first: i64, last: i64) -> Result<Vec<Text>> {
    on!(transaction.connection(), connection => sqlx::query_as(
        "select seq, user_id, body, at, data -> 'files' is not null as has_files from events
         where room_id = $1 and seq between $2 and $3 and kind = 'message' and deleted_at is null
         order by seq",
    ).bind(room.uuid()).bind(first).bind(last).fetch_all(connection))
}

/// A stretch as it is taken in.
struct Stretch {
    number: i64,
    first_at: At,
    last_at: At,
    lexemes: Lexemes,
}

/// The stretches that have messages, where those before them ended.
fn stretches(room: RoomId, texts: &[Text], last_at: Option<At>) -> Vec<Stretch> {
    let mut stretches: BTreeMap<i64, Stretch> = BTreeMap::new();
    let mut last_at = last_at.unwrap_or(At(protocol::Timestamp::from_unix_ms(0)));
    for text in texts {
        last_at = At(last_at.0.max(text.at.0));
        let number = number_of(text.seq);
        let stretch = stretches.entry(number).or_insert_with(|| Stretch {
            number,
            first_at: text.at,
            last_at,
            lexemes: Lexemes::of_room(room),
        });
        stretch.first_at = At(stretch.first_at.0.min(text.at.0));
        stretch.last_at = last_at;
        text.say(&mut stretch.lexemes);
    }
    for stretch in stretches.values_mut() {
        stretch.lexemes.end(stretch.last_at.0);
    }
    stretches.into_values().collect()
}

async fn write(transaction: &mut Tx, room: RoomId, stretches: &[Stretch]) -> Result<()> {
    match transaction.connection() {
        On::Postgres(connection) => {
            let written = sqlx::query(
                "insert into search_stretches (room_id, number, first_at, last_at, knows_when, lexemes)
                 select $1, s.number, s.first_at, s.last_at, true, array_to_tsvector(string_to_array(s.lexemes, ' '))
                 from unnest($2, $3, $4, $5) s (number, first_at, last_at, lexemes)",
            )
            .bind(room.uuid())
            .bind(stretches.iter().map(|s| s.number).collect::<Vec<_>>())
            .bind(stretches.iter().map(|s| s.first_at).collect::<Vec<_>>())
            .bind(stretches.iter().map(|s| s.last_at).collect::<Vec<_>>())
            .bind(
                stretches
                    .iter()
                    .map(|s| s.lexemes.joined())
                    .collect::<Vec<_>>(),
            )
            .execute(connection);
            within(written).await?;
        }
        On::Sqlite(connection) => {
            for stretch in stretches {
                let written = sqlx::query(
                    "insert into search_stretches (room_id, number, first_at, last_at, knows_when)
                     values ($1, $2, $3, $4, true)",
                )
                .bind(room.uuid())
                .bind(stretch.number)
                .bind(stretch.first_at)
                .bind(stretch.last_at)
                .execute(&mut *connection);
                let id = within(written).await?.last_insert_rowid();
                let written =
                    sqlx::query("insert into search_lexemes (rowid, lexemes) values ($1, $2)")
                        .bind(id)
                        .bind(stretch.lexemes.joined())
                        .execute(&mut *connection);
                within(written).await?;
            }
        }
    }
    Ok(())
}

/// Takes the stretches of a room that begin before a place out of the index, with what they had.
pub(in crate::store) async fn forget_before(tx: &mut Tx, room: RoomId, seq: i64) -> Result<()> {
    let number = number_of(seq);
    if let On::Sqlite(_) = tx.connection() {
        execute!(
            tx.connection(),
            sqlx::query(
                "delete from search_lexemes where rowid in (
                    select id from search_stretches where room_id = $1 and number < $2
                 )",
            )
            .bind(room.uuid())
            .bind(number)
        )?;
    }
    execute!(
        tx.connection(),
        sqlx::query("delete from search_stretches where room_id = $1 and number < $2")
            .bind(room.uuid())
            .bind(number)
    )?;
    Ok(())
}
