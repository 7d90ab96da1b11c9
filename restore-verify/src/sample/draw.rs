//! The drawing rule: which files a seed picks from a population. Public, and computed by anybody.
//!
//! A file's rank is `BLAKE3(seed ‖ path hash)`. Files that were never drilled come first: as long
//! as there are enough of them, only they are drawn from. Strata get places in proportion to their
//! size, by one systematic pass: with N files in the pool, n places and u = (first eight bytes of
//! the seed, big-endian) mod N, place k falls on position (k·N + u) div n of the pool sorted by
//! stratum. In each stratum the lowest ranks are taken. So every file of the pool has the same
//! chance n/N, and nobody who does not choose the seed chooses a file.

use std::collections::{BTreeMap, BinaryHeap};

/// Length of a row as bytes.
pub const ROW_BYTES: usize = 32 + 8 + 2 + 1;

/// One file of a population.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Row {
    /// Salted hash of its path.
    pub path: [u8; 32],
    /// Its size.
    pub size_bytes: u64,
    /// Its stratum, see [`stratum`].
    pub stratum: u16,
    /// Whether it was never drilled in this generation.
    pub is_fresh: bool,
}

impl Row {
    /// The row as it goes into the root of the population.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; ROW_BYTES] {
        let mut bytes = [0; ROW_BYTES];
        bytes[..32].copy_from_slice(&self.path);
        bytes[32..40].copy_from_slice(&self.size_bytes.to_be_bytes());
        bytes[40..42].copy_from_slice(&self.stratum.to_be_bytes());
        bytes[42] = u8::from(self.is_fresh);
        bytes
    }
}

/// Stratum of a file: 16 · age + 4 · size + folder.
///
/// Age at the time of the snapshot: 0 within 30 days, 1 within 365 days, 2 older. Size: 0 up to
/// 64 KiB, 1 up to 1 MiB, 2 up to 64 MiB, 3 larger. Folder: the salted hash of its path, modulo 4.
#[must_use]
pub fn stratum(age_s: i64, size_bytes: u64, folder: &[u8; 32]) -> u16 {
    const DAY_S: i64 = 86_400;
    let age = match age_s {
        s if s <= 30 * DAY_S => 0,
        s if s <= 365 * DAY_S => 1,
        _ => 2,
    };
    let size = match size_bytes {
        b if b <= 64 << 10 => 0,
        b if b <= 1 << 20 => 1,
        b if b <= 64 << 20 => 2,
        _ => 3,
    };
    16 * age + 4 * size + u16::from(folder[0] % 4)
}

/// The seed of a drill.
#[must_use]
pub fn seed(previous: &[u8; 32], snapshot: &[u8; 24], generation: u64) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(previous).update(snapshot).update(&generation.to_be_bytes());
    *hasher.finalize().as_bytes()
}

fn rank(seed: &[u8; 32], path: &[u8; 32]) -> [u8; 32] {
    *blake3::Hasher::new().update(seed).update(path).finalize().as_bytes()
}

/// Draws while the population streams past; holds at most the wanted number of files per stratum.
pub struct Drawer<T> {
    seed: [u8; 32],
    wanted: u64,
    fresh: BTreeMap<u16, Stratum<T>>,
    drilled: BTreeMap<u16, Stratum<T>>,
}

struct Stratum<T> {
    count: u64,
    /// The lowest ranks so far, the highest of them on top.
    lowest: BinaryHeap<Ranked<T>>,
}

struct Ranked<T> {
    rank: [u8; 32],
    row: Row,
    item: T,
}

impl<T> PartialEq for Ranked<T> {
    fn eq(&self, other: &Self) -> bool {
        self.rank == other.rank && self.row.path == other.row.path
    }
}

impl<T> Eq for Ranked<T> {}

impl<T> PartialOrd for Ranked<T> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl<T> Ord for Ranked<T> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.rank, self.row.path).cmp(&(other.rank, other.row.path))
    }
}

impl<T> Drawer<T> {
    /// Draws `wanted` files, or all if there are fewer.
    #[must_use]
    pub fn new(seed: [u8; 32], wanted: u64) -> Self {
        Self { seed, wanted, fresh: BTreeMap::new(), drilled: BTreeMap::new() }
    }

    /// One more file; `item` is asked for only if the file may be drawn.
    pub fn push(&mut self, row: Row, item: impl FnOnce() -> T) {
        let pool = if row.is_fresh { &mut self.fresh } else { &mut self.drilled };
        let stratum = pool
            .entry(row.stratum)
            .or_insert_with(|| Stratum { count: 0, lowest: BinaryHeap::new() });
        stratum.count += 1;
        let rank = rank(&self.seed, &row.path);
        let is_full = stratum.lowest.len() as u64 >= self.wanted;
        if is_full && stratum.lowest.peek().is_none_or(|top| top.rank <= rank) {
            return;
        }
        stratum.lowest.push(Ranked { rank, row, item: item() });
        if is_full {
            stratum.lowest.pop();
        }
    }

