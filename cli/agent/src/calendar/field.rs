//! Sets of numbers as systemd writes them: `1,15`, `1..5`, `0/15`, `*`, and from the end of a month.

use crate::calendar::CalendarError;

/// One part of a field: from, up to, each so many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Part {
    start: u16,
    stop: Option<u16>,
    step: Option<u16>,
}

/// What a field allows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Field {
    /// Nothing in it: all numbers are allowed.
    parts: Vec<Part>,
}

impl Field {
    /// Every number.
    pub(super) fn all() -> Self {
        Self { parts: Vec::new() }
    }

    /// This number alone.
    pub(super) fn only(number: u16) -> Self {
        Self { parts: vec![Part { start: number, stop: None, step: None }] }
    }

    /// Reads a field of numbers from `min` to `max`; `name` is for errors.
    pub(super) fn parse(text: &str, name: &str, min: u16, max: u16) -> Result<Self, CalendarError> {
        if text == "*" {
            return Ok(Self::all());
        }
        let parts = text.split(',').map(|part| Part::parse(part, name, min, max));
        Ok(Self { parts: parts.collect::<Result<_, _>>()? })
    }

    /// Whether every number is meant.
    pub(super) fn is_all(&self) -> bool {
        self.parts.is_empty()
    }

    /// Whether it begins again and again: `*` or `0/2`.
    pub(super) fn is_repeated(&self) -> bool {
        self.is_all() || self.parts.iter().any(|part| part.step.is_some() && part.stop.is_none())
    }

    /// Whether a number is meant, of those up to `max`.
    pub(super) fn has(&self, number: u16, max: u16) -> bool {
        self.is_all() || self.parts.iter().any(|part| part.has(number, max))
    }

    /// Whether a day is meant by its distance from the end of its month, the last being 1.
    pub(super) fn has_from_end(&self, number: u16, days_of_month: u16) -> bool {
        let turned = |from_end: u16| (days_of_month + 1).checked_sub(from_end);
        self.is_all()
            || self.parts.iter().any(|part| {
                let Some(start) = turned(part.start) else { return false };
                let stop = part.stop.and_then(turned);
                Part { start, stop, ..*part }.has(number, days_of_month)
            })
    }

    /// The numbers that are meant from 0 to `max`.
    pub(super) fn numbers(&self, max: u16) -> impl Iterator<Item = u16> {
        (0..=max).filter(move |number| self.has(*number, max))
    }
}

impl Part {
    fn parse(text: &str, name: &str, min: u16, max: u16) -> Result<Self, CalendarError> {
        let wrong = |what: &str| CalendarError::Words(format!("{what} in its {name}: {text:?}"));
        let (range, step) = match text.split_once('/') {
            None => (text, None),
            Some((range, step)) => {
                let step: u16 = step.parse().map_err(|_| wrong("no number behind the slash"))?;
                if step == 0 {
                    return Err(wrong("a step of 0"));
                }
                (range, Some(step))
            }
        };
        let number = |text: &str| -> Result<u16, CalendarError> {
            let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
            let number: u16 = match text.parse() {
                Ok(number) if is_number => number,
                _ => return Err(wrong("not a number")),
            };
            match (min..=max).contains(&number) {
                true => Ok(number),
                false => Err(wrong(&format!("not from {min} to {max}"))),
            }
        };
        let (start, stop) = match range.split_once("..") {
            // `*/2` begins with the least.
            None if range == "*" && step.is_some() => (min, None),
            None => (number(range)?, None),
            Some((start, stop)) => (number(start)?, Some(number(stop)?)),
        };
        Ok(Self { start, stop, step })
    }

    fn has(self, number: u16, max: u16) -> bool {
        let stop = match (self.stop, self.step) {
            (Some(stop), _) => stop,
            (None, Some(_)) => max,
            (None, None) => self.start,
        };
        number >= self.start
            && number <= stop
            && (number - self.start).is_multiple_of(self.step.unwrap_or(1))
    }
}
