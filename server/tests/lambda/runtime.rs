//! Lambda's side of a function: a small stand-in of the runtime's API that hands the real program one
//! event at a time and freezes it between two, as Lambda does. And a url for it, which turns HTTP into
//! events.

use std::{
    net::SocketAddr,
    process::{ExitStatus, Stdio},
    sync::{Arc, OnceLock},
};

use anyhow::{Context as _, Result, bail, ensure};
use axum::{
    Json, Router,
    body::{Body, Bytes},
    extract::{Path, Request, State},
    response::{IntoResponse as _, Response},
    routing::{get, post},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use e2e::PATIENCE;
use http::{HeaderMap, StatusCode, header};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tokio::{
    net::TcpListener,
    process::{Child, Command},
    sync::{Mutex, mpsc},
    time::timeout,
};

/// A running function. It ends with the test.
pub(crate) struct Lambda {
    events: mpsc::Sender<Value>,
    /// Held for one invocation.
    turn: Mutex<Turn>,
}

struct Turn {
    function: Child,
    id: Pid,
    outcomes: mpsc::Receiver<Outcome>,
}

/// How an invocation ended: `response` or `error`, and what was said.
type Outcome = (String, Value);

struct Desk {
    events: Mutex<mpsc::Receiver<Value>>,
    outcomes: mpsc::Sender<Outcome>,
    function: OnceLock<Pid>,
}

impl Lambda {
    /// Starts the function with nothing but `settings` in its environment.
    pub(crate) async fn start(settings: &[(&str, String)]) -> Result<Self> {
        let (events, waiting) = mpsc::channel(1);
        let (ended, outcomes) = mpsc::channel(1);
        let desk = Arc::new(Desk {
            events: Mutex::new(waiting),
            outcomes: ended,
            function: OnceLock::new(),
        });
        let routes = Router::new()
            .route("/2018-06-01/runtime/invocation/next", get(next))
            .route(
                "/2018-06-01/runtime/invocation/{id}/{outcome}",
                post(ended_with),
            )
            .with_state(Arc::clone(&desk));
        let api = serve(routes).await?;
        let function = program()
            .env("AWS_LAMBDA_RUNTIME_API", api.to_string())
            .envs(settings.iter().map(|(name, value)| (name, value)))
            .spawn()?;
        let id = function.id().and_then(|id| i32::try_from(id).ok());
        let id = id
            .and_then(Pid::from_raw)
            .context("a program that runs has an id")?;
        desk.function
            .set(id)
            .ok()
            .context("only one function is started")?;
        let turn = Mutex::new(Turn {
            function,
            id,
            outcomes,
        });
        Ok(Self { events, turn })
    }

    /// Thaws the function for one event, and answers what it made of it.
    pub(crate) async fn invoke(&self, event: Value) -> Result<Value> {
        let mut turn = self.turn.lock().await;
        let Turn {
            function,
            id,
            outcomes,
        } = &mut *turn;
        kill_process(*id, Signal::CONT)?;
        self.events.send(event).await?;
        let (outcome, answer) = tokio::select! {
            ended = timeout(PATIENCE, outcomes.recv()) => {
                ended.context("the function does not answer")?.context("the desk is gone")?
            }
            status = function.wait() => bail!("the function ended: {}", status?),
        };
        ensure!(outcome == "response", "{outcome}: {answer}");
        Ok(answer)
    }

    /// Serves it as a function's own url does; answers where.
    pub(crate) async fn url(self: &Arc<Self>) -> Result<SocketAddr> {
        serve(
            Router::new()
                .fallback(over_http)
                .with_state(Arc::clone(self)),
        )
        .await
    }
}

/// Runs the function where it is expected to refuse: answers how it ended and what it said.
pub(crate) async fn run_to_its_end(settings: &[(&str, &str)]) -> Result<(ExitStatus, String)> {
    let program = program()
        .envs(settings.iter().copied())
        .stderr(Stdio::piped())
        .spawn()?;
    let output = timeout(PATIENCE, program.wait_with_output())
        .await
        .context("it does not end")??;
    Ok((
        output.status,
        String::from_utf8_lossy(&output.stderr).into_owned(),
    ))
}

fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lambda"));
    command
        .env_clear()
        .env("AWS_LAMBDA_FUNCTION_NAME", "chatx")
        .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "1024")
        .env("AWS_LAMBDA_FUNCTION_VERSION", "1")
        .env("CHATX_LOG", "warn")
        .stdin(Stdio::null())
        // In a group of its own, so that the kernel ends it with the test even while it is frozen.
        .process_group(0)
        .kill_on_drop(true);
    command
}

