//! Looking for messages in everything that one may read.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::{
    Fields, Limits, Parse, RoomId, Timestamp, UserId,
    fields::{Whole, id, moment, word},
    messages::Message,
    rooms::{page_cursor, page_limit},
    text::Words,
};

/// The query of `GET /v1/search`.
#[derive(Deserialize, IntoParams, ToSchema)]
#[into_params(parameter_in = Query)]
pub struct SearchQuery {
    /// Words that a message must all have, in any order: three letters or more also within a word, one or
    /// two as a whole word.
    #[param(required, value_type = String, min_length = 1, max_length = 256)]
    q: Option<String>,
    /// Only in this room.
    #[schema(value_type = Option<RoomId>)]
    #[param(value_type = RoomId, required = false)]
    room: Option<String>,
    /// Only by this person.
    #[schema(value_type = Option<UserId>)]
    #[param(value_type = UserId, required = false)]
    sender: Option<String>,
    /// Only from then on.
    #[schema(value_type = Option<Timestamp>)]
    #[param(value_type = Timestamp, required = false)]
    since: Option<String>,
    /// Only before then.
    #[schema(value_type = Option<Timestamp>)]
    #[param(value_type = Timestamp, required = false)]
    until: Option<String>,
    /// Only with a file, or with a link in the text.
    #[schema(value_type = Option<Has>)]
    #[param(inline, value_type = Has, required = false)]
    has: Option<String>,
    /// Where the page before ended.
    #[param(max_length = 512)]
    cursor: Option<String>,
    /// At most so many; 50 if left out.
    #[schema(value_type = Option<u32>, minimum = 1, maximum = 200)]
    #[param(value_type = u32, required = false, minimum = 1, maximum = 200)]
    limit: Option<Whole>,
}

/// What a message has beside its text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Has {
    /// A file.
    File,
    /// A link in its text.
    Link,
}

/// Which messages are looked for: those for which everything holds that is named.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// They have these words.
    pub words: Option<Words>,
    /// They are by this person.
    pub sender: Option<UserId>,
    /// They are from then on.
    pub since: Option<Timestamp>,
    /// They are from before then.
    pub until: Option<Timestamp>,
    /// They have this.
    pub has: Option<Has>,
}

impl Wanted {
    /// Whether more than a time is named: not all messages of that time are wanted.
    pub fn is_sought(&self) -> bool {
        self.words.is_some() || self.sender.is_some() || self.has.is_some()
    }
}

/// A checked search.
#[derive(Clone, Debug)]
pub struct Search {
    /// What is looked for.
    pub wanted: Wanted,
    /// In which room; in all that the searcher is in, when none is named.
    pub room: Option<RoomId>,
    /// Where the page before ended.
    pub cursor: Option<String>,
    /// At most so many.
    pub limit: u32,
}

impl Parse for Search {
    type Raw = SearchQuery;

    fn parse(raw: SearchQuery, limits: &Limits) -> Result<Self, Fields> {
        let mut fields = Fields::default();
        let words = fields.required("q", raw.q, |raw| Words::parse(&raw));
        let wanted = Wanted {
            words,
            sender: fields.optional("sender", raw.sender, id),
            since: fields.optional("since", raw.since, moment),
            until: fields.optional("until", raw.until, moment),
            has: fields.optional("has", raw.has, word),
        };
        let search = Self {
            wanted,
            room: fields.optional("room", raw.room, id),
            cursor: page_cursor(&mut fields, raw.cursor),
            limit: page_limit(&mut fields, raw.limit, limits),
        };
        if fields.is_empty() {
            Ok(search)
        } else {
            Err(fields)
        }
    }
}

/// A message that was found.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Hit {
    /// The message.
    pub message: Message,
    /// The room that it is in.
    pub room: HitRoom,
    /// The part of its text around the first word that was looked for, on one line; `…` stands for what is
    /// left out.
    pub snippet: String,
}

/// The room of a message that was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct HitRoom {
    /// The room.
    pub id: RoomId,
    /// What it is called.
    pub name: String,
}

/// Messages that were found, newest first.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct HitList {
    /// The messages. A page may have fewer than were asked for, even none, and not be the last.
    pub hits: Vec<Hit>,
    /// Where the next page begins; left out when everything was looked through.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}
