//! Plain tables: columns as wide as their widest cell, two spaces between them, no lines drawn.
//!
//! Cells are made printable here, so that no name can break a row or paint the terminal; widths
//! are those of a terminal, where some characters take two places.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use crate::ui::output::printable;

/// A column that is cut keeps so many places.
const CUT_COLUMN_MIN: usize = 8;

/// On which side of its column a cell stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Align {
    /// Words.
    Left,
    /// Numbers.
    Right,
}

/// Rows under a heading.
#[derive(Debug, Clone)]
pub struct Table {
    aligns: Vec<Align>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table with these headings and no row.
    #[must_use]
    pub fn new(columns: &[(&str, Align)]) -> Self {
        Self {
            aligns: columns.iter().map(|(_, align)| *align).collect(),
            rows: vec![columns.iter().map(|(name, _)| (*name).to_owned()).collect()],
        }
    }

    /// Adds a row; missing cells stay empty, cells beyond the last column are dropped.
    pub fn row(&mut self, cells: impl IntoIterator<Item = impl AsRef<str>>) {
        let mut row: Vec<_> =
            cells.into_iter().take(self.aligns.len()).map(|c| printable(c.as_ref())).collect();
        row.resize(self.aligns.len(), String::new());
        self.rows.push(row);
    }

    /// How many rows there are below the heading.
    #[must_use]
    pub fn row_count(&self) -> usize {
        self.rows.len() - 1
    }

    /// The lines of the table, the heading first, without spaces at the end.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        self.lines_within(None)
    }

    /// The same in at most `width` columns: the widest columns of words are cut, never the first,
    /// by which a row is named, and never numbers.
    #[must_use]
    pub fn lines_within(&self, width: Option<usize>) -> Vec<String> {
        let mut widths: Vec<usize> = (0..self.aligns.len())
            .map(|column| self.rows.iter().map(|row| row[column].width()).max().unwrap_or(0))
            .collect();
        let gaps = 2 * widths.len().saturating_sub(1);
        while width.is_some_and(|width| widths.iter().sum::<usize>() + gaps > width) {
            let can_be_cut = |column: &usize| {
                self.aligns[*column] == Align::Left && widths[*column] > CUT_COLUMN_MIN
            };
            // The last of equals: what stands at the end is a remark more often than a name.
            let widest = (1..widths.len()).filter(can_be_cut).max_by_key(|column| widths[*column]);
            let Some(widest) = widest else { break };
            widths[widest] -= 1;
        }
        self.rows.iter().map(|row| self.line(row, &widths)).collect()
    }

    fn line(&self, row: &[String], widths: &[usize]) -> String {
        let mut line = String::new();
        let cells = row.iter().zip(&self.aligns).zip(widths);
        for (column, ((cell, align), width)) in cells.enumerate() {
            if column > 0 {
                line.push_str("  ");
            }
            let cell = cut(cell, Some(*width));
            let gap = " ".repeat(width.saturating_sub(cell.width()));
            match align {
                Align::Left => line.extend([cell.as_str(), &gap]),
                Align::Right => line.extend([gap.as_str(), &cell]),
            }
        }
        line.truncate(line.trim_end().len());
        line
    }
}

/// A line of which no more is left than fits `width` columns, with a sign that something is missing.
#[must_use]
pub fn cut(line: &str, width: Option<usize>) -> String {
    let Some(width) = width.filter(|width| line.width() > *width) else { return line.to_owned() };
    let mut left = width.saturating_sub(1);
    let mut short = String::new();
    for letter in line.chars() {
        let wide = letter.width().unwrap_or(0);
        if wide > left {
            break;
        }
        left -= wide;
        short.push(letter);
    }
    short.truncate(short.trim_end().len());
    short.push('…');
    short
}

