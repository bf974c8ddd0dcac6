//! What SQLite is about to do: no statement that somebody waits for may go through a whole log, or a whole index of it.
//! PostgreSQL counts what it reads, which the tests of the store look at.

use sqlx::{AssertSqlSafe, SqlitePool};

use super::{
    Store, StoreOptions, edits, events, history, leaving,
    pool::On,
    resume,
    search::{
        ENDED_SQLITE, ENDS, ENDS_OF_ROOM, NUMBERS_SQLITE, OF_KEYS_SQLITE, READABLE, SELECT_SQLITE,
    },
};

/// What grows with the log, by the names that statements call it.
const OF_LOG: [&str; 7] = [
    "events",
    "e",
    "x",
    "search_stretches",
    "s",
    "search_lexemes",
    "l",
];

/// Each statement, and whether it may sort what it goes through: only what a bound was put on before.
const STATEMENTS: [(&str, bool); 17] = [
    (history::BACK.whole, false),
    (history::FORTH.whole, false),
    (history::BACK.thread, true),
    (history::FORTH.thread, true),
    (events::BETWEEN, false),
    (events::NEWS, true),
    (edits::VERSIONS, true),
    (edits::FORGET_EDITS, false),
    (leaving::SAID, false),
    (resume::STANDINGS_SQLITE, false),
    (READABLE, true),
    (SELECT_SQLITE, true),
    (OF_KEYS_SQLITE, true),
    (ENDS, false),
    (ENDS_OF_ROOM, false),
    (ENDED_SQLITE, true),
    (NUMBERS_SQLITE, true),
];

#[tokio::test]
async fn nothing_that_is_read_goes_through_a_whole_log() -> anyhow::Result<()> {
    let directory = tempfile::tempdir()?;
    let url = format!("sqlite:{}", directory.path().join("chatx.db").display());
    let store = Store::connect(&url, &StoreOptions::default()).await?;
    store.migrate().await?;
    let On::Sqlite(pool) = store.reader() else {
        unreachable!("its url says so");
    };
    for (statement, may_sort) in STATEMENTS {
        check(pool, statement, may_sort).await?;
    }
    Ok(())
}

async fn check(pool: &SqlitePool, statement: &str, may_sort: bool) -> anyhow::Result<()> {
    let explain = AssertSqlSafe(format!("explain query plan {statement}"));
    let plan: Vec<(i64, i64, i64, String)> = sqlx::query_as(explain).fetch_all(pool).await?;
    let steps: Vec<&str> = plan.iter().map(|(.., step)| step.as_str()).collect();
    let is_of_log = |step: &&str| OF_LOG.contains(&step.split(' ').nth(1).unwrap_or_default());
    let of_log: Vec<&str> = steps.iter().copied().filter(is_of_log).collect();
    assert!(!of_log.is_empty(), "{steps:#?}");
    for step in of_log {
        assert!(is_looked_up(step), "{step} in {steps:#?}");
    }
    let sorts = steps
        .iter()
        .any(|step| step.ends_with("TEMP B-TREE FOR ORDER BY"));
    assert!(may_sort || !sorts, "{steps:#?}");
    Ok(())
}

/// Whether it goes to what it looks for. A table of words is always scanned by name, at what its index says. What is looked
/// up beside the rows of a page (`x`) must be named by more than a room and a part of it.
fn is_looked_up(step: &str) -> bool {
    let is_by_words = step.contains("VIRTUAL TABLE INDEX") && step.contains(":M");
    let is_whole_room = step.ends_with("(room_id=?)")
        || step.starts_with("SEARCH x USING PRIMARY KEY") && !step.ends_with("seq=?)");
    is_by_words || step.starts_with("SEARCH") && !is_whole_room
}
