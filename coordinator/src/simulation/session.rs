//! A node's end of a socket, as the real one is but for the bytes: the same outbox, the same
//! subscriptions, in the same order.

use std::sync::Arc;

use protocol::{
    EventId, SessionId,
    accounts::UserSummary,
    frame::{ClientFrame, FrameId, Incoming, PresenceState, SendFrame},
};
use shared::store::Append;
use tokio::sync::Semaphore;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use super::{
    machine::Machine,
    pipe::Pipe,
    world::{Broken, World},
};
use crate::{
    answers,
    connection::{Connection, Passport, Subscriptions, Wish},
    room::{Command, Sending},
    rooms::Rooms,
};

/// A socket that is served.
pub(super) struct Session {
    world: Arc<World>,
    rooms: Rooms,
    connection: Arc<Connection>,
    subscriptions: Subscriptions,
    presence: PresenceState,
    pipe: Closing,
    unanswered: Arc<Semaphore>,
}

/// Breaks the socket however its session ends.
struct Closing(Pipe);

/// As much may wait to be written before more is brought.
const BURST_BYTES: usize = 2_000;
/// More than any client has under way.
const UNANSWERED: usize = 10_000;

impl Session {
    pub(super) fn new(machine: &Machine, pipe: Pipe, rooms: &Rooms, tasks: &TaskTracker) -> Self {
        let passport = Passport {
            user: pipe.user().clone(),
            session: SessionId::from_uuid(pipe.id().uuid()),
            admin: false,
            scopes: None,
            expires_at: machine.world.now(),
            ip: [127, 0, 0, 1].into(),
        };
        let connection = Connection::new(
            pipe.id(),
            &passport,
            machine.capacities.outbox,
            pipe.clone(),
        );
        let connection = Arc::new(connection);
        Self {
            world: Arc::clone(&machine.world),
            rooms: rooms.clone(),
            subscriptions: Subscriptions::new(
                rooms.clone(),
                tasks.clone(),
                Arc::clone(&connection),
            ),
            connection,
            presence: PresenceState::Online,
            pipe: Closing(pipe),
            unanswered: Arc::new(Semaphore::new(UNANSWERED)),
        }
    }

    pub(super) async fn run(mut self) {
        loop {
            let outbox = self.connection.outbox.clone();
            outbox.flush();
            let backlog = outbox.backlog();
            let has_space = backlog.bytes < BURST_BYTES;
            let pipe = self.pipe.0.clone();
            // The order of the real one.
            tokio::select! {
                biased;
                answer = self.subscriptions.answered(), if has_space => {
                    self.subscriptions.take(answer);
                }
                () = outbox.due() => self.attend(),
                () = std::future::ready(()), if has_space && self.subscriptions.is_behind() => {
                    self.subscriptions.catch_up();
                }
                () = pipe.taken(), if backlog.is_stuck => {}
                heard = pipe.hear() => match heard {
                    Some(incoming) => self.obey(incoming),
                    None => return,
                },
            }
        }
    }

    fn attend(&mut self) {
        if self.world.is_broken(Broken::NoDeliveryRule) {
            self.subscriptions.skip_what_was_missed();
        } else {
            self.subscriptions.attend();
        }
    }

    fn obey(&mut self, Incoming { id, frame }: Incoming) {
        match frame {
            ClientFrame::Subscribe(subscribe) => {
                let wish = Wish {
                    id,
                    subscribe,
                    presence: self.presence,
                };
                if let Err((id, refusal)) = self.subscriptions.subscribe(wish) {
                    self.connection
                        .outbox
                        .answer(&answers::refused(id, refusal));
                }
            }
            ClientFrame::Unsubscribe(room) => {
                self.subscriptions.unsubscribe(room);
                self.connection.outbox.answer(&answers::done(id));
            }
            ClientFrame::Send(send) => self.send(id, send),
            ClientFrame::Presence(state) => {
                self.presence = state;
                let user = self.connection.user.id;
                self.subscriptions.tell_presence(user, state);
            }
            ClientFrame::Typing(room, on) => {
                if let Some(room) = self.subscriptions.room(room) {
                    let user = UserSummary::clone(&self.connection.user);
                    drop(room.tell(Command::Typing(user, on)));
                }
            }
            ClientFrame::Read(room, seq) => {
                if let Some(room) = self.subscriptions.room(room) {
                    drop(room.tell(Command::Read(self.connection.user.id, seq)));
                }
            }
            _ => unreachable!("clients of the simulation say nothing else"),
        }
    }

    fn send(&self, id: Option<FrameId>, frame: SendFrame) {
        let SendFrame { room, message } = frame;
        let unanswered = Arc::clone(&self.unanswered).try_acquire_owned();
        let append = Append {
            room,
            id: EventId::from_uuid(Uuid::from_u128(self.world.unique())),
            user: self.connection.user.id,
            client_id: message.client_id.expect("a send frame has a client_id"),
            body: message.body,
            reply_to: message.reply_to,
            thread: message.thread,
            files: message.files,
            at: self.world.now(),
        };
        self.rooms.send(Sending {
            append,
            user: UserSummary::clone(&self.connection.user),
            id,
            outbox: self.connection.outbox.clone(),
            unanswered: unanswered.expect("there are more than any client has under way"),
        });
    }
}

impl Drop for Closing {
    fn drop(&mut self) {
        self.0.close();
    }
}
