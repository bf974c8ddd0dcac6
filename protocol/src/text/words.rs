//! The words of a text, as a search compares them: without the difference of cases, and told apart by
//! how they are written. It knows no index.

use std::fmt;

use unicode_normalization::char::is_combining_mark;

use crate::Violation;

/// Most characters of what is looked for.
const MOST_CHARS: usize = 256;

/// A piece of text without a gap: letters and digits, or signs.
#[derive(Clone, PartialEq, Eq)]
pub struct Word {
    /// Its characters, folded.
    pub chars: Vec<char>,
    /// How it is written.
    pub script: Script,
}

/// How a word is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Script {
    /// Letters and digits, with gaps between the words.
    Letters,
    /// Ideographs, kana, hangul, emoji: each sign says something, and no gaps part the words.
    Signs,
}

impl Word {
    /// Whether it is looked for only as a whole word: one or two letters are in nearly every text.
    pub fn is_whole(&self) -> bool {
        self.script == Script::Letters && self.chars.len() < 3
    }
}

/// Shows the length only: what is looked for is often what was written.
impl fmt::Debug for Word {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Word({} characters)", self.chars.len())
    }
}

/// What somebody looks for: every one of these words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Words(Vec<Word>);

impl Words {
    /// # Errors
    /// [`Violation::TooLong`], and [`Violation::TooShort`] for a text without a word.
    pub fn parse(raw: &str) -> Result<Self, Violation> {
        if raw.chars().count() > MOST_CHARS {
            return Err(Violation::TooLong);
        }
        let mut found = words(raw);
        if found.is_empty() {
            return Err(Violation::TooShort);
        }
        let mut known = Vec::with_capacity(found.len());
        found.retain(|word| {
            let is_new = !known.contains(word);
            known.push(word.clone());
            is_new
        });
        Ok(Self(found))
    }

    /// Each of them once.
    pub fn iter(&self) -> impl Iterator<Item = &Word> {
        self.0.iter()
    }

    /// Where in `text` the first of the words stands, counted in characters, if it has all of them.
    pub fn find(&self, text: &str) -> Option<usize> {
        let folded: Vec<char> = text.chars().map(fold).collect();
        let places = self.0.iter().map(|word| place_of(word, &folded));
        places.collect::<Option<Vec<usize>>>()?.into_iter().min()
    }
}

/// Every word of a text, in order.
pub fn words(text: &str) -> Vec<Word> {
    let mut words: Vec<Word> = Vec::new();
    let mut goes_on = false;
    for c in text.chars() {
        let Some(script) = script(c) else {
            goes_on = false;
            continue;
        };
        match words.last_mut() {
            Some(word) if goes_on && word.script == script => word.chars.push(fold(c)),
            _ => words.push(Word {
                chars: vec![fold(c)],
                script,
            }),
        }
        goes_on = true;
    }
    words
}

fn place_of(word: &Word, folded: &[char]) -> Option<usize> {
    let is_letter = |place: Option<usize>| {
        place
            .and_then(|place| folded.get(place))
            .is_some_and(|c| script(*c) == Some(Script::Letters))
    };
    let length = word.chars.len();
    folded.windows(length).enumerate().find_map(|(at, window)| {
        let is_it = window == word.chars
            && !(word.is_whole() && (is_letter(at.checked_sub(1)) || is_letter(Some(at + length))));
        is_it.then_some(at)
    })
}

/// One character for one, so that places in the folded text are places in the text; what is not ASCII
/// never becomes it, so that a database that folds only ASCII finds no less.
fn fold(c: char) -> char {
    if c.is_ascii() {
        return c.to_ascii_lowercase();
    }
    let mut lower = c.to_lowercase();
    match (lower.next(), lower.next()) {
        (Some(lower), None) if !lower.is_ascii() => lower,
        _ => c,
    }
}

fn script(c: char) -> Option<Script> {
    if c.is_ascii() {
        return c.is_ascii_alphanumeric().then_some(Script::Letters);
    }
    let is_sign = matches!(c,
        // Arrows, symbols, dingbats; ideographs, kana and hangul; emoji.
        '\u{2190}'..='\u{2bff}'
        | '\u{3005}'..='\u{3007}' | '\u{3040}'..='\u{30ff}' | '\u{31f0}'..='\u{31ff}'
        | '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}' | '\u{ac00}'..='\u{d7a3}'
        | '\u{f900}'..='\u{faff}' | '\u{ff66}'..='\u{ff9d}'
        | '\u{1f000}'..='\u{1faff}' | '\u{20000}'..='\u{3ffff}');
    if is_sign {
        Some(Script::Signs)
    } else {
        (c.is_alphanumeric() || is_combining_mark(c)).then_some(Script::Letters)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finds(looked_for: &str, text: &str) -> bool {
        Words::parse(looked_for).unwrap().find(text).is_some()
    }

    #[test]
    fn every_word_must_be_there_in_any_order_and_case() {
        assert!(finds("tea GREEN", "Green leaves make green TEA"));
        assert!(!finds("tea green", "black tea"));
        assert!(finds("straße ÄRGER", "Ärger auf der STRAßE"));
    }

    #[test]
    fn a_part_of_a_word_finds_it_but_one_or_two_letters_are_words() {
        assert!(finds("eetin", "the meeting"));
        assert!(!finds("me", "the meeting"));
        assert!(finds("me", "call me, please"));
        assert!(finds("c++", "I like C"));
    }

    #[test]
    fn signs_stand_alone() {
        assert!(finds("京", "今日は東京にいます"));
        assert!(finds("東京", "今日は東京にいます"));
        assert!(!finds("京東", "今日は東京にいます"));
        assert!(finds("🎉", "done🎉"));
        assert!(finds("iOS東京", "東京 and iOS"));
    }

    #[test]
    fn what_has_no_word_looks_for_nothing() {
        assert_eq!(Words::parse(" -> !"), Err(Violation::TooShort));
        assert_eq!(Words::parse(""), Err(Violation::TooShort));
        assert_eq!(Words::parse(&"a".repeat(257)), Err(Violation::TooLong));
    }

    #[test]
    fn places_count_characters_of_the_text_itself() {
        let words = Words::parse("tea").unwrap();
        assert_eq!(words.find("İİ — Tea?"), Some(5));
    }
}
