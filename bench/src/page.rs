//! The page in a room with a long past: the longest task of the browser while one reads through it, goes to places far
//! apart in it, and comes back.

use anyhow::{Context, Result};
use futures_util::{SinkExt, StreamExt, future::try_join_all};
use http::header::{AUTHORIZATION, SEC_WEBSOCKET_PROTOCOL};
use serde_json::{Value, json};
use testkit::{Chromium, Page};
use tokio_tungstenite::{
    connect_async,
    tungstenite::{Message, client::IntoClientRequest},
};

use crate::{
    account::{get, post},
    bulk::scattered,
    report::{Aim, Figure, Role, Series},
    servers::chatx::{Engine, Node},
};

/// What is run.
#[derive(clap::Args)]
pub(crate) struct Plan {
    /// Messages in the room
    #[arg(long, default_value_t = 100_000)]
    pub(crate) messages: u64,
    /// Places to go to
    #[arg(long, default_value_t = 30)]
    pub(crate) jumps: u64,
    #[arg(long, default_value_t = 1)]
    pub(crate) runs: usize,
}

/// Who talks in the room.
const PEOPLE: u64 = 3;
/// Of each, so many are on their way at once.
const ON_THE_WAY: u64 = 300;
/// What a screen shows, and a little more: a hand on a wheel is slower.
const STEP_PX: i64 = 1_500;

/// What is done, and how one knows that it is.
const PARTS: [&str; 4] = [
    "opened",
    "read to its beginning",
    "jumped about in",
    "read to its end",
];

/// What the page is measured with: Chromium tells of tasks from 50 ms on.
const MEASURE: &str = "
    window.longest = 0;
    new PerformanceObserver(list => {
        for (const { duration } of list.getEntries()) window.longest = Math.max(window.longest, duration);
    }).observe({ type: 'longtask', buffered: true });
    window.scroll_until = async (by, done) => {
        const log = document.querySelector('[data-testid=log]');
        while (!done(log)) {
            log.scrollTop += by;
            await new Promise(requestAnimationFrame);
        }
    };
    window.begins = () => document.querySelector('.beginning') !== null;
    window.first_seen = () => Number(document.querySelector('[data-seq]')?.dataset.seq ?? NaN);
    0";

/// # Errors
/// When the server or the browser fails, or a message cannot be found in the page.
pub(crate) async fn run(plan: &Plan) -> Result<Vec<Figure>> {
    let node = Node::start(Engine::Sqlite).await?;
    let furnished = node.furnish(1, usize::try_from(PEOPLE)?).await?;
    let (address, room) = (node.chatx.address(), &furnished.ids[0]);
    let talkers = (0..PEOPLE).zip(&furnished.tokens).map(|(person, token)| {
        let messages = plan.messages / PEOPLE + u64::from(person < plan.messages % PEOPLE);
        talk(&address, token, room, person, messages)
    });
    try_join_all(talkers).await?;
    let path = format!("/v1/rooms/{room}");
    let head = get(&address, &path, &furnished.tokens[0]).await?["head"].clone();
    let head = head.as_u64().context("a room has a head")?;
    println!("  {} messages are in the room", plan.messages);

    let mut runs = PARTS.map(|_| Vec::new());
    for run in 0..plan.runs {
        for (part, longest) in read(&node, room, head, plan, run)
            .await?
            .into_iter()
            .enumerate()
        {
            println!("  run {}, {}: {longest:.0} ms", run + 1, PARTS[part]);
            runs[part].push(longest);
        }
    }
    Ok(PARTS
        .into_iter()
        .zip(runs)
        .map(|(part, runs)| figure(plan.messages, part, runs))
        .collect())
}

fn figure(messages: u64, part: &str, runs: Vec<f64>) -> Figure {
    Figure {
        part: "page",
        what: format!("a room of {messages} messages, {part}"),
        measure: "longest task of the page; 0: none of 50 ms",
        unit: "ms",
        series: vec![Series::of("chatx", Role::Ours, runs)],
        aim: Some(Aim::AtMost(100.0)),
    }
}

