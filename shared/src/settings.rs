//! What can be set, and how it is read from flags, environment and file. What is generated when it is
//! left out (a node's name, a secret) is made by who starts the server.

use std::{
    net::{IpAddr, SocketAddr},
    path::PathBuf,
    time::Duration,
};

use protocol::Limits;
use secrecy::{ExposeSecret as _, SecretString};

mod value;
mod table;
mod providers;
mod load;
mod document;

pub use document::document;
pub use load::{Loaded, Mistakes, OfProvider, Origin, Sources, load};
pub use providers::{PREFIX, PROVIDER_SETTINGS, Provider, ProviderSetting};
pub use table::{SETTINGS, Section, Setting};

/// Every setting of a server.
#[derive(Clone, Debug)]
pub struct Settings {
    /// `CHATX_CONFIG`: the file that some of them come from.
    pub config: Option<PathBuf>,
    /// `CHATX_LISTEN`: where clients come.
    pub listen: SocketAddr,
    /// `CHATX_DATA_DIR`: the SQLite file, uploads, generated keys.
    pub data_dir: PathBuf,
    /// Whether the process may be frozen after each answer, so that nothing is taken to have lived on until the
    /// next request. No setting: on Lambda it is so.
    pub is_frozen_between_requests: bool,
    /// `DATABASE_URL`: `postgres://…` or `sqlite:…`; may hold a password. Empty: a SQLite file in the
    /// data directory.
    pub database_url: SecretString,
    /// `CHATX_DATABASE_CONNECTIONS`: most at once; of SQLite, most readers beside the one writer.
    pub database_connections: u32,
    /// `REDIS_URL`; without it presence, limits and tickets are kept in the process.
    pub redis_url: Option<SecretString>,
    /// `CHATX_FILES`: where uploaded files are kept, a directory or `s3://bucket/prefix`. Empty: `files/`
    /// in the data directory.
    pub files: String,
    /// `CHATX_S3_…`: how that bucket is reached.
    pub s3: S3,
    /// `CHATX_NODE`: this coordinator's name. Empty: generated at start.
    pub node: String,
    /// `CHATX_NODE_WEIGHT`: its share of the rooms, against the weights of the others.
    pub node_weight: u32,
    /// `CHATX_PUBLIC_URL`: the url that clients use. Empty: made from the listening address.
    pub public_url: String,
    /// `CHATX_INTERNAL_LISTEN`: where peers and hints come.
    pub internal_listen: Option<SocketAddr>,
    /// `CHATX_INTERNAL_URL`: the url that peers and hints use.
    pub internal_url: Option<String>,
    /// `CHATX_INTERNAL_TLS_CERT_FILE`: what this process shows to the others (PEM, with its chain).
    pub internal_tls_cert_file: Option<PathBuf>,
    /// `CHATX_INTERNAL_TLS_KEY_FILE`: the key of that certificate (PEM).
    pub internal_tls_key_file: Option<PathBuf>,
    /// `CHATX_INTERNAL_TLS_CA_FILE`: whose certificates the others must show (PEM).
    pub internal_tls_ca_file: Option<PathBuf>,
    /// `CHATX_TLS_CA_FILE`: who else is believed of those who are asked elsewhere (PEM).
    pub tls_ca_file: Option<PathBuf>,
    /// `CHATX_CLUSTER_SECRET`: proves a peer, and seals the signing keys in the store. Empty: generated
    /// once and kept in the data directory.
    pub cluster_secret: SecretString,
    /// `CHATX_JWT_KEY_FILE`: an Ed25519 key (PKCS#8 PEM) that signs access tokens.
    pub jwt_key_file: Option<PathBuf>,
    /// `CHATX_ACCESS_TOKEN_S`.
    pub access_token: Duration,
    /// `CHATX_REFRESH_TOKEN_S`.
    pub refresh_token: Duration,
    /// `CHATX_ROOM_RESTORE_S`: how long a deleted room can be restored.
    pub room_restore: Duration,
    /// `CHATX_TICKET_S`.
    pub ticket: Duration,
    /// `CHATX_MAIL`: where mail goes; may hold a password. None: this process sends none.
    pub mail: Option<SecretString>,
    /// `CHATX_MAIL_FROM`. Empty: `chatx@` the host of the public url.
    pub mail_from: String,
    /// `CHATX_MAIL_RETRY_S`.
    pub mail_retry: Duration,
    /// `CHATX_VERIFY_TOKEN_S`.
    pub verify_token: Duration,
    /// `CHATX_RESET_TOKEN_S`.
    pub reset_token: Duration,
    /// `CHATX_DRAIN_S`: how long SIGTERM takes to move sockets away.
    pub drain: Duration,
    /// `CHATX_METRICS_LISTEN`.
    pub metrics_listen: Option<SocketAddr>,
    /// `CHATX_LOG`: a level, or a filter by module.
    pub log: String,
    /// `CHATX_LOG_FORMAT`.
    pub log_format: LogFormat,
    /// `CHATX_OIDC_…`: who else may say who somebody is, by their ids.
    pub providers: Vec<Provider>,
    /// `CHATX_ORIGINS`: browser origins that are allowed beside the server's own.
    pub origins: Vec<String>,
    /// `TRUSTED_PROXIES`: whose `X-Forwarded-For` counts.
    pub trusted_proxies: Vec<Network>,
    /// `CHATX_ADMINS`: usernames with server-admin rights.
    pub admins: Vec<String>,
    /// `CHATX_WEBHOOK_PRIVATE_TARGETS`: whether webhooks may lead to addresses that are not everybody's.
    pub webhook_private_targets: bool,
    /// `CHATX_WEBHOOK_TIMEOUT_S`: how long a webhook's server may take to answer.
    pub webhook_timeout: Duration,
    /// `CHATX_WEBHOOK_RETRY_S`: for how long a webhook whose attempts all fail is tried again.
    pub webhook_retry: Duration,
    /// `CHATX_RATE_LIMITS` and the rates, each by its own name.
    pub rates: Rates,
    /// The sizes that input is held to, each by its own name.
    pub limits: Limits,
}

