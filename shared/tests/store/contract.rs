//! What a store promises, on both engines: the log and its gate, rooms, and reading back.

use anyhow::Result;
use protocol::{
    Limits, Role, Seq,
    error::ErrorCode::{
        Archived, Forbidden, MessageNotFound, Muted, NameTaken, RoomNotFound, SlowMode,
    },
    events::{Event, EventKind},
    rooms::{ChangeMember, ChangeRoom, CreateRoom, FindRooms, HistoryVisibility, Visibility},
};
use shared::store::{Appended, As, Entry};
use std::time::Duration;

use crate::ground::{Ground, body, latest, on_both_engines, public, refused, room_name};

on_both_engines!(
    messages_get_dense_places_and_are_read_back,
    a_resend_answers_the_first_place,
    who_may_not_write_does_not_disturb_the_neighbours,
    slow_mode_lets_one_message_through,
    leaving_ends_neither_a_mute_nor_slow_mode,
    a_deleted_message_is_gone_everywhere,
    an_edit_is_read_in_the_history,
    a_name_differing_by_case_is_taken,
    a_change_of_a_room_is_one_event,
    a_deleted_room_is_gone,
    an_archived_room_is_read_but_not_written,
    every_kind_of_event_is_read_back,
);

async fn messages_get_dense_places_and_are_read_back(ground: Ground) -> Result<()> {
    let ada = ground.person("ada").await?;
    let room = ground.room(&ada, "Tea").await?;
    let first = ground.send(room.id, &ada, "one").await?;
    let mut answer = ground.message(room.id, ada.id, "two");
    answer.reply_to = Some(first.seq);
    let Appended::Stored(second) = ground.append(answer).await? else {
        panic!("not stored")
    };
    // The owner's joining is the first event.
    assert_eq!((first.seq, first.n), (Seq(2), 1));
    assert_eq!((second.seq, second.n), (Seq(3), 2));

    let message = ground.store.message(room.id, ada.id, second.seq).await?;
    assert_eq!(message.content.body, "says two");
    assert_eq!(message.content.reply_to, Some(first.seq));
    assert_eq!(message.id, second.id);
    assert_eq!(message.user, ada);
    assert_eq!(
        refused(ground.store.message(room.id, ada.id, Seq(1)).await),
        MessageNotFound
    );
    Ok(())
}

async fn a_resend_answers_the_first_place(ground: Ground) -> Result<()> {
    let ada = ground.person("ada").await?;
    let room = ground.room(&ada, "Tea").await?;
    let place = ground.send(room.id, &ada, "one").await?;
    let again = ground
        .append(ground.message(room.id, ada.id, "one"))
        .await?;
    assert_eq!(again, Appended::Duplicate(place));

    let entry = ground.message(room.id, ada.id, "two");
    let twice = [
        entry.clone(),
        ground.message(room.id, ada.id, "two"),
        ground.message(room.id, ada.id, "three"),
    ];
    let outcomes = ground.store.append(&twice).await?;
    let Appended::Stored(second) = outcomes[0].clone() else {
        panic!("{outcomes:?}")
    };
    assert_eq!(outcomes[1], Appended::Duplicate(second.clone()));
    assert!(matches!(&outcomes[2], Appended::Stored(place) if place.seq == second.seq.next()));
    // The very same entry again is not a resend of the client, but a retry of ours.
    assert_eq!(ground.append(entry).await?, Appended::Stored(second));
    Ok(())
}

