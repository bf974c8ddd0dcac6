//! Rooms, memberships, bans and invites: the bodies of `/v1/rooms`, and of the frames like them.

mod room;
mod membership;
mod door;
mod list;

pub use door::{Ban, BanBody, BanList, Invite, InviteBody, InviteList, NewBan, NewInvite};
pub use list::{
    DeletedRoom, DeletedRoomList, FindRooms, MyRoomList, Page, PageQuery, RoomList, RoomSort,
    RoomsQuery,
};
pub(crate) use list::{page_cursor, page_limit};
pub use membership::{ChangeMember, ChangeMemberBody, Join, JoinBody, Member, MemberList};
pub use room::{
    ChangeRoom, ChangeRoomBody, CreateRoom, CreateRoomBody, HistoryVisibility, MyRoom, Room,
    Visibility,
};
