-- Accounts, their sessions, and what the nodes of a cluster know of each other.

create table users (
    id uuid primary key,
    username text not null constraint users_username_key unique,
    -- Null once the account is erased.
    email text constraint users_email_key unique,
    display_name text not null,
    -- The display name in lower case, for searching.
    display_name_folded text not null,
    bio text not null default '',
    status text not null default '',
    -- A PHC string with its parameters; null for who cannot log in by password.
    password_hash text,
    admin boolean not null default false,
    created_at timestamptz not null,
    suspended_at timestamptz,
    erased_at timestamptz
);

-- For `like 'ada%'`, whatever the collation of the database is.
create index users_username_prefix on users (username text_pattern_ops);
create index users_display_name_prefix on users (display_name_folded text_pattern_ops);

create table sessions (
    id uuid primary key,
    user_id uuid not null references users (id) on delete cascade,
    device text not null,
    ip text not null,
    -- Which refresh token is the valid one. Tokens themselves are not stored.
    generation bigint not null default 0,
    created_at timestamptz not null,
    -- When that token was made, and the access token beside it.
    rotated_at timestamptz not null,
    expires_at timestamptz not null,
    -- By the database's clock, so that nodes whose clocks differ miss no revocation.
    revoked_at timestamptz
);

create index sessions_user on sessions (user_id);
create index sessions_expiry on sessions (expires_at);
create index sessions_revoked on sessions (revoked_at) where revoked_at is not null;

-- Who did what. Outlives those whom it names, so it refers to nobody.
create table audit (
    id uuid primary key,
    at timestamptz not null,
    action text not null,
    actor uuid,
    target text,
    ip text not null,
    request_id text not null,
    data jsonb not null
);

create index audit_action on audit (action, id);
create index audit_actor on audit (actor, id);

-- The keys that sign access tokens. The newest signs, the one before it is still believed.
create table signing_keys (
    generation integer primary key,
    kid text not null,
    -- Sealed under a key derived from the cluster secret.
    sealed bytea not null,
    created_at timestamptz not null
);

-- The coordinators. All moments are by the database's clock.
create table nodes (
    name text primary key,
    -- A node that starts again under its name is another incarnation, and the earlier one stops renewing.
    incarnation uuid not null,
    -- Where clients connect.
    url text not null,
    -- Where hints and peers come.
    internal_url text not null,
    weight integer not null default 1,
    draining boolean not null default false,
    started_at timestamptz not null,
    renewed_at timestamptz not null
);
