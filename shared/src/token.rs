//! What proves something without being stored: access tokens, refresh tokens, tickets, csrf tokens and
//! the pass between nodes. Whether a session still stands is the store's and [`crate::revocations`]' to say.

pub mod access;
pub mod keys;
pub mod secrets;

mod csrf;
mod refresh;
pub(crate) mod ticket;

pub use access::AccessClaims;
pub use keys::{KeyError, Keys};
pub use refresh::RefreshToken;
pub use secrets::Secrets;
