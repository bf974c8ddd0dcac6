//! Which node owns which room: rendezvous hashing, so that every node that sees the same nodes says the
//! same, and a node that comes or goes moves only its own share. Pure; who is alive is [`crate::cluster`]'s.
//! While two nodes see different nodes they may disagree, which costs a hop and nothing else: the store
//! numbers events, not the owner.

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
    let own = xxh3_64_with_seed(node.name.as_bytes(), 0);
    let hash = xxh3_64_with_seed(room.uuid().as_bytes(), own);
    // So many bits that a half still fits beside them: 0 and 1 themselves have no logarithm to divide by.
    #[expect(clippy::cast_precision_loss, reason = "52 bits fit into an f64")]
    let unit = ((hash >> 12) as f64 + 0.5) / (1_u64 << 52) as f64;
    -f64::from(node.weight) / unit.ln()
}

#[cfg(test)]
#[expect(
    clippy::cast_precision_loss,
    reason = "shares are far below what an f64 counts exactly"
)]
mod tests {
    use proptest::{collection::vec, prelude::*, sample::Index};
    use protocol::ids::Id;
    use uuid::Uuid;

    use super::*;

    /// Enough that 5 % are five standard deviations of the best hash there can be.
    const ROOMS_A_NODE: usize = 10_000;
    const TOLERANCE: f64 = 0.05;

    fn node(name: &str, weight: u32) -> Node {
        Node {
            name: name.to_string(),
            url: String::new(),
            internal_url: String::new(),
            weight,
            draining: false,
        }
    }

    /// Nodes named as deployments name them.
    fn nodes(weights: &[u32]) -> Vec<Node> {
        let named = |(number, weight): (usize, &u32)| node(&format!("chatx-{number}"), *weight);
        weights.iter().enumerate().map(named).collect()
    }

    /// A room's id as a clock makes them, with a count where others have chance: as alike as ids can be.
    fn room(number: usize) -> RoomId {
        let number = number as u128;
        let ms = 1_763_800_000_000 + 7 * number;
        Id::from_uuid(Uuid::from_u128(ms << 80 | 0x7 << 76 | 0x8 << 60 | number))
    }

    /// Which of `nodes` owns each of so many rooms.
    fn owners(nodes: &[Node], rooms: usize) -> Vec<&str> {
        let owner = |number| owner(room(number), nodes).unwrap().name.as_str();
        (0..rooms).map(owner).collect()
    }

    fn share(name: &str, owners: &[&str]) -> usize {
        owners.iter().filter(|owner| **owner == name).count()
    }

    /// That each has what its weight says.
    #[track_caller]
    fn assert_balanced(nodes: &[Node], shares: &[usize]) {
        let (rooms, weights) = (
            shares.iter().sum::<usize>() as f64,
            nodes.iter().map(|node| f64::from(node.weight)).sum::<f64>(),
        );
        for (node, share) in nodes.iter().zip(shares) {
            let expected = rooms * f64::from(node.weight) / weights;
            let ratio = *share as f64 / expected;
            assert!(
                (ratio - 1.0).abs() < TOLERANCE,
                "{} of {} nodes has {ratio:.4} of its share",
                node.name,
                nodes.len()
            );
        }
    }

    #[test]
    fn no_node_owns_nothing_and_a_draining_one_only_what_nobody_else_can() {
        assert!(owner(room(1), &[]).is_none());
        let draining = Node {
            draining: true,
            ..node("a", 1)
        };
        let alone = std::slice::from_ref(&draining);
        assert_eq!(owner(room(1), alone).unwrap().name, "a");
        let nodes = [draining, node("b", 1)];
        assert_eq!(share("b", &owners(&nodes, 100)), 100);
    }

