//! `cargo xtask web`: the browser client's bundle is kept in the repository, so that building ChatX
//! needs no npm; this builds it anew, or proves that it is what its source gives.

use std::{
    collections::BTreeMap,
    env, fs,
    path::{Path, PathBuf},
    process::{self, Command, ExitCode},
};

use anyhow::{Context, Result, bail};

use crate::step;

/// Builds the bundle in place.
pub(crate) fn build() -> Result<ExitCode> {
    npm(&source(), &["ci", "--no-audit", "--no-fund"])?;
    npm(&source(), &["run", "build"])?;
    Ok(ExitCode::SUCCESS)
}

/// Checks the types and runs the tests in a copy, builds it, and compares the bundles.
pub(crate) fn check() -> Result<ExitCode> {
    let copy = env::temp_dir().join(format!("chatx-web-{}", process::id()));
    copy_folder(&source(), &copy)?;
    let compared = build_and_compare(&copy);
    fs::remove_dir_all(&copy)?;
    compared
}

fn build_and_compare(copy: &Path) -> Result<ExitCode> {
    fs::remove_dir_all(copy.join("dist")).ok();
    npm(copy, &["ci", "--no-audit", "--no-fund"])?;
    npm(copy, &["run", "check"])?;
    npm(copy, &["run", "build"])?;
    let (shipped, built) = (files(&source().join("dist"))?, files(&copy.join("dist"))?);
    let differing: Vec<_> = shipped
        .keys()
        .chain(built.keys())
        .filter(|name| shipped.get(*name) != built.get(*name))
        .map(|name| name.display().to_string())
        .collect();
    if !differing.is_empty() {
        bail!(
            "clients/web/dist is not what its source gives ({}): run `cargo xtask web` and commit clients/web/dist",
            differing.join(", ")
        );
    }
    Ok(ExitCode::SUCCESS)
}

fn source() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .with_file_name("clients")
        .join("web")
}

fn npm(folder: &Path, arguments: &[&str]) -> Result<()> {
    let status = step::run(
        &format!("npm {}", arguments.join(" ")),
        Command::new("npm").args(arguments).current_dir(folder),
    )
    .context("npm comes with Node.js: https://nodejs.org")?;
    if !status.success() {
        bail!("npm {} ended with {status}", arguments.join(" "));
    }
    Ok(())
}

/// Copies everything but what npm installed.
fn copy_folder(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from).with_context(|| format!("cannot read {}", from.display()))? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_name() == "node_modules" {
            continue;
        } else if entry.file_type()?.is_dir() {
            copy_folder(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}

/// The content of every file beneath a folder, by its path in it.
fn files(folder: &Path) -> Result<BTreeMap<PathBuf, Vec<u8>>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(next) = folders.pop() {
        for entry in
            fs::read_dir(&next).with_context(|| format!("cannot read {}", next.display()))?
        {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else {
                found.insert(path.strip_prefix(folder)?.to_path_buf(), fs::read(&path)?);
            }
        }
    }
    Ok(found)
}
