//! Where a program comes from: installed already, downloaded from the system's packages without being
//! installed, installed by a package manager, or a container image. How it is run is not known here.

use std::{
    env,
    ffi::{OsStr, OsString},
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, bail};

use crate::{
    apt,
    container::Engine,
    home::{are_root, run_quietly},
    say,
};

/// A program that tests need, and every name under which it can be had.
pub(crate) struct Wanted {
    pub(crate) name: &'static str,
    /// Names of the executable, the best first.
    pub(crate) executables: &'static [&'static str],
    /// Where it is beside `PATH`; one `*` in a path stands for any name, the highest first.
    pub(crate) folders: &'static [&'static str],
    /// Debian's and Ubuntu's package.
    pub(crate) apt: Option<&'static str>,
    /// Builds it from its source, for systems whose packages are too old.
    pub(crate) build: Option<fn() -> Result<Option<Program>>>,
    /// Homebrew's formula.
    pub(crate) brew: Option<&'static str>,
    /// The container image.
    pub(crate) image: Option<&'static str>,
    /// Refuses what is too old, with the reason.
    pub(crate) suits: fn(&Program) -> Result<()>,
}

/// An executable and what it needs around it.
#[derive(Clone, Debug)]
pub(crate) struct Program {
    pub(crate) path: PathBuf,
    /// Set when it was unpacked rather than installed: the directory that stands for `/`.
    pub(crate) root: Option<PathBuf>,
}

pub(crate) enum Source {
    Program(Program),
    Container(Engine),
}

impl Program {
    pub(crate) fn command(&self) -> Command {
        self.sibling(
            self.path
                .file_name()
                .and_then(|name| name.to_str())
                .unwrap_or_default(),
        )
    }

    /// Another program of the same directory.
    pub(crate) fn sibling(&self, name: &str) -> Command {
        let beside = self.path.with_file_name(name);
        // What is on the PATH may be a link to where all of it is.
        let linked = self
            .path
            .canonicalize()
            .map(|path| path.with_file_name(name));
        let mut command = Command::new(linked.ok().filter(|_| !beside.exists()).unwrap_or(beside));
        if let Some(root) = &self.root {
            let libraries: Vec<PathBuf> = ["usr/lib/*-linux-*", "lib/*-linux-*"]
                .iter()
                .flat_map(|pattern| expand(&root.join(pattern)))
                .collect();
            command.env(
                "LD_LIBRARY_PATH",
                env::join_paths(libraries).unwrap_or_default(),
            );
        }
        command
    }

    /// The first number that `--version` prints, as in `postgres (PostgreSQL) 15.4` or `Redis server v=7.0.15`.
    pub(crate) fn version(&self) -> Result<(u32, u32)> {
        let output = self.command().arg("--version").output()?;
        let text = String::from_utf8_lossy(&output.stdout);
        let number = text
            .split_whitespace()
            .map(|word| word.trim_start_matches("v="))
            .find_map(|word| {
                let mut numbers = word.split('.').map(str::parse);
                Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
            });
        number.with_context(|| {
            let complaint = String::from_utf8_lossy(&output.stderr);
            format!(
                "{} does not tell its version: {}",
                self.path.display(),
                complaint.trim()
            )
        })
    }
}

/// Looks everywhere, in the order of least effort, and says which way was taken. Blocks, at worst for
/// the length of a download.
pub(crate) fn find(wanted: &Wanted) -> Result<Source> {
    let mut refusals = Vec::new();
    for (name, way) in WAYS {
        if !is_asked_for(name) {
            continue;
        }
        match way(wanted) {
            Ok(Some(source)) => return Ok(source),
            Ok(None) => {}
            Err(error) => refusals.push(format!("\n  {name}: {error:#}")),
        }
    }
    bail!(
        "no {} here, and no way to get it:{}\n  Install it so that `{}` is on the PATH, or give {} by its url \
         (CHATX_TEST_POSTGRES_URL, CHATX_TEST_REDIS_URL), then try again.",
        wanted.name,
        refusals.concat(),
        wanted.executables[0],
        "a running server",
    )
}

/// Programs of one package, installed or unpacked: where each is, and where its libraries are if they are
/// not the system's. `folders` are looked at beside `PATH`; a `*` stands for any name, the highest first.
///
/// # Errors
/// When they are not to be had.
pub fn programs(
    package: &'static str,
    folders: &'static [&'static str],
    executables: &'static [&'static str],
) -> Result<Vec<(PathBuf, Option<OsString>)>> {
    let wanted = Wanted {
        name: package,
        executables: executables.get(..1).unwrap_or_default(),
        folders,
        apt: Some(package),
        build: None,
        brew: None,
        image: None,
        suits: |_| Ok(()),
    };
    let Source::Program(program) = find(&wanted)? else {
        bail!("{package} is there in a container only");
    };
    let found = executables.iter().map(|name| {
        let command = program.sibling(name);
        let path = PathBuf::from(command.get_program());
        anyhow::ensure!(
            path.is_file(),
            "{package} has no {name} in {}",
            path.display()
        );
        let mut set = command.get_envs();
        let libraries = set.find_map(|(name, value)| (name == "LD_LIBRARY_PATH").then_some(value));
        Ok((path, libraries.flatten().map(OsStr::to_owned)))
    });
    found.collect()
}

