//! `chatx import`: the messages of a log, sent into a room. Each has a name that is derived from it, so that
//! the server stores it once, however often the import is interrupted and begun again.

use std::{
    collections::HashMap,
    io::{self, Write as _},
    path::Path,
    pin::Pin,
};

use anyhow::{Context as _, Result};
use client::{Draft, Settings};
use protocol::{EventId, Seq, Timestamp, accounts::UserSummary, text::ClientId};
use serde::Deserialize;
use serde_json::json;
use tokio::{
    fs::File,
    io::{AsyncBufRead, AsyncBufReadExt as _, BufReader, Lines},
};
use xxhash_rust::xxh3::xxh3_128;

use crate::{
    exit::Misused,
    finding::own_room,
    options::Import,
    place::Place,
    progress::Progress,
    sending::{Sending, standard_input},
    text::grouped,
};

/// One line of a log, or what a program wrote by hand: only a body is needed.
#[derive(Deserialize)]
struct Line {
    kind: Option<String>,
    id: Option<EventId>,
    seq: Option<Seq>,
    #[serde(default)]
    body: String,
    client_id: Option<String>,
    reply_to: Option<Seq>,
    thread: Option<Seq>,
    user: Option<UserSummary>,
    at: Option<Timestamp>,
    deleted_at: Option<Timestamp>,
}

/// What became of the lines.
#[derive(Clone, Copy, Default)]
struct Counts {
    imported: u64,
    /// Stored by an earlier import.
    known: u64,
    /// Deleted, or no messages.
    left_out: u64,
}

/// Where the messages of the log are now. A reply waits until its target is there.
#[derive(Default)]
struct Places(HashMap<Seq, Option<Seq>>);

pub(crate) async fn import(place: &Place, options: Import) -> Result<()> {
    let server = place.server(options.server.server.as_deref())?;
    let session = server.session(Settings::default()).await?;
    let room = own_room(&session, &options.room).await?.room.id;
    let mut lines = opened(options.file.as_deref()).await?;
    let mut sending = Sending::new(&session, room, options.patience.wait);
    let (mut counts, mut places) = (Counts::default(), Places::default());
    let mut progress = Progress::new(options.quiet);
    let (mut number, mut is_over) = (0_u64, false);
    while !is_over || !sending.is_settled() {
        tokio::select! {
            line = lines.next_line(), if !is_over && sending.has_room() => {
                let Some(text) = line? else { is_over = true; continue };
                number += 1;
                if text.trim().is_empty() {
                    continue;
                }
                let line: Line = serde_json::from_str(&text)
                    .map_err(|error| Misused(format!("line {number} is no entry of a log: {error}")))?;
                if !line.is_message() {
                    counts.left_out += 1;
                    continue;
                }
                let name = line.name(number, &text);
                for target in [line.reply_to, line.thread].into_iter().flatten() {
                    while places.is_awaited(target) {
                        settled(&mut sending, &mut places, &mut counts).await?;
                    }
                }
                let draft = line.draft(&places, options.attribute).named(name);
                if let Some(seq) = line.seq {
                    places.0.insert(seq, None);
                }
                sending.submit(draft, line.seq).await?;
            }
            answered = sending.next() => counts.count(&mut places, answered?),
        }
        progress.show(|| format!("line {}, {}", grouped(number), counts.words()));
    }
    progress.finish(&counts.words());
    if options.json {
        let Counts {
            imported,
            known,
            left_out,
        } = counts;
        let told = json!({"imported": imported, "known": known, "left_out": left_out});
        writeln!(io::stdout(), "{told}")?;
    }
    sending.close().await
}

type Answered = (protocol::frame::Ack, Option<Seq>);

async fn settled(
    sending: &mut Sending<Option<Seq>>,
    places: &mut Places,
    counts: &mut Counts,
) -> Result<()> {
    counts.count(places, sending.next().await?);
    Ok(())
}

