//! What keys mean. Typing writes a message; everything else is a chord or an arrow, so that nobody has to
//! know in which mode they are.

mod moving;

use crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use protocol::Timestamp;

use super::{
    commands,
    compose::Step,
    happening::Effect,
    layout::Layout,
    room::Intent,
    state::{Chat, Sheet, Sure},
};

/// What the digits react with.
pub(super) const REACTIONS: [&str; 6] = ["👍", "❤️", "😂", "🎉", "😮", "👀"];
/// Others hear of typing at most so often.
const TYPING_EVERY_MS: i64 = 3_000;

impl Chat {
    pub(super) fn key(&mut self, key: KeyEvent) -> Vec<Effect> {
        if key.kind == KeyEventKind::Release {
            return Vec::new();
        }
        let control = key.modifiers.contains(KeyModifiers::CONTROL);
        match key.code {
            KeyCode::Char('q') if control => return vec![Effect::Quit],
            KeyCode::Char('l') if control => return vec![Effect::Redraw],
            KeyCode::Char('z') if control => return vec![Effect::Suspend],
            _ => {}
        }
        if self.sheet.is_some() {
            return self.key_on_sheet(key);
        }
        self.key_anywhere(key)
            .or_else(|| self.key_on_selection(key))
            .unwrap_or_else(|| self.key_in_text(key))
    }

    pub(super) fn paste(&mut self, text: &str) -> Vec<Effect> {
        if let Some(word) = self.sheet.as_mut().and_then(Sheet::word) {
            word.push_str(text.lines().next().unwrap_or_default());
            return Vec::new();
        }
        let Some(room) = self.shown_mut() else {
            return Vec::new();
        };
        room.selected = None;
        room.compose.insert(text);
        self.types()
    }

    /// Keys that mean the same wherever one is in the conversation.
    fn key_anywhere(&mut self, key: KeyEvent) -> Option<Vec<Effect>> {
        let control = key.modifiers.contains(KeyModifiers::CONTROL);
        let alt = key.modifiers.contains(KeyModifiers::ALT);
        let page = usize::from(Layout::of(self).talk.height.saturating_sub(1).max(1));
        Some(match key.code {
            KeyCode::F(1) => self.opens(Sheet::Help),
            KeyCode::Char('k' | 't') if control => self.opens(Sheet::Go {
                word: String::new(),
                index: 0,
            }),
            KeyCode::Char('f') if control => self.searches(String::new()),
            KeyCode::Char('n') if control => self.neighbour(1),
            KeyCode::Char('p') if control => self.neighbour(-1),
            KeyCode::Down if alt => self.neighbour(1),
            KeyCode::Up if alt => self.neighbour(-1),
            KeyCode::Char('a') if alt => self.next_unread(),
            KeyCode::PageUp => self.scroll_up(page),
            KeyCode::PageDown => self.scroll_down(page),
            KeyCode::Up if control => self.scroll_up(1),
            KeyCode::Down if control => self.scroll_down(1),
            KeyCode::Home if control => self.scroll_up(usize::MAX),
            KeyCode::End if control => self.go_to_end(),
            KeyCode::Char('c') if control => self.interrupts(),
            KeyCode::Esc => self.escapes(),
            _ => return None,
        })
    }

