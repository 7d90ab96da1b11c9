//! Backing up a stream: standard input, or what a command prints, as one file.

use std::io::Read;
use std::sync::Arc;

use crossbeam_channel::Sender;

use crate::backup::error::BackupError;
use crate::backup::join::Counts;
use crate::backup::nodes::NodeStore;
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
use crate::format::entry::Entry;
use crate::format::snapshot::Summary;
use crate::tree::build::EntryTreeBuilder;

/// Permissions of the file that a stream becomes: only its owner reads it.
const STREAM_MODE: u32 = 0o600;

impl Pipeline<'_> {
    /// Backs up `input` as the file `name` at the top of the snapshot.
    pub(super) fn run_stream(
        &self,
        name: &[u8],
        now: Timestamp,
        input: &mut dyn Read,
        packs: Sender<FinishedPack>,
    ) -> Result<Built, BackupError> {
        let path = TreePath::root().join(name).map_err(|error| BackupError::Source {
            path: crate::base::path::escape(name),
            why: error.to_string(),
        })?;
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
}

fn stream_entry(now: Timestamp, size_bytes: u64) -> Entry {
    Entry { mode: STREAM_MODE, size_bytes, ..blank_file(now) }
}
