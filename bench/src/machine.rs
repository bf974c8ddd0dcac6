//! On what figures were seen: the machine, and the versions of what ran.

use std::{fmt, fs, process::Command};

use serde::Serialize;

/// As far as it can be told without asking for more rights.
#[derive(Serialize)]
pub(crate) struct Machine {
    processor: String,
    processors: usize,
    memory_gib: u64,
    kernel: String,
    chatx: String,
    rust: String,
    /// Empty if it runs in a container only.
    postgres: String,
}

impl Machine {
    /// Call it before this process is pinned to a processor.
    pub(crate) fn look() -> Self {
        let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let memory = fs::read_to_string("/proc/meminfo").unwrap_or_default();
        let kib: u64 = field(&memory, "MemTotal")
            .and_then(|value| value.trim_end_matches(" kB").trim().parse().ok())
            .unwrap_or_default();
        Self {
            processor: field(&info, "model name").unwrap_or_else(|| "unknown processor".to_owned()),
            processors: std::thread::available_parallelism().map_or(1, usize::from),
            memory_gib: kib.div_ceil(1 << 20),
            kernel: said("uname", &["-sr"]),
            chatx: said("git", &["describe", "--always", "--dirty"]),
            rust: said("rustc", &["--version"]),
            postgres: postgres(),
        }
    }
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} × {}, {} GiB, {}; chatx {}, {}; {}",
            self.processors,
            self.processor,
            self.memory_gib,
            self.kernel,
            self.chatx,
            self.rust,
            self.postgres
        )
    }
}

/// The one that `testkit` starts.
fn postgres() -> String {
    let folders = &[
        "/usr/lib/postgresql/*/bin",
        "/usr/pgsql-*/bin",
        "/opt/homebrew/opt/postgresql@*/bin",
    ];
    let programs = testkit::programs("postgresql", folders, &["postgres"]).unwrap_or_default();
    let path = programs.first().and_then(|(path, _)| path.to_str());
    path.map_or_else(String::new, |path| said(path, &["--version"]))
}

fn field(text: &str, name: &str) -> Option<String> {
    let line = text.lines().find(|line| line.starts_with(name))?;
    let (_, value) = line.split_once(':')?;
    Some(value.trim().to_owned())
}

/// The first line of what a program says.
fn said(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
    text.unwrap_or_default()
        .lines()
        .next()
        .unwrap_or("unknown")
        .to_owned()
}
