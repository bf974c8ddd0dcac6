//! What people react with to messages: each of a person's emoji once, and each coming and going an event.

use protocol::{
    Act, ErrorCode, RoomId, Seq, Timestamp, UserId,
    events::{Event, EventKind},
    marks::{MAX_EMOJI, React},
};

use super::{
    Result, Store,
    change::RoomChange,
    pool::{execute, on},
};

/// What became of a wish to put something on a message or take it away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Marked {
    /// Where.
    pub room: RoomId,
    /// The event of it, or the room's latest if all was so already.
    pub seq: Seq,
    /// When.
    pub at: Timestamp,
    /// Whether all was so already.
    pub was_so: bool,
}

impl From<Event> for Marked {
    fn from(event: Event) -> Self {
        Self {
            room: event.room,
            seq: event.seq,
            at: event.at,
            was_so: false,
        }
    }
}

impl Store {
    /// Reacts to a message. Nothing happens if `by` has with the same emoji already.
    ///
    /// # Errors
    /// `message_not_found`, `muted`, `archived`, `blocked`, or `conflict` for one emoji more than a message
    /// may have.
    pub async fn react(
        &self,
        room: RoomId,
        by: UserId,
        react: &React,
        at: Timestamp,
    ) -> Result<Marked> {
        let mut change = self.change_as(room, by, Act::Send, at).await?;
        change.may_speak().await?;
        change.written_by(react.seq).await?;
        let has_reacted = change.reaction(react).await?;
        if has_reacted {
            return Ok(change.as_it_was());
        }
        if change.other_emoji(react).await? >= i64::from(MAX_EMOJI) {
            return Err(ErrorCode::Conflict.into());
        }
        let event = change.write(EventKind::React(react.into())).await?;
        execute!(
            change.transaction.connection(),
            sqlx::query(
                "insert into reactions (room_id, seq, emoji, user_id, event_seq) values ($1, $2, $3, $4, $5)",
            )
            .bind(room.uuid())
            .bind(react.seq.to_i64())
            .bind(react.emoji.as_str())
            .bind(by.uuid())
            .bind(event.seq.to_i64())
        )?;
        change.commit().await?;
        Ok(event.into())
    }

    /// Takes a reaction back. Nothing happens if there is none.
    ///
    /// # Errors
    /// `message_not_found`, `archived`.
    pub async fn unreact(
        &self,
        room: RoomId,
        by: UserId,
        react: &React,
        at: Timestamp,
    ) -> Result<Marked> {
        let mut change = self.change_as(room, by, Act::Send, at).await?;
        change.must_be_writable()?;
        change.written_by(react.seq).await?;
        let gone = execute!(
            change.transaction.connection(),
            sqlx::query(
                "delete from reactions where room_id = $1 and seq = $2 and emoji = $3 and user_id = $4",
            )
            .bind(room.uuid())
            .bind(react.seq.to_i64())
            .bind(react.emoji.as_str())
            .bind(by.uuid())
        )?;
        if gone == 0 {
            return Ok(change.as_it_was());
        }
        let event = change.write(EventKind::Unreact(react.into())).await?;
        change.commit().await?;
        Ok(event.into())
    }
}

impl RoomChange {
    /// Nothing is to be done.
    pub(super) fn as_it_was(&self) -> Marked {
        Marked {
            room: self.room.id(),
            seq: Seq::from_i64(self.room.head),
            at: self.at,
            was_so: true,
        }
    }

    /// Whether the one who makes the change has reacted so.
    async fn reaction(&mut self, react: &React) -> Result<bool> {
        let (room, by) = (self.room.id, self.by.user().uuid());
        let found: Option<i64> = on!(self.transaction.connection(), connection => sqlx::query_scalar(
            "select event_seq from reactions where room_id = $1 and seq = $2 and emoji = $3 and user_id = $4",
        )
        .bind(room).bind(react.seq.to_i64()).bind(react.emoji.as_str()).bind(by)
        .fetch_optional(connection))?;
        Ok(found.is_some())
    }

    /// How many emoji beside this one are on the message.
    async fn other_emoji(&mut self, react: &React) -> Result<i64> {
        let room = self.room.id;
        on!(self.transaction.connection(), connection => sqlx::query_scalar(
            "select count(distinct emoji) from reactions where room_id = $1 and seq = $2 and emoji <> $3",
        )
        .bind(room).bind(react.seq.to_i64()).bind(react.emoji.as_str())
        .fetch_one(connection))
    }

    /// What was put on a message goes with it.
    pub(super) async fn clear_marks(&mut self, seq: Seq) -> Result<()> {
        for statement in [
            "delete from reactions where room_id = $1 and seq = $2",
            "delete from pins where room_id = $1 and seq = $2",
            "delete from mentions where room_id = $1 and seq = $2",
            "delete from originals where room_id = $1 and seq = $2",
            // What was reported of it stays told, but not what it said.
            "update reports set body = null where room_id = $1 and seq = $2",
        ] {
            execute!(
                self.transaction.connection(),
                sqlx::query(statement).bind(self.room.id).bind(seq.to_i64())
            )?;
        }
        Ok(())
    }
}
