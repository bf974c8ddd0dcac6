//! Many messages on their way into one room, answered in the order of writing.

use std::{collections::VecDeque, io, os::fd::AsFd as _, time::Duration};

use anyhow::{Result, bail};
use client::{Connection, Draft, Receipt, Room, Session};
use protocol::{RoomId, frame::Ack};
use tokio::{
    fs::File,
    time::{Instant, timeout_at},
};

use crate::exit::NoAnswer;

/// Messages on their way, each with what the caller wants to know it by.
pub(crate) struct Sending<T> {
    connection: Connection,
    room: Room,
    waiting: VecDeque<(Receipt, T)>,
    wait: Duration,
    /// Since when the first of them is waited for.
    since: Instant,
}

/// So many may be on their way; fewer than the connection takes.
const MOST: usize = 512;
/// Every answer is there when a connection is closed, so that this is only a courtesy to the server.
const CLOSE_WITHIN: Duration = Duration::from_secs(1);

impl<T> Sending<T> {
    pub(crate) fn new(session: &Session, room: RoomId, wait: Duration) -> Self {
        let connection = session.connect();
        let room = connection.room(room);
        Self {
            connection,
            room,
            waiting: VecDeque::new(),
            wait,
            since: Instant::now(),
        }
    }

    /// Whether one more may be on its way.
    pub(crate) fn has_room(&self) -> bool {
        self.waiting.len() < MOST
    }

    /// Whether every message has its answer.
    pub(crate) fn is_settled(&self) -> bool {
        self.waiting.is_empty()
    }

    pub(crate) async fn submit(&mut self, draft: Draft, known_by: T) -> Result<()> {
        if self.waiting.is_empty() {
            self.since = Instant::now();
        }
        let receipt = self.room.submit(draft).await?;
        self.waiting.push_back((receipt, known_by));
        Ok(())
    }

    /// The next answer; waits for ever while there is nothing to answer. Cancel-safe.
    ///
    /// # Errors
    /// When the message was refused, or has no answer in time.
    pub(crate) async fn next(&mut self) -> Result<(Ack, T)> {
        let Some((receipt, _)) = self.waiting.front_mut() else {
            return std::future::pending().await;
        };
        let Ok(answer) = timeout_at(self.since + self.wait, receipt).await else {
            let count = self.waiting.len();
            bail!(NoAnswer(format!(
                "{count} messages have no answer: they may or may not be stored"
            )));
        };
        self.since = Instant::now();
        let (_, known_by) = self
            .waiting
            .pop_front()
            .expect("its front was just looked at");
        Ok((answer?, known_by))
    }

    pub(crate) async fn close(self) -> Result<()> {
        Ok(self.connection.close(CLOSE_WITHIN).await?)
    }
}

/// What is piped in, to be read without keeping a worker thread waiting.
pub(crate) fn standard_input() -> io::Result<File> {
    let input = io::stdin().as_fd().try_clone_to_owned()?;
    Ok(File::from_std(std::fs::File::from(input)))
}
