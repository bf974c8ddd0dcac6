//! What a Dockerfile says of the processes that are started from its image, as far as this repository's
//! file goes: every instruction that is not here is an error. Nothing is built.

use std::{
    collections::BTreeMap,
    fs,
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

use anyhow::{Context as _, Result, bail, ensure};
use tempfile::TempDir;

use super::seconds;

/// The last stage of a Dockerfile.
#[derive(Debug, Default)]
pub(super) struct Dockerfile {
    /// The number of the user that `USER` names, who is made by a `RUN useradd`.
    pub(super) user: u32,
    pub(super) directory: String,
    pub(super) environment: BTreeMap<String, String>,
    pub(super) volumes: Vec<String>,
    pub(super) healthcheck: Option<Check>,
    pub(super) stop_signal: String,
    pub(super) entrypoint: Vec<String>,
    pub(super) command: Vec<String>,
    /// The programs that are copied into it, by their paths there.
    pub(super) programs: Vec<String>,
    users: BTreeMap<String, u32>,
}

/// How it is asked whether a process is well.
#[derive(Clone, Debug)]
pub(super) struct Check {
    pub(super) test: Vec<String>,
    pub(super) interval: Duration,
    pub(super) timeout: Duration,
    pub(super) retries: u32,
    /// Failures before it has passed do not count.
    pub(super) start_period: Duration,
}

impl Dockerfile {
    pub(super) fn read(path: &Path) -> Result<Self> {
        let text =
            fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
        Self::parse(&text).with_context(|| path.display().to_string())
    }

    fn parse(text: &str) -> Result<Self> {
        let lines = text
            .lines()
            .filter(|line| !line.trim_start().starts_with('#'));
        let joined = lines.collect::<Vec<_>>().join("\n").replace("\\\n", " ");
        let mut file = Self::default();
        for line in joined.lines().filter(|line| !line.trim().is_empty()) {
            let (instruction, rest) = line.split_once(' ').unwrap_or((line, ""));
            file.take(instruction, rest.trim())
                .with_context(|| format!("`{line}` is not understood"))?;
        }
        Ok(file)
    }

    fn take(&mut self, instruction: &str, rest: &str) -> Result<()> {
        let words: Vec<&str> = rest.split_whitespace().collect();
        match (instruction, &*words) {
            // What an earlier stage did is gone, but for what is copied from it.
            ("FROM", [_] | [_, "AS", _]) => *self = Self::default(),
            ("COPY", [from, path, target]) if from.starts_with("--from=") => {
                ensure!(path == target, "it is to have the same path in both stages");
                self.programs.push((*target).to_owned());
            }
            ("RUN", ["useradd", .., name]) => {
                let number = words.iter().skip_while(|word| **word != "--uid").nth(1);
                let number = number.context("a user needs a number")?.parse()?;
                self.users.insert((*name).to_owned(), number);
            }
            // Whose a volume is: here everything is the one user's.
            ("RUN", ["install", "--directory", ..]) => {}
            // Of the stage that builds, whose result is taken from cargo.
            ("RUN", words) if words.contains(&"cargo") => {}
            ("COPY", [".", "."]) => {}
            ("USER", [name]) => {
                self.user = *self.users.get(*name).context("nobody of that name")?;
            }
            ("WORKDIR", [directory]) => self.directory = (*directory).to_owned(),
            ("VOLUME", [directory]) => self.volumes.push((*directory).to_owned()),
            ("ENV", pairs) => {
                for pair in pairs {
                    let (name, value) = pair.split_once('=').context("a pair has a `=`")?;
                    self.environment.insert(name.to_owned(), value.to_owned());
                }
            }
            ("EXPOSE", [_]) => {}
            ("STOPSIGNAL", [signal]) => self.stop_signal = (*signal).to_owned(),
            ("ENTRYPOINT", _) => self.entrypoint = serde_json::from_str(rest)?,
            ("CMD", _) => self.command = serde_json::from_str(rest)?,
            ("HEALTHCHECK", _) => self.healthcheck = Some(Check::parse(rest)?),
            _ => bail!("there is no rule for it"),
        }
        Ok(())
    }
}

impl Check {
    fn parse(rest: &str) -> Result<Self> {
        let (options, test) = rest.split_once("CMD").context("it has no CMD")?;
        let mut check = Self {
            test: serde_json::from_str(test.trim())?,
            interval: Duration::from_secs(30),
            timeout: Duration::from_secs(30),
            retries: 3,
            start_period: Duration::ZERO,
        };
        for option in options.split_whitespace() {
            match option.split_once('=').context("an option has a `=`")? {
                ("--interval", value) => check.interval = seconds(value)?,
                ("--timeout", value) => check.timeout = seconds(value)?,
                ("--start-period", value) => check.start_period = seconds(value)?,
                ("--retries", value) => check.retries = value.parse()?,
                _ => bail!("the option {option} is not understood"),
            }
        }
        Ok(check)
    }
}

/// Whether the files that a build is given are all that the workspace needs, by `cargo` itself: with one
/// member too few, an image could not be built.
///
/// # Errors
/// When they are not, or the list of files is not understood.
pub fn check_context(repository: &Path) -> Result<()> {
    let list = fs::read_to_string(repository.join("infra/Dockerfile.dockerignore"))?;
    let mut lines = list.lines().filter(|line| !line.starts_with('#'));
    ensure!(
        lines.next() == Some("*"),
        "all is to be left out but what is named"
    );
    let context = TempDir::new()?;
    for line in lines {
        let path = line
            .strip_prefix('!')
            .with_context(|| format!("`{line}` is not understood"))?;
        let target = context.path().join(path);
        fs::create_dir_all(target.parent().context("it is below the context")?)?;
        let copied = Command::new("cp")
            .arg("-r")
            .args([&repository.join(path), &target])
            .status()?;
        ensure!(copied.success(), "{path} cannot be copied");
    }
    let read = Command::new("cargo")
        .args(["metadata", "--no-deps", "--locked", "--offline"])
        .args(["--format-version", "1"])
        .current_dir(context.path())
        .stdout(Stdio::null())
        .status()?;
    ensure!(
        read.success(),
        "what infra/Dockerfile.dockerignore lets in is no workspace"
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_stage_counts_and_nothing_is_passed_over() {
        let text = "FROM a AS build\nUSER root\n";
        assert!(Dockerfile::parse(text).is_err(), "nobody made that user");
        let text = "FROM a AS build\nENV A=1\nFROM b\n# why\nRUN useradd --uid 7 c\nUSER c\nENV B=2 C=3\n\
                    HEALTHCHECK --retries=4 \\\n # asks\n CMD [\"x\", \\\n \"y z\"]\nENTRYPOINT [\"p\"]\n";
        let file = Dockerfile::parse(text).unwrap();
        assert_eq!((file.user, file.environment.len()), (7, 2));
        let check = file.healthcheck.unwrap();
        assert_eq!((check.test.len(), check.retries), (2, 4));
        for strange in [
            "ADD x y",
            "SHELL [\"sh\"]",
            "RUN curl x",
            "HEALTHCHECK NONE",
        ] {
            assert!(
                Dockerfile::parse(strange).is_err(),
                "{strange} is passed over"
            );
        }
    }
}
