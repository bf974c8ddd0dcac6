//! What nodes know of each other through the store: names, lives, and that a node which cannot renew
//! its row knows what the others think.

use std::time::Duration;

use anyhow::Result;
use protocol::nodes::NodeState;
use shared::{
    cluster::{Cluster, Node, NotCounted},
    store::Engine,
};
use sqlx::{Connection, Executor, PgConnection, SqliteConnection};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::ground::{Ground, on_both_engines};

on_both_engines!(
    a_name_is_taken_from_who_is_gone_and_given_to_who_asks_first,
    a_node_lives_while_its_row_is_renewed,
    who_loses_its_name_says_so_and_waits_until_it_is_free,
    who_cannot_renew_its_row_knows_that_it_counts_as_dead,
);

const LONG: Duration = Duration::from_secs(3_600);

fn node(name: &str) -> Node {
    Node {
        name: name.to_owned(),
        url: format!("http://{name}"),
        internal_url: format!("http://{name}.internal"),
        weight: 3,
        draining: false,
    }
}

async fn a_name_is_taken_from_who_is_gone_and_given_to_who_asks_first(
    ground: Ground,
) -> Result<()> {
    let (store, first, second) = (&ground.store, Uuid::new_v4(), Uuid::new_v4());
    assert!(store.register_node(&node("a"), first, LONG).await?);
    assert!(!store.register_node(&node("a"), second, LONG).await?);
    assert!(
        store.register_node(&node("a"), first, LONG).await?,
        "it is its own"
    );
    assert!(store.renew_node("a", first, false).await?);
    // Whoever starts is believed to be the same node again.
    assert!(
        store
            .register_node(&node("a"), second, Duration::ZERO)
            .await?
    );
    assert!(!store.renew_node("a", first, false).await?);
    store.remove_node("a", first).await?;
    assert!(
        store.renew_node("a", second, true).await?,
        "one incarnation takes nothing from another"
    );
    store.remove_node("a", second).await?;
    assert!(store.register_node(&node("a"), first, LONG).await?);
    Ok(())
}

async fn a_node_lives_while_its_row_is_renewed(ground: Ground) -> Result<()> {
    let (store, incarnation) = (&ground.store, Uuid::new_v4());
    for name in ["b", "a"] {
        store.register_node(&node(name), incarnation, LONG).await?;
    }
    store.renew_node("b", incarnation, true).await?;
    let nodes = store.nodes(LONG).await?;
    let states: Vec<_> = nodes
        .iter()
        .map(|node| (node.name.as_str(), node.state))
        .collect();
    assert_eq!(states, [("a", NodeState::Live), ("b", NodeState::Draining)]);
    let a = &nodes[0];
    assert_eq!(
        (a.public_url.as_str(), a.internal_url.as_deref(), a.weight),
        ("http://a", Some("http://a.internal"), 3)
    );
    assert!(nodes[1].started_at <= nodes[1].seen_at);
    assert_eq!(store.live_nodes(LONG).await?.len(), 2);
    // Without any time to be heard of in, everybody is dead.
    let dead = store.nodes(Duration::ZERO).await?;
    assert!(dead.iter().all(|node| node.state == NodeState::Dead));
    assert!(store.live_nodes(Duration::ZERO).await?.is_empty());
    // The database's clock was set back: who has not renewed since is of another time.
    change(
        &ground,
        "update nodes set renewed_at = renewed_at + interval '2 hours' where name = 'a'",
        "update nodes set renewed_at = renewed_at + 7200000 where name = 'a'",
    )
    .await?;
    let live = store.live_nodes(LONG).await?;
    assert_eq!(
        live.iter()
            .map(|node| node.name.as_str())
            .collect::<Vec<_>>(),
        ["b"]
    );
    Ok(())
}

