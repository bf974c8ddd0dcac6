//! What reading costs does not grow with what is stored: PostgreSQL counts the rows of the log that it goes
//! through, and whether it goes through all of them.

use anyhow::{Context, Result};
use protocol::{
    Limits, Seq, UserId,
    messages::{History, Span},
    search::{Search, Wanted},
    text::Words,
};
use shared::store::{ResumeFrom, StoreOptions};
use sqlx::{Connection, Executor, PgConnection};

use crate::ground::Ground;

/// The messages of the room.
const MESSAGES: i64 = 20_000;
/// Each so many-th is in the thread of the first.
const THREADED: i64 = 2_000;
/// As many rows as may be gone through for what is asked below: a few pages, and the end of the log that a search reads.
const FEW: i64 = 9_000;

/// Rows of the log that were gone through, and how often all of a part of it was.
struct Gone {
    rows: i64,
    whole_parts: i64,
}

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
    let before = gone(&mut beside).await?;

    let store = ground.another_store_with(&StoreOptions::default()).await?;
    let head = Seq(u64::try_from(MESSAGES)? + 2);
    let middle = Seq(head.0 / 2);
    for thread in [None, Some(Seq(3))] {
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
            let page = store.history(room, bob.id, &history).await?;
            assert!(!page.messages.is_empty());
        }
    }
    let of_thread = History {
        limit: 50,
        thread: Some(Seq(3)),
        ..History::default()
    };
    let thread = store.history(room, bob.id, &of_thread).await?;
    assert_eq!(
        thread.messages.len(),
        11,
        "the first, and ten that are in it"
    );
    assert_eq!(store.events(room, middle, 100).await?.len(), 100);
    let missed = Seq(head.0 - 200);
    let from = |user: UserId| ResumeFrom {
        room,
        user,
        after: Some(missed),
        after_id: None,
        limit: 0,
    };
    let resumed = store
        .resume_all(&[from(ada.id), from(bob.id)], &Limits::default())
        .await?;
    for resume in resumed {
        assert_eq!(resume?.events.len(), 200);
    }
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
        let found = store.search(bob.id, &search).await?;
        assert_eq!(found.hits.is_empty(), words == "nowhere");
    }
    store.close().await;

    let after = gone(&mut beside).await?;
    assert_eq!(after.whole_parts, before.whole_parts);
    let rows = after.rows - before.rows;
    assert!(rows < FEW, "{rows} rows of {MESSAGES} were gone through");
    Ok(())
}

/// What was counted once everybody else has gone: a connection tells it when it ends.
async fn gone(connection: &mut PgConnection) -> Result<Gone> {
    let others = "select count(*) from pg_stat_activity
        where datname = current_database() and backend_type = 'client backend' and pid <> pg_backend_pid()";
    while sqlx::query_scalar::<_, i64>(others)
        .fetch_one(&mut *connection)
        .await?
        > 0
    {
        tokio::task::yield_now().await;
    }
    let (rows, whole_parts) = sqlx::query_as(
        "select sum(seq_tup_read + coalesce(idx_tup_fetch, 0))::bigint, sum(seq_scan)::bigint
         from pg_stat_user_tables where relname like 'events\\_%'",
    )
    .fetch_one(connection)
    .await
    .context("the counts")?;
    Ok(Gone { rows, whole_parts })
}
