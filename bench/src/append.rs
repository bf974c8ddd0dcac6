//! How many messages a store takes in a second: one at a time, in batches, through the appender that
//! makes the batches, and beside the least that could be done, the bare insert of the same rows.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use protocol::{
    EventId, Limits, RoomId, Seq, UserId,
    rooms::{CreateRoom, HistoryVisibility, Visibility},
    text::{ClientId, MessageBody, RoomName, Topic},
};
use shared::{
    Appender, Clock,
    store::{Append, Appended, Engine, NewAccount, NewRoom, NewSession, Store, StoreOptions},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    bare::Bare,
    process::Meter,
    report::{Aim, Figure, Role, Series, median},
};

const ROOMS: usize = 16;
/// Senders who each wait for their message before the next one.
const SENDERS: usize = 1_024;
/// Where it stands in each room: after the event of its owner's joining.
const FIRST_MESSAGE: Seq = Seq(2);

/// What is run.
#[derive(clap::Args)]
pub(crate) struct Plan {
    /// Messages a batch
    #[arg(long, default_value_t = 256)]
    pub(crate) batch: usize,
    #[arg(long, default_value_t = 2)]
    pub(crate) seconds: u64,
    #[arg(long, default_value_t = 5)]
    pub(crate) runs: usize,
}

pub(crate) async fn run(plan: &Plan) -> Result<Vec<Figure>> {
    // The appender runs in this process, and there is no load beside it.
    Meter::own().unpin()?;
    let server = testkit::Postgres::start().await?;
    let mut figures = measure("PostgreSQL", &server.url(), plan).await?;
    let directory = tempfile::tempdir()?;
    let url = format!("sqlite:{}", directory.path().join("chatx.db").display());
    figures.extend(measure("SQLite", &url, plan).await?);
    Ok(figures)
}

/// Runs every way in turn, so that what else the machine does falls on all of them.
async fn measure(name: &str, url: &str, plan: &Plan) -> Result<Vec<Figure>> {
    let (batch, span) = (plan.batch, Duration::from_secs(plan.seconds));
    let talk = Talk::prepare(url).await?;
    let writers = talk.writers();
    let bare = Bare::prepare(url, writers).await?;
    let mut ways = [
        Series::of("bare insert", Role::Base, Vec::new()),
        Series::of(
            format!("bare insert, {writers} at once"),
            Role::Other,
            Vec::new(),
        ),
        Series::of("in batches", Role::Ours, Vec::new()),
        Series::of("through the appender", Role::Ours, Vec::new()),
        Series::of("in batches, 10 % answers", Role::Other, Vec::new()),
        Series::of("one by one", Role::Other, Vec::new()),
    ];
    let mut alone = [
        Series::of("bare row", Role::Base, Vec::new()),
        Series::of("through the appender", Role::Ours, Vec::new()),
    ];
    for run in 0..plan.runs {
        let rates = [
            bare.in_batches_of(&talk, batch, span).await?,
            bare.at_once(&talk, batch, span).await?,
            talk.in_batches_of(batch, span).await?,
            talk.through_the_appender(span).await?,
            talk.with_answers(batch, span).await?,
            talk.in_batches_of(1, span).await?,
        ];
        for (way, rate) in ways.iter_mut().zip(rates) {
            println!(
                "  {name}, run {}: {:<26} {rate:>8.0} messages/s",
                run + 1,
                way.side
            );
            way.runs.push(rate);
        }
        for (series, times) in alone.iter_mut().zip(talk.alone(&bare, span).await?) {
            series.runs.push(median(&times));
        }
    }
    talk.look().await?;
    let mut ways = Vec::from(ways);
    if writers == 1 {
        ways.remove(1);
    }
    let [row, appender] = alone;
    let beyond = appender
        .runs
        .iter()
        .zip(&row.runs)
        .map(|(appender, row)| appender - row);
    Ok(vec![
        Figure {
            part: "append",
            what: format!("{name}, {batch} messages a batch"),
            measure: "messages stored",
            unit: "/s",
            series: ways,
            aim: Some(Aim::TimesAtLeast(0.75)),
        },
        Figure {
            part: "append",
            what: format!("{name}, one sender alone"),
            measure: "beyond a bare row, p50",
            unit: "ms",
            series: vec![Series::of(
                "through the appender",
                Role::Ours,
                beyond.collect(),
            )],
            aim: Some(Aim::AtMost(0.5)),
        },
    ])
}

/// How often `work` is done in a second, where one call does `weight` of it.
pub(crate) async fn rate(
    span: Duration,
    weight: usize,
    mut work: impl AsyncFnMut() -> Result<()>,
) -> Result<f64> {
    let begun = Instant::now();
    let mut done = 0_u32;
    while begun.elapsed() < span {
        work().await?;
        done += u32::try_from(weight)?;
    }
    Ok(f64::from(done) / begun.elapsed().as_secs_f64())
}

/// A store with somebody who writes into a few rooms.
pub(crate) struct Talk {
    store: Store,
    clock: Clock,
    user: UserId,
    rooms: Vec<RoomId>,
}

impl Talk {
    async fn prepare(url: &str) -> Result<Self> {
        let store = Store::connect(url, &StoreOptions::default()).await?;
        store.migrate().await?;
        let clock = Clock::system();
        let user = account(&store, &clock).await?;
        let mut rooms = Vec::new();
        for number in 0..ROOMS {
            rooms.push(room(&store, &clock, user, &format!("room {number}")).await?);
        }
        Ok(Self {
            store,
            clock,
            user,
            rooms,
        })
    }

