-- What was deleted in a thread is still in its history. Beside `events_…_thread`, so that what is there counts as
-- fast as before.
do $$
begin
    for part in 0..15 loop
        execute format(
            'create index events_%s_thread_deleted on events_%s (room_id, thread, seq)
             where thread is not null and deleted_at is not null',
            part, part
        );
    end loop;
end
$$;
