//! The one emoji that somebody reacts with.

use std::fmt;

use serde::Serialize;
use unicode_properties::{EmojiStatus, UnicodeEmoji, emoji};
use utoipa::ToSchema;

use crate::Violation;

/// One emoji as people see it, which may be several characters: a flag, a family, a hand of some colour.
/// What has a plain and a colourful form is kept in the colourful one, so that the two are one emoji.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, ToSchema)]
#[serde(transparent)]
pub struct Emoji(String);

/// Longer than the longest that is in use, a family of four in colours.
const MAX_BYTES: usize = 64;

const JOINER: char = '\u{200D}';
const IN_COLOUR: char = '\u{FE0F}';
const KEYCAP: char = '\u{20E3}';
const LAST_TAG: char = '\u{E007F}';

impl Emoji {
    /// # Errors
    /// What is wrong with it: anything but one emoji is `invalid`.
    pub fn parse(raw: &str) -> Result<Self, Violation> {
        if raw.is_empty() {
            return Err(Violation::TooShort);
        }
        if raw.len() > MAX_BYTES {
            return Err(Violation::TooLong);
        }
        let mut elements = raw.split(JOINER);
        let first = elements.next().and_then(Element::of);
        let first = first.ok_or(Violation::Invalid)?;
        if !elements.all(|element| Element::of(element).is_some()) {
            return Err(Violation::Invalid);
        }
        match first {
            Element::Colourful => Ok(Self(raw.to_owned())),
            // A digit alone is a digit, and a heart alone a heart without its colour.
            Element::Plain if raw.is_ascii() => Err(Violation::Invalid),
            Element::Plain => {
                let mut text = raw.to_owned();
                text.insert(raw.chars().next().map_or(0, char::len_utf8), IN_COLOUR);
                Ok(Self(text))
            }
        }
    }

    /// The emoji.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Emoji {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What stands between two joiners, as Unicode's technical standard 51 builds emoji.
enum Element {
    /// It shows as an emoji.
    Colourful,
    /// It is one that shows as text unless asked otherwise.
    Plain,
}

impl Element {
    fn of(text: &str) -> Option<Self> {
        let mut characters = text.chars();
        let base = characters.next()?;
        if emoji::is_regional_indicator(base) {
            let second = characters
                .next()
                .filter(|c| emoji::is_regional_indicator(*c));
            return (second.is_some() && characters.next().is_none()).then_some(Self::Colourful);
        }
        if !base.is_emoji_char() {
            return None;
        }
        let rest: Vec<char> = characters.collect();
        match rest.as_slice() {
            [] if shows_as_emoji(base) => Some(Self::Colourful),
            [] => Some(Self::Plain),
            [IN_COLOUR] if !base.is_ascii() => Some(Self::Colourful),
            [IN_COLOUR, KEYCAP] if base.is_ascii() => Some(Self::Colourful),
            [modifier] if is_modifier(*modifier) && !base.is_ascii() => Some(Self::Colourful),
            [tags @ .., LAST_TAG] if !tags.is_empty() => {
                let all = tags
                    .iter()
                    .all(|tag| emoji::is_tag_character(*tag) && *tag != LAST_TAG);
                (all && shows_as_emoji(base)).then_some(Self::Colourful)
            }
            _ => None,
        }
    }
}

fn shows_as_emoji(character: char) -> bool {
    matches!(
        character.emoji_status(),
        EmojiStatus::EmojiPresentation
            | EmojiStatus::EmojiPresentationAndModifierBase
            | EmojiStatus::EmojiPresentationAndEmojiComponent
            | EmojiStatus::EmojiPresentationAndModifierAndEmojiComponent
    )
}

/// A colour of skin.
const fn is_modifier(character: char) -> bool {
    matches!(character, '\u{1F3FB}'..='\u{1F3FF}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_emoji_of_any_make_is_one() {
        for text in ["👍", "👍🏽", "🇩🇪", "👨‍👩‍👧‍👦", "🏴󠁧󠁢󠁥󠁮󠁧󠁿", "1️⃣", "❤️", "🏳️‍🌈", "🤷🏿‍♀️", "©️"]
        {
            assert_eq!(Emoji::parse(text).unwrap().as_str(), text);
        }
    }

    #[test]
    fn a_plain_form_is_the_colourful_one() {
        assert_eq!(Emoji::parse("\u{2764}"), Emoji::parse("\u{2764}\u{FE0F}"));
    }

    #[test]
    fn nothing_else_is() {
        for text in [
            "",
            "a",
            "1",
            "#",
            "👍👍",
            "👍 ",
            ":+1:",
            "👍\u{301}",
            "\u{200D}",
            "👍\u{200D}",
            "🇩",
            "1\u{FE0F}",
        ] {
            assert!(Emoji::parse(text).is_err(), "{text:?}");
        }
        assert_eq!(
            Emoji::parse(&"👍\u{200D}".repeat(20)),
            Err(Violation::TooLong)
        );
    }
}
