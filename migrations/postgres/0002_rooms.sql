-- Rooms, who is in them, and the log of each.

create table rooms (
    id uuid primary key,
    name text not null,
    -- The name without the difference of cases.
    name_key text collate "C" not null,
    topic text not null,
    visibility text not null,
    password_hash text,
    -- Null once the owner's account is erased.
    owner_id uuid references users (id),
    max_members bigint not null,
    history text not null,
    slow_mode_s bigint not null default 0,
    -- The place of the latest event.
    head bigint not null default 0,
    -- How many of the events are messages.
    messages bigint not null default 0,
    member_count bigint not null default 0,
    created_at timestamptz not null,
    archived_at timestamptz,
    deleted_at timestamptz
    -- Every append rewrites the row: room in its page keeps that from touching the indexes.
) with (fillfactor = 60);

-- What strangers find must have a name of its own; a deleted room's is free again.
create unique index rooms_name_key on rooms (name_key)
    where visibility in ('public', 'private') and deleted_at is null;

create table members (
    room_id uuid not null references rooms (id) on delete cascade,
    user_id uuid not null references users (id),
    role text not null,
    joined_at timestamptz not null,
    -- The lowest place that they may read.
    first_seq bigint not null,
    muted_until timestamptz,
    -- When they last wrote while the room was in slow mode.
    wrote_at timestamptz,
    -- How far they have read, and how many messages the room had up to there.
    read_seq bigint not null,
    read_n bigint not null,
    read_at timestamptz not null,
    primary key (room_id, user_id)
) with (fillfactor = 80);

create index members_user on members (user_id);

-- What holds for people who left when they come back, so that leaving ends neither a mute nor the
-- wait of slow mode.
create table absences (
    room_id uuid not null references rooms (id) on delete cascade,
    user_id uuid not null references users (id),
    muted_until timestamptz,
    wrote_at timestamptz,
    primary key (room_id, user_id)
);

-- The log. It has no foreign keys: each would be one more look-up and one more row lock for every
-- event, and the append has just looked at the room and the member itself. Rooms and users are
-- never removed from their tables, only marked.
create table events (
    room_id uuid not null,
    seq bigint not null,
    -- How many messages the room has had so far, this one included.
    n bigint not null,
    id uuid not null,
    kind text not null,
    user_id uuid not null,
    -- The sender's own name for a message.
    client_id text,
    -- The seq of the message that an event is about.
    target bigint,
    -- To whom something was done.
    member_id uuid,
    reply_to bigint,
    thread bigint,
    body text,
    -- What else the kind needs: a role, a reason, the changes of a room.
    data jsonb,
    at timestamptz not null,
    edited_at timestamptz,
    deleted_at timestamptz,
    primary key (room_id, seq),
    constraint events_client_id unique (room_id, user_id, client_id)
) partition by hash (room_id);

do $$
begin
    for part in 0..15 loop
        execute format(
            'create table events_%s partition of events for values with (modulus 16, remainder %s)',
            part, part
        );
        -- A deleted message takes the texts of its edits with it.
        execute format('create index events_%s_edits on events_%s (room_id, target) where kind = ''edit''', part, part);
    end loop;
end
$$;

create table bans (
    room_id uuid not null references rooms (id) on delete cascade,
    user_id uuid not null references users (id),
    by_id uuid not null,
    reason text,
    until timestamptz,
    created_at timestamptz not null,
    primary key (room_id, user_id)
);

create table invites (
    code text primary key,
    room_id uuid not null references rooms (id) on delete cascade,
    by_id uuid not null,
    max_uses bigint,
    uses bigint not null default 0,
    created_at timestamptz not null,
    expires_at timestamptz not null
);

create index invites_room on invites (room_id);

-- Gives messages their places, or says why not: one row for every entry, in their order.
--
-- The rooms are locked first, always in the same order. In `read committed` each statement of a
-- function sees what was committed before it began, so once the locks are held nobody can slip in
-- between the judging and the inserting: not a second message of the same name, not a kick.
--
-- The log is only ever entered by its keys. The settings keep it so, whatever a planner that has no
-- statistics of a new table yet would prefer.
create function append_events(
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
