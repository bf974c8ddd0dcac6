-- Bots and their tokens, the ways that tools post into rooms, and those by which rooms tell others.

alter table users add column bot boolean not null default false;
-- Who made the bot, and answers for it.
alter table users add column bot_owner_id uuid references users (id);

create index users_bot_owner on users (bot_owner_id, id) where bot_owner_id is not null;

-- A token is a session that nobody refreshes, so that it is revoked as one.
create table bot_tokens (
    session_id uuid primary key references sessions (id) on delete cascade,
    -- SHA-256 of the token, which has 256 random bits and needs no slower one.
    hash bytea not null constraint bot_tokens_hash_key unique,
    name text not null,
    scopes text not null,
    -- Null for one that lives until it is revoked. Its session ends then as well.
    expires_at timestamptz
);

create table hooks (
    id uuid primary key,
    room_id uuid not null references rooms (id) on delete cascade,
    -- The bot that speaks through it.
    user_id uuid not null references users (id),
    by_id uuid not null,
    name text not null,
    -- SHA-256 of what its url ends with.
    hash bytea not null constraint hooks_hash_key unique,
    created_at timestamptz not null
);

create index hooks_room on hooks (room_id);

create table webhooks (
    id uuid primary key,
    user_id uuid not null references users (id),
    url text not null,
    -- Words with spaces between them; none for all.
    kinds text not null,
    -- Under a key derived from the cluster secret.
    secret bytea not null,
    created_at timestamptz not null,
    -- Attempts that failed since the last that did not, why, and since when.
    failures bigint not null default 0,
    last_error text,
    failing_since timestamptz,
    next_attempt_at timestamptz,
    disabled_at timestamptz,
    delivered_at timestamptz,
    -- Who delivers at the moment, and for how long they may, by the database's clock.
    lease uuid,
    leased_until timestamptz
);

create index webhooks_user on webhooks (user_id);

create table webhook_rooms (
    webhook_id uuid not null references webhooks (id) on delete cascade,
    room_id uuid not null references rooms (id) on delete cascade,
    -- The last event that was taken, or passed over.
    seq bigint not null,
    primary key (webhook_id, room_id)
);

create index webhook_rooms_room on webhook_rooms (room_id);