type Way = fn(&Wanted) -> Result<Option<Source>>;

const WAYS: [(&str, Way); 5] = [
    ("installed", installed),
    ("download", downloaded),
    ("build", built),
    ("package", packaged),
    ("container", contained),
];

fn is_asked_for(way: &str) -> bool {
    env::var("CHATX_TEST_SOURCES").map_or(true, |asked| {
        asked.split(',').any(|name| name.trim() == way)
    })
}

fn installed(wanted: &Wanted) -> Result<Option<Source>> {
    let path = env::var_os("PATH").unwrap_or_default();
    let folders = env::split_paths(&path).chain(
        wanted
            .folders
            .iter()
            .flat_map(|folder| expand(Path::new(folder))),
    );
    pick(wanted, folders, None)
}

/// Unpacks the system's own packages into a cache: needs no rights and changes nothing outside of it.
fn downloaded(wanted: &Wanted) -> Result<Option<Source>> {
    let Some(package) = wanted.apt else {
        return Ok(None);
    };
    let Some(root) = apt::unpack(wanted.name, package)? else {
        return Ok(None);
    };
    let folders = ["/usr/bin", "/usr/sbin"]
        .iter()
        .chain(wanted.folders)
        .flat_map(|folder| expand(&beneath(&root, folder)));
    pick(wanted, folders, Some(&root))
}

fn built(wanted: &Wanted) -> Result<Option<Source>> {
    let Some(build) = wanted.build else {
        return Ok(None);
    };
    Ok(build()?.map(Source::Program))
}

/// Installs for good: as root by apt, or by Homebrew, which asks for no rights.
fn packaged(wanted: &Wanted) -> Result<Option<Source>> {
    match (wanted.apt, wanted.brew) {
        (Some(package), _) if are_root() && is_on_path("apt-get") => {
            say(format!("{}: installing the package {package}", wanted.name));
            apt::install(package)?;
        }
        (_, Some(formula)) if is_on_path("brew") => {
            say(format!("{}: brew install {formula}", wanted.name));
            run_quietly(Command::new("brew").args(["install", "--quiet", formula]))?;
        }
        _ => return Ok(None),
    }
    installed(wanted)
}

fn contained(wanted: &Wanted) -> Result<Option<Source>> {
    let Some(image) = wanted.image else {
        return Ok(None);
    };
    for tool in ["docker", "podman"] {
        if is_on_path(tool) && run_quietly(Command::new(tool).arg("info")).is_ok() {
            say(format!("{}: {image} in {tool}", wanted.name));
            return Ok(Some(Source::Container(Engine { tool, image })));
        }
    }
    Ok(None)
}

/// The first executable that suits; the reason for refusing the last one, if none does.
fn pick(
    wanted: &Wanted,
    folders: impl Iterator<Item = PathBuf>,
    root: Option<&Path>,
) -> Result<Option<Source>> {
    let mut refusal = None;
    let folders: Vec<PathBuf> = folders.collect();
    for executable in wanted.executables {
        for path in folders
            .iter()
            .map(|folder| folder.join(executable))
            .filter(|path| path.is_file())
        {
            let program = Program {
                path,
                root: root.map(Path::to_path_buf),
            };
            match (wanted.suits)(&program) {
                Ok(()) => {
                    say(format!("{}: {}", wanted.name, program.path.display()));
                    return Ok(Some(Source::Program(program)));
                }
                Err(error) => refusal = Some(error),
            }
        }
    }
    refusal.map_or(Ok(None), Err)
}

pub(crate) fn is_on_path(tool: &str) -> bool {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path).any(|folder| folder.join(tool).is_file())
}

/// An absolute path as it is under another root.
fn beneath(root: &Path, path: &str) -> PathBuf {
    root.join(path.trim_start_matches('/'))
}

/// The existing paths that a pattern with at most one `*` stands for, the highest version first.
pub(crate) fn expand(pattern: &Path) -> Vec<PathBuf> {
    let components: Vec<_> = pattern.iter().filter_map(|part| part.to_str()).collect();
    let Some(star) = components.iter().position(|part| part.contains('*')) else {
        return vec![pattern.to_path_buf()];
    };
    let parent: PathBuf = components[..star].iter().collect();
    let rest: PathBuf = components[star + 1..].iter().collect();
    let (before, after) = components[star].split_once('*').unwrap_or_default();
    // The star may stand in the middle of a name once more: `*-linux-*`.
    let inside = after.trim_end_matches('*');
    let mut names: Vec<String> = fs::read_dir(parent.as_path())
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| name.starts_with(before) && name[before.len()..].contains(inside))
        .collect();
    names.sort_by_key(|name| {
        name.chars()
            .filter(char::is_ascii_digit)
            .collect::<String>()
            .parse::<u32>()
            .unwrap_or(0)
    });
    names
        .into_iter()
        .rev()
        .map(|name| parent.join(name).join(&rest))
        .collect()
}
