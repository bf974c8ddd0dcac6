//! How a message stands in its rows, with what people put on it since: what whoever pages through a room
//! sees. In the log each of those is an event of its own (see `event_row`).

use protocol::{
    ErrorCode,
    events::Event,
    marks::Reaction,
    messages::{Message, MessageContent},
};
use sqlx::FromRow;

use super::{Result, event_row::EventRow};

/// Selects messages as the person whose id is the parameter `$viewer` sees them; what follows `where`, and
/// the order, is given, and more columns, each after a comma, can be.
macro_rules! select_messages {
    ($viewer:literal, $tail:literal) => {
        select_messages!($viewer, "", $tail)
    };
    ($viewer:literal, $more:literal, $tail:literal) => {
        concat!(
            "select e.room_id, e.seq, e.n, e.id, e.kind, e.user_id, u.username, u.display_name,
                e.member_id, null as member_username, null as member_display_name,
                e.client_id, e.target, e.reply_to, e.thread, e.body, e.data, e.at, e.edited_at, e.deleted_at,
                (
                    select string_agg(r.emoji || ' ' || r.count || ' ' || r.me, ',' order by r.first)
                    from (
                        select x.emoji, count(*) as count, min(x.event_seq) as first,
                            max(case when x.user_id = ", $viewer, " then 1 else 0 end) as me
                        from reactions x where x.room_id = e.room_id and x.seq = e.seq group by x.emoji
                    ) r
                ) as reactions,
                (
                    select count(*) from events x
                    where x.room_id = e.room_id and x.thread = e.seq and x.deleted_at is null
                ) as replies,
                exists (select 1 from pins x where x.room_id = e.room_id and x.seq = e.seq) as is_pinned",
            $more,
            " from events e join users u on u.id = e.user_id ",
            $tail
        )
    };
}
pub(super) use select_messages;

/// A message and what is on it.
#[derive(FromRow)]
pub(super) struct MessageRow {
    #[sqlx(flatten)]
    pub(super) event: EventRow,
    /// Each emoji, how many have it and whether the viewer has, as words; those between commas.
    reactions: Option<String>,
    replies: i64,
    is_pinned: bool,
}

impl MessageRow {
    pub(super) fn message(self) -> Result<Message> {
        let message = self.event.event()?;
        let message = Event::into_message(message).ok_or(ErrorCode::MessageNotFound)?;
        let content = MessageContent {
            reactions: reactions(self.reactions.as_deref().unwrap_or_default()),
            replies: u64::try_from(self.replies).unwrap_or_default(),
            pinned: self.is_pinned,
            ..message.content
        };
        Ok(Message { content, ..message })
    }
}

fn reactions(told: &str) -> Vec<Reaction> {
    let reaction = |words: &str| {
        let mut words = words.split(' ');
        Some(Reaction {
            emoji: words.next()?.to_owned(),
            count: words.next()?.parse().ok()?,
            me: words.next()? == "1",
        })
    };
    told.split(',').filter_map(reaction).collect()
}
