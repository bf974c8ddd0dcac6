//! The system under test: PostgreSQL, Redis, coordinators and handlers, each a process of its own, and
//! between any two of them a link that can be cut. It breaks and mends what it is told to; when and
//! for how long is said by others.

mod process;

use std::{
    collections::BTreeMap,
    env, fs,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};
use futures_util::future::try_join_all;
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection};
use testkit::{Chatx, ChatxSetup, Postgres, Redis};
use uuid::Uuid;

pub(crate) use process::Process;
use process::{Role, Servers};

/// What is started.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    /// How many coordinators.
    pub(crate) coordinators: usize,
    /// How many processes that serve HTTP.
    pub(crate) handlers: usize,
    /// Settings of every process, beside those that make them a cluster.
    pub(crate) settings: Vec<(String, String)>,
}

/// A whole system, which ends with this value.
pub(crate) struct System {
    /// The coordinators.
    pub(crate) coordinators: Vec<Process>,
    /// The handlers.
    pub(crate) handlers: Vec<Process>,
    /// The database server.
    pub(crate) postgres: Postgres,
    /// What may be lost.
    pub(crate) redis: Redis,
    database: String,
    ids: Ids,
}

/// The processes that run, by their names, for who watches them.
pub(crate) type Ids = Arc<Mutex<BTreeMap<String, u32>>>;

const DATABASE: &str = "chatx_torture";

impl System {
    /// Starts everything.
    ///
    /// # Errors
    /// When something cannot be started; the error has the end of its log.
    pub(crate) async fn start(wanted: &Wanted) -> Result<Self> {
        let (postgres, redis) = tokio::try_join!(Postgres::start(), Redis::start())?;
        let mut connection = PgConnection::connect(&postgres.url()).await?;
        connection
            .execute(AssertSqlSafe(format!("create database {DATABASE}")))
            .await?;
        connection.close().await?;
        let database = database_at(postgres.port());

        let mut settings = wanted.settings.clone();
        let secret = Uuid::new_v4().to_string();
        settings.push(("CHATX_CLUSTER_SECRET".to_owned(), secret));
        let program = env::current_exe()?;
        let servers = Servers {
            program,
            postgres: postgres.port(),
            redis: redis.port(),
            settings,
        };
        migrate(&servers, &database).await?;
        let ids = Ids::default();
        let start = |role: Role, number: usize| Process::start(role, number, &servers, &ids);
        let coordinators = (0..wanted.coordinators).map(|number| start(Role::Coordinator, number));
        let handlers = (0..wanted.handlers).map(|number| start(Role::Handlers, number));
        let (coordinators, handlers) =
            tokio::try_join!(try_join_all(coordinators), try_join_all(handlers))?;
        Ok(Self {
            coordinators,
            handlers,
            postgres,
            redis,
            database,
            ids,
        })
    }

    /// The url of its database, past every link.
    pub(crate) fn database(&self) -> &str {
        &self.database
    }

    /// What runs.
    pub(crate) fn ids(&self) -> Ids {
        Arc::clone(&self.ids)
    }

    /// Cuts what one coordinator says to another, what it hears from it, or both, in the links that
    /// either of them opened.
    pub(crate) fn cut_nodes(&self, one: usize, other: usize, says: bool, hears: bool) {
        let [one, other] = [&self.coordinators[one], &self.coordinators[other]];
        process::cut_between(one, other, says, hears);
    }

    /// Mends every link.
    pub(crate) fn mend(&self) {
        for process in self.coordinators.iter().chain(&self.handlers) {
            process.mend();
        }
    }

    /// Ends the database sessions of a coordinator, as an administrator would.
    ///
    /// # Errors
    /// When the database cannot be asked.
    pub(crate) async fn end_sessions(&self, coordinator: usize) -> Result<()> {
        let ports = self.coordinators[coordinator].postgres.ports();
        let ports: Vec<i32> = ports.into_iter().map(i32::from).collect();
        let mut connection = PgConnection::connect(&self.database).await?;
        sqlx::query(
            "select pg_terminate_backend(pid) from pg_stat_activity where client_port = any ($1)",
        )
        .bind(ports)
        .execute(&mut connection)
        .await?;
        connection.close().await?;
        Ok(())
    }

    /// Keeps what every process has logged.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(crate) fn keep_logs(&self, directory: &Path) -> Result<()> {
        fs::create_dir_all(directory)?;
        for process in self.coordinators.iter().chain(&self.handlers) {
            let path = directory.join(format!("{}.log", process.name));
            fs::write(&path, process.log()).with_context(|| format!("{}", path.display()))?;
        }
        fs::write(directory.join("postgres.log"), self.postgres.log())?;
        Ok(())
    }
}

/// The url of the database of a run, on a server or on the link to it.
fn database_at(port: u16) -> String {
    format!("postgres://chatx:chatx@127.0.0.1:{port}/{DATABASE}")
}

async fn migrate(servers: &Servers, database: &str) -> Result<()> {
    let setup = servers.setup("migrate").set("DATABASE_URL", database);
    let (status, said) = setup.run_to_its_end().await?;
    ensure!(status.success(), "cannot make the tables:\n{said}");
    Ok(())
}

/// How long a coordinator may take to move its sockets away.
const DRAIN: Duration = Duration::from_secs(5);

impl Servers {
    fn setup(&self, role: &str) -> ChatxSetup {
        let drain_s = DRAIN.as_secs().to_string();
        let mut setup = Chatx::role(role)
            .executable(PathBuf::clone(&self.program))
            .set("CHATX_RATE_LIMITS", "off")
            .set("CHATX_DRAIN_S", drain_s);
        for (name, value) in &self.settings {
            setup = setup.set(name, value);
        }
        setup
    }
}
