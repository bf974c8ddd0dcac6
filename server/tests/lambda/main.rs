//! The HTTP half on Lambda: the events of every front in process, then the real program behind a
//! stand-in of the runtime's API, with a real coordinator beside it.

mod conversation;
mod event;
mod runtime;

use std::{sync::Arc, time::Duration};

use anyhow::{Context as _, Result, bail, ensure};
use axum::{Json, Router, routing::post};
use conversation::converse;
use e2e::{Http, PATIENCE, Person, Socket, request, unique};
use event::Front;
use http::StatusCode;
use lambda_http::{Adapter, LambdaEvent, request::LambdaRequest};
use protocol::{frame::ServerFrame, messages::Message};
use runtime::Lambda;
use serde_json::{Value, json};
use server::function;
use shared::{
    App, Clock, Settings, Store,
    cluster::{Cluster, Node},
    hints::Hint,
    settings::Rates,
    store::StoreOptions,
};
use testkit::{Chatx, Database, Durability, PgBouncer, Postgres, Redis};
use tokio::{
    sync::mpsc,
    time::{sleep, timeout},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tower::ServiceExt as _;

const SECRET: &str = "a secret that every process of the cluster has";

#[tokio::test(flavor = "multi_thread")]
async fn events_of_every_front_are_answered_on_sqlite() -> Result<()> {
    let directory = tempfile::tempdir()?;
    let file = directory.path().join("chat.db");
    answer_every_front(&format!("sqlite:{}", file.display())).await
}

#[tokio::test(flavor = "multi_thread")]
async fn events_of_every_front_are_answered_on_postgres() -> Result<()> {
    let database = Database::fresh().await?;
    answer_every_front(&database.url()).await
}

async fn answer_every_front(database_url: &str) -> Result<()> {
    migrate(database_url).await?;
    let settings = Settings {
        database_url: database_url.into(),
        cluster_secret: SECRET.into(),
        public_url: "https://chat.example.com".to_owned(),
        rates: Rates {
            on: false,
            ..Rates::default()
        },
        ..Settings::default()
    };
    let (tasks, end) = (TaskTracker::new(), CancellationToken::new());
    let app = App::connect(settings, Clock::system(), None, &tasks, &end).await?;
    let service = Adapter::from(function::service(handlers::router_without_sockets(
        app.clone(),
    )));
    for front in Front::ALL {
        let call = async |event: Value| {
            let event = LambdaEvent::new(
                serde_json::from_value::<LambdaRequest>(event)?,
                lambda_http::Context::default(),
            );
            Ok(serde_json::to_value(service.clone().oneshot(event).await?)?)
        };
        converse(front, call)
            .await
            .with_context(|| format!("{front:?}"))?;
    }
    end.cancel();
    tasks.close();
    timeout(PATIENCE, tasks.wait())
        .await
        .context("tasks are left behind")?;
    app.store.close().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_program_answers_what_lambda_hands_it() -> Result<()> {
    let database = Database::fresh().await?;
    migrate(&database.url()).await?;
    let lambda = Lambda::start(&settings(&database.url(), None)).await?;
    for front in Front::ALL {
        converse(front, async |event| lambda.invoke(event).await)
            .await
            .with_context(|| format!("{front:?}"))?;
    }
    // What is no request of any front is an error of that invocation, and of no other.
    let refused = lambda
        .invoke(json!({"detail": "an event of something else"}))
        .await;
    ensure!(refused.is_err_and(|error| error.to_string().starts_with("error")));
    converse(Front::HttpApi, async |event| lambda.invoke(event).await).await
}

/// While a function is frozen, everything that it is connected to may come and go.
#[tokio::test(flavor = "multi_thread")]
async fn connections_that_died_in_the_meantime_are_not_trusted() -> Result<()> {
    let mut postgres = Postgres::start_with(Durability::Fast).await?;
    let mut redis = Redis::start().await?;
    let database = Database::fresh_on(&postgres.url()).await?;
    migrate(&database.url()).await?.close().await;
    let lambda = Lambda::start(&settings(&database.url(), Some(redis.url()))).await?;
    converse(Front::HttpApi, async |event| lambda.invoke(event).await).await?;
    redis.stop().await?;
    postgres.stop().await?;
    redis.start_again().await?;
    postgres.start_again().await?;
    converse(Front::HttpApi, async |event| lambda.invoke(event).await).await
}

#[tokio::test(flavor = "multi_thread")]
async fn many_functions_may_share_connections_through_a_pooler() -> Result<()> {
    let postgres = Postgres::start_with(Durability::Fast).await?;
    let database = Database::fresh_on(&postgres.url()).await?;
    migrate(&database.url()).await?.close().await;
    let pooler = PgBouncer::start(&postgres, 2).await?;
    let settings = settings(&pooler.url(database.name()), None);
    let talk = async |front| {
        let lambda = Lambda::start(&settings).await?;
        converse(front, async |event| lambda.invoke(event).await)
            .await
            .with_context(|| format!("{front:?}"))
    };
    let [first, second, third] = Front::ALL;
    tokio::try_join!(talk(first), talk(second), talk(third))?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn people_of_the_function_chat_through_a_coordinator() -> Result<()> {
    let database = Database::fresh().await?;
    migrate(&database.url()).await?;
    let redis = Redis::start().await?;
    let coordinator = Chatx::role("coordinator")
        .set("DATABASE_URL", database.url())
        .set("REDIS_URL", redis.url())
        .set("CHATX_CLUSTER_SECRET", SECRET)
        .start()
        .await?;
    let lambda = Arc::new(Lambda::start(&settings(&database.url(), Some(redis.url()))).await?);
    let function = Http::new(lambda.url().await?.to_string());

    let host = Person::register(&function, "host")
        .await?
        .log_in(&function)
        .await?;
    let guest = Person::register(&function, "guest")
        .await?
        .log_in(&function)
        .await?;
    let room = host
        .create_room_as(
            json!({"name": unique("Tea "), "visibility": "private", "password": "milk first"}),
        )
        .await?;
    let members = format!("/v1/rooms/{room}/members");
    let wrong = guest
        .http
        .post(&members, json!({"password": "sugar first"}))
        .await?;
    assert_eq!((wrong.status, wrong.code()), (403, "wrong_password"));
    guest
        .http
        .post(&members, json!({"password": "milk first"}))
        .await?
        .expect(201)?;

    // A ticket of the function opens a socket of the coordinator, once.
    let mut sockets = Vec::new();
    for person in [&host, &guest] {
        let pass = person
            .http
            .post("/v1/socket", json!({"room": room}))
            .await?
            .expect(201)?;
        assert_eq!(
            pass["url"],
            format!("{}/v1/socket", coordinator.socket_url())
        );
        let ticket = pass["ticket"].as_str().context("a ticket is text")?;
        let url = format!("{}/v1/socket?ticket={ticket}", coordinator.socket_url());
        let mut socket = Socket::open(request(&url)?).await?;
        assert_eq!(socket.ready.user.id, person.id);
        assert_eq!(
            Socket::status(request(&url)?).await?,
            401,
            "a ticket works once"
        );
        socket.subscribe(room, None).await?;
        sockets.push(socket);
    }
    let [mut of_host, mut of_guest] = <[Socket; 2]>::try_from(sockets)
        .ok()
        .context("two sockets")?;

    let sent = of_host
        .send(room, "one", "Milk first?")
        .await?
        .ok()
        .context("it is not refused")?;
    for socket in [&mut of_host, &mut of_guest] {
        assert_eq!(
            next_text(socket).await?,
            (sent.seq.0, "Milk first?".to_owned())
        );
    }
    // The other way round: sent through the function, which is frozen the moment after.
    let body = json!({"body": "Tea first, always."});
    let message = guest
        .http
        .post(&format!("/v1/rooms/{room}/messages"), body)
        .await?
        .expect(201)?;
    let message: Message = serde_json::from_value(message)?;
    assert_eq!(message.seq.0, sent.seq.0 + 1);
    for socket in [&mut of_host, &mut of_guest] {
        assert_eq!(
            next_text(socket).await?,
            (message.seq.0, "Tea first, always.".to_owned())
        );
    }
    let history = host.history(room).await?;
    assert_eq!(history.last(), Some(&message), "{history:?}");

    // Who logs out through the function leaves the coordinator.
    guest
        .http
        .post("/v1/auth/logout", json!({}))
        .await?
        .expect(204)?;
    assert_eq!(of_guest.until_ended().await?, e2e::Ended::Closed(4401));
    Ok(())
}

/// The place and text of the next message.
async fn next_text(socket: &mut Socket) -> Result<(u64, String)> {
    socket
        .until(|frame| match frame {
            ServerFrame::Event(event) => {
                let value = serde_json::to_value(&event).ok()?;
                let body = value["body"].as_str()?.to_owned();
                Some((event.seq.0, body))
            }
            _ => None,
        })
        .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rooms_owner_is_told_before_the_function_freezes() -> Result<()> {
    let database = Database::fresh().await?;
    let cluster = Cluster::new(migrate(&database.url()).await?);
    let (told, mut hints) = mpsc::channel(256);
    let node = Node {
        name: "owner".to_owned(),
        url: "http://localhost".to_owned(),
        internal_url: slow_owner(told).await?,
        weight: 1,
        draining: false,
    };
    let end = CancellationToken::new();
    let alive = cluster.clone();
    let living = tokio::spawn({
        let (draining, end) = (CancellationToken::new(), end.clone());
        async move { alive.run(node, draining, end).await }
    });
    let lambda = Arc::new(Lambda::start(&settings(&database.url(), None)).await?);
    let host = Person::register(&Http::new(lambda.url().await?.to_string()), "host").await?;
    let room = host.create_room().await?;
    let path = format!("/v1/rooms/{room}/messages");
    // A hint has 300 ms, and the node a moment to be seen; a busy machine may need several messages.
    for _ in 0..100 {
        let message = host
            .http
            .post(&path, json!({"body": "Milk first?"}))
            .await?
            .expect(201)?;
        let mut told = std::iter::from_fn(|| hints.try_recv().ok());
        if told.any(|hint: Hint| hint.room == room && json!(hint.seq) == message["seq"]) {
            end.cancel();
            return Ok(living.await?);
        }
    }
    bail!("the owner was never told of a message before its invocation ended")
}

/// A node that owns every room, and takes longer over a hint than a function over its answer, so that
/// only those hints are in the channel in time that the function waited for. Answers its internal url.
async fn slow_owner(told: mpsc::Sender<Hint>) -> Result<String> {
    let hint = async move |Json(hint): Json<Hint>| {
        sleep(Duration::from_millis(50)).await;
        match told.try_send(hint) {
            Ok(()) => StatusCode::NO_CONTENT,
            Err(_) => StatusCode::SERVICE_UNAVAILABLE,
        }
    };
    let routes = Router::new().route("/internal/hint", post(hint));
    Ok(format!("http://{}", runtime::serve(routes).await?))
}

#[tokio::test]
async fn a_function_without_a_shared_store_says_what_it_needs() -> Result<()> {
    let (status, said) = runtime::run_to_its_end(&[("CHATX_LISTEM", "here")]).await?;
    assert!(!status.success());
    assert!(said.contains("CHATX_LISTEM: no such setting"), "{said}");
    let (status, said) = runtime::run_to_its_end(&[]).await?;
    assert!(!status.success());
    assert!(
        said.contains("DATABASE_URL") && said.contains("CHATX_CLUSTER_SECRET"),
        "{said}"
    );
    Ok(())
}

/// The settings of the function.
fn settings(database_url: &str, redis_url: Option<String>) -> Vec<(&'static str, String)> {
    let mut settings = vec![
        ("DATABASE_URL", database_url.to_owned()),
        ("CHATX_CLUSTER_SECRET", SECRET.to_owned()),
        ("CHATX_RATE_LIMITS", "off".to_owned()),
    ];
    settings.extend(redis_url.map(|url| ("REDIS_URL", url)));
    settings
}

/// Brings an empty database up to date.
async fn migrate(url: &str) -> Result<Store> {
    let store = Store::connect(url, &StoreOptions::default()).await?;
    store.migrate().await?;
    Ok(store)
}
