//! What people put on messages and read of them, on both engines: reactions, pins, calls, threads, earlier
//! texts and receipts.

use anyhow::{Result, ensure};
use protocol::{
    Role, RoomId, Seq,
    accounts::{ChangeProfile, UserSummary},
    error::ErrorCode::{Archived, Conflict, MessageNotFound, Muted, NotAMember},
    events::{EventKind, Target},
    marks::{FindReceipts, Reaction},
    mentions::Mention,
    messages::{History, Message},
    rooms::{ChangeMember, ChangeRoom, CreateRoom, HistoryVisibility, Page},
};
use shared::store::{Append, Appended};
use std::time::Duration;

use crate::ground::{Ground, body, on_both_engines, public, react, refused};

on_both_engines!(
    a_reaction_counts_once_a_person,
    a_message_takes_so_many_emoji_and_no_more,
    who_may_not_speak_does_not_react,
    a_pin_is_there_until_it_is_taken_away,
    a_deleted_message_loses_what_was_put_on_it,
    a_call_counts_until_it_is_read,
    everybody_is_called_by_those_who_keep_order,
    an_edit_calls_others,
    calls_are_told_whatever_way_a_message_went_in,
    a_thread_has_one_root,
    earlier_texts_are_read_back,
    receipts_are_of_those_who_show_them,
);

async fn message(ground: &Ground, room: RoomId, user: &UserSummary, seq: Seq) -> Result<Message> {
    Ok(ground.store.message(room, user.id, seq).await?)
}

fn reaction(emoji: &str, count: u64, me: bool) -> Reaction {
    Reaction {
        emoji: emoji.to_owned(),
        count,
        me,
    }
}

async fn a_reaction_counts_once_a_person(ground: Ground) -> Result<()> {
    let [ada, bob] = ground.people(["ada", "bob"]).await?;
    let room = ground.room(&ada, "Tea").await?.id;
    ground.join(room, &bob).await?;
    let seq = ground.send(room, &ada, "one").await?.seq;
    let (store, at) = (&ground.store, ground.clock.now());
    let first = store.react(room, bob.id, &react(seq, "🍵"), at).await?;
    let again = store.react(room, bob.id, &react(seq, "🍵"), at).await?;
    assert_eq!((first.was_so, again.was_so), (false, true));
    assert_eq!((first.seq, again.seq), (Seq(4), Seq(4)));
    // A heart without its colour is the same heart.
    store
        .react(room, ada.id, &react(seq, "\u{2764}"), at)
        .await?;
    store.react(room, bob.id, &react(seq, "❤️"), at).await?;
    store.react(room, ada.id, &react(seq, "🍵"), at).await?;
    let seen = message(&ground, room, &bob, seq).await?.content.reactions;
    assert_eq!(seen, [reaction("🍵", 2, true), reaction("❤️", 2, true)]);

    store.unreact(room, bob.id, &react(seq, "🍵"), at).await?;
    let nothing = store.unreact(room, bob.id, &react(seq, "🍵"), at).await?;
    assert!(nothing.was_so);
    let list = store.history(room, bob.id, &latest()).await?;
    let seen = &list.messages[0].content.reactions;
    // The order is that of the first of those that are left.
    assert_eq!(seen, &[reaction("❤️", 2, true), reaction("🍵", 1, false)]);

    let log = ground.log(room).await?;
    let kinds: Vec<_> = log.iter().map(|event| event.kind.as_str()).collect();
    assert_eq!(
        kinds[2..],
        ["message", "react", "react", "react", "react", "unreact"]
    );
    let EventKind::React(reacted) = &log[3].kind else {
        panic!("{:?}", log[3])
    };
    assert_eq!((reacted.target, reacted.emoji.as_str()), (seq, "🍵"));
    // In the log each reaction is an event, so that none is there twice.
    let EventKind::Message(content) = &log[2].kind else {
        panic!("{:?}", log[2])
    };
    assert!(content.reactions.is_empty());
    // What is no message has none.
    let on_joining = store.react(room, bob.id, &react(Seq(1), "🍵"), at).await;
    assert_eq!(refused(on_joining), MessageNotFound);
    Ok(())
}

