//! Links over real TCP, between nodes whose rooms only say what the test has them say.

mod neighbour;
mod strangers;

use neighbour::{Neighbour, SOON, Town, link_to};
use protocol::{
    ErrorCode, EventId, Seq, Timestamp,
    accounts::UserSummary,
    frame::{Goaway, PresenceState, ServerFrame, UnsubscribeReason},
    ids::Id,
    text::{ClientId, MessageBody},
};
use shared::{
    Refusal,
    store::{Append, Appended, Place},
};
use uuid::Uuid;

use std::sync::LazyLock;

use super::*;
use crate::{
    encoded::{Encoded, Ends, Entry},
    peers::{frame::Present, link::NotSaid},
};

fn room(number: u128) -> RoomId {
    Id::from_uuid(Uuid::from_u128(number))
}

fn user() -> UserSummary {
    UserSummary {
        id: Id::from_uuid(Uuid::from_u128(1)),
        username: "ada".to_owned(),
        display_name: "Ada".to_owned(),
    }
}

fn append(number: u64) -> Append {
    Append {
        room: room(1),
        id: Id::from_uuid(Uuid::from_u128(number.into())),
        user: user().id,
        client_id: ClientId::parse(&number.to_string()).unwrap(),
        body: MessageBody::parse(format!("Tea {number}?"), &protocol::Limits::default()).unwrap(),
        reply_to: None,
        thread: None,
        files: Vec::new(),
        at: Timestamp::from_unix_ms(0),
    }
}

fn place(number: u64) -> Place {
    Place {
        seq: Seq(number),
        n: number,
        id: append(number).id,
        at: Timestamp::from_unix_ms(0),
        mentions: Vec::new(),
        files: Vec::new(),
    }
}

/// So long that a few hundred fill what the network holds, and a few hundred more a queue.
fn long() -> String {
    "x".repeat(16 * 1_024)
}

fn long_word(number: usize) -> Word {
    let typist = UserSummary {
        username: number.to_string(),
        display_name: long(),
        ..user()
    };
    Word::Typing(typist, true)
}

fn entry(number: u128, seq: u64) -> Arc<Entry> {
    static FRAME: LazyLock<Encoded> = LazyLock::new(|| {
        Encoded::of(&ServerFrame::Goaway(Goaway {
            reason: long(),
            reconnect_after_ms: 0,
            url: None,
        }))
    });
    Arc::new(Entry {
        room: room(number),
        seq: Seq(seq),
        id: EventId::from_uuid(Uuid::nil()),
        frame: FRAME.clone(),
        ends: Some(Ends::Of(user().id, UnsubscribeReason::Left)),
        text: None,
    })
}

/// Attaches `gateway` to a room of `owner`: the link, and the guest that it is.
async fn attach(gateway: &Neighbour, owner: &mut Neighbour) -> (Link, Guest) {
    let link = gateway.is_linked_to(owner).await;
    let here = vec![Present {
        user: user().into(),
        state: PresenceState::Away,
    }];
    let word = Word::Attach {
        after: Seq(3),
        here: here.clone(),
    };
    link.say(room(1), word).unwrap();
    let (guest, of, word) = owner.next_word().await;
    assert_eq!(of, room(1));
    assert!(matches!(word, Word::Attach { after: Seq(3), here: heard } if heard == here));
    assert_eq!(**guest.node(), gateway.node.name);
    (link, guest)
}

