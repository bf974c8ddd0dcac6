use bytes::Bytes;
use proptest::{collection::vec, option, prelude::*};
use protocol::{
    ErrorCode, Fields, Timestamp, Violation,
    frame::UnsubscribeReason,
    ids::Id,
    text::{ClientId, MessageBody},
};
use shared::store::Place;
use std::time::Duration;
use uuid::Uuid;

use super::*;
use crate::encoded::{Ends, Text};

fn id<K>() -> impl Strategy<Value = Id<K>> {
    any::<u128>().prop_map(|number| Id::from_uuid(Uuid::from_u128(number)))
}

fn seq() -> impl Strategy<Value = Seq> {
    any::<u64>().prop_map(Seq)
}

fn user() -> impl Strategy<Value = UserSummary> {
    (id(), ".{0,12}", ".{0,12}").prop_map(|(id, username, display_name)| UserSummary {
        id,
        username,
        display_name,
    })
}

fn present() -> impl Strategy<Value = Present> {
    use PresenceState::*;
    let state = prop::sample::select(vec![Offline, Invisible, Away, Dnd, Online]);
    (user(), state).prop_map(|(user, state)| Present {
        user: user.into(),
        state,
    })
}

fn append() -> impl Strategy<Value = Word> {
    let text = ("[a-z]{1,64}", "[^\\p{Cc}]{0,200}x");
    let places = (option::of(seq()), option::of(seq()));
    (any::<u64>(), id(), id(), user(), text, places, any::<i64>()).prop_map(
        |(number, room, id, user, (client_id, body), (reply_to, thread), at)| Word::Append {
            number,
            append: Box::new(Append {
                room,
                id,
                user: user.id,
                client_id: ClientId::parse(&client_id).unwrap(),
                body: MessageBody::parse(body, &protocol::Limits::default()).unwrap(),
                reply_to,
                thread,
                files: vec![protocol::FileId::from_uuid(id.uuid())],
                at: Timestamp::from_unix_ms(at),
            }),
            user,
        },
    )
}

fn up() -> impl Strategy<Value = Up> {
    let word = prop_oneof![
        (seq(), vec(present(), 0..4)).prop_map(|(after, here)| Word::Attach { after, here }),
        Just(Word::Detach),
        append(),
        present().prop_map(Word::Here),
        id().prop_map(Word::Away),
        (user(), any::<bool>()).prop_map(|(user, on)| Word::Typing(user, on)),
        seq().prop_map(Word::Hint),
    ];
    let said = (id(), word).prop_map(|(room, word)| match word {
        Word::Append { ref append, .. } => Up::Room(append.room, word),
        word => Up::Room(room, word),
    });
    prop_oneof![1 => Just(Up::Ping), 9 => said]
}

fn entry() -> impl Strategy<Value = Entry> {
    use UnsubscribeReason::*;
    let reason = || prop::sample::select(vec![Left, Kicked, Banned, Deleted, Archived]);
    let ends = prop_oneof![
        (id(), reason()).prop_map(|(user, reason)| Ends::Of(user, reason)),
        reason().prop_map(Ends::All),
    ];
    let text = prop_oneof![seq().prop_map(Text::Of), seq().prop_map(Text::Erased)];
    let frame = vec(any::<u8>(), 0..400)
        .prop_map(|bytes| serde_json::from_value(serde_json::json!(bytes)).unwrap());
    (id(), seq(), id(), frame, option::of(ends), option::of(text)).prop_map(
        |(room, seq, id, frame, ends, text)| Entry {
            room,
            seq,
            id,
            frame,
            ends,
            text,
        },
    )
}

fn answer() -> impl Strategy<Value = Result<Appended, Refusal>> {
    let place = (seq(), any::<u64>(), id(), any::<i64>()).prop_map(|(seq, n, id, at)| Place {
        seq,
        n,
        id,
        at: Timestamp::from_unix_ms(at),
        mentions: Vec::new(),
        files: Vec::new(),
    });
    let code = prop::sample::select(vec![
        ErrorCode::Malformed,
        ErrorCode::SlowMode,
        ErrorCode::Unavailable,
    ]);
    let refusal =
        (code, option::of(any::<u64>()), "[a-z]{0,5}").prop_map(|(code, ms, field)| Refusal {
            code,
            fields: Fields::one(field, Violation::TooLong),
            retry_after: ms.map(Duration::from_millis),
        });
    (any::<u8>(), place, refusal).prop_map(|(kind, place, refusal)| match kind % 4 {
        0 => Ok(Appended::Stored(place)),
        1 => Ok(Appended::Duplicate(place)),
        2 => Ok(Appended::Refused(refusal)),
        _ => Err(refusal),
    })
}

