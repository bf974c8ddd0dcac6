-- What people do with messages beside writing them: reactions, pins, mentions, threads; and conversations
-- of named people, with whom one keeps out of them.
-- What PostgreSQL has here for the append is `shared/src/store/append/sqlite.rs` on this side.

-- Whether others see how far one has read.
alter table users add column shows_reads integer not null default 1;

create table reactions (
    room_id blob not null,
    -- The message.
    seq integer not null,
    emoji text not null,
    user_id blob not null,
    -- The place of the reacting itself: the emoji that came first is shown first.
    event_seq integer not null,
    primary key (room_id, seq, emoji, user_id)
) strict, without rowid;

create table pins (
    room_id blob not null,
    -- The message.
    seq integer not null,
    user_id blob not null,
    -- The place of the pinning itself.
    event_seq integer not null,
    at integer not null,
    primary key (room_id, seq)
) strict, without rowid;

-- Who is called by which message. A message that calls everybody has one row, under the room's own id in
-- place of a person's.
create table mentions (
    room_id blob not null,
    user_id blob not null,
    -- The message.
    seq integer not null,
    -- Who wrote it.
    by_id blob not null,
    primary key (room_id, user_id, seq)
) strict, without rowid;

create index mentions_message on mentions (room_id, seq);

-- What messages said before they were first changed. Later texts are in the events that changed them.
create table originals (
    room_id blob not null,
    seq integer not null,
    body text not null,
    primary key (room_id, seq)
) strict, without rowid;

create table blocks (
    user_id blob not null references users (id) on delete cascade,
    blocked_id blob not null references users (id) on delete cascade,
    at integer not null,
    primary key (user_id, blocked_id)
) strict, without rowid;

create index blocks_blocked on blocks (blocked_id, user_id);

-- The one room of each set of people.
create table conversations (
    -- Their ids, in order.
    people text primary key not null,
    room_id blob not null
) strict, without rowid;

-- How many answers a thread has, and which.
create index events_thread on events (room_id, thread, seq) where thread is not null and deleted_at is null;
