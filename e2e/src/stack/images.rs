//! What an image starts when nobody says otherwise: ours by its Dockerfile, those of others as their own
//! documentation says. The programs are those of this system.

use std::{
    collections::BTreeMap,
    env,
    ffi::OsString,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context as _, Result, bail, ensure};

use super::{
    compose::{Healthcheck, Service},
    dockerfile::{Check, Dockerfile},
    seconds,
};

/// A process that an image makes, and what stands around it.
#[derive(Debug)]
pub(super) struct Image {
    pub(super) user: u32,
    pub(super) directory: String,
    pub(super) environment: BTreeMap<String, String>,
    pub(super) volumes: Vec<String>,
    entrypoint: Vec<String>,
    command: Vec<String>,
    pub(super) check: Option<Check>,
    pub(super) stop_signal: String,
    pub(super) programs: Vec<Program>,
}

/// A program by its name in the image.
#[derive(Clone, Debug)]
pub(super) struct Program {
    pub(super) name: String,
    pub(super) path: PathBuf,
    /// Where its libraries are, when it is unpacked rather than installed.
    pub(super) libraries: Option<OsString>,
}

/// An image of somebody else.
struct Foreign {
    name: &'static str,
    package: &'static str,
    folders: &'static [&'static str],
    programs: &'static [&'static str],
    user: u32,
    directory: &'static str,
    environment: &'static [(&'static str, &'static str)],
    volumes: &'static [&'static str],
    /// What is said before `command`.
    entrypoint: &'static [&'static str],
    command: &'static [&'static str],
    stop_signal: &'static str,
}

/// What the entrypoint of the image of PostgreSQL does: a new database when there is none, where
/// everybody who comes over the network needs the password.
const POSTGRES: &str = r#"
set -e
if [ ! -s "$PGDATA/PG_VERSION" ]; then
    printf %s "$POSTGRES_PASSWORD" >password
    initdb --username="$POSTGRES_USER" --pwfile=password --auth-host=scram-sha-256 --auth-local=trust \
        --no-instructions -D "$PGDATA"
    rm password
    echo "host all all all scram-sha-256" >>"$PGDATA/pg_hba.conf"
    echo "create database \"$POSTGRES_DB\"" | postgres --single -D "$PGDATA" postgres
fi
exec postgres -D "$PGDATA" -c 'listen_addresses=*' -c unix_socket_directories=/var/lib/postgresql "$@"
"#;

const FOREIGN: [Foreign; 3] = [
    Foreign {
        name: "postgres:",
        package: "postgresql",
        folders: &["/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin"],
        programs: &["postgres", "initdb", "pg_isready"],
        user: 70,
        directory: "/var/lib/postgresql",
        environment: &[("PGDATA", "/var/lib/postgresql/data")],
        volumes: &[],
        entrypoint: &["sh", "-c", POSTGRES, "postgres"],
        command: &[],
        // Fast shutdown: sessions are ended, what is committed is kept.
        stop_signal: "SIGINT",
    },
    Foreign {
        name: "redis:",
        package: "redis-server",
        folders: &[],
        programs: &["redis-server", "redis-cli"],
        user: 999,
        directory: "/",
        environment: &[],
        volumes: &[],
        // The image is built to answer the network of containers without a password.
        entrypoint: &["sh", "-c", "exec \"$@\" --protected-mode no", "redis"],
        command: &["redis-server"],
        stop_signal: "SIGTERM",
    },
    Foreign {
        name: "haproxy:",
        package: "haproxy",
        folders: &["/usr/sbin", "/usr/local/sbin"],
        programs: &["haproxy"],
        user: 99,
        directory: "/var/lib/haproxy",
        environment: &[],
        volumes: &["/var/lib/haproxy"],
        // In the foreground, with a master that takes signals.
        entrypoint: &["sh", "-c", "shift; exec haproxy -W -db \"$@\"", "haproxy"],
        command: &[],
        // It takes no more connections, and ends with the last one.
        stop_signal: "SIGUSR1",
    },
];

/// Gets the programs of all images of others, from wherever they are. In the network of the stack there
/// is nowhere to get them from.
///
/// # Errors
/// When one is not to be had.
pub fn fetch() -> Result<()> {
    FOREIGN
        .iter()
        .try_for_each(|image| programs(image).map(drop))
}

fn programs(image: &Foreign) -> Result<Vec<Program>> {
    let found = testkit::programs(image.package, image.folders, image.programs)?;
    let named = image.programs.iter().zip(found);
    let named = named.map(|(name, (path, libraries))| Program {
        name: (*name).to_owned(),
        path,
        libraries,
    });
    Ok(named.collect())
}

impl Image {
    pub(super) fn of(service: &Service, folder: &Path) -> Result<Self> {
        let mut image = match &service.build {
            Some(build) => {
                ensure!(
                    build.context == "..",
                    "an image is built from this repository"
                );
                let file = folder.join(&build.context).join(&build.dockerfile);
                Self::built(Dockerfile::read(&file)?)?
            }
            None => Self::foreign(&service.image)?,
        };
        if let Some(command) = &service.command {
            image.command = command.to_vec();
        }
        if let Some(check) = &service.healthcheck {
            image.check = said(check)?;
        }
        image.environment.extend(service.environment.clone());
        Ok(image)
    }

    /// What is started, in whole.
    pub(super) fn whole_command(&self) -> Vec<String> {
        [&*self.entrypoint, &*self.command].concat()
    }

    fn built(file: Dockerfile) -> Result<Self> {
        let own = env::current_exe()?;
        let programs = file.programs.iter().map(|path| {
            let name = path.rsplit('/').next().unwrap_or_default().to_owned();
            let path = own.with_file_name(&name);
            ensure!(path.is_file(), "{name} is not built: cargo build --bins");
            Ok(Program {
                name,
                path,
                libraries: None,
            })
        });
        Ok(Self {
            programs: programs.collect::<Result<_>>()?,
            user: file.user,
            directory: file.directory,
            environment: file.environment,
            volumes: file.volumes,
            entrypoint: file.entrypoint,
            command: file.command,
            check: file.healthcheck,
            stop_signal: file.stop_signal,
        })
    }

    fn foreign(name: &str) -> Result<Self> {
        let known = FOREIGN.iter().find(|image| name.starts_with(image.name));
        let image = known.with_context(|| format!("the image {name} is not known"))?;
        let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
        let pairs = image.environment.iter();
        Ok(Self {
            programs: programs(image)?,
            user: image.user,
            directory: image.directory.to_owned(),
            environment: pairs
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect(),
            volumes: words(image.volumes),
            entrypoint: words(image.entrypoint),
            command: words(image.command),
            check: None,
            stop_signal: image.stop_signal.to_owned(),
        })
    }
}

/// The check of a compose file, in place of the image's; none when it is disabled.
fn said(check: &Healthcheck) -> Result<Option<Check>> {
    if check.disable {
        return Ok(None);
    }
    let [way, test @ ..] = &*check.test else {
        bail!("a check needs a test");
    };
    ensure!(way == "CMD", "a check by {way} is not understood");
    let time = |given: &Option<String>| seconds(given.as_deref().unwrap_or("30s"));
    Ok(Some(Check {
        test: test.to_vec(),
        interval: time(&check.interval)?,
        timeout: time(&check.timeout)?,
        retries: check.retries.unwrap_or(3),
        start_period: Duration::ZERO,
    }))
}