/// How log lines are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// For people on a terminal, as JSON elsewhere.
    #[default]
    Auto,
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// How a bucket is reached. What is left out, the machine's own settings for AWS say.
#[derive(Clone, Debug, Default)]
pub struct S3 {
    /// `CHATX_S3_ENDPOINT`: the url of a server that is not AWS.
    pub endpoint: Option<String>,
    /// `CHATX_S3_REGION`.
    pub region: Option<String>,
    /// `CHATX_S3_ACCESS_KEY_ID`.
    pub access_key_id: Option<String>,
    /// `CHATX_S3_SECRET_ACCESS_KEY`.
    pub secret_access_key: Option<SecretString>,
}

/// A range of addresses, like `10.0.0.0/8`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    /// Any address of the range.
    pub address: IpAddr,
    /// How many leading bits are the same in all of them.
    pub prefix_bits: u8,
}

/// A token bucket: so many at once, then one every `every`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// How many go through at once.
    pub burst: u32,
    /// How long one more takes to become free.
    pub every: Duration,
}

/// How often somebody may do something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rates {
    /// `CHATX_RATE_LIMITS`: whether any of this holds.
    pub on: bool,
    /// Logins per account and per address.
    pub login: Rate,
    /// Registrations per address.
    pub register: Rate,
    /// Mails asked for, per account and per address.
    pub mail: Rate,
    /// Tried room passwords per user and room.
    pub room_password: Rate,
    /// Messages per user.
    pub send: Rate,
    /// Frames per socket.
    pub frames: Rate,
    /// Requests per user.
    pub http: Rate,
    /// Searches per user.
    pub search: Rate,
    /// Uploads per user.
    pub upload: Rate,
    /// Exports of all that is kept of a user, per user.
    pub export: Rate,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            config: None,
            listen: ([127, 0, 0, 1], 8080).into(),
            is_frozen_between_requests: false,
            data_dir: "./data".into(),
            database_url: "".into(),
            database_connections: 16,
            redis_url: None,
            files: String::new(),
            s3: S3::default(),
            node: String::new(),
            node_weight: 1,
            public_url: String::new(),
            internal_listen: None,
            internal_url: None,
            internal_tls_cert_file: None,
            internal_tls_key_file: None,
            internal_tls_ca_file: None,
            tls_ca_file: None,
            cluster_secret: "".into(),
            jwt_key_file: None,
            access_token: Duration::from_secs(900),
            refresh_token: Duration::from_secs(2_592_000),
            room_restore: Duration::from_secs(604_800),
            ticket: Duration::from_secs(30),
            mail: None,
            mail_from: String::new(),
            mail_retry: Duration::from_secs(86_400),
            verify_token: Duration::from_secs(86_400),
            reset_token: Duration::from_secs(3_600),
            drain: Duration::from_secs(20),
            metrics_listen: None,
            log: "info".to_owned(),
            log_format: LogFormat::Auto,
            providers: Vec::new(),
            origins: Vec::new(),
            trusted_proxies: Vec::new(),
            admins: Vec::new(),
            webhook_private_targets: false,
            webhook_timeout: Duration::from_secs(10),
            webhook_retry: Duration::from_secs(86_400),
            rates: Rates::default(),
            limits: Limits::default(),
        }
    }
}

impl Settings {
    /// Whether the store is one that several processes can share.
    pub fn is_shared_store(&self) -> bool {
        self.database_url.expose_secret().starts_with("postgres")
    }

    /// The url by which clients reach this process, for a path to be put behind it.
    pub fn public_base(&self) -> &str {
        self.public_url.trim_end_matches('/')
    }

