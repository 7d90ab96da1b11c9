//! The data to measure with: read from the source, which is measured by that, or made up.

use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::base::limits::{BENCHMARK_FILES_MAX, BENCHMARK_SAMPLE_BYTES, BLOCK_TARGET_BYTES, MIB};
use crate::benchmark::error::BenchmarkError;
use crate::benchmark::report::{BenchmarkReport, Stage, StageKind};
use crate::benchmark::turns::Turns;
use crate::crypt::random;
use crate::disk::exclude::{ExcludeOptions, Excludes};
use crate::disk::walk::{Found, Walk, WalkItem, WalkOptions};
use crate::format::entry::EntryKind;

/// How long folders are listed.
const WALK_BUDGET: Duration = Duration::from_millis(1000);
/// How long files are read.
const READ_BUDGET: Duration = Duration::from_millis(1500);
/// Of one file no more is read: a disk image would say nothing about the files beside it.
const PART_BYTES: usize = 8 * MIB;
/// Words of made-up text; what matters is that they come again.
const WORDS: [&str; 8] =
    ["backup ", "restore ", "the ", "of ", "snapshot\n", "proved ", "and ", "again, "];

/// Data in pieces of about a block.
pub(super) struct Sample {
    pub(super) pieces: Vec<Vec<u8>>,
}

impl Sample {
    /// Half of it text, half of it noise.
    pub(super) fn made_up() -> Self {
        let count = BENCHMARK_SAMPLE_BYTES / BLOCK_TARGET_BYTES;
        let pieces = (0..count).map(|number| {
            let mut piece = vec![0; BLOCK_TARGET_BYTES];
            random::fill(&mut piece);
            if number % 2 == 0 {
                let choices = std::mem::replace(&mut piece, Vec::with_capacity(BLOCK_TARGET_BYTES));
                for choice in choices {
                    piece.extend_from_slice(WORDS[usize::from(choice) % WORDS.len()].as_bytes());
                    if piece.len() >= BLOCK_TARGET_BYTES {
                        break;
                    }
                }
                piece.truncate(BLOCK_TARGET_BYTES);
            }
            piece
        });
        Self { pieces: pieces.collect() }
    }

    pub(super) fn bytes(&self) -> u64 {
        self.pieces.iter().map(|piece| piece.len() as u64).sum()
    }

    /// Joins small files and cuts large ones, as blocks do.
    fn of_files(files: Vec<Vec<u8>>) -> Self {
        let mut pieces: Vec<Vec<u8>> = Vec::new();
        for part in files.iter().flat_map(|file| file.chunks(BLOCK_TARGET_BYTES)) {
            match pieces.last_mut() {
                Some(last) if last.len() + part.len() <= BLOCK_TARGET_BYTES => {
                    last.extend_from_slice(part);
                }
                _ => pieces.push(part.to_vec()),
            }
        }
        Self { pieces }
    }
}

/// Walks and reads.
pub(super) fn measure(
    roots: &[PathBuf],
    turns: &Turns<'_>,
    report: &mut BenchmarkReport,
) -> Result<Sample, BenchmarkError> {
    let files = walk(roots, turns, report)?;
    let all_bytes: u64 = files.iter().map(|file| part_bytes(file) as u64).sum();
    // Every n-th file, so that what is read is spread over all that was seen.
    let stride = (all_bytes / (4 * BENCHMARK_SAMPLE_BYTES as u64)).max(1) as usize;
    let chosen: Vec<&Found> = files.iter().step_by(stride).collect();
    let kept: Mutex<(usize, Vec<Vec<u8>>)> = Mutex::default();
    let read = |buffer: &mut Vec<u8>, number: u64| -> Result<Option<u64>, BenchmarkError> {
        let Some(found) = chosen.get(number as usize) else { return Ok(None) };
        // What cannot be read is no concern of a measurement.
        let Ok(file) = found.open() else { return Ok(Some(0)) };
        buffer.resize(part_bytes(found), 0);
        let mut filled = 0;
        while filled < buffer.len() {
            match file.read_at(&mut buffer[filled..], filled as u64) {
                Ok(0) | Err(_) => break,
                Ok(count) => filled += count,
            }
        }
        let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
        if filled > 0 && kept.0 + filled <= BENCHMARK_SAMPLE_BYTES {
            kept.0 += filled;
            kept.1.push(buffer[..filled].to_vec());
        }
        Ok(Some(filled as u64))
    };
    report.stages.push(turns.measure(StageKind::Read, READ_BUDGET, Vec::new, read)?);
    let (kept_bytes, files) = kept.into_inner().unwrap_or_else(PoisonError::into_inner);
    match kept_bytes {
        0 => Err(BenchmarkError::NoData),
        _ => Ok(Sample::of_files(files)),
    }
}

fn part_bytes(found: &Found) -> usize {
    found.stat.facts.size_bytes.min(PART_BYTES as u64) as usize
}

fn walk(
    roots: &[PathBuf],
    turns: &Turns<'_>,
    report: &mut BenchmarkReport,
) -> Result<Vec<Found>, BenchmarkError> {
    let options = WalkOptions {
        roots: roots.to_vec(),
        excludes: Excludes::new(&ExcludeOptions::default())?,
        ..WalkOptions::default()
    };
    let started = turns.clock.monotonic();
    let passed = || turns.clock.monotonic().saturating_sub(started);
    let (mut items, mut files) = (0, Vec::new());
    for item in Walk::new(options)?.on_all_cores() {
        items += 1;
        if let WalkItem::Found(found) = item
            && found.stat.facts.kind == EntryKind::File
            && found.stat.facts.size_bytes > 0
        {
            files.push(found);
        }
        if passed() >= WALK_BUDGET || files.len() >= BENCHMARK_FILES_MAX {
            break;
        }
    }
    report.stages.push(Stage { kind: StageKind::Walk, items, bytes: 0, took: passed() });
    Ok(files)
}
