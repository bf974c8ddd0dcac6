//! Messages as people page through them: as they stand now, edits in them, deleted ones empty. Every
//! read goes along a room's primary key.

use protocol::{
    ErrorCode, RoomId, Seq, UserId,
    messages::{History, Message, MessageList, Span},
};

use super::{
    Result, Store,
    columns::At,
    message_row::{MessageRow, select_messages},
    pool::on,
};

impl Store {
    /// A stretch of the messages of a room that `user` may read, oldest first.
    ///
    /// # Errors
    /// As [`Store::access`].
    pub async fn history(
        &self,
        room: RoomId,
        user: UserId,
        history: &History,
    ) -> Result<MessageList> {
        let access = self.access(room, user).await?;
        let last = access.head;
        let stretch = Stretch {
            room,
            user,
            first: access.first,
            last,
            history,
        };
        let limit = history.limit;
        let (messages, has_more) = match history.span {
            Span::Latest => self.messages_up_to(&stretch, last, limit).await?,
            Span::Before(seq) => self.messages_up_to(&stretch, seq.previous(), limit).await?,
            Span::After(seq) => self.messages_from(&stretch, seq.next(), limit).await?,
            Span::Around(seq) => {
                let (mut messages, more_before) = self
                    .messages_up_to(&stretch, seq, limit.div_ceil(2))
                    .await?;
                let rest = limit.saturating_sub(u32::try_from(messages.len()).unwrap_or(limit));
                let (after, more_after) = self.messages_from(&stretch, seq.next(), rest).await?;
                messages.extend(after);
                (messages, more_before || more_after)
            }
        };
        Ok(MessageList {
            messages,
            head: access.head,
            has_more,
        })
    }

    /// One message.
    ///
    /// # Errors
    /// As [`Store::access`], and `message_not_found`.
    pub async fn message(&self, room: RoomId, user: UserId, seq: Seq) -> Result<Message> {
        let access = self.access(room, user).await?;
        let row: Option<MessageRow> = on!(self.reader(), pool => sqlx::query_as(select_messages!(
            "$5",
            "where e.room_id = $1 and e.seq = $2 and e.seq >= $3 and e.seq <= $4 and e.kind = 'message'"
        ))
        .bind(room.uuid()).bind(seq.to_i64()).bind(access.first.to_i64()).bind(access.head.to_i64())
        .bind(user.uuid())
        .fetch_optional(pool))?;
        row.ok_or(ErrorCode::MessageNotFound)?.message()
    }

    /// The last messages up to a place, it included, and whether there are more before them.
    async fn messages_up_to(
        &self,
        stretch: &Stretch<'_>,
        last: Seq,
        limit: u32,
    ) -> Result<(Vec<Message>, bool)> {
        let rows: Vec<MessageRow> = on!(self.reader(), pool => sqlx::query_as(select_messages!(
            "$8",
            "where e.room_id = $1 and e.seq >= $2 and e.seq <= $3 and e.kind = 'message'
                and ($4 is null or e.user_id = $4)
                and ($5 is null or e.at >= $5)
                and ($6 is null or e.at < $6)
                and ($9 is null or e.thread = $9 or e.seq = $9)
             order by e.seq desc limit $7"
        ))
        .bind(stretch.room.uuid())
        .bind(stretch.first.to_i64())
        .bind(last.min(stretch.last).to_i64())
        .bind(stretch.history.sender.map(UserId::uuid))
        .bind(stretch.history.since.map(At))
        .bind(stretch.history.until.map(At))
        .bind(i64::from(limit) + 1)
        .bind(stretch.user.uuid())
        .bind(stretch.history.thread.map(Seq::to_i64))
        .fetch_all(pool))?;
        let (mut messages, has_more) = cut(rows, limit)?;
        messages.reverse();
        Ok((messages, has_more))
    }

    /// The first messages from a place on, it included, and whether there are more after them.
    async fn messages_from(
        &self,
        stretch: &Stretch<'_>,
        from: Seq,
        limit: u32,
    ) -> Result<(Vec<Message>, bool)> {
        let rows: Vec<MessageRow> = on!(self.reader(), pool => sqlx::query_as(select_messages!(
            "$8",
            "where e.room_id = $1 and e.seq >= $2 and e.seq <= $3 and e.kind = 'message'
                and ($4 is null or e.user_id = $4)
                and ($5 is null or e.at >= $5)
                and ($6 is null or e.at < $6)
                and ($9 is null or e.thread = $9 or e.seq = $9)
             order by e.seq limit $7"
        ))
        .bind(stretch.room.uuid())
        .bind(from.max(stretch.first).to_i64())
        .bind(stretch.last.to_i64())
        .bind(stretch.history.sender.map(UserId::uuid))
        .bind(stretch.history.since.map(At))
        .bind(stretch.history.until.map(At))
        .bind(i64::from(limit) + 1)
        .bind(stretch.user.uuid())
        .bind(stretch.history.thread.map(Seq::to_i64))
        .fetch_all(pool))?;
        cut(rows, limit)
    }
}

/// Which messages of which room.
struct Stretch<'a> {
    room: RoomId,
    user: UserId,
    first: Seq,
    /// Where the log stood when the reader was seen to be a member: who is put out meanwhile reads
    /// nothing of what came after.
    last: Seq,
    history: &'a History,
}

/// Makes messages of rows, of which one more was asked for, and says whether there was one more.
fn cut(mut rows: Vec<MessageRow>, limit: u32) -> Result<(Vec<Message>, bool)> {
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let has_more = rows.len() > limit;
    rows.truncate(limit);
    let messages = rows.into_iter().map(MessageRow::message);
    Ok((messages.collect::<Result<_>>()?, has_more))
}
