-- What is looked for is looked up by stretches: 64 places of a room's log in a row. A stretch that is full is
-- indexed some time after; what comes after the last indexed one is simply read.

create table search_stretches (
    id integer primary key,
    room_id blob not null,
    -- Its places are 64 * number + 1 to 64 * number + 64.
    number integer not null,
    -- The earliest message in it, and the latest in it or in any stretch of the room before it.
    first_at integer not null,
    last_at integer not null,
    unique (room_id, number)
) strict;

-- What the texts in a stretch have, under its id, as `shared/src/store/search/lexemes.rs` tells it: parts
-- of their words, their senders, the room. Of the texts themselves nothing is kept here.
create virtual table search_lexemes using fts5 (
    lexemes, content = '', contentless_delete = 1, detail = none, tokenize = 'ascii'
);

-- Where in a room a moment is.
create index search_stretches_last_at on search_stretches (room_id, last_at);

-- Up to which place each room is indexed.
create table search_progress (
    room_id blob primary key not null,
    indexed integer not null
) strict, without rowid;
