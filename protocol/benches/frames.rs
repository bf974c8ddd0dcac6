//! What it costs to read what a client says, and to write what the server says.

use divan::{Bencher, black_box};
use protocol::{Limits, frame::decode};

fn main() {
    divan::main();
}

const ROOM: &str = "019a8f6e-5d1c-7cc0-8000-000000000001";

fn decoded(bencher: Bencher, frame: &str) {
    let limits = Limits::default();
    bencher.bench(|| decode(black_box(frame), &limits).is_ok());
}

#[divan::bench(args = [16, 128, 1_024])]
fn send(bencher: Bencher, body_bytes: usize) {
    let body = "x".repeat(body_bytes);
    let frame =
        format!(r#"{{"type":"send","room":"{ROOM}","client_id":"bench-1","body":"{body}"}}"#);
    decoded(bencher, &frame);
}

#[divan::bench]
fn subscribe(bencher: Bencher) {
    decoded(
        bencher,
        &format!(r#"{{"type":"subscribe","room":"{ROOM}","after":1843}}"#),
    );
}

#[divan::bench]
fn typing(bencher: Bencher) {
    decoded(
        bencher,
        &format!(r#"{{"type":"typing","room":"{ROOM}","on":true}}"#),
    );
}
