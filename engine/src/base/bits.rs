//! A set of record numbers: one bit each, so that ten million chunks take little over a megabyte.

/// Bits from number 0 on; grows when a number is set.
#[derive(Debug, Clone, Default)]
pub struct Bits {
    words: Vec<u64>,
}

impl Bits {
    /// Sets a bit; answers whether it was clear. Negative numbers do not occur and are ignored.
    pub fn set(&mut self, number: i64) -> bool {
        let Ok(number) = usize::try_from(number) else { return false };
        let (word, mask) = (number / 64, 1 << (number % 64));
        if word >= self.words.len() {
            self.words.resize(word + 1, 0);
        }
        let was_clear = self.words[word] & mask == 0;
        self.words[word] |= mask;
        was_clear
    }

    /// Whether a bit is set.
    #[must_use]
    pub fn get(&self, number: i64) -> bool {
        let Ok(number) = usize::try_from(number) else { return false };
        self.words.get(number / 64).is_some_and(|word| word & (1 << (number % 64)) != 0)
    }

    /// How many of `count` bits from `first` on are set.
    #[must_use]
    pub fn count(&self, first: i64, count: u32) -> u32 {
        (first..first.saturating_add(i64::from(count))).filter(|bit| self.get(*bit)).count() as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_are_set_counted_and_grow() {
        let mut bits = Bits::default();
        assert!(!bits.get(1_000_000) && !bits.get(-1) && !bits.set(-1));
        for number in [0, 63, 64, 65, 1000] {
            assert!(bits.set(number) && !bits.set(number) && bits.get(number), "{number}");
        }
        assert_eq!((bits.count(0, 64), bits.count(63, 3), bits.count(66, 900)), (2, 3, 0));
        assert_eq!(bits.count(900, u32::MAX / 1000), 1);
    }

    #[test]
    fn ten_million_chunks_fit_into_two_megabytes() {
        let mut bits = Bits::default();
        bits.set(10_000_000);
        assert!(bits.words.len() * 8 < 2_000_000);
    }
}
