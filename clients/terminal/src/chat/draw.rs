//! The chat as it is seen. It reads the state and changes nothing.

mod sheet;
mod side;

use protocol::{Seq, Timestamp};
use ratatui::{
    Frame,
    layout::{Position, Rect},
    text::{Line, Span},
    widgets::{Block, Borders, Paragraph},
};
use unicode_width::UnicodeWidthStr as _;

use super::{
    blocks,
    happening::Link,
    layout::{Layout, PROMPT},
    room::{Intent, Room},
    state::Chat,
    theme::Theme,
    wrap::fit,
};
use crate::text::{harmless, on_one_line};

/// Draws everything.
pub(super) fn draw(chat: &Chat, theme: Theme, frame: &mut Frame<'_>) {
    let layout = Layout::of(chat);
    if let Some(side) = layout.side {
        side::rooms(chat, theme, side, frame);
        line_beside(side.right(), side.height, theme, frame);
    }
    if let (Some(people), Some(room)) = (layout.people, chat.shown()) {
        line_beside(people.x - 1, people.height, theme, frame);
        side::people(room, theme, people, frame);
    }
    match chat.shown() {
        Some(room) => {
            head(chat, room, theme, layout, frame);
            talk(chat, room, theme, layout.talk, frame);
            hint(chat, room, theme, layout.hint, frame);
            compose(chat, room, theme, layout.compose, frame);
        }
        None => nowhere(chat, theme, layout.talk, frame),
    }
    status(chat, theme, layout.status, frame);
    if let Some(open) = &chat.sheet {
        sheet::draw(chat, open, theme, frame);
    }
}

fn line_beside(x: u16, height: u16, theme: Theme, frame: &mut Frame<'_>) {
    let area = Rect {
        x,
        y: 0,
        width: 1,
        height,
    };
    frame.render_widget(
        Block::new()
            .borders(Borders::LEFT)
            .border_style(theme.dim()),
        area,
    );
}

fn put(line: impl Into<Line<'static>>, area: Rect, frame: &mut Frame<'_>) {
    frame.render_widget(Paragraph::new(line.into()), area);
}

fn head(chat: &Chat, room: &Room, theme: Theme, layout: Layout, frame: &mut Frame<'_>) {
    let area = layout.head;
    let width = usize::from(area.width);
    let there = if layout.people.is_some() {
        String::new()
    } else {
        there(room)
    };
    let name = fit(
        &on_one_line(&room.name),
        width.saturating_sub(there.width() + 1),
    );
    let mut rest = width.saturating_sub(name.width() + there.width() + 1);
    let mut spans = vec![Span::raw(" "), Span::styled(name, theme.strong())];
    let mut add = |text: String, style| {
        let text = fit(&text, rest.saturating_sub(1));
        rest = rest.saturating_sub(text.width());
        spans.push(Span::styled(text, style));
    };
    if room.is_archived {
        add(" · archived".to_owned(), theme.fresh());
    }
    if layout.side.is_none() {
        let unread: u64 = chat.rooms.values().map(|room| room.unread).sum();
        if unread > 0 {
            add(format!(" · {unread} unread"), theme.fresh());
        }
    }
    if !room.topic.is_empty() {
        add(format!(" — {}", on_one_line(&room.topic)), theme.dim());
    }
    spans.push(Span::raw(" ".repeat(rest.saturating_sub(1))));
    spans.push(Span::styled(there, theme.dim()));
    put(Line::from(spans), area, frame);
}

/// Who is there, in a few words.
fn there(room: &Room) -> String {
    match room.online {
        0 => String::new(),
        1 => "1 here".to_owned(),
        count => format!("{count} here"),
    }
}

fn talk(chat: &Chat, room: &Room, theme: Theme, area: Rect, frame: &mut Frame<'_>) {
    let height = usize::from(area.height);
    let rows = blocks::rows(room, &chat.me, theme, area.width, height + room.hidden);
    // Rows that are hidden at the end, and what there is of a screen above them.
    let end = rows
        .len()
        .saturating_sub(room.hidden)
        .max(height.min(rows.len()));
    let start = end.saturating_sub(height);
    let seen: Vec<_> = rows.into_iter().skip(start).take(end - start).collect();
    let missing = area
        .height
        .saturating_sub(u16::try_from(seen.len()).unwrap_or(area.height));
    let area = Rect {
        y: area.y + missing,
        height: area.height - missing,
        ..area
    };
    frame.render_widget(Paragraph::new(seen), area);
}

/// What the text below is, or who types, or what is further down.
fn hint(chat: &Chat, room: &Room, theme: Theme, area: Rect, frame: &mut Frame<'_>) {
    let width = usize::from(area.width).saturating_sub(2);
    let (words, style) = if let Some(seq) = room.selected {
        let is_mine = room
            .log
            .entry(seq)
            .is_some_and(|entry| entry.is_by(chat.me.id));
        let has_files = room
            .log
            .entry(seq)
            .is_some_and(|entry| !entry.files().is_empty());
        let save = if has_files { "s save · " } else { "" };
        let edit = if is_mine { "e edit · " } else { "" };
        let keys =
            format!("r reply · t thread · {save}{edit}d delete · 1–6 👍❤️😂🎉😮👀 · Esc back");
        (keys, theme.strong())
    } else if let Intent::Reply(seq) = room.intent {
        (
            format!("answering {} · Esc to stop", quoted(room, seq)),
            theme.strong(),
        )
    } else if let Intent::Thread(seq) = room.intent {
        (
            format!("in the thread of {} · Esc to stop", quoted(room, seq)),
            theme.strong(),
        )
    } else if let Intent::Edit(seq) = room.intent {
        (
            format!("editing {} · Esc to stop", quoted(room, seq)),
            theme.strong(),
        )
    } else if room.log.has_newer {
        (
            "you are reading the past · Esc to what is said now".to_owned(),
            theme.fresh(),
        )
    } else if room.hidden > 0 {
        let behind = if room.unread > 0 {
            format!("{} new below", room.unread)
        } else {
            "more below".to_owned()
        };
        (format!("{behind} · Esc to the end"), theme.fresh())
    } else {
        (typing(room, chat.now), theme.dim())
    };
    put(
        Span::styled(format!(" {}", fit(&words, width)), style),
        area,
        frame,
    );
}

