//! How long a restore of everything would take, from restores of parts.
//!
//! Small entries cost by their number, large files by their bytes, and what a byte costs differs
//! between the two. So each of both groups is measured by itself on stretches that lie evenly
//! apart, and its cost is scaled from what was restored to all there is: by [`Load::work`], in
//! which an entry counts as much as [`ENTRY_BYTES`]. The interval is twice the standard error
//! over the stretches of a group, and never less than a tenth to each side: a few that agree can
//! do so by chance.

/// Larger files are measured apart.
pub const LARGE_BYTES: u64 = 1 << 20;
/// Bytes whose restore costs about as much as making one more file.
const ENTRY_BYTES: f64 = (32 << 10) as f64;
/// What decoding a byte costs; writing it costs the rest of 1.
const DECODING_PART: f64 = 0.6;
/// Least width of the interval to each side.
const WIDTH_MIN: f64 = 0.1;
/// Width without anything to compare with.
const WIDTH_ALONE: f64 = 0.5;

/// Which group something belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Group {
    /// Folders, links, and files of up to [`LARGE_BYTES`].
    Small,
    /// Larger files.
    Large,
}

/// How much there is to restore.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Load {
    /// Entries.
    pub entries: u64,
    /// Bytes that are written: holes are not, nor further names of a file.
    pub written_bytes: u64,
    /// Bytes of the blocks that are decoded for it.
    pub decoded_bytes: u64,
}

impl Load {
    /// One number for all.
    #[must_use]
    pub fn work(&self) -> f64 {
        let decoded = self.decoded_bytes as f64 * DECODING_PART;
        let written = self.written_bytes as f64 * (1.0 - DECODING_PART);
        self.entries as f64 * ENTRY_BYTES + decoded + written
    }
}

/// A restore that was measured.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Observation {
    /// What kind of entries.
    pub group: Group,
    /// How much.
    pub load: Load,
    /// Wall time, in milliseconds.
    pub wall_ms: f64,
}

/// Time of a whole restore.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Estimate {
    /// Most likely, in milliseconds.
    pub likely_ms: u64,
    /// Lower end.
    pub low_ms: u64,
    /// Upper end.
    pub high_ms: u64,
    /// Restores that it rests on.
    pub observations: u64,
}

/// Estimates the restore of both groups. `start_ms` is what a restore takes that has hardly
/// anything to do. `None` without any observation.
#[must_use]
pub fn estimate(
    start_ms: f64,
    observations: &[Observation],
    small: Load,
    large: Load,
) -> Option<Estimate> {
    let rates: Vec<Option<Rate>> = [Group::Small, Group::Large]
        .into_iter()
        .map(|group| {
            let of_group: Vec<_> = observations.iter().filter(|one| one.group == group).collect();
            rate(start_ms, &of_group)
        })
        .collect();
    // A group that could not be measured is taken to be like the other.
    let one = rates[0].or(rates[1])?;
    let parts = [(rates[0].unwrap_or(one), small.work()), (rates[1].unwrap_or(one), large.work())];
    let likely = start_ms + parts.iter().map(|(rate, work)| rate.work_ms * work).sum::<f64>();
    let error = |(rate, work): &(Rate, f64)| (rate.work_ms * work * rate.error).powi(2);
    let width = 2.0 * parts.iter().map(error).sum::<f64>().sqrt() / likely.max(f64::MIN_POSITIVE);
    let width = width.clamp(WIDTH_MIN, 0.9);
    Some(Estimate {
        likely_ms: likely.round() as u64,
        low_ms: (likely * (1.0 - width)).floor() as u64,
        high_ms: (likely * (1.0 + width)).ceil() as u64,
        observations: observations.len() as u64,
    })
}

#[derive(Debug, Clone, Copy)]
struct Rate {
    /// Milliseconds for a unit of work.
    work_ms: f64,
    /// Relative standard error.
    error: f64,
}

/// The ratio of all time to all work, and how far it may be off as single ratios differ from it.
fn rate(start_ms: f64, observations: &[&Observation]) -> Option<Rate> {
    let work: f64 = observations.iter().map(|one| one.load.work()).sum();
    if work <= 0.0 {
        return None;
    }
    let time = |one: &Observation| (one.wall_ms - start_ms).max(0.0);
    let work_ms = observations.iter().map(|one| time(one)).sum::<f64>() / work;
    let count = observations.len() as f64;
    if observations.len() < 2 || work_ms <= 0.0 {
        return Some(Rate { work_ms, error: WIDTH_ALONE / 2.0 });
    }
    let residue = |one: &&Observation| (time(one) - work_ms * one.load.work()).powi(2);
    let squares: f64 = observations.iter().map(residue).sum();
    let mean = work_ms * work / count;
    Some(Rate { work_ms, error: (squares / (count * (count - 1.0))).sqrt() / mean })
}

#[cfg(test)]
mod tests {
    use super::*;

    const START_MS: f64 = 4.0;

    fn load(entries: u64, bytes: u64) -> Load {
        Load { entries, written_bytes: bytes, decoded_bytes: bytes }
    }

    fn observe(group: Group, entries: u64, bytes: u64, noise: f64) -> Observation {
        let byte_ms = if group == Group::Small { 4e-6 } else { 1e-6 };
        let load = load(entries, bytes);
        Observation { group, load, wall_ms: START_MS + load.work() * byte_ms * noise }
    }

    #[test]
    fn a_whole_restore_is_foretold_from_parts_of_both_groups_with_noise() {
        let parts = [
            observe(Group::Small, 600, 2 << 20, 1.03),
            observe(Group::Small, 1200, 20 << 20, 0.96),
            observe(Group::Small, 300, 8 << 20, 1.05),
            observe(Group::Large, 2, 60 << 20, 1.01),
            observe(Group::Large, 9, 30 << 20, 0.98),
        ];
        let (small, large) = (load(40_000, 1 << 30), load(100, 10 << 30));
        let found = estimate(START_MS, &parts, small, large).expect("there are enough");
        let truth = START_MS + small.work() * 4e-6 + large.work() * 1e-6;
        let error = found.likely_ms as f64 / truth - 1.0;
        assert!(error.abs() < 0.05, "{error} {found:?}");
        assert!((found.low_ms as f64) < truth && truth < found.high_ms as f64);
        assert_eq!(found.observations, 5);
    }

    #[test]
    fn one_group_answers_for_both_and_one_observation_is_not_trusted_much() {
        let one = [observe(Group::Small, 100, 1 << 20, 1.0)];
        let load = load(10_000, 100 << 20);
        let found = estimate(START_MS, &one, load, load).expect("it is one");
        let truth = START_MS + 2.0 * load.work() * 4e-6;
        assert!((found.likely_ms as f64 / truth - 1.0).abs() < 0.01, "{found:?} {truth}");
        assert!(found.high_ms - found.low_ms > found.likely_ms / 2);
        assert_eq!(estimate(START_MS, &[], load, load), None);
    }

    #[test]
    fn stretches_that_differ_make_the_interval_wide() {
        let make = |noise: f64| {
            let parts: Vec<_> = [1.0 - noise, 1.0 + noise, 1.0 - noise, 1.0 + noise]
                .map(|noise| observe(Group::Small, 500, 4 << 20, noise))
                .to_vec();
            let load = load(10_000, 100 << 20);
            let found = estimate(START_MS, &parts, load, Load::default()).expect("it fits");
            found.high_ms - found.low_ms
        };
        assert!(make(0.4) > 2 * make(0.05));
    }
}
