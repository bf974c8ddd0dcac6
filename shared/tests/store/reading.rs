//! Reading back on both engines: history, what a client missed, how far people have read, and lists.

use anyhow::Result;
use protocol::{
    EventId, Limits, Role, Seq,
    error::ErrorCode::{MessageNotFound, NotAMember},
    messages::{History, Span},
    rooms::{
        ChangeMember, ChangeRoom, CreateRoom, FindRooms, HistoryVisibility, Page, RoomSort,
        Visibility,
    },
    search::Wanted,
};
use serde_json::json;
use shared::store::{Appended, ReadMark, ResumeFrom};
use sqlx::{Connection, Executor, PgConnection, SqliteConnection};

use crate::ground::{Ground, body, latest, on_both_engines, public, refused};

on_both_engines!(
    history_pages_both_ways,
    a_resume_sends_what_was_missed_or_resets,
    who_resumes_among_many_hears_what_they_would_alone,
    people_who_join_later_read_from_there,
    unread_counts_messages_only,
    lists_page_without_holes,
    what_only_a_later_version_knows_is_passed_on_as_it_is_stored,
);

async fn history_pages_both_ways(ground: Ground) -> Result<()> {
    let [ada, bob] = ground.people(["ada", "bob"]).await?;
    let room = ground.room(&ada, "Tea").await?.id;
    ground.join(room, &bob).await?;
    // The messages stand at 3 to 12.
    for number in 0..10 {
        let sender = if number % 2 == 0 { &ada } else { &bob };
        ground.send(room, sender, &format!("{number}")).await?;
    }
    let seqs = async |span, limit, sender| {
        let history = History {
            span,
            limit,
            wanted: Wanted {
                sender,
                ..Wanted::default()
            },
            ..History::default()
        };
        let list = ground.store.history(room, ada.id, &history).await?;
        assert_eq!(list.head, Seq(12));
        let seqs: Vec<u64> = list.messages.iter().map(|message| message.seq.0).collect();
        anyhow::Ok((seqs, list.has_more))
    };
    assert_eq!(seqs(Span::Latest, 3, None).await?, (vec![10, 11, 12], true));
    assert_eq!(
        seqs(Span::Before(Seq(5)), 2, None).await?,
        (vec![3, 4], false)
    );
    assert_eq!(
        seqs(Span::Before(Seq(6)), 2, None).await?,
        (vec![4, 5], true)
    );
    assert_eq!(
        seqs(Span::After(Seq(10)), 2, None).await?,
        (vec![11, 12], false)
    );
    assert_eq!(
        seqs(Span::After(Seq(0)), 2, None).await?,
        (vec![3, 4], true)
    );
    assert_eq!(
        seqs(Span::Around(Seq(6)), 4, None).await?,
        (vec![5, 6, 7, 8], true)
    );
    assert_eq!(seqs(Span::Around(Seq(12)), 100, None).await?.0.len(), 10);
    assert_eq!(
        seqs(Span::Latest, 3, Some(bob.id)).await?,
        (vec![8, 10, 12], true)
    );
    // Places that are not there are fine.
    assert_eq!(
        seqs(Span::After(Seq(u64::MAX)), 2, None).await?,
        (vec![], false)
    );
    assert_eq!(
        seqs(Span::Before(Seq(u64::MAX)), 1, None).await?,
        (vec![12], true)
    );
    assert_eq!(seqs(Span::Before(Seq(0)), 1, None).await?, (vec![], false));
    let eve = ground.person("eve").await?;
    let stranger = ground
        .store
        .history(
            room,
            eve.id,
            &History {
                limit: 1,
                ..History::default()
            },
        )
        .await;
    assert_eq!(
        stranger.map(|_| ()).map_err(shared::Refusal::from),
        Err(NotAMember.into())
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_put_out_while_reading_reads_nothing_that_came_after() -> Result<()> {
    let ground = Ground::postgres().await?;
    let [ada, bob] = ground.people(["ada", "bob"]).await?;
    let room = ground.room(&ada, "Tea").await?.id;
    ground.join(room, &bob).await?;
    ground.send(room, &ada, "before").await?;
    for span in [
        Span::Latest,
        Span::After(Seq(2)),
        Span::Before(Seq(99)),
        Span::Around(Seq(3)),
    ] {
        let mut beside = PgConnection::connect(ground.url()).await?;
        // The log is held back, so that reading stops between who may read and what there is.
        let mut transaction = beside.begin().await?;
        transaction
            .execute("lock table events in access exclusive mode")
            .await?;
        let store = ground.store.clone();
        let history = History {
            span,
            limit: 50,
            ..History::default()
        };
        let reading = tokio::spawn(async move { store.history(room, bob.id, &history).await });
        while sqlx::query_scalar::<_, i64>(
            "select count(*) from pg_locks where not granted and relation = 'events'::regclass",
        )
        .fetch_one(&mut *transaction)
        .await?
            == 0
        {}
        transaction
            .execute(
                "insert into events (room_id, seq, n, id, kind, user_id, body, at)
                 select id, head + 1, messages + 1, gen_random_uuid(), 'message', owner_id, 'after', now() from rooms;
                 update rooms set head = head + 1, messages = messages + 1",
            )
            .await?;
        transaction.commit().await?;
        let read = reading.await??;
        assert!(
            read.messages.iter().all(|message| message.seq <= read.head),
            "{read:?}"
        );
    }
    Ok(())
}

async fn a_resume_sends_what_was_missed_or_resets(ground: Ground) -> Result<()> {
    let ada = ground.person("ada").await?;
    let room = ground.room(&ada, "Tea").await?.id;
    let mut places = Vec::new();
    for number in 0..9 {
        places.push(ground.send(room, &ada, &format!("{number}")).await?);
    }
    let limits = Limits {
        resume_max_events: 5,
        page_default: 3,
        ..Limits::default()
    };
    let resume = async |after: Option<u64>, after_id: Option<EventId>, limit| {
        let from = ResumeFrom {
            room,
            user: ada.id,
            after: after.map(Seq),
            after_id,
            limit,
        };
        let resumed = ground.store.resume(from, &limits).await?;
        assert_eq!(
            (resumed.head, resumed.n, resumed.first),
            (Seq(10), 9, Seq(1))
        );
        let seqs: Vec<u64> = resumed.events.iter().map(|event| event.seq.0).collect();
        anyhow::Ok((seqs, resumed.reset))
    };
    assert_eq!(resume(Some(7), None, 50).await?, (vec![8, 9, 10], false));
    assert_eq!(
        resume(Some(5), None, 50).await?,
        (vec![6, 7, 8, 9, 10], false)
    );
    assert_eq!(resume(Some(10), None, 50).await?, (vec![], false));
    assert_eq!(resume(None, None, 2).await?, (vec![9, 10], false));
    assert_eq!(resume(None, None, 0).await?, (vec![], false));
    // Too much was missed, more is known than there is, or something else stands there.
    assert_eq!(resume(Some(4), None, 50).await?, (vec![8, 9, 10], true));
    assert_eq!(resume(Some(11), None, 50).await?, (vec![8, 9, 10], true));
    assert_eq!(
        resume(Some(u64::MAX), None, 50).await?,
        (vec![8, 9, 10], true)
    );
    let id_at_8 = places
        .iter()
        .find(|place| place.seq == Seq(8))
        .map(|place| place.id);
    assert_eq!(resume(Some(8), id_at_8, 50).await?, (vec![9, 10], false));
    assert_eq!(resume(Some(9), id_at_8, 50).await?, (vec![8, 9, 10], true));
    Ok(())
}

async fn who_resumes_among_many_hears_what_they_would_alone(ground: Ground) -> Result<()> {
    let [ada, bob] = ground.people(["ada", "bob"]).await?;
    let limits = Limits {
        resume_max_events: 5,
        page_default: 3,
        ..Limits::default()
    };
    let mut from = Vec::new();
    for name in ["Tea", "Coffee", "Water"] {
        let room = ground.room(&ada, name).await?.id;
        let mut places = Vec::new();
        for number in 0..7 {
            places.push(ground.send(room, &ada, &format!("{number}")).await?);
        }
        let ids = [None, Some(places[5].id)];
        for (user, after, after_id) in [ada.id, bob.id]
            .into_iter()
            .flat_map(|user| (0..10).map(move |after| (user, after)))
            .flat_map(|(user, after)| ids.map(|id| (user, after, id)))
        {
            from.push(ResumeFrom {
                after: Some(Seq(after)),
                after_id,
                ..latest(room, user)
            });
        }
        from.push(latest(ground.clock.id(), ada.id));
        from.push(latest(room, ada.id));
    }
    let together = ground.store.resume_all(&from, &limits).await?;
    for (from, among_many) in from.into_iter().zip(together) {
        let alone = ground.store.resume(from, &limits).await;
        let alone = alone.map_err(shared::Refusal::from);
        assert_eq!(format!("{among_many:?}"), format!("{alone:?}"), "{from:?}");
    }
    Ok(())
}

async fn people_who_join_later_read_from_there(ground: Ground) -> Result<()> {
    let [ada, bob] = ground.people(["ada", "bob"]).await?;
    let create = CreateRoom {
        history: HistoryVisibility::SinceJoin,
        ..public("Tea")
    };
    let room = ground.create(&ada, create).await?.id;
    let before = ground.send(room, &ada, "before").await?;
    ground.join(room, &bob).await?;
    let after = ground.send(room, &ada, "after").await?;

    let store = &ground.store;
    let access = store.access(room, bob.id).await?;
    assert_eq!(
        (access.role, access.first, access.head),
        (Role::Member, Seq(3), Seq(4))
    );
    let list = store
        .history(
            room,
            bob.id,
            &History {
                limit: 50,
                ..History::default()
            },
        )
        .await?;
    assert_eq!(
        list.messages
            .iter()
            .map(|message| message.seq)
            .collect::<Vec<_>>(),
        [after.seq]
    );
    assert!(!list.has_more);
    assert_eq!(
        refused(store.message(room, bob.id, before.seq).await),
        MessageNotFound
    );
    let resumed = store
        .resume(latest(room, bob.id), &Limits::default())
        .await?;
    assert_eq!(
        (resumed.first, resumed.events[0].seq, resumed.events.len()),
        (Seq(3), Seq(3), 2)
    );
    let mut answer = ground.message(room, bob.id, "what");
    answer.reply_to = Some(before.seq);
    let outcome = ground.append(answer).await?;
    assert!(matches!(outcome, Appended::Refused(refusal) if refusal.code == MessageNotFound));

    // Who was away as a stranger has a hole that resuming cannot fill.
    store.leave(room, bob.id, ground.clock.now()).await?;
    ground.send(room, &ada, "meanwhile").await?;
    ground.join(room, &bob).await?;
    let from = ResumeFrom {
        after: Some(Seq(4)),
        ..latest(room, bob.id)
    };
    let resumed = store.resume(from, &Limits::default()).await?;
    assert_eq!(
        (resumed.reset, resumed.first, resumed.events.len()),
        (true, Seq(7), 1)
    );
    Ok(())
}

async fn unread_counts_messages_only(ground: Ground) -> Result<()> {
    let [ada, bob] = ground.people(["ada", "bob"]).await?;
    let room = ground.room(&ada, "Tea").await?.id;
    ground.send(room, &ada, "before").await?;
    ground.join(room, &bob).await?;
    let store = &ground.store;
    let unread = async || anyhow::Ok(store.my_rooms(bob.id).await?[0].room.unread);
    assert_eq!(unread().await?, Some(0));
    let one = ground.send(room, &ada, "one").await?;
    let two = ground.send(room, &ada, "two").await?;
    store
        .edit(room, ada.id, one.seq, &body("edited"), ground.clock.now())
        .await?;
    assert_eq!(unread().await?, Some(2));
    let at = ground.clock.now();
    let mark = |seq| ReadMark {
        room,
        user: bob.id,
        seq,
        is_shown: true,
    };
    let moved = store.mark_read(room, bob.id, one.seq, at).await?;
    assert_eq!(moved, Some(mark(one.seq)));
    assert_eq!(unread().await?, Some(1));
    // The mark only moves forward, and not further than there is something.
    assert_eq!(store.mark_read(room, bob.id, Seq(1), at).await?, None);
    let marks = [(room, bob.id, Seq(u64::MAX)), (room, bob.id, one.seq)];
    let moved = store.mark_reads(&marks, at).await?;
    assert_eq!(moved, [mark(Seq(6))]);
    assert!(store.mark_reads(&marks, at).await?.is_empty());
    let mine = store.my_rooms(bob.id).await?.remove(0);
    assert_eq!(
        (mine.room.unread, mine.read, mine.room.head),
        (Some(0), Seq(6), Some(Seq(6)))
    );
    assert_eq!(mine.last_message.map(|message| message.seq), Some(two.seq));
    let eve = ground.person("eve").await?;
    assert_eq!(
        refused(store.mark_read(room, eve.id, one.seq, at).await),
        NotAMember
    );
    Ok(())
}

async fn lists_page_without_holes(ground: Ground) -> Result<()> {
    let people = ground.people(["ada", "bob", "cleo", "dan", "eve"]).await?;
    let mut big = None;
    for name in ["Tea", "coffee", "100% juice", "milk_tea", "Iced Tea"] {
        let room = ground.room(&people[0], name).await?;
        big.get_or_insert(room.id);
    }
    let hidden = CreateRoom {
        visibility: Visibility::Secret,
        ..public("Secret tea")
    };
    ground.create(&people[0], hidden).await?;
    let big = big.expect("rooms were made");
    for person in &people[1..] {
        ground.join(big, person).await?;
    }
    let find = async |query: &str, sort| {
        let mut found = Vec::new();
        let mut cursor = None;
        loop {
            let query = protocol::text::RoomName::search_key(query);
            let page = FindRooms {
                query,
                cursor,
                limit: 2,
                sort,
            };
            let list = ground.store.rooms(people[1].id, &page).await?;
            found.extend(list.rooms.into_iter().map(|room| room.name));
            cursor = list.next_cursor;
            if cursor.is_none() {
                return anyhow::Ok(found);
            }
        }
    };
    let by_name = ["100% juice", "coffee", "Iced Tea", "milk_tea", "Tea"];
    assert_eq!(find("", RoomSort::Name).await?, by_name);
    assert_eq!(
        find("TEA", RoomSort::Name).await?,
        ["Iced Tea", "milk_tea", "Tea"]
    );
    assert_eq!(find("%", RoomSort::Name).await?, ["100% juice"]);
    assert_eq!(find("_", RoomSort::Name).await?, ["milk_tea"]);
    assert_eq!(find("", RoomSort::Members).await?[0], "Tea");
    for sort in [RoomSort::Members, RoomSort::Created] {
        let mut found = find("", sort).await?;
        found.sort_by_key(|name| name.to_lowercase());
        assert_eq!(found, by_name);
    }
    let bad = FindRooms {
        cursor: Some(String::from("?")),
        limit: 2,
        ..FindRooms::default()
    };
    let refusal = ground.store.rooms(people[1].id, &bad).await;
    assert_eq!(
        refusal
            .map(|_| ())
            .map_err(|error| shared::Refusal::from(error).code),
        Err(protocol::ErrorCode::ValidationFailed)
    );

    let moderator = ChangeMember {
        role: Some(Role::Moderator),
        muted_until: None,
    };
    ground
        .store
        .change_member(
            big,
            people[0].id,
            people[3].id,
            &moderator,
            ground.clock.now(),
        )
        .await?;
    let first = ground
        .store
        .members(
            big,
            people[1].id,
            &Page {
                cursor: None,
                limit: 3,
            },
        )
        .await?
        .list;
    let second = ground
        .store
        .members(
            big,
            people[1].id,
            &Page {
                cursor: first.next_cursor,
                limit: 3,
            },
        )
        .await?
        .list;
    let names: Vec<_> = first
        .members
        .iter()
        .chain(&second.members)
        .map(|member| member.user.username.as_str())
        .collect();
    assert_eq!(names, ["ada", "dan", "bob", "cleo", "eve"]);
    assert_eq!(second.next_cursor, None);
    Ok(())
}

async fn what_only_a_later_version_knows_is_passed_on_as_it_is_stored(
    ground: Ground,
) -> Result<()> {
    let [ada, bob] = ground.people(["ada", "bob"]).await?;
    let room = ground.room(&ada, "Tea").await?.id;
    ground.join(room, &bob).await?;
    let at = ground.clock.now();
    ground.store.kick(room, ada.id, bob.id, at).await?;
    let archived = |archived| ChangeRoom {
        archived: Some(archived),
        ..ChangeRoom::default()
    };
    for change in [archived(true), archived(false)] {
        ground
            .store
            .change_room(room, ada.id, &change, None, at)
            .await?;
    }
    ground.send(room, &ada, "last").await?;
    let later = r#"
        update events set kind = 'poll', target = 2, data = '{"question": "Tea?", "seq": 99, "role": "host"}'
            where kind = 'kick';
        update events set data = '{"archived": "for a week"}' where kind = 'archive'
    "#;
    if ground.url().starts_with("postgres") {
        let mut connection = PgConnection::connect(ground.url()).await?;
        connection.execute(later).await?;
    } else {
        let mut connection = SqliteConnection::connect(ground.url()).await?;
        connection.execute(later).await?;
    }
    let log = serde_json::to_value(ground.log(room).await?)?;
    let poll = &log[2];
    assert_eq!((&poll["kind"], &poll["seq"]), (&json!("poll"), &json!(3)));
    assert_eq!(
        (&poll["question"], &poll["role"]),
        (&json!("Tea?"), &json!("host"))
    );
    assert_eq!(
        (&poll["target"], &poll["member"]["username"]),
        (&json!(2), &json!("bob"))
    );
    let archive = &log[3];
    assert_eq!(
        (&archive["kind"], &archive["archived"]),
        (&json!("archive"), &json!("for a week"))
    );
    assert_eq!(log[5]["kind"], "message");
    Ok(())
}
