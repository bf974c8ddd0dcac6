//! Messages with files over sockets: who follows the room sees what is attached, from whichever node it came.

use anyhow::{Result, bail};
use protocol::{
    ErrorCode, FileId, RoomId, Seq,
    events::{Event, EventKind},
    files::FileName,
    frame::ServerFrame,
};
use serde_json::json;
use shared::store::NewFile;

use crate::support::{Client, Cluster, Person, TestNode};

/// A file that is uploaded for the room, as far as sockets are concerned with it.
async fn file(node: &TestNode, room: RoomId, person: &Person) -> Result<FileId> {
    let clock = &node.app.clock;
    let new = NewFile {
        id: clock.id(),
        room,
        user: person.user.id,
        name: FileName::of("tea.txt"),
        mime: "text/plain".to_owned(),
        size: 4,
        pixels: None,
        thumbnail: None,
        at: clock.now(),
    };
    node.app.store.expect_file(&new).await?;
    node.app.store.keep_file(new.id, clock.now()).await?;
    Ok(new.id)
}

fn files(event: &Event) -> Vec<FileId> {
    match &event.kind {
        EventKind::Message(message) => message.files.iter().map(|file| file.id).collect(),
        other => panic!("{other:?}"),
    }
}

/// Sends without a text and says the place.
async fn attach(client: &mut Client, room: RoomId, name: &str, files: &[FileId]) -> Result<Seq> {
    let frame = json!({ "type": "send", "room": room, "client_id": name, "files": files });
    match client.ask(frame).await? {
        ServerFrame::Ack(ack) => Ok(ack.seq),
        other => bail!("not acked: {other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_follows_a_room_sees_what_is_attached() -> Result<()> {
    for node in [TestNode::sqlite().await?, TestNode::postgres().await?] {
        let (ada, bob) = (node.person("ada").await?, node.person("bob").await?);
        let room = node.room(&ada, &[&bob]).await?;
        let (mut at_ada, mut at_bob) = (node.socket(&ada).await?, node.socket(&bob).await?);
        at_ada.subscribe(room).await?;
        at_bob.subscribe(room).await?;
        let (first, second) = (
            file(&node, room, &ada).await?,
            file(&node, room, &ada).await?,
        );

        let of_another =
            json!({ "type": "send", "room": room, "client_id": "1", "files": [first] });
        assert_eq!(at_bob.refused(of_another).await?, ErrorCode::FileNotFound);
        // What is refused holds up nothing of what is sent beside it.
        at_bob.send(room, "tea?").await?;
        let seq = attach(&mut at_ada, room, "1", &[second, first]).await?;
        assert_eq!(attach(&mut at_ada, room, "1", &[second, first]).await?, seq);
        let nothing = json!({ "type": "send", "room": room, "client_id": "2", "files": [] });
        assert_eq!(at_ada.refused(nothing).await?, ErrorCode::ValidationFailed);
        for client in [&mut at_ada, &mut at_bob] {
            client.reach(room, seq).await?;
            let event = client.logs[&room].events.last().expect("it is there");
            assert_eq!(files(event), [second, first]);
            assert_eq!(client.logs[&room].events, node.log(room).await?);
        }
        node.stop().await?;
    }
    Ok(())
}

#[tokio::test]
async fn what_is_attached_comes_over_links() -> Result<()> {
    let cluster = Cluster::start(2).await?;
    let [here, there] = &cluster.nodes[..] else {
        bail!("two nodes")
    };
    let (ada, bob) = (here.person("ada").await?, here.person("bob").await?);
    // The room is with the other node than the sender.
    let room = cluster.room_with(1, &ada, &[&bob]).await?;
    let (mut at_ada, mut at_bob) = (here.socket(&ada).await?, there.socket(&bob).await?);
    at_ada.subscribe(room).await?;
    at_bob.subscribe(room).await?;
    let id = file(here, room, &ada).await?;
    let seq = attach(&mut at_ada, room, "1", &[id]).await?;
    for client in [&mut at_ada, &mut at_bob] {
        client.reach(room, seq).await?;
        let event = client.logs[&room].events.last().expect("it is there");
        assert_eq!(files(event), [id]);
    }
    drop((at_ada, at_bob));
    cluster.stop().await
}
