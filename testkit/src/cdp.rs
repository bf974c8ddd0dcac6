//! The Chrome DevTools Protocol over one WebSocket: commands and their answers, and what pages say
//! meanwhile. What the commands mean is not known here.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex},
    time::Duration,
};

use anyhow::{Context, Result, bail};
use futures_util::{
    SinkExt, StreamExt,
    stream::{SplitSink, SplitStream},
};
use serde_json::{Value, json};
use tokio::{net::TcpStream, sync::oneshot, task::JoinHandle, time::timeout};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async, tungstenite::Message};

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// The browser answers in milliseconds; navigation waits for the network and is bounded elsewhere.
const PATIENCE: Duration = Duration::from_secs(60);

/// How many lines of a page's console are kept, the latest.
const CONSOLE_LINES: usize = 1_000;

/// A cloneable handle to the connection.
#[derive(Clone)]
pub(crate) struct Connection {
    sink: Arc<tokio::sync::Mutex<SplitSink<Socket, Message>>>,
    state: Arc<Mutex<State>>,
    reading: Arc<Reading>,
}

#[derive(Default)]
struct State {
    last_id: u64,
    waiting: HashMap<u64, oneshot::Sender<Value>>,
    /// What the page of each session printed or threw.
    consoles: HashMap<String, VecDeque<String>>,
}

/// Ends with the last handle.
struct Reading(JoinHandle<()>);

impl Drop for Reading {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Connection {
    pub(crate) async fn open(url: &str) -> Result<Self> {
        let (socket, _) = connect_async(url)
            .await
            .context("cannot connect to the browser")?;
        let (sink, stream) = socket.split();
        let state = Arc::new(Mutex::new(State::default()));
        let reading = Reading(tokio::spawn(read(stream, state.clone())));
        let sink = Arc::new(tokio::sync::Mutex::new(sink));
        Ok(Self {
            sink,
            state,
            reading: Arc::new(reading),
        })
    }

    /// Sends a command, to one page's session or to the browser, and answers its result.
    pub(crate) async fn call(
        &self,
        session: Option<&str>,
        method: &str,
        parameters: Value,
    ) -> Result<Value> {
        let (answer, answered) = oneshot::channel();
        let id = {
            let mut state = self
                .state
                .lock()
                .expect("nothing panics while holding this");
            state.last_id += 1;
            let id = state.last_id;
            state.waiting.insert(id, answer);
            id
        };
        let mut command = json!({"id": id, "method": method, "params": parameters});
        if let Some(session) = session {
            command["sessionId"] = session.into();
        }
        self.sink
            .lock()
            .await
            .send(Message::text(command.to_string()))
            .await?;
        let answer = timeout(PATIENCE, answered)
            .await
            .with_context(|| format!("the browser does not answer {method}"))?
            .with_context(|| format!("the browser ended before it answered {method}"))?;
        if let Some(error) = answer.get("error") {
            bail!("the browser refuses {method}: {error}");
        }
        Ok(answer["result"].clone())
    }

    /// Whether the browser is gone.
    pub(crate) fn is_closed(&self) -> bool {
        self.reading.0.is_finished()
    }

    pub(crate) fn console(&self, session: &str) -> Vec<String> {
        let state = self
            .state
            .lock()
            .expect("nothing panics while holding this");
        state
            .consoles
            .get(session)
            .into_iter()
            .flatten()
            .cloned()
            .collect()
    }
}

/// Hands answers to who waits for them, until the browser is gone.
async fn read(mut stream: SplitStream<Socket>, state: Arc<Mutex<State>>) {
    while let Some(Ok(message)) = stream.next().await {
        let Ok(text) = message.to_text() else {
            continue;
        };
        let Ok(message) = serde_json::from_str::<Value>(text) else {
            continue;
        };
        let mut state = state.lock().expect("nothing panics while holding this");
        if let Some(id) = message["id"].as_u64() {
            // Whoever gave up waiting has dropped the other end.
            let _ = state
                .waiting
                .remove(&id)
                .map(|waiting| waiting.send(message));
        } else if let (Some(session), Some(line)) =
            (message["sessionId"].as_str(), console_line(&message))
        {
            let console = state.consoles.entry(session.to_owned()).or_default();
            if console.len() == CONSOLE_LINES {
                console.pop_front();
            }
            console.push_back(line);
        }
    }
    state
        .lock()
        .expect("nothing panics while holding this")
        .waiting
        .clear();
}

/// `error: …`, `log: …` or `exception: …`, for the events that a console shows.
fn console_line(event: &Value) -> Option<String> {
    let about = &event["params"];
    match event["method"].as_str()? {
        "Runtime.consoleAPICalled" => {
            let words = about["args"].as_array()?.iter().map(|argument| {
                let text = argument["value"]
                    .as_str()
                    .or(argument["description"].as_str());
                text.map_or_else(|| argument["value"].to_string(), str::to_owned)
            });
            Some(format!(
                "{}: {}",
                about["type"].as_str()?,
                words.collect::<Vec<_>>().join(" ")
            ))
        }
        "Runtime.exceptionThrown" => Some(format!(
            "exception: {}",
            exception(&about["exceptionDetails"])
        )),
        "Log.entryAdded" => {
            let entry = &about["entry"];
            let url = entry["url"].as_str().unwrap_or_default();
            Some(format!(
                "{}: {} {url}",
                entry["level"].as_str()?,
                entry["text"].as_str()?
            ))
        }
        _ => None,
    }
}

/// The text of `exceptionDetails`.
pub(crate) fn exception(details: &Value) -> String {
    let description = details["exception"]["description"].as_str();
    description
        .or(details["text"].as_str())
        .unwrap_or("unknown")
        .to_owned()
}
