//! What people say on the command line about the commands that talk to a server.

use std::{path::PathBuf, time::Duration};

use clap::{Args, Subcommand};
use protocol::Seq;

/// The commands that talk to a server as somebody with an account.
#[derive(Subcommand, Clone, Debug)]
pub enum Command {
    /// Chat in this terminal
    Chat(Chat),
    /// Log in to a server and remember the session
    Login(Login),
    /// End the session on a server and forget it
    Logout(Logout),
    /// List your rooms, or those that anyone may find
    Rooms(Rooms),
    /// Send a message, or each line of what is piped in
    Send(Send),
    /// Show the latest of a room, and with -f what follows
    Tail(Tail),
    /// Write a room's whole log as NDJSON
    Export(Export),
    /// Send the messages of such a log into a room, each one once however often it is run
    Import(Import),
}

/// Which server.
#[derive(Args, Clone, Debug)]
pub struct Server {
    /// The server's url; the one you logged in to last if left out
    #[arg(long, value_name = "URL")]
    pub server: Option<String>,
}

/// `chatx chat`
#[derive(Args, Clone, Debug)]
pub struct Chat {
    #[command(flatten)]
    pub server: Server,
    /// The room to begin with, by name or id
    pub room: Option<String>,
}

/// `chatx login`
#[derive(Args, Clone, Debug)]
#[command(
    after_help = "The password is asked for without showing it, or read from standard input if that is no terminal."
)]
pub struct Login {
    #[command(flatten)]
    pub server: Server,
    /// Your username or email address; asked for if left out
    pub login: Option<String>,
    /// Make a new account, with this email address
    #[arg(long, value_name = "EMAIL")]
    pub register: Option<String>,
    /// What to call this session in the list of your sessions
    #[arg(long, default_value = "terminal", value_name = "NAME")]
    pub device: String,
}

/// `chatx logout`
#[derive(Args, Clone, Debug)]
pub struct Logout {
    #[command(flatten)]
    pub server: Server,
}

/// `chatx rooms`
#[derive(Args, Clone, Debug)]
pub struct Rooms {
    #[command(flatten)]
    pub server: Server,
    /// Rooms that anyone may find, instead of yours; with a word, those whose name contains it
    #[arg(long, value_name = "WORD", num_args = 0..=1, default_missing_value = "")]
    pub find: Option<String>,
    /// Become a member of this room first, by name or id
    #[arg(long, value_name = "ROOM", conflicts_with = "find")]
    pub join: Option<String>,
    /// Make this public room first
    #[arg(long, value_name = "NAME", conflicts_with_all = ["find", "join"])]
    pub create: Option<String>,
    /// One JSON object a line
    #[arg(long)]
    pub json: bool,
}

/// How long to insist.
#[derive(Args, Clone, Copy, Debug)]
pub struct Patience {
    /// Give up when the server has not answered for so many seconds
    #[arg(long, default_value = "60", value_parser = seconds, value_name = "SECONDS")]
    pub wait: Duration,
}

/// `chatx send`
#[derive(Args, Clone, Debug)]
#[command(after_help = "Without a text the whole of standard input is one message.")]
pub struct Send {
    #[command(flatten)]
    pub server: Server,
    /// The room, by name or id
    pub room: String,
    /// The message; several words are joined by spaces
    #[arg(conflicts_with_all = ["lines", "ndjson"])]
    pub text: Vec<String>,
    /// Send each line of standard input as a message, as soon as it is there
    #[arg(long)]
    pub lines: bool,
    /// Read {"body":…,"client_id":…,"reply_to":…} objects, one a line
    #[arg(long, conflicts_with_all = ["lines", "reply_to", "client_id"])]
    pub ndjson: bool,
    /// Answer the message at this place
    #[arg(long, value_name = "SEQ", value_parser = seq)]
    pub reply_to: Option<Seq>,
    /// The message's own name: sent again under the same one, it is stored once
    #[arg(long, value_name = "NAME", conflicts_with = "lines")]
    pub client_id: Option<String>,
    /// Show where each message is stored, as JSON, one a line
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub patience: Patience,
}

/// `chatx tail`
#[derive(Args, Clone, Debug)]
pub struct Tail {
    #[command(flatten)]
    pub server: Server,
    /// The room, by name or id
    pub room: String,
    /// Begin with so many of the latest entries
    #[arg(
        short = 'n',
        long = "count",
        default_value_t = 10,
        value_name = "COUNT"
    )]
    pub count: u64,
    /// Begin behind this place instead
    #[arg(long, value_name = "SEQ", value_parser = seq, conflicts_with = "count")]
    pub after: Option<Seq>,
    /// Go on with whatever is said, without a gap, until stopped
    #[arg(short, long)]
    pub follow: bool,
    /// Every entry of the log as JSON, one a line
    #[arg(long)]
    pub json: bool,
}

/// `chatx export`
#[derive(Args, Clone, Debug)]
pub struct Export {
    #[command(flatten)]
    pub server: Server,
    /// The room, by name or id
    pub room: String,
    /// Where to; a file that holds the beginning of this log is continued
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Begin behind this place
    #[arg(long, value_name = "SEQ", value_parser = seq, conflicts_with = "output")]
    pub after: Option<Seq>,
    /// Say nothing on standard error but errors
    #[arg(short, long)]
    pub quiet: bool,
}

/// `chatx import`
#[derive(Args, Clone, Debug)]
#[command(
    after_help = "Messages are sent as you. What is deleted stays out; replies stay replies."
)]
pub struct Import {
    #[command(flatten)]
    pub server: Server,
    /// The room, by name or id
    pub room: String,
    /// The log; standard input if left out
    pub file: Option<PathBuf>,
    /// Begin each message with who wrote it and when
    #[arg(long)]
    pub attribute: bool,
    /// Say nothing on standard error but errors
    #[arg(short, long)]
    pub quiet: bool,
    /// The counts as one JSON object on standard output
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub patience: Patience,
}

impl Command {
    /// Whether programs read what it says, errors too.
    pub(crate) const fn json(&self) -> bool {
        match self {
            Self::Rooms(Rooms { json, .. })
            | Self::Send(Send { json, .. })
            | Self::Tail(Tail { json, .. })
            | Self::Import(Import { json, .. }) => *json,
            Self::Chat(_) | Self::Login(_) | Self::Logout(_) | Self::Export(_) => false,
        }
    }
}

fn seconds(text: &str) -> Result<Duration, String> {
    match text.parse() {
        Ok(seconds) if seconds > 0 => Ok(Duration::from_secs(seconds)),
        _ => Err("a number of seconds, at least 1".to_owned()),
    }
}

fn seq(text: &str) -> Result<Seq, String> {
    text.parse()
        .map(Seq)
        .map_err(|_| "the place of a message, a number".to_owned())
}
