//! What was said, as rows: one block for each entry, in the shape that depends on the one before it.

use std::iter;

use jiff::{civil::Date, tz::TimeZone};
use protocol::{Seq, files::File, marks::Reaction};
use ratatui::{
    style::{Modifier, Style},
    text::{Line, Span},
};
use unicode_width::UnicodeWidthStr as _;

use super::{
    happening::Letter,
    log::{Entry, What},
    room::Room,
    state::{Me, calls},
    theme::Theme,
    wrap::{fit, wrap},
};
use crate::text::{self, harmless, local, on_one_line};

/// Where a block's columns are.
struct Columns {
    name: usize,
    text: usize,
}

/// `19:50 `
const TIME: usize = 6;
/// Who has not talked for so long leaves no space.
const NAMES_LOOKED_AT: usize = 200;
/// Somebody who goes on within so long is not named again.
const GOES_ON_MS: i64 = 5 * 60_000;
/// Without colours, or where only heights matter.
const PLAIN: Theme = Theme { has_colour: false };

impl Columns {
    /// As wide as the names of those who talk, within bounds.
    fn of(room: &Room, width: u16) -> Self {
        let width = usize::from(width);
        let names = room.log.latest_first().take(NAMES_LOOKED_AT);
        let widest = names.map(|entry| entry.user.display_name.width()).max();
        let most = if width < 70 { 9 } else { 14 };
        let name = widest.unwrap_or_default().clamp(3, most);
        Self {
            name,
            text: width.saturating_sub(TIME + name + 2).max(8),
        }
    }
}

/// The rows of a room from the latest up, until there are `enough`; the latest row is the last.
pub(super) fn rows(
    room: &Room,
    me: &Me,
    theme: Theme,
    width: u16,
    enough: usize,
) -> Vec<Line<'static>> {
    let columns = Columns::of(room, width);
    let mut blocks = Vec::new();
    let mut count = 0;
    let pending: Vec<_> = if room.log.has_newer {
        Vec::new()
    } else {
        pending(room, &columns, theme)
    };
    let said = each(room).map(|(entry, before)| {
        (
            entry.seq,
            block(room, entry, before, me, &me.zone, theme, width),
        )
    });
    for (seq, block) in iter::once((Seq::ZERO, pending)).chain(said) {
        count += block.len();
        let is_chosen = room.selected == Some(seq);
        blocks.push(if is_chosen {
            chosen(block, theme)
        } else {
            block
        });
        if count >= enough {
            break;
        }
    }
    if count < enough {
        blocks.push(beginning(room, theme, width));
    }
    blocks.into_iter().rev().flatten().collect()
}

/// How many rows an entry takes.
pub(super) fn height_of(room: &Room, seq: Seq, me: &Me, zone: &TimeZone, width: u16) -> usize {
    let found = each(room).find(|(entry, _)| entry.seq == seq);
    found.map_or(0, |(entry, before)| {
        block(room, entry, before, me, zone, PLAIN, width).len()
    })
}

/// The rows below an entry, and its own.
pub(super) fn rows_below(room: &Room, seq: Seq, me: &Me, width: u16) -> (usize, usize) {
    let mut below = pending(room, &Columns::of(room, width), PLAIN).len();
    for (entry, before) in each(room) {
        let own = block(room, entry, before, me, &me.zone, PLAIN, width).len();
        if entry.seq <= seq {
            return (below, own);
        }
        below += own;
    }
    (below, 1)
}

/// The entries, the latest first, each with the one before it.
fn each(room: &Room) -> impl Iterator<Item = (&Entry, Option<&Entry>)> {
    let before = room
        .log
        .latest_first()
        .skip(1)
        .map(Some)
        .chain(iter::once(None));
    room.log.latest_first().zip(before)
}

