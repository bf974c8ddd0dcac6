//! What the server's frames do to a connection.

use std::time::Duration;

use protocol::{
    ErrorCode,
    error::ErrorDetail,
    frame::{Ack, ErrorFrame, FrameId, Goaway, ServerFrame},
};
use tokio::time::Instant;
use tracing::{debug, info};

use super::{
    super::{
        Ended, Status,
        events::{Delivery, RoomEnded},
        follows,
        link::Heard,
        outbox::{Number, Wait},
    },
    Owner,
};
use crate::{Refusal, Result};

/// The name of the frame that shows a new token.
pub(super) const REFRESH: &str = "r";
/// How long after a refusal that passes to send again, when the server does not say.
const SEND_AGAIN: Duration = Duration::from_secs(1);

/// The name of the frame that sends a message.
pub(super) fn name(number: Number) -> String {
    format!("m{}", number.0)
}

impl Owner {
    /// Takes in what a socket has to say.
    pub(super) fn heard(&mut self, heard: Heard) -> Result<(), Ended> {
        if let Some(live) = &mut self.live {
            live.pulse.heard(Instant::now());
        }
        match heard {
            Heard::Frame(frame) => self.frame(*frame),
            Heard::Unknown => {}
            Heard::Ended(close) => return self.ended(close),
        }
        Ok(())
    }

    fn frame(&mut self, frame: ServerFrame) {
        match frame {
            ServerFrame::Event(event) => self.follows.event(event),
            ServerFrame::Ack(ack) => self.acked(ack),
            ServerFrame::Subscribed(frame) => {
                if let Some(asked) = frame
                    .id
                    .as_ref()
                    .and_then(|id| follows::number(id.as_str()))
                {
                    self.follows.subscribed(asked, frame);
                }
            }
            ServerFrame::Unsubscribed(frame) => {
                self.follows
                    .remove(frame.room, RoomEnded::Unsubscribed(frame.reason));
            }
            ServerFrame::Error(frame) => self.refused(frame),
            ServerFrame::Presence(frame) => {
                self.follows.pass(frame.room, Delivery::Presence(frame));
            }
            ServerFrame::Typing(frame) => self.follows.pass(frame.room, Delivery::Typing(frame)),
            ServerFrame::Read(frame) => self.follows.pass(frame.room, Delivery::Read(frame)),
            ServerFrame::Goaway(frame) => self.go_away(frame),
            ServerFrame::Pong(pong) => {
                let is_any_suspect = self.follows.pong(&pong);
                if let Some(live) = self.live.as_mut().filter(|_| is_any_suspect) {
                    live.pulse.look_again(Instant::now());
                }
            }
            ServerFrame::RoomAdded(_) | ServerFrame::RoomRemoved(_) => {
                self.rooms_changed.send_modify(|times| *times += 1);
            }
            ServerFrame::Ok(_)
            | ServerFrame::Ready(_)
            | ServerFrame::User(_)
            | ServerFrame::Reports(_) => {}
        }
    }

    fn acked(&mut self, ack: Ack) {
        let letter = ack
            .id
            .as_ref()
            .and_then(number)
            .and_then(|number| self.outbox.settle(number, true));
        if let Some(letter) = letter {
            letter.settle(Ok(ack));
        }
    }

    /// A frame of ours was refused: what passes is sent again, the rest is told.
    fn refused(&mut self, frame: ErrorFrame) {
        let now = Instant::now();
        let id = frame.id.clone();
        let refusal = self.refusal(frame);
        let Some(id) = id else {
            debug!(code = ?refusal.detail.code, "a frame without a name was refused");
            return;
        };
        if let Some(asked) = follows::number(id.as_str()) {
            return self.follows.refused(asked, refusal, now);
        }
        let again = now + refusal.retry_after.unwrap_or(SEND_AGAIN);
        if id.as_str() == REFRESH {
            if let Some(live) = self.live.as_mut().filter(|_| refusal.is_passing()) {
                live.renew_at = Some(again);
            }
            return;
        }
        let Some(number) = number(&id) else { return };
        match refusal.detail.code {
            ErrorCode::RateLimited => self.outbox.put_off(number, again, Wait::Everywhere),
            ErrorCode::SlowMode | ErrorCode::Unavailable => {
                self.outbox.put_off(number, again, Wait::Room);
            }
            _ => self.settle_refused(number, refusal),
        }
    }

    /// A message that no server of this kind takes.
    pub(super) fn refuse_as_too_large(&mut self, number: Number) {
        let (code, message) = (
            ErrorCode::TooLarge,
            ErrorCode::TooLarge.message().to_owned(),
        );
        let frame = ErrorFrame {
            id: None,
            code,
            message,
            retry_after_ms: None,
            fields: Default::default(),
        };
        let refusal = self.refusal(frame);
        self.settle_refused(number, refusal);
    }

    fn settle_refused(&mut self, number: Number, refusal: Refusal) {
        if let Some(letter) = self.outbox.settle(number, false) {
            letter.settle(Err(refusal.into()));
        }
    }

    fn refusal(&self, frame: ErrorFrame) -> Refusal {
        let ErrorFrame {
            code,
            message,
            fields,
            retry_after_ms,
            ..
        } = frame;
        let request_id = match &*self.status.borrow() {
            Status::Live { connection, .. } => connection.to_string(),
            _ => String::new(),
        };
        Refusal {
            status: code.status(),
            detail: ErrorDetail {
                code,
                message,
                fields,
                request_id,
            },
            retry_after: retry_after_ms.map(Duration::from_millis),
        }
    }

    /// The node goes away. This socket works until another one is ready.
    fn go_away(&mut self, goaway: Goaway) {
        info!(
            reason = goaway.reason,
            wait_ms = goaway.reconnect_after_ms,
            "asked to connect elsewhere"
        );
        self.elsewhere = goaway.url;
        if self.opening.is_none() {
            self.open_at = Some(Instant::now() + Duration::from_millis(goaway.reconnect_after_ms));
        }
    }
}

/// The number in a name that [`name`] gave.
fn number(id: &FrameId) -> Option<Number> {
    id.as_str().strip_prefix('m')?.parse().ok().map(Number)
}
