//! Breaks and mends, one thing after the other, and writes down when. What a fault does to promises is
//! judged elsewhere.

use std::time::Duration;

use anyhow::{Context as _, Result};
use serde::Serialize;
use sqlx::{Connection as _, PgConnection};
use tokio::time::sleep;

use crate::{
    crowd::Crowd,
    diary::Moment,
    plan::{Direction, Fault, Kind},
    proxy::{Flow, Way},
    system::System,
};

/// Something that was broken.
#[derive(Clone, Debug)]
pub(crate) struct Incident {
    /// What, as it was planned.
    pub(crate) fault: Fault,
    /// What, for a person.
    pub(crate) what: String,
    /// Whose clients are hit first: the names of processes.
    pub(crate) subjects: Vec<String>,
    /// When it began.
    pub(crate) begun: Moment,
    /// When it was whole again.
    pub(crate) healed: Moment,
    /// When everybody had been left in peace for a while.
    pub(crate) over: Moment,
}

/// What is broken.
pub(crate) enum Ground {
    /// A system of our own, of which everything can be broken.
    Own(Box<System>),
    /// Somebody else's, whose database may be known.
    Others {
        /// The url of its database.
        database: String,
    },
}

/// How much later bytes come over a slow link.
const SLOW: Duration = Duration::from_millis(80);

impl Ground {
    /// The url of the database, past every link.
    pub(crate) fn database(&self) -> &str {
        match self {
            Self::Own(system) => system.database(),
            Self::Others { database } => database,
        }
    }

    /// What a fault is, for a person, and whose clients it hits first.
    pub(crate) fn describe(&self, fault: &Fault) -> (String, Vec<String>) {
        let Self::Own(system) = self else {
            return (fault.kind.about().to_owned(), Vec::new());
        };
        let node = system.coordinators[fault.node].name.clone();
        let other = system.coordinators[fault.other].name.clone();
        let handlers = system.handlers[fault.node % system.handlers.len()]
            .name
            .clone();
        let only = match fault.direction {
            Direction::Both => "",
            Direction::There => ", what it says only",
            Direction::Back => ", what it hears only",
        };
        let (what, subjects) = match fault.kind {
            Kind::Kill | Kind::Pause | Kind::Drain | Kind::Slow | Kind::Backends => {
                (node.clone(), vec![node])
            }
            Kind::Reset | Kind::CutRedis => (node.clone(), vec![node]),
            Kind::CutDatabase => (format!("{node}{only}"), vec![node]),
            Kind::CutClients => (format!("{node}{only}"), vec![node]),
            Kind::CutNodes => (format!("{node} and {other}{only}"), vec![node, other]),
            Kind::KillHandlers | Kind::PauseHandlers => (handlers.clone(), vec![handlers]),
            Kind::Rolling
            | Kind::KillDatabase
            | Kind::KillRedis
            | Kind::PauseRedis
            | Kind::Stampede => (String::new(), Vec::new()),
        };
        let space = if what.is_empty() { "" } else { " " };
        (format!("{}{space}{what}", fault.kind), subjects)
    }

    /// Breaks something, mends it after a while, and leaves everybody in peace for another.
    ///
    /// # Errors
    /// When it cannot be broken or mended, which is no promise of the system.
    pub(crate) async fn break_one(&mut self, fault: &Fault, crowd: &Crowd) -> Result<Incident> {
        let (what, subjects) = self.describe(fault);
        let board = &crowd.board;
        let begun = board.now();
        crowd.probe();
        match self {
            Self::Own(system) => {
                let broken = system.break_one(fault, crowd).await;
                broken.with_context(|| format!("cannot {what}"))?;
                sleep(fault.hold).await;
                let mended = system.mend_one(fault).await;
                mended.with_context(|| format!("cannot mend after {what}"))?;
            }
            Self::Others { database } => match fault.kind {
                Kind::Backends => end_sessions(database).await?,
                _ => crowd.stampede(),
            },
        }
        let healed = board.now();
        crowd.probe();
        sleep(fault.calm).await;
        Ok(Incident {
            fault: *fault,
            what,
            subjects,
            begun,
            healed,
            over: board.now(),
        })
    }
}

