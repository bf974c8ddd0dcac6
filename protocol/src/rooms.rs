//! Rooms, memberships, bans and invites: the bodies of `/v1/rooms`, and of the frames like them.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::{
    Fields, Limits, Parse, Role, RoomId, Seq, Timestamp, UserId, Violation,
    accounts::UserSummary,
    fields::{Whole, moment, nullable, word},
    frame::PresenceState,
    messages::Message,
    text::{Reason, RoomName, RoomPassword, Topic},
};

/// Who finds a room and how they get in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Visibility {
    /// Listed; anyone may join.
    Public,
    /// Listed by name and topic; joined by password or invite.
    Private,
    /// Not listed; joined by invite.
    Secret,
    /// A conversation of named people.
    Direct,
}

impl Visibility {
    /// The stable word, as on the wire and in the store.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::Private => "private",
            Self::Secret => "secret",
            Self::Direct => "direct",
        }
    }

    /// Whether strangers find it in the list, so that its name must be unique.
    pub const fn is_listed(self) -> bool {
        matches!(self, Self::Public | Self::Private)
    }
}

/// How far back a new member reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum HistoryVisibility {
    /// Everything.
    All,
    /// From their joining on.
    SinceJoin,
}

impl HistoryVisibility {
    /// The stable word, as on the wire and in the store.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::SinceJoin => "since_join",
        }
    }
}

/// A room. To people who are not members of a private room only `id`, `name`, `topic`, `visibility`,
/// `has_password` and `members` are told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Room {
    /// The room.
    pub id: RoomId,
    /// Its name.
    pub name: String,
    /// What it is about.
    pub topic: String,
    /// Who finds it.
    pub visibility: Visibility,
    /// Whether a password opens it.
    pub has_password: bool,
    /// How many members it has.
    pub members: u32,
    /// Who has it; nobody, if the owner's account was erased.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner_id: Option<UserId>,
    /// How many members it may have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_members: Option<u32>,
    /// How far back a new member reads.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub history: Option<HistoryVisibility>,
    /// Seconds that a member waits between two messages; 0 for none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slow_mode_s: Option<u32>,
    /// The place of its latest event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub head: Option<Seq>,
    /// When it was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_at: Option<Timestamp>,
    /// Since when it can only be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub archived_at: Option<Timestamp>,
    /// What the caller is there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<Role>,
    /// How many messages the caller has not read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unread: Option<u64>,
}

/// One of the caller's own rooms.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct MyRoom {
    /// The room.
    #[serde(flatten)]
    pub room: Room,
    /// How far the caller has read.
    pub read: Seq,
    /// The latest message that the caller may read.
    pub last_message: Option<Message>,
}

/// One person's place in one room.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Member {
    /// The room.
    pub room: RoomId,
    /// The person.
    pub user: UserSummary,
    /// What they are there.
    pub role: Role,
    /// Since when.
    pub joined_at: Timestamp,
    /// Until when they may not write.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub muted_until: Option<Timestamp>,
    /// Whether they are here, if that is known and visible.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub presence: Option<PresenceState>,
}

/// Somebody who may not come in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Ban {
    /// Who.
    pub user: UserSummary,
    /// Who said so.
    pub by: UserId,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Until when; for good if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// Since when.
    pub created_at: Timestamp,
}

/// A code that lets people in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Invite {
    /// What the newcomer shows.
    pub code: String,
    /// Where it leads.
    pub room: RoomId,
    /// Who made it.
    pub by: UserId,
    /// How often it may be used; without end if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_uses: Option<u32>,
    /// How often it was used.
    pub uses: u32,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it ends.
    pub expires_at: Timestamp,
}

/// `POST /v1/rooms`
#[derive(Deserialize, Serialize, ToSchema)]
pub struct CreateRoomBody {
    /// 1 to 64 characters; unique among public and private rooms.
    #[schema(required, nullable = false, example = "Tea")]
    pub name: Option<String>,
    /// At most 1,024 characters.
    pub topic: Option<String>,
    /// `public` if left out.
    #[schema(value_type = Option<Visibility>)]
    pub visibility: Option<String>,
    /// 4 to 128 characters; only for private rooms.
    pub password: Option<String>,
    /// At most 10,000.
    #[schema(value_type = Option<u32>)]
    pub max_members: Option<u64>,
    /// `all` if left out.
    #[schema(value_type = Option<HistoryVisibility>)]
    pub history: Option<String>,
}

/// A checked new room.
#[derive(Clone, Debug)]
pub struct CreateRoom {
    /// Its name.
    pub name: RoomName,
    /// What it is about.
    pub topic: Topic,
    /// Who finds it; never `direct`.
    pub visibility: Visibility,
    /// What opens it.
    pub password: Option<RoomPassword>,
    /// How many members it may have.
    pub max_members: u32,
    /// How far back a new member reads.
    pub history: HistoryVisibility,
}

