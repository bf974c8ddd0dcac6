//! The stable codes of everything that can be refused, and the body that carries one over HTTP.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Fields;

/// Why something was refused. The word is stable; programs act on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ErrorCode {
    /// The bytes are not what the contract says at all.
    Malformed,
    /// A frame has a type that this server does not know.
    UnknownType,
    /// Some fields are wrong; `fields` says which.
    ValidationFailed,
    /// No valid access token came with it.
    Unauthenticated,
    /// Username or password is wrong.
    InvalidCredentials,
    /// The password is right, and a code of the authenticator is wanted too.
    TotpRequired,
    /// The code of the authenticator is wrong, or was used before.
    WrongTotp,
    /// The caller may not do this.
    Forbidden,
    /// Only members may do this.
    NotAMember,
    /// The room's password is another one.
    WrongPassword,
    /// The caller is banned from the room.
    Banned,
    /// The caller is muted in the room.
    Muted,
    /// The room is in slow mode and the caller wrote a moment ago.
    SlowMode,
    /// A server admin has closed the account.
    Suspended,
    /// One of the two has blocked the other.
    Blocked,
    /// A cookie came without its CSRF token, or from another site.
    Csrf,
    /// The room is archived: it can be read, not written.
    Archived,
    /// The token has no scope for this.
    MissingScope,
    /// There is nothing at this path.
    NotFound,
    /// No such room.
    RoomNotFound,
    /// No such user.
    UserNotFound,
    /// No such message.
    MessageNotFound,
    /// That person is not a member.
    MemberNotFound,
    /// No such session.
    SessionNotFound,
    /// No such invite, or it is used up or expired.
    InviteNotFound,
    /// That person is not banned.
    BanNotFound,
    /// No such bot, or it is another's.
    BotNotFound,
    /// That bot has no such token.
    TokenNotFound,
    /// No such webhook.
    WebhookNotFound,
    /// No such hook.
    HookNotFound,
    /// No such file, or it is not for this message.
    FileNotFound,
    /// No such report.
    ReportNotFound,
    /// The link of a mail is used, too old, or was never sent.
    LinkNotFound,
    /// Nobody of this name says who people are.
    ProviderNotFound,
    /// No such identity.
    IdentityNotFound,
    /// The path exists, but not with this method.
    MethodNotAllowed,
    /// Another account has this username.
    UsernameTaken,
    /// Another account has this email address.
    EmailTaken,
    /// Another room has this name.
    NameTaken,
    /// A room that the caller deleted has this name until it is erased.
    NameKept,
    /// The room has as many members as it may.
    RoomFull,
    /// A room is not left without an owner.
    LastOwner,
    /// The server is not left without an admin.
    LastAdmin,
    /// Another account has this identity.
    IdentityTaken,
    /// An account is not left without a way into it.
    LastWayIn,
    /// It does not go together with how things are.
    Conflict,
    /// It is larger than it may be.
    TooLarge,
    /// The body is of a type that is not taken here.
    UnsupportedMediaType,
    /// The part that was asked for lies behind the end.
    RangeNotSatisfiable,
    /// Too much in too short a time; `Retry-After` says when.
    RateLimited,
    /// The server failed.
    Internal,
    /// What must last cannot be reached now; nothing was changed.
    Unavailable,
}

impl ErrorCode {
    /// The HTTP status that goes with it.
    pub const fn status(self) -> u16 {
        match self {
            Self::Malformed | Self::UnknownType => 400,
            Self::Unauthenticated
            | Self::InvalidCredentials
            | Self::TotpRequired
            | Self::WrongTotp => 401,
            Self::Forbidden
            | Self::NotAMember
            | Self::WrongPassword
            | Self::Banned
            | Self::Muted
            | Self::SlowMode
            | Self::Suspended
            | Self::Blocked
            | Self::Csrf
            | Self::Archived
            | Self::MissingScope => 403,
            Self::NotFound
            | Self::RoomNotFound
            | Self::UserNotFound
            | Self::MessageNotFound
            | Self::MemberNotFound
            | Self::SessionNotFound
            | Self::InviteNotFound
            | Self::BanNotFound
            | Self::BotNotFound
            | Self::TokenNotFound
            | Self::WebhookNotFound
            | Self::HookNotFound
            | Self::FileNotFound
            | Self::ReportNotFound
            | Self::LinkNotFound
            | Self::ProviderNotFound
            | Self::IdentityNotFound => 404,
            Self::MethodNotAllowed => 405,
            Self::UsernameTaken
            | Self::EmailTaken
            | Self::NameTaken
            | Self::NameKept
            | Self::RoomFull
            | Self::LastOwner
            | Self::LastAdmin
            | Self::IdentityTaken
            | Self::LastWayIn
            | Self::Conflict => 409,
            Self::TooLarge => 413,
            Self::UnsupportedMediaType => 415,
            Self::RangeNotSatisfiable => 416,
            Self::ValidationFailed => 422,
            Self::RateLimited => 429,
            Self::Internal => 500,
            Self::Unavailable => 503,
        }
    }

