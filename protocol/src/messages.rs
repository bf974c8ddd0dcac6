//! Messages: what is written, read back, changed and marked as read.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::{
    EventId, Fields, FileId, Limits, Parse, RoomId, Seq, Timestamp, UserId, Violation,
    accounts::UserSummary,
    fields::{Whole, id, moment, word},
    files::File,
    marks::Reaction,
    mentions::Mention,
    search::{Has, Wanted},
    text::{ClientId, MessageBody, Words},
};

/// A message as it stands now: edits are in its body, a deleted one has none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Message {
    /// The room.
    pub room: RoomId,
    /// Its place in the room's log.
    pub seq: Seq,
    /// Its id.
    pub id: EventId,
    /// Always `message`.
    pub kind: MessageKind,
    /// Who wrote it.
    pub user: UserSummary,
    /// When it was stored.
    pub at: Timestamp,
    /// What it says.
    #[serde(flatten)]
    pub content: MessageContent,
}

/// Tells a message from other entries of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum MessageKind {
    /// A message.
    Message,
}

/// What a message says.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct MessageContent {
    /// The sender's own name for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_id: Option<ClientId>,
    /// Its text; empty once it is deleted.
    pub body: String,
    /// When its text was last changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub edited_at: Option<Timestamp>,
    /// When it was deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deleted_at: Option<Timestamp>,
    /// The message that it answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply_to: Option<Seq>,
    /// The message whose thread it is in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thread: Option<Seq>,
    /// How many messages are in the thread that begins with it; left out when none.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub replies: u64,
    /// What people reacted with, in the order of the first of each that is left. Empty in the log, where each
    /// reaction is an event of its own.
    #[serde(default)]
    pub reactions: Vec<Reaction>,
    /// What is attached.
    #[serde(default)]
    pub files: Vec<File>,
    /// Whom it calls.
    #[serde(default)]
    pub mentions: Vec<Mention>,
    /// Whether it is pinned; left out when not, and in the log.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub pinned: bool,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde hands it a reference"
)]
const fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// Shows the length only: bodies never reach a log.
impl std::fmt::Debug for MessageContent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "MessageContent({} bytes)", self.body.len())
    }
}

/// `POST /v1/rooms/{id}/messages`
#[derive(Deserialize, Serialize, ToSchema)]
pub struct SendBody {
    /// 1 to 8,000 characters.
    #[schema(
        required,
        nullable = false,
        min_length = 1,
        max_length = 8000,
        example = "Good morning"
    )]
    pub body: Option<String>,
    /// 1 to 64 printable ASCII characters, a UUID at best; a resend uses the same one.
    #[schema(min_length = 1, max_length = 64, pattern = "^[ -~]+$")]
    pub client_id: Option<String>,
    /// The seq of the message that it answers.
    #[schema(value_type = Option<u64>, minimum = 1)]
    pub reply_to: Option<u64>,
    /// The seq of the message whose thread it is in.
    #[schema(value_type = Option<u64>, minimum = 1)]
    pub thread: Option<u64>,
    /// Files that the sender has uploaded for this room, at most 10; with any, `body` may be left out.
    #[schema(value_type = Option<Vec<FileId>>, max_items = 10)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub files: Option<Vec<String>>,
}

/// A checked message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewMessage {
    /// Its text.
    pub body: MessageBody,
    /// The sender's own name for it.
    pub client_id: Option<ClientId>,
    /// The message that it answers.
    pub reply_to: Option<Seq>,
    /// The message whose thread it is in.
    pub thread: Option<Seq>,
    /// What is attached: files of the sender that no message has yet.
    pub files: Vec<FileId>,
}

impl Parse for NewMessage {
    type Raw = SendBody;

    fn parse(raw: SendBody, limits: &Limits) -> Result<Self, Fields> {
        let mut fields = Fields::default();
        let files = fields
            .optional("files", raw.files, |raw| attached(&raw, limits))
            .unwrap_or_default();
        let says_nothing = raw.body.as_ref().is_none_or(|body| body.trim().is_empty());
        let body = if says_nothing && !files.is_empty() {
            Some(MessageBody::empty())
        } else {
            fields.required("body", raw.body, |raw| MessageBody::parse(raw, limits))
        };
        let client_id = fields.optional("client_id", raw.client_id, |raw| ClientId::parse(&raw));
        let reply_to = fields.optional("reply_to", raw.reply_to, place);
        let thread = fields.optional("thread", raw.thread, place);
        match body {
            Some(body) if fields.is_empty() => Ok(Self {
                body,
                client_id,
                reply_to,
                thread,
                files,
            }),
            _ => Err(fields),
        }
    }
}

/// Files, each once.
fn attached(raw: &[String], limits: &Limits) -> Result<Vec<FileId>, Violation> {
    if raw.len() > limits.message_max_files {
        return Err(Violation::TooLong);
    }
    let mut files = Vec::with_capacity(raw.len());
    for file in raw {
        let file = file.parse().map_err(|_| Violation::Invalid)?;
        if files.contains(&file) {
            return Err(Violation::Conflicting);
        }
        files.push(file);
    }
    Ok(files)
}

/// The seq of an event that exists or may exist.
fn place(raw: u64) -> Result<Seq, Violation> {
    if raw == 0 {
        Err(Violation::OutOfRange)
    } else {
        Ok(Seq(raw))
    }
}

