//! Many sockets that follow one room and count what arrives.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use anyhow::{Context, Result};
use tokio::{io::AsyncWriteExt, net::TcpStream, sync::watch, task::JoinSet, time::timeout};

use crate::socket::{FrameCounter, connect, text_frame};

/// How long anything may take before the benchmark gives up.
const PATIENCE: Duration = Duration::from_secs(60);

/// Sockets that read as fast as they can.
pub(crate) struct Subscribers {
    total: Arc<AtomicU64>,
    /// How many frames the first socket, which stands for all, has seen.
    pub(crate) witness: watch::Receiver<u64>,
    /// Ends the sockets when dropped.
    _readers: JoinSet<Result<()>>,
}

impl Subscribers {
    /// Connects `count` sockets to the room, each with one of `tokens` in turn.
    ///
    /// # Errors
    /// When a socket is refused.
    pub(crate) async fn of_room(
        address: &str,
        tokens: &[String],
        room: &str,
        count: usize,
    ) -> Result<Self> {
        let mut sockets = Vec::with_capacity(count);
        for token in tokens.iter().cycle().take(count) {
            sockets.push(subscribe(address, token, room).await?);
        }
        Ok(Self::reading(sockets))
    }

    /// Connects `count` plain sockets, for the floor.
    ///
    /// # Errors
    /// When a socket is refused.
    pub(crate) async fn of_floor(address: &str, count: usize) -> Result<Self> {
        let mut sockets = Vec::with_capacity(count);
        for _ in 0..count {
            sockets.push((TcpStream::connect(address).await?, FrameCounter::default()));
        }
        Ok(Self::reading(sockets))
    }

    /// How many frames have arrived at all sockets together.
    pub(crate) fn deliveries(&self) -> u64 {
        self.total.load(Ordering::Relaxed)
    }

    fn reading(sockets: Vec<(TcpStream, FrameCounter)>) -> Self {
        let total = Arc::new(AtomicU64::new(0));
        let (witnessed, witness) = watch::channel(0);
        let mut witnessed = Some(witnessed);
        let mut readers = JoinSet::new();
        for (mut stream, mut counter) in sockets {
            let (total, witnessed) = (Arc::clone(&total), witnessed.take());
            readers.spawn(async move {
                let mut buffer = vec![0; 16 * 1_024];
                counter.frames = 0;
                loop {
                    let before = counter.frames;
                    counter.read_from(&mut stream, &mut buffer).await?;
                    total.fetch_add(counter.frames - before, Ordering::Relaxed);
                    if let Some(witnessed) = &witnessed {
                        witnessed.send_replace(counter.frames);
                    }
                }
            });
        }
        Self {
            total,
            witness,
            _readers: readers,
        }
    }
}

/// One socket that has been told `subscribed`.
///
/// # Errors
/// When the server refuses, or says nothing for a minute.
pub(crate) async fn subscribe(
    address: &str,
    token: &str,
    room: &str,
) -> Result<(TcpStream, FrameCounter)> {
    let mut counter = FrameCounter::default();
    let mut stream = connect(address, token, &mut counter).await?;
    let frame = format!(r#"{{"type":"subscribe","room":"{room}","limit":0}}"#);
    stream.write_all(&text_frame(&frame)).await?;
    let mut buffer = vec![0; 4_096];
    // `ready` comes first, `subscribed` second.
    while counter.frames < 2 {
        timeout(PATIENCE, counter.read_from(&mut stream, &mut buffer))
            .await
            .context("no `subscribed`")??;
    }
    Ok((stream, counter))
}
