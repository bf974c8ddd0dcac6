//! How a socket begins: the body of `POST /v1/socket`. What it carries then is in `frame`.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{Fields, Limits, Parse, RoomId, fields::id};

/// `POST /v1/socket`
#[derive(Default, Deserialize, Serialize, ToSchema)]
pub struct SocketBody {
    /// A room that the socket is for: the url is then of the node that has it.
    #[schema(value_type = Option<RoomId>)]
    pub room: Option<String>,
}

/// A checked wish for a socket.
#[derive(Clone, Copy, Debug, Default)]
pub struct OpenSocket {
    /// A room that it is for.
    pub room: Option<RoomId>,
}

impl Parse for OpenSocket {
    type Raw = SocketBody;

    fn parse(raw: SocketBody, _: &Limits) -> Result<Self, Fields> {
        let mut fields = Fields::default();
        let room = fields.optional("room", raw.room, id);
        if fields.is_empty() {
            Ok(Self { room })
        } else {
            Err(fields)
        }
    }
}

/// Where to connect, and what lets one in.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
pub struct SocketTicket {
    /// Where, without the ticket: connect to `{url}?ticket={ticket}`.
    #[schema(example = "wss://chat.example.com/v1/socket")]
    pub url: String,
    /// Lets one socket in, once.
    pub ticket: String,
    /// Seconds that the ticket lives.
    pub expires_in: u64,
    /// The WebSocket subprotocol to ask for.
    #[schema(example = "chatx.v1")]
    pub protocol: String,
}
