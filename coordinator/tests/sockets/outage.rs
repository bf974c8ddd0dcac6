//! The database goes away and comes back: sockets stay, nothing is acknowledged that is not stored.

use std::time::Duration;

use anyhow::Result;
use protocol::{ErrorCode, Seq, frame::ServerFrame};
use serde_json::json;
use testkit::{Database, Durability, Postgres};
use tokio::time::timeout;

use crate::support::{Kept, TestNode};

#[tokio::test(flavor = "multi_thread")]
async fn no_ack_without_a_store() -> Result<()> {
    let postgres = Postgres::start_with(Durability::Fast).await?;
    let database = Database::fresh_on(&postgres.url()).await?;
    let url = database.url();
    let node = TestNode::start(url, Kept::Postgres(database), |settings| {
        settings.rates.on = false;
    })
    .await?;
    let ada = node.person("ada").await?;
    let room = node.room(&ada, &[]).await?;
    let mut client = node.socket(&ada).await?;
    client.subscribe(room).await?;
    client.send(room, "before").await?;

    postgres.pause()?;
    let frame = json!({ "type": "send", "room": room, "client_id": "lost?", "body": "meanwhile" });
    let refused = timeout(Duration::from_secs(10), client.refused(frame.clone())).await??;
    assert_eq!(refused, ErrorCode::Unavailable);
    // Other frames do not wait for the store.
    assert!(matches!(
        client.ask(json!({ "type": "ping" })).await?,
        ServerFrame::Pong(_)
    ));
    postgres.resume()?;

    // Whether the first attempt was stored or not, it is there once.
    while matches!(client.ask(frame.clone()).await?, ServerFrame::Error(_)) {}
    let last = client.send(room, "after").await?.seq;
    client.reach(room, last).await?;
    assert_eq!(last, Seq(4));
    assert_eq!(client.logs[&room].texts(), ["before", "meanwhile", "after"]);
    assert_eq!(client.logs[&room].events, node.log(room).await?);
    node.stop().await
}
