//! Hooks: ways into a room for tools that can only post to a url.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    Fields, HookId, Limits, Parse, RoomId, Timestamp, UserId,
    accounts::UserSummary,
    text::{ClientId, DisplayName, MessageBody},
};

/// A way into a room.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Hook {
    /// The hook.
    pub id: HookId,
    /// Where it leads.
    pub room: RoomId,
    /// What it is called, and its messages' sender is shown as.
    pub name: String,
    /// The bot that what comes through it is said by.
    pub user: UserSummary,
    /// Who made it.
    pub by: UserId,
    /// When it was made.
    pub created_at: Timestamp,
}

/// A hook that was made just now.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
pub struct FreshHook {
    /// What can be said of it later too.
    #[serde(flatten)]
    pub about: Hook,
    /// Where to post, which is shown this once: who knows it may.
    pub url: String,
}

/// The hooks of a room.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct HookList {
    /// The hooks, the newest first.
    pub hooks: Vec<Hook>,
}

/// `POST /v1/rooms/{room}/hooks`
#[derive(Default, Deserialize, Serialize, ToSchema)]
pub struct HookBody {
    /// 1 to 64 characters.
    #[schema(required, nullable = false, min_length = 1, max_length = 64)]
    pub name: Option<String>,
}

/// A checked new hook.
#[derive(Clone, Debug)]
pub struct NewHook {
    /// What it is called.
    pub name: DisplayName,
}

impl Parse for NewHook {
    type Raw = HookBody;

    fn parse(raw: HookBody, limits: &Limits) -> Result<Self, Fields> {
        let mut fields = Fields::default();
        let name = fields.required("name", raw.name, |raw| DisplayName::parse(&raw, limits));
        name.map(|name| Self { name }).ok_or(fields)
    }
}

/// `POST /v1/hooks/{token}`: `body` or `text`; other fields are passed over.
#[derive(Default, Deserialize, Serialize, ToSchema)]
pub struct Posted {
    /// 1 to 8,000 characters.
    #[schema(min_length = 1, max_length = 8000)]
    pub body: Option<String>,
    /// The same, as other systems call it.
    #[schema(min_length = 1, max_length = 8000)]
    pub text: Option<String>,
    /// The sender's own name for the message: posted again under the same one it is stored once.
    #[schema(min_length = 1, max_length = 64, pattern = "^[ -~]+$")]
    pub client_id: Option<String>,
}

/// A checked message that comes through a hook.
#[derive(Clone, Debug)]
pub struct Post {
    /// Its text.
    pub body: MessageBody,
    /// The sender's own name for it.
    pub client_id: Option<ClientId>,
}

impl Parse for Post {
    type Raw = Posted;

    fn parse(raw: Posted, limits: &Limits) -> Result<Self, Fields> {
        let mut fields = Fields::default();
        let body = fields.required("body", raw.body.or(raw.text), |raw| {
            MessageBody::parse(raw, limits)
        });
        let client_id = fields.optional("client_id", raw.client_id, |raw| ClientId::parse(&raw));
        match body {
            Some(body) if fields.is_empty() => Ok(Self { body, client_id }),
            _ => Err(fields),
        }
    }
}
