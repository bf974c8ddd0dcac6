//! How things look: by colour where that is wanted, and by weight where `NO_COLOR` says that it is not.

use protocol::UserId;
use ratatui::style::{Color, Modifier, Style};

/// How things look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Theme {
    pub(super) has_colour: bool,
}

/// Colours of names: those of the terminal, so that they suit its background; red is for what is bad.
const NAMES: [Color; 6] = [
    Color::Green,
    Color::Yellow,
    Color::Blue,
    Color::Magenta,
    Color::Cyan,
    Color::LightBlue,
];

impl Theme {
    pub(super) const fn plain(self) -> Style {
        Style::new()
    }

    pub(super) const fn dim(self) -> Style {
        Style::new().add_modifier(Modifier::DIM)
    }

    pub(super) const fn strong(self) -> Style {
        Style::new().add_modifier(Modifier::BOLD)
    }

    /// What the keys act on.
    pub(super) const fn chosen(self) -> Style {
        Style::new().add_modifier(Modifier::REVERSED)
    }

    pub(super) fn name(self, user: UserId) -> Style {
        let sum: usize = user
            .uuid()
            .as_bytes()
            .iter()
            .map(|byte| usize::from(*byte))
            .sum();
        self.strong().patch(self.coloured(NAMES[sum % NAMES.len()]))
    }

    pub(super) fn good(self) -> Style {
        self.coloured(Color::Green)
    }

    pub(super) fn bad(self) -> Style {
        self.strong().patch(self.coloured(Color::Red))
    }

    /// What is new, or calls for attention.
    pub(super) fn fresh(self) -> Style {
        self.strong().patch(self.coloured(Color::Yellow))
    }

    fn coloured(self, colour: Color) -> Style {
        if self.has_colour {
            Style::new().fg(colour)
        } else {
            Style::new()
        }
    }
}
