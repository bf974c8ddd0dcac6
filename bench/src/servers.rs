//! The servers that are measured, each a process of its own: ChatX, the floor, and what one makes in an afternoon.

pub(crate) mod afternoon;
pub(crate) mod chatx;
pub(crate) mod fleet;
pub(crate) mod floor;

use std::{
    net::TcpStream,
    process::{Child, Command, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};

/// What frames weigh on the wire, headers included, so that all servers write as much.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sizes {
    pub(crate) event_bytes: usize,
    pub(crate) ack_bytes: usize,
}

/// The event that a server without a store makes of what somebody said, as heavy as one of ChatX.
pub(crate) fn event_payload(said: &str, event_bytes: usize) -> String {
    let header_bytes = if event_bytes > 125 + 2 { 4 } else { 2 };
    let length = event_bytes.saturating_sub(header_bytes);
    let mut payload = String::with_capacity(length.max(said.len() + 40));
    payload.push_str(r#"{"type":"event","said":"#);
    payload.push_str(said);
    payload.push_str(r#","more":""#);
    while payload.len() + 2 < length {
        payload.push('x');
    }
    payload.push_str(r#""}"#);
    payload
}

/// A server of this program, which ends when this is dropped, or this process is.
pub(crate) struct Stand {
    process: Child,
    pub(crate) port: u16,
}

/// How long a server may take to listen.
const PATIENCE: Duration = Duration::from_secs(10);

impl Stand {
    /// Starts `floor`, `durable-floor` or `afternoon`.
    ///
    /// # Errors
    /// When it does not listen.
    pub(crate) fn start(name: &str, sizes: Sizes) -> Result<Self> {
        let port = testkit::free_port();
        let mut command = Command::new(std::env::current_exe()?);
        command
            .arg(name)
            .arg(port.to_string())
            .arg(sizes.event_bytes.to_string())
            .arg(sizes.ack_bytes.to_string());
        // It ends when this end of the pipe is closed.
        let process = command.stdin(Stdio::piped()).spawn()?;
        let stand = Self { process, port };
        let deadline = Instant::now() + PATIENCE;
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            ensure!(Instant::now() < deadline, "{name} does not listen");
            sleep(Duration::from_millis(5));
        }
        Ok(stand)
    }

    pub(crate) fn id(&self) -> u32 {
        self.process.id()
    }
}

impl Drop for Stand {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

/// Ends this process when the one that started it does.
pub(crate) fn end_with_parent() {
    std::thread::spawn(|| {
        drop(std::io::copy(&mut std::io::stdin(), &mut std::io::sink()));
        std::process::exit(0);
    });
}
