//! Rows by the million, put into the store of a running server by its own SQL: what it would have after years.

use anyhow::{Context, Result, ensure};
use sqlx::{Connection, Executor, PgConnection, QueryBuilder, SqliteConnection};

use crate::servers::chatx::Node;

/// A connection to a server's store beside its own.
pub(crate) enum Store {
    Postgres(PgConnection),
    Sqlite(SqliteConnection),
}

/// Texts that messages are made of, so many that a word is in some and a pair of words in few.
const TEXTS: u32 = 4_096;
const WORDS_A_TEXT: u64 = 10;
const SYLLABLES: [&str; 16] = [
    "bo", "ke", "li", "mo", "nu", "ra", "se", "ti", "vo", "zu", "dan", "fer", "gil", "hon", "jur",
    "pas",
];

/// One name for what differs: how rows are numbered, how ids are drawn, how moments are written.
struct Dialect {
    numbers: &'static str,
    id: &'static str,
    moment: &'static str,
    as_text: &'static str,
}

const POSTGRES: Dialect = Dialect {
    numbers: "(select x from generate_series($1::bigint, $2::bigint) x) as numbers",
    id: "gen_random_uuid()",
    moment: "to_timestamp(1700000000 + x)",
    as_text: "r.id::text",
};
const SQLITE: Dialect = Dialect {
    numbers: "(with recursive c (x) as (select $1 where $1 <= $2 union all select x + 1 from c where x < $2) select x from c) as numbers",
    id: "randomblob(16)",
    moment: "1700000000000 + x * 1000",
    as_text: "lower(substr(hex(r.id), 1, 8) || '-' || substr(hex(r.id), 9, 4) || '-' || substr(hex(r.id), 13, 4)
        || '-' || substr(hex(r.id), 17, 4) || '-' || substr(hex(r.id), 21))",
};

impl Store {
    /// # Errors
    /// When the store does not answer.
    pub(crate) async fn open(node: &Node) -> Result<Self> {
        let url = node.database_url();
        if url.starts_with("postgres") {
            return Ok(Self::Postgres(PgConnection::connect(&url).await?));
        }
        let mut connection = SqliteConnection::connect(&url).await?;
        connection
            .execute("pragma synchronous = off; pragma busy_timeout = 60000; pragma cache_size = -200000")
            .await?;
        Ok(Self::Sqlite(connection))
    }