impl Parse for CreateRoom {
    type Raw = CreateRoomBody;

    fn parse(raw: CreateRoomBody, limits: &Limits) -> Result<Self, Fields> {
        let mut fields = Fields::default();
        let name = fields.required("name", raw.name, |raw| RoomName::parse(&raw, limits));
        let topic = fields.optional("topic", raw.topic, |raw| Topic::parse(&raw, limits));
        let visibility = fields.optional("visibility", raw.visibility, chosen_visibility);
        let visibility = visibility.unwrap_or(Visibility::Public);
        let password =
            fields.optional("password", raw.password, |raw| RoomPassword::parse(&raw, limits));
        if password.is_some() && visibility != Visibility::Private {
            fields.add("password", Violation::Conflicting);
        }
        let max_members =
            fields.optional("max_members", raw.max_members, |raw| capacity(raw, limits));
        let history = fields.optional("history", raw.history, word);
        match name {
            Some(name) if fields.is_empty() => Ok(Self {
                name,
                topic: topic.unwrap_or_default(),
                visibility,
                password,
                max_members: max_members.unwrap_or(limits.room_max_members),
                history: history.unwrap_or(HistoryVisibility::All),
            }),
            _ => Err(fields),
        }
    }
}

/// `PATCH /v1/rooms/{id}`: what is left out stays.
#[derive(Default, Deserialize, Serialize, ToSchema)]
pub struct ChangeRoomBody {
    /// 1 to 64 characters.
    pub name: Option<String>,
    /// At most 1,024 characters.
    pub topic: Option<String>,
    /// Who finds it.
    #[schema(value_type = Option<Visibility>)]
    pub visibility: Option<String>,
    /// 4 to 128 characters; `null` removes it.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub password: Option<Option<String>>,
    /// At most 10,000.
    #[schema(value_type = Option<u32>)]
    pub max_members: Option<u64>,
    /// How far back a new member reads.
    #[schema(value_type = Option<HistoryVisibility>)]
    pub history: Option<String>,
    /// Whether it can only be read.
    pub archived: Option<bool>,
    /// Seconds between two messages of a member, at most 21,600; 0 for none.
    #[schema(value_type = Option<u32>)]
    pub slow_mode_s: Option<u64>,
}

/// A checked change of a room.
#[derive(Clone, Debug, Default)]
pub struct ChangeRoom {
    /// The new name.
    pub name: Option<RoomName>,
    /// The new topic.
    pub topic: Option<Topic>,
    /// The new visibility; never `direct`.
    pub visibility: Option<Visibility>,
    /// The new password; `Some(None)` removes it.
    pub password: Option<Option<RoomPassword>>,
    /// The new capacity.
    pub max_members: Option<u32>,
    /// How far back new members read.
    pub history: Option<HistoryVisibility>,
    /// Whether it can only be read.
    pub archived: Option<bool>,
    /// Seconds between two messages of a member.
    pub slow_mode_s: Option<u32>,
}

impl Parse for ChangeRoom {
    type Raw = ChangeRoomBody;

    fn parse(raw: ChangeRoomBody, limits: &Limits) -> Result<Self, Fields> {
        let mut fields = Fields::default();
        let changed = Self {
            name: fields.optional("name", raw.name, |raw| RoomName::parse(&raw, limits)),
            topic: fields.optional("topic", raw.topic, |raw| Topic::parse(&raw, limits)),
            visibility: fields.optional("visibility", raw.visibility, chosen_visibility),
            password: fields.optional("password", raw.password, |raw| {
                raw.map(|raw| RoomPassword::parse(&raw, limits)).transpose()
            }),
            max_members: fields
                .optional("max_members", raw.max_members, |raw| capacity(raw, limits)),
            history: fields.optional("history", raw.history, word),
            archived: raw.archived,
            slow_mode_s: fields.optional("slow_mode_s", raw.slow_mode_s, |raw| {
                let seconds = u32::try_from(raw).map_err(|_| Violation::OutOfRange)?;
                if seconds > limits.slow_mode_max_s { Err(Violation::OutOfRange) } else { Ok(seconds) }
            }),
        };
        if fields.is_empty() { Ok(changed) } else { Err(fields) }
    }
}

fn chosen_visibility(raw: String) -> Result<Visibility, Violation> {
    match word(raw)? {
        Visibility::Direct => Err(Violation::Invalid),
        visibility => Ok(visibility),
    }
}

fn capacity(raw: u64, limits: &Limits) -> Result<u32, Violation> {
    u32::try_from(raw)
        .ok()
        .filter(|count| (1..=limits.room_max_members).contains(count))
        .ok_or(Violation::OutOfRange)
}

