-- Bots and their tokens, the ways that tools post into rooms, and those by which rooms tell others.

alter table users add column bot integer not null default 0;
-- Who made the bot, and answers for it.
alter table users add column bot_owner_id blob references users (id);

create index users_bot_owner on users (bot_owner_id, id) where bot_owner_id is not null;

-- A token is a session that nobody refreshes, so that it is revoked as one.
create table bot_tokens (
    session_id blob primary key not null references sessions (id) on delete cascade,
    -- SHA-256 of the token, which has 256 random bits and needs no slower one.
    hash blob not null unique,
    name text not null,
    scopes text not null,
    -- Null for one that lives until it is revoked. Its session ends then as well.
    expires_at integer
) strict, without rowid;

create table hooks (
    id blob primary key not null,
    room_id blob not null references rooms (id) on delete cascade,
    -- The bot that speaks through it.
    user_id blob not null references users (id),
    by_id blob not null,
    name text not null,
    -- SHA-256 of what its url ends with.
    hash blob not null unique,
    created_at integer not null
) strict;

create index hooks_room on hooks (room_id);

create table webhooks (
    id blob primary key not null,
    user_id blob not null references users (id),
    url text not null,
    -- Words with spaces between them; none for all.
    kinds text not null,
    -- Under a key derived from the cluster secret.
    secret blob not null,
    created_at integer not null,
    -- Attempts that failed since the last that did not, why, and since when.
    failures integer not null default 0,
    last_error text,
    failing_since integer,
    next_attempt_at integer,
    disabled_at integer,
    delivered_at integer,
    -- Who delivers at the moment, and for how long they may, by the database's clock.
    lease blob,
    leased_until integer
) strict;

create index webhooks_user on webhooks (user_id);

create table webhook_rooms (
    webhook_id blob not null references webhooks (id) on delete cascade,
    room_id blob not null references rooms (id) on delete cascade,
    -- The last event that was taken, or passed over.
    seq integer not null,
    primary key (webhook_id, room_id)
) strict, without rowid;

create index webhook_rooms_room on webhook_rooms (room_id);
