//! One process as its container would have it: a network, mounts and a user of its own, its environment
//! and nothing else. Unlike a container it sees the files and processes of this machine.

use std::{
    fmt, fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    time::Duration,
};

use anyhow::{Context as _, Result, bail, ensure};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader},
    process::{Child, Command},
    time::{Instant, sleep, timeout},
};

use super::{
    compose::{Mount, Service},
    dockerfile::Check,
    images::Image,
    log_of,
    network::Network,
    seconds,
};

/// What stands before the mounts. `make_way PATH` sees to it that a new file or directory can be made
/// there without touching this machine's: it lays an empty directory over the nearest one that there is,
/// where `/etc` keeps a copy of what it held.
const BEGINNING: &str = r#"
set -e
echo here
read -r go
made=""
make_way() {
    over=$(dirname "$1")
    while [ ! -d "$over" ]; do over=$(dirname "$over"); done
    for before in $made; do
        case "$over/" in "$before"/*) return ;; esac
    done
    case "$over/" in
        /etc/*|/var/lib/*) ;;
        *) echo "there is no place for $1 on this system" >&2; exit 1 ;;
    esac
    mount -t tmpfs chatx "$HELD"
    case "$over/" in /etc/*) cp -a "$over/." "$HELD" 2>/dev/null || true ;; esac
    mount --bind "$HELD" "$over"
    made="$made $over"
}
directory() { [ -d "$1" ] || { make_way "$1"; mkdir -p "$1"; }; }
file() { [ -f "$1" ] || { make_way "$1"; mkdir -p "$(dirname "$1")"; : >"$1"; }; }
"#;

/// How often it is asked whether a process is well; an engine asks less often.
const BETWEEN_CHECKS: Duration = Duration::from_millis(200);
/// How long a task that is to end may take.
const TASK_PATIENCE: Duration = Duration::from_secs(60);
/// What an engine waits before it kills, when nothing is said.
const GRACE: &str = "10s";
/// Where the image's programs are found.
const PROGRAMS: &str = "/mnt";
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

pub(super) struct Container {
    /// What runs in it, for people.
    pub(super) command: String,
    child: Child,
    /// Enters its namespaces as its user, with its environment.
    entrance: Vec<String>,
    check: Option<Check>,
    stop_signal: String,
    grace: Duration,
}

/// How a process ended that was asked to.
#[derive(Clone, Copy, Debug)]
pub(super) enum Ending {
    ByItself(ExitStatus),
    Killed,
}

impl fmt::Display for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ByItself(status) => write!(f, "stopped, {status}"),
            Self::Killed => f.write_str("did not stop in time and was killed"),
        }
    }
}

/// What a container is made of.
pub(super) struct Plan<'a> {
    pub(super) name: &'a str,
    pub(super) service: &'a Service,
    pub(super) image: &'a Image,
    pub(super) network: &'a Network,
    /// Where the compose file is.
    pub(super) files: &'a Path,
    /// Where the container has its own directories and its log, beside those of the others.
    pub(super) folder: &'a Path,
}

impl Plan<'_> {
    pub(super) async fn start(&self) -> Result<Container> {
        let command = self.image.whole_command();
        ensure!(!command.is_empty(), "there is nothing to start");
        programs(self.image, &self.folder.join("programs"))?;
        let held = self.folder.join("held");
        fs::create_dir_all(&held)?;
        let identity = self.identity();
        let log = fs::File::options();
        let log = log
            .clone()
            .create(true)
            .append(true)
            .open(log_of(self.folder))?;
        let mut child = Command::new("unshare")
            .args(["--net", "--mount", "--propagation", "private"])
            .args(["sh", "-c", &self.script(&identity, &command)?])
            .env("HELD", held)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(log)
            .kill_on_drop(true)
            .spawn()
            .context("`unshare` of util-linux is needed")?;
        let id = child.id().context("it ended at once")?;
        let mut said = String::new();
        let output = child.stdout.take().context("it has no output")?;
        BufReader::new(output).read_line(&mut said).await?;
        ensure!(said == "here\n", "it has no namespaces of its own");
        self.network.connect(self.name, id).await?;
        let mut threshold = child.stdin.take().context("it has no input")?;
        threshold.write_all(b"go\n").await?;
        let mut entrance = ["--target", &id.to_string(), "--net", "--mount"]
            .map(str::to_owned)
            .to_vec();
        entrance.extend(identity);
        let service = self.service;
        // A script is a word of many lines.
        let words = command.iter().filter(|word| !word.contains('\n'));
        let words: Vec<_> = words.map(String::as_str).collect();
        Ok(Container {
            command: words.join(" "),
            child,
            entrance,
            check: self.image.check.clone(),
            stop_signal: self.image.stop_signal.clone(),
            grace: seconds(service.stop_grace_period.as_deref().unwrap_or(GRACE))?,
        })
    }

    /// What makes the rest of a command run as the image's user, with the image's environment only.
    fn identity(&self) -> Vec<String> {
        let user = self.image.user;
        let mut words = vec![
            "unshare".to_owned(),
            "--user".to_owned(),
            format!("--map-user={user}"),
            format!("--map-group={user}"),
            "env".to_owned(),
            "--ignore-environment".to_owned(),
            format!("PATH={PROGRAMS}:{PATH}"),
        ];
        let environment = self.image.environment.iter();
        words.extend(environment.map(|(name, value)| format!("{name}={value}")));
        words
    }

    /// What the process does before it becomes the program.
    fn script(&self, identity: &[String], command: &[String]) -> Result<String> {
        let mut script = BEGINNING.to_owned();
        script.push_str(&self.network.arrival(self.name)?);
        for (kind, source, target) in self.mounts()? {
            let (source, target) = (quote(&source.to_string_lossy()), quote(&target));
            script.push_str(&format!(
                "{kind} {target}\nmount --bind {source} {target}\n"
            ));
        }
        script.push_str(&format!("cd {}\nexec", quote(&self.image.directory)));
        for word in identity.iter().chain(command) {
            script.push_str(&format!(" {}", quote(word)));
        }
        script.push_str(" >&2\n");
        Ok(script)
    }

    /// The list of users, with the image's among them.
    fn users(&self) -> Result<PathBuf> {
        let (user, directory) = (self.image.user, &self.image.directory);
        let path = self.folder.join("passwd");
        let line = format!("{}:x:{user}:{user}::{directory}:/bin/sh\n", self.name);
        fs::write(&path, line)?;
        Ok(path)
    }

    /// What is laid over the files of this machine: `directory` or `file`, what, and where.
    fn mounts(&self) -> Result<Vec<(&'static str, PathBuf, String)>> {
        let ground = self.folder.parent().context("it has neighbours")?;
        let fresh = |name: &str| {
            let directory = ground.join("volumes").join(name);
            fs::create_dir_all(&directory).map(|()| directory)
        };
        let mut mounts = Vec::new();
        for mount in &self.service.volumes {
            mounts.push(match mount {
                Mount::Volume { name, target } => ("directory", fresh(name)?, target.clone()),
                Mount::File { path, target } => {
                    let path = self.files.join(path);
                    let path = path
                        .canonicalize()
                        .with_context(|| path.display().to_string())?;
                    ("file", path, target.clone())
                }
            });
        }
        for target in &self.image.volumes {
            let name = format!("{}{}", self.name, target.replace('/', "-"));
            mounts.push(("directory", fresh(&name)?, target.clone()));
        }
        mounts.push(("file", self.network.hosts.clone(), "/etc/hosts".to_owned()));
        mounts.push(("file", self.users()?, "/etc/passwd".to_owned()));
        let programs = self.folder.join("programs");
        mounts.push(("directory", programs, PROGRAMS.to_owned()));
        Ok(mounts)
    }
}

impl Container {
    /// Asks as its check says until it is well. Of one without a check no more can be known than that it
    /// runs.
    pub(super) async fn until_healthy(&mut self) -> Result<()> {
        let Some(check) = self.check.clone() else {
            return self.still_runs();
        };
        let patience = check.start_period + check.interval * check.retries;
        let start = Instant::now();
        loop {
            self.still_runs()?;
            let mut asking = Command::new("nsenter");
            asking.args(&self.entrance).args(&check.test);
            let answer = timeout(check.timeout, asking.kill_on_drop(true).output()).await;
            let said = match answer {
                Ok(Ok(output)) if output.status.success() => return Ok(()),
                Ok(Ok(output)) => String::from_utf8_lossy(&output.stderr).into_owned(),
                Ok(Err(error)) => return Err(error).context("`nsenter` of util-linux is needed"),
                Err(_) => "no answer in time".to_owned(),
            };
            ensure!(start.elapsed() < patience, "it is unhealthy: {said}");
            sleep(BETWEEN_CHECKS).await;
        }
    }

    /// Waits for the end of a task.
    pub(super) async fn until_completed(&mut self) -> Result<()> {
        let status = timeout(TASK_PATIENCE, self.child.wait()).await;
        let status = status.context("it does not end")??;
        ensure!(status.success(), "it ended with {status}");
        Ok(())
    }

    fn still_runs(&mut self) -> Result<()> {
        match self.child.try_wait()? {
            Some(status) => bail!("it ended with {status}"),
            None => Ok(()),
        }
    }

    pub(super) async fn kill(&mut self) -> Result<()> {
        self.still_runs()?;
        Ok(self.child.kill().await?)
    }

    /// Asks it to end, and kills it when it takes longer than it may. A task has ended already.
    pub(super) async fn stop(&mut self) -> Result<Ending> {
        if let Some(status) = self.child.try_wait()? {
            return Ok(Ending::ByItself(status));
        }
        let id = self.child.id().context("it ended")?.to_string();
        let signal = self.stop_signal.trim_start_matches("SIG");
        Command::new("kill")
            .args(["-s", signal, &id])
            .status()
            .await?;
        match timeout(self.grace, self.child.wait()).await {
            Ok(status) => Ok(Ending::ByItself(status?)),
            Err(_) => {
                self.child.kill().await?;
                Ok(Ending::Killed)
            }
        }
    }
}

/// Fills `directory` with the image's programs under the names that they have there.
fn programs(image: &Image, directory: &Path) -> Result<()> {
    fs::create_dir_all(directory)?;
    for program in &image.programs {
        let path = directory.join(&program.name);
        let mut text = "#!/bin/sh\n".to_owned();
        if let Some(libraries) = &program.libraries {
            let libraries = quote(&libraries.to_string_lossy());
            text.push_str(&format!("export LD_LIBRARY_PATH={libraries}\n"));
        }
        let original = quote(&program.path.to_string_lossy());
        text.push_str(&format!("exec {original} \"$@\"\n"));
        fs::write(&path, text)?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755))?;
    }
    Ok(())
}

/// One word of a shell, whatever is in it.
fn quote(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}
