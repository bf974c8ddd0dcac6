//! What reading costs does not grow with what is stored: PostgreSQL counts the rows of the log that it goes
//! through, and whether it goes through all of them.

use std::fmt::Debug;

use anyhow::{Context, Result};
use protocol::{
    Limits, Seq, UserId,
    messages::{History, Span},
    search::{Search, Wanted},
    text::Words,
};
use shared::store::{ResumeFrom, Store};
use sqlx::{Connection, Executor, PgConnection};
use tokio::task::yield_now;

use crate::ground::Ground;

/// The messages of the room.
const MESSAGES: i64 = 40_000;
/// Each so many-th is in the thread of the first.
const THREADED: i64 = 4_000;
/// As many rows may be gone through for a page: each message, and what is on it.
const OF_A_PAGE: i64 = 250;
/// And for a search, which first reads the end of the log, then stretches of 64 places that may have the word.
const OF_A_SEARCH: i64 = 15_000;

/// Counts what others go through.
struct Counter(PgConnection);

#[tokio::test(flavor = "multi_thread")]
async fn nothing_that_is_read_goes_through_a_whole_log() -> Result<()> {
    let ground = Ground::postgres().await?;
    let [ada, bob] = ground.people(["ada", "bob"]).await?;
    let room = ground.room(&ada, "Tea").await?.id;
    ground.join(room, &bob).await?;
    let mut beside = PgConnection::connect(ground.url()).await?;
    sqlx::query(
        "insert into events (room_id, seq, n, id, kind, user_id, client_id, thread, body, at)
         select $1, x, x - 2, gen_random_uuid(), 'message', $2, 'n' || x,
            case when x > 3 and x % $4 = 0 then 3 end, 'more tea ' || x, now() + x * interval '1 second'
         from generate_series(3, $3 + 2) x",
    )
    .bind(room.uuid())
    .bind(ada.id.uuid())
    .bind(MESSAGES)
    .bind(THREADED)
    .execute(&mut beside)
    .await?;
    let heads = "update rooms set head = $2 + 2, messages = $2 where id = $1";
    let heads = sqlx::query(heads).bind(room.uuid()).bind(MESSAGES);
    heads.execute(&mut beside).await?;
    beside.execute("vacuum analyze").await?;
    shared::indexing::index(&ground.store).await?;
    ground.store.close().await;

    let mut counter = Counter(beside);
    counter.take().await?;
    let head = Seq(u64::try_from(MESSAGES)? + 2);
    let (middle, root) = (Seq(head.0 / 2), Seq(3));
    for thread in [None, Some(root)] {
        for span in [
            Span::Latest,
            Span::Before(middle),
            Span::After(middle),
            Span::Around(middle),
        ] {
            let history = History {
                span,
                limit: 50,
                thread,
                ..History::default()
            };
            let store = ground.another_store().await?;
            let page = store.history(room, bob.id, &history).await?;
            if thread.is_some() && span == Span::Latest {
                assert_eq!(page.messages.len(), 11, "the first, and ten that answer it");
            }
            assert!(!page.messages.is_empty());
            counter.expect_few(store, OF_A_PAGE, &history).await?;
        }
    }
    let store = ground.another_store().await?;
    assert_eq!(store.events(room, middle, 100).await?.len(), 100);
    counter.expect_few(store, OF_A_PAGE, "events").await?;

    let missed = Seq(head.0 - 100);
    let from = |user: UserId| ResumeFrom {
        room,
        user,
        after: Some(missed),
        after_id: None,
        limit: 0,
    };
    let store = ground.another_store().await?;
    for resume in store
        .resume_all(&[from(ada.id), from(bob.id)], &Limits::default())
        .await?
    {
        assert_eq!(resume?.events.len(), 100);
    }
    counter.expect_few(store, OF_A_PAGE, "a resume").await?;

    for (words, room) in [("10000", None), ("10000", Some(room)), ("nowhere", None)] {
        let search = Search {
            wanted: Wanted {
                words: Words::parse(words).ok(),
                ..Wanted::default()
            },
            room,
            cursor: None,
            limit: 50,
        };
        let store = ground.another_store().await?;
        let found = store.search(bob.id, &search).await?;
        assert_eq!(found.hits.is_empty(), words == "nowhere");
        counter.expect_few(store, OF_A_SEARCH, &search).await?;
    }
    Ok(())
}

impl Counter {
    /// Ends `store`, and checks that it went through so few rows of the log, and never through all of a part of it.
    async fn expect_few(&mut self, store: Store, most: i64, what: impl Debug) -> Result<()> {
        store.close().await;
        let (rows, whole_parts) = self.take().await?;
        assert_eq!(whole_parts, 0, "{what:?}");
        assert!(rows <= most, "{rows} rows of {MESSAGES} for {what:?}");
        Ok(())
    }

    /// Rows of the log that were gone through, and how often all of a part of it was, since the last time. A
    /// connection tells what it did at its end.
    async fn take(&mut self) -> Result<(i64, i64)> {
        let others = "select count(*) from pg_stat_activity where datname = current_database()
            and backend_type = 'client backend' and pid <> pg_backend_pid()";
        while sqlx::query_scalar::<_, i64>(others)
            .fetch_one(&mut self.0)
            .await?
            > 0
        {
            yield_now().await;
        }
        let counts = sqlx::query_as(
            "select sum(seq_tup_read + coalesce(idx_tup_fetch, 0))::bigint, sum(seq_scan)::bigint
             from pg_stat_user_tables where relname like 'events\\_%'",
        )
        .fetch_one(&mut self.0)
        .await
        .context("the counts")?;
        self.0.execute("select pg_stat_reset()").await?;
        Ok(counts)
    }
}
