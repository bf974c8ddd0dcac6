//! One room on several nodes: whoever is on whichever of them, all have the same log, see the same people, and
//! notice nothing when the room moves.

use std::{collections::BTreeMap, time::Duration};

use anyhow::{Context, Result, ensure};
use protocol::{
    ErrorCode, RoomId, Seq, UserId,
    events::EventKind,
    frame::{PresenceState, ServerFrame, UnsubscribeReason},
};
use serde_json::json;
use shared::rooms;

use crate::support::{Client, Cluster, Person};

const MESSAGES_EACH: usize = 100;

/// Says messages without waiting, takes the acks as they come, and reads on until the log has `head` events.
async fn converse(client: &mut Client, room: RoomId, head: Seq) -> Result<()> {
    let name = client.ready.user.username.clone();
    let mut unanswered = BTreeMap::new();
    for number in 0..MESSAGES_EACH {
        let body = format!("{name} {number}");
        let id = client
            .say(json!({ "type": "send", "room": room, "client_id": body, "body": body }))
            .await?;
        unanswered.insert(id, body);
    }
    let mut last = Seq::ZERO;
    while !unanswered.is_empty() {
        match client.next().await? {
            ServerFrame::Ack(ack) => {
                let id = ack.id.context("an ack without an id")?;
                ensure!(unanswered.remove(id.as_str()).is_some(), "acked twice");
                ensure!(ack.seq > last, "{} comes after {last}", ack.seq);
                last = ack.seq;
            }
            ServerFrame::Error(error) => anyhow::bail!("refused: {error:?}"),
            _ => {}
        }
    }
    client.reach(room, head).await
}

/// That what each sent stands in the order in which they sent it.
fn assert_in_order(log: &[protocol::events::Event], people: &[&Person]) {
    for person in people {
        let sent: Vec<_> = log
            .iter()
            .filter(|event| event.user.id == person.user.id)
            .filter_map(|event| match &event.kind {
                EventKind::Message(message) => Some(message.body.clone()),
                _ => None,
            })
            .collect();
        let name = &person.user.username;
        let wanted: Vec<_> = (0..MESSAGES_EACH)
            .map(|number| format!("{name} {number}"))
            .collect();
        assert_eq!(sent, wanted);
    }
}

/// Three people, each on a node of their own, in a room that is with `node`.
struct Scene {
    cluster: Cluster,
    people: [Person; 3],
    room: RoomId,
    clients: [Client; 3],
}

async fn scene(node: usize) -> Result<Scene> {
    let cluster = Cluster::start(3).await?;
    let first = &cluster.nodes[0];
    let people = [
        first.person("ada").await?,
        first.person("bob").await?,
        first.person("carol").await?,
    ];
    let members = [&people[1], &people[2]];
    let room = cluster.room_with(node, &people[0], &members).await?;
    let mut clients = [
        cluster.nodes[0].socket(&people[0]).await?,
        cluster.nodes[1].socket(&people[1]).await?,
        cluster.nodes[2].socket(&people[2]).await?,
    ];
    for client in &mut clients {
        client.subscribe(room).await?;
    }
    Ok(Scene {
        cluster,
        people,
        room,
        clients,
    })
}

async fn seen(client: &mut Client, user: UserId) -> Result<PresenceState> {
    client
        .until(|frame| match frame {
            ServerFrame::Presence(presence) if presence.user.id == user => Some(presence.state),
            _ => None,
        })
        .await
}

#[tokio::test]
async fn one_log_on_three_nodes_without_a_look_at_the_store() -> Result<()> {
    let Scene {
        cluster,
        people,
        room,
        mut clients,
    } = scene(1).await?;
    let head = Seq(3 + 3 * MESSAGES_EACH as u64);
    let [ada, bob, carol] = &mut clients;
    tokio::try_join!(
        converse(ada, room, head),
        converse(bob, room, head),
        converse(carol, room, head),
    )?;
    let log = cluster.nodes[0].log(room).await?;
    assert_in_order(&log, &people.each_ref());
    for client in &clients {
        assert_eq!(client.logs[&room].events, log);
    }
    // Everything came over the links, in order and at once.
    let counts = &cluster.counts;
    assert_eq!(counts.of("chatx_room_reads_total{node=\"other\"}"), 0);
    assert_eq!(counts.of("chatx_room_holes_total"), 0);
    cluster.stop().await
}