#[tokio::test]
async fn words_and_messages_arrive_in_their_order_and_answers_find_who_asked() {
    const MESSAGES: u64 = 2_000;
    let (_town, gateway, mut owner) = Town::two().await;
    let (link, _) = attach(&gateway, &mut owner).await;
    let mut receipts = Vec::new();
    for number in 1..=MESSAGES {
        receipts.push(link.append(&append(number), &user()).unwrap());
        link.say(room(1), Word::Hint(Seq(number))).unwrap();
    }
    for expected in 1..=MESSAGES {
        let (guest, _, word) = owner.next_word().await;
        let Word::Append {
            number,
            append,
            user: writer,
        } = word
        else {
            panic!("{word:?} came before message {expected}");
        };
        assert_eq!(append.client_id.as_str(), expected.to_string());
        assert_eq!(append.body.as_str(), format!("Tea {expected}?"));
        assert_eq!(writer, user());
        // Refusals and places, and not in the order of the questions.
        let result = if expected % 3 == 0 {
            Err(Refusal::from(ErrorCode::SlowMode).retry_after(Duration::from_millis(expected)))
        } else {
            Ok(Appended::Stored(place(expected)))
        };
        if expected % 2 == 0 {
            guest.answer(number, result);
        } else {
            tokio::spawn(async move { guest.answer(number, result) });
        }
        let (_, _, word) = owner.next_word().await;
        assert!(matches!(word, Word::Hint(seq) if seq == Seq(expected)));
    }
    for (number, receipt) in (1..).zip(receipts) {
        let answer = timeout(SOON, receipt).await.unwrap().unwrap();
        match answer {
            Ok(Appended::Stored(stored)) => assert_eq!(stored, place(number)),
            Err(refusal) => {
                assert_eq!(number % 3, 0);
                assert_eq!(refusal.retry_after, Some(Duration::from_millis(number)));
            }
            Ok(other) => panic!("{other:?} of message {number}"),
        }
    }
}

#[tokio::test]
async fn events_come_as_they_are_and_in_order() {
    let (_town, mut gateway, mut owner) = Town::two().await;
    let (link, guest) = attach(&gateway, &mut owner).await;
    let elsewhere = vec![(
        Arc::from("third"),
        Present {
            user: user().into(),
            state: PresenceState::Online,
        },
    )];
    let attached = News::Attached {
        head: Seq(9),
        complete: true,
        elsewhere: elsewhere.clone(),
    };
    guest.tell(room(1), attached);
    for seq in 1..=100 {
        guest.deliver(&[entry(1, 2 * seq - 1), entry(1, 2 * seq)]);
    }
    let (of, _, news) = gateway.next_news().await;
    assert!(of.is_same(&link));
    assert!(
        matches!(news, News::Attached { head: Seq(9), complete: true, elsewhere: heard } if heard == elsewhere)
    );
    for seq in 1..=200 {
        let (_, of, news) = gateway.next_news().await;
        assert_eq!(of, room(1));
        let (News::Event(heard), said) = (news, entry(1, seq)) else {
            panic!("other news came before event {seq}");
        };
        assert_eq!((heard.seq, heard.ends), (said.seq, said.ends));
        let bytes = |entry: &Entry| entry.frame.clone().into_bytes();
        assert_eq!(bytes(&heard), bytes(&said));
    }
}

#[tokio::test]
async fn a_lost_link_ends_what_waits_and_another_comes_up() {
    let (town, gateway, mut owner) = Town::two().await;
    let (link, _) = attach(&gateway, &mut owner).await;
    let receipt = link.append(&append(1), &user()).unwrap();
    owner.next_word().await;
    let address = owner.node.internal_url.replace("http://", "");
    drop(owner);
    assert!(timeout(SOON, receipt).await.unwrap().is_err());
    assert!(!link.is_up());
    assert_eq!(link.say(room(1), Word::Detach), Err(NotSaid::Lost));
    assert_eq!(link.append(&append(2), &user()).unwrap_err(), NotSaid::Lost);
    // Whoever learns of it turns to who is left.
    assert!(link_to(&gateway.peers, "other").is_none());
    assert!((0..100).all(|number| gateway.peers.upstream(room(number)).is_none()));

    let mut owner = town.start_at("other", &address).await;
    let (again, _) = attach(&gateway, &mut owner).await;
    assert!(again.is_up() && !again.is_same(&link));
}

