-- Files that people upload and attach to messages. What is in them is kept elsewhere, under their ids.

create table files (
    id blob primary key not null,
    -- Where they may be attached, and who may.
    room_id blob not null,
    user_id blob not null,
    name text not null,
    -- What the content is.
    mime text not null,
    size integer not null,
    -- Of images only.
    width integer,
    height integer,
    -- The media type of the small picture: only what could be drawn has one.
    thumbnail text,
    created_at integer not null,
    -- Null while the content is on its way.
    stored_at integer,
    -- The message that took the file; before, it is its uploader's alone.
    seq integer,
    -- From when on nobody finds it. The row stays until the content is gone.
    dropped_at integer
) strict;

create index files_message on files (room_id, seq) where seq is not null;
create index files_unsent on files (created_at) where seq is null;
create index files_dropped on files (dropped_at) where dropped_at is not null;
