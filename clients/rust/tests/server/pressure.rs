//! Limits, full queues and slow readers.

use std::collections::BTreeSet;

use anyhow::{Result, bail};
use client::{Client, Delivery, Error, Receipt, Settings, Start};
use protocol::{Seq, events::Event, rooms::ChangeRoomBody};
use testkit::Chatx;

use crate::support::{Listener, body, hasty, register, room_of, soon, stored, unlimited};

/// Sends `count` numbered messages and answers where they are, in the order of sending.
async fn send_all(room: &client::Room, count: usize) -> Result<Vec<Seq>> {
    let mut receipts: Vec<Receipt> = Vec::new();
    for number in 0..count {
        receipts.push(room.submit(number.to_string()).await?);
    }
    let mut seqs = Vec::new();
    for receipt in receipts {
        seqs.push(receipt.await?.seq);
    }
    Ok(seqs)
}

#[tokio::test]
async fn rate_limits_are_waited_out_in_order() -> Result<()> {
    let server = Chatx::serve().start().await?;
    let client = Client::with(&server.url(), hasty())?;
    let ada = register(&client, "ada").await?;
    let (one, other) = (room_of(&ada, &[]).await?, room_of(&ada, &[]).await?);
    let connection = ada.connect();
    let mut listener = Listener::new(
        connection
            .room(one)
            .events(Start::After(Seq::ZERO, None))
            .await?,
    );
    let (one, other) = (connection.room(one), connection.room(other));
    let (seqs, others) = tokio::try_join!(send_all(&one, 45), send_all(&other, 15))?;
    assert!(seqs.is_sorted() && others.is_sorted());
    listener.until(*seqs.last().unwrap()).await?;
    for (room, count) in [(one.id(), 45), (other.id(), 15)] {
        let log = stored(&ada, room).await?;
        let bodies: Vec<_> = log.iter().filter_map(body).map(str::to_owned).collect();
        assert_eq!(
            bodies,
            (0..count)
                .map(|number| number.to_string())
                .collect::<Vec<_>>()
        );
    }
    Ok(())
}

#[tokio::test]
async fn slow_mode_is_waited_out() -> Result<()> {
    let server = unlimited().start().await?;
    let client = Client::with(&server.url(), hasty())?;
    let (ada, bob) = (
        register(&client, "ada").await?,
        register(&client, "bob").await?,
    );
    let room = room_of(&ada, &[&bob]).await?;
    ada.change_room(
        room,
        &ChangeRoomBody {
            slow_mode_s: Some(1),
            ..ChangeRoomBody::default()
        },
    )
    .await?;
    let connection = bob.connect();
    let seqs = send_all(&connection.room(room), 3).await?;
    assert_eq!(seqs, [Seq(4), Seq(5), Seq(6)]);
    Ok(())
}

#[tokio::test]
async fn a_slow_reader_misses_nothing_and_holds_up_nobody() -> Result<()> {
    let server = unlimited().start().await?;
    let settings = Settings {
        deliveries: 16,
        outbox: 32,
        ..hasty()
    };
    let client = Client::with(&server.url(), settings)?;
    let (ada, bob) = (
        register(&client, "ada").await?,
        register(&client, "bob").await?,
    );
    let (slow, quick) = (room_of(&ada, &[&bob]).await?, room_of(&ada, &[&bob]).await?);
    let (adas, bobs) = (ada.connect(), bob.connect());
    let unread = bobs
        .room(slow)
        .events(Start::After(Seq::ZERO, None))
        .await?;
    let mut heard = Listener::new(
        bobs.room(quick)
            .events(Start::After(Seq::ZERO, None))
            .await?,
    );

    let (in_slow, in_quick) = (adas.room(slow), adas.room(quick));
    let (slow_seqs, quick_seqs) =
        tokio::try_join!(send_all(&in_slow, 300), send_all(&in_quick, 300))?;
    heard.until(*quick_seqs.last().unwrap()).await?;
    assert_eq!(heard.log(), stored(&bob, quick).await?);

    let mut late = Listener::new(unread);
    late.until(*slow_seqs.last().unwrap()).await?;
    assert_eq!(late.log(), stored(&bob, slow).await?);
    Ok(())
}

#[tokio::test]
async fn who_missed_very_much_is_told_or_gets_it_all() -> Result<()> {
    let server = unlimited().start().await?;
    let settings = Settings {
        deliveries: 16,
        ..hasty()
    };
    let client = Client::with(&server.url(), settings.clone())?;
    let thorough = Client::with(
        &server.url(),
        Settings {
            complete: true,
            ..settings
        },
    )?;
    let (ada, bob) = (
        register(&client, "ada").await?,
        register(&thorough, "bob").await?,
    );
    let room = room_of(&ada, &[&bob]).await?;
    let (adas, bobs) = (ada.connect(), bob.connect());
    let mut hers = adas
        .room(room)
        .events(Start::After(Seq::ZERO, None))
        .await?;
    let his = bobs
        .room(room)
        .events(Start::After(Seq::ZERO, None))
        .await?;
    let seqs = send_all(&adas.room(room), 900).await?;

    let mut listener = Listener::new(his);
    listener.until(*seqs.last().unwrap()).await?;
    let log = stored(&ada, room).await?;
    assert_eq!(listener.log(), log);

    let mut tail: Vec<Event> = Vec::new();
    let mut resets = 0;
    while tail.last() != log.last() {
        match soon("a delivery", hers.next()).await? {
            Some(Delivery::Event(event)) => tail.push(event),
            Some(Delivery::Reset { head }) => {
                assert_eq!(head, *seqs.last().unwrap());
                tail.clear();
                resets += 1;
            }
            Some(Delivery::Ended(why)) => bail!("ended: {why}"),
            _ => {}
        }
    }
    assert_eq!((resets, tail.as_slice()), (1, &log[log.len() - 50..]));
    Ok(())
}

#[tokio::test]
async fn a_full_outbox_says_so() -> Result<()> {
    let mut server = unlimited().start().await?;
    let client = Client::with(
        &server.url(),
        Settings {
            outbox: 8,
            ..hasty()
        },
    )?;
    let ada = register(&client, "ada").await?;
    let room = room_of(&ada, &[]).await?;
    let connection = ada.connect();
    let room = connection.room(room);
    room.send("first").await?;
    server.kill_9()?;
    let receipts: Vec<_> = (0..8)
        .map(|number| room.try_submit(number.to_string()))
        .collect::<Result<_, _>>()?;
    assert!(matches!(room.try_submit("one too many"), Err(Error::Busy)));
    server.restart().await?;
    let mut seqs = BTreeSet::new();
    for receipt in receipts {
        seqs.insert(receipt.await?.seq);
    }
    assert_eq!(seqs, (3..11).map(Seq).collect());
    room.try_submit("room again")?.await?;
    Ok(())
}
