//! Text that people choose, checked once at the edge: after normalisation, against the limits.
//!
//! Every type here can only be made by its `parse`, so whoever holds one need not look again.

mod account;
mod emoji;
mod message;
mod room;
mod words;

pub use account::{DisplayName, EmailAddress, Password, Username, is_reserved};
pub use emoji::Emoji;
pub use message::{ClientId, Label, MessageBody, Reason};
pub use room::{InviteCode, RoomName, RoomPassword, Topic};
pub use words::{Script, Word, Words, words};

use unicode_normalization::UnicodeNormalization;

use crate::Violation;

/// Trimmed and in Unicode's compatibility form, so that what looks alike is alike.
fn normalised(raw: &str) -> String {
    raw.trim().nfkc().collect::<String>().trim().to_owned()
}

/// As [`normalised`], and without the difference of cases.
fn folded(raw: &str) -> String {
    let folded = caseless::default_case_fold_str(&normalised(raw));
    folded.nfkc().collect()
}

/// Whether a name that holds this could pass for another, or change how its neighbours show.
fn is_deceptive(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{00AD}' | '\u{061C}' | '\u{180E}' | '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}'
            | '\u{2060}'..='\u{206F}' | '\u{FEFF}' | '\u{FFF9}'..='\u{FFFB}' | '\u{E0000}'..='\u{E007F}')
}

/// Checks the length of `text` in characters.
fn within(text: &str, min_chars: usize, max_chars: usize) -> Result<(), Violation> {
    let chars = text.chars().count();
    if chars < min_chars {
        Err(Violation::TooShort)
    } else if chars > max_chars {
        Err(Violation::TooLong)
    } else {
        Ok(())
    }
}

/// Checks what names are searched for: none has a control character, and not every store takes one.
pub(crate) fn searchable(raw: &str) -> Result<(), Violation> {
    if raw.chars().any(char::is_control) {
        Err(Violation::ControlCharacters)
    } else {
        Ok(())
    }
}

/// One line of text that names or describes something.
fn line(raw: &str, min_chars: usize, max_chars: usize) -> Result<String, Violation> {
    let text = normalised(raw);
    within(&text, min_chars, max_chars)?;
    if text.chars().any(is_deceptive) {
        return Err(Violation::ControlCharacters);
    }
    Ok(text)
}
