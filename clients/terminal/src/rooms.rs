//! `chatx rooms`: one's own rooms, or those that anyone may find, as a table or as NDJSON.

use std::io::{self, Write};

use anyhow::{Result, bail};
use client::{Session, Settings};
use protocol::{
    Seq,
    rooms::{CreateRoomBody, FindRooms, JoinBody, Room},
    text::RoomName,
};
use serde::Serialize;

use crate::{
    exit::Misused,
    finding,
    options::Rooms,
    place::Place,
    text::{grouped, on_one_line},
};

pub(crate) async fn list(place: &Place, options: Rooms) -> Result<()> {
    let server = place.server(options.server.server.as_deref())?;
    let session = server.session(Settings::default()).await?;
    if let Some(named) = &options.join {
        let room = finding::public_room(&session, named).await?;
        session.join(room, &JoinBody::default()).await?;
    }
    if let Some(name) = options.create {
        let body = CreateRoomBody {
            name: Some(name),
            topic: None,
            visibility: None,
            password: None,
            max_members: None,
            history: None,
        };
        session.create_room(&body).await?;
    }
    let out = &mut io::stdout().lock();
    match options.find {
        Some(word) => found(&session, &word, options.json, out).await,
        None => own(&session, options.json, out).await,
    }
}

async fn own(session: &Session, json: bool, out: &mut impl Write) -> Result<()> {
    let rooms = session.my_rooms().await?.rooms;
    if json {
        return each(&rooms, out);
    }
    let rows = rooms.iter().map(|mine| {
        let unread = mine.room.unread.filter(|unread| *unread > 0).map(grouped);
        let mut row = row(&mine.room);
        row[0] = on_one_line(&finding::name_of(&mine.room, session.user()));
        row[1] = unread.unwrap_or_default();
        row
    });
    print(
        ["ROOM", "UNREAD", "MEMBERS", "KIND", "HEAD", "ID"],
        rows,
        out,
    )
}

async fn found(session: &Session, word: &str, json: bool, out: &mut impl Write) -> Result<()> {
    if word.chars().count() > 64 {
        bail!(Misused("no room has so long a name".to_owned()));
    }
    let query = RoomName::search_key(word);
    let mut find = FindRooms {
        query,
        limit: 200,
        ..FindRooms::default()
    };
    let mut rooms = Vec::new();
    loop {
        let page = finding::patiently(|| session.find_rooms(&find)).await?;
        if json {
            each(&page.rooms, out)?;
        } else {
            rooms.extend(page.rooms);
        }
        match page.next_cursor {
            Some(cursor) => find.cursor = Some(cursor),
            None if json => return Ok(()),
            None => break,
        }
    }
    let rows = rooms.iter().map(|room| {
        let mut row = row(room);
        row[1] = if room.role.is_some() { "yes" } else { "" }.to_owned();
        row
    });
    print(
        ["ROOM", "MEMBER", "MEMBERS", "KIND", "HEAD", "ID"],
        rows,
        out,
    )
}

fn row(room: &Room) -> [String; 6] {
    let kind = room.visibility.as_str();
    let kind = if room.archived_at.is_some() {
        format!("{kind}, archived")
    } else {
        kind.to_owned()
    };
    [
        on_one_line(&room.name),
        String::new(),
        grouped(u64::from(room.members)),
        kind,
        room.head.map(|Seq(head)| grouped(head)).unwrap_or_default(),
        room.id.to_string(),
    ]
}

fn each(rooms: &[impl Serialize], out: &mut impl Write) -> Result<()> {
    for room in rooms {
        serde_json::to_writer(&mut *out, room).map_err(io::Error::from)?;
        writeln!(out)?;
    }
    Ok(())
}

fn print(
    head: [&str; 6],
    rows: impl Iterator<Item = [String; 6]>,
    out: &mut impl Write,
) -> Result<()> {
    let rows: Vec<_> = std::iter::once(head.map(str::to_owned))
        .chain(rows)
        .collect();
    let width = |column: usize| {
        let widths = rows
            .iter()
            .map(|row| unicode_width::UnicodeWidthStr::width(row[column].as_str()));
        widths.max().unwrap_or(0)
    };
    let widths: [usize; 6] = std::array::from_fn(width);
    for row in &rows {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(widths) {
            let space = width - unicode_width::UnicodeWidthStr::width(cell.as_str());
            line.push_str(cell);
            line.push_str(&" ".repeat(space + 2));
        }
        writeln!(out, "{}", line.trim_end())?;
    }
    Ok(())
}
