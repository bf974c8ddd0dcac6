//! A WebSocket client that costs as little as one can, so that what is measured is the server: it
//! counts frames without reading them.

use anyhow::{Context, Result, ensure};
use protocol::frame::SUBPROTOCOL;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tokio_tungstenite::tungstenite::{client::IntoClientRequest, handshake::client::Request};

/// Connects, upgrades and subscribes nothing yet; what the server said after its handshake is lost
/// to nobody: it goes into `counter`.
///
/// # Errors
/// When the server does not switch protocols.
pub(crate) async fn connect(
    address: &str,
    token: &str,
    counter: &mut FrameCounter,
) -> Result<TcpStream> {
    let mut stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let request = format!(
        "GET /v1/socket HTTP/1.1\r\nHost: {address}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
         Sec-WebSocket-Protocol: chatx.v1\r\nAuthorization: Bearer {token}\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    loop {
        ensure!(
            stream.read_buf(&mut answer).await? > 0,
            "the server hung up during the handshake"
        );
        if let Some(end) = answer.windows(4).position(|window| window == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&answer[..end]).into_owned();
            ensure!(head.starts_with("HTTP/1.1 101"), "no upgrade: {head}");
            counter.take(&answer[end + 4..]);
            return Ok(stream);
        }
    }
}

/// An upgrade to the subprotocol at `url`, for a client that reads what it is told.
///
/// # Errors
/// When the url or the token is none.
pub(crate) fn upgrade(url: &str, token: Option<&str>) -> Result<Request> {
    let mut request = url.into_client_request()?;
    let headers = request.headers_mut();
    headers.insert("sec-websocket-protocol", SUBPROTOCOL.parse()?);
    if let Some(token) = token {
        headers.insert("authorization", format!("Bearer {token}").parse()?);
    }
    Ok(request)
}

/// A client's text frame. Its mask is zero, so that the payload goes as it is.
pub(crate) fn text_frame(payload: &str) -> Vec<u8> {
    let mut frame = vec![0x81];
    match u8::try_from(payload.len()) {
        Ok(length) if length < 126 => frame.push(0x80 | length),
        _ => {
            let length = u16::try_from(payload.len()).expect("benchmark frames are short");
            frame.push(0x80 | 126);
            frame.extend(length.to_be_bytes());
        }
    }
    frame.extend([0; 4]);
    frame.extend(payload.as_bytes());
    frame
}

/// Counts the text frames in a stream of bytes, wherever the stream is cut.
#[derive(Default)]
pub(crate) struct FrameCounter {
    /// How many text frames have ended so far.
    pub(crate) frames: u64,
    header: Vec<u8>,
    payload_left: usize,
    is_text: bool,
}

impl FrameCounter {
    /// Takes the next bytes of the stream.
    pub(crate) fn take(&mut self, mut bytes: &[u8]) {
        while let Some((&first, rest)) = bytes.split_first() {
            if self.payload_left > 0 {
                let part = self.payload_left.min(bytes.len());
                self.payload_left -= part;
                bytes = &bytes[part..];
                if self.payload_left == 0 && self.is_text {
                    self.frames += 1;
                }
                continue;
            }
            self.header.push(first);
            bytes = rest;
            if let Some(length) = payload_length(&self.header) {
                self.is_text = self.header[0] & 0x0f == 1;
                self.payload_left = length;
                self.header.clear();
                self.frames += u64::from(length == 0 && self.is_text);
            }
        }
    }

    /// Reads once from `stream`.
    ///
    /// # Errors
    /// When the server hung up.
    pub(crate) async fn read_from(
        &mut self,
        stream: &mut (impl AsyncReadExt + Unpin),
        buffer: &mut [u8],
    ) -> Result<()> {
        let count = stream.read(buffer).await.context("reading a socket")?;
        ensure!(count > 0, "the server hung up");
        self.take(&buffer[..count]);
        Ok(())
    }
}

/// The length that a server's whole frame header tells.
fn payload_length(header: &[u8]) -> Option<usize> {
    let rest = header.get(2..)?;
    match header[1] & 0x7f {
        126 => Some(usize::from(u16::from_be_bytes(
            rest.get(..2)?.try_into().ok()?,
        ))),
        127 => usize::try_from(u64::from_be_bytes(rest.get(..8)?.try_into().ok()?)).ok(),
        length => Some(usize::from(length)),
    }
}
