-- A quicker way in for what is plain.

-- Whoever looks for a member by both keys finds them in either index, whatever the planner takes: somebody
-- may be in thousands of rooms.
create index members_user_room on members (user_id, room_id);
drop index members_user;

-- Gives messages their places, as `append_events` does, but looks first at whole rooms: of most, each entry
-- is an ordinary message by a member whom nothing hinders. Such rooms are plain, and theirs is one bare
-- insert. The others, with all their entries, are judged one entry at a time by `append_events`, the
-- only place that knows the rules: what is plain here would be stored there, at the same place.
--
-- That a name is new is not looked up but tried: the insert of a name that is stored fails, is undone as a
-- whole, and every room is judged.
--
-- `room_ids` are the rooms of the batch, each once, in the order of their ids, and `counts` how many
-- entries each has. An entry names its room by its place among them, and its own place among its room's
-- entries: `numbers`. `replies` and `threads` are both empty when no entry has either. `heads` and `totals` are where the plain rooms stood before, null where a room was
-- judged; `others` are the verdicts on the entries of those, in their order.
create function append_messages(
    room_ids uuid[],
    counts bigint[],
    entry_rooms int[],
    numbers bigint[],
    event_ids uuid[],
    user_ids uuid[],
    client_ids text[],
    bodies text[],
    replies bigint[],
    threads bigint[],
    moments timestamptz[],
    out heads bigint[],
    out totals bigint[],
    out others jsonb
)
language plpgsql
set lock_timeout = '3s'
set enable_seqscan = off
set enable_hashjoin = off
set enable_mergejoin = off
set plan_cache_mode = force_generic_plan
set jit = off
as $$
#variable_conflict use_variable
declare
    are_open boolean[];
    judged int[];
    room int;
begin
    -- Each statement sees what was committed before it began: what is seen from here on holds for as long
    -- as the rooms are locked.
    select array_agg(r.head), array_agg(r.messages), array_agg(r.is_open)
    into heads, totals, are_open
    from (
        select r.head, r.messages, r.deleted_at is null and r.archived_at is null and r.slow_mode_s = 0 as is_open
        from rooms r
        where r.id = any (room_ids)
        order by r.id
        for no key update
    ) r;

    if cardinality(heads) = cardinality(room_ids) then
        judged := array(
            select e.room
            from (
                select distinct e.room, e.user_id from unnest(entry_rooms, user_ids) e (room, user_id)
            ) e
            left join members m on m.room_id = room_ids[e.room] and m.user_id = e.user_id
            where not are_open[e.room] or m.user_id is null or m.muted_until is not null
        );
        if cardinality(replies) + cardinality(threads) > 0 then
            judged := judged || array(
                select e.room
                from unnest(entry_rooms || entry_rooms, user_ids || user_ids, replies || threads)
                    e (room, user_id, seq)
                left join members m on m.room_id = room_ids[e.room] and m.user_id = e.user_id
                where e.seq is not null and not exists (
                    select 1 from events x
                    where x.room_id = room_ids[e.room] and x.seq = e.seq
                        and x.seq >= m.first_seq and x.kind = 'message'
                )
            );
        end if;
        foreach room in array judged loop
            heads[room] := null;
        end loop;
    else
        -- One is not there, and the heads are not in the order of the rooms.
        heads := array_fill(null::bigint, array[cardinality(room_ids)]);
    end if;

    begin
        insert into events (room_id, seq, n, id, kind, user_id, client_id, reply_to, thread, body, at)
        select room_ids[e.room], heads[e.room] + e.number, totals[e.room] + e.number, e.id, 'message', e.user_id,
            e.client_id, e.reply_to, e.thread, e.body, e.at
        from unnest(entry_rooms, numbers, event_ids, user_ids, client_ids, replies, threads, bodies, moments)
            e (room, number, id, user_id, client_id, reply_to, thread, body, at)
        where heads[e.room] is not null;
    exception when unique_violation then
        heads := array_fill(null::bigint, array[cardinality(room_ids)]);
    end;
    -- Not in the block: what it does counts as done by another transaction, and a row that one transaction
    -- has locked and another updates needs both noted down.
    update rooms set head = rooms.head + p.count, messages = rooms.messages + p.count
    from unnest(room_ids, counts, heads) p (id, count, head)
    where rooms.id = p.id and p.head is not null;

    if array_position(heads, null) is not null then
        select jsonb_agg(
            jsonb_build_object(
                'outcome', v.outcome, 'place', v.place, 'place_n', v.place_n, 'place_id', v.place_id,
                'place_at', (extract(epoch from v.place_at) * 1000)::bigint, 'retry_after_ms', v.retry_after_ms
            ) order by v.entry
        )
        into others
        from (
            select array_agg(room_ids[e.room]) as room_ids, array_agg(e.id) as ids, array_agg(e.user_id) as user_ids,
                array_agg(e.client_id) as client_ids, array_agg(e.body) as bodies, array_agg(e.reply_to) as replies,
                array_agg(e.thread) as threads, array_agg(e.at) as moments
            from (
                select *
                from unnest(entry_rooms, event_ids, user_ids, client_ids, bodies, replies, threads, moments)
                    with ordinality e (room, id, user_id, client_id, body, reply_to, thread, at, ord)
                where heads[e.room] is null
                order by e.ord
            ) e
        ) e,
        append_events(e.room_ids, e.ids, e.user_ids, e.client_ids, e.bodies, e.replies, e.threads, e.moments) v;
    end if;
end
$$;
