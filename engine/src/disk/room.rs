//! New directories where the file system makes files fast.
//!
//! File systems of the ext family put a new file near its directory. One without a journal passes
//! over each inode there that was freed in the last minutes, one by one: making many files where as
//! many were just deleted takes ten times as long, on the morning after the attack. What making a
//! directory costs tells that it is so. Then directories are made in one that is marked as the top of
//! a tree, under names by chance, and renamed to where they belong: that spreads them over the whole
//! disk, and what is in them is made near them.

use std::os::fd::{BorrowedFd, OwnedFd};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rustix::fs::{AtFlags, IFlags, Mode, OFlags, RenameFlags};
use rustix::io::Errno;

use crate::disk::folder::lock;

/// So many directories are made to know what one costs where nothing was deleted. The cheapest
/// counts: others may be where something was, or find nothing in memory.
const SAMPLES: usize = 8;
/// What costs so many times as much, and this much more, was made where much was deleted.
const DEARER_MAX: u32 = 3;
const MORE_MAX: Duration = Duration::from_micros(30);
/// So many in a row: one may have had to find something on the disk.
const DEAR_IN_A_ROW: u32 = 2;
/// So many directories are spread over the disk before the next is tried in its place again.
const SPREAD: u32 = 64;
/// So many places are tried for a directory that is spread.
const PLACES: u32 = 3;

/// What statfs calls the ext family.
const EXT: i64 = 0xef53;

const DIRECTORY: OFlags =
    OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);
const CLOSED: Mode = Mode::RWXU;

/// Finds out where directories are made fast.
#[derive(Debug, Default)]
pub(crate) struct Room {
    expects_many: AtomicBool,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
enum State {
    /// Nothing was asked for yet.
    #[default]
    Unmade,
    Made(Trials),
    /// Another file system, or something failed: directories are made where they belong.
    Useless,
}

#[derive(Debug)]
struct Trials {
    /// A directory in the target, marked as the top of a tree.
    room: OwnedFd,
    /// Processor time for a directory where it costs least.
    least: Duration,
    /// So many of the last directories were dear.
    dear: u32,
    /// So many of the next directories are spread over the disk.
    spread: u32,
}

impl Room {
    /// Much will be made: from now on places are looked for.
    pub(crate) fn expect_many(&self) {
        self.expects_many.store(true, Ordering::Relaxed);
    }

    /// Whether it may be there.
    pub(crate) fn is_made(&self) -> bool {
        !matches!(*lock(&self.state), State::Unmade)
    }

    /// Makes a directory for its owner only, as `mkdir` does. `base` is the top of the target, in
    /// which the room gets the name `room`.
    pub(crate) fn make_directory(
        &self,
        base: BorrowedFd<'_>,
        room: &[u8],
        into: &OwnedFd,
        name: &[u8],
    ) -> rustix::io::Result<()> {
        if !self.expects_many.load(Ordering::Relaxed) {
            return rustix::fs::mkdirat(into, name, CLOSED);
        }
        let mut state = lock(&self.state);
        if matches!(*state, State::Unmade) {
            *state = make_room(base, room).map_or(State::Useless, State::Made);
        }
        match &mut *state {
            State::Made(trials) => trials.make_directory(into, name),
            State::Unmade | State::Useless => rustix::fs::mkdirat(into, name, CLOSED),
        }
    }
}

/// Makes the room, and finds out what a directory costs.
fn make_room(base: BorrowedFd<'_>, name: &[u8]) -> Option<Trials> {
    if rustix::fs::fstatfs(base).ok()?.f_type as i64 != EXT {
        return None;
    }
    rustix::fs::mkdirat(base, name, CLOSED).ok()?;
    let room = rustix::fs::openat(base, name, DIRECTORY, Mode::empty()).ok()?;
    let present = rustix::fs::ioctl_getflags(&room).ok()?;
    let wanted = IFlags::from_bits_retain(present.bits() | IFlags::TOPDIR.bits());
    rustix::fs::ioctl_setflags(&room, wanted).ok()?;
    let mut trials = Trials { room, least: Duration::MAX, dear: 0, spread: 0 };
    for _ in 0..SAMPLES {
        let (name, cost) = trials.make_anywhere().ok()?;
        trials.least = trials.least.min(cost);
        rustix::fs::unlinkat(&trials.room, name, AtFlags::REMOVEDIR).ok()?;
    }
    Some(trials)
}

impl Trials {
    fn make_directory(&mut self, into: &OwnedFd, name: &[u8]) -> rustix::io::Result<()> {
        if self.spread == 0 {
            let cost = make(into, name)?;
            self.least = self.least.min(cost);
            self.dear = if self.is_dear(cost) { self.dear + 1 } else { 0 };
            if self.dear < DEAR_IN_A_ROW {
                return Ok(());
            }
            self.dear = 0;
            // It is empty, and nobody else knows it.
            rustix::fs::unlinkat(into, name, AtFlags::REMOVEDIR)?;
            self.spread = SPREAD;
        }
        self.spread -= 1;
        if self.make_spread(into, name).is_err() {
            // Another file system, or something is there: what happens then is said here.
            make(into, name)?;
        }
        Ok(())
    }

