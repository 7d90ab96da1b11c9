//! Parts of a tree that are restored only to see how long that takes.
//!
//! A stretch of small entries is what lies next to each other in the tree from one of a few evenly
//! spaced places on, with the folders above it: restored as it is in a whole restore. Of large
//! files, pieces are taken that lie evenly apart among all their bytes, as files of their own:
//! what a byte costs depends on how well it was compressed, and a few whole files would say little
//! of the others. Stretches of one group are restored together, in two restores.

use std::hash::{DefaultHasher, Hash, Hasher};

use engine::base::path::TreePath;
use engine::format::entry::{Content, Entry, EntryKind};
use engine::format::extent::Extent;
use engine::index::ChunkPlace;
use engine::restore::WindowSize;

use crate::objective::distinct::DistinctBytes;
use crate::objective::estimate::{Group, LARGE_BYTES, Load};

/// Places from which on stretches of small entries are taken.
const PLACES: usize = 4;
/// Restores of each group: every other place goes into the same one. In a short restore reading,
/// decoding and writing wait for each other, which says little of a long one.
const RUNS: usize = 2;
/// Most small entries of a stretch.
const SMALL_ENTRIES_MAX: u64 = 4000;
/// Most bytes of a stretch of small entries.
const SMALL_BYTES_MAX: u64 = 32 << 20;
/// Pieces of large files, if all bytes of the tree are in such files.
const PIECES: u64 = 48;
/// Bytes of a piece.
const PIECE_BYTES: u64 = 6 << 20;

/// Most entries whose beginnings are restored.
const BEGINNINGS_MAX: usize = 32;

/// A part of a tree.
#[derive(Debug, Clone)]
pub struct Stretch {
    /// What kind of entries.
    pub group: Group,
    /// Paths and entries, in the order of the tree.
    pub entries: Vec<(TreePath, Entry)>,
    /// Bytes of their content.
    pub bytes: u64,
    /// Nothing is added any more.
    is_full: bool,
}

impl Stretch {
    const fn new(group: Group) -> Self {
        Self { group, entries: Vec::new(), bytes: 0, is_full: false }
    }

    fn push(&mut self, path: &TreePath, entry: &Entry, bytes: u64) {
        // Each stands for itself: what it is linked with may not be restored.
        self.entries.push((path.clone(), Entry { link_count: 0, ..entry.clone() }));
        self.bytes += bytes;
    }
}

/// What shows how long it takes until a restore gets going: of every piece, or else of the first
/// small files, the first chunk.
#[must_use]
pub fn beginnings(stretches: &[Stretch]) -> Vec<(TreePath, Entry)> {
    let of = |group| stretches.iter().find(|stretch| stretch.group == group);
    let Some(stretch) = of(Group::Large).or_else(|| of(Group::Small)) else { return Vec::new() };
    let first = stretch.entries.iter().take(BEGINNINGS_MAX);
    let cut = |(path, entry): &(TreePath, Entry)| {
        let mut entry = entry.clone();
        if let Some(Content::Extents(extents)) = &mut entry.content {
            extents.truncate(1);
            entry.size_bytes = extents.iter().map(Extent::length_bytes).sum();
        }
        (path.clone(), entry)
    };
    first.map(cut).collect()
}

/// Everything of a group.
#[derive(Default)]
struct Total {
    load: Load,
    blocks: DistinctBytes,
}

impl Total {
    fn load(&self) -> Load {
        Load { decoded_bytes: self.blocks.bytes(), ..self.load }
    }
}

/// The window of a restore that an entry would be in.
struct Window {
    size: WindowSize,
    chunks: usize,
    files: usize,
}

/// Takes stretches out of a walk.
pub struct Stretcher {
    small: Total,
    large: Total,
    window: Window,
    /// Entries that are expected; none if no stretches are wanted.
    total: Option<u64>,
    seen: u64,
    above: Vec<(TreePath, Entry)>,
    stretches: Vec<Stretch>,
    pieces: Pieces,
}

impl Stretcher {
    /// For a tree of so many entries and bytes.
    #[must_use]
    pub fn new(entries: u64, bytes: u64, is_wanted: bool) -> Self {
        Self {
            small: Total::default(),
            large: Total::default(),
            window: Window { size: WindowSize::FIRST, chunks: 0, files: 0 },
            total: is_wanted.then_some(entries),
            seen: 0,
            above: Vec::new(),
            stretches: (0..PLACES).map(|_| Stretch::new(Group::Small)).collect(),
            pieces: Pieces::new(bytes),
        }
    }

