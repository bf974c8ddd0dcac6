//! What waits to be done by one room, in order and within a bound. It knows nothing of what it is, and keeps no
//! memory while nothing waits: most rooms are idle.

use std::{
    collections::VecDeque,
    mem,
    sync::{Mutex, MutexGuard},
};

use tokio::{sync::Notify, task::consume_budget};

use super::Command;

/// What waits.
pub(super) struct Commands {
    waiting: Mutex<Waiting>,
    /// Tells the room that something has come.
    come: Notify,
    /// Tells those who wait for space that there may be some, or never will be.
    left: Notify,
}

#[derive(Default)]
struct Waiting {
    commands: VecDeque<Command>,
    is_closed: bool,
}

/// Why something does not wait, and what.
pub(super) enum NotTold {
    /// So much waits already.
    Full(Command),
    /// Nobody does it any more.
    Closed(Command),
}

/// As many may wait. When there are more, messages are refused `unavailable`, and what may be lost is lost.
const MOST: usize = 8_192;
/// How many are taken at once.
const AT_ONCE: usize = 256;

impl Commands {
    pub(super) fn new() -> Self {
        Self {
            waiting: Mutex::default(),
            come: Notify::new(),
            left: Notify::new(),
        }
    }

    /// Adds one, if there is space.
    pub(super) fn push(&self, command: Command) -> Result<(), NotTold> {
        let is_first = {
            let mut waiting = self.waiting();
            if waiting.is_closed {
                return Err(NotTold::Closed(command));
            }
            if waiting.commands.len() >= MOST {
                return Err(NotTold::Full(command));
            }
            waiting.commands.push_back(command);
            waiting.commands.len() == 1
        };
        if is_first {
            self.come.notify_one();
        }
        Ok(())
    }

    /// Adds one as soon as there is space; gives it back if nobody will do it.
    pub(super) async fn push_in_turn(&self, mut command: Command) -> Result<(), Command> {
        loop {
            // From here on nothing that leaves is missed.
            let left = self.left.notified();
            match self.push(command) {
                Ok(()) => return Ok(()),
                Err(NotTold::Closed(command)) => return Err(command),
                Err(NotTold::Full(again)) => command = again,
            }
            left.await;
        }
    }

    /// Waits until there is space; whether anybody would do what is added.
    pub(super) async fn has_space(&self) -> bool {
        loop {
            let left = self.left.notified();
            {
                let waiting = self.waiting();
                if waiting.is_closed || waiting.commands.len() < MOST {
                    return !waiting.is_closed;
                }
            }
            left.await;
        }
    }

    pub(super) fn is_closed(&self) -> bool {
        self.waiting().is_closed
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiting().commands.is_empty()
    }

    /// Waits for some, and takes them. Only the room's task may. Cancel-safe.
    pub(super) async fn take(&self) -> VecDeque<Command> {
        // A room that never pauses lets others have their turn.
        consume_budget().await;
        loop {
            let taken = self.waiting().take(AT_ONCE);
            if !taken.is_empty() {
                self.left.notify_waiters();
                return taken;
            }
            self.come.notified().await;
        }
    }

    /// Takes no more, and gives out what waits.
    pub(super) fn close(&self) -> VecDeque<Command> {
        let rest = {
            let mut waiting = self.waiting();
            waiting.is_closed = true;
            mem::take(&mut waiting.commands)
        };
        self.left.notify_waiters();
        rest
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting
            .lock()
            .expect("nothing panics while it holds what waits")
    }
}

impl Waiting {
    fn take(&mut self, most: usize) -> VecDeque<Command> {
        if self.commands.len() <= most {
            mem::take(&mut self.commands)
        } else {
            self.commands.drain(..most).collect()
        }
    }
}
