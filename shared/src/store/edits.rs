//! Changing what was said, and taking it back. The original row holds the final text, so that every
//! later read finds it; the change itself is an event of its own.

use protocol::{
    Act, ErrorCode, RoomId, Seq, Timestamp, UserId,
    events::{Edited, Event, EventKind, Target},
    marks::Version,
    text::MessageBody,
};
use sqlx::FromRow;
use uuid::Uuid;

use super::{
    Result, Store,
    change::RoomChange,
    columns::At,
    event_row::EventData,
    pool::{execute, on},
    search,
};

/// The texts that the message `$2` of the room `$1` had, and since when it says what it says.
pub(super) const VERSIONS: &str = "select o.body, e.at, e.seq as place
    from originals o join events e on e.room_id = o.room_id and e.seq = o.seq
    where o.room_id = $1 and o.seq = $2
    union all
    select e.body, e.at, e.seq
    from events e
    where e.room_id = $1 and e.target = $2 and e.kind = 'edit' and e.body <> ''
    order by place";

/// Takes the texts of its edits away.
pub(super) const FORGET_EDITS: &str =
    "update events set body = '', data = null where room_id = $1 and target = $2 and kind = 'edit'";

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
        change.may_speak().await?;
        change.keep_original(seq).await?;
        let mentions = change.call(seq, body).await?;
        let files = change.files(seq).await?;
        execute!(
            change.transaction.connection(),
            sqlx::query(
                "update events set body = $3, edited_at = $4, data = $5 where room_id = $1 and seq = $2",
            )
            .bind(room.uuid())
            .bind(seq.to_i64())
            .bind(body.as_str())
            .bind(At(at))
            .bind(EventData::of_text(&mentions, &files))
        )?;
        search::follow(&mut change.transaction, room, seq).await?;
        let edited = Edited {
            target: seq,
            body: body.as_str().to_owned(),
            mentions,
        };
        let event = change.write(EventKind::Edit(edited)).await?;
        change.commit().await?;
        Ok(event)
    }

    /// What a message said before, oldest first.
    ///
    /// # Errors
    /// As [`Store::message`].
    pub async fn versions(&self, room: RoomId, viewer: UserId, seq: Seq) -> Result<Vec<Version>> {
        self.message(room, viewer, seq).await?;
        // One change made the other text; nothing before the first is known of a message that was changed
        // before originals were kept.
        let rows: Vec<VersionRow> = on!(self.reader(), pool => sqlx::query_as(
            VERSIONS,
        ).bind(room.uuid()).bind(seq.to_i64()).fetch_all(pool))?;
        let mut versions: Vec<Version> = rows.into_iter().map(VersionRow::version).collect();
        // The last is what it says now.
        versions.pop();
        Ok(versions)
    }

    /// Deletes a message: its text, and those that it had before, are gone, and what was put on it; that it
    /// was there stays.
    ///
    /// # Errors
    /// `message_not_found`, also for one that is deleted already; `forbidden`.
    pub async fn erase(&self, room: RoomId, by: UserId, seq: Seq, at: Timestamp) -> Result<Event> {
        let mut change = self.change_as(room, by, Act::Send, at).await?;
        let is_own = change.written_by(seq).await? == by;
        if !is_own && !change.role()?.may(Act::DeleteOthers) {
            return Err(ErrorCode::Forbidden.into());
        }
        let event = change.take_back(seq).await?;
        change.commit().await?;
        Ok(event)
    }
}

impl RoomChange {
    /// Who wrote the message at a place that the one who makes the change may read.
    pub(super) async fn written_by(&mut self, seq: Seq) -> Result<UserId> {
        let (room, first) = (self.room.id(), self.by.first());
        let row: Option<Written> = on!(self.transaction.connection(), connection => sqlx::query_as(
            "select user_id from events
             where room_id = $1 and seq = $2 and seq >= $3 and kind = 'message' and deleted_at is null",
        ).bind(room.uuid()).bind(seq.to_i64()).bind(first.to_i64()).fetch_optional(connection))?;
        row.map(|row| UserId::from_uuid(row.user_id))
            .ok_or_else(|| ErrorCode::MessageNotFound.into())
    }
}

impl RoomChange {
    /// Takes away what a message says and said, with all that is on it, and writes that it is deleted.
    pub(super) async fn take_back(&mut self, seq: Seq) -> Result<Event> {
        let room = self.room.id();
        execute!(
            self.transaction.connection(),
            sqlx::query(
                "update events set body = '', data = null, deleted_at = $3 where room_id = $1 and seq = $2",
            )
            .bind(room.uuid())
            .bind(seq.to_i64())
            .bind(At(self.at))
        )?;
        execute!(
            self.transaction.connection(),
            sqlx::query(FORGET_EDITS)
                .bind(room.uuid())
                .bind(seq.to_i64())
        )?;
        self.clear_marks(seq).await?;
        self.drop_files(seq).await?;
        search::follow(&mut self.transaction, room, seq).await?;
        self.write(EventKind::Delete(Target { target: seq })).await
    }

    /// Keeps what a message says before it is changed for the first time.
    async fn keep_original(&mut self, seq: Seq) -> Result<()> {
        execute!(
            self.transaction.connection(),
            sqlx::query(
                "insert into originals (room_id, seq, body)
                 select room_id, seq, body from events where room_id = $1 and seq = $2 and edited_at is null
                 on conflict (room_id, seq) do nothing",
            )
            .bind(self.room.id)
            .bind(seq.to_i64())
        )?;
        Ok(())
    }
}

#[derive(FromRow)]
struct Written {
    user_id: Uuid,
}

#[derive(FromRow)]
struct VersionRow {
    body: String,
    at: At,
}

impl VersionRow {
    fn version(self) -> Version {
        Version {
            body: self.body,
            at: self.at.0,
        }
    }
}
