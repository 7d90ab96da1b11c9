//! Spans of time as a configuration has them: `45m`, `26h`, `7d`, `1d12h`.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize, Serializer};

/// Ten years: longer is a mistake.
const MAX_S: u64 = 10 * 366 * 86_400;
/// The units with their seconds, the largest first.
const UNITS: [(char, u64); 5] =
    [('w', 7 * 86_400), ('d', 86_400), ('h', 3600), ('m', 60), ('s', 1)];

/// A span of time in whole seconds; a day has 24 hours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Deserialize)]
#[serde(try_from = "String")]
pub struct Span(u64);

/// A text is no span.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not a span of time: write for example \"45m\", \"26h\", \"7d\" or \"1d12h\"")]
pub struct SpanError {
    text: String,
}

impl Span {
    /// So many seconds.
    #[must_use]
    pub const fn of_seconds(seconds: u64) -> Self {
        Self(seconds)
    }

    /// Its seconds.
    #[must_use]
    pub const fn seconds(self) -> u64 {
        self.0
    }

    /// Its seconds, to be added to an instant.
    #[must_use]
    pub fn seconds_i64(self) -> i64 {
        i64::try_from(self.0).unwrap_or(i64::MAX)
    }

    /// Reads one.
    ///
    /// # Errors
    /// [`SpanError`] for anything else, for a number without a unit, and for more than ten years.
    pub fn parse(text: &str) -> Result<Self, SpanError> {
        let wrong = || SpanError { text: text.to_owned() };
        let (mut total, mut rest, mut at_unit) = (0_u64, text.trim(), 0);
        if rest.is_empty() {
            return Err(wrong());
        }
        while !rest.is_empty() {
            let end = rest.find(|one: char| !one.is_ascii_digit()).ok_or_else(wrong)?;
            let number: u64 = rest[..end].parse().map_err(|_| wrong())?;
            let unit = rest[end..].chars().next().ok_or_else(wrong)?;
            let found = UNITS.iter().position(|(letter, _)| *letter == unit).ok_or_else(wrong)?;
            // Each unit once, from large to small.
            if found < at_unit {
                return Err(wrong());
            }
            at_unit = found + 1;
            let seconds = number.checked_mul(UNITS[found].1).ok_or_else(wrong)?;
            total = total.checked_add(seconds).filter(|sum| *sum <= MAX_S).ok_or_else(wrong)?;
            rest = rest[end + unit.len_utf8()..].trim_start();
        }
        Ok(Self(total))
    }
}

impl FromStr for Span {
    type Err = SpanError;

    fn from_str(text: &str) -> Result<Self, SpanError> {
        Self::parse(text)
    }
}

impl TryFrom<String> for Span {
    type Error = SpanError;

    fn try_from(text: String) -> Result<Self, SpanError> {
        Self::parse(&text)
    }
}

impl fmt::Display for Span {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == 0 {
            return to.write_str("0s");
        }
        let mut rest = self.0;
        for (letter, seconds) in UNITS.iter().filter(|(letter, _)| *letter != 'w') {
            if rest >= *seconds {
                write!(to, "{}{letter}", rest / seconds)?;
                rest %= seconds;
            }
        }
        Ok(())
    }
}

impl Serialize for Span {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl JsonSchema for Span {
    fn schema_name() -> Cow<'static, str> {
        "Span".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "description": "a span of time: 45m, 26h, 7d, 1d12h",
            "pattern": "^\\s*([0-9]+[wdhms]\\s*)+$"
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn units_come_once_and_from_large_to_small() {
        for (text, seconds) in
            [("45m", 2700), ("26h", 93_600), ("7d", 604_800), ("1d12h", 129_600), ("0s", 0)]
        {
            assert_eq!(Span::parse(text).map(Span::seconds), Ok(seconds), "{text}");
        }
        for wrong in ["", "7", "h", "12h1d", "1h1h", "-1h", "1.5h", "1y", "99999w", "1 h h"] {
            assert!(Span::parse(wrong).is_err(), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_reads_the_same(seconds in 0..MAX_S) {
            let text = Span(seconds).to_string();
            prop_assert_eq!(Span::parse(&text), Ok(Span(seconds)));
        }
    }
}
