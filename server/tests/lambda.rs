//! The Lambda function: events in, responses out, as AWS writes them. First the service alone, then the
//! real program against a small stand-in of the runtime's API.

use std::{
    net::SocketAddr,
    process::{Child, Command, Stdio},
    sync::Arc,
    time::Duration,
};

use anyhow::{Context as _, Result};
use axum::{
    Json, Router,
    body::Bytes,
    extract::{Path, State},
    response::{IntoResponse as _, Response},
    routing::{get, post},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::StatusCode;
use lambda_http::{Adapter, LambdaEvent, request::LambdaRequest};
use serde_json::{Value, json};
use server::{function, parts};
use shared::{Settings, Store, settings::Rates, store::StoreOptions};
use testkit::Database;
use tokio::{
    net::TcpListener,
    sync::{Mutex, mpsc},
    time::timeout,
};
use tower::ServiceExt as _;

/// Only a bound for failures.
const PATIENCE: Duration = Duration::from_secs(60);
const SECRET: &str = "a secret that every process of the cluster has";

/// Which front the event comes from.
#[derive(Clone, Copy, Debug)]
enum Front {
    RestApi,
    HttpApi,
    FunctionUrl,
}

const FRONTS: [Front; 3] = [Front::RestApi, Front::HttpApi, Front::FunctionUrl];

/// A request in the words of its front.
fn event(
    front: Front,
    method: &str,
    path: &str,
    query: &str,
    token: Option<&str>,
    body: Option<&Value>,
) -> Value {
    let mut headers = json!({
        "host": "chat.example.com",
        "content-type": "application/json",
        // A client's own words: nobody believes them.
        "x-forwarded-for": "198.51.100.99",
    });
    if let Some(token) = token {
        headers["authorization"] = format!("Bearer {token}").into();
    }
    let body = body.map(|body| STANDARD.encode(body.to_string()));
    match front {
        Front::RestApi => {
            let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
            let parameters: serde_json::Map<String, Value> = pairs
                .map(|(name, value)| (name.to_owned(), json!([value])))
                .collect();
            json!({
                "resource": "/{proxy+}",
                "path": path,
                "httpMethod": method,
                "headers": headers,
                "multiValueQueryStringParameters": parameters,
                "requestContext": {
                    "accountId": "123456789012", "apiId": "api", "stage": "live", "requestId": "r", "httpMethod": method,
                    "resourcePath": "/{proxy+}", "path": format!("/live{path}"),
                    "identity": {"sourceIp": "203.0.113.1"},
                },
                "body": body,
                "isBase64Encoded": true,
            })
        }
        Front::HttpApi | Front::FunctionUrl => {
            let stage = if matches!(front, Front::HttpApi) {
                "live"
            } else {
                "$default"
            };
            let raw_path = if matches!(front, Front::HttpApi) {
                format!("/live{path}")
            } else {
                path.to_owned()
            };
            json!({
                "version": "2.0",
                "routeKey": "$default",
                "rawPath": raw_path,
                "rawQueryString": query,
                "headers": headers,
                "requestContext": {
                    "accountId": "123456789012", "apiId": "api", "stage": stage, "requestId": "r", "routeKey": "$default",
                    "domainName": "chat.example.com", "time": "22/Nov/2026:07:15:00 +0000", "timeEpoch": 1_795_331_700_000_i64,
                    "http": {"method": method, "path": raw_path, "protocol": "HTTP/1.1", "sourceIp": "203.0.113.2", "userAgent": "test"},
                },
                "body": body,
                "isBase64Encoded": true,
            })
        }
    }
}

/// The JSON in the body of a response.
fn body(response: &Value) -> Result<Value> {
    let text = response["body"].as_str().unwrap_or_default();
    let is_encoded = response["isBase64Encoded"] == json!(true);
    let bytes = if is_encoded {
        STANDARD.decode(text)?
    } else {
        text.as_bytes().to_vec()
    };
    Ok(serde_json::from_slice(&bytes)?)
}

/// A first conversation without sockets, through `call`.
async fn converse(front: Front, call: impl AsyncFn(Value) -> Result<Value>) -> Result<()> {
    let name = format!("{front:?}").to_lowercase();
    let ask =
        async |method: &str, path: &str, query: &str, token: Option<&str>, sent: Option<Value>| {
            let response = call(event(front, method, path, query, token, sent.as_ref())).await?;
            let status = response["statusCode"]
                .as_i64()
                .context("a response has a status")?;
            anyhow::Ok((status, body(&response)?, response))
        };
    let account = json!({"username": name, "email": format!("{name}@example.com"), "password": "plain sailing 1843"});
    let (status, registered, _) =
        ask("POST", "/v1/auth/register", "", None, Some(account.clone())).await?;
    assert_eq!(status, 201, "{registered}");
    let (status, refused, _) = ask("POST", "/v1/auth/register", "", None, Some(account)).await?;
    assert_eq!(
        (status, &refused["error"]["code"]),
        (409, &json!("username_taken"))
    );
    let login = json!({"login": name, "password": "plain sailing 1843", "device": "phone"});
    let (status, signed_in, _) =
        ask("POST", "/v1/auth/login", "", None, Some(login.clone())).await?;
    assert_eq!(status, 200, "{signed_in}");
    let token = signed_in["access_token"].as_str();
    let (status, room, _) = ask(
        "POST",
        "/v1/rooms",
        "",
        token,
        Some(json!({"name": format!("Tea of {name}")})),
    )
    .await?;
    assert_eq!(status, 201, "{room}");
    let messages = format!(
        "/v1/rooms/{}/messages",
        room["id"].as_str().context("an id")?
    );
    let (status, sent, _) = ask(
        "POST",
        &messages,
        "",
        token,
        Some(json!({"body": "Milk first? ☕"})),
    )
    .await?;
    assert_eq!((status, &sent["body"]), (201, &json!("Milk first? ☕")));
    let (status, history, _) = ask("GET", &messages, "limit=1&after=0", token, None).await?;
    assert_eq!(
        (status, &history["messages"][0]["body"]),
        (200, &json!("Milk first? ☕"))
    );

    // The address is the one that the gateway saw.
    let (status, sessions, _) = ask("GET", "/v1/auth/sessions", "", token, None).await?;
    assert_eq!(status, 200);
    let expected = if matches!(front, Front::RestApi) {
        "203.0.113.1"
    } else {
        "203.0.113.2"
    };
    let all = sessions["sessions"].as_array().context("a list")?;
    assert!(
        all.iter().all(|session| session["ip"] == expected),
        "{sessions}"
    );

    let (status, _, response) =
        ask("POST", "/v1/auth/login", "cookie=true", None, Some(login)).await?;
    assert_eq!(status, 200);
    assert!(
        response.to_string().contains("HttpOnly"),
        "cookies come through: {response}"
    );
    let (status, missing, _) = ask("GET", "/v1/nowhere", "", token, None).await?;
    assert_eq!(
        (status, &missing["error"]["code"]),
        (404, &json!("not_found"))
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn events_of_every_front_are_answered() -> Result<()> {
    let database = migrated().await?;
    let settings = Settings {
        database_url: database.url().into(),
        cluster_secret: SECRET.into(),
        rates: Rates {
            on: false,
            ..Rates::default()
        },
        ..Settings::default()
    };
    let app = parts::stateless(settings).await?;
    let service = Adapter::from(function::service(handlers::router(app)));
    for front in FRONTS {
        let call = async |event: Value| {
            let request: LambdaRequest = serde_json::from_value(event)?;
            let response = service
                .clone()
                .oneshot(LambdaEvent::new(request, lambda_http::Context::default()))
                .await?;
            Ok(serde_json::to_value(response)?)
        };
        converse(front, call)
            .await
            .with_context(|| format!("{front:?}"))?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_program_answers_what_the_runtime_hands_it() -> Result<()> {
    let database = migrated().await?;
    let runtime = Runtime::start().await?;
    let _function = runtime.function(&database)?;
    for front in FRONTS {
        converse(front, async |event| runtime.call(event).await)
            .await
            .with_context(|| format!("{front:?}"))?;
    }
    Ok(())
}

#[test]
fn a_function_without_a_shared_store_says_what_it_needs() {
    let output = Command::new(env!("CARGO_BIN_EXE_lambda"))
        .env_remove("DATABASE_URL")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success());
    assert!(
        said.contains("DATABASE_URL") && said.contains("CHATX_CLUSTER_SECRET"),
        "{said}"
    );
}

/// Lambda's side of the runtime's API: hands out one event after another, and takes the answers.
struct Runtime {
    address: SocketAddr,
    events: mpsc::Sender<Value>,
    answers: Mutex<mpsc::Receiver<Value>>,
}

struct Desk {
    events: Mutex<mpsc::Receiver<Value>>,
    answers: mpsc::Sender<Value>,
}

impl Runtime {
    async fn start() -> Result<Self> {
        let (events, to_hand_out) = mpsc::channel(1);
        let (taken, answers) = mpsc::channel(1);
        let desk = Arc::new(Desk {
            events: Mutex::new(to_hand_out),
            answers: taken,
        });
        let routes = Router::new()
            .route("/2018-06-01/runtime/invocation/next", get(next))
            .route(
                "/2018-06-01/runtime/invocation/{id}/{outcome}",
                post(answered),
            )
            .with_state(desk);
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        tokio::spawn(async move { axum::serve(listener, routes).await });
        Ok(Self {
            address,
            events,
            answers: Mutex::new(answers),
        })
    }

    fn function(&self, database: &Database) -> Result<Function> {
        let mut command = Command::new(env!("CARGO_BIN_EXE_lambda"));
        command
            .env("AWS_LAMBDA_RUNTIME_API", self.address.to_string())
            .env("AWS_LAMBDA_FUNCTION_NAME", "chatx")
            .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "512")
            .env("AWS_LAMBDA_FUNCTION_VERSION", "1")
            .env("DATABASE_URL", database.url())
            .env("CHATX_CLUSTER_SECRET", SECRET)
            .env("CHATX_RATE_LIMITS", "off")
            .env("CHATX_LOG", "warn")
            .stdin(Stdio::null());
        Ok(Function(command.spawn()?))
    }

    async fn call(&self, event: Value) -> Result<Value> {
        self.events.send(event).await?;
        let answer = timeout(PATIENCE, async { self.answers.lock().await.recv().await }).await?;
        answer.context("the function is gone")
    }
}

/// The running program, which ends with the test.
struct Function(Child);

impl Drop for Function {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

async fn next(State(desk): State<Arc<Desk>>) -> Response {
    let Some(event) = desk.events.lock().await.recv().await else {
        return StatusCode::GONE.into_response();
    };
    let headers = [
        ("lambda-runtime-aws-request-id", "one-at-a-time"),
        ("lambda-runtime-deadline-ms", "4102444800000"),
        (
            "lambda-runtime-invoked-function-arn",
            "arn:aws:lambda:eu-central-1:123456789012:function:chatx",
        ),
    ];
    (headers, Json(event)).into_response()
}

async fn answered(
    State(desk): State<Arc<Desk>>,
    Path((_, outcome)): Path<(String, String)>,
    answer: Bytes,
) -> StatusCode {
    let answer = serde_json::from_slice(&answer).unwrap_or(Value::Null);
    assert_eq!(outcome, "response", "{answer}");
    // Nobody waits any longer when the test has failed.
    let _ = desk.answers.send(answer).await;
    StatusCode::ACCEPTED
}

async fn migrated() -> Result<Database> {
    let database = Database::fresh().await?;
    let store = Store::connect(&database.url(), &StoreOptions::default()).await?;
    store.migrate().await?;
    store.close().await;
    Ok(database)
}