async fn who_may_not_write_does_not_disturb_the_neighbours(ground: Ground) -> Result<()> {
    let [ada, bob, eve, mallory] = ground.people(["ada", "bob", "eve", "mallory"]).await?;
    let room = ground.room(&ada, "Tea").await?.id;
    let secret = CreateRoom {
        visibility: Visibility::Secret,
        ..public("Den")
    };
    let secret = ground.create(&ada, secret).await?.id;
    let at = ground.clock.now();
    ground.join(room, &bob).await?;
    ground
        .store
        .ban(
            room,
            ada.id,
            eve.id,
            &protocol::rooms::NewBan::default(),
            at,
        )
        .await?;
    let quiet = ChangeMember {
        muted_until: Some(Some(at.after(Duration::from_secs(60)))),
        role: None,
    };
    ground
        .store
        .change_member(room, ada.id, bob.id, &quiet, at)
        .await?;

    let mut to_nothing = ground.message(room, ada.id, "to nothing");
    to_nothing.reply_to = Some(Seq(1));
    let entries = [
        ground.message(room, ada.id, "first"),
        ground.message(room, bob.id, "muted"),
        ground.message(room, eve.id, "banned"),
        ground.message(room, mallory.id, "stranger"),
        ground.message(secret, mallory.id, "stranger to a secret"),
        ground.message(ground.clock.id(), ada.id, "nowhere"),
        to_nothing,
        ground.message(secret, ada.id, "elsewhere"),
        ground.message(room, ada.id, "second"),
    ];
    let outcomes = ground.store.append(&entries).await?;
    let codes: Vec<_> = outcomes
        .iter()
        .map(|outcome| match outcome {
            Appended::Stored(place) => format!("stored at {}", place.seq),
            Appended::Duplicate(place) => format!("duplicate of {}", place.seq),
            Appended::Refused(refusal) => format!("{:?}", refusal.code),
        })
        .collect();
    let head = 5; // ada joins, bob joins, the ban, the mute
    assert_eq!(
        codes,
        [
            &format!("stored at {head}"),
            "Muted",
            "Banned",
            "NotAMember",
            "RoomNotFound",
            "RoomNotFound",
            "MessageNotFound",
            "stored at 2",
            &format!("stored at {}", head + 1),
        ]
    );
    let Appended::Refused(muted) = &outcomes[1] else {
        unreachable!()
    };
    assert_eq!(muted.retry_after, Some(Duration::from_secs(60)));
    ground.clock.advance(Duration::from_secs(61));
    ground.send(room, &bob, "muted").await?;
    Ok(())
}

async fn leaving_ends_neither_a_mute_nor_slow_mode(ground: Ground) -> Result<()> {
    let [ada, bob, eve] = ground.people(["ada", "bob", "eve"]).await?;
    let room = ground.room(&ada, "Tea").await?.id;
    ground.join(room, &bob).await?;
    ground.join(room, &eve).await?;
    let (store, at) = (&ground.store, ground.clock.now());
    let slow = ChangeRoom {
        slow_mode_s: Some(60),
        ..ChangeRoom::default()
    };
    store.change_room(room, ada.id, &slow, None, at).await?;
    let until = at.after(Duration::from_secs(60));
    let quiet = ChangeMember {
        muted_until: Some(Some(until)),
        role: None,
    };
    store
        .change_member(room, ada.id, bob.id, &quiet, at)
        .await?;
    ground.send(room, &eve, "one").await?;

    store.leave(room, bob.id, at).await?;
    let back = ground.join(room, &bob).await?;
    assert_eq!(back.member.muted_until, Some(until));
    store.kick(room, ada.id, eve.id, at).await?;
    ground.join(room, &eve).await?;
    let both = [
        ground.message(room, bob.id, "muted"),
        ground.message(room, eve.id, "two"),
    ];
    for (outcome, code) in store.append(&both).await?.iter().zip([Muted, SlowMode]) {
        assert!(
            matches!(outcome, Appended::Refused(refusal) if refusal.code == code),
            "{outcome:?}"
        );
    }
    ground.clock.advance(Duration::from_secs(60));
    store.leave(room, bob.id, ground.clock.now()).await?;
    assert_eq!(ground.join(room, &bob).await?.member.muted_until, None);
    ground.send(room, &bob, "heard").await?;
    ground.send(room, &eve, "two").await?;
    Ok(())
}

