//! The append on SQLite: one immediate transaction on the only writer. It looks for the plain rooms and
//! inserts their entries; the entries of the others are judged first.

mod attaching;
mod calling;
mod transaction;

use protocol::Seq;
use serde::{Deserialize, Serialize};
use sqlx::{QueryBuilder, Sqlite, SqliteConnection, SqlitePool, types::Json};
use uuid::Uuid;

use self::transaction::{COMMIT, Transaction};
use super::{
    Append, Appended, Outcome, Place, Verdict,
    batch::{Batch, Stood},
    calls::{self, Calls},
    files::{self, attached, unattached},
};
use crate::store::{Error, Result, columns::At, pool::within};

/// Most rows of one insert.
const INSERT_ROWS: usize = 128;
/// Above so many rows an insert has a multiple of them: few statements, which stay prepared, serve batches of every size, and
/// hardly a batch needs more than two.
const INSERT_STEP: usize = 16;

pub(super) async fn append(writer: &SqlitePool, entries: &[&Append]) -> Result<Vec<Appended>> {
    let batch = Batch::of(entries);
    let calls = Calls::of(entries);
    let mut transaction = Transaction::of(writer).await?;
    let mut stood = look(transaction.connection(), &batch).await?;
    let mut placed: Vec<(&Append, Place)> = batch
        .places(&stood)
        .filter_map(|(entry, place)| Some((entry, place?)))
        .collect();
    let is_plain = placed.len() == entries.len() && calls.is_none() && attached(entries).is_empty();
    let and_then = if is_plain { COMMIT } else { "" };
    match insert(transaction.connection(), &mut placed, and_then).await {
        Err(Error::Broken(sqlx::Error::Database(error))) if error.is_unique_violation() => {
            // A name is stored already, so that some room is not plain: each is judged.
            transaction.begin().await?;
            stood.fill(None);
            placed.clear();
        }
        Ok(()) if is_plain => {
            transaction.ended();
            return batch.answers(&stood, Vec::new());
        }
        inserted => inserted?,
    }
    let others: Vec<&Append> = batch
        .places(&stood)
        .filter_map(|(entry, place)| place.is_none().then_some(entry))
        .collect();
    let mut verdicts = Vec::new();
    if !others.is_empty() {
        let judged = judge(transaction.connection(), &others).await?;
        let mut new: Vec<(&Append, Place)> = others
            .iter()
            .zip(&judged)
            .filter_map(|(entry, judged)| Some((*entry, judged.new_place()?)))
            .collect();
        insert(transaction.connection(), &mut new, "").await?;
        mark_slow(transaction.connection(), &others, &judged).await?;
        placed.append(&mut new);
        verdicts = judged.into_iter().map(|judged| judged.verdict).collect();
    }
    let mut answers = batch.answers(&stood, verdicts)?;
    if let Some(calls) = calls {
        let called =
            calling::note(transaction.connection(), &calls, entries, &placed, &answers).await?;
        calls::note(called, &mut answers);
    }
    if let ([entry], [Appended::Stored(place)], [_, ..]) =
        (entries, answers.as_slice(), attached(entries))
    {
        let is_new = !placed.is_empty();
        match attaching::take(transaction.connection(), entry, place.seq, is_new).await? {
            Some(files) => files::note(files, &mut answers),
            None => {
                transaction.rollback().await?;
                return Ok(vec![unattached()]);
            }
        }
    }
    transaction.commit().await?;
    Ok(answers)
}

/// Where each plain room of the batch stands, and nothing of the others.
async fn look(connection: &mut SqliteConnection, batch: &Batch<'_>) -> Result<Vec<Option<Stood>>> {
    let rooms: Vec<String> = batch.rooms.iter().copied().map(hex).collect();
    let mut senders: Vec<(Uuid, Uuid)> = batch
        .entries
        .iter()
        .map(|entry| (entry.room.uuid(), entry.user.uuid()))
        .collect();
    senders.sort_unstable();
    senders.dedup();
    let senders: Vec<String> = senders
        .into_iter()
        .map(|(room, user)| hex(room) + &hex(user))
        .collect();
    let answers: Vec<(String, String, i64, bool)> = batch
        .entries
        .iter()
        .flat_map(|entry| {
            let answered = entry.reply_to.map(|seq| (seq, false));
            let joined = entry.thread.map(|seq| (seq, true));
            answered.into_iter().chain(joined).map(|(seq, is_thread)| {
                let (room, user) = (entry.room.uuid(), entry.user.uuid());
                (hex(room), hex(user), seq.to_i64(), is_thread)
            })
        })
        .collect();
    let stood: Json<Vec<Option<Stood>>> = within(
        sqlx::query_scalar(LOOK)
            .bind(Json(rooms))
            .bind(Json(senders))
            .bind(Json(answers))
            .fetch_one(connection),
    )
    .await?;
    Ok(stood.0)
}

