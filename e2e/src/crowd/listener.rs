//! Somebody who listens to a room and keeps what they heard.

use anyhow::{Result, bail, ensure};
use client::{Delivery, Events, RoomEnded};
use protocol::{Seq, events::Event};
use tokio::{sync::watch, task::JoinHandle};

use super::soon;

/// Listens to a room in a task of its own.
pub struct Listener {
    heard: watch::Receiver<Vec<Event>>,
    task: JoinHandle<Result<RoomEnded>>,
}

impl Listener {
    /// Keeps every event; a reset, a hole or a repetition fails it.
    pub fn new(mut events: Events) -> Self {
        let (log, heard) = watch::channel(Vec::<Event>::new());
        let task = tokio::spawn(async move {
            while let Some(delivery) = events.next().await {
                match delivery {
                    Delivery::Event(event) => {
                        let last = log.borrow().last().map(|last| last.seq);
                        ensure!(
                            last.is_none_or(|last| event.seq == last.next()),
                            "{} after {last:?}",
                            event.seq
                        );
                        log.send_modify(|log| log.push(event));
                    }
                    Delivery::Reset { head } => bail!("reset at {head}"),
                    Delivery::Ended(why) => return Ok(why),
                    _ => {}
                }
            }
            bail!("the events stopped without an end")
        });
        Self { heard, task }
    }

    /// Waits until an event at `seq` or behind it was heard.
    pub async fn until(&mut self, seq: Seq) -> Result<()> {
        let heard = self
            .heard
            .wait_for(|log| log.last().is_some_and(|last| last.seq >= seq));
        match soon("an event", heard).await? {
            Ok(_) => Ok(()),
            Err(_) => bail!("stopped listening: {:?}", (&mut self.task).await?),
        }
    }

    /// Waits until so many events were heard.
    pub async fn count(&mut self, count: usize) -> Result<()> {
        match soon("an event", self.heard.wait_for(|log| log.len() >= count)).await? {
            Ok(_) => Ok(()),
            Err(_) => bail!("stopped listening: {:?}", (&mut self.task).await?),
        }
    }

    /// Everything that was heard.
    pub fn log(&self) -> Vec<Event> {
        self.heard.borrow().clone()
    }

    /// Waits for the end and answers why.
    pub async fn ended(self) -> Result<RoomEnded> {
        soon("the end", self.task).await??
    }
}
