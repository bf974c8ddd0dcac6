//! What clients missed of the rooms that they come back to. Many ask at once, and most of them for the same:
//! whoever asks together is answered by one statement, and what is missed of a room is read once for all.

use std::{collections::HashMap, sync::Arc};

use futures_util::{StreamExt, TryStreamExt, stream};
use protocol::{
    ErrorCode, EventId, Limits, Role, RoomId, Seq, UserId, events::Event, rooms::Visibility,
};
use sqlx::{FromRow, types::Json};
use uuid::Uuid;

use super::{
    Result, Store,
    columns::{At, Word},
    events::count,
    pool::{On, within},
    room_row::refuse_stranger,
};
use crate::Refusal;

/// From where somebody wants to follow a room on.
#[derive(Clone, Copy, Debug)]
pub struct ResumeFrom {
    /// The room.
    pub room: RoomId,
    /// Who.
    pub user: UserId,
    /// The latest place that they have; without it, they get the latest `limit` events.
    pub after: Option<Seq>,
    /// The event that they have there, if they know it.
    pub after_id: Option<EventId>,
    /// How many they want at most if they have nothing.
    pub limit: u32,
}

/// What a client needs to follow a room from where it left off.
#[derive(Clone, Debug)]
pub struct Resume {
    /// The place of the room's latest event.
    pub head: Seq,
    /// How many messages the room has had.
    pub n: u64,
    /// The lowest place that this member may read.
    pub first: Seq,
    /// Whether the client must forget what it had.
    pub reset: bool,
    /// What it missed, in order, up to `head`; shared with everybody else who missed it.
    pub events: Vec<Arc<Event>>,
    /// What the member is.
    pub role: Role,
    /// How many members the room has.
    pub member_count: u32,
}

/// How many rooms are read at once, so that those who ask for many leave connections to others.
const ROOMS_AT_ONCE: usize = 4;

/// Where rooms stand, and people there, of `$1`.
pub(super) const STANDINGS_SQLITE: &str =
    "select w.key as number, r.head, r.messages, r.member_count, r.archived_at,
        r.visibility, m.role, m.first_seq, e.id as stored_id
     from json_each($1) w
     join rooms r on r.id = unhex(w.value ->> 0, '-') and r.deleted_at is null
     left join members m on m.room_id = r.id and m.user_id = unhex(w.value ->> 1, '-')
     left join events e on e.room_id = r.id and e.seq = w.value ->> 2";

impl Store {
    /// What somebody missed of a room after a place: everything, or the latest events and `reset` when that is
    /// too much, or when what the client has is not what is stored.
    ///
    /// # Errors
    /// As [`Store::access`], and `archived`: there is nothing to follow in an archived room.
    pub async fn resume(&self, from: ResumeFrom, limits: &Limits) -> Result<Resume> {
        let mut resumes = self.resume_all(&[from], limits).await?;
        let resume = resumes.pop().expect("one was asked for");
        Ok(resume?)
    }

    /// The same for many, in their order: one statement says where they stand, and one for each room reads what
    /// is missed of it, if anything is.
    ///
    /// # Errors
    /// When the store cannot answer. Each has a refusal of its own.
    pub async fn resume_all(
        &self,
        from: &[ResumeFrom],
        limits: &Limits,
    ) -> Result<Vec<Result<Resume, Refusal>>> {
        let mut gaps: Vec<Result<Gap, Refusal>> = from
            .iter()
            .map(|_| Err(ErrorCode::RoomNotFound.into()))
            .collect();
        for standing in self.standings(from).await? {
            let number = usize::try_from(standing.number).unwrap_or(usize::MAX);
            if let Some((gap, from)) = gaps.get_mut(number).zip(from.get(number)) {
                *gap = standing.gap(from, limits);
            }
        }
        let events = self.missed(gaps.iter().flatten()).await?;
        let resume = |gap: Gap| {
            let of_room = events.get(&gap.room).map_or(&[][..], Vec::as_slice);
            gap.filled(of_room)
        };
        Ok(gaps.into_iter().map(|gap| gap.map(resume)).collect())
    }

    /// What is missed of each room, by whoever misses most of it.
    async fn missed(
        &self,
        gaps: impl Iterator<Item = &Gap>,
    ) -> Result<HashMap<RoomId, Vec<Arc<Event>>>> {
        let mut spans = HashMap::<RoomId, (Seq, Seq)>::new();
        for gap in gaps.filter(|gap| gap.after < gap.head) {
            let (after, head) = spans.entry(gap.room).or_insert((gap.after, gap.head));
            (*after, *head) = (gap.after.min(*after), gap.head.max(*head));
        }
        let read = stream::iter(spans).map(async |(room, (after, head))| {
            let most = u32::try_from(head.0 - after.0).unwrap_or(u32::MAX);
            let events = self.events_between(room, after, head, most).await?;
            Ok((room, events.into_iter().map(Arc::new).collect()))
        });
        read.buffer_unordered(ROOMS_AT_ONCE).try_collect().await
    }

