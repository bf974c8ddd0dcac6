-- People who have left for good, while what they said is still being taken away.

create table leavings (
    user_id blob primary key not null references users (id),
    at integer not null,
    -- Up to which room, in the order of their ids, nothing of theirs is left.
    upto blob
) strict, without rowid;

-- Whose is what: asked for by those who leave, and by those who take their data along.
create index reactions_user on reactions (user_id, room_id, seq, emoji);
create index files_user on files (user_id, id);
