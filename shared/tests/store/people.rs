//! Who gets into a room, who is removed from it, and who may do what there, on both engines.

use std::time::Duration;

use anyhow::Result;
use protocol::{
    Role, RoomId, Seq,
    accounts::UserSummary,
    error::ErrorCode::{
        BanNotFound, Banned, Forbidden, InviteNotFound, LastOwner, MemberNotFound, NotAMember,
        RoomFull, RoomNotFound, UserNotFound, ValidationFailed, WrongPassword,
    },
    events::{Event, EventKind},
    rooms::{ChangeMember, ChangeRoom, CreateRoom, NewBan, NewInvite, Visibility},
};
use shared::store::{Appended, As, Entry, Result as Answer};

use crate::ground::{Ground, body, on_both_engines, password, public, react, refused};

on_both_engines!(
    joining_again_changes_nothing,
    a_private_room_opens_to_its_password,
    a_secret_room_is_not_there_for_strangers,
    an_invite_lets_in_as_often_as_it_says,
    a_full_room_takes_nobody_more,
    who_leaves_may_come_back_and_the_owner_stays,
    who_is_banned_stays_out_until_it_ends,
    the_room_is_handed_over_in_two_events,
    everybody_may_what_the_table_says,
    strangers_are_told_as_little_as_the_room_says,
);

async fn joining_again_changes_nothing(ground: Ground) -> Result<()> {
    let [ada, bob] = ground.people(["ada", "bob"]).await?;
    let room = ground.room(&ada, "Tea").await?.id;
    let first = ground.join(room, &bob).await?;
    let again = ground.join(room, &bob).await?;
    assert_eq!(first.member, again.member);
    assert!(first.event.is_some() && again.event.is_none());
    let room = ground.store.room(room, bob.id).await?;
    assert_eq!(
        (room.members, room.role, room.owner_id),
        (2, Some(Role::Member), Some(ada.id))
    );
    assert_eq!(ground.log(room.id).await?.len(), 2);
    Ok(())
}

async fn a_private_room_opens_to_its_password(ground: Ground) -> Result<()> {
    let [ada, bob] = ground.people(["ada", "bob"]).await?;
    let create = CreateRoom {
        visibility: Visibility::Private,
        password: Some(password("sesame")),
        ..public("Cave")
    };
    let room = ground.create(&ada, create).await?.id;
    let store = &ground.store;
    let at = ground.clock.now();
    let door = store.door(room, bob.id, at).await?;
    assert_eq!(door.password_hash.as_deref(), Some("hash of sesame"));
    let before = store.room(room, ada.id).await?;
    assert_eq!(
        refused(store.join(room, bob.id, &Entry::Open, at).await),
        NotAMember
    );
    let wrong = Entry::PasswordChecked(String::from("hash of simsim"));
    assert_eq!(
        refused(store.join(room, bob.id, &wrong, at).await),
        WrongPassword
    );
    assert_eq!(store.room(room, ada.id).await?, before);
    store
        .join(
            room,
            bob.id,
            &Entry::PasswordChecked(door.password_hash.unwrap()),
            at,
        )
        .await?;

    // A room without a password opens to nobody by one, and an open room needs none.
    let remove = ChangeRoom {
        password: Some(None),
        ..ChangeRoom::default()
    };
    let (room, events) = store.change_room(room, ada.id, &remove, None, at).await?;
    assert!(
        matches!(&events[0].kind, EventKind::Room(told) if told.changes.has_password == Some(false))
    );
    let eve = ground.person("eve").await?;
    assert!(!room.has_password);
    let known = Entry::PasswordChecked(String::from("hash of sesame"));
    assert_eq!(
        refused(store.join(room.id, eve.id, &known, at).await),
        WrongPassword
    );
    let open = ChangeRoom {
        visibility: Some(Visibility::Public),
        ..ChangeRoom::default()
    };
    store.change_room(room.id, ada.id, &open, None, at).await?;
    ground.join(room.id, &eve).await?;
    Ok(())
}

