//! What a store promises, on both engines: rooms, people in them, who may do what, and reading back.

use anyhow::Result;
use crate::ground::{Ground, on_both_engines, public, refused};
use protocol::{ErrorCode, Limits, Seq, messages::History};
use shared::store::{Appended, Entry};

on_both_engines!(messages_get_dense_places_and_are_read_back, a_resend_answers_the_first_place);

async fn messages_get_dense_places_and_are_read_back(ground: Ground) -> Result<()> {
    let ada = ground.person("ada").await?;
    let room = ground.room(&ada, "Tea").await?;
    let first = ground.send(room.id, &ada, "one").await?;
    let second = ground.send(room.id, &ada, "two").await?;
    // The owner's joining is the first event.
    assert_eq!((first.seq, first.n), (Seq(2), 1));
    assert_eq!((second.seq, second.n), (Seq(3), 2));

    let history = History { limit: 50, ..History::default() };
    let list = ground.store.history(room.id, ada.id, &history).await?;
    let bodies: Vec<_> = list.messages.iter().map(|message| message.content.body.as_str()).collect();
    assert_eq!(bodies, ["says one", "says two"]);
    assert_eq!(list.head, Seq(3));
    Ok(())
}

async fn a_resend_answers_the_first_place(ground: Ground) -> Result<()> {
    let ada = ground.person("ada").await?;
    let room = ground.room(&ada, "Tea").await?;
    let place = ground.send(room.id, &ada, "one").await?;
    let again = ground.append(ground.message(room.id, ada.id, "one")).await?;
    assert_eq!(again, Appended::Duplicate(place));

    let entry = ground.message(room.id, ada.id, "two");
    let twice = [entry.clone(), ground.message(room.id, ada.id, "two"), ground.message(room.id, ada.id, "three")];
    let outcomes = ground.store.append(&twice).await?;
    let Appended::Stored(second) = outcomes[0] else { panic!("{outcomes:?}") };
    assert_eq!(outcomes[1], Appended::Duplicate(second));
    assert!(matches!(outcomes[2], Appended::Stored(place) if place.seq == second.seq.next()));
    // The very same entry again is not a resend of the client, but a retry of ours.
    assert_eq!(ground.append(entry).await?, Appended::Stored(second));
    Ok(())
}
