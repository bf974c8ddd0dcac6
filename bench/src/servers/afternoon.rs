//! What a chat server on axum is after an afternoon: a task for each socket and a broadcast channel for each room. It
//! stores nothing, checks nothing and knows nobody.
//!
//! The upgrade is what `axum::extract::ws` does, step by step, with its defaults; it is written out here because the
//! rest of the workspace has no use for that part of axum.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
};

use anyhow::Result;
use axum::{
    Router,
    extract::{Path, State},
    response::{IntoResponse, Response},
    routing::any,
};
use futures_util::{SinkExt, StreamExt};
use http::{HeaderMap, HeaderValue, StatusCode, header, request::Parts};
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use tokio::{
    net::TcpListener,
    sync::{broadcast, mpsc},
};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        Message, Utf8Bytes,
        handshake::derive_accept_key,
        protocol::{Role, WebSocketConfig},
    },
};

use super::{Sizes, event_payload};

type Socket = WebSocketStream<TokioIo<Upgraded>>;
/// The rooms by their paths.
type Rooms = Arc<Mutex<HashMap<String, broadcast::Sender<Utf8Bytes>>>>;

/// More than any window, so that nobody lags.
const CHANNEL_CAPACITY: usize = 1_024;

/// Serves at `address` until the process ends.
///
/// # Errors
/// When the machine refuses.
pub(crate) async fn serve(address: SocketAddr, sizes: Sizes) -> Result<()> {
    let router = Router::new()
        .route("/{room}", any(open))
        .with_state((Rooms::default(), sizes));
    axum::serve(TcpListener::bind(address).await?, router).await?;
    Ok(())
}

async fn open(
    State((rooms, sizes)): State<(Rooms, Sizes)>,
    Path(room): Path<String>,
    mut request: Parts,
) -> Response {
    let Some((accept, upgrade)) = handshake(&mut request) else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    let channel = {
        let mut rooms = rooms.lock().unwrap_or_else(PoisonError::into_inner);
        let fresh = || broadcast::channel(CHANNEL_CAPACITY).0;
        rooms.entry(room).or_insert_with(fresh).clone()
    };
    tokio::spawn(async move {
        if let Ok(upgraded) = upgrade.await {
            let io = TokioIo::new(upgraded);
            let config = WebSocketConfig::default();
            let socket = WebSocketStream::from_raw_socket(io, Role::Server, Some(config)).await;
            talk(socket, channel, sizes).await;
        }
    });
    let headers = [
        (header::CONNECTION, HeaderValue::from_static("upgrade")),
        (header::UPGRADE, HeaderValue::from_static("websocket")),
        (header::SEC_WEBSOCKET_ACCEPT, accept),
    ];
    (
        StatusCode::SWITCHING_PROTOCOLS,
        HeaderMap::from_iter(headers),
    )
        .into_response()
}

fn handshake(request: &mut Parts) -> Option<(HeaderValue, OnUpgrade)> {
    let headers = &request.headers;
    let says = |name, word: &str| {
        let value = headers.get(name)?.to_str().ok()?;
        value.to_ascii_lowercase().contains(word).then_some(())
    };
    says(header::CONNECTION, "upgrade")?;
    says(header::UPGRADE, "websocket")?;
    says(header::SEC_WEBSOCKET_VERSION, "13")?;
    let key = headers.get(header::SEC_WEBSOCKET_KEY)?;
    let accept = HeaderValue::from_str(&derive_accept_key(key.as_bytes())).ok()?;
    Some((accept, request.extensions.remove()?))
}

/// Until either side ends: one half hears the room, the other the person, as axum's example does it.
async fn talk(socket: Socket, channel: broadcast::Sender<Utf8Bytes>, sizes: Sizes) {
    let (mut sink, mut stream) = socket.split();
    let (answers, mut answered) = mpsc::channel(CHANNEL_CAPACITY);
    let mut room = channel.subscribe();
    let mut hears = tokio::spawn(async move {
        loop {
            let frame = tokio::select! {
                Some(ack) = answered.recv() => ack,
                Ok(event) = room.recv() => Message::Text(event),
                else => return,
            };
            if sink.send(frame).await.is_err() {
                return;
            }
        }
    });
    let ack = Message::text(format!(
        r#"{{"type":"ack","{}":1}}"#,
        "x".repeat(sizes.ack_bytes.saturating_sub(22))
    ));
    let mut speaks = tokio::spawn(async move {
        while let Some(Ok(Message::Text(text))) = stream.next().await {
            // It has a listener: the other half.
            drop(channel.send(event_payload(&text, sizes.event_bytes).into()));
            if answers.send(ack.clone()).await.is_err() {
                return;
            }
        }
    });
    tokio::select! {
        _ = &mut hears => speaks.abort(),
        _ = &mut speaks => hears.abort(),
    }
}