/// `POST /v1/rooms/{id}/members`: how one gets in.
#[derive(Default, Deserialize, Serialize, ToSchema)]
pub struct JoinBody {
    /// The room's password.
    pub password: Option<String>,
    /// An invite's code.
    pub invite: Option<String>,
}

/// A checked wish to join.
#[derive(Clone, Debug, Default)]
pub struct Join {
    /// The password that is tried.
    pub password: Option<RoomPassword>,
    /// The invite that is shown.
    pub invite: Option<String>,
}

impl Parse for Join {
    type Raw = JoinBody;

    fn parse(raw: JoinBody, limits: &Limits) -> Result<Self, Fields> {
        let mut fields = Fields::default();
        let password =
            fields.optional("password", raw.password, |raw| RoomPassword::attempt(&raw, limits));
        let invite = fields.optional("invite", raw.invite, |raw| {
            if raw.len() > 64 { Err(Violation::TooLong) } else { Ok(raw) }
        });
        if fields.is_empty() { Ok(Self { password, invite }) } else { Err(fields) }
    }
}

/// `PATCH /v1/rooms/{id}/members/{user}`
#[derive(Deserialize, Serialize, ToSchema)]
pub struct ChangeMemberBody {
    /// The new role; `owner` hands the room over.
    #[schema(value_type = Option<Role>)]
    pub role: Option<String>,
    /// Until when they may not write; `null` lets them at once.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Timestamp>)]
    pub muted_until: Option<Option<String>>,
}

/// A checked change of a member.
#[derive(Clone, Debug, Default)]
pub struct ChangeMember {
    /// The new role.
    pub role: Option<Role>,
    /// Until when they may not write; `Some(None)` lets them at once.
    pub muted_until: Option<Option<Timestamp>>,
}

impl Parse for ChangeMember {
    type Raw = ChangeMemberBody;

    fn parse(raw: ChangeMemberBody, _: &Limits) -> Result<Self, Fields> {
        let mut fields = Fields::default();
        let role = fields.optional("role", raw.role, word);
        let muted_until = fields
            .optional("muted_until", raw.muted_until, |raw| raw.map(moment).transpose());
        if role.is_none() && muted_until.is_none() && fields.is_empty() {
            fields.add("role", Violation::Required);
        }
        if fields.is_empty() { Ok(Self { role, muted_until }) } else { Err(fields) }
    }
}

/// `PUT /v1/rooms/{id}/bans/{user}`
#[derive(Default, Deserialize, Serialize, ToSchema)]
pub struct BanBody {
    /// 1 to 500 characters.
    pub reason: Option<String>,
    /// Until when; for good if left out.
    #[schema(value_type = Option<Timestamp>)]
    pub until: Option<String>,
}

/// A checked ban.
#[derive(Clone, Debug, Default)]
pub struct NewBan {
    /// Why.
    pub reason: Option<Reason>,
    /// Until when.
    pub until: Option<Timestamp>,
}

impl Parse for NewBan {
    type Raw = BanBody;

    fn parse(raw: BanBody, limits: &Limits) -> Result<Self, Fields> {
        let mut fields = Fields::default();
        let reason = fields.optional("reason", raw.reason, |raw| Reason::parse(&raw, limits));
        let until = fields.optional("until", raw.until, moment);
        if fields.is_empty() { Ok(Self { reason, until }) } else { Err(fields) }
    }
}

/// `POST /v1/rooms/{id}/invites`
#[derive(Default, Deserialize, Serialize, ToSchema)]
pub struct InviteBody {
    /// How often it may be used; without end if left out.
    #[schema(value_type = Option<u32>)]
    pub max_uses: Option<u64>,
    /// Seconds that it lives, at most 30 days; 7 days if left out.
    pub expires_in_s: Option<u64>,
}

/// A checked new invite.
#[derive(Clone, Copy, Debug)]
pub struct NewInvite {
    /// How often it may be used.
    pub max_uses: Option<u32>,
    /// Seconds that it lives.
    pub expires_in_s: u64,
}

impl Parse for NewInvite {
    type Raw = InviteBody;

    fn parse(raw: InviteBody, limits: &Limits) -> Result<Self, Fields> {
        let mut fields = Fields::default();
        let max_uses = fields.optional("max_uses", raw.max_uses, |raw| {
            let uses = i32::try_from(raw).ok().filter(|uses| *uses > 0);
            uses.and_then(|uses| u32::try_from(uses).ok()).ok_or(Violation::OutOfRange)
        });
        let expires_in_s = fields.optional("expires_in_s", raw.expires_in_s, |raw| {
            if (1..=limits.invite_max_s).contains(&raw) { Ok(raw) } else { Err(Violation::OutOfRange) }
        });
        let expires_in_s = expires_in_s.unwrap_or(limits.invite_default_s);
        if fields.is_empty() { Ok(Self { max_uses, expires_in_s }) } else { Err(fields) }
    }
}

