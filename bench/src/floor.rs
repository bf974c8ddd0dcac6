//! The least that a fan-out can do: frame a message once and write whatever is waiting to each
//! socket in one call. It stores nothing, checks nothing and knows nobody.

use anyhow::Result;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

/// Accepts `subscribers` sockets and one publisher after them, and passes on all that the publisher
/// writes until it hangs up.
///
/// # Errors
/// When a socket fails.
pub(crate) async fn serve(port: u16, subscribers: usize) -> Result<()> {
    let listener = TcpListener::bind(("127.0.0.1", port)).await?;
    let mut sockets = Vec::with_capacity(subscribers);
    for _ in 0..subscribers {
        sockets.push(accept(&listener).await?);
    }
    let mut publisher = accept(&listener).await?;
    let mut waiting = vec![0; 64 * 1_024];
    loop {
        let count = publisher.read(&mut waiting).await?;
        if count == 0 {
            return Ok(());
        }
        for socket in &mut sockets {
            socket.write_all(&waiting[..count]).await?;
        }
    }
}

async fn accept(listener: &TcpListener) -> Result<TcpStream> {
    let (socket, _) = listener.accept().await?;
    socket.set_nodelay(true)?;
    Ok(socket)
}