    /// What it means, for people.
    pub const fn message(self) -> &'static str {
        match self {
            Self::Malformed => "the request could not be read",
            Self::UnknownType => "no frame has this type",
            Self::ValidationFailed => "some fields are wrong",
            Self::Unauthenticated => "log in first",
            Self::InvalidCredentials => "username or password is wrong",
            Self::TotpRequired => "a code of your authenticator is needed too",
            Self::WrongTotp => "the code is wrong, or was used before",
            Self::Forbidden => "you may not do this",
            Self::NotAMember => "join the room first",
            Self::WrongPassword => "the room's password is another one",
            Self::Banned => "you are banned from this room",
            Self::Muted => "you are muted in this room",
            Self::SlowMode => "the room is in slow mode, wait a little",
            Self::Suspended => "this account is suspended",
            Self::Blocked => "one of you has blocked the other",
            Self::Csrf => "the request carries no valid csrf token, or comes from another site",
            Self::Archived => "the room is archived",
            Self::MissingScope => "the token has no scope for this",
            Self::NotFound => "there is nothing here",
            Self::RoomNotFound => "no such room",
            Self::UserNotFound => "no such user",
            Self::MessageNotFound => "no such message",
            Self::MemberNotFound => "no such member",
            Self::SessionNotFound => "no such session",
            Self::InviteNotFound => "no such invite, or it is used up or expired",
            Self::BanNotFound => "no such ban",
            Self::BotNotFound => "no such bot",
            Self::TokenNotFound => "no such token",
            Self::WebhookNotFound => "no such webhook",
            Self::HookNotFound => "no such hook",
            Self::FileNotFound => "no such file, or not for this",
            Self::ReportNotFound => "no such report",
            Self::LinkNotFound => "the link is used, or too old: ask for another one",
            Self::ProviderNotFound => "nobody of this name says who people are",
            Self::IdentityNotFound => "no such identity",
            Self::MethodNotAllowed => "this method is not served here",
            Self::UsernameTaken => "another account has this username",
            Self::EmailTaken => "another account has this email address",
            Self::NameTaken => "another room has this name",
            Self::NameKept => {
                "a room that you deleted has this name until it is erased: restore it, or wait"
            }
            Self::RoomFull => "the room is full",
            Self::LastOwner => "hand the room over first: it would be left without an owner",
            Self::LastAdmin => "make somebody else server admin first: there would be none",
            Self::IdentityTaken => "another account has this identity",
            Self::LastWayIn => "set a password first: there would be no way into this account",
            Self::Conflict => "this does not go together with how things are now",
            Self::TooLarge => "this is larger than it may be",
            Self::UnsupportedMediaType => "a body of this type is not taken here",
            Self::RangeNotSatisfiable => "the file ends before this part",
            Self::RateLimited => "too many requests, wait a little",
            Self::Internal => "something went wrong on the server",
            Self::Unavailable => "the server cannot store or read right now, try again",
        }
    }
}

/// The body of every HTTP answer that refuses something.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ErrorBody {
    /// What was refused and why.
    pub error: ErrorDetail,
}

/// What was refused and why.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ErrorDetail {
    /// The stable code.
    pub code: ErrorCode,
    /// For people; may change.
    pub message: String,
    /// Which fields are wrong; only with `validation_failed`.
    #[serde(default, skip_serializing_if = "Fields::is_empty")]
    pub fields: Fields,
    /// Names this request in the server's log.
    pub request_id: String,
}
