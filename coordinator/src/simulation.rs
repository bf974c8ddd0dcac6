//! The coordinator under faults, by seed: nodes with real rooms and real links on a simulated network,
//! people on their sockets, and a store that is slow, away or forgets to answer. The same seed is the
//! same run. How to use it is told in `docs/simulation.md`.

mod chance;
mod world;

mod logs;
mod database;

mod machine;
mod ears;
mod session;
mod pipe;
mod client;

mod faults;
mod check;
mod probe;

use std::sync::Arc;

use chance::Chance;
use check::Roster;
use client::{Client, Known};
use database::Database;
use faults::Faults;
use logs::Logs;
use machine::{Capacities, Machine, Order};
use probe::Probe;
use protocol::{Limits, RoomId, UserId, accounts::UserSummary};
use tokio::time::Duration;
use turmoil::Sim;
use uuid::Uuid;
use world::{Broken, World, note};

use crate::{outbox::Capacity, peers};

/// A run from its seed to its end.
struct Run<'a> {
    world: Arc<World>,
    database: Arc<Database>,
    sim: Sim<'a>,
    machines: Vec<Arc<Machine>>,
    clients: Vec<Client>,
    faults: Faults,
    rooms: Vec<RoomId>,
    known: Known,
    active_ms: u64,
    /// Whether it waits until nobody is there any more, which takes long.
    waits_for_end: bool,
}

/// How a run ended.
struct Outcome {
    broken: Vec<String>,
    hash: u64,
    lines: Vec<String>,
}

/// How far time moves at once: messages between nodes arrive at one of these moments.
const MOMENTS_MS: [u64; 4] = [10, 20, 20, 40];
/// As long as a link may need to be seen as lost and to be opened again, a room to move, and somebody
/// who is gone to be forgotten.
const HEALS_WITHIN_MS: u64 = 12_000;
/// As long as everything may take until it rests.
const RESTS_WITHIN_MS: u64 = 30_000;
/// As long as rooms stay loaded, and those of other nodes after them.
const EMPTIES_WITHIN_MS: u64 = 30_000;
/// As long as an answer takes.
const PROBES_FOR_MS: u64 = 1_200;
const STOPS_WITHIN_MS: u64 = 9_000;

