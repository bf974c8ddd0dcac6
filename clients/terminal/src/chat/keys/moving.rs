//! Moving: from room to room, and up and down in what was said.

use protocol::{Seq, messages::Span};

use super::super::{blocks, happening::Effect, layout::Layout, state::Chat, theme::Theme};

impl Chat {
    /// Shows a message, with what was said around it.
    pub(in super::super) fn jump(&mut self, seq: Seq) -> Vec<Effect> {
        let Some(room) = self.shown_mut() else {
            return Vec::new();
        };
        room.selected = Some(seq);
        if room.log.entry(seq).is_some() {
            self.show_selected();
            return Vec::new();
        }
        room.log.stop_reading();
        let (id, span) = (room.id, room.ask(Span::Around(seq)));
        span.map(|span| Effect::ReadPage(id, span))
            .into_iter()
            .collect()
    }

    /// Scrolls so that the message that is looked at is seen.
    pub(in super::super) fn show_selected(&mut self) {
        let talk = Layout::of(self).talk;
        let me = self.me.clone();
        let Some(room) = self.shown_mut() else { return };
        let Some(seq) = room.selected else { return };
        let (below, own) = blocks::rows_below(room, seq, &me, talk.width);
        let height = usize::from(talk.height);
        if below < room.hidden {
            room.hidden = below;
        } else if below + own > room.hidden + height {
            room.hidden = (below + own).saturating_sub(height);
        }
    }

    pub(in super::super) fn scroll_up(&mut self, by: usize) -> Vec<Effect> {
        let talk = Layout::of(self).talk;
        let me = self.me.clone();
        let Some(room) = self.shown_mut() else {
            return Vec::new();
        };
        let height = usize::from(talk.height);
        let wanted = room.hidden.saturating_add(by);
        let theme = Theme { has_colour: false };
        let there = blocks::rows(room, &me, theme, talk.width, wanted.saturating_add(height)).len();
        room.hidden = wanted.min(there.saturating_sub(height));
        let id = room.id;
        if room.hidden < wanted
            && room.log.has_older
            && let Some(first) = room.log.first()
        {
            let span = room.ask(Span::Before(first));
            return span
                .map(|span| Effect::ReadPage(id, span))
                .into_iter()
                .collect();
        }
        Vec::new()
    }

    pub(in super::super) fn scroll_down(&mut self, by: usize) -> Vec<Effect> {
        let Some(room) = self.shown_mut() else {
            return Vec::new();
        };
        let is_past_end = room.hidden < by;
        room.hidden = room.hidden.saturating_sub(by);
        let id = room.id;
        if is_past_end
            && room.log.has_newer
            && let Some(last) = room.log.last()
        {
            let span = room.ask(Span::After(last));
            return span
                .map(|span| Effect::ReadPage(id, span))
                .into_iter()
                .collect();
        }
        Vec::new()
    }

    /// Goes to what was said last.
    pub(in super::super) fn go_to_end(&mut self) -> Vec<Effect> {
        let Some(room) = self.shown_mut() else {
            return Vec::new();
        };
        room.hidden = 0;
        room.selected = None;
        if !room.log.has_newer {
            return Vec::new();
        }
        room.log.forget();
        let (id, span) = (room.id, room.ask(Span::Latest));
        span.map(|span| Effect::ReadPage(id, span))
            .into_iter()
            .collect()
    }

    pub(in super::super) fn neighbour(&mut self, step: isize) -> Vec<Effect> {
        let count = self.order.len();
        let place = self.order.iter().position(|id| Some(*id) == self.open);
        let next = match place {
            Some(place) => place
                .checked_add_signed(step)
                .unwrap_or(count.saturating_sub(1)),
            None => 0,
        };
        let next = if next >= count { 0 } else { next };
        self.order
            .get(next)
            .copied()
            .map(|id| self.enter(id))
            .unwrap_or_default()
    }

    pub(in super::super) fn next_unread(&mut self) -> Vec<Effect> {
        let place = self
            .order
            .iter()
            .position(|id| Some(*id) == self.open)
            .unwrap_or(0);
        let after = self
            .order
            .iter()
            .skip(place + 1)
            .chain(self.order.iter().take(place));
        let unread: Vec<_> = after
            .filter_map(|id| self.rooms.get(id))
            .filter(|room| room.unread > 0)
            .collect();
        let next = unread
            .iter()
            .find(|room| room.is_called)
            .or(unread.first())
            .map(|room| room.id);
        match next {
            Some(id) => self.enter(id),
            None => {
                self.say("everything is read", false);
                Vec::new()
            }
        }
    }
}