#[tokio::test]
async fn people_are_seen_from_every_node() -> Result<()> {
    let Scene {
        cluster,
        people,
        room,
        mut clients,
    } = scene(2).await?;
    let [ada, bob, carol] = &people;
    let mut late = cluster.nodes[1].socket(ada).await?;
    let online = late.subscribe(room).await?.online;
    assert_eq!(online.count, 3, "{online:?}");
    let [at_ada, at_bob, at_carol] = &mut clients;
    // Who came first saw the others come.
    for other in [bob, carol] {
        assert_eq!(seen(at_ada, other.user.id).await?, PresenceState::Online);
    }
    at_bob
        .say(json!({ "type": "presence", "state": "dnd" }))
        .await?;
    assert_eq!(seen(at_ada, bob.user.id).await?, PresenceState::Dnd);
    assert_eq!(seen(at_carol, bob.user.id).await?, PresenceState::Dnd);
    at_ada
        .say(json!({ "type": "typing", "room": room, "on": true }))
        .await?;
    at_ada
        .say(json!({ "type": "read", "room": room, "seq": 2 }))
        .await?;
    for client in [at_bob, at_carol] {
        let typing = client.until(|frame| match frame {
            ServerFrame::Typing(typing) => Some((typing.user.id, typing.on)),
            _ => None,
        });
        assert_eq!(typing.await?, (ada.user.id, true));
        let read = client.until(|frame| match frame {
            ServerFrame::Read(read) => Some((read.user, read.seq)),
            _ => None,
        });
        assert_eq!(read.await?, (ada.user.id, Seq(2)));
    }
    let [mut at_ada, at_bob, mut at_carol] = clients;
    at_bob.vanish();
    assert_eq!(
        seen(&mut at_ada, bob.user.id).await?,
        PresenceState::Offline
    );
    assert_eq!(
        seen(&mut at_carol, bob.user.id).await?,
        PresenceState::Offline
    );
    cluster.stop().await
}

#[tokio::test]
async fn a_kick_on_one_node_ends_the_room_on_another() -> Result<()> {
    let Scene {
        cluster,
        people,
        room,
        mut clients,
    } = scene(1).await?;
    let [ada, _, carol] = &people;
    let [at_ada, at_bob, at_carol] = &mut clients;
    // Through a third node, of which neither the room nor who is kicked knows.
    let first = &cluster.nodes[0].app;
    rooms::kick(first, &ada.caller(), room, carol.user.id).await?;
    while at_carol.logs[&room].ended.is_none() {
        at_carol.next().await?;
    }
    let heard = &at_carol.logs[&room];
    assert_eq!(
        (heard.ended, heard.last),
        (Some(UnsubscribeReason::Kicked), Seq(4))
    );
    let frame = json!({ "type": "send", "room": room, "client_id": "late", "body": "still here?" });
    assert_eq!(at_carol.refused(frame).await?, ErrorCode::NotAMember);
    for client in [at_ada, at_bob] {
        let gone = client.until(|frame| match frame {
            ServerFrame::Presence(presence) if presence.user.id == carol.user.id => {
                (presence.state == PresenceState::Offline).then_some(())
            }
            _ => None,
        });
        gone.await?;
        client.reach(room, Seq(4)).await?;
    }
    let ack = clients[1].send(room, "without her").await?;
    clients[0].reach(room, ack.seq).await?;
    // Nothing of it came to her: what answers her next question comes after it would have.
    assert!(matches!(
        clients[2].ask(json!({ "type": "ping" })).await?,
        ServerFrame::Pong(_)
    ));
    assert_eq!(clients[2].logs[&room].last, Seq(4));
    cluster.stop().await
}

#[tokio::test]
async fn a_node_that_ends_takes_nothing_with_it() -> Result<()> {
    let Scene {
        mut cluster,
        people,
        room,
        clients,
    } = scene(1).await?;
    let [mut ada, bob, mut carol] = clients;
    let head = Seq(3 + 2 * MESSAGES_EACH as u64);
    let owner = cluster.nodes.remove(1);
    let ending = async {
        // In the midst of it.
        tokio::time::sleep(Duration::from_millis(20)).await;
        owner.end().await
    };
    tokio::try_join!(
        converse(&mut ada, room, head),
        converse(&mut carol, room, head),
        ending,
    )?;
    let log = cluster.nodes[0].log(room).await?;
    assert_in_order(&log, &[&people[0], &people[2]]);
    for client in [&ada, &carol] {
        assert_eq!(client.logs[&room].events, log);
    }
    // The room is with another node now, and comes back when there is one again.
    let mut bob = {
        let logs = bob.vanish();
        let mut again = cluster.nodes[0].socket(&people[1]).await?;
        again.logs = logs;
        again
    };
    bob.subscribe(room).await?;
    bob.reach(room, head).await?;
    let again = cluster.nodes[0].another("two").await?;
    cluster.nodes.push(again);
    cluster.linked(6).await?;
    let head = Seq(head.0 + 1);
    carol.send(room, "and on").await?;
    for client in [&mut ada, &mut bob, &mut carol] {
        client.reach(room, head).await?;
    }
    cluster.stop().await
}
