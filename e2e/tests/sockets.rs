//! Sockets that come from browsers, break, stop reading, or lose their session.

use anyhow::{Context as _, Result, ensure};
use chatx_e2e::{Ended, Http, Person, Socket, request, unlimited};
use hyper::header;
use protocol::{
    Seq,
    frame::{PresenceState, ServerFrame},
};
use serde_json::json;
use tokio_tungstenite::tungstenite::Message;

#[tokio::test(flavor = "multi_thread")]
async fn a_browser_connects_by_a_ticket_that_works_once() -> Result<()> {
    let chatx = unlimited()
        .set("CHATX_ORIGINS", "https://chat.example.com")
        .start()
        .await?;
    let http = Http::new(chatx.address());
    let person = Person::register(&http, "ada").await?;
    let dial = async |origin: &str| {
        let invited = person
            .http
            .post("/v1/socket", json!({}))
            .await?
            .expect(201)?;
        assert_eq!(invited["protocol"], "chatx.v1");
        let (url, ticket) = (
            invited["url"].as_str().context("a url")?,
            invited["ticket"].as_str().context("a ticket")?,
        );
        let mut request = request(&format!("{url}?ticket={ticket}"))?;
        request
            .headers_mut()
            .insert(header::ORIGIN, origin.parse()?);
        anyhow::Ok(request)
    };
    let own = chatx.url();
    for welcome in [own.as_str(), "https://chat.example.com"] {
        let request = dial(welcome).await?;
        let mut socket = Socket::open(request.clone()).await?;
        assert_eq!(socket.ready.user.id, person.id);
        let pong = socket.ask(&json!({"type": "ping"})).await?;
        assert!(matches!(pong, ServerFrame::Pong(_)), "{pong:?}");
        assert_eq!(Socket::status(request).await?, 401, "a ticket works once");
    }
    for stranger in ["https://evil.example", "null", "http://127.0.0.1"] {
        assert_eq!(
            Socket::status(dial(stranger).await?).await?,
            403,
            "{stranger}"
        );
    }
    let without = request(&format!("{}/v1/socket", chatx.socket_url()))?;
    assert_eq!(Socket::status(without).await?, 401);
    let forged = request(&format!("{}/v1/socket?ticket=nonsense", chatx.socket_url()))?;
    assert_eq!(Socket::status(forged).await?, 401);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_abrupt_disconnect_leaves_no_ghost() -> Result<()> {
    let chatx = unlimited().start().await?;
    let http = Http::new(chatx.address());
    let owner = Person::register(&http, "owner").await?;
    let guest = Person::register(&http, "guest").await?;
    let room = owner.create_room().await?;
    guest.join(room).await?;
    let mut watcher = owner.socket().await?;
    watcher.subscribe(room, None).await?;
    let mut ghost = guest.socket().await?;
    ghost.subscribe(room, None).await?;
    let guest_is = |wanted: PresenceState| {
        move |frame| match frame {
            ServerFrame::Presence(presence) => {
                (presence.user.id == guest.id && presence.state == wanted).then_some(())
            }
            _ => None,
        }
    };
    watcher.until(guest_is(PresenceState::Online)).await?;
    ghost
        .say(&json!({"type": "typing", "room": room, "on": true}))
        .await?;
    drop(ghost);
    watcher.until(guest_is(PresenceState::Offline)).await?;

    let online = watcher.subscribe(room, None).await?.online;
    assert_eq!(online.count, 1, "{online:?}");
    assert_eq!(online.users[0].user.id, owner.id);
    let seen = owner
        .http
        .get(&format!("/v1/users/{}", guest.id))
        .await?
        .expect(200)?;
    assert_ne!(seen["presence"], "online");
    // Whoever left without a word comes back as if nothing had been.
    let mut again = guest.socket().await?;
    again.subscribe(room, None).await?;
    watcher.until(guest_is(PresenceState::Online)).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn one_reader_that_stops_delays_nobody_and_misses_nothing() -> Result<()> {
    const MESSAGES: u64 = 3_000;
    const WINDOW: u64 = 100;
    let body = "x".repeat(8_000);
    let chatx = unlimited().start().await?;
    let http = Http::new(chatx.address());
    let owner = Person::register(&http, "owner").await?;
    let room = owner.create_room().await?;
    let mut stopped = owner.socket().await?;
    let start = stopped.subscribe(room, None).await?.head;
    let mut reader = owner.socket().await?;
    reader.subscribe(room, None).await?;
    let mut writer = owner.socket().await?;

    // 24 MB: several times what the kernel and the outbox hold of one socket.
    for window in 0..MESSAGES / WINDOW {
        for turn in 0..WINDOW {
            let client_id = format!("{window}-{turn}");
            writer
                .say(&json!({"type": "send", "room": room, "client_id": client_id, "body": body}))
                .await?;
        }
        for _ in 0..WINDOW {
            writer
                .until(|frame| {
                    if let ServerFrame::Ack(ack) = frame {
                        Some(ack)
                    } else {
                        None
                    }
                })
                .await?;
        }
        for turn in 0..WINDOW {
            let event = reader.event().await?;
            assert_eq!(event.seq, Seq(start.0 + window * WINDOW + turn + 1));
        }
    }
    // Now the one that stopped reads on: each event once, in order, or a close that means: resume.
    let head = Seq(start.0 + MESSAGES);
    let mut seen = start;
    while seen < head {
        match stopped.next().await? {
            Ok(ServerFrame::Event(event)) => {
                ensure!(event.seq == seen.next(), "{} came after {seen}", event.seq);
                seen = event.seq;
            }
            Ok(_) => {}
            Err(Ended::Closed(4408)) => {
                stopped = owner.socket().await?;
                let resumed = stopped.subscribe(room, Some(seen.0)).await?;
                seen = if resumed.reset {
                    resumed.events[0].seq.previous()
                } else {
                    seen
                };
                for event in resumed.events {
                    ensure!(event.seq == seen.next(), "{} came after {seen}", event.seq);
                    seen = event.seq;
                }
            }
            Err(ended) => anyhow::bail!("{ended:?}"),
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_session_loses_its_sockets() -> Result<()> {
    let chatx = unlimited().start().await?;
    let http = Http::new(chatx.address());
    let laptop = Person::register(&http, "ada").await?;
    let phone = laptop.log_in(&http).await?;
    let tablet = laptop.log_in(&http).await?;
    let mut on_laptop = laptop.socket().await?;
    let mut on_phone = phone.socket().await?;
    let mut on_tablet = tablet.socket().await?;

    phone
        .http
        .post("/v1/auth/logout", json!({}))
        .await?
        .expect(204)?;
    assert_eq!(on_phone.until_ended().await?, Ended::Closed(4401));
    assert_eq!(phone.http.get("/v1/users/me").await?.status, 401);
    laptop.http.delete("/v1/auth/sessions").await?.expect(204)?;
    assert_eq!(on_tablet.until_ended().await?, Ended::Closed(4401));

    let pong = on_laptop.ask(&json!({"type": "ping"})).await?;
    assert!(matches!(pong, ServerFrame::Pong(_)), "{pong:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_frame_closes_and_what_is_a_wrong_one_does_not() -> Result<()> {
    let chatx = unlimited().start().await?;
    let http = Http::new(chatx.address());
    let person = Person::register(&http, "ada").await?;
    for malformed in [
        Message::text("hello"),
        Message::text("[]"),
        Message::text("{}"),
        Message::binary(vec![1, 2, 3]),
    ] {
        let mut socket = person.socket().await?;
        socket.say_raw(malformed).await?;
        assert_eq!(socket.until_ended().await?, Ended::Closed(4400));
    }
    let mut socket = person.socket().await?;
    let large = json!({"type": "ping", "id": "1", "padding": "x".repeat(70_000)});
    socket.say(&large).await?;
    assert_eq!(socket.until_ended().await?, Ended::Closed(1009));

    let mut socket = person.socket().await?;
    for (wrong, code) in [
        (json!({"type": "dance"}), "unknown_type"),
        (json!({"type": "send"}), "validation_failed"),
        (
            json!({"type": "subscribe", "room": "here"}),
            "validation_failed",
        ),
        (
            json!({"type": "subscribe", "room": "0198f6a2-7c1e-7000-8000-000000000001"}),
            "room_not_found",
        ),
    ] {
        let answer = socket.ask(&wrong).await?;
        let ServerFrame::Error(error) = answer else {
            panic!("{answer:?}")
        };
        assert_eq!(json!(error.code), json!(code), "{wrong}");
    }
    Ok(())
}
