//! Tables: widths of columns, rows that are not torn, heads on every page.

use crate::report::calendar;
use crate::report::model::{Cell, Table, Tone, Value};
use crate::report::pdf::face::Weight;
use crate::report::pdf::sheet::{
    END, FAINT, INK, Op, RULE, SIDE, SOFT, Sheets, Style, TOP, WIDTH, tone_ink, tone_wash,
};

const GAP: f32 = 7.0;
const PAD: f32 = 3.2;
const HEAD: Style = Style::new(Weight::SemiBold, 6.9, SOFT);
const BODY: Style = Style::new(Weight::Regular, 7.3, INK);
const LOST: Style = Style::new(Weight::Regular, 7.3, FAINT);

/// A table ready to be laid out.
struct Grid {
    heads: Vec<String>,
    rows: Vec<Vec<(String, Style, Tone)>>,
    right: Vec<bool>,
    widths: Vec<f32>,
}

/// Lays out a table with its title; `references` gives the numbers of records of a row.
pub(super) fn table(sheets: &mut Sheets<'_>, table: &Table, references: &dyn Fn(usize) -> String) {
    let title = Style::new(Weight::SemiBold, 9.2, INK);
    sheets.need(58.0);
    sheets.y += 16.0;
    sheets.text(SIDE, sheets.y, table.title.clone(), title);
    sheets.y += 6.0;
    if table.rows.is_empty() {
        sheets.y += 2.0;
        sheets.paragraph(table.empty, Style::new(Weight::Regular, 8.4, SOFT));
        return;
    }
    let grid = Grid::new(sheets, table, references);
    grid.head(sheets);
    for row in &grid.rows {
        grid.row(sheets, row);
    }
    let more = table.rows.len() - table.printed().len();
    if more > 0 {
        sheets.y += 3.0;
        let text =
            format!("{} more rows are in the JSON of this report.", calendar::count(more as u64));
        sheets.paragraph(&text, Style::new(Weight::Regular, 7.4, SOFT));
    }
}

fn styled(cell: &Cell) -> (String, Style, Tone) {
    let style = match (&cell.value, cell.tone) {
        (Value::NotRecorded, _) => LOST,
        (Value::Text(text), _) if is_hash(text) => Style { size: 6.0, ..BODY },
        (_, Tone::Plain) => BODY,
        (_, tone) => Style { weight: Weight::SemiBold, ink: tone_ink(tone), ..BODY },
    };
    (cell.value.shown(), style, cell.tone)
}

