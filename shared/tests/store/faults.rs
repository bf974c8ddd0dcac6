//! The appender over a database that stops, is killed, cuts connections or refuses: what is
//! acknowledged is stored once, and what is not says so in time.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use anyhow::{Result, ensure};
use protocol::{ErrorCode, RoomId, Seq, accounts::UserSummary, events::EventKind};
use shared::{
    Appender,
    store::{Append, Appended, Place, StoreOptions},
};
use sqlx::{Connection, Executor, PgConnection, SqliteConnection};
use testkit::{Durability, Postgres};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::ground::{Ground, body, on_both_engines};

on_both_engines!(
    messages_are_stored_in_the_order_in_which_they_are_handed_in,
    what_waits_is_stored_before_the_end,
    one_that_the_database_refuses_does_not_fail_its_neighbours,
);

/// Longer than any answer may take, also on a machine that is busy with other tests.
const BOUND: Duration = Duration::from_secs(60);

/// An appender, and what ends it.
struct Running {
    appender: Appender,
    tracker: TaskTracker,
    cancel: CancellationToken,
}

impl Running {
    fn over(ground: &Ground, writers: usize) -> Self {
        let (tracker, cancel) = (TaskTracker::new(), CancellationToken::new());
        let appender = Appender::start(&ground.store, writers, &tracker, &cancel);
        Self {
            appender,
            tracker,
            cancel,
        }
    }

    async fn end(self) -> Result<()> {
        self.cancel.cancel();
        self.tracker.close();
        tokio::time::timeout(BOUND, self.tracker.wait()).await?;
        Ok(())
    }
}

async fn messages_are_stored_in_the_order_in_which_they_are_handed_in(
    ground: Ground,
) -> Result<()> {
    let ada = ground.person("ada").await?;
    let mut rooms = Vec::new();
    for name in ["Tea", "Coffee", "Milk"] {
        rooms.push(ground.room(&ada, name).await?.id);
    }
    let running = Running::over(&ground, 2);
    let mut receipts = Vec::new();
    for number in 0..3_000 {
        let entry = ground.message(rooms[number % 3], ada.id, &format!("{number}"));
        receipts.push(running.appender.submit(entry)?);
    }
    for (number, receipt) in receipts.into_iter().enumerate() {
        let outcome = receipt.await?;
        let expected = Seq(2 + u64::try_from(number / 3)?);
        ensure!(
            matches!(&outcome, Appended::Stored(place) if place.seq == expected),
            "{number}: {outcome:?}"
        );
    }
    running.end().await
}

async fn what_waits_is_stored_before_the_end(ground: Ground) -> Result<()> {
    let ada = ground.person("ada").await?;
    let room = ground.room(&ada, "Tea").await?.id;
    let running = Running::over(&ground, 1);
    let appender = running.appender.clone();
    for number in 0..2_000 {
        // Nobody waits for the receipts.
        drop(appender.submit(ground.message(room, ada.id, &format!("{number}")))?);
    }
    running.end().await?;
    assert_eq!(ground.store.heads(&[room]).await?[0].seq, Seq(2_001));
    let late = appender.submit(ground.message(room, ada.id, "late"));
    assert_eq!(
        late.map(drop).map_err(|refusal| refusal.code),
        Err(ErrorCode::Unavailable)
    );
    Ok(())
}

