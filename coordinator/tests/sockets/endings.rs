//! How a socket comes to be, and how it ends.

use std::{net::SocketAddr, time::Duration};

use anyhow::Result;
use http::StatusCode;
use protocol::{ErrorCode, Seq, frame::ServerFrame};
use serde_json::json;
use shared::cluster::Node;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};
use tokio_tungstenite::{
    connect_async,
    tungstenite::{self, Message, client::IntoClientRequest},
};

use tokio_util::sync::CancellationToken;

use crate::support::{Client, TestNode};

/// The status with which an upgrade is refused, or 101.
async fn knock(address: SocketAddr, query: &str, headers: &[(&'static str, &str)]) -> Result<u16> {
    let mut request = format!("ws://{address}/v1/socket{query}").into_client_request()?;
    for (name, value) in headers {
        request.headers_mut().insert(*name, value.parse()?);
    }
    match connect_async(request).await {
        Ok((_, response)) => Ok(response.status().as_u16()),
        Err(tungstenite::Error::Http(response)) => Ok(response.status().as_u16()),
        Err(error) => Err(error.into()),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn only_who_proves_it_gets_a_socket() -> Result<()> {
    let node = TestNode::sqlite_with(|settings| {
        settings.origins = vec!["https://friends.example".to_owned()];
    })
    .await?;
    let ada = node.person("ada").await?;
    let bearer = format!("Bearer {}", ada.token);
    let at = node.address;
    let own = format!("http://{at}");
    let authorized = ("authorization", bearer.as_str());
    assert_eq!(knock(at, "", &[]).await?, 401);
    assert_eq!(
        knock(at, "", &[("authorization", "Bearer nonsense")]).await?,
        401
    );
    assert_eq!(knock(at, "?ticket=nonsense", &[authorized]).await?, 401);
    assert_eq!(
        knock(at, "", &[authorized, ("origin", "https://evil.example")]).await?,
        403
    );
    assert_eq!(
        knock(
            at,
            "",
            &[authorized, ("sec-websocket-protocol", "other.v1")]
        )
        .await?,
        400
    );
    assert_eq!(knock(at, "", &[authorized]).await?, 101);
    assert_eq!(knock(at, "", &[authorized, ("origin", &own)]).await?, 101);
    assert_eq!(
        knock(at, "", &[authorized, ("origin", "https://friends.example")]).await?,
        101
    );

    let claims = node.app.authenticate(&ada.token).await?;
    let ticket = format!(
        "?ticket={}",
        node.app.tickets.issue(&claims, node.app.clock.now())
    );
    assert_eq!(
        knock(at, &ticket, &[("sec-websocket-protocol", "chatx.v1")]).await?,
        101
    );
    assert_eq!(knock(at, &ticket, &[]).await?, 401, "a ticket works once");
    node.app
        .store
        .revoke_session(ada.user.id, ada.session)
        .await?;
    node.app.revocations.spread(&[ada.session]).await;
    assert_eq!(knock(at, "", &[authorized]).await?, 401);
    node.stop().await?;
    assert_eq!(
        knock(at, "", &[authorized]).await.unwrap_or(503),
        StatusCode::SERVICE_UNAVAILABLE
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn frames_that_are_none_close_and_frames_that_are_wrong_do_not() -> Result<()> {
    let node = TestNode::sqlite().await?;
    let ada = node.person("ada").await?;
    let too_large = format!(r#"{{"type":"ping","id":"{}"}}"#, "x".repeat(70_000));
    let closing = [
        (Message::text("not json"), 4400),
        (Message::text("[]"), 4400),
        (Message::text(r#"{"id":"1"}"#), 4400),
        (Message::binary(vec![1, 2, 3]), 4400),
        (Message::text(too_large), 1009),
    ];
    for (message, code) in closing {
        let mut client = node.socket(&ada).await?;
        client.say_message(message).await?;
        assert_eq!(client.closed().await?, code);
    }

    let mut client = node.socket(&ada).await?;
    assert_eq!(
        client.refused(json!({ "type": "dance" })).await?,
        ErrorCode::UnknownType
    );
    let error = client
        .ask(json!({ "type": "send", "room": "x", "client_id": "", "body": "" }))
        .await?;
    let ServerFrame::Error(error) = error else {
        panic!("{error:?}")
    };
    assert_eq!(error.code, ErrorCode::ValidationFailed);
    assert_eq!(
        error.fields.names().collect::<Vec<_>>(),
        ["body", "client_id", "room"]
    );
    let nowhere = node.app.clock.id::<()>();
    for frame in [
        json!({ "type": "subscribe", "room": nowhere }),
        json!({ "type": "send", "room": nowhere, "client_id": "1", "body": "x" }),
        json!({ "type": "history", "room": nowhere }),
        json!({ "type": "read", "room": nowhere, "seq": 1 }),
    ] {
        assert_eq!(client.refused(frame).await?, ErrorCode::RoomNotFound);
    }
    assert!(matches!(
        client.ask(json!({ "type": "ping" })).await?,
        ServerFrame::Pong(_)
    ));
    node.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_session_closes_its_sockets_and_no_others() -> Result<()> {
    let node = TestNode::sqlite().await?;
    let (ada, bob) = (node.person("ada").await?, node.person("bob").await?);
    let mut of_ada = [node.socket(&ada).await?, node.socket(&ada).await?];
    let mut of_bob = node.socket(&bob).await?;
    // Another process revokes it; nobody tells this one.
    node.another_store()
        .await?
        .revoke_session(ada.user.id, ada.session)
        .await?;
    for client in &mut of_ada {
        assert_eq!(client.closed().await?, 4401);
    }
    assert!(matches!(
        of_bob.ask(json!({ "type": "ping" })).await?,
        ServerFrame::Pong(_)
    ));
    node.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_socket_lives_as_long_as_its_token() -> Result<()> {
    let node = TestNode::sqlite().await?;
    let life = Duration::from_secs(2);
    let (ada, bob) = (
        node.person_for("ada", life).await?,
        node.person_for("bob", life).await?,
    );
    let (mut renewed, mut expired) = (node.socket(&ada).await?, node.socket(&bob).await?);
    let theirs = node
        .token(&bob.user, bob.session, Duration::from_secs(900))
        .await?;
    let refused = renewed
        .refused(json!({ "type": "refresh", "token": theirs }))
        .await?;
    assert_eq!(refused, ErrorCode::Forbidden);
    let refused = renewed
        .refused(json!({ "type": "refresh", "token": "nonsense" }))
        .await?;
    assert_eq!(refused, ErrorCode::Unauthenticated);
    let token = node
        .token(&ada.user, ada.session, Duration::from_secs(900))
        .await?;
    renewed
        .result(json!({ "type": "refresh", "token": token }))
        .await?;
    assert_eq!(expired.closed().await?, 4401);
    assert!(matches!(
        renewed.ask(json!({ "type": "ping" })).await?,
        ServerFrame::Pong(_)
    ));
    node.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn who_sends_without_a_pause_is_told_and_who_does_not_listen_is_closed() -> Result<()> {
    let node = TestNode::sqlite_with(|_| {}).await?;
    let (ada, bob) = (node.person("ada").await?, node.person("bob").await?);
    let room = node.room(&ada, &[&bob]).await?;
    let mut client = node.socket(&ada).await?;
    for number in 0..3_000 {
        client
            .say(json!({ "type": "send", "room": room, "client_id": number.to_string(), "body": "x" }))
            .await?;
    }
    let (mut stored, mut refused) = (0, 0);
    while stored + refused < 3_000 {
        match client.next().await? {
            ServerFrame::Ack(_) => stored += 1,
            ServerFrame::Error(error) => {
                assert_eq!(error.code, ErrorCode::RateLimited);
                assert!(error.retry_after_ms.is_some_and(|ms| ms > 0));
                refused += 1;
            }
            _ => {}
        }
    }
    assert!((20..200).contains(&stored), "{stored} stored");
    client.ask(json!({ "type": "ping" })).await?;
    assert_eq!(node.log(room).await?.len(), stored + 2);

    let mut flood = node.socket(&bob).await?;
    let frame = json!({ "type": "typing", "room": room, "on": true }).to_string();
    while flood.say_raw(&frame).await.is_ok() {}
    assert!([4429, 1006].contains(&flood.closed().await?));
    node.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drain_says_goodbye_and_answers_everything_first() -> Result<()> {
    let node = TestNode::sqlite().await?;
    let ada = node.person("ada").await?;
    let room = node.room(&ada, &[]).await?;
    let mut client = node.socket(&ada).await?;
    client.subscribe(room).await?;
    for number in 0..200 {
        let frame =
            json!({ "type": "send", "room": room, "client_id": number.to_string(), "body": "x" });
        client.say(frame).await?;
    }
    // By its answer, everything before it was heard.
    client.say(json!({ "type": "ping" })).await?;
    let mut acks = 0;
    while !matches!(client.next().await?, ServerFrame::Pong(_)) {}
    let (drained, seen) = tokio::join!(node.stop(), see_the_end(&mut client, &mut acks));
    drained?;
    assert_eq!(seen?, (true, 1001));
    assert_eq!(
        client.logs[&room].last,
        Seq(201),
        "everything that was sent was delivered"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_told_to_go_stays_until_they_have_moved() -> Result<()> {
    let node = TestNode::sqlite_with(|settings| settings.drain = Duration::from_secs(25)).await?;
    let (over, other) = (
        CancellationToken::new(),
        Node {
            name: "other".to_owned(),
            ..node.app.own_node()
        },
    );
    let cluster = node.app.cluster.clone();
    let beating = tokio::spawn({
        let over = over.clone();
        async move { cluster.run(other, CancellationToken::new(), over).await }
    });
    while node.app.cluster.live().await.len() < 2 {
        tokio::task::yield_now().await;
    }
    let ada = node.person("ada").await?;
    let room = node.room(&ada, &[]).await?;
    let mut client = node.socket(&ada).await?;
    client.subscribe(room).await?;
    let leave = async {
        let goaway = client.until(|frame| match frame {
            ServerFrame::Goaway(goaway) => Some(goaway),
            _ => None,
        });
        goaway.await?;
        let sent = client.send(room, "still here").await?;
        client.reach(room, sent.seq).await?;
        client.say_message(Message::Close(None)).await?;
        client.closed().await
    };
    // That everybody has moved ends the drain, long before its time is over.
    let (drained, left) = tokio::join!(timeout(Duration::from_secs(20), node.stop()), leave);
    drained??;
    left?;
    over.cancel();
    Ok(beating.await?)
}

/// Reads to the end: whether `goaway` came, and the code.
async fn see_the_end(client: &mut Client, acks: &mut u64) -> Result<(bool, u16)> {
    let goaway = client.until(|frame| match frame {
        ServerFrame::Goaway(goaway) => Some(goaway),
        ServerFrame::Ack(_) => {
            *acks += 1;
            None
        }
        _ => None,
    });
    let goaway = goaway.await?;
    Ok((goaway.reconnect_after_ms > 0, client.closed().await?))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hint_is_taken_from_peers_only() -> Result<()> {
    let node = TestNode::sqlite().await?;
    let body = json!({ "room": node.app.clock.id::<()>(), "seq": 1 }).to_string();
    let ask = async |bearer: &str, body: &str| -> Result<String> {
        let mut stream = TcpStream::connect(node.address).await?;
        let head = format!(
            "POST /internal/hint HTTP/1.1\r\nhost: {}\r\nconnection: close\r\ncontent-type: application/json\r\n\
             content-length: {}\r\nauthorization: Bearer {bearer}\r\n\r\n{body}",
            node.address,
            body.len(),
        );
        stream.write_all(head.as_bytes()).await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        Ok(answer.split(' ').nth(1).unwrap_or_default().to_owned())
    };
    assert_eq!(ask("nonsense", &body).await?, "401");
    assert_eq!(
        ask("nonsense", "{}").await?,
        "401",
        "what is asked is read of peers only"
    );
    assert_eq!(ask(node.app.secrets.peer_bearer(), &body).await?, "204");
    node.stop().await
}
