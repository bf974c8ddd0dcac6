//! `chatx tail`: the latest of a room, and what follows, without a hole and without a repetition.

use std::io::{self, Write as _};

use anyhow::{Result, bail};
use client::{Delivery, Error, RoomEnded, Session, Settings, Start};
use jiff::tz::TimeZone;
use protocol::{
    EventId, RoomId, Seq,
    events::{Event, FindEvents},
};

use crate::{
    finding::{own_room, patiently},
    options::Tail,
    place::Place,
    text,
};

pub(crate) async fn tail(place: &Place, options: &Tail) -> Result<()> {
    let server = place.server(options.server.server.as_deref())?;
    // What a socket does not give after a long absence is read from the log.
    let settings = Settings {
        complete: true,
        ..Settings::default()
    };
    let session = server.session(settings).await?;
    let room = own_room(&session, &options.room).await?.room;
    let head = room.head.unwrap_or_default();
    let after = options
        .after
        .unwrap_or(Seq(head.0.saturating_sub(options.count)));
    let paper = Paper {
        json: options.json,
        zone: TimeZone::system(),
    };
    let mut printed = (after, None);
    pages(&session, room.id, after, head, |event| {
        printed = (event.seq, Some(event.id));
        paper.print(event)
    })
    .await?;
    if options.follow {
        follow(&session, room.id, printed, &paper).await?;
    }
    Ok(())
}

/// Reads a room's log behind `after` page by page, up to `head` or as far as it goes then.
pub(crate) async fn pages(
    session: &Session,
    room: RoomId,
    mut after: Seq,
    head: Seq,
    mut take: impl FnMut(&Event) -> Result<()>,
) -> Result<()> {
    while after < head {
        let find = FindEvents {
            after,
            limit: 200,
            wait_s: 0,
        };
        let page = patiently(|| session.events(room, &find)).await?;
        for event in page.events.iter().filter(|event| event.seq <= head) {
            take(event)?;
        }
        match page.events.last() {
            Some(last) => after = last.seq,
            None => break,
        }
    }
    Ok(())
}

async fn follow(
    session: &Session,
    room: RoomId,
    (after, id): (Seq, Option<EventId>),
    paper: &Paper,
) -> Result<()> {
    let connection = session.connect();
    let mut events = connection
        .room(room)
        .events(Start::After(after, id))
        .await?;
    while let Some(delivery) = events.next().await {
        match delivery {
            Delivery::Event(event) => paper.print(&event)?,
            Delivery::Reset { .. } => {
                bail!("the server has another history of this room than it had")
            }
            Delivery::Ended(RoomEnded::Connection(ended)) => bail!(Error::Ended(ended)),
            Delivery::Ended(RoomEnded::Refused(refusal)) => bail!(Error::Refused(refusal)),
            Delivery::Ended(why) => bail!("nothing more comes of this room: {why}"),
            _ => {}
        }
    }
    Ok(())
}

/// What is printed on.
struct Paper {
    json: bool,
    zone: TimeZone,
}

impl Paper {
    fn print(&self, event: &Event) -> Result<()> {
        let mut line = if self.json {
            serde_json::to_string(event)?
        } else {
            text::line(event, &self.zone)
        };
        line.push('\n');
        let mut out = io::stdout().lock();
        out.write_all(line.as_bytes())?;
        out.flush()?;
        Ok(())
    }
}
