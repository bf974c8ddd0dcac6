//! What these tests stand on: stores, a Redis of their own or with their own keys, and waiting for
//! something to become true.

use std::time::Duration;

use shared::{
    Clock,
    redis_link::Redis,
    store::{NewAccount, NewSession, Store, StoreOptions},
};
use uuid::Uuid;

/// A migrated SQLite store, removed with its directory.
pub(crate) struct Database {
    pub(crate) store: Store,
    pub(crate) url: String,
    _directory: tempfile::TempDir,
}

pub(crate) async fn database() -> anyhow::Result<Database> {
    let directory = tempfile::tempdir()?;
    let url = format!("sqlite:{}", directory.path().join("chatx.db").display());
    let store = Store::connect(&url, &StoreOptions::default()).await?;
    store.migrate().await?;
    Ok(Database {
        store,
        url,
        _directory: directory,
    })
}

/// A connection to the Redis that all tests share, with keys of one test only. Made twice with the same
/// prefix it is two nodes of one cluster. It waits long enough for a machine that runs other tests too:
/// what is proved with it is what Redis answers, not how fast.
pub(crate) async fn redis(prefix: &str) -> anyhow::Result<Redis> {
    Ok(Redis::with_deadline(
        &testkit::redis_url().await?.into(),
        prefix,
        Duration::from_secs(10),
    )?)
}

pub(crate) fn prefix() -> String {
    format!("test-{}:", Uuid::new_v4().simple())
}

/// An account and its first session.
pub(crate) async fn register(
    store: &Store,
    clock: &Clock,
    name: &str,
) -> anyhow::Result<NewSession> {
    let account = NewAccount {
        id: clock.id(),
        username: name.to_owned(),
        email: format!("{name}@example.com"),
        display_name: name.to_owned(),
        password_hash: "a hash".to_owned(),
        at: clock.now(),
    };
    let session = NewSession {
        id: clock.id(),
        user: account.id,
        device: "laptop".to_owned(),
        ip: [192, 0, 2, 1].into(),
        at: clock.now(),
        expires_at: clock.now().after(Duration::from_secs(3_600)),
    };
    store.create_account(&account, &session).await?;
    Ok(session)
}

/// Asks again and again until the answer is yes; fails after a time that no working machine needs.
pub(crate) async fn until(
    what: &str,
    mut is_so: impl AsyncFnMut() -> anyhow::Result<bool>,
) -> anyhow::Result<()> {
    let asking = async {
        while !is_so().await? {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        anyhow::Ok(())
    };
    match tokio::time::timeout(Duration::from_secs(30), asking).await {
        Ok(answer) => answer,
        Err(_) => anyhow::bail!("still not so: {what}"),
    }
}
