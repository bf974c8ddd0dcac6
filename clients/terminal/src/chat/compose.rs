//! The text that is being written: several lines and a cursor that stands between whole characters.
//! It knows no keys.

use std::ops::Range;

use unicode_segmentation::UnicodeSegmentation as _;
use unicode_width::UnicodeWidthStr as _;

use super::wrap::wrap;

/// A text and a cursor in it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Compose {
    text: String,
    /// Before which byte the cursor stands.
    cursor: usize,
}

/// A step of the cursor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Left,
    Right,
    WordLeft,
    WordRight,
    LineStart,
    LineEnd,
}

impl Compose {
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    pub(super) fn is_blank(&self) -> bool {
        self.text.trim().is_empty()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// Takes the text out.
    pub(super) fn take(&mut self) -> String {
        self.cursor = 0;
        std::mem::take(&mut self.text)
    }

    /// Puts in what is typed or pasted; what no message may have is left out.
    pub(super) fn insert(&mut self, text: &str) {
        let text = text.replace("\r\n", "\n").replace('\r', "\n");
        let text: String = text
            .chars()
            .filter(|c| !c.is_control() || matches!(c, '\n' | '\t'))
            .collect();
        self.text.insert_str(self.cursor, &text);
        self.cursor += text.len();
    }

    pub(super) fn go(&mut self, step: Step) {
        self.cursor = self.target(step);
    }

    /// Deletes from the cursor to where a step would lead.
    pub(super) fn delete(&mut self, step: Step) {
        let target = self.target(step);
        let range = target.min(self.cursor)..target.max(self.cursor);
        self.cursor = range.start;
        self.text.replace_range(range, "");
    }

    fn target(&self, step: Step) -> usize {
        let (before, after) = self.text.split_at(self.cursor);
        match step {
            Step::Left => before
                .grapheme_indices(true)
                .next_back()
                .map_or(0, |(at, _)| at),
            Step::Right => self.cursor + after.graphemes(true).next().map_or(0, str::len),
            Step::WordLeft => {
                let word = before.unicode_word_indices().next_back();
                word.map_or(0, |(at, _)| at)
            }
            Step::WordRight => {
                let word = after.unicode_word_indices().next();
                word.map_or(self.text.len(), |(at, word)| self.cursor + at + word.len())
            }
            Step::LineStart => before.rfind('\n').map_or(0, |at| at + 1),
            Step::LineEnd => after
                .find('\n')
                .map_or(self.text.len(), |at| self.cursor + at),
        }
    }

    /// Goes up by a row of a text that is wrapped at `width`; answers whether there was one.
    pub(super) fn up(&mut self, width: usize) -> bool {
        let (rows, row, column) = self.place(width);
        if row == 0 {
            return false;
        }
        self.cursor = self.at_column(&rows[row - 1], column);
        true
    }

    /// Goes down by a row; answers whether there was one.
    pub(super) fn down(&mut self, width: usize) -> bool {
        let (rows, row, column) = self.place(width);
        match rows.get(row + 1) {
            Some(below) => {
                self.cursor = self.at_column(below, column);
                true
            }
            None => false,
        }
    }

    /// The rows at a width, and the row and column of the cursor.
    pub(super) fn place(&self, width: usize) -> (Vec<Range<usize>>, usize, usize) {
        let rows = wrap(&self.text, width);
        // At the seam of two rows the cursor stands at the beginning of the second.
        let row = rows
            .iter()
            .rposition(|row| row.start <= self.cursor)
            .unwrap_or(0);
        let column = self.text[rows[row].start..self.cursor].width();
        (rows, row, column)
    }

    fn at_column(&self, row: &Range<usize>, column: usize) -> usize {
        let mut used = 0;
        for (at, grapheme) in self.text[row.clone()].grapheme_indices(true) {
            if used + grapheme.width() > column {
                return row.start + at;
            }
            used += grapheme.width();
        }
        row.end
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(text: &str) -> Compose {
        let mut compose = Compose::default();
        compose.insert(text);
        compose
    }

    #[test]
    fn the_cursor_goes_by_what_is_seen() {
        let mut compose = written("naïve e\u{301}");
        compose.delete(Step::Left);
        assert_eq!(compose.text(), "naïve ");
        compose.delete(Step::WordLeft);
        assert_eq!(compose.text(), "");
        compose.insert("one two");
        compose.go(Step::WordLeft);
        compose.insert("and ");
        assert_eq!(compose.text(), "one and two");
        compose.go(Step::LineStart);
        compose.delete(Step::WordRight);
        assert_eq!(compose.text(), " and two");
    }

    #[test]
    fn rows_are_those_that_are_seen() {
        let mut compose = written("one two three\nfour");
        assert_eq!(compose.place(8).1, 2);
        assert!(compose.up(8));
        assert_eq!((compose.place(8).1, compose.place(8).2), (1, 4));
        assert!(compose.up(8) && !compose.up(8));
        compose.insert("|");
        assert_eq!(compose.text(), "one |two three\nfour");
        assert!(compose.down(8) && compose.down(8) && !compose.down(8));
    }

    #[test]
    fn what_is_pasted_keeps_its_lines_and_nothing_that_is_refused() {
        let mut compose = Compose::default();
        compose.insert("a\r\nb\u{1b}[31m\tc\r");
        assert_eq!(compose.text(), "a\nb[31m\tc\n");
    }
}
