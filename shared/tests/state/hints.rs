//! A hint reaches the owner of its room, and costs nobody anything when it does not.

use std::time::Duration;

use protocol::{RoomId, Seq};
use shared::{
    Clock,
    cluster::{Cluster, Node},
    hints::{Hint, Hints},
    internal_client::InternalClient,
    internal_tls::InternalTls,
    token::Secrets,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};
use uuid::Uuid;

use crate::ground::{Database, database};

const PATIENCE: Duration = Duration::from_secs(20);

fn secrets() -> Secrets {
    Secrets::new(&"a cluster secret".into())
}

fn client() -> InternalClient {
    InternalClient::new("b", &secrets(), InternalTls::default())
}

/// A cluster whose only node is at `url`.
async fn cluster_at(url: String) -> anyhow::Result<(Database, Cluster)> {
    let database = database().await?;
    let node = Node {
        name: "a".into(),
        url: String::new(),
        internal_url: url,
        weight: 1,
        draining: false,
    };
    let store = &database.store;
    store
        .register_node(&node, Uuid::new_v4(), Duration::ZERO)
        .await?;
    let cluster = Cluster::new(database.store.clone());
    Ok((database, cluster))
}

#[tokio::test]
async fn in_one_process_a_hint_is_a_message() {
    let (hints, mut heard) = Hints::in_process();
    let room: RoomId = Clock::system().id();
    hints.hint(room, Seq(7)).await;
    assert_eq!(heard.recv().await, Some(Hint { room, seq: Seq(7) }));
    // Full, or with nobody there, it is lost and nobody waits.
    for seq in 0..10_000 {
        hints.hint(room, Seq(seq)).await;
    }
    drop(heard);
    hints.hint(room, Seq(1)).await;
}

/// Reads one request and answers it.
async fn request(mut stream: TcpStream) -> anyhow::Result<String> {
    let mut bytes = Vec::new();
    loop {
        let mut chunk = [0; 1_024];
        let count = stream.read(&mut chunk).await?;
        anyhow::ensure!(count > 0, "closed after {bytes:?}");
        bytes.extend_from_slice(&chunk[..count]);
        let text = String::from_utf8_lossy(&bytes);
        if text
            .split_once("\r\n\r\n")
            .is_some_and(|(_, body)| body.ends_with('}'))
        {
            stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await?;
            return Ok(text.into_owned());
        }
    }
}

#[tokio::test]
async fn the_owner_is_told_over_its_internal_url() -> anyhow::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let (_database, cluster) = cluster_at(format!("http://{}/", listener.local_addr()?)).await?;
    let hints = Hints::to_owner(cluster, client());
    let room: RoomId = Clock::system().id();
    let owner = tokio::spawn(async move { request(listener.accept().await?.0).await });
    hints.hint(room, Seq(12)).await;
    let request = tokio::time::timeout(PATIENCE, owner).await???;
    let (head, body) = request.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("POST /internal/hint HTTP/1.1"), "{head}");
    assert!(
        head.contains(&format!(
            "authorization: Bearer {}",
            secrets().peer_bearer()
        )),
        "{head}"
    );
    assert!(head.contains("chatx-node: b"), "{head}");
    assert_eq!(
        serde_json::from_str::<Hint>(body)?,
        Hint { room, seq: Seq(12) }
    );
    Ok(())
}

#[tokio::test]
async fn an_owner_that_is_away_or_silent_holds_nobody_up() -> anyhow::Result<()> {
    let silent = TcpListener::bind("127.0.0.1:0").await?;
    let nobody = format!("http://127.0.0.1:{}", testkit::free_port());
    for url in [
        nobody,
        format!("http://{}", silent.local_addr()?),
        "no url".to_owned(),
    ] {
        let (_database, cluster) = cluster_at(url).await?;
        let hints = Hints::to_owner(cluster, client());
        tokio::time::timeout(PATIENCE, hints.hint(Clock::system().id(), Seq(1))).await?;
    }
    Ok(())
}
