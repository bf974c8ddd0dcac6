//! A client is sent to a node that answers, whatever the store still says of the others.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use protocol::RoomId;
use shared::{
    Clock,
    cluster::{Cluster, Node},
    gateways::Gateways,
    internal_client::InternalClient,
    internal_tls::InternalTls,
    ring,
    token::Secrets,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};
use uuid::Uuid;

use crate::ground::{Database, database};

/// Nodes of these names at these internal urls, all of them alive by the store.
async fn cluster_of(nodes: &[(&str, &str)]) -> anyhow::Result<(Database, Cluster)> {
    let database = database().await?;
    for (name, internal_url) in nodes {
        let node = Node {
            name: (*name).to_owned(),
            url: format!("http://{name}"),
            internal_url: (*internal_url).to_owned(),
            weight: 1,
            draining: false,
        };
        let lives_for = Duration::ZERO;
        database
            .store
            .register_node(&node, Uuid::new_v4(), lives_for)
            .await?;
    }
    let cluster = Cluster::new(database.store.clone());
    Ok((database, cluster))
}

fn gateways(cluster: &Cluster) -> Gateways {
    let secrets = Secrets::new(&"a cluster secret".into());
    let client = InternalClient::new("own", &secrets, InternalTls::default());
    Gateways::new("own", cluster.clone(), client)
}

/// A node that answers every request with `status`, and counts them.
async fn answering(status: &'static str) -> anyhow::Result<(String, Arc<AtomicUsize>)> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}", listener.local_addr()?);
    let count = Arc::<AtomicUsize>::default();
    let counted = Arc::clone(&count);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(answer_all(stream, status, Arc::clone(&counted)));
        }
    });
    Ok((url, count))
}

async fn answer_all(
    mut stream: TcpStream,
    status: &str,
    count: Arc<AtomicUsize>,
) -> std::io::Result<()> {
    let mut head = Vec::new();
    loop {
        head.push(stream.read_u8().await?);
        if head.ends_with(b"\r\n\r\n") {
            assert!(head.starts_with(b"GET /internal/open HTTP/1.1\r\n"));
            head.clear();
            count.fetch_add(1, Ordering::SeqCst);
            let answer = format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n");
            stream.write_all(answer.as_bytes()).await?;
        }
    }
}

#[tokio::test]
async fn only_a_node_that_answers_is_named() -> anyhow::Result<()> {
    let (open, asked) = answering("204 No Content").await?;
    let (draining, _) = answering("503 Service Unavailable").await?;
    let silent = TcpListener::bind("127.0.0.1:0").await?;
    let silent = format!("http://{}", silent.local_addr()?);
    let dead = format!("http://127.0.0.1:{}", testkit::free_port());
    let nodes = [
        ("open", &*open),
        ("draining", &*draining),
        ("silent", &*silent),
        ("dead", &*dead),
    ];
    let (_database, cluster) = cluster_of(&nodes).await?;
    let gateways = gateways(&cluster);
    let mut owners = Vec::new();
    for whose in 0..40 {
        let room: RoomId = Clock::system().id();
        let live = cluster.live().await;
        owners.extend(ring::owner(room, &live).map(|node| node.name.clone()));
        let named = gateways.of_room(room).await.map(|node| node.name);
        assert_eq!(named.as_deref(), Some("open"));
        let named = gateways.any(whose).await.map(|node| node.name);
        assert_eq!(named.as_deref(), Some("open"));
    }
    owners.sort();
    owners.dedup();
    assert!(owners.len() > 1, "the ring names others: {owners:?}");
    let asked = asked.load(Ordering::SeqCst);
    assert!(
        (1..40).contains(&asked),
        "an answer is kept for a moment: {asked}"
    );
    Ok(())
}

#[tokio::test]
async fn who_reaches_none_names_one_all_the_same_but_none_that_goes() -> anyhow::Result<()> {
    let (draining, _) = answering("503 Service Unavailable").await?;
    let dead = format!("http://127.0.0.1:{}", testkit::free_port());
    let (_database, cluster) = cluster_of(&[("draining", &draining), ("dead", &dead)]).await?;
    for whose in 0..2 {
        let named = gateways(&cluster).any(whose).await.map(|node| node.name);
        assert_eq!(named.as_deref(), Some("dead"));
    }
    let (_database, cluster) = cluster_of(&[("draining", &draining)]).await?;
    let room: RoomId = Clock::system().id();
    assert_eq!(gateways(&cluster).of_room(room).await, None);
    // Oneself, and a node of an older version that has no such url, are not asked.
    let (_database, cluster) = cluster_of(&[("own", &dead)]).await?;
    assert!(gateways(&cluster).of_room(room).await.is_some());
    let (older, _) = answering("404 Not Found").await?;
    let (_database, cluster) = cluster_of(&[("older", &older), ("dead", &dead)]).await?;
    let named = gateways(&cluster).any(0).await.map(|node| node.name);
    assert_eq!(named.as_deref(), Some("older"));
    Ok(())
}
