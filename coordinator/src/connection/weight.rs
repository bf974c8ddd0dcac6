//! What a socket and a room weigh while nothing happens: thousands are idle for each that is not, so every byte
//! is thousands of bytes. The bounds are what the allocator has a size for, so that nothing is rounded up a lot;
//! what `bench idle` measures in a whole process is the sum of these and of what lies between them.

use super::{Begun, Connection, Owner, Passport, reading::Reader, run, socket::Socket};
use crate::{Node, outbox, room, roster};

/// How large the future is that a function makes on the heap.
const fn boxed<A, B, C, F>(_: fn(A, B, C) -> std::pin::Pin<Box<F>>) -> usize {
    size_of::<F>()
}

#[test]
fn what_is_idle_stays_light() {
    let weights = [
        (
            "a socket's task",
            boxed(|node: Node, begun: Begun, passport: Passport| run(node, begun, &passport)),
            512,
        ),
        ("a socket's owner", size_of::<Owner>(), 304),
        ("a socket's ends", size_of::<Socket>(), 56),
        ("what is read of a socket", size_of::<Reader>(), 32),
        ("a socket, as others see it", size_of::<Connection>(), 80),
        ("a socket's outbox", outbox::WEIGHT, 160),
    ];
    let others = room::WEIGHTS.into_iter().chain(roster::WEIGHTS);
    for (what, bytes, most) in weights.into_iter().chain(others) {
        assert!(bytes <= most, "{what} takes {bytes} bytes, of {most}");
    }
}
