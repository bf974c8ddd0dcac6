//! What the pure parts of the message path cost: encoding an event, hearing a client, keeping a roster. It is a
//! program of its own that takes in only these modules.
#![expect(
    dead_code,
    unused_imports,
    reason = "what is measured is a part of what the modules do, and their tests are here without what runs them"
)]

mod encoded;
mod few;
mod roster;
mod peers {
    pub(crate) mod frame;
}
mod connection {
    mod reading;

    use divan::{Bencher, counter::BytesCount};

    /// As many frames as a busy client has in one read.
    #[divan::bench(args = [1, 8, 64])]
    fn hear(bencher: Bencher, frames: usize) {
        let said = super::client_frame(&[b'x'; 240]).repeat(frames);
        let mut reader = reading::Reader::new(65_536, &[]);
        bencher
            .counter(BytesCount::new(said.len()))
            .with_inputs(|| said.clone())
            .bench_local_refs(|bytes| {
                let mut messages = reader.messages(bytes);
                let mut texts = 0;
                while let Ok(Some(reading::Heard::Text(_))) = messages.next() {
                    texts += 1;
                }
                assert_eq!(texts, frames);
            });
    }
}

use divan::{Bencher, black_box};
use encoded::Entry;
use protocol::{
    ConnectionId, Limits, RoomId, UserId, accounts::UserSummary, events::Event,
    frame::PresenceState, ids::Id,
};
use roster::{Happening, Roster, Via};
use tokio::time::Instant;
use uuid::Uuid;

fn main() {
    divan::main();
}

/// A text frame as browsers mask it.
fn client_frame(payload: &[u8]) -> Vec<u8> {
    let mask = [0x37, 0xfa, 0x21, 0x3d];
    let length = u8::try_from(payload.len()).expect("it is short");
    let mut frame = vec![0x81, 0x80 | 126, 0, length];
    frame.extend(mask);
    frame.extend(
        payload
            .iter()
            .zip(mask.iter().cycle())
            .map(|(byte, mask)| byte ^ mask),
    );
    frame
}

fn user(number: u128) -> UserSummary {
    UserSummary {
        id: Id::from_uuid(Uuid::from_u128(number)),
        username: format!("user{number}"),
        display_name: format!("User {number}"),
    }
}

/// An event of a message, once for all who follow the room.
#[divan::bench(args = [16, 128, 1_024])]
fn encode(bencher: Bencher, body_bytes: usize) {
    let event = event(body_bytes);
    bencher
        .with_inputs(|| event.clone())
        .bench_values(|event| black_box(Entry::new(event)).frame.len());
}

fn event(body_bytes: usize) -> Event {
    let room: RoomId = Id::from_uuid(Uuid::from_u128(7));
    let user: UserId = user(1).id;
    let text = format!(
        r#"{{"room":"{room}","seq":12,"id":"{room}","n":11,"kind":"message","at":"2026-11-22T07:15:00.123Z",
            "user":{{"id":"{user}","username":"user1","display_name":"User 1"}},"client_id":"7","body":"{}"}}"#,
        "x".repeat(body_bytes)
    );
    serde_json::from_str(&text).expect("it is an event")
}

/// Somebody comes and goes where so many are.
#[divan::bench(args = [10, 100, 1_000])]
fn come_and_go(bencher: Bencher, people: u128) {
    let mut roster = Roster::new(&Limits::default());
    let now = Instant::now();
    let way = |number| {
        let connection: ConnectionId = Id::from_uuid(Uuid::from_u128(number));
        Via::Socket(connection)
    };
    for number in 0..people {
        let entered = Happening::Entered(way(number), user(number).into(), PresenceState::Online);
        roster.apply(entered, now);
    }
    bencher.bench_local(|| {
        let one = user(people);
        let gone = Happening::Gone(way(people), one.id);
        let entered = Happening::Entered(way(people), one.into(), PresenceState::Online);
        roster.apply(entered, now).len() + roster.apply(gone, now).len()
    });
}
