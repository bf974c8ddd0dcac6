//! The audit log: who did what, from where, for server admins to read at `/v1/admin/audit`.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::{
    Fields, Limits, Parse, Timestamp, UserId,
    fields::{Whole, id, word},
};

/// What was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum AuditAction {
    /// Somebody logged in.
    LoginSuccess,
    /// Somebody tried to log in and may not have been who they said.
    LoginFailure,
    /// A session was ended by its user.
    Logout,
    /// An account was made.
    Register,
    /// A password was changed.
    PasswordChange,
    /// A forgotten password was replaced.
    PasswordReset,
    /// An account got another email address.
    EmailChange,
    /// An email address was verified.
    EmailVerify,
    /// Logins ask for a code of an authenticator from now on.
    TotpOn,
    /// They ask for none any more.
    TotpOff,
    /// Recovery codes were made anew.
    RecoveryCodes,
    /// Somebody may log in by the word of a provider from now on.
    IdentityLink,
    /// They may no more.
    IdentityUnlink,
    /// A profile was changed.
    ProfileChange,
    /// An access token was renewed.
    TokenRefresh,
    /// A refresh token was used again after its time, so its session was revoked.
    TokenReuse,
    /// One or more sessions were revoked.
    SessionRevoke,
    /// A room was made.
    RoomCreate,
    /// A room was changed.
    RoomChange,
    /// A room was deleted.
    RoomDelete,
    /// A member's role was changed.
    MemberRole,
    /// A member was muted or may speak again.
    MemberMute,
    /// A member was removed.
    MemberKick,
    /// Somebody was banned.
    MemberBan,
    /// A ban was lifted.
    MemberUnban,
    /// An invite was made.
    InviteCreate,
    /// An invite was withdrawn.
    InviteDelete,
    /// Another's message was deleted.
    MessageDelete,
    /// Somebody took along what is kept of them.
    AccountExport,
    /// Somebody left for good.
    AccountErase,
    /// A bot was made.
    BotCreate,
    /// A bot was changed.
    BotChange,
    /// A bot was deleted.
    BotDelete,
    /// A bot's token was made.
    TokenCreate,
    /// A bot's token was revoked.
    TokenDelete,
    /// A webhook was made.
    WebhookCreate,
    /// A webhook was changed.
    WebhookChange,
    /// A webhook was deleted.
    WebhookDelete,
    /// A webhook delivers a room again.
    WebhookReplay,
    /// A hook was made.
    HookCreate,
    /// A hook was deleted.
    HookDelete,
    /// A deleted room was brought back.
    RoomRestore,
    /// A server admin gave a room to somebody.
    RoomOwner,
    /// A message was reported.
    MessageReport,
    /// A report was closed, or opened again.
    ReportClose,
    /// An account was suspended.
    UserSuspend,
    /// An account is suspended no more.
    UserRestore,
    /// A server admin changed somebody's profile.
    UserChange,
    /// A server admin took a password away.
    UserReset,
    /// Somebody became server admin.
    AdminGrant,
    /// Somebody is server admin no more.
    AdminRevoke,
}

