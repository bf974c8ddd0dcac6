//! What of a text the index knows: parts of its words that are short enough to be shared by many, so that
//! a part of a word finds it. A stretch that has every lexeme of what is looked for may hold it; whether a
//! message in it does, its text says.

use std::collections::BTreeSet;

use protocol::{
    RoomId, Timestamp, UserId,
    search::{Has, Wanted},
    text::{Script, Word, words},
};

use super::periods::periods_of;

/// The lexemes of the messages of a stretch. No lexeme has a quote or a space in it.
#[derive(Default)]
pub(super) struct Lexemes(BTreeSet<String>);

impl Lexemes {
    /// Of a stretch of this room.
    pub(super) fn of_room(room: RoomId) -> Self {
        Self(BTreeSet::from([room_lexeme(room)]))
    }

    /// Adds those of one message.
    pub(super) fn add(&mut self, sender: UserId, body: &str, has_files: bool) {
        self.0.insert(sender_lexeme(sender));
        if has_files {
            self.0.insert(FILE.to_owned());
        }
        if has_link(body) {
            self.0.insert(LINK.to_owned());
        }
        for word in words(body) {
            match word.script {
                Script::Letters if word.is_whole() => self.add_parts(&word, word.chars.len()),
                Script::Letters => self.add_parts(&word, 3),
                Script::Signs => {
                    self.add_parts(&word, 1);
                    self.add_parts(&word, 2);
                }
            }
        }
    }

    /// Adds when the stretch ended.
    pub(super) fn end(&mut self, last_at: Timestamp) {
        self.0.extend(periods_of(last_at));
    }

    fn add_parts(&mut self, word: &Word, length: usize) {
        self.0.extend(parts(word, length));
    }

    /// All of them, with spaces between.
    pub(super) fn joined(&self) -> String {
        self.0
            .iter()
            .map(String::as_str)
            .collect::<Vec<_>>()
            .join(" ")
    }
}

/// The lexemes that a stretch must have in which `wanted` is to be found, in one room or in any.
pub(super) fn asked(wanted: &Wanted, room: Option<RoomId>) -> BTreeSet<String> {
    let mut asked = BTreeSet::new();
    for word in wanted.words.iter().flat_map(protocol::text::Words::iter) {
        let length = match word.script {
            Script::Letters => word.chars.len().min(3),
            Script::Signs => word.chars.len().min(2),
        };
        asked.extend(parts(word, length));
    }
    asked.extend(room.map(room_lexeme));
    asked.extend(wanted.sender.map(sender_lexeme));
    let has = wanted.has.map(|has| match has {
        Has::File => FILE,
        Has::Link => LINK,
    });
    asked.extend(has.map(str::to_owned));
    asked
}

/// Whether a text has a link in it.
pub(super) fn has_link(body: &str) -> bool {
    let bytes = body.as_bytes();
    body.match_indices("://").any(|(end, _)| {
        [b"http".as_slice(), b"https"].iter().any(|scheme| {
            end.checked_sub(scheme.len())
                .is_some_and(|start| bytes[start..end].eq_ignore_ascii_case(scheme))
        })
    })
}

/// Longer than any part of a word.
const LINK: &str = "link";
const FILE: &str = "file";

fn room_lexeme(room: RoomId) -> String {
    format!("r{}", room.uuid().simple())
}

fn sender_lexeme(sender: UserId) -> String {
    format!("u{}", sender.uuid().simple())
}

fn parts(word: &Word, length: usize) -> impl Iterator<Item = String> {
    word.chars
        .windows(length)
        .map(|part| part.iter().collect::<String>())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use protocol::text::Words;

    use super::*;

    proptest! {
        /// A message that has the words is in a stretch that has the lexemes, whatever the text.
        #[test]
        fn a_stretch_has_the_lexemes_of_what_is_found_in_it(
            body in "\\PC{1,40}", from in 0_usize..40, length in 1_usize..12,
        ) {
            let part: String = body.chars().skip(from).take(length).collect();
            if let Ok(found) = Words::parse(&part) {
                let mut lexemes = Lexemes::default();
                lexemes.add(UserId::from_uuid(uuid::Uuid::nil()), &body, false);
                let wanted = Wanted { words: Some(found.clone()), ..Wanted::default() };
                let is_found = found.find(&body).is_some();
                prop_assert!(!is_found || asked(&wanted, None).is_subset(&lexemes.0));
            }
        }
    }

    #[test]
    fn links_are_seen_whatever_their_case() {
        assert!(has_link("see HTTPS://example.com"));
        assert!(!has_link("see ftp://example.com or http:/"));
    }
}
