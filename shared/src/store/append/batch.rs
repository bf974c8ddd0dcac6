//! A batch as both engines take it in: its rooms once each, and where each entry stands among those of
//! its room. It knows no rules: which rooms are plain, and what becomes of the others' entries, the
//! database says.

use protocol::Seq;
use serde::Deserialize;
use uuid::Uuid;

use super::{Append, Appended, Place, Verdict};
use crate::store::{Error, Result};

/// The entries of a batch, by rooms.
pub(super) struct Batch<'a> {
    pub(super) entries: &'a [&'a Append],
    /// Each room once, in the order of the ids: the order in which they are locked.
    pub(super) rooms: Vec<Uuid>,
    /// How many entries each of `rooms` has.
    pub(super) counts: Vec<i64>,
    /// Of each entry, which of `rooms` it is for, counted from 1 as databases do.
    pub(super) room_of: Vec<i32>,
    /// Of each entry, its place among those of its room, from 1.
    pub(super) numbers: Vec<i64>,
}

/// Where a room stood before the batch.
#[derive(Clone, Copy, Debug, Deserialize)]
pub(super) struct Stood {
    pub(super) head: i64,
    pub(super) messages: i64,
}

impl<'a> Batch<'a> {
    pub(super) fn of(entries: &'a [&'a Append]) -> Self {
        let mut rooms: Vec<Uuid> = entries.iter().map(|entry| entry.room.uuid()).collect();
        rooms.sort_unstable();
        rooms.dedup();
        let mut batch = Self {
            entries,
            counts: vec![0; rooms.len()],
            rooms,
            room_of: Vec::with_capacity(entries.len()),
            numbers: Vec::with_capacity(entries.len()),
        };
        for entry in entries {
            let room = batch
                .rooms
                .partition_point(|room| *room < entry.room.uuid());
            batch.counts[room] += 1;
            batch.numbers.push(batch.counts[room]);
            batch
                .room_of
                .push(i32::try_from(room + 1).unwrap_or(i32::MAX));
        }
        batch
    }

    /// Whether an entry answers another or is in a thread.
    pub(super) fn is_answering(&self) -> bool {
        self.entries
            .iter()
            .any(|entry| entry.reply_to.is_some() || entry.thread.is_some())
    }

    /// Each entry, and its place if its room is plain, which is one that says where it `stood`.
    pub(super) fn places(
        &self,
        stood: &[Option<Stood>],
    ) -> impl Iterator<Item = (&'a Append, Option<Place>)> {
        let stood_of = |room: i32| *stood.get(usize::try_from(room - 1).ok()?)?;
        self.entries
            .iter()
            .zip(&self.room_of)
            .zip(&self.numbers)
            .map(move |((entry, &room), number)| {
                let place = stood_of(room).map(|stood| Place {
                    seq: Seq::from_i64(stood.head + number),
                    n: Seq::from_i64(stood.messages + number).0,
                    id: entry.id,
                    at: entry.at,
                    mentions: Vec::new(),
                    files: Vec::new(),
                });
                (*entry, place)
            })
    }

    /// What became of each entry. Those of rooms that are not plain have verdicts, in their order.
    ///
    /// # Errors
    /// When there are fewer verdicts than entries that want one.
    pub(super) fn answers(
        &self,
        stood: &[Option<Stood>],
        verdicts: Vec<Verdict>,
    ) -> Result<Vec<Appended>> {
        let mut verdicts = verdicts.into_iter();
        let answers: Option<Vec<Appended>> = self
            .places(stood)
            .map(|(entry, place)| match place {
                Some(place) => Some(Appended::Stored(place)),
                None => verdicts.next().map(|verdict| verdict.of(entry)),
            })
            .collect();
        answers.ok_or(Error::Broken(sqlx::Error::RowNotFound))
    }
}
