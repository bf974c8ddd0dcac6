//! Looking for messages in all that somebody may read. What came last is simply read; for what is further
//! back the index tells which stretches of which rooms may have it, the latest first, and those are read.
//! Each page does a bounded amount of work: it may end before it is full, and says where to go on.

mod lexemes;
mod lookup;
mod stretches;
mod texts;
mod walk;

use std::collections::HashMap;

use protocol::{
    ErrorCode, RoomId, Seq, UserId,
    messages::Message,
    search::{Hit, HitList, HitRoom, Search},
    text::Words,
};
use serde::{Deserialize, Serialize};
use sqlx::FromRow;
use uuid::Uuid;

use self::{
    stretches::{PLACES, first_of, last_of},
    texts::{Moment, Run, Text},
};
use super::{Result, Store, columns::At, cursor, pool::on};

pub(super) use stretches::{follow, forget_before};
pub(super) use texts::{Key, Order};
pub(super) use walk::Ground;

/// How many of the latest places, over all rooms, are read without asking the index: a word that is in one
/// of a hundred messages is found there.
const READ_AT_ONCE: i64 = 2_048;
/// How many stretches are read at once, beside one of each room: the rarer what is looked for, the more.
/// After that a page ends as it is.
const ROUNDS: [i64; 2] = [64, 128];

impl Store {
    /// Messages that `user` may read, newest first.
    ///
    /// # Errors
    /// As [`Store::access`] for the room that is named; `validation_failed` for a cursor that no page ended
    /// with.
    pub async fn search(&self, user: UserId, search: &Search) -> Result<HitList> {
        let (keys, next_cursor, names) = match search.room {
            Some(room) => self.search_room(user, room, search).await?,
            None => self.search_rooms(user, search).await?,
        };
        let messages = self.messages_of(user, &keys).await?;
        let words = search.wanted.words.as_ref();
        let hit = |message: Message| Hit {
            snippet: snippet(&message.content.body, words),
            room: HitRoom {
                id: message.room,
                name: names.get(&message.room).cloned().unwrap_or_default(),
            },
            message,
        };
        Ok(HitList {
            hits: messages.into_iter().map(hit).collect(),
            next_cursor,
        })
    }

    /// In one room the order is that of its log.
    async fn search_room(&self, user: UserId, room: RoomId, search: &Search) -> Result<Found> {
        let wanted = &search.wanted;
        let from = search.cursor.as_deref().map(cursor::read::<Place>);
        let from = from.transpose()?;
        let Some(readable) = self.readable(user, Some(room)).await?.pop() else {
            self.access(room, user).await?;
            return Err(ErrorCode::RoomNotFound.into());
        };
        let (first, head) = (readable.first_seq, readable.head);
        let ground = if wanted.since.is_some() || wanted.until.is_some() {
            let bounds = (Seq::from_i64(first), Seq::from_i64(head));
            self.ground(room, bounds.0, bounds.1, wanted).await?
        } else {
            Ground::whole(room, first, head, readable.indexed)
        };
        let from = from.map_or(ground.last, |place| place.seq);
        let walked = self
            .walk(&ground, wanted, Order::Back, from, search.limit, 0)
            .await?;
        let next = walked.goes_on.map(|seq| cursor::write(&Place { seq }));
        Ok((walked.keys(), next, HashMap::from([(room, readable.name)])))
    }

    async fn search_rooms(&self, user: UserId, search: &Search) -> Result<Found> {
        let wanted = &search.wanted;
        let before = search.cursor.as_deref().map(cursor::read::<Moment>);
        let before = before.transpose()?;
        let limit = usize::try_from(search.limit).unwrap_or(usize::MAX);
        let most = limit.saturating_add(1).saturating_mul(2);
        let rooms = self.readable(user, None).await?;

        let runs: Vec<Run> = rooms.iter().map(Readable::latest).collect();
        let latest = self
            .texts(&runs, wanted, Order::Newest, before, most)
            .await?;
        let mut texts = latest.found;
        // Everything from there on was seen: among what was simply read, and among what is further back.
        let near = latest.stopped_at.map(|stop| stop.moment);
        let mut far = rooms.iter().filter_map(Readable::far_end).max();
        let mut upper = before;
        for stretches in ROUNDS {
            let is_enough = |far| texts.iter().filter(|text| text.moment() >= far).count() > limit;
            let Some(reached) = far.filter(|reached| Some(*reached) > near && !is_enough(*reached))
            else {
                break;
            };
            let upper_end = upper.unwrap_or(reached);
            let (runs, end) = self
                .stretches_before(&rooms, wanted, upper_end, stretches)
                .await?;
            let read = self
                .texts(&runs, wanted, Order::Newest, upper, most)
                .await?;
            texts.extend(read.found);
            far = end.max(read.stopped_at.map(|stop| stop.moment));
            upper = far;
        }

        let seen = near.max(far);
        texts.retain(|text| Some(text.moment()) >= seen);
        texts.sort_by_key(|text| std::cmp::Reverse(text.moment()));
        let next = if texts.len() > limit {
            texts.truncate(limit);
            texts.last().map(Text::moment)
        } else {
            seen
        };
        let names = rooms.into_iter().map(|row| (row.id(), row.name)).collect();
        let keys = texts.iter().map(Text::key).collect();
        Ok((keys, next.map(|moment| cursor::write(&moment)), names))
    }

