//! Who is in a room: what sockets say of their users, and what everybody is told of it, on this node and on
//! others. The roster decides what that is.

use std::sync::Arc;

use protocol::{
    ConnectionId, Seq, UserId,
    accounts::UserSummary,
    frame::{PresenceFrame, ReadFrame, ServerFrame, TypingFrame},
};
use tokio::time::Instant;

use super::{Enter, keeper::Keeper};
use crate::{
    encoded::Encoded,
    peers::frame::{News, Word},
    roster::{Effect, Happening, Place, Via},
};

impl Keeper {
    /// Notes that a socket's user may read here, and tells who is here.
    pub(super) fn enter(&mut self, enter: Enter) {
        let Enter {
            connection,
            state,
            head,
            member_count,
            online,
        } = enter;
        if !self.audience.has(connection) {
            return;
        }
        // Who was put out since reads the event of that, and is not here.
        if let Some(user) = self.audience.enter(connection, head) {
            self.happen(Happening::Counted(member_count));
            self.happen(Happening::Entered(Via::Socket(connection), user, state));
        }
        if let Some(online) = self.introductions.wait(online) {
            drop(online.send(self.roster.online()));
        }
    }

    /// Notes that a socket is gone.
    pub(super) fn left(&mut self, connection: ConnectionId, user: UserId) {
        self.happen(Happening::Gone(Via::Socket(connection), user));
        if self.audience.is_empty() {
            self.unused_since = Instant::now();
        }
    }

    /// Learns that somebody is a member no more, unless they came back meanwhile.
    pub(super) fn put_out(&mut self, user: UserId, seq: Seq) {
        if self.audience.put_out(user, seq) {
            self.happen(Happening::Removed(user));
        }
    }

    /// Notes that somebody on a socket types, or stopped.
    pub(super) fn typed(&mut self, user: UserSummary, on: bool) {
        // Who was put out a moment ago may not know it yet.
        if self.roster.has(user.id)
            && self.happen(Happening::Typed(user.clone(), on))
            && self.roster.is_named()
        {
            if let Some(upstream) = &mut self.upstream {
                upstream.say(Word::Typing(user.clone(), on));
            }
            self.guests.pass(None, &News::Typing(user, on));
        }
    }

    /// Takes in that something happens, and tells everybody; whether sockets were told.
    pub(super) fn happen(&mut self, happening: Happening) -> bool {
        let effects = self.roster.apply(happening, Instant::now());
        let room = self.id;
        let mut frames = Vec::new();
        for effect in effects {
            frames.push(Encoded::of(&match effect {
                Effect::Presence(user, state) => {
                    ServerFrame::Presence(PresenceFrame { room, user, state })
                }
                Effect::Typing(user, on) => ServerFrame::Typing(TypingFrame { room, user, on }),
                Effect::Read(user, seq) => ServerFrame::Read(ReadFrame { room, user, seq }),
                effect => {
                    self.announce(effect);
                    continue;
                }
            }));
        }
        self.audience.pass(&frames);
        !frames.is_empty()
    }

    /// Tells those who wait for it who is here.
    pub(super) fn introduce(&mut self) {
        self.introductions.end(|| self.roster.online());
    }

    /// Tells other nodes who is on this one or on another guest: the one that the room is with, and those that
    /// follow it here.
    pub(super) fn announce(&mut self, effect: Effect) {
        let (word, from, news) = match effect {
            Effect::Here(Place::Own, present) => (
                Some(Word::Here(present.clone())),
                None,
                News::Here(self.name(), present),
            ),
            Effect::Away(Place::Own, user) => {
                (Some(Word::Away(user)), None, News::Away(self.name(), user))
            }
            Effect::Here(Place::Guest(node), present) => {
                (None, Some(node.clone()), News::Here(node, present))
            }
            Effect::Away(Place::Guest(node), user) => {
                (None, Some(node.clone()), News::Away(node, user))
            }
            Effect::NodeAway(node) => (None, Some(node.clone()), News::NodeAway(node)),
            Effect::Presence(..) | Effect::Typing(..) | Effect::Read(..) => return,
        };
        if let (Some(word), Some(upstream)) = (word, &mut self.upstream) {
            upstream.say(word);
        }
        self.guests.pass(from.as_ref(), &news);
    }

    /// What this node is called.
    pub(super) fn name(&self) -> Arc<str> {
        Arc::clone(self.rooms.peers().node())
    }
}
