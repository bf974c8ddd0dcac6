//! The data directory: private to its owner, locked by one process, and the home of the secret that
//! is generated when none is set.

use std::{
    fmt,
    fs::{self, DirBuilder, File, OpenOptions, TryLockError},
    io::{self, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail, ensure};
use secrecy::ExposeSecret as _;
use shared::Settings;
use uuid::Uuid;

/// The SQLite file in a data directory.
const DATABASE: &str = "chatx.db";
/// Files are for their owner's eyes only.
const PRIVATE_FILE: u32 = 0o600;
/// So are directories.
const PRIVATE_DIRECTORY: u32 = 0o700;

/// A directory that this process alone works in, until this is dropped.
pub struct DataDir {
    path: PathBuf,
    _lock: Lock,
}

/// Something that this process alone has, until this is dropped.
pub struct Lock(#[expect(dead_code, reason = "the system unlocks a file when it is closed")] File);

impl Lock {
    /// Takes the lock file at `path`, which stands for what `name` says.
    ///
    /// # Errors
    /// When another process has it, or it cannot be written to.
    pub fn take(path: &Path, name: impl fmt::Display) -> Result<Self> {
        let file = private().create(true).truncate(false).open(path);
        let file = file.with_context(|| format!("{name} cannot be written to"))?;
        match file.try_lock() {
            Ok(()) => Ok(Self(file)),
            Err(TryLockError::WouldBlock) => bail!(
                "{name} is in use by another process: stop that one, or set CHATX_DATA_DIR and DATABASE_URL to others"
            ),
            Err(TryLockError::Error(error)) => {
                Err(error).with_context(|| format!("{name} cannot be locked"))
            }
        }
    }

    /// Takes the SQLite file that `url` names; nothing, if it names none.
    ///
    /// # Errors
    /// As [`Lock::take`].
    pub fn of_store(url: &str) -> Result<Option<Self>> {
        let Some(path) = sqlite_path(url) else {
            return Ok(None);
        };
        Self::take(
            Path::new(&format!("{path}-lock")),
            format_args!("the database {path}"),
        )
        .map(Some)
    }
}

impl DataDir {
    /// Makes the directory if it is not there, and takes it. One that is there keeps its mode.
    ///
    /// # Errors
    /// When it cannot be written to, or another process has it.
    pub fn open(path: &Path) -> Result<Self> {
        let name = format!("the data directory {}", path.display());
        let made = DirBuilder::new()
            .recursive(true)
            .mode(PRIVATE_DIRECTORY)
            .create(path);
        made.with_context(|| format!("{name} cannot be made"))?;
        let lock = Lock::take(&path.join("lock"), name)?;
        Ok(Self {
            path: path.to_owned(),
            _lock: lock,
        })
    }

    /// The url of the SQLite file in it. The file is made here, so that nobody else can read it even
    /// for a moment.
    ///
    /// # Errors
    /// When it cannot be written to.
    pub fn database_url(&self) -> Result<String> {
        let path = self.path.join(DATABASE);
        let file = private().create(true).truncate(false).open(&path);
        file.with_context(|| format!("{} cannot be written to", path.display()))?;
        Ok(sqlite_url(&path))
    }

    /// The cluster secret that was generated in this directory, now or before.
    ///
    /// # Errors
    /// When it can be neither read nor written.
    pub fn cluster_secret(&self) -> Result<String> {
        let path = self.path.join("cluster-secret");
        let made = || -> io::Result<String> {
            match fs::read_to_string(&path) {
                Ok(secret) if !secret.trim().is_empty() => return Ok(secret.trim().to_owned()),
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                // An empty file is what a crash between making and filling it leaves.
                Ok(_) | Err(_) => {}
            }
            let secret = format!("{}{}", Uuid::new_v4().simple(), Uuid::new_v4().simple());
            let mut file = private().create(true).truncate(true).open(&path)?;
            file.write_all(secret.as_bytes())?;
            file.sync_all()?;
            Ok(secret)
        };
        made().with_context(|| format!("{} can be neither read nor written", path.display()))
    }
}

/// The url of the store that others work in: the one of the settings, or the SQLite file in the data
/// directory. Nothing is made and nothing taken.
///
/// # Errors
/// When it should be a file that is not there.
pub fn existing_database_url(settings: &Settings) -> Result<String> {
    let url = match settings.database_url.expose_secret() {
        "" => sqlite_url(&settings.data_dir.join(DATABASE)),
        url => url.to_owned(),
    };
    if let Some(path) = sqlite_path(&url) {
        let path = path.replace("%3F", "?").replace("%25", "%");
        ensure!(Path::new(&path).exists(), "there is no database {path}");
    }
    Ok(url)
}

/// The file that the url of a SQLite store names, as it stands in the url.
fn sqlite_path(url: &str) -> Option<&str> {
    let path = url.strip_prefix("sqlite:")?;
    let path = path.strip_prefix("//").unwrap_or(path);
    let path = path.split('?').next().unwrap_or(path);
    (!path.is_empty() && path != ":memory:").then_some(path)
}

fn sqlite_url(path: &Path) -> String {
    // In a url these two mean something else.
    let path = path.display().to_string();
    format!("sqlite:{}", path.replace('%', "%25").replace('?', "%3F"))
}

fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).write(true).mode(PRIVATE_FILE);
    options
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn is_private_and_taken_once() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("deep/data");
        let dir = DataDir::open(&path).unwrap();
        let refused = DataDir::open(&path).err().unwrap();
        assert!(
            refused.to_string().contains("in use by another process"),
            "{refused}"
        );
        dir.database_url().unwrap();
        let secret = dir.cluster_secret().unwrap();
        assert!(secret.len() >= 64);
        assert_eq!(mode(&path), PRIVATE_DIRECTORY);
        for file in fs::read_dir(&path).unwrap() {
            assert_eq!(mode(&file.unwrap().path()), PRIVATE_FILE);
        }
        let url = "sqlite:".to_owned() + home.path().join("own.db").to_str().unwrap();
        let lock = Lock::of_store(&format!("{url}?mode=rwc")).unwrap();
        assert!(lock.is_some() && Lock::of_store(&url).is_err());
        drop(dir);
        assert_eq!(
            DataDir::open(&path).unwrap().cluster_secret().unwrap(),
            secret
        );
    }
}
