//! One end of a link as bytes: messages out, messages in, and whether the other end still lives. Both
//! ends stand on it; what they say is theirs.

use std::{collections::BTreeMap, convert::Infallible, pin::Pin};

use futures_util::{Sink, SinkExt, Stream, StreamExt};
use metrics::{Counter, counter};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    task::yield_now,
    time::{Duration, Instant, Sleep, sleep, timeout},
};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{self, Message, protocol::WebSocketConfig},
};

use super::frame::{Garbled, MESSAGE_MAX_BYTES};

/// Each end says something at least so often: a few of them fit into [`SILENT_FOR`], so that one that
/// comes late is no failure.
const SAID_EVERY: Duration = Duration::from_millis(500);
/// An end that was not heard for so long is lost: longer than a node ever pauses by itself, shorter than
/// people wait.
const SILENT_FOR: Duration = Duration::from_secs(2);
/// An end that is heard, but took nothing for so long, is lost, too. Until then it may have much to do, and
/// to be attached anew would give it more.
const STALLED_FOR: Duration = Duration::from_secs(5);
/// The library fills its whole buffer with zeros before every read, and reads once more after each message: most
/// messages are short.
const READ_BUFFER_BYTES: usize = 8 * 1_024;

/// What one end has to say.
pub(super) trait Says {
    /// Waits for something to say. Cancel-safe.
    async fn filled(&self);

    /// Takes about one message of what there is to say.
    fn take(&mut self) -> Vec<u8>;

    /// "I live."
    fn ping(&self) -> Vec<u8>;
}

/// What one end does with what it hears.
pub(super) trait Hears {
    /// Takes in one message. Meanwhile nothing more is read.
    async fn hear(&mut self, message: &[u8]) -> Result<(), Garbled>;
}

/// Why a link is down.
#[derive(Debug, thiserror::Error)]
pub(super) enum Lost {
    #[error("the other end closed it")]
    Closed,
    #[error("nothing was heard for {} s", SILENT_FOR.as_secs())]
    Silent,
    #[error("nothing was taken for {} s", STALLED_FOR.as_secs())]
    Stalled,
    #[error(transparent)]
    Garbled(#[from] Garbled),
    #[error(transparent)]
    Broken(#[from] tungstenite::Error),
}

/// How both ends of a link use a WebSocket.
pub(crate) fn config() -> WebSocketConfig {
    WebSocketConfig::default()
        .read_buffer_size(READ_BUFFER_BYTES)
        // What is said is gathered before, and leaves at once.
        .write_buffer_size(0)
        .max_message_size(Some(MESSAGE_MAX_BYTES))
        .max_frame_size(Some(MESSAGE_MAX_BYTES))
}

/// Speaks and listens until the link is lost. While one message is being written the next one fills, so
/// a lone frame leaves at once, and in a crowd many share a message.
pub(super) async fn talk<S>(
    socket: WebSocketStream<S>,
    says: &mut impl Says,
    hears: &mut impl Hears,
) -> Lost
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let (sink, stream) = socket.split();
    // Hearing comes first: what is heard may have something said, which then leaves with the rest.
    // Neither starves the other: each waits for the same socket.
    let ended = tokio::select! {
        biased;
        ended = listen(stream, hears) => ended,
        ended = speak(sink, says) => ended,
    };
    match ended {
        Ok(never) => match never {},
        Err(lost) => lost,
    }
}

async fn speak(
    mut sink: impl Sink<Message, Error = tungstenite::Error> + Unpin,
    says: &mut impl Says,
) -> Result<Infallible, Lost> {
    let (messages, bytes) = volume("out");
    let mut quiet = Span::new(SAID_EVERY);
    let mut message = says.ping();
    loop {
        messages.increment(1);
        bytes.increment(message.len() as u64);
        let sent = timeout(STALLED_FOR, sink.send(Message::binary(message))).await;
        sent.map_err(|_| Lost::Stalled)??;
        quiet.begin_again();
        message = tokio::select! {
            biased;
            () = says.filled() => {
                // Whoever is about to say something, too, does so first: all that one turn of the node brings
                // shares a message.
                yield_now().await;
                says.take()
            }
            () = quiet.over() => says.ping(),
        };
    }
}

async fn listen(
    mut stream: impl Stream<Item = tungstenite::Result<Message>> + Unpin,
    hears: &mut impl Hears,
) -> Result<Infallible, Lost> {
    let (messages, bytes) = volume("in");
    let mut silence = Span::new(SILENT_FOR);
    loop {
        let message = tokio::select! {
            biased;
            message = stream.next() => message.ok_or(Lost::Closed)??,
            () = silence.over() => return Err(Lost::Silent),
        };
        match message {
            Message::Binary(message) => {
                messages.increment(1);
                bytes.increment(message.len() as u64);
                hears.hear(&message).await?;
            }
            Message::Close(_) => return Err(Lost::Closed),
            // Of another time or hand; it shows at least that somebody is there.
            Message::Text(_) | Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => {}
        }
        // Counted from when it is listened: an end that is busy with what it heard is not deaf.
        silence.begin_again();
    }
}

/// Counts messages and bytes.
fn volume(direction: &'static str) -> (Counter, Counter) {
    (
        counter!("chatx_link_messages_total", "direction" => direction),
        counter!("chatx_link_bytes_total", "direction" => direction),
    )
}

/// A span of time that begins again and again, which costs nothing but a look at the clock.
struct Span {
    length: Duration,
    begun: Instant,
    /// At its end, or at that of one before.
    alarm: Pin<Box<Sleep>>,
}

impl Span {
    fn new(length: Duration) -> Self {
        Self {
            length,
            begun: Instant::now(),
            alarm: Box::pin(sleep(length)),
        }
    }

    fn begin_again(&mut self) {
        self.begun = Instant::now();
    }

    /// Waits until it is over. Cancel-safe.
    async fn over(&mut self) {
        let end = self.begun + self.length;
        loop {
            self.alarm.as_mut().await;
            if self.alarm.deadline() >= end {
                return;
            }
            self.alarm.as_mut().reset(end);
        }
    }
}

/// Counts the frames of one direction by kind, for whoever watches the node.
pub(super) struct Tally {
    direction: &'static str,
    kinds: BTreeMap<&'static str, Counter>,
}

impl Tally {
    pub(super) const fn new(direction: &'static str) -> Self {
        let kinds = BTreeMap::new();
        Self { direction, kinds }
    }

    /// One more.
    pub(super) fn count(&mut self, kind: &'static str) {
        let direction = self.direction;
        let counter = self.kinds.entry(kind).or_insert_with(
            || counter!("chatx_link_frames_total", "direction" => direction, "kind" => kind),
        );
        counter.increment(1);
    }
}
