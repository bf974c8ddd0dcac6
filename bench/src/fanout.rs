//! One room with many sockets, flat out: what a delivery costs the server, beside the floor.

use std::{
    process::{Child, Command},
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use testkit::Chatx;
use tokio::{io::AsyncWriteExt, time::sleep};

use crate::{
    account::{create_room, register},
    process::Process,
    socket::text_frame,
    subscribers::{Subscribers, subscribe},
};

/// Messages that have been sent and not yet seen by the witness: how deep "flat out" is.
const WINDOW: u64 = 64;
const BODY_BYTES: usize = 128;

/// What one run saw.
struct Run {
    deliveries: u64,
    cpu: Duration,
    wall: Duration,
}

impl Run {
    fn cpu_us_per_delivery(&self) -> f64 {
        self.cpu.as_secs_f64() * 1e6 / self.deliveries as f64
    }

    fn print(&self, name: &str) {
        println!(
            "  {name:<28} {:>9.0} deliveries/s   {:>6.2} µs server CPU per delivery   ({} in {:.1} s)",
            self.deliveries as f64 / self.wall.as_secs_f64(),
            self.cpu_us_per_delivery(),
            self.deliveries,
            self.wall.as_secs_f64(),
        );
    }
}

/// Runs the server and the floor in turn and prints each run and the medians.
///
/// # Errors
/// When a server does not start or a socket fails.
pub(crate) async fn run(subscribers: usize, seconds: u64, runs: usize) -> Result<()> {
    println!(
        "1 room × {subscribers} sockets, flat out (window {WINDOW}), {BODY_BYTES}-byte bodies; \
         server on processor 0, sockets on processor 1"
    );
    Process(std::process::id()).pin_to(1)?;
    let (mut ours, mut floors) = (Vec::new(), Vec::new());
    for _ in 0..runs {
        let floor = floor(subscribers, seconds).await.context("the floor")?;
        floor.print("floor, coalesced, no store");
        let chatx = chatx(subscribers, seconds).await.context("chatx")?;
        chatx.print("chatx, stored in SQLite");
        floors.push(floor.cpu_us_per_delivery());
        ours.push(chatx.cpu_us_per_delivery());
    }
    let (ours, floor) = (median(ours), median(floors));
    println!(
        "  median: chatx {ours:.2} µs, floor {floor:.2} µs, ratio {:.2}",
        ours / floor
    );
    Ok(())
}

fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}

async fn chatx(subscribers: usize, seconds: u64) -> Result<Run> {
    let server = Chatx::serve()
        .set("CHATX_RATE_LIMITS", "off")
        .start()
        .await?;
    let process = Process(server.id().context("the server runs")?);
    process.pin_to(0)?;
    let address = server.address();
    let token = register(&address, "bench").await?;
    let room = create_room(&address, &token, "fan-out").await?;
    let tokens = [token];
    let readers = Subscribers::of_room(&address, &tokens, &room, subscribers).await?;
    let (mut socket, mut counter) = subscribe(&address, &tokens[0], &room).await?;
    let (mut answers, mut sender) = socket.split();
    let body = "x".repeat(BODY_BYTES);
    let frame = |number: u64| {
        text_frame(&format!(
            r#"{{"type":"send","room":"{room}","client_id":"bench-{number}","body":"{body}"}}"#
        ))
    };
    let mut buffer = vec![0; 16 * 1_024];
    let drain = async {
        loop {
            counter.read_from(&mut answers, &mut buffer).await?;
        }
    };
    measure(&readers, process, seconds, &mut sender, frame, drain).await
}

async fn floor(subscribers: usize, seconds: u64) -> Result<Run> {
    let port = testkit::free_port();
    let server = Floor::start(port, subscribers)?;
    let process = Process(server.0.id());
    process.pin_to(0)?;
    let address = format!("127.0.0.1:{port}");
    until_listening(&address).await?;
    let readers = Subscribers::of_floor(&address, subscribers - 1).await?;
    let mut sender = tokio::net::TcpStream::connect(&address).await?;
    // What a `chatx` event of the same body weighs on the wire.
    let payload = "x".repeat(BODY_BYTES + 330);
    let mut frame = text_frame(&payload);
    frame[1] &= 0x7f;
    frame.drain(4..8);
    measure(
        &readers,
        process,
        seconds,
        &mut sender,
        |_| frame.clone(),
        std::future::pending(),
    )
    .await
}

/// Sends flat out for a while and counts.
async fn measure(
    readers: &Subscribers,
    process: Process,
    seconds: u64,
    sender: &mut (impl AsyncWriteExt + Unpin),
    frame: impl Fn(u64) -> Vec<u8>,
    drain: impl Future<Output = Result<()>>,
) -> Result<Run> {
    let mut witness = readers.witness.clone();
    let (deliveries, cpu, start) = (readers.deliveries(), process.cpu()?, Instant::now());
    let send = async {
        let mut sent = 0;
        while start.elapsed() < Duration::from_secs(seconds) {
            let mut burst = Vec::new();
            let seen = *witness.borrow_and_update();
            while sent < seen + WINDOW {
                burst.extend(frame(sent));
                sent += 1;
            }
            sender.write_all(&burst).await?;
            witness.changed().await?;
        }
        anyhow::Ok(())
    };
    tokio::select! {
        sent = send => sent?,
        ended = drain => ended?,
    }
    Ok(Run {
        deliveries: readers.deliveries() - deliveries,
        cpu: process.cpu()?.saturating_sub(cpu),
        wall: start.elapsed(),
    })
}

/// The floor as a process of its own, ended when dropped.
struct Floor(Child);

impl Floor {
    fn start(port: u16, subscribers: usize) -> Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["floor", &port.to_string(), &subscribers.to_string()]);
        Ok(Self(command.spawn()?))
    }
}

impl Drop for Floor {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// Waits until somebody listens; the connection that finds out is the first subscriber.
async fn until_listening(address: &str) -> Result<()> {
    for _ in 0..200 {
        if let Ok(stream) = tokio::net::TcpStream::connect(address).await {
            // It stays connected for as long as the floor runs, and is never read.
            tokio::spawn(async move {
                let mut stream = stream;
                let mut buffer = vec![0; 16 * 1_024];
                let mut counter = crate::socket::FrameCounter::default();
                while counter.read_from(&mut stream, &mut buffer).await.is_ok() {}
            });
            return Ok(());
        }
        sleep(Duration::from_millis(10)).await;
    }
    anyhow::bail!("nobody listens at {address}")
}
