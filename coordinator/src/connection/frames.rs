//! What a client says on a socket, and whose business each kind of frame is.

use protocol::{
    ErrorCode,
    accounts::UserSummary,
    bots::Scope,
    frame::{
        ClientFrame, CloseReason, FrameId, Incoming, Pong, Refresh, Rejected, ServerFrame, decode,
    },
};
use shared::{Refusal, caller::must_have, token::AccessClaims};
use tokio::time::Instant;

use super::{Owner, Wish, pace::Paced, requests::Request};
use crate::{answers, room::Command};

impl Owner {
    /// Hears one text frame.
    ///
    /// # Errors
    /// Why the socket ends.
    pub(super) fn hear(&mut self, text: &str) -> Result<(), CloseReason> {
        self.node.frames_in.increment(1);
        let rates = &self.node.app.settings.rates;
        let paced = self.pace.frame(rates, Instant::now());
        if paced == Paced::Flooding {
            return Err(CloseReason::Flooding);
        }
        let Incoming { id, frame } = match decode(text, &self.node.app.settings.limits) {
            Ok(incoming) => incoming,
            Err(Rejected::Malformed) => return Err(CloseReason::Malformed),
            Err(Rejected::Refused { id, code, fields }) => {
                self.refuse(
                    id,
                    Refusal {
                        code,
                        fields,
                        retry_after: None,
                    },
                );
                return Ok(());
            }
        };
        match paced {
            Paced::Refused(wait) => {
                self.refuse(id, Refusal::from(ErrorCode::RateLimited).retry_after(wait));
            }
            Paced::Heard | Paced::Flooding => match self.withheld(&frame) {
                Some(refusal) => self.refuse(id, refusal),
                None => self.obey(id, frame),
            },
        }
        Ok(())
    }

    /// Why a bot may not say this, if it may not.
    fn withheld(&self, frame: &ClientFrame) -> Option<Refusal> {
        let scope = needed(frame)?;
        must_have(self.requests.scopes(), Some(scope)).err()
    }

    fn obey(&mut self, id: Option<FrameId>, frame: ClientFrame) {
        match frame {
            ClientFrame::Subscribe(subscribe) => {
                let wish = Wish {
                    id,
                    subscribe,
                    presence: self.subscriptions.presence(),
                };
                if let Err((id, refusal)) = self.subscriptions.subscribe(wish) {
                    self.refuse(id, refusal);
                }
            }
            ClientFrame::Unsubscribe(room) => {
                self.subscriptions.unsubscribe(room);
                self.connection.outbox.answer(&answers::done(id));
            }
            ClientFrame::Send(send) => {
                self.sends.push(&self.node, &self.connection, id, send);
            }
            ClientFrame::Read(room, seq) => match self.subscriptions.room(room) {
                Some(followed) => {
                    let seq = seq.min(followed.head());
                    self.node.reads.mark(room, self.connection.user.id, seq);
                }
                None => self.request(id, Request::Read(room, seq)),
            },
            ClientFrame::Typing(room, on) => {
                // Only those who follow a room type in it; and it may be lost.
                if let Some(followed) = self.subscriptions.room(room) {
                    let user = UserSummary::clone(&self.connection.user);
                    drop(followed.tell(Command::Typing(user, on)));
                }
            }
            ClientFrame::Presence(state) => {
                let user = self.connection.user.id;
                self.subscriptions.tell_presence(user, state);
                self.node.presences.note(user, self.connection.id, state);
            }
            ClientFrame::Refresh(refresh) => self.renew(id, refresh),
            ClientFrame::Ping => {
                let (at, heads) = (self.node.app.clock.now(), self.subscriptions.heads());
                self.connection
                    .outbox
                    .answer(&ServerFrame::Pong(Pong { id, at, heads }));
            }
            ClientFrame::Edit(edit) => self.request(id, Request::Edit(edit)),
            ClientFrame::Delete(room, seq) => self.request(id, Request::Delete(room, seq)),
            ClientFrame::React(room, react) => self.request(id, Request::React(room, react)),
            ClientFrame::Unreact(room, react) => self.request(id, Request::Unreact(room, react)),
            ClientFrame::Pin(room, seq) => self.request(id, Request::Pin(room, seq)),
            ClientFrame::Unpin(room, seq) => self.request(id, Request::Unpin(room, seq)),
            ClientFrame::CreateRoom(create) => self.request(id, Request::CreateRoom(create)),
            ClientFrame::Join(room, join) => self.request(id, Request::Join(room, join)),
            ClientFrame::Leave(room) => self.request(id, Request::Leave(room)),
            ClientFrame::DeleteRoom(room) => self.request(id, Request::DeleteRoom(room)),
            ClientFrame::ListRooms(find) => self.request(id, Request::ListRooms(find)),
            ClientFrame::History(room, history) => {
                self.request(id, Request::History(room, history));
            }
            ClientFrame::Members(room, page) => self.request(id, Request::Members(room, page)),
        }
    }

