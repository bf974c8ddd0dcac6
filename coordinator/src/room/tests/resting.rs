//! A room in which nothing happens has no task, and misses nothing.

use super::*;

#[tokio::test]
async fn a_room_without_a_task_hears_what_is_said_to_it() {
    let House {
        app,
        tasks,
        cancel,
        people: [(ada, _), _],
        room,
        directory: _directory,
    } = house().await;
    let node = Node {
        name: "one".to_owned(),
        url: String::new(),
        internal_url: String::new(),
        weight: 1,
        draining: false,
    };
    let rooms = Rooms::new(
        Arc::new(Stored::new(&app, &tasks)),
        Peers::new(node, Capacities::default()),
        Limits::default(),
        tasks.clone(),
        cancel.clone(),
    );
    let peer = Peer::default();
    let capacity = Capacity::default();
    let connection = Connection::new(app.clock.id(), &ada, capacity, peer.clone());
    let connection = Arc::new(connection);
    let Attaching { attached, loaded } = rooms.attach(room, &connection).unwrap();
    loaded.await.unwrap().unwrap();
    let live = attached.room().clone();
    let entered = live.enter(connection.id, PresenceState::Online, Seq(2), 2);
    entered.await.unwrap();
    follow(&connection, &live, room, Next::after(Seq(2)));

    let permits = Arc::new(Semaphore::new(1));
    for number in 0..3 {
        live.rests().await;
        assert_eq!(live.head(), Seq(2 + number), "what it was told is known");
        let permit = Arc::clone(&permits).acquire_owned().await.unwrap();
        rooms.send(sending(&app, &ada, room, number, &connection, permit));
        let mut heard = Vec::new();
        while heard.len() < 2 {
            match timeout(SOON, peer.heard()).await.unwrap() {
                ServerFrame::Ack(ack) => heard.push(ack.seq),
                ServerFrame::Event(event) => heard.push(event.seq),
                ServerFrame::Presence(_) => {}
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(heard, [Seq(3 + number); 2]);
    }
    live.rests().await;
    let online = live.enter(connection.id, PresenceState::Away, Seq(5), 2);
    let online = online.await.unwrap();
    assert_eq!(online.users.len(), 1);
    assert_eq!(online.users[0].state, PresenceState::Away);
    live.rests().await;
    drop(attached);
    let is_let_go = async {
        while rooms.count() > 0 {
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(SOON, is_let_go).await.unwrap();
    cancel.cancel();
    tasks.close();
    timeout(SOON, tasks.wait()).await.unwrap();
}

impl Room {
    /// Waits until it has no task.
    async fn rests(&self) {
        let rests = async {
            while !self.0.commands.are_left_alone() {
                sleep(Duration::from_millis(20)).await;
            }
        };
        timeout(SOON, rests).await.unwrap();
    }
}
