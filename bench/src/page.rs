//! The page in a room with a long past: the longest task of the browser while one reads through it, goes to places far
//! apart in it, and comes back; and the same of a list of hundreds of rooms.

mod rooms;

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use futures_util::{SinkExt, StreamExt, future::try_join_all};
use http::header::{AUTHORIZATION, SEC_WEBSOCKET_PROTOCOL};
use serde_json::{Value, json};
use testkit::{Chromium, Page};
use tokio::time::timeout;
use tokio_tungstenite::{
    connect_async,
    tungstenite::{Message, client::IntoClientRequest},
};

use crate::{
    account::{get, join, post},
    bulk::scattered,
    process::Meter,
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
    #[arg(long, default_value_t = 3)]
    pub(crate) runs: usize,
    /// How long one way through the room may take
    #[arg(long, default_value_t = 600)]
    pub(crate) limit_s: u64,
}

/// Who talks in the room.
const PEOPLE: u64 = 3;
/// Of each, so many are on their way at once.
const ON_THE_WAY: u64 = 300;
/// What a screen shows, and a little more: a hand on a wheel is slower.
const STEP_PX: i64 = 1_500;
/// So many screens are read from each place that one goes to.
const SCREENS: u64 = 40;

/// What is done, in turn. The first is not with the page: it says how much longer a task takes because of what else runs.
const PARTS: [&str; 8] = [
    "an empty page, at work for 60 ms in each frame",
    "the long room, opened",
    "the long room, read to its beginning",
    "the long room, jumped about in",
    "the long room, read to its end",
    "500 rooms, their list drawn",
    "500 rooms, gone through by typing",
    "500 rooms, one of them opened",
];
const EMPTY_FRAMES: u64 = 100;
const EMPTY_WORK_MS: u64 = 60;

const MEASURE: &str = include_str!("page/measure.js");

/// # Errors
/// When the server or the browser fails, a message cannot be found in the page, or a way takes too long.
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
    let rooms = rooms::furnish(&node, &furnished.tokens[0]).await?;

    // A browser is many processes: on one processor its tasks wait for each other.
    Meter::own().unpin()?;
    node.meter()?.pin_to(0)?;
    let mut runs = PARTS.map(|_| Seen::default());
    for run in 0..plan.runs {
        let mut way = Way {
            run,
            at: 0,
            spent: Spent::default(),
            costliest: Spent::default(),
            runs: &mut runs,
        };
        let limit = Duration::from_secs(plan.limit_s);
        let read = timeout(limit, way.go(&node, room, head, &rooms, plan)).await;
        read.with_context(|| format!("{} took more than {limit:?}", PARTS[way.at]))??;
    }
    Ok(PARTS
        .into_iter()
        .zip(runs)
        .enumerate()
        .flat_map(|(at, (part, seen))| figures(part, seen, at > 0))
        .collect())
}

/// What of each part was seen, run by run.
#[derive(Default)]
struct Seen {
    longest_ms: Vec<f64>,
    cpu_ms: Vec<f64>,
}

fn figures(part: &str, seen: Seen, is_ours: bool) -> [Figure; 2] {
    let (side, role) = if is_ours {
        ("chatx", Role::Ours)
    } else {
        ("Chromium", Role::Other)
    };
    let figure = |measure, runs, aim| Figure {
        part: "page",
        what: part.to_owned(),
        measure,
        unit: "ms",
        series: vec![Series::of(side, role, runs)],
        aim,
    };
    [
        figure(
            "longest task of the page, by the clock; 0: none of 50 ms",
            seen.longest_ms,
            is_ours.then_some(Aim::AtMost(100.0)),
        ),
        figure(
            "CPU of the page's main thread for the costliest step",
            seen.cpu_ms,
            // A step has many tasks.
            None,
        ),
    ]
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

/// One way through the room.
struct Way<'runs> {
    run: usize,
    /// Which of the parts is done.
    at: usize,
    /// What the main thread had spent at the end of the last step.
    spent: Spent,
    /// The step of this part that took most of it.
    costliest: Spent,
    runs: &'runs mut [Seen; PARTS.len()],
}

/// CPU of a page's main thread, in milliseconds.
#[derive(Clone, Copy, Default)]
struct Spent {
    all: f64,
    script: f64,
    style: f64,
    layout: f64,
}