#[tokio::test]
async fn a_gateway_that_is_lost_is_attached_to_nothing() {
    let (_town, gateway, mut owner) = Town::two().await;
    let (link, guest) = attach(&gateway, &mut owner).await;
    for (number, word) in [(2, true), (3, true), (2, false)] {
        let word = match word {
            true => Word::Attach {
                after: Seq::ZERO,
                here: Vec::new(),
            },
            false => Word::Detach,
        };
        link.say(room(number), word).unwrap();
        owner.next_word().await;
    }
    drop(gateway);
    for number in [1, 3] {
        let (of, about, word) = owner.next_word().await;
        assert!(of.is_same(&guest));
        assert!(about == room(number) && matches!(word, Word::Detach));
    }
}

#[tokio::test]
async fn a_link_that_is_full_says_so_and_loses_nothing_that_it_took() {
    let (_town, gateway, mut owner) = Town::two().await;
    let (link, _) = attach(&gateway, &mut owner).await;
    // The owner's rooms are busy; what the network holds is taken, and then the queue.
    let mut said = 0;
    while link.say(room(1), long_word(said + 1)).is_ok() {
        said += 1;
        if said % 100 == 0 {
            tokio::task::yield_now().await;
        }
    }
    assert!(said >= 512, "{said} words filled it");
    assert_eq!(link.append(&append(1), &user()).unwrap_err(), NotSaid::Full);
    for expected in 1..=said {
        let (_, _, word) = owner.next_word().await;
        let Word::Typing(typist, true) = word else {
            panic!("another word came");
        };
        assert_eq!(typist.username, expected.to_string());
    }
    // Whatever was full has room again.
    link.say(room(1), Word::Detach).unwrap();
    assert!(matches!(owner.next_word().await.2, Word::Detach));
}

#[tokio::test]
async fn answers_that_nobody_gives_are_bounded() {
    let (_town, gateway, mut owner) = Town::two().await;
    let (link, _) = attach(&gateway, &mut owner).await;
    let mut receipts = Vec::new();
    loop {
        match link.append(&append(1), &user()) {
            Ok(receipt) => receipts.push(receipt),
            Err(refused) => {
                assert_eq!(refused, NotSaid::Full);
                break;
            }
        }
        owner.next_word().await;
    }
    assert_eq!(receipts.len(), 16_384);
}

#[tokio::test]
async fn a_gateway_that_falls_behind_is_told_what_it_lost_and_gets_every_answer() {
    let (_town, mut gateway, mut owner) = Town::two().await;
    let (link, guest) = attach(&gateway, &mut owner).await;
    let mut receipts = Vec::new();
    for number in 1..=100 {
        receipts.push(link.append(&append(number), &user()).unwrap());
    }
    // The gateway's rooms are busy: its queue overflows behind what the network holds.
    let (mut seq, mut asked) = (0, Vec::new());
    for number in 1..=100 {
        let (_, _, word) = owner.next_word().await;
        let Word::Append { number: name, .. } = word else {
            panic!("{word:?} is no message");
        };
        for _ in 0..40 {
            seq += 1;
            guest.deliver(&[entry(1, seq)]);
        }
        guest.answer(name, Ok(Appended::Stored(place(number))));
        asked.push(name);
    }
    let mut next = 1;
    loop {
        match gateway.next_news().await.2 {
            News::Event(entry) => {
                assert!(
                    entry.seq >= Seq(next),
                    "event {next} comes after {}",
                    entry.seq.0
                );
                next = entry.seq.0 + 1;
            }
            News::Lost => break,
            _ => panic!("other news come"),
        }
    }
    assert!(next <= seq, "nothing was dropped");
    for (number, receipt) in (1..).zip(receipts) {
        let answer = timeout(SOON, receipt).await.unwrap().unwrap();
        assert_eq!(answer, Ok(Appended::Stored(place(number))));
    }
    // From here on it hears everything again.
    guest.deliver(&[entry(1, seq + 1)]);
    assert!(matches!(gateway.next_news().await.2, News::Event(entry) if entry.seq == Seq(seq + 1)));
}

