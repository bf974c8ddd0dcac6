//! What goes wrong while a run is active, and what others do who do not go through a coordinator. In
//! the end everything heals.

use std::sync::Arc;

use protocol::{RoomId, Seq, UserId};
use shared::{cluster::Node, hints::Hint, ring};
use tokio::time::Duration;
use turmoil::{LinkIter, SentRef, Sim};

use super::{
    chance::Chance,
    database::Database,
    machine::{Machine, Order},
    world::{World, note},
};

/// The world against the nodes.
pub(super) struct Faults {
    world: Arc<World>,
    database: Arc<Database>,
    chance: Chance,
    machines: Vec<Arc<Machine>>,
    states: Vec<State>,
    wires: Vec<Wire>,
    pub(super) rooms: Vec<RoomId>,
    pub(super) people: Vec<UserId>,
    /// How often in a thousand moments something goes wrong.
    often: u64,
}

/// How one node is.
struct State {
    power: Power,
    /// When it last ran, as far as the database knows.
    seen_ms: u64,
    /// When it looks at the other nodes again.
    looks_at_ms: u64,
    /// Until when it sees nothing new.
    blind_until_ms: u64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Power {
    On,
    /// It owns nothing more, and stops then.
    DrainsUntil(u64),
    /// It ends in order, and starts again then.
    StopsUntil(u64),
    OffUntil(u64),
}

/// The network between two nodes.
struct Wire {
    ends: (usize, usize),
    fault: Option<(Cut, u64)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cut {
    Both,
    /// From the first to the second, or the other way.
    OneWay(bool),
    /// Nothing is lost, and nothing arrives.
    Held,
    /// One end has died, and the other hears of it, one connection after the other.
    Dying,
}

/// A node that has not renewed its row for so long is dead to the others.
const DEAD_AFTER_MS: u64 = 5_000;
const LOOKED_EVERY_MS: u64 = 1_000;

impl Faults {
    pub(super) fn new(
        world: &Arc<World>,
        database: &Arc<Database>,
        machines: &[Arc<Machine>],
    ) -> Self {
        let mut chance = Chance::new(world.seed, "faults");
        let count = machines.len();
        let states = (0..count).map(|_| State {
            power: Power::On,
            seen_ms: 0,
            looks_at_ms: 0,
            blind_until_ms: 0,
        });
        let pairs = (0..count).flat_map(|one| (one + 1..count).map(move |other| (one, other)));
        Self {
            world: Arc::clone(world),
            database: Arc::clone(database),
            machines: machines.to_vec(),
            states: states.collect(),
            wires: pairs.map(|ends| Wire { ends, fault: None }).collect(),
            rooms: Vec::new(),
            people: Vec::new(),
            often: chance.one_of(&[0, 5, 15, 30]),
            chance,
        }
    }

    /// Lets a moment pass.
    pub(super) fn act(&mut self, sim: &mut Sim<'_>, is_active: bool) {
        self.end(sim);
        if is_active {
            if self.chance.per_mille(self.often) {
                self.break_something(sim);
            }
            if self.chance.per_mille(25) {
                self.meddle();
            }
        }
        self.tell_who_lives();
    }

    /// Everything is as it should be from now on.
    pub(super) fn heal(&mut self, sim: &mut Sim<'_>) {
        note!(self.world, "everything heals");
        for wire in &mut self.wires {
            if let Some((_, until_ms)) = &mut wire.fault {
                *until_ms = 0;
            }
        }
        for number in 0..self.states.len() {
            let state = &mut self.states[number];
            state.blind_until_ms = 0;
            match &mut state.power {
                Power::On => {}
                Power::OffUntil(at_ms) => *at_ms = 0,
                Power::DrainsUntil(at_ms) => *at_ms = 0,
                Power::StopsUntil(at_ms) => *at_ms = 0,
            }
        }
        self.database.heal();
        self.end(sim);
    }

    /// Whether every node runs.
    pub(super) fn all_run(&self) -> bool {
        self.states.iter().all(|state| state.power == Power::On)
            && self.machines.iter().all(|machine| machine.is_open())
    }

