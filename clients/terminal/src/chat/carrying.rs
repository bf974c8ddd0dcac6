//! Files between this machine and a room. What is asked for by name is read and written here, and nothing else.

use std::{
    io::ErrorKind,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail};
use client::Session;
use futures_util::TryStreamExt as _;
use protocol::{
    RoomId,
    files::{File, FileName},
    messages::SendBody,
};
use tokio::{
    fs::{self, OpenOptions},
    io::AsyncWriteExt as _,
};
use uuid::Uuid;

/// So many names are tried where files of that name lie already.
const NAMES_MOST: u32 = 100;

/// Sends a file as a message of its own; answers what was done.
pub(super) async fn send(session: &Session, room: RoomId, path: &str) -> Result<String> {
    let path = at_home(path);
    let content = fs::read(&path)
        .await
        .with_context(|| format!("cannot read {}", path.display()))?;
    let name = path.file_name().map(|name| name.to_string_lossy());
    let name = name.unwrap_or_default();
    let file = session.upload(room, &name, &content).await?;
    let body = SendBody {
        body: None,
        client_id: Some(Uuid::new_v4().to_string()),
        reply_to: None,
        thread: None,
        files: Some(vec![file.id.to_string()]),
    };
    session.send(room, &body).await?;
    Ok(format!("sent {}", file.name))
}

/// Saves files in the directory where the program was started, over no other; answers under which names.
pub(super) async fn save(session: &Session, files: &[File]) -> Result<String> {
    let mut names = Vec::new();
    for file in files {
        let (name, mut saved) = create(&file.name).await?;
        let mut content = session.download(file.id).await?;
        while let Some(part) = content.try_next().await? {
            saved.write_all(&part).await?;
        }
        saved.flush().await?;
        names.push(name);
    }
    Ok(format!("saved {}", names.join(", ")))
}

/// A new file of that name, or one with a number.
async fn create(name: &str) -> Result<(String, fs::File)> {
    // Somebody else chose the name.
    let name = FileName::of(name);
    let path = Path::new(name.as_str());
    for number in 0..NAMES_MOST {
        let tried = match number {
            0 => name.as_str().to_owned(),
            number => numbered(path, number),
        };
        match OpenOptions::new()
            .write(true)
            .create_new(true)
            .open(&tried)
            .await
        {
            Ok(file) => return Ok((tried, file)),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error).with_context(|| format!("cannot write {tried}")),
        }
    }
    bail!("there are too many files called {} here", name.as_str())
}

/// `plan.pdf` as `plan-2.pdf`.
fn numbered(path: &Path, number: u32) -> String {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    match path.extension() {
        Some(extension) => format!("{stem}-{}.{}", number + 1, extension.to_string_lossy()),
        None => format!("{stem}-{}", number + 1),
    }
}

/// A path as a shell would take it.
fn at_home(path: &str) -> PathBuf {
    match (path.strip_prefix("~/"), std::env::home_dir()) {
        (Some(rest), Some(home)) => home.join(rest),
        _ => PathBuf::from(path),
    }
}