    /// Files that were never drilled, so far.
    #[must_use]
    pub fn fresh_count(&self) -> u64 {
        self.fresh.values().map(|stratum| stratum.count).sum()
    }

    /// What is drawn, sorted by path hash.
    #[must_use]
    pub fn finish(self) -> Vec<(Row, T)> {
        let fresh_places = self.wanted.min(self.fresh_count());
        let mut drawn = take(self.fresh, fresh_places, &self.seed);
        drawn.extend(take(self.drilled, self.wanted - fresh_places, &self.seed));
        drawn.sort_by_key(|(row, _)| row.path);
        drawn
    }
}

fn take<T>(pool: BTreeMap<u16, Stratum<T>>, places: u64, seed: &[u8; 32]) -> Vec<(Row, T)> {
    let counts: BTreeMap<u16, u64> =
        pool.iter().map(|(stratum, members)| (*stratum, members.count)).collect();
    let places = allocate(&counts, places, seed);
    let mut drawn = Vec::new();
    for (number, stratum) in pool {
        let count = places.get(&number).copied().unwrap_or_default() as usize;
        let lowest = stratum.lowest.into_sorted_vec();
        drawn.extend(lowest.into_iter().take(count).map(|ranked| (ranked.row, ranked.item)));
    }
    drawn
}

/// How many places each stratum gets.
fn allocate(counts: &BTreeMap<u16, u64>, places: u64, seed: &[u8; 32]) -> BTreeMap<u16, u64> {
    let total: u64 = counts.values().sum();
    let places = places.min(total);
    let mut allocated = BTreeMap::new();
    if places == 0 {
        return allocated;
    }
    let mut first = [0; 8];
    first.copy_from_slice(&seed[..8]);
    let offset = u64::from_be_bytes(first) % total;
    let mut strata = counts.iter();
    let mut current = strata.next();
    let mut end = current.map_or(0, |(_, count)| u128::from(*count));
    for place in 0..places {
        let at = (u128::from(place) * u128::from(total) + u128::from(offset)) / u128::from(places);
        while at >= end {
            current = strata.next();
            let Some((_, count)) = current else { return allocated };
            end += u128::from(*count);
        }
        if let Some((stratum, _)) = current {
            *allocated.entry(*stratum).or_default() += 1;
        }
    }
    allocated
}

/// Draws from rows that are all at hand.
#[must_use]
pub fn draw(seed: [u8; 32], wanted: u64, rows: &[Row]) -> Vec<Row> {
    let mut drawer = Drawer::new(seed, wanted);
    rows.iter().for_each(|row| drawer.push(*row, || ()));
    drawer.finish().into_iter().map(|(row, ())| row).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn rows(count: u32, fresh_from: u32) -> Vec<Row> {
        let row = |number: u32| Row {
            path: *blake3::hash(&number.to_le_bytes()).as_bytes(),
            size_bytes: u64::from(number) * 1000,
            stratum: (number % 7) as u16,
            is_fresh: number >= fresh_from,
        };
        (0..count).map(row).collect()
    }

    #[test]
    fn as_many_as_wanted_are_drawn_each_once_whatever_the_order() {
        for (count, wanted) in [(0, 5), (1, 1), (10, 0), (10, 10), (10, 20), (1000, 300)] {
            let mut rows = rows(count, 0);
            let drawn = draw([7; 32], wanted, &rows);
            let paths: BTreeSet<_> = drawn.iter().map(|row| row.path).collect();
            assert_eq!(paths.len() as u64, wanted.min(u64::from(count)), "{count} {wanted}");
            assert_eq!(paths.len(), drawn.len());
            rows.reverse();
            assert_eq!(draw([7; 32], wanted, &rows), drawn);
        }
    }

    #[test]
    fn what_was_never_drilled_comes_first() {
        let rows = rows(1000, 900);
        assert!(draw([1; 32], 80, &rows).iter().all(|row| row.is_fresh));
        let drawn = draw([1; 32], 150, &rows);
        assert_eq!(drawn.iter().filter(|row| row.is_fresh).count(), 100);
        assert_eq!(drawn.len(), 150);
    }

    #[test]
    fn every_file_has_the_same_chance() {
        let rows = rows(60, 0);
        let mut hits: BTreeMap<[u8; 32], u32> = BTreeMap::new();
        for number in 0..4000_u32 {
            let seed = seed(blake3::hash(&number.to_le_bytes()).as_bytes(), &[0; 24], 0);
            for row in draw(seed, 6, &rows) {
                *hits.entry(row.path).or_default() += 1;
            }
        }
        // 4,000 draws of a tenth: 400 each, with a standard deviation of 19.
        assert_eq!(hits.len(), 60);
        assert!(hits.values().all(|count| (310..490).contains(count)), "{hits:?}");
    }

    #[test]
    fn places_follow_the_size_of_strata() {
        let counts = BTreeMap::from([(1, 900), (2, 90), (3, 10)]);
        let places = allocate(&counts, 100, &[9; 32]);
        assert_eq!(places.values().sum::<u64>(), 100);
        assert!((89..=91).contains(&places[&1]) && (8..=10).contains(&places[&2]), "{places:?}");
    }
}