/// 64 digits stand on one line.
fn is_hash(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

impl Grid {
    fn new(sheets: &Sheets<'_>, table: &Table, references: &dyn Fn(usize) -> String) -> Self {
        let mut heads: Vec<String> = table.columns.iter().map(|it| it.label.to_owned()).collect();
        let mut weights: Vec<f32> = table.columns.iter().map(|it| it.weight).collect();
        let mut right: Vec<bool> = (0..heads.len())
            .map(|at| table.printed().iter().any(|row| row.cells[at].value.is_number()))
            .collect();
        let mut rows: Vec<Vec<_>> =
            table.printed().iter().map(|row| row.cells.iter().map(styled).collect()).collect();
        let named: Vec<String> = (0..rows.len()).map(references).collect();
        if named.iter().any(|one| !one.is_empty()) {
            heads.push("Records".to_owned());
            weights.push(1.0);
            right.push(false);
            for (row, text) in rows.iter_mut().zip(named) {
                row.push((text, Style { size: 6.4, ..LOST }, Tone::Plain));
            }
        }
        let widths = widths(sheets, &heads, &rows, &weights);
        Self { heads, rows, right, widths }
    }

    fn left(&self, column: usize) -> f32 {
        SIDE + self.widths[..column].iter().map(|width| width + GAP).sum::<f32>()
    }

    fn head(&self, sheets: &mut Sheets<'_>) {
        let lines: Vec<Vec<String>> = self
            .heads
            .iter()
            .zip(&self.widths)
            .map(|(head, width)| sheets.faces.lines(HEAD.weight, HEAD.size, head, *width))
            .collect();
        let count = lines.iter().map(Vec::len).max().unwrap_or(1);
        let height = count as f32 * HEAD.leading() + 2.0 * PAD;
        for (column, lines) in lines.iter().enumerate() {
            // Heads stand on the line below them.
            let first = sheets.y + PAD + (count - lines.len()) as f32 * HEAD.leading();
            self.lines(sheets, column, first, lines, HEAD);
        }
        sheets.y += height;
        sheets.push(Op::Rect(SIDE, sheets.y - 0.9, WIDTH, 0.9, RULE));
    }

    fn lines(
        &self,
        sheets: &mut Sheets<'_>,
        column: usize,
        top: f32,
        lines: &[String],
        style: Style,
    ) {
        let left = self.left(column);
        for (number, line) in lines.iter().enumerate() {
            let y = top + (number as f32 + 0.76) * style.leading();
            match self.right[column] {
                true => sheets.text_to(left + self.widths[column], y, line, style),
                false => sheets.text(left, y, line.as_str(), style),
            }
        }
    }

    fn row(&self, sheets: &mut Sheets<'_>, row: &[(String, Style, Tone)]) {
        let cells: Vec<Vec<String>> = row
            .iter()
            .zip(&self.widths)
            .map(|((text, style, _), width)| {
                sheets.faces.lines(style.weight, style.size, text, *width)
            })
            .collect();
        let count = cells.iter().map(Vec::len).max().unwrap_or(1) as f32;
        let height = count * BODY.leading() + 2.0 * PAD;
        if sheets.y + height > END && sheets.y > TOP {
            sheets.new_page();
            self.head(sheets);
        }
        for (column, (lines, (_, style, tone))) in cells.iter().zip(row).enumerate() {
            if *tone != Tone::Plain && !lines.is_empty() {
                self.pill(sheets, column, lines, *style, *tone);
            }
            self.lines(sheets, column, sheets.y + PAD, lines, *style);
        }
        sheets.y += height;
        sheets.push(Op::Rect(SIDE, sheets.y - 0.4, WIDTH, 0.4, RULE));
    }

    /// The ground behind a word that is good or bad.
    fn pill(
        &self,
        sheets: &mut Sheets<'_>,
        column: usize,
        lines: &[String],
        style: Style,
        tone: Tone,
    ) {
        let width = |line: &String| sheets.faces.width(style.weight, style.size, line);
        let widest = lines.iter().map(width).fold(0.0, f32::max);
        let left = match self.right[column] {
            true => self.left(column) + self.widths[column] - widest,
            false => self.left(column),
        };
        let height = lines.len() as f32 * style.leading();
        let ground =
            Op::Rect(left - 2.2, sheets.y + PAD - 0.4, widest + 4.4, height, tone_wash(tone));
        sheets.push(ground);
    }
}

/// Each column gets its widest word, and of the rest its part, up to what it can use.
fn widths(
    sheets: &Sheets<'_>,
    heads: &[String],
    rows: &[Vec<(String, Style, Tone)>],
    weights: &[f32],
) -> Vec<f32> {
    let room = WIDTH - GAP * (heads.len() - 1) as f32;
    let mut least = Vec::new();
    let mut most = Vec::new();
    for (column, head) in heads.iter().enumerate() {
        let texts = || rows.iter().map(|row| &row[column]);
        let word = |(text, style, _): &(String, Style, Tone)| {
            sheets.faces.widest_word(style.weight, style.size, text)
        };
        let whole = |(text, style, _): &(String, Style, Tone)| {
            sheets.faces.width(style.weight, style.size, text)
        };
        let head_word = sheets.faces.widest_word(HEAD.weight, HEAD.size, head);
        let head_whole = sheets.faces.width(HEAD.weight, HEAD.size, head);
        let cap = room * 0.5;
        least.push(texts().map(word).fold(head_word, f32::max).min(cap) + 0.5);
        most.push(texts().map(whole).fold(head_whole, f32::max) + 0.5);
    }
    let needed: f32 = least.iter().sum();
    if needed >= room {
        return least.iter().map(|width| width * room / needed).collect();
    }
    let mut widths = least;
    // In turns: what a column cannot use goes to the others.
    for _ in 0..4 {
        let left = room - widths.iter().sum::<f32>();
        let open: Vec<usize> = (0..widths.len()).filter(|at| widths[*at] < most[*at]).collect();
        let total: f32 = open.iter().map(|at| weights[*at]).sum();
        if left < 1.0 || total <= 0.0 {
            break;
        }
        for at in open {
            widths[at] = (widths[at] + left * weights[at] / total).min(most[at]);
        }
    }
    let left = room - widths.iter().sum::<f32>();
    let total: f32 = weights.iter().sum();
    widths
        .iter()
        .zip(weights)
        .map(|(width, weight)| width + left.max(0.0) * weight / total)
        .collect()
}
