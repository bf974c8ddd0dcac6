//! A room on two nodes of which each takes the other for its owner: real links and a real store, and nobody
//! who would settle it.

mod resting;

use std::{
    io,
    net::{IpAddr, Ipv4Addr},
    sync::OnceLock,
};

use futures_util::{FutureExt, future::BoxFuture};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use protocol::{
    Limits, Parse, Timestamp,
    events::EventKind,
    frame::ServerFrame,
    rooms::{CreateRoom, CreateRoomBody, Join},
    text::{ClientId, MessageBody},
};
use shared::{
    App, Caller, Clock, Settings,
    cluster::Node,
    rooms,
    store::{Append, NewAccount, NewSession},
};
use tempfile::TempDir;
use tokio::{
    io::duplex,
    sync::{OwnedSemaphorePermit, Semaphore, watch},
    time::{Duration, sleep, timeout},
};
use tokio_tungstenite::{WebSocketStream, tungstenite::protocol::Role};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::*;
use crate::{
    connection::Passport,
    delivery::{Next, Verdict},
    log::Stored,
    outbox::{Capacity, Place, tests::Peer},
    peers::{
        Capacities, Peers,
        dial::{Dial, Stream},
        guest,
    },
    rooms::{Attaching, Rooms},
};

/// A bound on what cannot take long.
const SOON: Duration = Duration::from_secs(60);
const MESSAGES_EACH: u64 = 200;

/// A node.
#[derive(Clone)]
struct Side {
    node: Node,
    peers: Peers,
    rooms: Rooms,
}

/// The way to the only other node.
struct Direct {
    own: String,
    other: Arc<OnceLock<Side>>,
    cancel: CancellationToken,
}

impl Dial for Direct {
    fn dial(&self, _: &Node) -> BoxFuture<'static, io::Result<WebSocketStream<Stream>>> {
        let (own, cancel) = (self.own.clone(), self.cancel.clone());
        let other = self.other.get().cloned();
        async move {
            let Side { peers, rooms, .. } = other.ok_or(io::ErrorKind::NotConnected)?;
            let admitted = peers.admit(&own).map_err(io::Error::other)?;
            let (near, far) = duplex(64 * 1_024);
            let far = WebSocketStream::from_raw_socket(far, Role::Server, None).await;
            tokio::spawn(guest::serve(admitted, rooms, far, cancel));
            let near: Stream = Box::new(near);
            Ok(WebSocketStream::from_raw_socket(near, Role::Client, None).await)
        }
        .boxed()
    }
}

/// Two nodes, each of which gives itself next to no weight and sees the other with much.
fn misled(app: &App, tasks: &TaskTracker, cancel: &CancellationToken) -> [Side; 2] {
    let seen: [Arc<OnceLock<Side>>; 2] = [Arc::default(), Arc::default()];
    let names = ["one", "two"];
    let node = |name: &str, weight| Node {
        name: name.to_owned(),
        url: String::new(),
        internal_url: format!("http://{name}"),
        weight,
        draining: false,
    };
    let start = |number: usize| {
        let other = 1 - number;
        let own = node(names[number], 1);
        let peers = Peers::new(own.clone(), Capacities::default());
        let rooms = Rooms::new(
            Arc::new(Stored::new(app, tasks)),
            peers.clone(),
            Limits::default(),
            tasks.clone(),
            cancel.clone(),
        );
        let live: Arc<[Node]> = Arc::new([own.clone(), node(names[other], u32::MAX)]);
        let dial = Arc::new(Direct {
            own: own.name.clone(),
            other: Arc::clone(&seen[other]),
            cancel: cancel.clone(),
        });
        let (rooms_too, ended) = (rooms.clone(), cancel.clone());
        let running = peers.clone();
        tasks.spawn(async move {
            let (_kept, live) = watch::channel(live);
            running.run(rooms_too, dial, live, ended).await;
        });
        Side {
            node: own,
            peers,
            rooms,
        }
    };
    let sides = [start(0), start(1)];
    for (seen, side) in seen.iter().zip(&sides) {
        assert!(seen.set(side.clone()).is_ok());
    }
    sides
}

