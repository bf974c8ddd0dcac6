//! A router over a store of its own, and a client to ask it with.

use std::{net::IpAddr, time::Duration};

use axum::{Router, body::Body};
use handlers::Peer;
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::BodyExt;
use protocol::ErrorCode;
use serde_json::{Value, json};
use shared::{App, Clock, Settings};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tower::ServiceExt;

pub(crate) const PASSWORD: &str = "plain sailing 1843";

/// A server under test. Its clock stands still until it is moved.
pub(crate) struct Server {
    router: Router,
    pub(crate) app: App,
    #[expect(dead_code, reason = "the store is removed with it")]
    database: Database,
    /// Where files are kept.
    pub(crate) files: tempfile::TempDir,
}

enum Database {
    File(#[expect(dead_code, reason = "it is removed when dropped")] tempfile::TempDir),
    Postgres(#[expect(dead_code, reason = "it is removed when dropped")] testkit::Database),
}

impl Server {
    /// On SQLite, without rate limits.
    pub(crate) async fn start() -> Self {
        Self::start_with(|_| {}).await
    }

    /// On SQLite, with settings of its own.
    pub(crate) async fn start_with(change: impl FnOnce(&mut Settings)) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}", directory.path().join("chatx.db").display());
        Self::on(url, Database::File(directory), change).await
    }

    /// On both engines, one after the other.
    pub(crate) async fn each() -> [Self; 2] {
        Self::each_with(|_| {}).await
    }

    /// On both engines, with settings of their own.
    pub(crate) async fn each_with(change: impl Fn(&mut Settings)) -> [Self; 2] {
        let database = testkit::Database::fresh().await.unwrap();
        let url = database.url().to_owned();
        [
            Self::start_with(&change).await,
            Self::on(url, Database::Postgres(database), &change).await,
        ]
    }

    /// On PostgreSQL, which is reached by a way of the test's own.
    pub(crate) async fn on_postgres(url: String, database: testkit::Database) -> Self {
        Self::on(url, Database::Postgres(database), |_| {}).await
    }

    async fn on(url: String, database: Database, change: impl FnOnce(&mut Settings)) -> Self {
        let mut settings = Settings {
            database_url: url.into(),
            node: "one".to_owned(),
            public_url: "http://127.0.0.1:8080".to_owned(),
            cluster_secret: "a secret of this test alone".into(),
            ..Settings::default()
        };
        settings.rates.on = false;
        let files = tempfile::tempdir().unwrap();
        settings.files = files.path().display().to_string();
        settings.data_dir = files.path().join("data");
        change(&mut settings);
        let clock = Clock::manual(Clock::system().now());
        let (tracker, cancel) = (TaskTracker::new(), CancellationToken::new());
        let (hints, _) = shared::hints::Hints::in_process();
        let app = App::connect(settings, clock, Some(hints), &tracker, &cancel)
            .await
            .unwrap();
        app.store.migrate().await.unwrap();
        Self {
            router: handlers::router(app.clone()),
            app,
            database,
            files,
        }
    }

    /// The same server as it is where no sockets are served.
    pub(crate) fn without_sockets(mut self) -> Self {
        self.router = handlers::router_without_sockets(self.app.clone());
        self
    }

    pub(crate) fn ask(&self, method: Method, path: impl Into<String>) -> Ask<'_> {
        Ask {
            router: &self.router,
            request: Request::builder().method(method).uri(path.into()),
            address: [127, 0, 0, 1].into(),
            body: Body::empty(),
        }
    }

    pub(crate) fn get(&self, path: impl Into<String>) -> Ask<'_> {
        self.ask(Method::GET, path)
    }

    pub(crate) fn post(&self, path: impl Into<String>) -> Ask<'_> {
        self.ask(Method::POST, path)
    }

    /// Makes an account.
    pub(crate) async fn register(&self, username: &str) -> Person<'_> {
        let answer = self
            .post("/v1/auth/register")
            .json(registration(username))
            .await_status(201)
            .await;
        Person::of(self, &answer.json)
    }

    /// Logs into an account that was made.
    pub(crate) async fn log_in(&self, username: &str) -> Person<'_> {
        let login = json!({ "login": username, "password": PASSWORD });
        let answer = self.post("/v1/auth/login").json(login);
        Person::of(self, &answer.await_status(200).await.json)
    }

    /// Moves the clock on.
    pub(crate) fn advance(&self, span: Duration) {
        self.app.clock.advance(span);
    }
}

pub(crate) fn registration(username: &str) -> Value {
    json!({ "username": username, "email": format!("{username}@example.com"), "password": PASSWORD })
}

/// Somebody who is logged in.
pub(crate) struct Person<'a> {
    server: &'a Server,
    pub(crate) id: String,
    pub(crate) access_token: String,
    pub(crate) refresh_token: String,
}

