//! Parts of a tree that are restored only to see how long that takes.
//!
//! A stretch of small entries is what lies next to each other in the tree from one of a few evenly
//! spaced places on, with the folders above it: restored as it is in a whole restore. Large files
//! are taken from as many places. Stretches of one group are restored together, in two restores.

use engine::base::path::TreePath;
use engine::format::entry::{Entry, EntryKind};

use crate::objective::estimate::{Group, LARGE_BYTES, Load};

/// Places from which on stretches are taken.
const PLACES: usize = 4;
/// Restores of each group: every other place goes into the same one. In a short restore reading,
/// decoding and writing wait for each other, which says little of a long one.
const RUNS: usize = 2;
/// Most small entries of a stretch.
const SMALL_ENTRIES_MAX: u64 = 4000;
/// Most bytes of a stretch of small entries.
const SMALL_BYTES_MAX: u64 = 32 << 20;
/// Bytes from which on a stretch of large files is long enough.
const LARGE_BYTES_ENOUGH: u64 = 64 << 20;
/// Larger files are not restored for this.
const LARGE_BYTES_MAX: u64 = 128 << 20;

/// A part of a tree.
#[derive(Debug, Clone)]
pub struct Stretch {
    /// What kind of entries.
    pub group: Group,
    /// Paths and entries, in the order of the tree.
    pub entries: Vec<(TreePath, Entry)>,
    /// How much they are.
    pub load: Load,
    /// Nothing is added any more.
    is_full: bool,
}

impl Stretch {
    const fn new(group: Group) -> Self {
        Self { group, entries: Vec::new(), load: Load { entries: 0, bytes: 0 }, is_full: false }
    }

    fn push(&mut self, path: &TreePath, entry: &Entry, bytes: u64) {
        // Each stands for itself: what it is linked with may not be restored.
        self.entries.push((path.clone(), Entry { link_count: 0, ..entry.clone() }));
        self.load.add(bytes);
    }
}

/// Takes stretches out of a walk.
pub struct Stretcher {
    /// All small entries.
    pub small: Load,
    /// All large files.
    pub large: Load,
    /// Entries that are expected; none if no stretches are wanted.
    total: Option<u64>,
    seen: u64,
    above: Vec<(TreePath, Entry)>,
    stretches: Vec<[Stretch; 2]>,
}

impl Stretcher {
    /// For a tree of so many entries.
    #[must_use]
    pub fn new(entries: u64, is_wanted: bool) -> Self {
        let pair = || [Stretch::new(Group::Small), Stretch::new(Group::Large)];
        Self {
            small: Load::default(),
            large: Load::default(),
            total: is_wanted.then_some(entries),
            seen: 0,
            above: Vec::new(),
            stretches: (0..PLACES).map(|_| pair()).collect(),
        }
    }

    /// The next entry of the walk, with `bytes` of content.
    pub fn take(&mut self, path: &TreePath, entry: &Entry, bytes: u64) {
        let is_large = entry.kind == EntryKind::File && bytes > LARGE_BYTES;
        if is_large {
            self.large.add(bytes)
        } else {
            self.small.add(bytes)
        }
        let Some(total) = self.total else { return };
        let place = self.seen as usize * PLACES / (total.max(1) as usize);
        self.seen += 1;
        while self.above.last().is_some_and(|(above, _)| !above.contains(path)) {
            self.above.pop();
        }
        if let Some([small, large]) = self.stretches.get_mut(place) {
            if is_large {
                take_large(large, path, entry, bytes);
            } else {
                take_small(small, &self.above, (path, entry), bytes);
            }
        }
        if entry.kind == EntryKind::Directory {
            self.above.push((path.clone(), entry.clone()));
        }
    }

    /// The stretches that are worth restoring.
    #[must_use]
    pub fn finish(self) -> Vec<Stretch> {
        let mut merged =
            [Group::Small, Group::Large].map(|group| [(); RUNS].map(|()| Stretch::new(group)));
        for (place, pair) in self.stretches.into_iter().enumerate() {
            for (runs, stretch) in merged.iter_mut().zip(pair) {
                let run = &mut runs[place % RUNS];
                run.load.entries += stretch.load.entries;
                run.load.bytes += stretch.load.bytes;
                run.entries.extend(stretch.entries);
            }
        }
        merged.into_iter().flatten().filter(|run| run.load.entries > 0).collect()
    }
}

fn take_small(
    stretch: &mut Stretch,
    above: &[(TreePath, Entry)],
    (path, entry): (&TreePath, &Entry),
    bytes: u64,
) {
    let is_device =
        !matches!(entry.kind, EntryKind::File | EntryKind::Directory | EntryKind::Symlink);
    // Hard links cost nothing the second time.
    let is_link = entry.kind == EntryKind::File && entry.link_count > 1;
    if stretch.is_full || is_device || is_link {
        return;
    }
    if stretch.load.entries >= SMALL_ENTRIES_MAX || stretch.load.bytes + bytes > SMALL_BYTES_MAX {
        // Not to be taken up again later: folders between would be missing.
        stretch.is_full = true;
        return;
    }
    if stretch.entries.is_empty() {
        for (path, entry) in above {
            stretch.push(path, entry, 0);
        }
    }
    stretch.push(path, entry, bytes);
}

fn take_large(stretch: &mut Stretch, path: &TreePath, entry: &Entry, bytes: u64) {
    if stretch.load.bytes < LARGE_BYTES_ENOUGH && bytes <= LARGE_BYTES_MAX && entry.link_count < 2 {
        stretch.push(path, entry, bytes);
    }
}
