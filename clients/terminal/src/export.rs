//! `chatx export`: a room's whole log as NDJSON, one event a line, as `GET /v1/rooms/{id}/events` answers it.

use std::{
    fs::{File, OpenOptions},
    io::{self, BufRead as _, BufReader, BufWriter, Seek as _, SeekFrom, Write},
    path::Path,
};

use anyhow::{Context as _, Result, bail};
use client::Settings;
use protocol::{RoomId, Seq, events::Event};

use crate::{
    exit::Misused, finding::own_room, options::Export, place::Place, progress::Progress,
    tail::pages, text::grouped,
};

pub(crate) async fn export(place: &Place, options: Export) -> Result<()> {
    let server = place.server(options.server.server.as_deref())?;
    let session = server.session(Settings::default()).await?;
    let room = own_room(&session, &options.room).await?.room;
    let head = room.head.unwrap_or_default();
    let (after, mut out): (Seq, Box<dyn Write + Send>) = match &options.output {
        Some(path) => {
            let (after, file) =
                continued(path, room.id).with_context(|| path.display().to_string())?;
            (after, Box::new(BufWriter::new(file)))
        }
        None => (
            options.after.unwrap_or_default(),
            Box::new(BufWriter::new(io::stdout())),
        ),
    };
    let mut progress = Progress::new(options.quiet);
    let mut count = 0_u64;
    pages(&session, room.id, after, head, |event| {
        serde_json::to_writer(&mut out, event).map_err(io::Error::from)?;
        out.write_all(b"\n")?;
        count += 1;
        progress.show(|| format!("{} of {} events", grouped(event.seq.0), grouped(head.0)));
        Ok(())
    })
    .await?;
    out.flush()?;
    progress.finish(&format!(
        "exported {} events, up to #{head}",
        grouped(count)
    ));
    Ok(())
}

/// Opens a file behind the last whole event that it holds, and says which one that is.
fn continued(path: &Path, room: RoomId) -> Result<(Seq, File)> {
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(path)?;
    let (mut after, mut end) = (Seq::ZERO, 0_u64);
    let mut reader = BufReader::new(&file);
    let mut line = Vec::new();
    while reader.read_until(b'\n', &mut line)? > 0 && line.ends_with(b"\n") {
        let event: Event = serde_json::from_slice(&line)
            .map_err(|_| Misused("it holds something else than a log".to_owned()))?;
        if event.room != room {
            bail!(Misused("it holds the log of another room".to_owned()));
        }
        after = event.seq;
        end += u64::try_from(line.len()).context("a line of more bytes than a file has")?;
        line.clear();
    }
    // The last line was cut off when an export was interrupted.
    file.set_len(end)?;
    file.seek(SeekFrom::End(0))?;
    Ok((after, file))
}
