//! The people who do things, over HTTP and over sockets, and what of it was taken.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, bail, ensure};
use chatx_e2e::{Http, Person, Socket};
use futures_util::future::try_join_all;
use hyper::Method;
use protocol::{RoomId, frame::ServerFrame};
use serde_json::{Map, Value, json};
use tokio::sync::Mutex;

use crate::{
    AT_THE_PAGE,
    operation::{Operation, PEOPLE, Text, What},
    stored,
};

pub(crate) struct Crowd {
    pub(crate) people: Vec<Person>,
    sockets: Vec<Mutex<Socket>>,
    pub(crate) rooms: Vec<Room>,
    /// How often each kind of operation was taken.
    pub(crate) taken: BTreeMap<String, usize>,
    pub(crate) refused: usize,
}

pub(crate) struct Room {
    pub(crate) id: RoomId,
    /// As it was made.
    pub(crate) born: Map<String, Value>,
    /// The messages that are known to be stored, in the order of their places.
    said: Vec<Said>,
    /// Up to where each person said that they had read.
    pub(crate) marks: Vec<Vec<u64>>,
}

struct Said {
    seq: u64,
    by: usize,
    client_id: String,
    is_answer: bool,
}

/// What is done for an operation.
enum Deed {
    Request(Method, String, Option<Value>),
    Frame(Value),
}

/// What came of it.
struct Done {
    /// The place of what was written, or read; nothing if it was refused.
    seq: Option<u64>,
    is_new: bool,
}

impl Crowd {
    /// The people, with two public rooms that everybody is in and a conversation of the first four.
    pub(crate) async fn gather(http: &Http) -> Result<Self> {
        const NAMES: [&str; PEOPLE] = ["ada", "ben", "cleo", "dora", "eli", "fay", "gus"];
        let mut people = Vec::new();
        for name in NAMES {
            people.push(Person::register(http, name).await?);
        }
        let mut rooms = Vec::new();
        for history in ["all", "since_join"] {
            let room = people[0]
                .create_room_as(json!({ "name": chatx_e2e::unique("room "), "history": history }))
                .await?;
            rooms.push(room);
        }
        let others: Vec<_> = people[1..4].iter().map(|person| person.id).collect();
        let direct = people[0]
            .http
            .post("/v1/dms", json!({ "user_ids": others }))
            .await?
            .expect(201)?;
        rooms.push(direct["id"].as_str().context("an id")?.parse()?);
        let mut sockets = Vec::new();
        for person in &people {
            sockets.push(Mutex::new(person.socket().await?));
        }
        let mut crowd = Self {
            people,
            sockets,
            rooms: Vec::new(),
            taken: BTreeMap::new(),
            refused: 0,
        };
        for id in rooms {
            let room = crowd.people[0]
                .http
                .get(&format!("/v1/rooms/{id}"))
                .await?
                .expect(200)?;
            let marks = vec![Vec::new(); PEOPLE];
            crowd.rooms.push(Room {
                id,
                born: stored::born(&room),
                said: Vec::new(),
                marks,
            });
        }
        for room in 0..2 {
            for person in &crowd.people[1..] {
                person.join(crowd.rooms[room].id).await?;
            }
            let role = json!({ "role": "moderator" });
            let path = format!(
                "/v1/rooms/{}/members/{}",
                crowd.rooms[room].id, crowd.people[1].id
            );
            crowd.people[0].http.patch(&path, role).await?.expect(200)?;
        }
        Ok(crowd)
    }

    /// Tries what is in a wave, all of it at once.
    pub(crate) async fn try_all(&mut self, wave: &[Operation]) -> Result<()> {
        let deeds = wave
            .iter()
            .filter_map(|operation| Some((operation, self.deed(operation)?)));
        let done = try_join_all(deeds.map(async |(operation, deed)| {
            let done = self
                .do_it(operation, deed)
                .await
                .with_context(|| format!("{operation:?}"))?;
            anyhow::Ok((operation, done))
        }))
        .await?;
        for (operation, done) in done {
            self.note(operation, &done);
        }
        for room in &mut self.rooms {
            room.said.sort_by_key(|said| said.seq);
        }
        Ok(())
    }

    /// Lets everybody of `people` be in every room, and every room be written.
    pub(crate) async fn settle(&self, people: &[usize]) -> Result<()> {
        for room in &self.rooms {
            let path = format!("/v1/rooms/{}", room.id);
            let owner = self.people[0].http.get(&path).await?.body["owner_id"].clone();
            let Some(owner) = self.people.iter().find(|person| json!(person.id) == owner) else {
                continue;
            };
            owner
                .http
                .patch(&path, json!({ "archived": false }))
                .await?
                .expect(200)?;
            for person in people.iter().map(|who| &self.people[*who]) {
                let banned = owner
                    .http
                    .delete(&format!("{path}/bans/{}", person.id))
                    .await?;
                ensure!([204, 404].contains(&banned.status), "{banned:?}");
                let joined = person
                    .http
                    .post(&format!("{path}/members"), json!({}))
                    .await?;
                ensure!([200, 201].contains(&joined.status), "{joined:?}");
            }
        }
        Ok(())
    }

