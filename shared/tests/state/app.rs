//! Everything together: who signs in is believed on every node, until they are not.

use std::{os::unix::fs::PermissionsExt, time::Duration};

use protocol::{ErrorCode, Timestamp};
use shared::{
    App, Clock, Settings,
    app::StartError,
    store::{Grant, NewSession, Rotate, Rotation},
    token::RefreshToken,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::ground::{Database, database, register, until};

fn settings(database: &Database) -> Settings {
    Settings {
        database_url: database.url.clone().into(),
        cluster_secret: "a cluster secret".into(),
        node: "a".to_owned(),
        public_url: "http://127.0.0.1:1".to_owned(),
        ..Settings::default()
    }
}

/// An app and what ends its tasks.
struct Running {
    app: App,
    tracker: TaskTracker,
    cancel: CancellationToken,
}

async fn connect(settings: Settings, clock: &Clock) -> Result<Running, StartError> {
    let (tracker, cancel) = (TaskTracker::new(), CancellationToken::new());
    let app = App::connect(settings, clock.clone(), None, &tracker, &cancel).await?;
    Ok(Running {
        app,
        tracker,
        cancel,
    })
}

impl Running {
    async fn end(self) {
        self.cancel.cancel();
        self.tracker.close();
        self.tracker.wait().await;
    }
}

fn clock() -> Clock {
    Clock::manual(Timestamp::from_unix_ms(1_763_800_000_000))
}

async fn grant(app: &App, session: &NewSession) -> anyhow::Result<Grant> {
    let me = app.store.me(session.user).await?;
    Ok(Grant {
        me,
        session: session.id,
        generation: 0,
        issued_at: session.at,
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn who_signs_in_on_one_node_is_known_on_another_until_revoked() -> anyhow::Result<()> {
    let (database, clock) = (database().await?, clock());
    let (one, other) = (
        connect(settings(&database), &clock).await?,
        connect(settings(&database), &clock).await?,
    );
    let session = register(&one.app.store, &clock, "ada").await?;
    let signed_in = one.app.sign_in(grant(&one.app, &session).await?).await?;
    let (access, refresh) = (
        signed_in.access_token.unwrap(),
        signed_in.refresh_token.unwrap(),
    );
    let claims = other.app.authenticate(&access).await?;
    assert_eq!(
        (claims.sub, claims.sid, claims.adm),
        (session.user, session.id, false)
    );
    let again = other
        .app
        .sign_in(grant(&other.app, &session).await?)
        .await?;
    assert_eq!(
        (again.access_token.as_ref(), again.refresh_token.as_ref()),
        (Some(&access), Some(&refresh))
    );

    let shown = RefreshToken::parse(&refresh, &other.app.secrets).unwrap();
    clock.advance(Duration::from_secs(60));
    let rotate = Rotate {
        session: shown.session,
        generation: shown.generation,
        ip: session.ip,
        at: clock.now(),
        expires_at: clock.now().after(other.app.settings.refresh_token),
    };
    let Rotation::Fresh(next) = other.app.store.rotate_session(&rotate).await? else {
        panic!("fresh")
    };
    let next = other.app.sign_in(next).await?;
    assert_ne!(next.refresh_token, Some(refresh));
    let ticket = one.app.tickets.issue(
        &one.app.authenticate(&next.access_token.unwrap()).await?,
        clock.now(),
    );

    one.app
        .store
        .revoke_session(session.user, session.id)
        .await?;
    one.app.revocations.spread(&[session.id]).await;
    let refusal = one.app.authenticate(&access).await.unwrap_err();
    assert_eq!(refusal.code, ErrorCode::Unauthenticated);
    assert_eq!(
        one.app.redeem(&ticket).await.unwrap_err().code,
        ErrorCode::Unauthenticated
    );
    until("the other node knows", async || {
        Ok(other.app.authenticate(&access).await.is_err())
    })
    .await?;
    one.end().await;
    other.end().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn another_cluster_secret_is_named_as_the_mistake() -> anyhow::Result<()> {
    let (database, clock) = (database().await?, clock());
    let first = connect(settings(&database), &clock).await?;
    first.app.load_keys().await?;
    let wrong = Settings {
        cluster_secret: "another".into(),
        ..settings(&database)
    };
    let second = connect(wrong, &clock).await?;
    let error = second.app.load_keys().await.err().unwrap().to_string();
    assert!(error.contains("CHATX_CLUSTER_SECRET"), "{error}");
    assert_eq!(
        second.app.keys().await.err().unwrap().code,
        ErrorCode::Internal
    );
    first.end().await;
    second.end().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_file_is_used_and_a_wrong_one_is_named() -> anyhow::Result<()> {
    let (database, clock) = (database().await?, clock());
    let directory = tempfile::tempdir()?;
    let path = directory.path().join("key.pem");
    let with_file = || Settings {
        jwt_key_file: Some(path.clone()),
        ..settings(&database)
    };
    let missing = connect(with_file(), &clock)
        .await
        .err()
        .unwrap()
        .to_string();
    assert!(
        missing.contains("CHATX_JWT_KEY_FILE") && missing.contains("key.pem"),
        "{missing}"
    );
    std::fs::write(&path, "no key")?;
    let wrong = connect(with_file(), &clock)
        .await
        .err()
        .unwrap()
        .to_string();
    assert!(
        wrong.contains("CHATX_JWT_KEY_FILE") && wrong.contains("PKCS#8"),
        "{wrong}"
    );
    // As `openssl genpkey -algorithm ed25519` writes it.
    let pem = "-----BEGIN PRIVATE KEY-----\n\
               MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n\
               -----END PRIVATE KEY-----\n";
    std::fs::write(&path, pem)?;
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600))?;
    let running = connect(with_file(), &clock).await?;
    let jwks = running.app.keys().await?.jwks();
    // RFC 8037, appendix A.2: the public part of this key.
    assert_eq!(
        jwks["keys"][0]["x"],
        "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"
    );
    assert!(
        running.app.store.signing_keys().await?.is_empty(),
        "none is made beside it"
    );
    running.end().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn admins_are_those_of_the_settings() -> anyhow::Result<()> {
    let (database, clock) = (database().await?, clock());
    let running = connect(
        Settings {
            admins: vec!["ada".into()],
            ..settings(&database)
        },
        &clock,
    )
    .await?;
    for (name, admin) in [("ada", true), ("eve", false)] {
        let session = register(&running.app.store, &clock, name).await?;
        let signed_in = running
            .app
            .sign_in(grant(&running.app, &session).await?)
            .await?;
        assert_eq!(signed_in.user.admin, admin);
        let claims = running
            .app
            .authenticate(&signed_in.access_token.unwrap())
            .await?;
        assert_eq!(claims.adm, admin);
    }
    running.end().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_is_seen_while_it_runs_and_leaves_nothing_running() -> anyhow::Result<()> {
    let (database, clock) = (database().await?, clock());
    let running = connect(settings(&database), &clock).await?;
    running
        .app
        .live_as_node(&running.tracker, &CancellationToken::new(), &running.cancel);
    let cluster = running.app.cluster.clone();
    until("it is seen", async || {
        Ok(cluster.live().await.iter().any(|node| node.name == "a"))
    })
    .await?;
    running.end().await;
    until("it is gone", async || Ok(cluster.live().await.is_empty())).await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_ended_long_ago_is_forgotten() -> anyhow::Result<()> {
    let (database, clock) = (database().await?, clock());
    let ended = register(&database.store, &clock, "ada").await?;
    clock.advance(Duration::from_secs(30 * 86_400));
    let standing = register(&database.store, &clock, "eve").await?;
    let running = connect(settings(&database), &clock).await?;
    running.app.watch(&running.tracker, &running.cancel);
    let generation = async |session: &NewSession| {
        let rotate = Rotate {
            session: session.id,
            generation: 0,
            ip: session.ip,
            at: session.at,
            expires_at: session.expires_at,
        };
        running.app.store.rotate_session(&rotate).await
    };
    until("the old one is forgotten", async || {
        Ok(generation(&ended).await? == Rotation::Gone)
    })
    .await?;
    assert_ne!(generation(&standing).await?, Rotation::Gone);
    running.end().await;
    Ok(())
}
