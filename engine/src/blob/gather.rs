//! Joins the blocks that are wanted of one pack into few range reads.

use std::ops::Range;

use crate::base::limits::FETCH_GAP_MAX_BYTES;

/// A stretch of a pack, and which of the wanted blocks lie in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GatheredRange {
    /// Bytes to read.
    pub bytes: Range<u64>,
    /// Indices into the wanted blocks.
    pub wanted: Range<usize>,
}

/// Joins neighbours to ranges of at most `range_max_bytes`, unless one block is larger. `wanted` is
/// `(offset, stored bytes)`, sorted by offset.
#[must_use]
pub fn gather(wanted: &[(u32, u32)], range_max_bytes: usize) -> Vec<GatheredRange> {
    let mut ranges: Vec<GatheredRange> = Vec::new();
    for (number, (offset, stored_bytes)) in wanted.iter().enumerate() {
        let start = u64::from(*offset);
        let end = start + u64::from(*stored_bytes);
        if let Some(last) = ranges.last_mut() {
            let gap = start.saturating_sub(last.bytes.end);
            let joined = end - last.bytes.start;
            if gap <= FETCH_GAP_MAX_BYTES as u64 && joined <= range_max_bytes as u64 {
                last.bytes.end = last.bytes.end.max(end);
                last.wanted.end = number + 1;
                continue;
            }
        }
        ranges.push(GatheredRange { bytes: start..end, wanted: number..number + 1 });
    }
    ranges
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::limits::MIB;

    #[test]
    fn neighbours_are_read_together_and_far_ones_are_not() {
        let far = FETCH_GAP_MAX_BYTES as u32 + 300;
        let ranges = gather(&[(100, 100), (200, 50), (260, 10), (far + 1000, 5)], MIB);
        assert_eq!(ranges.len(), 2);
        assert_eq!(ranges[0], GatheredRange { bytes: 100..270, wanted: 0..3 });
        assert_eq!(ranges[1].wanted, 3..4);
    }

    #[test]
    fn no_range_grows_beyond_its_limit() {
        let block = MIB as u32 / 3;
        let wanted: Vec<_> = (0..10).map(|n| (n * block, block)).collect();
        let ranges = gather(&wanted, MIB);
        assert!(ranges.iter().all(|r| r.bytes.end - r.bytes.start <= MIB as u64));
        assert_eq!(ranges.iter().map(|r| r.wanted.len()).sum::<usize>(), 10);
    }
}
