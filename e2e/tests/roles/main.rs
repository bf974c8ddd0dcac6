//! Who may do what with a room, tried by every role in every way that there is: over HTTP, and on a socket where a frame
//! says the same. What is refused changes nothing, so that one room serves until somebody may.

mod table;

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, Result, bail, ensure};
use chatx_e2e::{Http, Person, Socket, unique, unlimited};
use hyper::Method;
use protocol::{RoomId, frame::ServerFrame};
use serde_json::{Value, json};
use table::{ROWS, SHORT, WHO};
use testkit::{Chatx, Database};

/// Something to do, and what is answered to whom.
struct Row {
    operation: &'static str,
    /// JSON, or nothing.
    body: &'static str,
    /// The same as a frame, but for its room; or nothing.
    frame: &'static str,
    answers: &'static str,
}

/// The one who is a server admin by the settings.
const ROOT: &str = "groundskeeper";

#[tokio::test(flavor = "multi_thread")]
async fn every_role_may_what_the_table_says() -> Result<()> {
    let setup = || unlimited().set("CHATX_ADMINS", ROOT);
    let on_sqlite = setup().start().await?;
    check(&on_sqlite).await.context("on SQLite")?;
    drop(on_sqlite);
    let database = Database::fresh().await?;
    let on_postgres = setup().set("DATABASE_URL", database.url()).start().await?;
    check(&on_postgres).await.context("on PostgreSQL")
}

#[test]
fn every_operation_of_a_room_is_in_the_table() {
    let operations = include_str!("../../../handlers/tests/http/operations.txt").lines();
    let of_rooms: BTreeSet<_> = operations.filter(|it| it.contains("{room}")).collect();
    let plain = |row: &Row| {
        let path = row.operation.split('?').next().unwrap_or_default();
        let parts = path.split('/').map(|part| match part {
            "{theirs}" | "{own}" => "{seq}",
            "{owner}" | "{banned}" => "{user}",
            "{invite}" | "{own invite}" => "{code}",
            "%F0%9F%8D%B5" => "{emoji}",
            part if part.starts_with("{mate") => "{user}",
            part if part.ends_with("room}") => "{room}",
            part => part,
        });
        parts.collect::<Vec<_>>().join("/")
    };
    let tried: BTreeSet<_> = ROWS.iter().map(plain).collect();
    let tried: BTreeSet<_> = tried.iter().map(String::as_str).collect();
    assert_eq!(tried, of_rooms);
}

async fn check(chatx: &Chatx) -> Result<()> {
    let mut scene = Scene::open(&Http::new(chatx.address())).await?;
    let mut wrong = Vec::new();
    for row in ROWS {
        let answers = row.answers.split_whitespace().filter(|word| *word != "|");
        let answers: Vec<_> = answers.map(whole).collect();
        ensure!(answers.len() == WHO.len(), "{}", row.operation);
        scene.rooms.clear();
        for (who, expected) in WHO.into_iter().zip(answers) {
            for is_frame in [false, true] {
                if is_frame && row.frame.is_empty() {
                    continue;
                }
                let (answer, expected) = if is_frame {
                    let is_done = expected.parse::<u16>().is_ok();
                    let answer = scene.say(who, row).await?;
                    (answer, if is_done { "done" } else { expected })
                } else {
                    (scene.ask(who, row).await?, expected)
                };
                if answer != expected {
                    let what = if is_frame { row.frame } else { row.operation };
                    let body = if is_frame { "" } else { row.body };
                    wrong.push(format!("{who}: {what} {body}: {answer}, not {expected}"));
                }
            }
        }
    }
    ensure!(wrong.is_empty(), "{wrong:#?}");
    Ok(())
}

