//! How a socket ends, and the last that is said on it.

use std::pin::pin;

use protocol::frame::CloseReason;
use tokio::time::{Duration, timeout};

use super::{Owner, socket::Socket};

/// Why a socket ended.
#[derive(Clone, Copy, Debug)]
pub(super) enum End {
    /// The server closes it.
    Closed(CloseReason),
    /// The peer closed it.
    Peer,
    /// Nothing was heard of the peer for too long.
    Lost,
}

impl End {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Closed(reason) => reason.as_str(),
            Self::Peer => "closed by the peer",
            Self::Lost => "lost",
        }
    }

    /// The code of the close frame; 1006 is RFC 6455's for none.
    pub(super) const fn code(self) -> u16 {
        match self {
            Self::Closed(reason) => reason.code(),
            Self::Peer => 1005,
            Self::Lost => 1006,
        }
    }
}

/// How long a node that goes away waits for the answers that a socket is still owed. A process ends
/// soon after, so this is less than a store that is away may take.
const LAST_ANSWERS: Duration = Duration::from_millis(2_500);

impl Owner {
    /// Says goodbye in the way that the end asks for.
    pub(super) async fn finish(mut self, end: End) {
        match end {
            End::Closed(reason) => {
                if reason == CloseReason::NodeGoingAway {
                    // Nothing that was sent before stays without an answer.
                    drop(timeout(LAST_ANSWERS, self.last_answers()).await);
                }
                self.into_socket().close(reason).await;
            }
            End::Peer => self.into_socket().finish().await,
            End::Lost => {}
        }
    }

    /// The socket alone: the rooms need not wait for the goodbye, and what is being asked for is given
    /// up, since nobody looks at it any more.
    fn into_socket(self) -> Socket {
        self.socket
    }

    /// Writes until everything that the peer asked for is answered and has left.
    async fn last_answers(&mut self) {
        let sends = self.sends.all_answered();
        let requests = self.requests.all_answered();
        let mut answered = pin!(async move {
            sends.await;
            requests.await;
        });
        let mut all_answered = false;
        loop {
            let outbox = &self.connection.outbox;
            outbox.flush();
            let backlog = outbox.backlog();
            if backlog.is_over || (all_answered && backlog.bytes == 0) {
                return;
            }
            // The same order as while the socket lived.
            tokio::select! {
                biased;
                turn = self.sends.turn() => self.sends.take(&self.node, &turn),
                () = outbox.due() => self.subscriptions.attend(),
                () = &mut answered, if !all_answered => all_answered = true,
                () = self.socket.writable(), if backlog.is_stuck => {}
            }
        }
    }
}
