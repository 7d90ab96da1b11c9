//! The threads of a run: one walks and compares, workers read, uploaders store, this one builds
//! the tree from results in path order.

use std::collections::HashMap;
use std::sync::Arc;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};

use crate::backup::error::BackupError;
use crate::backup::fill::{FillContext, Filler};
use crate::backup::join::{Job, Join, Step, Work};
use crate::backup::nodes::NodeStore;
use crate::backup::previous::Previous;
use crate::backup::read::FileReader;
use crate::backup::shared::{LOOK_AROUND, Shared, Watch};
use crate::backup::upload::Uploader;
use crate::base::id::PackKind;
use crate::base::limits::FILE_WINDOW;
use crate::blob::dedup::Dedup;
use crate::blob::pack::FinishedPack;
use crate::chunk::gear::GearTable;
use crate::disk::walk::Walk;
use crate::format::config::TreeConfig;
use crate::format::entry::Entry;
use crate::format::snapshot::Summary;
use crate::index::Index;
use crate::index::hints::HintsWriter;
use crate::tree::build::{EntryTreeBuilder, Root};

/// Files that wait for a worker. Each keeps its directory open, so the number is small.
const JOB_QUEUE: usize = 64;

/// What the threads work on.
pub(super) struct Pipeline<'a> {
    pub(super) context: &'a FillContext<'a>,
    pub(super) index: &'a Index,
    pub(super) dedup: &'a Dedup,
    pub(super) tree: &'a TreeConfig,
    pub(super) workers: usize,
}

/// What the threads made.
pub(super) struct Built {
    pub(super) root: Root,
    pub(super) counts: Summary,
}

/// Uploader and the end of its queue that packs are put into.
pub(super) type Uploads<'a> = (Uploader<'a>, Sender<FinishedPack>);

type ReadResult = (u64, Option<Entry>);

impl<'a> Pipeline<'a> {
    pub(super) fn filler(
        &self,
        kind: PackKind,
        packs: Sender<FinishedPack>,
    ) -> Result<Filler<'a>, BackupError> {
        Ok(Filler::new(self.context, kind, self.dedup.view(self.index)?, packs))
    }

    /// Runs `make` beside the upload threads and lists all packs in segments when it is done.
    pub(super) fn with_uploads<T>(
        &self,
        (uploader, packs): Uploads<'a>,
        make: impl FnOnce(Sender<FinishedPack>) -> Result<T, BackupError>,
    ) -> Result<T, BackupError> {
        let shared = self.context.shared;
        let made = std::thread::scope(|scope| {
            for _ in 0..uploader.thread_count() {
                scope.spawn(|| uploader.work(shared));
            }
            make(packs)
        });
        // The first error is the cause; what followed from it is not told.
        if let Some(error) = shared.take_error() {
            return Err(error);
        }
        let made = made?;
        uploader.finish()?;
        Ok(made)
    }

    /// Backs up what `walk` finds.
    pub(super) fn run(
        &self,
        walk: Walk,
        previous: Previous<'_>,
        packs: Sender<FinishedPack>,
        hints: Option<&mut HintsWriter>,
    ) -> Result<Built, BackupError> {
        let shared = self.context.shared;
        let nodes = NodeStore::new(self.filler(PackKind::Tree, packs.clone())?);
        let gear = Arc::new(GearTable::new(&self.context.write.cut));
        let (step_sender, steps) = bounded(FILE_WINDOW);
        let (job_sender, jobs) = bounded(JOB_QUEUE);
        let (result_sender, results) = bounded(FILE_WINDOW);
        std::thread::scope(|scope| {
            for _ in 0..self.workers {
                let filler = self.filler(PackKind::Data, packs.clone())?;
                let reader = FileReader::new(filler, &nodes, shared, self.tree, &gear);
                let (jobs, results) = (jobs.clone(), result_sender.clone());
                scope.spawn(move || work(reader, &jobs, &results, shared));
            }
            drop((packs, jobs, result_sender));
            let join = Join {
                shared,
                nodes: &nodes,
                previous,
                steps: step_sender,
                jobs: job_sender,
                counts: Summary::default(),
                next_number: 0,
                links: std::collections::HashSet::new(),
            };
            let walker = scope.spawn(move || {
                let _watch = Watch(shared);
                join.run(walk).map_err(|error| shared.fail(error))
            });
            let root = self.assemble(&steps, &results, &nodes, hints);
            let root = root.and_then(|root| nodes.finish().map(|()| root));
            let root = root.map_err(|error| shared.fail(error));
            // Whoever still sends finds the other end gone.
            drop((steps, results));
            let counts = walker.join().unwrap_or(Err(()));
            let (Ok(root), Ok(counts)) = (root, counts) else { return Err(BackupError::Lost) };
            Ok(Built { root, counts })
        })
    }

    fn assemble(
        &self,
        steps: &Receiver<Step>,
        results: &Receiver<ReadResult>,
        nodes: &NodeStore<'_>,
        mut hints: Option<&mut HintsWriter>,
    ) -> Result<Root, BackupError> {
        let shared = self.context.shared;
        let mut sink = nodes;
        let mut builder = EntryTreeBuilder::new(self.tree);
        let mut early: HashMap<u64, Option<Entry>> = HashMap::new();
        let mut links: HashMap<(u64, u64), Entry> = HashMap::new();
        for Step { path, work } in steps {
            let entry = match work {
                Work::Ready(entry) => Some(*entry),
                Work::Reading(number) => wait_for(number, results, &mut early, shared)?,
                Work::Linked(entry) => {
                    let first = links.get(&(entry.device, entry.inode));
                    first.map(|first| with_content_of(*entry, first))
                }
            };
            let Some(entry) = entry else { continue };
            if entry.link_count > 1 && entry.content.is_some() {
                links.insert((entry.device, entry.inode), entry.clone());
            }
            if let Some(hints) = hints.as_deref_mut() {
                hints.push(path.key(), &entry)?;
            }
            builder.push(&path, entry, &mut sink)?;
        }
        Ok(builder.finish(&mut sink)?)
    }
}

/// Another name of a file as it was when its content was read: it may have changed since the walk
/// met this name.
fn with_content_of(name: Entry, first: &Entry) -> Entry {
    Entry {
        content: first.content.clone(),
        size_bytes: first.size_bytes,
        mtime: first.mtime,
        ctime: first.ctime,
        flags: first.flags,
        ..name
    }
}

/// A worker's life: read files until there are no more.
fn work(
    mut reader: FileReader<'_>,
    jobs: &Receiver<Job>,
    results: &Sender<ReadResult>,
    shared: &Shared<'_>,
) {
    let _watch = Watch(shared);
    for job in jobs {
        if shared.is_stopped() {
            break;
        }
        match reader.read(&job.found, job.entry) {
            Ok(entry) => {
                if results.send((job.number, entry)).is_err() {
                    break;
                }
            }
            Err(error) => shared.fail(error),
        }
    }
    if !shared.is_stopped()
        && let Err(error) = reader.finish()
    {
        shared.fail(error);
    }
}

fn wait_for(
    number: u64,
    results: &Receiver<ReadResult>,
    early: &mut HashMap<u64, Option<Entry>>,
    shared: &Shared<'_>,
) -> Result<Option<Entry>, BackupError> {
    loop {
        if let Some(entry) = early.remove(&number) {
            return Ok(entry);
        }
        match results.recv_timeout(LOOK_AROUND) {
            Ok((finished, entry)) => {
                early.insert(finished, entry);
            }
            Err(RecvTimeoutError::Timeout) if !shared.is_stopped() => {}
            Err(_) => return Err(BackupError::Lost),
        }
    }
}