/// Inserts messages, in the order in which the log lies in the file, moves each room's head to the last of
/// them, `and_then` does that.
async fn insert(
    connection: &mut SqliteConnection,
    placed: &mut [(&Append, Place)],
    and_then: &str,
) -> Result<()> {
    placed.sort_unstable_by_key(|(entry, place)| (entry.room.uuid(), place.seq));
    let mut rest = &*placed;
    while !rest.is_empty() {
        let rows = match rest.len().min(INSERT_ROWS) {
            few @ ..=INSERT_STEP => few,
            many => many - many % INSERT_STEP,
        };
        let (now, later) = rest.split_at(rows);
        let mut statement = QueryBuilder::<Sqlite>::new(INSERT);
        statement.push_values(now, |mut row, (entry, place)| {
            row.push_bind(entry.room.uuid())
                .push_bind(place.seq.to_i64())
                .push_bind(Seq(place.n).to_i64())
                .push_bind(entry.id.uuid())
                .push("'message'")
                .push_bind(entry.user.uuid())
                .push_bind(entry.client_id.as_str())
                .push_bind(entry.reply_to.map(Seq::to_i64))
                .push_bind(entry.thread.map(Seq::to_i64))
                .push_bind(entry.body.as_str())
                .push_bind(At(entry.at));
        });
        if later.is_empty() {
            statement
                .push(MOVE_HEADS)
                .push_bind(Json(heads(placed)))
                .push(OF_PLACED)
                .push(and_then);
        }
        within(statement.build().execute(&mut *connection)).await?;
        rest = later;
    }
    Ok(())
}

/// Where each room's log ends with these messages, which are in the order of the log.
fn heads(placed: &[(&Append, Place)]) -> Vec<(String, i64, i64)> {
    let rooms = placed.chunk_by(|(one, _), (next, _)| one.room == next.room);
    rooms
        .filter_map(<[_]>::last)
        .map(|(entry, place)| {
            let (seq, n) = (place.seq.to_i64(), Seq(place.n).to_i64());
            (hex(entry.room.uuid()), seq, n)
        })
        .collect()
}

async fn judge(connection: &mut SqliteConnection, others: &[&Append]) -> Result<Vec<Judged>> {
    let asked: Vec<Asked<'_>> = others.iter().map(|entry| Asked::of(entry)).collect();
    let judged: Json<Vec<Judged>> = within(
        sqlx::query_scalar(JUDGE)
            .bind(Json(asked))
            .fetch_one(connection),
    )
    .await?;
    Ok(judged.0)
}

/// Notes when those wrote who have to wait before the next one.
async fn mark_slow(
    connection: &mut SqliteConnection,
    others: &[&Append],
    judged: &[Judged],
) -> Result<()> {
    let slow: Vec<(String, String, i64)> = others
        .iter()
        .zip(judged)
        .filter(|(_, judged)| judged.is_slow == Some(1) && judged.new_place().is_some())
        .map(|(entry, _)| {
            let (room, user) = (entry.room.uuid(), entry.user.uuid());
            (hex(room), hex(user), entry.at.unix_ms())
        })
        .collect();
    if !slow.is_empty() {
        within(sqlx::query(MARK_SLOW).bind(Json(slow)).execute(connection)).await?;
    }
    Ok(())
}

/// What is said of an entry, and whether its sender has to wait before the next one.
#[derive(Deserialize)]
struct Judged {
    #[serde(flatten)]
    verdict: Verdict,
    is_slow: Option<i64>,
}

impl Judged {
    /// Where it is to be stored, if it is.
    fn new_place(&self) -> Option<Place> {
        let is_new = self.verdict.outcome == Outcome::Stored;
        self.verdict.place().filter(|_| is_new)
    }
}

/// An entry as it is judged: bytes as hexadecimal digits, moments as milliseconds. Its text is no matter.
#[derive(Serialize)]
struct Asked<'a> {
    room: String,
    id: String,
    user: String,
    client_id: &'a str,
    reply_to: Option<i64>,
    thread: Option<i64>,
    at: i64,
}

