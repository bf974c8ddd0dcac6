//! The append on SQLite: one immediate transaction on the only writer. The batch goes in as JSON, so
//! that its size does not change the statements: judge, insert, move the heads.

use std::collections::BTreeMap;

use protocol::Seq;
use serde::Serialize;
use sqlx::{FromRow, SqlitePool, types::Json};
use uuid::Uuid;

use super::{Append, Outcome, Verdict};
use crate::store::{
    Result,
    pool::{begin_immediate, within},
};

pub(super) async fn append(writer: &SqlitePool, entries: &[Append]) -> Result<Vec<Verdict>> {
    let mut transaction = begin_immediate(writer).await?;
    // A text is long, and no matter to the judging.
    let asked: Vec<Row<'_>> = entries.iter().map(Row::without_body).collect();
    let judged: Vec<Judged> = within(
        sqlx::query_as(JUDGE)
            .bind(Json(asked))
            .fetch_all(&mut *transaction),
    )
    .await?;
    let new: Vec<Row<'_>> = entries
        .iter()
        .zip(&judged)
        .filter_map(|(entry, judged)| Row::placed(entry, judged))
        .collect();
    if !new.is_empty() {
        within(
            sqlx::query(INSERT)
                .bind(Json(&new))
                .execute(&mut *transaction),
        )
        .await?;
        // In the order of the batch, so that of each room the last one stays.
        let heads: BTreeMap<&str, &Row<'_>> =
            new.iter().map(|row| (row.room.as_str(), row)).collect();
        let heads: Vec<_> = heads
            .values()
            .map(|row| (&row.room, row.seq, row.n))
            .collect();
        within(
            sqlx::query(MOVE_HEADS)
                .bind(Json(heads))
                .execute(&mut *transaction),
        )
        .await?;
    }
    let slow: Vec<_> = entries
        .iter()
        .zip(&judged)
        .filter(|(_, judged)| judged.is_new() && judged.is_slow == Some(true))
        .map(|(entry, _)| {
            (
                hex(entry.room.uuid()),
                hex(entry.user.uuid()),
                entry.at.unix_ms(),
            )
        })
        .collect();
    if !slow.is_empty() {
        within(
            sqlx::query(MARK_SLOW)
                .bind(Json(slow))
                .execute(&mut *transaction),
        )
        .await?;
    }
    within(transaction.commit()).await?;
    Ok(judged.into_iter().map(|judged| judged.verdict).collect())
}

/// What is said of an entry, and whether its sender has to wait before the next one.
#[derive(FromRow)]
struct Judged {
    #[sqlx(flatten)]
    verdict: Verdict,
    is_slow: Option<bool>,
}

impl Judged {
    fn is_new(&self) -> bool {
        self.verdict.outcome.0 == Outcome::Stored
    }
}

/// An entry as SQLite reads it: bytes as hexadecimal digits, moments as milliseconds.
#[derive(Serialize)]
struct Row<'a> {
    room: String,
    id: String,
    user: String,
    client_id: &'a str,
    reply_to: Option<i64>,
    thread: Option<i64>,
    at: i64,
    body: Option<&'a str>,
    seq: Option<i64>,
    n: Option<i64>,
}

impl<'a> Row<'a> {
    fn without_body(entry: &'a Append) -> Self {
        Self {
            room: hex(entry.room.uuid()),
            id: hex(entry.id.uuid()),
            user: hex(entry.user.uuid()),
            client_id: entry.client_id.as_str(),
            reply_to: entry.reply_to.map(Seq::to_i64),
            thread: entry.thread.map(Seq::to_i64),
            at: entry.at.unix_ms(),
            body: None,
            seq: None,
            n: None,
        }
    }

    /// The row of an entry that gets a place.
    fn placed(entry: &'a Append, judged: &Judged) -> Option<Self> {
        let Verdict { place, place_n, .. } = judged.verdict;
        let body = Some(entry.body.as_str());
        judged.is_new().then(|| Self {
            body,
            seq: place,
            n: place_n,
            ..Self::without_body(entry)
        })
    }
}

fn hex(id: Uuid) -> String {
    id.simple().to_string()
}

