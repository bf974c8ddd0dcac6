//! What concerns somebody on all of their devices: every socket of theirs is told, on whichever node it is and
//! whatever it follows.

use anyhow::{Result, bail};
use protocol::{
    RoomId,
    accounts::ChangeProfile,
    direct::OpenDirect,
    frame::{ServerFrame, UnsubscribeReason},
    reports::{NewReport, ReportReason, ReportState},
    rooms::{ChangeRoom, NewBan},
};
use serde_json::json;
use shared::{direct, profiles, reports, rooms};

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
async fn who_knows_somebody_hears_what_they_are_up_to() -> Result<()> {
    let cluster = Cluster::start(2).await?;
    let (first, second) = (&cluster.nodes[0], &cluster.nodes[1]);
    let (ada, bob) = (first.person("ada").await?, first.person("bob").await?);
    let stranger = first.person("stranger").await?;
    let room = first.room(&ada, &[&bob]).await?;
    let (mut own, mut other) = (first.socket(&ada).await?, second.socket(&bob).await?);
    let mut far = second.socket(&stranger).await?;

    let change = ChangeProfile {
        status: Some("at sea".to_owned()),
        ..ChangeProfile::default()
    };
    let me = first.app.store.change_profile(ada.user.id, &change).await?;
    profiles::tell(&first.app, &me.user).await;
    for socket in [&mut own, &mut other] {
        let told = socket
            .until(|frame| match frame {
                ServerFrame::User(told) => Some((told.user.id, told.status)),
                _ => None,
            })
            .await?;
        assert_eq!(told, (ada.user.id, "at sea".to_owned()));
    }

    // How many reports wait is for those to know who see to them.
    let sent = own.send(room, "buy my tea").await?;
    let report = NewReport {
        reason: ReportReason::Spam,
        note: None,
    };
    let (report, _) = reports::report(&second.app, &bob.caller(), room, sent.seq, report).await?;
    let open = async |socket: &mut Client| {
        let reports = |frame| match frame {
            ServerFrame::Reports(told) => Some((told.room, told.open)),
            _ => None,
        };
        socket.until(reports).await
    };
    assert_eq!(open(&mut own).await?, (room, 1));
    let closed = first.app.store.close_report(
        report.id,
        bob.user.id,
        ReportState::Dismissed,
        first.app.clock.now(),
    );
    closed.await?;
    reports::report(
        &second.app,
        &bob.caller(),
        room,
        sent.seq,
        NewReport {
            reason: ReportReason::Other,
            note: None,
        },
    )
    .await?;
    assert_eq!(open(&mut own).await?, (room, 1), "the other is closed");

    // Nobody else heard of anything.
    for socket in [&mut other, &mut far] {
        socket.say(json!({ "type": "ping" })).await?;
        loop {
            match socket.next().await? {
                ServerFrame::Pong(_) => break,
                ServerFrame::User(_) | ServerFrame::Reports(_) => bail!("that is for others"),
                _ => {}
            }
        }
    }
    cluster.stop().await
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

    // So is one that is archived no more.
    let archived = |archived| ChangeRoom {
        archived: Some(archived),
        ..ChangeRoom::default()
    };
    rooms::change(&first.app, &ada.caller(), tea, &archived(true)).await?;
    while devices[1].logs[&tea].ended.is_none() {
        devices[1].next().await?;
    }
    rooms::change(&first.app, &ada.caller(), tea, &archived(false)).await?;
    assert_eq!(added(&mut devices[1]).await?, tea);
    devices[1].subscribe(tea).await?;
    cluster.stop().await
}