#[tokio::test]
async fn who_is_here_is_said_again_when_it_had_to_give_way() {
    let (_town, mut gateway, mut owner) = Town::two().await;
    let (_, guest) = attach(&gateway, &mut owner).await;
    let node: Arc<str> = "third".into();
    let present = Present {
        user: Arc::new(UserSummary {
            display_name: long(),
            ..user()
        }),
        state: PresenceState::Online,
    };
    // So many that half of the queue and all that the network holds are full.
    let said = 1_500;
    for _ in 0..said {
        guest.pass(room(1), News::Here(Arc::clone(&node), present.clone()));
    }
    let mut heard = 0;
    loop {
        match gateway.next_news().await.2 {
            News::Here(..) => heard += 1,
            News::Lost => break,
            _ => panic!("other news come"),
        }
    }
    assert!(heard < said, "nothing gave way");
    // Who types is not said again.
    for _ in 0..said {
        guest.pass(
            room(1),
            News::Typing(UserSummary::clone(&present.user), true),
        );
    }
    guest.tell(room(1), News::Head(Seq(1)));
    loop {
        match gateway.next_news().await.2 {
            News::Typing(..) => {}
            News::Head(Seq(1)) => break,
            _ => panic!("other news come"),
        }
    }
}

#[tokio::test]
async fn a_draining_node_owns_nothing_and_two_agree_on_the_rest() {
    let (town, one, other) = Town::two().await;
    let rooms = || (0..1_000).map(room);
    // Each room is with exactly one of the two.
    for room in rooms() {
        let (from_one, from_other) = (one.peers.upstream(room), other.peers.upstream(room));
        assert!(from_one.is_some() != from_other.is_some());
    }
    other.peers.drain();
    one.when(|peers| link_to(peers, "other").is_none().then_some(()))
        .await;
    assert!(rooms().all(|room| one.peers.upstream(room).is_none()));
    assert!(rooms().all(|room| other.peers.upstream(room).is_some()));
    // Who comes later hears of it, too, even before the store shows it.
    let third = town.start("third").await;
    town.see(&[&one.node, &other.node, &third.node]);
    third.is_linked_to(&one).await;
    let told = third.when(|peers| {
        let known = peers.known();
        let link = known.links.get("other")?;
        link.is_leaving().then_some(())
    });
    told.await;
    assert!(rooms().all(|room| {
        let upstream = third.peers.upstream(room);
        upstream.is_none_or(|link| &**link.node() == "one")
    }));
}

#[tokio::test]
async fn who_has_lost_the_store_owns_nothing_until_it_is_back() {
    let (_town, one, other) = Town::two().await;
    let rooms = || (0..100).map(room);
    other.peers.reach_store(false);
    one.when(|peers| link_to(peers, "other").is_none().then_some(()))
        .await;
    assert!(rooms().all(|room| one.peers.upstream(room).is_none()));
    assert!(rooms().all(|room| other.peers.upstream(room).is_some()));
    // Without the store, both are on their own: nobody is better off elsewhere.
    one.peers.reach_store(false);
    other
        .when(|peers| link_to(peers, "one").is_none().then_some(()))
        .await;
    assert!(rooms().all(|room| other.peers.upstream(room).is_none()));
    one.peers.reach_store(true);
    other.peers.reach_store(true);
    one.when(|peers| link_to(peers, "other")).await;
    other.when(|peers| link_to(peers, "one")).await;
    for room in rooms() {
        assert!(one.peers.upstream(room).is_some() != other.peers.upstream(room).is_some());
    }
}

#[tokio::test]
async fn one_name_is_one_node() {
    let (_town, one, other) = Town::two().await;
    assert_eq!(one.peers.admit("one").err(), Some(NotAdmitted::Itself));
    assert_eq!(one.peers.admit("other").err(), Some(NotAdmitted::Twice));
    let third = one.peers.admit("third").unwrap();
    assert_eq!(one.peers.admit("third").err(), Some(NotAdmitted::Twice));
    drop(third);
    assert!(one.peers.admit("third").is_ok());
    drop(other);
}
