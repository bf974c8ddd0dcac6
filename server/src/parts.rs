//! Makes what everything else is handed: data directory, listeners, names, secrets and the app. What
//! was not set is chosen here and nowhere else.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use anyhow::{Context as _, Result};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use secrecy::ExposeSecret as _;
use shared::{
    App, Clock, Settings, Store, app::StartError, hints::Hints, settings::Mistakes,
    store::StoreOptions,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use uuid::Uuid;

use crate::{
    arguments::Task,
    data_dir::{DataDir, Lock, existing_database_url},
    listener::Listener,
};

/// A process that is about to serve.
pub struct Parts {
    /// What its routes stand on.
    pub app: App,
    /// Where it is reached.
    pub listeners: Listeners,
    /// What runs beside the listeners.
    pub tasks: TaskTracker,
    /// Ends those tasks.
    pub end: CancellationToken,
    /// Held until the process ends, so that nobody else takes what is in files.
    _files: Files,
}

/// Where a process is reached.
pub struct Listeners {
    /// Where clients come.
    pub clients: Listener,
    /// Where other processes of the cluster come.
    pub internal: Option<Listener>,
    /// Where `/metrics` is asked for, if not at one of the others.
    pub metrics: Option<Listener>,
}

impl Listeners {
    async fn bind(task: Task, settings: &Settings) -> Result<Self> {
        let internal = match (settings.internal_listen, task) {
            (None, Task::Coordinator) => Some((Ipv4Addr::LOCALHOST, 0).into()),
            (address, _) => address,
        };
        let bind = async |address: Option<SocketAddr>| match address {
            Some(address) => Listener::bind(address).await.map(Some),
            None => Ok(None),
        };
        Ok(Self {
            clients: Listener::bind(settings.listen).await?,
            internal: bind(internal).await?,
            metrics: bind(settings.metrics_listen).await?,
        })
    }
}

impl Parts {
    /// Makes all of it for `task`. Hints go where `hints` says; without it, to the node that owns the room.
    ///
    /// # Errors
    /// [`Mistakes`] and [`StartError`] for settings that cannot be used; others name what is in the way.
    pub async fn make(task: Task, mut settings: Settings, hints: Option<Hints>) -> Result<Self> {
        check(task, &settings)?;
        raise_file_limit();
        let files = Files::take(&mut settings, true)?;
        warn_of_broken_rule();
        name(&mut settings);
        if task == Task::Serve && settings.mail.is_none() {
            settings.mail = Some("dir:mail".into());
        }
        let mut listeners = Listeners::bind(task, &settings).await?;
        if settings.public_url.is_empty() {
            settings.public_url = format!("http://{}", reachable(listeners.clients.address()));
        }
        if let (None, Some(internal)) = (&settings.internal_url, &listeners.internal) {
            let scheme = settings.internal_scheme();
            settings.internal_url = Some(format!("{scheme}://{}", internal.address()));
        }
        tell_of_own_files(&settings);
        let (tasks, end) = (TaskTracker::new(), CancellationToken::new());
        let app = App::connect(settings, Clock::system(), hints, &tasks, &end).await?;
        let internal = listeners.internal.take();
        listeners.internal = internal.map(|listener| listener.for_peers(app.internal_tls.clone()));
        Ok(Self {
            app,
            listeners,
            tasks,
            end,
            _files: files,
        })
    }
}

/// An app with nothing beside it: no listener, no task, no file. Everything is connected on first use.
///
/// # Errors
/// As [`Parts::make`].
pub async fn stateless(mut settings: Settings) -> Result<App> {
    check(Task::Handlers, &settings)?;
    name(&mut settings);
    settings.is_frozen_between_requests = true;
    let (tasks, end) = (TaskTracker::new(), CancellationToken::new());
    Ok(App::connect(settings, Clock::system(), None, &tasks, &end).await?)
}

/// Brings the store up to date.
///
/// # Errors
/// As [`Parts::make`], and when the store is away.
pub async fn migrate(mut settings: Settings) -> Result<()> {
    let _files = Files::take(&mut settings, false)?;
    let url = settings.database_url.expose_secret();
    let connected = Store::connect(url, &StoreOptions::default()).await;
    let store = connected.map_err(StartError::Store)?;
    bring_up_to_date(&store).await?;
    store.close().await;
    tracing::info!("the store is up to date");
    Ok(())
}

/// The store as it is, beside whatever works in it: nothing is made, taken or brought up to date.
///
/// # Errors
/// When there is none, or its url is wrong.
pub async fn existing_store(settings: &Settings) -> Result<Store> {
    let url = existing_database_url(settings)?;
    let connected = Store::connect(&url, &StoreOptions::default()).await;
    Ok(connected.map_err(StartError::Store)?)
}

/// Applies the migrations that the store has not seen.
///
/// # Errors
/// When it is away, or was written by a newer version.
pub async fn bring_up_to_date(store: &Store) -> Result<()> {
    store
        .migrate()
        .await
        .context("the database cannot be brought up to date")
}

/// Says what `task` cannot do without.
fn check(task: Task, settings: &Settings) -> Result<(), Mistakes> {
    let mut mistakes = Mistakes::default();
    if matches!(task, Task::Handlers | Task::Coordinator) {
        let word = task.as_str();
        if !settings.is_shared_store() {
            mistakes.add(format_args!("DATABASE_URL: `chatx {word}` shares its store with other processes, so set a `postgres://…` url"));
        }
        if settings.cluster_secret.expose_secret().is_empty() {
            mistakes.add(format_args!("CHATX_CLUSTER_SECRET: `chatx {word}` works with other processes, so set the same secret for all of them"));
        }
    }
    mistakes.or(())
}

/// What this process keeps in files, and nobody else may touch meanwhile.
struct Files {
    _data_dir: Option<DataDir>,
    _store: Option<Lock>,
}

impl Files {
    /// Takes them, and fills in the settings that they stand for: those that were left out. What needs no
    /// secret leaves none behind.
    fn take(settings: &mut Settings, needs_secret: bool) -> Result<Self> {
        let keeps_store = settings.database_url.expose_secret().is_empty();
        let keeps_secret = needs_secret && settings.cluster_secret.expose_secret().is_empty();
        let keeps_something = keeps_store || keeps_secret;
        let data_dir = keeps_something
            .then(|| DataDir::open(&settings.data_dir))
            .transpose()?;
        if let (Some(data_dir), true) = (&data_dir, keeps_store) {
            settings.database_url = data_dir.database_url()?.into();
        }
        if let (Some(data_dir), true) = (&data_dir, keeps_secret) {
            settings.cluster_secret = data_dir.cluster_secret()?.into();
        }
        let store = Lock::of_store(settings.database_url.expose_secret())?;
        Ok(Self {
            _data_dir: data_dir,
            _store: store,
        })
    }
}

/// A name that no process had before, unless one was given.
fn name(settings: &mut Settings) {
    if settings.node.is_empty() {
        settings.node = format!("node-{:.8}", Uuid::new_v4().simple().to_string());
    }
}

/// Whoever listens on every address is reached at the loopback one, at least from here.
pub fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address {
        SocketAddr::V4(address) if address.ip().is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        SocketAddr::V6(address) if address.ip().is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        address => address.ip(),
    };
    SocketAddr::new(ip, address.port())
}

/// Every socket is a file, and many systems begin with 1,024 of them.
fn raise_file_limit() {
    let limit = getrlimit(Resource::Nofile);
    if limit.current != limit.maximum {
        let limit = Rlimit {
            current: limit.maximum,
            ..limit
        };
        if let Err(error) = setrlimit(Resource::Nofile, limit) {
            tracing::warn!(%error, "the number of open files cannot be raised");
        }
    }
}

/// Says what the processes of a cluster must agree on, and none of them can see.
fn tell_of_own_files(settings: &Settings) {
    if let Some(directory) = settings
        .files_directory()
        .filter(|_| settings.is_shared_store())
    {
        tracing::warn!(
            directory = %directory.display(),
            "uploaded files are kept in a directory: where several processes share the database, it must be one \
             directory that all of them see, or CHATX_FILES a bucket (s3://…)"
        );
    }
}

/// Says as loudly as it can that this process is not to be trusted.
fn warn_of_broken_rule() {
    #[cfg(feature = "broken-rules")]
    if let Some(rule) = shared::broken_rule::chosen() {
        tracing::error!(
            ?rule,
            "THIS PROCESS BREAKS A RULE ON PURPOSE, and loses or doubles messages"
        );
    }
}
