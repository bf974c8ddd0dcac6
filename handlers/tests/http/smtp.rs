//! An SMTP server on a real socket, as far as RFC 5321 asks of one that takes mail and keeps it for a test to read.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
};

/// It listens until the test ends. Mail to `refused@…` is refused for good.
pub(crate) struct SmtpServer {
    pub(crate) address: SocketAddr,
    mails: Arc<Mutex<Vec<Received>>>,
}

/// A mail as it was handed over.
#[derive(Clone, Default)]
pub(crate) struct Received {
    pub(crate) from: String,
    pub(crate) to: String,
    pub(crate) text: String,
}

impl SmtpServer {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mails = Arc::default();
        let kept = Arc::clone(&mails);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(converse(stream, Arc::clone(&kept)));
            }
        });
        Self { address, mails }
    }

    /// How it is reached without TLS.
    pub(crate) fn url(&self) -> String {
        format!("smtp://{}", self.address)
    }

    pub(crate) fn mails(&self) -> Vec<Received> {
        self.mails.lock().unwrap().clone()
    }
}

async fn converse(stream: TcpStream, mails: Arc<Mutex<Vec<Received>>>) -> std::io::Result<()> {
    let (reader, mut writer) = stream.into_split();
    let mut lines = BufReader::new(reader);
    let mut mail = Received::default();
    writer.write_all(b"220 test\r\n").await?;
    loop {
        let mut line = String::new();
        if lines.read_line(&mut line).await? == 0 {
            return Ok(());
        }
        let (word, rest) = line.trim_end().split_at(line.trim_end().len().min(4));
        let answer: &[u8] = match word {
            "EHLO" | "HELO" => b"250 test\r\n",
            "MAIL" => {
                mail.from = within_brackets(rest);
                b"250 ok\r\n"
            }
            "RCPT" if rest.contains("refused@") => b"550 no such mailbox\r\n",
            "RCPT" => {
                mail.to = within_brackets(rest);
                b"250 ok\r\n"
            }
            "DATA" => {
                writer.write_all(b"354 go on\r\n").await?;
                mail.text = text(&mut lines).await?;
                mails.lock().unwrap().push(std::mem::take(&mut mail));
                b"250 kept\r\n"
            }
            "QUIT" => {
                writer.write_all(b"221 bye\r\n").await?;
                return Ok(());
            }
            _ => b"250 ok\r\n",
        };
        writer.write_all(answer).await?;
    }
}

/// Up to the line that is a dot alone.
async fn text(lines: &mut (impl AsyncBufReadExt + Unpin)) -> std::io::Result<String> {
    let mut text = String::new();
    loop {
        let start = text.len();
        lines.read_line(&mut text).await?;
        if text.len() == start || &text[start..] == ".\r\n" {
            text.truncate(start);
            return Ok(text);
        }
    }
}

fn within_brackets(text: &str) -> String {
    let inner = text.split(['<', '>']).nth(1);
    inner.unwrap_or_default().to_owned()
}