    /// The next chunk of the file that comes next, and where it is.
    pub fn chunk(&mut self, entry: &Entry, extent: Extent, place: Option<&ChunkPlace>) {
        let is_large = is_large(entry);
        let total = if is_large { &mut self.large } else { &mut self.small };
        if is_large && self.total.is_some() {
            self.pieces.take(entry, extent, total.load.written_bytes);
        }
        if let Some(place) = place {
            let mut hasher = DefaultHasher::new();
            (place.pack, place.block).hash(&mut hasher);
            total.blocks.add(hasher.finish(), u64::from(place.block_raw_bytes));
        }
        // All names of a file together write it once.
        let names = u64::from(entry.link_count.max(1));
        total.load.written_bytes += extent.length_bytes() / names;
        self.window.chunks += 1;
        if self.window.size.is_full_of_chunks(self.window.chunks) {
            self.next_window();
        }
    }

    /// A restore decodes a block once for each window that needs it.
    fn next_window(&mut self) {
        let size = self.window.size.next();
        self.window = Window { size, chunks: 0, files: 0 };
        self.small.blocks.forget();
        self.large.blocks.forget();
    }

    /// The next entry of the walk, with `bytes` of content, after all its chunks.
    pub fn take(&mut self, path: &TreePath, entry: &Entry, bytes: u64) {
        let is_large = is_large(entry);
        let total = if is_large { &mut self.large } else { &mut self.small };
        total.load.entries += 1;
        if let Some(Content::Inline(bytes)) = &entry.content {
            total.load.written_bytes += bytes.len() as u64;
        }
        self.window.files += usize::from(entry.kind == EntryKind::File);
        if self.window.size.is_full(self.window.chunks, self.window.files) {
            self.next_window();
        }
        let Some(total) = self.total else { return };
        let place = self.seen as usize * PLACES / (total.max(1) as usize);
        self.seen += 1;
        while self.above.last().is_some_and(|(above, _)| !above.contains(path)) {
            self.above.pop();
        }
        if is_large {
            self.pieces.end_of_file(entry);
        } else if let Some(stretch) = self.stretches.get_mut(place) {
            take_small(stretch, &self.above, (path, entry), bytes);
        }
        if entry.kind == EntryKind::Directory {
            self.above.push((path.clone(), entry.clone()));
        }
    }

    /// How much all small entries are, and all large files.
    #[must_use]
    pub fn loads(&self) -> (Load, Load) {
        (self.small.load(), self.large.load())
    }

    /// The stretches that are worth restoring.
    #[must_use]
    pub fn finish(self) -> Vec<Stretch> {
        let mut runs = [(); RUNS].map(|()| Stretch::new(Group::Small));
        for (place, stretch) in self.stretches.into_iter().enumerate() {
            let run = &mut runs[place % RUNS];
            run.bytes += stretch.bytes;
            run.entries.extend(stretch.entries);
        }
        let all = runs.into_iter().chain(self.pieces.runs);
        all.filter(|run| !run.entries.is_empty()).collect()
    }
}

fn is_large(entry: &Entry) -> bool {
    entry.kind == EntryKind::File && entry.size_bytes > LARGE_BYTES
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
    if stretch.entries.len() as u64 >= SMALL_ENTRIES_MAX || stretch.bytes + bytes > SMALL_BYTES_MAX
    {
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

/// Pieces of large files.
struct Pieces {
    runs: [Stretch; RUNS],
    /// From one beginning to the next, among the bytes of all large files.
    step_bytes: u64,
    next_at: u64,
    piece_count: usize,
    piece: Vec<Extent>,
    piece_bytes: u64,
}

impl Pieces {
    fn new(all_bytes: u64) -> Self {
        let step_bytes = (all_bytes / PIECES).max(PIECE_BYTES);
        Self {
            runs: [(); RUNS].map(|()| Stretch::new(Group::Large)),
            step_bytes,
            next_at: (step_bytes - PIECE_BYTES) / 2,
            piece_count: 0,
            piece: Vec::new(),
            piece_bytes: 0,
        }
    }

    /// A chunk that begins at `at` among the bytes of all large files.
    fn take(&mut self, entry: &Entry, extent: Extent, at: u64) {
        if self.piece.is_empty() {
            if at < self.next_at {
                return;
            }
            self.next_at = at + self.step_bytes;
        }
        self.piece_bytes += extent.length_bytes();
        self.piece.push(extent);
        if self.piece_bytes >= PIECE_BYTES {
            self.end_of_file(entry);
        }
    }

    /// What was gathered becomes a file of its own.
    fn end_of_file(&mut self, entry: &Entry) {
        if self.piece.is_empty() {
            return;
        }
        let extents = std::mem::take(&mut self.piece);
        let size_bytes = std::mem::take(&mut self.piece_bytes);
        let content = Some(Content::Extents(extents));
        // Such a name any folder can hold.
        let name = format!("piece-{}", self.piece_count);
        let path = TreePath::from_slashes(name.as_bytes()).unwrap_or_default();
        let run = &mut self.runs[self.piece_count % RUNS];
        run.push(&path, &Entry { size_bytes, content, ..entry.clone() }, size_bytes);
        self.piece_count += 1;
    }
}
