//! The least that keeps what was said through a loss of power: bytes in a file, synchronized once for all that was said in a
//! turn. Nobody could read it back: it has no index, no keys and no end.

use std::{
    fs::File,
    io::{Seek, SeekFrom, Write},
};

use anyhow::Result;

pub(super) struct Journal {
    file: File,
    /// How far it is written since it was last begun anew.
    written: usize,
    /// Whether something is not on the disk yet.
    is_due: bool,
}

/// It is written over again from its beginning, so that a commit allocates nothing and moves no end.
const LENGTH_BYTES: usize = 16 * 1_024 * 1_024;

impl Journal {
    pub(super) fn open() -> Result<Self> {
        let mut file = tempfile::tempfile()?;
        file.write_all(&vec![0; LENGTH_BYTES])?;
        file.sync_all()?;
        Ok(Self {
            file,
            written: LENGTH_BYTES,
            is_due: false,
        })
    }

    pub(super) fn add(&mut self, bytes: &[u8]) -> Result<()> {
        if bytes.is_empty() {
            return Ok(());
        }
        if self.written + bytes.len() > LENGTH_BYTES {
            self.file.seek(SeekFrom::Start(0))?;
            self.written = 0;
        }
        self.file.write_all(bytes)?;
        self.written += bytes.len();
        self.is_due = true;
        Ok(())
    }

    pub(super) fn commit(&mut self) -> Result<()> {
        if std::mem::take(&mut self.is_due) {
            self.file.sync_data()?;
        }
        Ok(())
    }
}
