//! Accounts and sessions keep their promises on both engines.

use std::{collections::HashSet, sync::Arc, time::Duration};

use crate::ground::{Ground, on_both_engines};
use protocol::{
    ErrorCode, Limits, Parse, SessionId,
    accounts::{ChangeProfile, FindUsers, LoginName, UserSummary},
    audit::{AuditAction, AuditQuery},
    text::{EmailAddress, Username},
};
use shared::store::{self, NewAccount, NewAuditEntry, NewSession, REPEAT_WITHIN, Rotate, Rotation};

on_both_engines!(
    a_name_and_an_address_are_taken_once,
    of_many_who_want_a_name_at_once_one_gets_it,
    a_login_finds_its_account_by_name_and_by_address,
    a_profile_changes_only_where_it_is_said,
    people_are_found_by_how_their_names_begin,
    a_refresh_token_is_traded_once_and_repeated_for_a_moment,
    of_many_refreshes_at_once_all_get_the_same_pair,
    a_refresh_token_that_is_used_long_after_ends_its_session,
    a_session_ends_when_it_is_not_refreshed,
    a_change_of_password_ends_every_other_session,
    no_login_with_the_old_password_outlives_its_change,
    only_one_of_two_changes_of_password_from_the_same_one_holds,
    a_revoked_session_is_told_of_and_gone,
    nobody_revokes_the_session_of_another,
    the_audit_log_is_read_in_pages_newest_first,
    nodes_agree_on_the_first_signing_key,
);

const MONTH: Duration = Duration::from_secs(30 * 86_400);

fn account(ground: &Ground, username: &str, email: &str) -> NewAccount {
    NewAccount {
        id: ground.clock.id(),
        username: username.to_owned(),
        email: email.to_owned(),
        display_name: username.to_uppercase(),
        password_hash: "the first hash".to_owned(),
        at: ground.clock.now(),
    }
}

fn session(ground: &Ground, user: protocol::UserId) -> NewSession {
    let at = ground.clock.now();
    NewSession {
        id: ground.clock.id(),
        user,
        device: "laptop".to_owned(),
        ip: [192, 0, 2, 1].into(),
        at,
        expires_at: at.after(MONTH),
    }
}

/// Registers somebody; answers who it is and their first session.
async fn register(ground: &Ground, name: &str) -> store::Result<(UserSummary, SessionId)> {
    let account = account(ground, name, &format!("{name}@example.com"));
    let session = session(ground, account.id);
    let me = ground.store.create_account(&account, &session).await?;
    let user = UserSummary {
        id: me.user.id,
        username: me.user.username,
        display_name: me.user.display_name,
    };
    Ok((user, session.id))
}

fn rotate(ground: &Ground, session: SessionId, generation: u64) -> Rotate {
    let at = ground.clock.now();
    Rotate {
        session,
        generation,
        ip: [192, 0, 2, 7].into(),
        at,
        expires_at: at.after(MONTH),
    }
}

fn code<T: std::fmt::Debug>(answer: store::Result<T>) -> ErrorCode {
    match answer {
        Err(store::Error::Refused(refusal)) => refusal.code,
        other => panic!("not refused but {other:?}"),
    }
}

async fn a_name_and_an_address_are_taken_once(ground: Ground) -> anyhow::Result<()> {
    register(&ground, "ada").await?;
    let same_name = account(&ground, "ada", "other@example.com");
    let refused = ground
        .store
        .create_account(&same_name, &session(&ground, same_name.id))
        .await;
    assert_eq!(code(refused), ErrorCode::UsernameTaken);
    let same_address = account(&ground, "grace", "ada@example.com");
    let refused = ground
        .store
        .create_account(&same_address, &session(&ground, same_address.id))
        .await;
    assert_eq!(code(refused), ErrorCode::EmailTaken);
    // Nothing of a refused registration stays: the name is still free.
    register(&ground, "grace").await?;
    Ok(())
}