/// `PATCH /v1/rooms/{id}/messages/{seq}`
#[derive(Deserialize, Serialize, ToSchema)]
pub struct EditBody {
    /// 1 to 8,000 characters.
    #[schema(required, nullable = false, min_length = 1, max_length = 8000)]
    pub body: Option<String>,
}

/// A checked edit.
#[derive(Clone, Debug)]
pub struct Edit {
    /// The new text.
    pub body: MessageBody,
}

impl Parse for Edit {
    type Raw = EditBody;

    fn parse(raw: EditBody, limits: &Limits) -> Result<Self, Fields> {
        let mut fields = Fields::default();
        let body = fields.required("body", raw.body, |raw| MessageBody::parse(raw, limits));
        body.map(|body| Self { body }).ok_or(fields)
    }
}

/// `PUT /v1/rooms/{id}/read`
#[derive(Deserialize, Serialize, ToSchema)]
pub struct ReadBody {
    /// The seq of the latest event that was read.
    #[schema(required, nullable = false, value_type = u64)]
    pub seq: Option<u64>,
}

/// A checked read mark, or any other frame that names one event.
#[derive(Clone, Copy, Debug)]
pub struct At {
    /// The event.
    pub seq: Seq,
}

impl Parse for At {
    type Raw = ReadBody;

    fn parse(raw: ReadBody, _: &Limits) -> Result<Self, Fields> {
        let mut fields = Fields::default();
        let seq = fields.required("seq", raw.seq, |raw| Ok(Seq(raw)));
        seq.map(|seq| Self { seq }).ok_or(fields)
    }
}

/// The query of `GET /v1/rooms/{id}/messages`, and the fields of `history`.
#[derive(Deserialize, IntoParams, ToSchema)]
#[into_params(parameter_in = Query)]
pub struct HistoryQuery {
    /// Those next before this seq.
    #[schema(value_type = Option<u64>)]
    #[param(value_type = u64, required = false, minimum = 0)]
    before: Option<Whole>,
    /// Those next after this seq.
    #[schema(value_type = Option<u64>)]
    #[param(value_type = u64, required = false, minimum = 0)]
    after: Option<Whole>,
    /// Those on both sides of this seq, and the one at it.
    #[schema(value_type = Option<u64>)]
    #[param(value_type = u64, required = false, minimum = 0)]
    around: Option<Whole>,
    /// At most so many; 50 if left out.
    #[schema(value_type = Option<u32>, minimum = 1, maximum = 200)]
    #[param(value_type = u32, required = false, minimum = 1, maximum = 200)]
    limit: Option<Whole>,
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
    /// Only with these words, as in `GET /v1/search`.
    #[param(min_length = 1, max_length = 256)]
    q: Option<String>,
    /// Only with a file, or with a link in the text.
    #[schema(value_type = Option<Has>)]
    #[param(inline, value_type = Has, required = false)]
    has: Option<String>,
    /// Only what is in the thread that begins at this seq, and where it begins.
    #[schema(value_type = Option<u64>)]
    #[param(value_type = u64, required = false, minimum = 1)]
    thread: Option<Whole>,
}

/// Which part of a room's messages is asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Span {
    /// The latest.
    #[default]
    Latest,
    /// Those next before this place.
    Before(Seq),
    /// Those next after this place.
    After(Seq),
    /// Those on both sides of this place, and the one at it.
    Around(Seq),
}

/// A checked question for messages.
#[derive(Clone, Debug, Default)]
pub struct History {
    /// Which part.
    pub span: Span,
    /// At most so many.
    pub limit: u32,
    /// Only what is looked for.
    pub wanted: Wanted,
    /// Only what is in the thread that begins there, and where it begins.
    pub thread: Option<Seq>,
}

impl Parse for History {
    type Raw = HistoryQuery;

    fn parse(raw: HistoryQuery, limits: &Limits) -> Result<Self, Fields> {
        let mut fields = Fields::default();
        let before = fields.optional("before", raw.before, Whole::seq);
        let after = fields.optional("after", raw.after, Whole::seq);
        let around = fields.optional("around", raw.around, Whole::seq);
        let span = match (before, after, around) {
            (None, None, None) => Span::Latest,
            (Some(seq), None, None) => Span::Before(seq),
            (None, Some(seq), None) => Span::After(seq),
            (None, None, Some(seq)) => Span::Around(seq),
            _ => {
                fields.add("before", Violation::Conflicting);
                Span::Latest
            }
        };
        let limit = crate::rooms::page_limit(&mut fields, raw.limit, limits);
        let wanted = Wanted {
            words: fields.optional("q", raw.q, |raw| Words::parse(&raw)),
            sender: fields.optional("sender", raw.sender, id),
            since: fields.optional("since", raw.since, moment),
            until: fields.optional("until", raw.until, moment),
            has: fields.optional("has", raw.has, word),
        };
        let thread = fields.optional("thread", raw.thread, Whole::seq);
        if fields.is_empty() {
            Ok(Self {
                span,
                limit,
                wanted,
                thread,
            })
        } else {
            Err(fields)
        }
    }
}

/// A stretch of a room's messages, oldest first.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct MessageList {
    /// The messages.
    pub messages: Vec<Message>,
    /// The place of the room's latest event.
    pub head: Seq,
    /// Whether there are more in the direction that was asked for.
    pub has_more: bool,
}
