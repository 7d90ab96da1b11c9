//! When things happen: `[schedule]`.

use std::borrow::Cow;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::value::MapAccessDeserializer;
use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use crate::span::Span;

/// What can be done by itself, in the order in which it is done when several are due at once.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, Serialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum JobKind {
    /// Every source becomes a snapshot.
    Backup,
    /// Snapshots are forgotten by the rules of `[retention]`.
    Forget,
    /// What nothing needs any more is removed.
    Prune,
    /// The store is checked.
    Check,
    /// Restoring is tried.
    Drill,
    /// Reports are written.
    Report,
}

impl JobKind {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Backup, Self::Forget, Self::Prune, Self::Check, Self::Drill, Self::Report];

    /// Its name in the configuration and wherever it is shown.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Backup => "backup",
            Self::Forget => "forget",
            Self::Prune => "prune",
            Self::Check => "check",
            Self::Drill => "drill",
            Self::Report => "report",
        }
    }
}

impl fmt::Display for JobKind {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str(self.name())
    }
}

impl FromStr for JobKind {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|kind| kind.name() == name).ok_or_else(|| {
            let names: Vec<_> = Self::ALL.iter().map(|kind| kind.name()).collect();
            format!("{name:?} is no job: {}", names.join(", "))
        })
    }
}

/// When each job is due, and what holds for all of them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Schedule {
    /// When sources are saved.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backup: Option<Entry>,
    /// When snapshots are forgotten.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub forget: Option<Entry>,
    /// When space is freed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prune: Option<Entry>,
    /// When the store is checked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub check: Option<Entry>,
    /// When restoring is tried.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub drill: Option<Entry>,
    /// When reports are written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub report: Option<Entry>,
    /// Jobs begin so much later at most, each client and job always the same.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub spread: Option<Span>,
    /// Jobs begin only within these hours: `22:00-06:00`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub window: Option<Window>,
    /// What becomes of a job that still runs when the window ends.
    pub window_end: WindowEnd,
    /// What could not begin within so long after its slot is given up until the next one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_late: Option<Span>,
    /// How often a failed job is tried in all, if its failure can pass by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attempts: Option<u32>,
    /// How long before the second attempt; it doubles with each further one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_after: Option<Span>,
    /// What becomes of a job while the machine runs on battery.
    pub on_battery: OnBattery,
    /// What becomes of a job while the machine is on a line that is paid by the byte.
    pub on_metered: OnBattery,
    /// Percentage of charge at which a battery counts as none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_charge: Option<u8>,
}

impl Schedule {
    /// The entry of a job.
    #[must_use]
    pub fn entry(&self, kind: JobKind) -> Option<&Entry> {
        match kind {
            JobKind::Backup => self.backup.as_ref(),
            JobKind::Forget => self.forget.as_ref(),
            JobKind::Prune => self.prune.as_ref(),
            JobKind::Check => self.check.as_ref(),
            JobKind::Drill => self.drill.as_ref(),
            JobKind::Report => self.report.as_ref(),
        }
    }

    /// The same, to be changed.
    pub fn entry_mut(&mut self, kind: JobKind) -> Option<&mut Entry> {
        match kind {
            JobKind::Backup => self.backup.as_mut(),
            JobKind::Forget => self.forget.as_mut(),
            JobKind::Prune => self.prune.as_mut(),
            JobKind::Check => self.check.as_mut(),
            JobKind::Drill => self.drill.as_mut(),
            JobKind::Report => self.report.as_mut(),
        }
    }
}

/// When a job is due, and what is special about it: a calendar alone, or a table.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(schema_with = "entry_schema")]
pub struct Entry {
    /// A calendar.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub calendar: Option<String>,
    /// The job that it follows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<JobKind>,
    /// How that one must have ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub on: Option<On>,
    /// Alone: the distance of its slots. With `after`: so much lies between two runs at least.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub every: Option<Span>,
    /// `check --rotate`
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rotate: Option<Span>,
    /// Of a check: all stored data is read back.
    pub read_data: bool,
    /// Of a drill: `sample` or `full`. Of a report: which.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub kinds: Vec<String>,
    /// Of a report: the forms that it is written in.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub format: Vec<String>,
    /// Of a report: the folder that it is written to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<PathBuf>,
}

