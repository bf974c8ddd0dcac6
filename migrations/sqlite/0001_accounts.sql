-- Accounts, their sessions, and what the nodes of a cluster know of each other.
-- Moments are whole milliseconds since 1970.

create table users (
    id blob primary key not null,
    username text not null unique,
    -- Null once the account is erased.
    email text unique,
    display_name text not null,
    -- The display name in lower case, for searching.
    display_name_folded text not null,
    bio text not null default '',
    status text not null default '',
    -- A PHC string with its parameters; null for who cannot log in by password.
    password_hash text,
    admin integer not null default 0,
    created_at integer not null,
    suspended_at integer,
    erased_at integer
) strict;

create index users_display_name_prefix on users (display_name_folded);

create table sessions (
    id blob primary key not null,
    user_id blob not null references users (id) on delete cascade,
    device text not null,
    ip text not null,
    -- Which refresh token is the valid one. Tokens themselves are not stored.
    generation integer not null default 0,
    created_at integer not null,
    -- When that token was made, and the access token beside it.
    rotated_at integer not null,
    expires_at integer not null,
    -- By the database's clock, so that nodes whose clocks differ miss no revocation.
    revoked_at integer
) strict;

create index sessions_user on sessions (user_id);
create index sessions_expiry on sessions (expires_at);
create index sessions_revoked on sessions (revoked_at) where revoked_at is not null;

-- Who did what. Outlives those whom it names, so it refers to nobody.
create table audit (
    id blob primary key not null,
    at integer not null,
    action text not null,
    actor blob,
    target text,
    ip text not null,
    request_id text not null,
    data text not null
) strict;

create index audit_action on audit (action, id);
create index audit_actor on audit (actor, id);

-- The keys that sign access tokens. The newest signs, the one before it is still believed.
create table signing_keys (
    generation integer primary key not null,
    kid text not null,
    -- Sealed under a key derived from the cluster secret.
    sealed blob not null,
    created_at integer not null
) strict;

-- The coordinators. All moments are by the database's clock.
create table nodes (
    name text primary key not null,
    -- A node that starts again under its name is another incarnation, and the earlier one stops renewing.
    incarnation blob not null,
    -- Where clients connect.
    url text not null,
    -- Where hints and peers come.
    internal_url text not null,
    weight integer not null default 1,
    draining integer not null default 0,
    started_at integer not null,
    renewed_at integer not null
) strict;
