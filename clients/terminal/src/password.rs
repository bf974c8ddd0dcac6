//! Asking the person at the terminal, without showing what must not be seen.

use std::io::{self, BufRead as _, IsTerminal as _, Write as _};

use anyhow::{Result, bail};
use crossterm::{
    event::{self, Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers},
    terminal,
};

use crate::exit::Misused;

/// A password: typed without being shown, or the first line of standard input.
pub(crate) fn password(question: &str) -> Result<String> {
    if io::stdin().is_terminal() {
        return typed(question);
    }
    let line = first_line()?;
    if line.is_empty() {
        bail!(Misused("standard input has no password".to_owned()));
    }
    Ok(line)
}

/// A code of an authenticator, or a recovery code: typed, or the next line of standard input.
pub(crate) fn code() -> Result<String> {
    if io::stdin().is_terminal() {
        return answer("Code of your authenticator");
    }
    let line = first_line()?;
    if line.is_empty() {
        bail!(Misused(
            "standard input has no code of an authenticator after the password".to_owned()
        ));
    }
    Ok(line)
}

/// A line that may be seen.
pub(crate) fn answer(question: &str) -> Result<String> {
    if !io::stdin().is_terminal() {
        bail!(Misused(format!("{} is missing", question.to_lowercase())));
    }
    write!(io::stderr(), "{question}: ")?;
    first_line()
}

fn first_line() -> Result<String> {
    let mut line = String::new();
    io::stdin().lock().read_line(&mut line)?;
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}

/// While this lives the terminal shows nothing of what is typed.
struct Unseen;

impl Drop for Unseen {
    fn drop(&mut self) {
        // There is nobody left to tell.
        drop(terminal::disable_raw_mode());
    }
}

fn typed(question: &str) -> Result<String> {
    write!(io::stderr(), "{question}: ")?;
    io::stderr().flush()?;
    terminal::enable_raw_mode()?;
    let unseen = Unseen;
    let mut password = String::new();
    loop {
        match event::read()? {
            Event::Key(KeyEvent {
                kind: KeyEventKind::Release,
                ..
            }) => {}
            Event::Key(KeyEvent {
                code, modifiers, ..
            }) => match code {
                KeyCode::Enter => break,
                KeyCode::Char('c' | 'd') if modifiers.contains(KeyModifiers::CONTROL) => {
                    drop(unseen);
                    writeln!(io::stderr())?;
                    bail!(Misused("no password was given".to_owned()));
                }
                KeyCode::Char('u') if modifiers.contains(KeyModifiers::CONTROL) => password.clear(),
                KeyCode::Char(c) => password.push(c),
                KeyCode::Backspace => {
                    password.pop();
                }
                _ => {}
            },
            Event::Paste(text) => password.push_str(&text),
            _ => {}
        }
    }
    drop(unseen);
    writeln!(io::stderr())?;
    Ok(password)
}