    fn deed(&self, operation: &Operation) -> Option<Deed> {
        let room = &self.rooms[operation.room];
        let id = room.id;
        let path = |rest: String| format!("/v1/rooms/{id}{rest}");
        let user = |who: usize| self.people[who].id;
        let any = |back: usize| room.back(back, |_| true).map(|said| said.seq);
        let own = |back: usize| room.back(back, |said| said.by == operation.who);
        let frame = |name: &str, more: Value| {
            let mut frame = json!({ "type": name, "room": id });
            frame.as_object_mut()?.extend(more.as_object()?.clone());
            Some(frame)
        };
        let at = |seq: u64, rest: &str| path(format!("/messages/{seq}{rest}"));
        let reaction = |seq: u64, emoji: &str| {
            let emoji: String = emoji.bytes().map(|byte| format!("%{byte:02X}")).collect();
            at(seq, &format!("/reactions/{emoji}"))
        };
        let none = || None;
        let member = |who: usize| path(format!("/members/{}", user(who)));
        let ban = |who: usize| path(format!("/bans/{}", user(who)));
        let block = |who: usize| format!("/v1/users/me/blocks/{}", user(who));
        let send = |more: Value| {
            let by_http = (
                Method::POST,
                path("/messages".to_owned()),
                Some(more.clone()),
            );
            (by_http, frame("send", more))
        };
        let message =
            |text: &Text| json!({ "client_id": client_id(text), "body": self.text(text) });
        let (by_http, by_socket) = match &operation.what {
            What::Send(text) => send(message(text)),
            What::Reply { back, text } => {
                let mut message = message(text);
                message["reply_to"] = any(*back)?.into();
                send(message)
            }
            What::Thread { back, text } => {
                let mut message = message(text);
                // A few roots, so that they are answered often.
                message["thread"] = room.back(*back / 4 * 4, |said| !said.is_answer)?.seq.into();
                send(message)
            }
            What::Again { back } => {
                send(json!({ "client_id": own(*back)?.client_id, "body": "again" }))
            }
            What::Edit { back, text } => {
                let (seq, body) = (own(*back)?.seq, self.text(text));
                let by_http = (Method::PATCH, at(seq, ""), Some(json!({ "body": body })));
                (by_http, frame("edit", json!({ "seq": seq, "body": body })))
            }
            What::DeleteOwn { back } => {
                let seq = own(*back)?.seq;
                (
                    (Method::DELETE, at(seq, ""), none()),
                    frame("delete", json!({ "seq": seq })),
                )
            }
            What::Delete { back } => {
                let seq = any(*back)?;
                (
                    (Method::DELETE, at(seq, ""), none()),
                    frame("delete", json!({ "seq": seq })),
                )
            }
            What::React { back, emoji } => {
                let seq = any(*back)?;
                (
                    (Method::PUT, reaction(seq, emoji), none()),
                    frame("react", json!({ "seq": seq, "emoji": emoji })),
                )
            }
            What::Unreact { back, emoji } => {
                let seq = any(*back)?;
                (
                    (Method::DELETE, reaction(seq, emoji), none()),
                    frame("unreact", json!({ "seq": seq, "emoji": emoji })),
                )
            }
            What::Pin { back } => {
                let seq = any(*back)?;
                (
                    (Method::PUT, at(seq, "/pin"), none()),
                    frame("pin", json!({ "seq": seq })),
                )
            }
            What::Unpin { back } => {
                let seq = any(*back)?;
                (
                    (Method::DELETE, at(seq, "/pin"), none()),
                    frame("unpin", json!({ "seq": seq })),
                )
            }
            // Who leaves a conversation comes back when somebody opens it again.
            What::Leave if room.born["visibility"] == "direct" => return None,
            // At the page it is the page that says how far one has read.
            What::Read { .. } if operation.who == AT_THE_PAGE => return None,
            What::Read { back } => {
                let seq = any(*back)?;
                (
                    (
                        Method::PUT,
                        path("/read".to_owned()),
                        Some(json!({ "seq": seq })),
                    ),
                    none(),
                )
            }
            What::Join => (
                (Method::POST, path("/members".to_owned()), Some(json!({}))),
                frame("join", json!({})),
            ),
            What::Leave => (
                (Method::DELETE, path("/members/me".to_owned()), none()),
                frame("leave", json!({})),
            ),
            What::Kick(who) => ((Method::DELETE, member(*who), none()), none()),
            What::Ban(who) => (
                (Method::PUT, ban(*who), Some(json!({ "reason": "noise" }))),
                none(),
            ),
            What::Unban(who) => ((Method::DELETE, ban(*who), none()), none()),
            What::Role(who, role) => (
                (Method::PATCH, member(*who), Some(json!({ "role": role }))),
                none(),
            ),
            What::Mute(who) => {
                let until = "2099-01-01T00:00:00.000Z";
                (
                    (
                        Method::PATCH,
                        member(*who),
                        Some(json!({ "muted_until": until })),
                    ),
                    none(),
                )
            }
            What::Unmute(who) => (
                (
                    Method::PATCH,
                    member(*who),
                    Some(json!({ "muted_until": null })),
                ),
                none(),
            ),
            What::Block(who) => ((Method::PUT, block(*who), none()), none()),
            What::Unblock(who) => ((Method::DELETE, block(*who), none()), none()),
            What::Topic(number) => (
                (
                    Method::PATCH,
                    path(String::new()),
                    Some(json!({ "topic": format!("topic {number}") })),
                ),
                none(),
            ),
            What::Capacity(members) => (
                (
                    Method::PATCH,
                    path(String::new()),
                    Some(json!({ "max_members": members })),
                ),
                none(),
            ),
            What::Archive => (
                (
                    Method::PATCH,
                    path(String::new()),
                    Some(json!({ "archived": true })),
                ),
                none(),
            ),
            What::Unarchive => (
                (
                    Method::PATCH,
                    path(String::new()),
                    Some(json!({ "archived": false })),
                ),
                none(),
            ),
        };
        let (method, path, body) = by_http;
        Some(match by_socket.filter(|_| operation.by_socket) {
            Some(frame) => Deed::Frame(frame),
            None => Deed::Request(method, path, body),
        })
    }

