//! The threads of a run: one walks, one compares, workers read, uploaders store, this one builds
//! the tree from results in path order.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use crossbeam_channel::{Receiver, Sender, bounded};

use crate::backup::ahead::Ahead;
use crate::backup::assemble::{Assembler, ReadResult};
use crate::backup::error::BackupError;
use crate::backup::fill::{FillContext, Filler};
use crate::backup::job::Read;
use crate::backup::join::{Counts, Join};
use crate::backup::nodes::NodeStore;
use crate::backup::previous::Previous;
use crate::backup::read::FileReader;
use crate::backup::roots::RootBook;
use crate::backup::shared::{Shared, Watch};
use crate::backup::step::{Job, Outcome};
use crate::backup::upload::Uploader;
use crate::base::id::PackKind;
use crate::base::limits::FILE_WINDOW;
use crate::blob::dedup::Dedup;
use crate::blob::pack::FinishedPack;
use crate::chunk::gear::GearTable;
use crate::disk::owner::Owners;
use crate::disk::walk::{Root as SourceRoot, Walk, WalkItem, WalkOptions};
use crate::format::config::TreeConfig;
use crate::format::entry::Entry;
use crate::format::snapshot::RecordedRoot;
use crate::index::Index;
use crate::index::hints::HintsWriter;
use crate::tree::build::Root;

/// Files that wait for a worker. Each keeps its directory open, so the number is small.
const JOB_QUEUE: usize = 64;
/// What the walk finds is handed on in batches: a wake-up for each would cost as much as a `stat`.
const WALK_BATCH: usize = 128;
/// Entries that wait of a folder that came into the place of a file.
const FOLDER_QUEUE: usize = 64;
/// Batches that wait to be compared.
const WALK_QUEUE_BATCHES: usize = 8;

/// What the threads work on.
pub(super) struct Pipeline<'a> {
    pub(super) context: &'a FillContext<'a>,
    pub(super) index: &'a Index,
    pub(super) dedup: &'a Dedup,
    pub(super) tree: &'a TreeConfig,
    pub(super) workers: usize,
    /// Whether everything is read again, however unchanged it looks.
    pub(super) rereads: bool,
}

/// What the threads made.
pub(super) struct Built {
    pub(super) root: Root,
    pub(super) counts: Counts,
    /// What became of the paths that were asked for.
    pub(super) roots: Vec<RecordedRoot>,
    /// The owners that entries name.
    pub(super) owners: Owners,
    /// The file that a stream became.
    pub(super) stream: Option<Entry>,
}

/// Uploader and the end of its queue that packs are put into.
pub(super) type Uploads<'a> = (Uploader<'a>, Sender<FinishedPack>);

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

    /// Backs up what `walk` finds; `rules` are those of the walk, without its roots.
    pub(super) fn run(
        &self,
        (walk, rules): (Walk, &WalkOptions),
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
        let (batch_sender, batches) = bounded(WALK_QUEUE_BATCHES);
        let owners = walk.owners();
        let asked = walk.roots().to_vec();
        shared.watch_roots(&asked);
        let trusts_facts = !previous.must_look_up
            && !self.rereads
            && !walk.with_atime()
            && previous.owners.as_ref().is_some_and(|then| owners.agree_with(then));
        std::thread::scope(|scope| {
            scope.spawn(move || {
                let _watch = Watch(shared);
                hand_out(walk, &batch_sender);
            });
            for _ in 0..self.workers {
                let filler = self.filler(PackKind::Data, packs.clone())?;
                let reader = FileReader::new(filler, &nodes, shared, (self.tree, &gear), rules);
                let (jobs, results) = (jobs.clone(), result_sender.clone());
                scope.spawn(move || work(reader, &jobs, &results, shared));
            }
            drop((packs, jobs, result_sender));
            let join = Join {
                shared,
                nodes: &nodes,
                must_look_up: previous.must_look_up,
                rereads: self.rereads,
                ahead: Ahead::new(previous, trusts_facts),
                steps: step_sender,
                jobs: job_sender.clone(),
                counts: Counts { roots: RootBook::new(&asked), ..Counts::default() },
                wants_changes: shared.monitor.wants_changes(),
                next_number: 0,
                links: std::collections::HashSet::new(),
            };
            let joiner = scope.spawn(move || {
                let _watch = Watch(shared);
                join.run(&batches).map_err(|error| shared.fail(error))
            });
            let assembler = Assembler::new(self.tree, shared, &nodes, hints, (job_sender, results));
            let root = assembler.run(steps);
            let root = root.and_then(|root| nodes.finish().map(|()| root));
            let root = root.map_err(|error| shared.fail(error));
            let counts = joiner.join().unwrap_or(Err(()));
            let (Ok(root), Ok(counts)) = (root, counts) else { return Err(BackupError::Lost) };
            let roots = asked.iter().map(|root| record(root, &counts.roots, shared)).collect();
            Ok(Built { root, counts, roots, owners: owners.list(), stream: None })
        })
    }
}

fn record(root: &SourceRoot, book: &RootBook, shared: &Shared<'_>) -> RecordedRoot {
    let trouble = shared.trouble(&root.path);
    let has_problem = trouble.is_some_and(|it| it.has_problem.load(Ordering::Relaxed));
    let is_gone = trouble.is_some_and(|it| it.is_gone.load(Ordering::Relaxed));
    book.record(root, has_problem, is_gone)
}

/// The walker's life: find until there is no more, or nobody listens.
fn hand_out(mut walk: Walk, batches: &Sender<Vec<WalkItem>>) {
    loop {
        let batch: Vec<_> = walk.by_ref().take(WALK_BATCH).collect();
        let is_last = batch.len() < WALK_BATCH;
        if batches.send(batch).is_err() || is_last {
            return;
        }
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
        let number = job.number;
        let outcome = match reader.read(job) {
            Ok(Read::Entry(entry)) => Outcome::Entry(entry),
            Ok(Read::Gone) => Outcome::Gone,
            Ok(Read::Folder(path)) => {
                let (sender, entries) = bounded(FOLDER_QUEUE);
                if results.send((number, Outcome::Folder(entries))).is_err() {
                    break;
                }
                if let Err(error) = reader.read_folder(&path, &sender) {
                    shared.fail(error);
                }
                continue;
            }
            Err(error) => {
                shared.fail(error);
                continue;
            }
        };
        if results.send((number, outcome)).is_err() {
            break;
        }
    }
    if !shared.is_stopped()
        && let Err(error) = reader.finish()
    {
        shared.fail(error);
    }
}
