//! `chatx send`: one message, or one for each line that is piped in. Each is stored once and in the order
//! of writing, however often the server goes away meanwhile.

use std::io::{self, Write as _};

use anyhow::{Result, bail};
use client::{Draft, Settings};
use protocol::{Seq, frame::Ack, text::ClientId};
use serde::Deserialize;
use tokio::{
    fs::File,
    io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader, Lines},
};

use crate::{
    exit::Misused,
    finding::own_room,
    options::Send,
    place::Place,
    sending::{Sending, standard_input},
};

/// Sends until there is no more to send, or until something is refused: what comes after it may lean on it.
pub(crate) async fn send(place: &Place, options: Send) -> Result<()> {
    let server = place.server(options.server.server.as_deref())?;
    let session = server.session(Settings::default()).await?;
    let room = own_room(&session, &options.room).await?.room.id;
    let mut sending = Sending::new(&session, room, options.patience.wait);
    let json = options.json;
    let mut drafts = Drafts::of(options).await?;
    let mut is_over = false;
    while !is_over || !sending.is_settled() {
        tokio::select! {
            draft = drafts.next(), if !is_over && sending.has_room() => match draft? {
                Some(draft) => sending.submit(draft, ()).await?,
                None => is_over = true,
            },
            answered = sending.next() => {
                let (ack, ()) = answered?;
                if json {
                    print(&ack)?;
                }
            }
        }
    }
    sending.close().await
}

fn print(ack: &Ack) -> Result<()> {
    let mut line = serde_json::to_vec(ack)?;
    line.push(b'\n');
    let mut out = io::stdout().lock();
    out.write_all(&line)?;
    out.flush()?;
    Ok(())
}

/// What is to be sent, one after the other.
enum Drafts {
    One(Option<Draft>),
    Lines(Lines<BufReader<File>>),
    Objects {
        lines: Lines<BufReader<File>>,
        number: u64,
    },
}

/// A message as a program writes it.
#[derive(Deserialize)]
struct Written {
    body: String,
    client_id: Option<String>,
    reply_to: Option<Seq>,
    thread: Option<Seq>,
}

impl Drafts {
    async fn of(options: Send) -> Result<Self> {
        if options.lines {
            return Ok(Self::Lines(BufReader::new(standard_input()?).lines()));
        }
        if options.ndjson {
            let lines = BufReader::new(standard_input()?).lines();
            return Ok(Self::Objects { lines, number: 0 });
        }
        let body = if options.text.is_empty() {
            let mut body = String::new();
            standard_input()?.read_to_string(&mut body).await?;
            body.trim_end_matches(['\r', '\n']).to_owned()
        } else {
            options.text.join(" ")
        };
        if body.trim().is_empty() {
            bail!(Misused("there is nothing to send".to_owned()));
        }
        Ok(Self::One(Some(drafted(
            body,
            options.client_id,
            options.reply_to,
        )?)))
    }

    /// The next one; lines without a word are passed over. Cancel-safe.
    async fn next(&mut self) -> Result<Option<Draft>> {
        match self {
            Self::One(draft) => Ok(draft.take()),
            Self::Lines(lines) => loop {
                let Some(line) = lines.next_line().await? else {
                    return Ok(None);
                };
                if !line.trim().is_empty() {
                    return Ok(Some(Draft::new(line)));
                }
            },
            Self::Objects { lines, number } => loop {
                let Some(line) = lines.next_line().await? else {
                    return Ok(None);
                };
                *number += 1;
                if line.trim().is_empty() {
                    continue;
                }
                let written: Written = serde_json::from_str(&line)
                    .map_err(|error| Misused(format!("line {number} is no message: {error}")))?;
                let draft = drafted(written.body, written.client_id, written.reply_to)?;
                return Ok(Some(match written.thread {
                    Some(root) => draft.in_thread(root),
                    None => draft,
                }));
            },
        }
    }
}

fn drafted(body: String, client_id: Option<String>, reply_to: Option<Seq>) -> Result<Draft> {
    let mut draft = Draft::new(body);
    if let Some(name) = client_id {
        let name = ClientId::parse(&name);
        let wrong = |_| Misused("a client_id has 1 to 64 printable ASCII characters".to_owned());
        draft = draft.named(name.map_err(wrong)?);
    }
    Ok(match reply_to {
        Some(seq) => draft.reply_to(seq),
        None => draft,
    })
}
