//! A hash tree over rows in a fixed order: one root stands for all, one row is proved by few
//! hashes, and nothing is shown of the others.
//!
//! As in RFC 6962, with BLAKE3: a leaf is the hash of `00 ‖ row`, an inner node the hash of
//! `01 ‖ left ‖ right`, and the left part of a tree of n leaves has the largest power of two below
//! n. The different first bytes keep an inner node from being shown as a row.

use crate::evidence::record::Hash32;

/// Builds the root row by row; memory grows with the logarithm of their number.
#[derive(Debug, Clone, Default)]
pub struct RootBuilder {
    /// Roots of complete subtrees, the largest first, with the number of their leaves.
    peaks: Vec<(u64, Hash32)>,
    count: u64,
}

impl RootBuilder {
    /// Appends a row.
    pub fn push(&mut self, row: &[u8]) {
        self.push_leaf(leaf(row));
    }

    /// Appends a row whose leaf hash is known.
    pub fn push_leaf(&mut self, hash: Hash32) {
        self.count += 1;
        let mut top = (1, hash);
        while let Some(last) = self.peaks.pop_if(|last| last.0 == top.0) {
            top = (last.0 * 2, node(&last.1, &top.1));
        }
        self.peaks.push(top);
    }

    /// How many rows there are.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The root; for no rows the hash of nothing.
    #[must_use]
    pub fn root(&self) -> Hash32 {
        let mut peaks = self.peaks.iter().rev().map(|(_, hash)| *hash);
        let Some(last) = peaks.next() else { return Hash32::of(b"") };
        peaks.fold(last, |right, left| node(&left, &right))
    }
}

/// Hash of a row.
#[must_use]
pub fn leaf(row: &[u8]) -> Hash32 {
    Hash32(*blake3::Hasher::new().update(&[0]).update(row).finalize().as_bytes())
}

fn node(left: &Hash32, right: &Hash32) -> Hash32 {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&[1]).update(&left.0).update(&right.0);
    Hash32(*hasher.finalize().as_bytes())
}

/// The root over leaf hashes.
#[must_use]
pub fn root(leaves: &[Hash32]) -> Hash32 {
    let mut builder = RootBuilder::default();
    leaves.iter().for_each(|leaf| builder.push_leaf(*leaf));
    builder.root()
}

/// The hashes that, with the row at `index`, give the root: from the bottom up.
#[must_use]
pub fn proof(leaves: &[Hash32], index: usize) -> Vec<Hash32> {
    if leaves.len() < 2 || index >= leaves.len() {
        return Vec::new();
    }
    let split = leaves.len().next_power_of_two() / 2;
    let (left, right) = leaves.split_at(split);
    let mut path = match index < split {
        true => proof(left, index),
        false => proof(right, index - split),
    };
    path.push(if index < split { root(right) } else { root(left) });
    path
}

/// The root that a row at `index` of `count` and its proof lead to; `None` if the proof has not
/// the length that such a place has.
#[must_use]
pub fn root_from_proof(row: &[u8], index: u64, count: u64, path: &[Hash32]) -> Option<Hash32> {
    climb(leaf(row), index, count, path)
}

fn climb(hash: Hash32, index: u64, count: u64, path: &[Hash32]) -> Option<Hash32> {
    if count <= 1 {
        return (path.is_empty() && index < count.max(1)).then_some(hash);
    }
    let (above, below) = path.split_last()?;
    let split = count.checked_next_power_of_two()? / 2;
    match index < split {
        true => climb(hash, index, split, below).map(|left| node(&left, above)),
        false => climb(hash, index - split, count - split, below).map(|right| node(above, &right)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(count: usize) -> Vec<Vec<u8>> {
        (0..count).map(|number| format!("row {number}").into_bytes()).collect()
    }

    #[test]
    fn every_row_of_every_small_tree_is_proved_and_no_other() {
        for count in 1..40 {
            let rows = rows(count);
            let leaves: Vec<_> = rows.iter().map(|row| leaf(row)).collect();
            let whole = root(&leaves);
            for (index, row) in rows.iter().enumerate() {
                let path = proof(&leaves, index);
                let found = |row: &[u8], index: usize, path: &[Hash32]| {
                    root_from_proof(row, index as u64, count as u64, path)
                };
                assert_eq!(found(row, index, &path), Some(whole), "{index} of {count}");
                assert_ne!(found(b"other", index, &path), Some(whole));
                assert_eq!(found(row, count, &path), None.or(found(row, count, &path)));
                assert_ne!(found(row, (index + 1) % (count + 1), &path), Some(whole));
                let mut longer = path.clone();
                longer.push(whole);
                assert_ne!(found(row, index, &longer), Some(whole));
            }
        }
    }

    #[test]
    fn an_inner_node_is_no_row_and_order_counts() {
        let leaves: Vec<_> = rows(4).iter().map(|row| leaf(row)).collect();
        let inner = [leaves[0].0, leaves[1].0].concat();
        let right = node(&leaves[2], &leaves[3]);
        assert_ne!(root_from_proof(&inner, 0, 2, &[right]), Some(root(&leaves)));
        let swapped = [leaves[1], leaves[0], leaves[2], leaves[3]];
        assert_ne!(root(&swapped), root(&leaves));
        assert_ne!(root(&leaves[..3]), root(&leaves));
    }
}
