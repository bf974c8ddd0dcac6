//! Taking along what is kept of one, and leaving for good.

use std::{collections::BTreeMap, io::Read as _};

use protocol::{ErrorCode, Seq};
use serde_json::{Value, json};
use shared::leaving;

use crate::server::{PASSWORD, Person, Server, registration};

/// More than one page of messages.
const MANY: usize = 450;

/// What is in a zip, by name.
fn unpacked(bytes: &[u8]) -> BTreeMap<String, Vec<u8>> {
    let mut zip = zip::ZipArchive::new(std::io::Cursor::new(bytes)).unwrap();
    let length = zip.len();
    let read = |number| {
        let mut file = zip.by_index(number).unwrap();
        let mut content = Vec::new();
        file.read_to_end(&mut content).unwrap();
        (file.name().unwrap().into_owned(), content)
    };
    (0..length).map(read).collect()
}

fn lines(bytes: &[u8]) -> Vec<Value> {
    let text = str::from_utf8(bytes).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// Uploads a text and sends it.
async fn send_file(person: &Person<'_>, room: &str, text: &str) -> Value {
    let form = format!(
        "--x\r\ncontent-disposition: form-data; name=\"file\"; filename=\"tea.txt\"\r\n\r\n{text}\r\n--x--\r\n"
    );
    let file = person
        .post(format!("{room}/files"))
        .body("multipart/form-data; boundary=x", form)
        .await_status(201)
        .await
        .json;
    let message = json!({ "body": "see this", "files": [file["id"]] });
    person
        .post(format!("{room}/messages"))
        .json(message)
        .await_status(201)
        .await;
    file
}

async fn react(person: &Person<'_>, room: &str, seq: u64) {
    let reaction = format!("{room}/messages/{seq}/reactions/%F0%9F%8D%B5");
    person.put(reaction).await_status(204).await;
}

#[tokio::test]
async fn all_that_is_kept_of_somebody_is_taken_along_and_nothing_of_others() {
    for server in Server::each().await {
        let (ada, bob) = (server.register("ada").await, server.register("bob").await);
        let public = |name| json!({ "name": name, "visibility": "public" });
        let (tea, den) = (ada.room(public("tea")).await, bob.room(public("den")).await);
        bob.join(&tea).await;
        ada.join(&den).await;
        for number in 0..MANY {
            ada.say(&tea, &format!("tea {number}")).await;
        }
        let of_bob = bob.say(&tea, "what bob says").await;
        react(&ada, &tea, of_bob).await;
        let deleted = ada.say(&tea, "said and deleted").await;
        ada.delete(format!("{tea}/messages/{deleted}"))
            .await_status(204)
            .await;
        let file = send_file(&ada, &tea, "green or black").await;
        send_file(&bob, &tea, "bob's own").await;
        // What was said is one's own, also where one is no longer.
        ada.say(&den, "said where ada was").await;
        ada.delete(format!("{den}/members/me"))
            .await_status(204)
            .await;

        let answer = ada.get("/v1/users/me/export").await_status(200).await;
        assert_eq!(answer.header("content-type"), "application/zip");
        let files = unpacked(&answer.bytes);
        let account: Value = serde_json::from_slice(&files["account.json"]).unwrap();
        assert_eq!(account["user"]["email"], "ada@example.com");
        assert_eq!(account["sessions"].as_array().unwrap().len(), 1);
        let rooms: Value = serde_json::from_slice(&files["rooms.json"]).unwrap();
        assert_eq!(rooms["rooms"][0]["name"], "tea");
        let mut said: Vec<String> = lines(&files["messages.ndjson"])
            .iter()
            .map(|message| message["body"].as_str().unwrap().to_owned())
            .collect();
        said.sort();
        let mut expected: Vec<String> = (0..MANY).map(|number| format!("tea {number}")).collect();
        expected.extend(["see this".to_owned(), "said where ada was".to_owned()]);
        expected.sort();
        assert_eq!(said, expected);
        let reactions = lines(&files["reactions.ndjson"]);
        assert_eq!(reactions.len(), 1);
        assert_eq!(reactions[0]["seq"], of_bob);
        assert_eq!(lines(&files["files.ndjson"])[0]["id"], file["id"]);
        let name = format!("files/{} tea.txt", file["id"].as_str().unwrap());
        assert_eq!(files[&name], b"green or black");
        assert_eq!(files.len(), 6, "{:?}", files.keys());
    }
}

#[tokio::test]
async fn who_leaves_for_good_is_gone_and_all_they_said_with_them() {
    for server in Server::each().await {
        let (ada, bob, carol) = (
            server.register("ada").await,
            server.register("bob").await,
            server.register("carol").await,
        );
        let public = |name| json!({ "name": name, "visibility": "public" });
        let (tea, den, alone) = (
            ada.room(public("tea")).await,
            bob.room(public("den")).await,
            ada.room(public("alone")).await,
        );
        bob.join(&tea).await;
        carol.join(&tea).await;
        ada.patch(format!("{tea}/members/{}", carol.id))
            .json(json!({ "role": "moderator" }))
            .await_status(200)
            .await;
        ada.join(&den).await;
        let first = ada.say(&tea, "a secret of ada").await;
        ada.patch(format!("{tea}/messages/{first}"))
            .json(json!({ "body": "another secret" }))
            .await_status(200)
            .await;
        for number in 0..120 {
            ada.say(&tea, &format!("secret {number}")).await;
        }
        let file = send_file(&ada, &tea, "a secret as well").await;
        let of_bob = bob.say(&tea, "what bob says").await;
        react(&ada, &tea, of_bob).await;
        ada.say(&den, "a secret in the den").await;
        ada.delete(format!("{den}/members/me"))
            .await_status(204)
            .await;
        ada.say(&alone, "a secret for nobody").await;

        let me = "/v1/users/me";
        ada.delete(me).refused(ErrorCode::InvalidCredentials).await;
        ada.delete(me)
            .json(json!({ "password": "not this one" }))
            .refused(ErrorCode::InvalidCredentials)
            .await;
        ada.delete(me)
            .json(json!({ "password": PASSWORD }))
            .await_status(202)
            .await;
        // At once: nobody comes in any more, and nothing says who it was.
        ada.get(me).refused(ErrorCode::Unauthenticated).await;
        server
            .post("/v1/auth/login")
            .json(json!({ "login": "ada", "password": PASSWORD }))
            .refused(ErrorCode::InvalidCredentials)
            .await;
        let people = bob.get("/v1/users?query=ada").await_status(200).await;
        assert_eq!(people.json["users"], json!([]));
        let message = bob
            .get(format!("{tea}/messages/{first}"))
            .await_status(200)
            .await;
        let user = &message.json["user"];
        assert_eq!(user["display_name"], "Deleted user");
        assert!(user["username"].as_str().unwrap().starts_with("deleted-"));

        // Soon after: two nodes at once take nothing away twice.
        let (one, other) = tokio::join!(
            leaving::take_away(&server.app),
            leaving::take_away(&server.app)
        );
        one.unwrap();
        other.unwrap();
        assert!(server.app.store.leavings().await.unwrap().is_empty());
        for (room, deletes) in [(&tea, 122), (&den, 1)] {
            let log = bob
                .get(format!("{room}/events?after=0&limit=200"))
                .await_status(200)
                .await;
            let mut events = log.json["events"].as_array().unwrap().clone();
            let last = events.last().unwrap()["seq"].as_u64().unwrap();
            let rest = bob
                .get(format!("{room}/events?after={last}&limit=200"))
                .await_status(200)
                .await;
            events.extend(rest.json["events"].as_array().unwrap().iter().cloned());
            let of_kind = |kind: &str| events.iter().filter(|event| event["kind"] == kind).count();
            assert_eq!(of_kind("delete"), deletes);
            let text = json!(events).to_string();
            assert!(
                !text.contains("secret") && !text.contains("\"ada\""),
                "{text}"
            );
            if room == &tea {
                assert_eq!((of_kind("leave"), of_kind("unreact")), (1, 1));
            }
        }
        let kept = bob
            .get(format!("{tea}/messages/{of_bob}"))
            .await_status(200)
            .await;
        assert_eq!(
            (&kept.json["body"], &kept.json["reactions"]),
            (&json!("what bob says"), &json!([]))
        );
        bob.get(format!("/v1/files/{}", file["id"].as_str().unwrap()))
            .refused(ErrorCode::FileNotFound)
            .await;
        let found = bob.get("/v1/search?q=secret").await_status(200).await;
        assert_eq!(found.json["hits"], json!([]));
        // The highest role comes before who came first.
        let room = bob.get(&*tea).await_status(200).await;
        assert_eq!(
            (&room.json["owner_id"], &room.json["members"]),
            (&json!(carol.id), &json!(2))
        );
        let alone = alone.trim_start_matches("/v1/rooms/").parse().unwrap();
        let log = server.app.store.events(alone, Seq::ZERO, 50).await.unwrap();
        let kinds: Vec<&str> = log.iter().map(|event| event.kind.as_str()).collect();
        assert_eq!(kinds, ["join", "message", "leave", "delete"]);
        // Their name and address are free.
        server
            .post("/v1/auth/register")
            .json(registration("ada"))
            .await_status(201)
            .await;
    }
}
