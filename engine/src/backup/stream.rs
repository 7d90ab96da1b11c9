//! Backing up streams: standard input, or what a command prints, as one file; several as a folder.

use std::io::Read;
use std::sync::Arc;

use crossbeam_channel::Sender;

use crate::backup::error::BackupError;
use crate::backup::join::Counts;
use crate::backup::nodes::NodeStore;
use crate::backup::options::{StreamedFile, StreamedFiles};
use crate::backup::pipeline::{Built, Pipeline};
use crate::backup::read::FileReader;
use crate::backup::step::blank_file;
use crate::base::id::PackKind;
use crate::base::monitor::Counter;
use crate::base::path::TreePath;
use crate::base::time::Timestamp;
use crate::blob::pack::FinishedPack;
use crate::chunk::gear::GearTable;
use crate::disk::owner::Owners;
use crate::disk::walk::WalkOptions;
use crate::format::entry::{Entry, EntryKind};
use crate::format::snapshot::Summary;
use crate::tree::build::EntryTreeBuilder;

/// Permissions of the file that a stream becomes: only its owner reads it.
const STREAM_MODE: u32 = 0o600;
/// The same for a folder of them.
const FOLDER_MODE: u32 = 0o700;

impl Pipeline<'_> {
    /// Backs up `input` as the file `name` at the top of the snapshot.
    pub(super) fn run_stream(
        &self,
        name: &[u8],
        now: Timestamp,
        input: &mut dyn Read,
        packs: Sender<FinishedPack>,
    ) -> Result<Built, BackupError> {
        let path = path_below(&TreePath::root(), name)?;
        let shared = self.context.shared;
        let nodes = NodeStore::new(self.filler(PackKind::Tree, packs.clone())?);
        let gear = Arc::new(GearTable::new(&self.context.write.cut));
        let filler = self.filler(PackKind::Data, packs)?;
        let rules = WalkOptions::default();
        let mut reader = FileReader::new(filler, &nodes, shared, (self.tree, &gear), &rules);
        let (content, size_bytes) = reader.read_input(input)?;
        reader.finish()?;
        let entry = Entry { content: Some(content), ..stream_entry(now, size_bytes) };
        let mut sink = &nodes;
        let mut builder = EntryTreeBuilder::new(self.tree);
        builder.push(path.key().to_vec(), entry.clone(), &mut sink)?;
        let (root, _) = builder.finish(&mut sink)?;
        nodes.finish()?;
        shared.monitor.add(Counter::Items, 1);
        let summary = Summary { files_new: 1, ..Summary::default() };
        let counts = Counts { summary, ..Counts::default() };
        let (roots, owners) = (Vec::new(), Owners::default());
        Ok(Built { root, counts, roots, owners, stream: Some(entry) })
    }

    /// Backs up `files` as the folder `name` at the top of the snapshot.
    pub(super) fn run_files(
        &self,
        name: &[u8],
        now: Timestamp,
        files: &mut dyn StreamedFiles,
        packs: Sender<FinishedPack>,
    ) -> Result<Built, BackupError> {
        let folder = path_below(&TreePath::root(), name)?;
        let shared = self.context.shared;
        let nodes = NodeStore::new(self.filler(PackKind::Tree, packs.clone())?);
        let gear = Arc::new(GearTable::new(&self.context.write.cut));
        let rules = WalkOptions::default();
        let mut entries = vec![(
            folder.key().to_vec(),
            Entry { kind: EntryKind::Directory, mode: FOLDER_MODE, ..blank_file(now) },
        )];
        loop {
            if shared.monitor.is_cancelled() {
                return Err(BackupError::Interrupted);
            }
            let next = files.next_file().map_err(|source| BackupError::Stream { source })?;
            let Some(StreamedFile { name, mut input }) = next else { break };
            let path = path_below(&folder, &name)?;
            let filler = self.filler(PackKind::Data, packs.clone())?;
            let mut reader = FileReader::new(filler, &nodes, shared, (self.tree, &gear), &rules);
            let (content, size_bytes) = reader.read_input(&mut *input)?;
            reader.finish()?;
            let entry = Entry { content: Some(content), ..stream_entry(now, size_bytes) };
            entries.push((path.key().to_vec(), entry));
            shared.monitor.add(Counter::Items, 1);
        }
        drop(packs);
        // Streams come as they are made; a tree is built in the order of its paths.
        entries.sort_by(|(one, _), (other, _)| one.cmp(other));
        let files_new = entries.len() as u64 - 1;
        let mut sink = &nodes;
        let mut builder = EntryTreeBuilder::new(self.tree);
        for (key, entry) in entries {
            builder.push(key, entry, &mut sink)?;
        }
        let (root, _) = builder.finish(&mut sink)?;
        nodes.finish()?;
        let summary = Summary { files_new, dirs_new: 1, ..Summary::default() };
        let counts = Counts { summary, ..Counts::default() };
        let (roots, owners) = (Vec::new(), Owners::default());
        Ok(Built { root, counts, roots, owners, stream: None })
    }
}

fn path_below(folder: &TreePath, name: &[u8]) -> Result<TreePath, BackupError> {
    folder.join(name).map_err(|error| BackupError::Source {
        path: crate::base::path::escape(name),
        why: error.to_string(),
    })
}

fn stream_entry(now: Timestamp, size_bytes: u64) -> Entry {
    Entry { mode: STREAM_MODE, size_bytes, ..blank_file(now) }
}