async fn a_secret_room_is_not_there_for_strangers(ground: Ground) -> Result<()> {
    let [ada, bob] = ground.people(["ada", "bob"]).await?;
    let create = CreateRoom {
        visibility: Visibility::Secret,
        ..public("Den")
    };
    let room = ground.create(&ada, create).await?.id;
    let store = &ground.store;
    let at = ground.clock.now();
    assert_eq!(refused(store.room(room, bob.id).await), RoomNotFound);
    assert_eq!(refused(store.access(room, bob.id).await), RoomNotFound);
    assert_eq!(
        refused(store.kick(room, bob.id, ada.id, at).await),
        RoomNotFound
    );
    assert_eq!(refused(store.leave(room, bob.id, at).await), RoomNotFound);
    for entry in [
        Entry::Open,
        Entry::Invite(String::from("guess")),
        Entry::PasswordChecked(String::new()),
    ] {
        assert_eq!(
            refused(store.join(room, bob.id, &entry, at).await),
            RoomNotFound
        );
    }
    let new = NewInvite {
        max_uses: None,
        expires_in_s: 60,
    };
    store
        .create_invite(room, ada.id, "let-me-in", &new, at)
        .await?;
    store
        .join(room, bob.id, &Entry::Invite(String::from("let-me-in")), at)
        .await?;
    assert_eq!(store.room(room, bob.id).await?.members, 2);
    Ok(())
}

async fn an_invite_lets_in_as_often_as_it_says(ground: Ground) -> Result<()> {
    let [ada, bob, eve, dan] = ground.people(["ada", "bob", "eve", "dan"]).await?;
    let create = CreateRoom {
        visibility: Visibility::Private,
        ..public("Club")
    };
    let room = ground.create(&ada, create).await?.id;
    let store = &ground.store;
    let at = ground.clock.now();
    let new = NewInvite {
        max_uses: Some(1),
        expires_in_s: 60,
    };
    let invite = store.create_invite(room, ada.id, "once", &new, at).await?;
    assert_eq!(store.invites(room, ada.id, at).await?, [invite]);
    let once = Entry::Invite(String::from("once"));
    // Of two who come at the same moment one gets in.
    let (first, second) = tokio::join!(
        store.join(room, bob.id, &once, at),
        store.join(room, eve.id, &once, at)
    );
    let (came, stayed) = if first.is_ok() {
        (first, second)
    } else {
        (second, first)
    };
    assert!(came.is_ok());
    assert_eq!(refused(stayed), InviteNotFound);
    assert!(store.invites(room, ada.id, at).await?.is_empty());

    let new = NewInvite {
        max_uses: None,
        expires_in_s: 60,
    };
    store
        .create_invite(room, ada.id, "minute", &new, at)
        .await?;
    let minute = Entry::Invite(String::from("minute"));
    let late = at.after(Duration::from_secs(60));
    assert_eq!(
        refused(store.join(room, dan.id, &minute, late).await),
        InviteNotFound
    );
    let elsewhere = ground
        .create(
            &ada,
            CreateRoom {
                visibility: Visibility::Private,
                ..public("Else")
            },
        )
        .await?;
    assert_eq!(
        refused(store.join(elsewhere.id, dan.id, &minute, at).await),
        InviteNotFound
    );
    store.join(room, dan.id, &minute, at).await?;
    // Only one's own invites are taken back, unless one keeps order.
    assert_eq!(
        refused(store.delete_invite(room, dan.id, "minute").await),
        InviteNotFound
    );
    store.delete_invite(room, ada.id, "minute").await?;
    assert_eq!(
        refused(store.delete_invite(room, ada.id, "minute").await),
        InviteNotFound
    );
    Ok(())
}

async fn a_full_room_takes_nobody_more(ground: Ground) -> Result<()> {
    let ada = ground.person("ada").await?;
    let room = ground
        .create(
            &ada,
            CreateRoom {
                max_members: 3,
                ..public("Tea")
            },
        )
        .await?
        .id;
    let people = ground.people(["p01", "p02", "p03", "p04", "p05"]).await?;
    let joins = people.iter().map(|person| ground.join(room, person));
    let outcomes = futures_util::future::join_all(joins).await;
    let (came, stayed): (Vec<_>, Vec<_>) = outcomes.into_iter().partition(Result::is_ok);
    assert_eq!(
        (came.len(), ground.store.room(room, ada.id).await?.members),
        (2, 3)
    );
    assert!(
        stayed
            .into_iter()
            .all(|outcome| refused(outcome) == RoomFull)
    );
    Ok(())
}

