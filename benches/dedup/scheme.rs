//! Ways to cut a file: the engine's own choice, its profiles, and sizes that were not chosen.

use std::sync::Arc;

use engine::chunk::cut::Cutter;
use engine::chunk::gear::GearTable;
use engine::chunk::profile::{Profile, detect, whole_file_is_one_chunk};
use engine::crypt::secret::SecretKey;
use fastcdc::v2020::{Normalization, cut_gear, select_masks};

/// One way.
pub(crate) enum Scheme {
    /// What a backup does: the profile that the first bytes of each file ask for.
    Engine(Arc<GearTable>),
    /// One profile for everything.
    Profile(Arc<GearTable>, Profile),
    /// Content-defined chunks of this size on average, a quarter to four times of it.
    Average(Arc<GearTable>, usize),
    /// Aligned chunks of this size.
    Fixed(usize),
}

/// Where one file is cut.
pub(crate) enum Cuts<'a> {
    Whole,
    Engine(Cutter),
    Average(&'a GearTable, usize),
    Fixed(usize),
}

impl Scheme {
    pub(crate) fn all() -> Vec<Self> {
        let gear = Arc::new(GearTable::new(&SecretKey::new([7; 32])));
        let mut all = vec![Self::Engine(Arc::clone(&gear))];
        all.extend(Profile::ALL.map(|profile| Self::Profile(Arc::clone(&gear), profile)));
        let averages = [16 << 10, 32 << 10, 128 << 10, 256 << 10];
        all.extend(averages.map(|average| Self::Average(Arc::clone(&gear), average)));
        all.extend([4 << 10, 8 << 10, 64 << 10].map(Self::Fixed));
        all
    }

    pub(crate) fn name(&self) -> String {
        match self {
            Self::Engine(_) => "**as a backup**".to_owned(),
            Self::Profile(_, profile) => format!("{profile:?}"),
            Self::Average(_, average) => format!("by content, {} KiB", average >> 10),
            Self::Fixed(length) => format!("aligned, {} KiB", length >> 10),
        }
    }

    pub(crate) fn for_file(&self, content: &[u8]) -> Cuts<'_> {
        let size_bytes = content.len() as u64;
        match self {
            Self::Engine(gear) => {
                let profile = detect(content, size_bytes);
                if whole_file_is_one_chunk(size_bytes, profile) {
                    return Cuts::Whole;
                }
                Cuts::Engine(Cutter::new(Arc::clone(gear), profile))
            }
            Self::Profile(gear, profile) => Cuts::Engine(Cutter::new(Arc::clone(gear), *profile)),
            Self::Average(gear, average) => Cuts::Average(gear, *average),
            Self::Fixed(length) => Cuts::Fixed(*length),
        }
    }
}

impl Cuts<'_> {
    /// The length of the chunk at the front of what is left of a file; it is not empty.
    pub(crate) fn next(&self, rest: &[u8]) -> usize {
        match self {
            Self::Whole => rest.len(),
            Self::Engine(cutter) => cutter.next(rest, true).unwrap_or(rest.len()),
            Self::Fixed(length) => rest.len().min(*length),
            Self::Average(gear, average) => {
                let (strict, loose) = select_masks(*average, Normalization::Level2);
                let window = &rest[..rest.len().min(average * 4)];
                let (tables, masks) = ((gear.gear(), gear.shifted()), (strict << 1, loose << 1));
                let (min, max) = (average / 4, average * 4);
                let cut = cut_gear(
                    window, min, *average, max, strict, loose, masks.0, masks.1, tables.0, tables.1,
                );
                cut.1
            }
        }
    }
}
