//! Pages as lists of shapes, filled from top to bottom.

use crate::report::model::Tone;
use crate::report::pdf::face::{Faces, Weight};

/// A4, in points.
pub(super) const PAGE: (f32, f32) = (595.28, 841.89);
/// Margin on the left and on the right.
pub(super) const SIDE: f32 = 46.0;
/// Where content begins.
pub(super) const TOP: f32 = 64.0;
/// Where content ends.
pub(super) const END: f32 = 841.89 - 52.0;
/// Width of the content.
pub(super) const WIDTH: f32 = PAGE.0 - 2.0 * SIDE;

/// Red, green, blue.
pub(super) type Ink = [u8; 3];
pub(super) const INK: Ink = [23, 32, 43];
pub(super) const SOFT: Ink = [85, 96, 110];
pub(super) const FAINT: Ink = [118, 128, 140];
pub(super) const RULE: Ink = [213, 219, 226];
pub(super) const PANEL: Ink = [246, 248, 250];
pub(super) const ACCENT: Ink = [31, 78, 121];
pub(super) const BAND: Ink = [209, 219, 229];

/// The colour of a tone.
pub(super) const fn tone_ink(tone: Tone) -> Ink {
    match tone {
        Tone::Plain => [71, 105, 140],
        Tone::Good => [28, 122, 74],
        Tone::Warn => [154, 91, 0],
        Tone::Bad => [179, 38, 30],
    }
}

/// What lies behind words of a tone.
pub(super) const fn tone_wash(tone: Tone) -> Ink {
    match tone {
        Tone::Plain => PANEL,
        Tone::Good => [230, 244, 236],
        Tone::Warn => [253, 241, 221],
        Tone::Bad => [252, 232, 230],
    }
}

/// A style of text.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Style {
    pub(super) weight: Weight,
    pub(super) size: f32,
    pub(super) ink: Ink,
}

impl Style {
    pub(super) const fn new(weight: Weight, size: f32, ink: Ink) -> Self {
        Self { weight, size, ink }
    }

    /// From one baseline to the next.
    pub(super) fn leading(&self) -> f32 {
        self.size * 1.38
    }
}

/// A shape.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Op {
    /// Left, baseline, words.
    Text(f32, f32, String, Style),
    /// Left, top, width, height.
    Rect(f32, f32, f32, f32, Ink),
    /// Points, width, dashed.
    Line(Vec<(f32, f32)>, f32, bool, Ink),
    /// Points.
    Area(Vec<(f32, f32)>, Ink),
}

/// A mark that readers jump to: heading, page from 0, height on it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Mark {
    pub(super) title: String,
    pub(super) page: usize,
    pub(super) y: f32,
}

/// Pages in the making.
pub(super) struct Sheets<'f> {
    pub(super) faces: &'f Faces,
    pub(super) pages: Vec<Vec<Op>>,
    pub(super) marks: Vec<Mark>,
    /// Where the next thing goes.
    pub(super) y: f32,
}

impl<'f> Sheets<'f> {
    pub(super) fn new(faces: &'f Faces) -> Self {
        Self { faces, pages: vec![Vec::new()], marks: Vec::new(), y: TOP }
    }

    pub(super) fn push(&mut self, op: Op) {
        if let Some(page) = self.pages.last_mut() {
            page.push(op);
        }
    }

    pub(super) fn new_page(&mut self) {
        self.pages.push(Vec::new());
        self.y = TOP;
    }

    /// Begins a page if less than so much room is left; says whether it did.
    pub(super) fn need(&mut self, height: f32) -> bool {
        let is_full = self.y + height > END && self.y > TOP;
        if is_full {
            self.new_page();
        }
        is_full
    }

    pub(super) fn mark(&mut self, title: &str) {
        let page = self.pages.len() - 1;
        self.marks.push(Mark { title: title.to_owned(), page, y: self.y });
    }

    /// Words on one line.
    pub(super) fn text(&mut self, x: f32, y: f32, text: impl Into<String>, style: Style) {
        self.push(Op::Text(x, y, text.into(), style));
    }

    /// Words that end at `right`.
    pub(super) fn text_to(&mut self, right: f32, y: f32, text: &str, style: Style) {
        let width = self.faces.width(style.weight, style.size, text);
        self.text(right - width, y, text, style);
    }

    /// A paragraph over the whole width, over pages if need be.
    pub(super) fn paragraph(&mut self, text: &str, style: Style) {
        for line in self.faces.lines(style.weight, style.size, text, WIDTH) {
            self.need(style.leading());
            self.y += style.leading();
            self.text(SIDE, self.y - style.leading() * 0.28, line, style);
        }
    }
}
