//! How far a long command is, on standard error: one line that renews itself on a terminal, and only the
//! last word elsewhere.

use std::{
    io::{self, IsTerminal as _, Write as _},
    time::{Duration, Instant},
};

/// How far a command is.
pub(crate) struct Progress {
    is_quiet: bool,
    is_terminal: bool,
    /// When the line was last renewed.
    shown: Option<Instant>,
}

/// Nobody reads faster.
const EVERY: Duration = Duration::from_millis(100);

impl Progress {
    pub(crate) fn new(is_quiet: bool) -> Self {
        Self {
            is_quiet,
            is_terminal: io::stderr().is_terminal(),
            shown: None,
        }
    }

    /// Shows how far it is now, if somebody watches.
    pub(crate) fn show(&mut self, line: impl FnOnce() -> String) {
        let is_due = self.shown.is_none_or(|shown| shown.elapsed() >= EVERY);
        if self.is_quiet || !self.is_terminal || !is_due {
            return;
        }
        self.shown = Some(Instant::now());
        say(&format!("\r\u{1b}[K{}", line()));
    }

    /// The last word.
    pub(crate) fn finish(self, line: &str) {
        if self.is_quiet {
            return;
        }
        let wipe = if self.shown.is_some() {
            "\r\u{1b}[K"
        } else {
            ""
        };
        say(&format!("{wipe}{line}\n"));
    }
}

/// Progress is a courtesy: that it cannot be shown stops nothing.
fn say(text: &str) {
    let mut err = io::stderr().lock();
    drop(err.write_all(text.as_bytes()).and_then(|()| err.flush()));
}