async fn one_that_the_database_refuses_does_not_fail_its_neighbours(ground: Ground) -> Result<()> {
    let ada = ground.person("ada").await?;
    let room = ground.room(&ada, "Tea").await?.id;
    ground.refuse_bodies_of("bad").await?;
    let running = Running::over(&ground, 1);
    let mut receipts = Vec::new();
    for number in 0..20 {
        let mut entry = ground.message(room, ada.id, &format!("{number}"));
        if number == 7 {
            entry.body = body("bad");
        }
        receipts.push(running.appender.submit(entry)?);
    }
    for (number, receipt) in receipts.into_iter().enumerate() {
        match receipt.await {
            Ok(Appended::Stored(_)) if number != 7 => {}
            Err(refusal) if number == 7 => assert_eq!(refusal.code, ErrorCode::Internal),
            other => panic!("{number}: {other:?}"),
        }
    }
    running.end().await?;
    assert_eq!(ground.log(room).await?.len(), 20);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn sqlite_that_ends_a_transaction_itself_is_written_to_again() -> Result<()> {
    let ground = Ground::sqlite().await?;
    let ada = ground.person("ada").await?;
    let room = ground.room(&ada, "Tea").await?.id;
    // This is what SQLite does of its own when the disk is full or fails.
    let mut beside = SqliteConnection::connect(ground.url()).await?;
    beside
        .execute(
            "create trigger full before insert on events when new.body = 'too much'
             begin select raise(rollback, 'full'); end",
        )
        .await?;
    let mut too_much = ground.message(room, ada.id, "1");
    too_much.body = body("too much");
    assert!(ground.store.append(&[too_much]).await.is_err());
    let later = [ground.message(room, ada.id, "2")];
    let stored = ground.store.append(&later).await?;
    assert!(matches!(stored[..], [Appended::Stored(_)]));
    assert_eq!(ground.log(room).await?.len(), 2);
    Ok(())
}

/// Sends so many messages, each until it is acknowledged, and answers where they stand.
async fn persist(appender: &Appender, entries: Vec<Append>) -> Result<Vec<Place>> {
    let mut places = Vec::new();
    for entry in entries {
        let place = tokio::time::timeout(BOUND, async {
            loop {
                let outcome = match appender.submit(entry.clone()) {
                    Ok(receipt) => receipt.await,
                    Err(refusal) => Err(refusal),
                };
                match outcome {
                    Ok(Appended::Stored(place) | Appended::Duplicate(place)) => return Ok(place),
                    Err(refusal) if refusal.code == ErrorCode::Unavailable => {}
                    other => anyhow::bail!("{other:?}"),
                }
            }
        });
        places.push(place.await??);
    }
    Ok(places)
}

/// Whether a room holds exactly these messages, each where its sender was told.
async fn stored_once(ground: &Ground, room: RoomId, places: &[Place]) -> Result<()> {
    let log = ground.log(room).await?;
    let seqs: Vec<u64> = log.iter().map(|event| event.seq.0).collect();
    ensure!(
        seqs == (1..=u64::try_from(log.len())?).collect::<Vec<_>>(),
        "not dense: {seqs:?}"
    );
    let stored: BTreeSet<_> = log
        .iter()
        .filter(|event| matches!(event.kind, EventKind::Message(_)))
        .map(|event| (event.seq, event.id))
        .collect();
    let told: BTreeSet<_> = places.iter().map(|place| (place.seq, place.id)).collect();
    ensure!(
        stored == told,
        "{} are stored, {} were told",
        stored.len(),
        told.len()
    );
    Ok(())
}

/// As many senders as people, each with messages of their own.
fn senders(
    ground: &Arc<Ground>,
    running: &Running,
    room: RoomId,
    people: &[UserSummary],
    messages: usize,
) -> tokio::task::JoinSet<Result<Vec<Place>>> {
    let mut senders = tokio::task::JoinSet::new();
    for person in people {
        let entries = (0..messages)
            .map(|number| ground.message(room, person.id, &format!("{number}")))
            .collect();
        let appender = running.appender.clone();
        senders.spawn(async move { persist(&appender, entries).await });
    }
    senders
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_that_are_cut_lose_and_double_nothing() -> Result<()> {
    let ground = Arc::new(Ground::postgres().await?);
    let people = ground.people(["ada", "bob", "cleo", "dan"]).await?;
    let room = ground.room(&people[0], "Tea").await?.id;
    for person in &people[1..] {
        ground.join(room, person).await?;
    }
    let running = Running::over(&ground, 2);
    let mut senders = senders(&ground, &running, room, &people, 40);
    let mut places = Vec::new();
    let mut killer = PgConnection::connect(&testkit::postgres_url().await?).await?;
    let mut cut = 0;
    while !senders.is_empty() {
        let killed: i64 = sqlx::query_scalar(
            "select count(pg_terminate_backend(pid)) from pg_stat_activity where datname = $1",
        )
        .bind(ground.database_name())
        .fetch_one(&mut killer)
        .await?;
        cut += killed;
        // Some senders get some messages through between two cuts.
        while let Ok(Some(done)) =
            tokio::time::timeout(Duration::from_millis(50), senders.join_next()).await
        {
            places.extend(done??);
        }
    }
    ensure!(cut > 0, "no connection was cut");
    running.end().await?;
    stored_once(&ground, room, &places).await
}

#[tokio::test(flavor = "multi_thread")]
async fn of_connections_that_break_together_one_fails_a_request() -> Result<()> {
    let ground = Ground::postgres().await?;
    let mut killer = PgConnection::connect(&testkit::postgres_url().await?).await?;
    let ask = |asked: usize| {
        let store = ground.store.clone();
        let asked = (0..asked).map(|_| {
            let store = store.clone();
            async move { store.check().await }
        });
        asked.collect::<tokio::task::JoinSet<_>>().join_all()
    };
    let most = StoreOptions::default().max_connections;
    let mut connections = 0;
    while connections < i64::from(most) / 2 {
        for answer in ask(200).await {
            answer?;
        }
        connections =
            sqlx::query_scalar("select count(*) from pg_stat_activity where datname = $1")
                .bind(ground.database_name())
                .fetch_one(&mut killer)
                .await?;
    }
    let cut: i64 = sqlx::query_scalar(
        "select count(pg_terminate_backend(pid)) from pg_stat_activity where datname = $1",
    )
    .bind(ground.database_name())
    .fetch_one(&mut killer)
    .await?;
    ensure!(cut > 1, "{cut} connections were cut");
    let mut failed = 0;
    for _ in 0..cut {
        failed += usize::from(ground.store.check().await.is_err());
    }
    ensure!(failed <= 1, "{failed} of {cut} requests failed");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_server_loses_nothing_that_was_acknowledged() -> Result<()> {
    let mut server = Postgres::start_with(Durability::Durable).await?;
    let ground = Arc::new(Ground::on_server(&server.url()).await?);
    let people = ground.people(["ada", "bob", "cleo"]).await?;
    let room = ground.room(&people[0], "Tea").await?.id;
    for person in &people[1..] {
        ground.join(room, person).await?;
    }
    let running = Running::over(&ground, 2);
    // One message is acknowledged before the server dies under the others.
    let before = persist(
        &running.appender,
        vec![ground.message(room, people[0].id, "before")],
    )
    .await?;
    let mut senders = senders(&ground, &running, room, &people, 100);
    server.kill()?;
    server.start_again().await?;
    let mut places = before;
    while let Some(done) = senders.join_next().await {
        places.extend(done??);
    }
    running.end().await?;
    stored_once(&ground, room, &places).await
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_database_stands_still_senders_are_told_so_and_nothing_grows() -> Result<()> {
    let server = Postgres::start_with(Durability::Fast).await?;
    let ground = Ground::on_server(&server.url()).await?;
    let ada = ground.person("ada").await?;
    let room = ground.room(&ada, "Tea").await?.id;
    let running = Running::over(&ground, 1);
    persist(
        &running.appender,
        vec![ground.message(room, ada.id, "before")],
    )
    .await?;
    server.pause()?;
    let mut receipts = Vec::new();
    // The queue takes so many and no more.
    let refusal = loop {
        ensure!(receipts.len() < 20_000, "the queue has no end");
        match running
            .appender
            .submit(ground.message(room, ada.id, &format!("{}", receipts.len())))
        {
            Ok(receipt) => receipts.push(receipt),
            Err(refusal) => break refusal,
        }
    };
    assert_eq!(refusal.code, ErrorCode::Unavailable);
    for receipt in receipts {
        let answer = tokio::time::timeout(BOUND, receipt).await?;
        assert_eq!(
            answer.map_err(|refusal| refusal.code),
            Err(ErrorCode::Unavailable)
        );
    }
    assert_eq!(
        ground
            .store
            .check()
            .await
            .map_err(|error| shared::Refusal::from(error).code),
        Err(ErrorCode::Unavailable)
    );
    server.resume()?;
    let places = persist(
        &running.appender,
        vec![ground.message(room, ada.id, "after")],
    )
    .await?;
    // What was given up may have been on its way; it is there once or not at all, and in order.
    let log = ground.log(room).await?;
    assert!(log.iter().any(|event| event.id == places[0].id));
    let seqs: Vec<u64> = log.iter().map(|event| event.seq.0).collect();
    assert_eq!(seqs, (1..=u64::try_from(log.len())?).collect::<Vec<_>>());
    running.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_room_that_somebody_holds_locked_holds_up_no_other() -> Result<()> {
    let ground = Ground::postgres().await?;
    let ada = ground.person("ada").await?;
    let tea = ground.room(&ada, "Tea").await?.id;
    let coffee = ground.room(&ada, "Coffee").await?.id;
    let running = Running::over(&ground, 1);
    // A handler that froze in the middle of a change.
    let mut frozen = PgConnection::connect(ground.url()).await?;
    let mut change = frozen.begin().await?;
    sqlx::query("update rooms set head = head where id = $1")
        .bind(tea.uuid())
        .execute(&mut *change)
        .await?;
    let submit = |room, number: u32| {
        let entry = ground.message(room, ada.id, &format!("{number}"));
        running.appender.submit(entry)
    };
    let mut in_tea = Vec::new();
    for number in 0..20 {
        in_tea.push(submit(tea, number)?);
        let in_coffee = submit(coffee, number)?;
        let stored = tokio::time::timeout(BOUND, in_coffee).await?;
        ensure!(matches!(stored, Ok(Appended::Stored(_))), "{stored:?}");
    }
    change.rollback().await?;
    let mut last = Seq(1);
    for receipt in in_tea {
        match tokio::time::timeout(BOUND, receipt).await? {
            Ok(Appended::Stored(place)) => {
                assert!(
                    place.seq > last,
                    "not in the order in which they were handed in"
                );
                last = place.seq;
            }
            // On a busy machine their time may be over.
            other => assert_eq!(
                other.map_err(|refusal| refusal.code),
                Err(ErrorCode::Unavailable)
            ),
        }
    }
    // It is among the others again.
    for room in [tea, coffee] {
        let stored = submit(room, 20)?.await;
        ensure!(matches!(stored, Ok(Appended::Stored(_))), "{stored:?}");
    }
    running.end().await
}

impl Ground {
    /// Makes the database refuse events of this text, as it would refuse what this code does not
    /// expect.
    async fn refuse_bodies_of(&self, text: &str) -> Result<()> {
        if self.url().starts_with("postgres") {
            let mut connection = PgConnection::connect(self.url()).await?;
            let check =
                format!("alter table events add constraint refused check (body <> '{text}')");
            connection.execute(sqlx::AssertSqlSafe(check)).await?;
        } else {
            let mut connection = SqliteConnection::connect(self.url()).await?;
            let trigger = format!(
                "create trigger refused before insert on events when new.body = '{text}'
                 begin select raise(abort, 'refused'); end"
            );
            connection.execute(sqlx::AssertSqlSafe(trigger)).await?;
        }
        Ok(())
    }
}
