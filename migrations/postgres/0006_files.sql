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
