//! A private Redis server that keeps nothing on disk, as ChatX expects of it.

use std::{
    env,
    process::{self, Command},
};

use anyhow::{Context, Result};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::OnceCell,
    task::spawn_blocking,
};

use crate::{
    free_port,
    home::Home,
    source::{self, Source, Wanted},
};

const WANTED: Wanted = Wanted {
    name: "Redis",
    executables: &["redis-server", "valkey-server"],
    folders: &["/opt/homebrew/opt/redis/bin", "/usr/local/opt/redis/bin"],
    apt: Some("redis-server"),
    build: None,
    brew: Some("redis"),
    image: Some("docker.io/library/redis:7-alpine"),
    suits: |program| program.version().map(drop),
};

/// A running server of its own, which ends when this is dropped or the test is killed.
pub struct Redis {
    home: Home,
    source: Source,
    port: u16,
}

impl Redis {
    /// Starts a new server, finding or fetching Redis when needed.
    ///
    /// # Errors
    /// When there is no Redis to be had, or it does not start.
    pub async fn start() -> Result<Self> {
        let port = free_port();
        let mut redis = spawn_blocking(move || {
            let source = source::find(&WANTED)?;
            let home = match &source {
                Source::Program(_) => Home::new("redis", "KILL")?,
                Source::Container(engine) => {
                    Home::with_farewell("redis", "TERM", &engine.farewell(&container_name(port)))?
                }
            };
            anyhow::Ok(Self { home, source, port })
        })
        .await??;
        redis.start_again().await?;
        Ok(redis)
    }

    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// Ends the server as an administrator would. Connections are closed.
    ///
    /// # Errors
    /// When it does not run or does not end.
    pub async fn stop(&mut self) -> Result<()> {
        self.home.signal("TERM")?;
        self.home.until_ended("Redis").await?;
        Ok(())
    }

    /// `kill -9`.
    ///
    /// # Errors
    /// When it does not run.
    pub fn kill(&mut self) -> Result<()> {
        self.home.id().context("Redis does not run")?;
        if let Source::Container(engine) = &self.source {
            engine.kill(&container_name(self.port))?;
        }
        self.home.kill()
    }

    /// Freezes the server: connections stay open and nothing answers.
    ///
    /// # Errors
    /// When it does not run.
    pub fn pause(&self) -> Result<()> {
        self.home.signal("STOP")
    }

    /// Ends [`Redis::pause`].
    ///
    /// # Errors
    /// When it does not run.
    pub fn resume(&self) -> Result<()> {
        self.home.signal("CONT")
    }

    /// Starts the stopped or killed server, empty, on the same port.
    ///
    /// # Errors
    /// When it does not start.
    pub async fn start_again(&mut self) -> Result<()> {
        let command = self.command();
        self.home.start(&command)?;
        let port = self.port;
        self.home
            .until_ready("Redis", async || answers_ping(port).await.unwrap_or(false))
            .await
    }

    fn command(&self) -> Command {
        let mut command = match &self.source {
            Source::Program(program) => {
                let mut command = program.command();
                command.args([
                    "--bind",
                    "127.0.0.1",
                    "--port",
                    &self.port.to_string(),
                    "--daemonize",
                    "no",
                ]);
                command
            }
            Source::Container(engine) => {
                let mut command = engine.run(&container_name(self.port), self.port, 6379, "/data");
                command.args([engine.image, "redis-server"]);
                command
            }
        };
        command.args(["--save", "", "--appendonly", "no"]);
        command
    }
}

/// The url of a server that tests share: `CHATX_TEST_REDIS_URL`, else one that lives as long as this
/// process. Whoever uses it keeps to keys of its own.
///
/// # Errors
/// As [`Redis::start`].
pub async fn redis_url() -> Result<String> {
    static OF_THIS_PROCESS: OnceCell<Redis> = OnceCell::const_new();
    if let Ok(url) = env::var("CHATX_TEST_REDIS_URL") {
        return Ok(url);
    }
    Ok(OF_THIS_PROCESS.get_or_try_init(Redis::start).await?.url())
}

fn container_name(port: u16) -> String {
    format!("chatx-test-redis-{}-{port}", process::id())
}

async fn answers_ping(port: u16) -> Result<bool> {
    let mut socket = TcpStream::connect(("127.0.0.1", port)).await?;
    socket.write_all(b"PING\r\n").await?;
    let mut answer = [0; 5];
    socket.read_exact(&mut answer).await?;
    Ok(&answer == b"+PONG")
}
