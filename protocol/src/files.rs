//! Files that people attach to messages: what is said of one, and how it may be called.

use std::fmt;

use serde::{Deserialize, Serialize};
use unicode_normalization::UnicodeNormalization;
use utoipa::ToSchema;

use crate::FileId;

/// A file, uploaded or attached to a message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct File {
    /// The file.
    pub id: FileId,
    /// What its sender calls it.
    pub name: String,
    /// Its media type, by its content.
    pub mime: String,
    /// Its size in bytes.
    pub size: u64,
    /// Pixels from left to right, of an image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub width: Option<u32>,
    /// Pixels from top to bottom, of an image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub height: Option<u32>,
}

/// What a file is called: one line without a path, fit to be saved under. No name is refused: what does not
/// belong in one is left out.
#[derive(Clone, PartialEq, Eq)]
pub struct FileName(String);

/// What most file systems take.
const NAME_MAX_BYTES: usize = 255;
const NAMELESS: &str = "file";

impl FileName {
    /// The name that is left of what a client calls a file.
    pub fn of(raw: &str) -> Self {
        let last = raw.rsplit(['/', '\\']).next().unwrap_or_default();
        let plain: String = last.nfc().filter(|c| !is_misleading(*c)).collect();
        // A leading dot hides a file, a trailing one is lost on some systems.
        let plain = plain.trim_matches(|c: char| c.is_whitespace() || c == '.');
        let short = shortened(plain);
        if short.is_empty() {
            Self(NAMELESS.to_owned())
        } else {
            Self(short)
        }
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for FileName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FileName({} bytes)", self.0.len())
    }
}

/// Whether it is not seen, or changes how what follows is seen: `gpj.exe` must not look like `exe.jpg`.
fn is_misleading(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// Cut in the middle, so that it still ends in what tells its kind.
fn shortened(name: &str) -> String {
    if name.len() <= NAME_MAX_BYTES {
        return name.to_owned();
    }
    let end = match name.rfind('.') {
        Some(dot) if name.len() - dot <= 16 => &name[dot..],
        _ => "",
    };
    let mut length = NAME_MAX_BYTES - end.len();
    while !name.is_char_boundary(length) {
        length -= 1;
    }
    format!("{}{end}", &name[..length])
}

#[cfg(test)]
mod tests {
    use super::FileName;

    #[test]
    fn a_name_is_a_name_and_no_path() {
        for (raw, name) in [
            ("Tea.pdf", "Tea.pdf"),
            ("../../etc/passwd", "passwd"),
            (r"C:\Users\ada\Tea.pdf", "Tea.pdf"),
            ("..", "file"),
            ("", "file"),
            (".bashrc", "bashrc"),
            ("a\u{202e}gpj.exe", "agpj.exe"),
            ("a\r\nSet-Cookie: b", "aSet-Cookie: b"),
            ("Tee\u{301}.txt", "Te\u{e9}.txt"),
            (" \u{5bff}\u{53f8}.png ", "\u{5bff}\u{53f8}.png"),
        ] {
            assert_eq!(FileName::of(raw).as_str(), name, "{raw:?}");
        }
    }

    #[test]
    fn a_long_name_keeps_its_end() {
        let name = FileName::of(&format!("{}.jpeg", "\u{5bff}".repeat(200)));
        assert!(name.as_str().len() <= 255);
        assert!(name.as_str().ends_with("\u{5bff}.jpeg"));
    }
}
