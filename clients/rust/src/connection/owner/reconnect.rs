//! When a connection has no socket, or not for long: opening the next one, and moving over to it.

use std::time::Duration;

use tokio::time::Instant;
use tracing::{debug, info};

use super::{
    super::{
        Ended, Status,
        door::{self, NotOpened, Opened},
        frames::Say,
        link::Close,
    },
    Live, Owner, heard,
    pulse::Pulse,
};
use crate::{Result, session::Access};

/// How soon a token is asked for again after nobody answered; the old one lives on meanwhile.
const RENEW_AGAIN: Duration = Duration::from_secs(1);

impl Owner {
    /// Begins to open a socket.
    pub(super) fn open(&mut self) {
        self.open_at = None;
        if self.live.is_none() {
            self.status.send_replace(Status::Connecting);
        }
        let (session, elsewhere) = (self.session.clone(), self.elsewhere.take());
        self.opening = Some(Box::pin(door::open(
            session,
            elsewhere,
            self.settings.ready_within,
        )));
    }

    /// A socket is ready, or is not.
    pub(super) fn opened(&mut self, opened: Result<Opened, NotOpened>) -> Result<(), Ended> {
        match opened {
            Ok(opened) => {
                self.take_over(opened);
                Ok(())
            }
            Err(not_opened) => self.try_again(not_opened),
        }
    }

    /// From here on everything goes over the new socket; the old one, if there is one, is left.
    fn take_over(
        &mut self,
        Opened {
            link,
            ready,
            access,
        }: Opened,
    ) {
        info!(connection.id = %ready.connection, node = ready.node, "connected");
        self.backoff.reset();
        self.open_at = None;
        self.outbox.lost();
        self.follows.lost();
        let live = Live {
            link,
            pulse: Pulse::new(Instant::now(), &self.settings),
            renew_at: Some(access.renew_at),
            access,
            frame_max_bytes: ready.limits.client_frame_max_bytes,
        };
        let mut is_taken = self
            .presence
            .is_none_or(|state| live.link.say(&Say::Presence { state }));
        for (room, seq) in std::mem::take(&mut self.marks) {
            is_taken &= live.link.say(&Say::Read { room, seq });
        }
        self.live = Some(live);
        let (connection, node) = (ready.connection, ready.node);
        self.status.send_replace(Status::Live { connection, node });
        if !is_taken {
            self.lose("it takes nothing");
        }
    }

    /// What a socket that is not there, or no longer, means.
    fn try_again(&mut self, not_opened: NotOpened) -> Result<(), Ended> {
        match not_opened {
            NotOpened::Later(at_least) => {
                self.wait(at_least);
                Ok(())
            }
            NotOpened::Stale(stale) => {
                let session = self.session.clone();
                self.renewal = Some(Box::pin(async move { session.renew(&stale).await }));
                Ok(())
            }
            // While a socket works, that another could not be had is no end.
            NotOpened::Never(ended) if self.live.is_some() => {
                debug!(%ended, "no other socket");
                self.wait(Duration::ZERO);
                Ok(())
            }
            NotOpened::Never(ended) => Err(ended),
        }
    }

    /// Opens another socket after a while, unless that is planned already.
    fn wait(&mut self, at_least: Duration) {
        let now = Instant::now();
        let until = *self
            .open_at
            .get_or_insert_with(|| now + self.backoff.next(at_least));
        if self.live.is_none() {
            debug!(wait_ms = (until - now).as_millis(), "waiting to connect");
            self.status.send_replace(Status::Waiting { until });
        }
    }

    /// A new access token: for the socket, or to get one with.
    pub(super) fn renewed(&mut self, renewed: Result<Access>) -> Result<(), Ended> {
        let Some(live) = &mut self.live else {
            return match renewed {
                Ok(_) => self.try_again(NotOpened::Later(Duration::ZERO)),
                Err(error) => self.try_again(door::not_opened(error)),
            };
        };
        match renewed {
            Ok(access) => {
                live.renew_at = Some(access.renew_at);
                let is_taken = live.link.say(&Say::Refresh {
                    id: heard::REFRESH,
                    token: &access.token,
                });
                live.access = access;
                if !is_taken {
                    self.lose("it takes nothing");
                }
            }
            // The server closes the socket when its token ends, and says what that means.
            Err(error) if error.is_sign_out() => live.renew_at = None,
            Err(error) => {
                debug!(%error, "the access token is not renewed yet");
                live.renew_at = Some(Instant::now() + RENEW_AGAIN);
            }
        }
        Ok(())
    }

    /// Gives up a socket that does not end by itself.
    pub(super) fn lose(&mut self, why: &str) {
        debug!(why, "the socket is given up");
        self.without_socket();
        self.wait_unless_opening();
    }

    /// The socket ended.
    pub(super) fn ended(&mut self, close: Close) -> Result<(), Ended> {
        debug!(?close, "the socket ended");
        let Some(live) = self.live.take() else {
            return Ok(());
        };
        self.without_socket();
        match door::after(close, live.access) {
            NotOpened::Later(_) => {
                self.wait_unless_opening();
                Ok(())
            }
            not_opened => self.try_again(not_opened),
        }
    }

    fn without_socket(&mut self) {
        self.live = None;
        self.renewal = None;
        self.outbox.lost();
        self.follows.lost();
    }

    fn wait_unless_opening(&mut self) {
        if self.opening.is_none() {
            self.wait(Duration::ZERO);
        } else {
            self.status.send_replace(Status::Connecting);
        }
    }
}
