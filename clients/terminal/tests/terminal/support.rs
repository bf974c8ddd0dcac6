//! Somebody at a machine of their own, and a window with a terminal in it.

use std::{ffi::OsString, fmt::Write as _, path::PathBuf, process::Stdio, time::Duration};

use anyhow::{Context as _, Result, bail, ensure};
use e2e::{PATIENCE, unique};
use tempfile::TempDir;
use testkit::chatx_executable;
use tokio::{
    io::AsyncWriteExt as _,
    process::{Child, Command},
    time::{Instant, sleep, timeout},
};

/// The password of everybody here.
pub(crate) const PASSWORD: &str = "plain sailing 1843";

/// Somebody with an account, at a machine where nobody else is.
pub(crate) struct Person {
    pub(crate) name: String,
    pub(crate) home: TempDir,
}

/// How a command ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Person {
    /// Somebody who has not logged in.
    pub(crate) fn new(word: &str) -> Result<Self> {
        Ok(Self {
            name: unique(word),
            home: TempDir::new()?,
        })
    }

    /// Somebody who has just made an account.
    pub(crate) async fn register(url: &str, word: &str) -> Result<Self> {
        let person = Self::new(word)?;
        let email = format!("{}@example.com", person.name);
        let words = ["login", "--server", url, "--register", &email, &person.name];
        person
            .run_with(&words, &format!("{PASSWORD}\n"))
            .await?
            .done()?;
        Ok(person)
    }

    pub(crate) fn command(&self, words: &[&str]) -> Result<Command> {
        let mut command = Command::new(chatx_executable()?);
        command
            .args(words)
            .env("XDG_DATA_HOME", self.data_home())
            .env("TZ", "UTC")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        Ok(command)
    }

    pub(crate) fn data_home(&self) -> PathBuf {
        self.home.path().join("data")
    }

    /// Runs a command to its end.
    pub(crate) async fn run(&self, words: &[&str]) -> Result<Ended> {
        self.run_with(words, "").await
    }

    /// Runs a command to its end, with something piped in.
    pub(crate) async fn run_with(&self, words: &[&str], input: &str) -> Result<Ended> {
        let mut child = self.command(words)?.spawn()?;
        let mut stdin = child.stdin.take().context("it is piped")?;
        // A command that wants no input may be gone before it is written.
        drop(stdin.write_all(input.as_bytes()).await);
        drop(stdin);
        ended(child).await.with_context(|| words.join(" "))
    }
}

/// Waits for the end of a command.
pub(crate) async fn ended(child: Child) -> Result<Ended> {
    let output = timeout(PATIENCE, child.wait_with_output())
        .await
        .context("it does not end")??;
    Ok(Ended {
        code: output.status.code(),
        out: String::from_utf8(output.stdout)?,
        err: String::from_utf8(output.stderr)?,
    })
}

impl Ended {
    /// What it printed, if it did what it was asked for.
    pub(crate) fn done(self) -> Result<String> {
        ensure!(
            self.code == Some(0),
            "it ended with {:?}: {}{}",
            self.code,
            self.out,
            self.err
        );
        Ok(self.out)
    }
}

/// A window with a shell in it, which is closed when this is dropped.
pub(crate) struct Window {
    tmux: PathBuf,
    libraries: Option<OsString>,
    home: TempDir,
}

impl Window {
    /// Opens a window of somebody, with this to be typed first.
    pub(crate) async fn open(person: &Person, (columns, rows): (u16, u16)) -> Result<Self> {
        let programs =
            tokio::task::spawn_blocking(|| testkit::programs("tmux", &[], &["tmux"])).await??;
        let (tmux, libraries) = programs.into_iter().next().context("tmux is one program")?;
        let window = Self {
            tmux,
            libraries,
            home: TempDir::new()?,
        };
        let (columns, rows) = (columns.to_string(), rows.to_string());
        let data = format!("XDG_DATA_HOME={}", person.data_home().display());
        let shell = ["sh", "-i"];
        let words = [
            "-f",
            "/dev/null",
            "new-session",
            "-d",
            "-x",
            &columns,
            "-y",
            &rows,
            "-e",
            &data,
        ];
        let clean = ["-e", "TZ=UTC", "-e", "PS1=$ ", "-e", "LC_ALL=C.UTF-8"];
        window
            .tmux(&[&words[..], &clean[..], &shell[..]].concat())
            .await?;
        window
            .until("a shell", |screen| screen.contains('$'))
            .await?;
        Ok(window)
    }