impl System {
    async fn break_one(&mut self, fault: &Fault, crowd: &Crowd) -> Result<()> {
        let (node, held) = (fault.node, Flow::Held);
        let way = match fault.direction {
            Direction::Both => Way::CUT,
            Direction::There => Way {
                there: held,
                back: Flow::Open,
            },
            Direction::Back => Way {
                there: Flow::Open,
                back: held,
            },
        };
        let handlers = node % self.handlers.len();
        match fault.kind {
            Kind::Kill => self.coordinators[node].kill(),
            Kind::Pause => self.coordinators[node].pause(true),
            Kind::Drain => self.coordinators[node].drain().await,
            Kind::Rolling => self.roll(fault.calm / 2).await,
            Kind::KillHandlers => self.handlers[handlers].kill(),
            Kind::PauseHandlers => self.handlers[handlers].pause(true),
            Kind::CutClients => {
                // Seen from the coordinator, what it says goes back to who dialled.
                let Way { there, back } = way;
                let way = Way {
                    there: back,
                    back: there,
                };
                self.coordinators[node].public.set(None, way);
                Ok(())
            }
            Kind::CutNodes => {
                let is = |flow| flow == held;
                self.cut_nodes(node, fault.other, is(way.there), is(way.back));
                Ok(())
            }
            Kind::CutDatabase => {
                self.coordinators[node].postgres.set(None, way);
                Ok(())
            }
            Kind::CutRedis => {
                self.coordinators[node].redis.set(None, way);
                Ok(())
            }
            Kind::Reset => {
                self.coordinators[node]
                    .links()
                    .for_each(crate::proxy::Proxy::reset);
                Ok(())
            }
            Kind::Slow => {
                for link in self.coordinators[node].links() {
                    link.set(None, Way::slow(SLOW));
                }
                Ok(())
            }
            Kind::KillDatabase => self.postgres.kill(),
            Kind::Backends => self.end_sessions(node).await,
            Kind::KillRedis => self.redis.kill(),
            Kind::PauseRedis => self.redis.pause(),
            Kind::Stampede => {
                crowd.stampede();
                Ok(())
            }
        }
    }

    async fn mend_one(&mut self, fault: &Fault) -> Result<()> {
        let handlers = fault.node % self.handlers.len();
        match fault.kind {
            Kind::Kill | Kind::Drain => self.coordinators[fault.node].restart().await,
            Kind::Pause => self.coordinators[fault.node].pause(false),
            Kind::KillHandlers => self.handlers[handlers].restart().await,
            Kind::PauseHandlers => self.handlers[handlers].pause(false),
            Kind::CutClients | Kind::CutNodes | Kind::CutDatabase | Kind::CutRedis | Kind::Slow => {
                self.mend();
                Ok(())
            }
            Kind::KillDatabase => self.postgres.start_again().await,
            Kind::KillRedis => self.redis.start_again().await,
            Kind::PauseRedis => self.redis.resume(),
            Kind::Rolling | Kind::Reset | Kind::Backends | Kind::Stampede => Ok(()),
        }
    }

    /// Drains and restarts every coordinator, the next once the one before is back for a while.
    async fn roll(&mut self, between: Duration) -> Result<()> {
        for coordinator in &mut self.coordinators {
            coordinator.drain().await?;
            coordinator.restart().await?;
            sleep(between).await;
        }
        Ok(())
    }
}

/// Ends every session of a database but our own.
async fn end_sessions(database: &str) -> Result<()> {
    let mut connection = PgConnection::connect(database).await?;
    sqlx::query(
        "select pg_terminate_backend(pid) from pg_stat_activity
         where datname = current_database() and pid <> pg_backend_pid()",
    )
    .execute(&mut connection)
    .await?;
    connection.close().await?;
    Ok(())
}

/// What a kind of fault is measured by: see `recovery`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Since {
    /// From the moment that it began.
    Begun,
    /// From the moment that it was mended, because nothing can go on before.
    Healed,
}

/// How soon everybody has an ack again, as is promised.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Target {
    /// Measured from when.
    pub(crate) since: Since,
    /// For those who are not hit themselves.
    pub(crate) others: Duration,
    /// For those who are; nothing where they are cut off.
    pub(crate) hit: Option<Duration>,
    /// Whether no send may fail meanwhile.
    pub(crate) is_seamless: bool,
}

impl Kind {
    /// What is promised of it.
    pub(crate) const fn target(self) -> Target {
        let (two, six) = (Duration::from_secs(2), Duration::from_secs(6));
        let target = Target {
            since: Since::Begun,
            others: six,
            hit: Some(six),
            is_seamless: false,
        };
        match self {
            Self::Kill | Self::Stampede => Target {
                others: two,
                hit: Some(two),
                ..target
            },
            Self::Drain | Self::Rolling => Target {
                others: two,
                hit: Some(two),
                is_seamless: true,
                ..target
            },
            Self::CutClients | Self::KillHandlers | Self::PauseHandlers => Target {
                hit: None,
                ..target
            },
            Self::KillDatabase => Target {
                since: Since::Healed,
                ..target
            },
            Self::Pause
            | Self::CutNodes
            | Self::CutDatabase
            | Self::CutRedis
            | Self::Reset
            | Self::Slow
            | Self::Backends
            | Self::KillRedis
            | Self::PauseRedis => target,
        }
    }
}
