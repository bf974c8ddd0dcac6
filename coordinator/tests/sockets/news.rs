//! What concerns somebody on all of their devices: every socket of theirs is told, on whichever node it is and
//! whatever it follows.

use anyhow::Result;
use protocol::{
    RoomId,
    direct::OpenDirect,
    frame::{ServerFrame, UnsubscribeReason},
    rooms::NewBan,
};
use serde_json::json;
use shared::{direct, rooms};

use crate::support::{Client, Cluster};

async fn added(client: &mut Client) -> Result<RoomId> {
    client
        .until(|frame| match frame {
            ServerFrame::RoomAdded(added) => Some(added.room),
            _ => None,
        })
        .await
}

async fn removed(client: &mut Client) -> Result<(RoomId, UnsubscribeReason)> {
    client
        .until(|frame| match frame {
            ServerFrame::RoomRemoved(removed) => Some((removed.room, removed.reason)),
            _ => None,
        })
        .await
}

#[tokio::test]
async fn every_device_hears_of_a_room_that_one_is_in_or_is_out_of() -> Result<()> {
    let cluster = Cluster::start(2).await?;
    let (first, second) = (&cluster.nodes[0], &cluster.nodes[1]);
    let (ada, bob) = (first.person("ada").await?, first.person("bob").await?);
    let room = first.room(&ada, &[]).await?;
    let mut devices = [first.socket(&bob).await?, second.socket(&bob).await?];
    let mut other = second.socket(&ada).await?;

    let wish = OpenDirect {
        people: [bob.user.id].into(),
    };
    let conversation = direct::open(&first.app, &ada.caller(), wish).await?.room.id;
    for device in &mut devices {
        assert_eq!(added(device).await?, conversation);
    }
    assert_eq!(added(&mut other).await?, conversation);

    // On one device they join, the others hear of it.
    let joined = json!({ "type": "join", "room": room });
    devices[0].result(joined.clone()).await?;
    assert_eq!(added(&mut devices[1]).await?, room);
    rooms::kick(&first.app, &ada.caller(), room, bob.user.id).await?;
    for device in &mut devices {
        assert_eq!(removed(device).await?, (room, UnsubscribeReason::Kicked));
    }
    devices[1].result(joined).await?;
    assert_eq!(added(&mut devices[0]).await?, room);
    let ban = NewBan::default();
    rooms::ban(&first.app, &ada.caller(), room, bob.user.id, &ban).await?;
    for device in &mut devices {
        assert_eq!(removed(device).await?, (room, UnsubscribeReason::Banned));
    }

    // A room that is back is told of, and followed as before.
    let tea = first.room(&ada, &[&bob]).await?;
    devices[1].subscribe(tea).await?;
    rooms::delete(&first.app, &ada.caller(), tea).await?;
    while devices[1].logs[&tea].ended.is_none() {
        devices[1].next().await?;
    }
    rooms::restore(&second.app, &ada.caller(), tea).await?;
    assert_eq!(added(&mut devices[1]).await?, tea);
    devices[1].subscribe(tea).await?;
    let sent = devices[1].send(tea, "we are back").await?;
    devices[1].reach(tea, sent.seq).await?;
    cluster.stop().await
}
