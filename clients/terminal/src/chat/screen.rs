//! The terminal while the chat has it, and as it was afterwards: at the end, at a signal that asks for it,
//! and when the program panics.

use std::{
    io::{self, Stdout, Write as _},
    panic, process,
};

use anyhow::{Context as _, Result};
use crossterm::{
    event::{DisableBracketedPaste, DisableFocusChange, EnableBracketedPaste, EnableFocusChange},
    execute,
    terminal::{EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode},
};
use ratatui::{Terminal, backend::CrosstermBackend};
use rustix::process::{Signal, getpid, kill_process};

use super::{draw::draw, state::Chat, theme::Theme};

/// The exit code of a program that panicked.
const PANICKED: i32 = 101;

/// The terminal while the chat has it; dropping it gives it back.
pub(super) struct Screen {
    terminal: Terminal<CrosstermBackend<Stdout>>,
    theme: Theme,
}

impl Screen {
    pub(super) fn open(theme: Theme) -> Result<Self> {
        let told = panic::take_hook();
        panic::set_hook(Box::new(move |panicked| {
            give_back();
            told(panicked);
            // A task that is gone would leave a chat that only looks alive.
            process::exit(PANICKED);
        }));
        take().context("the terminal cannot be used")?;
        let terminal = Terminal::new(CrosstermBackend::new(io::stdout()));
        match terminal {
            Ok(terminal) => Ok(Self { terminal, theme }),
            Err(error) => {
                give_back();
                Err(error.into())
            }
        }
    }

    /// Columns and rows.
    pub(super) fn size(&self) -> io::Result<(u16, u16)> {
        let size = self.terminal.size()?;
        Ok((size.width, size.height))
    }

    pub(super) fn draw(&mut self, chat: &Chat) -> io::Result<()> {
        let theme = self.theme;
        self.terminal
            .draw(|frame| draw(chat, theme, frame))
            .map(drop)
    }

    /// Draws everything anew with the next drawing.
    pub(super) fn clear(&mut self) -> io::Result<()> {
        self.terminal.clear()
    }

    pub(super) fn bell(&mut self) -> io::Result<()> {
        let mut out = io::stdout();
        out.write_all(b"\x07")?;
        out.flush()
    }

    /// Gives the terminal to the shell until it gives it back.
    pub(super) fn suspend(&mut self) -> io::Result<()> {
        give_back();
        kill_process(getpid(), Signal::TSTP)?;
        take()?;
        self.clear()
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        give_back();
    }
}

fn take() -> io::Result<()> {
    enable_raw_mode()?;
    execute!(
        io::stdout(),
        EnterAlternateScreen,
        EnableBracketedPaste,
        EnableFocusChange
    )
}

/// As it was. There is nobody to tell when that fails.
fn give_back() {
    drop(execute!(
        io::stdout(),
        DisableFocusChange,
        DisableBracketedPaste,
        LeaveAlternateScreen,
        crossterm::cursor::Show
    ));
    drop(disable_raw_mode());
}
