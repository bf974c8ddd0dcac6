//! The real `chatx` program, as it was built beside the test that starts it.

use std::{
    env,
    path::{Path, PathBuf},
    process::{Command, ExitStatus},
};

use anyhow::{Context, Result, bail};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::{free_port, home::Home, say};

/// How a `chatx` is to be started: a role and its settings.
pub struct ChatxSetup {
    arguments: Vec<String>,
    settings: Vec<(String, String)>,
    port: u16,
    executable: Option<PathBuf>,
}

impl ChatxSetup {
    /// The program to start, when it is not the one that was built beside the test.
    #[must_use]
    pub fn executable(mut self, path: PathBuf) -> Self {
        self.executable = Some(path);
        self
    }

    /// Adds or replaces a setting, by its name in the environment.
    #[must_use]
    pub fn set(mut self, name: &str, value: impl Into<String>) -> Self {
        self.settings.push((name.to_owned(), value.into()));
        self
    }

    /// The port to listen on, when it must be known before.
    #[must_use]
    pub fn at(mut self, port: u16) -> Self {
        self.port = port;
        self
    }

    #[must_use]
    pub fn argument(mut self, argument: &str) -> Self {
        self.arguments.push(argument.to_owned());
        self
    }

    /// Starts it and waits until it answers at `/livez`.
    ///
    /// # Errors
    /// When `chatx` is not built, or ends before it answers; the error has the end of its log.
    pub async fn start(self) -> Result<Chatx> {
        let mut chatx = self.housed()?;
        chatx.restart().await?;
        Ok(chatx)
    }

    /// Starts it where it is expected to refuse: answers how it ended and what it printed.
    ///
    /// # Errors
    /// When `chatx` is not built, or does not end.
    pub async fn run_to_its_end(self) -> Result<(ExitStatus, String)> {
        let mut chatx = self.housed()?;
        let command = chatx.command();
        chatx.home.start(&command)?;
        let status = chatx.home.until_ended("chatx").await?;
        Ok((status, chatx.log()))
    }

    fn housed(self) -> Result<Chatx> {
        let executable = self.executable.clone().map_or_else(chatx_executable, Ok)?;
        Ok(Chatx {
            home: Home::new("chatx", "KILL")?,
            setup: self,
            executable,
        })
    }
}

/// A running `chatx` with a directory of its own, which ends when this is dropped or the test is killed.
/// It sees no setting of the environment but those given to it.
pub struct Chatx {
    home: Home,
    setup: ChatxSetup,
    executable: PathBuf,
}

impl Chatx {
    /// `chatx serve`: everything on one port, SQLite in its own directory.
    pub fn serve() -> ChatxSetup {
        Self::role("serve")
    }

    /// `chatx handlers`, `chatx coordinator`, `chatx migrate` or any other.
    pub fn role(role: &str) -> ChatxSetup {
        ChatxSetup {
            arguments: vec![role.to_owned()],
            settings: Vec::new(),
            port: free_port(),
            executable: None,
        }
    }

    /// `127.0.0.1:port`, the same after a restart.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.setup.port)
    }

    /// `http://127.0.0.1:port`
    pub fn url(&self) -> String {
        format!("http://{}", self.address())
    }

    /// `ws://127.0.0.1:port`
    pub fn socket_url(&self) -> String {
        format!("ws://{}", self.address())
    }

    pub fn id(&self) -> Option<u32> {
        self.home.id()
    }

    /// `CHATX_DATA_DIR`.
    pub fn data_directory(&self) -> PathBuf {
        self.home.path().join("data")
    }

    /// Everything that it printed, over restarts.
    pub fn log(&self) -> String {
        self.home.log()
    }

    pub fn log_path(&self) -> PathBuf {
        self.home.log_path()
    }

    /// `kill -9`; the data directory stays.
    ///
    /// # Errors
    /// When it does not run.
    pub fn kill_9(&mut self) -> Result<()> {
        self.home.id().context("chatx does not run")?;
        self.home.kill()
    }

    /// Sends a signal (`TERM`, `STOP`, `CONT`, …) and does not wait.
    ///
    /// # Errors
    /// When it does not run.
    pub fn signal(&self, signal: &str) -> Result<()> {
        self.home.signal(signal)
    }

    /// SIGTERM, then waits for its end; the data directory stays.
    ///
    /// # Errors
    /// When it does not run or does not end.
    pub async fn terminate(&mut self) -> Result<ExitStatus> {
        self.home.signal("TERM")?;
        self.until_ended().await
    }

    /// Waits until it has ended by itself.
    ///
    /// # Errors
    /// When it does not run or does not end.
    pub async fn until_ended(&mut self) -> Result<ExitStatus> {
        self.home.until_ended("chatx").await
    }

    /// Starts it again with the same directory, port and settings; kills it before, if it still runs.
    ///
    /// # Errors
    /// When it ends before it answers.
    pub async fn restart(&mut self) -> Result<()> {
        self.home.kill()?;
        let command = self.command();
        self.home.start(&command)?;
        let address = self.address();
        self.home
            .until_ready("chatx", async || is_live(&address).await.unwrap_or(false))
            .await
    }

    /// Changes a setting for the next [`Chatx::restart`].
    pub fn set(&mut self, name: &str, value: impl Into<String>) {
        self.setup.settings.push((name.to_owned(), value.into()));
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.executable);
        command.args(&self.setup.arguments);
        for (name, _) in env::vars_os() {
            let name = name.to_string_lossy();
            if name.starts_with("CHATX_")
                || ["DATABASE_URL", "REDIS_URL", "TRUSTED_PROXIES"].contains(&name.as_ref())
            {
                command.env_remove(name.as_ref());
            }
        }
        command
            .env("CHATX_LISTEN", self.address())
            .env("CHATX_DATA_DIR", self.data_directory());
        command.envs(
            self.setup
                .settings
                .iter()
                .map(|(name, value)| (name, value)),
        );
        command
    }
}

impl Drop for Chatx {
    fn drop(&mut self) {
        if std::thread::panicking() {
            say(format_args!(
                "the end of the log of chatx {}:\n{}",
                self.setup.arguments.join(" "),
                self.home.log_tail()
            ));
        }
    }
}

/// The program that tests start: `target/<profile>/chatx`, seen from `target/<profile>/deps/<test>` or `target/<profile>/<program>`.
///
/// # Errors
/// When it is not built.
pub fn chatx_executable() -> Result<PathBuf> {
    let own = env::current_exe()?;
    for folder in own.ancestors().skip(1).take(2).map(Path::to_path_buf) {
        let path = folder.join("chatx");
        if path.is_file() {
            return Ok(path);
        }
    }
    bail!(
        "chatx is not built: run `cargo build --workspace --bins`, or the tests by `cargo xtask test`"
    )
}

async fn is_live(address: &str) -> Result<bool> {
    let mut socket = TcpStream::connect(address).await?;
    let request = format!("GET /livez HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
    socket.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    socket.take(1024).read_to_end(&mut answer).await?;
    Ok(answer.starts_with(b"HTTP/1.1 200"))
}