    /// The next messages, of a length that people write, spread over the rooms.
    pub(crate) fn messages(&self, count: usize) -> Vec<Append> {
        (0..count).map(|number| self.message(number)).collect()
    }

    fn message(&self, number: usize) -> Append {
        let id: EventId = self.clock.id();
        let text =
            "a message of about the length that people write to each other in a chat, give or take";
        Append {
            room: self.rooms[number % self.rooms.len()],
            id,
            user: self.user,
            client_id: ClientId::parse(&id.to_string()).expect("a uuid is printable ascii"),
            body: MessageBody::parse(text.to_owned(), &Limits::default()).expect("it is short"),
            reply_to: None,
            thread: None,
            files: Vec::new(),
            at: self.clock.now(),
        }
    }

    async fn in_batches_of(&self, batch: usize, span: Duration) -> Result<f64> {
        rate(span, batch, async || {
            self.store_all(&self.messages(batch)).await
        })
        .await
    }

    /// As [`Talk::in_batches_of`], one message in ten an answer to the first of its room.
    async fn with_answers(&self, batch: usize, span: Duration) -> Result<f64> {
        rate(span, batch, async || {
            let mut messages = self.messages(batch);
            for message in messages.iter_mut().step_by(10) {
                message.reply_to = Some(FIRST_MESSAGE);
            }
            self.store_all(&messages).await
        })
        .await
    }

    async fn store_all(&self, messages: &[Append]) -> Result<()> {
        let outcomes = self.store.append(messages).await?;
        if !outcomes
            .iter()
            .all(|outcome| matches!(outcome, Appended::Stored(_)))
        {
            bail!("not stored: {outcomes:?}");
        }
        Ok(())
    }

    /// As clients do it: each waits for its message, and the appender makes batches of what waits.
    async fn through_the_appender(&self, span: Duration) -> Result<f64> {
        let (tracker, cancel) = (TaskTracker::new(), CancellationToken::new());
        let appender = Appender::start(&self.store, self.writers(), &tracker, &cancel);
        let begun = Instant::now();
        let senders = (0..SENDERS).map(async |sender| {
            let mut stored = 0_u32;
            while begun.elapsed() < span {
                match appender.submit(self.message(sender))?.await? {
                    Appended::Stored(_) => stored += 1,
                    other => bail!("not stored: {other:?}"),
                }
            }
            anyhow::Ok(stored)
        });
        let stored: u32 = futures_util::future::try_join_all(senders)
            .await?
            .into_iter()
            .sum();
        let rate = f64::from(stored) / begun.elapsed().as_secs_f64();
        cancel.cancel();
        tracker.close();
        tracker.wait().await;
        Ok(rate)
    }

    /// Milliseconds of a bare row and of a message through the appender, in turn, one at a time.
    async fn alone(&self, bare: &Bare, span: Duration) -> Result<[Vec<f64>; 2]> {
        let (tracker, cancel) = (TaskTracker::new(), CancellationToken::new());
        let appender = Appender::start(&self.store, self.writers(), &tracker, &cancel);
        let mut times: [Vec<f64>; 2] = Default::default();
        let begun = Instant::now();
        while begun.elapsed() < span {
            times[0].push(bare.one(self).await?.as_secs_f64() * 1_000.0);
            let message = self.message(0);
            let sent = Instant::now();
            appender.submit(message)?.await?;
            times[1].push(sent.elapsed().as_secs_f64() * 1_000.0);
        }
        cancel.cancel();
        tracker.close();
        tracker.wait().await;
        Ok(times)
    }

    /// As many as the server takes: SQLite has one that writes.
    fn writers(&self) -> usize {
        match self.store.engine() {
            Engine::Sqlite => 1,
            Engine::Postgres => 4,
        }
    }

    /// Every head must be the number of its room's events: nothing was lost or doubled meanwhile.
    async fn look(&self) -> Result<()> {
        for head in self.store.heads(&self.rooms).await? {
            let last = self.store.events(head.room, head.seq.previous(), 2).await?;
            if head.seq.0 != head.n + 1 || last.len() != 1 {
                bail!("{head:?} is not where its log ends");
            }
        }
        Ok(())
    }
}

async fn account(store: &Store, clock: &Clock) -> Result<UserId> {
    let at = clock.now();
    let account = NewAccount {
        id: clock.id(),
        username: String::from("ada"),
        email: String::from("ada@example.com"),
        display_name: String::from("Ada"),
        password_hash: String::from("-"),
        at,
    };
    let session = NewSession {
        id: clock.id(),
        user: account.id,
        device: String::new(),
        ip: [127, 0, 0, 1].into(),
        at,
        expires_at: at.after(Duration::from_secs(3_600)),
    };
    store.create_account(&account, &session).await?;
    Ok(account.id)
}

async fn room(store: &Store, clock: &Clock, owner: UserId, name: &str) -> Result<RoomId> {
    let create = CreateRoom {
        name: RoomName::parse(name, &Limits::default())
            .map_err(|wrong| anyhow::anyhow!("{wrong:?}"))?,
        topic: Topic::default(),
        visibility: Visibility::Public,
        password: None,
        max_members: 10,
        history: HistoryVisibility::All,
    };
    let new = NewRoom {
        id: clock.id(),
        create,
        password_hash: None,
        owner,
        at: clock.now(),
    };
    Ok(store.create_room(&new).await?.id)
}
