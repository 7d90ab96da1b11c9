//! A report as plain data: sections of figures, tables, charts and text.
//!
//! Every writer takes this and adds nothing: what HTML, PDF, JSON and CSV say cannot differ.
//! A number keeps its unit, and where it is from, until it is written.

use serde::Serialize;
use serde::ser::{SerializeStruct, Serializer};

use crate::report::calendar;
pub use crate::report::value::Value;

/// Name and version of the form that JSON has.
pub const SCHEMA: &str = "mainstay-report/1";

/// How something is to be taken. Words say it too: colour alone says nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Tone {
    /// Only a fact.
    #[default]
    Plain,
    /// As it should be.
    Good,
    /// Wants attention.
    Warn,
    /// Not as it should be.
    Bad,
}

impl Tone {
    /// Its word in programs and styles.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Good => "good",
            Self::Warn => "warn",
            Self::Bad => "bad",
        }
    }
}

/// Figures beside each other: four, or three where four would leave one or two alone.
#[must_use]
pub const fn columns(figure_count: usize) -> usize {
    match figure_count % 4 {
        1 | 2 if figure_count > 4 => 3,
        _ => 4,
    }
}

/// What a figure is from.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Basis {
    /// Ids of records and snapshots, the first of them if there are many.
    pub ids: Vec<String>,
    /// How many there are.
    pub count: u64,
    /// How they are found among the runs, or how the figure is computed from them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
}

/// Ids that a figure lists itself; for more there is a rule.
pub const BASIS_IDS_MAX: usize = 100;

/// Ids beside a figure or a row on paper; JSON has more of them.
pub const PRINTED_IDS: usize = 5;

impl Basis {
    /// From some records.
    pub fn of<S: Into<String>>(ids: impl IntoIterator<Item = S>) -> Self {
        let mut found = Self::default();
        for id in ids {
            found.count += 1;
            if found.ids.len() < BASIS_IDS_MAX {
                found.ids.push(id.into());
            }
        }
        found
    }

    /// With words on how to find them.
    #[must_use]
    pub fn by(mut self, rule: impl Into<String>) -> Self {
        self.rule = Some(rule.into());
        self
    }
}

/// One number that the report states.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Figure {
    /// Its name for programs and for controls: `runs.missed`.
    pub id: &'static str,
    /// Its name for people.
    pub label: String,
    /// The number.
    #[serde(flatten)]
    pub value: Value,
    /// A few words below it.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub note: String,
    /// How to take it.
    pub tone: Tone,
    /// What it is from.
    pub evidence: Basis,
}

impl Figure {
    /// A figure without a note.
    pub fn new(id: &'static str, label: impl Into<String>, value: Value, evidence: Basis) -> Self {
        let (label, note, tone) = (label.into(), String::new(), Tone::Plain);
        Self { id, label, value, note, tone, evidence }
    }

    /// With words below it.
    #[must_use]
    pub fn note(mut self, note: impl Into<String>) -> Self {
        self.note = note.into();
        self
    }

    /// To be taken as.
    #[must_use]
    pub fn tone(mut self, tone: Tone) -> Self {
        self.tone = tone;
        self
    }
}

/// A column.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Column {
    /// Its name for programs.
    pub key: &'static str,
    /// Its head.
    pub label: &'static str,
    /// Its part of the width.
    #[serde(skip)]
    pub weight: f32,
}

/// A cell.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Cell {
    /// What stands in it.
    #[serde(flatten)]
    pub value: Value,
    /// How to take it.
    pub tone: Tone,
}

impl Cell {
    /// To be taken as.
    #[must_use]
    pub const fn toned(value: Value, tone: Tone) -> Self {
        Self { value, tone }
    }
}

impl From<Value> for Cell {
    fn from(value: Value) -> Self {
        Self { value, tone: Tone::Plain }
    }
}

impl From<String> for Cell {
    fn from(text: String) -> Self {
        Value::Text(text).into()
    }
}

impl From<&str> for Cell {
    fn from(text: &str) -> Self {
        Value::text(text).into()
    }
}

/// A row.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Row {
    /// One for each column.
    pub cells: Vec<Cell>,
    /// What it is from.
    pub evidence: Basis,
}

impl Row {
    /// A row.
    #[must_use]
    pub const fn new(cells: Vec<Cell>, evidence: Basis) -> Self {
        Self { cells, evidence }
    }
}

/// A table.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Table {
    /// Its name for programs.
    pub id: &'static str,
    /// Its name for people.
    pub title: String,
    /// Columns.
    pub columns: Vec<Column>,
    /// Rows, the most important first where not all can be printed.
    pub rows: Vec<Row>,
    /// What is said if there is no row.
    pub empty: &'static str,
    /// Rows that are printed; JSON has all.
    #[serde(skip)]
    pub printed_max: usize,
}

/// Rows of a table on paper, if nothing else is said.
pub const PRINTED_ROWS: usize = 60;

impl Table {
    /// A table without rows. `columns` are key, head, part of the width.
    pub fn new(
        id: &'static str,
        title: impl Into<String>,
        columns: &[(&'static str, &'static str, f32)],
        empty: &'static str,
    ) -> Self {
        let column = |&(key, label, weight)| Column { key, label, weight };
        let columns = columns.iter().map(column).collect();
        let (title, rows) = (title.into(), Vec::new());
        Self { id, title, columns, rows, empty, printed_max: PRINTED_ROWS }
    }

