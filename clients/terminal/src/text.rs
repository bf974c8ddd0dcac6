//! What others wrote, as a terminal may show it: nothing in it moves the cursor, hides or turns around.

use std::borrow::Cow;

use jiff::{Timestamp as Moment, Zoned, tz::TimeZone};
use protocol::{
    Timestamp,
    events::{Event, EventKind},
};

/// A text without anything that a terminal would obey; lines stay lines.
pub(crate) fn harmless(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_harmful) {
        return Cow::Borrowed(text);
    }
    let shown = |c: char| match c {
        '\t' => ' ',
        c if is_harmful(c) => '\u{FFFD}',
        c => c,
    };
    Cow::Owned(text.chars().map(shown).collect())
}

/// The same on one line.
pub(crate) fn on_one_line(text: &str) -> String {
    harmless(text).replace('\n', " ")
}

/// Control characters, and those that change the direction of their neighbours.
fn is_harmful(c: char) -> bool {
    (c.is_control() && c != '\n')
        || matches!(c, '\u{061C}' | '\u{200E}' | '\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2066}'..='\u{2069}' | '\u{FEFF}')
}

/// A moment by the clock on the wall here.
pub(crate) fn local(at: Timestamp, zone: &TimeZone) -> Zoned {
    let moment = Moment::from_millisecond(at.unix_ms()).unwrap_or(Moment::UNIX_EPOCH);
    moment.to_zoned(zone.clone())
}

/// One entry of a log on one line, for people.
pub(crate) fn line(event: &Event, zone: &TimeZone) -> String {
    let at = local(event.at, zone).strftime("%Y-%m-%d %H:%M:%S");
    let (seq, name) = (event.seq, on_one_line(&event.user.username));
    match &event.kind {
        EventKind::Message(content) if content.deleted_at.is_some() => {
            format!("{at} #{seq} {name}: (deleted)")
        }
        EventKind::Message(content) => {
            let reply = content.reply_to.map(|seq| format!("(to #{seq}) "));
            let thread = content
                .thread
                .map(|seq| format!("(in the thread of #{seq}) "));
            let body = harmless(&content.body).replace('\n', "\n    ");
            let files = content.files.iter().map(|file| {
                let gap = if body.is_empty() { "" } else { " " };
                format!("{gap}[{}, {}]", on_one_line(&file.name), size(file.size))
            });
            format!(
                "{at} #{seq} {name}: {}{}{body}{}",
                thread.unwrap_or_default(),
                reply.unwrap_or_default(),
                files.collect::<String>()
            )
        }
        kind => match said(kind) {
            Some(said) => format!("{at} #{seq} * {name} {said}"),
            None => format!("{at} #{seq} * {name} did something that this version does not know"),
        },
    }
}

/// What somebody did, behind their name; nothing for messages and for what is not known.
pub(crate) fn said(kind: &EventKind) -> Option<String> {
    let whom = |moderated: &protocol::events::Moderated| on_one_line(&moderated.member.username);
    let why = |moderated: &protocol::events::Moderated| {
        let reason = moderated.reason.as_deref().map(on_one_line);
        reason
            .map(|reason| format!(": {reason}"))
            .unwrap_or_default()
    };
    Some(match kind {
        EventKind::Edit(edit) => {
            format!("edited #{}: {}", edit.target, on_one_line(&edit.body))
        }
        EventKind::Delete(target) => format!("deleted #{}", target.target),
        EventKind::React(react) => {
            format!("reacted {} to #{}", on_one_line(&react.emoji), react.target)
        }
        EventKind::Unreact(react) => {
            format!("took {} from #{}", on_one_line(&react.emoji), react.target)
        }
        EventKind::Pin(target) => format!("pinned #{}", target.target),
        EventKind::Unpin(target) => format!("took the pin from #{}", target.target),
        EventKind::Join => "joined".to_owned(),
        EventKind::Leave => "left".to_owned(),
        EventKind::Kick(moderated) => format!("removed {}{}", whom(moderated), why(moderated)),
        EventKind::Ban(moderated) => format!("banned {}{}", whom(moderated), why(moderated)),
        EventKind::Unban(moderated) => format!("lets {} in again", whom(moderated)),
        EventKind::Role(moderated) => {
            let role = moderated
                .role
                .map_or("something else", |role| role.as_str());
            format!("made {} {role}", whom(moderated))
        }
        EventKind::Mute(moderated) if moderated.until.is_none() => {
            format!("lets {} write again", whom(moderated))
        }
        EventKind::Mute(moderated) => format!("muted {}{}", whom(moderated), why(moderated)),
        EventKind::Room(changed) => {
            let name = changed.changes.name.as_deref();
            let topic = changed.changes.topic.as_deref();
            match (name, topic) {
                (Some(name), _) => format!("named the room {}", on_one_line(name)),
                (None, Some(topic)) => format!("set the topic: {}", on_one_line(topic)),
                (None, None) => "changed the room".to_owned(),
            }
        }
        EventKind::Archive(archive) if archive.archived => "archived the room".to_owned(),
        EventKind::Archive(_) => "opened the room again".to_owned(),
        _ => return None,
    })
}

/// 28 KiB
pub(crate) fn size(bytes: u64) -> String {
    match bytes {
        0..1_024 => format!("{bytes} B"),
        1_024..1_048_576 => format!("{} KiB", bytes.div_ceil(1_024)),
        _ => format!("{} MiB", bytes.div_ceil(1_048_576)),
    }
}

/// 12,345
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_others_write_is_obeyed_by_a_terminal() {
        assert_eq!(harmless("plain ✓\nsecond"), "plain ✓\nsecond");
        assert_eq!(
            harmless("\u{1b}[31mred\u{202e}\ttab"),
            "\u{FFFD}[31mred\u{FFFD} tab"
        );
        assert_eq!(on_one_line("a\nb"), "a b");
        assert_eq!(
            (size(15), size(28_000)),
            ("15 B".to_owned(), "28 KiB".to_owned())
        );
        assert_eq!(grouped(7), "7");
        assert_eq!(grouped(1_234_567), "1,234,567");
    }
}
