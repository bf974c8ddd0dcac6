//! A proxy between a socket's two ends that passes everything on, and says to clients what a test wants a
//! server to say.

use anyhow::Result;
use futures_util::{SinkExt as _, StreamExt as _};
use protocol::frame::{Goaway, ServerFrame, encode};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{broadcast, watch},
};
use tokio_tungstenite::tungstenite::Message;

use super::garbler::between;

/// Speaks for a server.
pub(crate) struct Herald {
    url: String,
    server: watch::Sender<String>,
    words: broadcast::Sender<String>,
}

impl Herald {
    pub(crate) async fn start() -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}", listener.local_addr()?);
        let (server, address) = watch::channel(String::new());
        let (words, _) = broadcast::channel(16);
        let told = words.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let server = address.borrow().clone();
                tokio::spawn(pass(client, server, told.subscribe()));
            }
        });
        Ok(Self { url, server, words })
    }

    pub(crate) fn url(&self) -> String {
        self.url.clone()
    }

    pub(crate) fn point_to(&self, address: &str) {
        self.server.send_replace(address.to_owned());
    }

    /// Asks every client to go, to `url` if there is one; how many hear it.
    pub(crate) fn send_away(&self, url: Option<String>) -> usize {
        let goaway = ServerFrame::Goaway(Goaway {
            reason: "a test wants it".to_owned(),
            reconnect_after_ms: 0,
            url,
        });
        self.words.send(encode(&goaway)).unwrap_or(0)
    }
}

async fn pass(
    client: TcpStream,
    server: String,
    mut words: broadcast::Receiver<String>,
) -> Result<()> {
    let (mut client, mut server) = between(client, &server).await?;
    loop {
        tokio::select! {
            Some(said) = client.next() => server.send(said?).await?,
            Some(said) = server.next() => client.send(said?).await?,
            Ok(words) = words.recv() => client.send(Message::text(words)).await?,
            else => return Ok(()),
        }
    }
}
