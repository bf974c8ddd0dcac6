//! Accounts and sessions: oneself, other people, and what server admins read.

use futures_util::stream::BoxStream;
use hyper::{Method, body::Bytes};
use protocol::{
    SessionId, UserId,
    accounts::{
        CloseAccountBody, FindUsers, Me, PasswordBody, ProfileBody, SessionList, User, UserList,
    },
    audit::{AuditEntries, AuditQuery},
};

use super::Session;
use crate::{Result, http::Call};

/// Accounts and sessions. Every call fails as [`crate::Error`] says.
#[expect(
    clippy::missing_errors_doc,
    reason = "every call fails in the same ways, which the impl says once"
)]
impl Session {
    /// The caller's account.
    pub async fn me(&self) -> Result<Me> {
        self.get("/v1/users/me").await
    }

    /// Changes the caller's profile.
    pub async fn change_profile(&self, body: &ProfileBody) -> Result<Me> {
        self.change("/v1/users/me", body).await
    }

    /// People whose name begins with a word. A limit of 0 leaves the number to the server.
    pub async fn find_users(&self, find: &FindUsers) -> Result<UserList> {
        let call = Call::new(Method::GET, "/v1/users")
            .ask("query", Some(&find.query))
            .ask("limit", chosen(find.limit));
        self.read(call).await
    }

    /// One person.
    pub async fn read_user(&self, user: UserId) -> Result<User> {
        self.get(format!("/v1/users/{user}")).await
    }

    /// Changes the password, and ends every other session.
    pub async fn change_password(&self, current: &str, new: &str) -> Result<()> {
        let (current, new) = (Some(current.to_owned()), Some(new.to_owned()));
        self.done(Call::new(Method::POST, "/v1/auth/password").with(&PasswordBody { current, new }))
            .await
    }

    /// All that is kept of the caller, as the bytes of a zip, as they come.
    pub async fn export(&self) -> Result<BoxStream<'static, Result<Bytes>>> {
        self.pour(Call::new(Method::GET, "/v1/users/me/export"))
            .await
    }

    /// Closes the caller's account for good, and erases what they said. Who has no password has just logged in.
    pub async fn leave_for_good(&self, password: Option<&str>) -> Result<()> {
        let password = password.map(str::to_owned);
        self.done(Call::new(Method::DELETE, "/v1/users/me").with(&CloseAccountBody { password }))
            .await
    }

    /// The caller's sessions.
    pub async fn sessions(&self) -> Result<SessionList> {
        self.get("/v1/auth/sessions").await
    }

    /// Ends one of the caller's sessions.
    pub async fn revoke(&self, session: SessionId) -> Result<()> {
        self.delete(format!("/v1/auth/sessions/{session}")).await
    }

    /// Ends all of the caller's sessions but this one.
    pub async fn revoke_others(&self) -> Result<()> {
        self.delete("/v1/auth/sessions").await
    }

    /// Ends this session, and with it its sockets.
    pub async fn log_out(&self) -> Result<()> {
        self.done(Call::new(Method::POST, "/v1/auth/logout")).await
    }

    /// A page of the audit log; for server admins.
    pub async fn audit(&self, query: &AuditQuery) -> Result<AuditEntries> {
        let call = Call::new(Method::GET, "/v1/admin/audit")
            .ask("actor", query.actor)
            .ask(
                "action",
                query.action.map(protocol::audit::AuditAction::as_str),
            )
            .ask("cursor", query.cursor)
            .ask("limit", chosen(query.limit));
        self.read(call).await
    }
}

/// A limit, unless it is left to the server.
pub(super) const fn chosen(limit: u32) -> Option<u32> {
    if limit == 0 { None } else { Some(limit) }
}