    /// Rooms of a user with nothing in them but the joining; answers their ids, in order.
    ///
    /// # Errors
    /// When the store refuses.
    pub(crate) async fn make_rooms(&mut self, username: &str, rooms: usize) -> Result<Vec<String>> {
        let Dialect {
            numbers,
            id,
            moment,
            as_text,
        } = self.dialect();
        let last = i64::try_from(rooms)?;
        let user = format!("(select id from users where username = '{username}')");
        let make = format!(
            "insert into rooms (id, name, name_key, topic, visibility, owner_id, max_members, history, head,
                messages, member_count, created_at)
             select {id}, 'bulk ' || x, 'bulk ' || x, '', 'public', {user}, 10000, 'all', 1, 0, 1, {moment}
             from {numbers}"
        );
        self.execute(make, 1, last).await?;
        let those = "r.name_key like 'bulk %' and $1 <= $2";
        let moment = "r.created_at";
        self.execute(
            format!(
                "insert into members (room_id, user_id, role, joined_at, first_seq, read_seq, read_n, read_at)
                 select r.id, {user}, 'owner', {moment}, 1, 1, 0, {moment} from rooms r where {those}"
            ),
            1,
            last,
        )
        .await?;
        self.execute(
            format!(
                "insert into events (room_id, seq, n, id, kind, user_id, at)
                 select r.id, 1, 0, {id}, 'join', {user}, {moment} from rooms r where {those} order by r.id"
            ),
            1,
            last,
        )
        .await?;
        let ids =
            format!("select {as_text} from rooms r where r.name_key like 'bulk %' order by r.id");
        let ids: Vec<String> = match self {
            Self::Postgres(connection) => {
                sqlx::query_scalar(sqlx::AssertSqlSafe(ids))
                    .fetch_all(connection)
                    .await?
            }
            Self::Sqlite(connection) => {
                sqlx::query_scalar(sqlx::AssertSqlSafe(ids))
                    .fetch_all(connection)
                    .await?
            }
        };
        ensure!(
            ids.len() == rooms,
            "{} rooms of {rooms} were made",
            ids.len()
        );
        Ok(ids)
    }

    /// So many messages in each of the rooms made before, and what the engine wants to know of them.
    ///
    /// # Errors
    /// When the store refuses.
    pub(crate) async fn fill(
        &mut self,
        username: &str,
        rooms: &[String],
        messages: u64,
    ) -> Result<()> {
        self.make_texts().await?;
        let Dialect {
            numbers,
            id,
            moment,
            ..
        } = self.dialect();
        let user = format!("(select id from users where username = '{username}')");
        for (number, room) in rooms.iter().enumerate() {
            let room = match self {
                Self::Postgres(_) => format!("'{room}'::uuid"),
                Self::Sqlite(_) => format!("x'{}'", room.replace('-', "")),
            };
            let insert = format!(
                "insert into events (room_id, seq, n, id, kind, user_id, client_id, body, at)
                 select {room}, x, x - 1, {id}, 'message', {user}, 'bulk-' || x,
                    t.body || ' only' || {number} || 'of' || x, {moment}
                 from {numbers} join bench_texts t on t.id = (x * 7919 + {number}) % {TEXTS}
                 order by x"
            );
            self.execute(insert, 2, i64::try_from(messages)? + 1)
                .await?;
        }
        let heads = "update rooms set head = $2, messages = $2 - $1 where name_key like 'bulk %'";
        self.execute(heads.to_owned(), 1, i64::try_from(messages)? + 1)
            .await?;
        match self {
            Self::Postgres(connection) => connection.execute("vacuum analyze").await.map(drop)?,
            Self::Sqlite(connection) => connection
                .execute("pragma wal_checkpoint(truncate)")
                .await
                .map(drop)?,
        }
        Ok(())
    }

    async fn make_texts(&mut self) -> Result<()> {
        let make =
            "create temporary table bench_texts (id integer primary key, body text not null)";
        let texts: Vec<_> = (0..TEXTS).map(|id| (id, text(u64::from(id)))).collect();
        match self {
            Self::Postgres(connection) => {
                connection.execute(make).await?;
                let mut insert = QueryBuilder::new("insert into bench_texts ");
                insert.push_values(texts, |mut row, (id, body)| {
                    row.push_bind(i64::from(id)).push_bind(body);
                });
                insert.build().execute(connection).await?;
            }
            Self::Sqlite(connection) => {
                connection.execute(make).await?;
                let mut insert = QueryBuilder::new("insert into bench_texts ");
                insert.push_values(texts, |mut row, (id, body)| {
                    row.push_bind(i64::from(id)).push_bind(body);
                });
                insert.build().execute(connection).await?;
            }
        }
        Ok(())
    }

    async fn execute(&mut self, statement: String, first: i64, last: i64) -> Result<()> {
        let query = sqlx::AssertSqlSafe(statement);
        match self {
            Self::Postgres(connection) => sqlx::query(query)
                .bind(first)
                .bind(last)
                .execute(connection)
                .await
                .map(drop),
            Self::Sqlite(connection) => sqlx::query(query)
                .bind(first)
                .bind(last)
                .execute(connection)
                .await
                .map(drop),
        }
        .context("rows by the million")
    }

    const fn dialect(&self) -> Dialect {
        match self {
            Self::Postgres(_) => POSTGRES,
            Self::Sqlite(_) => SQLITE,
        }
    }
}

/// The text of a number, the same in every run. Low words are said often, high ones seldom.
fn text(number: u64) -> String {
    let words = (0..WORDS_A_TEXT).map(|place| {
        let drawn = scattered(number * WORDS_A_TEXT + place);
        let rank = (drawn % 4_096) * (drawn / 4_096 % 4_096) / 4_096;
        word(rank)
    });
    words.collect::<Vec<_>>().join(" ")
}

/// The word that is so many-th in frequency.
pub(crate) fn word(rank: u64) -> String {
    let mut rest = scattered(rank + 77);
    let syllables = 2 + rank % 3;
    let mut word = String::new();
    for _ in 0..syllables {
        word += SYLLABLES[usize::try_from(rest % 16).unwrap_or(0)];
        rest /= 16;
    }
    word
}

/// A number that looks drawn, the same for the same one (splitmix64).
pub(crate) const fn scattered(number: u64) -> u64 {
    let mut bits = number.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}
