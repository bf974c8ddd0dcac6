//! Connections whose first request is for a socket. Most of a coordinator's are, and thousands may come at
//! once: such a request is read right here and answered with the socket's first frame, with no HTTP server in
//! between. Everything else, also whoever is refused, is left to that server untouched.

use std::{future::poll_fn, io, net::SocketAddr, pin::pin};

use axum::extract::Query;
use http::request::Parts;
use tokio::{io::ReadBuf, net::TcpStream};
use tokio_tungstenite::tungstenite::handshake::machine::TryParse;
use tracing::debug;

use crate::{
    Node,
    connection::{self, Begun, with_scratch},
    upgrade::{self, Pass},
};

/// Takes such connections. Cloning gives the same.
#[derive(Clone)]
pub struct Arrivals {
    node: Node,
}

/// How a request for a socket begins.
const BEGINNING: &[u8] = b"GET /v1/socket?ticket=";

impl Arrivals {
    pub(crate) const fn new(node: Node) -> Self {
        Self { node }
    }

    /// Waits for the first request. Takes the connection if that asks for a socket with a good ticket; else
    /// gives it back as it came.
    ///
    /// # Errors
    /// When the connection is lost.
    pub async fn take(&self, stream: TcpStream, peer: SocketAddr) -> io::Result<Option<TcpStream>> {
        let Some((request, len)) = peek(&stream).await? else {
            return Ok(Some(stream));
        };
        let Ok(Query(pass)) = Query::<Pass>::try_from_uri(&request.uri) else {
            return Ok(Some(stream));
        };
        let admitted = match upgrade::admit(&self.node, &pass, &request, peer.ip()).await {
            Ok(admitted) => admitted,
            Err(refusal) => {
                debug!(error = %refusal, "a socket is refused");
                return Ok(Some(stream));
            }
        };
        if !with_scratch(|scratch| has_read(&stream, &mut scratch[..len]))? {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let begun = Begun::answering(stream, admitted.handshake.into_bytes());
        let node = self.node.clone();
        self.node
            .tasks
            .spawn(connection::run(node, begun, &admitted.passport));
        Ok(None)
    }
}

/// Looks at the first request without taking it; nothing if it asks for something else, or is not there in one
/// piece.
async fn peek(stream: &TcpStream) -> io::Result<Option<(Parts, usize)>> {
    let mut look = pin!(poll_fn(|cx| with_scratch(|scratch| {
        let mut buffer = ReadBuf::new(scratch);
        stream
            .poll_peek(cx, &mut buffer)
            .map_ok(|_| parse(buffer.filled()))
    })));
    look.as_mut().await
}

fn parse(bytes: &[u8]) -> Option<(Parts, usize)> {
    if !bytes.starts_with(BEGINNING) {
        return None;
    }
    let (len, request) = http::Request::<()>::try_parse(bytes).ok()??;
    Some((request.into_parts().0, len))
}

/// Takes what was looked at.
fn has_read(stream: &TcpStream, buffer: &mut [u8]) -> io::Result<bool> {
    Ok(stream.try_read(buffer)? == buffer.len())
}