/// How the job before must have ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum On {
    /// With everything done: `ok` or `ok-with-notes`.
    #[default]
    Ok,
    /// In any way.
    Any,
}

/// What becomes of a job that still runs when the window ends.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum WindowEnd {
    /// It goes on to its end.
    #[default]
    Finish,
    /// It is stopped, and goes on in the next window.
    Pause,
    /// It is stopped, and failed.
    Stop,
}

/// What becomes of a job while the machine runs on battery.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum OnBattery {
    /// It begins all the same.
    #[default]
    Run,
    /// It is left out, which is an outcome and counts against the objective.
    Skip,
    /// It waits for power.
    Defer,
}

impl<'de> Deserialize<'de> for Entry {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(EntryVisitor)
    }
}

struct EntryVisitor;

impl<'de> Visitor<'de> for EntryVisitor {
    type Value = Entry;

    fn expecting(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str("a calendar like \"01:30\", or a table like { after = \"backup\" }")
    }

    fn visit_str<E: Error>(self, calendar: &str) -> Result<Entry, E> {
        Ok(Entry { calendar: Some(calendar.to_owned()), ..Entry::default() })
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Entry, A::Error> {
        Table::deserialize(MapAccessDeserializer::new(map)).map(Into::into)
    }
}

/// An entry as a table.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
struct Table {
    /// When it is due.
    calendar: Option<String>,
    /// The job that it follows.
    after: Option<JobKind>,
    /// How that one must have ended: ok, which is the default, or any.
    on: Option<On>,
    /// Alone: the distance of its slots. With `after`: so much lies between two runs at least.
    every: Option<Span>,
    /// Of a check: everything is read back once within this time.
    rotate: Option<Span>,
    /// Of a check: all stored data is read back.
    read_data: bool,
    /// Of a drill: sample or full. Of a report: which.
    kinds: Vec<String>,
    /// Of a report: html, pdf, json, csv.
    format: Vec<String>,
    /// Of a report: the folder that it is written to.
    to: Option<PathBuf>,
}

impl From<Table> for Entry {
    fn from(table: Table) -> Self {
        let Table { calendar, after, on, every, rotate, read_data, kinds, format, to } = table;
        Self { calendar, after, on, every, rotate, read_data, kinds, format, to }
    }
}

fn entry_schema(generator: &mut SchemaGenerator) -> Schema {
    let table = generator.subschema_for::<Table>();
    json_schema!({
        "description": "a calendar, or a table with more",
        "anyOf": [{ "type": "string" }, table]
    })
}

/// Hours of the day, in the zone of the configuration; it may go over midnight.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Window {
    /// Minute of the day at which it begins.
    pub from_min: u16,
    /// Minute of the day at which it ends.
    pub to_min: u16,
}

impl TryFrom<String> for Window {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let wrong = || format!("{text:?} is not a window: write for example \"22:00-06:00\"");
        let minute = |part: &str| -> Option<u16> {
            let (hour, minute) = part.trim().split_once(':')?;
            let (hour, minute): (u16, u16) = (hour.parse().ok()?, minute.parse().ok()?);
            (hour < 24 && minute < 60).then_some(hour * 60 + minute)
        };
        let (from, to) = text.split_once('-').ok_or_else(wrong)?;
        match (minute(from), minute(to)) {
            (Some(from_min), Some(to_min)) if from_min != to_min => Ok(Self { from_min, to_min }),
            _ => Err(wrong()),
        }
    }
}

impl fmt::Display for Window {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        let clock = |minute: u16| format!("{:02}:{:02}", minute / 60, minute % 60);
        write!(to, "{}-{}", clock(self.from_min), clock(self.to_min))
    }
}

impl Serialize for Window {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl JsonSchema for Window {
    fn schema_name() -> Cow<'static, str> {
        "Window".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "description": "hours of the day: 22:00-06:00",
            "pattern": "^\\s*[0-9]{1,2}:[0-9]{2}\\s*-\\s*[0-9]{1,2}:[0-9]{2}\\s*$"
        })
    }
}
