-- Reading costs the same however much is stored.

-- Of words that very many stretches have only those are looked up that ended in some period: the lexemes of a
-- stretch say when it ended. Those that were indexed before learn it later.

alter table search_stretches add column knows_when integer not null default 0;

-- How many stretches ended in a time, over all rooms.
create index search_stretches_ended on search_stretches (last_at);
create index search_stretches_untold on search_stretches (last_at) where not knows_when;

-- Everything that is asked of threads is in it, because SQLite, which knows nothing of how large rooms are, otherwise
-- goes through the room.
drop index events_thread;
drop index events_thread_deleted;
create index events_thread on events (room_id, thread, seq, deleted_at) where thread is not null;
