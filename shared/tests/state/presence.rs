//! Who is here is seen on every node, ends with the node, and survives a Redis that forgets.

use std::time::Duration;

use protocol::{
    UserId,
    frame::PresenceState::{self, Away, Dnd, Invisible, Offline, Online},
};
use shared::{Clock, presence::Presence, redis_link::Redis};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::ground::{prefix, redis, until};

/// A node that lives until it is dropped, as if its process were killed.
struct Alive {
    presence: Presence,
    cancel: CancellationToken,
    task: JoinHandle<()>,
}

impl Alive {
    fn new(presence: Presence) -> Self {
        let cancel = CancellationToken::new();
        let (running, ended) = (presence.clone(), cancel.clone());
        Self {
            presence,
            cancel,
            task: tokio::spawn(async move { running.run(ended).await }),
        }
    }

    async fn state(&self, user: UserId) -> PresenceState {
        self.presence.states(&[user]).await[&user]
    }

    async fn sees(&self, user: UserId, state: PresenceState) -> anyhow::Result<()> {
        until(&format!("{state:?}"), async || {
            Ok(self.state(user).await == state)
        })
        .await
    }
}

impl Drop for Alive {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn two_nodes() -> anyhow::Result<(Alive, Alive)> {
    let prefix = prefix();
    let one = Presence::shared(redis(&prefix).await?, "one");
    let other = Presence::shared(redis(&prefix).await?, "other");
    Ok((Alive::new(one), Alive::new(other)))
}

mod in_process {
    use super::*;

    #[tokio::test]
    async fn the_most_present_connection_counts() -> anyhow::Result<()> {
        let presence = Presence::in_process();
        super::the_most_present_connection_counts(
            Alive::new(presence.clone()),
            Alive::new(presence),
        )
        .await
    }
}

mod on_redis {
    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn the_most_present_connection_counts() -> anyhow::Result<()> {
        let (one, other) = two_nodes().await?;
        super::the_most_present_connection_counts(one, other).await
    }
}

async fn the_most_present_connection_counts(one: Alive, other: Alive) -> anyhow::Result<()> {
    let clock = Clock::system();
    let (ada, phone, laptop) = (clock.id(), clock.id(), clock.id());
    assert_eq!(other.state(ada).await, Offline);
    one.presence.set(ada, phone, Away).await;
    other.sees(ada, Away).await?;
    other.presence.set(ada, laptop, Dnd).await;
    one.sees(ada, Dnd).await?;
    one.presence.set(ada, phone, Online).await;
    other.sees(ada, Online).await?;
    one.presence.clear(ada, phone).await;
    other.sees(ada, Dnd).await?;
    other.presence.set(ada, laptop, Invisible).await;
    one.sees(ada, Invisible).await?;
    other.presence.clear(ada, laptop).await;
    one.sees(ada, Offline).await?;
    other.sees(ada, Offline).await?;
    let eve: UserId = clock.id();
    one.presence.set(eve, clock.id(), Online).await;
    until("both are answered", async || {
        let states = other.presence.states(&[ada, eve]).await;
        Ok(states.len() == 2 && states[&ada] == Offline && states[&eve] == Online)
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_ends_takes_its_people_with_it() -> anyhow::Result<()> {
    let (one, other) = two_nodes().await?;
    let (ada, eve) = (Clock::system().id(), Clock::system().id());
    one.presence.set(ada, Clock::system().id(), Online).await;
    other.sees(ada, Online).await?;
    one.cancel.cancel();
    other.sees(ada, Offline).await?;
    // One that is killed says nothing: it is missed when its key expires.
    let killed = {
        let node = Alive::new(one.presence.clone());
        node.presence.set(eve, Clock::system().id(), Online).await;
        other.sees(eve, Online).await?;
        node
    };
    drop(killed);
    other.sees(eve, Offline).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redis_that_forgot_everything_is_told_again() -> anyhow::Result<()> {
    let mut server = testkit::Redis::start().await?;
    let connect = || Redis::new(&server.url().into(), "chatx:");
    let one = Alive::new(Presence::shared(connect()?, "one"));
    let other = Alive::new(Presence::shared(connect()?, "other"));
    let clock = Clock::system();
    let (ada, eve, joe) = (clock.id(), clock.id(), clock.id());
    let (adas, eves) = (clock.id(), clock.id());
    one.presence.set(ada, adas, Online).await;
    one.presence.set(eve, eves, Online).await;
    other.sees(ada, Online).await?;
    other.sees(eve, Online).await?;

    server.kill()?;
    assert_eq!(
        one.state(ada).await,
        Online,
        "a node knows its own without Redis"
    );
    one.presence.clear(eve, eves).await;
    one.presence.set(joe, clock.id(), Away).await;
    assert_eq!(one.state(eve).await, Offline);

    server.start_again().await?;
    other.sees(ada, Online).await?;
    other.sees(joe, Away).await?;
    other.sees(eve, Offline).await
}

/// A Redis that stops answering for a moment forgets nothing, so what could not be taken out of it
/// must not stay either.
#[tokio::test(flavor = "multi_thread")]
async fn nobody_who_left_during_an_outage_stays() -> anyhow::Result<()> {
    let server = testkit::Redis::start().await?;
    let connect = || Redis::new(&server.url().into(), "chatx:");
    let one = Alive::new(Presence::shared(connect()?, "one"));
    let other = Alive::new(Presence::shared(connect()?, "other"));
    let clock = Clock::system();
    let (ada, eve, eves) = (clock.id(), clock.id(), clock.id());
    one.presence.set(ada, clock.id(), Online).await;
    one.presence.set(eve, eves, Online).await;
    other.sees(ada, Online).await?;
    other.sees(eve, Online).await?;
    server.pause()?;
    let cleared = tokio::time::timeout(Duration::from_secs(5), one.presence.clear(eve, eves)).await;
    assert!(cleared.is_ok(), "nobody waits long for Redis");
    server.resume()?;
    other.sees(eve, Offline).await?;
    other.sees(ada, Online).await
}
