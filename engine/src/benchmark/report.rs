//! What was measured, and what follows from it.

use std::time::Duration;

/// The stages of a backup, in the order in which data passes them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum StageKind {
    /// Listing folders and looking at metadata.
    Walk,
    /// Reading files.
    Read,
    /// Finding the ends of chunks.
    Cut,
    /// Computing the ids of chunks.
    Hash,
    /// Compressing blocks.
    Compress,
    /// Encrypting blocks and hashing packs.
    Seal,
    /// Writing packs to the store until they are durable.
    Store,
}

impl StageKind {
    /// A participle for people and programs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Walk => "walking",
            Self::Read => "reading",
            Self::Cut => "cutting",
            Self::Hash => "hashing",
            Self::Compress => "compressing",
            Self::Seal => "sealing",
            Self::Store => "storing",
        }
    }
}

/// How much one stage did in how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stage {
    /// Which one.
    pub kind: StageKind,
    /// Entries, files, blocks or packs.
    pub items: u64,
    /// Bytes as they come into the stage: raw ones before compression, stored ones after it.
    pub bytes: u64,
    /// Wall time, with all threads at work.
    pub took: Duration,
}

impl Stage {
    /// Items per second.
    #[must_use]
    pub fn items_per_s(&self) -> f64 {
        per_s(self.items, self.took)
    }

    /// Bytes per second.
    #[must_use]
    pub fn bytes_per_s(&self) -> f64 {
        per_s(self.bytes, self.took)
    }
}

fn per_s(amount: u64, took: Duration) -> f64 {
    amount as f64 / took.as_secs_f64().max(1e-9)
}

/// Outcome of a measurement.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct BenchmarkReport {
    /// What was measured, in the order of [`StageKind`].
    pub stages: Vec<Stage>,
    /// Bytes of data that the stages of the processor worked on, again and again.
    pub sample_bytes: u64,
    /// Raw bytes for each byte that compression leaves.
    pub compression_ratio: f64,
    /// Median time to write a small object, if there is a store.
    pub put_latency: Option<Duration>,
    /// Median time to read it.
    pub get_latency: Option<Duration>,
    /// Threads at work.
    pub workers: usize,
}

/// What a first backup waits for most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// The disk that is backed up.
    Source,
    /// The processor; this of its stages takes the largest part.
    Processor(StageKind),
    /// The store, or the way to it.
    Store,
}

impl BenchmarkReport {
    /// A stage, if it was measured.
    #[must_use]
    pub fn stage(&self, kind: StageKind) -> Option<&Stage> {
        self.stages.iter().find(|stage| stage.kind == kind)
    }

    /// How many raw bytes per second a first backup of new data could reach, and what holds it
    /// there. The stages of the processor share its cores, so their times for a byte add up;
    /// reading and storing go on beside them.
    #[must_use]
    pub fn limit(&self) -> Option<(f64, Limit)> {
        let processor = [StageKind::Cut, StageKind::Hash, StageKind::Compress, StageKind::Seal];
        let cost = |kind| self.stage(kind).map(|_| 1.0 / self.raw_bytes_per_s(kind).max(1e-9));
        let costs: Vec<_> =
            processor.iter().filter_map(|kind| Some((*kind, cost(*kind)?))).collect();
        let (largest, _) = costs.iter().max_by(|a, b| a.1.total_cmp(&b.1)).copied()?;
        let total: f64 = costs.iter().map(|(_, cost)| cost).sum();
        let mut limit = (1.0 / total, Limit::Processor(largest));
        for (kind, other) in [(StageKind::Read, Limit::Source), (StageKind::Store, Limit::Store)] {
            if self.stage(kind).is_some() && self.raw_bytes_per_s(kind) < limit.0 {
                limit = (self.raw_bytes_per_s(kind), other);
            }
        }
        Some(limit)
    }

    /// The rate of a stage counted in bytes as they were read.
    fn raw_bytes_per_s(&self, kind: StageKind) -> f64 {
        let rate = self.stage(kind).map_or(0.0, Stage::bytes_per_s);
        match kind {
            StageKind::Seal | StageKind::Store => rate * self.compression_ratio.max(1.0),
            _ => rate,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(rates: &[(StageKind, u64)], compression_ratio: f64) -> BenchmarkReport {
        let took = Duration::from_secs(1);
        let stages =
            rates.iter().map(|(kind, bytes)| Stage { kind: *kind, items: 1, bytes: *bytes, took });
        BenchmarkReport {
            stages: stages.collect(),
            compression_ratio,
            ..BenchmarkReport::default()
        }
    }

    #[test]
    fn the_slowest_way_is_the_limit() {
        use StageKind::{Compress, Cut, Hash, Read, Seal, Store};
        let processor = [(Cut, 1000), (Hash, 1000), (Compress, 100), (Seal, 1000)];
        let (rate, limit) = report(&processor, 1.0).limit().expect("measured");
        assert_eq!(limit, Limit::Processor(Compress));
        assert!((rate - 1000.0 / 13.0).abs() < 0.01, "{rate}");
        let with = |more: (StageKind, u64), ratio| {
            report(&[&processor[..], &[more]].concat(), ratio).limit().expect("measured").1
        };
        assert_eq!(with((Read, 50), 1.0), Limit::Source);
        assert_eq!(with((Store, 50), 1.0), Limit::Store);
        // Two bytes of the source are one for the store.
        assert_eq!(with((Store, 50), 2.0), Limit::Processor(Compress));
        assert_eq!(BenchmarkReport::default().limit(), None);
    }
}
