//! Every row of the tables of frames, on both engines: each frame that the document names is said, and heard, and what is
//! asked for in vain is refused in the same way whatever it is.

use std::collections::BTreeSet;

use anyhow::{Context as _, Result, ensure};
use chatx_e2e::{Ended, Http, Person, Socket, on_each_engine, unique};
use protocol::{ErrorCode, frame::ServerFrame};
use serde_json::{Value, json};
use testkit::Chatx;

/// The id of nothing.
const NOWHERE: &str = "01890a5d-ac96-774b-bcce-b302099a8057";

#[tokio::test(flavor = "multi_thread")]
async fn every_frame_is_said_heard_and_refused_as_the_document_says() -> Result<()> {
    on_each_engine(async |chatx| {
        let http = Http::new(chatx.address());
        let document = http.get("/v1/asyncapi.json").await?.expect(200)?;
        let (ada, ben) = (
            Person::register(&http, "ada").await?,
            Person::register(&http, "ben").await?,
        );
        let mut story = Story {
            at_ada: ada.socket().await?,
            at_ben: ben.socket().await?,
            said: BTreeSet::new(),
            heard: BTreeSet::from(["ready".to_owned()]),
        };
        story.conversation(&ada, &ben).await?;
        story.refusals(&ada).await?;
        story.goodbye(chatx).await?;
        ensure!(
            story.said == named(&document, "say")?,
            "said: {:?}",
            story.said
        );
        ensure!(
            story.heard == named(&document, "hear")?,
            "heard: {:?}",
            story.heard
        );
        Ok(())
    })
    .await
}

/// The types of the frames that one side says. What both say is told apart in the document, not on the socket.
fn named(document: &Value, side: &str) -> Result<BTreeSet<String>> {
    let messages = document["operations"][side]["messages"].as_array();
    let name = |message: &Value| {
        let name = message["$ref"].as_str()?.rsplit('/').next()?;
        let plain = name
            .strip_prefix("set_")
            .or_else(|| name.strip_prefix("on_"));
        Some(plain.unwrap_or(name).to_owned())
    };
    let names = messages.context("messages")?.iter().map(name).collect();
    Option::<BTreeSet<_>>::context(names, "names")
}

struct Story {
    at_ada: Socket,
    at_ben: Socket,
    said: BTreeSet<String>,
    heard: BTreeSet<String>,
}

impl Story {
    /// Ada asks, and is answered by a frame of this type; what it says is the result.
    async fn ada(&mut self, frame: Value, answer: &str) -> Result<Value> {
        ask(
            &mut self.at_ada,
            &mut self.said,
            &mut self.heard,
            frame,
            answer,
        )
        .await
    }

    async fn ben(&mut self, frame: Value, answer: &str) -> Result<Value> {
        ask(
            &mut self.at_ben,
            &mut self.said,
            &mut self.heard,
            frame,
            answer,
        )
        .await
    }

    /// Ben says what nobody answers, and Ada hears of it.
    async fn ada_hears(&mut self, frame: Value, wanted: &str) -> Result<()> {
        self.said.insert(kind(&frame));
        self.at_ben.say(&frame).await?;
        until(&mut self.at_ada, &mut self.heard, wanted).await
    }

    async fn conversation(&mut self, ada: &Person, ben: &Person) -> Result<()> {
        let new = json!({ "type": "create_room", "name": unique("room ") });
        let room = self.ada(new, "ok").await?["result"]["id"].clone();
        let in_room = |name: &str| json!({ "type": name, "room": room });
        let at = |name: &str, seq: &Value| json!({ "type": name, "room": room, "seq": seq });
        self.ada(in_room("subscribe"), "subscribed").await?;
        self.ben(in_room("join"), "ok").await?;
        until(&mut self.at_ben, &mut self.heard, "room_added").await?;
        until(&mut self.at_ada, &mut self.heard, "event").await?;
        self.ben(in_room("subscribe"), "subscribed").await?;
        let away = json!({ "type": "presence", "state": "away" });
        self.ada_hears(away, "presence").await?;
        let typing = json!({ "type": "typing", "room": room, "on": true });
        self.ada_hears(typing, "typing").await?;

        let send = json!({ "type": "send", "room": room, "client_id": "1", "body": "tea?" });
        let seq = self.ada(send.clone(), "ack").await?["seq"].clone();
        let again = self.ada(send, "ack").await?;
        ensure!(
            again["duplicate"] == true && again["seq"] == seq,
            "{again:?}"
        );
        let path = format!(
            "/v1/rooms/{}/messages/{seq}/report",
            room.as_str().context("an id")?
        );
        let spam = json!({ "reason": "spam" });
        ben.http.post(&path, spam).await?.expect(201)?;
        until(&mut self.at_ada, &mut self.heard, "reports").await?;
        let name = json!({ "display_name": "Benjamin" });
        ben.http.patch("/v1/users/me", name).await?.expect(200)?;
        until(&mut self.at_ada, &mut self.heard, "user").await?;
        self.ada_hears(at("read", &seq), "read").await?;
        let edit = json!({ "type": "edit", "room": room, "seq": seq, "body": "tea!" });
        self.ada(edit, "ack").await?;
        for name in ["react", "unreact"] {
            let reaction = json!({ "type": name, "room": room, "seq": seq, "emoji": "🍵" });
            self.ben(reaction, "ack").await?;
        }
        for name in ["pin", "unpin", "delete"] {
            self.ada(at(name, &seq), "ack").await?;
        }
        for name in ["members", "history", "list_rooms"] {
            self.ben(in_room(name), "ok").await?;
        }
        self.ada(json!({ "type": "ping" }), "pong").await?;
        let token = ada.http.token().context("a token")?;
        self.ada(json!({ "type": "refresh", "token": token }), "ok")
            .await?;
        self.ben(in_room("unsubscribe"), "ok").await?;
        self.ben(in_room("subscribe"), "subscribed").await?;
        self.ben(in_room("leave"), "ok").await?;
        until(&mut self.at_ben, &mut self.heard, "unsubscribed").await?;
        let other = json!({ "type": "join", "room": room });
        self.ben(other, "ok").await?;
        self.ben(in_room("leave"), "ok").await?;
        until(&mut self.at_ben, &mut self.heard, "room_removed").await?;
        self.ada(in_room("delete_room"), "ok").await?;
        Ok(())
    }

