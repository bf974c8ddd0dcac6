-- Reading costs the same however much is stored.

-- Of words that very many stretches have only those are looked up that ended in some period: the lexemes of a
-- stretch say when it ended. Those that were indexed before learn it later.

alter table search_stretches add column knows_when boolean not null default false;

-- How many stretches ended in a time, over all rooms.
create index search_stretches_ended on search_stretches (last_at);
create index search_stretches_untold on search_stretches (last_at) where not knows_when;

-- The stretches of the rooms of a member that have all of the lexemes and ended from `since` on and before a moment,
-- those that ended last first. Of the stretches that have the lexemes, of whatever room, at most `bound` are gone through: each
-- row says how many that were, and there is always one.
--
-- The lexemes are only ever looked up, as in `stretches_of`.
create function stretches_ended(
    lexemes tsquery,
    member uuid,
    since timestamptz,
    before timestamptz,
    bound bigint,
    most bigint
) returns table (gone_through bigint, room_id uuid, number bigint, last_at timestamptz)
language sql stable
set enable_seqscan = off
set jit = off
begin atomic
    with t as materialized (
        select s.room_id, s.number, s.last_at from search_stretches s
        where s.lexemes @@ stretches_ended.lexemes limit bound
    )
    select c.gone_through, f.room_id, f.number, f.last_at
    from (select count(*) as gone_through from t) c
    left join (
        select t.room_id, t.number, t.last_at
        from t join members m on m.room_id = t.room_id and m.user_id = member
        where 64 * (t.number + 1) >= m.first_seq
            and t.last_at < before and (since is null or t.last_at >= since)
        order by t.last_at desc
        limit most
    ) f on true
    order by f.last_at desc;
end;