/// Says so many messages as people do: long and short, with marks, links, names and lines.
async fn talk(address: &str, token: &str, room: &str, person: u64, messages: u64) -> Result<()> {
    let mut request = format!("ws://{address}/v1/socket").into_client_request()?;
    let headers = request.headers_mut();
    headers.insert(AUTHORIZATION, format!("Bearer {token}").parse()?);
    headers.insert(SEC_WEBSOCKET_PROTOCOL, "chatx.v1".parse()?);
    let (mut socket, _) = connect_async(request).await?;
    let mut acked = 0;
    for number in 0..messages {
        let body = body(number * PEOPLE + person);
        let send = json!({"type": "send", "room": room, "client_id": format!("p{person}-{number}"), "body": body});
        socket.send(Message::text(send.to_string())).await?;
        while number + 1 - acked >= ON_THE_WAY || (number + 1 == messages && acked < messages) {
            let frame = socket.next().await.context("the socket ended")??;
            acked += u64::from(
                frame
                    .to_text()
                    .is_ok_and(|text| text.contains(r#""type":"ack""#)),
            );
        }
    }
    Ok(socket.close(None).await?)
}

fn body(number: u64) -> String {
    let drawn = scattered(number);
    let said = "the tide turns before noon and the wind with it ";
    let length = usize::try_from(drawn % 160).unwrap_or(0) + 8;
    let text = said
        .repeat(4)
        .chars()
        .skip(usize::try_from(drawn % 40).unwrap_or(0))
        .take(length)
        .collect::<String>();
    match drawn >> 32 & 15 {
        0 => format!("**{number}** {text} _or so_ `at {drawn:x}`"),
        1 => format!("{number} see https://example.com/{drawn:x} {text}"),
        2 => format!("@bench1 {number} {text}"),
        3 => format!("{number}\n> {text}\n\n- one\n- two"),
        4 => format!("```\nlet number = {number};\n{text}\n```"),
        _ => format!("{number} {text}"),
    }
}

/// Reads through the room in a new browser; answers the longest task of each part.
async fn read(
    node: &Node,
    room: &str,
    head: u64,
    plan: &Plan,
    run: usize,
) -> Result<[f64; PARTS.len()]> {
    let chromium = Chromium::start().await?;
    let page = enter(&chromium, node, room, &format!("reader{run}")).await?;
    page.reload().await?;
    page.until("document.querySelector('[data-testid=room-item]') !== null")
        .await?;
    page.evaluate(MEASURE).await?;
    let mut longest = [0.0; PARTS.len()];

    page.evaluate(&format!("location.hash = '#/room/{room}'"))
        .await?;
    page.until("first_seen() > 0").await?;
    longest[0] = taken(&page).await?;

    // An evaluation may not take as long as a whole way.
    while page.evaluate("begins()").await? != true {
        scroll(&page, -STEP_PX, "begins()").await?;
    }
    longest[1] = taken(&page).await?;

    for jump in 0..plan.jumps {
        let seq = 2 + scattered(jump) % (head - 2);
        page.evaluate(&format!("location.hash = '#/room/{room}/{seq}'"))
            .await?;
        page.until(&format!(
            "document.querySelector('[data-seq=\"{seq}\"]') !== null"
        ))
        .await?;
        scroll(&page, STEP_PX, "false").await?;
    }
    page.evaluate(&format!("location.hash = '#/room/{room}/{}'", head / 2))
        .await?;
    page.until(&format!(
        "document.querySelector('[data-seq=\"{}\"]') !== null",
        head / 2
    ))
    .await?;
    longest[2] = taken(&page).await?;

    let ended = format!("document.querySelector('[data-seq=\"{head}\"]') !== null");
    while page.evaluate(&ended).await? != true {
        scroll(&page, STEP_PX, &ended).await?;
    }
    longest[3] = taken(&page).await?;
    anyhow::ensure!(
        page.console().is_empty(),
        "the console has {:?}",
        page.console()
    );
    Ok(longest)
}

/// Scrolls two hundred screens, or until something is so.
async fn scroll(page: &Page, by_px: i64, until: &str) -> Result<()> {
    page.evaluate(&format!("(() => {{ let left = 200; return scroll_until({by_px}, () => left-- === 0 || {until}); }})()"))
        .await
        .map(drop)
}

/// The longest task since this was last asked, in milliseconds.
async fn taken(page: &Page) -> Result<f64> {
    // What is observed is told of in a task of its own.
    let longest =
        "new Promise(done => setTimeout(() => { done(window.longest); window.longest = 0; }, 300))";
    Ok(page.evaluate(longest).await?.as_f64().unwrap_or(f64::NAN))
}

/// Somebody new, who is in the room and logged in.
async fn enter(chromium: &Chromium, node: &Node, room: &str, username: &str) -> Result<Page> {
    let page = chromium.page().await?;
    page.navigate(&format!("{}/#/register", node.chatx.url()))
        .await?;
    for (field, text) in [
        ("username", username.to_owned()),
        ("email", format!("{username}@example.com")),
        ("password", "plain sailing 1843".to_owned()),
    ] {
        page.type_into(&format!("[data-testid={field}]"), &text)
            .await?;
    }
    page.click("[data-testid=submit]").await?;
    page.until_visible("[data-testid=room-list]").await?;
    let login = json!({"login": username, "password": "plain sailing 1843"});
    let address = node.chatx.address();
    let login: Value = post(&address, "/v1/auth/login", None, &login).await?;
    let token = login["access_token"].as_str().context("an access token")?;
    post(
        &address,
        &format!("/v1/rooms/{room}/members"),
        Some(token),
        &json!({}),
    )
    .await?;
    Ok(page)
}
