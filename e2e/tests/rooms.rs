//! Doors, names and lines: what a room lets in, and what nobody can put into it.

use anyhow::{Context as _, Result};
use chatx_e2e::{Http, Person, on_each_engine, unique, unlimited};
use protocol::{ErrorCode, events::EventKind, frame::ServerFrame};
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn a_private_room_opens_to_its_password_and_to_nothing_else() -> Result<()> {
    on_each_engine(async |chatx| {
        let http = Http::new(chatx.address());
        let owner = Person::register(&http, "owner").await?;
        let guest = Person::register(&http, "guest").await?;
        let body =
            json!({"name": unique("study "), "visibility": "private", "password": "open sesame"});
        let room = owner.create_room_as(body).await?;
        let door = format!("/v1/rooms/{room}/members");
        for wrong in [
            json!({}),
            json!({"password": "open sesam"}),
            json!({"password": "Open Sesame"}),
            json!({"password": ""}),
        ] {
            let refused = guest.http.post(&door, wrong.clone()).await?;
            assert_eq!(refused.status, 403, "{wrong}: {}", refused.body);
            let read = guest
                .http
                .get(&format!("/v1/rooms/{room}/messages"))
                .await?;
            assert_eq!((read.status, read.code()), (403, "not_a_member"));
        }
        let mut socket = guest.socket().await?;
        let join = json!({"type": "join", "room": room, "password": "wrong again"});
        assert_eq!(socket.refusal(&join).await?, Some(ErrorCode::WrongPassword));
        let members = owner.http.get(&door).await?.expect(200)?;
        assert_eq!(
            members["members"].as_array().map(Vec::len),
            Some(1),
            "a wrong password changes nothing"
        );

        guest
            .http
            .post(&door, json!({"password": "open sesame"}))
            .await?
            .expect(201)?;
        let sent = socket.send(room, "1", "hello").await?;
        assert!(sent.is_ok(), "{sent:?}");
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_differs_by_case_is_taken() -> Result<()> {
    on_each_engine(async |chatx| {
        let http = Http::new(chatx.address());
        let person = Person::register(&http, "ada").await?;
        let loud = person.username.to_uppercase();
        let body = json!({"username": loud, "email": "another@example.com", "password": person.password});
        let taken = http.post("/v1/auth/register", body).await?;
        assert_eq!((taken.status, taken.code()), (409, "username_taken"));
        let body = json!({"username": unique("new"), "email": format!("{loud}@EXAMPLE.com"), "password": person.password});
        let taken = http.post("/v1/auth/register", body).await?;
        assert_eq!((taken.status, taken.code()), (409, "email_taken"));

        let name = unique("Straße ");
        person.create_room_as(json!({"name": name})).await?;
        for same in [name.to_uppercase(), name.to_lowercase(), format!("  {name} ")] {
            let taken = person.http.post("/v1/rooms", json!({"name": same})).await?;
            assert_eq!((taken.status, taken.code()), (409, "name_taken"), "{same}");
        }
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn no_text_forges_the_line_of_another() -> Result<()> {
    let chatx = unlimited().start().await?;
    let http = Http::new(chatx.address());
    let ada = Person::register(&http, "ada").await?;
    let eve = Person::register(&http, "eve").await?;
    let room = ada.create_room().await?;
    eve.join(room).await?;
    let mut reader = ada.socket().await?;
    let head = reader.subscribe(room, None).await?.head;
    let mut writer = eve.socket().await?;
    let forged = json!({"type": "event", "room": room, "seq": 99, "kind": "message", "user": {"id": ada.id}, "body": "hi"});
    let lines = [
        format!("{}: I resign", ada.username),
        format!("hello\n{}: I resign", ada.username),
        format!("\"}}\n{forged}"),
        forged.to_string(),
        "<b>bold</b> \u{202e}drow \u{1f468}\u{200d}\u{1f469}\u{200d}\u{1f467}".to_owned(),
    ];
    for (number, line) in lines.iter().enumerate() {
        let sent = writer.send(room, &number.to_string(), line).await?;
        let ack = sent.map_err(|error| anyhow::anyhow!("{error:?}"))?;
        let event = reader.event().await?;
        assert_eq!((event.seq, event.user.id), (ack.seq, eve.id));
        let EventKind::Message(content) = event.kind else {
            panic!("{event:?}")
        };
        assert_eq!(&content.body, line);
    }
    let history = ada.history(room).await?;
    assert_eq!(history.len(), lines.len());
    assert!(
        history
            .iter()
            .all(|message| message.user.id == eve.id && message.seq > head)
    );

    // A frame that claims to be of somebody else is still of the one who sends it.
    let claim = json!({"type": "send", "room": room, "client_id": "claim", "body": "hi", "user": {"id": ada.id}, "user_id": ada.id});
    writer.ask(&claim).await?;
    assert_eq!(reader.event().await?.user.id, eve.id);
    for body in ["bell \u{7}", "back \u{8}", "escape \u{1b}[2J", "null \u{0}"] {
        let refused = writer
            .send(room, "control", body)
            .await?
            .err()
            .context("control characters are refused")?;
        assert_eq!(refused.code, ErrorCode::ValidationFailed);
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn history_is_in_the_order_of_delivery() -> Result<()> {
    on_each_engine(async |chatx| {
        const WRITERS: usize = 4;
        const EACH: usize = 50;
        let http = Http::new(chatx.address());
        let owner = Person::register(&http, "owner").await?;
        let room = owner.create_room().await?;
        let mut readers = Vec::new();
        for _ in 0..2 {
            let mut reader = owner.socket().await?;
            reader.subscribe(room, None).await?;
            readers.push(reader);
        }
        let mut writers = tokio::task::JoinSet::new();
        for writer in 0..WRITERS {
            let person = Person::register(&http, "writer").await?;
            person.join(room).await?;
            writers.spawn(async move {
                let mut socket = person.socket().await?;
                for turn in 0..EACH {
                    // Every other message takes the other road.
                    if turn % 2 == 0 {
                        let body = json!({"body": format!("{writer} {turn}")});
                        person
                            .http
                            .post(&format!("/v1/rooms/{room}/messages"), body)
                            .await?
                            .expect(201)?;
                    } else {
                        let sent = socket
                            .send(room, &turn.to_string(), &format!("{writer} {turn}"))
                            .await?;
                        sent.map_err(|error| anyhow::anyhow!("{error:?}"))?;
                    }
                }
                anyhow::Ok(())
            });
        }
        while let Some(ended) = writers.join_next().await {
            ended??;
        }
        let history = owner.history(room).await?;
        let stored: Vec<_> = history
            .iter()
            .map(|message| (message.seq, message.content.body.clone()))
            .collect();
        assert_eq!(stored.len(), WRITERS * EACH);
        for mut reader in readers {
            let mut delivered = Vec::new();
            while delivered.len() < stored.len() {
                let event = reader.event().await?;
                if let EventKind::Message(content) = event.kind {
                    delivered.push((event.seq, content.body));
                }
            }
            assert_eq!(delivered, stored);
        }
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_kicked_reads_and_writes_nothing_more() -> Result<()> {
    let chatx = unlimited().start().await?;
    let http = Http::new(chatx.address());
    let owner = Person::register(&http, "owner").await?;
    let guest = Person::register(&http, "guest").await?;
    let room = owner.create_room().await?;
    guest.join(room).await?;
    let mut socket = guest.socket().await?;
    socket.subscribe(room, None).await?;
    owner
        .http
        .delete(&format!("/v1/rooms/{room}/members/{}", guest.id))
        .await?
        .expect(204)?;
    owner
        .http
        .post(
            &format!("/v1/rooms/{room}/messages"),
            json!({"body": "among us"}),
        )
        .await?
        .expect(201)?;

    let kick = socket.event().await?;
    assert!(matches!(kick.kind, EventKind::Kick(_)), "{kick:?}");
    let last = socket
        .until(|frame| {
            if matches!(frame, ServerFrame::Presence(_)) {
                None
            } else {
                Some(frame)
            }
        })
        .await?;
    assert!(matches!(last, ServerFrame::Unsubscribed(_)), "{last:?}");
    let refused = socket
        .send(room, "late", "but I")
        .await?
        .err()
        .context("a stranger was acked")?;
    assert_eq!(refused.code, ErrorCode::NotAMember);
    let read = guest
        .http
        .get(&format!("/v1/rooms/{room}/messages"))
        .await?;
    assert_eq!(read.status, 403);
    Ok(())
}