async fn who_leaves_may_come_back_and_the_owner_stays(ground: Ground) -> Result<()> {
    let [ada, bob] = ground.people(["ada", "bob"]).await?;
    let room = ground.room(&ada, "Tea").await?.id;
    let at = ground.clock.now();
    ground.join(room, &bob).await?;
    let event = ground.store.leave(room, bob.id, at).await?;
    assert_eq!((event.kind, event.user), (EventKind::Leave, bob.clone()));
    assert_eq!(
        refused(ground.store.leave(room, bob.id, at).await),
        NotAMember
    );
    assert_eq!(
        refused(ground.store.leave(room, ada.id, at).await),
        LastOwner
    );
    ground.join(room, &bob).await?;
    assert_eq!(ground.store.room(room, ada.id).await?.members, 2);
    Ok(())
}

async fn who_is_banned_stays_out_until_it_ends(ground: Ground) -> Result<()> {
    let [ada, bob, eve] = ground.people(["ada", "bob", "eve"]).await?;
    let room = ground.room(&ada, "Tea").await?.id;
    ground.join(room, &bob).await?;
    let store = &ground.store;
    let at = ground.clock.now();
    let hour = NewBan {
        reason: None,
        until: Some(at.after(Duration::from_secs(3_600))),
    };
    store.ban(room, ada.id, bob.id, &hour, at).await?;
    // Somebody who never was in can be banned too, but nobody until yesterday.
    store
        .ban(room, ada.id, eve.id, &NewBan::default(), at)
        .await?;
    let over = NewBan {
        reason: None,
        until: Some(at),
    };
    assert_eq!(
        refused(store.ban(room, ada.id, eve.id, &over, at).await),
        ValidationFailed
    );
    assert_eq!(
        refused(store.ban(room, ada.id, ground.clock.id(), &hour, at).await),
        UserNotFound
    );
    assert_eq!(refused(ground.join(room, &bob).await), Banned);
    assert!(store.door(room, bob.id, at).await?.banned);
    let names = async |at| {
        let bans = store.bans(room, ada.id, at).await?;
        anyhow::Ok(
            bans.into_iter()
                .map(|ban| ban.user.username)
                .collect::<std::collections::BTreeSet<_>>(),
        )
    };
    assert_eq!(names(at).await?.len(), 2);
    ground.clock.advance(Duration::from_secs(3_600));
    let later = ground.clock.now();
    assert_eq!(names(later).await?, [String::from("eve")].into());
    assert_eq!(
        refused(store.unban(room, ada.id, bob.id, later).await),
        BanNotFound
    );
    ground.join(room, &bob).await?;
    store.unban(room, ada.id, eve.id, later).await?;
    ground.join(room, &eve).await?;
    assert_eq!(store.room(room, ada.id).await?.members, 3);
    Ok(())
}

