//! What a room does for nodes that follow it here. Whatever they say is dealt with here and passed on to no
//! third node, so that nodes which disagree about whose room it is cannot send anything in circles.

use protocol::Seq;
use tokio::time::Instant;

use super::{Following, appends::Passed, keeper::Keeper};
use crate::{
    peers::{
        Guest,
        frame::{News, Present, Word},
    },
    roster::{Happening, Via},
};

/// About as many bytes of events are given to who attaches; who is further behind reads the store.
const GIVEN_BYTES: usize = 256 * 1_024;

impl Keeper {
    /// Does what a guest says.
    pub(super) fn host(&mut self, guest: &Guest, word: Word) {
        match word {
            Word::Attach { after, here } => self.attach(guest, after, here),
            Word::Append {
                number,
                append,
                user,
            } => {
                let guest = guest.clone();
                self.store(Passed {
                    guest,
                    number,
                    append: *append,
                    user,
                });
            }
            Word::Hint(seq) => self.target = self.target.max(seq),
            // A guest that was let go may not know it yet.
            _ if !self.guests.has(guest) => {}
            Word::Detach => {
                self.guests.remove(guest);
                self.happen(Happening::GuestAway(guest.node().clone()));
                if self.guests.is_empty() {
                    self.unused_since = Instant::now();
                }
            }
            Word::Here(Present { user, state }) => {
                let via = Via::Guest(guest.node().clone());
                self.happen(Happening::Entered(via, user, state));
            }
            Word::Away(user) => {
                let via = Via::Guest(guest.node().clone());
                self.happen(Happening::Gone(via, user));
            }
            Word::Typing(user, on) => {
                if self.roster.has(user.id) && self.happen(Happening::Typed(user.clone(), on)) {
                    self.relay(guest, &News::Typing(user, on));
                }
            }
        }
    }

    fn attach(&mut self, guest: &Guest, after: Seq, here: Vec<Present>) {
        self.guests.add(guest);
        // It may know of more than this node.
        self.target = self.target.max(after);
        self.happen(Happening::Guest(guest.node().clone(), here));
        let head = self.next.last();
        let entries = match self.room.recent().from(after.next(), GIVEN_BYTES) {
            Following::Nothing => Some(Vec::new()),
            Following::Entries(entries) => {
                let is_all = entries.last().is_some_and(|last| last.seq == head);
                is_all.then_some(entries)
            }
            Following::Forgotten => None,
        };
        let elsewhere = self.roster.beside(guest.node(), &self.name());
        let attached = News::Attached {
            head,
            complete: entries.is_some(),
            elsewhere,
        };
        guest.tell(self.id, attached);
        guest.deliver(&entries.unwrap_or_default());
    }

    /// Tells the other guests what is told only where people are known by name.
    fn relay(&self, from: &Guest, news: &News) {
        if self.roster.is_named() {
            self.guests.pass(Some(from.node()), news);
        }
    }
}
