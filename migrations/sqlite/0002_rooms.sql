-- Rooms, who is in them, and the log of each.
-- Moments are whole milliseconds since 1970.

create table rooms (
    id blob primary key not null,
    name text not null,
    -- The name without the difference of cases.
    name_key text not null,
    topic text not null,
    visibility text not null,
    password_hash text,
    -- Null once the owner's account is erased.
    owner_id blob references users (id),
    max_members integer not null,
    history text not null,
    slow_mode_s integer not null default 0,
    -- The place of the latest event.
    head integer not null default 0,
    -- How many of the events are messages.
    messages integer not null default 0,
    member_count integer not null default 0,
    created_at integer not null,
    archived_at integer,
    deleted_at integer
) strict;

-- What strangers find must have a name of its own; a deleted room's is free again.
create unique index rooms_name_key on rooms (name_key)
    where visibility in ('public', 'private') and deleted_at is null;

create table members (
    room_id blob not null references rooms (id) on delete cascade,
    user_id blob not null references users (id),
    role text not null,
    joined_at integer not null,
    -- The lowest place that they may read.
    first_seq integer not null,
    muted_until integer,
    -- When they last wrote while the room was in slow mode.
    wrote_at integer,
    -- How far they have read, and how many messages the room had up to there.
    read_seq integer not null,
    read_n integer not null,
    read_at integer not null,
    primary key (room_id, user_id)
) strict, without rowid;

create index members_user on members (user_id);

-- What holds for people who left when they come back, so that leaving ends neither a mute nor the
-- wait of slow mode.
create table absences (
    room_id blob not null references rooms (id) on delete cascade,
    user_id blob not null references users (id),
    muted_until integer,
    wrote_at integer,
    primary key (room_id, user_id)
);

-- The log. It has no foreign keys: each would be one more look-up for every event, and the append
-- has just looked at the room and the member itself. Rooms and users are never removed from their
-- tables, only marked.
create table events (
    room_id blob not null,
    seq integer not null,
    -- How many messages the room has had so far, this one included.
    n integer not null,
    id blob not null,
    kind text not null,
    user_id blob not null,
    -- The sender's own name for a message.
    client_id text,
    -- The seq of the message that an event is about.
    target integer,
    -- To whom something was done.
    member_id blob,
    reply_to integer,
    thread integer,
    body text,
    -- What else the kind needs: a role, a reason, the changes of a room.
    data text,
    at integer not null,
    edited_at integer,
    deleted_at integer,
    primary key (room_id, seq),
    unique (room_id, user_id, client_id)
) strict, without rowid;

-- A deleted message takes the texts of its edits with it.
create index events_edits on events (room_id, target) where kind = 'edit';

create table bans (
    room_id blob not null references rooms (id) on delete cascade,
    user_id blob not null references users (id),
    by_id blob not null,
    reason text,
    until integer,
    created_at integer not null,
    primary key (room_id, user_id)
) strict, without rowid;

create table invites (
    code text primary key not null,
    room_id blob not null references rooms (id) on delete cascade,
    by_id blob not null,
    max_uses integer,
    uses integer not null default 0,
    created_at integer not null,
    expires_at integer not null
) strict;

create index invites_room on invites (room_id);