async fn of_many_who_want_a_name_at_once_one_gets_it(ground: Ground) -> anyhow::Result<()> {
    let ground = Arc::new(ground);
    let tries: Vec<_> = (0..16)
        .map(|number| {
            let ground = Arc::clone(&ground);
            tokio::spawn(async move {
                let account = account(&ground, "ada", &format!("{number}@example.com"));
                let session = session(&ground, account.id);
                ground
                    .store
                    .create_account(&account, &session)
                    .await
                    .map(|me| me.user.id)
            })
        })
        .collect();
    let mut made = 0;
    for attempt in tries {
        match attempt.await? {
            Ok(_) => made += 1,
            refused => assert_eq!(code(refused), ErrorCode::UsernameTaken),
        }
    }
    assert_eq!(made, 1);
    Ok(())
}

async fn a_login_finds_its_account_by_name_and_by_address(ground: Ground) -> anyhow::Result<()> {
    let (ada, _) = register(&ground, "ada").await?;
    let limits = Limits::default();
    let name = LoginName::Username(Username::parse("Ada", &limits).unwrap());
    let address = LoginName::Email(EmailAddress::parse("ADA@example.com", &limits).unwrap());
    for login in [name, address] {
        let found = ground.store.credentials(&login).await?.unwrap();
        assert_eq!(found.user, ada);
        assert_eq!(found.password_hash.as_deref(), Some("the first hash"));
    }
    let unknown = LoginName::Username(Username::parse("nobody", &limits).unwrap());
    assert!(ground.store.credentials(&unknown).await?.is_none());
    assert!(
        ground
            .store
            .credentials(&LoginName::Nobody)
            .await?
            .is_none()
    );
    Ok(())
}

