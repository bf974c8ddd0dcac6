//! One coordinator or one process of handlers, with the links that lead to it and from it.

use std::{net::SocketAddr, path::PathBuf};

use anyhow::Result;
use testkit::{Chatx, free_port};

use super::{Ids, database_at};
use crate::proxy::{Dialers, Flow, Proxy, Way};

/// What a process serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// Sockets.
    Coordinator,
    /// HTTP.
    Handlers,
}

/// What every process is started with.
pub(super) struct Servers {
    /// `chatx` itself.
    pub(super) program: PathBuf,
    /// The port of PostgreSQL.
    pub(super) postgres: u16,
    /// The port of Redis.
    pub(super) redis: u16,
    /// Settings of them all.
    pub(super) settings: Vec<(String, String)>,
}

/// A running process.
pub(crate) struct Process {
    /// What it is called, in its own log too.
    pub(crate) name: String,
    chatx: Chatx,
    /// The link from clients.
    pub(crate) public: Proxy,
    /// The link from other processes of the cluster.
    pub(crate) internal: Option<Proxy>,
    /// The link to PostgreSQL.
    pub(crate) postgres: Proxy,
    /// The link to Redis.
    pub(crate) redis: Proxy,
    ids: Ids,
}

impl Process {
    pub(super) async fn start(
        role: Role,
        number: usize,
        servers: &Servers,
        ids: &Ids,
    ) -> Result<Self> {
        let local = |port: u16| SocketAddr::from(([127, 0, 0, 1], port));
        let postgres = Proxy::start(local(servers.postgres), Dialers::Alike).await?;
        let redis = Proxy::start(local(servers.redis), Dialers::Alike).await?;
        let (word, letter) = match role {
            Role::Coordinator => ("coordinator", 'c'),
            Role::Handlers => ("handlers", 'h'),
        };
        let name = format!("{letter}{}", number + 1);
        let redis_url = format!("redis://{}", redis.address());
        let mut setup = servers
            .setup(word)
            .set("DATABASE_URL", database_at(postgres.address().port()))
            .set("REDIS_URL", redis_url);
        // The process listens where the links lead, so the links must be there first.
        let listen = local(free_port());
        let public = Proxy::start(listen, Dialers::Alike).await?;
        setup = setup
            .at(listen.port())
            .set("CHATX_PUBLIC_URL", format!("http://{}", public.address()));
        let mut internal = None;
        if role == Role::Coordinator {
            let listen = local(free_port());
            let proxy = Proxy::start(listen, Dialers::Named).await?;
            setup = setup
                .set("CHATX_NODE", name.as_str())
                .set("CHATX_INTERNAL_LISTEN", listen.to_string())
                .set("CHATX_INTERNAL_URL", format!("http://{}", proxy.address()));
            internal = Some(proxy);
        }
        let process = Self {
            chatx: setup.start().await?,
            name,
            public,
            internal,
            postgres,
            redis,
            ids: ids.clone(),
        };
        process.note();
        Ok(process)
    }

    /// Where clients reach it.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.public.address())
    }

    /// What it has logged.
    pub(crate) fn log(&self) -> String {
        self.chatx.log()
    }

    /// `kill -9`.
    ///
    /// # Errors
    /// When it does not run.
    pub(crate) fn kill(&mut self) -> Result<()> {
        self.chatx.kill_9()?;
        self.note();
        Ok(())
    }

    /// SIGSTOP or SIGCONT.
    ///
    /// # Errors
    /// When it does not run.
    pub(crate) fn pause(&self, pause: bool) -> Result<()> {
        self.chatx.signal(if pause { "STOP" } else { "CONT" })
    }

    /// SIGTERM, and waits for its end.
    ///
    /// # Errors
    /// When it does not run, or does not end.
    pub(crate) async fn drain(&mut self) -> Result<()> {
        let ended = self.chatx.terminate().await;
        self.note();
        ended.map(drop)
    }

    /// Starts it again.
    ///
    /// # Errors
    /// When it ends before it answers.
    pub(crate) async fn restart(&mut self) -> Result<()> {
        self.chatx.restart().await?;
        self.note();
        Ok(())
    }

    /// Every link that leads to it or from it.
    pub(crate) fn links(&self) -> impl Iterator<Item = &Proxy> {
        let always = [&self.public, &self.postgres, &self.redis];
        always.into_iter().chain(&self.internal)
    }

    /// Mends those links.
    pub(crate) fn mend(&self) {
        self.links().for_each(Proxy::mend);
    }

    /// Tells who watches which process it is now.
    fn note(&self) {
        let mut ids = self.ids.lock().expect("nothing panics while holding this");
        match self.chatx.id() {
            Some(id) => ids.insert(self.name.clone(), id),
            None => ids.remove(&self.name),
        };
    }
}

/// Cuts the links between two coordinators, whoever opened them.
pub(super) fn cut_between(one: &Process, other: &Process, says: bool, hears: bool) {
    let flow = |is_cut: bool| if is_cut { Flow::Held } else { Flow::Open };
    if let Some(proxy) = &other.internal {
        let way = Way {
            there: flow(says),
            back: flow(hears),
        };
        proxy.set(Some(&one.name), way);
    }
    if let Some(proxy) = &one.internal {
        let way = Way {
            there: flow(hears),
            back: flow(says),
        };
        proxy.set(Some(&other.name), way);
    }
}