impl AuditAction {
    /// The stable word, as on the wire and in the store.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::LoginSuccess => "login_success",
            Self::LoginFailure => "login_failure",
            Self::Logout => "logout",
            Self::Register => "register",
            Self::PasswordChange => "password_change",
            Self::PasswordReset => "password_reset",
            Self::EmailChange => "email_change",
            Self::EmailVerify => "email_verify",
            Self::TotpOn => "totp_on",
            Self::TotpOff => "totp_off",
            Self::RecoveryCodes => "recovery_codes",
            Self::IdentityLink => "identity_link",
            Self::IdentityUnlink => "identity_unlink",
            Self::ProfileChange => "profile_change",
            Self::TokenRefresh => "token_refresh",
            Self::TokenReuse => "token_reuse",
            Self::SessionRevoke => "session_revoke",
            Self::RoomCreate => "room_create",
            Self::RoomChange => "room_change",
            Self::RoomDelete => "room_delete",
            Self::MemberRole => "member_role",
            Self::MemberMute => "member_mute",
            Self::MemberKick => "member_kick",
            Self::MemberBan => "member_ban",
            Self::MemberUnban => "member_unban",
            Self::InviteCreate => "invite_create",
            Self::InviteDelete => "invite_delete",
            Self::MessageDelete => "message_delete",
            Self::AccountExport => "account_export",
            Self::AccountErase => "account_erase",
            Self::BotCreate => "bot_create",
            Self::BotChange => "bot_change",
            Self::BotDelete => "bot_delete",
            Self::TokenCreate => "token_create",
            Self::TokenDelete => "token_delete",
            Self::WebhookCreate => "webhook_create",
            Self::WebhookChange => "webhook_change",
            Self::WebhookDelete => "webhook_delete",
            Self::WebhookReplay => "webhook_replay",
            Self::HookCreate => "hook_create",
            Self::HookDelete => "hook_delete",
            Self::RoomRestore => "room_restore",
            Self::RoomOwner => "room_owner",
            Self::MessageReport => "message_report",
            Self::ReportClose => "report_close",
            Self::UserSuspend => "user_suspend",
            Self::UserRestore => "user_restore",
            Self::UserChange => "user_change",
            Self::UserReset => "user_reset",
            Self::AdminGrant => "admin_grant",
            Self::AdminRevoke => "admin_revoke",
        }
    }
}

/// One entry of the audit log.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct AuditEntry {
    /// Names the entry.
    pub id: Uuid,
    /// When it was done.
    pub at: Timestamp,
    /// What was done; a word that this version does not know is one of a later version.
    pub action: String,
    /// Who did it, if that is known.
    pub actor: Option<UserId>,
    /// What it was done to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// From which address.
    pub ip: String,
    /// Names the request, or the socket, in the server's log.
    pub request_id: String,
    /// What else there is to say; never a body, password or token.
    pub data: serde_json::Value,
}

/// A page of the audit log, newest first.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct AuditEntries {
    /// The entries.
    pub entries: Vec<AuditEntry>,
    /// Where the next page begins; left out at the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}

/// The query of `GET /v1/admin/audit`.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct AuditQueryBody {
    /// Only what this user did.
    #[param(value_type = UserId, required = false)]
    actor: Option<String>,
    /// Only this.
    #[param(inline, value_type = AuditAction, required = false)]
    action: Option<String>,
    /// Where the page before ended.
    #[param(value_type = Uuid, required = false)]
    cursor: Option<String>,
    /// At most so many; 50 if left out.
    #[param(value_type = u32, required = false, minimum = 1, maximum = 200)]
    limit: Option<Whole>,
}

/// A checked query of the audit log.
#[derive(Clone, Debug, Default)]
pub struct AuditQuery {
    /// Only what this user did.
    pub actor: Option<UserId>,
    /// Only this.
    pub action: Option<AuditAction>,
    /// The last entry of the page before.
    pub cursor: Option<Uuid>,
    /// At most so many.
    pub limit: u32,
}

impl Parse for AuditQuery {
    type Raw = AuditQueryBody;

    fn parse(raw: AuditQueryBody, limits: &Limits) -> Result<Self, Fields> {
        let mut fields = Fields::default();
        let actor = fields.optional("actor", raw.actor, id);
        let action = fields.optional("action", raw.action, word);
        let cursor = fields.optional("cursor", raw.cursor, |raw| {
            raw.parse().map_err(|_| crate::Violation::Invalid)
        });
        let limit = crate::rooms::page_limit(&mut fields, raw.limit, limits);
        if fields.is_empty() {
            Ok(Self {
                actor,
                action,
                cursor,
                limit,
            })
        } else {
            Err(fields)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_the_same_everywhere() {
        for action in [
            AuditAction::LoginSuccess,
            AuditAction::TokenReuse,
            AuditAction::MemberUnban,
            AuditAction::RoomOwner,
            AuditAction::AdminRevoke,
        ] {
            assert_eq!(serde_json::to_value(action).unwrap(), action.as_str());
        }
    }
}
