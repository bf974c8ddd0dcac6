//! Programs of Python's package index, installed beside whatever else was fetched for tests, once.

use std::{fs, path::PathBuf, process::Command};

use anyhow::{Context as _, Result};

use crate::{apt, home::run_quietly, say};

/// The program `name` of a release, as it is asked for from the index.
///
/// # Errors
/// When there is no Python here, or the release is not to be had.
pub(crate) fn program(release: &str, name: &str) -> Result<PathBuf> {
    let cache = apt::cache_directory();
    fs::create_dir_all(&cache)?;
    let place = cache.join(release.replace(['[', ']', '='], "-"));
    let (program, ready) = (place.join("bin").join(name), place.join("ready"));
    let _lock = apt::lock(&cache)?;
    if !ready.exists() {
        say(format!("installing {release} in {}", place.display()));
        let mut environment = Command::new("python3");
        run_quietly(environment.args(["-m", "venv", "--clear"]).arg(&place))
            .with_context(|| format!("{release}: there is no Python with venv here"))?;
        let mut install = Command::new(place.join("bin/python"));
        run_quietly(install.args(["-m", "pip", "install", "--quiet", release]))
            .with_context(|| format!("{release} is not to be had from Python's package index"))?;
        fs::write(ready, "")?;
    }
    Ok(program)
}