fn down() -> impl Strategy<Value = Down> {
    let node = || "[a-z0-9-]{1,9}".prop_map(Arc::<str>::from);
    let elsewhere = vec((node(), present()), 0..4);
    let news = prop_oneof![
        (seq(), any::<bool>(), elsewhere).prop_map(|(head, complete, elsewhere)| News::Attached {
            head,
            complete,
            elsewhere
        }),
        entry().prop_map(|entry| News::Event(Arc::new(entry))),
        seq().prop_map(News::Head),
        Just(News::Lost),
        seq().prop_map(News::WentBack),
        Just(News::Gone),
        (node(), present()).prop_map(|(node, present)| News::Here(node, present)),
        (node(), id()).prop_map(|(node, user)| News::Away(node, user)),
        node().prop_map(News::NodeAway),
        (user(), any::<bool>()).prop_map(|(user, on)| News::Typing(user, on)),
    ];
    prop_oneof![
        1 => Just(Down::Ping),
        1 => any::<bool>().prop_map(Down::Staying),
        3 => (any::<u64>(), answer()).prop_map(|(number, result)| Down::Appended { number, result }),
        9 => (id(), news).prop_map(|(room, news)| Down::Room(room, news)),
    ]
}

fn message<F: Frame>(frames: &[F]) -> Vec<u8> {
    let mut message = Vec::new();
    for frame in frames {
        frame.encode(&mut message);
    }
    message
}

/// What a frame says, with the text that its `Debug` keeps to itself.
fn spelled_up(frame: &Up) -> String {
    let body = match frame {
        Up::Room(_, Word::Append { append, .. }) => append.body.as_str(),
        _ => "",
    };
    format!("{frame:?} {body}")
}

fn spelled_down(frame: &Down) -> String {
    let bytes = match frame {
        Down::Room(_, News::Event(entry)) => entry.frame.clone().into_bytes(),
        _ => Bytes::new(),
    };
    format!("{frame:?} {bytes:?}")
}

proptest! {
    #[test]
    fn what_a_gateway_says_arrives(said in vec(up(), 0..8)) {
        let bytes = message(&said);
        let heard: Vec<Up> = read(&bytes).unwrap();
        let spell = |frames: &[Up]| frames.iter().map(spelled_up).collect::<Vec<_>>();
        prop_assert_eq!(spell(&heard), spell(&said));
    }

    #[test]
    fn what_an_owner_says_arrives(said in vec(down(), 0..8)) {
        let bytes = message(&said);
        let heard: Vec<Down> = read(&bytes).unwrap();
        let spell = |frames: &[Down]| frames.iter().map(spelled_down).collect::<Vec<_>>();
        prop_assert_eq!(spell(&heard), spell(&said));
    }

    /// Whatever comes instead is an error, and nothing worse.
    #[test]
    fn garbage_is_told(noise in vec(any::<u8>(), 0..200), said in vec(up(), 1..3), cut in any::<prop::sample::Index>()) {
        drop(read::<Up>(&noise));
        drop(read::<Down>(&noise));
        // A message that is cut is shorter, or none.
        let mut bytes = message(&said);
        bytes.truncate(cut.index(bytes.len()));
        if let Ok(heard) = read::<Up>(&bytes) {
            prop_assert!(heard.len() < said.len());
        }
    }
}

#[test]
fn a_message_for_one_room_in_the_name_of_another_is_garbled() {
    use proptest::strategy::ValueTree;
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let word = proptest::strategy::Strategy::new_tree(&append(), &mut runner)
        .unwrap()
        .current();
    let elsewhere = RoomId::from_uuid(Uuid::from_u128(7));
    let bytes = Up::Room(elsewhere, word).alone();
    assert!(read::<Up>(&bytes).is_err());
}