const JUDGE: &str = "
    with entries as materialized (
        select e.*, row_number() over (partition by e.room_id, e.user_id, e.client_id order by e.ord) as attempt
        from (
            select key as ord, unhex(value ->> 'room') as room_id, unhex(value ->> 'id') as id,
                unhex(value ->> 'user') as user_id, value ->> 'client_id' as client_id,
                value ->> 'reply_to' as reply_to, value ->> 'thread' as thread, value ->> 'at' as at
            from json_each($1)
        ) e
    ),
    judged as materialized (
        select e.*, r.head, r.messages, r.slow_mode_s,
            stored.seq as stored_seq, stored.n as stored_n, stored.id as stored_id, stored.at as stored_at,
            m.muted_until, m.wrote_at,
            r.slow_mode_s > 0 and m.role = 'member' as is_slow,
            case
                when r.id is null or r.deleted_at is not null then 'room_not_found'
                when stored.seq is not null then 'duplicate'
                when m.user_id is null and r.visibility in ('secret', 'direct') then 'room_not_found'
                when m.user_id is null and exists (
                    select 1 from bans b
                    where b.room_id = e.room_id and b.user_id = e.user_id
                        and (b.until is null or b.until > e.at)
                ) then 'banned'
                when m.user_id is null then 'not_a_member'
                when r.archived_at is not null then 'archived'
                when m.muted_until > e.at then 'muted'
                when exists (
                    select 1 from (select e.reply_to as seq union all select e.thread) named
                    where named.seq is not null and not exists (
                        select 1 from events x
                        where x.room_id = e.room_id and x.seq = named.seq
                            and x.seq >= m.first_seq and x.kind = 'message'
                    )
                ) then 'message_not_found'
                when r.slow_mode_s > 0 and m.role = 'member'
                    and e.at < m.wrote_at + r.slow_mode_s * 1000 then 'slow_mode'
                else 'stored'
            end as verdict
        from entries e
        left join rooms r on r.id = e.room_id
        left join members m on m.room_id = e.room_id and m.user_id = e.user_id
        left join events stored on stored.room_id = e.room_id
            and stored.user_id = e.user_id and stored.client_id = e.client_id
    ),
    gated as materialized (
        select j.*,
            case
                when j.verdict = 'stored' and j.is_slow
                    and row_number() over (partition by j.room_id, j.user_id, j.verdict, j.attempt order by j.ord) > 1
                    then 'slow_mode'
                else j.verdict
            end as gate
        from judged j
    ),
    counted as materialized (
        select g.*, g.gate = 'stored' and g.attempt = 1 as is_new,
            count(*) filter (where g.gate = 'stored' and g.attempt = 1)
                over (partition by g.room_id order by g.ord) as number
        from gated g
    )
    select
        case when c.attempt > 1 and first_value(c.is_new) over name then 'duplicate' else first_value(c.gate) over name end
            as outcome,
        case when first_value(c.is_new) over name then first_value(c.head + c.number) over name else c.stored_seq end
            as place,
        case when first_value(c.is_new) over name then first_value(c.messages + c.number) over name else c.stored_n end
            as place_n,
        case when first_value(c.is_new) over name then first_value(c.id) over name else c.stored_id end as place_id,
        case when first_value(c.is_new) over name then first_value(c.at) over name else c.stored_at end as place_at,
        case first_value(c.gate) over name
            when 'muted' then c.muted_until - c.at
            when 'slow_mode' then c.slow_mode_s * 1000 + case c.verdict when 'slow_mode' then c.wrote_at - c.at else 0 end
        end as retry_after_ms,
        c.is_slow
    from counted c
    window name as (partition by c.room_id, c.user_id, c.client_id order by c.attempt)
    order by c.ord";

const INSERT: &str = "
    insert into events (room_id, seq, n, id, kind, user_id, client_id, reply_to, thread, body, at)
    select unhex(value ->> 'room'), value ->> 'seq', value ->> 'n', unhex(value ->> 'id'), 'message',
        unhex(value ->> 'user'), value ->> 'client_id', value ->> 'reply_to', value ->> 'thread',
        value ->> 'body', value ->> 'at'
    from json_each($1)
    order by key";

const MOVE_HEADS: &str = "
    update rooms set head = placed.head, messages = placed.messages
    from (
        select unhex(value ->> 0) as room_id, value ->> 1 as head, value ->> 2 as messages
        from json_each($1)
    ) placed
    where rooms.id = placed.room_id";

const MARK_SLOW: &str = "
    update members set wrote_at = placed.at
    from (
        select unhex(value ->> 0) as room_id, unhex(value ->> 1) as user_id, value ->> 2 as at
        from json_each($1)
    ) placed
    where members.room_id = placed.room_id and members.user_id = placed.user_id";
