//! What two people and the rooms between them are told.

use std::time::Duration;

use anyhow::{Result, bail, ensure};
use client::{Client, Delivery, Draft, Ended, Error, Events, RoomEnded, Start, Status};
use protocol::{
    ErrorCode, Seq, Violation,
    events::{Event, EventKind},
    frame::{PresenceState, UnsubscribeReason},
    rooms::JoinBody,
    text::Emoji,
};

use crate::support::{body, hasty, register, room_of, soon, stored, unlimited};

/// The next event, whatever else comes before it.
async fn event(events: &mut Events) -> Result<Event> {
    until(events, |delivery| {
        if let Delivery::Event(event) = delivery {
            Some(event)
        } else {
            None
        }
    })
    .await
}

/// The next delivery that `wanted` makes something of.
async fn until<T>(events: &mut Events, mut wanted: impl FnMut(Delivery) -> Option<T>) -> Result<T> {
    let found = async {
        while let Some(delivery) = events.next().await {
            if let Some(found) = wanted(delivery) {
                return Ok(found);
            }
        }
        bail!("the events ended")
    };
    soon("a delivery", found).await?
}

#[tokio::test]
async fn what_one_writes_the_other_reads() -> Result<()> {
    let server = unlimited().start().await?;
    let client = Client::with(&server.url(), hasty())?;
    let (ada, bob) = (
        register(&client, "ada").await?,
        register(&client, "bob").await?,
    );
    let room = room_of(&ada, &[&bob]).await?;
    let (adas, bobs) = (ada.connect(), bob.connect());
    let (at_adas, at_bobs) = (adas.room(room), bobs.room(room));
    // Making the room and joining it are its first two events.
    let mut events = at_bobs.events(Start::After(Seq::ZERO, None)).await?;
    assert_eq!(event(&mut events).await?.kind, EventKind::Join);
    assert_eq!(event(&mut events).await?.user.id, bob.user());

    let stored_at = at_adas.send("Good morning").await?;
    assert_eq!((stored_at.seq, stored_at.duplicate), (Seq(3), false));
    let heard = event(&mut events).await?;
    assert_eq!((heard.seq, body(&heard)), (Seq(3), Some("Good morning")));

    let answer = at_bobs
        .send(Draft::new("And to you").reply_to(Seq(3)))
        .await?;
    assert_eq!(answer.seq, Seq(4));
    let EventKind::Message(content) = event(&mut events).await?.kind else {
        bail!("no message")
    };
    assert_eq!(content.reply_to, Some(Seq(3)));

    ada.edit(room, Seq(3), "Good evening").await?;
    assert!(
        matches!(event(&mut events).await?.kind, EventKind::Edit(edited) if edited.body == "Good evening")
    );
    bob.delete_message(room, Seq(4)).await?;
    assert!(matches!(
        event(&mut events).await?.kind,
        EventKind::Delete(_)
    ));
    assert_eq!(stored(&ada, room).await?.len(), 6);
    let tea = Emoji::parse("🍵").expect("it is one emoji");
    bob.react(room, Seq(3), &tea).await?;
    assert!(matches!(
        event(&mut events).await?.kind,
        EventKind::React(reacted) if reacted.target == Seq(3) && reacted.emoji == "🍵"
    ));
    let seen = bob.message(room, Seq(3)).await?;
    assert!(seen.content.reactions[0].me);

    // What passes.
    let mut others = at_adas.events(Start::Live).await?;
    until(&mut others, |delivery| {
        matches!(delivery, Delivery::Online(online) if online.count >= 1).then_some(())
    })
    .await?;
    at_bobs.typing(true).await?;
    until(&mut others, |delivery| {
        matches!(delivery, Delivery::Typing(typing) if typing.on && typing.user.id == bob.user())
            .then_some(())
    })
    .await?;
    at_bobs.mark_read(Seq(6)).await?;
    until(&mut others, |delivery| {
        matches!(delivery, Delivery::Read(read) if read.seq == Seq(6)).then_some(())
    })
    .await?;
    bobs.set_presence(PresenceState::Away).await?;
    until(&mut others, |delivery| {
        matches!(delivery, Delivery::Presence(presence) if presence.state == PresenceState::Away)
            .then_some(())
    })
    .await?;

    // Whoever leaves hears of their leaving, and then nothing.
    bob.leave(room).await?;
    assert_eq!(event(&mut events).await?.kind, EventKind::Leave);
    let ended = until(&mut events, |delivery| {
        if let Delivery::Ended(why) = delivery {
            Some(why)
        } else {
            None
        }
    })
    .await?;
    assert!(
        matches!(ended, RoomEnded::Unsubscribed(UnsubscribeReason::Left)),
        "{ended}"
    );
    assert!(events.next().await.is_none());

    adas.close(Duration::from_secs(10)).await?;
    assert!(matches!(
        *adas.status().borrow(),
        Status::Ended(Ended::Closed)
    ));
    assert!(matches!(
        at_adas.send("too late").await,
        Err(Error::Ended(Ended::Closed))
    ));
    Ok(())
}

#[tokio::test]
async fn a_refusal_is_told_and_the_rest_goes_on() -> Result<()> {
    let server = unlimited().start().await?;
    let client = Client::with(&server.url(), hasty())?;
    let (ada, eve) = (
        register(&client, "ada").await?,
        register(&client, "eve").await?,
    );
    let room = room_of(&ada, &[]).await?;
    let connection = eve.connect();
    let door = connection.room(room);

    let mut events = door.events(Start::Latest(10)).await?;
    let Some(Delivery::Ended(RoomEnded::Refused(refusal))) = soon("an end", events.next()).await?
    else {
        bail!("a stranger listens")
    };
    assert_eq!(
        (refusal.detail.code, refusal.status),
        (ErrorCode::NotAMember, 403)
    );
    assert_eq!(
        door.send("let me in").await.unwrap_err().code(),
        Some(ErrorCode::NotAMember)
    );

    eve.join(room, &JoinBody::default()).await?;
    let Err(Error::Refused(refusal)) = door.send("").await else {
        bail!("an empty message")
    };
    assert_eq!(refusal.detail.fields.of("body"), [Violation::TooShort]);
    // Larger than any frame that the server takes, over which it would close the socket for good.
    let large = door.send("ä".repeat(100_000)).await;
    assert_eq!(large.unwrap_err().code(), Some(ErrorCode::TooLarge));
    door.send("here I am").await?;

    // One reader for each room: the second one takes over where it says.
    let mut first = door.events(Start::Latest(10)).await?;
    let mut second = door.events(Start::After(Seq(1), None)).await?;
    let replaced = until(&mut first, |delivery| {
        matches!(delivery, Delivery::Ended(RoomEnded::Replaced)).then_some(())
    });
    replaced.await?;
    assert_eq!(event(&mut second).await?.seq, Seq(2));

    // Another history than the server's is no place to continue from.
    let other = protocol::EventId::from_uuid(room.uuid());
    let mut events = door.events(Start::After(Seq(2), Some(other))).await?;
    let head = until(&mut events, |delivery| {
        if let Delivery::Reset { head } = delivery {
            Some(head)
        } else {
            None
        }
    })
    .await?;
    assert_eq!((head, event(&mut events).await?.seq), (Seq(3), Seq(1)));

    // Letting go of everything ends it.
    let mut status = connection.status();
    drop((connection, door, first, second, events));
    let ended = status.wait_for(|status| matches!(status, Status::Ended(Ended::Closed)));
    ensure!(soon("the end", ended).await?.is_ok());
    Ok(())
}