    fn text(&self, text: &Text) -> Value {
        let mut words = vec![format!("tea number {}", text.number)];
        words.extend(
            text.calls
                .iter()
                .map(|who| format!("@{}", self.people[*who].username)),
        );
        words.extend(text.calls_everybody.then(|| "@room".to_owned()));
        words.join(" ").into()
    }

    async fn do_it(&self, operation: &Operation, deed: Deed) -> Result<Done> {
        match deed {
            Deed::Request(method, path, body) => {
                let asked = body.as_ref().and_then(|body| body["seq"].as_u64());
                let answer = self.people[operation.who]
                    .http
                    .call(method, &path, body)
                    .await?;
                ensure!(answer.status < 500, "{answer:?}");
                let (is_taken, is_new) = (answer.status < 300, answer.status == 201);
                let seq = answer.body["seq"].as_u64().or(asked).unwrap_or_default();
                Ok(Done {
                    seq: is_taken.then_some(seq),
                    is_new,
                })
            }
            Deed::Frame(frame) => {
                let mut socket = self.sockets[operation.who].lock().await;
                match socket.ask(&frame).await? {
                    ServerFrame::Ack(ack) => {
                        if frame["type"] == "send" && !ack.duplicate {
                            // A client says how far it has read.
                            socket
                                .say(&json!({ "type": "read", "room": ack.room, "seq": ack.seq }))
                                .await?;
                        }
                        Ok(Done {
                            seq: Some(ack.seq.0),
                            is_new: !ack.duplicate,
                        })
                    }
                    ServerFrame::Ok(_) => Ok(Done {
                        seq: Some(0),
                        is_new: true,
                    }),
                    ServerFrame::Error(error) => {
                        ensure!(error.code.status() < 500, "{error:?}");
                        Ok(Done {
                            seq: None,
                            is_new: false,
                        })
                    }
                    other => bail!("{other:?} answers {frame}"),
                }
            }
        }
    }

    fn note(&mut self, operation: &Operation, done: &Done) {
        let Some(seq) = done.seq else {
            self.refused += 1;
            return;
        };
        *self.taken.entry(operation.what.name()).or_default() += 1;
        let (by, room) = (operation.who, &mut self.rooms[operation.room]);
        match &operation.what {
            What::Send(text) | What::Reply { text, .. } | What::Thread { text, .. }
                if done.is_new =>
            {
                let is_answer = matches!(operation.what, What::Thread { .. });
                room.said.push(Said {
                    seq,
                    by,
                    client_id: client_id(text),
                    is_answer,
                });
                room.marks[by].push(seq);
            }
            What::Read { .. } => room.marks[by].push(seq),
            _ => {}
        }
    }
}

impl Room {
    /// The message that is so far back among those that are wanted; the first, if there are not so many.
    fn back(&self, back: usize, wanted: impl Fn(&Said) -> bool) -> Option<&Said> {
        let mut wanted = self
            .said
            .iter()
            .rev()
            .filter(|said| wanted(said))
            .peekable();
        let mut found = wanted.next()?;
        for said in wanted.take(back) {
            found = said;
        }
        Some(found)
    }
}

/// The name under which a message is sent.
fn client_id(text: &Text) -> String {
    format!("message {}", text.number)
}
