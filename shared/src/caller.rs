//! Who asks for something, over HTTP or on a socket.

use std::net::IpAddr;

use protocol::{
    ErrorCode, SessionId,
    accounts::UserSummary,
    bots::{Scope, Scopes},
};

use crate::Refusal;

/// Somebody who has proved who they are.
#[derive(Clone, Debug)]
pub struct Caller {
    /// Their account.
    pub user: UserSummary,
    /// The session whose token they showed.
    pub session: SessionId,
    /// The address that they come from.
    pub ip: IpAddr,
    /// Names the request, or the socket, in logs and in the audit log.
    pub request_id: String,
    /// Whether they have server-admin rights.
    pub admin: bool,
    /// What they may do, if they are a bot; nothing is withheld from a person.
    pub scopes: Option<Scopes>,
}

impl Caller {
    /// Refuses a bot whose token does not open `needed`, and any bot what no scope opens.
    ///
    /// # Errors
    /// `missing_scope`.
    pub fn must_have(&self, needed: Option<Scope>) -> Result<(), Refusal> {
        must_have(self.scopes, needed)
    }
}

/// As [`Caller::must_have`], for who is not asking for anything yet.
///
/// # Errors
/// `missing_scope`.
pub fn must_have(scopes: Option<Scopes>, needed: Option<Scope>) -> Result<(), Refusal> {
    match (scopes, needed) {
        (None, _) => Ok(()),
        (Some(scopes), Some(needed)) if scopes.has(needed) => Ok(()),
        (Some(_), _) => Err(ErrorCode::MissingScope.into()),
    }
}
