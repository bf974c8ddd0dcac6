-- What proves an address and an authenticator, and the mail that is still to be sent.

alter table users add column email_verified_at timestamptz;
-- What the authenticator has, sealed under a key derived from the cluster secret.
alter table users add column totp_secret bytea;
-- Since when logins ask for codes; null while they are being set up.
alter table users add column totp_since timestamptz;
-- The latest half minute of which a code was shown: a code is good once.
alter table users add column totp_step bigint not null default 0;

-- What stands in for a lost authenticator, each once.
create table recovery_codes (
    user_id uuid not null references users (id) on delete cascade,
    hash bytea not null,
    primary key (user_id, hash)
);

-- What the links of mails carry, by hash. One is good once, and only while the account has the address that it was sent to.
create table mailed_tokens (
    hash bytea primary key,
    user_id uuid not null references users (id) on delete cascade,
    -- `verify` or `reset`.
    purpose text not null,
    email text not null,
    expires_at timestamptz not null
);

create index mailed_tokens_user on mailed_tokens (user_id);
create index mailed_tokens_expiry on mailed_tokens (expires_at);

-- Mail that is still to be sent. A mail that was sent is gone; one that was given up is kept for a while without what it said.
create table mails (
    id uuid primary key,
    -- What it is about, and for whom, sealed as above: it holds the token.
    sealed bytea not null,
    created_at timestamptz not null,
    -- When it is tried next. Who tries it puts this off first, so that one whose sender dies is tried again. Null when it was given up.
    due_at timestamptz,
    attempts integer not null default 0,
    -- Why the last attempt failed.
    error text
);

create index mails_due on mails (due_at) where due_at is not null;
create index mails_age on mails (created_at);
