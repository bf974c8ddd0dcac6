-- What people do with messages beside writing them: reactions, pins, mentions, threads; and conversations
-- of named people, with whom one keeps out of them.

-- Whether others see how far one has read.
alter table users add column shows_reads boolean not null default true;

create table reactions (
    room_id uuid not null,
    -- The message.
    seq bigint not null,
    emoji text collate "C" not null,
    user_id uuid not null,
    -- The place of the reacting itself: the emoji that came first is shown first.
    event_seq bigint not null,
    primary key (room_id, seq, emoji, user_id)
);

create table pins (
    room_id uuid not null,
    -- The message.
    seq bigint not null,
    user_id uuid not null,
    -- The place of the pinning itself.
    event_seq bigint not null,
    at timestamptz not null,
    primary key (room_id, seq)
);

-- Who is called by which message. A message that calls everybody has one row, under the room's own id in
-- place of a person's.
create table mentions (
    room_id uuid not null,
    user_id uuid not null,
    -- The message.
    seq bigint not null,
    -- Who wrote it.
    by_id uuid not null,
    primary key (room_id, user_id, seq)
);

create index mentions_message on mentions (room_id, seq);

-- What messages said before they were first changed. Later texts are in the events that changed them.
create table originals (
    room_id uuid not null,
    seq bigint not null,
    body text not null,
    primary key (room_id, seq)
);

create table blocks (
    user_id uuid not null references users (id) on delete cascade,
    blocked_id uuid not null references users (id) on delete cascade,
    at timestamptz not null,
    primary key (user_id, blocked_id)
);

create index blocks_blocked on blocks (blocked_id, user_id);

-- The one room of each set of people.
create table conversations (
    -- Their ids, in order.
    people text collate "C" primary key,
    room_id uuid not null
);

-- How many answers a thread has, and which.
do $$
begin
    for part in 0..15 loop
        execute format(
            'create index events_%s_thread on events_%s (room_id, thread, seq)
             where thread is not null and deleted_at is null',
            part, part
        );
    end loop;
end
$$;

-- As SQLite has it, so that one statement serves both.
create function hex(id uuid) returns text
language sql immutable strict parallel safe
return upper(encode(uuid_send(id), 'hex'));

