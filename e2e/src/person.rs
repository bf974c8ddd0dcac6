//! Somebody with an account, and what people do most.

use std::{
    process,
    sync::atomic::{AtomicU32, Ordering},
};

use anyhow::{Context as _, Result};
use protocol::{RoomId, UserId, messages::Message};
use serde_json::{Value, json};

use crate::{Http, Socket};

/// The password of everybody here.
const PASSWORD: &str = "plain sailing 1843";

/// A name that nothing else in these tests has.
pub fn unique(word: &str) -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    format!(
        "{word}{}x{}",
        process::id(),
        COUNT.fetch_add(1, Ordering::Relaxed)
    )
}

/// Somebody who is logged in.
#[derive(Clone)]
pub struct Person {
    /// Speaks with their token.
    pub http: Http,
    pub id: UserId,
    pub username: String,
    pub password: &'static str,
    pub refresh_token: String,
}

impl Person {
    /// Registers a new account whose name begins with `word`.
    ///
    /// # Errors
    /// When it is not answered with 201.
    pub async fn register(http: &Http, word: &str) -> Result<Self> {
        let username = unique(word);
        let body = json!({"username": username, "email": format!("{username}@example.com"), "password": PASSWORD});
        let signed_in = http.post("/v1/auth/register", body).await?.expect(201)?;
        Self::of(http, &signed_in)
    }

    /// Logs in again: another session of the same account.
    ///
    /// # Errors
    /// When it is not answered with 200.
    pub async fn log_in(&self, http: &Http) -> Result<Self> {
        let body = json!({"login": self.username, "password": PASSWORD});
        let signed_in = http.post("/v1/auth/login", body).await?.expect(200)?;
        Self::of(http, &signed_in)
    }

    fn of(http: &Http, signed_in: &Value) -> Result<Self> {
        let text = |value: &Value| {
            value
                .as_str()
                .map(str::to_owned)
                .context("the answer has no tokens")
        };
        Ok(Self {
            http: http.with_token(text(&signed_in["access_token"])?),
            id: text(&signed_in["user"]["id"])?.parse()?,
            username: text(&signed_in["user"]["username"])?,
            password: PASSWORD,
            refresh_token: text(&signed_in["refresh_token"])?,
        })
    }

    /// The same person, speaking to another server of the same cluster.
    #[must_use]
    pub fn at(&self, http: &Http) -> Self {
        let token = self.http.token().unwrap_or_default();
        Self {
            http: http.with_token(token),
            ..self.clone()
        }
    }

    /// Makes a public room.
    ///
    /// # Errors
    /// When it is not answered with 201.
    pub async fn create_room(&self) -> Result<RoomId> {
        self.create_room_as(json!({"name": unique("room ")})).await
    }

    /// Makes the room that `body` asks for.
    ///
    /// # Errors
    /// When it is not answered with 201.
    pub async fn create_room_as(&self, body: Value) -> Result<RoomId> {
        let room = self.http.post("/v1/rooms", body).await?.expect(201)?;
        Ok(room["id"].as_str().context("a room has an id")?.parse()?)
    }

    /// Joins a public room.
    ///
    /// # Errors
    /// When it is not answered with 201.
    pub async fn join(&self, room: RoomId) -> Result<()> {
        self.http
            .post(&format!("/v1/rooms/{room}/members"), json!({}))
            .await?
            .expect(201)
            .map(drop)
    }

    /// Opens a socket, with the token in its head.
    ///
    /// # Errors
    /// When the upgrade is refused or `ready` does not come.
    pub async fn socket(&self) -> Result<Socket> {
        Socket::connect(self.http.address(), self.http.token().unwrap_or_default()).await
    }

    /// Every message of a room, oldest first, page by page.
    ///
    /// # Errors
    /// When it cannot be read.
    pub async fn history(&self, room: RoomId) -> Result<Vec<Message>> {
        let mut messages: Vec<Message> = Vec::new();
        loop {
            let after = messages.last().map_or(0, |message| message.seq.0);
            let path = format!("/v1/rooms/{room}/messages?after={after}&limit=200");
            let page = self.http.get(&path).await?.expect(200)?;
            let more: Vec<Message> = serde_json::from_value(page["messages"].clone())?;
            if more.is_empty() {
                return Ok(messages);
            }
            messages.extend(more);
        }
    }
}
