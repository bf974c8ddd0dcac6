//! The table of settings: name, meaning, unit and field of each. The flags, `chatx config` and
//! `docs/settings.md` are made from it.

use super::{Settings, value::Value};
use crate::mail;

/// One setting. Its default is the field's value in [`Settings::default`].
pub struct Setting {
    /// The name in the environment.
    pub name: &'static str,
    /// Under which heading it is described.
    pub section: Section,
    /// What it decides.
    pub about: &'static str,
    /// What a bare number counts; empty for what is no number.
    pub unit: &'static str,
    /// What stands in for a default that depends on the machine or on another setting.
    pub otherwise: &'static str,
    /// Whether its value is never shown.
    pub secret: bool,
    field: fn(&mut Settings) -> &mut dyn Value,
    check: fn(&str) -> Result<(), String>,
}

/// A group of settings that are described together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Section {
    /// Where the server listens and stores.
    Server,
    /// What only a fleet needs.
    Cluster,
    /// Who may come in, and for how long.
    Access,
    /// What rooms tell others.
    Webhooks,
    /// What is written about its work.
    Observing,
    /// How often something may be done.
    Rates,
    /// How large input may be.
    Limits,
}

impl Section {
    /// Its heading.
    pub const fn heading(self) -> &'static str {
        match self {
            Self::Server => "Server",
            Self::Cluster => "Cluster",
            Self::Access => "Access",
            Self::Webhooks => "Webhooks",
            Self::Observing => "Observing",
            Self::Rates => "Rates",
            Self::Limits => "Limits",
        }
    }
}

impl Setting {
    const fn new(
        section: Section,
        name: &'static str,
        about: &'static str,
        field: fn(&mut Settings) -> &mut dyn Value,
    ) -> Self {
        let check = |_: &str| Ok(());
        Self {
            name,
            section,
            about,
            unit: "",
            otherwise: "",
            secret: false,
            field,
            check,
        }
    }

    const fn unit(mut self, unit: &'static str) -> Self {
        self.unit = unit;
        self
    }

    const fn otherwise(mut self, words: &'static str) -> Self {
        self.otherwise = words;
        self
    }

    const fn secret(mut self) -> Self {
        self.secret = true;
        self
    }

    const fn check(mut self, check: fn(&str) -> Result<(), String>) -> Self {
        self.check = check;
        self
    }

    /// The flag of the same name: `--listen` for `CHATX_LISTEN`.
    pub fn flag(&self) -> String {
        self.short_name().replace('_', "-")
    }

    /// The name in the TOML file: `listen` for `CHATX_LISTEN`.
    pub fn short_name(&self) -> String {
        self.name
            .strip_prefix("CHATX_")
            .unwrap_or(self.name)
            .to_ascii_lowercase()
    }

    /// What a value of it looks like.
    pub fn shape(&self) -> &'static str {
        (self.field)(&mut Settings::default()).shape()
    }

    /// The default, or the words that stand in for one.
    pub fn default(&self) -> String {
        if self.otherwise.is_empty() {
            self.show(&Settings::default())
        } else {
            self.otherwise.to_owned()
        }
    }

    /// The value that it has in `settings`; secrets too.
    pub fn show(&self, settings: &Settings) -> String {
        (self.field)(&mut settings.clone()).show()
    }

    /// Gives it the value that `text` means.
    pub(super) fn read(&self, settings: &mut Settings, text: &str) -> Result<(), String> {
        (self.check)(text)?;
        (self.field)(settings).read(text)
    }
}