async fn a_message_takes_so_many_emoji_and_no_more(ground: Ground) -> Result<()> {
    let [ada, bob] = ground.people(["ada", "bob"]).await?;
    let room = ground.room(&ada, "Tea").await?.id;
    ground.join(room, &bob).await?;
    let seq = ground.send(room, &ada, "one").await?.seq;
    let at = ground.clock.now();
    let emoji = |number: u32| char::from_u32(0x1F400 + number).unwrap().to_string();
    for number in 0..50 {
        let react = react(seq, &emoji(number));
        ground.store.react(room, ada.id, &react, at).await?;
    }
    let one_more = ground
        .store
        .react(room, bob.id, &react(seq, "🍵"), at)
        .await;
    assert_eq!(refused(one_more), Conflict);
    // Of those that are there everybody may have one.
    let known = react(seq, &emoji(7));
    assert!(!ground.store.react(room, bob.id, &known, at).await?.was_so);
    Ok(())
}

async fn who_may_not_speak_does_not_react(ground: Ground) -> Result<()> {
    let [ada, bob, eve] = ground.people(["ada", "bob", "eve"]).await?;
    let room = ground.room(&ada, "Tea").await?.id;
    ground.join(room, &bob).await?;
    let seq = ground.send(room, &ada, "one").await?.seq;
    let (store, at) = (&ground.store, ground.clock.now());
    let tea = react(seq, "🍵");
    store.react(room, bob.id, &tea, at).await?;
    assert_eq!(
        refused(store.react(room, eve.id, &tea, at).await),
        NotAMember
    );
    assert_eq!(refused(store.pins(room, eve.id).await), NotAMember);
    let quiet = ChangeMember {
        muted_until: Some(Some(at.after(Duration::from_secs(9)))),
        role: None,
    };
    store
        .change_member(room, ada.id, bob.id, &quiet, at)
        .await?;
    let loud = store.react(room, bob.id, &react(seq, "👍"), at).await;
    assert_eq!(refused(loud), Muted);
    let archive = ChangeRoom {
        archived: Some(true),
        ..ChangeRoom::default()
    };
    store.change_room(room, ada.id, &archive, None, at).await?;
    assert_eq!(refused(store.react(room, ada.id, &tea, at).await), Archived);
    assert_eq!(
        refused(store.unreact(room, bob.id, &tea, at).await),
        Archived
    );
    assert_eq!(refused(store.pin(room, ada.id, seq, at).await), Archived);
    Ok(())
}

async fn a_pin_is_there_until_it_is_taken_away(ground: Ground) -> Result<()> {
    let [ada, bob] = ground.people(["ada", "bob"]).await?;
    let create = CreateRoom {
        history: HistoryVisibility::SinceJoin,
        ..public("Tea")
    };
    let room = ground.create(&ada, create).await?.id;
    let first = ground.send(room, &ada, "one").await?.seq;
    ground.join(room, &bob).await?;
    let second = ground.send(room, &ada, "two").await?.seq;
    let (store, at) = (&ground.store, ground.clock.now());
    assert!(!store.pin(room, ada.id, first, at).await?.was_so);
    assert!(!store.pin(room, ada.id, second, at).await?.was_so);
    assert!(store.pin(room, ada.id, first, at).await?.was_so);
    let pins = store.pins(room, ada.id).await?;
    let places: Vec<_> = pins.iter().map(|pin| pin.message.seq).collect();
    assert_eq!(places, [second, first]);
    assert!(
        pins.iter()
            .all(|pin| pin.user == ada && pin.message.content.pinned)
    );
    // Who may not read a message does not find it among the pins.
    let pins = store.pins(room, bob.id).await?;
    assert_eq!(pins.len(), 1);
    assert!(message(&ground, room, &bob, second).await?.content.pinned);

    store.unpin(room, ada.id, second, at).await?;
    assert!(store.unpin(room, ada.id, second, at).await?.was_so);
    assert!(!message(&ground, room, &bob, second).await?.content.pinned);
    let last = ground.log(room).await?.pop().unwrap();
    assert_eq!(last.kind, EventKind::Unpin(Target { target: second }));

    for number in 1..50 {
        let seq = ground
            .send(room, &ada, &format!("more {number}"))
            .await?
            .seq;
        store.pin(room, ada.id, seq, at).await?;
    }
    assert_eq!(refused(store.pin(room, ada.id, second, at).await), Conflict);
    Ok(())
}