    /// Where rooms stand, what people are there, and what stands at the places that they have; nothing of rooms
    /// that are not there.
    async fn standings(&self, from: &[ResumeFrom]) -> Result<Vec<Standing>> {
        match self.reader() {
            On::Postgres(pool) => {
                let standings = sqlx::query_as(
                    "select w.number - 1 as number, r.head, r.messages, r.member_count, r.archived_at,
                        r.visibility, m.role, m.first_seq, e.id as stored_id
                     from unnest($1, $2, $3) with ordinality as w (room_id, user_id, after, number)
                     join rooms r on r.id = w.room_id and r.deleted_at is null
                     left join members m on m.room_id = r.id and m.user_id = w.user_id
                     left join events e on e.room_id = r.id and e.seq = w.after",
                )
                .bind(from.iter().map(|from| from.room.uuid()).collect::<Vec<_>>())
                .bind(from.iter().map(|from| from.user.uuid()).collect::<Vec<_>>())
                .bind(from.iter().map(ResumeFrom::place_to_check).collect::<Vec<_>>())
                .fetch_all(pool);
                within(standings).await
            }
            On::Sqlite(pool) => {
                let rows = from
                    .iter()
                    .map(|from| (from.room, from.user, from.place_to_check()));
                let standings = sqlx::query_as(STANDINGS_SQLITE)
                    .bind(Json(rows.collect::<Vec<_>>()))
                    .fetch_all(pool);
                within(standings).await
            }
        }
    }
}

impl ResumeFrom {
    /// Where it must be seen which event is stored.
    fn place_to_check(&self) -> Option<i64> {
        let after = self.after.filter(|after| *after > Seq::ZERO);
        after.filter(|_| self.after_id.is_some()).map(Seq::to_i64)
    }
}

/// Where somebody stands with a room.
#[derive(FromRow)]
struct Standing {
    /// Which of those who asked.
    number: i64,
    head: i64,
    messages: i64,
    member_count: i64,
    archived_at: Option<At>,
    visibility: Word<Visibility>,
    role: Option<Word<Role>>,
    first_seq: Option<i64>,
    /// What is stored at the place that they have.
    stored_id: Option<Uuid>,
}

/// What somebody misses, before it is read.
struct Gap {
    room: RoomId,
    head: Seq,
    n: u64,
    first: Seq,
    reset: bool,
    /// It begins after this place and goes to the head.
    after: Seq,
    role: Role,
    member_count: u32,
}

impl Standing {
    /// What they miss, if they may follow the room.
    fn gap(&self, from: &ResumeFrom, limits: &Limits) -> Result<Gap, Refusal> {
        let (Some(role), Some(first)) = (self.role, self.first_seq) else {
            return Err(refuse_stranger(self.visibility.0));
        };
        if self.archived_at.is_some() {
            return Err(ErrorCode::Archived.into());
        }
        let (head, first) = (Seq::from_i64(self.head), Seq::from_i64(first));
        let can_continue = |after| self.can_continue(from, after, first, limits);
        let reset = from.after.is_some_and(|after| !can_continue(after));
        let latest = if reset {
            limits.page_default
        } else {
            from.limit
        };
        let after = from
            .after
            .filter(|_| !reset)
            .unwrap_or(Seq(head.0.saturating_sub(u64::from(latest))));
        Ok(Gap {
            room: from.room,
            head,
            n: Seq::from_i64(self.messages).0,
            first,
            reset,
            after: after.max(first.previous()),
            role: role.0,
            member_count: count(self.member_count),
        })
    }

    /// Whether what a client has up to `after` is what is stored, and what follows is not too much.
    fn can_continue(&self, from: &ResumeFrom, after: Seq, first: Seq, limits: &Limits) -> bool {
        let head = Seq::from_i64(self.head);
        // Between what somebody read before they left and what they may read now there can be a hole.
        let has_hole = after > Seq::ZERO && after.next() < first;
        let missed = head.0.saturating_sub(after.max(first.previous()).0);
        let is_another = after > Seq::ZERO
            && from
                .after_id
                .is_some_and(|id| self.stored_id != Some(id.uuid()));
        let is_too_much = missed > u64::from(limits.resume_max_events);
        after <= head && !has_hole && !is_too_much && !is_another
    }
}

impl Gap {
    /// The answer, with its part of what was read of the room.
    fn filled(self, events: &[Arc<Event>]) -> Resume {
        let begin = events.partition_point(|event| event.seq <= self.after);
        let end = events.partition_point(|event| event.seq <= self.head);
        Resume {
            head: self.head,
            n: self.n,
            first: self.first,
            reset: self.reset,
            events: events.get(begin..end).unwrap_or_default().to_vec(),
            role: self.role,
            member_count: self.member_count,
        }
    }
}
