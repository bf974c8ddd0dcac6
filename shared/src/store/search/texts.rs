//! Reading runs of places for what is looked for: the database passes over what certainly is not it, and each
//! text that is left says whether it is. It does not know where to look.

use std::{collections::HashMap, time::Duration};

use protocol::{
    Timestamp, UserId,
    messages::Message,
    search::{Has, Wanted},
    text::{Script, Word},
};
use serde::{Deserialize, Serialize};
use sqlx::{FromRow, types::Json};
use uuid::Uuid;

use super::lexemes::has_link;
use crate::store::{
    Result, Store,
    columns::At,
    message_row::{MessageRow, select_messages},
    pool::on,
};

/// Places of a room that follow each other, the last one included.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct Run {
    pub(super) room: Uuid,
    pub(super) first: i64,
    pub(super) last: i64,
}

/// In which order messages are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::store) enum Order {
    /// By when they came, the latest first.
    Newest,
    /// By their place in their room, the last first.
    Back,
    /// By their place in their room.
    Forth,
}

/// Where a message stands among those of all rooms: by when it came; of one room within a millisecond, by its
/// place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct Moment {
    pub(super) at: Timestamp,
    pub(super) room: Uuid,
    pub(super) seq: i64,
}

impl Moment {
    /// Where begins what came at a moment or after it.
    pub(super) const fn first_of(at: Timestamp) -> Self {
        Self {
            at,
            room: Uuid::nil(),
            seq: 0,
        }
    }

    /// Where begins what came after a moment.
    pub(super) fn after(at: Timestamp) -> Self {
        Self::first_of(at.after(Duration::from_millis(1)))
    }
}

/// A message of which only what a search goes by was read.
#[derive(FromRow)]
pub(super) struct Text {
    room_id: Uuid,
    seq: i64,
    at: At,
    body: String,
}

impl Text {
    pub(super) const fn seq(&self) -> i64 {
        self.seq
    }

    pub(super) const fn moment(&self) -> Moment {
        Moment {
            at: self.at.0,
            room: self.room_id,
            seq: self.seq,
        }
    }

    pub(super) const fn key(&self) -> Key {
        Key {
            room: self.room_id,
            seq: self.seq,
        }
    }
}

/// Names a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
pub(in crate::store) struct Key {
    room: Uuid,
    seq: i64,
}

impl Key {
    pub(super) fn of(message: &Message) -> Self {
        Self {
            room: message.room.uuid(),
            seq: message.seq.to_i64(),
        }
    }
}

/// What a read brought.
pub(super) struct Texts {
    /// The messages that are what was looked for, in the order of the read.
    pub(super) found: Vec<Text>,
    /// The last row, if there may be more behind it: as many were read as should be.
    pub(super) stopped_at: Option<Stop>,
}

/// Where a read stopped before the end of its runs.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stop {
    pub(super) seq: i64,
    pub(super) moment: Moment,
}

/// Selects from the runs in `$1` what may be looked for, as the function `messages_in` does on PostgreSQL.
pub(in crate::store) const SELECT_SQLITE: &str = "select e.room_id, e.seq, e.at, e.body
    from json_each($1) r cross join events e on e.room_id = unhex(r.value ->> 'room', '-')
        and e.seq between r.value ->> 'first' and r.value ->> 'last'
        and e.kind = 'message' and e.deleted_at is null
        and ($2 is null or e.user_id = $2)
        and ($3 is null or e.at >= $3)
        and ($4 is null or e.at < $4)
        and ($5 is null or e.body like $5)
        and ($6 is null or e.body like $6)
        and ($7 is null or e.body like $7)
        and ($8 is null or (e.at, e.room_id, e.seq) < ($8, $9, $10))
        and (not $13 or e.data -> 'files' is not null)
    order by case $11 when 'newest' then e.at end desc, case $11 when 'newest' then e.room_id end desc,
        case $11 when 'forth' then e.seq else -e.seq end
    limit $12";

/// Selects the messages whose names are `$2`, as `$1` sees them.
pub(in crate::store) const OF_KEYS_SQLITE: &str = select_messages!(
    "$1",
    "join json_each($2) k on e.room_id = unhex(k.value ->> 'room', '-')
        and e.seq = k.value ->> 'seq' and e.deleted_at is null"
);

