//! Writing the audit log: who did what, from where. An entry is written after what it tells of; if it
//! cannot be, that is logged and the caller is not told, because what they asked for is done.

use std::net::IpAddr;

use protocol::{UserId, audit::AuditAction, ids::OfEvent};
use serde_json::Value;

use crate::{App, Caller, store::NewAuditEntry};

/// Who did something, and from where.
#[derive(Clone, Debug)]
pub struct By {
    /// The account, if it is known.
    pub actor: Option<UserId>,
    /// The address.
    pub ip: IpAddr,
    /// Names the request, or the socket, in the log.
    pub request_id: String,
}

impl From<&Caller> for By {
    fn from(caller: &Caller) -> Self {
        Self {
            actor: Some(caller.user.id),
            ip: caller.ip,
            request_id: caller.request_id.clone(),
        }
    }
}

impl App {
    /// Notes that `by` did `action` to `target`. `data` holds no body, password or token.
    pub async fn audit(
        &self,
        by: impl Into<By>,
        action: AuditAction,
        target: Option<String>,
        data: Value,
    ) {
        let by = by.into();
        let entry = NewAuditEntry {
            id: self.clock.id::<OfEvent>().uuid(),
            at: self.clock.now(),
            action,
            actor: by.actor,
            target,
            ip: by.ip,
            request_id: by.request_id,
            data,
        };
        if let Err(error) = self.store.audit(&entry).await {
            let action = action.as_str();
            tracing::error!(%error, action, request.id = entry.request_id, "an audit entry is lost");
        }
    }
}