    /// Ends what has lasted long enough.
    fn end(&mut self, sim: &mut Sim<'_>) {
        let now_ms = self.world.now_ms();
        for wire in &mut self.wires {
            match wire.fault {
                Some((_, until_ms)) if now_ms >= until_ms => wire.mend(&self.world, sim),
                Some((Cut::Dying, _)) => wire.deliver_first(sim),
                _ => {}
            }
        }
        for number in 0..self.states.len() {
            let name = Machine::name(number);
            let power = self.states[number].power;
            let machine = &self.machines[number];
            match power {
                Power::OffUntil(at_ms) if now_ms >= at_ms => {
                    machine.forget();
                    sim.bounce(name);
                    self.states[number].power = Power::On;
                }
                Power::DrainsUntil(at_ms) if now_ms >= at_ms => {
                    machine.order(Order::Stop);
                    self.states[number].power = Power::StopsUntil(now_ms + 200);
                }
                Power::StopsUntil(at_ms) if now_ms >= at_ms && !sim.is_host_running(name) => {
                    self.states[number].power = Power::OffUntil(at_ms);
                }
                _ => {}
            }
        }
    }

    fn break_something(&mut self, sim: &mut Sim<'_>) {
        let now_ms = self.world.now_ms();
        let span_ms = match self.chance.within(0..3) {
            0 => self.chance.within(50..600),
            1 => self.chance.within(600..2_500),
            _ => self.chance.within(2_500..7_000),
        };
        let number = self.chance.index(self.machines.len());
        match self.chance.within(0..100) {
            0..20 => self.kill(sim, number, span_ms),
            20..28 if self.states[number].power == Power::On => {
                self.machines[number].order(Order::Drain);
                let until_ms = now_ms + self.chance.within(500..3_000);
                self.states[number].power = Power::DrainsUntil(until_ms);
            }
            28..60 => {
                let wire = self.chance.index(self.wires.len());
                let both = [Cut::Both, Cut::OneWay(true), Cut::OneWay(false), Cut::Held];
                let cut = self.chance.one_of(&both);
                self.cut(sim, wire, cut, now_ms + span_ms);
            }
            60..70 => {
                note!(self.world, "node {number} is paused");
                self.database.cut_off(number, span_ms);
                self.isolate(sim, number, Cut::Held, now_ms + span_ms);
            }
            70..80 => {
                note!(self.world, "the database is away");
                self.database.be_away(span_ms);
            }
            80..88 => {
                note!(self.world, "node {number} does not reach the database");
                self.database.cut_off(number, span_ms);
            }
            88..95 => {
                note!(self.world, "node {number} sees no changes of the cluster");
                self.states[number].blind_until_ms = now_ms + 2 * span_ms;
            }
            _ => {
                let wire = self.chance.index(self.wires.len());
                let (one, other) = self.wires[wire].names();
                let slow = self.chance.one_of(&[5, 60, 300, 900]);
                sim.set_link_max_message_latency(one, other, Duration::from_millis(slow));
            }
        }
    }

    /// Without a word, or so that the others see it at once.
    fn kill(&mut self, sim: &mut Sim<'_>, number: usize, span_ms: u64) {
        if matches!(self.states[number].power, Power::OffUntil(_)) {
            return;
        }
        let now_ms = self.world.now_ms();
        let is_silent = self.chance.per_mille(400);
        // In which order a dying process closes its connections is not told by the seed, so what it says in
        // doing so is lost, or put into an order.
        for wire in &mut self.wires {
            if wire.is_of(number) {
                wire.mend(&self.world, sim);
            }
        }
        let cut = if is_silent { Cut::Both } else { Cut::Dying };
        self.isolate(sim, number, cut, now_ms + span_ms);
        note!(self.world, "node {number} dies");
        sim.crash(Machine::name(number));
        self.machines[number].forget();
        self.database.node_died(number);
        self.states[number].power = Power::OffUntil(now_ms + span_ms);
    }

    fn isolate(&mut self, sim: &mut Sim<'_>, number: usize, cut: Cut, until_ms: u64) {
        for wire in 0..self.wires.len() {
            if self.wires[wire].is_of(number) {
                self.cut(sim, wire, cut, until_ms);
            }
        }
    }

    fn cut(&mut self, sim: &mut Sim<'_>, wire: usize, cut: Cut, until_ms: u64) {
        let wire = &mut self.wires[wire];
        if wire.fault.is_some() {
            return;
        }
        wire.fault = Some((cut, until_ms));
        let (one, other) = wire.names();
        note!(self.world, "{one} and {other}: {cut:?} until {until_ms}");
        match cut {
            Cut::Both => sim.partition(one, other),
            Cut::OneWay(true) => sim.partition_oneway(one, other),
            Cut::OneWay(false) => sim.partition_oneway(other, one),
            Cut::Held | Cut::Dying => sim.hold(one, other),
        }
    }

