//! Batches in which plain rooms and rooms that have to be judged stand next to each other, on both engines.

use anyhow::Result;
use protocol::{ErrorCode, RoomId, Seq, accounts::UserSummary};
use shared::store::{Append, Appended, As};

use crate::ground::{Ground, on_both_engines};

on_both_engines!(
    a_resend_in_one_room_leaves_the_others_as_they_are,
    answers_are_stored_where_what_they_answer_is,
    who_was_put_out_is_still_told_where_their_message_stands,
    a_message_named_like_one_in_another_room_is_its_own,
);

/// Two people and three rooms that both are in.
async fn talk(ground: &Ground) -> Result<([UserSummary; 2], [RoomId; 3])> {
    let [ada, bob] = ground.people(["ada", "bob"]).await?;
    let mut rooms = Vec::new();
    for name in ["Tea", "Coffee", "Water"] {
        let room = ground.room(&ada, name).await?.id;
        ground.join(room, &bob).await?;
        rooms.push(room);
    }
    Ok(([ada, bob], rooms.try_into().expect("three names")))
}

/// The seqs of a batch's outcomes; what is refused by its code.
async fn outcomes(ground: &Ground, entries: &[Append]) -> Result<Vec<String>> {
    let told = |outcome: Appended| match outcome {
        Appended::Stored(place) => format!("{} as message {}", place.seq, place.n),
        Appended::Duplicate(place) => format!("already {}", place.seq),
        Appended::Refused(refusal) => format!("{:?}", refusal.code),
    };
    let outcomes = ground.store.append(entries).await?;
    Ok(outcomes.into_iter().map(told).collect())
}

/// Every log is dense, holds these messages in this order, and ends at its room's head.
async fn logs_hold(ground: &Ground, expected: &[(RoomId, &[&str])]) -> Result<()> {
    for (room, names) in expected {
        let log = ground.log(*room).await?;
        let seqs: Vec<u64> = log.iter().map(|event| event.seq.0).collect();
        assert_eq!(seqs, (1..=u64::try_from(log.len())?).collect::<Vec<_>>());
        let bodies: Vec<&str> = log
            .iter()
            .filter_map(|event| match &event.kind {
                protocol::events::EventKind::Message(message) => Some(message.body.as_str()),
                _ => None,
            })
            .collect();
        let names: Vec<String> = names.iter().map(|name| format!("says {name}")).collect();
        assert_eq!(bodies, names);
        let head = ground.store.heads(&[*room]).await?[0];
        assert_eq!(
            (head.seq.0, head.n),
            (u64::try_from(log.len())?, u64::try_from(names.len())?)
        );
    }
    Ok(())
}

async fn a_resend_in_one_room_leaves_the_others_as_they_are(ground: Ground) -> Result<()> {
    let ([ada, bob], [tea, coffee, water]) = talk(&ground).await?;
    ground.send(tea, &ada, "one").await?;
    let entries = [
        ground.message(coffee, bob.id, "one"),
        ground.message(tea, ada.id, "one"),
        ground.message(tea, bob.id, "two"),
        ground.message(water, ada.id, "one"),
        ground.message(coffee, ada.id, "two"),
        ground.message(water, ada.id, "one"),
    ];
    let told = outcomes(&ground, &entries).await?;
    assert_eq!(
        told,
        [
            "3 as message 1",
            "already 3",
            "4 as message 2",
            "3 as message 1",
            "4 as message 2",
            "already 3",
        ]
    );
    // The answer to the whole batch was lost: each entry is told the same again.
    let again = outcomes(&ground, &entries).await?;
    assert_eq!(again[2..4], told[2..4]);
    logs_hold(
        &ground,
        &[
            (tea, &["one", "two"]),
            (coffee, &["one", "two"]),
            (water, &["one"]),
        ],
    )
    .await
}

async fn answers_are_stored_where_what_they_answer_is(ground: Ground) -> Result<()> {
    let ([ada, bob], [tea, coffee, water]) = talk(&ground).await?;
    let first = ground.send(tea, &ada, "one").await?.seq;
    let answer = |room, name: &str, reply_to, thread| Append {
        reply_to,
        thread,
        ..ground.message(room, bob.id, name)
    };
    let entries = [
        answer(tea, "two", Some(first), None),
        // There is such a place in the other room only.
        answer(coffee, "one", Some(first), None),
        ground.message(coffee, bob.id, "two"),
        ground.message(water, ada.id, "one"),
        answer(tea, "three", Some(first), Some(first)),
    ];
    assert_eq!(
        outcomes(&ground, &entries).await?,
        [
            "4 as message 2",
            "MessageNotFound",
            "3 as message 1",
            "3 as message 1",
            "5 as message 3",
        ]
    );
    let stored = ground.store.message(tea, ada.id, Seq(5)).await?;
    assert_eq!(
        (stored.content.reply_to, stored.content.thread),
        (Some(first), Some(first))
    );
    // A joining is an event and no message, and a thread that begins at one is in no room.
    let entries = [
        answer(tea, "four", None, Some(Seq(1))),
        answer(tea, "five", None, Some(first)),
    ];
    assert_eq!(
        outcomes(&ground, &entries).await?,
        ["MessageNotFound", "6 as message 4"]
    );
    logs_hold(
        &ground,
        &[
            (tea, &["one", "two", "three", "five"]),
            (coffee, &["two"]),
            (water, &["one"]),
        ],
    )
    .await
}

async fn who_was_put_out_is_still_told_where_their_message_stands(ground: Ground) -> Result<()> {
    let ([ada, bob], [tea, coffee, water]) = talk(&ground).await?;
    ground.send(tea, &bob, "one").await?;
    let at = ground.clock.now();
    ground.store.kick(tea, ada.id, bob.id, at).await?;
    ground
        .store
        .delete_room(water, (ada.id, As::Owner), None, at)
        .await?;
    let entries = [
        ground.message(tea, bob.id, "one"),
        ground.message(tea, bob.id, "two"),
        ground.message(coffee, bob.id, "one"),
        ground.message(water, bob.id, "one"),
        ground.message(ground.clock.id(), bob.id, "one"),
        ground.message(tea, ada.id, "three"),
    ];
    assert_eq!(
        outcomes(&ground, &entries).await?,
        [
            "already 3".to_owned(),
            format!("{:?}", ErrorCode::NotAMember),
            "3 as message 1".to_owned(),
            format!("{:?}", ErrorCode::RoomNotFound),
            format!("{:?}", ErrorCode::RoomNotFound),
            "5 as message 2".to_owned(),
        ]
    );
    logs_hold(&ground, &[(tea, &["one", "three"]), (coffee, &["one"])]).await
}

async fn a_message_named_like_one_in_another_room_is_its_own(ground: Ground) -> Result<()> {
    let ([ada, bob], rooms) = talk(&ground).await?;
    let named = |person: &UserSummary| rooms.map(|room| ground.message(room, person.id, "one"));
    let entries = [named(&ada), named(&bob)].concat();
    let told = outcomes(&ground, &entries).await?;
    assert_eq!(told[..3], ["3 as message 1"; 3]);
    assert_eq!(told[3..], ["4 as message 2"; 3]);
    Ok(())
}
