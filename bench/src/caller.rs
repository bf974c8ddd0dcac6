//! Somebody who asks over HTTP, one request after the other on one connection, and waits for each answer.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

pub(crate) struct Caller {
    connection: BufReader<TcpStream>,
    token: String,
}

impl Caller {
    /// # Errors
    /// When nobody listens at `address`.
    pub(crate) fn new(address: &str, token: &str) -> Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        Ok(Self {
            connection: BufReader::new(stream),
            token: token.to_owned(),
        })
    }

    /// # Errors
    /// When the answer is none of success.
    pub(crate) fn get(&mut self, path: &str) -> Result<Value> {
        Ok(serde_json::from_slice(&self.ask("GET", path, "")?)?)
    }

    /// # Errors
    /// When the answer is none of success.
    pub(crate) fn post(&mut self, path: &str, body: &Value) -> Result<Value> {
        let answer = self.ask("POST", path, &body.to_string())?;
        Ok(serde_json::from_slice(&answer)?)
    }

    /// The body of the answer, as it came.
    ///
    /// # Errors
    /// When the answer is none of success.
    pub(crate) fn ask(&mut self, method: &str, path: &str, body: &str) -> Result<Vec<u8>> {
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\n\
             Authorization: Bearer {}\r\nContent-Length: {}\r\n\r\n{body}",
            self.token,
            body.len()
        );
        self.connection.get_mut().write_all(request.as_bytes())?;
        let mut status = String::new();
        self.connection.read_line(&mut status)?;
        let mut length = 0;
        let mut line = String::new();
        while self.connection.read_line(&mut line)? > 2 {
            if let Some((name, value)) = line.split_once(':')
                && name.eq_ignore_ascii_case("content-length")
            {
                length = value.trim().parse().context("a length")?;
            }
            line.clear();
        }
        let mut body = vec![0; length];
        self.connection.read_exact(&mut body)?;
        ensure!(
            status.starts_with("HTTP/1.1 20"),
            "{method} {path}: {status} {}",
            String::from_utf8_lossy(&body)
        );
        Ok(body)
    }
}
