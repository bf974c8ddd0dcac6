//! Many sockets that follow one room and say nothing: what each keeps of the server's memory.

use anyhow::{Context, Result};
use testkit::Chatx;

use crate::{
    account::{create_room, register},
    process::Process,
    subscribers::Subscribers,
};

/// Connects `sockets` and prints what the server's memory grew by for each.
///
/// # Errors
/// When the server does not start or a socket fails.
pub(crate) async fn run(sockets: usize) -> Result<()> {
    let server = Chatx::serve()
        .set("CHATX_RATE_LIMITS", "off")
        .start()
        .await?;
    let process = Process(server.id().context("the server runs")?);
    let address = server.address();
    let token = register(&address, "bench").await?;
    let room = create_room(&address, &token, "idle").await?;
    let tokens = [token];
    // The first sockets pay for what all share.
    let warm = Subscribers::of_room(&address, &tokens, &room, 50).await?;
    let before = process.resident_bytes()?;
    let idle = Subscribers::of_room(&address, &tokens, &room, sockets).await?;
    let after = process.resident_bytes()?;
    println!(
        "{sockets} idle sockets in one room: {} bytes each ({} MiB before, {} MiB after)",
        after.saturating_sub(before) / u64::try_from(sockets)?,
        before >> 20,
        after >> 20,
    );
    drop((warm, idle));
    Ok(())
}
