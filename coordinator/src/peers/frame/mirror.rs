//! How a link writes the store's own types, which know no format.

use protocol::text::{ClientId, MessageBody};
use protocol::{ErrorCode, EventId, Fields, FileId, Limits, RoomId, Seq, Timestamp, UserId};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use shared::{
    Refusal,
    store::{self, Appended},
};
use std::{borrow::Cow, time::Duration};

/// A message that wants a place; its text is checked again where it arrives.
pub(super) mod append {
    use super::*;

    pub(in super::super) fn serialize<S: Serializer>(
        append: &store::Append,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        Append {
            room: append.room,
            id: append.id,
            user: append.user,
            client_id: append.client_id.as_str(),
            body: append.body.as_str(),
            reply_to: append.reply_to,
            thread: append.thread,
            files: Cow::Borrowed(&append.files),
            at_ms: append.at.unix_ms(),
        }
        .serialize(serializer)
    }

    pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Box<store::Append>, D::Error> {
        let append = Append::deserialize(deserializer)?;
        // How long it may be was its gateway's to say, by its own settings.
        let limits = Limits {
            body_max_chars: usize::MAX,
            ..Limits::default()
        };
        let wrong = |violation| de::Error::custom(format_args!("{violation:?}"));
        Ok(Box::new(store::Append {
            room: append.room,
            id: append.id,
            user: append.user,
            client_id: ClientId::parse(append.client_id).map_err(wrong)?,
            body: if append.body.is_empty() && !append.files.is_empty() {
                MessageBody::empty()
            } else {
                MessageBody::parse(append.body.to_owned(), &limits).map_err(wrong)?
            },
            reply_to: append.reply_to,
            thread: append.thread,
            files: append.files.into_owned(),
            at: Timestamp::from_unix_ms(append.at_ms),
        }))
    }
}

/// What became of a message.
pub(super) mod appended {
    use super::*;

    pub(in super::super) fn serialize<S: Serializer>(
        result: &Result<Appended, Refusal>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        match result {
            Ok(Appended::Stored(place)) => Outcome::Stored(place.into()),
            Ok(Appended::Duplicate(place)) => Outcome::Duplicate(place.into()),
            Ok(Appended::Refused(refusal)) => Outcome::Refused(refusal.into()),
            Err(refusal) => Outcome::Failed(refusal.into()),
        }
        .serialize(serializer)
    }

    pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Result<Appended, Refusal>, D::Error> {
        Ok(match Outcome::deserialize(deserializer)? {
            Outcome::Stored(place) => Ok(Appended::Stored(place.into())),
            Outcome::Duplicate(place) => Ok(Appended::Duplicate(place.into())),
            Outcome::Refused(no) => Ok(Appended::Refused(no.into())),
            Outcome::Failed(no) => Err(no.into()),
        })
    }
}

#[derive(Serialize, Deserialize)]
struct Append<'a> {
    room: RoomId,
    id: EventId,
    user: UserId,
    client_id: &'a str,
    body: &'a str,
    reply_to: Option<Seq>,
    thread: Option<Seq>,
    files: Cow<'a, [FileId]>,
    at_ms: i64,
}

#[derive(Serialize, Deserialize)]
enum Outcome {
    Stored(Place),
    Duplicate(Place),
    Refused(No),
    Failed(No),
}

#[derive(Serialize, Deserialize)]
struct Place {
    seq: Seq,
    n: u64,
    id: EventId,
    at_ms: i64,
}

#[derive(Serialize, Deserialize)]
struct No {
    code: ErrorCode,
    fields: Fields,
    retry_after: Option<Duration>,
}

impl From<&store::Place> for Place {
    fn from(place: &store::Place) -> Self {
        Self {
            seq: place.seq,
            n: place.n,
            id: place.id,
            at_ms: place.at.unix_ms(),
        }
    }
}

impl From<Place> for store::Place {
    fn from(place: Place) -> Self {
        Self {
            seq: place.seq,
            n: place.n,
            id: place.id,
            at: Timestamp::from_unix_ms(place.at_ms),
            // The event says it, which comes over the link as well.
            mentions: Vec::new(),
            files: Vec::new(),
        }
    }
}

impl From<&Refusal> for No {
    fn from(refusal: &Refusal) -> Self {
        Self {
            code: refusal.code,
            fields: refusal.fields.clone(),
            retry_after: refusal.retry_after,
        }
    }
}

impl From<No> for Refusal {
    fn from(no: No) -> Self {
        Self {
            code: no.code,
            fields: no.fields,
            retry_after: no.retry_after,
        }
    }
}
