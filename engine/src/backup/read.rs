//! Reads one file: detects its profile, cuts it, stores what is new, notices changes meanwhile.

use std::sync::Arc;

use crate::backup::error::BackupError;
use crate::backup::fill::Filler;
use crate::backup::nodes::NodeStore;
use crate::backup::shared::{Shared, Tally};
use crate::base::limits::{INLINE_EXTENTS_MAX, INLINE_MAX_BYTES, MIB};
use crate::base::monitor::Counter;
use crate::chunk::cut::Cutter;
use crate::chunk::gear::GearTable;
use crate::chunk::profile::{DETECT_BYTES, Profile, detect, whole_file_is_one_chunk};
use crate::chunk::squeeze::is_zero;
use crate::disk::error::DiskError;
use crate::disk::read::OpenFile;
use crate::disk::walk::{Found, WalkOptions};
use crate::format::config::TreeConfig;
use crate::format::entry::{Content, Entry, FLAG_INCONSISTENT};
use crate::format::extent::Extent;
use crate::tree::build::ExtentTreeBuilder;

/// How often a file that changes while it is read is read again.
const ATTEMPTS: u32 = 3;
/// Read window for profiles with small chunks; others get twice their longest chunk.
const WINDOW_BYTES: usize = MIB;

/// Why reading a file stopped: because of the file, or because of the run.
pub(super) enum Failure {
    File(DiskError),
    Run(BackupError),
}

impl From<DiskError> for Failure {
    fn from(error: DiskError) -> Self {
        Self::File(error)
    }
}

impl<E: Into<BackupError>> From<RunError<E>> for Failure {
    fn from(error: RunError<E>) -> Self {
        Self::Run(error.0.into())
    }
}

/// Marks an error that ends the run, so that `?` can tell it from one that concerns a file.
struct RunError<E>(E);

/// Hands out the next bytes of a file or stream; 0 means the end.
type NextBytes<'s> = dyn FnMut(&mut [u8]) -> Result<usize, Failure> + 's;

/// One worker's reader.
pub(super) struct FileReader<'a> {
    filler: Filler<'a>,
    nodes: &'a NodeStore<'a>,
    pub(super) shared: &'a Shared<'a>,
    tree: &'a TreeConfig,
    /// The rules of the walk, without its roots.
    pub(super) rules: &'a WalkOptions,
    cutters: [Cutter; Profile::ALL.len()],
    window: Vec<u8>,
}

