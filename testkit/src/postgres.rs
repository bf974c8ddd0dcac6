//! A private PostgreSQL server, as durable as a real one or as fast as tests like it.

use std::{
    env, fs,
    path::PathBuf,
    process::{self, Command},
};

use anyhow::{Context, Result, bail, ensure};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::OnceCell,
    task::spawn_blocking,
};

use crate::{
    free_port,
    home::{Home, run_quietly, send_signal},
    source::{self, Program, Source, Wanted},
};

const WANTED: Wanted = Wanted {
    name: "PostgreSQL",
    executables: &["postgres"],
    folders: &[
        "/usr/lib/postgresql/*/bin",
        "/usr/pgsql-*/bin",
        "/opt/homebrew/opt/postgresql@*/bin",
        "/usr/local/opt/postgresql@*/bin",
        "/usr/local/pgsql/bin",
    ],
    apt: Some("postgresql"),
    build: None,
    brew: Some("postgresql@17"),
    image: Some("docker.io/library/postgres:17-alpine"),
    suits: |program| {
        let version = program.version()?;
        ensure!(
            version.0 >= 15,
            "{} is version {}, and 15 is needed",
            program.path.display(),
            version.0
        );
        Ok(())
    },
};

/// What a commit means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// A commit survives the loss of power, as in production.
    Durable,
    /// A commit survives `kill -9` of the server but not of the machine; tests run faster.
    Fast,
}

/// A running server of its own, which ends, with its data, when this is dropped or the test is killed.
pub struct Postgres {
    home: Home,
    source: Source,
    port: u16,
    durability: Durability,
}

impl Postgres {
    /// Starts a new, durable server, finding or fetching PostgreSQL when needed.
    ///
    /// # Errors
    /// When there is no PostgreSQL to be had, or it does not start.
    pub async fn start() -> Result<Self> {
        Self::start_with(Durability::Durable).await
    }

    /// # Errors
    /// As [`Postgres::start`].
    pub async fn start_with(durability: Durability) -> Result<Self> {
        let port = free_port();
        let mut postgres = spawn_blocking(move || {
            let source = source::find(&WANTED)?;
            let home = match &source {
                Source::Program(program) => initialised_home(program)?,
                Source::Container(engine) => Home::with_farewell(
                    "postgres",
                    "TERM",
                    &engine.farewell(&container_name(port)),
                )?,
            };
            anyhow::Ok(Self {
                home,
                source,
                port,
                durability,
            })
        })
        .await??;
        postgres.start_again().await?;
        Ok(postgres)
    }

