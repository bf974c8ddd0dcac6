//! Bots and their tokens, webhooks, and hooks.

use hyper::Method;
use protocol::{
    HookId, RoomId, SessionId, UserId, WebhookId,
    bots::{
        Bot, BotBody, BotList, BotToken, BotTokenBody, BotTokenList, ChangeBotBody, FreshToken,
    },
    hooks::{FreshHook, HookBody, HookList},
    rooms::{JoinBody, Member},
    webhooks::{ChangeWebhookBody, FreshWebhook, ReplayBody, Webhook, WebhookBody, WebhookList},
};

use super::Session;
use crate::{Result, http::Call};

/// Programs that take part. Every call fails as [`crate::Error`] says.
#[expect(
    clippy::missing_errors_doc,
    reason = "every call fails in the same ways, which the impl says once"
)]
impl Session {
    /// A page of the caller's bots, the newest first.
    pub async fn bots(&self, cursor: Option<UserId>) -> Result<BotList> {
        let call = Call::new(Method::GET, "/v1/bots").ask("cursor", cursor);
        self.read(call).await
    }

    /// Makes a bot.
    pub async fn create_bot(&self, body: &BotBody) -> Result<Bot> {
        self.read(Call::new(Method::POST, "/v1/bots").with(body))
            .await
    }

    /// Changes what a bot says about itself.
    pub async fn change_bot(&self, bot: UserId, body: &ChangeBotBody) -> Result<Bot> {
        self.change(format!("/v1/bots/{bot}"), body).await
    }

    /// Deletes a bot; it leaves its rooms.
    pub async fn delete_bot(&self, bot: UserId) -> Result<()> {
        self.delete(format!("/v1/bots/{bot}")).await
    }

    /// A bot's tokens, without the secrets.
    pub async fn bot_tokens(&self, bot: UserId) -> Result<Vec<BotToken>> {
        let list: BotTokenList = self.get(format!("/v1/bots/{bot}/tokens")).await?;
        Ok(list.tokens)
    }

    /// Makes a token; its secret is shown this once.
    pub async fn create_bot_token(&self, bot: UserId, body: &BotTokenBody) -> Result<FreshToken> {
        let path = format!("/v1/bots/{bot}/tokens");
        self.read(Call::new(Method::POST, path).with(body)).await
    }

    /// Revokes a token.
    pub async fn delete_bot_token(&self, bot: UserId, token: SessionId) -> Result<()> {
        self.delete(format!("/v1/bots/{bot}/tokens/{token}")).await
    }

    /// Adds a bot to a room.
    pub async fn add_bot(&self, room: RoomId, bot: UserId) -> Result<Member> {
        let body = JoinBody {
            user: Some(bot.to_string()),
            ..JoinBody::default()
        };
        self.join(room, &body).await
    }

    /// The caller's webhooks, or all of a room that the caller may arrange.
    pub async fn webhooks(&self, room: Option<RoomId>) -> Result<WebhookList> {
        let call = Call::new(Method::GET, "/v1/webhooks").ask("room", room);
        self.read(call).await
    }

    /// Makes a webhook; its secret is shown this once.
    pub async fn create_webhook(&self, body: &WebhookBody) -> Result<FreshWebhook> {
        self.read(Call::new(Method::POST, "/v1/webhooks").with(body))
            .await
    }

    /// A webhook, and how it fares.
    pub async fn webhook(&self, webhook: WebhookId) -> Result<Webhook> {
        self.get(format!("/v1/webhooks/{webhook}")).await
    }

    /// Changes a webhook, or lets one go on that was disabled.
    pub async fn change_webhook(
        &self,
        webhook: WebhookId,
        body: &ChangeWebhookBody,
    ) -> Result<Webhook> {
        self.change(format!("/v1/webhooks/{webhook}"), body).await
    }

    /// Removes a webhook.
    pub async fn delete_webhook(&self, webhook: WebhookId) -> Result<()> {
        self.delete(format!("/v1/webhooks/{webhook}")).await
    }

    /// Lets a webhook deliver a room again from another place on.
    pub async fn replay(&self, webhook: WebhookId, body: &ReplayBody) -> Result<Webhook> {
        let path = format!("/v1/webhooks/{webhook}/replay");
        self.read(Call::new(Method::POST, path).with(body)).await
    }

    /// The hooks of a room.
    pub async fn hooks(&self, room: RoomId) -> Result<HookList> {
        self.get(format!("/v1/rooms/{room}/hooks")).await
    }

    /// Makes a hook; its url is shown this once.
    pub async fn create_hook(&self, room: RoomId, body: &HookBody) -> Result<FreshHook> {
        let path = format!("/v1/rooms/{room}/hooks");
        self.read(Call::new(Method::POST, path).with(body)).await
    }

    /// Takes a hook away.
    pub async fn delete_hook(&self, room: RoomId, hook: HookId) -> Result<()> {
        self.delete(format!("/v1/rooms/{room}/hooks/{hook}")).await
    }
}
