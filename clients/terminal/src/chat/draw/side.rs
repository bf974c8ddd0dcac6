//! What stands beside the conversation: the rooms, and who is there.

use protocol::{frame::PresenceState, rooms::Visibility};
use ratatui::{
    Frame,
    layout::Rect,
    text::{Line, Span},
    widgets::Paragraph,
};
use unicode_width::UnicodeWidthStr as _;

use super::super::{room::Room, state::Chat, theme::Theme, wrap::fit};
use crate::text::on_one_line;

/// The list of rooms.
pub(super) fn rooms(chat: &Chat, theme: Theme, area: Rect, frame: &mut Frame<'_>) {
    let width = usize::from(area.width);
    let title = fit(
        &format!("{}@{}", chat.me.username, chat.me.server),
        width.saturating_sub(2),
    );
    let mut lines = vec![Line::from(Span::styled(format!(" {title}"), theme.dim()))];
    let height = usize::from(area.height).saturating_sub(1);
    let place = chat
        .order
        .iter()
        .position(|id| Some(*id) == chat.open)
        .unwrap_or(0);
    // The room that is shown is always among those that fit.
    let first = place
        .saturating_sub(height.saturating_sub(2))
        .min(chat.order.len().saturating_sub(height));
    let rooms = chat.order.iter().filter_map(|id| chat.rooms.get(id));
    for room in rooms.skip(first).take(height) {
        lines.push(room_line(room, chat.open == Some(room.id), theme, width));
    }
    frame.render_widget(Paragraph::new(lines), area);
}

fn room_line(room: &Room, is_open: bool, theme: Theme, width: usize) -> Line<'static> {
    let count = match room.unread {
        0 => String::new(),
        unread if room.is_called => format!("@{unread}"),
        unread if unread > 999 => "999+".to_owned(),
        unread => unread.to_string(),
    };
    let sign = match room.visibility {
        _ if !room.pending.is_empty() => "…",
        Visibility::Public => "#",
        Visibility::Private => "+",
        Visibility::Secret => "*",
        Visibility::Direct => "@",
    };
    let draft = if room.compose.is_empty() || is_open {
        ""
    } else {
        " ✎"
    };
    let space = width.saturating_sub(count.width() + draft.width() + 5);
    let name = fit(&on_one_line(&room.name), space);
    let fill = " ".repeat(width.saturating_sub(name.width() + draft.width() + count.width() + 5));
    let style = if room.unread > 0 {
        theme.strong()
    } else {
        theme.plain()
    };
    let line = Line::from(vec![
        Span::styled(format!(" {sign} "), theme.dim()),
        Span::styled(name, style),
        Span::styled(draft, theme.dim()),
        Span::raw(fill + " "),
        Span::styled(count, theme.fresh()),
        Span::raw(" "),
    ]);
    if is_open {
        line.style(theme.chosen())
    } else {
        line
    }
}

/// Who is there.
pub(super) fn people(room: &Room, theme: Theme, area: Rect, frame: &mut Frame<'_>) {
    let width = usize::from(area.width).saturating_sub(4);
    let title = if room.online == 0 {
        "nobody seen here".to_owned()
    } else {
        format!("{} here", room.online)
    };
    let mut lines = vec![Line::from(Span::styled(format!(" {title}"), theme.dim()))];
    let mut there: Vec<_> = room.people.values().collect();
    there.sort_by_key(|(user, _)| user.display_name.to_lowercase());
    let height = usize::from(area.height).saturating_sub(1);
    for (user, state) in there.iter().take(height) {
        let (sign, style) = match state {
            PresenceState::Online => ("●", theme.good()),
            PresenceState::Away => ("◐", theme.fresh()),
            PresenceState::Dnd => ("⊘", theme.bad()),
            PresenceState::Offline | PresenceState::Invisible => ("○", theme.dim()),
        };
        let name = fit(&on_one_line(&user.display_name), width);
        lines.push(Line::from(vec![
            Span::styled(format!(" {sign} "), style),
            Span::styled(name, theme.name(user.id)),
        ]));
    }
    let known = u32::try_from(there.len()).unwrap_or(u32::MAX);
    if room.online > known && lines.len() <= height {
        let more = format!("   and {} more", room.online - known);
        lines.push(Line::from(Span::styled(more, theme.dim())));
    }
    frame.render_widget(Paragraph::new(lines), area);
}
