//! How soon after a fault everybody goes on (I11), and what messages cost without Redis (I12). It
//! looks at what was written down and knows no clock.

use std::{collections::BTreeMap, time::Duration};

use serde::Serialize;

use crate::{
    check::{Breach, Breaches, Promise},
    diary::{Diary, Moment, Outcome, Place, Sent, Way},
    faults::{Incident, Since},
    plan::Kind,
};

/// A few numbers about many times, in milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Times {
    /// How many there are.
    pub(crate) count: usize,
    /// Half are no longer than this.
    pub(crate) p50_ms: u64,
    /// Of a hundred, 99 are no longer than this.
    pub(crate) p99_ms: u64,
    /// The longest.
    pub(crate) max_ms: u64,
}

impl Times {
    /// Of these.
    pub(crate) fn of(mut times: Vec<Duration>) -> Self {
        times.sort();
        let ms = |time: Option<&Duration>| {
            time.map_or(0, |time| {
                u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
            })
        };
        let at = |percent: usize| {
            ms(times.get((times.len() * percent / 100).min(times.len().saturating_sub(1))))
        };
        Self {
            count: times.len(),
            p50_ms: at(50),
            p99_ms: at(99),
            max_ms: ms(times.last()),
        }
    }
}

/// How everybody got over one incident.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Recovery {
    /// Which kind.
    pub(crate) kind: Kind,
    /// What it was.
    pub(crate) what: String,
    /// When it began, in seconds of the run.
    pub(crate) at_s: f64,
    /// How long it was broken, in seconds.
    pub(crate) for_s: f64,
    /// From when it is measured.
    pub(crate) since: Since,
    /// Until those who were not hit had an ack for something that they began after it.
    pub(crate) others: Times,
    /// Until those who were hit had.
    pub(crate) hit: Times,
    /// Clients that never had one again.
    pub(crate) never: Vec<usize>,
    /// The slowest message that was begun while it lasted.
    pub(crate) slowest_ms: u64,
    /// Sends that failed meanwhile, as programs see it, before they were tried again.
    pub(crate) failures: usize,
}

/// The acked messages of each client, in the order of their beginning, each with the earliest ack of
/// it and all that came after.
struct Acks(BTreeMap<usize, Vec<(Moment, Moment)>>);

impl Acks {
    fn of(diary: &Diary) -> Self {
        let mut clients: BTreeMap<usize, Vec<(Moment, Moment)>> = BTreeMap::new();
        for (sent, at) in acked(diary) {
            clients
                .entry(sent.client)
                .or_default()
                .push((sent.begun, at));
        }
        for acks in clients.values_mut() {
            acks.sort();
            let mut earliest = Moment(u64::MAX);
            for (_, at) in acks.iter_mut().rev() {
                earliest = earliest.min(*at);
                *at = earliest;
            }
        }
        Self(clients)
    }

    /// The first ack of something that was begun after `since`.
    fn first(&self, client: usize, since: Moment) -> Option<Moment> {
        let acks = self.0.get(&client)?;
        let next = acks.partition_point(|(begun, _)| *begun < since);
        acks.get(next).map(|(_, at)| *at)
    }
}

fn acked(diary: &Diary) -> impl Iterator<Item = (&Sent, Moment)> {
    diary.sends.iter().filter_map(|sent| match sent.outcome {
        Outcome::Acked { at, .. } => Some((sent, at)),
        Outcome::Refused(..) | Outcome::Unanswered => None,
    })
}

/// How everybody got over each incident.
pub(crate) fn recoveries(diary: &Diary, incidents: &[Incident]) -> Vec<Recovery> {
    let acks = Acks::of(diary);
    incidents
        .iter()
        .map(|incident| recovery(diary, &acks, incident))
        .collect()
}