async fn a_deleted_message_loses_what_was_put_on_it(ground: Ground) -> Result<()> {
    let [ada, bob] = ground.people(["ada", "bob"]).await?;
    let room = ground.room(&ada, "Tea").await?.id;
    ground.join(room, &bob).await?;
    let seq = ground.say(room, &ada, "@bob tea?").await?.seq;
    let (store, at) = (&ground.store, ground.clock.now());
    store.react(room, bob.id, &react(seq, "🍵"), at).await?;
    store.pin(room, ada.id, seq, at).await?;
    store
        .edit(room, ada.id, seq, &body("@bob coffee?"), at)
        .await?;
    store.erase(room, ada.id, seq, at).await?;
    let content = message(&ground, room, &bob, seq).await?.content;
    assert!(content.reactions.is_empty() && content.mentions.is_empty() && !content.pinned);
    assert!(store.pins(room, bob.id).await?.is_empty());
    assert!(store.versions(room, bob.id, seq).await?.is_empty());
    assert_eq!(calls(&ground, room, &bob).await?, 0);
    for event in ground.log(room).await? {
        if let EventKind::Edit(edited) = event.kind {
            assert!(edited.body.is_empty() && edited.mentions.is_empty());
        }
    }
    let late = store.react(room, bob.id, &react(seq, "🍵"), at).await;
    assert_eq!(refused(late), MessageNotFound);
    Ok(())
}

async fn a_call_counts_until_it_is_read(ground: Ground) -> Result<()> {
    let [ada, bob, eve] = ground.people(["ada", "bob", "eve"]).await?;
    let room = ground.room(&ada, "Tea").await?.id;
    ground.join(room, &bob).await?;
    let place = ground
        .say(room, &ada, "@Bob, @eve, @ada and `@bob`: tea? @bob.")
        .await?;
    // Eve is no member, and nobody calls themselves.
    assert_eq!(place.mentions, [called(&bob)]);
    let seen = message(&ground, room, &bob, place.seq).await?;
    assert_eq!(seen.content.mentions, [called(&bob)]);
    let second = ground.say(room, &ada, "@bob?").await?;
    ground
        .say(room, &ada, "`@bob` is code, and ada@bob.org an address")
        .await?;
    assert_eq!(calls(&ground, room, &bob).await?, 2);
    assert_eq!(calls(&ground, room, &ada).await?, 0);

    let (store, at) = (&ground.store, ground.clock.now());
    store.mark_read(room, bob.id, place.seq, at).await?;
    assert_eq!(calls(&ground, room, &bob).await?, 1);
    store.erase(room, ada.id, second.seq, at).await?;
    assert_eq!(calls(&ground, room, &bob).await?, 0);

    // Whom one blocks calls in vain.
    store.block(bob.id, ada.id, at).await?;
    assert!(ground.say(room, &ada, "@bob!").await?.mentions.is_empty());
    assert_eq!(calls(&ground, room, &bob).await?, 0);
    // Who comes later is not called by what was said before.
    ground.join(room, &eve).await?;
    assert_eq!(calls(&ground, room, &eve).await?, 0);
    Ok(())
}

async fn everybody_is_called_by_those_who_keep_order(ground: Ground) -> Result<()> {
    let [ada, bob, eve] = ground.people(["ada", "bob", "eve"]).await?;
    let room = ground.room(&ada, "Tea").await?.id;
    ground.join(room, &bob).await?;
    ground.join(room, &eve).await?;
    assert!(
        ground
            .say(room, &bob, "@room tea!")
            .await?
            .mentions
            .is_empty()
    );
    let give = ChangeMember {
        role: Some(Role::Moderator),
        muted_until: None,
    };
    let at = ground.clock.now();
    ground
        .store
        .change_member(room, ada.id, bob.id, &give, at)
        .await?;
    let place = ground.say(room, &bob, "@room tea! @eve").await?;
    let everybody = Mention {
        id: None,
        username: String::from("room"),
    };
    assert_eq!(place.mentions, [called(&eve), everybody]);
    // Eve is called twice by one message.
    for (person, count) in [(&ada, 1), (&bob, 0), (&eve, 1)] {
        assert_eq!(
            calls(&ground, room, person).await?,
            count,
            "{}",
            person.username
        );
    }
    ground
        .store
        .edit(room, bob.id, place.seq, &body("tea!"), at)
        .await?;
    assert_eq!(calls(&ground, room, &ada).await?, 0);
    Ok(())
}

async fn an_edit_calls_others(ground: Ground) -> Result<()> {
    let [ada, bob, eve] = ground.people(["ada", "bob", "eve"]).await?;
    let room = ground.room(&ada, "Tea").await?.id;
    ground.join(room, &bob).await?;
    ground.join(room, &eve).await?;
    let seq = ground.say(room, &ada, "@bob tea?").await?.seq;
    let at = ground.clock.now();
    let event = ground
        .store
        .edit(room, ada.id, seq, &body("@eve tea? @room"), at)
        .await?;
    let EventKind::Edit(edited) = &event.kind else {
        panic!("{event:?}")
    };
    assert_eq!(edited.mentions[0], called(&eve));
    assert_eq!(edited.mentions.len(), 2);
    assert_eq!(ground.log(room).await?.last(), Some(&event));
    let seen = message(&ground, room, &bob, seq).await?;
    assert_eq!(seen.content.mentions, edited.mentions);
    ground
        .store
        .edit(room, ada.id, seq, &body("@eve tea?"), at)
        .await?;
    assert_eq!(calls(&ground, room, &bob).await?, 0);
    assert_eq!(calls(&ground, room, &eve).await?, 1);
    Ok(())
}

