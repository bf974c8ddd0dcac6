//! A private `PgBouncer` in front of a private PostgreSQL, pooling by transaction as in production.

use std::{
    fs,
    os::unix::fs::{PermissionsExt, chown},
    path::Path,
    process::Command,
};

use anyhow::{Context, Result, bail, ensure};
use tokio::task::spawn_blocking;

use crate::{
    Postgres, apt, free_port,
    home::{Home, NOBODY, are_root, run_quietly},
    postgres::accepts_sessions,
    say,
    source::{self, Program, Source, Wanted},
};

const WANTED: Wanted = Wanted {
    name: "PgBouncer",
    executables: &["pgbouncer"],
    folders: &[
        "/usr/sbin",
        "/opt/homebrew/opt/pgbouncer/bin",
        "/usr/local/opt/pgbouncer/bin",
    ],
    apt: Some("pgbouncer"),
    build: Some(build),
    brew: Some("pgbouncer"),
    image: None,
    suits: |program| {
        let (major, minor) = program.version()?;
        ensure!(
            (major, minor) >= (1, 21),
            "{} is version {major}.{minor}, and prepared statements need 1.21",
            program.path.display()
        );
        Ok(())
    },
};

/// For systems whose packages are too old.
const RELEASE: &str = "pgbouncer-1.24.1";
const RELEASE_SHA256: &str = "da72a3aba13072876d055a3e58dd4aba4a5de4ed6148e73033185245598fd3e0";
const RELEASE_URLS: [&str; 2] = [
    "https://www.pgbouncer.org/downloads/files/1.24.1/pgbouncer-1.24.1.tar.gz",
    "http://deb.debian.org/debian/pool/main/p/pgbouncer/pgbouncer_1.24.1.orig.tar.gz",
];

/// A running pooler, which ends when this is dropped or the test is killed.
pub struct PgBouncer {
    home: Home,
    program: Program,
    port: u16,
}

impl PgBouncer {
    /// Starts a pooler with `pool_size` connections to each database of `postgres`.
    ///
    /// # Errors
    /// When there is no `PgBouncer` to be had, or it does not start.
    pub async fn start(postgres: &Postgres, pool_size: u16) -> Result<Self> {
        let port = free_port();
        let settings = format!(
            "[databases]\n* = host=127.0.0.1 port={}\n\
             [pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\n\
             auth_type = trust\nauth_file = users\npool_mode = transaction\nmax_prepared_statements = 200\n\
             default_pool_size = {pool_size}\nmax_client_conn = 1000\n\
             ignore_startup_parameters = extra_float_digits\n",
            postgres.port()
        );
        let mut pooler = spawn_blocking(move || {
            let Source::Program(program) = source::find(&WANTED)? else {
                bail!("no image is named")
            };
            let home = Home::new("pgbouncer", "KILL")?.without_privileges()?;
            for (name, content) in [
                ("settings", settings.as_str()),
                ("users", "\"chatx\" \"chatx\"\n"),
            ] {
                fs::write(home.path().join(name), content)?;
                if are_root() {
                    chown(home.path().join(name), Some(NOBODY), Some(NOBODY))?;
                }
            }
            anyhow::Ok(Self {
                home,
                program,
                port,
            })
        })
        .await??;
        pooler.start_again().await?;
        Ok(pooler)
    }

    /// The url of a database of the server behind it.
    pub fn url(&self, database: &str) -> String {
        format!("postgres://chatx:chatx@127.0.0.1:{}/{database}", self.port)
    }

    /// `kill -9`.
    ///
    /// # Errors
    /// When it does not run.
    pub fn kill(&mut self) -> Result<()> {
        self.home.id().context("PgBouncer does not run")?;
        self.home.kill()
    }

    /// Starts the killed pooler on the same port.
    ///
    /// # Errors
    /// When it does not start.
    pub async fn start_again(&mut self) -> Result<()> {
        let mut command = self.program.command();
        command.arg("settings");
        self.home.start(&command)?;
        let port = self.port;
        self.home
            .until_ready("PgBouncer", async || {
                accepts_sessions(port).await.unwrap_or(false)
            })
            .await
    }

    /// What it has logged, over restarts.
    pub fn log(&self) -> String {
        self.home.log()
    }
}

/// Builds the release from its source, once, against the libevent of the system's packages.
fn build() -> Result<Option<Program>> {
    let Some(libevent) = apt::unpack(WANTED.name, "libevent-dev")? else {
        return Ok(None);
    };
    let cache = apt::cache_directory();
    let program = Program {
        path: cache.join(RELEASE).join("pgbouncer"),
        root: None,
    };
    let _lock = apt::lock(&cache)?;
    if !program.path.exists() {
        say(format!(
            "{}: building {RELEASE} in {}",
            WANTED.name,
            cache.display()
        ));
        let archive = cache.join(format!("{RELEASE}.tar.gz"));
        download(&archive)?;
        run_quietly(
            Command::new("tar")
                .arg("--no-same-owner")
                .arg("-xzf")
                .arg(&archive)
                .current_dir(&cache),
        )?;
        compile(&cache.join(RELEASE), &libevent)?;
        fs::set_permissions(cache.join(RELEASE), fs::Permissions::from_mode(0o755))?;
        fs::remove_file(archive)?;
    }
    Ok(Some(program))
}

/// By apt's own downloader, which checks the sum.
fn download(archive: &Path) -> Result<()> {
    let mut last = None;
    for url in RELEASE_URLS {
        let mut helper = Command::new("/usr/lib/apt/apt-helper");
        helper
            .args(["-o", "APT::Sandbox::User=", "download-file", url])
            .arg(archive);
        match run_quietly(helper.arg(format!("SHA256:{RELEASE_SHA256}"))) {
            Ok(()) => return Ok(()),
            Err(error) => last = Some(error),
        }
    }
    last.map_or(Ok(()), Err)
}

fn compile(source: &Path, libevent: &Path) -> Result<()> {
    let include = libevent.join("usr/include");
    let libraries = source::expand(&libevent.join("usr/lib/*-linux-*"));
    let library = libraries
        .first()
        .context("libevent-dev holds no library")?
        .join("libevent.a");
    // The headers that depend on the architecture lie in a folder of its name.
    let triplet = library
        .parent()
        .and_then(Path::file_name)
        .context("a library lies in a folder")?;
    let flags = format!(
        "-I{} -I{}",
        include.display(),
        include.join(triplet).display()
    );
    run_quietly(
        Command::new("./configure")
            .args(["--without-openssl", "--without-cares"])
            .env("LIBEVENT_CFLAGS", flags)
            .env("LIBEVENT_LIBS", &library)
            .current_dir(source),
    )?;
    let jobs = std::thread::available_parallelism().map_or(1, usize::from);
    run_quietly(
        Command::new("make")
            .arg(format!("-j{jobs}"))
            .arg("pgbouncer")
            .current_dir(source),
    )
}
