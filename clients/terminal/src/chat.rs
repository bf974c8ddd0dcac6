//! `chatx chat`: the terminal, the server and the disk around a chat that is state alone.

mod wrap;
mod compose;
mod happening;
mod log;
mod room;

mod state;
mod layout;
mod keys;
mod sheets;
mod commands;

mod theme;
mod blocks;
mod draw;

mod carrying;
mod kept;
mod screen;
mod world;

#[cfg(test)]
mod tests;

use std::{
    env,
    io::{self, IsTerminal as _, Write as _},
    time::Duration,
};

use anyhow::{Result, bail};
use client::{Connection, Ended, Error, Settings, Status};
use crossterm::event::{Event, EventStream};
use futures_util::StreamExt as _;
use happening::{Effect, Input, Link};
use jiff::tz::TimeZone;
use kept::Kept;
use screen::Screen;
use state::{Chat, Me};
use theme::Theme;
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    sync::mpsc,
    time::{MissedTickBehavior, interval},
};
use uuid::Uuid;
use world::World;

use crate::{
    exit::Misused,
    options,
    place::{Now, Place, ServerPlace},
};

/// What came of calls and rooms may wait in this number until it is drawn; whoever brings more waits.
const TOLD: usize = 1_024;
/// So much is taken in before the next drawing.
const BATCH: usize = 256;
const TICK: Duration = Duration::from_secs(1);
/// How long the end of the program waits for answers.
const CLOSE_WITHIN: Duration = Duration::from_secs(2);

/// Chats until the person has enough.
pub(crate) async fn run(place: &Place, options: options::Chat, now: Now) -> Result<()> {
    if !io::stdin().is_terminal() || !io::stdout().is_terminal() {
        bail!(Misused(
            "this needs a terminal; scripts use send, tail and rooms".to_owned()
        ));
    }
    let server = place.server(options.server.server.as_deref())?;
    let session = server.session(Settings::default()).await?;
    // A session that is over is told before the terminal is taken.
    match session.me().await {
        Ok(_) | Err(Error::Unreachable(_)) => {}
        Err(error) => return Err(error.into()),
    }
    let kept: Kept = server.recall(kept::FILE).unwrap_or_default();
    let me = Me {
        id: session.user(),
        username: session.username().to_owned(),
        server: server
            .url
            .split_once("://")
            .map_or(server.url.as_str(), |(_, host)| host)
            .to_owned(),
        zone: TimeZone::system(),
        run: Uuid::new_v4().simple().to_string(),
    };
    let wanted = options
        .room
        .or_else(|| kept.room.map(|room| room.to_string()));
    let (told, heard) = mpsc::channel(TOLD);
    let connection = session.connect();
    let theme = Theme {
        has_colour: env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()),
    };
    let mut program = Program {
        chat: Chat::new(me, wanted),
        world: World::new(session, connection.clone(), told),
        connection,
        kept,
        server,
        now,
        screen: Screen::open(theme)?,
        heard,
    };
    let ended = program.run_inner().await;
    program.end(ended).await
}

/// The chat and what is around it.
struct Program {
    chat: Chat,
    world: World,
    connection: Connection,
    kept: Kept,
    server: ServerPlace,
    now: Now,
    screen: Screen,
    heard: mpsc::Receiver<Input>,
}