/// Every setting, in the order in which they are described.
// A table reads by its rows.
#[rustfmt::skip]
pub static SETTINGS: &[Setting] = &{
    use Section::{Access, Cluster, Limits, Observing, Rates, Server, Webhooks};
    use Setting as S;
    [
        S::new(Server, "CHATX_CONFIG", "a TOML file with any of these settings", |s| &mut s.config).otherwise("none"),
        S::new(Server, "CHATX_LISTEN", "where clients come", |s| &mut s.listen),
        S::new(Server, "CHATX_DATA_DIR", "the directory of the SQLite file and the generated keys", |s| &mut s.data_dir),
        S::new(Server, "DATABASE_URL", "`sqlite:…`, or `postgres://…` for more than one process", |s| &mut s.database_url)
            .otherwise("`chatx.db` in the data directory").secret().check(database_url),
        S::new(Server, "CHATX_DATABASE_CONNECTIONS", "most connections of this process to PostgreSQL; of SQLite, most readers beside the one that writes", |s| &mut s.database_connections).unit("connections").check(above_zero),
        S::new(Server, "REDIS_URL", "`redis://…` or `rediss://…`: presence, rate limits and tickets for more than one process", |s| &mut s.redis_url)
            .otherwise("none: kept in the process").secret().check(redis_url),
        S::new(Server, "CHATX_FILES", "where uploaded files are kept: a directory, or `s3://bucket/prefix`; one and the same for all processes", |s| &mut s.files)
            .otherwise("`files` in the data directory").check(files),
        S::new(Server, "CHATX_S3_ENDPOINT", "the url of an S3-compatible server", |s| &mut s.s3.endpoint).otherwise("AWS").check(http_url),
        S::new(Server, "CHATX_S3_REGION", "the region of the bucket", |s| &mut s.s3.region).otherwise("what `AWS_REGION` says, else `us-east-1`"),
        S::new(Server, "CHATX_S3_ACCESS_KEY_ID", "who reads and writes the bucket", |s| &mut s.s3.access_key_id)
            .otherwise("what the `AWS_…` variables or the machine's role say"),
        S::new(Server, "CHATX_S3_SECRET_ACCESS_KEY", "the secret of that access key", |s| &mut s.s3.secret_access_key)
            .otherwise("as for the access key").secret(),
        S::new(Server, "CHATX_PUBLIC_URL", "the url by which clients reach this process", |s| &mut s.public_url)
            .otherwise("`http://` and the listening address").check(http_url),
        S::new(Server, "CHATX_MAIL", "where mail goes: `smtps://user:password@host`, `smtp://host` (`?tls=required` for STARTTLS), `dir:path` (below the data directory, to look at), or `off`: this process sends none", |s| &mut s.mail)
            .otherwise("`dir:mail` under `serve`; elsewhere this process sends none").secret().check(mail::check),
        S::new(Server, "CHATX_MAIL_FROM", "who mail is from", |s| &mut s.mail_from).otherwise("`chatx@` the host of the public url").check(mail::check_sender),
        S::new(Server, "CHATX_MAIL_RETRY_S", "for how long a mail that cannot be sent is tried again", |s| &mut s.mail_retry).unit("s"),
        S::new(Server, "CHATX_TLS_CA_FILE", "CAs that are believed, beside those of the web, of servers that are asked over TLS: providers, webhooks, SMTP, the bucket (PEM, any number of them)", |s| &mut s.tls_ca_file).otherwise("none"),
        S::new(Server, "CHATX_DRAIN_S", "how long SIGTERM takes to move sockets to other nodes; at once when there is none", |s| &mut s.drain).unit("s"),

        S::new(Cluster, "CHATX_NODE", "the name of this coordinator among the others, new at each start", |s| &mut s.node)
            .otherwise("generated").check(node_name),
        S::new(Cluster, "CHATX_NODE_WEIGHT", "this coordinator's share of the rooms, against the weights of the others", |s| &mut s.node_weight).check(above_zero),
        S::new(Cluster, "CHATX_INTERNAL_LISTEN", "where other processes of the cluster come", |s| &mut s.internal_listen)
            .otherwise("a free port of 127.0.0.1 for `coordinator`, else none"),
        S::new(Cluster, "CHATX_INTERNAL_URL", "the url by which they reach this process", |s| &mut s.internal_url)
            .otherwise("`http://` (with internal TLS `https://`) and the internal listening address").check(http_url),
        S::new(Cluster, "CHATX_INTERNAL_TLS_CERT_FILE", "the certificate that this process shows to the others (PEM, with its chain); from then on they speak TLS only", |s| &mut s.internal_tls_cert_file)
            .otherwise("none: plain TCP"),
        S::new(Cluster, "CHATX_INTERNAL_TLS_KEY_FILE", "the key of that certificate (PEM)", |s| &mut s.internal_tls_key_file).otherwise("none"),
        S::new(Cluster, "CHATX_INTERNAL_TLS_CA_FILE", "the CA whose certificates the others must show (PEM; several while one takes over from another)", |s| &mut s.internal_tls_ca_file).otherwise("none"),
        S::new(Cluster, "CHATX_CLUSTER_SECRET", "proves a process of the cluster and seals the signing keys in the store; the same everywhere, at least 32 characters", |s| &mut s.cluster_secret)
            .otherwise("generated for `serve`, kept in the data directory").secret().check(cluster_secret),

        S::new(Access, "CHATX_JWT_KEY_FILE", "an Ed25519 key (PKCS#8, PEM) that signs access tokens", |s| &mut s.jwt_key_file)
            .otherwise("generated once, kept in the store"),
        S::new(Access, "CHATX_ACCESS_TOKEN_S", "how long an access token lives", |s| &mut s.access_token).unit("s").check(above_zero),
        S::new(Access, "CHATX_REFRESH_TOKEN_S", "how long a session lives without a refresh", |s| &mut s.refresh_token).unit("s").check(above_zero),
        S::new(Access, "CHATX_ROOM_RESTORE_S", "how long a deleted room can be restored before it is erased", |s| &mut s.room_restore).unit("s"),
        S::new(Access, "CHATX_TICKET_S", "how long a ticket to a socket lives", |s| &mut s.ticket).unit("s").check(above_zero),
        S::new(Access, "CHATX_VERIFY_TOKEN_S", "how long the link lives that shows whose an address is", |s| &mut s.verify_token).unit("s").check(above_zero),
        S::new(Access, "CHATX_RESET_TOKEN_S", "how long the link lives that a forgotten password is replaced with", |s| &mut s.reset_token).unit("s").check(above_zero),
        S::new(Access, "CHATX_ORIGINS", "origins of browser pages that may connect, beside the server's own", |s| &mut s.origins)
            .otherwise("none").check(origins),
        S::new(Access, "TRUSTED_PROXIES", "ranges of proxies whose `X-Forwarded-For` counts", |s| &mut s.trusted_proxies).otherwise("none"),
        S::new(Access, "CHATX_ADMINS", "usernames with server-admin rights", |s| &mut s.admins).otherwise("none"),

        S::new(Webhooks, "CHATX_WEBHOOK_PRIVATE_TARGETS", "whether webhooks may lead to private, loopback and link-local addresses", |s| &mut s.webhook_private_targets),
        S::new(Webhooks, "CHATX_WEBHOOK_TIMEOUT_S", "how long a webhook's server may take to answer", |s| &mut s.webhook_timeout).unit("s").check(above_zero),
        S::new(Webhooks, "CHATX_WEBHOOK_RETRY_S", "for how long a webhook whose attempts all fail is tried again before it is disabled", |s| &mut s.webhook_retry).unit("s"),

        S::new(Observing, "CHATX_LOG", "what is logged: a level, or a filter like `info,shared::store=debug`", |s| &mut s.log),
        S::new(Observing, "CHATX_LOG_FORMAT", "`auto` is text on a terminal and JSON elsewhere", |s| &mut s.log_format),
        S::new(Observing, "CHATX_METRICS_LISTEN", "where `/metrics` is served", |s| &mut s.metrics_listen)
            .otherwise("the internal listener; under `serve` the one of clients"),

        S::new(Rates, "CHATX_RATE_LIMITS", "whether any rate holds; `off` for load tests", |s| &mut s.rates.on),
        S::new(Rates, "CHATX_RATE_LOGIN", "logins, per account and per address", |s| &mut s.rates.login),
        S::new(Rates, "CHATX_RATE_REGISTER", "registrations, per address", |s| &mut s.rates.register),
        S::new(Rates, "CHATX_RATE_MAIL", "mails asked for, per account and per address", |s| &mut s.rates.mail),
        S::new(Rates, "CHATX_RATE_ROOM_PASSWORD", "tried room passwords, per user and room", |s| &mut s.rates.room_password),
        S::new(Rates, "CHATX_RATE_SEND", "messages, per user", |s| &mut s.rates.send),
        S::new(Rates, "CHATX_RATE_FRAMES", "frames, per socket", |s| &mut s.rates.frames),
        S::new(Rates, "CHATX_RATE_HTTP", "requests, per user", |s| &mut s.rates.http),
        S::new(Rates, "CHATX_RATE_SEARCH", "searches, per user", |s| &mut s.rates.search),
        S::new(Rates, "CHATX_RATE_UPLOAD", "uploads, per user", |s| &mut s.rates.upload),
        S::new(Rates, "CHATX_RATE_EXPORT", "exports of all that is kept of a user, per user", |s| &mut s.rates.export),

        S::new(Limits, "CHATX_LIMIT_USERNAME_MIN_CHARS", "fewest characters of a username", |s| &mut s.limits.username_min_chars).unit("characters").check(above_zero),
        S::new(Limits, "CHATX_LIMIT_USERNAME_MAX_CHARS", "most characters of a username", |s| &mut s.limits.username_max_chars).unit("characters").check(above_zero),
        S::new(Limits, "CHATX_LIMIT_DISPLAY_NAME_MAX_CHARS", "most characters of a display name", |s| &mut s.limits.display_name_max_chars).unit("characters").check(above_zero),
        S::new(Limits, "CHATX_LIMIT_BIO_MAX_CHARS", "most characters of a profile's text", |s| &mut s.limits.bio_max_chars).unit("characters"),
        S::new(Limits, "CHATX_LIMIT_STATUS_MAX_CHARS", "most characters of a status line", |s| &mut s.limits.status_max_chars).unit("characters"),
        S::new(Limits, "CHATX_LIMIT_EMAIL_MAX_BYTES", "most bytes of an email address", |s| &mut s.limits.email_max_bytes).unit("bytes").check(above_zero),
        S::new(Limits, "CHATX_LIMIT_PASSWORD_MIN_CHARS", "fewest characters of an account's password", |s| &mut s.limits.password_min_chars).unit("characters").check(above_zero),
        S::new(Limits, "CHATX_LIMIT_PASSWORD_MAX_CHARS", "most characters of an account's password", |s| &mut s.limits.password_max_chars).unit("characters").check(above_zero),
        S::new(Limits, "CHATX_LIMIT_ROOM_NAME_MAX_CHARS", "most characters of a room's name", |s| &mut s.limits.room_name_max_chars).unit("characters").check(above_zero),
        S::new(Limits, "CHATX_LIMIT_TOPIC_MAX_CHARS", "most characters of a topic", |s| &mut s.limits.topic_max_chars).unit("characters"),
        S::new(Limits, "CHATX_LIMIT_ROOM_PASSWORD_MIN_CHARS", "fewest characters of a room's password", |s| &mut s.limits.room_password_min_chars).unit("characters").check(above_zero),
        S::new(Limits, "CHATX_LIMIT_ROOM_PASSWORD_MAX_CHARS", "most characters of a room's password", |s| &mut s.limits.room_password_max_chars).unit("characters").check(above_zero),
        S::new(Limits, "CHATX_LIMIT_BODY_MAX_CHARS", "most characters of a message", |s| &mut s.limits.body_max_chars).unit("characters").check(above_zero),
        S::new(Limits, "CHATX_LIMIT_REASON_MAX_CHARS", "most characters of the reason of a ban", |s| &mut s.limits.reason_max_chars).unit("characters").check(above_zero),
        S::new(Limits, "CHATX_LIMIT_ROOM_MAX_MEMBERS", "most members of a room", |s| &mut s.limits.room_max_members).unit("members").check(above_zero),
        S::new(Limits, "CHATX_LIMIT_SLOW_MODE_MAX_S", "longest wait between two messages in slow mode", |s| &mut s.limits.slow_mode_max_s).unit("s"),
        S::new(Limits, "CHATX_LIMIT_PAGE_MAX", "most entries of one page of a list", |s| &mut s.limits.page_max).unit("entries").check(above_zero),
        S::new(Limits, "CHATX_LIMIT_PAGE_DEFAULT", "entries of a page when the client names no number", |s| &mut s.limits.page_default).unit("entries").check(above_zero),
        S::new(Limits, "CHATX_LIMIT_RESUME_MAX_EVENTS", "most missed events that a resume sends before it starts afresh", |s| &mut s.limits.resume_max_events).unit("events").check(above_zero),
        S::new(Limits, "CHATX_LIMIT_SOCKET_MAX_ROOMS", "most rooms that one socket subscribes to", |s| &mut s.limits.socket_max_rooms).unit("rooms").check(above_zero),
        S::new(Limits, "CHATX_LIMIT_CLIENT_FRAME_MAX_BYTES", "largest frame of a client", |s| &mut s.limits.client_frame_max_bytes).unit("bytes").check(above_zero),
        S::new(Limits, "CHATX_LIMIT_SERVER_FRAME_MAX_BYTES", "largest frame of the server", |s| &mut s.limits.server_frame_max_bytes).unit("bytes").check(above_zero),
        S::new(Limits, "CHATX_LIMIT_JSON_BODY_MAX_BYTES", "largest JSON body of a request", |s| &mut s.limits.json_body_max_bytes).unit("bytes").check(above_zero),
        S::new(Limits, "CHATX_LIMIT_FILE_MAX_BYTES", "largest file", |s| &mut s.limits.file_max_bytes).unit("bytes").check(above_zero),
        S::new(Limits, "CHATX_LIMIT_MESSAGE_MAX_FILES", "most files of a message", |s| &mut s.limits.message_max_files).unit("files"),
        S::new(Limits, "CHATX_LIMIT_FILE_UNSENT_MAX_S", "how long a file is kept that no message has taken", |s| &mut s.limits.file_unsent_max_s).unit("s").check(above_zero),
        S::new(Limits, "CHATX_LIMIT_INVITE_MAX_S", "longest life of an invite", |s| &mut s.limits.invite_max_s).unit("s").check(above_zero),
        S::new(Limits, "CHATX_LIMIT_INVITE_DEFAULT_S", "life of an invite when its maker names none", |s| &mut s.limits.invite_default_s).unit("s").check(above_zero),
        S::new(Limits, "CHATX_LIMIT_PRESENCE_VISIBLE_MAX", "most people whose presence a room shows by name", |s| &mut s.limits.presence_visible_max).unit("people"),
        S::new(Limits, "CHATX_LIMIT_PRESENCE_NAMED_MAX_MEMBERS", "above so many members a room shows only how many are online", |s| &mut s.limits.presence_named_max_members).unit("members"),
    ]
};