    fn request(&mut self, id: Option<FrameId>, request: Request) {
        let (node, connection) = (&self.node, &self.connection);
        if let Err((id, refusal)) = self.requests.begin(node, connection, id, request) {
            self.refuse(id, refusal);
        }
    }

    fn refuse(&self, id: Option<FrameId>, refusal: Refusal) {
        self.connection
            .outbox
            .answer(&answers::refused(id, refusal));
    }

    /// Checks a new token of the same session.
    fn renew(&mut self, id: Option<FrameId>, refresh: Refresh) {
        if !self.renewal.is_idle() {
            return self.refuse(id, ErrorCode::RateLimited.into());
        }
        let app = self.node.app.clone();
        let (session, user) = (self.connection.session, self.connection.user.id);
        self.renewal.begin(async move {
            let claims = app.authenticate(&refresh.token).await;
            let claims = claims.and_then(|claims| {
                let is_same = claims.sid == session && claims.sub == user;
                if is_same {
                    Ok(claims)
                } else {
                    Err(ErrorCode::Forbidden.into())
                }
            });
            Renewed { id, claims }
        });
    }

    /// Lets the socket live as long as the new token.
    pub(super) fn renewed(&mut self, renewed: Renewed) {
        let Renewed { id, claims } = renewed;
        match claims {
            Ok(claims) => {
                let left = claims.expires_at().since(self.node.app.clock.now());
                self.pulse.renew(Instant::now() + left);
                self.connection.outbox.answer(&answers::done(id));
            }
            Err(refusal) => self.refuse(id, refusal),
        }
    }
}

/// The scope that a bot needs for a frame; nothing for what is about the socket itself.
const fn needed(frame: &ClientFrame) -> Option<Scope> {
    match frame {
        ClientFrame::Ping | ClientFrame::Refresh(_) => None,
        ClientFrame::ListRooms(_) | ClientFrame::Members(..) => Some(Scope::RoomsRead),
        ClientFrame::CreateRoom(_)
        | ClientFrame::DeleteRoom(_)
        | ClientFrame::Join(..)
        | ClientFrame::Leave(_) => Some(Scope::RoomsWrite),
        ClientFrame::Subscribe(_)
        | ClientFrame::Unsubscribe(_)
        | ClientFrame::History(..)
        | ClientFrame::Read(..) => Some(Scope::MessagesRead),
        ClientFrame::Send(_)
        | ClientFrame::Edit(_)
        | ClientFrame::Delete(..)
        | ClientFrame::React(..)
        | ClientFrame::Unreact(..)
        | ClientFrame::Pin(..)
        | ClientFrame::Unpin(..)
        | ClientFrame::Typing(..)
        | ClientFrame::Presence(_) => Some(Scope::MessagesWrite),
    }
}

/// What became of a new token.
pub(super) struct Renewed {
    id: Option<FrameId>,
    claims: Result<AccessClaims, Refusal>,
}
