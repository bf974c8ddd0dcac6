//! What was said, over HTTP: for reading back, and for programs that hold no connection.

use hyper::Method;
use protocol::{
    RoomId, Seq,
    events::{EventList, FindEvents},
    messages::{EditBody, History, Message, MessageList, ReadBody, SendBody, Span},
    rooms::Page,
    search::HitList,
};

use super::{Session, accounts::chosen, was_there};
use crate::{Result, http::Call};

/// A message that is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sent {
    /// The message as it is stored.
    pub message: Message,
    /// Whether an earlier call with the same `client_id` had stored it.
    pub duplicate: bool,
}

/// Messages and events. Every call fails as [`crate::Error`] says.
#[expect(
    clippy::missing_errors_doc,
    reason = "every call fails in the same ways, which the impl says once"
)]
impl Session {
    /// A stretch of a room's messages. A limit of 0 leaves the number to the server.
    pub async fn history(&self, room: RoomId, history: &History) -> Result<MessageList> {
        let call = Call::new(Method::GET, format!("/v1/rooms/{room}/messages"));
        let call = match history.span {
            Span::Latest => call,
            Span::Before(seq) => call.ask("before", Some(seq)),
            Span::After(seq) => call.ask("after", Some(seq)),
            Span::Around(seq) => call.ask("around", Some(seq)),
        };
        let call = call
            .ask("limit", chosen(history.limit))
            .ask("sender", history.wanted.sender)
            .ask("since", history.wanted.since)
            .ask("until", history.wanted.until)
            .ask("thread", history.thread);
        self.read(call).await
    }

    /// Stores a message, once for each `client_id`. Without one it may be stored twice when no answer
    /// comes and it is sent again.
    pub async fn send(&self, room: RoomId, body: &SendBody) -> Result<Sent> {
        let call = Call::new(Method::POST, format!("/v1/rooms/{room}/messages")).with(body);
        let call = match body.client_id {
            Some(_) => call.harmless(),
            None => call,
        };
        let answer = self.make(call).await?;
        let (message, duplicate) = (answer.read()?, was_there(answer.status));
        Ok(Sent { message, duplicate })
    }

    /// One message.
    pub async fn message(&self, room: RoomId, seq: Seq) -> Result<Message> {
        self.get(format!("/v1/rooms/{room}/messages/{seq}")).await
    }

    /// Changes the text of one's message.
    pub async fn edit(&self, room: RoomId, seq: Seq, body: &str) -> Result<Message> {
        let body = EditBody {
            body: Some(body.to_owned()),
        };
        self.change(format!("/v1/rooms/{room}/messages/{seq}"), &body)
            .await
    }

    /// Deletes a message; its text is gone everywhere.
    pub async fn delete_message(&self, room: RoomId, seq: Seq) -> Result<()> {
        self.delete(format!("/v1/rooms/{room}/messages/{seq}"))
            .await
    }

    /// Marks a room as read up to a place; the mark only moves forward.
    pub async fn mark_read(&self, room: RoomId, seq: Seq) -> Result<()> {
        let body = ReadBody { seq: Some(seq.0) };
        let call = Call::new(Method::PUT, format!("/v1/rooms/{room}/read")).with(&body);
        self.done(call.harmless()).await
    }

    /// A page of messages that have these words, newest first: in one room, or in all that the caller is
    /// in. A limit of 0 leaves the number to the server.
    pub async fn search(&self, words: &str, room: Option<RoomId>, page: &Page) -> Result<HitList> {
        let call = Call::new(Method::GET, "/v1/search")
            .ask("q", Some(words))
            .ask("room", room)
            .ask("cursor", page.cursor.as_ref())
            .ask("limit", chosen(page.limit));
        self.read(call).await
    }

    /// A stretch of a room's log. A limit of 0 leaves the number to the server.
    pub async fn events(&self, room: RoomId, find: &FindEvents) -> Result<EventList> {
        let call = Call::new(Method::GET, format!("/v1/rooms/{room}/events"))
            .ask("after", Some(find.after))
            .ask("limit", chosen(find.limit))
            .ask("wait_s", Some(find.wait_s).filter(|wait_s| *wait_s > 0));
        self.read(call).await
    }
}
