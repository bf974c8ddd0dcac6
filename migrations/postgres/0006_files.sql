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
