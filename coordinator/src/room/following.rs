//! What a room does when it is with another node: it attaches there, hears what happens, says who is here, and
//! moves when the other node is lost or another is better. Nothing of it is seen by a socket.

use std::sync::Arc;

use metrics::counter;
use protocol::Seq;
use tracing::debug;

use super::{keeper::Keeper, upstream::Upstream};
use crate::{
    delivery::Verdict,
    encoded::Entry,
    peers::{
        Link,
        frame::{News, Present, Word},
    },
    roster::{Happening, Via},
};

impl Keeper {
    /// Notes that sockets of this node need the room.
    pub(super) fn need(&mut self) {
        if !self.is_needed {
            self.is_needed = true;
            self.move_if_due();
            if self.upstream.is_some() {
                self.introductions.begin();
            }
        }
    }

    /// The other node that the room should be with.
    fn wanted(&self) -> Option<Link> {
        let link = self.is_needed.then(|| self.rooms.peers().upstream(self.id));
        link.flatten().filter(Link::is_up)
    }

    /// Moves, if the room should be with another node than it is.
    pub(super) fn move_if_due(&mut self) {
        let wanted = self.wanted();
        let is_there = match (&self.upstream, &wanted) {
            (Some(upstream), Some(link)) => upstream.is_with(link),
            (None, None) => true,
            _ => false,
        };
        if !is_there {
            self.move_to(wanted);
        }
    }

    /// Moves, be it to where it is: what it asked for there is lost.
    pub(super) fn move_now(&mut self) {
        let wanted = self.wanted();
        self.move_to(wanted);
    }

    fn move_to(&mut self, link: Option<Link>) {
        let node = link.as_ref().map_or("this one", |link| link.node());
        debug!(room.id = %self.id, node, "room moves");
        counter!("chatx_room_moves_total").increment(1);
        self.room.set_told(false);
        // Dropping the old one says that it is let go; the new one is asked before anything else.
        self.upstream = None;
        self.upstream = link.map(|link| Box::new(Upstream::new(self.id, link)));
        self.ask_if_due();
        if self.upstream.is_none() {
            self.happen(Happening::Upstream(Vec::new()));
            self.introduce();
            if !self.audience.is_empty() || !self.guests.is_empty() {
                self.rooms.nudge();
            }
        }
        // Whether they are stored nobody knows; the store does, and answers each once.
        let unanswered = self.appends.take_of_sockets();
        for sending in unanswered.chain(self.forwarded.take()) {
            self.place(sending);
        }
    }

    /// Asks the other node for what happens, if it is time.
    pub(super) fn ask_if_due(&mut self) {
        if let Some(upstream) = &mut self.upstream
            && upstream.must_ask()
        {
            upstream.ask(self.next.last(), self.roster.own().collect());
        }
    }

    /// Takes in what the other node says. What one says that the room is no longer with is too late.
    pub(super) fn hear(&mut self, link: &Link, news: News) {
        let Some(upstream) = self.upstream.as_mut().filter(|it| it.is_with(link)) else {
            return;
        };
        match news {
            News::Attached {
                head,
                complete,
                elsewhere,
            } => {
                upstream.answered();
                // What follows may still be lost on the way: only what comes counts as brought.
                if !complete {
                    upstream.gives_up();
                }
                self.target = self.target.max(head);
                self.doubts |= head < self.next.last();
                self.room.set_told(true);
                self.happen(Happening::Upstream(elsewhere));
                self.introduce();
            }
            News::Head(seq) => {
                self.target = self.target.max(seq);
                self.doubts |= seq < self.next.last();
                if seq >= self.next.seq() {
                    upstream.lost();
                }
            }
            News::Lost => upstream.lost(),
            News::Gone => self.gone(),
            News::WentBack(seq) => self.went_back(seq),
            News::Here(node, Present { user, state }) => {
                self.happen(Happening::Entered(Via::Upstream(node), user, state));
            }
            News::Away(node, user) => {
                self.happen(Happening::Gone(Via::Upstream(node), user));
            }
            News::NodeAway(node) => {
                self.happen(Happening::NodeAway(node));
            }
            News::Typing(user, on) => {
                if self.roster.has(user.id) {
                    self.happen(Happening::Typed(user, on));
                }
            }
            News::Event(entry) => self.hear_event(link, entry),
        }
    }

    /// Takes in an event. One that is not the next tells that others were lost on the way.
    pub(super) fn hear_event(&mut self, link: &Link, entry: Arc<Entry>) {
        if !self.upstream.as_ref().is_some_and(|it| it.is_with(link)) {
            return;
        }
        let (seq, id) = (entry.seq, entry.id);
        let verdict = self.take(entry);
        let is_complete = self.is_complete();
        let Some(upstream) = &mut self.upstream else {
            return;
        };
        match verdict {
            Verdict::Send => upstream.brought(is_complete),
            Verdict::Old => self.compare(seq, id),
            Verdict::Hole => {
                counter!("chatx_room_holes_total").increment(1);
                self.target = self.target.max(seq);
                upstream.lost();
            }
        }
    }

    /// Tells the node that the room should be with, if that is another, what guests had stored here.
    pub(super) fn hint_elsewhere(&self, seq: Seq) {
        if let Some(link) = self.rooms.peers().upstream(self.id) {
            // It may be lost: the other node looks at the log, too.
            let _ = link.say(self.id, Word::Hint(seq));
        }
    }
}
