//! Everything that both halves of the server are given, built from the settings in one place. It waits
//! for no database and no Redis, and starts nothing but what it is handed a tracker for.

use std::{io, path::PathBuf, sync::Arc, thread::available_parallelism, time::Duration};

use protocol::{
    ErrorCode,
    accounts::{Me, SignedIn, TokenType, UserSummary},
};
use secrecy::ExposeSecret;
use tokio::sync::{Notify, OnceCell};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    Clock, Refusal, Settings,
    appender::Appender,
    bot_tokens::BotTokens,
    cluster::{Cluster, Node},
    delivering::Delivering,
    erasing,
    files::{self, Files},
    gateways::Gateways,
    hints::Hints,
    indexing,
    internal_client::InternalClient,
    internal_tls::{self, InternalTls},
    leaving,
    limiter::Limiter,
    mail::{self, Post},
    news::News,
    oidc::Oidc,
    passwords::Passwords,
    presence::Presence,
    redis_link::Redis,
    revocations::Revocations,
    store::{self, Engine, Grant, Store, StoreOptions},
    tickets::Tickets,
    token::{AccessClaims, KeyError, Keys, RefreshToken, Secrets, bearer},
    trust::{self, Trust},
    upkeep,
};

/// What the server stands on. Cloning is cheap and gives the same.
#[derive(Clone)]
pub struct App {
    /// The time, and new ids.
    pub clock: Clock,
    /// Every setting.
    pub settings: Arc<Settings>,
    /// What must last.
    pub store: Store,
    /// Where messages are handed in to be stored.
    pub appender: Appender,
    /// What refresh tokens, csrf tokens, tickets and the pass between nodes are made with.
    pub secrets: Secrets,
    /// Hashing and checking passwords.
    pub passwords: Passwords,
    /// Who else says who somebody is.
    pub oidc: Oidc,
    /// What is in the files that people upload.
    pub files: Files,
    /// How often somebody may do something.
    pub limiter: Limiter,
    /// Who is here.
    pub presence: Presence,
    /// Passes to sockets.
    pub tickets: Tickets,
    /// Which sessions were revoked.
    pub revocations: Revocations,
    /// Whose a bot's token is.
    pub bot_tokens: BotTokens,
    /// Which coordinators there are.
    pub cluster: Cluster,
    /// The way to their internal urls.
    pub internal_tls: InternalTls,
    /// Whom this process believes elsewhere.
    pub trust: Trust,
    /// Which coordinator a client is sent to.
    pub gateways: Gateways,
    /// Where it is said that a room has something new.
    pub hints: Hints,
    /// Where people are told what concerns all of their devices.
    pub news: News,
    /// Told when this process has put mail into the store.
    pub new_mail: Arc<Notify>,
    /// Cancelled when this process takes no more requests: who waits on purpose is answered then.
    pub closing: CancellationToken,
    /// Where this process sends mail, if it does.
    post: Option<Post>,
    keys: Arc<OnceCell<Keys>>,
}

