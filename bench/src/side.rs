//! One of those that are measured beside each other: a server, the sockets at it, and how they talk.

use std::{
    any::Any,
    net::SocketAddr,
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};

use crate::{
    crowd::{Crowd, Entry},
    frames::text_frame,
    process::Meter,
    report::Role,
    servers::{
        Sizes, Stand,
        chatx::{Engine, Node, upgrade},
    },
};

/// So many rooms with so many sockets each; the first of a room speaks.
#[derive(Clone, Copy)]
pub(crate) struct Scene {
    pub(crate) rooms: usize,
    pub(crate) members: usize,
}

pub(crate) struct Side {
    pub(crate) name: String,
    pub(crate) role: Role,
    pub(crate) crowd: Crowd,
    pub(crate) meter: Meter,
    pub(crate) scene: Scene,
    /// The ids of the rooms, as messages name them.
    rooms: Vec<String>,
    body: String,
    /// How many messages were sent, so that each has a name of its own.
    sent: u64,
    /// It runs until it is dropped.
    _server: Server,
}

/// What a side keeps running.
pub(crate) type Server = Box<dyn Any>;

const BODY_BYTES: usize = 128;
/// People in every room, who share its sockets.
const PEOPLE: usize = 10;
/// How many sockets come in at once.
const AT_ONCE: usize = 32;
/// How long the answer to the last message may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// What the sides have in common: ChatX on each of `engines`, then the floors and the afternoon's server, all with frames of
/// the same weight.
///
/// # Errors
/// When a server does not start.
pub(crate) async fn sides(scene: Scene, engines: &[Engine]) -> Result<Vec<Side>> {
    let mut sides = Vec::new();
    for &engine in engines {
        sides.push(Side::chatx(scene, engine).await?);
    }
    let sizes = sides[0].sizes()?;
    sides.push(Side::stand(scene, "floor", sizes)?);
    sides.push(Side::stand(scene, "durable-floor", sizes)?);
    sides.push(Side::stand(scene, "afternoon", sizes)?);
    Ok(sides)
}

impl Side {
    /// # Errors
    /// When a server does not start, or a socket is refused.
    pub(crate) async fn chatx(scene: Scene, engine: Engine) -> Result<Self> {
        let node = Node::start(engine).await?;
        let people = PEOPLE.min(scene.members);
        let rooms = node.furnish(scene.rooms, people).await?;
        let address = node.chatx.address();
        let entries = scene
            .places()
            .map(|(room, member)| rooms.entry(&address, member, room));
        let entries = entries.collect::<Result<Vec<_>>>()?;
        let (meter, ids) = (node.meter()?, rooms.ids);
        let name = format!("chatx, {}", engine.name());
        let server = Box::new(node);
        Self::of(scene, (name, Role::Ours), entries, meter, ids, server)
    }

    pub(crate) fn stand(scene: Scene, name: &str, sizes: Sizes) -> Result<Self> {
        let stand = Stand::start(name, sizes)?;
        let meter = Meter::of(vec![stand.id()]);
        meter.pin_to(0)?;
        let address = SocketAddr::from(([127, 0, 0, 1], stand.port));
        let entry = |(room, _)| Entry {
            address,
            request: upgrade(&format!("/{room}"), ""),
            first_frames: Vec::new(),
            subscriptions: 0,
        };
        let entries = scene.places().map(entry).collect();
        let like_an_id = "0".repeat(36);
        let (name, role) = match name {
            "floor" => ("floor, coalesced", Role::Base),
            "durable-floor" => ("floor, durable", Role::Other),
            _ => ("axum + broadcast", Role::Other),
        };
        let named = (name.to_owned(), role);
        let ids = vec![like_an_id; scene.rooms];
        Self::of(scene, named, entries, meter, ids, Box::new(stand))
    }

    /// A side of whatever serves: its sockets come in, and each room hears a first message.
    ///
    /// # Errors
    /// When a socket is refused.
    pub(crate) fn of(
        scene: Scene,
        (name, role): (String, Role),
        entries: Vec<Entry>,
        meter: Meter,
        rooms: Vec<String>,
        server: Server,
    ) -> Result<Self> {
        let mut crowd = Crowd::new()?;
        crowd.join(entries, AT_ONCE)?;
        let mut side = Self {
            name,
            role,
            crowd,
            meter,
            scene,
            rooms,
            body: "x".repeat(BODY_BYTES),
            sent: 0,
            _server: server,
        };
        // The first message of a room finds everything cold.
        for room in 0..scene.rooms {
            side.say(room, 1)?;
        }
        side.crowd.settle()?;
        Ok(side)
    }

    /// What its frames weigh.
    ///
    /// # Errors
    /// When there were none.
    pub(crate) fn sizes(&self) -> Result<Sizes> {
        let heard = self.crowd.heard(0);
        ensure!(heard.events * heard.acks > 0, "the first message is lost");
        Ok(Sizes {
            event_bytes: heard.event_bytes,
            ack_bytes: heard.ack_bytes,
        })
    }