/// One batch with plain rooms and judged ones, with entries that are refused, new, and stored before.
async fn calls_are_told_whatever_way_a_message_went_in(ground: Ground) -> Result<()> {
    let [ada, bob] = ground.people(["ada", "bob"]).await?;
    let plain = ground.room(&ada, "Tea").await?.id;
    let slow = ground.room(&ada, "Coffee").await?.id;
    let at = ground.clock.now();
    let slowly = ChangeRoom {
        slow_mode_s: Some(5),
        ..ChangeRoom::default()
    };
    ground
        .store
        .change_room(slow, ada.id, &slowly, None, at)
        .await?;
    for room in [plain, slow] {
        ground.join(room, &bob).await?;
    }
    let says = |room, user: &UserSummary, name: &str, text: &str| Append {
        body: body(text),
        ..ground.message(room, user.id, name)
    };
    let entries = [
        says(slow, &bob, "1", "@ada slowly"),
        says(plain, &ada, "2", "nobody"),
        says(slow, &bob, "3", "@ada too early"),
        says(plain, &bob, "4", "@ada"),
        says(slow, &ada, "5", "@bob"),
        says(plain, &ada, "6", "@bob"),
    ];
    let outcomes = ground.store.append(&entries).await?;
    let told = |outcomes: &[Appended]| -> Vec<Option<Vec<String>>> {
        let names = |outcome: &Appended| match outcome {
            Appended::Stored(place) => {
                Some(place.mentions.iter().map(|m| m.username.clone()).collect())
            }
            _ => None,
        };
        outcomes.iter().map(names).collect()
    };
    let name = |name: &str| Some(vec![name.to_owned()]);
    let expected = [
        name("ada"),
        Some(vec![]),
        None,
        name("ada"),
        name("bob"),
        name("bob"),
    ];
    assert_eq!(told(&outcomes), expected);
    // The answer was lost: the same entries again are told the same, and call nobody twice.
    let again = ground.store.append(&entries).await?;
    assert_eq!(told(&again), expected);
    // A client's own resend is answered by its first place.
    let resent = ground.append(says(plain, &bob, "4", "@ada again")).await?;
    ensure!(matches!(resent, Appended::Duplicate(_)), "{resent:?}");
    for room in [plain, slow] {
        assert_eq!(calls(&ground, room, &ada).await?, 1);
        assert_eq!(calls(&ground, room, &bob).await?, 1);
    }
    for (entry, outcome) in entries.iter().zip(&outcomes) {
        if let Appended::Stored(place) = outcome {
            let seen = message(&ground, entry.room, &ada, place.seq).await?;
            assert_eq!(seen.content.mentions, place.mentions);
        }
    }
    Ok(())
}

async fn a_thread_has_one_root(ground: Ground) -> Result<()> {
    let [ada, bob] = ground.people(["ada", "bob"]).await?;
    let room = ground.room(&ada, "Tea").await?.id;
    ground.join(room, &bob).await?;
    let root = ground.send(room, &ada, "root").await?.seq;
    let within = |thread, name: &str| Append {
        thread: Some(thread),
        reply_to: Some(root),
        ..ground.message(room, bob.id, name)
    };
    let Appended::Stored(first) = ground.append(within(root, "one")).await? else {
        panic!("not stored")
    };
    let Appended::Stored(second) = ground.append(within(root, "two")).await? else {
        panic!("not stored")
    };
    ground.send(room, &ada, "beside").await?;
    let nested = ground.append(within(first.seq, "three")).await?;
    ensure!(
        matches!(&nested, Appended::Refused(refusal) if refusal.code == Conflict),
        "{nested:?}"
    );
    // To answer what is in a thread is something else.
    let answer = Append {
        reply_to: Some(first.seq),
        ..within(root, "four")
    };
    let Appended::Stored(third) = ground.append(answer).await? else {
        panic!("not stored")
    };
    let to_nothing = ground.append(within(Seq(1), "five")).await?;
    ensure!(
        matches!(&to_nothing, Appended::Refused(refusal) if refusal.code == MessageNotFound),
        "{to_nothing:?}"
    );
    assert_eq!(message(&ground, room, &ada, root).await?.content.replies, 3);
    let at = ground.clock.now();
    ground.store.erase(room, bob.id, second.seq, at).await?;
    assert_eq!(message(&ground, room, &ada, root).await?.content.replies, 2);
    let wanted = History {
        thread: Some(root),
        ..latest()
    };
    let list = ground.store.history(room, ada.id, &wanted).await?;
    let places: Vec<_> = list.messages.iter().map(|message| message.seq).collect();
    assert_eq!(places, [root, first.seq, second.seq, third.seq]);
    Ok(())
}

