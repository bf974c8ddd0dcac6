//! Which node owns which room: rendezvous hashing, so that every node that sees the same nodes says the
//! same, and a node that comes or goes moves only its own share. Pure; who is alive is [`crate::cluster`]'s.

use protocol::RoomId;
use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::cluster::Node;

/// The node that owns `room`: one that is not draining, if there is any.
pub fn owner(room: RoomId, nodes: &[Node]) -> Option<&Node> {
    let staying = nodes.iter().filter(|node| !node.draining);
    highest(room, staying).or_else(|| highest(room, nodes.iter()))
}

fn highest<'a>(room: RoomId, nodes: impl Iterator<Item = &'a Node>) -> Option<&'a Node> {
    nodes.max_by(|one, other| {
        let by_score = score(room, one).total_cmp(&score(room, other));
        by_score.then_with(|| one.name.cmp(&other.name))
    })
}

/// `-weight / ln(h)` for a hash `h` between 0 and 1: the highest of several falls on each node in
/// proportion to its weight.
fn score(room: RoomId, node: &Node) -> f64 {
    let seed = xxh3_64_with_seed(node.name.as_bytes(), 0);
    let hash = xxh3_64_with_seed(room.uuid().as_bytes(), seed);
    #[expect(
        clippy::cast_precision_loss,
        reason = "53 of the 64 bits are more than enough"
    )]
    let unit = ((hash >> 11) as f64 + 0.5) / (1_u64 << 53) as f64;
    -f64::from(node.weight) / unit.ln()
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;
    use protocol::ids::Id;
    use uuid::Uuid;

    use super::*;

    fn node(name: &impl ToString, weight: u32) -> Node {
        Node {
            name: name.to_string(),
            url: String::new(),
            internal_url: String::new(),
            weight,
            draining: false,
        }
    }

    fn room(number: u128) -> RoomId {
        Id::from_uuid(Uuid::from_u128(number))
    }

    #[test]
    fn no_node_owns_nothing_and_a_draining_one_only_what_nobody_else_can() {
        assert!(owner(room(1), &[]).is_none());
        let draining = Node {
            draining: true,
            ..node(&"a", 1)
        };
        assert_eq!(
            owner(room(1), std::slice::from_ref(&draining))
                .unwrap()
                .name,
            "a"
        );
        let nodes = [draining, node(&"b", 1)];
        assert!((0..100).all(|number| owner(room(number), &nodes).unwrap().name == "b"));
    }

    #[test]
    fn shares_follow_weights() {
        let nodes = [node(&"a", 1), node(&"b", 1), node(&"c", 2)];
        let mut shares: HashMap<&str, u32> = HashMap::new();
        for number in 0..20_000 {
            *shares
                .entry(&owner(room(number), &nodes).unwrap().name)
                .or_default() += 1;
        }
        for (name, expected) in [("a", 5_000_u32), ("b", 5_000), ("c", 10_000)] {
            assert!(
                shares[name].abs_diff(expected) < expected / 20,
                "{shares:?}"
            );
        }
    }

    proptest! {
        #[test]
        fn only_the_rooms_of_a_node_that_goes_move(
            count in 2_usize..12, gone in any::<prop::sample::Index>(), number in any::<u128>(),
        ) {
            let nodes: Vec<_> = (0..count).map(|name| node(&name, 1)).collect();
            let gone = gone.index(count);
            let rest: Vec<_> = nodes.iter().enumerate().filter(|(at, _)| *at != gone)
                .map(|(_, node)| node.clone()).collect();
            let before = owner(room(number), &nodes).unwrap();
            let after = owner(room(number), &rest).unwrap();
            prop_assert!(before.name == nodes[gone].name || before.name == after.name);
        }

        #[test]
        fn the_order_of_the_nodes_does_not_matter(count in 1_usize..12, number in any::<u128>()) {
            let nodes: Vec<_> = (0..count).map(|name| node(&name, 1)).collect();
            let reversed: Vec<_> = nodes.iter().rev().cloned().collect();
            prop_assert_eq!(owner(room(number), &nodes), owner(room(number), &reversed));
        }
    }
}
