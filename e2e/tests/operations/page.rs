//! The page's whole state, without a browser, on the SDK: a program for Node that is told what to do on its standard
//! input, and tells what it would show.

use std::{
    path::{Path, PathBuf},
    process::Stdio,
};

use anyhow::{Context as _, Result, ensure};
use chatx_e2e::{PATIENCE, Person};
use protocol::RoomId;
use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines},
    process::{Child, ChildStdin, ChildStdout, Command},
    sync::OnceCell,
    time::timeout,
};

pub(crate) struct Page {
    #[expect(dead_code, reason = "it ends with this")]
    child: Child,
    to: ChildStdin,
    from: Lines<BufReader<ChildStdout>>,
}

impl Page {
    /// Opens it as `person`; nothing where there is no Node.
    pub(crate) async fn open(url: &str, person: &Person) -> Result<Option<Self>> {
        static BUNDLE: OnceCell<Option<PathBuf>> = OnceCell::const_new();
        let Some(bundle) = BUNDLE.get_or_try_init(bundle).await? else {
            return Ok(None);
        };
        let mut node = Command::new("node");
        let version = Command::new("node").arg("--version").output().await?.stdout;
        // Node has a WebSocket of its own from version 22; version 20 has it behind this flag.
        if version.starts_with(b"v20") {
            node.arg("--experimental-websocket");
        }
        let mut child = node
            .args(["--enable-source-maps", "--no-warnings"])
            .arg(bundle)
            .env("CHATX_URL", url)
            .env("CHATX_LOGIN", &person.username)
            .env("CHATX_PASSWORD", person.password)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let to = child.stdin.take().context("its input")?;
        let from = BufReader::new(child.stdout.take().context("its output")?).lines();
        let mut page = Self { child, to, from };
        ensure!(page.answer().await? == "ready", "the page is not ready");
        Ok(Some(page))
    }

    /// Reads one page of what is older in a room, while all else goes on.
    pub(crate) async fn read_older(&mut self, room: RoomId) -> Result<()> {
        self.say(&format!("older {room}")).await
    }

    /// What it shows of a room once it has come to `head` and has read back to the beginning.
    pub(crate) async fn shown(&mut self, room: RoomId, head: u64) -> Result<Value> {
        self.say(&format!("show {room} {head}")).await?;
        self.answer().await
    }

    async fn say(&mut self, line: &str) -> Result<()> {
        Ok(self.to.write_all(format!("{line}\n").as_bytes()).await?)
    }

    async fn answer(&mut self) -> Result<Value> {
        let line = timeout(PATIENCE, self.from.next_line())
            .await
            .context("the page does not answer")??;
        Ok(serde_json::from_str(&line.context("the page has ended")?)?)
    }
}

/// Bundles the program; nothing where there is no npm.
async fn bundle() -> Result<Option<PathBuf>> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR"))
        .with_file_name("clients")
        .join("web");
    let has_npm = Command::new("npm")
        .arg("--version")
        .output()
        .await
        .is_ok_and(|answer| answer.status.success());
    if !has_npm {
        return Ok(None);
    }
    if !source.join("node_modules").exists() {
        run(Command::new("npm")
            .args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"])
            .current_dir(&source))
        .await?;
    }
    let bundle = Path::new(env!("CARGO_TARGET_TMPDIR")).join("page.mjs");
    run(Command::new("node")
        .args(["build.mjs", "--bundle", "test/page.ts"])
        .arg(&bundle)
        .current_dir(&source))
    .await?;
    Ok(Some(bundle))
}

async fn run(command: &mut Command) -> Result<()> {
    let output = command.output().await?;
    let told = String::from_utf8_lossy(&output.stderr);
    ensure!(
        output.status.success(),
        "{command:?} ended with {}: {told}",
        output.status
    );
    Ok(())
}