async fn slow_mode_lets_one_message_through(ground: Ground) -> Result<()> {
    let [ada, bob] = ground.people(["ada", "bob"]).await?;
    let room = ground.room(&ada, "Tea").await?.id;
    ground.join(room, &bob).await?;
    let slow = ChangeRoom {
        slow_mode_s: Some(10),
        ..ChangeRoom::default()
    };
    ground
        .store
        .change_room(room, ada.id, &slow, None, ground.clock.now())
        .await?;

    let both = [
        ground.message(room, bob.id, "one"),
        ground.message(room, bob.id, "two"),
    ];
    let outcomes = ground.store.append(&both).await?;
    assert!(matches!(outcomes[0], Appended::Stored(_)), "{outcomes:?}");
    let Appended::Refused(refusal) = &outcomes[1] else {
        panic!("{outcomes:?}")
    };
    assert_eq!(
        (refusal.code, refusal.retry_after),
        (SlowMode, Some(Duration::from_secs(10)))
    );

    ground.clock.advance(Duration::from_secs(4));
    let Appended::Refused(refusal) = ground.append(ground.message(room, bob.id, "two")).await?
    else {
        panic!("not refused")
    };
    assert_eq!(
        (refusal.code, refusal.retry_after),
        (SlowMode, Some(Duration::from_secs(6)))
    );
    // A resend is no new message, and who keeps order is not slowed.
    let resent = ground.append(ground.message(room, bob.id, "one")).await?;
    assert!(matches!(resent, Appended::Duplicate(_)), "{resent:?}");
    ground.send(room, &ada, "three").await?;
    ground.send(room, &ada, "four").await?;
    ground.clock.advance(Duration::from_secs(6));
    ground.send(room, &bob, "two").await?;
    Ok(())
}

async fn a_deleted_message_is_gone_everywhere(ground: Ground) -> Result<()> {
    let [ada, bob, eve] = ground.people(["ada", "bob", "eve"]).await?;
    let room = ground.room(&ada, "Tea").await?.id;
    ground.join(room, &bob).await?;
    ground.join(room, &eve).await?;
    let at = ground.clock.now();
    let place = ground.send(room, &bob, "name").await?;
    ground
        .store
        .edit(room, bob.id, place.seq, &body("says better"), at)
        .await?;
    assert_eq!(
        refused(ground.store.erase(room, eve.id, place.seq, at).await),
        Forbidden
    );
    let event = ground.store.erase(room, ada.id, place.seq, at).await?;
    assert!(matches!(&event.kind, EventKind::Delete(target) if target.target == place.seq));

    let message = ground.store.message(room, ada.id, place.seq).await?;
    assert_eq!(
        (message.content.body.as_str(), message.content.deleted_at),
        ("", Some(at))
    );
    let texts = serde_json::to_string(&ground.log(room).await?)?;
    assert!(!texts.contains("says"), "{texts}");
    assert_eq!(
        refused(ground.store.erase(room, ada.id, place.seq, at).await),
        MessageNotFound
    );
    assert_eq!(
        refused(
            ground
                .store
                .edit(room, bob.id, place.seq, &body("back"), at)
                .await
        ),
        MessageNotFound
    );
    // The place is not free: a resend is still the same message.
    let resent = ground.append(ground.message(room, bob.id, "name")).await?;
    assert_eq!(resent, Appended::Duplicate(place));
    Ok(())
}

async fn an_edit_is_read_in_the_history(ground: Ground) -> Result<()> {
    let [ada, bob] = ground.people(["ada", "bob"]).await?;
    let room = ground.room(&ada, "Tea").await?.id;
    ground.join(room, &bob).await?;
    let place = ground.send(room, &bob, "one").await?;
    ground.clock.advance(Duration::from_secs(1));
    let at = ground.clock.now();
    let event = ground
        .store
        .edit(room, bob.id, place.seq, &body("better"), at)
        .await?;
    assert_eq!((event.seq, event.n), (place.seq.next(), place.n));
    let message = ground.store.message(room, ada.id, place.seq).await?;
    assert_eq!(
        (message.content.body.as_str(), message.content.edited_at),
        ("better", Some(at))
    );
    assert_eq!(ground.log(room).await?.last(), Some(&event));
    // Nobody edits another's message, the owner neither.
    assert_eq!(
        refused(
            ground
                .store
                .edit(room, ada.id, place.seq, &body("mine"), at)
                .await
        ),
        Forbidden
    );
    assert_eq!(
        refused(
            ground
                .store
                .edit(room, bob.id, Seq(1), &body("no message"), at)
                .await
        ),
        MessageNotFound
    );
    let quiet = ChangeMember {
        muted_until: Some(Some(at.after(Duration::from_secs(60)))),
        role: None,
    };
    ground
        .store
        .change_member(room, ada.id, bob.id, &quiet, at)
        .await?;
    assert_eq!(
        refused(
            ground
                .store
                .edit(room, bob.id, place.seq, &body("aloud"), at)
                .await
        ),
        Muted
    );
    Ok(())
}