    /// What internal urls begin with.
    pub fn internal_scheme(&self) -> &'static str {
        match self.internal_tls_cert_file {
            Some(_) => "https",
            None => "http",
        }
    }

    /// Where files are kept that are not in a bucket.
    pub fn files_directory(&self) -> Option<PathBuf> {
        match self.files.as_str() {
            "" => Some(self.data_dir.join("files")),
            place if place.starts_with("s3://") => None,
            directory => Some(directory.into()),
        }
    }

    /// Adds what does not go together.
    fn check(&self, mistakes: &mut Mistakes) {
        let limits = &self.limits;
        let pairs = [
            (
                "USERNAME_MIN_CHARS",
                limits.username_min_chars,
                "USERNAME_MAX_CHARS",
                limits.username_max_chars,
            ),
            (
                "PASSWORD_MIN_CHARS",
                limits.password_min_chars,
                "PASSWORD_MAX_CHARS",
                limits.password_max_chars,
            ),
            (
                "ROOM_PASSWORD_MIN_CHARS",
                limits.room_password_min_chars,
                "ROOM_PASSWORD_MAX_CHARS",
                limits.room_password_max_chars,
            ),
        ];
        for (lower_name, lower, upper_name, upper) in pairs {
            if lower > upper {
                mistakes.add(format_args!(
                    "CHATX_LIMIT_{lower_name}: {lower} is above CHATX_LIMIT_{upper_name}"
                ));
            }
        }
        if limits.page_default > limits.page_max {
            mistakes.add(format_args!(
                "CHATX_LIMIT_PAGE_DEFAULT: {} is above CHATX_LIMIT_PAGE_MAX",
                limits.page_default
            ));
        }
        if limits.invite_default_s > limits.invite_max_s {
            mistakes.add(format_args!(
                "CHATX_LIMIT_INVITE_DEFAULT_S: {} is above CHATX_LIMIT_INVITE_MAX_S",
                limits.invite_default_s
            ));
        }
        let internal = self
            .internal_listen
            .filter(|address| address.ip().is_unspecified());
        if let (Some(address), None) = (internal, &self.internal_url) {
            mistakes.add(format_args!(
                "CHATX_INTERNAL_URL: needed, because others cannot reach this process at {address}"
            ));
        }
        if self.s3.access_key_id.is_some() != self.s3.secret_access_key.is_some() {
            mistakes
                .add("CHATX_S3_ACCESS_KEY_ID and CHATX_S3_SECRET_ACCESS_KEY: set both or neither");
        }
        self.check_internal_tls(mistakes);
    }

    /// All three files or none, and an internal url that says the same.
    fn check_internal_tls(&self, mistakes: &mut Mistakes) {
        let files = [
            ("CHATX_INTERNAL_TLS_CERT_FILE", &self.internal_tls_cert_file),
            ("CHATX_INTERNAL_TLS_KEY_FILE", &self.internal_tls_key_file),
            ("CHATX_INTERNAL_TLS_CA_FILE", &self.internal_tls_ca_file),
        ];
        let given = files.iter().filter(|(_, file)| file.is_some()).count();
        if given != 0 {
            for (name, _) in files.iter().filter(|(_, file)| file.is_none()) {
                mistakes.add(format_args!(
                    "{name}: internal TLS needs a certificate, its key and a CA"
                ));
            }
        }
        let is_https = |url: &String| url.starts_with("https:");
        match self.internal_url.as_ref().map(is_https) {
            Some(true) if given == 0 => mistakes
                .add("CHATX_INTERNAL_URL: is https, but no CHATX_INTERNAL_TLS_… file is set"),
            Some(false) if given == files.len() => {
                mistakes.add("CHATX_INTERNAL_URL: must be https, because internal TLS is on");
            }
            _ => {}
        }
    }
}

impl Default for Rates {
    fn default() -> Self {
        let rate = |burst, every_ms| Rate {
            burst,
            every: Duration::from_millis(every_ms),
        };
        Self {
            on: true,
            login: rate(5, 300_000),
            register: rate(3, 600_000),
            mail: rate(3, 600_000),
            room_password: rate(5, 180_000),
            send: rate(20, 200),
            frames: rate(60, 50),
            http: rate(100, 100),
            search: rate(20, 3_000),
            upload: rate(10, 6_000),
            export: rate(2, 3_600_000),
        }
    }
}

impl Network {
    /// Whether `address` lies in this range.
    pub fn contains(&self, address: IpAddr) -> bool {
        let shared_bits = match (self.address, address.to_canonical()) {
            (IpAddr::V4(own), IpAddr::V4(other)) => {
                (own.to_bits() ^ other.to_bits()).leading_zeros()
            }
            (IpAddr::V6(own), IpAddr::V6(other)) => {
                (own.to_bits() ^ other.to_bits()).leading_zeros()
            }
            _ => return false,
        };
        shared_bits >= u32::from(self.prefix_bits)
    }
}