impl<'a> FileReader<'a> {
    pub(super) fn new(
        filler: Filler<'a>,
        nodes: &'a NodeStore<'a>,
        shared: &'a Shared<'a>,
        (tree, gear): (&'a TreeConfig, &Arc<GearTable>),
        rules: &'a WalkOptions,
    ) -> Self {
        let cutters = Profile::ALL.map(|profile| Cutter::new(Arc::clone(gear), profile));
        Self { filler, nodes, shared, tree, rules, cutters, window: vec![0; WINDOW_BYTES] }
    }

    pub(super) fn finish(self) -> Result<(), BackupError> {
        self.filler.finish()
    }

    pub(super) fn read_attempts(
        &mut self,
        found: &Found,
        entry: &mut Entry,
    ) -> Result<(), Failure> {
        let file = found.open()?;
        for problem in found.read_details_of(&file, entry) {
            self.shared.problem(problem);
        }
        for attempt in 1..=ATTEMPTS {
            let before = if attempt == 1 { file.opened_stamp() } else { file.stamp()? };
            let (content, size_bytes) = self.read_open(&file, before.size_bytes)?;
            let is_stable = file.stamp()? == before && size_bytes == before.size_bytes;
            if is_stable || attempt == ATTEMPTS {
                entry.mtime = before.mtime;
                entry.ctime = before.ctime;
                entry.size_bytes = size_bytes;
                entry.content = Some(content);
            }
            if is_stable {
                break;
            }
            if attempt == ATTEMPTS {
                entry.flags |= FLAG_INCONSISTENT;
                Tally::add(&self.shared.tally.inconsistent, 1);
                let note = format!("{} changed while it was read; stored as it came", found.path);
                self.shared.monitor.note(&note);
            }
        }
        Ok(())
    }

    fn read_open(&mut self, file: &OpenFile, size_bytes: u64) -> Result<(Content, u64), Failure> {
        if file.is_sparse() {
            return self.read_sparse(file, size_bytes);
        }
        if size_bytes > WINDOW_BYTES as u64 {
            file.advise_sequential();
        }
        let mut offset = 0;
        self.read_stream(size_bytes, &mut |buffer| {
            let count = file.read_at(buffer, offset)?;
            offset += count as u64;
            Ok(count)
        })
    }

    /// Reads a stream of unknown length, for standard input and commands.
    pub(super) fn read_input(
        &mut self,
        input: &mut dyn std::io::Read,
    ) -> Result<(Content, u64), BackupError> {
        let result = self.read_stream(u64::MAX, &mut |buffer| loop {
            match input.read(buffer) {
                Ok(count) => return Ok(count),
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(source) => return Err(Failure::Run(BackupError::Stream { source })),
            }
        });
        result.map_err(|failure| match failure {
            Failure::File(error) => error.into(),
            Failure::Run(error) => error,
        })
    }

    fn read_stream(
        &mut self,
        file_bytes: u64,
        next: &mut NextBytes<'_>,
    ) -> Result<(Content, u64), Failure> {
        let (filled, ended) = self.fill_front(next)?;
        let first = &self.window[..filled];
        if ended && filled <= INLINE_MAX_BYTES {
            let content = Content::Inline(first.to_vec());
            self.count_read(filled);
            return Ok((content, filled as u64));
        }
        let known_bytes = if ended { filled as u64 } else { file_bytes };
        let profile = detect(&first[..filled.min(DETECT_BYTES)], known_bytes);
        let mut list = ExtentList::new(self.tree);
        if ended && whole_file_is_one_chunk(filled as u64, profile) {
            self.store_chunk(0..filled, profile, &mut list)?;
            self.count_read(filled);
        } else {
            self.cut(profile, 0, (filled, ended), next, &mut list)?;
        }
        Ok(list.finish(self.nodes).map_err(RunError)?)
    }

    /// Reads only the data between the holes, each stretch cut on its own.
    fn read_sparse(&mut self, file: &OpenFile, size_bytes: u64) -> Result<(Content, u64), Failure> {
        let mut list = ExtentList::new(self.tree);
        let mut profile = None;
        let mut offset = 0;
        while let Some((start, end)) = file.next_data(offset)? {
            let end = end.min(size_bytes);
            if start >= end {
                break;
            }
            list.push(Extent::Hole { length_bytes: start - offset }, self.nodes)
                .map_err(RunError)?;
            self.shared.monitor.add(Counter::Bytes, start - offset);
            offset = start;
            let mut next = |buffer: &mut [u8]| {
                let room = buffer.len().min((end - offset) as usize);
                let count = file.read_at(&mut buffer[..room], offset)?;
                offset += count as u64;
                Ok(count)
            };
            let (filled, ended) = self.fill_front(&mut next)?;
            let first = &self.window[..filled.min(DETECT_BYTES)];
            let profile = *profile.get_or_insert_with(|| match start {
                0 => detect(first, size_bytes),
                _ => Profile::General,
            });
            self.cut(profile, start, (filled, ended), &mut next, &mut list)?;
            if offset < end {
                break;
            }
        }
        // A file that became shorter while it was read ends where it ends now.
        let end_bytes = size_bytes.min(file.stamp()?.size_bytes);
        let rest = end_bytes.saturating_sub(list.total_bytes());
        list.push(Extent::Hole { length_bytes: rest }, self.nodes).map_err(RunError)?;
        self.shared.monitor.add(Counter::Bytes, rest);
        Ok(list.finish(self.nodes).map_err(RunError)?)
    }

    /// Fills the first megabyte of the window; tells how much there was and whether that was all.
    fn fill_front(&mut self, next: &mut NextBytes<'_>) -> Result<(usize, bool), Failure> {
        let mut filled = 0;
        while filled < WINDOW_BYTES {
            match next(&mut self.window[filled..WINDOW_BYTES])? {
                0 => return Ok((filled, true)),
                count => filled += count,
            }
        }
        Ok((filled, false))
    }

    /// Cuts and stores a stretch of data that begins at `offset` of the file; its first bytes are
    /// in the window already.
    fn cut(
        &mut self,
        profile: Profile,
        mut offset: u64,
        (mut filled, mut ended): (usize, bool),
        next: &mut NextBytes<'_>,
        list: &mut ExtentList<'_>,
    ) -> Result<(), Failure> {
        let window_bytes = WINDOW_BYTES.max(2 * profile.max_chunk_bytes());
        if self.window.len() < window_bytes {
            self.window.resize(window_bytes, 0);
        }
        loop {
            while !ended && filled < window_bytes {
                match next(&mut self.window[filled..window_bytes])? {
                    0 => ended = true,
                    count => filled += count,
                }
            }
            if self.shared.is_stopped() {
                return Err(Failure::Run(BackupError::Interrupted));
            }
            let mut position = 0;
            while let Some(length) = self.next_length(profile, position..filled, ended, offset) {
                self.store_chunk(position..position + length, profile, list)?;
                position += length;
                offset += length as u64;
            }
            self.count_read(position);
            if ended {
                return Ok(());
            }
            self.window.copy_within(position..filled, 0);
            filled -= position;
        }
    }

    /// Length of the next chunk. Pages are aligned to the file, not to the stretch of data.
    fn next_length(
        &self,
        profile: Profile,
        data: std::ops::Range<usize>,
        ended: bool,
        offset: u64,
    ) -> Option<usize> {
        let page = Profile::Pages.max_chunk_bytes();
        let misaligned = (offset % page as u64) as usize;
        if profile == Profile::Pages && misaligned != 0 {
            let to_boundary = page - misaligned;
            let length = to_boundary.min(data.len());
            return (length > 0 && (ended || length == to_boundary)).then_some(length);
        }
        self.cutters[profile as usize].next(&self.window[data], ended)
    }

    fn store_chunk(
        &mut self,
        range: std::ops::Range<usize>,
        profile: Profile,
        list: &mut ExtentList<'_>,
    ) -> Result<(), Failure> {
        let bytes = &self.window[range];
        let extent = if is_zero(bytes) {
            Extent::Hole { length_bytes: bytes.len() as u64 }
        } else {
            let id = self.filler.store(profile, bytes).map_err(RunError)?;
            Extent::Chunk { id, length_bytes: bytes.len() as u32 }
        };
        list.push(extent, self.nodes).map_err(RunError)?;
        Ok(())
    }

    fn count_read(&self, count: usize) {
        Tally::add(&self.shared.tally.bytes_read, count as u64);
        self.shared.monitor.add(Counter::Bytes, count as u64);
    }
}

/// Collects extents: a short list stays in the entry, a long one becomes an extent tree.
struct ExtentList<'t> {
    config: &'t TreeConfig,
    inline: Vec<Extent>,
    tree: Option<ExtentTreeBuilder>,
    open_hole_bytes: u64,
    total_bytes: u64,
}

