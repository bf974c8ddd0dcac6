//! Mentions: whom a text calls by `@name`. Who of them is a member of the room, only the store knows.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::UserId;

/// Somebody whom a message calls.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Mention {
    /// Who; left out where everybody is called by `@room`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<UserId>,
    /// The name by which they are called, without the `@`; `room` for everybody.
    pub username: String,
}

/// The name that calls everybody. Nobody can have it.
pub const EVERYBODY: &str = "room";

/// A text calls at most so many; further names are text.
pub const MAX_NAMES: usize = 50;

/// The names that a text calls, in lower case and each once; code calls nobody. A name that ends like a
/// sentence is there with its end and without.
///
/// ```
/// let names = protocol::mentions::names("@Ada: is `@bob` there, a@b.org?");
/// assert_eq!(names.into_iter().collect::<Vec<_>>(), ["ada"]);
/// ```
pub fn names(text: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    if !text.contains('@') {
        return names;
    }
    for prose in prose(text) {
        for (start, _) in prose.match_indices('@') {
            if names.len() >= MAX_NAMES {
                return names;
            }
            let before = prose[..start].chars().next_back();
            if before.is_some_and(|c| c.is_alphanumeric() || "_.-@/".contains(c)) {
                continue;
            }
            let rest = &prose[start + 1..];
            let end = rest.find(|c: char| !is_of_name(c)).unwrap_or(rest.len());
            // What follows makes it a part of another word, or of an address.
            let after = rest[end..].chars().next();
            if after.is_some_and(|c| c.is_alphanumeric() || c == '@') {
                continue;
            }
            let name = rest[..end].to_ascii_lowercase();
            let bare = name.trim_end_matches(['.', '-']);
            for form in [bare, name.as_str()] {
                if !form.is_empty() {
                    names.insert(form.to_owned());
                }
            }
        }
    }
    names
}

const fn is_of_name(character: char) -> bool {
    character.is_ascii_alphanumeric() || matches!(character, '_' | '.' | '-')
}

/// What of a text is not code, as Markdown marks it: fenced blocks and spans between equal runs of `` ` ``.
fn prose(text: &str) -> Vec<&str> {
    let mut prose = Vec::new();
    let mut fence: Option<&str> = None;
    let mut start = 0;
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        let mark = fence_of(line);
        match (fence, mark) {
            (None, Some(open)) => {
                spans(&text[start..at], &mut prose);
                fence = Some(open);
            }
            (Some(open), Some(mark)) if closes(open, mark, line) => {
                fence = None;
                start = at + line.len();
            }
            _ => {}
        }
        at += line.len();
    }
    if fence.is_none() {
        spans(&text[start..], &mut prose);
    }
    prose
}

/// The run of at least three `` ` `` or `~` that a line begins with.
fn fence_of(line: &str) -> Option<&str> {
    let trimmed = line.trim_start_matches(' ');
    let mark = trimmed.chars().next().filter(|c| matches!(c, '`' | '~'))?;
    let run = &trimmed[..trimmed.len() - trimmed.trim_start_matches(mark).len()];
    let is_span = mark == '`' && trimmed[run.len()..].contains('`');
    (run.len() >= 3 && line.len() - trimmed.len() <= 3 && !is_span).then_some(run)
}

fn closes(open: &str, mark: &str, line: &str) -> bool {
    mark.starts_with(open)
        && line
            .trim_start()
            .trim_start_matches(&open[..1])
            .trim()
            .is_empty()
}

/// Adds what stands outside of the code spans of a stretch without fences.
fn spans<'a>(text: &'a str, prose: &mut Vec<&'a str>) {
    let mut rest = text;
    while let Some(start) = rest.find('`') {
        let run = rest[start..].len() - rest[start..].trim_start_matches('`').len();
        let inside = &rest[start + run..];
        prose.push(&rest[..start]);
        match end_of_span(inside, run) {
            Some(end) => rest = &inside[end + run..],
            // Nothing closes it, so that it is text.
            None => rest = inside,
        }
    }
    prose.push(rest);
}

/// Where a run of exactly `length` marks begins.
fn end_of_span(text: &str, length: usize) -> Option<usize> {
    let mut at = 0;
    while let Some(found) = text[at..].find('`') {
        let start = at + found;
        let run = text[start..].len() - text[start..].trim_start_matches('`').len();
        if run == length {
            return Some(start);
        }
        at = start + run;
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &[&str]) {
        let found: Vec<String> = names(text).into_iter().collect();
        assert_eq!(found, expected, "{text:?}");
    }

    #[test]
    fn names_are_found_where_people_write_them() {
        check("@ada", &["ada"]);
        check("Hi @Ada, and (@bob)!", &["ada", "bob"]);
        check("tea, @ada.", &["ada", "ada."]);
        check("@a.b_c-d", &["a.b_c-d"]);
        check("@room: tea", &["room"]);
        check("**@ada** said\n@bob", &["ada", "bob"]);
    }

    #[test]
    fn addresses_and_paths_call_nobody() {
        check("ada@example.com", &[]);
        check("https://example.com/@ada", &[]);
        check("@ada@example.com", &[]);
        check("@ and @@", &[]);
        check("@ädä", &[]);
    }

    #[test]
    fn code_calls_nobody() {
        check("`@ada`", &[]);
        check("``a ` @ada`` @bob", &["bob"]);
        check("a ` @ada", &["ada"]);
        check("```\n@ada\n```\n@bob", &["bob"]);
        check("~~~ruby\n@ada\n```\n@eve\n~~~\n@bob", &["bob"]);
        check("```\n@ada", &[]);
        check("```@ada``` @bob", &["bob"]);
    }

    #[test]
    fn a_text_calls_no_more_than_so_many() {
        let text: String = (0..500).map(|n| format!("@user{n} ")).collect();
        assert_eq!(names(&text).len(), MAX_NAMES);
    }

    proptest! {
        #[test]
        fn nothing_makes_it_panic(text in "[@`~ \\na.é]{0,60}") {
            names(&text);
        }
    }
}