async fn who_loses_its_name_says_so_and_waits_until_it_is_free(ground: Ground) -> Result<()> {
    let first = Running::start(&ground, "a").await?;
    until(async || Ok(first.live().await? == ["a"])).await?;
    assert_eq!(first.cluster.check(), Ok(()));
    let second = Running::start(&ground, "a").await?;
    until(async || Ok(first.cluster.check() == Err(NotCounted::NameTaken))).await?;
    assert_eq!(
        second.cluster.check(),
        Ok(()),
        "they do not take it from each other in turn"
    );
    second.stop().await?;
    until(async || Ok(first.cluster.check().is_ok() && first.live().await? == ["a"])).await?;
    first.stop().await
}

async fn who_cannot_renew_its_row_knows_that_it_counts_as_dead(ground: Ground) -> Result<()> {
    let (one, other) = (
        Running::start(&ground, "one").await?,
        Cluster::new(ground.another_store().await?),
    );
    until(async || Ok(one.live().await? == ["one"])).await?;
    let holding = Holding::all_nodes(&ground).await?;
    until(async || Ok(one.cluster.check() == Err(NotCounted::Dead))).await?;
    until(async || Ok(other.live().await.is_empty())).await?;
    let seen = other.nodes().await?;
    assert_eq!((seen.len(), seen[0].state), (1, NodeState::Dead));
    holding.end().await?;
    until(async || Ok(one.cluster.check().is_ok() && other.live().await.len() == 1)).await?;
    one.stop().await?;
    assert!(other.nodes().await?.is_empty());
    Ok(())
}

/// A process that is a node, through connections of its own.
struct Running {
    cluster: Cluster,
    cancel: CancellationToken,
    task: JoinHandle<()>,
}

impl Running {
    async fn start(ground: &Ground, name: &str) -> Result<Self> {
        let cluster = Cluster::new(ground.another_store().await?);
        let (cancel, node) = (CancellationToken::new(), node(name));
        let (run, ended) = (cluster.clone(), cancel.clone());
        let task =
            tokio::spawn(async move { run.run(node, CancellationToken::new(), ended).await });
        Ok(Self {
            cluster,
            cancel,
            task,
        })
    }

    async fn live(&self) -> Result<Vec<String>> {
        let live = self.cluster.live().await;
        Ok(live.iter().map(|node| node.name.clone()).collect())
    }

    async fn stop(self) -> Result<()> {
        self.cancel.cancel();
        Ok(self.task.await?)
    }
}

/// Somebody who lets nobody change the rows of nodes; reading them is possible.
enum Holding {
    Postgres(PgConnection),
    Sqlite(SqliteConnection),
}

impl Holding {
    async fn all_nodes(ground: &Ground) -> Result<Self> {
        Ok(match ground.store.engine() {
            Engine::Postgres => {
                let mut connection = PgConnection::connect(ground.url()).await?;
                connection
                    .execute("begin; lock table nodes in exclusive mode")
                    .await?;
                Self::Postgres(connection)
            }
            Engine::Sqlite => {
                let mut connection = SqliteConnection::connect(ground.url()).await?;
                connection.execute("begin immediate").await?;
                Self::Sqlite(connection)
            }
        })
    }

    async fn end(self) -> Result<()> {
        match self {
            Self::Postgres(connection) => connection.close().await?,
            Self::Sqlite(connection) => connection.close().await?,
        }
        Ok(())
    }
}

async fn change(ground: &Ground, postgres: &'static str, sqlite: &'static str) -> Result<()> {
    match ground.store.engine() {
        Engine::Postgres => {
            let mut connection = PgConnection::connect(ground.url()).await?;
            connection.execute(postgres).await?;
        }
        Engine::Sqlite => {
            let mut connection = SqliteConnection::connect(ground.url()).await?;
            connection.execute(sqlite).await?;
        }
    }
    Ok(())
}

/// Asks until it is so; fails after a time that no working machine needs.
async fn until(mut is_so: impl AsyncFnMut() -> Result<bool>) -> Result<()> {
    let asking = async {
        while !is_so().await? {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        anyhow::Ok(())
    };
    tokio::time::timeout(Duration::from_secs(60), asking).await?
}
