//! The stages that need nothing but the processor, each on all cores at once.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::base::id::PackKind;
use crate::benchmark::error::BenchmarkError;
use crate::benchmark::report::{BenchmarkReport, StageKind};
use crate::benchmark::source::Sample;
use crate::benchmark::turns::Turns;
use crate::chunk::cut::Cutter;
use crate::chunk::gear::GearTable;
use crate::chunk::level::Level;
use crate::chunk::profile::{DETECT_BYTES, Profile, detect};
use crate::chunk::squeeze::Compressor;
use crate::crypt::aead::{BLOCK_SALT_BYTES, BlockCipher};
use crate::crypt::hash::{ChunkIdKey, digest};
use crate::crypt::secret::SecretKey;

/// How long each stage runs.
const BUDGET: Duration = Duration::from_millis(600);
/// Compression varies most with the data.
const COMPRESS_BUDGET: Duration = Duration::from_millis(1500);

/// Answers are never errors here; the type only says so.
impl From<Infallible> for BenchmarkError {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}

type Never<T> = Result<T, Infallible>;

/// Cuts, hashes, compresses and seals the sample.
pub(super) fn measure(
    sample: &Sample,
    level: Level,
    turns: &Turns<'_>,
    report: &mut BenchmarkReport,
) -> Result<(), BenchmarkError> {
    let pieces = &sample.pieces;
    let piece = |number: u64| pieces[number as usize % pieces.len()].as_slice();
    let key = SecretKey::random();

    let gear = Arc::new(GearTable::new(&key));
    let cutters = Profile::ALL.map(|profile| Cutter::new(Arc::clone(&gear), profile));
    let cut = |_: &mut (), number| -> Never<Option<u64>> {
        let data = piece(number);
        let profile = detect(&data[..data.len().min(DETECT_BYTES)], data.len() as u64);
        let mut position = 0;
        while let Some(length) = cutters[profile as usize].next(&data[position..], true) {
            position += length;
        }
        Ok(Some(position as u64))
    };
    report.stages.push(turns.measure(StageKind::Cut, BUDGET, || (), cut)?);

    let ids = ChunkIdKey::new(&key);
    let hash = |last: &mut Vec<_>, number| -> Never<Option<u64>> {
        let data = piece(number);
        last.clear();
        // Chunks, not pieces, are what ids are of: short inputs cost more for each byte.
        last.extend(data.chunks(64 * 1024).map(|chunk| ids.id(PackKind::Data, chunk)));
        Ok(Some(data.len() as u64))
    };
    report.stages.push(turns.measure(StageKind::Hash, BUDGET, Vec::new, hash)?);

    let stored = AtomicU64::new(0);
    let begin = || (Compressor::new(level), Vec::new());
    let compress = |(compressor, out): &mut (Compressor, Vec<u8>), number| -> Never<Option<u64>> {
        let data = piece(number);
        out.clear();
        compressor.compress_into(data, out);
        stored.fetch_add(out.len() as u64, Ordering::Relaxed);
        Ok(Some(data.len() as u64))
    };
    let stage = turns.measure(StageKind::Compress, COMPRESS_BUDGET, begin, compress)?;
    report.compression_ratio = stage.bytes as f64 / stored.into_inner().max(1) as f64;
    report.stages.push(stage);

    let cipher = BlockCipher::new(&key);
    let seal = |buffer: &mut Vec<u8>, number| -> Never<Option<u64>> {
        buffer.clear();
        buffer.resize(BLOCK_SALT_BYTES, 0);
        buffer.extend_from_slice(piece(number));
        let tag = cipher.seal_in_place(number as u32, b"", buffer);
        buffer.extend_from_slice(&tag);
        // A pack is hashed whole once it is complete.
        std::hint::black_box(digest(buffer));
        Ok(Some(piece(number).len() as u64))
    };
    report.stages.push(turns.measure(StageKind::Seal, BUDGET, Vec::new, seal)?);
    Ok(())
}