impl Store {
    /// Reads the runs for what is wanted, from `before` on, until it has seen `most` rows that may be it.
    pub(super) async fn texts(
        &self,
        runs: &[Run],
        wanted: &Wanted,
        order: Order,
        before: Option<Moment>,
        most: usize,
    ) -> Result<Texts> {
        if runs.is_empty() {
            return Ok(Texts {
                found: Vec::new(),
                stopped_at: None,
            });
        }
        let statement = self.reader().dialect(
            "select room_id, seq, at, body
             from messages_in($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)",
            SELECT_SQLITE,
        );
        let ordering = match order {
            Order::Newest => "newest",
            Order::Back => "back",
            Order::Forth => "forth",
        };
        let [first, second, third] = patterns(wanted);
        let mut found: Vec<Text> = on!(self.reader(), pool => sqlx::query_as(statement)
            .bind(Json(runs))
            .bind(wanted.sender.map(UserId::uuid))
            .bind(wanted.since.map(At))
            .bind(wanted.until.map(At))
            .bind(first.as_deref())
            .bind(second.as_deref())
            .bind(third.as_deref())
            .bind(before.map(|before| At(before.at)))
            .bind(before.map(|before| before.room))
            .bind(before.map(|before| before.seq))
            .bind(ordering)
            .bind(i64::try_from(most).unwrap_or(i64::MAX))
            .bind(wanted.has == Some(Has::File))
            .fetch_all(pool))?;
        let last = found.last().filter(|_| found.len() >= most);
        let stopped_at = last.map(|text| Stop {
            seq: text.seq,
            moment: text.moment(),
        });
        found.retain(|text| is_wanted(wanted, &text.body));
        Ok(Texts { found, stopped_at })
    }

    /// The messages of these names, as `viewer` sees them, in that order. One that is gone is left out.
    pub(in crate::store) async fn messages_of(
        &self,
        viewer: UserId,
        keys: &[Key],
    ) -> Result<Vec<Message>> {
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        let statement = self.reader().dialect(
            select_messages!(
                "$1",
                "join jsonb_to_recordset($2) k (room uuid, seq bigint)
                    on e.room_id = k.room and e.seq = k.seq and e.deleted_at is null"
            ),
            OF_KEYS_SQLITE,
        );
        let rows: Vec<MessageRow> = on!(self.reader(), pool => sqlx::query_as(statement)
            .bind(viewer.uuid())
            .bind(Json(keys))
            .fetch_all(pool))?;
        let mut messages = HashMap::with_capacity(rows.len());
        for row in rows {
            let message = row.message()?;
            messages.insert(Key::of(&message), message);
        }
        Ok(keys.iter().filter_map(|key| messages.remove(key)).collect())
    }
}

/// Whether a text is what is looked for, as far as a text tells.
fn is_wanted(wanted: &Wanted, body: &str) -> bool {
    let has_words = wanted
        .words
        .as_ref()
        .is_none_or(|words| words.find(body).is_some());
    has_words && (wanted.has != Some(Has::Link) || has_link(body))
}

/// What the longest of the words look like to a database that folds only ASCII: nothing that is wanted is
/// passed over.
fn patterns(wanted: &Wanted) -> [Option<String>; 3] {
    let mut patterns: Vec<String> = wanted
        .words
        .iter()
        .flat_map(protocol::text::Words::iter)
        .map(pattern)
        .collect();
    if wanted.has == Some(Has::Link) {
        patterns.push("%http%://%".to_owned());
    }
    patterns.sort_by_key(|pattern| std::cmp::Reverse(pattern.len()));
    let mut patterns = patterns.into_iter();
    std::array::from_fn(|_| patterns.next())
}

/// A sign is itself; a letter beyond ASCII may have another case.
fn pattern(word: &Word) -> String {
    let may_differ = |c: &char| !c.is_ascii() && word.script == Script::Letters;
    let chars = word.chars.iter();
    let like = chars.map(|c| if may_differ(c) { '_' } else { *c });
    format!("%{}%", like.collect::<String>())
}
