//! The packages of Debian and Ubuntu: unpacked into a cache without rights, or installed as root.

use std::{
    env,
    fs::{self, File},
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, ensure};

use crate::{
    home::{are_root, run_quietly},
    say,
    source::is_on_path,
};

/// Unpacks `package`, and what it needs that this system lacks, and answers the directory that holds
/// it. `None` where there is no apt.
pub(crate) fn unpack(name: &str, package: &str) -> Result<Option<PathBuf>> {
    if !is_on_path("apt-get") || !is_on_path("dpkg-deb") {
        return Ok(None);
    }
    let cache = cache_directory();
    fs::create_dir_all(&cache).with_context(|| format!("cannot create {}", cache.display()))?;
    let root = cache.join(package);
    let _lock = lock(&cache)?;
    if !root.exists() {
        say(format!(
            "{name}: downloading the package {package} into {}",
            cache.display()
        ));
        let archives = download(&cache, package)?;
        ensure!(
            !archives.is_empty(),
            "{package} is installed and yet not usable"
        );
        let unfinished = cache.join(format!("{package}.unfinished"));
        let _ = fs::remove_dir_all(&unfinished);
        fs::create_dir_all(&unfinished)?;
        for archive in &archives {
            run_quietly(
                Command::new("dpkg-deb")
                    .arg("--extract")
                    .arg(archive)
                    .arg(&unfinished),
            )?;
        }
        fs::rename(&unfinished, &root)?;
        for archive in &archives {
            fs::remove_file(archive)?;
        }
    }
    Ok(Some(root))
}

/// Held while the cache is changed: several test programs may want the same at the same time.
pub(crate) fn lock(cache: &Path) -> Result<File> {
    let lock = File::create(cache.join("lock"))?;
    lock.lock()?;
    Ok(lock)
}

/// Installs `package` for the whole system. Needs root.
pub(crate) fn install(package: &str) -> Result<()> {
    run_quietly(Command::new("apt-get").arg("update"))?;
    run_quietly(
        Command::new("apt-get")
            .args(["install", "--yes", "--no-install-recommends", package])
            .env("DEBIAN_FRONTEND", "noninteractive"),
    )
}

/// Asks apt for everything that installing `package` would fetch, with lists and archives of our own,
/// which needs neither rights nor anybody's lock.
fn download(cache: &Path, package: &str) -> Result<Vec<PathBuf>> {
    let lists = cache.join("lists");
    let archives = cache.join("archives");
    fs::create_dir_all(lists.join("partial"))?;
    fs::create_dir_all(archives.join("partial"))?;
    let apt = || {
        let mut command = Command::new("apt-get");
        command.args([
            "-o",
            "Debug::NoLocking=1",
            "-o",
            "APT::Sandbox::User=",
            "-o",
            "Acquire::Languages=none",
        ]);
        command
            .args(["-o", "Acquire::Retries=3", "-o"])
            .arg(format!("Dir::Cache={}", cache.display()));
        command
            .arg("-o")
            .arg(format!("Dir::Cache::archives={}", archives.display()));
        command
            .arg("-o")
            .arg(format!("Dir::State::lists={}", lists.display()));
        command
    };
    run_quietly(apt().arg("update"))?;
    run_quietly(apt().args([
        "install",
        "--yes",
        "--no-install-recommends",
        "--download-only",
        package,
    ]))?;
    let entries = fs::read_dir(&archives)?.filter_map(|entry| Some(entry.ok()?.path()));
    Ok(entries
        .filter(|path| path.extension().is_some_and(|extension| extension == "deb"))
        .collect())
}

/// A place that the unprivileged user who runs the programs can read.
pub(crate) fn cache_directory() -> PathBuf {
    let parent = if are_root() {
        PathBuf::from("/var/cache")
    } else {
        env::var_os("XDG_CACHE_HOME")
            .map(PathBuf::from)
            .or_else(|| Some(PathBuf::from(env::var_os("HOME")?).join(".cache")))
            .unwrap_or_else(env::temp_dir)
    };
    parent.join("chatx-testkit")
}
