//! Somebody unseen on a socket of one node, who asks who is there.

use std::collections::BTreeMap;

use protocol::{
    ConnectionId, RoomId,
    accounts::UserSummary,
    frame::{ClientFrame, FrameId, Incoming, PresenceState, ServerFrame, Subscribe},
};
use uuid::Uuid;

use super::{
    check::Roster,
    machine::{Machine, Order},
    pipe::Pipe,
    world::World,
};

pub(super) struct Probe {
    node: usize,
    pipe: Pipe,
    seen: BTreeMap<RoomId, Roster>,
}

/// More bytes than it is ever told at once.
const WINDOW: usize = 1_000_000;

impl Probe {
    pub(super) fn new(world: &World, user: UserSummary, machine: &Machine) -> Self {
        let id = ConnectionId::from_uuid(Uuid::from_u128(world.unique()));
        let pipe = Pipe::new(id, user, WINDOW);
        machine.order(Order::Serve(pipe.clone()));
        pipe.say(Incoming {
            id: None,
            frame: ClientFrame::Presence(PresenceState::Invisible),
        });
        Self {
            node: machine.number,
            pipe,
            seen: BTreeMap::new(),
        }
    }

    pub(super) const fn node(&self) -> usize {
        self.node
    }

    /// Asks who is in these rooms.
    pub(super) fn ask(&mut self, rooms: &[RoomId]) {
        self.seen.clear();
        for room in rooms {
            let subscribe = Subscribe {
                room: *room,
                after: None,
                after_id: None,
                limit: 1,
            };
            self.pipe.say(Incoming {
                id: FrameId::parse(String::from("probe")).ok(),
                frame: ClientFrame::Subscribe(subscribe),
            });
        }
    }

    /// Who is in a room, if that was answered.
    pub(super) fn seen(&mut self, room: RoomId) -> Option<Roster> {
        while let Some(frame) = self.pipe.take() {
            match frame {
                ServerFrame::Subscribed(subscribed) => {
                    let users = subscribed.online.users.into_iter();
                    let roster = users.map(|online| (online.user.id, online.state)).collect();
                    self.seen.insert(subscribed.room, roster);
                }
                ServerFrame::Presence(frame) => {
                    let roster = self.seen.entry(frame.room).or_default();
                    if frame.state == PresenceState::Offline {
                        roster.remove(&frame.user.id);
                    } else {
                        roster.insert(frame.user.id, frame.state);
                    }
                }
                _ => {}
            }
        }
        self.seen.get(&room).cloned()
    }

    pub(super) fn go(self) {
        self.pipe.close();
    }
}
