//! Breaking text into rows of a width, by what is seen: combined characters stay together and wide ones
//! count twice.

use std::ops::Range;

use unicode_segmentation::UnicodeSegmentation as _;
use unicode_width::UnicodeWidthStr as _;

/// The rows of a text, as places in it. Breaks behind spaces where it can; spaces that do not fit hang
/// over the end of their row.
pub(super) fn wrap(text: &str, width: usize) -> Vec<Range<usize>> {
    let mut rows = Vec::new();
    let mut start = 0;
    for line in text.split('\n') {
        wrap_line(line, start, width.max(1), &mut rows);
        start += line.len() + 1;
    }
    rows
}

fn wrap_line(line: &str, offset: usize, width: usize, rows: &mut Vec<Range<usize>>) {
    let (mut row, mut used) = (0, 0);
    let mut space_ends = None;
    for (at, grapheme) in line.grapheme_indices(true) {
        let is_space = grapheme == " ";
        if used + grapheme.width() > width && !is_space && at > row {
            let cut = space_ends.take().unwrap_or(at);
            rows.push(offset + row..offset + cut);
            row = cut;
            used = line[row..at].width();
        }
        used += grapheme.width();
        if is_space {
            space_ends = Some(at + 1);
        }
    }
    rows.push(offset + row..offset + line.len());
}

/// As much of a text as fits, with an ellipsis for the rest.
pub(super) fn fit(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let mut fitted = String::new();
    let mut used = 1;
    for grapheme in text.graphemes(true) {
        used += grapheme.width();
        if used > width {
            break;
        }
        fitted.push_str(grapheme);
    }
    if width > 0 {
        fitted.push('…');
    }
    fitted
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(text: &str, width: usize) -> Vec<&str> {
        wrap(text, width)
            .into_iter()
            .map(|row| &text[row])
            .collect()
    }

    #[test]
    fn breaks_behind_spaces_and_inside_what_has_none() {
        assert_eq!(rows("", 5), [""]);
        assert_eq!(rows("one two three", 8), ["one two ", "three"]);
        assert_eq!(rows("abcdefgh", 3), ["abc", "def", "gh"]);
        assert_eq!(rows("a\n\nb", 3), ["a", "", "b"]);
        assert_eq!(rows("日本語です", 4), ["日本", "語で", "す"]);
        assert_eq!(
            rows("e\u{301}e\u{301}e\u{301}", 2),
            ["e\u{301}e\u{301}", "e\u{301}"]
        );
        assert_eq!(rows("ab      cd", 4), ["ab      ", "cd"]);
    }

    #[test]
    fn nothing_is_lost_between_rows() {
        let text = "The quick  brown fox—jumps\nover 13 lazy dogs 🐕‍🦺 ";
        for width in 1..30 {
            let all: String = wrap(text, width)
                .into_iter()
                .map(|row| &text[row])
                .collect();
            assert_eq!(all, text.replace('\n', ""));
        }
    }

    #[test]
    fn what_does_not_fit_is_told_by_an_ellipsis() {
        assert_eq!(fit("Coffee", 6), "Coffee");
        assert_eq!(fit("Coffee", 5), "Coff…");
        assert_eq!(fit("日本語", 4), "日…");
        assert_eq!(fit("x", 0), "");
    }
}