fn block(
    room: &Room,
    entry: &Entry,
    before: Option<&Entry>,
    me: &Me,
    zone: &TimeZone,
    theme: Theme,
    width: u16,
) -> Vec<Line<'static>> {
    let columns = Columns::of(room, width);
    let mut rows = Vec::new();
    let at = local(entry.at, zone);
    let day_before = before.map(|before| local(before.at, zone).date());
    let is_first_new = room
        .new_behind
        .is_some_and(|behind| room.log.first_of_others(behind, me.id) == Some(entry.seq));
    if day_before != Some(at.date()) {
        rows.push(rule(&day(at.date()), width, theme.dim()));
    }
    if is_first_new {
        rows.push(rule("new", width, theme.fresh()));
    }
    let is_parted = !rows.is_empty();
    let time = at.strftime("%H:%M").to_string();
    match &entry.what {
        What::Did(said) => {
            let text = format!("{} {said}", on_one_line(&entry.user.display_name));
            let text = harmless(&text).into_owned();
            rows.extend(lines(
                &time,
                Span::styled("*", theme.dim()),
                &text,
                &columns,
                theme.dim(),
                theme,
            ));
        }
        What::Deleted => {
            let name = name(entry, before, is_parted, &columns, theme);
            let style = theme.dim().add_modifier(Modifier::ITALIC);
            rows.extend(lines(&time, name, "deleted", &columns, style, theme));
        }
        What::Said {
            body,
            is_edited,
            reply_to,
            mentions,
            reactions,
            is_pinned,
            thread,
            replies,
            files,
        } => {
            let is_parted = is_parted || reply_to.is_some() || thread.is_some();
            if let Some(seq) = thread {
                rows.push(quote("╭ thread · ", room, *seq, &columns, theme));
            }
            if let Some(seq) = reply_to.filter(|seq| Some(*seq) != *thread) {
                rows.push(quote("╭ ", room, seq, &columns, theme));
            }
            let name = name(entry, before, is_parted, &columns, theme);
            let is_call = !entry.is_by(me.id) && calls(mentions, me.id);
            let style = if is_call {
                theme.fresh()
            } else {
                theme.plain()
            };
            let mut attached = files.iter().map(file_text);
            let mut said = if body.is_empty() {
                let first = attached.next().unwrap_or_default();
                lines(&time, name, &first, &columns, theme.strong(), theme)
            } else {
                let body = harmless(body);
                lines(&time, name, body.trim_end(), &columns, style, theme)
            };
            if *is_edited {
                mark(&mut said, " (edited)", &columns, theme);
            }
            if *is_pinned {
                mark(&mut said, " (pinned)", &columns, theme);
            }
            said.extend(attached.map(|text| below(&text, &columns, theme.strong())));
            if *replies > 0 {
                let answers = if *replies == 1 { "answer" } else { "answers" };
                said.push(below(
                    &format!("╰ {replies} {answers}"),
                    &columns,
                    theme.dim(),
                ));
            }
            if !reactions.is_empty() {
                said.push(reacted(reactions, &columns, theme));
            }
            rows.extend(said);
        }
    }
    rows
}

/// A file as one reads of it.
fn file_text(file: &File) -> String {
    format!("↧ {}, {}", on_one_line(&file.name), text::size(file.size))
}

/// A row under a text.
fn below(words: &str, columns: &Columns, style: Style) -> Line<'static> {
    let indent = " ".repeat(TIME + columns.name + 2);
    let words = Span::styled(fit(words, columns.text), style);
    Line::from(vec![Span::raw(indent), words])
}

/// What people reacted with; one's own stand out.
fn reacted(reactions: &[Reaction], columns: &Columns, theme: Theme) -> Line<'static> {
    let mut spans = vec![Span::raw(" ".repeat(TIME + columns.name + 2))];
    for reaction in reactions {
        let text = format!("{} {}  ", on_one_line(&reaction.emoji), reaction.count);
        let style = if reaction.me {
            theme.strong()
        } else {
            theme.dim()
        };
        spans.push(Span::styled(text, style));
    }
    Line::from(spans)
}

