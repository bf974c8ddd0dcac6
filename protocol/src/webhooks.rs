//! Webhooks: what happens in rooms, posted to a url elsewhere.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::{
    Fields, Limits, Parse, RoomId, Seq, Timestamp, UserId, Violation, WebhookId,
    events::Event,
    fields::{id, nullable},
};

/// A way out of rooms.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Webhook {
    /// The webhook.
    pub id: WebhookId,
    /// Where events are posted.
    pub url: String,
    /// Whose, and how far each has been taken.
    pub rooms: Vec<WebhookRoom>,
    /// Which kinds of events; all if there is none.
    pub kinds: Vec<String>,
    /// Who made it.
    pub user_id: UserId,
    /// Whether it delivers.
    pub enabled: bool,
    /// How it fares.
    pub state: WebhookState,
    /// How many attempts have failed since the last that did not.
    pub failures: u32,
    /// Why the latest attempt failed; left out while none has since the last that did not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_error: Option<String>,
    /// Since when all attempts have failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failing_since: Option<Timestamp>,
    /// When it is tried again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_attempt_at: Option<Timestamp>,
    /// When it was disabled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disabled_at: Option<Timestamp>,
    /// When events were last taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delivered_at: Option<Timestamp>,
    /// When it was made.
    pub created_at: Timestamp,
}

/// How a webhook fares.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum WebhookState {
    /// It delivers.
    Active,
    /// Its latest attempt failed, and there will be another.
    Retrying,
    /// It delivers nothing, because somebody said so or all attempts failed for too long.
    Disabled,
}

/// How far a webhook is in a room.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct WebhookRoom {
    /// The room.
    pub room: RoomId,
    /// The last event that was taken, or passed over for its kind.
    pub seq: Seq,
    /// The room's latest event.
    pub head: Seq,
}

/// A webhook that was made just now.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
pub struct FreshWebhook {
    /// What can be said of it later too.
    #[serde(flatten)]
    pub about: Webhook,
    /// What its posts are signed with, which is shown this once.
    pub secret: String,
}

/// Some webhooks.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct WebhookList {
    /// The webhooks, the newest first.
    pub webhooks: Vec<Webhook>,
}

/// What is posted.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Delivery {
    /// By which webhook.
    pub webhook: WebhookId,
    /// Of which room.
    pub room: RoomId,
    /// What happened, in order.
    pub events: Vec<Event>,
}

/// Where events are posted: an http or https url without a name or password in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TargetUrl(String);

const URL_MAX_BYTES: usize = 2_048;

impl TargetUrl {
    /// # Errors
    /// What is wrong with it.
    pub fn parse(raw: &str) -> Result<Self, Violation> {
        let text = raw.trim();
        if text.len() > URL_MAX_BYTES {
            return Err(Violation::TooLong);
        }
        let after_scheme = ["https://", "http://"]
            .iter()
            .find_map(|scheme| text.strip_prefix(scheme))
            .ok_or(Violation::Invalid)?;
        let authority = after_scheme.split(['/', '?', '#']).next().unwrap_or("");
        let is_plain = text.bytes().all(|byte| byte.is_ascii_graphic());
        if authority.is_empty() || authority.contains('@') || text.contains('#') || !is_plain {
            return Err(Violation::Invalid);
        }
        Ok(Self(text.to_owned()))
    }

    /// The url.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What posts are signed with: 16 to 256 printable ASCII characters, no spaces.
#[derive(Clone, PartialEq, Eq)]
pub struct SigningSecret(String);

impl SigningSecret {
    /// # Errors
    /// What is wrong with it.
    pub fn parse(raw: String) -> Result<Self, Violation> {
        match raw.len() {
            0..16 => Err(Violation::TooShort),
            16..=256 if raw.bytes().all(|byte| byte.is_ascii_graphic()) => Ok(Self(raw)),
            16..=256 => Err(Violation::Invalid),
            _ => Err(Violation::TooLong),
        }
    }

