//! What HTTP and sockets share: passwords, limits, the audit log and hints around the store.

use std::time::Duration;

use anyhow::Result;
use protocol::{
    Limits,
    accounts::UserSummary,
    audit::AuditQuery,
    error::ErrorCode::{Forbidden, NotAMember, RateLimited, RoomNotFound, WrongPassword},
    messages::NewMessage,
    rooms::{CreateRoom, Join, NewBan, NewInvite, Page, Visibility},
    text::{ClientId, InviteCode, RoomPassword},
};
use shared::{
    App, Caller, Settings,
    hints::{Hint, Hints},
    messages, rooms,
};
use tokio::sync::mpsc;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::ground::{Ground, body, on_both_engines, password, public};

on_both_engines!(
    a_private_room_is_joined_with_the_right_password_only,
    a_secret_room_is_joined_with_an_invite,
    a_message_is_stored_once_and_told_of,
    what_moderators_do_is_noted,
);

/// An app over the ground's database, and what a coordinator beside it would hear.
struct Node {
    app: App,
    hints: mpsc::Receiver<Hint>,
    _tasks: (TaskTracker, tokio_util::sync::DropGuard),
}

impl Node {
    async fn over(ground: &Ground) -> Result<Self> {
        let settings = Settings {
            database_url: ground.url().into(),
            cluster_secret: "a cluster secret".into(),
            ..Settings::default()
        };
        let (tracker, cancel) = (TaskTracker::new(), CancellationToken::new());
        let (to_coordinator, hints) = Hints::in_process();
        let app = App::connect(
            settings,
            ground.clock.clone(),
            Some(to_coordinator),
            &tracker,
            &cancel,
        )
        .await?;
        Ok(Self {
            app,
            hints,
            _tasks: (tracker, cancel.drop_guard()),
        })
    }

    fn caller(&self, user: &UserSummary) -> Caller {
        Caller {
            user: user.clone(),
            session: self.app.clock.id(),
            ip: [127, 0, 0, 1].into(),
            request_id: String::from("a request"),
            admin: false,
            scopes: None,
        }
    }
}

fn tried(text: &str) -> Join {
    Join {
        password: Some(RoomPassword::attempt(text, &Limits::default()).unwrap()),
        ..Join::default()
    }
}

async fn a_private_room_is_joined_with_the_right_password_only(ground: Ground) -> Result<()> {
    let node = Node::over(&ground).await?;
    let [ada, bob, eve] = ground.people(["ada", "bob", "eve"]).await?;
    let create = CreateRoom {
        visibility: Visibility::Private,
        password: Some(password("open sesame")),
        ..public("Cave")
    };
    let room = rooms::create(&node.app, &node.caller(&ada), create).await?;
    assert!(room.has_password);
    let (app, bob) = (&node.app, node.caller(&bob));
    let before = rooms::read(app, &node.caller(&ada), room.id).await?;
    let without = rooms::join(app, &bob, room.id, Join::default()).await;
    assert_eq!(without.unwrap_err().code, NotAMember);
    for guess in ["sesame", "Open sesame", "", " ", "hash of open sesame"] {
        let refusal = rooms::join(app, &bob, room.id, tried(guess))
            .await
            .unwrap_err();
        assert_eq!(refusal.code, WrongPassword, "{guess:?}");
    }
    // Who has tried too often waits, the right password or not; others do not wait for them.
    let refusal = rooms::join(app, &bob, room.id, tried("open sesame"))
        .await
        .unwrap_err();
    assert_eq!(refusal.code, RateLimited);
    assert!(
        refusal
            .retry_after
            .is_some_and(|span| span <= Duration::from_secs(180)),
        "{refusal:?}"
    );
    assert_eq!(rooms::read(app, &node.caller(&ada), room.id).await?, before);
    rooms::join(app, &node.caller(&eve), room.id, tried("open sesame")).await?;
    ground.clock.advance(Duration::from_secs(180));
    let joined = rooms::join(app, &bob, room.id, tried("open sesame")).await?;
    assert_eq!(
        (joined.member.user, joined.member.room),
        (bob.user, room.id)
    );
    Ok(())
}