/// Who said it, unless they go on.
fn name(
    entry: &Entry,
    before: Option<&Entry>,
    is_parted: bool,
    columns: &Columns,
    theme: Theme,
) -> Span<'static> {
    let goes_on = !is_parted
        && before.is_some_and(|before| {
            before.is_by(entry.user.id)
                && !matches!(before.what, What::Did(_))
                && entry.at.unix_ms() - before.at.unix_ms() < GOES_ON_MS
        });
    if goes_on {
        return Span::raw("");
    }
    let name = fit(&on_one_line(&entry.user.display_name), columns.name);
    Span::styled(name, theme.name(entry.user.id))
}

/// A text beside its time and name, wrapped.
fn lines(
    time: &str,
    name: Span<'static>,
    text: &str,
    columns: &Columns,
    style: Style,
    theme: Theme,
) -> Vec<Line<'static>> {
    let indent = " ".repeat(TIME + columns.name + 2);
    let space = columns.name.saturating_sub(name.content.width());
    let mut first = Some((format!("{time} {}", " ".repeat(space)), name));
    wrap(text, columns.text)
        .into_iter()
        .map(|row| {
            let text = Span::styled(text[row].to_owned(), style);
            match first.take() {
                Some((before, name)) => Line::from(vec![
                    Span::styled(before, theme.dim()),
                    name,
                    Span::raw("  "),
                    text,
                ]),
                None => Line::from(vec![Span::raw(indent.clone()), text]),
            }
        })
        .collect()
}

/// The beginning of what is answered.
fn quote(sign: &str, room: &Room, seq: Seq, columns: &Columns, theme: Theme) -> Line<'static> {
    let quoted = match room.log.entry(seq) {
        Some(entry) => {
            let name = on_one_line(&entry.user.display_name);
            format!("{name}: {}", entry.gist())
        }
        None => format!("an earlier message, #{seq}"),
    };
    below(&format!("{sign}{quoted}"), columns, theme.dim())
}

/// Adds a remark behind the last row, or under it.
fn mark(rows: &mut Vec<Line<'static>>, remark: &'static str, columns: &Columns, theme: Theme) {
    let remark = Span::styled(remark, theme.dim());
    match rows.last_mut() {
        Some(last) if last.width() + remark.width() <= TIME + columns.name + 2 + columns.text => {
            last.push_span(remark);
        }
        _ => {
            let indent = " ".repeat(TIME + columns.name + 1);
            rows.push(Line::from(vec![Span::raw(indent), remark]));
        }
    }
}

fn pending(room: &Room, columns: &Columns, theme: Theme) -> Vec<Line<'static>> {
    let row = |letter: &Letter| {
        let name = Span::styled("…", theme.dim());
        let body = harmless(&letter.body).into_owned();
        lines("     ", name, &body, columns, theme.dim(), theme)
    };
    room.pending.iter().flat_map(row).collect()
}

/// What stands above the first entry.
fn beginning(room: &Room, theme: Theme, width: u16) -> Vec<Line<'static>> {
    let words = if !room.log.is_loaded || room.log.reading.is_some() {
        "reading…"
    } else if room.log.has_older {
        "PgUp for more"
    } else {
        "this is where it begins"
    };
    vec![rule(words, width, theme.dim())]
}

/// A block that the keys act on.
fn chosen(block: Vec<Line<'static>>, theme: Theme) -> Vec<Line<'static>> {
    block
        .into_iter()
        .map(|line| line.style(theme.chosen()))
        .collect()
}

fn rule(words: &str, width: u16, style: Style) -> Line<'static> {
    let width = usize::from(width);
    let words = fit(words, width.saturating_sub(6));
    let rest = width.saturating_sub(words.width() + 5);
    Line::from(Span::styled(
        format!("── {words} {}", "─".repeat(rest)),
        style,
    ))
}

fn day(date: Date) -> String {
    date.strftime("%A %-d %B %Y").to_string()
}
