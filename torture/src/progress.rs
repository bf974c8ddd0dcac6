//! What a person sees while it runs: one line that changes on a terminal, or a line every now and then.

use std::{
    io::{self, IsTerminal as _, Write as _},
    sync::atomic::Ordering,
    time::Duration,
};

use tokio::time::{Instant, MissedTickBehavior, interval};

use crate::crowd::Board;

/// The line.
pub(crate) struct Progress {
    is_terminal: bool,
    what: String,
    last: (Instant, u64),
    printed: Option<Instant>,
}

const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Where nothing can be written over, a line comes this often.
const PLAIN_EVERY: Duration = Duration::from_secs(10);

impl Progress {
    pub(crate) fn start() -> Self {
        Self {
            is_terminal: io::stderr().is_terminal(),
            what: String::new(),
            last: (Instant::now(), 0),
            printed: None,
        }
    }

    /// Something worth a line of its own.
    pub(crate) fn say(&mut self, line: &str) {
        let clear = if self.is_terminal { "\r\x1b[K" } else { "" };
        write(&format!("{clear}{line}\n"));
    }

    /// What goes on from here.
    pub(crate) fn now(&mut self, board: &Board, what: &str) {
        what.clone_into(&mut self.what);
        self.printed = None;
        self.show(board);
    }

    /// Shows how it goes while something is done; nothing when `stop` comes first.
    pub(crate) async fn during<T>(
        &mut self,
        board: &Board,
        task: impl Future<Output = T>,
        stop: impl Future,
    ) -> Option<T> {
        let mut ticks = interval(LOOK_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        tokio::pin!(task, stop);
        loop {
            tokio::select! {
                done = &mut task => return Some(done),
                _ = &mut stop => return None,
                _ = ticks.tick() => self.show(board),
            }
        }
    }

    /// The last word.
    pub(crate) fn end(&mut self) {
        if self.is_terminal {
            write("\r\x1b[K");
        }
    }

    fn show(&mut self, board: &Board) {
        let is_due = self.is_terminal
            || self
                .printed
                .is_none_or(|printed| printed.elapsed() >= PLAIN_EVERY);
        if !is_due {
            return;
        }
        self.printed = Some(Instant::now());
        let count = |number: &std::sync::atomic::AtomicU64| number.load(Ordering::Relaxed);
        let (sent, acked) = (count(&board.sent), count(&board.acked));
        let (before, last) = self.last;
        let seconds = before.elapsed().as_secs_f64().max(0.001);
        let rate = Duration::from_millis(sent - last).as_secs_f64() * 1_000.0 / seconds;
        self.last = (Instant::now(), sent);
        let at_s = Duration::from_micros(board.now().0).as_secs();
        let live = board.live.load(Ordering::Relaxed);
        let line = format!(
            "{:>3}:{:02}  {rate:>5.0} sends/s  {acked} of {sent} acked  {live} sockets  {}",
            at_s / 60,
            at_s % 60,
            self.what
        );
        if self.is_terminal {
            write(&format!("\r\x1b[K{line}"));
        } else {
            write(&format!("{line}\n"));
        }
    }
}

fn write(text: &str) {
    let mut out = io::stderr().lock();
    // Whoever looked on has gone away, and it is run to its end all the same.
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}
