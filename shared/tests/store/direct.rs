//! Conversations of named people, and blocks, on both engines.

use std::collections::BTreeSet;

use anyhow::{Result, ensure};
use futures_util::future::join_all;
use protocol::{
    Role, RoomId, UserId,
    accounts::UserSummary,
    error::ErrorCode::{Blocked, Conflict, Forbidden, RoomNotFound, UserNotFound},
    rooms::{ChangeRoom, FindRooms, RoomSort, Visibility},
};
use shared::store::{Appended, As, Direct, NewDirect, Result as Answer};

use crate::ground::{Ground, body, on_both_engines, react, refused};

on_both_engines!(
    a_set_of_people_has_one_conversation,
    it_is_one_however_many_want_it_at_once,
    who_left_is_in_it_again,
    a_block_keeps_both_from_talking,
    in_company_a_block_silences_nobody,
    everybody_pins_and_nobody_rules,
    blocks_are_listed,
);

impl Ground {
    async fn talk(&self, by: &UserSummary, people: &[&UserSummary]) -> Answer<Direct> {
        let ids = people.iter().map(|person| person.id);
        let wish = NewDirect {
            id: self.clock.id(),
            by: by.id,
            people: ids.chain([by.id]).collect::<BTreeSet<UserId>>(),
            at: self.clock.now(),
        };
        self.store.open_direct(&wish).await
    }

    /// What becomes of a message.
    async fn try_to_say(&self, room: RoomId, user: &UserSummary, name: &str) -> Answer<()> {
        match self.append(self.message(room, user.id, name)).await? {
            Appended::Refused(refusal) => Err(refusal.into()),
            Appended::Stored(_) | Appended::Duplicate(_) => Ok(()),
        }
    }
}

async fn a_set_of_people_has_one_conversation(ground: Ground) -> Result<()> {
    let [ada, bob, eve] = ground.people(["ada", "bob", "eve"]).await?;
    let first = ground.talk(&ada, &[&bob]).await?;
    let again = ground.talk(&bob, &[&ada, &bob]).await?;
    assert_eq!((first.is_new, again.is_new), (true, false));
    assert_eq!(first.room.id, again.room.id);
    assert_eq!((first.events.len(), again.events.len()), (2, 0));
    let room = &again.room;
    assert_eq!(room.visibility, Visibility::Direct);
    assert_eq!(
        (room.members, room.max_members, room.owner_id),
        (2, Some(2), None)
    );
    assert_eq!(
        (room.role, &room.people),
        (Some(Role::Member), &vec![ada.clone(), bob.clone()])
    );
    let mine = ground.store.my_rooms(bob.id).await?;
    assert_eq!(mine[0].room.people, room.people);

    let of_three = ground.talk(&ada, &[&bob, &eve]).await?;
    assert!(of_three.is_new && of_three.room.id != room.id);
    // Nobody else finds it or comes in.
    assert_eq!(
        refused(ground.store.room(room.id, eve.id).await),
        RoomNotFound
    );
    assert_eq!(refused(ground.join(room.id, &eve).await), RoomNotFound);
    assert_eq!(
        refused(ground.try_to_say(room.id, &eve, "hello").await),
        RoomNotFound
    );
    let find = FindRooms {
        query: String::new(),
        cursor: None,
        limit: 50,
        sort: RoomSort::Name,
    };
    assert!(ground.store.rooms(eve.id, &find).await?.rooms.is_empty());
    let nobody = UserSummary {
        id: ground.clock.id(),
        ..eve.clone()
    };
    assert_eq!(refused(ground.talk(&ada, &[&nobody]).await), UserNotFound);
    Ok(())
}

async fn it_is_one_however_many_want_it_at_once(ground: Ground) -> Result<()> {
    let [ada, bob, eve] = ground.people(["ada", "bob", "eve"]).await?;
    let wishes = (0..12).map(|number| {
        let (by, others) = match number % 3 {
            0 => (&ada, [&bob, &eve]),
            1 => (&bob, [&ada, &eve]),
            _ => (&eve, [&bob, &ada]),
        };
        let ground = &ground;
        async move { ground.talk(by, &others).await }
    });
    let opened = join_all(wishes)
        .await
        .into_iter()
        .collect::<Answer<Vec<_>>>()?;
    let rooms: BTreeSet<RoomId> = opened.iter().map(|direct| direct.room.id).collect();
    assert_eq!(rooms.len(), 1);
    assert_eq!(opened.iter().filter(|direct| direct.is_new).count(), 1);
    let room = *rooms.first().unwrap();
    let log = ground.log(room).await?;
    let joined: BTreeSet<UserId> = log.iter().map(|event| event.user.id).collect();
    assert_eq!((log.len(), joined.len()), (3, 3));
    Ok(())
}

