-- Files that people upload and attach to messages. What is in them is kept elsewhere, under their ids.

create table files (
    id uuid primary key,
    -- Where they may be attached, and who may.
    room_id uuid not null,
    user_id uuid not null,
    name text not null,
    -- What the content is.
    mime text not null,
    size bigint not null,
    -- Of images only.
    width bigint,
    height bigint,
    -- The media type of the small picture: only what could be drawn has one.
    thumbnail text,
    created_at timestamptz not null,
    -- Null while the content is on its way.
    stored_at timestamptz,
    -- The message that took the file; before, it is its uploader's alone.
    seq bigint,
    -- From when on nobody finds it. The row stays until the content is gone.
    dropped_at timestamptz
);

create index files_message on files (room_id, seq) where seq is not null;
create index files_unsent on files (created_at) where seq is null;
create index files_dropped on files (dropped_at) where dropped_at is not null;

-- Gives one message its place, as `append_calling` does, and the files that it takes: each is of its sender,
-- uploaded for this room, and taken by no message yet. When one is not, nothing is stored, and the error says
-- so (CXF01). `files` are those of the message, if it is stored, as they stand in its row.
create function append_attaching(
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
    file_ids uuid[],
    out heads bigint[],
    out totals bigint[],
    out others jsonb,
    out calls jsonb,
    out files jsonb
)
language plpgsql
as $$
#variable_conflict use_column
declare
    place bigint;
    is_new boolean;
    taken bigint;
begin
    select a.heads, a.totals, a.others, a.calls into heads, totals, others, calls
    from append_calling(
        room_ids, counts, entry_rooms, numbers, event_ids, user_ids, client_ids, bodies, replies, threads, moments,
        called_by, names
    ) a;
    place := coalesce(heads[1] + 1, (others -> 0 ->> 'place')::bigint);
    is_new := heads[1] is not null or others -> 0 ->> 'outcome' = 'stored';

    if is_new then
        update files f set seq = place
        where f.id = any (file_ids) and f.room_id = room_ids[1] and f.user_id = user_ids[1]
            and f.seq is null and f.stored_at is not null and f.dropped_at is null;
        get diagnostics taken = row_count;
        if taken < cardinality(file_ids) then
            raise exception 'a file is not there to be attached' using errcode = 'CXF01';
        end if;
        update events e set data = coalesce(e.data, '{}') || jsonb_build_object('files', (
            select jsonb_agg(
                jsonb_strip_nulls(jsonb_build_object(
                    'id', f.id, 'name', f.name, 'mime', f.mime, 'size', f.size, 'width', f.width, 'height', f.height
                )) order by named.ord
            )
            from unnest(file_ids) with ordinality named (id, ord) join files f on f.id = named.id
        ))
        where e.room_id = room_ids[1] and e.seq = place;
    end if;

    -- One that is stored since an earlier try has its files already.
    select e.data -> 'files' into files
    from events e
    where e.room_id = room_ids[1] and e.seq = place and e.id = event_ids[1];
end
$$;

-- As in `0004_search.sql`, and on request only those that have files; who does not say so asks as before.
drop function messages_in(
    jsonb, uuid, timestamptz, timestamptz, text, text, text, timestamptz, uuid, bigint, text, bigint
);

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
    most bigint,
    with_files boolean default false
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
            and (not with_files or e.data -> 'files' is not null)
            and (before_at is null or (e.at, e.room_id, e.seq) < (before_at, before_room, before_seq))
        offset 0
    ) x
    order by case ordering when 'newest' then x.at end desc, case ordering when 'newest' then x.room_id end desc,
        case ordering when 'forth' then x.seq else -x.seq end
    limit most;
end
$$;
