//! Whether the log is still the one that a room delivered, and what happens when it is not. A database that was
//! put back under a running node gives places out again, to other events: nobody may see some of either.

use metrics::counter;
use protocol::{ErrorCode, EventId, Seq};
use shared::Refusal;
use tracing::warn;

use super::keeper::Keeper;

impl Keeper {
    /// Learns which event the log has at a place. Another than was delivered there is of another history.
    pub(super) fn compare(&mut self, seq: Seq, id: EventId) {
        if self
            .room
            .recent()
            .id_at(seq)
            .is_some_and(|known| known != id)
        {
            self.went_back(seq);
        }
    }

    /// Learns that the log is another than was delivered, and goes only so far. All that the room remembers is of
    /// no use: it ends, and is loaded anew by whoever comes. Its sockets are closed in the way that makes clients
    /// come again, and the store tells each whether what they have is still there.
    pub(super) fn went_back(&mut self, seq: Seq) {
        if self.is_over {
            return;
        }
        self.is_over = true;
        let delivered = self.next.last().0;
        warn!(room.id = %self.id, seq = seq.0, delivered, "the log went back, so everybody begins anew");
        counter!("chatx_room_restarts_total").increment(1);
        self.fresh.clear();
        self.audience.end();
        self.guests.went_back(seq);
    }

    /// Gives up what waits for an answer. Those whose sockets live ask again, and are told if it is stored.
    pub(super) fn refuse_waiting(&mut self) {
        let refusal = Refusal::from(ErrorCode::Unavailable);
        self.appends.refuse(&refusal);
        for sending in self.forwarded.take() {
            sending.refuse(refusal.clone());
        }
    }
}
