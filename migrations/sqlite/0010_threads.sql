-- What was deleted in a thread is still in its history. Beside `events_thread`, so that what is there counts as
-- fast as before.
create index events_thread_deleted on events (room_id, thread, seq) where thread is not null and deleted_at is not null;