impl Program {
    async fn run_inner(&mut self) -> Result<()> {
        let mut keys = EventStream::new();
        let mut status = self.connection.status();
        let mut rooms_changed = self.connection.rooms_changed();
        let mut asked_to_end = EndSignals::new()?;
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        let (columns, rows) = self.screen.size()?;
        self.take(Input::Size(columns, rows))?;
        loop {
            self.screen.draw(&self.chat)?;
            let input = tokio::select! {
                event = keys.next() => match event {
                    Some(event) => input_of(event?),
                    // The terminal is gone.
                    None => return Ok(()),
                },
                Some(input) = self.heard.recv() => Some(input),
                Ok(()) = status.changed() => {
                    let link = Link::from(&*status.borrow_and_update());
                    Some(Input::Link(link))
                }
                Ok(()) = rooms_changed.changed() => {
                    self.world.begin(Effect::ReadRooms);
                    None
                }
                _ = ticks.tick() => Some(Input::Tick),
                () = asked_to_end.next() => return Ok(()),
            };
            let mut waiting = input;
            for _ in 0..BATCH {
                let Some(input) = waiting else { break };
                if self.take(input)? {
                    return Ok(());
                }
                waiting = self.heard.try_recv().ok();
            }
            let effects = self.chat.settle();
            if self.does(effects)? {
                return Ok(());
            }
        }
    }

    /// Takes in what happened; answers whether that was the end.
    fn take(&mut self, input: Input) -> Result<bool> {
        let is_list = matches!(input, Input::Rooms(Ok(_)));
        let mut effects = self.chat.apply(input, (self.now)());
        if is_list {
            effects.extend(self.kept.restore(&mut self.chat));
        }
        self.does(effects)
    }

    fn does(&mut self, effects: Vec<Effect>) -> Result<bool> {
        for effect in effects {
            match effect {
                Effect::Quit => return Ok(true),
                Effect::Keep => self.keep(),
                Effect::Bell => self.screen.bell()?,
                Effect::Redraw => self.screen.clear()?,
                Effect::Suspend => self.screen.suspend()?,
                // A message is on disk before it is on its way, so that no end of the program loses it.
                Effect::Send(letter) => {
                    self.keep();
                    self.world.begin(Effect::Send(letter));
                }
                effect => self.world.begin(effect),
            }
        }
        Ok(false)
    }

    fn keep(&mut self) {
        let kept = Kept::of(&self.chat, &self.kept);
        if let Err(error) = self.server.remember(kept::FILE, &kept) {
            self.chat.say(format!("drafts are not kept: {error}"), true);
        }
    }

    /// Waits a little for what is on its way, and gives the terminal back.
    async fn end(mut self, ended: Result<()>) -> Result<()> {
        let link = self.connection.status().borrow().clone();
        let closed = self.connection.close(CLOSE_WITHIN).await;
        while let Ok(input) = self.heard.try_recv() {
            drop(self.chat.apply(input, (self.now)()));
        }
        self.keep();
        let unanswered = self.chat.unanswered().count();
        drop(self.screen);
        if closed.is_err() && unanswered > 0 {
            writeln!(
                io::stderr(),
                "{unanswered} messages have no answer yet; they are sent when you come back"
            )?;
        }
        ended?;
        match link {
            Status::Ended(Ended::SignedOut) => bail!(Error::Ended(Ended::SignedOut)),
            _ => Ok(()),
        }
    }
}

/// What an event of the terminal means.
fn input_of(event: Event) -> Option<Input> {
    Some(match event {
        Event::Key(key) => Input::Key(key),
        Event::Paste(text) => Input::Paste(text),
        Event::Resize(columns, rows) => Input::Size(columns, rows),
        Event::FocusGained => Input::Focus(true),
        Event::FocusLost => Input::Focus(false),
        Event::Mouse(_) => return None,
    })
}

/// The signals that ask a program to end.
struct EndSignals([Signal; 3]);

impl EndSignals {
    fn new() -> Result<Self> {
        let [terminate, hang_up, interrupt] = [
            SignalKind::terminate(),
            SignalKind::hangup(),
            SignalKind::interrupt(),
        ]
        .map(signal);
        Ok(Self([terminate?, hang_up?, interrupt?]))
    }

    async fn next(&mut self) {
        let [terminate, hang_up, interrupt] = &mut self.0;
        tokio::select! {
            _ = terminate.recv() => {}
            _ = hang_up.recv() => {}
            _ = interrupt.recv() => {}
        }
    }
}
