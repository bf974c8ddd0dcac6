//! The data directory: private to its owner, locked by one process, and the home of the secret that
//! is generated when none is set.

use std::{
    fs::{self, DirBuilder, File, OpenOptions, TryLockError},
    io::{self, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail};
use uuid::Uuid;

/// Files are for their owner's eyes only.
const PRIVATE_FILE: u32 = 0o600;
/// So are directories.
const PRIVATE_DIRECTORY: u32 = 0o700;

/// A directory that this process alone works in, until this is dropped.
pub struct DataDir {
    path: PathBuf,
    _lock: File,
}

impl DataDir {
    /// Makes the directory if it is not there, and takes it.
    ///
    /// # Errors
    /// When it cannot be written to, or another process has it.
    pub fn open(path: &Path) -> Result<Self> {
        let make = || -> io::Result<File> {
            DirBuilder::new()
                .recursive(true)
                .mode(PRIVATE_DIRECTORY)
                .create(path)?;
            fs::set_permissions(path, fs::Permissions::from_mode(PRIVATE_DIRECTORY))?;
            private()
                .create(true)
                .truncate(false)
                .open(path.join("lock"))
        };
        let lock = make().with_context(|| {
            format!("the data directory {} cannot be written to", path.display())
        })?;
        match lock.try_lock() {
            Ok(()) => Ok(Self {
                path: path.to_owned(),
                _lock: lock,
            }),
            Err(TryLockError::WouldBlock) => bail!(
                "the data directory {} is in use by another process: stop that one, or set CHATX_DATA_DIR to another directory",
                path.display()
            ),
            Err(TryLockError::Error(error)) => Err(error)
                .with_context(|| format!("the data directory {} cannot be locked", path.display())),
        }
    }

    /// The url of the SQLite file in it. The file is made here, so that nobody else can read it even
    /// for a moment.
    ///
    /// # Errors
    /// When it cannot be written to.
    pub fn database_url(&self) -> Result<String> {
        let path = self.path.join("chatx.db");
        let file = private().create(true).truncate(false).open(&path);
        file.with_context(|| format!("{} cannot be written to", path.display()))?;
        Ok(format!("sqlite:{}", path.display()))
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

fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).write(true).mode(PRIVATE_FILE);
    options
}

#[cfg(test)]
mod tests {
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
        drop(dir);
        assert_eq!(
            DataDir::open(&path).unwrap().cluster_secret().unwrap(),
            secret
        );
    }
}
