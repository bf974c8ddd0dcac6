//! `chatx healthcheck`: asks the process on this machine whether it is ready, for supervisors that
//! can only run a command.

use std::{net::SocketAddr, time::Duration};

use anyhow::{Context as _, Result, ensure};
use http::{Request, header::HOST};
use http_body_util::Empty;
use hyper::{body::Bytes, client::conn::http1};
use hyper_util::rt::TokioIo;
use tokio::{net::TcpStream, time::timeout};

use crate::parts::reachable;

/// A process that needs longer is not well.
const PATIENCE: Duration = Duration::from_secs(5);

/// Asks `GET /readyz` at `address`.
///
/// # Errors
/// When it is not ready, or nobody answers.
pub async fn ask(address: SocketAddr) -> Result<()> {
    let answered = timeout(PATIENCE, status(reachable(address))).await;
    let status = answered.context("no answer in time")??;
    ensure!(status.is_success(), "not ready: {status}");
    Ok(())
}

async fn status(address: SocketAddr) -> Result<http::StatusCode> {
    let stream = TcpStream::connect(address)
        .await
        .with_context(|| format!("nobody listens on {address}"))?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let request = Request::get("/readyz")
        .header(HOST, address.to_string())
        .body(Empty::<Bytes>::new())?;
    tokio::select! {
        response = sender.send_request(request) => Ok(response?.status()),
        ended = connection => {
            ended?;
            anyhow::bail!("the connection ended without an answer")
        }
    }
}
