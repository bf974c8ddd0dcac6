//! Who asks for something, over HTTP or on a socket.

use std::net::IpAddr;

use protocol::{SessionId, accounts::UserSummary};

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
}
