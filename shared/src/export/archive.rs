//! A zip that is read while it is written: whatever is put in comes out as bytes, and nothing of it is kept but
//! the list of names that a zip ends with.

use std::{
    io::{self, Write},
    mem,
    sync::{Arc, Mutex, PoisonError},
};

use bytes::Bytes;
use serde::Serialize;
use zip::{CompressionMethod, ZipWriter, write::SimpleFileOptions, write::StreamWriter};

/// The zip that is being written.
pub(super) struct Archive {
    zip: Option<ZipWriter<StreamWriter<Pipe>>>,
    pipe: Pipe,
}

/// What was written and not yet read.
#[derive(Clone, Default)]
struct Pipe(Arc<Mutex<Vec<u8>>>);

impl Archive {
    pub(super) fn new() -> Self {
        let pipe = Pipe::default();
        Self {
            zip: Some(ZipWriter::new_stream(pipe.clone())),
            pipe,
        }
    }

    /// Begins a file of text.
    pub(super) fn begin_text(&mut self, name: &str) -> io::Result<()> {
        self.begin(name, CompressionMethod::Deflated)
    }

    /// Begins a file of bytes, most of which are dense already.
    pub(super) fn begin_bytes(&mut self, name: &str) -> io::Result<()> {
        self.begin(name, CompressionMethod::Stored)
    }

    fn begin(&mut self, name: &str, method: CompressionMethod) -> io::Result<()> {
        // Its size is not known before its end.
        let options = SimpleFileOptions::default()
            .compression_method(method)
            .large_file(true);
        Ok(self.writer()?.start_file(name, options)?)
    }

    /// Adds to the file that was begun last.
    pub(super) fn add(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.writer()?.write_all(bytes)
    }

    /// Adds a line of JSON to the file that was begun last.
    pub(super) fn add_line(&mut self, line: &impl Serialize) -> io::Result<()> {
        let mut json = serde_json::to_vec(line)?;
        json.push(b'\n');
        self.add(&json)
    }

    /// Ends it. Nothing can be added any more.
    pub(super) fn end(&mut self) -> io::Result<()> {
        if let Some(zip) = self.zip.take() {
            zip.finish()?;
        }
        Ok(())
    }

    /// What was written since this was asked last.
    pub(super) fn take(&self) -> Bytes {
        let mut written = self.pipe.0.lock().unwrap_or_else(PoisonError::into_inner);
        mem::take(&mut *written).into()
    }

    fn writer(&mut self) -> io::Result<&mut ZipWriter<StreamWriter<Pipe>>> {
        let ended = || io::Error::other("the archive has ended");
        self.zip.as_mut().ok_or_else(ended)
    }
}

impl Write for Pipe {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut written = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        written.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
