-- What PostgreSQL has here is `shared/src/store/append/sqlite.rs` on this side.
select 1;
