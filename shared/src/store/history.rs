//! Messages as people page through them: as they stand now, edits in them, deleted ones empty. Every
//! read goes along a room's primary key; what is looked for is found as the search finds it.

use protocol::{
    ErrorCode, RoomId, Seq, UserId,
    messages::{History, Message, MessageList, Span},
    search::Wanted,
};
use sqlx::FromRow;

use super::{
    Result, Store,
    columns::At,
    message_row::{MessageRow, select_messages},
    pool::on,
    search::{Ground, Key, Order},
};

/// Whether `$2` may read a message of the room `$1`, and it is on the page.
macro_rules! is_readable {
    ($event:literal) => {
        concat!(
            $event,
            ".room_id = $1 and ",
            $event,
            ".seq >= (
                select case when m.first_seq > $3 then m.first_seq else $3 end
                from members m where m.room_id = $1 and m.user_id = $2
            ) and ",
            $event,
            ".seq <= (
                select case when r.head < $4 then r.head else $4 end
                from rooms r where r.id = $1 and r.deleted_at is null
            )"
        )
    };
}

/// Selects messages of the room `$1` that `$2` may read: what they may, and the messages, are seen in the
/// same moment.
macro_rules! select_whole {
    ($order:literal) => {
        concat!(
            select_messages!(
                "$2",
                ", (select r.head from rooms r where r.id = $1) as head",
                "where e.kind = 'message' and ($5 is null or e.at >= $5) and ($6 is null or e.at < $6)
                    and $7 is null and "
            ),
            is_readable!("e"),
            " order by e.seq ",
            $order,
            " limit $8"
        )
    };
}