async fn opened(path: Option<&Path>) -> Result<Lines<Pin<Box<dyn AsyncBufRead + Send>>>> {
    let reader: Pin<Box<dyn AsyncBufRead + Send>> = match path {
        Some(path) => {
            let file = File::open(path)
                .await
                .with_context(|| path.display().to_string())?;
            Box::pin(BufReader::new(file))
        }
        None => Box::pin(BufReader::new(standard_input()?)),
    };
    Ok(reader.lines())
}

impl Counts {
    fn count(&mut self, places: &mut Places, (ack, source): Answered) {
        if let Some(source) = source {
            places.0.insert(source, Some(ack.seq));
        }
        if ack.duplicate {
            self.known += 1;
        } else {
            self.imported += 1;
        }
    }

    fn words(self) -> String {
        let [imported, known, left_out] = [self.imported, self.known, self.left_out].map(grouped);
        format!(
            "imported {imported} messages, {known} were there, {left_out} other entries left out"
        )
    }
}

impl Places {
    /// Whether a message of the log is on its way.
    fn is_awaited(&self, source: Seq) -> bool {
        matches!(self.0.get(&source), Some(None))
    }

    /// Where a message of the log is now.
    fn find(&self, source: Option<Seq>) -> Option<Seq> {
        self.0.get(&source?).copied().flatten()
    }
}

impl Line {
    fn is_message(&self) -> bool {
        let is_message = self.kind.as_deref().is_none_or(|kind| kind == "message");
        is_message && self.deleted_at.is_none() && !self.body.is_empty()
    }

    /// The name under which it is stored once: that of its event, its own, or one that says which line of
    /// which text it is.
    fn name(&self, number: u64, text: &str) -> ClientId {
        let name = match (&self.id, &self.client_id) {
            (Some(id), _) => format!("import-{id}"),
            (None, Some(own)) if ClientId::parse(own).is_ok() => own.clone(),
            _ => format!(
                "import-{:032x}",
                xxh3_128(format!("{number} {text}").as_bytes())
            ),
        };
        ClientId::parse(&name).expect("an id or a hash is short and printable")
    }

    fn draft(&self, places: &Places, attribute: bool) -> Draft {
        let body = match (&self.user, self.at) {
            (Some(user), Some(at)) if attribute => {
                let day = at.to_string();
                let minute = day.get(..16).unwrap_or(&day).replace('T', " ");
                format!("{}, {minute}: {}", user.username, self.body)
            }
            _ => self.body.clone(),
        };
        let mut draft = Draft::new(body);
        if let Some(seq) = places.find(self.reply_to) {
            draft = draft.reply_to(seq);
        }
        if let Some(seq) = places.find(self.thread) {
            draft = draft.in_thread(seq);
        }
        draft
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_the_same_name_each_time_and_no_other_line_has_it() {
        let name = |number, text: &str| {
            let line: Line = serde_json::from_str(text).unwrap();
            line.name(number, text).as_str().to_owned()
        };
        let id = r#"{"id":"01890a5d-ac96-774b-bcce-b302099a8058","body":"x","client_id":"mine"}"#;
        assert_eq!(name(1, id), name(9, id));
        assert_eq!(name(1, r#"{"body":"x","client_id":"mine"}"#), "mine");
        let bare = r#"{"body":"x"}"#;
        assert_eq!(name(1, bare), name(1, bare));
        assert_ne!(name(1, bare), name(2, bare));
        assert_ne!(name(1, bare), name(1, r#"{"body":"y"}"#));
    }

    #[test]
    fn what_is_deleted_or_no_message_stays_out() {
        let is_message = |text: &str| serde_json::from_str::<Line>(text).unwrap().is_message();
        assert!(is_message(r#"{"body":"x"}"#));
        assert!(is_message(r#"{"kind":"message","body":"x"}"#));
        assert!(!is_message(r#"{"kind":"edit","body":"x"}"#));
        assert!(!is_message(
            r#"{"kind":"message","body":"","deleted_at":"2026-11-22T07:15:00.123Z"}"#
        ));
    }
}
