//! Who may do what in a room: the one table, which every check asks.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What a member is in a room. A later role may everything that an earlier one may.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Talks.
    Member,
    /// Keeps order.
    Moderator,
    /// Arranges the room.
    Admin,
    /// Has the room.
    Owner,
}

/// What somebody may want to do in a room.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Act {
    /// Write, react, edit and delete one's own.
    Send,
    /// Make an invite to a public room.
    InviteToPublic,
    /// Make an invite to any room.
    InviteToAny,
    /// Delete others' messages.
    DeleteOthers,
    /// Pin and unpin.
    Pin,
    /// Mute, kick and ban people of a lower role.
    Moderate,
    /// Set the slow mode.
    SlowMode,
    /// Change name, topic, password, visibility, history and capacity.
    ChangeRoom,
    /// Give roles below admin.
    GiveRoles,
    /// Make and unmake admins.
    MakeAdmins,
    /// Hand the room over.
    Transfer,
    /// Archive the room.
    Archive,
    /// Delete the room.
    DeleteRoom,
}

impl Role {
    /// The least role that may do `act`: the table of the contract.
    pub const fn least_for(act: Act) -> Self {
        match act {
            Act::Send | Act::InviteToPublic => Self::Member,
            Act::InviteToAny | Act::DeleteOthers | Act::Pin | Act::Moderate | Act::SlowMode => {
                Self::Moderator
            }
            Act::ChangeRoom | Act::GiveRoles => Self::Admin,
            Act::MakeAdmins | Act::Transfer | Act::Archive | Act::DeleteRoom => Self::Owner,
        }
    }

    /// Whether this role may do `act`.
    pub fn may(self, act: Act) -> bool {
        self >= Self::least_for(act)
    }

    /// Whether this role may mute, kick or ban somebody of `other` role.
    pub fn may_moderate(self, other: Self) -> bool {
        self.may(Act::Moderate) && self > other
    }

    /// Whether this role may turn a member of role `from` into one of role `to`. Handing the room
    /// over (`to` owner) is [`Act::Transfer`].
    pub fn may_change_role(self, from: Self, to: Self) -> bool {
        let act = match from.max(to) {
            Self::Owner => Act::Transfer,
            Self::Admin => Act::MakeAdmins,
            Self::Moderator | Self::Member => Act::GiveRoles,
        };
        self.may(act) && from != Self::Owner
    }

    /// The stable word, as on the wire and in the store.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Member => "member",
            Self::Moderator => "moderator",
            Self::Admin => "admin",
            Self::Owner => "owner",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Role::{Admin, Member, Moderator, Owner};

    #[test]
    fn nobody_removes_the_owner() {
        for role in [Member, Moderator, Admin, Owner] {
            assert!(!role.may_moderate(Owner));
            assert!(!role.may_change_role(Owner, Member));
        }
    }

    #[test]
    fn only_people_of_a_lower_role_are_moderated() {
        assert!(Moderator.may_moderate(Member));
        assert!(!Moderator.may_moderate(Moderator));
        assert!(!Member.may_moderate(Member));
        assert!(Owner.may_moderate(Admin));
    }

    #[test]
    fn admins_give_the_roles_below_their_own() {
        assert!(Admin.may_change_role(Member, Moderator));
        assert!(!Admin.may_change_role(Member, Admin));
        assert!(!Admin.may_change_role(Admin, Member));
        assert!(Owner.may_change_role(Member, Admin));
        assert!(Owner.may_change_role(Member, Owner));
        assert!(!Admin.may_change_role(Member, Owner));
    }
}