impl Run<'_> {
    fn new(seed: u64, broken: Option<Broken>) -> Self {
        let world = Arc::new(World::new(seed, broken));
        let mut chance = Chance::new(seed, "run");
        let mut sim = turmoil::Builder::new()
            .rng_seed(chance.within(0..u64::MAX))
            .simulation_duration(Duration::from_secs(1_000))
            .tick_duration(Duration::from_millis(chance.one_of(&MOMENTS_MS)))
            .min_message_latency(Duration::from_millis(1))
            .max_message_latency(Duration::from_millis(chance.one_of(&[5, 40, 150])))
            .tcp_capacity(100_000)
            .enable_random_order()
            .build();
        let nodes = chance.index(3) + 2;
        let people: Vec<_> = (0..chance.index(3) + 3).map(person).collect();
        let rooms: Vec<_> = (0..=chance.index(3))
            .map(|_| RoomId::from_uuid(uuid(&mut chance)))
            .collect();
        let probes = (100..100 + nodes).map(person);
        let mut logs = Logs::of(people.iter().cloned().chain(probes.clone()));
        logs.dedupes = broken != Some(Broken::StoresTwice);
        for room in &rooms {
            let reads_all = chance.per_mille(600);
            logs.create(*room, people[0].id, reads_all, world.now());
            for person in people[1..].iter().cloned().chain(probes.clone()) {
                logs.join(*room, person.id, world.now())
                    .expect("the room is open");
            }
        }
        let limits = Limits {
            resume_max_events: chance.one_of(&[4, 20, 500]),
            page_default: 3,
            ..Limits::default()
        };
        let database = Arc::new(Database::new(
            Arc::clone(&world),
            logs,
            limits.clone(),
            nodes,
        ));
        let sizes = [
            Capacity {
                bytes: 1_500,
                frames: 4,
            },
            Capacity {
                bytes: 6_000,
                frames: 16,
            },
            Capacity::default(),
        ];
        let capacities = Capacities {
            outbox: chance.one_of(&sizes),
            appender: chance.one_of(&[4, 64, 8_192]),
            peers: peers::Capacities {
                link: chance.one_of(&sizes),
                guest: chance.one_of(&sizes),
            },
        };
        note!(
            world,
            "{nodes} nodes, {} rooms, {capacities:?}",
            rooms.len()
        );
        let machine = |number| {
            let (world, database) = (Arc::clone(&world), Arc::clone(&database));
            Arc::new(Machine::new(
                database,
                world,
                number,
                limits.clone(),
                capacities,
            ))
        };
        let machines: Vec<_> = (0..nodes).map(machine).collect();
        for machine in &machines {
            let software = Arc::clone(machine);
            sim.host(Machine::name(machine.number), move || {
                Arc::clone(&software).run()
            });
        }
        let clients = (0..people.len() + chance.index(3)).map(|number| {
            let user = people[number % people.len()].clone();
            let mut client = Client::new(number, user, Arc::clone(&world));
            for room in &rooms {
                if chance.per_mille(800) {
                    client.want(*room);
                }
            }
            client
        });
        let clients = clients.collect();
        let mut faults = Faults::new(&world, &database, &machines);
        faults.rooms.clone_from(&rooms);
        faults.people = people.iter().map(|person| person.id).collect();
        Self {
            world,
            database,
            sim,
            machines,
            clients,
            faults,
            rooms,
            known: Known::new(),
            active_ms: chance.within(2_000..8_000),
            waits_for_end: chance.per_mille(250),
        }
    }

    /// From the first moment to the last.
    fn finish(mut self) -> Outcome {
        self.pass(self.active_ms, true, |_| false);
        self.faults.heal(&mut self.sim);
        self.pass(HEALS_WITHIN_MS, false, |_| false);
        self.pass(RESTS_WITHIN_MS, false, Self::rests);
        let refused = self.database.refused();
        let mut broken = self
            .database
            .with_logs(|logs| check::broken(logs, &refused, &self.rooms, &self.clients));
        broken.extend(self.unlike_rosters());
        for client in &mut self.clients {
            client.go();
        }
        if self.waits_for_end {
            self.pass(EMPTIES_WITHIN_MS, false, Self::is_empty);
            let full = self.machines.iter().filter(|it| it.live_rooms() != Some(0));
            broken.extend(full.map(|machine| format!("node {} keeps rooms", machine.number)));
        }
        broken.extend(self.left_behind());
        if !broken.is_empty() {
            note!(self.world, "broken: {broken:#?}");
        }
        Outcome {
            broken,
            hash: self.world.hash(),
            lines: self.world.lines(),
        }
    }

    /// Lets time pass, until `done` if that comes first.
    fn pass(&mut self, span_ms: u64, is_active: bool, done: impl Fn(&mut Self) -> bool) {
        let until_ms = self.world.now_ms() + span_ms;
        while self.world.now_ms() < until_ms && !done(self) {
            self.faults.act(&mut self.sim, is_active);
            self.database.tick();
            let (machines, known) = (&self.machines, &mut self.known);
            self.database.with_logs(|logs| {
                for client in &mut self.clients {
                    client.act(machines, logs, known, is_active);
                }
            });
            self.sim.step().expect("no node fails");
            let elapsed = self.sim.elapsed().as_millis();
            self.world.look(u64::try_from(elapsed).unwrap_or(u64::MAX));
        }
    }

    fn rests(&mut self) -> bool {
        self.faults.all_run()
            && self.database.is_quiet()
            && self.clients.iter().all(Client::is_settled)
    }

    /// Asks every node who is in each room, and compares it with who is there.
    fn unlike_rosters(&mut self) -> Vec<String> {
        let mut probes: Vec<_> = (0..self.machines.len())
            .map(|number| Probe::new(&self.world, person(100 + number), &self.machines[number]))
            .collect();
        // The first question loads the rooms; what is known elsewhere comes a little later.
        for _ in 0..2 {
            for probe in &mut probes {
                probe.ask(&self.rooms);
            }
            self.pass(PROBES_FOR_MS, false, |_| false);
        }
        let mut unlike = Vec::new();
        for (number, room) in self.rooms.clone().into_iter().enumerate() {
            if !self
                .database
                .with_logs(|logs| logs.is_member(room, person(100).id))
            {
                continue;
            }
            let present: Roster = check::present(room, &self.clients);
            for probe in &mut probes {
                let seen = probe.seen(room);
                if seen.as_ref() != Some(&present) {
                    unlike.push(format!(
                        "presence: in room {number} node {} sees {seen:?}, and there are {present:?}",
                        probe.node(),
                    ));
                }
            }
        }
        for probe in probes {
            probe.go();
        }
        unlike
    }

    fn is_empty(&mut self) -> bool {
        for machine in &self.machines {
            machine.order(Order::Count);
        }
        self.machines
            .iter()
            .all(|machine| machine.live_rooms() == Some(0))
    }

    /// What is still there when nobody is.
    fn left_behind(&mut self) -> Vec<String> {
        let mut left = Vec::new();
        for machine in &self.machines {
            machine.order(Order::Stop);
        }
        self.pass(STOPS_WITHIN_MS, false, |run| {
            run.machines.iter().all(|machine| machine.left().is_some())
        });
        for machine in &self.machines {
            if machine.left() != Some(0) {
                left.push(format!(
                    "node {} leaves {:?} tasks",
                    machine.number,
                    machine.left()
                ));
            }
        }
        left
    }
}

fn person(number: usize) -> UserSummary {
    let name = format!("person{number}");
    UserSummary {
        id: UserId::from_uuid(Uuid::from_u128(0xace0_0000 + number as u128)),
        username: name.clone(),
        display_name: name,
    }
}

fn uuid(chance: &mut Chance) -> Uuid {
    Uuid::from_u64_pair(chance.within(0..u64::MAX), chance.within(0..u64::MAX))
}

mod tests;