impl Way<'_> {
    /// Goes the whole way in a new browser, and notes the longest task of each part.
    async fn go(
        &mut self,
        node: &Node,
        room: &str,
        head: u64,
        rooms: &[String],
        plan: &Plan,
    ) -> Result<()> {
        let chromium = Chromium::start().await?;
        let empty = chromium.page().await?;
        self.begin(&empty).await?;
        for _ in 0..EMPTY_FRAMES {
            empty.evaluate(&format!("work({EMPTY_WORK_MS})")).await?;
            self.step(&empty).await?;
        }
        self.take(&empty).await?;
        empty.close().await?;
        self.read_log(&chromium, node, room, head, plan.jumps)
            .await?;
        self.read_list(&chromium, node, rooms).await
    }

    async fn read_log(
        &mut self,
        chromium: &Chromium,
        node: &Node,
        room: &str,
        head: u64,
        jumps: u64,
    ) -> Result<()> {
        let (page, _) = enter(chromium, node, room, &format!("reader{}", self.run)).await?;
        page.reload().await?;
        page.until("document.querySelector('[data-testid=room-item]') !== null")
            .await?;
        self.begin(&page).await?;

        go(&page, room, None).await?;
        page.until("first_seen() > 0").await?;
        self.step(&page).await?;
        self.take(&page).await?;

        while !self.scroll(&page, -STEP_PX, "begins()").await? {}
        self.take(&page).await?;

        for jump in 0..jumps {
            let seq = 2 + scattered(jump) % (head - 2);
            go(&page, room, Some(seq)).await?;
            self.step(&page).await?;
            for _ in 0..SCREENS {
                self.scroll(&page, STEP_PX, "false").await?;
            }
        }
        go(&page, room, Some(head / 2)).await?;
        self.step(&page).await?;
        self.take(&page).await?;

        let shows_end = format!("shows({head})");
        while !self.scroll(&page, STEP_PX, &shows_end).await? {}
        self.take(&page).await?;
        let console = page.console();
        ensure!(console.is_empty(), "the console has {console:?}");
        page.close().await
    }

    /// Measures a page from now on, and what has come of it since it was loaded.
    async fn begin(&mut self, page: &Page) -> Result<()> {
        let by_cpu = json!({"timeDomain": "threadTicks"});
        page.call("Performance.enable", by_cpu).await?;
        page.evaluate(MEASURE).await?;
        self.spent = Spent::of(page).await?;
        Ok(())
    }

    /// Scrolls a screen, unless something is so; says whether it was.
    async fn scroll(&mut self, page: &Page, by_px: i64, until: &str) -> Result<bool> {
        let done = page
            .evaluate(&format!("scroll_unless({by_px}, () => {until})"))
            .await?;
        self.step(page).await?;
        Ok(done == true)
    }

    /// Counts what has been spent since the last step as one.
    async fn step(&mut self, page: &Page) -> Result<()> {
        let spent = Spent::of(page).await?;
        let step = spent.since(self.spent);
        self.spent = spent;
        if step.all > self.costliest.all {
            self.costliest = step;
        }
        Ok(())
    }

    async fn take(&mut self, page: &Page) -> Result<()> {
        let worst = page.evaluate("taken()").await?;
        let longest = worst["longest"].as_f64().context("a duration")?;
        let (tasks, of) = (&worst["tasks"], worst["of"].as_str().unwrap_or_default());
        let Spent {
            all,
            script,
            style,
            layout,
        } = self.costliest;
        println!(
            "  run {}, {}: the longest task {longest:.0} ms, of {tasks} from 50 ms; {of}\n    \
             CPU of the costliest step {all:.0} ms: script {script:.0}, style {style:.0}, layout {layout:.0}",
            self.run + 1,
            PARTS[self.at]
        );
        self.runs[self.at].longest_ms.push(longest);
        self.runs[self.at].cpu_ms.push(all);
        self.at += 1;
        self.costliest = Spent::default();
        self.spent = Spent::of(page).await?;
        Ok(())
    }
}

impl Spent {
    async fn of(page: &Page) -> Result<Self> {
        let answer = page.call("Performance.getMetrics", json!({})).await?;
        let metrics = answer["metrics"].as_array().context("metrics")?;
        let value = |name: &str| {
            let metric = metrics.iter().find(|metric| metric["name"] == name);
            metric.map_or(0.0, |metric| {
                metric["value"].as_f64().unwrap_or(0.0) * 1_000.0
            })
        };
        Ok(Self {
            all: value("TaskDuration"),
            script: value("ScriptDuration"),
            style: value("RecalcStyleDuration"),
            layout: value("LayoutDuration"),
        })
    }

    fn since(self, before: Self) -> Self {
        Self {
            all: self.all - before.all,
            script: self.script - before.script,
            style: self.style - before.style,
            layout: self.layout - before.layout,
        }
    }
}

/// Opens the room, at a message where one is named.
async fn go(page: &Page, room: &str, seq: Option<u64>) -> Result<()> {
    let place = seq.map_or_else(String::new, |seq| format!("/{seq}"));
    page.evaluate(&format!("location.hash = '#/room/{room}{place}'"))
        .await?;
    match seq {
        Some(seq) => page.until(&format!("shows({seq})")).await,
        None => Ok(()),
    }
}

/// Somebody new, who is in the room and logged in, and a token of theirs.
async fn enter(
    chromium: &Chromium,
    node: &Node,
    room: &str,
    username: &str,
) -> Result<(Page, String)> {
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
    join(&address, token, room).await?;
    Ok((page, token.to_owned()))
}
