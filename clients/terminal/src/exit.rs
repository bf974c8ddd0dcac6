//! How a command ends: the exit codes that scripts can rely on, and the last words on standard error.

use std::{fmt, io, process::ExitCode};

use anyhow::Error;
use client::Ended;
use protocol::ErrorCode;
use serde_json::json;

/// Something failed on this machine.
const FAILED: u8 = 1;
/// The command line, or what was piped in, makes no sense.
const USAGE: u8 = 2;
/// Nobody is logged in to that server, or not any more.
const SIGNED_OUT: u8 = 3;
/// The server cannot be reached, or did not answer in time.
const UNREACHABLE: u8 = 4;
/// The server answered, and said no.
const REFUSED: u8 = 5;

/// What is wrong with what somebody wrote.
#[derive(Debug)]
pub(crate) struct Misused(pub(crate) String);

/// Nobody is logged in there.
#[derive(Debug)]
pub(crate) struct SignedOut {
    pub(crate) server: String,
}

/// No answer in time.
#[derive(Debug)]
pub(crate) struct NoAnswer(pub(crate) String);

/// No room of that name.
#[derive(Debug)]
pub(crate) struct NoRoom(pub(crate) String);

impl fmt::Display for Misused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for SignedOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let server = &self.server;
        write!(f, "not logged in: chatx login --server {server}")
    }
}

impl fmt::Display for NoAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for NoRoom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no room of yours is called {}", self.0)
    }
}

impl std::error::Error for Misused {}
impl std::error::Error for SignedOut {}
impl std::error::Error for NoAnswer {}
impl std::error::Error for NoRoom {}

/// How a command ended. Whoever reads the first lines only, as `head` does, has seen what they wanted.
#[expect(
    clippy::print_stderr,
    reason = "the last word to whoever started the program"
)]
pub(crate) fn code(result: Result<(), Error>, json: bool) -> ExitCode {
    let error = match result {
        Ok(()) => return ExitCode::SUCCESS,
        Err(error) if is_broken_pipe(&error) => return ExitCode::SUCCESS,
        Err(error) => error,
    };
    let (number, word) = verdict(&error);
    if json {
        eprintln!(
            "{}",
            json!({"error": {"code": word, "message": format!("{error:#}")}})
        );
    } else {
        eprintln!("chatx: {error:#}");
    }
    number.into()
}

fn is_broken_pipe(error: &Error) -> bool {
    error.chain().any(|cause| {
        let cause = cause.downcast_ref::<io::Error>();
        cause.is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
    })
}

/// The exit code, and its word for programs: the server's own where it refused.
fn verdict(error: &Error) -> (u8, String) {
    let is = |number: u8, word: &str| (number, word.to_owned());
    for cause in error.chain() {
        if cause.is::<Misused>() {
            return is(USAGE, "usage");
        }
        if cause.is::<SignedOut>() {
            return is(SIGNED_OUT, "signed_out");
        }
        if cause.is::<NoAnswer>() {
            return is(UNREACHABLE, "unreachable");
        }
        if cause.is::<NoRoom>() {
            return is(REFUSED, "room_not_found");
        }
        if let Some(error) = cause.downcast_ref::<client::Error>() {
            return of_client(error);
        }
    }
    is(FAILED, "failed")
}

fn of_client(error: &client::Error) -> (u8, String) {
    let (number, word) = match error {
        client::Error::Refused(refusal) => match refusal.detail.code {
            ErrorCode::Unauthenticated => (SIGNED_OUT, "signed_out".to_owned()),
            ErrorCode::Unavailable => (UNREACHABLE, "unavailable".to_owned()),
            code => {
                let word = serde_json::to_value(code).ok();
                let word = word.and_then(|word| word.as_str().map(str::to_owned));
                (REFUSED, word.unwrap_or_default())
            }
        },
        client::Error::Ended(Ended::SignedOut) => (SIGNED_OUT, "signed_out".to_owned()),
        client::Error::Ended(_) => (REFUSED, "connection_ended".to_owned()),
        client::Error::Unreachable(_) | client::Error::Protocol(_) => {
            (UNREACHABLE, "unreachable".to_owned())
        }
        client::Error::Url(_) => (USAGE, "usage".to_owned()),
        _ => (FAILED, "failed".to_owned()),
    };
    (number, word)
}

#[cfg(test)]
mod tests {
    use anyhow::Context as _;

    use super::*;

    #[test]
    fn what_went_wrong_is_told_by_a_number_however_much_is_said_around_it() {
        let number = |error: Error| verdict(&error.context("around it")).0;
        assert_eq!(number(Misused("what?".to_owned()).into()), 2);
        assert_eq!(
            number(
                SignedOut {
                    server: "x".to_owned()
                }
                .into()
            ),
            3
        );
        assert_eq!(
            number(client::Error::Unreachable("gone".to_owned()).into()),
            4
        );
        assert_eq!(number(client::Error::Ended(Ended::SignedOut).into()), 3);
        assert_eq!(number(NoRoom("Tea".to_owned()).into()), 5);
        assert_eq!(number(anyhow::anyhow!("disk full")), 1);
        let closed = Err::<(), _>(io::Error::from(io::ErrorKind::BrokenPipe)).context("printing");
        assert!(is_broken_pipe(&closed.unwrap_err()));
    }
}