async fn a_name_differing_by_case_is_taken(ground: Ground) -> Result<()> {
    let ada = ground.person("ada").await?;
    let room = ground.room(&ada, "Straße").await?.id;
    assert_eq!(
        refused(ground.create(&ada, public("STRASSE")).await),
        NameTaken
    );
    // A name that nobody finds is nobody's; but it cannot be shown without being free.
    let secret = CreateRoom {
        visibility: Visibility::Secret,
        ..public("strasse")
    };
    let secret = ground.create(&ada, secret).await?.id;
    let at = ground.clock.now();
    let show = ChangeRoom {
        visibility: Some(Visibility::Public),
        ..ChangeRoom::default()
    };
    assert_eq!(
        refused(
            ground
                .store
                .change_room(secret, ada.id, &show, None, at)
                .await
        ),
        NameTaken
    );
    let other = ground.room(&ada, "Weg").await?.id;
    let rename = ChangeRoom {
        name: Some(room_name("strasse")),
        ..ChangeRoom::default()
    };
    assert_eq!(
        refused(
            ground
                .store
                .change_room(other, ada.id, &rename, None, at)
                .await
        ),
        NameTaken
    );
    // Another way to write one's own name is free.
    ground
        .store
        .change_room(room, ada.id, &rename, None, at)
        .await?;
    ground
        .store
        .delete_room(room, (ada.id, As::Owner), None, at)
        .await?;
    ground
        .store
        .change_room(secret, ada.id, &show, None, at)
        .await?;
    Ok(())
}

async fn a_change_of_a_room_is_one_event(ground: Ground) -> Result<()> {
    let [ada, bob] = ground.people(["ada", "bob"]).await?;
    let room = ground.room(&ada, "Tea").await?.id;
    ground.join(room, &bob).await?;
    let at = ground.clock.now();
    let wish = ChangeRoom {
        name: Some(room_name("Coffee")),
        max_members: Some(2),
        history: Some(HistoryVisibility::All),
        ..ChangeRoom::default()
    };
    assert_eq!(
        refused(
            ground
                .store
                .change_room(room, bob.id, &wish, None, at)
                .await
        ),
        Forbidden
    );
    let (changed, events) = ground
        .store
        .change_room(room, ada.id, &wish, None, at)
        .await?;
    assert_eq!(
        (changed.name.as_str(), changed.max_members),
        ("Coffee", Some(2))
    );
    let [
        Event {
            kind: EventKind::Room(told),
            ..
        },
    ] = events.as_slice()
    else {
        panic!("{events:?}")
    };
    // Only what is new is told.
    assert_eq!(told.changes.name.as_deref(), Some("Coffee"));
    assert_eq!(told.changes.history, None);
    assert_eq!(ground.log(room).await?.last(), events.last());
    let (_, events) = ground
        .store
        .change_room(room, ada.id, &wish, None, at)
        .await?;
    assert!(events.is_empty());
    let too_small = ChangeRoom {
        max_members: Some(1),
        ..ChangeRoom::default()
    };
    let refusal = ground
        .store
        .change_room(room, ada.id, &too_small, None, at)
        .await;
    assert_eq!(refused(refusal), protocol::ErrorCode::ValidationFailed);
    Ok(())
}

async fn a_deleted_room_is_gone(ground: Ground) -> Result<()> {
    let [ada, bob] = ground.people(["ada", "bob"]).await?;
    let room = ground.room(&ada, "Tea").await?.id;
    ground.join(room, &bob).await?;
    let at = ground.clock.now();
    assert_eq!(
        refused(
            ground
                .store
                .delete_room(room, (bob.id, As::Owner), None, at)
                .await
        ),
        Forbidden
    );
    ground
        .store
        .delete_room(room, (ada.id, As::Owner), None, at)
        .await?;
    let store = &ground.store;
    assert_eq!(refused(store.access(room, ada.id).await), RoomNotFound);
    assert_eq!(refused(store.room(room, ada.id).await), RoomNotFound);
    assert_eq!(
        refused(store.join(room, bob.id, &Entry::Open, at).await),
        RoomNotFound
    );
    assert_eq!(
        refused(store.delete_room(room, (ada.id, As::Owner), None, at).await),
        RoomNotFound
    );
    assert!(store.my_rooms(bob.id).await?.is_empty());
    assert!(
        store
            .rooms(
                bob.id,
                &FindRooms {
                    limit: 10,
                    ..FindRooms::default()
                }
            )
            .await?
            .rooms
            .is_empty()
    );
    // Neither is there a way into one that never was.
    for room in [room, ground.clock.id()] {
        let outcome = ground.append(ground.message(room, ada.id, "late")).await?;
        assert!(matches!(outcome, Appended::Refused(refusal) if refusal.code == RoomNotFound));
    }
    let heads = store.heads(&[room, ground.clock.id()]).await?;
    assert!(
        heads.len() == 2 && heads.iter().all(|head| head.gone),
        "{heads:?}"
    );
    // The name is free, and the new room is another.
    assert_ne!(ground.room(&bob, "tea").await?.id, room);
    Ok(())
}

