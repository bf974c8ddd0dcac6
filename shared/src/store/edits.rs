//! Changing what was said, and taking it back. The original row holds the final text, so that every
//! later read finds it; the change itself is an event of its own.

use protocol::{
    Act, ErrorCode, RoomId, Seq, Timestamp, UserId,
    events::{Edited, Event, EventKind, Target},
    text::MessageBody,
};
use sqlx::FromRow;
use uuid::Uuid;

use super::{
    Result, Store,
    change::RoomChange,
    columns::At,
    pool::{execute, on},
};

impl Store {
    /// Gives a message of one's own another text.
    ///
    /// # Errors
    /// `message_not_found`, `forbidden` for another's message, `muted`, `archived`.
    pub async fn edit(
        &self,
        room: RoomId,
        by: UserId,
        seq: Seq,
        body: &MessageBody,
        at: Timestamp,
    ) -> Result<Event> {
        let mut change = self.change_as(room, by, Act::Send, at).await?;
        change.must_be_writable()?;
        if change.written_by(seq).await? != by {
            return Err(ErrorCode::Forbidden.into());
        }
        if change.by.is_muted(at) {
            return Err(ErrorCode::Muted.into());
        }
        execute!(
            change.transaction.connection(),
            sqlx::query(
                "update events set body = $3, edited_at = $4 where room_id = $1 and seq = $2",
            )
            .bind(room.uuid())
            .bind(seq.to_i64())
            .bind(body.as_str())
            .bind(At(at))
        )?;
        let edited = Edited {
            target: seq,
            body: body.as_str().to_owned(),
        };
        let event = change.write(EventKind::Edit(edited)).await?;
        change.commit().await?;
        Ok(event)
    }

    /// Deletes a message: its text, and those that it had before, are gone; that it was there stays.
    ///
    /// # Errors
    /// `message_not_found`, also for one that is deleted already; `forbidden`.
    pub async fn erase(&self, room: RoomId, by: UserId, seq: Seq, at: Timestamp) -> Result<Event> {
        let mut change = self.change_as(room, by, Act::Send, at).await?;
        let is_own = change.written_by(seq).await? == by;
        if !is_own && !change.role()?.may(Act::DeleteOthers) {
            return Err(ErrorCode::Forbidden.into());
        }
        execute!(
            change.transaction.connection(),
            sqlx::query(
                "update events set body = '', deleted_at = $3 where room_id = $1 and seq = $2",
            )
            .bind(room.uuid())
            .bind(seq.to_i64())
            .bind(At(at))
        )?;
        execute!(
            change.transaction.connection(),
            sqlx::query(
                "update events set body = '' where room_id = $1 and target = $2 and kind = 'edit'",
            )
            .bind(room.uuid())
            .bind(seq.to_i64())
        )?;
        let event = change
            .write(EventKind::Delete(Target { target: seq }))
            .await?;
        change.commit().await?;
        Ok(event)
    }
}

impl RoomChange {
    /// Who wrote the message at a place that the one who makes the change may read.
    async fn written_by(&mut self, seq: Seq) -> Result<UserId> {
        let (room, first) = (self.room.id(), self.by.first());
        let row: Option<Written> = on!(self.transaction.connection(), connection => sqlx::query_as(
            "select user_id from events
             where room_id = $1 and seq = $2 and seq >= $3 and kind = 'message' and deleted_at is null",
        ).bind(room.uuid()).bind(seq.to_i64()).bind(first.to_i64()).fetch_optional(connection))?;
        row.map(|row| UserId::from_uuid(row.user_id))
            .ok_or_else(|| ErrorCode::MessageNotFound.into())
    }
}

#[derive(FromRow)]
struct Written {
    user_id: Uuid,
}