/// A store with a room in which two people are.
struct House {
    app: App,
    tasks: TaskTracker,
    cancel: CancellationToken,
    people: [(Passport, Caller); 2],
    room: RoomId,
    directory: TempDir,
}

async fn house() -> House {
    let directory = tempfile::tempdir().unwrap();
    let settings = Settings {
        database_url: format!("sqlite:{}", directory.path().join("chatx.db").display()).into(),
        cluster_secret: "a secret that only tests know".into(),
        node: "test".to_owned(),
        ..Settings::default()
    };
    let (tasks, cancel) = (TaskTracker::new(), CancellationToken::new());
    let connected = App::connect(settings, Clock::system(), None, &tasks, &cancel);
    let app = connected.await.unwrap();
    app.store.migrate().await.unwrap();
    let people = [person(&app, "ada").await, person(&app, "bob").await];
    let [(_, as_ada), (_, as_bob)] = &people;
    let body = CreateRoomBody {
        name: Some("tea".to_owned()),
        topic: None,
        visibility: None,
        password: None,
        max_members: None,
        history: None,
    };
    let create = CreateRoom::parse(body, &Limits::default()).unwrap();
    let room = rooms::create(&app, as_ada, create).await.unwrap().id;
    let joined = rooms::join(&app, as_bob, room, Join::default()).await;
    joined.unwrap();
    House {
        app,
        tasks,
        cancel,
        people,
        room,
        directory,
    }
}

async fn person(app: &App, name: &str) -> (Passport, Caller) {
    let (clock, at) = (&app.clock, app.clock.now());
    let ip = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let account = NewAccount {
        id: clock.id(),
        username: name.to_owned(),
        email: format!("{name}@example.com"),
        display_name: name.to_owned(),
        password_hash: "not used here".to_owned(),
        at,
    };
    let session = NewSession {
        id: clock.id(),
        user: account.id,
        device: String::new(),
        ip,
        at,
        expires_at: at.after(Duration::from_secs(86_400)),
    };
    app.store.create_account(&account, &session).await.unwrap();
    let user = UserSummary {
        id: account.id,
        username: account.username,
        display_name: account.display_name,
    };
    let caller = Caller {
        user: user.clone(),
        session: session.id,
        ip,
        request_id: "test".to_owned(),
        admin: false,
        scopes: None,
    };
    let passport = Passport {
        user,
        session: session.id,
        admin: false,
        scopes: None,
        expires_at: Timestamp::from_unix_ms(i64::MAX),
        ip,
    };
    (passport, caller)
}

