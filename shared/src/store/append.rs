//! The append: gives messages their places in the logs of their rooms, and is the gate that says who
//! may write. One statement or transaction for a whole batch.
//!
//! Both engines follow the same rules, told here once and written in each one's own dialect:
//! 1. A room that is not there, or deleted: `room_not_found`.
//! 2. A message of that sender and `client_id` is stored: its first place is the answer. Two entries of
//!    one name in one batch are one message.
//! 3. Only members write: else `not_a_member` or `banned`, and `room_not_found` of what strangers may
//!    not know of.
//! 4. Not in an archived room, not while muted, not in answer to what is not there, and in slow mode
//!    not before the time is over.
//! 5. A file is attached once, by who uploaded it, in the room for which they did: else `file_not_found`.
//! 6. What is left gets the next places of its room, dense and in the order of the batch.
//!
//! An entry that is refused does not disturb its neighbours.
//!
//! Most rooms of most batches are *plain*: each entry is by a member whom nothing hinders, answers only what is
//! there, and has a new name. What happens to those is known beforehand, so both engines look for that first and
//! store them without judging each entry. A room that is not plain is judged as a whole.

mod batch;
mod calls;
mod files;
mod postgres;
mod sqlite;

use std::{borrow::Borrow, time::Duration};

use protocol::{
    ErrorCode, EventId, FileId, RoomId, Seq, Timestamp, UserId,
    files::File,
    mentions::Mention,
    text::{ClientId, MessageBody},
};
use serde::Deserialize;
use uuid::Uuid;

use super::{Pool, Result, Store};
use crate::Refusal;

/// A message that wants a place.
#[derive(Clone, Debug)]
pub struct Append {
    /// The room.
    pub room: RoomId,
    /// Its id; a retry of the same entry keeps it.
    pub id: EventId,
    /// Who writes it.
    pub user: UserId,
    /// The sender's own name for it.
    pub client_id: ClientId,
    /// Its text.
    pub body: MessageBody,
    /// The message that it answers.
    pub reply_to: Option<Seq>,
    /// The message whose thread it is in.
    pub thread: Option<Seq>,
    /// What is attached: files that its sender has uploaded for this room, and no message has yet.
    pub files: Vec<FileId>,
    /// When it came.
    pub at: Timestamp,
}

/// What became of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Appended {
    /// It is stored there, and was not before.
    Stored(Place),
    /// The sender had sent it before; that is where it stands.
    Duplicate(Place),
    /// It is not stored.
    Refused(Refusal),
}

/// Where a message stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Its place in the room's log.
    pub seq: Seq,
    /// How many messages the room has had so far, this one included.
    pub n: u64,
    /// Its id.
    pub id: EventId,
    /// When it came.
    pub at: Timestamp,
    /// Whom it calls; of a message that was stored before, nobody is named.
    pub mentions: Vec<Mention>,
    /// What is attached; of a message that was stored before, nothing is named.
    pub files: Vec<File>,
}

impl Store {
    /// Stores messages, of any rooms and people, and says of each what became of it, in the same
    /// order. When it answers, what is stored is committed.
    ///
    /// # Errors
    /// [`super::Error::Unavailable`] and [`super::Error::Broken`] for the whole batch; whether it is
    /// stored then, the same call tells when it is repeated.
    pub async fn append(&self, entries: &[impl Borrow<Append>]) -> Result<Vec<Appended>> {
        let entries: Vec<&Append> = entries.iter().map(Borrow::borrow).collect();
        if entries.is_empty() {
            return Ok(Vec::new());
        }
        let mut answers = Vec::with_capacity(entries.len());
        // Whoever attaches files is stored alone: what stands in their way undoes what is stored with them.
        for run in entries.chunk_by(|a, b| a.files.is_empty() && b.files.is_empty()) {
            let outcomes = match &self.pool {
                Pool::Postgres(pool) => postgres::append(pool, run).await?,
                Pool::Sqlite { writer, .. } => sqlite::append(writer, run).await?,
            };
            for (entry, outcome) in run.iter().zip(&outcomes) {
                if matches!(outcome, Appended::Stored(_)) {
                    self.nudges.wrote(entry.room);
                }
            }
            answers.extend(outcomes);
        }
        Ok(answers)
    }
}

/// What the database says of one entry that it has judged.
#[derive(Deserialize)]
struct Verdict {
    outcome: Outcome,
    place: Option<i64>,
    place_n: Option<i64>,
    place_id: Option<Uuid>,
    place_at: Option<i64>,
    retry_after_ms: Option<i64>,
}

/// Stored, stored before, or the stable code of why not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Outcome {
    Stored,
    Duplicate,
    #[serde(untagged)]
    Refused(ErrorCode),
}

impl Verdict {
    fn of(self, entry: &Append) -> Appended {
        let retry_after = self.retry_after_ms.and_then(|ms| u64::try_from(ms).ok());
        let place = self.place();
        match (self.outcome, place) {
            (Outcome::Refused(code), _) => Appended::Refused(Refusal {
                retry_after: retry_after.map(Duration::from_millis),
                ..code.into()
            }),
            (Outcome::Stored, Some(place)) => Appended::Stored(place),
            // The answer to an earlier attempt was lost, but the event is this very one.
            (Outcome::Duplicate, Some(place)) if place.id == entry.id => Appended::Stored(place),
            (Outcome::Duplicate, Some(place)) => Appended::Duplicate(place),
            (Outcome::Stored | Outcome::Duplicate, None) => {
                Appended::Refused(ErrorCode::Internal.into())
            }
        }
    }

    fn place(&self) -> Option<Place> {
        Some(Place {
            seq: Seq::from_i64(self.place?),
            n: Seq::from_i64(self.place_n?).0,
            id: EventId::from_uuid(self.place_id?),
            at: Timestamp::from_unix_ms(self.place_at?),
            mentions: Vec::new(),
            files: Vec::new(),
        })
    }
}
