//! Heads of chains that somebody knows from elsewhere: a page that was printed, a mail to the auditor, a
//! second system. With one, an end that was cut off shows also where all memory of it is gone.

use std::str::FromStr;

use crate::evidence::chain::{Flaw, FlawKind};
use crate::evidence::record::{Hash32, Reference, SignedRecord, Writer, from_hex};

/// A record that must be there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KnownHead {
    /// At its place.
    At(Reference),
    /// Wherever it is.
    Hash(Hash32),
}

/// A text names no head.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "write WRITER/NUMBER:HASH, as `evidence verify` shows it (16 digits, a number, 64 digits), or the hash alone"
)]
pub struct KnownHeadError;

impl FromStr for KnownHead {
    type Err = KnownHeadError;

    fn from_str(text: &str) -> Result<Self, KnownHeadError> {
        let text = text.trim();
        if let Some(hash) = Hash32::from_hex(&text.to_ascii_lowercase()) {
            return Ok(Self::Hash(hash));
        }
        let is_between = |letter: char| letter == ':' || letter == '=' || letter.is_whitespace();
        let (place, hash) = text.split_once(is_between).ok_or(KnownHeadError)?;
        let (writer, number) = place.split_once('/').ok_or(KnownHeadError)?;
        let bytes = |text: &str| {
            from_hex(&text.trim_matches(is_between).to_ascii_lowercase()).ok_or(KnownHeadError)
        };
        let writer: [u8; 8] = bytes(writer)?.try_into().map_err(|_| KnownHeadError)?;
        let hash: [u8; 32] = bytes(hash)?.try_into().map_err(|_| KnownHeadError)?;
        let number = number.parse().map_err(|_| KnownHeadError)?;
        Ok(Self::At(Reference { writer: Writer(writer), number, hash: Hash32(hash) }))
    }
}

/// What is wrong if these must be there: a chain that ends before, or that has another record there.
#[must_use]
pub fn compare<'a>(
    known: &[KnownHead],
    records: impl Iterator<Item = &'a SignedRecord> + Clone,
) -> Vec<Flaw> {
    let mut flaws = Vec::new();
    for head in known {
        let head = match head {
            KnownHead::At(head) => head,
            KnownHead::Hash(hash) => {
                if !records.clone().any(|one| one.reference().hash == *hash) {
                    let why = "no record has this hash, which is known";
                    flaws.push(Flaw::new(FlawKind::Missing, hash.to_string(), why));
                }
                continue;
            }
        };
        let of_writer = records.clone().map(SignedRecord::reference);
        let of_writer = of_writer.filter(|one| one.writer == head.writer);
        let (mut last, mut there) = (None, None);
        for one in of_writer {
            last = last.max(Some(one.number));
            if one.number == head.number {
                there = Some(one.hash);
            }
        }
        let flaw = match (there, last) {
            (Some(hash), _) if hash == head.hash => continue,
            (Some(_), _) => {
                (FlawKind::Forked, "another record stands there than the one that is known")
            }
            (None, Some(last)) if last > head.number => {
                (FlawKind::Missing, "it is known, and is not there")
            }
            (None, Some(_)) => {
                (FlawKind::Truncated, "the chain ends before this record, which is known")
            }
            (None, None) => {
                (FlawKind::Truncated, "there is no record of this writer, whose head is known")
            }
        };
        flaws.push(Flaw::new(flaw.0, head.to_string(), flaw.1));
    }
    flaws
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_are_read_as_they_are_shown() {
        let (writer, hash) = ("0a".repeat(8), "FE".repeat(32));
        let head = Reference { writer: Writer([10; 8]), number: 7, hash: Hash32([254; 32]) };
        for between in [":", " ", "=", "  "] {
            let text = format!("{writer}/7{between}{hash}");
            assert_eq!(text.parse(), Ok(KnownHead::At(head)), "{text}");
        }
        for wrong in
            ["", "7", "a/7:b", &writer, &format!("{writer}/x:{hash}"), &format!("{writer}/7")]
        {
            assert!(wrong.parse::<KnownHead>().is_err(), "{wrong}");
        }
    }
}