    /// The rooms in which somebody may read, or the one of them that is named.
    async fn readable(&self, user: UserId, room: Option<RoomId>) -> Result<Vec<Readable>> {
        // How many stretches at the end of each room are not looked up: those that are not in the index,
        // and, the longer its log, those that are read at once.
        on!(self.reader(), pool => sqlx::query_as(
            "with mine as (
                select r.id, r.name, r.head, m.first_seq, coalesce(p.indexed, 0) as indexed,
                    r.head - cast($2 * r.head / nullif(sum(r.head) over (), 0) as bigint) as near
                from members m join rooms r on r.id = m.room_id
                left join search_progress p on p.room_id = m.room_id
                where m.user_id = $1 and ($4 is null or m.room_id = $4) and r.deleted_at is null
            ), parted as (
                select id, name, head, first_seq, indexed,
                    case when near < 0 then 0 when near < indexed then near / $3 else indexed / $3 end as number
                from mine
            )
            select id, name, head, first_seq, indexed, number, (
                select s.last_at from search_stretches s
                where s.room_id = parted.id and s.number < parted.number
                order by s.number desc limit 1
            ) as last_at
            from parted",
        )
        .bind(user.uuid())
        .bind(READ_AT_ONCE)
        .bind(PLACES)
        .bind(room.map(RoomId::uuid))
        .fetch_all(pool))
    }
}

/// What was found, where the next page begins, and what the rooms are called.
type Found = (Vec<Key>, Option<String>, HashMap<RoomId, String>);

/// Where a page of one room's messages ended.
#[derive(Serialize, Deserialize)]
struct Place {
    seq: i64,
}

/// A room in which somebody may read.
#[derive(FromRow)]
struct Readable {
    id: Uuid,
    name: String,
    head: i64,
    first_seq: i64,
    indexed: i64,
    /// The first stretch that is simply read.
    number: i64,
    /// When the one before it ended, if there is one.
    last_at: Option<At>,
}

impl Readable {
    const fn id(&self) -> RoomId {
        RoomId::from_uuid(self.id)
    }

    /// What is simply read.
    fn latest(&self) -> Run {
        Run {
            room: self.id,
            first: first_of(self.number).max(self.first_seq),
            last: self.head,
        }
    }

    /// Later than anything in it that is looked up.
    fn far_end(&self) -> Option<Moment> {
        let is_readable = last_of(self.number - 1) >= self.first_seq;
        self.last_at
            .filter(|_| is_readable)
            .map(|at| Moment::after(at.0))
    }
}

/// Most characters of a snippet, and how many of them are before the word.
const SNIPPET_CHARS: usize = 160;
const BEFORE_CHARS: usize = 40;

/// The part of a text around the first of the words, on one line.
fn snippet(body: &str, words: Option<&Words>) -> String {
    let chars: Vec<char> = body
        .chars()
        .map(|c| if c.is_whitespace() { ' ' } else { c })
        .collect();
    let place = words.and_then(|words| words.find(body)).unwrap_or(0);
    let latest = chars.len().saturating_sub(SNIPPET_CHARS);
    let first = place.saturating_sub(BEFORE_CHARS).min(latest);
    let last = (first + SNIPPET_CHARS).min(chars.len());
    let part: String = chars[first..last].iter().collect();
    let before = if first > 0 { "…" } else { "" };
    let after = if last < chars.len() { "…" } else { "" };
    format!("{before}{}{after}", part.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_snippet_shows_the_word_and_what_is_around_it() {
        let words = Words::parse("needle").unwrap();
        let body = format!("{}\nNeedle{}", "hay ".repeat(100), " hay".repeat(100));
        let snippet = snippet(&body, Some(&words));
        assert!(snippet.starts_with('…') && snippet.ends_with('…'));
        assert!(snippet.contains("hay  Needle hay"));
        assert!(snippet.chars().count() <= SNIPPET_CHARS + 2);
    }

    #[test]
    fn a_short_text_is_its_own_snippet() {
        let words = Words::parse("tea").unwrap();
        assert_eq!(snippet("more\n tea", Some(&words)), "more  tea");
    }
}