    /// What is about a room is refused where there is none, where one is a stranger, and where something is missing.
    async fn refusals(&mut self, ada: &Person) -> Result<()> {
        let hidden = json!({ "name": unique("hidden "), "visibility": "private" });
        let hidden = ada.create_room_as(hidden).await?.to_string();
        let about_a_room = [
            "subscribe",
            "send",
            "edit",
            "delete",
            "react",
            "unreact",
            "pin",
            "unpin",
            "read",
            "join",
            "leave",
            "delete_room",
            "history",
            "members",
        ];
        let mut wrong = Vec::new();
        let mut expect = async |socket: &mut Socket, frame: Value, code: ErrorCode| -> Result<()> {
            let refused = socket.refusal(&frame).await?;
            if refused != Some(code) {
                wrong.push(format!("{frame}: {refused:?}, not {code:?}"));
            }
            Ok(())
        };
        for name in about_a_room {
            let whole = |room: &str| {
                json!({
                    "type": name, "room": room, "seq": 1, "client_id": "2", "body": "x", "emoji": "🍵",
                })
            };
            expect(&mut self.at_ben, whole(NOWHERE), ErrorCode::RoomNotFound).await?;
            expect(&mut self.at_ben, whole(&hidden), ErrorCode::NotAMember).await?;
            expect(
                &mut self.at_ben,
                whole("nonsense"),
                ErrorCode::ValidationFailed,
            )
            .await?;
            expect(
                &mut self.at_ben,
                json!({ "type": name }),
                ErrorCode::ValidationFailed,
            )
            .await?;
        }
        for frame in [
            json!({ "type": "unsubscribe" }),
            json!({ "type": "typing", "room": hidden }),
            json!({ "type": "presence", "state": "elsewhere" }),
            json!({ "type": "create_room", "name": "" }),
            json!({ "type": "list_rooms", "limit": 0 }),
            json!({ "type": "refresh" }),
        ] {
            expect(&mut self.at_ben, frame, ErrorCode::ValidationFailed).await?;
        }
        let forged = json!({ "type": "refresh", "token": "nonsense" });
        expect(&mut self.at_ben, forged, ErrorCode::Unauthenticated).await?;
        expect(
            &mut self.at_ben,
            json!({ "type": "nonsense" }),
            ErrorCode::UnknownType,
        )
        .await?;
        ensure!(wrong.is_empty(), "{wrong:#?}");
        self.heard.insert("error".to_owned());
        Ok(())
    }

    /// A node that is asked to stop tells its sockets to go elsewhere.
    async fn goodbye(&mut self, chatx: &mut Chatx) -> Result<()> {
        let (told, ended) = tokio::join!(
            until(&mut self.at_ada, &mut self.heard, "goaway"),
            chatx.terminate()
        );
        told?;
        ensure!(ended?.success(), "the server did not end well");
        ensure!(self.at_ada.until_ended().await? == Ended::Closed(1001));
        Ok(())
    }
}

async fn ask(
    socket: &mut Socket,
    said: &mut BTreeSet<String>,
    heard: &mut BTreeSet<String>,
    frame: Value,
    answer: &str,
) -> Result<Value> {
    said.insert(kind(&frame));
    let answered = serde_json::to_value(socket.ask(&frame).await?)?;
    ensure!(
        kind(&answered) == answer,
        "{frame} is answered by {answered}"
    );
    heard.insert(kind(&answered));
    Ok(answered)
}

async fn until(socket: &mut Socket, heard: &mut BTreeSet<String>, wanted: &str) -> Result<()> {
    let is_wanted = |frame: ServerFrame| {
        let frame = serde_json::to_value(frame).ok()?;
        (kind(&frame) == wanted).then_some(())
    };
    socket
        .until(is_wanted)
        .await
        .with_context(|| format!("no {wanted} comes"))?;
    heard.insert(wanted.to_owned());
    Ok(())
}

fn kind(frame: &Value) -> String {
    frame["type"].as_str().unwrap_or_default().to_owned()
}
