//! Where everything is on the screen.

use ratatui::layout::Rect;

use super::state::Chat;

/// Where everything is.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Layout {
    /// The list of rooms, if there is room for it.
    pub(super) side: Option<Rect>,
    /// Who is there, if there is room for it.
    pub(super) people: Option<Rect>,
    /// The room's name and topic.
    pub(super) head: Rect,
    /// What was said.
    pub(super) talk: Rect,
    /// Who types, and what the text below is.
    pub(super) hint: Rect,
    /// What is being written.
    pub(super) compose: Rect,
    /// Notices, and how the connection stands.
    pub(super) status: Rect,
}

/// Narrower windows show no list of rooms.
const SIDE_FROM: u16 = 60;
const PEOPLE_FROM: u16 = 110;
const COMPOSE_MOST: u16 = 8;
/// `> ` before what is being written.
pub(super) const PROMPT: u16 = 2;

impl Layout {
    pub(super) fn of(chat: &Chat) -> Self {
        let (columns, rows) = chat.size;
        let side = if columns >= SIDE_FROM {
            (columns / 4).clamp(18, 30)
        } else {
            0
        };
        let people = if columns >= PEOPLE_FROM { 26 } else { 0 };
        let body = rows.saturating_sub(1);
        // A line parts the columns.
        let left = if side > 0 { side + 1 } else { 0 };
        let right = if people > 0 { people + 1 } else { 0 };
        let width = columns.saturating_sub(left + right);
        let writing = chat.shown().map_or(1, |room| {
            let width = usize::from(width.saturating_sub(PROMPT + 1));
            room.compose.place(width).0.len()
        });
        let most = COMPOSE_MOST.min(body / 3).max(1);
        let compose = u16::try_from(writing).unwrap_or(most).clamp(1, most);
        let talk = body.saturating_sub(compose + 2);
        let at = |y: u16, height: u16| Rect {
            x: left,
            y,
            width,
            height: height.min(rows.saturating_sub(y)),
        };
        Self {
            side: (side > 0).then_some(Rect {
                x: 0,
                y: 0,
                width: side,
                height: body,
            }),
            people: (people > 0).then_some(Rect {
                x: columns - people,
                y: 0,
                width: people,
                height: body,
            }),
            head: at(0, 1),
            talk: at(1, talk),
            hint: at(1 + talk, 1),
            compose: at(2 + talk, compose),
            status: Rect {
                x: 0,
                y: body,
                width: columns,
                height: 1.min(rows),
            },
        }
    }

    /// The columns that a text has that is being written.
    pub(super) fn writing_width(&self) -> usize {
        usize::from(self.compose.width.saturating_sub(PROMPT + 1))
    }
}