    /// Starts the chat.
    pub(crate) async fn chats(&self) -> Result<()> {
        let chatx = chatx_executable()?;
        self.types(&format!("{} chat", chatx.display())).await?;
        self.key("Enter").await
    }

    pub(crate) async fn types(&self, text: &str) -> Result<()> {
        self.tmux(&["send-keys", "-l", "--", text]).await.map(drop)
    }

    pub(crate) async fn key(&self, key: &str) -> Result<()> {
        self.tmux(&["send-keys", key]).await.map(drop)
    }

    /// Writes a line and sends it.
    pub(crate) async fn says(&self, text: &str) -> Result<()> {
        self.types(text).await?;
        self.key("Enter").await
    }

    /// What is seen.
    pub(crate) async fn screen(&self) -> Result<String> {
        self.tmux(&["capture-pane", "-p"]).await
    }

    /// Waits until it is seen.
    pub(crate) async fn sees(&self, text: &str) -> Result<String> {
        self.until(text, |screen| screen.contains(text)).await
    }

    /// Waits until the log shows it as stored: neither in the line being written, nor among what waits.
    pub(crate) async fn has_sent(&self, text: &str) -> Result<String> {
        let is_stored = |line: &str| {
            let before = line.split_once(text).map(|(before, _)| before);
            let margin = before.map(|before| before.rsplit('│').next().unwrap_or(before).trim());
            margin.is_some_and(|margin| !matches!(margin, ">" | "…"))
        };
        self.until(text, |screen| screen.lines().any(is_stored))
            .await
    }

    pub(crate) async fn until(&self, what: &str, is_it: impl Fn(&str) -> bool) -> Result<String> {
        let patience = Instant::now() + PATIENCE;
        loop {
            let screen = self.screen().await?;
            if is_it(&screen) {
                return Ok(screen);
            }
            if Instant::now() > patience {
                bail!("not seen: {what}\n{screen}");
            }
            sleep(Duration::from_millis(50)).await;
        }
    }

    /// The process in the window that is not the shell.
    pub(crate) async fn program(&self) -> Result<u32> {
        let shell = self.tmux(&["display-message", "-p", "#{pane_pid}"]).await?;
        let children = format!("/proc/{0}/task/{0}/children", shell.trim());
        let children = tokio::fs::read_to_string(children).await?;
        let child = children
            .split_whitespace()
            .next()
            .context("the shell runs nothing")?;
        Ok(child.parse()?)
    }

    /// Sends the program in the window a signal.
    pub(crate) async fn signal(&self, signal: &str) -> Result<()> {
        let id = self.program().await?.to_string();
        let status = Command::new("kill")
            .args([&format!("-{signal}"), &id])
            .status()
            .await?;
        ensure!(status.success(), "kill -{signal} {id}");
        Ok(())
    }

    async fn tmux(&self, words: &[&str]) -> Result<String> {
        let mut command = Command::new(&self.tmux);
        command
            .args(["-u", "-S"])
            .arg(self.home.path().join("socket"))
            .args(words)
            .env_remove("TMUX");
        if let Some(libraries) = &self.libraries {
            command.env("LD_LIBRARY_PATH", libraries);
        }
        let output = command.output().await?;
        let mut complaint = String::from_utf8_lossy(&output.stderr).into_owned();
        write!(complaint, " ({})", words.join(" "))?;
        ensure!(output.status.success(), "tmux: {complaint}");
        Ok(String::from_utf8(output.stdout)?)
    }
}

impl Drop for Window {
    fn drop(&mut self) {
        let mut command = std::process::Command::new(&self.tmux);
        command
            .arg("-S")
            .arg(self.home.path().join("socket"))
            .arg("kill-server");
        if let Some(libraries) = &self.libraries {
            command.env("LD_LIBRARY_PATH", libraries);
        }
        // What is gone already needs no end.
        drop(command.stderr(Stdio::null()).status());
    }
}
