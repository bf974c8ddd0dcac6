//! One step of a command: announced, run, and told how long it took.

use std::{
    process::{Command, ExitCode, ExitStatus},
    time::Instant,
};

use anyhow::{Context, Result};

pub(crate) struct Step {
    name: String,
    start: Instant,
}

impl Step {
    pub(crate) fn begin(name: &str) -> Self {
        print(&format!("{name} …"));
        Self {
            name: name.to_owned(),
            start: Instant::now(),
        }
    }

    pub(crate) fn end(self) {
        print(&format!(
            "{}: {:.1} s",
            self.name,
            self.start.elapsed().as_secs_f32()
        ));
    }
}

/// Runs a program as a step, its output shown.
pub(crate) fn run(name: &str, command: &mut Command) -> Result<ExitStatus> {
    let step = Step::begin(name);
    let status = command
        .status()
        .with_context(|| format!("cannot run {}", command.get_program().display()))?;
    step.end();
    Ok(status)
}

/// The exit code of what was run, as our own.
pub(crate) fn exit_code(status: ExitStatus) -> ExitCode {
    status
        .code()
        .and_then(|code| u8::try_from(code).ok())
        .map_or(ExitCode::FAILURE, ExitCode::from)
}

#[expect(clippy::print_stderr, reason = "a command tells what it does")]
fn print(line: &str) {
    eprintln!("xtask: {line}");
}
