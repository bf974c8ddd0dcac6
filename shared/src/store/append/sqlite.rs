//! The append on SQLite: one immediate transaction on the only writer. The batch goes in as JSON, so
//! that its size does not change the statements: judge, insert, move the heads.

use serde::Serialize;
use sqlx::SqlitePool;

use super::{Append, Outcome, Verdict};
use crate::store::{
    Result,
    pool::{begin_immediate, within},
};

pub(super) async fn append(writer: &SqlitePool, entries: &[Append]) -> Result<Vec<Verdict>> {
    let mut transaction = begin_immediate(writer).await?;
    let rows: Vec<Row<'_>> = entries.iter().map(Row::from).collect();
    let verdicts: Vec<Verdict> = within(
        sqlx::query_as(JUDGE)
            .bind(json(&rows))
            .fetch_all(&mut *transaction),
    )
    .await?;
    let placed: Vec<Row<'_>> = rows
        .into_iter()
        .zip(&verdicts)
        .filter(|(_, verdict)| verdict.outcome.0 == Outcome::Stored)
        .map(|(row, verdict)| Row {
            seq: verdict.place,
            n: verdict.place_n,
            ..row
        })
        .collect();
    if !placed.is_empty() {
        let placed = json(&placed);
        within(sqlx::query(INSERT).bind(&placed).execute(&mut *transaction)).await?;
        within(
            sqlx::query(MOVE_HEADS)
                .bind(&placed)
                .execute(&mut *transaction),
        )
        .await?;
        within(
            sqlx::query(MARK_SLOW)
                .bind(&placed)
                .execute(&mut *transaction),
        )
        .await?;
    }
    within(transaction.commit()).await?;
    Ok(verdicts)
}

/// An entry as SQLite reads it: bytes as hexadecimal digits, moments as milliseconds.
#[derive(Serialize)]
struct Row<'a> {
    room: String,
    id: String,
    user: String,
    client_id: &'a str,
    body: &'a str,
    reply_to: Option<i64>,
    thread: Option<i64>,
    at: i64,
    seq: Option<i64>,
    n: Option<i64>,
}

impl<'a> From<&'a Append> for Row<'a> {
    fn from(entry: &'a Append) -> Self {
        Self {
            room: entry.room.uuid().simple().to_string(),
            id: entry.id.uuid().simple().to_string(),
            user: entry.user.uuid().simple().to_string(),
            client_id: entry.client_id.as_str(),
            body: entry.body.as_str(),
            reply_to: entry.reply_to.map(protocol::Seq::to_i64),
            thread: entry.thread.map(protocol::Seq::to_i64),
            at: entry.at.unix_ms(),
            seq: None,
            n: None,
        }
    }
}

fn json(rows: &[Row<'_>]) -> String {
    serde_json::to_string(rows).expect("text and numbers are always JSON")
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
        end as retry_after_ms
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
        select unhex(value ->> 'room') as room_id, max(value ->> 'seq') as head, max(value ->> 'n') as messages
        from json_each($1)
        group by 1
    ) placed
    where rooms.id = placed.room_id";

const MARK_SLOW: &str = "
    update members set wrote_at = placed.at
    from (
        select unhex(value ->> 'room') as room_id, unhex(value ->> 'user') as user_id, max(value ->> 'at') as at
        from json_each($1)
        group by 1, 2
    ) placed, rooms
    where rooms.id = placed.room_id and rooms.slow_mode_s > 0
        and members.room_id = placed.room_id and members.user_id = placed.user_id";
