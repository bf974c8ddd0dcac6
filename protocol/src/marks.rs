//! What people put on a message: reactions and pins; who has read up to it, and what it said before.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::{
    Fields, Limits, Parse, Seq, Timestamp,
    accounts::UserSummary,
    fields::Whole,
    messages::Message,
    rooms::{Page, page_cursor, page_limit},
    text::Emoji,
};

/// Most different emoji on one message.
pub const MAX_EMOJI: u32 = 50;

/// Most pinned messages of a room.
pub const MAX_PINS: u32 = 50;

/// What was reacted with to a message, and how often.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Reaction {
    /// The emoji.
    pub emoji: String,
    /// By how many people.
    pub count: u64,
    /// Whether the caller is one of them.
    pub me: bool,
}

/// The fields of `react` and `unreact` beside the room.
#[derive(Deserialize)]
pub struct ReactionBody {
    seq: Option<Whole>,
    emoji: Option<String>,
}

/// A checked reaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct React {
    /// The message.
    pub seq: Seq,
    /// The emoji.
    pub emoji: Emoji,
}

impl Parse for React {
    type Raw = ReactionBody;

    fn parse(raw: ReactionBody, _: &Limits) -> Result<Self, Fields> {
        let mut fields = Fields::default();
        let seq = fields.required("seq", raw.seq, Whole::seq);
        let emoji = fields.required("emoji", raw.emoji, |raw| Emoji::parse(&raw));
        match (seq, emoji) {
            (Some(seq), Some(emoji)) => Ok(Self { seq, emoji }),
            _ => Err(fields),
        }
    }
}

/// A pinned message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Pin {
    /// The message.
    pub message: Message,
    /// Who pinned it.
    pub user: UserSummary,
    /// When.
    pub at: Timestamp,
}

/// The pinned messages of a room, the latest pin first.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct PinList {
    /// The pins.
    pub pins: Vec<Pin>,
}

/// How far somebody has read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Receipt {
    /// Who.
    pub user: UserSummary,
    /// Up to which event.
    pub seq: Seq,
    /// When their mark came there.
    pub at: Timestamp,
}

/// Who has read up to a place. Who hides it is left out.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ReceiptList {
    /// The receipts.
    pub receipts: Vec<Receipt>,
    /// Where the next page begins; left out at the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}

/// The query of `GET /v1/rooms/{id}/receipts`.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ReceiptsQuery {
    /// The seq that was read, or passed.
    #[param(value_type = u64, required = true, minimum = 1)]
    seq: Option<Whole>,
    /// Where the page before ended.
    #[param(max_length = 512)]
    cursor: Option<String>,
    /// At most so many; 50 if left out.
    #[param(value_type = u32, required = false, minimum = 1, maximum = 200)]
    limit: Option<Whole>,
}

/// A checked question for receipts.
#[derive(Clone, Debug)]
pub struct FindReceipts {
    /// The place that was read, or passed.
    pub seq: Seq,
    /// Which part of the answer.
    pub page: Page,
}

impl Parse for FindReceipts {
    type Raw = ReceiptsQuery;

    fn parse(raw: ReceiptsQuery, limits: &Limits) -> Result<Self, Fields> {
        let mut fields = Fields::default();
        let seq = fields.required("seq", raw.seq, |raw| raw.within(1..=u64::MAX).map(Seq));
        let cursor = page_cursor(&mut fields, raw.cursor);
        let limit = page_limit(&mut fields, raw.limit, limits);
        match seq {
            Some(seq) if fields.is_empty() => Ok(Self {
                seq,
                page: Page { cursor, limit },
            }),
            _ => Err(fields),
        }
    }
}

/// What a message said before.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Version {
    /// The text.
    pub body: String,
    /// Since when it was so.
    pub at: Timestamp,
}

/// Shows the length only: bodies never reach a log.
impl std::fmt::Debug for Version {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Version({}, {} bytes)", self.at, self.body.len())
    }
}

/// The earlier texts of a message, oldest first.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct VersionList {
    /// The texts.
    pub versions: Vec<Version>,
}
