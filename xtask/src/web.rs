//! `cargo xtask web`: the browser client's bundle is kept in the repository, so that building ChatX
//! needs no npm; this builds it anew, proves that it is what its source gives, or tries it and its SDK.

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
    npm(
        &source(),
        &["ci", "--ignore-scripts", "--no-audit", "--no-fund"],
    )?;
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

/// Runs the tests of the SDK and the page against a server that is built for it, which they kill.
pub(crate) fn test() -> Result<ExitCode> {
    let built = step::run(
        "building the server",
        Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into())).args([
            "build",
            "--workspace",
            "--bins",
        ]),
    )?;
    if !built.success() {
        return Ok(step::exit_code(built));
    }
    test_against(&beside("chatx")?)
}

/// The same, against a server that is built already.
pub(crate) fn test_against(server: &Path) -> Result<ExitCode> {
    if !source().join("node_modules").exists() {
        npm(
            &source(),
            &["ci", "--ignore-scripts", "--no-audit", "--no-fund"],
        )?;
    }
    let tested = step::run(
        "running the tests of the web client",
        Command::new("npm")
            .args(["run", "check"])
            .env("CHATX_PROGRAM", server)
            .current_dir(source()),
    )?;
    Ok(step::exit_code(tested))
}

/// Whether there is an npm to run them with.
pub(crate) fn is_possible() -> bool {
    Command::new("npm")
        .arg("--version")
        .output()
        .is_ok_and(|answer| answer.status.success())
}

/// A program that was built into the same folder as this one.
pub(crate) fn beside(program: &str) -> Result<PathBuf> {
    let here = env::current_exe().context("cannot tell where this program is")?;
    Ok(here.with_file_name(format!("{program}{}", env::consts::EXE_SUFFIX)))
}

fn build_and_compare(copy: &Path) -> Result<ExitCode> {
    fs::remove_dir_all(copy.join("dist")).ok();
    npm(copy, &["ci", "--ignore-scripts", "--no-audit", "--no-fund"])?;
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