async fn who_left_is_in_it_again(ground: Ground) -> Result<()> {
    let [ada, bob] = ground.people(["ada", "bob"]).await?;
    let room = ground.talk(&ada, &[&bob]).await?.room.id;
    ground.send(room, &ada, "hello").await?;
    let at = ground.clock.now();
    ground.store.leave(room, bob.id, at).await?;
    assert!(ground.store.my_rooms(bob.id).await?.is_empty());
    let again = ground.talk(&ada, &[&bob]).await?;
    assert_eq!((again.room.id, again.room.members), (room, 2));
    assert_eq!(again.events.len(), 1);
    assert_eq!(again.events[0].user, bob);
    Ok(())
}

async fn a_block_keeps_both_from_talking(ground: Ground) -> Result<()> {
    let [ada, bob, eve] = ground.people(["ada", "bob", "eve"]).await?;
    let room = ground.talk(&ada, &[&bob]).await?.room.id;
    let place = ground.send(room, &bob, "hello").await?;
    let (store, at) = (&ground.store, ground.clock.now());
    store.block(ada.id, bob.id, at).await?;
    for (by, other) in [(&ada, &bob), (&bob, &ada)] {
        let name = &by.username;
        assert_eq!(refused(ground.try_to_say(room, by, name).await), Blocked);
        assert_eq!(refused(ground.talk(by, &[other]).await), Blocked);
        assert_eq!(refused(ground.talk(by, &[other, &eve]).await), Blocked);
        let wink = store.react(room, by.id, &react(place.seq, "😉"), at).await;
        assert_eq!(refused(wink), Blocked);
    }
    let edit = store.edit(room, bob.id, place.seq, &body("!"), at).await;
    assert_eq!(refused(edit), Blocked);
    // What one said one may take back.
    store.erase(room, bob.id, place.seq, at).await?;
    // In a batch with others only theirs is refused.
    let public = ground.room(&ada, "Tea").await?.id;
    ground.join(public, &bob).await?;
    let entries = [
        ground.message(room, bob.id, "one"),
        ground.message(public, bob.id, "two"),
    ];
    let outcomes = store.append(&entries).await?;
    ensure!(
        matches!(&outcomes[..], [Appended::Refused(no), Appended::Stored(_)] if no.code == Blocked),
        "{outcomes:?}"
    );
    store.unblock(ada.id, bob.id).await?;
    ground.send(room, &bob, "again").await?;
    assert!(!ground.talk(&bob, &[&ada]).await?.is_new);
    Ok(())
}

async fn in_company_a_block_silences_nobody(ground: Ground) -> Result<()> {
    let [ada, bob, eve] = ground.people(["ada", "bob", "eve"]).await?;
    let room = ground.talk(&ada, &[&bob, &eve]).await?.room.id;
    let at = ground.clock.now();
    // Else whoever blocks the others would have the last word.
    ground.store.block(eve.id, ada.id, at).await?;
    ground.store.block(eve.id, bob.id, at).await?;
    for person in [&ada, &bob, &eve] {
        ground.send(room, person, &person.username).await?;
    }
    Ok(())
}

async fn everybody_pins_and_nobody_rules(ground: Ground) -> Result<()> {
    let [ada, bob] = ground.people(["ada", "bob"]).await?;
    let room = ground.talk(&ada, &[&bob]).await?.room.id;
    let seq = ground.send(room, &ada, "hello").await?.seq;
    let (store, at) = (&ground.store, ground.clock.now());
    store.pin(room, bob.id, seq, at).await?;
    assert_eq!(
        refused(store.kick(room, ada.id, bob.id, at).await),
        Forbidden
    );
    assert_eq!(refused(store.erase(room, bob.id, seq, at).await), Forbidden);
    assert_eq!(
        refused(store.delete_room(room, (ada.id, As::Owner), None, at).await),
        Conflict
    );
    let wish = ChangeRoom {
        archived: Some(true),
        ..ChangeRoom::default()
    };
    assert_eq!(
        refused(store.change_room(room, ada.id, &wish, None, at).await),
        Forbidden
    );
    Ok(())
}

async fn blocks_are_listed(ground: Ground) -> Result<()> {
    let [ada, bob, eve] = ground.people(["ada", "bob", "eve"]).await?;
    let (store, at) = (&ground.store, ground.clock.now());
    store.block(ada.id, bob.id, at).await?;
    ground.clock.advance(std::time::Duration::from_secs(1));
    store.block(ada.id, eve.id, ground.clock.now()).await?;
    store.block(ada.id, bob.id, ground.clock.now()).await?;
    let blocks = store.blocks(ada.id).await?;
    let who: Vec<_> = blocks.iter().map(|block| &block.user).collect();
    assert_eq!(who, [&eve, &bob]);
    assert_eq!(blocks[1].at, at, "blocked again is blocked since then");
    store.unblock(ada.id, eve.id).await?;
    store.unblock(ada.id, eve.id).await?;
    assert_eq!(store.blocks(ada.id).await?.len(), 1);
    assert!(store.blocks(bob.id).await?.is_empty());
    assert_eq!(refused(store.block(ada.id, ada.id, at).await), Conflict);
    let nobody = store.block(ada.id, ground.clock.id(), at).await;
    assert_eq!(refused(nobody), UserNotFound);
    Ok(())
}
