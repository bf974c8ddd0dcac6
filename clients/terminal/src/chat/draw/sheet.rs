//! What lies over the conversation.

use protocol::{rooms::Room as AnyRoom, search::Hit};
use ratatui::{
    Frame,
    layout::{Position, Rect},
    text::{Line, Span},
    widgets::{Block, Borders, Clear, Paragraph},
};
use unicode_width::UnicodeWidthStr as _;

use super::super::{
    commands,
    state::{Chat, Sheet, Sure},
    theme::Theme,
    wrap::{fit, wrap},
};
use crate::text::{local, on_one_line};

const KEYS: [(&str, &str); 16] = [
    ("Enter", "send · Alt-Enter or Ctrl-J for a new line"),
    (
        "↑ ↓",
        "look at messages: r reply, t thread, s save files, e edit, d delete, 1–6 react",
    ),
    (
        "PgUp PgDn",
        "scroll · Ctrl-Home further back · Esc to the end",
    ),
    ("Ctrl-K", "go to a room, or find one to join"),
    (
        "Ctrl-N Ctrl-P",
        "the next room, the one before (Alt-↓ Alt-↑)",
    ),
    ("Alt-A", "the next room with something new"),
    ("Ctrl-F", "search in all your rooms"),
    ("Tab", "complete @name or /command"),
    ("Ctrl-W Ctrl-U", "delete a word, the line"),
    ("Ctrl-C", "clear what is written, or else quit"),
    ("Ctrl-Q", "quit; what is not sent yet is sent next time"),
    ("Ctrl-L Ctrl-Z", "draw anew · back to the shell"),
    ("", ""),
    ("# + * @", "a room that is public, private, secret, direct"),
    ("3  @3", "messages not read · one of them calls you"),
    ("", ""),
];

/// Draws it.
pub(super) fn draw(chat: &Chat, sheet: &Sheet, theme: Theme, frame: &mut Frame<'_>) {
    match sheet {
        Sheet::Help => help(theme, frame),
        Sheet::Go { word, index } => {
            let rooms = chat.matching(word);
            let lines = rooms.iter().map(|room| {
                let unread = if room.unread > 0 {
                    format!("  {} new", room.unread)
                } else {
                    String::new()
                };
                format!("{}{unread}", on_one_line(&room.name))
            });
            let nothing = "Enter looks among the rooms that anyone may join";
            list(
                frame,
                theme,
                "Go to a room",
                Some(word),
                lines.collect(),
                *index,
                nothing,
            );
        }
        Sheet::Find { word, index, rooms } => {
            let nothing = if rooms.is_none() {
                "looking…"
            } else {
                "no such room; /create makes one"
            };
            let lines = rooms
                .iter()
                .flatten()
                .map(|room| found(chat, room))
                .collect();
            list(
                frame,
                theme,
                "Join a room",
                Some(word),
                lines,
                *index,
                nothing,
            );
        }
        Sheet::Search {
            word,
            index,
            asked,
            hits,
        } => {
            let nothing = match (asked, hits) {
                (None, _) => "Enter searches",
                (Some(_), None) => "searching…",
                (Some(_), Some(_)) => "nothing found",
            };
            let lines = hits
                .iter()
                .flatten()
                .map(|hit| hit_line(chat, hit))
                .collect();
            list(
                frame,
                theme,
                "Search in all rooms",
                Some(word),
                lines,
                *index,
                nothing,
            );
        }
        Sheet::Password { name, word, .. } => {
            let hidden = "•".repeat(word.chars().count());
            let title = format!("The password of {}", on_one_line(name));
            list(
                frame,
                theme,
                &title,
                Some(&hidden),
                Vec::new(),
                0,
                "Enter joins · Esc does not",
            );
        }
        Sheet::Sure(sure) => {
            let question = match sure {
                Sure::Delete(room, seq) => {
                    let entry = chat.rooms.get(room).and_then(|room| room.log.entry(*seq));
                    let body = entry.and_then(|entry| entry.body()).unwrap_or_default();
                    format!("Delete “{}” for everybody?", fit(&on_one_line(body), 40))
                }
                Sure::Leave(room) => format!("Leave {}?", on_one_line(chat.name_of(*room))),
            };
            list(
                frame,
                theme,
                "Are you sure?",
                None,
                vec![question, String::new()],
                1,
                "",
            );
            let keys = "y yes · any other key no";
            let area = place(frame.area(), 4);
            let line = Rect {
                x: area.x + 2,
                y: area.y + 2,
                width: area.width.saturating_sub(4),
                height: 1,
            };
            frame.render_widget(Paragraph::new(Span::styled(keys, theme.strong())), line);
        }
    }
}