async fn a_profile_changes_only_where_it_is_said(ground: Ground) -> anyhow::Result<()> {
    let (ada, _) = register(&ground, "ada").await?;
    let change =
        |json: &str| ChangeProfile::parse(serde_json::from_str(json).unwrap(), &Limits::default());
    let me = ground
        .store
        .change_profile(ada.id, &change(r#"{"bio":"counts"}"#).unwrap())
        .await?;
    assert_eq!(
        (me.user.display_name.as_str(), me.user.bio.as_str()),
        ("ADA", "counts")
    );
    let named = change(r#"{"display_name":"Ada L","status":"busy"}"#).unwrap();
    let me = ground.store.change_profile(ada.id, &named).await?;
    assert_eq!(
        (me.user.display_name.as_str(), me.user.bio.as_str()),
        ("Ada L", "counts")
    );
    let me = ground
        .store
        .change_profile(
            ada.id,
            &change(r#"{"display_name":null,"bio":null}"#).unwrap(),
        )
        .await?;
    assert_eq!(
        (me.user.display_name.as_str(), me.user.bio.as_str()),
        ("ada", "")
    );
    assert_eq!(ground.store.me(ada.id).await?, me);
    assert_eq!(
        code(ground.store.user(ground.clock.id()).await),
        ErrorCode::UserNotFound
    );
    Ok(())
}

async fn people_are_found_by_how_their_names_begin(ground: Ground) -> anyhow::Result<()> {
    for name in ["ada", "adam", "a_da", "eve"] {
        register(&ground, name).await?;
    }
    let eve = ground
        .store
        .find_users(&FindUsers {
            query: "eve".into(),
            limit: 10,
        })
        .await?
        .remove(0);
    let named: ChangeProfile = ChangeProfile::parse(
        serde_json::from_str(r#"{"display_name":"Ärmel"}"#)?,
        &Limits::default(),
    )
    .unwrap();
    ground.store.change_profile(eve.id, &named).await?;
    let find = async |query: &str, limit| {
        let find = FindUsers {
            query: query.to_owned(),
            limit,
        };
        let found = ground.store.find_users(&find).await?;
        anyhow::Ok(
            found
                .into_iter()
                .map(|user| user.username)
                .collect::<Vec<_>>(),
        )
    };
    assert_eq!(find("ada", 10).await?, ["ada", "adam"]);
    assert_eq!(find("ada", 1).await?, ["ada"]);
    assert_eq!(
        find("a_", 10).await?,
        ["a_da"],
        "a wildcard is a character like any other"
    );
    assert_eq!(find("%", 10).await?, Vec::<String>::new());
    assert_eq!(
        find("är", 10).await?,
        ["eve"],
        "display names count, whatever their case"
    );
    Ok(())
}

async fn a_refresh_token_is_traded_once_and_repeated_for_a_moment(
    ground: Ground,
) -> anyhow::Result<()> {
    let (_, session) = register(&ground, "ada").await?;
    ground.clock.advance(Duration::from_secs(60));
    let Rotation::Fresh(first) = ground
        .store
        .rotate_session(&rotate(&ground, session, 0))
        .await?
    else {
        panic!("the first use is fresh");
    };
    assert_eq!((first.generation, first.issued_at), (1, ground.clock.now()));
    ground.clock.advance(REPEAT_WITHIN);
    let again = ground
        .store
        .rotate_session(&rotate(&ground, session, 0))
        .await?;
    assert_eq!(
        again,
        Rotation::Repeated(first),
        "the same pair, to the second"
    );
    let Rotation::Fresh(second) = ground
        .store
        .rotate_session(&rotate(&ground, session, 1))
        .await?
    else {
        panic!("the next token is fresh");
    };
    assert_eq!(second.generation, 2);
    let never_made = ground
        .store
        .rotate_session(&rotate(&ground, session, 9))
        .await?;
    assert_eq!(never_made, Rotation::Gone);
    Ok(())
}

async fn of_many_refreshes_at_once_all_get_the_same_pair(ground: Ground) -> anyhow::Result<()> {
    let (_, session) = register(&ground, "ada").await?;
    for generation in 0..4 {
        let shown = rotate(&ground, session, generation);
        let tries: Vec<_> = (0..12)
            .map(|_| {
                let (store, shown) = (ground.store.clone(), shown.clone());
                tokio::spawn(async move { store.rotate_session(&shown).await })
            })
            .collect();
        let mut fresh = 0;
        let mut generations = HashSet::new();
        for attempt in tries {
            match attempt.await?? {
                Rotation::Fresh(grant) => {
                    fresh += 1;
                    generations.insert(grant.generation);
                }
                Rotation::Repeated(grant) => {
                    generations.insert(grant.generation);
                }
                other => panic!("{other:?}"),
            }
        }
        assert_eq!((fresh, generations), (1, HashSet::from([generation + 1])));
        ground.clock.advance(Duration::from_secs(1));
    }
    Ok(())
}

async fn a_refresh_token_that_is_used_long_after_ends_its_session(
    ground: Ground,
) -> anyhow::Result<()> {
    let (ada, session) = register(&ground, "ada").await?;
    ground
        .store
        .rotate_session(&rotate(&ground, session, 0))
        .await?;
    ground
        .clock
        .advance(REPEAT_WITHIN + Duration::from_millis(1));
    let reused = ground
        .store
        .rotate_session(&rotate(&ground, session, 0))
        .await?;
    assert_eq!(
        reused,
        Rotation::Reused {
            user: ada.id,
            session
        }
    );
    let honest = ground
        .store
        .rotate_session(&rotate(&ground, session, 1))
        .await?;
    assert_eq!(
        honest,
        Rotation::Gone,
        "whoever has the newer token is out too"
    );
    Ok(())
}

async fn a_session_ends_when_it_is_not_refreshed(ground: Ground) -> anyhow::Result<()> {
    let (ada, session) = register(&ground, "ada").await?;
    ground.clock.advance(MONTH - Duration::from_secs(1));
    let refreshed = ground
        .store
        .rotate_session(&rotate(&ground, session, 0))
        .await?;
    assert!(matches!(refreshed, Rotation::Fresh(_)), "{refreshed:?}");
    ground.clock.advance(MONTH);
    let late = ground
        .store
        .rotate_session(&rotate(&ground, session, 1))
        .await?;
    assert_eq!(late, Rotation::Gone);
    assert!(
        ground
            .store
            .sessions(ada.id, session, ground.clock.now())
            .await?
            .is_empty()
    );
    assert_eq!(
        ground
            .store
            .forget_sessions(ground.clock.now().after(MONTH))
            .await?,
        1
    );
    Ok(())
}

async fn a_change_of_password_ends_every_other_session(ground: Ground) -> anyhow::Result<()> {
    let (ada, kept) = register(&ground, "ada").await?;
    let (_, eves) = register(&ground, "eve").await?;
    let mut others = HashSet::new();
    for _ in 0..3 {
        let other = session(&ground, ada.id);
        ground
            .store
            .create_session(&other, "the first hash")
            .await?;
        others.insert(other.id);
    }
    let revoked = ground
        .store
        .change_password(ada.id, "the first hash", "the second hash", kept)
        .await?;
    assert_eq!(revoked.into_iter().collect::<HashSet<_>>(), others);
    let left = ground
        .store
        .sessions(ada.id, kept, ground.clock.now())
        .await?;
    assert_eq!(
        left.iter()
            .map(|session| (session.id, session.current))
            .collect::<Vec<_>>(),
        [(kept, true)]
    );
    let hash = ground.store.credentials_of(ada.id).await?.password_hash;
    assert_eq!(hash.as_deref(), Some("the second hash"));
    let eve = ground
        .store
        .rotate_session(&rotate(&ground, eves, 0))
        .await?;
    assert!(
        matches!(eve, Rotation::Fresh(_)),
        "nobody else is touched: {eve:?}"
    );
    Ok(())
}

async fn no_login_with_the_old_password_outlives_its_change(ground: Ground) -> anyhow::Result<()> {
    let (ada, kept) = register(&ground, "ada").await?;
    let hashes = [
        "the first hash",
        "the second hash",
        "the third hash",
        "the fourth hash",
    ];
    for change in hashes.windows(2) {
        let (old, new) = (change[0], change[1]);
        let logins: Vec<_> = (0..8)
            .map(|_| {
                let (store, session) = (ground.store.clone(), session(&ground, ada.id));
                tokio::spawn(async move { store.create_session(&session, old).await })
            })
            .collect();
        ground.store.change_password(ada.id, old, new, kept).await?;
        for login in logins {
            match login.await? {
                Ok(_) => {}
                refused => assert_eq!(code(refused), ErrorCode::InvalidCredentials),
            }
        }
        let left = ground
            .store
            .sessions(ada.id, kept, ground.clock.now())
            .await?;
        assert_eq!(
            left.iter().map(|session| session.id).collect::<Vec<_>>(),
            [kept]
        );
    }
    Ok(())
}

async fn only_one_of_two_changes_of_password_from_the_same_one_holds(
    ground: Ground,
) -> anyhow::Result<()> {
    let (ada, kept) = register(&ground, "ada").await?;
    let change = |new: &'static str| {
        ground
            .store
            .change_password(ada.id, "the first hash", new, kept)
    };
    let (one, other) = tokio::join!(change("one"), change("other"));
    let (won, lost) = if one.is_ok() {
        ("one", other)
    } else {
        ("other", one)
    };
    assert_eq!(code(lost), ErrorCode::Conflict);
    assert_eq!(
        ground
            .store
            .credentials_of(ada.id)
            .await?
            .password_hash
            .as_deref(),
        Some(won)
    );
    Ok(())
}

async fn a_revoked_session_is_told_of_and_gone(ground: Ground) -> anyhow::Result<()> {
    let (ada, kept) = register(&ground, "ada").await?;
    let other = session(&ground, ada.id);
    ground
        .store
        .create_session(&other, "the first hash")
        .await?;
    let minute = Duration::from_secs(60);
    let before = ground.store.revocations_since(None, minute).await?;
    assert_eq!(before.sessions, []);
    assert_eq!(
        ground.store.revoke_other_sessions(ada.id, kept).await?,
        [other.id]
    );
    let after = ground
        .store
        .revocations_since(Some(before.asked_at), minute)
        .await?;
    assert_eq!(
        after
            .sessions
            .iter()
            .map(|(session, _)| *session)
            .collect::<Vec<_>>(),
        [other.id]
    );
    assert!(after.asked_at >= after.sessions[0].1);
    assert_eq!(
        ground.store.revocations_since(None, minute).await?.sessions,
        after.sessions
    );
    let refused = ground
        .store
        .rotate_session(&rotate(&ground, other.id, 0))
        .await?;
    assert_eq!(refused, Rotation::Gone);
    assert_eq!(ground.store.revoke_other_sessions(ada.id, kept).await?, []);
    Ok(())
}

async fn nobody_revokes_the_session_of_another(ground: Ground) -> anyhow::Result<()> {
    let (ada, adas) = register(&ground, "ada").await?;
    let (eve, _) = register(&ground, "eve").await?;
    assert_eq!(
        code(ground.store.revoke_session(eve.id, adas).await),
        ErrorCode::SessionNotFound
    );
    ground.store.revoke_session(ada.id, adas).await?;
    assert_eq!(
        code(ground.store.revoke_session(ada.id, adas).await),
        ErrorCode::SessionNotFound
    );
    Ok(())
}

async fn the_audit_log_is_read_in_pages_newest_first(ground: Ground) -> anyhow::Result<()> {
    let (ada, eve) = (ground.clock.id(), ground.clock.id());
    let actions = [AuditAction::LoginSuccess, AuditAction::LoginFailure];
    for number in 0..10_usize {
        ground.clock.advance(Duration::from_secs(1));
        let entry = NewAuditEntry {
            id: ground.clock.id::<protocol::ids::OfEvent>().uuid(),
            at: ground.clock.now(),
            action: actions[number % 2],
            actor: Some(if number < 6 { ada } else { eve }),
            target: (number == 3).then(|| "a room".to_owned()),
            ip: [192, 0, 2, 1].into(),
            request_id: format!("request {number}"),
            data: serde_json::json!({ "number": number }),
        };
        ground.store.audit(&entry).await?;
    }
    let read = async |mut query: AuditQuery| {
        let mut numbers = Vec::new();
        loop {
            let page = ground.store.audit_entries(&query).await?;
            numbers.extend(
                page.entries
                    .iter()
                    .map(|entry| entry.data["number"].as_u64().unwrap()),
            );
            match page.next_cursor {
                Some(cursor) => query.cursor = Some(cursor.parse()?),
                None => return anyhow::Ok(numbers),
            }
        }
    };
    let all = AuditQuery {
        limit: 3,
        ..AuditQuery::default()
    };
    assert_eq!(read(all.clone()).await?, [9, 8, 7, 6, 5, 4, 3, 2, 1, 0]);
    assert_eq!(
        read(AuditQuery {
            actor: Some(ada),
            ..all.clone()
        })
        .await?,
        [5, 4, 3, 2, 1, 0]
    );
    let failures = AuditQuery {
        actor: Some(ada),
        action: Some(AuditAction::LoginFailure),
        ..all.clone()
    };
    assert_eq!(read(failures).await?, [5, 3, 1]);
    let page = ground
        .store
        .audit_entries(&AuditQuery { limit: 10, ..all })
        .await?;
    let third = page
        .entries
        .iter()
        .find(|entry| entry.request_id == "request 3")
        .unwrap();
    assert_eq!(
        (third.target.as_deref(), third.ip.as_str()),
        (Some("a room"), "192.0.2.1")
    );
    assert_eq!(third.action, "login_failure");
    Ok(())
}

async fn nodes_agree_on_the_first_signing_key(ground: Ground) -> anyhow::Result<()> {
    use shared::token::{KeyError, Keys, Secrets};
    let secrets = Secrets::new(&"a cluster secret".into());
    let mut starts = Vec::new();
    for _ in 0..6 {
        let (store, fresh) = (ground.another_store().await?, Keys::generate(&secrets));
        let at = ground.clock.now();
        starts.push(tokio::spawn(async move {
            store.first_signing_key(&fresh, at).await
        }));
    }
    let mut kept = HashSet::new();
    for start in starts {
        let keys = start.await??;
        assert_eq!(keys.len(), 1);
        kept.insert(keys[0].kid.clone());
    }
    assert_eq!(kept.len(), 1, "every node signs with the same key");
    let sealed = ground.store.signing_keys().await?;
    Keys::from_sealed(&sealed, &secrets)?;
    let wrong = Keys::from_sealed(&sealed, &Secrets::new(&"another secret".into()));
    assert!(matches!(wrong, Err(KeyError::WrongClusterSecret)));
    Ok(())
}