    /// The url of a superuser of the database `postgres`.
    pub fn url(&self) -> String {
        format!("postgres://chatx:chatx@127.0.0.1:{}/postgres", self.port)
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// The process that all its sessions descend from, where it is a program of this machine.
    pub fn id(&self) -> Option<u32> {
        match self.source {
            Source::Program(_) => self.home.id(),
            Source::Container(_) => None,
        }
    }

    /// Ends the server as an administrator would (`fast` mode); the data stays.
    ///
    /// # Errors
    /// When it does not run or does not end.
    pub async fn stop(&mut self) -> Result<()> {
        self.home.signal("INT")?;
        self.home.until_ended("PostgreSQL").await?;
        Ok(())
    }

    /// `kill -9` of the server and each of its sessions; the data stays as it was at that moment.
    ///
    /// # Errors
    /// When it does not run.
    pub fn kill(&mut self) -> Result<()> {
        let server = self.home.id().context("PostgreSQL does not run")?;
        match &self.source {
            Source::Program(_) => {
                // Every session leads a group of its own, so the group is not enough.
                let sessions = children_of(server)?;
                self.home.kill()?;
                // Sessions that have noticed the server's end are gone already.
                let _ = send_signal("KILL", &sessions);
                self.remove_shared_memory();
                Ok(())
            }
            Source::Container(engine) => {
                engine.kill(&container_name(self.port))?;
                self.home.kill()
            }
        }
    }

    /// Freezes the server and its sessions: connections stay open and nothing answers.
    ///
    /// # Errors
    /// When it does not run.
    pub fn pause(&self) -> Result<()> {
        self.signal_all("STOP")
    }

    /// Ends [`Postgres::pause`].
    ///
    /// # Errors
    /// When it does not run.
    pub fn resume(&self) -> Result<()> {
        self.signal_all("CONT")
    }

    /// Starts the stopped or killed server with the same data on the same port.
    ///
    /// # Errors
    /// When it does not start.
    pub async fn start_again(&mut self) -> Result<()> {
        let command = self.command();
        self.home.start(&command)?;
        let port = self.port;
        self.home
            .until_ready("PostgreSQL", async || {
                accepts_sessions(port).await.unwrap_or(false)
            })
            .await
    }

    /// What the server has logged, over restarts.
    pub fn log(&self) -> String {
        self.home.log()
    }

    fn command(&self) -> Command {
        let mut command = match &self.source {
            Source::Program(program) => {
                let mut command = program.command();
                command.arg("-D").arg(self.home.path().join("data"));
                command.args([
                    "-c",
                    &format!("port={}", self.port),
                    "-c",
                    "listen_addresses=127.0.0.1",
                ]);
                // No socket file and no shared memory object that a killed server would leave behind.
                command.args([
                    "-c",
                    "unix_socket_directories=",
                    "-c",
                    "dynamic_shared_memory_type=mmap",
                ]);
                command
            }
            Source::Container(engine) => {
                let mut command = engine.run(
                    &container_name(self.port),
                    self.port,
                    5432,
                    "/var/lib/postgresql/data",
                );
                command.args([
                    "--env",
                    "POSTGRES_USER=chatx",
                    "--env",
                    "POSTGRES_DB=postgres",
                ]);
                command.args(["--env", "POSTGRES_HOST_AUTH_METHOD=trust", engine.image]);
                command
            }
        };
        command.args(["-c", "max_connections=300", "-c", "log_timezone=GMT"]);
        if self.durability == Durability::Fast {
            command.args(["-c", "fsync=off", "-c", "full_page_writes=off"]);
        }
        command
    }

    fn signal_all(&self, signal: &str) -> Result<()> {
        let server = self.home.id().context("PostgreSQL does not run")?;
        send_signal(signal, &[children_of(server)?, vec![server]].concat())
    }

    /// A killed server leaves a small piece of System V memory, named in the seventh line of its file.
    fn remove_shared_memory(&self) {
        let file =
            fs::read_to_string(self.home.path().join("data/postmaster.pid")).unwrap_or_default();
        if let Some(id) = file
            .lines()
            .nth(6)
            .and_then(|line| line.split_whitespace().nth(1))
        {
            let _ = run_quietly(Command::new("ipcrm").args(["-m", id]));
        }
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // SIGQUIT: at once, but with its sessions and its shared memory.
        if self.home.signal("QUIT").is_ok() {
            self.home.wait_briefly();
        }
        if self.home.id().is_some() {
            let _ = self.kill();
        }
    }
}

/// The url of a superuser, for tests that share a server: `CHATX_TEST_POSTGRES_URL`, else a fast server
/// that lives as long as this process.
///
/// # Errors
/// As [`Postgres::start`].
pub async fn postgres_url() -> Result<String> {
    static OF_THIS_PROCESS: OnceCell<Postgres> = OnceCell::const_new();
    if let Ok(url) = env::var("CHATX_TEST_POSTGRES_URL") {
        return Ok(url);
    }
    Ok(OF_THIS_PROCESS
        .get_or_try_init(|| Postgres::start_with(Durability::Fast))
        .await?
        .url())
}

fn container_name(port: u16) -> String {
    format!("chatx-test-postgres-{}-{port}", process::id())
}

/// A home with an empty cluster. Text is compared as on a server in production where the system can.
fn initialised_home(program: &Program) -> Result<Home> {
    let home = Home::new("postgres", "QUIT")?.without_privileges()?;
    if program.root.is_some() && !fs::exists("/usr/share/zoneinfo/UTC")? {
        bail!("PostgreSQL from unpacked packages needs the package tzdata");
    }
    for locale in ["C.UTF-8", "en_US.UTF-8", "C"] {
        let mut command = program.sibling("initdb");
        command.args([
            "--username=chatx",
            "--auth=trust",
            "--encoding=UTF8",
            "--no-sync",
            "--no-instructions",
        ]);
        command
            .arg(format!("--locale={locale}"))
            .arg("-D")
            .arg(home.path().join("data"));
        if home
            .prepare(command)?
            .status()
            .context("cannot run initdb")?
            .success()
        {
            return Ok(home);
        }
    }
    bail!("initdb failed:\n{}", home.log_tail());
}

/// Asks for a session as `pg_isready` does: `R` asks for authentication, `E` says "starting up".
pub(crate) async fn accepts_sessions(port: u16) -> Result<bool> {
    let parameters = b"user\0chatx\0database\0postgres\0\0";
    let mut startup = Vec::new();
    startup.extend(u32::try_from(8 + parameters.len())?.to_be_bytes());
    startup.extend(196_608_u32.to_be_bytes());
    startup.extend(parameters);
    let mut socket = TcpStream::connect(("127.0.0.1", port)).await?;
    socket.write_all(&startup).await?;
    Ok(socket.read_u8().await? == b'R')
}

/// The ids of the processes that `parent` started.
fn children_of(parent: u32) -> Result<Vec<u32>> {
    if !PathBuf::from("/proc/self/stat").exists() {
        let output = Command::new("pgrep")
            .args(["-P", &parent.to_string()])
            .output()?;
        return Ok(String::from_utf8_lossy(&output.stdout)
            .lines()
            .filter_map(|id| id.parse().ok())
            .collect());
    }
    let mut children = Vec::new();
    for entry in fs::read_dir("/proc")? {
        let entry = entry?;
        let Some(id) = entry
            .file_name()
            .to_str()
            .and_then(|name| name.parse().ok())
        else {
            continue;
        };
        // `id (name) state parent …`, where the name may hold anything. It may be gone by now.
        let stat = fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
        let parent_of_it = stat
            .rsplit_once(") ")
            .and_then(|(_, rest)| rest.split(' ').nth(1)?.parse().ok());
        if parent_of_it == Some(parent) {
            children.push(id);
        }
    }
    Ok(children)
}
