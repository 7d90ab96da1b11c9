//! Reports: what evidence and snapshots show of a period, for a client, an auditor, an insurer.
//!
//! `facts` reads, `work` computes, `section` states figures, `compose` puts them together, and the
//! writers below take that as plain data. No figure is typed in; each names what it is from.

/// Times and amounts as they are shown.
pub mod calendar;
/// Numbers with their units.
pub mod value;
/// A report as plain data.
pub mod model;
/// All runs.
pub mod population;
/// An auditor's draw from them.
pub mod draw;
/// What is stated, not recorded.
pub mod plan;
/// What is read.
pub mod facts;
/// Lines through monthly values.
pub mod trend;
/// What went wrong, and what became of it.
pub mod incident;
/// Where each system stands.
pub mod system;
/// Everything that sections are made of.
pub mod work;
/// What each system must show by itself.
pub mod measure;
/// Sections.
pub mod section;
/// Whole reports.
pub mod compose;
/// As JSON.
pub mod json;
/// As CSV.
pub mod table;
/// Charts as lines, areas and words.
pub mod drawing;
/// As HTML.
pub mod html;
/// As PDF.
pub mod pdf;