/// The same of the thread that begins at `$7`, which is looked up: it may be a few messages of a long log.
macro_rules! select_thread {
    ($order:literal) => {
        concat!(
            select_messages!(
                "$2",
                ", (select r.head from rooms r where r.id = $1) as head",
                "where e.kind = 'message' and ($5 is null or e.at >= $5) and ($6 is null or e.at < $6)
                    and e.room_id = $1 and e.seq in (
                        select x.seq from events x where x.thread = $7 and x.deleted_at is null and "
            ),
            is_readable!("x"),
            " union all
                select x.seq from events x where x.thread = $7 and x.deleted_at is not null and ",
            is_readable!("x"),
            " union all
                select x.seq from events x where x.seq = $7 and ",
            is_readable!("x"),
            ") order by e.seq ",
            $order,
            " limit $8"
        )
    };
}

/// The statements of a page.
#[derive(Clone, Copy)]
pub(super) struct Statements {
    pub(super) whole: &'static str,
    pub(super) thread: &'static str,
}

pub(super) const BACK: Statements = Statements {
    whole: select_whole!("desc"),
    thread: select_thread!("desc"),
};
pub(super) const FORTH: Statements = Statements {
    whole: select_whole!("asc"),
    thread: select_thread!("asc"),
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
        let wanted = &history.wanted;
        let mut page = Page {
            room,
            user,
            history,
            first: 1,
            last: i64::MAX,
        };
        if wanted.is_sought() || wanted.since.is_some() || wanted.until.is_some() {
            let access = self.access(room, user).await?;
            let ground = self.ground(room, access.first, access.head, wanted).await?;
            if wanted.is_sought() {
                return self.sought(&page, &ground, access.head).await;
            }
            (page.first, page.last) = (ground.first, ground.last);
        }
        let limit = history.limit;
        let (mut rows, has_more) = match history.span {
            Span::Latest => self.rows_up_to(&page, i64::MAX, limit).await?,
            Span::Before(seq) => self.rows_up_to(&page, seq.to_i64() - 1, limit).await?,
            Span::After(seq) => self.rows_from(&page, seq.next().to_i64(), limit).await?,
            Span::Around(seq) => {
                let (mut rows, more_before) = self
                    .rows_up_to(&page, seq.to_i64(), limit.div_ceil(2))
                    .await?;
                let rest = limit.saturating_sub(u32::try_from(rows.len()).unwrap_or(limit));
                let (after, more_after) = self.rows_from(&page, seq.next().to_i64(), rest).await?;
                rows.extend(after);
                (rows, more_before || more_after)
            }
        };
        // A room without messages, or somebody who may not read: a row would say.
        let head = match rows.first_mut() {
            Some(row) => Seq::from_i64(row.head),
            None => self.access(room, user).await?.head,
        };
        let messages = rows.into_iter().map(|row| row.message.message());
        Ok(MessageList {
            messages: messages.collect::<Result<_>>()?,
            head,
            has_more,
        })
    }

    /// One message.
    ///
    /// # Errors
    /// As [`Store::access`], and `message_not_found`.
    pub async fn message(&self, room: RoomId, user: UserId, seq: Seq) -> Result<Message> {
        let row: Option<MessageRow> = on!(self.reader(), pool => sqlx::query_as(select_messages!(
            "$2",
            "where e.room_id = $1 and e.seq = $3 and e.kind = 'message'
                and e.seq >= (select m.first_seq from members m where m.room_id = $1 and m.user_id = $2)
                and exists (select 1 from rooms r where r.id = $1 and r.deleted_at is null)"
        ))
        .bind(room.uuid()).bind(user.uuid()).bind(seq.to_i64())
        .fetch_optional(pool))?;
        if let Some(row) = row {
            return row.message();
        }
        self.access(room, user).await?;
        Err(ErrorCode::MessageNotFound.into())
    }

    /// The last messages up to a place, it included, oldest first, and whether there are more before them.
    async fn rows_up_to(&self, page: &Page<'_>, last: i64, limit: u32) -> Result<Rows> {
        let last = last.min(page.last);
        let (mut rows, has_more) = self.rows(BACK, page, page.first, last, limit).await?;
        rows.reverse();
        Ok((rows, has_more))
    }

    /// The first messages from a place on, it included, and whether there are more after them.
    async fn rows_from(&self, page: &Page<'_>, first: i64, limit: u32) -> Result<Rows> {
        let first = first.max(page.first);
        self.rows(FORTH, page, first, page.last, limit).await
    }

    async fn rows(
        &self,
        statements: Statements,
        page: &Page<'_>,
        first: i64,
        last: i64,
        limit: u32,
    ) -> Result<Rows> {
        let Page { history, .. } = page;
        let statement = match history.thread {
            Some(_) => statements.thread,
            None => statements.whole,
        };
        let mut rows: Vec<PageRow> = on!(self.reader(), pool => sqlx::query_as(statement)
            .bind(page.room.uuid())
            .bind(page.user.uuid())
            .bind(first)
            .bind(last)
            .bind(history.wanted.since.map(At))
            .bind(history.wanted.until.map(At))
            .bind(history.thread.map(Seq::to_i64))
            .bind(i64::from(limit) + 1)
            .fetch_all(pool))?;
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let has_more = rows.len() > limit;
        rows.truncate(limit);
        Ok((rows, has_more))
    }

    /// As [`Store::history`], of what is looked for.
    async fn sought(&self, page: &Page<'_>, ground: &Ground, head: Seq) -> Result<MessageList> {
        let History {
            span,
            limit,
            wanted,
            ..
        } = page.history;
        let walk = async |order, from, limit| self.keys(ground, wanted, order, from, limit).await;
        let (keys, has_more) = match *span {
            Span::Latest => walk(Order::Back, ground.last, *limit).await?,
            Span::Before(seq) => walk(Order::Back, seq.to_i64() - 1, *limit).await?,
            Span::After(seq) => walk(Order::Forth, seq.next().to_i64(), *limit).await?,
            Span::Around(seq) => {
                let (mut keys, more_before) =
                    walk(Order::Back, seq.to_i64(), limit.div_ceil(2)).await?;
                let rest = limit.saturating_sub(u32::try_from(keys.len()).unwrap_or(*limit));
                let (after, more_after) = walk(Order::Forth, seq.next().to_i64(), rest).await?;
                keys.extend(after);
                (keys, more_before || more_after)
            }
        };
        let mut messages = self.messages_of(page.user, &keys).await?;
        if let Some(root) = page.history.thread {
            messages.retain(|message| message.seq == root || message.content.thread == Some(root));
        }
        Ok(MessageList {
            messages,
            head,
            has_more,
        })
    }

    /// The messages of a walk, oldest first, and whether it can go on.
    async fn keys(
        &self,
        ground: &Ground,
        wanted: &Wanted,
        order: Order,
        from: i64,
        limit: u32,
    ) -> Result<(Vec<Key>, bool)> {
        let walked = self.walk(ground, wanted, order, from, limit, 1).await?;
        let mut keys = walked.keys();
        if order == Order::Back {
            keys.reverse();
        }
        Ok((keys, walked.goes_on.is_some()))
    }
}

/// Which messages of which room, for whom.
struct Page<'a> {
    room: RoomId,
    user: UserId,
    history: &'a History,
    /// Before this place is nothing that is asked for.
    first: i64,
    /// Nor after this one.
    last: i64,
}

type Rows = (Vec<PageRow>, bool);

/// A message, and where its room stands.
#[derive(FromRow)]
struct PageRow {
    #[sqlx(flatten)]
    message: MessageRow,
    head: i64,
}
