-- What is looked for is looked up by stretches: 64 places of a room's log in a row. A stretch that is full is
-- indexed some time after; what comes after the last indexed one is simply read.

create table search_stretches (
    room_id uuid not null,
    -- Its places are 64 * number + 1 to 64 * number + 64.
    number bigint not null,
    -- The earliest message in it, and the latest in it or in any stretch of the room before it.
    first_at timestamptz not null,
    last_at timestamptz not null,
    -- What the texts in it have, as `shared/src/store/search/lexemes.rs` tells it: parts of their words,
    -- their senders, the room. It needs no extension and holds every script.
    lexemes tsvector not null,
    primary key (room_id, number)
);

create index search_stretches_lexemes on search_stretches using gin (lexemes);

-- Where in a room a moment is.
create index search_stretches_last_at on search_stretches (room_id, last_at);

-- Up to which place each room is indexed. The row is locked by whoever indexes, edits or deletes.
create table search_progress (
    room_id uuid primary key,
    indexed bigint not null
);

-- The stretches of some rooms, of each between two numbers of its own, that have all of the lexemes, those
-- that end last first. Of what ends after `moment`, that is the end.
--
-- The lexemes are only ever looked up: to compare them row by row means to read as much as all texts are.
create function stretches_with(
    lexemes tsquery,
    rooms jsonb,
    since timestamptz,
    moment timestamptz,
    most bigint
) returns table (room_id uuid, number bigint, ends_at timestamptz)
language sql stable
set enable_seqscan = off
set jit = off
begin atomic
    select t.room_id, t.number, least(t.last_at, moment)
    from (
        select s.room_id, s.number, s.first_at, s.last_at from search_stretches s
        where s.lexemes @@ stretches_with.lexemes offset 0
    ) t
    join jsonb_to_recordset(rooms) r (room uuid, first bigint, last bigint)
        on r.room = t.room_id and t.number between r.first and r.last
    where t.first_at <= moment and (since is null or t.last_at >= since)
    order by 3 desc
    limit most;
end;

-- The numbers of the stretches of one room that have all of the lexemes, among them the room's own, from
-- one end on.
create function stretches_of(
    lexemes tsquery,
    room uuid,
    first bigint,
    last bigint,
    is_back boolean,
    most bigint
) returns setof bigint
language sql stable
set enable_seqscan = off
set jit = off
begin atomic
    select t.number
    from (
        select s.room_id, s.number from search_stretches s
        where s.lexemes @@ stretches_of.lexemes offset 0
    ) t
    where t.room_id = room and t.number between first and last
    order by case when is_back then -t.number else t.number end
    limit most;
end;

-- The messages in runs of places that may be what is looked for, at most so many of them: `newest` by when
-- they came, then by their rooms and places, `back` and `forth` by their places. Each run is read by the log's key, whatever a planner thinks
-- of runs; what it thinks of sixteen partitions is that compiling the query is worth its while.
create function messages_in(
    runs jsonb,
    sender uuid,
    since timestamptz,
    until timestamptz,
    pattern_1 text,
    pattern_2 text,
    pattern_3 text,
    before_at timestamptz,
    before_room uuid,
    before_seq bigint,
    ordering text,
    most bigint
) returns table (room_id uuid, seq bigint, at timestamptz, body text)
language plpgsql stable
set enable_seqscan = off
set enable_hashjoin = off
set enable_mergejoin = off
set plan_cache_mode = force_generic_plan
set jit = off
as $$
#variable_conflict use_column
begin
    return query
    select x.room_id, x.seq, x.at, x.body
    from jsonb_to_recordset(runs) r (room uuid, first bigint, last bigint)
    cross join lateral (
        select e.room_id, e.seq, e.at, e.body
        from events e
        where e.room_id = r.room and e.seq between r.first and r.last
            and e.kind = 'message' and e.deleted_at is null
            and (sender is null or e.user_id = sender)
            and (since is null or e.at >= since)
            and (until is null or e.at < until)
            and (pattern_1 is null or e.body collate "C" ilike pattern_1)
            and (pattern_2 is null or e.body collate "C" ilike pattern_2)
            and (pattern_3 is null or e.body collate "C" ilike pattern_3)
            and (before_at is null or (e.at, e.room_id, e.seq) < (before_at, before_room, before_seq))
        offset 0
    ) x
    order by case ordering when 'newest' then x.at end desc, case ordering when 'newest' then x.room_id end desc,
        case ordering when 'forth' then x.seq else -x.seq end
    limit most;
end
$$;
