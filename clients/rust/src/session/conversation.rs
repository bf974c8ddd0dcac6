//! What people put on messages, who has read them, and conversations of named people.

use hyper::Method;
use protocol::{
    RoomId, Seq, UserId,
    direct::{BlockList, DirectBody},
    marks::{FindReceipts, PinList, ReceiptList, VersionList},
    rooms::Room,
    text::Emoji,
};

use super::{Session, accounts::chosen};
use crate::{
    Result,
    http::{Call, escape},
};

/// Conversations. Every call fails as [`crate::Error`] says.
#[expect(
    clippy::missing_errors_doc,
    reason = "every call fails in the same ways, which the impl says once"
)]
impl Session {
    /// Reacts to a message; again changes nothing.
    pub async fn react(&self, room: RoomId, seq: Seq, emoji: &Emoji) -> Result<()> {
        self.put(reaction(room, seq, emoji)).await
    }

    /// Takes a reaction back.
    pub async fn unreact(&self, room: RoomId, seq: Seq, emoji: &Emoji) -> Result<()> {
        self.delete(reaction(room, seq, emoji)).await
    }

    /// Pins a message.
    pub async fn pin(&self, room: RoomId, seq: Seq) -> Result<()> {
        self.put(format!("{}/pin", message(room, seq))).await
    }

    /// Takes a pin away.
    pub async fn unpin(&self, room: RoomId, seq: Seq) -> Result<()> {
        self.delete(format!("{}/pin", message(room, seq))).await
    }

    /// The pinned messages of a room, the latest pin first.
    pub async fn pins(&self, room: RoomId) -> Result<PinList> {
        self.get(format!("/v1/rooms/{room}/pins")).await
    }

    /// Who has read up to a place, but for those who hide it. A limit of 0 leaves the number to the server.
    pub async fn receipts(&self, room: RoomId, find: &FindReceipts) -> Result<ReceiptList> {
        let call = Call::new(Method::GET, format!("/v1/rooms/{room}/receipts"))
            .ask("seq", Some(find.seq))
            .ask("cursor", find.page.cursor.as_ref())
            .ask("limit", chosen(find.page.limit));
        self.read(call).await
    }

    /// What a message said before, oldest first.
    pub async fn versions(&self, room: RoomId, seq: Seq) -> Result<VersionList> {
        self.get(format!("{}/history", message(room, seq))).await
    }

    /// The conversation of the caller and these people, made if there is none.
    pub async fn open_direct(&self, people: &[UserId]) -> Result<Room> {
        let body = DirectBody {
            user_ids: Some(people.iter().map(UserId::to_string).collect()),
        };
        let call = Call::new(Method::POST, "/v1/dms").with(&body);
        self.read(call.harmless()).await
    }

    /// Blocks somebody.
    pub async fn block(&self, user: UserId) -> Result<()> {
        self.put(format!("/v1/users/me/blocks/{user}")).await
    }

    /// Blocks somebody no longer.
    pub async fn unblock(&self, user: UserId) -> Result<()> {
        self.delete(format!("/v1/users/me/blocks/{user}")).await
    }

    /// Whom the caller blocks, the latest first.
    pub async fn blocks(&self) -> Result<BlockList> {
        self.get("/v1/users/me/blocks").await
    }

    async fn put(&self, path: String) -> Result<()> {
        self.done(Call::new(Method::PUT, path).harmless()).await
    }
}

fn message(room: RoomId, seq: Seq) -> String {
    format!("/v1/rooms/{room}/messages/{seq}")
}

fn reaction(room: RoomId, seq: Seq, emoji: &Emoji) -> String {
    let mut path = format!("{}/reactions/", message(room, seq));
    escape(emoji.as_str(), &mut path);
    path
}