fn above_zero(text: &str) -> Result<(), String> {
    if text.chars().all(|c| c == '0') {
        Err("must be at least 1".to_owned())
    } else {
        Ok(())
    }
}

fn database_url(text: &str) -> Result<(), String> {
    let known = ["sqlite:", "postgres://", "postgresql://"];
    if known.iter().any(|scheme| text.starts_with(scheme)) {
        Ok(())
    } else {
        Err("begins with neither `postgres://` nor `sqlite:`".to_owned())
    }
}

fn redis_url(text: &str) -> Result<(), String> {
    let known = ["redis://", "rediss://", "redis+unix://", "unix://"];
    if known.iter().any(|scheme| text.starts_with(scheme)) {
        Ok(())
    } else {
        Err("begins with neither `redis://` nor `rediss://`".to_owned())
    }
}

fn files(text: &str) -> Result<(), String> {
    match text.split_once("://") {
        None => Ok(()),
        Some(("s3", place)) if !place.split('/').next().unwrap_or_default().is_empty() => Ok(()),
        Some(_) => Err("is neither a directory nor like `s3://bucket/prefix`".to_owned()),
    }
}

fn http_url(text: &str) -> Result<(), String> {
    let uri = text.parse::<http::Uri>().ok().filter(|uri| {
        matches!(uri.scheme_str(), Some("http" | "https"))
            && uri.authority().is_some()
            && uri.query().is_none()
    });
    uri.map(drop)
        .ok_or_else(|| "is no url like https://chat.example.com".to_owned())
}

fn origins(text: &str) -> Result<(), String> {
    let is_origin = |origin: &str| {
        let after_host = origin.splitn(4, '/').nth(3);
        http_url(origin).is_ok() && after_host.is_none()
    };
    match text
        .split(',')
        .map(str::trim)
        .find(|origin| !origin.is_empty() && !is_origin(origin))
    {
        Some(origin) => Err(format!(
            "has `{origin}`, which is no origin like https://chat.example.com"
        )),
        None => Ok(()),
    }
}

fn node_name(text: &str) -> Result<(), String> {
    let plain = text
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c));
    if plain && text.len() <= 64 {
        Ok(())
    } else {
        Err("may have up to 64 letters, digits and `-_.`".to_owned())
    }
}

fn cluster_secret(text: &str) -> Result<(), String> {
    if text.chars().count() < 32 {
        Err("is shorter than 32 characters".to_owned())
    } else {
        Ok(())
    }
}
