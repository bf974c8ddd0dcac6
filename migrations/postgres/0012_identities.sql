-- Who is known elsewhere as whom: who may log in by the word of a provider.

create table identities (
    id uuid primary key,
    -- Who says so. Its url, and not its name in the settings: that may change.
    issuer text not null,
    -- What it calls them, for ever.
    subject text not null,
    user_id uuid not null references users (id) on delete cascade,
    -- What they were called there the last time, so that people know which of their accounts there it is.
    label text not null,
    created_at timestamptz not null,
    used_at timestamptz not null,
    constraint identities_subject_key unique (issuer, subject)
);

create index identities_user on identities (user_id);
