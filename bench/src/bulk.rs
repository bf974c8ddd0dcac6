//! Rows by the million, put into the store of a running server by its own SQL: what it would have after years.

use std::time::{Duration, Instant};

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
/// How often is said how far it is.
const TELL_EVERY: Duration = Duration::from_secs(10);
const SYLLABLES: [&str; 16] = [
    "bo", "ke", "li", "mo", "nu", "ra", "se", "ti", "vo", "zu", "dan", "fer", "gil", "hon", "jur",
    "pas",
];

/// Two words that are said again and again, though never in one message.
pub(crate) const NEVER_TOGETHER: [&str; 2] = ["morning", "evening"];
/// Two ideographs that one message in fifty has.
const IDEOGRAPHS: &str = "東京";

/// Rooms of one person, who says everything there.
pub(crate) struct Bulk {
    pub(crate) owner: &'static str,
    /// What the names of the rooms begin with.
    pub(crate) name: &'static str,
    /// What every tenth message says beside what all say.
    pub(crate) word: &'static str,
}

/// Those of the first of the people of a scene.
pub(crate) const OWN: Bulk = Bulk {
    owner: "bench0",
    name: "bulk",
    word: "here",
};

/// One name for what differs: how ids are drawn, how moments are written, how numbers are counted.
struct Dialect {
    id: &'static str,
    id_as_text: &'static str,
    moment: fn(second: &str, millisecond: usize) -> String,
    numbers: fn(first: u64, last: u64) -> String,
}

const POSTGRES: Dialect = Dialect {
    id: "gen_random_uuid()",
    id_as_text: "r.id::text",
    moment: |second, millisecond| {
        format!("to_timestamp(1700000000 + {second}) + interval '{millisecond} ms'")
    },
    numbers: |first, last| format!("generate_series({first}, {last}) as numbers (x)"),
};
const SQLITE: Dialect = Dialect {
    id: "randomblob(16)",
    id_as_text: "lower(substr(hex(r.id), 1, 8) || '-' || substr(hex(r.id), 9, 4) || '-' || substr(hex(r.id), 13, 4)
        || '-' || substr(hex(r.id), 17, 4) || '-' || substr(hex(r.id), 21))",
    moment: |second, millisecond| format!("1700000000000 + {second} * 1000 + {millisecond}"),
    numbers: |first, last| {
        format!(
            "(with recursive c (x) as (select {first} where {first} <= {last} union all select x + 1 from c where x < {last})
             select x from c) as numbers"
        )
    },
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

    /// Rooms with nothing in them but the joining of their owner; answers their ids, in order.
    ///
    /// # Errors
    /// When the store refuses.
    pub(crate) async fn make_rooms(&mut self, bulk: &Bulk, rooms: usize) -> Result<Vec<String>> {
        let Dialect { id, id_as_text, .. } = self.dialect();
        let (moment, numbers) = (self.dialect().moment, self.dialect().numbers);
        let (name, owner, moment) = (bulk.name, user(bulk.owner), moment("x", 0));
        let numbers = numbers(1, rooms as u64);
        self.execute(format!(
            "insert into rooms (id, name, name_key, topic, visibility, owner_id, max_members, history, head,
                messages, member_count, created_at)
             select {id}, '{name} ' || x, '{name} ' || x, '', 'public', {owner}, 10000, 'all', 1, 0, 0, {moment}
             from {numbers}"
        ))
        .await?;
        self.execute(format!(
            "insert into events (room_id, seq, n, id, kind, user_id, at)
             select r.id, 1, 0, {id}, 'join', {owner}, r.created_at from rooms r
             where r.name_key like '{name} %' order by r.id"
        ))
        .await?;
        self.join(bulk, bulk.owner, 1).await?;
        let ids = format!(
            "select {id_as_text} from rooms r where r.name_key like '{name} %' order by r.id"
        );
        let ids = sqlx::AssertSqlSafe(ids);
        let ids: Vec<String> = match self {
            Self::Postgres(connection) => sqlx::query_scalar(ids).fetch_all(connection).await?,
            Self::Sqlite(connection) => sqlx::query_scalar(ids).fetch_all(connection).await?,
        };
        ensure!(
            ids.len() == rooms,
            "{} rooms of {rooms} were made",
            ids.len()
        );
        Ok(ids)
    }

    /// Makes somebody a member of all of the rooms, who may read from a place on.
    ///
    /// # Errors
    /// When the store refuses.
    pub(crate) async fn join(&mut self, bulk: &Bulk, username: &str, first_seq: u64) -> Result<()> {
        let role = if username == bulk.owner {
            "owner"
        } else {
            "member"
        };
        let (name, user) = (bulk.name, user(username));
        self.execute(format!(
            "insert into members (room_id, user_id, role, joined_at, first_seq, read_seq, read_n, read_at)
             select r.id, {user}, '{role}', r.created_at, {first_seq}, 1, 0, r.created_at from rooms r
             where r.name_key like '{name} %'"
        ))
        .await?;
        self.execute(format!(
            "update rooms set member_count = member_count + 1 where name_key like '{name} %'"
        ))
        .await
    }

    /// So many messages in each of the rooms made before. Those of a room are a second apart, and some
    /// milliseconds beside those of the next.
    ///
    /// # Errors
    /// When the store refuses.
    pub(crate) async fn fill(
        &mut self,
        bulk: &Bulk,
        rooms: &[String],
        messages: u64,
    ) -> Result<()> {
        self.make_texts().await?;
        let id = self.dialect().id;
        let (moment, numbers) = (self.dialect().moment, self.dialect().numbers);
        let Bulk { owner, name, word } = bulk;
        let [morning, evening] = NEVER_TOGETHER;
        let (user, head) = (user(owner), messages + 1);
        let begun = Instant::now();
        let mut told_at = begun;
        for (number, room) in rooms.iter().enumerate() {
            let id_of_room = match self {
                Self::Postgres(_) => format!("'{room}'::uuid"),
                Self::Sqlite(_) => format!("x'{}'", room.replace('-', "")),
            };
            let (moment, numbers) = (moment("x", number), numbers(2, head));
            self.execute(format!(
                "insert into events (room_id, seq, n, id, kind, user_id, client_id, body, at)
                 select {id_of_room}, x, x - 1, {id}, 'message', {user}, 'bulk-' || x,
                    t.body || ' only{number}of' || x || case x % 2 when 0 then ' {morning}' else ' {evening}' end
                        || case x % 50 when 0 then ' {IDEOGRAPHS}' else '' end || case x % 10 when 0 then ' {word}' else '' end,
                    {moment}
                 from {numbers} join bench_texts t on t.id = (x * 7919 + {number}) % {TEXTS}
                 order by x"
            ))
            .await?;
            if told_at.elapsed() > TELL_EVERY {
                told_at = Instant::now();
                let written = (number as u64 + 1) * messages;
                println!("  {written} of {name} after {:.0?}", begun.elapsed());
            }
        }
        self.execute(format!(
            "update rooms set head = {head}, messages = {messages} where name_key like '{name} %'"
        ))
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
            "create temporary table if not exists bench_texts (id integer primary key, body text not null);
             delete from bench_texts";
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

    async fn execute(&mut self, statement: String) -> Result<()> {
        let query = sqlx::AssertSqlSafe(statement);
        match self {
            Self::Postgres(connection) => connection.execute(query).await.map(drop),
            Self::Sqlite(connection) => connection.execute(query).await.map(drop),
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

/// The id of somebody.
fn user(username: &str) -> String {
    format!("(select id from users where username = '{username}')")
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