/// Follows the room on a node, writes into it, and hears everything up to `head`.
async fn converse(app: &App, side: &Side, who: &Passport, room: RoomId, head: Seq) {
    let capacity = Capacity {
        bytes: 64 * 1_024 * 1_024,
        frames: 65_536,
    };
    let peer = Peer::default();
    let connection = Connection::new(app.clock.id(), who, capacity, peer.clone());
    let connection = Arc::new(connection);
    let Attaching { attached, loaded } = side.rooms.attach(room, &connection).unwrap();
    loaded.await.unwrap().unwrap();
    let id = connection.id;
    let entered = attached.room().enter(id, PresenceState::Online, Seq(2), 2);
    entered.await.unwrap();
    // The other loads the room at about the same time, from the same place.
    let mut next = Next::after(attached.room().head().min(Seq(2)));
    follow(&connection, attached.room(), room, next);
    let permits = Arc::new(Semaphore::new(256));
    for number in 0..MESSAGES_EACH {
        let permit = Arc::clone(&permits).acquire_owned().await.unwrap();
        let sending = sending(app, who, room, number, &connection, permit);
        side.rooms.send(sending);
    }
    let mut answers = 0;
    while next.last() < head || answers < MESSAGES_EACH {
        match peer.heard().await {
            ServerFrame::Ack(_) => answers += 1,
            ServerFrame::Event(event) => assert_eq!(next.offer(event.seq), Verdict::Send),
            ServerFrame::Presence(_) => {}
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(permits.available_permits(), 256, "each is answered once");
}

/// Somebody's message of that number.
fn sending(
    app: &App,
    who: &Passport,
    room: RoomId,
    number: u64,
    connection: &Connection,
    unanswered: OwnedSemaphorePermit,
) -> Sending {
    let text = format!("{} {number}", who.user.username);
    Sending {
        append: Append {
            room,
            id: app.clock.id(),
            user: who.user.id,
            client_id: ClientId::parse(&number.to_string()).unwrap(),
            body: MessageBody::parse(text, &Limits::default()).unwrap(),
            reply_to: None,
            thread: None,
            files: Vec::new(),
            at: app.clock.now(),
        },
        user: who.user.clone(),
        id: None,
        outbox: connection.outbox.clone(),
        unanswered,
    }
}

/// Has a socket follow a room from `next` on, as its owner would.
fn follow(connection: &Connection, live: &Room, room: RoomId, next: Next) {
    let outbox = &connection.outbox;
    outbox.follow(room, next);
    while let Some(Place::Behind(next)) = outbox.place(room) {
        match live.following(next.seq(), usize::MAX) {
            Following::Nothing => drop(outbox.go_live(room, || live.head())),
            Following::Entries(entries) => {
                for entry in entries {
                    assert!(outbox.hold_behind(&entry));
                }
            }
            Following::Forgotten => panic!("the room remembers all of the few"),
        }
    }
    outbox.flush();
}

fn counted(handle: &PrometheusHandle, what: &str) -> u64 {
    let rendered = handle.render();
    let line = rendered.lines().find_map(|line| line.strip_prefix(what));
    line.map_or(0, |count| count.trim().parse().unwrap())
}

#[tokio::test]
async fn nodes_that_take_each_other_for_the_owner_lose_nothing_and_let_go() {
    let recorder = PrometheusBuilder::new().build_recorder();
    let handle = recorder.handle();
    let _counted = metrics::set_default_local_recorder(&recorder);
    let House {
        app,
        tasks,
        cancel,
        people: [(ada, _), (bob, _)],
        room,
        directory: _directory,
    } = house().await;

    let sides = misled(&app, &tasks, &cancel);
    let is_misled = |side: &Side| side.peers.upstream(room).is_some();
    let both_are_misled = async {
        while !sides.iter().all(is_misled) {
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(SOON, both_are_misled).await.unwrap();
    let head = Seq(2 + 2 * MESSAGES_EACH);
    let conversation = async {
        tokio::join!(
            converse(&app, &sides[0], &ada, room, head),
            converse(&app, &sides[1], &bob, room, head),
        )
    };
    timeout(SOON, conversation).await.unwrap();
    let stored = app.store.events(room, Seq(2), 1_000).await.unwrap();
    assert_eq!(stored.len() as u64, 2 * MESSAGES_EACH);
    for (who, name) in [(&ada, "ada"), (&bob, "bob")] {
        let theirs = stored.iter().filter(|event| event.user.id == who.user.id);
        for (number, event) in theirs.enumerate() {
            let EventKind::Message(message) = &event.kind else {
                panic!("only messages were sent");
            };
            assert_eq!(message.body, format!("{name} {number}"));
        }
    }

    // Nobody follows the room any more: each lets go of the other, though the other still had it.
    let both_let_go = async {
        while sides.iter().any(|side| side.rooms.count() > 0) {
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(SOON, both_let_go).await.unwrap();
    // Each message was passed on once, and its event came back to each at most once and once more.
    let out = |kind| {
        let labels = format!("{{direction=\"out\",kind=\"{kind}\"}}");
        counted(&handle, &format!("chatx_link_frames_total{labels}"))
    };
    assert_eq!(out("append"), 2 * MESSAGES_EACH);
    let events = out("event");
    assert!(
        (1..=4 * MESSAGES_EACH + 1_024).contains(&events),
        "{events}"
    );
    for side in sides {
        assert_eq!(side.rooms.count(), 0, "{}", side.node.name);
    }
    cancel.cancel();
    tasks.close();
    timeout(SOON, tasks.wait()).await.unwrap();
}
