//! Tickets: a short-lived, signed pass to a socket, for clients that cannot send a header with the
//! upgrade. That one is used once is [`crate::tickets`]' to see to.

use aws_lc_rs::hmac;
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use protocol::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{AccessClaims, Secrets};

/// What a ticket says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Ticket {
    /// Tells it from every other ticket.
    pub(crate) id: Uuid,
    /// When it stops being good, in milliseconds since 1970.
    pub(crate) until_ms: i64,
    /// The claims of the access token that it was asked for with.
    pub(crate) claims: AccessClaims,
}

impl Ticket {
    /// The ticket as it is handed out: `body.mac`.
    pub(crate) fn text(&self, secrets: &Secrets) -> String {
        let json = serde_json::to_vec(self).expect("ids, numbers and text are always JSON");
        let body = BASE64_URL_SAFE_NO_PAD.encode(json);
        let mac = BASE64_URL_SAFE_NO_PAD.encode(hmac::sign(secrets.ticket(), body.as_bytes()));
        format!("{body}.{mac}")
    }

    /// Reads a ticket; `None` unless this cluster wrote it and it is still good.
    pub(crate) fn parse(text: &str, secrets: &Secrets, now: Timestamp) -> Option<Self> {
        let (body, mac) = text.split_once('.')?;
        let mac = BASE64_URL_SAFE_NO_PAD.decode(mac).ok()?;
        hmac::verify(secrets.ticket(), body.as_bytes(), &mac).ok()?;
        let ticket: Self =
            serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(body).ok()?).ok()?;
        (now.unix_ms() < ticket.until_ms).then_some(ticket)
    }
}