fn found(chat: &Chat, room: &AnyRoom) -> String {
    let mine = if chat.rooms.contains_key(&room.id) {
        ", yours"
    } else {
        ""
    };
    let lock = if room.has_password { ", password" } else { "" };
    let topic = if room.topic.is_empty() {
        String::new()
    } else {
        format!(" — {}", on_one_line(&room.topic))
    };
    format!(
        "{} ({} members{lock}{mine}){topic}",
        on_one_line(&room.name),
        room.members
    )
}

fn hit_line(chat: &Chat, hit: &Hit) -> String {
    let at = local(hit.message.at, &chat.me.zone).strftime("%Y-%m-%d %H:%M");
    let room = match chat.rooms.get(&hit.room.id) {
        Some(room) => &room.name,
        None => &hit.room.name,
    };
    let (room, name) = (
        on_one_line(room),
        on_one_line(&hit.message.user.display_name),
    );
    format!(
        "{} {at} {name}: {}",
        fit(&room, 14),
        on_one_line(&hit.snippet)
    )
}

/// A sheet of so many rows, edges included, in the middle.
fn place(screen: Rect, rows: u16) -> Rect {
    let width = screen.width.saturating_sub(4).min(76);
    let height = rows.min(screen.height.saturating_sub(2));
    Rect {
        x: (screen.width - width) / 2,
        y: (screen.height - height) / 3,
        width,
        height,
    }
}

fn paper(frame: &mut Frame<'_>, theme: Theme, title: &str, rows: u16) -> Rect {
    let area = place(frame.area(), rows);
    let title = Span::styled(
        format!(
            " {} ",
            fit(title, usize::from(area.width.saturating_sub(4)))
        ),
        theme.strong(),
    );
    let block = Block::new().borders(Borders::ALL).title(title);
    let inner = block.inner(area);
    frame.render_widget(Clear, area);
    frame.render_widget(block, area);
    Rect {
        x: inner.x + 1,
        width: inner.width.saturating_sub(2),
        ..inner
    }
}

fn list(
    frame: &mut Frame<'_>,
    theme: Theme,
    title: &str,
    word: Option<&str>,
    lines: Vec<String>,
    index: usize,
    nothing: &str,
) {
    let most = usize::from(frame.area().height.saturating_sub(8)).max(3);
    let own = if word.is_some() { 2 } else { 0 };
    let count = lines.len().clamp(1, most);
    let rows = u16::try_from(count + own + 2).unwrap_or(u16::MAX);
    let area = paper(frame, theme, title, rows);
    let width = usize::from(area.width);
    let mut shown = Vec::new();
    if let Some(word) = word {
        // The end of a long word is what is being written.
        let rows = wrap(word, width.saturating_sub(3));
        let last = rows
            .last()
            .map(|row| &word[row.clone()])
            .unwrap_or_default();
        shown.push(Line::from(vec![
            Span::styled("> ", theme.strong()),
            Span::raw(last.to_owned()),
        ]));
        shown.push(Line::default());
        let x = area.x + 2 + u16::try_from(last.width()).unwrap_or_default();
        frame.set_cursor_position(Position { x, y: area.y });
    }
    if lines.is_empty() {
        shown.push(Line::from(Span::styled(fit(nothing, width), theme.dim())));
    }
    let first = (index + 1).saturating_sub(count);
    for (at, line) in lines.into_iter().enumerate().skip(first).take(count) {
        let text = fit(&line, width);
        let is_chosen = at == index && word.is_some();
        let fill = " ".repeat(width.saturating_sub(text.width()));
        let style = if is_chosen {
            theme.chosen()
        } else {
            theme.plain()
        };
        shown.push(Line::from(Span::styled(text + &fill, style)));
    }
    frame.render_widget(Paragraph::new(shown), area);
}

fn help(theme: Theme, frame: &mut Frame<'_>) {
    let commands = commands::NAMES.iter().map(|(name, rest, about)| {
        let name = format!("{name} {rest}");
        (name, (*about).to_owned())
    });
    let keys = KEYS
        .iter()
        .map(|(key, about)| ((*key).to_owned(), (*about).to_owned()));
    let lines: Vec<_> = keys
        .chain(commands)
        .map(|(key, about)| {
            let space = " ".repeat(16_usize.saturating_sub(key.width()));
            Line::from(vec![
                Span::styled(key, theme.strong()),
                Span::raw(format!("{space} {about}")),
            ])
        })
        .collect();
    let rows = u16::try_from(lines.len() + 2).unwrap_or(u16::MAX);
    let area = paper(frame, theme, "Help · any key closes it", rows);
    // What does not fit is the list of commands' end, which `/` and Tab complete.
    let missing = lines.len().saturating_sub(usize::from(area.height));
    let is_tight = |line: &Line<'_>| missing > 0 && line.width() <= 17;
    let lines: Vec<_> = lines.into_iter().filter(|line| !is_tight(line)).collect();
    frame.render_widget(Paragraph::new(lines), area);
}
