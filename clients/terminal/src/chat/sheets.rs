//! Keys on what lies over the conversation: help, going to a room, finding one, searching, and being sure.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use protocol::RoomId;

use super::{
    happening::Effect,
    room::Room,
    state::{Chat, Sheet, Sure},
};

impl Sheet {
    /// What is written on it.
    pub(super) fn word(&mut self) -> Option<&mut String> {
        match self {
            Self::Go { word, .. }
            | Self::Find { word, .. }
            | Self::Search { word, .. }
            | Self::Password { word, .. } => Some(word),
            Self::Help | Self::Sure(_) => None,
        }
    }

    fn index(&mut self) -> Option<&mut usize> {
        match self {
            Self::Go { index, .. } | Self::Find { index, .. } | Self::Search { index, .. } => {
                Some(index)
            }
            Self::Help | Self::Sure(_) | Self::Password { .. } => None,
        }
    }
}

impl Chat {
    pub(super) fn key_on_sheet(&mut self, key: KeyEvent) -> Vec<Effect> {
        let control = key.modifiers.contains(KeyModifiers::CONTROL);
        if key.code == KeyCode::Esc || (control && key.code == KeyCode::Char('c')) {
            self.sheet = None;
            return Vec::new();
        }
        let Some(sheet) = &mut self.sheet else {
            return Vec::new();
        };
        if let Sheet::Sure(sure) = sheet {
            let sure = sure.clone();
            self.sheet = None;
            return if key.code == KeyCode::Char('y') {
                self.is_sure(&sure)
            } else {
                Vec::new()
            };
        }
        match key.code {
            KeyCode::Up => step(sheet, -1),
            KeyCode::Down => step(sheet, 1),
            KeyCode::Char('p') if control => step(sheet, -1),
            KeyCode::Char('n') if control => step(sheet, 1),
            KeyCode::Enter => return self.takes(),
            KeyCode::Char('u') if control => return self.rewrites(String::clear),
            KeyCode::Backspace => return self.rewrites(shorten),
            KeyCode::Char(c) if !control && sheet.word().is_some() => {
                return self.rewrites(|word| word.push(c));
            }
            // Help is closed by whatever comes next.
            _ if matches!(sheet, Sheet::Help) => self.sheet = None,
            _ => {}
        }
        self.bound();
        Vec::new()
    }

    /// The rooms whose names have the letters of a word in their order, unread ones first.
    pub(super) fn matching(&self, word: &str) -> Vec<&Room> {
        let rooms = self.order.iter().filter_map(|id| self.rooms.get(id));
        let mut found: Vec<_> = rooms.filter(|room| has_letters(&room.name, word)).collect();
        let key = word.to_lowercase();
        found.sort_by_key(|room| {
            let is_prefix = !key.is_empty() && room.name.to_lowercase().starts_with(&key);
            (!is_prefix, room.unread == 0)
        });
        found
    }

    /// What is written on the sheet changes, and with it what is asked.
    fn rewrites(&mut self, change: impl FnOnce(&mut String)) -> Vec<Effect> {
        let Some(sheet) = &mut self.sheet else {
            return Vec::new();
        };
        if let Some(word) = sheet.word() {
            change(word);
        }
        match sheet {
            Sheet::Go { index, .. } => *index = 0,
            Sheet::Find { word, index, .. } => {
                *index = 0;
                return vec![Effect::FindRooms(word.clone())];
            }
            Sheet::Search { asked, hits, .. } => (*asked, *hits) = (None, None),
            _ => {}
        }
        Vec::new()
    }

    /// What is chosen on the sheet is taken.
    fn takes(&mut self) -> Vec<Effect> {
        match self.sheet.take() {
            Some(Sheet::Go { word, index }) => {
                let chosen = self.matching(&word).get(index).map(|room| room.id);
                match chosen {
                    Some(id) => self.enter(id),
                    None => self.finds(word),
                }
            }
            Some(Sheet::Find { word, index, rooms }) => {
                let chosen = rooms.as_ref().and_then(|rooms| rooms.get(index)).cloned();
                let Some(room) = chosen else {
                    self.sheet = Some(Sheet::Find { word, index, rooms });
                    return Vec::new();
                };
                if self.rooms.contains_key(&room.id) {
                    return self.enter(room.id);
                }
                if room.has_password {
                    let (room, name) = (room.id, room.name);
                    return self.opens(Sheet::Password {
                        room,
                        name,
                        word: String::new(),
                    });
                }
                vec![Effect::Join(room.id, None)]
            }
            Some(Sheet::Password { room, word, .. }) => vec![Effect::Join(room, Some(word))],
            Some(Sheet::Search {
                word, index, hits, ..
            }) => {
                let chosen = hits.as_ref().and_then(|hits| hits.get(index));
                match chosen.map(|hit| (hit.room.id, hit.message.seq)) {
                    Some((room, seq)) => {
                        let mut effects = self.enter(room);
                        effects.extend(self.jump(seq));
                        effects
                    }
                    None if word.trim().is_empty() => Vec::new(),
                    None => self.searches(word),
                }
            }
            Some(Sheet::Help | Sheet::Sure(_)) | None => Vec::new(),
        }
    }

    /// Shows rooms that anyone may find.
    pub(super) fn finds(&mut self, word: String) -> Vec<Effect> {
        self.sheet = Some(Sheet::Find {
            word: word.clone(),
            index: 0,
            rooms: None,
        });
        vec![Effect::FindRooms(word)]
    }

    fn is_sure(&mut self, sure: &Sure) -> Vec<Effect> {
        match sure {
            Sure::Delete(room, seq) => {
                if let Some(room) = self.rooms.get_mut(room) {
                    room.selected = None;
                }
                vec![Effect::Delete(*room, *seq)]
            }
            Sure::Leave(room) => vec![Effect::Leave(*room)],
        }
    }

    /// Keeps the choice within what there is to choose from.
    fn bound(&mut self) {
        let count = match &self.sheet {
            Some(Sheet::Go { word, .. }) => self.matching(word).len(),
            Some(Sheet::Find { rooms, .. }) => rooms.as_ref().map_or(0, Vec::len),
            Some(Sheet::Search { hits, .. }) => hits.as_ref().map_or(0, Vec::len),
            _ => 0,
        };
        if let Some(index) = self.sheet.as_mut().and_then(Sheet::index) {
            *index = (*index).min(count.saturating_sub(1));
        }
    }

    /// The name of a room.
    pub(super) fn name_of(&self, room: RoomId) -> &str {
        self.rooms.get(&room).map_or("this room", |room| &room.name)
    }
}

fn shorten(word: &mut String) {
    word.pop();
}

fn step(sheet: &mut Sheet, by: isize) {
    if let Some(index) = sheet.index() {
        *index = index.saturating_add_signed(by);
    }
}

/// Whether a name has the letters of a word in their order.
fn has_letters(name: &str, word: &str) -> bool {
    let name = name.to_lowercase();
    let mut rest = name.chars();
    word.to_lowercase()
        .chars()
        .all(|letter| rest.any(|c| c == letter))
}
