//! The command line: what to do, and a flag for every setting. It knows no setting by itself; the
//! table in `shared::settings` does.

use std::{env, ffi::OsString, fs};

use clap::{
    Arg, ArgAction, ArgMatches, Args as _, Command, FromArgMatches as _, Subcommand as _,
    parser::ValueSource,
};
use shared::settings::{Loaded, Mistakes, SETTINGS, Section, Setting, Sources, load};

use crate::admin;

/// What the process is started for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Task {
    /// Everything in one process.
    Serve,
    /// HTTP only.
    Handlers,
    /// Sockets only.
    Coordinator,
    /// Bring the store up to date and end.
    Migrate,
    /// Show the coordinators and end.
    Nodes,
    /// Show the settings and end.
    Config,
    /// Ask a running process whether it is ready and end.
    Healthcheck,
    /// Do what server admins do, in the store itself, and end.
    Admin,
    /// Break a whole system, judge what comes of it, and end.
    Torture,
    /// Talk to a server, as somebody with an account.
    Talk,
}

impl Task {
    const ALL: [(&'static str, Self, &'static str); 9] = [
        (
            "serve",
            Self::Serve,
            "Serve everything in one process: API, sockets and web page",
        ),
        (
            "handlers",
            Self::Handlers,
            "Serve the HTTP API only; sockets are served by coordinators",
        ),
        (
            "coordinator",
            Self::Coordinator,
            "Serve sockets, and the internal routes of the cluster",
        ),
        (
            "migrate",
            Self::Migrate,
            "Bring the store up to date, then end",
        ),
        (
            "nodes",
            Self::Nodes,
            "Show the coordinators that the database knows of, and whether they live",
        ),
        (
            "config",
            Self::Config,
            "Show every setting and where it comes from, with secrets hidden",
        ),
        (
            "healthcheck",
            Self::Healthcheck,
            "Ask the process at the listening address whether it is ready",
        ),
        (
            "admin",
            Self::Admin,
            "Administer accounts and rooms in the database itself: the way to the first server admin",
        ),
        (
            "torture",
            Self::Torture,
            "Start a whole system, break its parts one after the other, and check what is promised",
        ),
    ];

    /// The word on the command line.
    pub fn as_str(self) -> &'static str {
        let named = Self::ALL.iter().find(|(_, task, _)| *task == self);
        named.map_or("chat", |(word, ..)| word)
    }
}

const JSON: &str = "json";

/// What the command line says.
pub struct Arguments {
    /// What to do; `serve` if nothing is said.
    pub task: Task,
    /// Whether what is shown is for programs.
    pub json: bool,
    /// What a server admin would do, if it is that.
    pub admin: Option<admin::Options>,
    /// What is said about the torture, if it is that.
    pub torture: Option<torture::Options>,
    /// What is to be said to a server, if it is that.
    pub talk: Option<terminal::Command>,
    flags: Vec<(String, String)>,
}

impl Arguments {
    /// An empty command line.
    pub const fn none(task: Task) -> Self {
        Self {
            task,
            json: false,
            admin: None,
            torture: None,
            talk: None,
            flags: Vec::new(),
        }
    }

    /// Reads the command line of this process. Ends it when help is asked for, or with code 2 when the
    /// command line cannot be understood.
    pub fn parse() -> Self {
        let word = env::args().nth(1);
        let is_talk = word.is_some_and(|word| terminal::Command::has_subcommand(&word));
        let command = if is_talk { talk() } else { command() };
        Self::from(&command.get_matches())
    }

    fn from(matches: &ArgMatches) -> Self {
        let all = matches;
        let (word, matches) = matches.subcommand().unwrap_or(("serve", matches));
        if terminal::Command::has_subcommand(word) {
            let talk = terminal::Command::from_arg_matches(all);
            return Self {
                talk: Some(talk.unwrap_or_else(|error| error.exit())),
                ..Self::none(Task::Talk)
            };
        }
        let task = Task::ALL
            .iter()
            .find(|(name, ..)| *name == word)
            .map_or(Task::Serve, |(_, task, _)| *task);
        let given = |setting: &&Setting| {
            matches.value_source(setting.name) == Some(ValueSource::CommandLine)
        };
        let flags = SETTINGS.iter().filter(given).filter_map(|setting| {
            let value = matches.get_one::<String>(setting.name)?;
            Some((setting.name.to_owned(), value.clone()))
        });
        Self {
            task,
            json: task == Task::Nodes && matches.get_flag(JSON),
            admin: (task == Task::Admin).then(|| {
                let options = admin::Options::from_arg_matches(matches);
                options.unwrap_or_else(|error| error.exit())
            }),
            torture: (task == Task::Torture).then(|| {
                let options = torture::Options::from_arg_matches(matches);
                options.unwrap_or_else(|error| error.exit())
            }),
            talk: None,
            flags: flags.collect(),
        }
    }