    /// Sends so many messages to a room in one write.
    fn say(&mut self, room: usize, count: u64) -> Result<()> {
        let mut frames = Vec::new();
        for _ in 0..count {
            self.sent += 1;
            let frame = format!(
                r#"{{"type":"send","room":"{}","client_id":"bench-{}","body":"{}"}}"#,
                self.rooms[room], self.sent, self.body
            );
            frames.extend(text_frame(&frame));
        }
        self.crowd.say(room * self.scene.members, &frames)
    }
}

impl Scene {
    /// Each socket: its room, and its number there.
    pub(crate) fn places(self) -> impl Iterator<Item = (usize, usize)> {
        (0..self.rooms).flat_map(move |room| (0..self.members).map(move |member| (room, member)))
    }
}

/// What came of talking flat out.
pub(crate) struct FlatOut {
    pub(crate) messages: u64,
    pub(crate) deliveries: u64,
    pub(crate) cpu: Duration,
    pub(crate) wall: Duration,
    /// How many frames one read of a socket brought, which tells how many shared a write.
    pub(crate) frames_per_read: f64,
}

impl FlatOut {
    pub(crate) fn cpu_us_per_delivery(&self) -> f64 {
        self.cpu.as_secs_f64() * 1e6 / self.deliveries as f64
    }

    pub(crate) fn cpu_us_per_message(&self) -> f64 {
        self.cpu.as_secs_f64() * 1e6 / self.messages as f64
    }

    pub(crate) fn deliveries_per_second(&self) -> f64 {
        self.deliveries as f64 / self.wall.as_secs_f64()
    }
}

impl Side {
    /// Lets the first of each room say the next as soon as fewer than `window` of theirs are neither acknowledged nor
    /// delivered to themselves, and waits until everybody has everything.
    ///
    /// # Errors
    /// When something is lost.
    pub(crate) fn flat_out(&mut self, window: u64, span: Duration) -> Result<FlatOut> {
        self.crowd.settle()?;
        let Scene { rooms, members } = self.scene;
        let begun = |side: &Self, room| {
            let heard = side.crowd.heard(room * members);
            (heard.events, heard.acks)
        };
        let bases: Vec<_> = (0..rooms).map(|room| begun(self, room)).collect();
        let mut sent = vec![window; rooms];
        let (events, reads, cpu) = (self.crowd.events, self.crowd.reads, self.meter.cpu()?);
        let start = Instant::now();
        for room in 0..rooms {
            self.say(room, window)?;
        }
        let due = |sent: &[u64]| sent.iter().sum::<u64>() * members as u64;
        let mut wall = Duration::ZERO;
        while self.crowd.events - events < due(&sent) {
            self.crowd.turn(Duration::from_millis(10))?;
            wall = start.elapsed();
            let mut number = 0;
            while let Some(news) = self.crowd.news(number).filter(|_| wall < span) {
                number += 1;
                let room = news.member / members;
                if news.member % members > 0 || room >= rooms {
                    continue;
                }
                let done = (news.events - bases[room].0).min(news.acks - bases[room].1);
                let more = (done + window).saturating_sub(sent[room]);
                if more > 0 {
                    sent[room] += more;
                    self.say(room, more)?;
                }
            }
            ensure!(
                wall < span + PATIENCE,
                "deliveries are missing at {}",
                self.name
            );
        }
        let deliveries = self.crowd.events - events;
        Ok(FlatOut {
            messages: sent.iter().sum(),
            deliveries,
            cpu: self.meter.cpu()?.saturating_sub(cpu),
            wall,
            frames_per_read: deliveries as f64 / (self.crowd.reads - reads) as f64,
        })
    }

    /// Lets the first socket say something every `pause`, `count` times; answers how long each delivery took, in
    /// milliseconds, sorted.
    ///
    /// # Errors
    /// When something is lost.
    pub(crate) fn steadily(&mut self, pause: Duration, count: u64) -> Result<Vec<f64>> {
        self.crowd.settle()?;
        let members = self.scene.members;
        let base = self.crowd.heard(0).events;
        let mut had: Vec<u64> = (0..members)
            .map(|member| self.crowd.heard(member).events)
            .collect();
        let mut said = Vec::new();
        let mut took = Vec::new();
        let start = Instant::now() + pause;
        let all = usize::try_from(count)? * members;
        while took.len() < all {
            let now = Instant::now();
            let due = start + pause * u32::try_from(said.len())?;
            if (said.len() as u64) < count && now >= due {
                said.push(now);
                self.say(0, 1)?;
            }
            let is_over = said.len() as u64 == count;
            let patience = if is_over {
                pause
            } else {
                due.saturating_duration_since(now)
            };
            // What is left of a millisecond is waited for awake, because the kernel wakes only on whole ones.
            self.crowd
                .turn(patience.saturating_sub(Duration::from_millis(1)))?;
            let mut number = 0;
            while let Some(news) = self.crowd.news(number) {
                number += 1;
                for event in had[news.member]..news.events {
                    let at = said[usize::try_from(event - base)?];
                    took.push((news.at - at).as_secs_f64() * 1e3);
                }
                had[news.member] = news.events;
            }
            ensure!(
                now < start + pause * u32::try_from(count)? + PATIENCE,
                "deliveries are missing"
            );
        }
        took.sort_by(f64::total_cmp);
        Ok(took)
    }
}
