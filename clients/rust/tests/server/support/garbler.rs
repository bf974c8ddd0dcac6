//! A proxy between a socket's two ends that loses, repeats and reorders what the server says.

use std::sync::Mutex;

use anyhow::{Context as _, Result};
use client::Random;
use futures_util::{SinkExt as _, StreamExt as _};
use protocol::frame::SUBPROTOCOL;
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, accept_hdr_async, connect_async,
    tungstenite::{
        Message,
        client::IntoClientRequest as _,
        handshake::server::{ErrorResponse, Request, Response},
        http::{HeaderValue, header::SEC_WEBSOCKET_PROTOCOL},
    },
};

/// Starts one and answers its url; frames pass to `server`, like `127.0.0.1:8080`, when it is known.
pub(crate) async fn garbler(
    server: tokio::sync::watch::Receiver<String>,
    random: Random,
) -> Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}", listener.local_addr()?);
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let server = server.borrow().clone();
            tokio::spawn(garble(client, server, random.clone()));
        }
    });
    Ok(url)
}

type Server = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// Both ends of one client's socket, with the proxy between them.
pub(super) async fn between(
    client: TcpStream,
    server: &str,
) -> Result<(WebSocketStream<TcpStream>, Server)> {
    let path = Mutex::new(String::new());
    #[expect(
        clippy::result_large_err,
        reason = "the library asks for this signature"
    )]
    let note = |request: &Request, mut response: Response| -> Result<Response, ErrorResponse> {
        *path.lock().expect("nobody panics with it") = request.uri().to_string();
        let protocol = HeaderValue::from_static(SUBPROTOCOL);
        response
            .headers_mut()
            .insert(SEC_WEBSOCKET_PROTOCOL, protocol);
        Ok(response)
    };
    let client = accept_hdr_async(client, note).await?;
    let path = path.into_inner().ok().context("nobody panicked with it")?;
    let mut request = format!("ws://{server}{path}").into_client_request()?;
    let protocol = HeaderValue::from_static(SUBPROTOCOL);
    request
        .headers_mut()
        .insert(SEC_WEBSOCKET_PROTOCOL, protocol);
    let (server, _) = connect_async(request).await?;
    Ok((client, server))
}

async fn garble(client: TcpStream, server: String, random: Random) -> Result<()> {
    let (client, server) = between(client, &server).await?;
    let (mut to_client, mut from_client) = client.split();
    let (mut to_server, mut from_server) = server.split();
    let up = async {
        while let Some(Ok(message)) = from_client.next().await {
            to_server.send(message).await?;
        }
        anyhow::Ok(())
    };
    let down = async {
        let mut held = None;
        while let Some(Ok(message)) = from_server.next().await {
            let is_ready = message
                .to_text()
                .is_ok_and(|text| text.contains("\"type\":\"ready\""));
            match random.bits() % 10 {
                _ if is_ready || !message.is_text() => to_client.send(message).await?,
                0 => {}
                1 => {
                    to_client.send(message.clone()).await?;
                    to_client.send(message).await?;
                }
                // It comes again later, behind others.
                2 => held = Some(message),
                _ => {
                    to_client.send(message).await?;
                    if let Some(late) = held
                        .take()
                        .filter(|_: &Message| random.bits().is_multiple_of(2))
                    {
                        to_client.send(late).await?;
                    }
                }
            }
        }
        anyhow::Ok(())
    };
    tokio::select! {
        ended = up => ended,
        ended = down => ended,
    }
}