/// Why the server does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The database's url is wrong, or its file cannot be opened.
    #[error("DATABASE_URL: {0}")]
    Store(#[source] store::Error),
    /// The Redis url is wrong.
    #[error("REDIS_URL: {0}")]
    Redis(#[from] redis::RedisError),
    /// The place of files cannot be used.
    #[error("CHATX_FILES: {0}")]
    Files(#[from] files::Unusable),
    /// The key file cannot be read.
    #[error("CHATX_JWT_KEY_FILE: {path}: {source}")]
    KeyFile {
        /// Where it should be.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The key file holds no key.
    #[error("CHATX_JWT_KEY_FILE: {path}: {source}")]
    KeyFileContent {
        /// Where it is.
        path: PathBuf,
        /// What is wrong with it.
        source: KeyError,
    },
    /// Mail cannot be sent so.
    #[error(transparent)]
    Mail(#[from] mail::Unusable),
    /// The certificates between processes cannot be used.
    #[error(transparent)]
    InternalTls(#[from] internal_tls::Unusable),
    /// The CAs of others cannot be used.
    #[error(transparent)]
    Trust(#[from] trust::Unusable),
    /// The keys of the store cannot be opened.
    #[error(transparent)]
    Keys(#[from] KeyError),
    /// The keys cannot be read from the store.
    #[error("the signing keys cannot be read: {0}")]
    KeysAway(#[source] store::Error),
}

/// Redis may be shared with others.
const REDIS_PREFIX: &str = "chatx:";
/// Batches that are under way at once; each holds a connection of the store's pool.
const POSTGRES_WRITERS: usize = 4;

impl App {
    /// Builds it. Hints go where `hints` says; without it, to the node that owns the room. What must run
    /// for as long as the app is used is spawned on `tracker` and ends with `cancel`.
    ///
    /// # Errors
    /// When a setting cannot be used. Databases that are away are no error here.
    pub async fn connect(
        settings: Settings,
        clock: Clock,
        hints: Option<Hints>,
        tracker: &TaskTracker,
        cancel: &CancellationToken,
    ) -> Result<Self, StartError> {
        let url = settings.database_url.expose_secret();
        let mut options = StoreOptions {
            max_connections: settings.database_connections,
            ..StoreOptions::default()
        };
        if settings.is_frozen_between_requests {
            options.trusted_for = Duration::ZERO;
        }
        let store = Store::connect(url, &options)
            .await
            .map_err(StartError::Store)?;
        let redis = settings
            .redis_url
            .as_ref()
            .map(|url| Redis::new(url, REDIS_PREFIX))
            .transpose()?;
        let keys = key_file(&settings)?;
        let internal_tls = InternalTls::new(&settings)?;
        let trust = Trust::new(&settings)?;
        let secrets = Secrets::new(&settings.cluster_secret);
        let client = InternalClient::new(&settings.node, &secrets, internal_tls.clone());
        let cluster = Cluster::new(store.clone());
        let (limiter, presence) = match &redis {
            Some(redis) => (
                Limiter::shared(
                    &settings,
                    clock.clone(),
                    redis.clone(),
                    cluster.clone(),
                    tracker,
                    cancel,
                ),
                Presence::shared(redis.clone(), &settings.node),
            ),
            None => (
                Limiter::in_process(&settings, clock.clone()),
                Presence::in_process(),
            ),
        };
        let cores = available_parallelism().map_or(1, usize::from);
        let writers = match store.engine() {
            Engine::Postgres => POSTGRES_WRITERS,
            // It has one writer itself.
            Engine::Sqlite => 1,
        };
        let revocations = Revocations::new(
            store.clone(),
            redis.clone(),
            clock.clone(),
            settings.access_token,
        );
        Ok(Self {
            appender: Appender::start(&store, writers, tracker, cancel),
            passwords: Passwords::new(cores),
            oidc: Oidc::new(&settings, clock.clone(), &trust),
            files: Files::new(&settings, &trust)?,
            tickets: Tickets::new(secrets.clone(), settings.ticket, redis),
            bot_tokens: BotTokens::new(
                store.clone(),
                revocations.clone(),
                settings.is_frozen_between_requests,
            ),
            revocations,
            gateways: Gateways::new(&settings.node, cluster.clone(), client.clone()),
            news: News::new(&settings.node, cluster.clone(), client.clone()),
            hints: hints.unwrap_or_else(|| Hints::to_owner(cluster.clone(), client)),
            new_mail: Arc::default(),
            closing: CancellationToken::new(),
            post: Post::new(&settings, &trust)?,
            trust,
            keys: Arc::new(OnceCell::new_with(keys)),
            clock,
            settings: Arc::new(settings),
            store,
            secrets,
            limiter,
            presence,
            cluster,
            internal_tls,
        })
    }

    /// Keeps up with the other nodes until `cancel`: what they revoke, what is to be found and delivered, which mail is to be
    /// sent, and what can be forgotten. Without it everything works, and asks the store when it is needed.
    pub fn watch(&self, tracker: &TaskTracker, cancel: &CancellationToken) {
        let (revocations, ended) = (self.revocations.clone(), cancel.clone());
        tracker.spawn(async move { revocations.run(ended).await });
        let delivering = Delivering::new(
            &self.settings,
            self.store.clone(),
            self.clock.clone(),
            self.secrets.clone(),
            self.trust.clone(),
        );
        tracker.spawn(delivering.run(cancel.clone()));
        tracker.spawn(indexing::run(self.store.clone(), cancel.clone()));
        tracker.spawn(erasing::run(
            self.store.clone(),
            self.clock.clone(),
            cancel.clone(),
        ));
        if let Some(post) = self.post.clone() {
            tracker.spawn(mail::run(self.clone(), post, cancel.clone()));
        }
        tracker.spawn(upkeep::run(
            self.store.clone(),
            self.clock.clone(),
            cancel.clone(),
        ));
        tracker.spawn(leaving::run(self.clone(), cancel.clone()));
        tracker.spawn(files::sweep_until(
            self.files.clone(),
            self.store.clone(),
            self.clock.clone(),
            Duration::from_secs(self.settings.limits.file_unsent_max_s),
            cancel.clone(),
        ));
    }

    /// Lives as a coordinator until `cancel`: others see this node, and who is on it. From `draining`
    /// on they see that it is about to go.
    pub fn live_as_node(
        &self,
        tracker: &TaskTracker,
        draining: &CancellationToken,
        cancel: &CancellationToken,
    ) {
        self.watch(tracker, cancel);
        let (cluster, node) = (self.cluster.clone(), self.own_node());
        let (draining, ended) = (draining.clone(), cancel.clone());
        tracker.spawn(async move { cluster.run(node, draining, ended).await });
        let (presence, ended) = (self.presence.clone(), cancel.clone());
        tracker.spawn(async move { presence.run(ended).await });
    }

    /// This node, as others see it.
    pub fn own_node(&self) -> Node {
        let settings = &self.settings;
        Node {
            name: settings.node.clone(),
            url: settings.public_url.clone(),
            internal_url: settings
                .internal_url
                .clone()
                .unwrap_or_else(|| settings.public_url.clone()),
            weight: settings.node_weight,
            draining: false,
        }
    }

    /// The keys that sign access tokens, read or made on first use.
    ///
    /// # Errors
    /// `unavailable` while the store is away; `internal` when its keys cannot be opened.
    pub async fn keys(&self) -> Result<&Keys, Refusal> {
        self.load_keys().await.map_err(|error| match error {
            StartError::KeysAway(error) => error.into(),
            error => {
                tracing::error!(%error, "there are no keys to sign with");
                ErrorCode::Internal.into()
            }
        })
    }

    /// As [`App::keys`], for who starts the server and can say what is wrong.
    ///
    /// # Errors
    /// [`StartError::Keys`] when the cluster secret is another one than before, [`StartError::KeysAway`]
    /// while the store is away.
    pub async fn load_keys(&self) -> Result<&Keys, StartError> {
        let load = async || {
            let mut sealed = self
                .store
                .signing_keys()
                .await
                .map_err(StartError::KeysAway)?;
            if sealed.is_empty() {
                let fresh = Keys::generate(&self.secrets);
                let kept = self.store.first_signing_key(&fresh, self.clock.now()).await;
                sealed = kept.map_err(StartError::KeysAway)?;
            }
            Ok(Keys::from_sealed(&sealed, &self.secrets)?)
        };
        self.keys.get_or_try_init(load).await
    }

    /// Who showed this access token, a person's or a bot's.
    ///
    /// # Errors
    /// `unauthenticated` for one that is not good, or whose session was revoked.
    pub async fn authenticate(&self, access_token: &str) -> Result<AccessClaims, Refusal> {
        if bearer::is_of_bot(access_token) {
            let now = self.clock.now();
            return self.bot_tokens.authenticate(access_token, now).await;
        }
        let claims = self
            .keys()
            .await?
            .verify_access(access_token, self.clock.now())?;
        self.standing(claims).await
    }

    /// Who showed this ticket, which is used up by it.
    ///
    /// # Errors
    /// `unauthenticated` for one that is not good, or whose session was revoked.
    pub async fn redeem(&self, ticket: &str) -> Result<AccessClaims, Refusal> {
        let claims = self.tickets.redeem(ticket, self.clock.now()).await?;
        self.standing(claims).await
    }

    async fn standing(&self, claims: AccessClaims) -> Result<AccessClaims, Refusal> {
        if self.revocations.is_revoked(claims.sid).await? {
            return Err(ErrorCode::Unauthenticated.into());
        }
        Ok(claims)
    }

    /// The pair of tokens of a grant, with both of them in the answer. The same grant gives the same pair.
    ///
    /// # Errors
    /// As [`App::keys`].
    pub async fn sign_in(&self, grant: Grant) -> Result<SignedIn, Refusal> {
        let me = self.with_rights(grant.me);
        let user = UserSummary {
            id: me.user.id,
            username: me.user.username.clone(),
            display_name: me.user.display_name.clone(),
        };
        let life = self.settings.access_token;
        let claims = AccessClaims::new(user, grant.session, me.admin, grant.issued_at, life);
        let refresh = RefreshToken {
            session: grant.session,
            generation: grant.generation,
        };
        Ok(SignedIn {
            access_token: Some(self.keys().await?.access(&claims)),
            refresh_token: Some(refresh.text(&self.secrets)),
            token_type: TokenType::Bearer,
            expires_in: life.as_secs(),
            user: me,
        })
    }

    /// The same, with the server-admin rights that the settings give.
    #[must_use]
    pub fn with_rights(&self, mut me: Me) -> Me {
        me.admin = me.admin || self.settings.admins.contains(&me.user.username);
        me
    }
}

fn key_file(settings: &Settings) -> Result<Option<Keys>, StartError> {
    let Some(path) = settings.jwt_key_file.clone() else {
        return Ok(None);
    };
    match std::fs::read_to_string(&path) {
        Ok(pem) => match Keys::from_pem(&pem) {
            Ok(keys) => Ok(Some(keys)),
            Err(source) => Err(StartError::KeyFileContent { path, source }),
        },
        Err(source) => Err(StartError::KeyFile { path, source }),
    }
}
