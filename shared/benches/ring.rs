//! What it costs to say which node a room is with.

use divan::{Bencher, counter::ItemsCount};
use protocol::{RoomId, ids::Id};
use shared::{cluster::Node, ring::owner};
use uuid::Uuid;

fn main() {
    divan::main();
}

const ROOMS: u128 = 1_000;

#[divan::bench(args = [1, 3, 16, 64])]
fn owner_of_a_room(bencher: Bencher, nodes: usize) {
    let nodes: Vec<_> = (0..nodes).map(node).collect();
    let rooms: Vec<RoomId> = (0..ROOMS)
        .map(|room| Id::from_uuid(Uuid::from_u128(room)))
        .collect();
    bencher.counter(ItemsCount::new(rooms.len())).bench(|| {
        rooms
            .iter()
            .filter(|room| owner(**room, &nodes).is_some())
            .count()
    });
}

fn node(number: usize) -> Node {
    Node {
        name: format!("chatx-{number}"),
        url: String::new(),
        internal_url: String::new(),
        weight: 1,
        draining: false,
    }
}
