//! How accounts, rooms and storage look on a terminal.

use std::io::{self, Write};

use protocol::admin::{Account, AdminRoom, Storage};

/// Rows whose columns line up.
pub(super) struct Table<const N: usize> {
    rows: Vec<[String; N]>,
}

impl<const N: usize> Table<N> {
    pub(super) fn new(head: [&str; N]) -> Self {
        Self {
            rows: vec![head.map(str::to_owned)],
        }
    }

    pub(super) fn row(&mut self, cells: [String; N]) {
        self.rows.push(cells);
    }

    /// Prints them, or `none` if there are none.
    pub(super) fn print(&self, none: &str, out: &mut dyn Write) -> io::Result<()> {
        if self.rows.len() == 1 {
            return writeln!(out, "{none}");
        }
        let widths: [usize; N] = std::array::from_fn(|column| {
            let cells = self.rows.iter().map(|row| row[column].chars().count());
            cells.max().unwrap_or(0)
        });
        for row in &self.rows {
            let cells: Vec<_> = row
                .iter()
                .zip(widths)
                .map(|(cell, width)| format!("{cell:width$}"))
                .collect();
            writeln!(out, "{}", cells.join("  ").trim_end())?;
        }
        Ok(())
    }
}

/// How an account stands, in a word or a few.
pub(super) fn state(account: &Account) -> String {
    let standing = match (account.erased_at, account.suspended_at) {
        (Some(_), _) => "erased",
        (None, Some(_)) => "suspended",
        (None, None) if account.admin => "server admin",
        (None, None) => "active",
    };
    match (&account.suspended_reason, account.admin_by_settings) {
        (Some(reason), _) => format!("{standing} ({reason})"),
        (None, true) => format!("{standing} (by CHATX_ADMINS)"),
        (None, false) => standing.to_owned(),
    }
}

pub(super) fn rooms(rooms: &[AdminRoom], out: &mut dyn Write) -> io::Result<()> {
    let mut table = Table::new([
        "NAME",
        "VISIBILITY",
        "OWNER",
        "MEMBERS",
        "MESSAGES",
        "STATE",
        "ID",
    ]);
    for listed in rooms {
        let room = &listed.room;
        let people: Vec<_> = room.people.iter().map(|user| &*user.username).collect();
        let owner = listed.owner.as_ref();
        let state = match (listed.restorable_until, listed.deleted_at) {
            (Some(until), _) => format!("deleted, restorable until {until}"),
            (None, Some(_)) => "being erased".to_owned(),
            (None, None) if listed.ownerless => "ownerless".to_owned(),
            (None, None) if room.archived_at.is_some() => "archived".to_owned(),
            (None, None) => String::new(),
        };
        table.row([
            if people.is_empty() {
                room.name.clone()
            } else {
                people.join(", ")
            },
            room.visibility.as_str().to_owned(),
            owner.map_or_else(String::new, |owner| owner.username.clone()),
            room.members.to_string(),
            listed.messages.to_string(),
            state,
            room.id.to_string(),
        ]);
    }
    table.print("no rooms", out)
}

pub(super) fn storage(storage: &Storage, out: &mut dyn Write) -> io::Result<()> {
    let Storage {
        engine,
        database_bytes,
        users,
        rooms,
        deleted_rooms,
        events,
        messages,
        files,
        files_bytes,
        largest,
    } = storage;
    let mebibytes = database_bytes.div_ceil(1_024 * 1_024);
    writeln!(out, "{engine}, {mebibytes} MiB")?;
    writeln!(
        out,
        "{users} accounts, {rooms} rooms, {deleted_rooms} deleted ones"
    )?;
    writeln!(out, "{events} events, {messages} of them messages")?;
    let mebibytes = files_bytes.div_ceil(1_024 * 1_024);
    writeln!(out, "{files} files, {mebibytes} MiB")?;
    let mut table = Table::new(["LARGEST ROOMS", "VISIBILITY", "MEMBERS", "EVENTS", "ID"]);
    for room in largest {
        table.row([
            room.name.clone(),
            room.visibility.as_str().to_owned(),
            room.members.to_string(),
            room.events.to_string(),
            room.room.to_string(),
        ]);
    }
    table.print("", out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up() {
        let mut table = Table::new(["NAME", "N"]);
        table.row(["tea".to_owned(), "1".to_owned()]);
        table.row(["a longer name".to_owned(), "22".to_owned()]);
        let mut out = Vec::new();
        table.print("none", &mut out).unwrap();
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "NAME           N\ntea            1\na longer name  22\n"
        );
    }
}