fn recovery(diary: &Diary, acks: &Acks, incident: &Incident) -> Recovery {
    let target = incident.fault.kind.target();
    let from = match target.since {
        Since::Begun => incident.begun,
        Since::Healed => incident.healed,
    };
    let (mut others, mut hit, mut never) = (Vec::new(), Vec::new(), Vec::new());
    for client in acks.0.keys() {
        let Some(first) = acks.first(*client, from) else {
            never.push(*client);
            continue;
        };
        if is_hit(diary, *client, incident) {
            hit.push(first.since(from));
        } else {
            others.push(first.since(from));
        }
    }
    let is_meanwhile = |at: Moment| at >= incident.begun && at < incident.over;
    let slowest = acked(diary)
        .filter(|(sent, at)| {
            // What is begun late may be caught by the next fault, which is not the doing of this one.
            sent.begun >= incident.begun
                && (sent.begun < incident.healed || is_meanwhile(sent.begun) && is_meanwhile(*at))
        })
        .map(|(sent, at)| at.since(sent.begun))
        .max();
    let failures = diary.failures.iter().filter(|failure| failure.is_send);
    Recovery {
        kind: incident.fault.kind,
        what: incident.what.clone(),
        at_s: Duration::from_micros(incident.begun.0).as_secs_f64(),
        for_s: incident.healed.since(incident.begun).as_secs_f64(),
        since: target.since,
        others: Times::of(others),
        hit: Times::of(hit),
        never,
        slowest_ms: Times::of(slowest.into_iter().collect()).max_ms,
        failures: failures.filter(|failure| is_meanwhile(failure.at)).count(),
    }
}

/// Whether somebody's socket was where it broke. Without handlers nobody gets a socket, so that who had
/// to look for one meanwhile is hit too.
fn is_hit(diary: &Diary, client: usize, incident: &Incident) -> bool {
    let places = diary.places.iter().filter(|place| place.client == client);
    let latest = places
        .clone()
        .filter(|place| place.since <= incident.begun)
        .max_by_key(|place| place.since);
    let node = latest.and_then(|place| place.node.as_ref());
    let is_there = node.is_some_and(|node| incident.subjects.contains(node));
    let needs_handlers = matches!(
        incident.fault.kind,
        Kind::KillHandlers | Kind::PauseHandlers
    );
    let is_searching = || {
        let mut meanwhile = places.filter(|place| place.since <= incident.healed);
        let is_without = |place: &Place| place.node.is_none() && place.since >= incident.begun;
        node.is_none() || meanwhile.any(is_without)
    };
    is_there || needs_handlers && is_searching()
}

/// I11: what took too long, or failed where nothing may.
pub(crate) fn judge(recoveries: &[Recovery], breaches: &mut Breaches) {
    let mut add = |what| {
        let breach = Breach {
            room: None,
            seq: None,
            client: None,
            what,
        };
        breaches.add(Promise::I11, breach);
    };
    for recovery in recoveries {
        let target = recovery.kind.target();
        let at = format!("{} at {:.1} s", recovery.what, recovery.at_s);
        let groups = [
            ("those not hit", recovery.others, Some(target.others)),
            ("those hit", recovery.hit, target.hit),
        ];
        for (who, times, within) in groups {
            let taken = Duration::from_millis(times.max_ms);
            if let Some(within) = within.filter(|within| taken > *within) {
                add(format!(
                    "{at}: {who} went on after {taken:.1?}, not within {within:?}"
                ));
            }
        }
        if !recovery.never.is_empty() {
            add(format!("{at}: clients {:?} never went on", recovery.never));
        }
        if target.is_seamless && recovery.failures > 0 {
            add(format!("{at}: {} sends failed", recovery.failures));
        }
    }
}

/// What messages cost with Redis and without it.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(crate) struct RedisFree {
    /// On sockets, where nobody waits for Redis.
    pub(crate) sockets: Costs,
    /// As requests, which ask it how much more their caller may, until it is known to be away.
    pub(crate) http: Costs,
}

/// Send to ack, with Redis and without it.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(crate) struct Costs {
    /// While nothing was broken.
    pub(crate) with: Times,
    /// While Redis was away, and nothing else.
    pub(crate) without: Times,
}

/// Send to ack, with and without Redis, once everybody is there, which is at `ready`.
pub(crate) fn redis_free(diary: &Diary, incidents: &[Incident], ready: Moment) -> RedisFree {
    RedisFree {
        sockets: costs(diary, Way::Socket, incidents, ready),
        http: costs(diary, Way::Http, incidents, ready),
    }
}