    /// The flags that are settings, by the names of these.
    pub fn flags(&self) -> &[(String, String)] {
        &self.flags
    }

    /// The settings of this process: its flags, its environment, and the files that these name.
    ///
    /// # Errors
    /// Every mistake in them.
    pub fn load(self) -> Result<Loaded, Mistakes> {
        let sources = Sources {
            flags: self.flags,
            environment: environment(),
            read_file: &|path| fs::read_to_string(path),
        };
        load(&sources)
    }
}

/// The variables of this process. `RUST_LOG`, which every Rust program knows, means `CHATX_LOG` where
/// that is not set.
fn environment() -> Vec<(String, String)> {
    let text = |text: OsString| text.to_string_lossy().into_owned();
    let mut variables: Vec<_> = env::vars_os()
        .map(|(name, value)| (text(name), text(value)))
        .collect();
    if variables.iter().all(|(name, _)| name != "CHATX_LOG") {
        let familiar = variables.iter_mut().find(|(name, _)| name == "RUST_LOG");
        if let Some((name, _)) = familiar {
            "CHATX_LOG".clone_into(name);
        }
    }
    variables
}

/// The commands that talk to a server have none of the settings that a server has.
fn talk() -> Command {
    terminal::Command::augment_subcommands(named())
}

fn named() -> Command {
    Command::new("chatx")
        .version(env!("CARGO_PKG_VERSION"))
        .about("A real-time chat server. Without a command it serves everything in one process.")
}

fn command() -> Command {
    let tasks = Task::ALL.map(|(name, task, about)| {
        let command = Command::new(name).about(about);
        match task {
            Task::Nodes => command.arg(json()),
            Task::Admin => admin::Options::augment_args(command),
            Task::Torture => {
                torture::Options::augment_args(command).after_help(torture::after_help())
            }
            _ => command,
        }
    });
    terminal::Command::augment_subcommands(named().subcommands(tasks))
        .after_help("Every setting is a flag, a variable of the environment or a line of a TOML file; see docs/settings.md.")
        .args(SETTINGS.iter().map(flag))
}

/// The only flag that is no setting.
fn json() -> Arg {
    let about = "Show them as `GET /v1/admin/nodes` answers them";
    Arg::new(JSON)
        .long(JSON)
        .help(about)
        .action(ArgAction::SetTrue)
}

fn flag(setting: &'static Setting) -> Arg {
    let value = if setting.unit.is_empty() {
        setting.shape()
    } else {
        setting.unit
    };
    let is_rare = matches!(setting.section, Section::Rates | Section::Limits);
    Arg::new(setting.name)
        .long(setting.flag())
        .value_name(value.to_owned())
        .help(format!(
            "{} [{}; default: {}]",
            setting.about,
            setting.name,
            setting.default()
        ))
        .help_heading(setting.section.heading())
        .hide_short_help(is_rare)
        .global(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(words: &[&str]) -> Arguments {
        Arguments::from(&command().try_get_matches_from(words).unwrap())
    }

    #[test]
    fn the_command_line_is_sound() {
        command().debug_assert();
    }

    #[test]
    fn flags_stand_before_or_after_the_task() {
        for words in [
            ["chatx", "--listen", "x", "migrate"],
            ["chatx", "migrate", "--listen", "x"],
        ] {
            let arguments = parse(&words);
            assert_eq!(arguments.task, Task::Migrate);
            assert_eq!(
                arguments.flags,
                [("CHATX_LISTEN".to_owned(), "x".to_owned())]
            );
        }
        assert_eq!(parse(&["chatx"]).task, Task::Serve);
        assert!(parse(&["chatx", "nodes", "--json"]).json);
        let suspend = [
            "chatx", "admin", "suspend", "eve", "--listen", "x", "--json",
        ];
        let arguments = parse(&suspend);
        assert_eq!(arguments.task, Task::Admin);
        assert!(arguments.admin.is_some() && arguments.flags.len() == 1);
    }
}
