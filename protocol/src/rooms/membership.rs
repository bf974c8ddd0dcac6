//! Who is in a room, how they get in, and what they are there.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    Fields, Limits, Parse, Role, RoomId, Timestamp, UserId, Violation,
    accounts::UserSummary,
    fields::{id, moment, nullable, word},
    frame::PresenceState,
    text::{InviteCode, RoomPassword},
};

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
    /// What they are up to, as they say.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schema(required = false)]
    pub status: String,
    /// Whether they are here, if that is known and visible.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub presence: Option<PresenceState>,
}

/// `POST /v1/rooms/{id}/members`: how one gets in.
#[derive(Default, Deserialize, Serialize, ToSchema)]
pub struct JoinBody {
    /// The room's password.
    #[schema(max_length = 128)]
    pub password: Option<String>,
    /// An invite's code.
    #[schema(min_length = 1, max_length = 64, pattern = "^[A-Za-z0-9_-]+$")]
    pub invite: Option<String>,
    /// A bot that is to be added, in place of the caller.
    #[schema(value_type = Option<UserId>)]
    pub user: Option<String>,
}

/// A checked wish to join.
#[derive(Clone, Debug, Default)]
pub struct Join {
    /// The password that is tried.
    pub password: Option<RoomPassword>,
    /// The invite that is shown.
    pub invite: Option<InviteCode>,
    /// The bot that is added in place of the caller.
    pub bot: Option<UserId>,
}

impl Parse for Join {
    type Raw = JoinBody;

    fn parse(raw: JoinBody, limits: &Limits) -> Result<Self, Fields> {
        let mut fields = Fields::default();
        let password = fields.optional("password", raw.password, |raw| {
            RoomPassword::attempt(&raw, limits)
        });
        let invite = fields.optional("invite", raw.invite, InviteCode::parse);
        let bot = fields.optional("user", raw.user, id);
        if bot.is_some() && (password.is_some() || invite.is_some()) {
            fields.add("user", Violation::Conflicting);
        }
        if fields.is_empty() {
            Ok(Self {
                password,
                invite,
                bot,
            })
        } else {
            Err(fields)
        }
    }
}

/// `PATCH /v1/rooms/{id}/members/{user}`
#[derive(Deserialize, Serialize, ToSchema)]
pub struct ChangeMemberBody {
    /// The new role; `owner` hands the room over.
    #[schema(value_type = Option<Role>)]
    pub role: Option<String>,
    /// Until when they may not write; `null` lets them at once.
    #[serde(
        default,
        deserialize_with = "nullable",
        skip_serializing_if = "Option::is_none"
    )]
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
        let muted_until = fields.optional("muted_until", raw.muted_until, |raw| {
            raw.map(moment).transpose()
        });
        if role.is_none() && muted_until.is_none() && fields.is_empty() {
            fields.add("role", Violation::Required);
        }
        if fields.is_empty() {
            Ok(Self { role, muted_until })
        } else {
            Err(fields)
        }
    }
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
