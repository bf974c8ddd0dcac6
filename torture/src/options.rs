//! What a person may say about a run.

use std::{path::PathBuf, time::Duration};

use clap::{Args, ValueEnum};

use crate::plan::Kind;

/// What a person may say about a run.
#[derive(Args, Clone, Debug)]
pub struct Options {
    /// Repeats the plan and what clients decide; a random one if left out
    #[arg(long)]
    pub seed: Option<u64>,
    /// For how long things are broken: 90s, 10m
    #[arg(long, default_value = "10m", value_parser = duration, value_name = "TIME")]
    pub duration: Duration,
    /// How many coordinators are started
    #[arg(long, default_value_t = 3, value_name = "COUNT")]
    pub coordinators: usize,
    /// How many processes that serve HTTP are started
    #[arg(long, default_value_t = 1, value_name = "COUNT")]
    pub handlers: usize,
    /// How many clients there are
    #[arg(long, default_value_t = 200, value_name = "COUNT")]
    pub clients: usize,
    /// How many rooms they are in, each in up to four
    #[arg(long, default_value_t = 50, value_name = "COUNT")]
    pub rooms: usize,
    /// The time between two messages of one client, on the average
    #[arg(long, default_value = "1s", value_parser = duration, value_name = "TIME")]
    pub pace: Duration,
    /// What is broken, of those listed below, or all
    #[arg(
        long,
        default_value = "all",
        value_delimiter = ',',
        value_name = "FAULT,…"
    )]
    pub faults: Vec<String>,
    /// Use a running system, by the url of its HTTP, and start nothing; needs --database-url too. Only
    /// faults that need no control of its processes are possible then. May be said again
    #[arg(long, value_name = "URL")]
    pub url: Vec<String>,
    /// Write the report as JSON there
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// Keep the logs of what was started there
    #[arg(long, value_name = "DIRECTORY")]
    pub logs: Option<PathBuf>,
    /// Within how long subscribers must have everything at the end (I8)
    #[arg(long, default_value = "5s", value_parser = duration, value_name = "TIME")]
    pub final_within: Duration,
    /// The most memory that a process may have (I10)
    #[arg(long, default_value_t = 512, value_name = "MIB")]
    pub memory: u64,
    /// Whether recovery times (I11) count or are only shown
    #[arg(long, default_value = "judge", value_name = "HOW")]
    pub timings: Timings,
    /// Start processes that break a rule, to see that it is noticed; only in builds made for that
    #[arg(long, value_name = "RULE")]
    pub break_rule: Option<String>,
}

/// What becomes of recovery times.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Timings {
    /// A time that is too long is a broken promise.
    Judge,
    /// They are only shown, as on a machine that is busy with something else.
    Report,
}

impl Options {
    /// What may be broken.
    ///
    /// # Errors
    /// What is wrong with the list, for a person.
    pub(crate) fn kinds(&self) -> Result<Vec<Kind>, String> {
        let mut kinds = Vec::new();
        for word in &self.faults {
            match word.as_str() {
                "all" => kinds.extend(Kind::ALL.map(|(kind, ..)| kind)),
                "none" => {}
                word => kinds.push(word.parse::<Kind>()?),
            }
        }
        kinds.sort();
        kinds.dedup();
        if !self.url.is_empty() {
            kinds.retain(|kind| Kind::OF_OTHERS.contains(kind));
        }
        Ok(kinds)
    }
}

/// What stands below the options in the help.
pub fn after_help() -> String {
    let mut text = "Faults:\n".to_owned();
    for (kind, word, about) in Kind::ALL {
        let others = if Kind::OF_OTHERS.contains(&kind) {
            " *"
        } else {
            ""
        };
        text.push_str(&format!("  {word:<15} {about}{others}\n"));
    }
    text.push_str(
        "  * also with --url\n\n\
         A clock that is set is no fault here: leases and recovery go by the database's clock and by\n\
         clocks that only run forward.\n\
         Every other option that chatx knows is passed on to the processes that are started.\n",
    );
    text
}

/// `90s`, `10m`, `1h`, `500ms`, or seconds.
fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || "a time like 90s or 10m".to_owned();
    let digits = text.trim_end_matches(|letter: char| letter.is_ascii_alphabetic());
    let number: u64 = digits.parse().map_err(|_| wrong())?;
    let unit_ms = match &text[digits.len()..] {
        "ms" => 1,
        "" | "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return Err(wrong()),
    };
    Ok(Duration::from_millis(number.saturating_mul(unit_ms)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read() {
        for (text, ms) in [
            ("90s", 90_000),
            ("10m", 600_000),
            ("500ms", 500),
            ("7", 7_000),
        ] {
            assert_eq!(duration(text), Ok(Duration::from_millis(ms)));
        }
        for text in ["", "m", "5 m", "-1s", "1d"] {
            assert!(duration(text).is_err(), "{text}");
        }
    }
}
