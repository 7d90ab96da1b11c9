//! Heads of chains that a machine knows of without reading chains: what its snapshots name.
//!
//! A machine that only backs up learns of them once a day, and only when it has stored something
//! anyway: one listing, and one request for each chain that has grown.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;

use engine::base::id::{ClientId, Digest};
use engine::base::limits::EVIDENCE_MAX_HEADS;
use engine::format::snapshot::EvidenceHead;
use engine::repo::{Repo, evidence};

use crate::evidence::copy::{CopyError, FOLDER, LocalCopy};
use crate::evidence::record::{Hash32, Writer, from_hex};
use crate::evidence::shelf::{ShelfError, millis};

/// Heads are looked for again after so long.
const DUE_MS: i64 = 20 * 3_600_000;
/// First word of the file.
const MAGIC: &str = "looked";

/// Heads and when somebody last looked for them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Known {
    looked_ms: i64,
    heads: BTreeMap<Writer, (u32, Hash32)>,
}

/// The heads that this machine knows of.
#[must_use]
pub fn known(state: &Path) -> Vec<EvidenceHead> {
    let mut heads = read(state).heads;
    // Chains that this machine keeps are newer than what it looked for.
    let kept = LocalCopy::open(state).and_then(|copy| copy.heads()).unwrap_or_default();
    for (writer, head) in kept {
        let place = heads.entry(writer).or_insert((head.record.number, head.hash));
        if place.0 < head.record.number {
            *place = (head.record.number, head.hash);
        }
    }
    let head = |(writer, (number, hash)): (Writer, (u32, Hash32))| EvidenceHead {
        writer: ClientId::new(writer.0),
        number,
        hash: Digest::new(hash.0),
        received: None,
    };
    heads.into_iter().map(head).take(EVIDENCE_MAX_HEADS).collect()
}

/// Looks for heads in the store, if nobody did within a day.
///
/// # Errors
/// Those of the store and of local files. A head that cannot be read or verified is left out.
pub fn look(repo: &Repo, state: &Path) -> Result<(), ShelfError> {
    let now_ms = millis(repo.clock().now());
    let mut known = read(state);
    if (0..DUE_MS).contains(&(now_ms - known.looked_ms)) {
        return Ok(());
    }
    for (client, numbers) in evidence::list(repo)?.into_iter().take(EVIDENCE_MAX_HEADS) {
        let writer = Writer(*client.as_bytes());
        let Some(number) = numbers.last().copied() else { continue };
        if known.heads.get(&writer).is_some_and(|(known, _)| *known >= number) {
            continue;
        }
        if let Ok(signed) = evidence::get(repo, client, number) {
            known.heads.insert(writer, (number, Hash32::of(&signed)));
        }
    }
    known.looked_ms = now_ms;
    write(state, &known)?;
    Ok(())
}

fn read(state: &Path) -> Known {
    let path = state.join(FOLDER).join("heads");
    let text = std::fs::read_to_string(path).unwrap_or_default();
    parse(&text).unwrap_or_default()
}

fn parse(text: &str) -> Option<Known> {
    let mut lines = text.lines();
    let looked_ms = lines.next()?.strip_prefix(MAGIC)?.trim().parse().ok()?;
    let mut heads = BTreeMap::new();
    for line in lines.take(EVIDENCE_MAX_HEADS) {
        let mut words = line.split(' ');
        let writer = Writer(from_hex(words.next()?)?.try_into().ok()?);
        let number = words.next()?.parse().ok()?;
        heads.insert(writer, (number, Hash32::from_hex(words.next()?)?));
    }
    Some(Known { looked_ms, heads })
}

fn write(state: &Path, known: &Known) -> Result<(), CopyError> {
    let folder = state.join(FOLDER);
    let path = folder.join("heads");
    let heads = known.heads.iter();
    let lines: String =
        heads.map(|(writer, (number, hash))| format!("{writer} {number} {hash}\n")).collect();
    let put = || -> std::io::Result<()> {
        std::fs::create_dir_all(&folder)?;
        let mut file = tempfile::NamedTempFile::new_in(&folder)?;
        file.write_all(format!("{MAGIC} {}\n{lines}", known.looked_ms).as_bytes())?;
        file.persist(&path)?;
        Ok(())
    };
    put().map_err(CopyError::during("writing", &path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_and_nonsense_is_nothing() {
        let state = tempfile::tempdir().expect("a folder");
        let heads = [(Writer([7; 8]), (3, Hash32([9; 32])))].into();
        let known = Known { looked_ms: 5, heads };
        write(state.path(), &known).expect("it can be written");
        assert_eq!(read(state.path()), known);
        assert_eq!(super::known(state.path()).len(), 1);
        for text in ["", "looked x", "looked 5\nzz 3 09"] {
            assert_eq!(parse(text), None);
        }
    }
}
