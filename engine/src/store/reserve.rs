//! Room that a repository in a local folder keeps for the day on which its disk is full.
//!
//! To free space a few small records have to be written first. On a disk without a free byte that
//! would be impossible, and where nothing lies but the repository there would be nothing else to
//! remove. So a file of a few MiB lies beside the objects, under a name that no listing shows and
//! that no object can have; whoever frees space removes it first, and puts it back afterwards.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use rustix::fs::{FallocateFlags, fallocate, statvfs};

use crate::base::limits::{RESERVE_BYTES, RESERVE_LEAVES_BYTES};
use crate::store::Store;

/// The library leaves names with a number behind `#` out of its listings, and so do we.
const NAME: &str = "reserve#1";

impl Store {
    /// Makes the reserve of a local repository if it is missing and there is room enough. That it
    /// cannot be made is no error: it is for another day.
    pub fn keep_reserve(&self) {
        let Some(root) = self.local_root() else { return };
        let place = root.join(NAME);
        let is_there = place.symlink_metadata().is_ok_and(|about| about.len() >= RESERVE_BYTES);
        if is_there || free_bytes(root).is_none_or(|free| free < RESERVE_LEAVES_BYTES) {
            return;
        }
        if make(&place).is_err() {
            // Half a reserve is none.
            let _ = fs::remove_file(&place);
        }
    }

    /// Gives up the reserve of a local repository if its disk has no room for the records that a
    /// collection writes; answers how many bytes that freed.
    pub fn spend_reserve(&self) -> Option<u64> {
        let root = self.local_root()?;
        if free_bytes(root)? >= RESERVE_BYTES {
            return None;
        }
        let place = root.join(NAME);
        let bytes = place.symlink_metadata().ok().filter(|about| about.is_file())?.len();
        fs::remove_file(&place).ok().map(|()| bytes)
    }
}

/// Bytes that are free for this process where `folder` is.
fn free_bytes(folder: &Path) -> Option<u64> {
    let space = statvfs(folder).ok()?;
    Some(space.f_bavail.saturating_mul(space.f_frsize))
}

fn make(place: &PathBuf) -> io::Result<()> {
    let mut file =
        OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(place)?;
    if fallocate(&file, FallocateFlags::empty(), 0, RESERVE_BYTES).is_ok() {
        return Ok(());
    }
    // Where nothing can be reserved, what cannot be compressed takes its room.
    let mut noise = vec![0; RESERVE_BYTES as usize];
    getrandom::fill(&mut noise).map_err(|error| io::Error::other(error.to_string()))?;
    file.write_all(&noise)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::location::{Location, StoreOptions};

    #[test]
    fn a_reserve_takes_room_and_no_listing_shows_it() {
        let place = tempfile::tempdir().expect("a folder");
        let location = Location::parse(&place.path().display().to_string()).expect("a path");
        let store = Store::open(&location, &StoreOptions::default(), true).expect("it opens");
        store.keep_reserve();
        let about = place.path().join(NAME).metadata().expect("it is there");
        assert_eq!(about.len(), RESERVE_BYTES);
        assert_eq!(store.list("").expect("it lists").len(), 0);
        // There is room: it stays.
        assert_eq!(store.spend_reserve(), None);
        assert!(place.path().join(NAME).exists());
    }
}
