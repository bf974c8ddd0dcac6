//! A way to a server that can be cut, in the middle of whatever is on it.

use std::net::SocketAddr;

use anyhow::Result;
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    sync::watch,
};

pub(crate) struct Proxy {
    address: SocketAddr,
    cuts: watch::Sender<u64>,
}

impl Proxy {
    /// A way to `server`, which need not listen yet.
    pub(crate) async fn to(server: String) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let (cuts, cut) = watch::channel(0);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(pass(client, server.clone(), cut.clone()));
            }
        });
        Ok(Self { address, cuts })
    }

    pub(crate) const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Everything that is connected is connected no more.
    pub(crate) fn cut(&self) {
        self.cuts.send_modify(|cuts| *cuts += 1);
    }
}

async fn pass(mut client: TcpStream, server: String, mut cut: watch::Receiver<u64>) {
    cut.mark_unchanged();
    let passed = async {
        let mut server = TcpStream::connect(server).await?;
        copy_bidirectional(&mut client, &mut server).await
    };
    tokio::select! {
        // How it ends is for those at its ends to see.
        _ = passed => {}
        _ = cut.changed() => {}
    }
}
