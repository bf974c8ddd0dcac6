//! Who is kept out of a room, and what lets people in.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    Fields, Limits, Parse, RoomId, Timestamp, UserId, Violation, accounts::UserSummary,
    fields::moment, text::Reason,
};

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

/// `PUT /v1/rooms/{id}/bans/{user}`
#[derive(Default, Deserialize, Serialize, ToSchema)]
pub struct BanBody {
    /// 1 to 500 characters.
    #[schema(min_length = 1, max_length = 500)]
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
        if fields.is_empty() {
            Ok(Self { reason, until })
        } else {
            Err(fields)
        }
    }
}

/// Who may not come into a room.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct BanList {
    /// The bans.
    pub bans: Vec<Ban>,
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

/// `POST /v1/rooms/{id}/invites`
#[derive(Default, Deserialize, Serialize, ToSchema)]
pub struct InviteBody {
    /// How often it may be used; without end if left out.
    #[schema(value_type = Option<u32>, minimum = 1, maximum = 2147483647)]
    pub max_uses: Option<u64>,
    /// Seconds that it lives, at most 30 days; 7 days if left out.
    #[schema(minimum = 1, maximum = 2592000)]
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
            uses.and_then(|uses| u32::try_from(uses).ok())
                .ok_or(Violation::OutOfRange)
        });
        let expires_in_s = fields.optional("expires_in_s", raw.expires_in_s, |raw| {
            if (1..=limits.invite_max_s).contains(&raw) {
                Ok(raw)
            } else {
                Err(Violation::OutOfRange)
            }
        });
        let expires_in_s = expires_in_s.unwrap_or(limits.invite_default_s);
        if fields.is_empty() {
            Ok(Self {
                max_uses,
                expires_in_s,
            })
        } else {
            Err(fields)
        }
    }
}

/// The codes that let people into a room.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct InviteList {
    /// The invites.
    pub invites: Vec<Invite>,
}
