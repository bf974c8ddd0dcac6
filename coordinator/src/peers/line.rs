//! One end of a link as bytes: messages out, messages in, and whether the other end still lives. Both
//! ends stand on it; what they say is theirs.

use std::{collections::BTreeMap, convert::Infallible};

use futures_util::{Sink, SinkExt, Stream, StreamExt};
use metrics::counter;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::{Duration, timeout},
};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{self, Message, protocol::WebSocketConfig},
};

use super::frame::{Frame, Garbled, MESSAGE_MAX_BYTES};

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
    /// Waits for something to say, and takes about one message of it. Cancel-safe.
    async fn next(&mut self) -> Vec<u8>;

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
    let mut message = says.ping();
    loop {
        let bytes = message.len();
        let sent = timeout(STALLED_FOR, sink.send(Message::binary(message))).await;
        sent.map_err(|_| Lost::Stalled)??;
        counter!("chatx_link_messages_total", "direction" => "out").increment(1);
        counter!("chatx_link_bytes_total", "direction" => "out").increment(bytes as u64);
        message = match timeout(SAID_EVERY, says.next()).await {
            Ok(message) => message,
            Err(_) => says.ping(),
        };
    }
}

async fn listen(
    mut stream: impl Stream<Item = tungstenite::Result<Message>> + Unpin,
    hears: &mut impl Hears,
) -> Result<Infallible, Lost> {
    loop {
        // Counted from when it is listened: an end that is busy with what it heard is not deaf.
        let message = timeout(SILENT_FOR, stream.next()).await;
        match message.map_err(|_| Lost::Silent)?.ok_or(Lost::Closed)?? {
            Message::Binary(message) => {
                counter!("chatx_link_messages_total", "direction" => "in").increment(1);
                counter!("chatx_link_bytes_total", "direction" => "in")
                    .increment(message.len() as u64);
                hears.hear(&message).await?;
            }
            Message::Close(_) => return Err(Lost::Closed),
            // Of another time or hand; it shows at least that somebody is there.
            Message::Text(_) | Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => {}
        }
    }
}

/// Counts the frames of one message by kind.
#[derive(Default)]
pub(super) struct Tally(BTreeMap<&'static str, u64>);

impl Tally {
    /// Of these.
    pub(super) fn of<F: Frame>(frames: &[F]) -> Self {
        let mut tally = Self::default();
        for frame in frames {
            tally.add(frame.kind());
        }
        tally
    }

    /// One more.
    pub(super) fn add(&mut self, kind: &'static str) {
        *self.0.entry(kind).or_default() += 1;
    }

    /// Counts them for whoever watches the node.
    pub(super) fn count(self, direction: &'static str) {
        for (kind, frames) in self.0 {
            counter!("chatx_link_frames_total", "direction" => direction, "kind" => kind)
                .increment(frames);
        }
    }
}