    /// Keys that act on the message that is looked at.
    fn key_on_selection(&mut self, key: KeyEvent) -> Option<Vec<Effect>> {
        let me = self.me.id;
        let room = self.shown_mut()?;
        let seq = room.selected?;
        let is_plain = key.modifiers.difference(KeyModifiers::SHIFT).is_empty();
        if !is_plain {
            return None;
        }
        let (id, entry) = (room.id, room.log.entry(seq));
        let is_mine = entry.is_some_and(|entry| entry.is_by(me));
        match key.code {
            KeyCode::Up | KeyCode::Char('k') => {
                if let Some(before) = room.log.message_beside(Some(seq), true) {
                    room.selected = Some(before);
                    self.show_selected();
                } else {
                    return Some(self.scroll_up(1));
                }
            }
            KeyCode::Down | KeyCode::Char('j') => {
                room.selected = room.log.message_beside(Some(seq), false);
                self.show_selected();
            }
            KeyCode::Char('r') | KeyCode::Enter => {
                room.selected = None;
                room.give_up();
                room.intent = Intent::Reply(seq);
            }
            KeyCode::Char('t') => {
                room.selected = None;
                room.give_up();
                room.intent = Intent::Thread(room.log.thread_of(seq));
            }
            KeyCode::Char('s') if entry.is_some_and(|entry| !entry.files().is_empty()) => {
                let files = entry.map(|entry| entry.files().to_vec());
                return Some(vec![Effect::Save(files.unwrap_or_default())]);
            }
            KeyCode::Char('e') if is_mine => {
                let body = entry
                    .and_then(|entry| entry.body())
                    .unwrap_or_default()
                    .to_owned();
                room.selected = None;
                if !room.compose.is_blank() && !matches!(room.intent, Intent::Edit(_)) {
                    self.say("send or clear what you are writing first", true);
                    return Some(Vec::new());
                }
                room.compose.take();
                room.compose.insert(&body);
                room.intent = Intent::Edit(seq);
            }
            KeyCode::Char('d') => self.sheet = Some(Sheet::Sure(Sure::Delete(id, seq))),
            KeyCode::Char('e') => self.say("only who wrote a message can change it", true),
            KeyCode::Char(digit @ '1'..='6') => {
                let place = digit
                    .to_digit(10)
                    .and_then(|digit| usize::try_from(digit).ok());
                let emoji = REACTIONS[place.unwrap_or(1) - 1];
                let is_there = room.log.has_reaction(seq, emoji);
                return Some(vec![Effect::React(id, seq, emoji, !is_there)]);
            }
            KeyCode::Backspace | KeyCode::Left | KeyCode::Right => room.selected = None,
            KeyCode::Char(_) => {
                // Whoever goes on writing meant to write.
                room.selected = None;
                return None;
            }
            _ => return None,
        }
        Some(Vec::new())
    }

    fn key_in_text(&mut self, key: KeyEvent) -> Vec<Effect> {
        let width = Layout::of(self).writing_width();
        let control = key.modifiers.contains(KeyModifiers::CONTROL);
        let alt = key.modifiers.contains(KeyModifiers::ALT);
        self.keep_soon();
        let Some(room) = self.shown_mut() else {
            return if key.code == KeyCode::Enter {
                self.opens(Sheet::Help)
            } else {
                Vec::new()
            };
        };
        let compose = &mut room.compose;
        match key.code {
            KeyCode::Enter if alt || key.modifiers.contains(KeyModifiers::SHIFT) => {
                compose.insert("\n");
            }
            KeyCode::Char('j') if control => compose.insert("\n"),
            KeyCode::Enter => return self.enters(),
            KeyCode::Tab => self.completes(),
            KeyCode::Up if !compose.up(width) => {
                room.selected = room.log.message_beside(None, true);
                self.show_selected();
            }
            KeyCode::Down if !compose.down(width) => compose.go(Step::LineEnd),
            KeyCode::Left if control || alt => compose.go(Step::WordLeft),
            KeyCode::Right if control || alt => compose.go(Step::WordRight),
            KeyCode::Left => compose.go(Step::Left),
            KeyCode::Right => compose.go(Step::Right),
            KeyCode::Home => compose.go(Step::LineStart),
            KeyCode::End => compose.go(Step::LineEnd),
            KeyCode::Char('a') if control => compose.go(Step::LineStart),
            KeyCode::Char('e') if control => compose.go(Step::LineEnd),
            KeyCode::Char('b') if alt => compose.go(Step::WordLeft),
            KeyCode::Char('u') if control => compose.delete(Step::LineStart),
            KeyCode::Char('w') if control => compose.delete(Step::WordLeft),
            KeyCode::Backspace if alt || control => compose.delete(Step::WordLeft),
            KeyCode::Char('d') if alt => compose.delete(Step::WordRight),
            KeyCode::Char('d') if control => compose.delete(Step::Right),
            KeyCode::Backspace => compose.delete(Step::Left),
            KeyCode::Delete => compose.delete(Step::Right),
            KeyCode::Char(c) if !control && !alt => {
                compose.insert(c.encode_utf8(&mut [0; 4]));
                return self.types();
            }
            _ => {}
        }
        Vec::new()
    }