    /// Each node looks at the rows of the others now and then.
    fn tell_who_lives(&mut self) {
        let now_ms = self.world.now_ms();
        for state in &mut self.states {
            if matches!(state.power, Power::On | Power::DrainsUntil(_)) {
                state.seen_ms = now_ms;
            }
        }
        let lives = |(number, state): (usize, &State)| {
            let is_draining = matches!(state.power, Power::DrainsUntil(_) | Power::StopsUntil(_));
            (now_ms <= state.seen_ms + DEAD_AFTER_MS).then(|| Machine::node(number, is_draining))
        };
        let live: Arc<[Node]> = self.states.iter().enumerate().filter_map(lives).collect();
        for (number, state) in self.states.iter_mut().enumerate() {
            if now_ms >= state.looks_at_ms && now_ms >= state.blind_until_ms {
                state.looks_at_ms = now_ms + LOOKED_EVERY_MS;
                self.machines[number].live.send_if_modified(|seen| {
                    let is_new = *seen != live;
                    *seen = Arc::clone(&live);
                    is_new
                });
            }
        }
    }

    /// What people do over HTTP: the hint that follows is lost, late, or sent to the wrong node.
    fn meddle(&mut self) {
        let room = self.chance.one_of(&self.rooms);
        let user = self.chance.one_of(&self.people);
        let owner = self.people[0];
        let at = self.world.now();
        let chance = &mut self.chance;
        let seq = self.database.with_logs(|logs| {
            let head = logs.log(room).len() as u64;
            let target = Seq(chance.within(1..head.max(1) + 1));
            let what = chance.within(0..200);
            let done = match what {
                0..50 => logs.kick(room, owner, user, at),
                50..60 => logs.leave(room, user, at),
                60..140 => logs.join(room, user, at),
                140..165 => logs.erase(room, owner, target, at),
                165..198 => logs.edit(room, user, target, "changed", at),
                _ => logs.delete(room, owner),
            };
            done.is_ok().then(|| {
                note!(self.world, "somebody does {what} to {user}");
                Seq(logs.log(room).len() as u64)
            })
        });
        let Some(seq) = seq else { return };
        let live: Vec<_> = (0..self.machines.len())
            .map(|number| Machine::node(number, false))
            .collect();
        let owner = ring::owner(room, &live).map(|node| node.name.clone());
        for (number, machine) in self.machines.iter().enumerate() {
            let is_owner = owner == Some(Machine::name(number));
            if self.chance.per_mille(if is_owner { 600 } else { 50 }) {
                machine.order(Order::Hear(Hint { room, seq }));
            }
        }
    }
}

impl Wire {
    fn is_of(&self, node: usize) -> bool {
        self.ends.0 == node || self.ends.1 == node
    }

    /// Ends what is wrong with it.
    fn mend(&mut self, world: &World, sim: &Sim<'_>) {
        let Some((cut, _)) = self.fault.take() else {
            return;
        };
        let (one, other) = self.names();
        note!(world, "{one} and {other}: no longer {cut:?}");
        match cut {
            Cut::Both => sim.repair(one, other),
            Cut::OneWay(true) => sim.repair_oneway(one, other),
            Cut::OneWay(false) => sim.repair_oneway(other, one),
            Cut::Held | Cut::Dying => sim.release(one, other),
        }
    }

    /// Lets what one connection held arrive.
    fn deliver_first(&self, sim: &Sim<'_>) {
        let (one, other) = self.names();
        let ends = [sim.lookup(one), sim.lookup(other)];
        let is_this = |link: &LinkIter<'_>| {
            let (one, other) = link.pair();
            ends.contains(&one) && ends.contains(&other)
        };
        let mut first = None;
        sim.links(|mut links| {
            let held = links.find(is_this).into_iter().flatten();
            first = held.map(|message| message.pair()).min();
        });
        sim.links(|mut links| {
            let held = links.find(is_this).into_iter().flatten();
            held.filter(|message| Some(message.pair()) == first)
                .for_each(SentRef::deliver);
        });
    }

    fn names(&self) -> (String, String) {
        (Machine::name(self.ends.0), Machine::name(self.ends.1))
    }
}
