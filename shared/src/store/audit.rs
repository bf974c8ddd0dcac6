//! The audit log: entries are added and read, never changed.

use std::net::IpAddr;

use protocol::{
    Timestamp, UserId,
    audit::{AuditAction, AuditEntries, AuditEntry, AuditQuery},
};
use serde_json::Value;
use sqlx::{FromRow, types::Json};
use uuid::Uuid;

use super::{Result, Store, columns::At, pool::on};

/// An entry to be added.
#[derive(Clone, Debug)]
pub struct NewAuditEntry {
    /// Its id, ordered by time.
    pub id: Uuid,
    /// When it was done.
    pub at: Timestamp,
    /// What was done.
    pub action: AuditAction,
    /// Who did it, if that is known.
    pub actor: Option<UserId>,
    /// What it was done to.
    pub target: Option<String>,
    /// From which address.
    pub ip: IpAddr,
    /// Names the request, or the socket, in the log.
    pub request_id: String,
    /// What else there is to say; never a body, password or token.
    pub data: Value,
}

#[derive(FromRow)]
struct EntryRow {
    id: Uuid,
    at: At,
    action: String,
    actor: Option<Uuid>,
    target: Option<String>,
    ip: String,
    request_id: String,
    data: Json<Value>,
}

impl Store {
    /// Adds an entry.
    ///
    /// # Errors
    /// [`super::Error::Unavailable`].
    pub async fn audit(&self, entry: &NewAuditEntry) -> Result<()> {
        on!(self.writer(), connection => sqlx::query_scalar::<_, i32>(
            "insert into audit (id, at, action, actor, target, ip, request_id, data) \
             values ($1, $2, $3, $4, $5, $6, $7, $8) returning 1",
        )
        .bind(entry.id)
        .bind(At(entry.at))
        .bind(entry.action.as_str())
        .bind(entry.actor.map(UserId::uuid))
        .bind(entry.target.as_deref())
        .bind(entry.ip.to_string())
        .bind(&entry.request_id)
        .bind(Json(&entry.data))
        .fetch_one(connection))?;
        Ok(())
    }

    /// A page of the log, newest first.
    ///
    /// # Errors
    /// [`super::Error::Unavailable`].
    pub async fn audit_entries(&self, query: &AuditQuery) -> Result<AuditEntries> {
        let limit = usize::try_from(query.limit).unwrap_or(usize::MAX);
        let mut rows: Vec<EntryRow> = on!(self.reader(), connection => sqlx::query_as(
            "select id, at, action, actor, target, ip, request_id, data from audit \
             where ($1 is null or actor = $1) and ($2 is null or action = $2) and ($3 is null or id < $3) \
             order by id desc limit $4",
        )
        .bind(query.actor.map(UserId::uuid))
        .bind(query.action.map(AuditAction::as_str))
        .bind(query.cursor)
        .bind(i64::from(query.limit) + 1)
        .fetch_all(connection))?;
        let has_more = rows.len() > limit;
        rows.truncate(limit);
        let entries: Vec<AuditEntry> = rows.into_iter().map(AuditEntry::from).collect();
        let next_cursor = entries
            .last()
            .filter(|_| has_more)
            .map(|entry| entry.id.to_string());
        Ok(AuditEntries {
            entries,
            next_cursor,
        })
    }
}

impl From<EntryRow> for AuditEntry {
    fn from(row: EntryRow) -> Self {
        Self {
            id: row.id,
            at: row.at.into(),
            action: row.action,
            actor: row.actor.map(UserId::from_uuid),
            target: row.target,
            ip: row.ip,
            request_id: row.request_id,
            data: row.data.0,
        }
    }
}