async fn earlier_texts_are_read_back(ground: Ground) -> Result<()> {
    let [ada, bob] = ground.people(["ada", "bob"]).await?;
    let room = ground.room(&ada, "Tea").await?.id;
    let seq = ground.say(room, &ada, "one").await?.seq;
    assert!(ground.store.versions(room, ada.id, seq).await?.is_empty());
    let wrote_at = ground.clock.now();
    ground.clock.advance(Duration::from_secs(1));
    let changed_at = ground.clock.now();
    ground
        .store
        .edit(room, ada.id, seq, &body("two"), changed_at)
        .await?;
    ground.clock.advance(Duration::from_secs(1));
    let at = ground.clock.now();
    ground
        .store
        .edit(room, ada.id, seq, &body("three"), at)
        .await?;
    let versions = ground.store.versions(room, ada.id, seq).await?;
    let told: Vec<_> = versions
        .iter()
        .map(|version| (version.body.as_str(), version.at))
        .collect();
    assert_eq!(told, [("one", wrote_at), ("two", changed_at)]);
    assert_eq!(
        refused(ground.store.versions(room, bob.id, seq).await),
        NotAMember
    );
    Ok(())
}

async fn receipts_are_of_those_who_show_them(ground: Ground) -> Result<()> {
    let [ada, bob, eve] = ground.people(["ada", "bob", "eve"]).await?;
    let room = ground.room(&ada, "Tea").await?.id;
    ground.join(room, &bob).await?;
    ground.join(room, &eve).await?;
    let seq = ground.send(room, &ada, "one").await?.seq;
    let (store, at) = (&ground.store, ground.clock.now());
    let find = |seq, limit, cursor| FindReceipts {
        seq,
        page: Page { cursor, limit },
    };
    assert!(
        store
            .receipts(room, ada.id, &find(seq, 9, None))
            .await?
            .receipts
            .is_empty()
    );
    for person in [&ada, &bob, &eve] {
        store.mark_read(room, person.id, seq, at).await?;
    }
    let page = store.receipts(room, ada.id, &find(seq, 2, None)).await?;
    assert_eq!(page.receipts.len(), 2);
    let rest = store
        .receipts(room, ada.id, &find(seq, 2, page.next_cursor))
        .await?;
    assert_eq!((rest.receipts.len(), rest.next_cursor), (1, None));

    let hide = ChangeProfile {
        shows_reads: Some(false),
        ..ChangeProfile::default()
    };
    assert!(!store.change_profile(bob.id, &hide).await?.shows_reads);
    // Nor are others told of a mark that moves.
    let head = ground.send(room, &ada, "two").await?.seq;
    let marks = [(room, bob.id, head), (room, eve.id, head)];
    let moved = store.mark_reads(&marks, at).await?;
    let shown: Vec<_> = moved.iter().filter(|mark| mark.is_shown).collect();
    assert_eq!((moved.len(), shown.len()), (2, 1));
    assert_eq!((shown[0].user, shown[0].seq), (eve.id, head));
    let receipts = store
        .receipts(room, ada.id, &find(seq, 9, None))
        .await?
        .receipts;
    let mut who: Vec<_> = receipts
        .iter()
        .map(|receipt| receipt.user.username.as_str())
        .collect();
    who.sort_unstable();
    assert_eq!(who, ["ada", "eve"]);
    assert!(
        receipts
            .iter()
            .all(|receipt| receipt.seq >= seq && receipt.at == at)
    );
    Ok(())
}

fn latest() -> History {
    History {
        limit: 50,
        ..History::default()
    }
}

fn called(user: &UserSummary) -> Mention {
    Mention {
        id: Some(user.id),
        username: user.username.clone(),
    }
}

/// How many unread messages of a room call somebody.
async fn calls(ground: &Ground, room: RoomId, user: &UserSummary) -> Result<u64> {
    let rooms = ground.store.my_rooms(user.id).await?;
    let mine = rooms.into_iter().find(|mine| mine.room.id == room);
    Ok(mine.map(|mine| mine.mentions).unwrap_or_default())
}