/// Serves `routes` for as long as the test runs; answers where.
pub(crate) async fn serve(routes: Router) -> Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move { axum::serve(listener, routes).await });
    Ok(address)
}

async fn next(State(desk): State<Arc<Desk>>) -> Response {
    let Some(event) = desk.events.lock().await.recv().await else {
        return StatusCode::GONE.into_response();
    };
    let headers = [
        (
            "lambda-runtime-aws-request-id",
            "8476a536-e9f4-11e8-9739-2dfe598c3fcd",
        ),
        ("lambda-runtime-deadline-ms", "4102444800000"),
        (
            "lambda-runtime-invoked-function-arn",
            "arn:aws:lambda:eu-central-1:123456789012:function:chatx",
        ),
    ];
    (headers, Json(event)).into_response()
}

/// Takes the answer and freezes the function before anybody learns of it: what it has not done by now,
/// it does with the next event or never.
async fn ended_with(
    State(desk): State<Arc<Desk>>,
    Path((_, outcome)): Path<(String, String)>,
    answer: Bytes,
) -> StatusCode {
    let frozen = desk
        .function
        .get()
        .map(|id| kill_process(*id, Signal::STOP));
    if !matches!(frozen, Some(Ok(()))) {
        return StatusCode::INTERNAL_SERVER_ERROR;
    }
    let answer = serde_json::from_slice(&answer).unwrap_or(Value::Null);
    // Nobody waits any longer when the test has failed.
    let _ = desk.outcomes.send((outcome, answer)).await;
    StatusCode::ACCEPTED
}

async fn over_http(State(lambda): State<Arc<Lambda>>, request: Request) -> Response {
    let answered = async {
        let answer = lambda.invoke(event(request).await?).await?;
        response(&answer)
    };
    let answered: Result<Response> = answered.await;
    answered.unwrap_or_else(|error| (StatusCode::BAD_GATEWAY, format!("{error:#}")).into_response())
}

async fn event(request: Request) -> Result<Value> {
    let (head, body) = request.into_parts();
    let body = axum::body::to_bytes(body, usize::MAX).await?;
    let headers: serde_json::Map<String, Value> = head
        .headers
        .iter()
        .map(|(name, value)| Ok((name.to_string(), value.to_str()?.into())))
        .collect::<Result<_>>()?;
    Ok(json!({
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": head.uri.path(),
        "rawQueryString": head.uri.query().unwrap_or_default(),
        "headers": headers,
        "requestContext": {
            "accountId": "anonymous",
            "apiId": "url",
            "domainName": "url.lambda-url.eu-central-1.on.aws",
            "stage": "$default",
            "requestId": "e1506fd5-9e7b-434f-bd42-4f8fa224b599",
            "routeKey": "$default",
            "time": "22/Nov/2026:07:15:00 +0000",
            "timeEpoch": 1_795_331_700_000_i64,
            "http": {
                "method": head.method.as_str(),
                "path": head.uri.path(),
                "protocol": "HTTP/1.1",
                "sourceIp": "203.0.113.7",
                "userAgent": "test",
            },
        },
        "body": STANDARD.encode(body),
        "isBase64Encoded": true,
    }))
}

fn response(answer: &Value) -> Result<Response> {
    let status = answer["statusCode"]
        .as_u64()
        .context("an answer has a status")?;
    let mut headers = HeaderMap::new();
    for (name, value) in answer["headers"].as_object().into_iter().flatten() {
        let value = value.as_str().context("a header is text")?;
        headers.insert(header::HeaderName::try_from(name)?, value.try_into()?);
    }
    for cookie in answer["cookies"].as_array().into_iter().flatten() {
        let cookie = cookie.as_str().context("a cookie is text")?;
        headers.append(header::SET_COOKIE, cookie.try_into()?);
    }
    let text = answer["body"].as_str().unwrap_or_default();
    let body = if answer["isBase64Encoded"] == json!(true) {
        Body::from(STANDARD.decode(text)?)
    } else {
        Body::from(text.to_owned())
    };
    let status = StatusCode::from_u16(u16::try_from(status)?)?;
    Ok((status, headers, body).into_response())
}
