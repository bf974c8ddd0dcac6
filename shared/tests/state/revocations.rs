//! Every node learns of a revoked session: from Redis at once, and from the store whatever happens.

use std::time::Duration;

use protocol::{ErrorCode, SessionId};
use shared::{
    Clock,
    revocations::Revocations,
    store::{Store, StoreOptions},
};
use sqlx::{Connection, Executor, PgConnection};
use tokio_util::sync::CancellationToken;

use crate::ground::{database, prefix, redis, register, until};

const ACCESS_TOKEN: Duration = Duration::from_secs(900);
const PATIENCE: Duration = Duration::from_secs(20);

fn node(store: &Store) -> Revocations {
    Revocations::new(store.clone(), None, Clock::system(), ACCESS_TOKEN)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_is_told_of_what_another_revoked_without_redis() -> anyhow::Result<()> {
    let database = database().await?;
    let clock = Clock::system();
    let session = register(&database.store, &clock, "ada").await?;
    let (one, other) = (node(&database.store), node(&database.store));
    let cancel = CancellationToken::new();
    let (running, ended) = (other.clone(), cancel.clone());
    let run = tokio::spawn(async move { running.run(ended).await });
    let mut told = other.subscribe();
    assert_eq!(other.is_revoked(session.id).await, Ok(false));
    database
        .store
        .revoke_session(session.user, session.id)
        .await?;
    one.spread(&[session.id]).await;
    assert_eq!(
        one.is_revoked(session.id).await,
        Ok(true),
        "at once on the node that did it"
    );
    let heard = tokio::time::timeout(PATIENCE, told.recv()).await??;
    assert_eq!(heard, session.id);
    assert_eq!(other.is_revoked(session.id).await, Ok(true));
    // A node that starts later knows too, and needs no task for it.
    assert_eq!(node(&database.store).is_revoked(session.id).await, Ok(true));
    // Told once, however often the store is asked.
    assert!(told.try_recv().is_err());
    cancel.cancel();
    Ok(run.await?)
}

#[tokio::test(flavor = "multi_thread")]
async fn redis_spreads_what_the_store_was_not_asked_for_yet() -> anyhow::Result<()> {
    let (database, prefix) = (database().await?, prefix());
    let node = async || {
        let redis = Some(redis(&prefix).await?);
        anyhow::Ok(Revocations::new(
            database.store.clone(),
            redis,
            Clock::system(),
            ACCESS_TOKEN,
        ))
    };
    let (one, other) = (node().await?, node().await?);
    let cancel = CancellationToken::new();
    let _ends_it = cancel.clone().drop_guard();
    let running = other.clone();
    tokio::spawn(async move { running.run(cancel).await });
    let mut told = other.subscribe();
    // The store knows nothing of these, so only Redis can have told.
    until("another node hears of it", async || {
        let session: SessionId = Clock::system().id();
        one.spread(&[session]).await;
        let heard = tokio::time::timeout(Duration::from_millis(200), told.recv()).await;
        Ok(heard.is_ok_and(|heard| heard.is_ok_and(|heard| heard == session)))
    })
    .await
}

/// A revocation has its time before its commit: a node that asks between the two must still find it.
#[tokio::test(flavor = "multi_thread")]
async fn a_revocation_that_is_committed_late_is_not_missed() -> anyhow::Result<()> {
    let database = testkit::Database::fresh().await?;
    let store = Store::connect(&database.url(), &StoreOptions::default()).await?;
    store.migrate().await?;
    let clock = Clock::system();
    let late = register(&store, &clock, "ada").await?;
    let early = register(&store, &clock, "eve").await?;
    let revocations = node(&store);
    let mut connection = PgConnection::connect(&database.url()).await?;
    let mut transaction = connection.begin().await?;
    let revoke = sqlx::query("update sessions set revoked_at = clock_timestamp() where id = $1");
    transaction.execute(revoke.bind(late.id.uuid())).await?;
    store.revoke_session(early.user, early.id).await?;
    until("the later one is known", async || {
        Ok(revocations.is_revoked(early.id).await?)
    })
    .await?;
    assert_eq!(revocations.is_revoked(late.id).await, Ok(false));
    transaction.commit().await?;
    until("the earlier one is known", async || {
        Ok(revocations.is_revoked(late.id).await?)
    })
    .await
}

#[tokio::test]
async fn a_node_that_never_reached_its_store_says_so_and_one_that_did_goes_on() -> anyhow::Result<()>
{
    let nowhere = format!("postgres://nobody@127.0.0.1:{}/none", testkit::free_port());
    let away = Store::connect(&nowhere, &StoreOptions::default()).await?;
    let refusal = node(&away)
        .is_revoked(Clock::system().id())
        .await
        .unwrap_err();
    assert_eq!(refusal.code, ErrorCode::Unavailable);

    let database = database().await?;
    let session = register(&database.store, &Clock::system(), "ada").await?;
    database
        .store
        .revoke_session(session.user, session.id)
        .await?;
    let revocations = node(&database.store);
    assert_eq!(revocations.is_revoked(session.id).await, Ok(true));
    database.store.close().await;
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(2)).await;
    assert_eq!(revocations.is_revoked(session.id).await, Ok(true));
    assert_eq!(
        revocations.is_revoked(Clock::system().id()).await,
        Ok(false)
    );
    Ok(())
}
