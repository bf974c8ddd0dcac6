//! Whom messages call, on SQLite: of the names in their texts, those of members, in the transaction that stores
//! the messages.

use std::collections::{BTreeSet, HashSet};

use protocol::EventId;
use sqlx::{SqliteConnection, types::Json};

use super::{
    super::{
        Append, Appended, Place,
        calls::{Called, Calls},
    },
    hex,
};
use crate::store::{Result, pool::within};

/// Notes whom the new messages call, and says it of all of the batch that are stored.
pub(super) async fn note(
    connection: &mut SqliteConnection,
    calls: &Calls,
    entries: &[&Append],
    placed: &[(&Append, Place)],
    answers: &[Appended],
) -> Result<Called> {
    let new: HashSet<EventId> = placed.iter().map(|(_, place)| place.id).collect();
    let mut new_calls = Vec::new();
    let mut stored = BTreeSet::new();
    for (number, name) in calls.by.iter().zip(&calls.names) {
        let index = usize::try_from(number - 1).unwrap_or(usize::MAX);
        let (Some(entry), Some(Appended::Stored(place))) = (entries.get(index), answers.get(index))
        else {
            continue;
        };
        let (room, seq) = (hex(entry.room.uuid()), place.seq.to_i64());
        if new.contains(&place.id) {
            new_calls.push((room.clone(), seq, hex(entry.user.uuid()), name));
        }
        stored.insert((room, seq, number));
    }
    let new_calls = Json(new_calls);
    within(sqlx::query(CALL).bind(&new_calls).execute(&mut *connection)).await?;
    within(
        sqlx::query(NAME_CALLED)
            .bind(&new_calls)
            .execute(&mut *connection),
    )
    .await?;
    within(
        sqlx::query_scalar(CALLED)
            .bind(Json(stored))
            .fetch_one(connection),
    )
    .await
}

const CALL: &str = "
    insert into mentions (room_id, user_id, seq, by_id)
    select m.room_id, u.id, c.seq, c.by_id
    from (
        select unhex(value ->> 0) as room_id, value ->> 1 as seq, unhex(value ->> 2) as by_id, value ->> 3 as name
        from json_each($1)
    ) c
    join users u on u.username = c.name
    join members m on m.room_id = c.room_id and m.user_id = u.id
    where u.id <> c.by_id
        and not exists (select 1 from blocks b where b.user_id = u.id and b.blocked_id = c.by_id)
    union all
    select m.room_id, m.room_id, call.value ->> 1, m.user_id
    from json_each($1) call
    join members m on m.room_id = unhex(call.value ->> 0) and m.user_id = unhex(call.value ->> 2)
    where call.value ->> 3 = 'room' and m.role <> 'member'";

const NAME_CALLED: &str = "
    update events set data = called.data
    from (
        select x.room_id, x.seq, json_object('mentions', json_group_array(json(
            case when u.id is null then json_object('username', 'room')
                else json_object('id', lower(hex(u.id)), 'username', u.username) end
        ) order by u.username is null, u.username)) as data
        from (select distinct unhex(value ->> 0) as room_id, value ->> 1 as seq from json_each($1)) c
        join mentions x on x.room_id = c.room_id and x.seq = c.seq
        left join users u on u.id = x.user_id
        group by x.room_id, x.seq
    ) called
    where events.room_id = called.room_id and events.seq = called.seq";

const CALLED: &str = "
    select json_group_array(json_array(stored.value ->> 2, json(x.data -> 'mentions')))
    from json_each($1) stored
    join events x on x.room_id = unhex(stored.value ->> 0) and x.seq = stored.value ->> 1
    where x.data is not null";