    /// The secret itself.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Shows nothing.
impl std::fmt::Debug for SigningSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SigningSecret(…)")
    }
}

/// `POST /v1/webhooks`
#[derive(Default, Deserialize, Serialize, ToSchema)]
pub struct WebhookBody {
    /// Where to post: http or https.
    #[schema(required, nullable = false, max_length = 2048)]
    pub url: Option<String>,
    /// 1 to 50 rooms, of each of which the caller is admin or owner.
    #[schema(required, nullable = false, value_type = Vec<RoomId>, min_items = 1, max_items = 50)]
    pub rooms: Option<Vec<String>>,
    /// Which kinds of events; all if left out.
    pub kinds: Option<Vec<String>>,
    /// What to sign with: 16 to 256 printable ASCII characters, no spaces; made if left out.
    #[schema(min_length = 16, max_length = 256, pattern = "^[!-~]+$")]
    pub secret: Option<String>,
}

/// A checked new webhook.
#[derive(Clone, Debug)]
pub struct NewWebhook {
    /// Where to post.
    pub url: TargetUrl,
    /// Of which rooms.
    pub rooms: BTreeSet<RoomId>,
    /// Which kinds of events; all if there is none.
    pub kinds: BTreeSet<String>,
    /// What to sign with.
    pub secret: Option<SigningSecret>,
}

impl Parse for NewWebhook {
    type Raw = WebhookBody;

    fn parse(raw: WebhookBody, _: &Limits) -> Result<Self, Fields> {
        let mut fields = Fields::default();
        let url = fields.required("url", raw.url, |raw| TargetUrl::parse(&raw));
        let rooms = fields.required("rooms", raw.rooms, rooms);
        let kinds = fields.optional("kinds", raw.kinds, kinds);
        let secret = fields.optional("secret", raw.secret, SigningSecret::parse);
        match (url, rooms) {
            (Some(url), Some(rooms)) if fields.is_empty() => Ok(Self {
                url,
                rooms,
                kinds: kinds.unwrap_or_default(),
                secret,
            }),
            _ => Err(fields),
        }
    }
}

/// `PATCH /v1/webhooks/{webhook}`: what is left out stays.
#[derive(Default, Deserialize, Serialize, ToSchema)]
pub struct ChangeWebhookBody {
    /// Where to post.
    #[schema(max_length = 2048)]
    pub url: Option<String>,
    /// All its rooms from now on; new ones begin with what happens next.
    #[schema(value_type = Option<Vec<RoomId>>, min_items = 1, max_items = 50)]
    pub rooms: Option<Vec<String>>,
    /// Which kinds of events; `null` for all.
    #[serde(
        default,
        deserialize_with = "nullable",
        skip_serializing_if = "Option::is_none"
    )]
    #[schema(value_type = Option<Vec<String>>)]
    pub kinds: Option<Option<Vec<String>>>,
    /// What to sign with.
    #[schema(min_length = 16, max_length = 256, pattern = "^[!-~]+$")]
    pub secret: Option<String>,
    /// Whether it delivers; it goes on where it stood.
    pub enabled: Option<bool>,
}

/// A checked change of a webhook.
#[derive(Clone, Debug, Default)]
pub struct ChangeWebhook {
    /// Where to post.
    pub url: Option<TargetUrl>,
    /// All its rooms.
    pub rooms: Option<BTreeSet<RoomId>>,
    /// Which kinds of events.
    pub kinds: Option<BTreeSet<String>>,
    /// What to sign with.
    pub secret: Option<SigningSecret>,
    /// Whether it delivers.
    pub enabled: Option<bool>,
}

impl Parse for ChangeWebhook {
    type Raw = ChangeWebhookBody;

