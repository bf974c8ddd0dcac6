//! What can be set: every setting with its default and its unit. Where the values come from
//! (environment, flags, file) is decided by who starts the server.

use std::{net::IpAddr, net::SocketAddr, path::PathBuf, time::Duration};

use protocol::Limits;
use secrecy::SecretString;

/// Every setting of a server.
#[derive(Clone, Debug)]
pub struct Settings {
    /// `CHATX_LISTEN`: where clients come.
    pub listen: SocketAddr,
    /// `CHATX_DATA_DIR`: the SQLite file, uploads, generated keys.
    pub data_dir: PathBuf,
    /// `DATABASE_URL`: `postgres://…` or `sqlite:…`; may hold a password.
    pub database_url: SecretString,
    /// `REDIS_URL`; without it presence, limits and tickets are kept in the process.
    pub redis_url: Option<SecretString>,
    /// `CHATX_NODE`: this coordinator's name.
    pub node: String,
    /// `CHATX_PUBLIC_URL`: the url that clients use.
    pub public_url: String,
    /// `CHATX_INTERNAL_LISTEN`: where peers and hints come.
    pub internal_listen: Option<SocketAddr>,
    /// `CHATX_INTERNAL_URL`: the url that peers and hints use.
    pub internal_url: Option<String>,
    /// `CHATX_CLUSTER_SECRET`: proves a peer, and seals the signing keys in the store.
    pub cluster_secret: SecretString,
    /// `CHATX_JWT_KEY_FILE`: an Ed25519 key (PKCS#8 PEM) that signs access tokens.
    pub jwt_key_file: Option<PathBuf>,
    /// `CHATX_ACCESS_TOKEN_S`.
    pub access_token: Duration,
    /// `CHATX_REFRESH_TOKEN_S`.
    pub refresh_token: Duration,
    /// `CHATX_TICKET_S`.
    pub ticket: Duration,
    /// `CHATX_DRAIN_S`: how long SIGTERM takes to move sockets away.
    pub drain: Duration,
    /// `CHATX_METRICS_LISTEN`.
    pub metrics_listen: Option<SocketAddr>,
    /// `CHATX_ORIGINS`: browser origins that are allowed beside the server's own.
    pub origins: Vec<String>,
    /// `TRUSTED_PROXIES`: whose `X-Forwarded-For` counts.
    pub trusted_proxies: Vec<Network>,
    /// `CHATX_ADMINS`: usernames with server-admin rights.
    pub admins: Vec<String>,
    /// `CHATX_RATE_LIMITS` and the rates, each by its own name.
    pub rates: Rates,
    /// The sizes that input is held to, each by its own name.
    pub limits: Limits,
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
    /// Tried room passwords per user and room.
    pub room_password: Rate,
    /// Messages per user.
    pub send: Rate,
    /// Frames per socket.
    pub frames: Rate,
    /// Requests per user.
    pub http: Rate,
}

impl Default for Rates {
    fn default() -> Self {
        let rate = |burst, every_ms| Rate { burst, every: Duration::from_millis(every_ms) };
        Self {
            on: true,
            login: rate(5, 300_000),
            register: rate(3, 600_000),
            room_password: rate(5, 180_000),
            send: rate(20, 200),
            frames: rate(60, 50),
            http: rate(100, 100),
        }
    }
}

impl Network {
    /// Whether `address` lies in this range.
    pub fn contains(&self, address: IpAddr) -> bool {
        let shared_bits = match (self.address, address.to_canonical()) {
            (IpAddr::V4(own), IpAddr::V4(other)) => (own.to_bits() ^ other.to_bits()).leading_zeros(),
            (IpAddr::V6(own), IpAddr::V6(other)) => (own.to_bits() ^ other.to_bits()).leading_zeros(),
            _ => return false,
        };
        shared_bits >= u32::from(self.prefix_bits)
    }
}