impl<'t> ExtentList<'t> {
    fn new(config: &'t TreeConfig) -> Self {
        Self { config, inline: Vec::new(), tree: None, open_hole_bytes: 0, total_bytes: 0 }
    }

    fn total_bytes(&self) -> u64 {
        self.total_bytes
    }

    /// Adds an extent; neighbouring holes become one.
    fn push(&mut self, extent: Extent, nodes: &NodeStore<'_>) -> Result<(), BackupError> {
        self.total_bytes += extent.length_bytes();
        match extent {
            Extent::Hole { length_bytes } => self.open_hole_bytes += length_bytes,
            Extent::Chunk { .. } => {
                self.flush_hole(nodes)?;
                self.append(extent, nodes)?;
            }
        }
        Ok(())
    }

    fn flush_hole(&mut self, nodes: &NodeStore<'_>) -> Result<(), BackupError> {
        match std::mem::take(&mut self.open_hole_bytes) {
            0 => Ok(()),
            length_bytes => self.append(Extent::Hole { length_bytes }, nodes),
        }
    }

    fn append(&mut self, extent: Extent, mut nodes: &NodeStore<'_>) -> Result<(), BackupError> {
        if let Some(tree) = &mut self.tree {
            return Ok(tree.push(extent, &mut nodes)?);
        }
        self.inline.push(extent);
        if self.inline.len() > INLINE_EXTENTS_MAX {
            let mut tree = ExtentTreeBuilder::new(self.config);
            for extent in self.inline.drain(..) {
                tree.push(extent, &mut nodes)?;
            }
            self.tree = Some(tree);
        }
        Ok(())
    }

    fn finish(mut self, mut nodes: &NodeStore<'_>) -> Result<(Content, u64), BackupError> {
        self.flush_hole(nodes)?;
        let content = match self.tree {
            None => Content::Extents(self.inline),
            Some(tree) => {
                let root = tree.finish(&mut nodes)?;
                Content::Tree { root: root.node, extent_count: root.item_count }
            }
        };
        Ok((content, self.total_bytes))
    }
}