impl<'a> Asked<'a> {
    fn of(entry: &'a Append) -> Self {
        Self {
            room: hex(entry.room.uuid()),
            id: hex(entry.id.uuid()),
            user: hex(entry.user.uuid()),
            client_id: entry.client_id.as_str(),
            reply_to: entry.reply_to.map(Seq::to_i64),
            thread: entry.thread.map(Seq::to_i64),
            at: entry.at.unix_ms(),
        }
    }
}

fn hex(id: Uuid) -> String {
    id.simple().to_string()
}

/// Begins the transaction, too.
const LOOK: &str = "
    begin immediate;
    select json_group_array(json(
        case
            when r.deleted_at is null and r.archived_at is null and r.slow_mode_s = 0 and r.id not in (
                select unhex(substr(sender.value, 1, 32))
                from json_each($2) sender
                left join members m on m.room_id = unhex(substr(sender.value, 1, 32))
                    and m.user_id = unhex(substr(sender.value, 33))
                where m.user_id is null or m.muted_until is not null
                union all
                select unhex(answer.value ->> 0)
                from json_each($3) answer
                left join members m on m.room_id = unhex(answer.value ->> 0)
                    and m.user_id = unhex(answer.value ->> 1)
                where not exists (
                    select 1 from events x
                    where x.room_id = m.room_id and x.seq = answer.value ->> 2
                        and x.seq >= m.first_seq and x.kind = 'message'
                        and not (answer.value ->> 3 and x.thread is not null)
                )
            ) and not (
                r.visibility = 'direct' and r.max_members = 2 and exists (
                    select 1
                    from json_each($2) sender
                    join members o on o.room_id = r.id and o.user_id <> unhex(substr(sender.value, 33))
                    join blocks b on b.user_id in (o.user_id, unhex(substr(sender.value, 33)))
                        and b.blocked_id in (o.user_id, unhex(substr(sender.value, 33)))
                    where unhex(substr(sender.value, 1, 32)) = r.id
                )
            ) then json_object('head', r.head, 'messages', r.messages)
        end
    ) order by asked.key)
    from json_each($1) asked left join rooms r on r.id = unhex(asked.value)";

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
                when r.visibility = 'direct' and r.max_members = 2 and exists (
                    select 1 from members o join blocks b
                        on b.user_id in (o.user_id, e.user_id) and b.blocked_id in (o.user_id, e.user_id)
                    where o.room_id = e.room_id and o.user_id <> e.user_id
                ) then 'blocked'
                when m.muted_until > e.at then 'muted'
                when exists (
                    select 1 from (select e.reply_to as seq union all select e.thread) named
                    where named.seq is not null and not exists (
                        select 1 from events x
                        where x.room_id = e.room_id and x.seq = named.seq
                            and x.seq >= m.first_seq and x.kind = 'message'
                    )
                ) then 'message_not_found'
                when exists (
                    select 1 from events x
                    where x.room_id = e.room_id and x.seq = e.thread and x.thread is not null
                ) then 'conflict'
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
    ),
    answered as materialized (
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
            c.is_slow, c.ord
        from counted c
        window name as (partition by c.room_id, c.user_id, c.client_id order by c.attempt)
    )
    select json_group_array(json_object(
        'outcome', outcome, 'place', place, 'place_n', place_n, 'place_id', nullif(hex(place_id), ''), 'place_at', place_at,
        'retry_after_ms', retry_after_ms, 'is_slow', is_slow
    ) order by ord)
    from answered";

/// What is there already ends the transaction: if only the statement were undone, SQLite would first copy each page that
/// it changes into a temporary file, which are as many as the log has.
const INSERT: &str = "
    insert or rollback into events (room_id, seq, n, id, kind, user_id, client_id, reply_to, thread, body, at) ";

/// Goes along with the last [`INSERT`].
const MOVE_HEADS: &str = ";
    update or rollback rooms set head = placed.head, messages = placed.messages
    from (
        select unhex(value ->> 0) as room_id, value ->> 1 as head, value ->> 2 as messages
        from json_each(";

const OF_PLACED: &str = ")
    ) placed
    where rooms.id = placed.room_id";

const MARK_SLOW: &str = "
    update members set wrote_at = placed.at
    from (
        select unhex(value ->> 0) as room_id, unhex(value ->> 1) as user_id, value ->> 2 as at
        from json_each($1)
    ) placed
    where members.room_id = placed.room_id and members.user_id = placed.user_id";