async fn a_secret_room_is_joined_with_an_invite(ground: Ground) -> Result<()> {
    let node = Node::over(&ground).await?;
    let [ada, bob] = ground.people(["ada", "bob"]).await?;
    let (app, ada, bob) = (&node.app, node.caller(&ada), node.caller(&bob));
    let create = CreateRoom {
        visibility: Visibility::Secret,
        ..public("Den")
    };
    let room = rooms::create(app, &ada, create).await?.id;
    for join in [
        Join::default(),
        tried("sesame"),
        Join {
            invite: Some(InviteCode::parse("guess".into()).unwrap()),
            ..Join::default()
        },
    ] {
        assert_eq!(
            rooms::join(app, &bob, room, join).await.unwrap_err().code,
            RoomNotFound
        );
    }
    let invite = rooms::invite(
        app,
        &ada,
        room,
        &NewInvite {
            max_uses: None,
            expires_in_s: 60,
        },
    )
    .await?;
    let join = Join {
        invite: Some(InviteCode::parse(invite.code).unwrap()),
        ..Join::default()
    };
    rooms::join(app, &bob, room, join).await?;
    let page = Page {
        cursor: None,
        limit: 10,
    };
    assert_eq!(
        rooms::members(app, &bob, room, &page).await?.members.len(),
        2
    );
    Ok(())
}

async fn a_message_is_stored_once_and_told_of(ground: Ground) -> Result<()> {
    let mut node = Node::over(&ground).await?;
    let [ada, bob] = ground.people(["ada", "bob"]).await?;
    let (ada, bob) = (node.caller(&ada), node.caller(&bob));
    let room = rooms::create(&node.app, &ada, public("Tea")).await?.id;
    assert_eq!(
        node.hints.try_recv()?,
        Hint {
            room,
            seq: protocol::Seq(1)
        }
    );
    let new = NewMessage {
        body: body("good morning"),
        client_id: ClientId::parse("one").ok(),
        reply_to: None,
        thread: None,
        files: Vec::new(),
    };
    let (message, duplicate) = messages::send(&node.app, &ada, room, new.clone()).await?;
    assert!(!duplicate);
    assert_eq!(
        node.hints.try_recv()?,
        Hint {
            room,
            seq: message.seq
        }
    );
    assert_eq!(
        node.app
            .store
            .message(room, ada.user.id, message.seq)
            .await?,
        message
    );
    let (again, duplicate) = messages::send(&node.app, &ada, room, new.clone()).await?;
    assert!(duplicate);
    assert_eq!(again, message);
    assert_eq!(
        messages::send(&node.app, &bob, room, new)
            .await
            .unwrap_err()
            .code,
        NotAMember
    );

    let unnamed = NewMessage {
        body: body("again"),
        client_id: None,
        reply_to: None,
        thread: None,
        files: Vec::new(),
    };
    let mut limited = None;
    for _ in 0..30 {
        if let Err(refusal) = messages::send(&node.app, &ada, room, unnamed.clone()).await {
            limited = Some(refusal.code);
            break;
        }
    }
    assert_eq!(limited, Some(RateLimited));
    Ok(())
}

async fn what_moderators_do_is_noted(ground: Ground) -> Result<()> {
    let node = Node::over(&ground).await?;
    let [ada, bob] = ground.people(["ada", "bob"]).await?;
    let (app, ada, bob) = (&node.app, node.caller(&ada), node.caller(&bob));
    let room = rooms::create(app, &ada, public("Tea")).await?.id;
    rooms::join(app, &bob, room, Join::default()).await?;
    let new = NewMessage {
        body: body("secret words"),
        client_id: None,
        reply_to: None,
        thread: None,
        files: Vec::new(),
    };
    let (message, _) = messages::send(app, &bob, room, new).await?;
    assert_eq!(
        rooms::kick(app, &bob, room, ada.user.id)
            .await
            .unwrap_err()
            .code,
        Forbidden
    );
    messages::delete(app, &ada, room, message.seq).await?;
    rooms::kick(app, &ada, room, bob.user.id).await?;
    rooms::ban(app, &ada, room, bob.user.id, &NewBan::default()).await?;
    rooms::unban(app, &ada, room, bob.user.id).await?;
    rooms::delete(app, &ada, room).await?;

    let query = AuditQuery {
        limit: 50,
        ..AuditQuery::default()
    };
    let entries = app.store.audit_entries(&query).await?.entries;
    // All in one millisecond, so in no order.
    let told: std::collections::BTreeSet<_> =
        entries.iter().map(|entry| entry.action.as_str()).collect();
    let done = [
        "room_create",
        "message_delete",
        "member_kick",
        "member_ban",
        "member_unban",
        "room_delete",
    ];
    assert_eq!((told, entries.len()), (done.into(), done.len()));
    assert!(
        entries
            .iter()
            .all(|entry| entry.target.as_deref() == Some(&room.to_string()))
    );
    assert!(!serde_json::to_string(&entries)?.contains("secret words"));
    Ok(())
}
