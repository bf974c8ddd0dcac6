-- Whose bots are kept out is asked every moment, and hardly anybody is.

create index users_suspended on users (suspended_at) where suspended_at is not null;
