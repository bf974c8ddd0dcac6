//! What waits to be done by one room, in order and within a bound. It knows nothing of what it is, and keeps no
//! memory while nothing waits: most rooms are idle. Whether a room has a task is decided here, so that nothing
//! that is said to it falls between two tasks.

use std::{
    collections::VecDeque,
    future::poll_fn,
    mem,
    sync::{Mutex, MutexGuard},
    task::{Context, Poll, Waker},
};

use tokio::{sync::Notify, task::consume_budget};

use super::{Command, resting::Resting};

/// What waits.
pub(super) struct Commands {
    waiting: Mutex<Waiting>,
    /// Tells those who wait for space that there may be some, or never will be.
    left: Notify,
}

struct Waiting {
    commands: VecDeque<Command>,
    task: Task,
}

/// Who does what waits.
enum Task {
    /// The room's task, which looks here before it waits for anything.
    Works,
    /// The room's task, once it is woken.
    Waits(Waker),
    /// Nobody until something comes, and then a task that takes this up.
    Rests(Box<Resting>),
    /// Nobody any more.
    Ended,
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
            waiting: Mutex::new(Waiting {
                commands: VecDeque::new(),
                task: Task::Works,
            }),
            left: Notify::new(),
        }
    }

    /// Adds one, if there is space. If the room rests, whoever adds gets what a task has to take up now.
    pub(super) fn push(&self, command: Command) -> Result<Option<Box<Resting>>, NotTold> {
        let mut waiting = self.waiting();
        if matches!(waiting.task, Task::Ended) {
            return Err(NotTold::Closed(command));
        }
        if waiting.commands.len() >= MOST {
            return Err(NotTold::Full(command));
        }
        waiting.commands.push_back(command);
        let task = mem::replace(&mut waiting.task, Task::Works);
        drop(waiting);
        match task {
            Task::Waits(waker) => waker.wake(),
            Task::Rests(resting) => return Ok(Some(resting)),
            Task::Works | Task::Ended => {}
        }
        Ok(None)
    }

    /// The same as soon as there is space; gives the command back if nobody will do it.
    pub(super) async fn push_in_turn(
        &self,
        mut command: Command,
    ) -> Result<Option<Box<Resting>>, Command> {
        loop {
            // From here on nothing that leaves is missed.
            let left = self.left.notified();
            match self.push(command) {
                Ok(resting) => return Ok(resting),
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
                let is_closed = matches!(waiting.task, Task::Ended);
                if is_closed || waiting.commands.len() < MOST {
                    return !is_closed;
                }
            }
            left.await;
        }
    }

    pub(super) fn is_closed(&self) -> bool {
        matches!(self.waiting().task, Task::Ended)
    }

    /// Whether the room rests.
    #[cfg(test)]
    pub(super) fn are_left_alone(&self) -> bool {
        matches!(self.waiting().task, Task::Rests(_))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiting().commands.is_empty()
    }

    /// Waits for some, and takes them. Only the room's task may. Cancel-safe.
    pub(super) async fn take(&self) -> VecDeque<Command> {
        // A room that never pauses lets others have their turn.
        consume_budget().await;
        let taken = poll_fn(|cx| self.poll_take(cx)).await;
        self.left.notify_waiters();
        taken
    }

    /// Takes what waits already. Only the room's task may.
    pub(super) fn take_waiting(&self) -> VecDeque<Command> {
        let taken = self.waiting().take(AT_ONCE);
        self.left.notify_waiters();
        taken
    }

    fn poll_take(&self, cx: &mut Context<'_>) -> Poll<VecDeque<Command>> {
        let mut waiting = self.waiting();
        let taken = waiting.take(AT_ONCE);
        if taken.is_empty() {
            waiting.task = Task::Waits(cx.waker().clone());
            return Poll::Pending;
        }
        waiting.task = Task::Works;
        Poll::Ready(taken)
    }

    /// Lays down what the room's task keeps, which then must end; gives it back if something has come.
    pub(super) fn rest(&self, resting: Box<Resting>) -> Result<(), Box<Resting>> {
        let mut waiting = self.waiting();
        if !waiting.commands.is_empty() {
            return Err(resting);
        }
        waiting.task = Task::Rests(resting);
        Ok(())
    }

    /// Takes no more, and gives out what waits.
    pub(super) fn close(&self) -> VecDeque<Command> {
        let rest = {
            let mut waiting = self.waiting();
            waiting.task = Task::Ended;
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
