//! Looking for messages in all that somebody may read. What came last is simply read; for what is further
//! back the index tells which stretches of which rooms may have it, the latest first, and those are read.
//! Each page does a bounded amount of work: it may end before it is full, and says where to go on.

mod lexemes;
mod lookup;
mod periods;
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

#[cfg(test)]
pub(super) use lookup::{ENDED_SQLITE, ENDS, ENDS_OF_ROOM, NUMBERS_SQLITE};
pub(super) use stretches::{follow, forget_before};
pub(super) use texts::{Key, Order};
#[cfg(test)]
pub(super) use texts::{OF_KEYS_SQLITE, SELECT_SQLITE};
pub(super) use walk::Ground;

/// How many of the latest places, over all rooms, are read without asking the index: a word that is in one
/// of a hundred messages is found there.
const READ_AT_ONCE: i64 = 2_048;
/// How many stretches are read at once, of all rooms beside one of each: the rarer what is looked for, the more. After that a
/// page ends as it is.
const ROUNDS: [i64; 4] = [32, 64, 128, 128];
/// How many are read for a page of all rooms, beside one of each.
const STRETCHES: i64 = 128;
/// So many stretches after the one that a moment is in may have what came before it: clocks differ.
const STRETCHES_ASTRAY: i64 = 16;

/// The rooms in which `$1` may read, each a [`Readable`].
pub(super) const READABLE: &str = "with mine as (
        select r.id, r.name, r.head, m.first_seq, coalesce(p.indexed, 0) as indexed,
            cast($2 * r.head / nullif(sum(r.head) over (), 0) as bigint) as share,
            (
                select s.number from search_stretches s where s.room_id = r.id and s.last_at > $5
                order by s.last_at, s.number limit 1
            ) as cut
        from members m join rooms r on r.id = m.room_id
        left join search_progress p on p.room_id = m.room_id
        where m.user_id = $1 and ($4 is null or m.room_id = $4) and r.deleted_at is null
    ), ended as (
        select id, name, head, first_seq, indexed,
            case when cut is null then head else cut * $3 end - share as near,
            case when cut is null then head else $3 + $3 * coalesce((
                select max(s.number) from search_stretches s
                where s.room_id = mine.id and s.number between cut and cut + $6 and s.first_at <= $5
            ), cut - 1) end as last
        from mine
    ), parted as (
        select id, name, head, first_seq, indexed, last,
            case when near < 0 then 0 when near < indexed then near / $3 else indexed / $3 end as number
        from ended
    )
    select id, name, head, first_seq, indexed, last, number, (
        select s.last_at from search_stretches s
        where s.room_id = parted.id and s.number < parted.number
        order by s.number desc limit 1
    ) as last_at
    from parted";

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
        let Some(readable) = self.readable(user, Some(room), None).await?.pop() else {
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
        let cursor = search.cursor.as_deref().map(cursor::read::<Moment>);
        let until = wanted.until.map(Moment::first_of);
        let before = cursor.transpose()?.into_iter().chain(until).min();
        let limit = usize::try_from(search.limit).unwrap_or(usize::MAX);
        let most = limit.saturating_add(1).saturating_mul(2);
        let rooms = self.readable(user, None, before).await?;

        let runs: Vec<Run> = rooms.iter().map(Readable::near).collect();
        let near = self
            .texts(&runs, wanted, Order::Newest, before, most)
            .await?;
        let mut texts = near.found;
        // Everything from there on was seen: of what was read, and of what is further back.
        let mut stopped = near.stopped_at.map(|stop| stop.moment);
        let mut far = rooms.iter().filter_map(Readable::far_end).max();
        let mut lookback = None;
        let rooms_count = i64::try_from(rooms.len()).unwrap_or(i64::MAX);
        let mut left = rooms_count.saturating_add(STRETCHES);
        for more in ROUNDS {
            // Of rooms that are equally busy one of each must be read to come to what was said before all of them.
            let stretches = rooms_count.saturating_add(more).min(left);
            if stretches <= 0 {
                break;
            }
            let is_enough = |far| texts.iter().filter(|text| text.moment() >= far).count() > limit;
            let Some(reached) = far.filter(|far| Some(*far) > stopped && !is_enough(*far)) else {
                break;
            };
            let lookback = match &mut lookback {
                Some(lookback) => lookback,
                none => none.insert(self.look_back(user, &rooms, wanted, reached.at).await?),
            };
            let Some(past) = self.past(lookback, before, stretches).await? else {
                break;
            };
            left -= i64::try_from(past.runs.len()).unwrap_or(left);
            let read = self
                .texts(&past.runs, wanted, Order::Newest, before, most)
                .await?;
            texts.extend(read.found);
            stopped = stopped.max(read.stopped_at.map(|stop| stop.moment));
            far = past.end;
        }

        let seen = stopped.max(far);
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

    /// The rooms in which somebody may read, or the one of them that is named, and what of them is simply read by
    /// whoever looks for what came before a moment.
    async fn readable(
        &self,
        user: UserId,
        room: Option<RoomId>,
        before: Option<Moment>,
    ) -> Result<Vec<Readable>> {
        // Not looked up are the stretch that the moment is in, or what is not in the index, and before it, the longer
        // the log, those that are read at once.
        on!(self.reader(), pool => sqlx::query_as(
            READABLE,
        )
        .bind(user.uuid())
        .bind(READ_AT_ONCE)
        .bind(PLACES)
        .bind(room.map(RoomId::uuid))
        .bind(before.map(|before| At(before.at)))
        .bind(STRETCHES_ASTRAY)
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
    /// The last place that is simply read.
    last: i64,
    /// The first stretch that is.
    number: i64,
    /// When the one before it ended, if there is one.
    last_at: Option<At>,
}

impl Readable {
    const fn id(&self) -> RoomId {
        RoomId::from_uuid(self.id)
    }

    /// What is simply read.
    fn near(&self) -> Run {
        Run {
            room: self.id,
            first: first_of(self.number).max(self.first_seq),
            last: self.last.min(self.head),
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
