//! Nodes see who lives, who is about to go and who died.

use protocol::RoomId;
use shared::{
    Clock,
    cluster::{Cluster, Node},
};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::ground::{database, until};

fn node(name: &str, url: &str) -> Node {
    Node {
        name: name.to_owned(),
        url: url.to_owned(),
        internal_url: url.to_owned(),
        weight: 1,
        draining: false,
    }
}

struct Running {
    draining: CancellationToken,
    cancel: CancellationToken,
    task: JoinHandle<()>,
}

fn run(cluster: &Cluster, node: Node) -> Running {
    let (draining, cancel) = (CancellationToken::new(), CancellationToken::new());
    let (cluster, drains, ended) = (cluster.clone(), draining.clone(), cancel.clone());
    let task = tokio::spawn(async move { cluster.run(node, drains, ended).await });
    Running {
        draining,
        cancel,
        task,
    }
}

async fn names(cluster: &Cluster) -> Vec<String> {
    cluster
        .live()
        .await
        .iter()
        .map(|node| node.name.clone())
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_come_drain_go_and_die() -> anyhow::Result<()> {
    let database = database().await?;
    let (one, other) = (
        Cluster::new(database.store.clone()),
        Cluster::new(database.store.clone()),
    );
    let room: RoomId = Clock::system().id();
    assert_eq!(other.owner(room).await, None);
    let a = run(&one, node("a", "http://a"));
    let b = run(&one, node("b", "http://b"));
    let c = run(&one, node("c", "http://c"));
    until("all three live", async || {
        Ok(names(&other).await == ["a", "b", "c"])
    })
    .await?;
    assert_eq!(
        one.owner(room).await.is_some(),
        other.owner(room).await.is_some()
    );

    a.draining.cancel();
    until("a drains", async || {
        Ok(other.live().await.iter().any(|node| node.draining))
    })
    .await?;
    for _ in 0..50 {
        assert_ne!(other.owner(Clock::system().id()).await.unwrap().name, "a");
    }
    a.cancel.cancel();
    a.task.await?;
    until("a is gone", async || Ok(names(&other).await == ["b", "c"])).await?;

    // Killed, it takes nothing back: it is missed.
    b.task.abort();
    until("b is dead", async || Ok(names(&other).await == ["c"])).await?;
    c.cancel.cancel();
    Ok(c.task.await?)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_starts_again_takes_its_name_over() -> anyhow::Result<()> {
    let database = database().await?;
    let cluster = Cluster::new(database.store.clone());
    let first = run(&cluster, node("a", "http://first"));
    until("the first lives", async || {
        Ok(names(&cluster).await == ["a"])
    })
    .await?;
    first.task.abort();
    let second = run(&cluster, node("a", "http://second"));
    until("the second lives", async || {
        Ok(cluster
            .live()
            .await
            .iter()
            .any(|node| node.url == "http://second"))
    })
    .await?;
    second.cancel.cancel();
    Ok(second.task.await?)
}
