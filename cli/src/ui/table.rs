//! Plain tables: columns as wide as their widest cell, two spaces between them, no lines drawn.
//!
//! Cells are made printable here, so that no name can break a row or paint the terminal; widths
//! are those of a terminal, where some characters take two places.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use crate::ui::output::printable;

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
        let widths: Vec<usize> = (0..self.aligns.len())
            .map(|column| self.rows.iter().map(|row| row[column].width()).max().unwrap_or(0))
            .collect();
        self.rows.iter().map(|row| self.line(row, &widths)).collect()
    }

    fn line(&self, row: &[String], widths: &[usize]) -> String {
        let mut line = String::new();
        let cells = row.iter().zip(&self.aligns).zip(widths);
        for (column, ((cell, align), width)) in cells.enumerate() {
            if column > 0 {
                line.push_str("  ");
            }
            let gap = " ".repeat(width - cell.width());
            match align {
                Align::Left => line.extend([cell.as_str(), &gap]),
                Align::Right => line.extend([&gap, cell.as_str()]),
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

#[cfg(test)]
mod tests {
    use super::*;

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
