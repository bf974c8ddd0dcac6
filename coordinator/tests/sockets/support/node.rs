//! One node: a store of its own, the coordinator, and a listener on a free port.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use anyhow::{Context, Result};
use axum::serve::{Listener, ListenerExt};
use coordinator::{Arrivals, Coordinator};
use protocol::{
    Limits, Parse, RoomId, Seq, SessionId,
    accounts::UserSummary,
    events::Event,
    rooms::{CreateRoom, CreateRoomBody, Join},
    text::{ClientId, MessageBody},
};
use shared::{
    App, Caller, Clock, Settings, Store,
    hints::Hints,
    rooms,
    store::{Append, Appended, NewAccount, NewSession, StoreOptions},
    token::AccessClaims,
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::mpsc,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::Client;

/// A running node.
pub(crate) struct TestNode {
    pub(crate) app: App,
    pub(crate) coordinator: Coordinator,
    pub(crate) address: SocketAddr,
    database_url: String,
    tasks: TaskTracker,
    cancel: CancellationToken,
    _kept: Arc<Kept>,
}

/// Takes connections, and passes on those that do not begin by asking for a socket.
async fn part(
    listener: TcpListener,
    arrivals: Arrivals,
    others: mpsc::Sender<(TcpStream, SocketAddr)>,
    closed: CancellationToken,
) {
    while let Some(Ok((stream, peer))) = closed.run_until_cancelled(listener.accept()).await {
        stream.set_nodelay(true).expect("it is a socket");
        let (arrivals, others, closed) = (arrivals.clone(), others.clone(), closed.clone());
        tokio::spawn(closed.run_until_cancelled_owned(async move {
            if let Ok(Some(stream)) = arrivals.take(stream, peer).await {
                drop(others.send((stream, peer)).await);
            }
        }));
    }
}

/// The connections that are passed on.
struct Rest {
    address: SocketAddr,
    rest: mpsc::Receiver<(TcpStream, SocketAddr)>,
}

impl Listener for Rest {
    type Io = TcpStream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (TcpStream, SocketAddr) {
        match self.rest.recv().await {
            Some(connection) => connection,
            None => std::future::pending().await,
        }
    }

    fn local_addr(&self) -> std::io::Result<SocketAddr> {
        Ok(self.address)
    }
}

/// What must outlive the node.
pub(crate) enum Kept {
    Sqlite(#[expect(dead_code, reason = "the directory is removed with it")] tempfile::TempDir),
    Postgres(#[expect(dead_code, reason = "the database is dropped with it")] testkit::Database),
}

/// Somebody with an account and a session.
#[derive(Clone)]
pub(crate) struct Person {
    pub(crate) user: UserSummary,
    pub(crate) session: SessionId,
    pub(crate) token: String,
}

impl TestNode {
    /// On SQLite, without rate limits.
    pub(crate) async fn sqlite() -> Result<Self> {
        Self::sqlite_with(|settings| settings.rates.on = false).await
    }

    /// On SQLite, with settings of the test's own.
    pub(crate) async fn sqlite_with(set: impl FnOnce(&mut Settings)) -> Result<Self> {
        let directory = tempfile::tempdir()?;
        let url = format!("sqlite:{}", directory.path().join("chatx.db").display());
        Self::start(url, Kept::Sqlite(directory), set).await
    }

    /// On PostgreSQL, without rate limits.
    pub(crate) async fn postgres() -> Result<Self> {
        Self::postgres_named("test").await
    }

    /// The same, called so.
    pub(crate) async fn postgres_named(name: &str) -> Result<Self> {
        let database = testkit::Database::fresh().await?;
        let url = database.url();
        Self::start(url, Kept::Postgres(database), |settings| {
            settings.rates.on = false;
            settings.node = name.to_owned();
        })
        .await
    }

    pub(crate) async fn start(
        database_url: String,
        kept: Kept,
        set: impl FnOnce(&mut Settings),
    ) -> Result<Self> {
        Self::start_on(database_url, Arc::new(kept), set).await
    }

    /// Another node on the same database.
    pub(crate) async fn another(&self, name: &str) -> Result<Self> {
        let kept = Arc::clone(&self._kept);
        Self::start_on(self.database_url.clone(), kept, |settings| {
            settings.rates.on = false;
            settings.node = name.to_owned();
        })
        .await
    }

    async fn start_on(
        database_url: String,
        _kept: Arc<Kept>,
        set: impl FnOnce(&mut Settings),
    ) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let mut settings = Settings {
            database_url: database_url.as_str().into(),
            cluster_secret: "a secret that only tests know".into(),
            node: "test".to_owned(),
            public_url: format!("http://{address}"),
            ..Settings::default()
        };
        set(&mut settings);
        let (tasks, cancel) = (TaskTracker::new(), CancellationToken::new());
        let (hints, hinted) = Hints::in_process();
        let app = App::connect(settings, Clock::system(), Some(hints), &tasks, &cancel).await?;
        app.store.migrate().await?;
        let coordinator = Coordinator::start(app.clone(), hinted, &tasks, &cancel);
        let router = coordinator.router().merge(coordinator.internal_router());
        let service = router.into_make_service_with_connect_info::<SocketAddr>();
        let (others, rest) = mpsc::channel(64);
        tokio::spawn(part(
            listener,
            coordinator.arrivals(),
            others,
            cancel.clone(),
        ));
        let rest = Rest { address, rest }.tap_io(|_| {});
        let closed = cancel.clone();
        tokio::spawn(async move {
            let serving = axum::serve(rest, service);
            serving
                .with_graceful_shutdown(closed.cancelled_owned())
                .await
        });
        Ok(Self {
            app,
            coordinator,
            address,
            database_url,
            tasks,
            cancel,
            _kept,
        })
    }

    /// Ends the node, and fails if it leaves anything behind.
    pub(crate) async fn stop(&self) -> Result<()> {
        self.coordinator.drain().await;
        self.end().await
    }

    /// Ends the node without a word to anybody, and waits until nothing of it is left.
    pub(crate) async fn end(&self) -> Result<()> {
        self.cancel.cancel();
        self.tasks.close();
        let ended = tokio::time::timeout(Duration::from_secs(10), self.tasks.wait()).await;
        ended.context("tasks are left behind")
    }

    /// The same database through connections of its own, as another process has them.
    pub(crate) async fn another_store(&self) -> Result<Store> {
        Ok(Store::connect(&self.database_url, &StoreOptions::default()).await?)
    }

    /// An account with a session.
    pub(crate) async fn person(&self, name: &str) -> Result<Person> {
        self.person_for(name, Duration::from_secs(900)).await
    }

    /// An account whose access token lives for `life`.
    pub(crate) async fn person_for(&self, name: &str, life: Duration) -> Result<Person> {
        let (clock, at) = (&self.app.clock, self.app.clock.now());
        let account = NewAccount {
            id: clock.id(),
            username: name.to_owned(),
            email: format!("{name}@example.com"),
            display_name: name.to_owned(),
            password_hash: "not used here".to_owned(),
            at,
        };
        let session = NewSession {
            id: clock.id(),
            user: account.id,
            device: String::new(),
            ip: IpAddr::V4(Ipv4Addr::LOCALHOST),
            at,
            expires_at: at.after(Duration::from_secs(86_400)),
        };
        self.app.store.create_account(&account, &session).await?;
        let user = UserSummary {
            id: account.id,
            username: account.username,
            display_name: account.display_name,
        };
        let token = self.token(&user, session.id, life).await?;
        Ok(Person {
            user,
            session: session.id,
            token,
        })
    }

    /// An access token.
    pub(crate) async fn token(
        &self,
        user: &UserSummary,
        session: SessionId,
        life: Duration,
    ) -> Result<String> {
        let claims = AccessClaims::new(user.clone(), session, false, self.app.clock.now(), life);
        Ok(self.app.keys().await?.access(&claims))
    }

    /// A public room of `owner`, with these members.
    pub(crate) async fn room(&self, owner: &Person, members: &[&Person]) -> Result<RoomId> {
        let body = CreateRoomBody {
            name: Some(format!("room {}", self.app.clock.id::<()>())),
            topic: None,
            visibility: None,
            password: None,
            max_members: None,
            history: None,
        };
        let create = CreateRoom::parse(body, &Limits::default())
            .map_err(|fields| anyhow::anyhow!("{fields:?}"))?;
        let room = rooms::create(&self.app, &owner.caller(), create).await?.id;
        for member in members {
            rooms::join(&self.app, &member.caller(), room, Join::default()).await?;
        }
        Ok(room)
    }

    /// Somebody's socket, greeted.
    pub(crate) async fn socket(&self, person: &Person) -> Result<Client> {
        Client::connect(self.address, &person.token).await
    }

    /// Every event of a room, as the store has it.
    pub(crate) async fn log(&self, room: RoomId) -> Result<Vec<Event>> {
        let mut log: Vec<Event> = Vec::new();
        loop {
            let after = log.last().map_or(Seq::ZERO, |event| event.seq);
            let more = self.app.store.events(room, after, 500).await?;
            if more.is_empty() {
                return Ok(log);
            }
            log.extend(more);
        }
    }
}

impl Drop for TestNode {
    fn drop(&mut self) {
        self.cancel.cancel();
    }
}

impl Person {
    /// As who this person asks for something.
    pub(crate) fn caller(&self) -> Caller {
        Caller {
            user: self.user.clone(),
            session: self.session,
            ip: IpAddr::V4(Ipv4Addr::LOCALHOST),
            request_id: "test".to_owned(),
            admin: false,
            scopes: None,
        }
    }

    /// Stores a message by another way than a socket.
    pub(crate) async fn append(&self, store: &Store, room: RoomId, text: &str) -> Result<Seq> {
        let clock = Clock::system();
        let append = Append {
            room,
            id: clock.id(),
            user: self.user.id,
            client_id: ClientId::parse(&clock.id::<()>().to_string()).expect("an id is printable"),
            body: MessageBody::parse(text.to_owned(), &Limits::default()).expect("it is text"),
            reply_to: None,
            thread: None,
            files: Vec::new(),
            at: clock.now(),
        };
        match store.append(&[append]).await?.remove(0) {
            Appended::Stored(place) => Ok(place.seq),
            other => anyhow::bail!("not stored: {other:?}"),
        }
    }
}