-- Gives messages their places, or says why not: one row for every entry, in their order.
--
-- The rooms are locked first, always in the same order. In `read committed` each statement of a
-- function sees what was committed before it began, so once the locks are held nobody can slip in
-- between the judging and the inserting: not a second message of the same name, not a kick.
--
-- The log is only ever entered by its keys. The settings keep it so, whatever a planner that has no
-- statistics of a new table yet would prefer.
create or replace function append_events(
    room_ids uuid[],
    event_ids uuid[],
    user_ids uuid[],
    client_ids text[],
    bodies text[],
    replies bigint[],
    threads bigint[],
    moments timestamptz[]
) returns table (
    entry bigint,
    outcome text,
    place bigint,
    place_n bigint,
    place_id uuid,
    place_at timestamptz,
    retry_after_ms bigint
)
language plpgsql
set lock_timeout = '3s'
set enable_seqscan = off
set enable_hashjoin = off
set enable_mergejoin = off
set plan_cache_mode = force_generic_plan
set jit = off
as $$
#variable_conflict use_column
begin
    perform 1 from rooms where rooms.id = any (room_ids) order by rooms.id for no key update;

    return query
    with entries as materialized (
        -- Of entries that have the same name the first counts; the others answer what it gets.
        select e.*, row_number() over (partition by e.room_id, e.user_id, e.client_id order by e.ord) as attempt
        from unnest(room_ids, event_ids, user_ids, client_ids, bodies, replies, threads, moments)
            with ordinality as e (room_id, id, user_id, client_id, body, reply_to, thread, at, ord)
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
                    and e.at < m.wrote_at + r.slow_mode_s * interval '1 second' then 'slow_mode'
                else 'stored'
            end as verdict
        from entries e
        left join rooms r on r.id = e.room_id
        left join members m on m.room_id = e.room_id and m.user_id = e.user_id
        left join lateral (
            select x.seq, x.n, x.id, x.at from events x
            where x.room_id = e.room_id and x.user_id = e.user_id and x.client_id = e.client_id
            limit 1
        ) stored on true
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
    placed as materialized (
        select c.*, c.head + c.number as seq, c.messages + c.number as n from counted c where c.is_new
    ),
    inserted as (
        insert into events (room_id, seq, n, id, kind, user_id, client_id, reply_to, thread, body, at)
        select p.room_id, p.seq, p.n, p.id, 'message', p.user_id, p.client_id, p.reply_to, p.thread, p.body, p.at
        from placed p
    ),
    moved as (
        update rooms set head = p.head, messages = p.messages
        from (select room_id, max(seq) as head, max(n) as messages from placed group by room_id) p
        where rooms.id = p.room_id
    ),
    slowed as (
        update members set wrote_at = p.at
        from placed p
        where p.is_slow and members.room_id = p.room_id and members.user_id = p.user_id
    )
    select c.ord,
        case when c.attempt > 1 and first_value(c.is_new) over name then 'duplicate' else first_value(c.gate) over name end,
        case when first_value(c.is_new) over name then first_value(c.head + c.number) over name else c.stored_seq end,
        case when first_value(c.is_new) over name then first_value(c.messages + c.number) over name else c.stored_n end,
        case when first_value(c.is_new) over name then first_value(c.id) over name else c.stored_id end,
        case when first_value(c.is_new) over name then first_value(c.at) over name else c.stored_at end,
        (extract(epoch from case first_value(c.gate) over name
            when 'muted' then c.muted_until - c.at
            when 'slow_mode' then c.slow_mode_s * interval '1 second'
                + case c.verdict when 'slow_mode' then c.wrote_at - c.at else interval '0' end
        end) * 1000)::bigint
    from counted c
    window name as (partition by c.room_id, c.user_id, c.client_id order by c.attempt)
    order by c.ord;
end
$$;

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
create or replace function append_messages(
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
    are_pairs boolean[];
    judged int[];
    room int;
begin
    -- Each statement sees what was committed before it began: what is seen from here on holds for as long
    -- as the rooms are locked.
    select array_agg(r.head), array_agg(r.messages), array_agg(r.is_open), array_agg(r.is_pair)
    into heads, totals, are_open, are_pairs
    from (
        select r.head, r.messages, r.deleted_at is null and r.archived_at is null and r.slow_mode_s = 0 as is_open,
            r.visibility = 'direct' and r.max_members = 2 as is_pair
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
        if true = any (are_pairs) then
            judged := judged || array(
                select e.room
                from unnest(entry_rooms, user_ids) e (room, user_id)
                where are_pairs[e.room] and exists (
                    select 1 from members o join blocks b
                        on b.user_id in (o.user_id, e.user_id) and b.blocked_id in (o.user_id, e.user_id)
                    where o.room_id = room_ids[e.room] and o.user_id <> e.user_id
                )
            );
        end if;
        if cardinality(replies) + cardinality(threads) > 0 then
            judged := judged || array(
                select e.room
                from unnest(
                    entry_rooms || entry_rooms, user_ids || user_ids, replies || threads,
                    array_fill(false, array[cardinality(replies)]) || array_fill(true, array[cardinality(threads)])
                ) e (room, user_id, seq, is_thread)
                left join members m on m.room_id = room_ids[e.room] and m.user_id = e.user_id
                where e.seq is not null and not exists (
                    select 1 from events x
                    where x.room_id = room_ids[e.room] and x.seq = e.seq
                        and x.seq >= m.first_seq and x.kind = 'message' and not (e.is_thread and x.thread is not null)
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

-- Gives messages their places, as `append_messages` does, of which some call people. `called_by` are the entries
-- that do, by their places in the batch, each with one of the names that it calls; a name that no other
-- member has is only text, and so is that of everybody where a member without a role writes it.
-- `calls` says of each entry that calls somebody whom, as it stands in the row of the message.
create function append_calling(
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
    called_by bigint[],
    names text[],
    out heads bigint[],
    out totals bigint[],
    out others jsonb,
    out calls jsonb
)
language plpgsql
set enable_seqscan = off
set enable_hashjoin = off
set enable_mergejoin = off
set plan_cache_mode = force_generic_plan
set jit = off
as $$
#variable_conflict use_column
declare
    stored_by bigint[];
    places bigint[];
    are_new boolean[];
begin
    select a.heads, a.totals, a.others into heads, totals, others
    from append_messages(
        room_ids, counts, entry_rooms, numbers, event_ids, user_ids, client_ids, bodies, replies, threads, moments
    ) a;

    -- Where those stand that call somebody. One that is stored since an earlier try has its calls already.
    select array_agg(p.ord), array_agg(p.seq), array_agg(p.is_new)
    into stored_by, places, are_new
    from (
        select e.ord, coalesce(heads[e.room] + e.number, (e.verdict ->> 'place')::bigint) as seq,
            heads[e.room] is not null or e.verdict ->> 'outcome' = 'stored' as is_new,
            e.verdict ->> 'place_id' as place_id
        from (
            select e.*, case when heads[e.room] is null then
                others -> (count(*) filter (where heads[e.room] is null) over (order by e.ord) - 1)::int
            end as verdict
            from unnest(entry_rooms, numbers) with ordinality e (room, number, ord)
        ) e
        where e.ord = any (called_by)
    ) p
    where p.is_new or p.place_id = event_ids[p.ord]::text;

    insert into mentions (room_id, user_id, seq, by_id)
    select room_ids[entry_rooms[p.ord]], u.id, p.seq, user_ids[p.ord]
    from unnest(stored_by, places, are_new) p (ord, seq, is_new)
    join unnest(called_by, names) c (ord, name) on c.ord = p.ord
    join users u on u.username = c.name
    join members m on m.room_id = room_ids[entry_rooms[p.ord]] and m.user_id = u.id
    where p.is_new and u.id <> user_ids[p.ord] and not exists (
        select 1 from blocks b where b.user_id = u.id and b.blocked_id = user_ids[p.ord]
    )
    union all
    select m.room_id, m.room_id, p.seq, m.user_id
    from unnest(stored_by, places, are_new) p (ord, seq, is_new)
    join unnest(called_by, names) c (ord, name) on c.ord = p.ord and c.name = 'room'
    join members m on m.room_id = room_ids[entry_rooms[p.ord]] and m.user_id = user_ids[p.ord]
    where p.is_new and m.role <> 'member';

    update events set data = jsonb_build_object('mentions', called.mentions)
    from (
        select x.room_id, x.seq, jsonb_agg(
            jsonb_strip_nulls(jsonb_build_object('id', u.id, 'username', coalesce(u.username, 'room')))
            order by u.username
        ) as mentions
        from unnest(stored_by, places, are_new) p (ord, seq, is_new)
        join mentions x on x.room_id = room_ids[entry_rooms[p.ord]] and x.seq = p.seq
        left join users u on u.id = x.user_id
        where p.is_new
        group by x.room_id, x.seq
    ) called
    where events.room_id = called.room_id and events.seq = called.seq;

    select jsonb_agg(jsonb_build_array(p.ord, x.data -> 'mentions')) into calls
    from unnest(stored_by, places) p (ord, seq)
    join events x on x.room_id = room_ids[entry_rooms[p.ord]] and x.seq = p.seq
    where x.data is not null;
end
$$;
