//! A room is on every node that has sockets for it, and what happens in it goes from its owner to each
//! of them once, whoever is there and however many.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow, ensure};
use chatx_e2e::{Http, PATIENCE, Person, Socket, unique};
use protocol::{RoomId, Seq, events::EventKind};
use testkit::{Chatx, Ground, free_port};
use tokio::{
    task::JoinSet,
    time::{sleep, timeout},
};

const NODES: [&str; 3] = ["a", "b", "c"];
/// People, each with many sockets: an account is costly to make, and a socket is what counts.
const PEOPLE: usize = 12;

/// Three coordinators that are linked, and a process for everything else.
struct Cluster {
    coordinators: [Coordinator; 3],
    handlers: Chatx,
    ground: Ground,
}

struct Coordinator {
    chatx: Chatx,
    internal: String,
}

impl Cluster {
    async fn start() -> Result<Self> {
        let ground = Ground::new().await?;
        let handlers = ground.handlers().start().await?;
        let start = async |name| {
            let internal = format!("127.0.0.1:{}", free_port());
            let chatx = ground
                .coordinator(name)
                .set("CHATX_INTERNAL_LISTEN", &internal)
                .start()
                .await?;
            anyhow::Ok(Coordinator { chatx, internal })
        };
        let [a, b, c] = NODES;
        let cluster = Self {
            coordinators: [start(a).await?, start(b).await?, start(c).await?],
            handlers,
            ground,
        };
        for coordinator in &cluster.coordinators {
            coordinator.until("chatx_links", 2.0).await?;
        }
        Ok(cluster)
    }

    fn http(&self) -> Http {
        Http::new(self.handlers.address())
    }

    /// What every node complained of.
    fn troubles(&self) -> String {
        let logs = self.coordinators.iter().map(|node| node.chatx.log());
        let lines = logs.map(|log| {
            let bad = log.lines().filter(|line| !line.contains("\"INFO\""));
            bad.collect::<Vec<_>>().join("\n")
        });
        lines.collect::<Vec<_>>().join("\n\n")
    }

    /// What every node has counted under a name, in the order of [`NODES`].
    async fn counted(&self, metric: &str) -> Result<[f64; 3]> {
        let mut counted = [0.0; 3];
        for (count, coordinator) in counted.iter_mut().zip(&self.coordinators) {
            *count = coordinator.metric(metric).await?;
        }
        Ok(counted)
    }
}

impl Coordinator {
    /// What a node counts, all labels together that begin with what is asked for.
    async fn metric(&self, name: &str) -> Result<f64> {
        let shown = Http::new(self.internal.clone()).get("/metrics").await?;
        let shown = shown.expect(200)?;
        let lines = shown
            .as_str()
            .unwrap_or_default()
            .lines()
            .filter(|line| line.starts_with(name));
        let counts = lines.filter_map(|line| line.rsplit_once(' ')?.1.parse::<f64>().ok());
        Ok(counts.sum())
    }

    async fn until(&self, metric: &str, expected: f64) -> Result<()> {
        let mut seen = 0.0;
        let seeing = async {
            loop {
                seen = self.metric(metric).await?;
                if seen == expected {
                    return anyhow::Ok(());
                }
                sleep(Duration::from_millis(50)).await;
            }
        };
        match timeout(PATIENCE, seeing).await {
            Ok(seen) => seen,
            Err(_) => Err(anyhow!("{metric} is {seen}, not {expected}")),
        }
    }
}

#[expect(
    clippy::print_stderr,
    reason = "what was counted should be seen, too, when it is right"
)]
fn tell(line: std::fmt::Arguments<'_>) {
    eprintln!("{line}");
}

/// People who follow one room from every node.
struct Crowd {
    room: RoomId,
    /// Of each node in turn.
    sockets: Vec<Socket>,
}

impl Crowd {
    /// So many sockets, spread over the nodes in turn.
    async fn gather(cluster: &Cluster, sockets: usize) -> Result<Self> {
        let http = cluster.http();
        let owner = Person::register(&http, "host").await?;
        let room = owner.create_room().await?;
        let mut people = vec![owner];
        while people.len() < PEOPLE {
            let person = Person::register(&http, "guest").await?;
            person.join(room).await?;
            people.push(person);
        }
        let at = |coordinator: &Coordinator| {
            let address = coordinator.chatx.address();
            let tokens = people.iter().filter_map(|person| person.http.token());
            let tokens: Vec<_> = tokens.map(str::to_owned).collect();
            async move {
                let mut opened = Vec::new();
                for token in tokens.iter().cycle().take(sockets / NODES.len()) {
                    let mut socket = Socket::connect(&address, token).await?;
                    socket.subscribe(room, None).await?;
                    opened.push(socket);
                }
                anyhow::Ok(opened)
            }
        };
        let [a, b, c] = &cluster.coordinators;
        let sockets = tokio::try_join!(at(a), at(b), at(c))?;
        let sockets = in_turn([sockets.0, sockets.1, sockets.2]);
        Ok(Self { room, sockets })
    }

