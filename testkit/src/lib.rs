//! Real servers for tests: PostgreSQL, Redis, `PgBouncer`, S3, an OpenID provider, `chatx` itself and Chromium, each private to
//! the test that starts it. Nothing here stands in for anything, and nothing outlives the test, even
//! when the test is killed.
//!
//! Without settings everything is looked for or fetched; these change that:
//!
//! | variable | |
//! |---|---|
//! | `CHATX_TEST_POSTGRES_URL` | a superuser's url: [`postgres_url`] and `Database::fresh` use this server |
//! | `CHATX_TEST_REDIS_URL` | [`redis_url`] uses this server |
//! | `CHATX_TEST_SOURCES` | of `installed,download,build,package,container`, the sources to try |

mod home;
mod source;
mod apt;
mod container;
mod port;
mod postgres;
mod pgbouncer;
mod redis;
mod python;
mod s3;
mod oidc;
mod chatx;
#[cfg(feature = "database")]
mod database;
#[cfg(feature = "database")]
mod ground;
#[cfg(feature = "tls")]
mod ca;
#[cfg(feature = "chromium")]
mod chromium;
#[cfg(feature = "chromium")]
mod page;
#[cfg(feature = "chromium")]
mod cdp;

#[cfg(feature = "tls")]
pub use ca::{Ca, Door};
pub use chatx::{Chatx, ChatxSetup, chatx_executable};
#[cfg(feature = "chromium")]
pub use chromium::Chromium;
#[cfg(feature = "database")]
pub use database::Database;
#[cfg(feature = "database")]
pub use ground::Ground;
pub use oidc::OidcProvider;
#[cfg(feature = "chromium")]
pub use page::Page;
pub use pgbouncer::PgBouncer;
pub use port::free_port;
pub use postgres::{Durability, Postgres, postgres_url};
pub use redis::{Redis, redis_url};
pub use s3::S3;
pub use source::programs;

/// Tells the person at the terminal what is being done for them.
#[expect(
    clippy::print_stderr,
    reason = "tests have no log; what is fetched or started should be seen"
)]
pub(crate) fn say(line: impl std::fmt::Display) {
    eprintln!("testkit: {line}");
}
