-- What proves an address and an authenticator, and the mail that is still to be sent.

alter table users add column email_verified_at integer;
-- What the authenticator has, sealed under a key derived from the cluster secret.
alter table users add column totp_secret blob;
-- Since when logins ask for codes; null while they are being set up.
alter table users add column totp_since integer;
-- The latest half minute of which a code was shown: a code is good once.
alter table users add column totp_step integer not null default 0;

-- What stands in for a lost authenticator, each once.
create table recovery_codes (
    user_id blob not null references users (id) on delete cascade,
    hash blob not null,
    primary key (user_id, hash)
) strict;

-- What the links of mails carry, by hash. One is good once, and only while the account has the address that it was sent to.
create table mailed_tokens (
    hash blob primary key not null,
    user_id blob not null references users (id) on delete cascade,
    -- `verify` or `reset`.
    purpose text not null,
    email text not null,
    expires_at integer not null
) strict;

create index mailed_tokens_user on mailed_tokens (user_id);
create index mailed_tokens_expiry on mailed_tokens (expires_at);

-- Mail that is still to be sent. A mail that was sent is gone; one that was given up is kept for a while without what it said.
create table mails (
    id blob primary key not null,
    -- What it is about, and for whom, sealed as above: it holds the token.
    sealed blob not null,
    created_at integer not null,
    -- When it is tried next. Who tries it puts this off first, so that one whose sender dies is tried again. Null when it was given up.
    due_at integer,
    attempts integer not null default 0,
    -- Why the last attempt failed.
    error text
) strict;

create index mails_due on mails (due_at) where due_at is not null;
create index mails_age on mails (created_at);
