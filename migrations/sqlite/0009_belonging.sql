-- Deleted rooms that can come back, reports of messages, and what server admins note of accounts.

-- Until when a deleted room can be restored. A deleted room without it is being erased.
alter table rooms add column restorable_until integer;
-- The owner who deleted it, and so can restore it; null if it was a server admin.
alter table rooms add column deleted_by blob;

-- What strangers find must have a name of its own, and a deleted room keeps its name until it is being erased.
drop index rooms_name_key;
create unique index rooms_name_key on rooms (name_key)
    where visibility in ('public', 'private') and (deleted_at is null or restorable_until is not null);

create index rooms_deleted on rooms (deleted_at) where deleted_at is not null;

-- Why somebody is suspended, for server admins to read.
alter table users add column suspended_reason text;

create table reports (
    id blob primary key not null,
    room_id blob not null,
    -- The message.
    seq integer not null,
    reporter_id blob not null,
    -- Who wrote it.
    sender_id blob not null,
    reason text not null,
    note text,
    -- What it said then; null once it is deleted.
    body text,
    state text not null default 'open',
    created_at integer not null,
    closed_at integer,
    closed_by blob
) strict, without rowid;

create index reports_room on reports (room_id, id);
create index reports_message on reports (room_id, seq);
create index reports_sender on reports (sender_id);
-- One and the same complaint is one report.
create unique index reports_open on reports (room_id, seq, reporter_id) where state = 'open';
