//! How many bytes different things have together that come by more than once, in bounded memory.

use std::collections::HashSet;

/// Most things that are remembered.
const KEPT_MAX: usize = 1 << 15;

/// A sum over different things. Up to [`KEPT_MAX`] of them it is exact; from then on only those
/// whose hash ends in some zero bits count, for all the others too, and more bits with each time
/// that memory is full. A thing that was counted is remembered as long as its like count, so that
/// none counts twice, and the sum is right on average.
#[derive(Debug, Default)]
pub struct DistinctBytes {
    kept: HashSet<u64>,
    zero_bits: u32,
    sum_bytes: u64,
}

impl DistinctBytes {
    /// Something with this hash, all bits of which are evenly spread, comes by.
    pub fn add(&mut self, hash: u64, bytes: u64) {
        if hash.trailing_zeros() < self.zero_bits || !self.kept.insert(hash) {
            return;
        }
        let weight = 1_u64 << self.zero_bits.min(63);
        self.sum_bytes = self.sum_bytes.saturating_add(bytes.saturating_mul(weight));
        if self.kept.len() > KEPT_MAX {
            self.zero_bits += 1;
            let zero_bits = self.zero_bits;
            self.kept.retain(|hash| hash.trailing_zeros() >= zero_bits);
        }
    }

    /// From now on everything counts again.
    pub fn forget(&mut self) {
        self.kept.clear();
    }

    /// The sum, in bytes.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.sum_bytes
    }
}

#[cfg(test)]
mod tests {
    use std::hash::{DefaultHasher, Hash, Hasher};

    use super::*;

    fn hash(number: u64) -> u64 {
        let mut hasher = DefaultHasher::new();
        number.hash(&mut hasher);
        hasher.finish()
    }

    #[test]
    fn few_things_are_counted_exactly_however_often_they_come() {
        let mut sum = DistinctBytes::default();
        for number in (0..30_000).chain(0..30_000).chain(10_000..20_000) {
            sum.add(hash(number), number);
        }
        let once: u64 = (0..30_000).sum();
        assert_eq!(sum.bytes(), once);
        sum.forget();
        (0..30_000).for_each(|number| sum.add(hash(number), number));
        assert_eq!(sum.bytes(), 2 * once);
    }

    #[test]
    fn many_things_are_counted_nearly_and_in_bounded_memory() {
        let mut sum = DistinctBytes::default();
        let numbers = (0..1_000_000).chain(500_000..1_500_000).chain(0..200_000);
        for number in numbers {
            sum.add(hash(number), 1000);
        }
        assert!(sum.kept.len() <= KEPT_MAX);
        let ratio = sum.bytes() as f64 / 1.5e9;
        assert!((ratio - 1.0).abs() < 0.03, "{ratio}");
    }
}