    /// Has sockets of all nodes in turn say so many messages, and everybody read all of them: in order, and
    /// each once.
    async fn talk(&mut self, messages: u64) -> Result<()> {
        for number in 0..messages {
            let of_node = usize::try_from(number)? % NODES.len();
            let writer = &mut self.sockets[of_node];
            let said = writer.send(self.room, &unique("m"), "Tea?").await?;
            said.map_err(|error| anyhow!("{error:?}"))?;
        }
        let mut readers = JoinSet::new();
        for mut socket in self.sockets.drain(..) {
            readers.spawn(async move {
                let mut last: Option<Seq> = None;
                let mut read = 0;
                while read < messages {
                    let event = socket.event().await.with_context(|| {
                        let node = &socket.ready.node;
                        format!("a socket at {node} read {read} of {messages}, up to {last:?}")
                    })?;
                    ensure!(last.is_none_or(|last| event.seq == last.next()));
                    last = Some(event.seq);
                    read += u64::from(matches!(event.kind, EventKind::Message(_)));
                }
                Ok((socket.ready.node.clone(), socket))
            });
        }
        let mut by_node: [Vec<Socket>; 3] = Default::default();
        while let Some(read) = readers.join_next().await {
            let (node, socket) = read??;
            let node = NODES.iter().position(|name| *name == node);
            by_node[node.context("a node of ours")?].push(socket);
        }
        self.sockets = in_turn(by_node);
        Ok(())
    }
}

/// One of each node, again and again.
fn in_turn(mut by_node: [Vec<Socket>; 3]) -> Vec<Socket> {
    let mut sockets = Vec::new();
    while by_node.iter().any(|sockets| !sockets.is_empty()) {
        sockets.extend(by_node.iter_mut().filter_map(Vec::pop));
    }
    sockets
}

const EVENTS_IN: &str = r#"chatx_link_frames_total{direction="in",kind="event"}"#;
const EVENTS_OUT: &str = r#"chatx_link_frames_total{direction="out",kind="event"}"#;

/// Gathers so many sockets, has them talk, and counts what the nodes told each other.
async fn each_node_is_told_once(sockets: usize, messages: u64) -> Result<()> {
    let cluster = Cluster::start().await?;
    let begun = Instant::now();
    let mut crowd = Crowd::gather(&cluster, sockets).await?;
    // Whoever is not attached yet is, once they have heard of this.
    crowd.talk(3).await.with_context(|| cluster.troubles())?;
    let gathered = begun.elapsed();
    let (before_in, before_out) = (
        cluster.counted(EVENTS_IN).await?,
        cluster.counted(EVENTS_OUT).await?,
    );
    crowd
        .talk(messages)
        .await
        .with_context(|| cluster.troubles())?;
    let talked = begun.elapsed() - gathered;
    let since = |before: [f64; 3], now: [f64; 3]| {
        let mut counts = [0.0; 3];
        for (count, (now, before)) in counts.iter_mut().zip(now.iter().zip(before)) {
            *count = now - before;
        }
        counts.sort_by(f64::total_cmp);
        counts
    };
    let heard = since(before_in, cluster.counted(EVENTS_IN).await?);
    let said = since(before_out, cluster.counted(EVENTS_OUT).await?);
    tell(format_args!(
        "{sockets} sockets on 3 nodes gathered in {gathered:?}; {messages} messages read by all in {talked:?}; \
         events heard over links by node: {heard:?}, said: {said:?}"
    ));
    #[expect(clippy::cast_precision_loss, reason = "they are few")]
    let once = messages as f64;
    assert_eq!(
        heard,
        [0.0, once, once],
        "the owner hears nothing, and each gateway everything once"
    );
    assert_eq!(said, [0.0, 0.0, 2.0 * once], "the owner says it");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn each_gateway_hears_of_each_event_once() -> Result<()> {
    each_node_is_told_once(300, 30).await
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "by hand: it takes minutes, and 10,000 files"]
async fn each_gateway_hears_of_each_event_once_with_5000_sockets() -> Result<()> {
    each_node_is_told_once(5_000, 30).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_nobody_can_link_to_is_served_all_the_same() -> Result<()> {
    let cluster = Cluster::start().await?;
    // Whoever answers there knows of no links and no hints, as a node of another version would.
    let lonely = cluster
        .ground
        .coordinator("d")
        .set("CHATX_INTERNAL_URL", cluster.handlers.url())
        .start()
        .await?;
    let person = Person::register(&cluster.http(), "ada").await?;
    let token = person.http.token().context("they are signed in")?;
    let mut there = Socket::connect(&lonely.address(), token).await?;
    let here = cluster.coordinators[0].chatx.address();
    let mut here = Socket::connect(&here, token).await?;
    // Some of so many rooms are with the node itself, by its own account.
    for _ in 0..8 {
        let room = person.create_room().await?;
        let mut next = Seq(0);
        for socket in [&mut there, &mut here] {
            next = socket.subscribe(room, None).await?.head;
        }
        for number in 0..3 {
            let socket = if number % 2 == 0 {
                &mut there
            } else {
                &mut here
            };
            let said = socket.send(room, &format!("{number}"), "Tea?").await?;
            said.map_err(|error| anyhow!("{error:?}"))?;
        }
        for socket in [&mut there, &mut here] {
            for place in 1..=3 {
                let event = socket.event().await?;
                ensure!(
                    event.room == room && event.seq == Seq(next.0 + place),
                    "{event:?}"
                );
            }
        }
    }
    Ok(())
}