/// Lines of `text`, which is printable already, in at most `width` columns: broken between words, with
/// `hang` spaces before all but the first. A command in backticks stays together if it fits; a word
/// that is wider than the terminal is left to it.
#[must_use]
pub fn wrap(text: &str, width: Option<usize>, hang: usize) -> Vec<String> {
    let Some(width) = width.filter(|width| text.width() > *width) else {
        return vec![text.to_owned()];
    };
    let hang = if hang * 2 > width { 0 } else { hang };
    let indent = text.len() - text.trim_start().len();
    let mut lines = Vec::new();
    let mut line = text[..indent].to_owned();
    let mut is_fresh = true;
    for word in words(&text[indent..], width - hang) {
        let gap = if is_fresh { 0 } else { 1 };
        if !is_fresh && line.width() + gap + word.width() > width {
            lines.push(std::mem::replace(&mut line, " ".repeat(hang)));
            is_fresh = true;
        }
        // Columns that text before made with spaces stay as they are.
        if !is_fresh {
            line.push(' ');
        }
        line.push_str(word);
        is_fresh = false;
    }
    lines.push(line);
    lines.iter_mut().for_each(|line| line.truncate(line.trim_end().len()));
    lines
}

/// The words of a line, those in one pair of backticks as one if they fit `room`.
fn words(text: &str, room: usize) -> Vec<&str> {
    let mut words = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let end = match rest.strip_prefix('`').and_then(|inner| inner.find('`')) {
            Some(close) => {
                let after = &rest[close + 2..];
                close + 2 + after.find(' ').unwrap_or(after.len())
            }
            None => rest.find(' ').unwrap_or(rest.len()),
        };
        let end = match rest[..end].width() > room {
            true => rest.find(' ').unwrap_or(rest.len()),
            false => end,
        };
        words.push(&rest[..end]);
        rest = rest[end..].strip_prefix(' ').unwrap_or(&rest[end..]);
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prose_breaks_between_words_and_commands_stay_whole() {
        let text = "  try: `mainstay check --read-data` shows it, or not";
        assert_eq!(wrap(text, None, 7), [text]);
        assert_eq!(wrap(text, Some(80), 7), [text]);
        assert_eq!(
            wrap(text, Some(40), 7),
            ["  try: `mainstay check --read-data`", "       shows it, or not"]
        );
        assert_eq!(
            wrap(text, Some(16), 2),
            ["  try: `mainstay", "  check", "  --read-data`", "  shows it, or", "  not"]
        );
        assert_eq!(wrap("aaaaaaaa b", Some(4), 2), ["aaaaaaaa", "  b"]);
        assert_eq!(wrap("name      a b", Some(11), 10), ["name      a", "b"]);
    }

    #[test]
    fn the_widest_words_of_a_table_are_cut_and_nothing_else() {
        let columns =
            [("ID", Align::Left), ("Why", Align::Left), ("N", Align::Right), ("Who", Align::Left)];
        let mut table = Table::new(&columns);
        table.row(["1a2b3c4d5e6f", "a reason of many words", "1,234,567", "somebody"]);
        assert_eq!(table.lines_within(Some(80)), table.lines());
        let short = table.lines_within(Some(50));
        assert_eq!(short[1], "1a2b3c4d5e6f  a reason of ma…  1,234,567  somebody");
        // What cannot be cut any more is wider than it should be.
        assert_eq!(table.lines_within(Some(10))[1], "1a2b3c4d5e6f  a reaso…  1,234,567  somebody");
    }

    #[test]
    fn a_line_is_cut_where_it_no_longer_fits() {
        assert_eq!(cut("abcdef", None), "abcdef");
        assert_eq!(cut("abcdef", Some(6)), "abcdef");
        assert_eq!(cut("abcdef", Some(5)), "abcd…");
        assert_eq!(cut("日本語です", Some(6)), "日本…");
        assert_eq!(cut("a  bc", Some(4)), "a…");
        assert_eq!(cut("abc", Some(0)), "…");
    }

    #[test]
    fn columns_line_up_also_with_wide_and_hostile_cells() {
        let mut table = Table::new(&[("ID", Align::Left), ("Size", Align::Right)]);
        table.row(["日本", "7"]);
        table.row(["a\nb\u{1b}[1m", "1023", "dropped"]);
        table.row(["c"]);
        assert_eq!(table.row_count(), 3);
        assert_eq!(
            table.lines(),
            ["ID           Size", "日本            7", "a\\nb\\x1b[1m  1023", "c"]
        );
    }
}