fn quoted(room: &Room, seq: Seq) -> String {
    match room.log.entry(seq) {
        Some(entry) => format!(
            "{}: {}",
            on_one_line(&entry.user.display_name),
            fit(&entry.gist(), 30)
        ),
        None => format!("#{seq}"),
    }
}

fn typing(room: &Room, now: Timestamp) -> String {
    let names: Vec<_> = room
        .typing
        .values()
        .filter(|(_, until)| *until > now)
        .map(|(name, _)| on_one_line(name))
        .collect();
    match names.as_slice() {
        [] => String::new(),
        [one] => format!("{one} is typing…"),
        [one, other] => format!("{one} and {other} are typing…"),
        [one, rest @ ..] => format!("{one} and {} others are typing…", rest.len()),
    }
}

fn compose(chat: &Chat, room: &Room, theme: Theme, area: Rect, frame: &mut Frame<'_>) {
    let width = usize::from(area.width.saturating_sub(PROMPT + 1));
    let (rows, row, column) = room.compose.place(width);
    let height = usize::from(area.height);
    let first = row.saturating_sub(height.saturating_sub(1));
    let is_idle = chat.sheet.is_some() || room.selected.is_some();
    let prompt = if is_idle { theme.dim() } else { theme.strong() };
    let lines: Vec<_> = rows
        .iter()
        .enumerate()
        .skip(first)
        .take(height)
        .map(|(at, place)| {
            let mark = if at == 0 { "> " } else { "  " };
            let text = harmless(&room.compose.text()[place.clone()]).into_owned();
            Line::from(vec![Span::styled(mark, prompt), Span::raw(text)])
        })
        .collect();
    frame.render_widget(Paragraph::new(lines), area);
    if room.compose.is_empty() {
        let rest = Rect {
            x: area.x + PROMPT,
            width: area.width.saturating_sub(PROMPT),
            ..area
        };
        put(
            Span::styled("write a message, or / for more", theme.dim()),
            rest,
            frame,
        );
    }
    if !is_idle && area.height > 0 {
        let x = area.x + PROMPT + u16::try_from(column.min(width)).unwrap_or_default();
        let y = area.y + u16::try_from(row - first).unwrap_or_default();
        frame.set_cursor_position(Position { x, y });
    }
}

fn nowhere(chat: &Chat, theme: Theme, area: Rect, frame: &mut Frame<'_>) {
    let words = match (&chat.link, chat.is_loaded) {
        (_, true) => "You are in no room yet. Ctrl-K finds one; F1 shows the keys.",
        (Link::Ended(_), false) => "There is no connection.",
        (_, false) => "Looking for your rooms…",
    };
    let width = usize::from(area.width).saturating_sub(2);
    let area = Rect {
        y: area.y + area.height / 2,
        height: 1.min(area.height),
        ..area
    };
    put(
        Span::styled(format!(" {}", fit(words, width)), theme.dim()),
        area,
        frame,
    );
}

fn status(chat: &Chat, theme: Theme, area: Rect, frame: &mut Frame<'_>) {
    let waiting = chat.unanswered().count();
    let (link, style) = match &chat.link {
        Link::Live if waiting > 0 => (format!("sending {waiting}… "), theme.fresh()),
        Link::Live => ("● connected ".to_owned(), theme.good()),
        Link::Connecting | Link::Waiting if waiting > 0 => {
            (format!("○ reconnecting, {waiting} to send "), theme.fresh())
        }
        Link::Connecting => ("○ connecting… ".to_owned(), theme.fresh()),
        Link::Waiting => ("○ reconnecting… ".to_owned(), theme.fresh()),
        Link::Ended(_) => ("✗ disconnected ".to_owned(), theme.bad()),
    };
    let width = usize::from(area.width).saturating_sub(link.width() + 2);
    let (words, words_style) = match (&chat.notice, &chat.link) {
        (Some(notice), _) => {
            let style = if notice.is_bad {
                theme.bad()
            } else {
                theme.strong()
            };
            (on_one_line(&notice.text), style)
        }
        (None, Link::Ended(why)) => (format!("{why}. Ctrl-Q ends."), theme.bad()),
        (None, _) => {
            let keys = "F1 help · Ctrl-K rooms · Ctrl-F search · ↑ messages · Ctrl-Q quit";
            let short = if keys.width() <= width {
                keys
            } else {
                "F1 help · Ctrl-Q quit"
            };
            (short.to_owned(), theme.dim())
        }
    };
    let words = fit(&words, width);
    let space = " ".repeat(width.saturating_sub(words.width()) + 1);
    let line = Line::from(vec![
        Span::raw(" "),
        Span::styled(words, words_style),
        Span::raw(space),
        Span::styled(link, style),
    ]);
    put(line, area, frame);
}