async fn an_archived_room_is_read_but_not_written(ground: Ground) -> Result<()> {
    let [ada, bob] = ground.people(["ada", "bob"]).await?;
    let room = ground.room(&ada, "Tea").await?.id;
    let place = ground.send(room, &ada, "one").await?;
    let at = ground.clock.now();
    let archive = |archived| ChangeRoom {
        archived: Some(archived),
        ..ChangeRoom::default()
    };
    let (archived, events) = ground
        .store
        .change_room(room, ada.id, &archive(true), None, at)
        .await?;
    assert_eq!(archived.archived_at, Some(at));
    assert!(matches!(events[0].kind, EventKind::Archive(change) if change.archived));
    let store = &ground.store;
    assert_eq!(
        store.message(room, ada.id, place.seq).await?.content.body,
        "says one"
    );
    let outcome = ground.append(ground.message(room, ada.id, "two")).await?;
    assert!(matches!(outcome, Appended::Refused(refusal) if refusal.code == Archived));
    assert_eq!(
        refused(store.edit(room, ada.id, place.seq, &body("new"), at).await),
        Archived
    );
    assert_eq!(
        refused(store.join(room, bob.id, &Entry::Open, at).await),
        Archived
    );
    let resume = store.resume(latest(room, ada.id), &Limits::default()).await;
    assert_eq!(refused(resume), Archived);
    store.erase(room, ada.id, place.seq, at).await?;
    store
        .change_room(room, ada.id, &archive(false), None, at)
        .await?;
    ground.send(room, &ada, "two").await?;
    Ok(())
}

async fn every_kind_of_event_is_read_back(ground: Ground) -> Result<()> {
    let [ada, bob, eve] = ground.people(["ada", "bob", "eve"]).await?;
    let room = ground.room(&ada, "Tea").await?.id;
    let at = ground.clock.now();
    let store = &ground.store;
    ground.join(room, &bob).await?;
    let place = ground.send(room, &bob, "one").await?;
    let quiet = ChangeMember {
        muted_until: Some(Some(at.after(Duration::from_secs(9)))),
        role: None,
    };
    let mut told = Vec::new();
    told.push(
        store
            .edit(room, bob.id, place.seq, &body("two"), at)
            .await?,
    );
    told.extend(
        store
            .change_member(room, ada.id, bob.id, &quiet, at)
            .await?
            .1,
    );
    let role = ChangeMember {
        role: Some(Role::Admin),
        muted_until: Some(None),
    };
    told.extend(
        store
            .change_member(room, ada.id, bob.id, &role, at)
            .await?
            .1,
    );
    told.push(store.kick(room, ada.id, bob.id, at).await?);
    let reason = protocol::text::Reason::parse("spam", &Limits::default()).ok();
    let ban = protocol::rooms::NewBan {
        reason,
        until: Some(at.after(Duration::from_secs(9))),
    };
    told.push(store.ban(room, ada.id, eve.id, &ban, at).await?);
    told.push(store.unban(room, ada.id, eve.id, at).await?);
    let archive = ChangeRoom {
        archived: Some(true),
        topic: None,
        ..ChangeRoom::default()
    };
    told.extend(store.change_room(room, ada.id, &archive, None, at).await?.1);
    let log = ground.log(room).await?;
    assert_eq!(log[3..], told);
    let kinds: Vec<_> = log.iter().map(|event| event.kind.as_str()).collect();
    assert_eq!(
        kinds,
        [
            "join", "join", "message", "edit", "mute", "mute", "role", "kick", "ban", "unban",
            "archive"
        ]
    );
    let seqs: Vec<u64> = log.iter().map(|event| event.seq.0).collect();
    assert_eq!(seqs, (1..=11).collect::<Vec<_>>());
    Ok(())
}
