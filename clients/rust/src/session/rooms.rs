//! Rooms, and the people in them.

use hyper::Method;
use protocol::{
    RoomId, UserId,
    rooms::{
        BanBody, BanList, ChangeMemberBody, ChangeRoomBody, CreateRoomBody, FindRooms, Invite,
        InviteBody, InviteList, JoinBody, Member, MemberList, MyRoomList, Page, Room, RoomList,
        RoomSort,
    },
};

use super::{Session, accounts::chosen};
use crate::{
    Result,
    http::{Call, escape},
};

/// Rooms. Every call fails as [`crate::Error`] says.
#[expect(
    clippy::missing_errors_doc,
    reason = "every call fails in the same ways, which the impl says once"
)]
impl Session {
    /// Rooms that anyone may find. A limit of 0 leaves the number to the server.
    pub async fn find_rooms(&self, find: &FindRooms) -> Result<RoomList> {
        let sort = match find.sort {
            RoomSort::Name => "name",
            RoomSort::Members => "members",
            RoomSort::Created => "created",
        };
        let call = Call::new(Method::GET, "/v1/rooms")
            .ask("query", Some(&find.query).filter(|query| !query.is_empty()))
            .ask("cursor", find.cursor.as_ref())
            .ask("limit", chosen(find.limit))
            .ask("sort", Some(sort));
        self.read(call).await
    }

    /// The rooms that the caller is a member of.
    pub async fn my_rooms(&self) -> Result<MyRoomList> {
        self.get("/v1/users/me/rooms").await
    }

    /// Makes a room, which the caller then owns.
    pub async fn create_room(&self, body: &CreateRoomBody) -> Result<Room> {
        self.read(Call::new(Method::POST, "/v1/rooms").with(body))
            .await
    }

    /// One room.
    pub async fn read_room(&self, room: RoomId) -> Result<Room> {
        self.get(format!("/v1/rooms/{room}")).await
    }

    /// Changes a room.
    pub async fn change_room(&self, room: RoomId, body: &ChangeRoomBody) -> Result<Room> {
        self.change(format!("/v1/rooms/{room}"), body).await
    }

    /// Deletes a room with all that was said there.
    pub async fn delete_room(&self, room: RoomId) -> Result<()> {
        self.delete(format!("/v1/rooms/{room}")).await
    }

    /// Becomes a member; whoever is one already stays one.
    pub async fn join(&self, room: RoomId, body: &JoinBody) -> Result<Member> {
        self.read(Call::new(Method::POST, format!("/v1/rooms/{room}/members")).with(body))
            .await
    }

    /// Stops being a member.
    pub async fn leave(&self, room: RoomId) -> Result<()> {
        self.delete(format!("/v1/rooms/{room}/members/me")).await
    }

    /// A page of a room's members.
    pub async fn members(&self, room: RoomId, page: &Page) -> Result<MemberList> {
        let call = Call::new(Method::GET, format!("/v1/rooms/{room}/members"))
            .ask("cursor", page.cursor.as_ref())
            .ask("limit", chosen(page.limit));
        self.read(call).await
    }

    /// Gives a member another role, or silences them.
    pub async fn change_member(
        &self,
        room: RoomId,
        user: UserId,
        body: &ChangeMemberBody,
    ) -> Result<Member> {
        self.change(format!("/v1/rooms/{room}/members/{user}"), body)
            .await
    }

    /// Removes a member, who may join again.
    pub async fn kick(&self, room: RoomId, user: UserId) -> Result<()> {
        self.delete(format!("/v1/rooms/{room}/members/{user}"))
            .await
    }

    /// Whoever is kept out of a room.
    pub async fn bans(&self, room: RoomId) -> Result<BanList> {
        self.get(format!("/v1/rooms/{room}/bans")).await
    }

    /// Removes somebody and keeps them out.
    pub async fn ban(&self, room: RoomId, user: UserId, body: &BanBody) -> Result<()> {
        self.done(Call::new(Method::PUT, format!("/v1/rooms/{room}/bans/{user}")).with(body))
            .await
    }

    /// Lets somebody in again.
    pub async fn unban(&self, room: RoomId, user: UserId) -> Result<()> {
        self.delete(format!("/v1/rooms/{room}/bans/{user}")).await
    }

    /// The codes that let people in.
    pub async fn invites(&self, room: RoomId) -> Result<InviteList> {
        self.get(format!("/v1/rooms/{room}/invites")).await
    }

    /// Makes a code that lets people in.
    pub async fn create_invite(&self, room: RoomId, body: &InviteBody) -> Result<Invite> {
        self.read(Call::new(Method::POST, format!("/v1/rooms/{room}/invites")).with(body))
            .await
    }

    /// Takes such a code back.
    pub async fn delete_invite(&self, room: RoomId, code: &str) -> Result<()> {
        let mut path = format!("/v1/rooms/{room}/invites/");
        escape(code, &mut path);
        self.delete(path).await
    }
}