    /// One pass for every number of nodes: the owner among the first few is the best of the first few.
    #[test]
    fn up_to_64_nodes_have_equal_shares() {
        const MOST: usize = 64;
        let all = nodes(&[1; MOST]);
        let mut shares = vec![[0; MOST]; MOST + 1];
        for number in 0..MOST * ROOMS_A_NODE {
            let (room, mut best, mut best_score) = (room(number), 0, f64::NEG_INFINITY);
            for (place, node) in all.iter().enumerate() {
                let score = score(room, node);
                if score > best_score {
                    (best, best_score) = (place, score);
                }
                let count = place + 1;
                if number < count * ROOMS_A_NODE {
                    shares[count][best] += 1;
                }
            }
            if number.is_multiple_of(1_000) {
                assert_eq!(owner(room, &all), Some(&all[best]));
            }
        }
        for count in 1..=MOST {
            assert_balanced(&all[..count], &shares[count][..count]);
        }
    }

    #[test]
    fn shares_follow_weights() {
        for weights in [
            [1, 1, 2].as_slice(),
            &[1, 2, 3, 4],
            &[1, 20],
            &[100, 300],
            &[1, 1, 1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2, 2, 2],
        ] {
            let nodes = nodes(weights);
            let least = weights.iter().min().unwrap();
            let rooms = ROOMS_A_NODE * (weights.iter().sum::<u32>() / least) as usize;
            let owners = owners(&nodes, rooms);
            let shares: Vec<_> = nodes
                .iter()
                .map(|node| share(&node.name, &owners))
                .collect();
            assert_balanced(&nodes, &shares);
        }
    }

    #[test]
    fn what_a_lost_node_had_spreads_over_all_others() {
        const COUNT: usize = 8;
        let all = nodes(&[1; COUNT]);
        let before = owners(&all, COUNT * ROOMS_A_NODE);
        for lost in 0..COUNT {
            let mut rest = all.clone();
            let lost = rest.remove(lost);
            let after = owners(&rest, COUNT * ROOMS_A_NODE);
            let moved = before
                .iter()
                .zip(&after)
                .filter(|(before, after)| before != after);
            assert_eq!(
                moved.count(),
                share(&lost.name, &before),
                "what moved and what was lost"
            );
            let shares: Vec<_> = rest.iter().map(|node| share(&node.name, &after)).collect();
            assert_balanced(&rest, &shares);
            for (node, share_after) in rest.iter().zip(shares) {
                assert!(
                    share_after > share(&node.name, &before),
                    "{} takes none",
                    node.name
                );
            }
        }
    }

    /// Nodes of any weights, as one of them comes, goes or changes.
    fn some_nodes() -> impl Strategy<Value = Vec<Node>> {
        vec(1..=20_u32, 2..12).prop_map(|weights| nodes(&weights))
    }

    proptest! {
        #[test]
        fn who_comes_or_goes_moves_its_own_rooms_only(
            all in some_nodes(), one in any::<Index>(), number in any::<u128>(),
        ) {
            let room = Id::from_uuid(Uuid::from_u128(number));
            let mut rest = all.clone();
            let one = rest.remove(one.index(all.len()));
            let (with, without) = (owner(room, &all).unwrap(), owner(room, &rest).unwrap());
            prop_assert!(*with == one || with == without);
        }

        #[test]
        fn who_grows_takes_rooms_and_gives_none(
            all in some_nodes(), one in any::<Index>(), by in 1..20_u32, number in any::<u128>(),
        ) {
            let room = Id::from_uuid(Uuid::from_u128(number));
            let mut grown = all.clone();
            let one = one.index(all.len());
            grown[one].weight += by;
            let (before, after) = (owner(room, &all).unwrap(), owner(room, &grown).unwrap());
            prop_assert!(before.name == after.name || after.name == all[one].name);
        }

        #[test]
        fn the_order_of_the_nodes_does_not_matter(
            (all, shuffled) in some_nodes().prop_flat_map(|all| (Just(all.clone()), Just(all).prop_shuffle())),
            number in any::<u128>(),
        ) {
            let room = Id::from_uuid(Uuid::from_u128(number));
            prop_assert_eq!(owner(room, &all), owner(room, &shuffled));
        }
    }
}