fn whole(word: &'static str) -> &'static str {
    let mut short = SHORT.into_iter();
    short
        .find(|(short, _)| *short == word)
        .map_or(word, |(_, long)| long)
}

/// Everybody, and the rooms that are as they should be, by what comes before `room` in their placeholders.
struct Scene {
    people: BTreeMap<&'static str, Person>,
    sockets: BTreeMap<&'static str, Socket>,
    rooms: BTreeMap<&'static str, RoomId>,
}

impl Scene {
    async fn open(http: &Http) -> Result<Self> {
        let mut people = BTreeMap::new();
        for who in WHO.into_iter().chain(["mate"]) {
            let person = match who {
                "root" => root(http).await?,
                _ => Person::register(http, who).await?,
            };
            people.insert(who, person);
        }
        let mut sockets = BTreeMap::new();
        for (who, person) in &people {
            sockets.insert(*who, person.socket().await?);
        }
        Ok(Self {
            people,
            sockets,
            rooms: BTreeMap::new(),
        })
    }

    /// What is answered over HTTP: a status, or a code.
    async fn ask(&mut self, who: &'static str, row: &Row) -> Result<String> {
        let (method, path) = row.operation.split_once(' ').context("a method")?;
        let (kind, room) = self.room(who, row).await?;
        let path = self.filled(path, who, room).await?;
        let http = &self.people[who].http;
        let answer = if path.ends_with("/files") {
            http.upload(&path, "two spoons").await?
        } else {
            let body = match row.body {
                "" => None,
                body => Some(serde_json::from_str(&self.filled(body, who, room).await?)?),
            };
            http.call(Method::from_bytes(method.as_bytes())?, &path, body)
                .await?
        };
        if answer.status < 300 {
            if method != "GET" {
                self.rooms.remove(kind);
            }
            return Ok(answer.status.to_string());
        }
        Ok(answer.code().to_owned())
    }

    /// What is answered to the frame: `done`, or a code.
    async fn say(&mut self, who: &'static str, row: &Row) -> Result<String> {
        let (kind, room) = self.room(who, row).await?;
        let mut frame: Value = serde_json::from_str(&self.filled(row.frame, who, room).await?)?;
        frame["room"] = json!(room);
        let socket = self.sockets.get_mut(who).context("a socket")?;
        let refused = if frame["type"] == "read" {
            // It is not answered, but told to all devices.
            frame["id"] = json!("read");
            socket.say(&frame).await?;
            let heard = socket.until(|heard| match heard {
                ServerFrame::Read(read) if read.room == room => Some(None),
                ServerFrame::Error(error) if error.id.is_some() => Some(Some(error.code)),
                _ => None,
            });
            heard.await?
        } else {
            socket.refusal(&frame).await?
        };
        match refused {
            Some(code) => Ok(serde_json::to_value(code)?
                .as_str()
                .unwrap_or_default()
                .to_owned()),
            None => {
                self.rooms.remove(kind);
                Ok("done".to_owned())
            }
        }
    }

    /// The room of a row for somebody, made if there is none that is as it should be.
    async fn room(&mut self, who: &str, row: &Row) -> Result<(&'static str, RoomId)> {
        let kind = if row.operation.contains("{deleted room}") {
            "deleted"
        } else if who == "outsider" {
            "secret"
        } else if row.operation.contains("{private room}") {
            "private"
        } else {
            "public"
        };
        if let Some(room) = self.rooms.get(kind) {
            return Ok((kind, *room));
        }
        let owner = &self.people["owner"];
        let room = owner.create_room().await?;
        let path = format!("/v1/rooms/{room}");
        for who in ["admin", "moderator", "member", "mate"] {
            self.people[who].join(room).await?;
        }
        for role in ["admin", "moderator"] {
            self.give(room, role, role).await?;
        }
        let ban = format!("{path}/bans/{}", self.people["banned"].id);
        owner.http.put(&ban, json!({})).await?.expect(204)?;
        match kind {
            "deleted" => drop(owner.http.delete(&path).await?.expect(204)?),
            "public" => {}
            visibility => {
                let change = json!({ "visibility": visibility });
                owner.http.patch(&path, change).await?.expect(200)?;
            }
        }
        self.rooms.insert(kind, room);
        Ok((kind, room))
    }

    async fn give(&self, room: RoomId, who: &str, role: &str) -> Result<()> {
        let path = format!("/v1/rooms/{room}/members/{}", self.people[who].id);
        let role = json!({ "role": role });
        let given = self.people["owner"].http.patch(&path, role).await?;
        given.expect(200).map(drop)
    }

    /// The text with what its placeholders stand for, each of which is there from now on.
    async fn filled(&self, text: &str, who: &str, room: RoomId) -> Result<String> {
        let mut filled = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('{') {
            let is_word = |c: char| c.is_ascii_lowercase() || c == ' ';
            match after.split_once('}') {
                Some((word, after)) if !word.is_empty() && word.chars().all(is_word) => {
                    filled += before;
                    filled += &self.made(word, who, room).await?;
                    rest = after;
                }
                _ => {
                    filled += before;
                    filled.push('{');
                    rest = after;
                }
            }
        }
        Ok(filled + rest)
    }

    async fn made(&self, word: &str, who: &str, room: RoomId) -> Result<String> {
        let path = format!("/v1/rooms/{room}");
        let (owner, mate) = (&self.people["owner"], &self.people["mate"]);
        let said = async |by: &Person| {
            let messages = format!("{path}/messages");
            let answer = by.http.post(&messages, json!({ "body": "tea?" })).await?;
            anyhow::Ok(answer.body["seq"].as_u64().map(|seq| seq.to_string()))
        };
        let theirs = async || said(mate).await?.context("a message of another");
        let made = async |path: String, body: Value, field: &str| {
            let answer = owner.http.post(&path, body).await?.expect(201)?;
            let name = answer[field].as_str().context("a name")?;
            anyhow::Ok(name.to_owned())
        };
        Ok(match word {
            "room" | "private room" | "deleted room" => room.to_string(),
            "new" => unique("x"),
            "theirs" => theirs().await?,
            "own" => match said(&self.people[who]).await? {
                Some(seq) => seq,
                None => theirs().await?,
            },
            "mate" => mate.id.to_string(),
            "mate as moderator" | "mate as admin" => {
                let role = word.trim_start_matches("mate as ");
                self.give(room, "mate", role).await?;
                mate.id.to_string()
            }
            "owner" | "banned" => self.people[word].id.to_string(),
            "invite" => made(format!("{path}/invites"), json!({}), "code").await?,
            "own invite" => {
                let invites = format!("{path}/invites");
                let answer = self.people[who].http.post(&invites, json!({})).await?;
                answer.body["code"].as_str().unwrap_or("none").to_owned()
            }
            "hook" => made(format!("{path}/hooks"), json!({ "name": "x" }), "id").await?,
            "report" => {
                let report = format!("{path}/messages/{}/report", theirs().await?);
                made(report, json!({ "reason": "spam" }), "id").await?
            }
            _ => bail!("nobody knows what {word} is"),
        })
    }
}

/// The server admin.
async fn root(http: &Http) -> Result<Person> {
    let password = "plain sailing 1843";
    let body = json!({ "username": ROOT, "email": "root@example.com", "password": password });
    let signed_in = http.post("/v1/auth/register", body).await?.expect(201)?;
    let text = |value: &Value| value.as_str().map(str::to_owned).context("a text");
    Ok(Person {
        http: http.with_token(text(&signed_in["access_token"])?),
        id: text(&signed_in["user"]["id"])?.parse()?,
        username: ROOT.to_owned(),
        password,
        refresh_token: text(&signed_in["refresh_token"])?,
    })
}