async fn the_room_is_handed_over_in_two_events(ground: Ground) -> Result<()> {
    let [ada, bob] = ground.people(["ada", "bob"]).await?;
    let room = ground.room(&ada, "Tea").await?.id;
    ground.join(room, &bob).await?;
    let store = &ground.store;
    let at = ground.clock.now();
    let to = |role| ChangeMember {
        role: Some(role),
        muted_until: None,
    };
    assert_eq!(
        refused(
            store
                .change_member(room, ada.id, ada.id, &to(Role::Admin), at)
                .await
        ),
        LastOwner
    );
    let (member, events) = store
        .change_member(room, ada.id, bob.id, &to(Role::Owner), at)
        .await?;
    assert_eq!((member.user, member.role), (bob.clone(), Role::Owner));
    let told: Vec<_> = events
        .iter()
        .map(|event| match &event.kind {
            EventKind::Role(done) => (done.member.username.as_str(), done.role),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(
        told,
        [("bob", Some(Role::Owner)), ("ada", Some(Role::Admin))]
    );
    let seen = store.room(room, ada.id).await?;
    assert_eq!(
        (seen.owner_id, seen.role),
        (Some(bob.id), Some(Role::Admin))
    );
    store.leave(room, ada.id, at).await?;
    assert_eq!(refused(store.leave(room, bob.id, at).await), LastOwner);
    Ok(())
}

/// Tries what the table speaks of, each in a room of its own, as every role.
async fn everybody_may_what_the_table_says(ground: Ground) -> Result<()> {
    use Role::{Admin, Member, Moderator, Owner};
    let people = ground
        .people(["owner", "admin", "moderator", "member", "victim"])
        .await?;
    let attempts: [(&str, Attempt, Role); 18] = [
        ("react", Attempt::React, Member),
        ("edit one's own", Attempt::EditOwn, Member),
        ("delete another's message", Attempt::DeleteOthers, Moderator),
        ("pin", Attempt::Pin, Moderator),
        ("unpin", Attempt::Unpin, Moderator),
        (
            "invite to a public room",
            Attempt::Invite(Visibility::Public),
            Member,
        ),
        (
            "invite to a private room",
            Attempt::Invite(Visibility::Private),
            Moderator,
        ),
        ("kick a member", Attempt::Kick(Member), Moderator),
        ("kick a moderator", Attempt::Kick(Moderator), Admin),
        ("kick an admin", Attempt::Kick(Admin), Owner),
        ("ban a member", Attempt::Ban(Member), Moderator),
        ("mute a moderator", Attempt::Mute(Moderator), Admin),
        (
            "slow mode",
            Attempt::Change(ChangeRoom {
                slow_mode_s: Some(5),
                ..ChangeRoom::default()
            }),
            Moderator,
        ),
        (
            "max members",
            Attempt::Change(ChangeRoom {
                max_members: Some(9),
                ..ChangeRoom::default()
            }),
            Admin,
        ),
        (
            "archive",
            Attempt::Change(ChangeRoom {
                archived: Some(true),
                ..ChangeRoom::default()
            }),
            Owner,
        ),
        ("make a moderator", Attempt::Give(Moderator), Admin),
        ("make an admin", Attempt::Give(Admin), Owner),
        ("delete the room", Attempt::Delete, Owner),
    ];
    for (name, attempt, least) in &attempts {
        for role in [Member, Moderator, Admin, Owner] {
            let room = ground
                .peopled_room(&people, &format!("{name} as {}", role.as_str()))
                .await?;
            let by = &people[3 - role as usize];
            let answer = attempt.try_as(&ground, room, by, &people[4]).await;
            if role >= *least {
                answer.unwrap_or_else(|error| panic!("{} may not {name}: {error}", role.as_str()));
            } else {
                assert_eq!(refused(answer), Forbidden, "{name} as {}", role.as_str());
            }
        }
    }
    // Nobody removes the owner.
    let room = ground.peopled_room(&people, "the owner stays").await?;
    let at = ground.clock.now();
    for by in &people[..4] {
        assert_eq!(
            refused(ground.store.kick(room, by.id, people[0].id, at).await),
            Forbidden
        );
        assert_eq!(
            refused(
                ground
                    .store
                    .ban(room, by.id, people[0].id, &NewBan::default(), at)
                    .await
            ),
            Forbidden
        );
    }
    let stranger = ground.person("stranger").await?;
    assert_eq!(
        refused(ground.store.kick(room, people[0].id, stranger.id, at).await),
        MemberNotFound
    );
    Ok(())
}

/// Something that only some roles may do, to a victim of a given role.
enum Attempt {
    React,
    EditOwn,
    DeleteOthers,
    Pin,
    Unpin,
    Invite(Visibility),
    Kick(Role),
    Ban(Role),
    Mute(Role),
    Give(Role),
    Change(ChangeRoom),
    Delete,
}

impl Attempt {
    async fn try_as(
        &self,
        ground: &Ground,
        room: RoomId,
        by: &UserSummary,
        victim: &UserSummary,
    ) -> Answer<()> {
        let store = &ground.store;
        let at = ground.clock.now();
        if let Self::Kick(role) | Self::Ban(role) | Self::Mute(role) = self {
            ground.give(room, victim, *role).await?;
        }
        match self {
            Self::React | Self::DeleteOthers | Self::Pin | Self::Unpin => {
                let seq = ground.said(room, victim).await?;
                match self {
                    Self::React => store
                        .react(room, by.id, &react(seq, "👍"), at)
                        .await
                        .map(drop),
                    Self::Pin => store.pin(room, by.id, seq, at).await.map(drop),
                    Self::Unpin => {
                        let owner = ground.owner_of(room).await?;
                        store.pin(room, owner, seq, at).await?;
                        store.unpin(room, by.id, seq, at).await.map(drop)
                    }
                    _ => store.erase(room, by.id, seq, at).await.map(drop),
                }
            }
            Self::EditOwn => {
                let seq = ground.said(room, by).await?;
                // Nobody edits another's, whatever they are.
                let of_other = ground.said(room, victim).await?;
                let text = body("Coffee?");
                let others = store.edit(room, by.id, of_other, &text, at).await;
                assert_eq!(refused(others), Forbidden);
                store.edit(room, by.id, seq, &text, at).await.map(drop)
            }
            Self::Invite(visibility) => {
                ground.show(room, *visibility).await?;
                let code = format!("{room}-{}", by.username);
                let new = NewInvite {
                    max_uses: None,
                    expires_in_s: 60,
                };
                store
                    .create_invite(room, by.id, &code, &new, at)
                    .await
                    .map(drop)
            }
            Self::Kick(_) => store.kick(room, by.id, victim.id, at).await.map(drop),
            Self::Ban(_) => store
                .ban(room, by.id, victim.id, &NewBan::default(), at)
                .await
                .map(drop),
            Self::Mute(_) => {
                let until = Some(Some(at.after(Duration::from_secs(5))));
                let mute = ChangeMember {
                    role: None,
                    muted_until: until,
                };
                store
                    .change_member(room, by.id, victim.id, &mute, at)
                    .await
                    .map(drop)
            }
            Self::Give(role) => {
                let give = ChangeMember {
                    role: Some(*role),
                    muted_until: None,
                };
                store
                    .change_member(room, by.id, victim.id, &give, at)
                    .await
                    .map(drop)
            }
            Self::Change(wish) => store
                .change_room(room, by.id, wish, None, at)
                .await
                .map(drop),
            Self::Delete => store.delete_room(room, (by.id, As::Owner), None, at).await,
        }
    }
}

impl Ground {
    /// Somebody says something.
    async fn said(&self, room: RoomId, user: &UserSummary) -> Answer<Seq> {
        let entry = self.message(room, user.id, "Tea?");
        match self.append(entry).await? {
            Appended::Stored(place) | Appended::Duplicate(place) => Ok(place.seq),
            Appended::Refused(refusal) => Err(refusal.into()),
        }
    }

    /// A room with an owner, an admin, a moderator, a member and one more member.
    async fn peopled_room(&self, people: &[UserSummary; 5], name: &str) -> Result<RoomId> {
        let room = self.room(&people[0], name).await?.id;
        for person in &people[1..] {
            self.join(room, person).await?;
        }
        self.give(room, &people[1], Role::Admin).await?;
        self.give(room, &people[2], Role::Moderator).await?;
        Ok(room)
    }

    async fn give(&self, room: RoomId, user: &UserSummary, role: Role) -> Answer<Vec<Event>> {
        let owner = self.owner_of(room).await?;
        let give = ChangeMember {
            role: Some(role),
            muted_until: None,
        };
        Ok(self
            .store
            .change_member(room, owner, user.id, &give, self.clock.now())
            .await?
            .1)
    }

    async fn show(&self, room: RoomId, visibility: Visibility) -> Answer<()> {
        let owner = self.owner_of(room).await?;
        let wish = ChangeRoom {
            visibility: Some(visibility),
            ..ChangeRoom::default()
        };
        self.store
            .change_room(room, owner, &wish, None, self.clock.now())
            .await
            .map(drop)
    }

    async fn owner_of(&self, room: RoomId) -> Answer<protocol::UserId> {
        let seen = self.store.room(room, self.clock.id()).await?;
        Ok(seen.owner_id.expect("the room is public"))
    }
}

async fn strangers_are_told_as_little_as_the_room_says(ground: Ground) -> Result<()> {
    let [ada, bob] = ground.people(["ada", "bob"]).await?;
    let private = CreateRoom {
        visibility: Visibility::Private,
        password: Some(password("sesame")),
        ..public("Cave")
    };
    let room = ground.create(&ada, private).await?.id;
    assert_eq!(refused(ground.store.room(room, bob.id).await), NotAMember);
    let find = protocol::rooms::FindRooms {
        limit: 10,
        ..Default::default()
    };
    let listed = ground.store.rooms(bob.id, &find).await?.rooms;
    let told = serde_json::to_value(listed.iter().find(|listed| listed.id == room))?;
    let names: Vec<_> = told
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    assert_eq!(
        names,
        [
            "has_password",
            "id",
            "members",
            "name",
            "topic",
            "visibility"
        ]
    );
    let open = ground.room(&ada, "Tea").await?.id;
    let told = ground.store.room(open, bob.id).await?;
    assert_eq!((told.owner_id, told.role), (Some(ada.id), None));
    assert_eq!(
        refused(
            ground
                .store
                .members(
                    open,
                    bob.id,
                    &protocol::rooms::Page {
                        cursor: None,
                        limit: 9
                    }
                )
                .await
                .map(|_| ())
        ),
        NotAMember
    );
    assert_eq!(
        refused(ground.store.bans(open, bob.id, ground.clock.now()).await),
        NotAMember
    );
    Ok(())
}
