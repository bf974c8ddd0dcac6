//! `chatx admin`, which works in the database itself, beside a server that serves from it.

use std::process::{Command, Output};

use anyhow::{Context as _, Result, ensure};
use chatx_e2e::{Http, Person, unlimited};
use protocol::{
    admin::{Account, Storage},
    frame::CloseReason,
};
use serde_json::{Value, json};
use testkit::{Chatx, Database, chatx_executable};

/// Where a database is, as a setting.
struct Desk((&'static str, String));

impl Desk {
    fn run(&self, arguments: &[&str]) -> Result<Output> {
        let Self((name, value)) = self;
        let mut command = Command::new(chatx_executable()?);
        command.arg("admin").args(arguments).env(name, value);
        Ok(command.output()?)
    }

    fn json(&self, arguments: &[&str]) -> Result<Value> {
        let output = self.run(&[arguments, &["--json"]].concat())?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "{arguments:?}: {said}");
        Ok(serde_json::from_slice(&output.stdout)?)
    }

    fn refused(&self, arguments: &[&str]) -> Result<String> {
        let output = self.run(arguments)?;
        ensure!(!output.status.success(), "{arguments:?} is done");
        Ok(String::from_utf8_lossy(&output.stderr).into_owned())
    }
}

async fn check(chatx: &Chatx, desk: &Desk) -> Result<()> {
    let http = Http::new(chatx.address());
    let ada = Person::register(&http, "ada").await?;
    let eve = Person::register(&http, "eve").await?;
    let room = eve.create_room().await?;
    ada.join(room).await?;

    // The first server admin comes to be here, and their token is from before.
    let users = "/v1/admin/users?limit=1";
    ada.http.get(users).await?.expect(403)?;
    let granted: Account = serde_json::from_value(desk.json(&["grant", &ada.username])?)?;
    assert!(granted.admin && !granted.admin_by_settings);
    ada.http.get(users).await?.expect(200)?;
    let last = desk.refused(&["revoke", &ada.username])?;
    assert!(last.contains("there would be none"), "{last}");
    let nobody = desk.refused(&["grant", "nobody-of-this-name"])?;
    assert!(nobody.contains("no such user"), "{nobody}");

    // A socket of who is suspended closes, and their room has nobody to act as its owner.
    let mut socket = eve.socket().await?;
    socket.subscribe(room, None).await?;
    let suspended = desk.json(&["suspend", &eve.username, "--reason", "spam"])?;
    assert_eq!(suspended["suspended_reason"], "spam");
    let ended = loop {
        if let Err(ended) = socket.next().await? {
            break ended;
        }
    };
    let revoked = chatx_e2e::Ended::Closed(CloseReason::SessionEnded.code());
    assert_eq!(ended, revoked);
    let login = json!({ "login": eve.username, "password": eve.password });
    let refused = http.post("/v1/auth/login", login).await?;
    assert_eq!(refused.code(), "suspended");
    let ownerless = desk.json(&["rooms", "--ownerless"])?;
    assert_eq!(ownerless["rooms"][0]["room"]["id"], json!(room));
    let given = desk.json(&["give", &room.to_string(), &ada.username])?;
    assert_eq!(given["owner"]["username"], json!(ada.username));
    let members = ada.http.get(&format!("/v1/rooms/{room}/members")).await?;
    assert_eq!(members.expect(200)?["members"][0]["role"], "owner");

    desk.json(&["delete-room", &room.to_string()])?;
    let path = format!("/v1/rooms/{room}");
    ada.http.get(&path).await?.expect(404)?;
    let restore = format!("{path}/restore");
    ada.http.post(&restore, json!({})).await?.expect(404)?;
    desk.json(&["restore-room", &room.to_string()])?;
    ada.http.get(&path).await?.expect(200)?;

    let storage: Storage = serde_json::from_value(desk.json(&["storage"])?)?;
    let storage = serde_json::to_value(storage)?;
    let told = ada.http.get("/v1/admin/storage").await?.expect(200)?;
    assert_eq!(storage["events"], told["events"]);
    let table = desk.run(&["users"])?;
    let table = String::from_utf8(table.stdout)?;
    let line = table.lines().find(|line| line.contains(&eve.username));
    let line = line.context(table.clone())?;
    assert!(line.contains("suspended (spam)"), "{line}");
    let audit = ada.http.get("/v1/admin/audit?action=user_suspend").await?;
    let audit = audit.expect(200)?;
    assert_eq!(audit["entries"][0]["request_id"], "chatx-admin");

    let link = desk.json(&["reset", &ada.username])?;
    let chosen = json!({ "token": link["token"], "new": "another one, from 1844" });
    let confirmed = http.post("/v1/auth/reset/confirm", chosen).await?;
    confirmed.expect(204)?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_server_admin_is_made_in_the_database() -> Result<()> {
    let chatx = unlimited().start().await?;
    let directory = chatx.data_directory().display().to_string();
    check(&chatx, &Desk(("CHATX_DATA_DIR", directory)))
        .await
        .context("on SQLite")?;
    let database = Database::fresh().await?;
    let chatx = unlimited()
        .set("DATABASE_URL", database.url())
        .start()
        .await?;
    check(&chatx, &Desk(("DATABASE_URL", database.url())))
        .await
        .context("on PostgreSQL")
}
