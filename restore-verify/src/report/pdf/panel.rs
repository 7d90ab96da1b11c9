//! Figures beside each other, and charts.

use crate::report::drawing::{self, Anchor, Paint, Shape, draw};
use crate::report::model::{Chart, Figure, Series, Tone, Value, columns};
use crate::report::pdf::face::Weight;
use crate::report::pdf::sheet::{
    BAND, FAINT, INK, Ink, Op, PANEL, RULE, SIDE, SOFT, Sheets, Style, WIDTH, tone_ink,
};

const GAP: f32 = 7.0;
const LABEL: Style = Style::new(Weight::Regular, 7.3, SOFT);
const NOTE: Style = Style::new(Weight::Regular, 6.7, FAINT);

/// Figures in rows, each as high as its highest.
pub(super) fn figures(
    sheets: &mut Sheets<'_>,
    figures: &[Figure],
    references: &dyn Fn(&Figure) -> String,
) {
    let count = columns(figures.len());
    let width = (WIDTH - GAP * (count - 1) as f32) / count as f32;
    sheets.y += 6.0;
    for row in figures.chunks(count) {
        let panels: Vec<Panel> =
            row.iter().map(|it| Panel::new(sheets, it, &references(it), width)).collect();
        let height = panels.iter().map(Panel::height).fold(0.0, f32::max);
        sheets.need(height + GAP);
        for (column, (panel, figure)) in panels.iter().zip(row).enumerate() {
            let left = SIDE + column as f32 * (width + GAP);
            let top = sheets.y;
            let edge = match figure.tone {
                Tone::Plain => RULE,
                tone => tone_ink(tone),
            };
            sheets.push(Op::Rect(left, top, width, height, PANEL));
            sheets.push(Op::Rect(left, top, width, 1.8, edge));
            panel.draw(sheets, left + 8.0, top + 8.0);
        }
        sheets.y += height + GAP;
    }
}

struct Panel {
    lines: Vec<(String, Style)>,
}

impl Panel {
    fn new(sheets: &Sheets<'_>, figure: &Figure, references: &str, width: f32) -> Self {
        let inner = width - 16.0;
        let shown = figure.value.shown();
        let is_missing = matches!(figure.value, Value::NotRecorded);
        let value = match (is_missing, shown.chars().count()) {
            (true, _) => Style::new(Weight::Regular, 10.5, FAINT),
            (false, 0..=13) => Style::new(Weight::SemiBold, 14.5, INK),
            (false, 14..=20) => Style::new(Weight::SemiBold, 10.5, INK),
            (false, _) => Style::new(Weight::SemiBold, 8.4, INK),
        };
        let mut lines = Vec::new();
        let parts = [
            (figure.label.as_str(), LABEL),
            (shown.as_str(), value),
            (figure.note.as_str(), NOTE),
            (references, Style { size: 6.2, ..NOTE }),
        ];
        for (text, style) in parts.into_iter().filter(|(text, _)| !text.is_empty()) {
            let broken = sheets.faces.lines(style.weight, style.size, text, inner);
            lines.extend(broken.into_iter().map(|line| (line, style)));
        }
        Self { lines }
    }

    fn height(&self) -> f32 {
        self.lines.iter().map(|(_, style)| style.leading()).sum::<f32>() + 14.0
    }

    fn draw(&self, sheets: &mut Sheets<'_>, left: f32, top: f32) {
        let mut y = top;
        for (line, style) in &self.lines {
            y += style.leading();
            sheets.text(left, y - style.leading() * 0.28, line.as_str(), *style);
        }
    }
}

/// A chart with its title and what its colours mean.
pub(super) fn chart(sheets: &mut Sheets<'_>, chart: &Chart) {
    let scale = WIDTH / drawing::WIDTH;
    let height = drawing::HEIGHT * scale;
    sheets.need(height + 40.0);
    sheets.y += 18.0;
    let title = Style::new(Weight::SemiBold, 9.2, INK);
    sheets.text(SIDE, sheets.y, chart.title.clone(), title);
    let mut x = SIDE + sheets.faces.width(title.weight, title.size, &chart.title) + 16.0;
    for (name, ink) in legend(chart) {
        sheets.push(Op::Rect(x, sheets.y - 5.6, 6.0, 6.0, ink));
        sheets.text(x + 9.0, sheets.y, name.clone(), LABEL);
        x += 9.0 + sheets.faces.width(LABEL.weight, LABEL.size, &name) + 12.0;
    }
    sheets.y += 6.0;
    let top = sheets.y;
    let place = |(x, y): (f32, f32)| (SIDE + x * scale, top + y * scale);
    for shape in draw(chart) {
        let op = match shape {
            Shape::Rect(x, y, width, height, paint) => {
                let (left, top) = place((x, y));
                Op::Rect(left, top, width * scale, height * scale, ink(paint))
            }
            Shape::Line(points, paint, dashed) => {
                let width = if paint == Paint::Grid { 0.5 } else { 1.3 };
                Op::Line(points.into_iter().map(place).collect(), width, dashed, ink(paint))
            }
            Shape::Area(points, paint) => {
                Op::Area(points.into_iter().map(place).collect(), ink(paint))
            }
            Shape::Dot(x, y, paint) => {
                let (x, y) = place((x, y));
                Op::Rect(x - 1.5, y - 1.5, 3.0, 3.0, ink(paint))
            }
            Shape::Text(x, y, text, anchor, paint) => {
                let style = Style::new(Weight::Regular, 6.8, ink(paint));
                let width = sheets.faces.width(style.weight, style.size, &text);
                let (x, y) = place((x, y));
                let left = x - if anchor == Anchor::End { width } else { width / 2.0 };
                Op::Text(left, y, text, style)
            }
        };
        sheets.push(op);
    }
    sheets.y += height + 4.0;
}

fn legend(chart: &Chart) -> Vec<(String, Ink)> {
    let has_values = |series: &&Series| series.values.iter().flatten().next().is_some();
    let mut found: Vec<(String, Ink)> = chart
        .series
        .iter()
        .filter(has_values)
        .map(|series| (series.name.clone(), tone_ink(series.tone)))
        .collect();
    if !chart.band.is_empty() {
        found.push(("95 % interval".to_owned(), BAND));
    }
    found
}

const fn ink(paint: Paint) -> Ink {
    match paint {
        Paint::Grid => RULE,
        Paint::Label => SOFT,
        Paint::Band => BAND,
        Paint::Series(tone) => tone_ink(tone),
    }
}
