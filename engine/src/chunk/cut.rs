//! Finds the end of the next chunk in a window that the caller holds.
//!
//! FastCDC as in its paper of 2020, at normalisation level 2, through the crate's function on
//! slices: the streaming variants allocate for every chunk and move the rest of the buffer down,
//! which costs a third of the speed. The window must hold a longest chunk before a cut is decided
//! (or the file must end in it); therefore cuts do not depend on how much a read returned.
//!
//! The algorithm, so that a second reader can be written: skip `min` bytes; then for each byte set
//! `h = 2·h + gear[byte]` modulo 2^64 and, if `h & mask` is zero, end the chunk *before* this byte.
//! The mask is the strict one below the average length and the loose one from there on. At the
//! end of the data the last byte of an odd number is not tested. No cut up to `max`: cut there.

use std::fmt;
use std::sync::Arc;

use fastcdc::v2020::{Normalization, cut_gear, select_masks};

use crate::chunk::gear::GearTable;
use crate::chunk::profile::{Profile, Sizes};

/// Cuts files of one profile with the table of one dedup domain.
#[derive(Clone)]
pub struct Cutter {
    gear: Arc<GearTable>,
    profile: Profile,
    sizes: Sizes,
    strict_mask: u64,
    loose_mask: u64,
}

impl Cutter {
    /// Prepares the masks of `profile`.
    #[must_use]
    pub fn new(gear: Arc<GearTable>, profile: Profile) -> Self {
        let sizes = profile.sizes();
        let (strict_mask, loose_mask) = select_masks(sizes.average_bytes, Normalization::Level2);
        Self { gear, profile, sizes, strict_mask, loose_mask }
    }

    /// The profile it cuts by.
    #[must_use]
    pub fn profile(&self) -> Profile {
        self.profile
    }

    /// The length of the chunk at the front of `data`, which begins where the last chunk ended;
    /// `is_end` says that the file ends with `data`. `None` if `data` is empty or more of the file
    /// is needed: at least [`Profile::max_chunk_bytes`] decide in any case.
    #[must_use]
    pub fn next(&self, data: &[u8], is_end: bool) -> Option<usize> {
        if data.is_empty() || (data.len() < self.sizes.max_bytes && !is_end) {
            return None;
        }
        let window = &data[..data.len().min(self.sizes.max_bytes)];
        match self.profile {
            Profile::Pages => Some(window.len()),
            Profile::General | Profile::Media => Some(self.cut(window)),
        }
    }

    fn cut(&self, window: &[u8]) -> usize {
        let Sizes { min_bytes, average_bytes, max_bytes } = self.sizes;
        let (_hash, length) = cut_gear(
            window,
            min_bytes,
            average_bytes,
            max_bytes,
            self.strict_mask,
            self.loose_mask,
            self.strict_mask << 1,
            self.loose_mask << 1,
            self.gear.gear(),
            self.gear.shifted(),
        );
        length
    }
}

impl fmt::Debug for Cutter {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Cutter({:?})", self.profile)
    }
}

#[cfg(test)]
mod tests;
