//! What proves something without being stored: access tokens, refresh tokens, tickets, csrf tokens and
//! the pass between nodes; and the making of the few that are stored. Whether a session still stands is the store's and [`crate::revocations`]' to say.

pub mod access;
pub mod keys;
pub mod secrets;

pub mod bearer;
mod csrf;
mod refresh;
pub(crate) mod ticket;

pub use access::AccessClaims;
pub use bearer::{BearerHash, FreshBearer};
pub use keys::{KeyError, Keys};
pub use refresh::RefreshToken;
pub use secrets::Secrets;
