//! The gear table and the cut rule, to see that the document suffices to cut alike.

use crate::reader::key::Key;

/// A profile with content-defined cuts.
#[derive(Debug, Clone, Copy)]
pub enum Profile {
    /// 16, 64, 256 KiB.
    General,
    /// 256 KiB, 1, 4 MiB.
    Media,
}

/// The gear table of a domain's cut point key.
#[must_use]
pub fn gear(key: &Key) -> Vec<u64> {
    let mut bytes = [0; 2048];
    blake3::Hasher::new_keyed(key).finalize_xof().fill(&mut bytes);
    let number = |eight: &[u8]| eight.iter().rev().fold(0, |sum, byte| sum << 8 | u64::from(*byte));
    bytes.chunks(8).map(number).collect()
}

/// Lengths of all chunks of a file.
#[must_use]
pub fn cut(data: &[u8], gear: &[u64], profile: Profile) -> Vec<u64> {
    let mut rest = data;
    let mut lengths = Vec::new();
    while !rest.is_empty() {
        let length = next(rest, gear, profile);
        lengths.push(length as u64);
        rest = &rest[length..];
    }
    lengths
}

fn next(data: &[u8], gear: &[u64], profile: Profile) -> usize {
    let (min, average, max, strict, loose) = match profile {
        Profile::General => (16 << 10, 64 << 10, 256 << 10, 0xd907_0753_7000, 0xd903_1353_0000),
        Profile::Media => (256 << 10, 1 << 20, 4 << 20, 0xd937_6753_7000, 0xd907_0753_7000),
    };
    let n = data.len().min(max);
    if n <= min {
        return n;
    }
    let mut hash: u64 = 0;
    for i in min..n - n % 2 {
        hash = hash.wrapping_mul(2).wrapping_add(gear[usize::from(data[i])]);
        let mask: u64 = if i < average { strict } else { loose };
        if hash & mask == 0 {
            return i;
        }
    }
    n
}