    /// Adds a row.
    pub fn push(&mut self, cells: Vec<Cell>, evidence: Basis) {
        debug_assert_eq!(
            cells.len(),
            self.columns.len(),
            "one cell for each column of {}",
            self.id
        );
        self.rows.push(Row::new(cells, evidence));
    }

    /// The rows on paper.
    #[must_use]
    pub fn printed(&self) -> &[Row] {
        &self.rows[..self.rows.len().min(self.printed_max)]
    }
}

/// How a series is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mark {
    /// Bars upon each other.
    Bar,
    /// A line.
    Line,
    /// A line of what is expected.
    Dashed,
}

/// Numbers over the points of a chart.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Series {
    /// Its name.
    pub name: String,
    /// How it is drawn.
    pub mark: Mark,
    /// How to take it.
    pub tone: Tone,
    /// One for each point; `None` where nothing is known.
    pub values: Vec<Option<f64>>,
}

/// A chart.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Chart {
    /// Its name for programs.
    pub id: &'static str,
    /// Its name for people.
    pub title: String,
    /// What it shows, for those who do not see it.
    pub description: String,
    /// `count`, `share`, `bytes`, `milliseconds`, `money`.
    pub unit: &'static str,
    /// Names of the points.
    pub points: Vec<String>,
    /// What is drawn.
    pub series: Vec<Series>,
    /// Lower and upper end of an interval at each point.
    pub band: Vec<Option<(f64, f64)>>,
    /// What it is from.
    pub evidence: Basis,
}

/// A part of a section.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "type")]
pub enum Block {
    /// Numbers beside each other.
    Figures {
        /// The numbers.
        figures: Vec<Figure>,
    },
    /// A table.
    Table(Table),
    /// A chart.
    Chart(Chart),
    /// A paragraph.
    Text {
        /// The words.
        text: String,
    },
    /// Commands to type.
    Commands {
        /// One a line.
        lines: Vec<String>,
    },
}

/// A section.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Section {
    /// Its name for programs and links.
    pub id: &'static str,
    /// Its heading.
    pub title: &'static str,
    /// What it is about, in a sentence.
    pub lead: String,
    /// Its parts.
    pub blocks: Vec<Block>,
}

/// From when to when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Period {
    /// The first moment, in milliseconds since 1970.
    pub from_ms: i64,
    /// The first moment after it.
    pub to_ms: i64,
}

impl Period {
    /// Whether a moment lies in it.
    #[must_use]
    pub const fn holds(&self, at_ms: i64) -> bool {
        self.from_ms <= at_ms && at_ms < self.to_ms
    }

    /// Its length.
    #[must_use]
    pub fn length_ms(&self) -> u64 {
        (self.to_ms - self.from_ms).max(0) as u64
    }
}

impl Serialize for Period {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut out = serializer.serialize_struct("Period", 2)?;
        out.serialize_field("from", &calendar::rfc3339(self.from_ms))?;
        out.serialize_field("to", &calendar::rfc3339(self.to_ms))?;
        out.end()
    }
}

/// What verifies the report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Signature {
    /// Whether all chains are whole and signed by those who may.
    pub chains_good: bool,
    /// Records that were verified.
    pub records: u64,
    /// Chains.
    pub chains: u64,
    /// What is wrong with them.
    pub flaws: Vec<String>,
    /// The newest record of each chain: id and hash.
    pub heads: Vec<(String, String)>,
    /// When a time stamp authority last saw a record.
    pub timestamped: Option<String>,
    /// The state in words.
    pub text: String,
}

/// A record that the report names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Named {
    /// Its id.
    pub id: String,
    /// When it was written.
    pub time: String,
    /// What it is.
    pub event: String,
    /// BLAKE3 of its signed bytes.
    pub hash: String,
}

/// A report.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// [`SCHEMA`].
    pub schema: &'static str,
    /// `recoverability`, `compliance`, `sla`, `qbr`, `insurer`.
    pub kind: &'static str,
    /// Its title.
    pub title: String,
    /// Whose data.
    pub client: String,
    /// The repository.
    pub repository: String,
    /// Fingerprint of its administrator: what evidence is verified with.
    pub fingerprint: String,
    /// From when to when.
    pub period: Period,
    /// When it was made.
    pub made: String,
    /// By which program.
    pub program: String,
    /// On which machine.
    pub host: String,
    /// The systems that it is about.
    pub systems: Vec<String>,
    /// BLAKE3 over what it is about: two reports with the same are about the same.
    pub scope_hash: String,
    /// State of signatures.
    pub signature: Signature,
    /// Everything in one line.
    pub headline: String,
    /// How to take it.
    pub tone: Tone,
    /// Sections.
    pub sections: Vec<Section>,
    /// The records that it names.
    pub evidence: Vec<Named>,
}

impl Report {
    /// All figures, with the section that each stands in.
    pub fn figures(&self) -> impl Iterator<Item = (&Section, &Figure)> {
        self.sections
            .iter()
            .flat_map(|section| figures_of(section).map(move |figure| (section, figure)))
    }
}

/// The figures of a section.
pub fn figures_of(section: &Section) -> impl Iterator<Item = &Figure> {
    section
        .blocks
        .iter()
        .filter_map(|block| match block {
            Block::Figures { figures } => Some(figures),
            _ => None,
        })
        .flatten()
}