    /// The text is done: it is said, or a change, or a command.
    fn enters(&mut self) -> Vec<Effect> {
        let now = self.now;
        let Some(room) = self.shown_mut() else {
            return Vec::new();
        };
        if room.compose.is_blank() {
            return Vec::new();
        }
        let (id, intent) = (room.id, room.intent);
        let is_command = intent == Intent::Say && room.compose.text().starts_with('/');
        let text = room.compose.take();
        if is_command && !text.starts_with("//") {
            return commands::run(self, &text);
        }
        let body = text
            .strip_prefix('/')
            .filter(|_| is_command)
            .unwrap_or(&text)
            .trim_end()
            .to_owned();
        room.intent = Intent::Say;
        room.told_typing = room
            .told_typing
            .filter(|told| now.unix_ms() - told.unix_ms() < TYPING_EVERY_MS);
        let mut effects = Vec::new();
        if room.told_typing.take().is_some() {
            effects.push(Effect::Typing(id, false));
        }
        match intent {
            Intent::Edit(seq) => effects.push(Effect::Edit(id, seq, body)),
            Intent::Say | Intent::Reply(_) | Intent::Thread(_) => {
                effects.extend(self.go_to_end());
                effects.push(self.write(id, body, intent));
            }
        }
        effects
    }

    /// Tells the others that something is being written, unless it is a command.
    fn types(&mut self) -> Vec<Effect> {
        let now = self.now;
        self.keep_soon();
        let Some(room) = self.shown_mut() else {
            return Vec::new();
        };
        let is_recent = |told: Timestamp| now.unix_ms() - told.unix_ms() < TYPING_EVERY_MS;
        if room.compose.text().starts_with('/') || room.told_typing.is_some_and(is_recent) {
            return Vec::new();
        }
        room.told_typing = Some(now);
        vec![Effect::Typing(room.id, true)]
    }

    /// Completes the name or command before the cursor.
    fn completes(&mut self) {
        let Some(room) = self.shown_mut() else { return };
        let text = room.compose.text();
        let word = text
            .rsplit([' ', '\n'])
            .next()
            .unwrap_or_default()
            .to_owned();
        let rest = if let Some(part) = word.strip_prefix('@') {
            let names = room.people.values().map(|(user, _)| user.username.as_str());
            let said = room
                .log
                .latest_first()
                .map(|entry| entry.user.username.as_str());
            let found = names
                .chain(said)
                .find(|name| name.starts_with(part) && !part.is_empty());
            found.map(|name| name[part.len()..].to_owned())
        } else if word.starts_with('/') && word.len() == text.len() {
            let found = commands::NAMES
                .iter()
                .find(|(name, ..)| name.starts_with(&word));
            found.map(|(name, ..)| name[word.len()..].to_owned())
        } else {
            None
        };
        if let Some(rest) = rest {
            room.compose.insert(&format!("{rest} "));
        }
    }

    pub(super) fn opens(&mut self, sheet: Sheet) -> Vec<Effect> {
        self.sheet = Some(sheet);
        Vec::new()
    }

    /// Looks for a word, or asks for one.
    pub(super) fn searches(&mut self, word: String) -> Vec<Effect> {
        let asked = (!word.is_empty()).then(|| word.clone());
        let effects = asked
            .iter()
            .map(|word| Effect::Search(word.clone()))
            .collect();
        self.sheet = Some(Sheet::Search {
            word,
            index: 0,
            asked,
            hits: None,
        });
        effects
    }

    /// One step back: from a message, a change, a reply, or from further up to the end.
    fn escapes(&mut self) -> Vec<Effect> {
        self.notice = None;
        let Some(room) = self.shown_mut() else {
            return Vec::new();
        };
        if room.selected.take().is_some() {
            return Vec::new();
        }
        if room.intent != Intent::Say {
            room.give_up();
            return Vec::new();
        }
        room.new_behind = None;
        self.go_to_end()
    }

    /// Clears what is being written, or else ends the program.
    fn interrupts(&mut self) -> Vec<Effect> {
        let is_blank = self
            .shown()
            .is_none_or(|room| room.compose.is_empty() && room.intent == Intent::Say);
        if is_blank {
            return vec![Effect::Quit];
        }
        if let Some(room) = self.shown_mut() {
            room.give_up();
            room.compose.take();
        }
        Vec::new()
    }
}