/// The query of `GET /v1/rooms`, and the fields of `list_rooms`.
#[derive(Deserialize, IntoParams, ToSchema)]
#[into_params(parameter_in = Query)]
pub struct RoomsQuery {
    /// What their name contains.
    #[param(max_length = 64)]
    query: Option<String>,
    /// Where the page before ended.
    #[param(max_length = 512)]
    cursor: Option<String>,
    /// At most so many; 50 if left out.
    #[schema(value_type = Option<u32>, minimum = 1, maximum = 200)]
    #[param(value_type = u32, required = false, minimum = 1, maximum = 200)]
    limit: Option<Whole>,
    /// In which order; by name if left out.
    #[schema(value_type = Option<RoomSort>)]
    #[param(value_type = RoomSort, required = false)]
    sort: Option<String>,
}

/// How a list of rooms is ordered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RoomSort {
    /// By name.
    #[default]
    Name,
    /// Most members first.
    Members,
    /// Newest first.
    Created,
}

/// A checked search for rooms.
#[derive(Clone, Debug, Default)]
pub struct FindRooms {
    /// What their name contains, folded; empty for all.
    pub query: String,
    /// Where the page before ended.
    pub cursor: Option<String>,
    /// At most so many.
    pub limit: u32,
    /// In which order.
    pub sort: RoomSort,
}

impl Parse for FindRooms {
    type Raw = RoomsQuery;

    fn parse(raw: RoomsQuery, limits: &Limits) -> Result<Self, Fields> {
        let mut fields = Fields::default();
        let query = fields.optional("query", raw.query, |raw| {
            if raw.chars().count() > limits.room_name_max_chars {
                return Err(Violation::TooLong);
            }
            Ok(RoomName::search_key(&raw))
        });
        let sort = fields.optional("sort", raw.sort, word);
        let cursor = page_cursor(&mut fields, raw.cursor);
        let limit = page_limit(&mut fields, raw.limit, limits);
        if !fields.is_empty() {
            return Err(fields);
        }
        Ok(Self {
            query: query.unwrap_or_default(),
            cursor,
            limit,
            sort: sort.unwrap_or_default(),
        })
    }
}

/// The query of a plain list, and the fields of `members`.
#[derive(Deserialize, IntoParams, ToSchema)]
#[into_params(parameter_in = Query)]
pub struct PageQuery {
    /// Where the page before ended.
    #[param(max_length = 512)]
    cursor: Option<String>,
    /// At most so many; 50 if left out.
    #[schema(value_type = Option<u32>, minimum = 1, maximum = 200)]
    #[param(value_type = u32, required = false, minimum = 1, maximum = 200)]
    limit: Option<Whole>,
}

/// A checked page of a list.
#[derive(Clone, Debug, Default)]
pub struct Page {
    /// Where the page before ended.
    pub cursor: Option<String>,
    /// At most so many.
    pub limit: u32,
}

impl Parse for Page {
    type Raw = PageQuery;

    fn parse(raw: PageQuery, limits: &Limits) -> Result<Self, Fields> {
        let mut fields = Fields::default();
        let cursor = page_cursor(&mut fields, raw.cursor);
        let limit = page_limit(&mut fields, raw.limit, limits);
        if fields.is_empty() { Ok(Self { cursor, limit }) } else { Err(fields) }
    }
}

fn page_cursor(fields: &mut Fields, raw: Option<String>) -> Option<String> {
    fields.optional("cursor", raw, |raw| {
        if raw.len() > 512 { Err(Violation::Invalid) } else { Ok(raw) }
    })
}

pub(crate) fn page_limit(fields: &mut Fields, raw: Option<Whole>, limits: &Limits) -> u32 {
    let max = u64::from(limits.page_max);
    let limit = fields.optional("limit", raw, |raw| raw.within(1..=max));
    limit.and_then(|limit| u32::try_from(limit).ok()).unwrap_or(limits.page_default)
}

/// A page of rooms.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct RoomList {
    /// The rooms.
    pub rooms: Vec<Room>,
    /// Where the next page begins; left out at the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}

/// A page of members.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct MemberList {
    /// The members: owner first, then by role and name.
    pub members: Vec<Member>,
    /// Where the next page begins; left out at the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}

/// The caller's own rooms.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct MyRoomList {
    /// The rooms.
    pub rooms: Vec<MyRoom>,
}

/// Who may not come into a room.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct BanList {
    /// The bans.
    pub bans: Vec<Ban>,
}

/// The codes that let people into a room.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct InviteList {
    /// The invites.
    pub invites: Vec<Invite>,
}