impl<'a> Person<'a> {
    pub(crate) fn of(server: &'a Server, signed_in: &Value) -> Self {
        let text = |value: &Value| {
            value
                .as_str()
                .unwrap_or_else(|| panic!("{signed_in}"))
                .to_owned()
        };
        Self {
            server,
            id: text(&signed_in["user"]["id"]),
            access_token: text(&signed_in["access_token"]),
            refresh_token: text(&signed_in["refresh_token"]),
        }
    }

    pub(crate) fn ask(&self, method: Method, path: impl Into<String>) -> Ask<'a> {
        self.server
            .ask(method, path)
            .header("authorization", &format!("Bearer {}", self.access_token))
    }

    pub(crate) fn get(&self, path: impl Into<String>) -> Ask<'a> {
        self.ask(Method::GET, path)
    }

    pub(crate) fn post(&self, path: impl Into<String>) -> Ask<'a> {
        self.ask(Method::POST, path)
    }

    pub(crate) fn patch(&self, path: impl Into<String>) -> Ask<'a> {
        self.ask(Method::PATCH, path)
    }

    pub(crate) fn put(&self, path: impl Into<String>) -> Ask<'a> {
        self.ask(Method::PUT, path)
    }

    pub(crate) fn delete(&self, path: impl Into<String>) -> Ask<'a> {
        self.ask(Method::DELETE, path)
    }

    /// Makes a room and answers its path.
    pub(crate) async fn room(&self, fields: Value) -> String {
        let answer = self.post("/v1/rooms").json(fields).await_status(201).await;
        format!("/v1/rooms/{}", answer.json["id"].as_str().unwrap())
    }

    /// Joins the room of a path.
    pub(crate) async fn join(&self, room: &str) {
        self.post(format!("{room}/members")).await_status(201).await;
    }

    /// Sends a message and answers its seq.
    pub(crate) async fn say(&self, room: &str, body: &str) -> u64 {
        let answer = self
            .post(format!("{room}/messages"))
            .json(json!({ "body": body }))
            .await_status(201)
            .await;
        answer.json["seq"].as_u64().unwrap()
    }
}

/// A request that is being put together.
pub(crate) struct Ask<'a> {
    router: &'a Router,
    request: http::request::Builder,
    address: IpAddr,
    body: Body,
}

impl Ask<'_> {
    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.request = self.request.header(name, value);
        self
    }

    pub(crate) fn from(mut self, address: impl Into<IpAddr>) -> Self {
        self.address = address.into();
        self
    }

    #[expect(clippy::needless_pass_by_value, reason = "it is written in place")]
    pub(crate) fn json(self, json: Value) -> Self {
        self.body("application/json", json.to_string())
    }

    pub(crate) fn body(self, media_type: &str, body: impl Into<Body>) -> Self {
        let mut ask = self.header("content-type", media_type);
        ask.body = body.into();
        ask
    }

    pub(crate) async fn answer(self) -> Answer {
        let mut request = self.request.body(self.body).unwrap();
        request.extensions_mut().insert(Peer(self.address));
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        let json = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
        Answer {
            status: parts.status,
            headers: parts.headers,
            json,
            bytes,
        }
    }

    /// The answer, which must have this status.
    pub(crate) async fn await_status(self, status: u16) -> Answer {
        let answer = self.answer().await;
        assert_eq!(answer.status.as_u16(), status, "{}", answer.json);
        answer
    }

    /// The answer, which must be this refusal.
    pub(crate) async fn refused(self, code: ErrorCode) -> Answer {
        let answer = self.answer().await;
        assert_eq!(
            answer.code(),
            Some(code),
            "{} {}",
            answer.status,
            answer.json
        );
        assert_eq!(answer.status.as_u16(), code.status());
        assert_eq!(
            answer.json["error"]["request_id"],
            answer.header("x-request-id")
        );
        answer
    }
}

/// What came back.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) json: Value,
    pub(crate) bytes: bytes::Bytes,
}

impl Answer {
    pub(crate) fn code(&self) -> Option<ErrorCode> {
        serde_json::from_value(self.json["error"]["code"].clone()).ok()
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }

    /// What was wrong with a field, by the stable words.
    pub(crate) fn violations(&self, field: &str) -> Value {
        self.json["error"]["fields"][field].clone()
    }

    /// The cookies that were set, `name` → whole text.
    pub(crate) fn cookie(&self, name: &str) -> String {
        let values = self
            .headers
            .get_all("set-cookie")
            .iter()
            .map(|value| value.to_str().unwrap());
        let mut named = values.filter(|value| value.starts_with(&format!("{name}=")));
        named
            .next()
            .unwrap_or_else(|| panic!("no cookie {name}"))
            .to_owned()
    }
}
