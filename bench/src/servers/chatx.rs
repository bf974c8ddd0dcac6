//! ChatX as it is deployed on one machine, and the people and rooms in it.

use anyhow::{Context, Result};
use testkit::{Chatx, Postgres};

use crate::{
    account::{create_room, join, register},
    caller::Caller,
    crowd::Entry,
    frames::text_frame,
    process::Meter,
};

/// Where messages are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Engine {
    Sqlite,
    Postgres,
}

impl Engine {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Sqlite => "SQLite",
            Self::Postgres => "PostgreSQL",
        }
    }
}

/// A running `chatx serve` with its store; commits are durable, rates do not hold.
pub(crate) struct Node {
    pub(crate) chatx: Chatx,
    postgres: Option<Postgres>,
}

/// Who talks, and where.
pub(crate) struct Rooms {
    pub(crate) tokens: Vec<String>,
    pub(crate) ids: Vec<String>,
}

/// Longer than a benchmark takes.
const LIFE_S: &str = "86400";

impl Node {
    /// Starts it on processor 0, its store too.
    ///
    /// # Errors
    /// When a server does not start.
    pub(crate) async fn start(engine: Engine) -> Result<Self> {
        let postgres = match engine {
            Engine::Sqlite => None,
            Engine::Postgres => Some(Postgres::start().await?),
        };
        Self::start_on(postgres).await
    }

    async fn start_on(postgres: Option<Postgres>) -> Result<Self> {
        let port = testkit::free_port();
        let mut setup = Chatx::serve()
            .at(port)
            // All loopback addresses, because each pair of them has only so many ports.
            .set("CHATX_LISTEN", format!("0.0.0.0:{port}"))
            .set("CHATX_PUBLIC_URL", format!("http://127.0.0.1:{port}"))
            .set("CHATX_RATE_LIMITS", "off")
            .set("CHATX_ACCESS_TOKEN_S", LIFE_S)
            .set("CHATX_TICKET_S", LIFE_S);
        if let Some(postgres) = &postgres {
            setup = setup.set("DATABASE_URL", postgres.url());
        }
        let chatx = setup.start().await?;
        let node = Self { chatx, postgres };
        node.meter()?.pin_to(0)?;
        Ok(node)
    }

    /// Ends it and starts it with the same store, so that it has nothing left of what was done so far: hashing a
    /// password takes 19 MiB, which an allocator gives back when it pleases.
    ///
    /// # Errors
    /// When it does not start.
    pub(crate) async fn start_anew(&mut self) -> Result<()> {
        self.chatx.restart().await?;
        self.meter()?.pin_to(0)
    }

    /// Counts what it uses, its store included.
    ///
    /// # Errors
    /// When it has ended.
    pub(crate) fn meter(&self) -> Result<Meter> {
        let mut roots = vec![self.chatx.id().context("the server runs")?];
        if let Some(postgres) = &self.postgres {
            roots.push(postgres.id().context("PostgreSQL runs on this machine")?);
        }
        Ok(Meter::of(roots))
    }

    /// Counts what it uses itself, without a store that is another process.
    ///
    /// # Errors
    /// When it has ended.
    pub(crate) fn own_meter(&self) -> Result<Meter> {
        Ok(Meter::of(vec![self.chatx.id().context("the server runs")?]))
    }

    /// What it counts under this name, whatever the labels; nothing if it counts no such thing.
    ///
    /// # Errors
    /// When it does not answer.
    pub(crate) fn counted(&self, name: &str) -> Result<Option<f64>> {
        let shown = Caller::new(&self.chatx.address(), "")?.ask("GET", "/metrics", "")?;
        let shown = String::from_utf8(shown)?;
        let is_it = |line: &&str| {
            let rest = line.strip_prefix(name);
            rest.is_some_and(|rest| rest.starts_with([' ', '{']))
        };
        let values = shown.lines().filter(is_it);
        let values: Vec<f64> = values
            .filter_map(|line| line.rsplit(' ').next()?.parse().ok())
            .collect();
        Ok((!values.is_empty()).then(|| values.iter().sum()))
    }

    /// Where its store is.
    pub(crate) fn database_url(&self) -> String {
        match &self.postgres {
            Some(postgres) => postgres.url(),
            None => format!(
                "sqlite:{}",
                self.chatx.data_directory().join("chatx.db").display()
            ),
        }
    }

    /// Registers `people`, who are all members of each of `rooms`.
    ///
    /// # Errors
    /// When the server refuses.
    pub(crate) async fn furnish(&self, rooms: usize, people: usize) -> Result<Rooms> {
        Rooms::make(&self.chatx.address(), rooms, people).await
    }
}

impl Rooms {
    /// Registers `people`, who are all members of each of `rooms`, with who serves HTTP at `address`.
    ///
    /// # Errors
    /// When the server refuses.
    pub(crate) async fn make(address: &str, rooms: usize, people: usize) -> Result<Self> {
        let mut tokens = Vec::new();
        for person in 0..people {
            tokens.push(register(address, &format!("bench{person}")).await?);
        }
        let mut ids = Vec::new();
        for room in 0..rooms {
            let id = create_room(address, &tokens[0], &format!("bench {room}")).await?;
            for token in &tokens[1..] {
                join(address, token, &id).await?;
            }
            ids.push(id);
        }
        Ok(Self { tokens, ids })
    }

    /// A socket of a person, subscribed to one room from now on.
    ///
    /// # Errors
    /// When the address is none.
    pub(crate) fn entry(&self, address: &str, person: usize, room: usize) -> Result<Entry> {
        let token = &self.tokens[person % self.tokens.len()];
        let subscribe = format!(
            r#"{{"type":"subscribe","room":"{}","limit":0}}"#,
            self.ids[room]
        );
        Ok(Entry {
            address: address.parse()?,
            request: upgrade(
                "/v1/socket",
                &format!("Sec-WebSocket-Protocol: chatx.v1\r\nAuthorization: Bearer {token}\r\n"),
            ),
            first_frames: text_frame(&subscribe),
            subscriptions: 1,
        })
    }
}

/// A request for a WebSocket, with more headers.
pub(crate) fn upgrade(path: &str, headers: &str) -> Vec<u8> {
    format!(
        "GET {path} HTTP/1.1\r\nHost: bench\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{headers}\r\n"
    )
    .into_bytes()
}
