//! The pinned messages of a room.

use protocol::{
    Act, ErrorCode, RoomId, Seq, Timestamp, UserId,
    accounts::UserSummary,
    events::{EventKind, Target},
    marks::{MAX_PINS, Pin},
    rooms::Visibility,
};
use sqlx::FromRow;
use uuid::Uuid;

use super::{
    Result, Store,
    change::RoomChange,
    columns::At,
    message_row::{MessageRow, select_messages},
    pool::{execute, on},
    reactions::Marked,
};

impl Store {
    /// Pins a message. Nothing happens if it is pinned already.
    ///
    /// # Errors
    /// `forbidden`, `message_not_found`, `archived`, or `conflict` for one pin more than a room may have.
    pub async fn pin(&self, room: RoomId, by: UserId, seq: Seq, at: Timestamp) -> Result<Marked> {
        let mut change = self.change(room, by, at).await?;
        change.may_pin()?;
        change.written_by(seq).await?;
        let pinned: Vec<i64> = on!(change.transaction.connection(), connection => sqlx::query_scalar(
            "select seq from pins where room_id = $1",
        ).bind(room.uuid()).fetch_all(connection))?;
        if pinned.contains(&seq.to_i64()) {
            return Ok(change.as_it_was());
        }
        if pinned.len() >= MAX_PINS as usize {
            return Err(ErrorCode::Conflict.into());
        }
        let event = change.write(EventKind::Pin(Target { target: seq })).await?;
        execute!(
            change.transaction.connection(),
            sqlx::query(
                "insert into pins (room_id, seq, user_id, event_seq, at) values ($1, $2, $3, $4, $5)",
            )
            .bind(room.uuid())
            .bind(seq.to_i64())
            .bind(by.uuid())
            .bind(event.seq.to_i64())
            .bind(At(at))
        )?;
        change.commit().await?;
        Ok(event.into())
    }

    /// Takes a pin away. Nothing happens if there is none.
    ///
    /// # Errors
    /// `forbidden`, `message_not_found`, `archived`.
    pub async fn unpin(&self, room: RoomId, by: UserId, seq: Seq, at: Timestamp) -> Result<Marked> {
        let mut change = self.change(room, by, at).await?;
        change.may_pin()?;
        change.written_by(seq).await?;
        let gone = execute!(
            change.transaction.connection(),
            sqlx::query("delete from pins where room_id = $1 and seq = $2")
                .bind(room.uuid())
                .bind(seq.to_i64())
        )?;
        if gone == 0 {
            return Ok(change.as_it_was());
        }
        let event = change
            .write(EventKind::Unpin(Target { target: seq }))
            .await?;
        change.commit().await?;
        Ok(event.into())
    }

    /// The pinned messages that `viewer` may read, the latest pin first.
    ///
    /// # Errors
    /// As [`Store::access`].
    pub async fn pins(&self, room: RoomId, viewer: UserId) -> Result<Vec<Pin>> {
        let rows: Vec<PinRow> = on!(self.reader(), pool => sqlx::query_as(select_messages!(
            "$2",
            ", w.id as by_id, w.username as by_username, w.display_name as by_display_name, p.at as pinned_at",
            "join pins p on p.room_id = e.room_id and p.seq = e.seq join users w on w.id = p.user_id
             where p.room_id = $1 and e.kind = 'message' and p.seq >= (
                select m.first_seq from members m join rooms r on r.id = m.room_id
                where m.room_id = $1 and m.user_id = $2 and r.deleted_at is null
             )
             order by p.event_seq desc"
        ))
        .bind(room.uuid())
        .bind(viewer.uuid())
        .fetch_all(pool))?;
        if rows.is_empty() {
            // There are none, or none that the viewer may see.
            self.access(room, viewer).await?;
        }
        rows.into_iter().map(PinRow::pin).collect()
    }
}

impl RoomChange {
    /// Keeping order is for moderators; in a conversation there are none, and everybody may pin.
    fn may_pin(&self) -> Result<()> {
        let is_direct = self.room.visibility() == Visibility::Direct;
        if !self.role()?.may(Act::Pin) && !is_direct {
            return Err(ErrorCode::Forbidden.into());
        }
        self.must_be_writable()
    }
}

#[derive(FromRow)]
struct PinRow {
    #[sqlx(flatten)]
    message: MessageRow,
    by_id: Uuid,
    by_username: String,
    by_display_name: String,
    pinned_at: At,
}

impl PinRow {
    fn pin(self) -> Result<Pin> {
        Ok(Pin {
            message: self.message.message()?,
            user: UserSummary {
                id: UserId::from_uuid(self.by_id),
                username: self.by_username,
                display_name: self.by_display_name,
            },
            at: self.pinned_at.0,
        })
    }
}
