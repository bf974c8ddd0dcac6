//! What a socket and a room weigh while nothing happens: thousands are idle for each that is not, so every byte
//! of their tasks is thousands of bytes. What is behind their pointers, `bench idle` counts in a whole process.

use protocol::RoomId;
use tokio_util::sync::CancellationToken;

use super::{Begun, Passport, reading::Reader, run, socket::Socket};
use crate::{Node, room::Room, rooms::Rooms};

/// How large the future is that a function makes.
const fn task<A, B, C, F: Future>(_: fn(A, B, C) -> F) -> usize {
    size_of::<F>()
}

/// The same, of one that comes with a handle.
const fn task_beside<A, B, C, H, F: Future>(_: fn(A, B, C) -> (H, F)) -> usize {
    size_of::<F>()
}

#[test]
fn what_is_idle_stays_light() {
    let weights = [
        (
            "a socket's task",
            task(|node: Node, begun: Begun, passport: Passport| run(node, begun, &passport)),
            1_376,
        ),
        (
            "a room's task",
            task_beside::<RoomId, Rooms, CancellationToken, _, _>(Room::start),
            1_248,
        ),
        ("a socket's ends", size_of::<Socket>(), 96),
        ("what is read of a socket", size_of::<Reader>(), 40),
    ];
    for (what, bytes, most) in weights {
        assert!(bytes <= most, "{what} takes {bytes} bytes, of {most}");
    }
}
