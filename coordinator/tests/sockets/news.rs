//! What concerns somebody on all of their devices: every socket of theirs is told, on whichever node it is and
//! whatever it follows.

use anyhow::{Result, bail};
use protocol::{
    RoomId, Seq, UserId,
    accounts::ChangeProfile,
    direct::OpenDirect,
    frame::{ServerFrame, UnsubscribeReason},
    reports::{NewReport, ReportReason, ReportState},
    rooms::{ChangeRoom, NewBan},
};
use serde_json::json;
use shared::{Settings, direct, messages, profiles, reports, rooms};

use crate::support::{Client, Cluster, Person, TestNode};

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

/// The next mark that a socket is told of: whose, and up to where.
async fn read(client: &mut Client) -> Result<(UserId, Seq)> {
    client
        .until(|frame| match frame {
            ServerFrame::Read(read) => Some((read.user, read.seq)),
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

#[tokio::test]
async fn what_one_reads_is_read_on_every_device() -> Result<()> {
    let node = TestNode::sqlite().await?;
    let people = [node.person("ada").await?, node.person("bob").await?];
    let room = node.room(&people[1], &[&people[0]]).await?;
    reads_reach_every_device(&node, &node, &people, room).await?;
    node.stop().await?;

    let cluster = Cluster::start(2).await?;
    let (first, second) = (&cluster.nodes[0], &cluster.nodes[1]);
    let people = [first.person("ada").await?, first.person("bob").await?];
    for with in [0, 1] {
        let room = cluster.room_with(with, &people[1], &[&people[0]]).await?;
        reads_reach_every_device(first, second, &people, room).await?;
    }
    cluster.stop().await
}

/// Ada reads on in every way that there is. Each device of hers hears of it, one that follows nothing too; bob, who
/// follows the room, hears of it as long as she lets others know.
async fn reads_reach_every_device(
    near: &TestNode,
    far: &TestNode,
    [ada, bob]: &[Person; 2],
    room: RoomId,
) -> Result<()> {
    let mut devices = [
        near.socket(ada).await?,
        far.socket(ada).await?,
        far.socket(ada).await?,
    ];
    devices[0].subscribe(room).await?;
    devices[1].subscribe(room).await?;
    let mut other = far.socket(bob).await?;
    other.subscribe(room).await?;
    let mut seqs = Vec::new();
    for _ in 0..7 {
        let seq = other.send(room, "tea?").await?.seq;
        devices[0].reach(room, seq).await?;
        seqs.push(seq);
    }
    let shows = async |shows| {
        let change = ChangeProfile {
            shows_reads: Some(shows),
            ..ChangeProfile::default()
        };
        near.app.store.change_profile(ada.user.id, &change).await
    };
    let mut told = Vec::new();
    for (turn, seq) in seqs.iter().copied().enumerate() {
        let is_shown = !(3..6).contains(&turn);
        shows(is_shown).await?;
        let mark = json!({ "type": "read", "room": room, "seq": seq });
        match turn % 3 {
            0 => drop(devices[0].say(mark).await?),
            1 => drop(devices[2].say(mark).await?),
            _ => messages::mark_read(&far.app, &ada.caller(), room, seq).await?,
        }
        for device in &mut devices {
            while read(device).await? != (ada.user.id, seq) {}
        }
        while is_shown && told.last() != Some(&(ada.user.id, seq)) {
            told.push(read(&mut other).await?);
        }
    }
    let shown = [seqs[0], seqs[1], seqs[2], seqs[6]].map(|seq| (ada.user.id, seq));
    assert_eq!(told, shown, "what is hidden is told to nobody else");
    let mine = near.app.store.my_rooms(ada.user.id).await?;
    let mine = mine.into_iter().find(|mine| mine.room.id == room);
    let known = mine.map(|mine| (mine.read, mine.room.unread));
    assert_eq!(known, Some((seqs[6], Some(0))));
    Ok(())
}

#[tokio::test]
async fn in_a_large_room_only_ones_own_devices_hear_what_one_reads() -> Result<()> {
    let set = |settings: &mut Settings| settings.limits.presence_named_max_members = 1;
    let node = TestNode::sqlite_with(set).await?;
    let (ada, bob) = (node.person("ada").await?, node.person("bob").await?);
    let room = node.room(&bob, &[&ada]).await?;
    let (mut one, mut two) = (node.socket(&ada).await?, node.socket(&ada).await?);
    let mut other = node.socket(&bob).await?;
    one.subscribe(room).await?;
    other.subscribe(room).await?;
    let seq = other.send(room, "tea?").await?.seq;
    one.reach(room, seq).await?;
    let mark = json!({ "type": "read", "room": room, "seq": seq });
    one.say(mark.clone()).await?;
    assert_eq!(read(&mut two).await?, (ada.user.id, seq));
    other.say(mark).await?;
    assert_eq!(read(&mut other).await?, (bob.user.id, seq));
    node.stop().await
}
