//! A private server that speaks S3, with one empty bucket: `moto`, from Python's package index.

use std::process::Command;

use anyhow::{Result, ensure};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    task::spawn_blocking,
};

use crate::{free_port, home::Home, python};

/// As it is asked for from the index.
const RELEASE: &str = "moto[server]==5.2.5";
const BUCKET: &str = "files";

/// A running server, which ends when this is dropped or the test is killed.
pub struct S3 {
    home: Home,
    port: u16,
}

impl S3 {
    /// Starts a server and makes its bucket.
    ///
    /// # Errors
    /// When there is no Python here, or the server is not to be had.
    pub async fn start() -> Result<Self> {
        let port = free_port();
        let mut s3 = spawn_blocking(move || {
            let program = python::program(RELEASE, "moto_server")?;
            let mut home = Home::new("s3", "KILL")?;
            let mut command = Command::new(program);
            command.args(["-H", "127.0.0.1", "-p", &port.to_string()]);
            home.start(&command)?;
            anyhow::Ok(Self { home, port })
        })
        .await??;
        let answers = async || TcpStream::connect(("127.0.0.1", port)).await.is_ok();
        s3.home.until_ready("the S3 server", answers).await?;
        let made = s3.ask("PUT", "").await?;
        ensure!(made.starts_with("HTTP/1.1 200"), "{made}");
        Ok(s3)
    }

    /// Where it is.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// What its bucket is called.
    pub const fn bucket(&self) -> &'static str {
        BUCKET
    }

    /// The names of all that is in the bucket.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn keys(&self) -> Result<Vec<String>> {
        let list = self.ask("GET", "?list-type=2").await?;
        let keys = list.split("<Key>").skip(1);
        let keys = keys.filter_map(|rest| Some(rest.split_once("</Key>")?.0.to_owned()));
        Ok(keys.collect())
    }

    /// `kill -9`.
    ///
    /// # Errors
    /// When it does not run.
    pub async fn kill(&mut self) -> Result<()> {
        self.home.signal("KILL")?;
        self.home.until_ended("the S3 server").await?;
        Ok(())
    }

    async fn ask(&self, method: &str, query: &str) -> Result<String> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).await?;
        let request = format!(
            "{method} /{BUCKET}{query} HTTP/1.1\r\nhost: 127.0.0.1:{}\r\nconnection: close\r\n\
             content-length: 0\r\n\r\n",
            self.port
        );
        stream.write_all(request.as_bytes()).await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        Ok(answer)
    }
}
