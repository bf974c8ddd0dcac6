//! Identities keep their promises on both engines, however many ask at once.

use std::time::Duration;

use anyhow::Result;
use protocol::{
    ErrorCode, IdentityId, Limits, UserId,
    text::{EmailAddress, Username},
};
use shared::store::{Entered, NewSession, Vouched};

use crate::ground::{Ground, on_both_engines, refused};

on_both_engines!(
    of_many_first_visits_of_one_person_one_makes_the_account,
    people_of_one_name_get_accounts_of_different_names,
    an_identity_is_of_one_account,
    of_two_last_identities_one_stays,
);

const ISSUER: &str = "https://id.example.com";

fn vouched(ground: &Ground, subject: &str) -> Vouched {
    let limits = Limits::default();
    let name = |name: &str| Username::parse(name, &limits).unwrap();
    Vouched {
        id: ground.clock.id(),
        issuer: ISSUER.to_owned(),
        subject: subject.to_owned(),
        label: subject.to_owned(),
        email: EmailAddress::parse(&format!("{subject}@example.org"), &limits).ok(),
        is_email_verified: true,
        display_name: None,
        usernames: (1..10)
            .map(|number| name(&format!("ada{number}")))
            .collect(),
    }
}

fn session(ground: &Ground) -> NewSession {
    let at = ground.clock.now();
    NewSession {
        id: ground.clock.id(),
        user: ground.clock.id(),
        device: String::new(),
        ip: [192, 0, 2, 1].into(),
        at,
        expires_at: at.after(Duration::from_secs(60)),
    }
}

async fn ids(ground: &Ground, user: UserId) -> Result<Vec<IdentityId>> {
    let kept = ground.store.identities(user).await?;
    Ok(kept.into_iter().map(|identity| identity.id).collect())
}

/// Many visits at once; whose account each was, and how they came in.
async fn enter(
    ground: &Ground,
    visits: impl IntoIterator<Item = Vouched>,
) -> Result<Vec<(UserId, Entered)>> {
    let mut work = tokio::task::JoinSet::new();
    for vouched in visits {
        let (store, session) = (ground.store.clone(), session(ground));
        work.spawn(async move { store.enter_by_identity(&vouched, &session, None).await });
    }
    let mut entered = Vec::new();
    for done in work.join_all().await {
        let (me, session, how) = done?;
        assert_eq!(me.user.id, session.user);
        entered.push((me.user.id, how));
    }
    Ok(entered)
}

async fn of_many_first_visits_of_one_person_one_makes_the_account(ground: Ground) -> Result<()> {
    let visits: Vec<_> = (0..8).map(|_| vouched(&ground, "ada")).collect();
    let entered = enter(&ground, visits).await?;
    let first = entered[0].0;
    assert!(
        entered.iter().all(|(user, _)| *user == first),
        "{entered:?}"
    );
    let made = entered
        .iter()
        .filter(|(_, how)| *how == Entered::New)
        .count();
    assert_eq!(made, 1, "{entered:?}");
    assert_eq!(ids(&ground, first).await?.len(), 1);
    Ok(())
}

async fn people_of_one_name_get_accounts_of_different_names(ground: Ground) -> Result<()> {
    let visits: Vec<_> = (0..9)
        .map(|person| vouched(&ground, &format!("p{person}")))
        .collect();
    let entered = enter(&ground, visits).await?;
    assert!(
        entered.iter().all(|(_, how)| *how == Entered::New),
        "{entered:?}"
    );
    // Every name is somebody's now.
    let late = vouched(&ground, "late");
    let answer = ground
        .store
        .enter_by_identity(&late, &session(&ground), None)
        .await;
    assert_eq!(refused(answer.map(|_| ())), ErrorCode::UsernameTaken);
    Ok(())
}

async fn an_identity_is_of_one_account(ground: Ground) -> Result<()> {
    let [bob, eve] = ground.people(["bob", "eve"]).await?;
    let now = ground.clock.now();
    let link = async |user| {
        let vouched = vouched(&ground, "ada");
        ground.store.link_identity(&vouched, user, now).await
    };
    link(bob.id).await?;
    link(bob.id).await?;
    assert_eq!(refused(link(eve.id).await), ErrorCode::IdentityTaken);
    let entered = enter(&ground, [vouched(&ground, "ada")]).await?;
    assert_eq!(entered, [(bob.id, Entered::Known)]);
    let [identity] = ids(&ground, bob.id).await?.try_into().unwrap();
    let unlink = async |user| ground.store.unlink_identity(user, identity, &[]).await;
    assert_eq!(refused(unlink(eve.id).await), ErrorCode::IdentityNotFound);
    // There is a password.
    assert_eq!(unlink(bob.id).await?, ISSUER);
    for number in 0..20 {
        let one = vouched(&ground, &format!("bob{number}"));
        ground.store.link_identity(&one, bob.id, now).await?;
    }
    assert_eq!(refused(link(bob.id).await), ErrorCode::Conflict);
    Ok(())
}

async fn of_two_last_identities_one_stays(ground: Ground) -> Result<()> {
    for round in 0..8 {
        let first = vouched(&ground, &format!("first{round}"));
        let [(user, _)] = enter(&ground, [first]).await?.try_into().unwrap();
        let second = vouched(&ground, &format!("second{round}"));
        ground
            .store
            .link_identity(&second, user, ground.clock.now())
            .await?;
        let issuers = [ISSUER.to_owned()];
        let [one, other] = ids(&ground, user).await?.try_into().unwrap();
        let (one, other) = tokio::join!(
            ground.store.unlink_identity(user, one, &issuers),
            ground.store.unlink_identity(user, other, &issuers),
        );
        assert!(one.is_ok() != other.is_ok(), "{one:?} {other:?}");
        assert_eq!(refused(one.and(other)), ErrorCode::LastWayIn);
        let [left] = ids(&ground, user).await?.try_into().unwrap();
        // One of a provider that nobody believes any more is no way in.
        let answer = ground.store.unlink_identity(user, left, &[]).await;
        assert_eq!(refused(answer), ErrorCode::LastWayIn);
    }
    Ok(())
}
