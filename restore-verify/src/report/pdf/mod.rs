//! A report as PDF: pages laid out here, written by krilla, with fonts that are part of the program.
//!
//! Layout makes a list of shapes for each page, and only then are they written, because the foot of
//! the first page says how many pages there are. The fonts hold Latin, Greek and Cyrillic; another
//! letter is shown as □, and HTML and JSON have it.

/// Fonts, widths, lines.
mod face;
/// Shapes on pages.
mod sheet;
/// Tables over pages.
mod grid;
/// Figures and charts.
mod panel;
/// Sections from top to bottom.
mod flow;
/// Bytes.
mod emit;

use crate::report::model::Report;
use crate::report::pdf::face::Faces;

/// Why no PDF can be made.
#[derive(Debug, thiserror::Error)]
pub enum PdfError {
    /// The fonts of the program are not what they should be.
    #[error("the fonts of the program cannot be read")]
    Fonts,
    /// The writer refused.
    #[error("the PDF cannot be put together: {why}")]
    Writer {
        /// What it said.
        why: String,
    },
}

/// Writes it.
///
/// # Errors
/// [`PdfError`]; a test makes one of each kind.
pub fn write(report: &Report) -> Result<Vec<u8>, PdfError> {
    let faces = Faces::load().ok_or(PdfError::Fonts)?;
    let sheets = flow::lay_out(report, &faces);
    emit::write(report, &faces, &sheets)
}
