-- Reading costs the same however much is stored.

-- Of words that very many stretches have only those are looked up that ended in some period: the lexemes of a
-- stretch say when it ended. Those that were indexed before learn it later.

alter table search_stretches add column knows_when integer not null default 0;

-- How many stretches ended in a time, over all rooms.
create index search_stretches_ended on search_stretches (last_at);
create index search_stretches_untold on search_stretches (last_at) where not knows_when;

-- All that is asked of threads is in their index.
drop index events_thread;
drop index events_thread_deleted;
create index events_thread on events (room_id, thread, seq, deleted_at) where thread is not null;

-- SQLite takes a room for ten events, unless it is told, and then rather goes through all of them than by another index: for
-- each message of a page, to count its answers; for each that is deleted, to find its edits. What follows is how many rows there
-- are, and how many of them have the same first column of an index, the same first two, and so on.
analyze search_progress;
insert into sqlite_stat1 (tbl, idx, stat) values
    ('events', 'events', '1000000 10000 1'),
    ('events', 'sqlite_autoindex_events_2', '1000000 10000 100 1'),
    ('events', 'events_edits', '10000 100 2'),
    ('events', 'events_thread', '10000 100 10 1 1');
