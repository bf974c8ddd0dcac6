//! Nodes at the other end that fall silent, take nothing or talk nonsense.

use futures_util::{SinkExt, StreamExt};
use shared::cluster::Node;
use tokio::{
    net::TcpListener,
    time::{Duration, sleep, timeout},
};
use tokio_tungstenite::tungstenite::Message;

use super::{
    long_word,
    neighbour::{Neighbour, SOON, Town, answer, link_to},
    room,
};
use crate::peers::{
    frame::{self, Frame, Up},
    link::NotSaid,
};

/// A node that takes links and then does with them what the test wants.
async fn stranger(town: &Town) -> (TcpListener, Node, Neighbour) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let node = Node {
        name: "other".to_owned(),
        url: String::new(),
        internal_url: format!("http://{}", listener.local_addr().unwrap()),
        weight: 1,
        draining: false,
    };
    let gateway = town.start("one").await;
    town.see(&[&gateway.node, &node]);
    (listener, node, gateway)
}

#[tokio::test]
async fn a_node_that_falls_silent_is_lost_and_dialed_again() {
    let town = Town::new();
    let (listener, _, gateway) = stranger(&town).await;
    let (mut socket, name) = answer(listener.accept().await.unwrap().0).await;
    assert_eq!(name, "one");
    // Until it said something, no room is there.
    assert!(link_to(&gateway.peers, "other").is_none());
    let ping = Message::binary(frame::Down::Ping.alone());
    socket.send(ping.clone()).await.unwrap();
    let link = gateway.when(|peers| link_to(peers, "other")).await;
    // It reads, and says nothing: the gateway, which says that it lives, gives up.
    let mut heard = 0;
    while let Ok(Some(Ok(message))) = timeout(SOON, socket.next()).await {
        if message.is_binary() {
            let frames = frame::read::<Up>(&message.into_data()).unwrap();
            assert!(matches!(frames[..], [Up::Ping]));
            heard += 1;
        }
    }
    assert!(heard > 1, "it was pinged {heard} times");
    assert!(!link.is_up());
    let (mut socket, _) = answer(listener.accept().await.unwrap().0).await;
    socket.send(ping).await.unwrap();
    let again = gateway.when(|peers| link_to(peers, "other")).await;
    assert!(!again.is_same(&link));
}

#[tokio::test]
async fn a_node_that_takes_nothing_is_lost() {
    let town = Town::new();
    let (listener, _, gateway) = stranger(&town).await;
    let (socket, _) = answer(listener.accept().await.unwrap().0).await;
    let (mut sink, _unread) = socket.split();
    let pinging = tokio::spawn(async move {
        loop {
            let ping = Message::binary(frame::Down::Ping.alone());
            if sink.send(ping).await.is_err() {
                return;
            }
            sleep(Duration::from_millis(200)).await;
        }
    });
    let link = gateway.when(|peers| link_to(peers, "other")).await;
    let gone = gateway.when(|peers| link_to(peers, "other").is_none().then_some(()));
    let filling = async {
        while link.say(room(1), long_word(1)) != Err(NotSaid::Lost) {
            tokio::task::yield_now().await;
        }
    };
    tokio::join!(gone, filling);
    assert!(!link.is_up());
    pinging.abort();
}

#[tokio::test]
async fn a_node_that_talks_nonsense_is_lost() {
    let town = Town::new();
    let (listener, _, gateway) = stranger(&town).await;
    let (mut socket, _) = answer(listener.accept().await.unwrap().0).await;
    let mut message = frame::Down::Ping.alone();
    message.extend([0xff; 9]);
    socket.send(Message::binary(message)).await.unwrap();
    // Closed, and dialed anew.
    drop(timeout(SOON, socket.collect::<Vec<_>>()).await.unwrap());
    answer(listener.accept().await.unwrap().0).await;
    drop(gateway);
}