    fn is_dear(&self, cost: Duration) -> bool {
        cost > self.least * DEARER_MAX && cost > self.least + MORE_MAX
    }

    fn make_spread(&mut self, into: &OwnedFd, name: &[u8]) -> rustix::io::Result<()> {
        let mut tries = PLACES;
        loop {
            let (made, cost) = self.make_anywhere()?;
            tries -= 1;
            let renamed = match tries > 0 && self.is_dear(cost) {
                true => Err(Errno::AGAIN),
                false => {
                    let flags = RenameFlags::NOREPLACE;
                    rustix::fs::renameat_with(&self.room, &made, into, name, flags)
                }
            };
            match renamed {
                Ok(()) => return Ok(()),
                Err(error) => {
                    rustix::fs::unlinkat(&self.room, &made, AtFlags::REMOVEDIR)?;
                    if error != Errno::AGAIN {
                        return Err(error);
                    }
                }
            }
        }
    }

    /// Makes a directory in the room; returns its name, and what it cost.
    fn make_anywhere(&self) -> rustix::io::Result<(String, Duration)> {
        let mut chance = [0; 8];
        getrandom::fill(&mut chance).map_err(|_| Errno::IO)?;
        // The name decides about the place: that of a tree leads to where the tree was before.
        let name = format!("{:016x}", u64::from_ne_bytes(chance));
        let cost = make(&self.room, name.as_bytes())?;
        Ok((name, cost))
    }
}

/// Makes a directory; returns the processor time that it took: what others do at the time counts
/// less than in the time of day.
fn make(into: &OwnedFd, name: &[u8]) -> rustix::io::Result<Duration> {
    let begun = processor_time();
    rustix::fs::mkdirat(into, name, CLOSED)?;
    Ok(processor_time().saturating_sub(begun))
}

fn processor_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::try_from(time).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd;
    use std::os::unix::fs::MetadataExt;

    use super::*;

    #[test]
    fn what_is_spread_is_where_it_belongs_and_nothing_stays_in_the_room() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let base = rustix::fs::open(folder.path(), DIRECTORY, Mode::empty()).expect("it is there");
        let room = Room::default();
        let make = |name: &[u8]| room.make_directory(base.as_fd(), b"room", &base, name);
        let names = |folder: &std::path::Path| {
            let names = std::fs::read_dir(folder).expect("a folder").flatten();
            let mut names: Vec<_> = names.map(|entry| entry.file_name()).collect();
            names.sort();
            names
        };
        make(b"few").expect("it is free");
        assert_eq!((names(folder.path()).len(), room.is_made()), (1, false));
        room.expect_many();
        make(b"a").expect("it is free");
        assert!(room.is_made());
        match &mut *lock(&room.state) {
            State::Made(trials) => trials.spread = 3,
            // Another file system than one of the ext family.
            State::Unmade | State::Useless => return,
        }
        make(b"b").expect("it is free");
        assert_eq!(make(b"b"), Err(Errno::EXIST));
        make(b"c").expect("it is free");
        assert_eq!(names(folder.path()), ["a", "b", "c", "few", "room"]);
        assert!(names(&folder.path().join("room")).is_empty());
        for name in ["a", "b", "c"] {
            let made = std::fs::metadata(folder.path().join(name)).expect("it is there");
            assert_eq!((made.is_dir(), made.mode() & 0o7777), (true, 0o700));
        }
    }
}