    fn parse(raw: ChangeWebhookBody, _: &Limits) -> Result<Self, Fields> {
        let mut fields = Fields::default();
        let change = Self {
            url: fields.optional("url", raw.url, |raw| TargetUrl::parse(&raw)),
            rooms: fields.optional("rooms", raw.rooms, rooms),
            kinds: fields.optional("kinds", raw.kinds, |raw| {
                raw.map_or(Ok(BTreeSet::new()), kinds)
            }),
            secret: fields.optional("secret", raw.secret, SigningSecret::parse),
            enabled: raw.enabled,
        };
        if fields.is_empty() {
            Ok(change)
        } else {
            Err(fields)
        }
    }
}

const ROOMS_MAX: usize = 50;

fn rooms(raw: Vec<String>) -> Result<BTreeSet<RoomId>, Violation> {
    match raw.len() {
        0 => Err(Violation::TooShort),
        1..=ROOMS_MAX => raw.into_iter().map(id).collect(),
        _ => Err(Violation::TooLong),
    }
}

/// Kinds that a later version adds may be named before this one knows them.
fn kinds(raw: Vec<String>) -> Result<BTreeSet<String>, Violation> {
    let is_word = |kind: &String| {
        (1..=32).contains(&kind.len())
            && kind
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte == b'_')
    };
    if raw.len() > 50 {
        Err(Violation::TooLong)
    } else if raw.iter().all(is_word) {
        Ok(raw.into_iter().collect())
    } else {
        Err(Violation::Invalid)
    }
}

/// `POST /v1/webhooks/{webhook}/replay`
#[derive(Default, Deserialize, Serialize, ToSchema)]
pub struct ReplayBody {
    /// One of its rooms.
    #[schema(required, nullable = false, value_type = RoomId)]
    pub room: Option<String>,
    /// Events after this seq are delivered, again or for the first time.
    #[schema(required, nullable = false, value_type = u64)]
    pub after: Option<u64>,
}

/// A checked wish to deliver again.
#[derive(Clone, Copy, Debug)]
pub struct Replay {
    /// The room.
    pub room: RoomId,
    /// From where on.
    pub after: Seq,
}

impl Parse for Replay {
    type Raw = ReplayBody;

    fn parse(raw: ReplayBody, _: &Limits) -> Result<Self, Fields> {
        let mut fields = Fields::default();
        let room = fields.required("room", raw.room, id);
        let after = fields.required("after", raw.after, |raw| Ok(Seq(raw)));
        match (room, after) {
            (Some(room), Some(after)) => Ok(Self { room, after }),
            _ => Err(fields),
        }
    }
}

/// The query of `GET /v1/webhooks`.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct WebhooksQuery {
    /// All of this room, for its admins and owner.
    #[param(value_type = RoomId, required = false)]
    room: Option<String>,
}

/// A checked question for webhooks.
#[derive(Clone, Copy, Debug, Default)]
pub struct FindWebhooks {
    /// All of this room.
    pub room: Option<RoomId>,
}

impl Parse for FindWebhooks {
    type Raw = WebhooksQuery;

    fn parse(raw: WebhooksQuery, _: &Limits) -> Result<Self, Fields> {
        let mut fields = Fields::default();
        let room = fields.optional("room", raw.room, id);
        if fields.is_empty() {
            Ok(Self { room })
        } else {
            Err(fields)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_a_plain_url() {
        for good in [
            "https://example.com/hook?x=1",
            "http://example.com:8080/",
            " https://example.com ",
        ] {
            assert!(TargetUrl::parse(good).is_ok(), "{good}");
        }
        for bad in [
            "ftp://example.com",
            "https://",
            "https://ada:secret@example.com/",
            "https://example.com/#x",
            "https://exa mple.com/",
            "https://ex\u{e4}mple.com/",
            "//example.com",
        ] {
            assert_eq!(TargetUrl::parse(bad), Err(Violation::Invalid), "{bad}");
        }
    }

    #[test]
    fn a_secret_is_long_and_never_shown() {
        assert_eq!(
            SigningSecret::parse("short".into()),
            Err(Violation::TooShort)
        );
        let secret = SigningSecret::parse("0123456789abcdef".into()).unwrap();
        assert_eq!(format!("{secret:?}"), "SigningSecret(…)");
    }
}
