//! Files under fire: what breaks off in the middle leaves nothing, and what was kept is there afterwards.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, ensure};
use chatx_e2e::{Http, PATIENCE, Person, on_each_engine};
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::{Duration, sleep, timeout},
};

const BYTES: usize = 400_000;

/// An upload, up to where its file ends.
fn begun(person: &Person, path: &str) -> (Vec<u8>, &'static [u8]) {
    const END: &[u8] = b"\r\n--x--\r\n";
    let head = b"--x\r\ncontent-disposition: form-data; name=\"file\"; filename=\"a.bin\"\r\n\r\n";
    let form = [&head[..], &[7; BYTES]].concat();
    let request = format!(
        "POST {path} HTTP/1.1\r\nhost: chatx\r\nconnection: close\r\nauthorization: Bearer {}\r\n\
         content-type: multipart/form-data; boundary=x\r\ncontent-length: {}\r\n\r\n",
        person.http.token().unwrap_or_default(),
        form.len() + END.len()
    );
    ([request.into_bytes(), form].concat(), END)
}

/// The files under a directory, by their paths.
fn lying(directory: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    if !directory.is_dir() {
        return Ok(found);
    }
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        if path.is_dir() {
            found.extend(lying(&path)?);
        } else {
            found.push(path);
        }
    }
    Ok(found)
}

/// Waits until a directory is as it should be.
async fn until(directory: &Path, is_so: impl Fn(&[PathBuf]) -> bool) -> Result<()> {
    let looked = timeout(PATIENCE, async {
        while !is_so(&lying(directory)?) {
            sleep(Duration::from_millis(10)).await;
        }
        anyhow::Ok(())
    });
    let left = || format!("what lies there is {:?}", lying(directory));
    looked.await.with_context(left)?
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_that_is_killed_in_the_middle_leaves_nothing() -> Result<()> {
    on_each_engine(async |chatx| {
        let person = Person::register(&Http::new(chatx.address()), "ada").await?;
        let room = person.create_room().await?;
        let path = format!("/v1/rooms/{room}/files");
        let directory = chatx.data_directory().join("files");
        let (most, end) = begun(&person, &path);

        let mut upload = TcpStream::connect(chatx.address()).await?;
        upload.write_all(&most).await?;
        let has_arrived = |files: &[PathBuf]| {
            let sizes = files.iter().filter_map(|path| path.metadata().ok());
            sizes.map(|file| file.len()).sum::<u64>() >= 100_000
        };
        until(&directory, has_arrived).await?;
        chatx.kill_9()?;
        ensure!(lying(&directory)?.len() == 1, "half of it lies there");
        chatx.restart().await?;
        until(&directory, <[PathBuf]>::is_empty).await?;

        // The same upload goes through now, and what is kept outlives the next end.
        let mut upload = TcpStream::connect(chatx.address()).await?;
        upload.write_all(&most).await?;
        upload.write_all(end).await?;
        let mut answer = String::new();
        upload.read_to_string(&mut answer).await?;
        let (head, body) = answer.split_once("\r\n\r\n").context("an answer")?;
        ensure!(head.starts_with("HTTP/1.1 201"), "{answer}");
        let file: Value = serde_json::from_str(body)?;
        let id = file["id"].as_str().context("it has an id")?;
        chatx.kill_9()?;
        chatx.restart().await?;
        let person = person.at(&Http::new(chatx.address()));
        let kept = person.http.get(&format!("/v1/files/{id}")).await?;
        ensure!(kept.status == 200 && kept.headers["content-length"] == BYTES.to_string());
        Ok(())
    })
    .await
}
