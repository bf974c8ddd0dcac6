//! A directory and the program that lives in it, neither of which outlives this process. What is
//! started and how it is asked to stop is for the callers to say.
//!
//! Beside each home sits a shell that holds one end of a pipe. When this process ends, however it ends,
//! the pipe closes, and the shell kills what lives in the home and removes it.

use std::{
    env,
    fs::{self, File},
    io::{ErrorKind, Write},
    os::unix::{
        fs::{MetadataExt, PermissionsExt, chown},
        process::CommandExt,
    },
    path::{Path, PathBuf},
    process::{self, Child, ChildStdin, Command, ExitStatus, Stdio},
    sync::atomic::{AtomicU32, Ordering},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use tokio::time::timeout;

/// Reads the id of who lives here, line by line; at the end of the input it clears up.
/// Arguments: the signal that ends the inhabitant, the directory, and a last command, if any.
const WATCHDOG: &str = r#"
trap '' INT TERM HUP
signal=$1; home=$2; shift 2
while read -r line; do inhabitant=$line; done
if [ -n "$inhabitant" ]; then
    kill -s "$signal" -- "$inhabitant"
    for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
        kill -s 0 -- "$inhabitant" || break
        sleep 0.1
    done
    kill -s KILL -- "-$inhabitant"
fi
[ $# -eq 0 ] || "$@"
rm -rf "$home" || { sleep 1; rm -rf "$home"; }
"#;

/// Waits for a word before it becomes the program, so that the watchdog knows the program's id first.
const THRESHOLD: &str = r#"read -r word && exec "$@" </dev/null"#;

/// How long a program may take to become ready or to stop. Only a bound for failures.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// The user `nobody`: PostgreSQL refuses to run as root.
pub(crate) const NOBODY: u32 = 65_534;

pub(crate) struct Home {
    path: PathBuf,
    watchdog: Child,
    leash: Option<ChildStdin>,
    inhabitant: Option<Child>,
    /// Set when we are root and the program must not be.
    unprivileged: bool,
}

impl Home {
    /// A new empty directory. `signal` is what ends an orphaned inhabitant at once and completely.
    pub(crate) fn new(name: &str, signal: &str) -> Result<Self> {
        Self::with_farewell(name, signal, &[])
    }

    /// The same, with a command that the watchdog runs at the end.
    pub(crate) fn with_farewell(name: &str, signal: &str, farewell: &[String]) -> Result<Self> {
        let path = new_directory(name)?;
        let mut watchdog = Command::new("sh")
            .args(["-c", WATCHDOG, "testkit-watchdog", signal])
            .arg(&path)
            .args(farewell)
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .context("cannot start a shell")?;
        let leash = watchdog.stdin.take();
        Ok(Self {
            path,
            watchdog,
            leash,
            inhabitant: None,
            unprivileged: false,
        })
    }

    /// For programs that refuse root: if that is what we are, what runs here is run by somebody else.
    pub(crate) fn without_privileges(mut self) -> Result<Self> {
        if are_root() {
            chown(&self.path, Some(NOBODY), Some(NOBODY))?;
            self.unprivileged = true;
        }
        Ok(self)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Where the inhabitant's output goes, kept over restarts.
    pub(crate) fn log_path(&self) -> PathBuf {
        self.path.join("log")
    }

    /// Makes `command` run here, with its output in the log.
    pub(crate) fn prepare(&self, mut command: Command) -> Result<Command> {
        let log = File::options()
            .create(true)
            .append(true)
            .open(self.log_path())?;
        command
            .current_dir(&self.path)
            .stdout(log.try_clone()?)
            .stderr(log)
            .process_group(0);
        if self.unprivileged {
            command.uid(NOBODY).gid(NOBODY);
        }
        Ok(command)
    }

    /// Starts `program` as the inhabitant.
    pub(crate) fn start(&mut self, program: &Command) -> Result<()> {
        anyhow::ensure!(
            self.inhabitant.is_none(),
            "{} is already running",
            program.get_program().display()
        );
        let mut command = Command::new("sh");
        command
            .args(["-c", THRESHOLD, "testkit"])
            .arg(program.get_program())
            .args(program.get_args());
        for (name, value) in program.get_envs() {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        let mut child = self.prepare(command)?.stdin(Stdio::piped()).spawn()?;
        self.tell_watchdog(&child.id().to_string())?;
        let mut threshold = child.stdin.take().context("the program has no input")?;
        threshold.write_all(b"go\n")?;
        self.inhabitant = Some(child);
        Ok(())
    }

    pub(crate) fn id(&self) -> Option<u32> {
        self.inhabitant.as_ref().map(Child::id)
    }

    /// Polls `ready` until it holds or the inhabitant has ended.
    pub(crate) async fn until_ready(
        &mut self,
        name: &str,
        ready: impl AsyncFn() -> bool,
    ) -> Result<()> {
        let start = Instant::now();
        // A server that takes a connection and says nothing is asked again.
        while !timeout(Duration::from_secs(2), ready())
            .await
            .unwrap_or(false)
        {
            let ended = self
                .inhabitant
                .as_mut()
                .context("nothing was started")?
                .try_wait()?;
            if let Some(status) = ended {
                self.left()?;
                bail!(
                    "{name} ended with {status} before it was ready:\n{}",
                    self.log_tail()
                );
            }
            if start.elapsed() > PATIENCE {
                bail!(
                    "{name} is not ready after {PATIENCE:?}:\n{}",
                    self.log_tail()
                );
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    }

    /// Sends a signal (`TERM`, `STOP`, …) to the inhabitant.
    pub(crate) fn signal(&self, signal: &str) -> Result<()> {
        send_signal(signal, &[self.id().context("nothing runs here")?])
    }

    /// Waits until the inhabitant has ended by itself.
    pub(crate) async fn until_ended(&mut self, name: &str) -> Result<ExitStatus> {
        let start = Instant::now();
        loop {
            let ended = self
                .inhabitant
                .as_mut()
                .context("nothing runs here")?
                .try_wait()?;
            if let Some(status) = ended {
                self.left()?;
                return Ok(status);
            }
            if start.elapsed() > PATIENCE {
                bail!(
                    "{name} has not ended after {PATIENCE:?}:\n{}",
                    self.log_tail()
                );
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// As [`Home::until_ended`] for places that cannot wait asynchronously, and only for a few seconds.
    #[expect(
        clippy::disallowed_methods,
        reason = "a drop cannot await, and ends within milliseconds"
    )]
    pub(crate) fn wait_briefly(&mut self) {
        let start = Instant::now();
        while let Some(child) = &mut self.inhabitant {
            if matches!(child.try_wait(), Ok(Some(_))) {
                let _ = self.left();
            } else if start.elapsed() > Duration::from_secs(5) {
                break;
            } else {
                std::thread::sleep(Duration::from_millis(5));
            }
        }
    }

    /// Kills the inhabitant and whatever it started in its process group, and waits for its end.
    pub(crate) fn kill(&mut self) -> Result<()> {
        if let Some(mut child) = self.inhabitant.take() {
            // The group may be gone already, so the child itself is killed as well.
            let _ = run_quietly(Command::new("sh").args([
                "-c",
                "kill -s KILL -- -$1",
                "sh",
                &child.id().to_string(),
            ]));
            child.kill()?;
            child.wait()?;
            self.left()?;
        }
        Ok(())
    }

    /// The whole log so far.
    pub(crate) fn log(&self) -> String {
        String::from_utf8_lossy(&fs::read(self.log_path()).unwrap_or_default()).into_owned()
    }

    /// What a person needs to see of the log when something went wrong.
    pub(crate) fn log_tail(&self) -> String {
        let log = self.log();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(40)..].join("\n")
    }

    fn left(&mut self) -> Result<()> {
        self.inhabitant = None;
        self.tell_watchdog("")
    }

    fn tell_watchdog(&mut self, inhabitant: &str) -> Result<()> {
        let leash = self.leash.as_mut().context("the watchdog is gone")?;
        writeln!(leash, "{inhabitant}").context("the watchdog is gone")
    }
}

impl Drop for Home {
    /// Kills at once; whoever wants a graceful end asks for it before.
    fn drop(&mut self) {
        let _ = self.kill();
        // The watchdog removes the directory when the pipe closes.
        self.leash = None;
        let _ = self.watchdog.wait();
    }
}

/// Sends a signal by the shell's own `kill`, which every system has.
pub(crate) fn send_signal(signal: &str, ids: &[u32]) -> Result<()> {
    let mut command = Command::new("sh");
    command.args([
        "-c",
        r#"signal=$1; shift; kill -s "$signal" "$@""#,
        "sh",
        signal,
    ]);
    run_quietly(command.args(ids.iter().map(u32::to_string)))
}

/// Runs a command to its end; an error holds what it printed.
pub(crate) fn run_quietly(command: &mut Command) -> Result<()> {
    let output = command
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("cannot run {}", command.get_program().display()))?;
    if !output.status.success() {
        let printed = [output.stdout, output.stderr].concat();
        let printed = String::from_utf8_lossy(&printed);
        bail!(
            "{} ended with {}: {}",
            command.get_program().display(),
            output.status,
            printed.trim()
        );
    }
    Ok(())
}

/// Whether this process may do everything, and PostgreSQL would refuse to run as its user.
pub(crate) fn are_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|itself| itself.uid() == 0)
}

fn new_directory(name: &str) -> Result<PathBuf> {
    static COUNTER: AtomicU32 = AtomicU32::new(0);
    // A root's private temporary directory may be closed to the user who runs the program.
    let parent = if are_root() {
        PathBuf::from("/tmp")
    } else {
        env::temp_dir()
    };
    loop {
        let number = COUNTER.fetch_add(1, Ordering::Relaxed);
        let path = parent.join(format!("chatx-test-{}-{number}-{name}", process::id()));
        match fs::create_dir(&path) {
            // A directory that a namesake of this process left.
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => {
                return Err(error).with_context(|| format!("cannot create {}", path.display()));
            }
            Ok(()) => {
                fs::set_permissions(&path, fs::Permissions::from_mode(0o700))?;
                return Ok(path);
            }
        }
    }
}