fn costs(diary: &Diary, way: Way, incidents: &[Incident], ready: Moment) -> Costs {
    let is_redis = |kind| matches!(kind, Kind::KillRedis | Kind::PauseRedis);
    let (mut with, mut without) = (Vec::new(), Vec::new());
    for (sent, at) in acked(diary).filter(|(sent, _)| sent.way == way) {
        let latency = at.since(sent.begun);
        let is_caught = |incident: &Incident| sent.begun < incident.begun && at >= incident.begun;
        if incidents.iter().any(is_caught) {
            continue;
        }
        let within = incidents
            .iter()
            .find(|incident| sent.begun >= incident.begun && sent.begun < incident.over);
        match within {
            None if sent.begun >= ready => with.push(latency),
            None => {}
            // The second half of the peace after something.
            Some(incident) => {
                let peace = incident.over.since(incident.healed) / 2;
                if sent.begun >= incident.healed.after(peace) {
                    with.push(latency);
                } else if is_redis(incident.fault.kind) && sent.begun < incident.healed {
                    without.push(latency);
                }
            }
        }
    }
    Costs {
        with: Times::of(with),
        without: Times::of(without),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{Direction, Fault};
    use protocol::{RoomId, Seq, UserId};
    use uuid::Uuid;

    const SECOND: u64 = 1_000_000;

    fn sent(client: usize, begun: u64, acked: u64) -> Sent {
        Sent {
            client,
            room: RoomId::from_uuid(Uuid::nil()),
            name: begun.to_string(),
            body: 0,
            way: Way::Socket,
            begun: Moment(begun * SECOND),
            outcome: Outcome::Acked {
                at: Moment(acked * SECOND),
                seq: Seq(begun),
            },
        }
    }

    fn incident(kind: Kind) -> Incident {
        let second = Duration::from_secs(1);
        Incident {
            fault: Fault {
                kind,
                node: 0,
                other: 1,
                direction: Direction::Both,
                hold: second,
                calm: second,
            },
            what: kind.to_string(),
            subjects: vec!["c1".to_owned()],
            begun: Moment(10 * SECOND),
            healed: Moment(20 * SECOND),
            over: Moment(25 * SECOND),
        }
    }

    fn diary() -> Diary {
        let user = UserId::from_uuid(Uuid::nil());
        let place = |client, node: &str| Place {
            client,
            since: Moment(0),
            node: Some(node.to_owned()),
        };
        Diary {
            people: vec![user, user],
            // What was begun before the fault tells nothing of what came after it.
            sends: vec![
                sent(0, 9, 30),
                sent(0, 11, 17),
                sent(0, 12, 14),
                sent(1, 10, 11),
                sent(1, 21, 22),
            ],
            places: vec![place(0, "c1"), place(1, "c2")],
            ..Diary::default()
        }
    }

    #[test]
    fn the_first_ack_of_what_was_begun_after_a_fault_counts() {
        let recovery = &recoveries(&diary(), &[incident(Kind::Kill)])[0];
        assert_eq!(
            (recovery.hit.max_ms, recovery.others.max_ms),
            (4_000, 1_000)
        );
        assert_eq!((recovery.slowest_ms, &recovery.never[..]), (6_000, &[][..]));
        let recovery = &recoveries(&diary(), &[incident(Kind::KillDatabase)])[0];
        assert_eq!(
            (recovery.others.max_ms, &recovery.never[..]),
            (2_000, &[0][..])
        );
    }

    #[test]
    fn what_takes_too_long_breaks_i11() {
        let count = |kind| {
            let mut breaches = Breaches::default();
            judge(&recoveries(&diary(), &[incident(kind)]), &mut breaches);
            breaches
                .0
                .get(&Promise::I11)
                .map_or(0, |broken| broken.count)
        };
        assert_eq!((count(Kind::Kill), count(Kind::Pause)), (1, 0));
        assert_eq!(count(Kind::CutClients), 0, "who is cut off waits");
    }
}
