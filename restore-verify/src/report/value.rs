//! A number or a word with its unit, which it keeps until it is written.

use serde::Serialize;
use serde::ser::{SerializeStruct, Serializer};

use crate::report::calendar;

/// A number or a word with its unit.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// Evidence does not say.
    NotRecorded,
    /// So many.
    Count(u64),
    /// A part of a whole, 0 to 1.
    Share(f64),
    /// Bytes.
    Bytes(u64),
    /// Bytes in a second.
    Rate(f64),
    /// A span of time, in milliseconds.
    Span(u64),
    /// A point in time, in milliseconds since 1970.
    Time(i64),
    /// Evidence level, 0 to 6.
    Level(u8),
    /// An amount of money in the currency of its label.
    Money(f64),
    /// Words.
    Text(String),
}

impl Value {
    /// Words.
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    /// What is there, or [`Value::NotRecorded`].
    pub fn known<T>(value: Option<T>, make: impl Fn(T) -> Self) -> Self {
        value.map_or(Self::NotRecorded, make)
    }

    /// As people read it.
    #[must_use]
    pub fn shown(&self) -> String {
        match self {
            Self::NotRecorded => "not recorded".to_owned(),
            Self::Count(count) => calendar::count(*count),
            Self::Share(share) => calendar::percent(*share),
            Self::Bytes(bytes) => calendar::bytes(*bytes),
            Self::Rate(rate) => format!("{}/s", calendar::bytes(rate.round() as u64)),
            Self::Span(span) => calendar::span(*span),
            Self::Time(at_ms) => calendar::minute(*at_ms),
            Self::Level(level) => format!("L{level}"),
            Self::Money(amount) => format!("{amount:.2}"),
            Self::Text(text) => text.clone(),
        }
    }

    /// Its unit as JSON names it.
    #[must_use]
    pub const fn unit(&self) -> &'static str {
        match self {
            Self::NotRecorded => "none",
            Self::Count(_) => "count",
            Self::Share(_) => "share",
            Self::Bytes(_) => "bytes",
            Self::Rate(_) => "bytes_per_second",
            Self::Span(_) => "milliseconds",
            Self::Time(_) => "time",
            Self::Level(_) => "level",
            Self::Money(_) => "money",
            Self::Text(_) => "text",
        }
    }

    /// As a number, to be compared with what a control asks for.
    #[must_use]
    pub fn number(&self) -> Option<f64> {
        match self {
            Self::Count(count) | Self::Bytes(count) | Self::Span(count) => Some(*count as f64),
            Self::Share(number) | Self::Rate(number) | Self::Money(number) => Some(*number),
            Self::Time(at_ms) => Some(*at_ms as f64),
            Self::Level(level) => Some(f64::from(*level)),
            Self::NotRecorded | Self::Text(_) => None,
        }
    }

    /// Whether it stands on the right of a column.
    #[must_use]
    pub const fn is_number(&self) -> bool {
        !matches!(self, Self::NotRecorded | Self::Text(_) | Self::Time(_))
    }
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut out = serializer.serialize_struct("Value", 3)?;
        match self {
            Self::NotRecorded => out.serialize_field("value", &None::<u8>)?,
            Self::Count(number) | Self::Bytes(number) | Self::Span(number) => {
                out.serialize_field("value", number)?;
            }
            Self::Share(number) | Self::Rate(number) | Self::Money(number) => {
                out.serialize_field("value", number)?;
            }
            Self::Time(at_ms) => out.serialize_field("value", &calendar::rfc3339(*at_ms))?,
            Self::Level(level) => out.serialize_field("value", level)?,
            Self::Text(text) => out.serialize_field("value", text)?,
        }
        out.serialize_field("unit", self.unit())?;
        out.serialize_field("shown", &self.shown())?;
        out.end()
    }
}
