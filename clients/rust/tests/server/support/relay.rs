//! A TCP proxy between the client and the server, which can be cut: all at once, or one way.

use anyhow::Result;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::watch,
};

/// Passes bytes on to wherever it is pointed.
pub(crate) struct Relay {
    port: u16,
    wire: watch::Sender<Wire>,
}

/// How the wire is.
#[derive(Clone, Debug, Default)]
struct Wire {
    to: String,
    /// Grows with each cut; a stream lives within one.
    age: u64,
    /// What clients say is lost.
    is_deaf: bool,
    /// What servers say is lost.
    is_mute: bool,
}

impl Relay {
    pub(crate) async fn start() -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let port = listener.local_addr()?.port();
        let (wire, watched) = watch::channel(Wire::default());
        tokio::spawn(async move {
            // Ends with the relay, whose end of the watch is then gone.
            while let Ok((client, _)) = listener.accept().await
                && watched.has_changed().is_ok()
            {
                tokio::spawn(pass(client, watched.clone()));
            }
        });
        Ok(Self { port, wire })
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    pub(crate) fn point_to(&self, address: String) {
        self.wire.send_modify(|wire| wire.to = address);
    }

    /// Ends every stream.
    pub(crate) fn cut(&self) {
        self.wire.send_modify(|wire| wire.age += 1);
    }

    /// From here on the server hears nothing.
    pub(crate) fn deafen(&self) {
        self.wire.send_modify(|wire| wire.is_deaf = true);
    }

    /// From here on the client hears nothing.
    pub(crate) fn mute(&self) {
        self.wire.send_modify(|wire| wire.is_mute = true);
    }

    /// Everything passes again, on new streams: the old ones have lost something.
    pub(crate) fn heal(&self) {
        self.wire.send_modify(|wire| {
            (wire.is_deaf, wire.is_mute) = (false, false);
            wire.age += 1;
        });
    }
}

async fn pass(client: TcpStream, mut wire: watch::Receiver<Wire>) {
    let (to, age) = {
        let now = wire.borrow_and_update();
        (now.to.clone(), now.age)
    };
    let Ok(server) = TcpStream::connect(to).await else {
        return;
    };
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    let watched = wire.clone();
    tokio::select! {
        () = copy(from_client, to_server, || watched.borrow().is_deaf) => {}
        () = copy(from_server, to_client, || watched.borrow().is_mute) => {}
        _ = wire.wait_for(|wire| wire.age != age) => {}
    }
}

async fn copy(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, is_lost: impl Fn() -> bool) {
    let mut bytes = vec![0; 16 * 1_024];
    while let Ok(count @ 1..) = from.read(&mut bytes).await {
        if !is_lost() && to.write_all(&bytes[..count]).await.is_err() {
            return;
        }
    }
}
