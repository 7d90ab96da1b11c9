//! A backup from beginning to end, in the order of the commit protocol (`docs/GC.md`, B1 to B5).

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicU32;

use crate::backup::commit::{Committer, Draft, look};
use crate::backup::error::BackupError;
use crate::backup::fill::FillContext;
use crate::backup::host;
use crate::backup::options::{BackupOptions, Source};
use crate::backup::pipeline::{Built, Pipeline};
use crate::backup::previous::{self, Previous, hints_name};
use crate::backup::report::BackupReport;
use crate::backup::roots::{closed, missing};
use crate::backup::scan;
use crate::backup::shared::{Shared, Tally};
use crate::backup::upload::Uploader;
use crate::base::error::in_one_line;
use crate::base::id::{ChunkId, SessionId};
use crate::base::limits::{EVIDENCE_MAX_HEADS, NODE_CACHE_BYTES, PACK_TARGET_BYTES};
use crate::base::monitor::{Monitor, Phase};
use crate::base::path::{TreePath, escape};
use crate::base::time::Timestamp;
use crate::blob::buffers::PackBuffers;
use crate::blob::dedup::Dedup;
use crate::blob::fetch::ChunkFetcher;
use crate::disk::command::CommandSource;
use crate::disk::exclude::Excludes;
use crate::disk::walk::{Walk, WalkOptions};
use crate::format::entry::Entry;
use crate::format::session::SessionKind;
use crate::format::snapshot::{
    EvidenceHead, PathBytes, RecordedProblem, RecordedRoot, RootState, SnapshotState, Summary,
};
use crate::index::Index;
use crate::index::belief::Doubt;
use crate::index::catalog::{self, Catalog};
use crate::index::clients::refuse;
use crate::index::collections::Usable;
use crate::index::hints::{HintsHeader, HintsWriter};
use crate::index::identity::{Chain, chain, identity_to_check};
use crate::index::settle::settle_open_runs;
use crate::repo::Repo;
use crate::repo::keyring::Identity;
use crate::repo::session::{self, Aftermath};

/// Backs up `source`. `folder` is where this machine keeps its index and hints of the repository.
///
/// # Errors
/// [`BackupError`] if there is no snapshot; problems with single files are in the report.
pub fn run(
    repo: &Repo,
    index: &Index,
    folder: &Path,
    source: Source,
    options: &BackupOptions,
    monitor: &dyn Monitor,
) -> Result<BackupReport, BackupError> {
    let again = match &source {
        Source::Paths(roots) => Some(roots.clone()),
        Source::Stream { .. } | Source::Command { .. } | Source::Files { .. } => None,
    };
    let outcome = run_once(repo, index, folder, source, options, monitor);
    match (outcome, again) {
        // What the run had relied on may be gone; a second one stores that anew.
        (Err(error @ (BackupError::Overtaken | BackupError::PutBack)), Some(roots)) => {
            monitor.note(match error {
                BackupError::PutBack => {
                    "the store was put back meanwhile; reading the source again"
                }
                _ => "a collection overtook this run; reading the source again",
            });
            run_once(repo, index, folder, Source::Paths(roots), options, monitor)
        }
        (outcome, _) => outcome,
    }
}

fn run_once(
    repo: &Repo,
    index: &Index,
    folder: &Path,
    source: Source,
    options: &BackupOptions,
    monitor: &dyn Monitor,
) -> Result<BackupReport, BackupError> {
    let start = Start::new(repo, index, options, monitor)?;
    let shared = Shared::new(monitor);
    let outcome = start.build_and_commit(folder, source, &shared);
    if let (Err(error), false) = (&outcome, options.dry_run) {
        start.give_up(&in_one_line(error), monitor);
    }
    outcome
}

/// A run that is registered and may begin to read.
struct Start<'a> {
    repo: &'a Repo,
    index: &'a Index,
    options: BackupOptions,
    identity: Identity,
    chain: Chain,
    session: SessionId,
    usable: Usable,
    adopted: Vec<SessionId>,
    started: Timestamp,
    started_ms: u64,
}

impl<'a> Start<'a> {
    fn new(
        repo: &'a Repo,
        index: &'a Index,
        options: &'a BackupOptions,
        monitor: &dyn Monitor,
    ) -> Result<Self, BackupError> {
        repo.keys().write()?;
        let started = repo.clock().now();
        let started_ms = repo.clock().monotonic().as_millis() as u64;
        let identity = identity_to_check(repo, index, &options.host)?;
        let named = host::early(repo, index, &identity, options, monitor)?;
        let options = BackupOptions { host: named, ..options.clone() };
        let adopted = settle_open_runs(repo, index, &identity, monitor)?;
        let chain = chain(repo, index, identity.client)?;
        let session = session::new_id(&identity, chain.next_sequence);
        if !options.dry_run {
            // Noted before anything is in the store, so that no session is ever forgotten.
            index.begin_run(session, started, "backup")?;
            session::register(repo, &identity, session, SessionKind::Backup, &options.host)?;
        }
        let usable = look(repo, index, monitor)?;
        Ok(Self {
            repo,
            index,
            options,
            identity,
            chain,
            session,
            usable,
            adopted,
            started,
            started_ms,
        })
    }

    fn build_and_commit(
        &self,
        folder: &Path,
        source: Source,
        shared: &Shared<'_>,
    ) -> Result<BackupReport, BackupError> {
        let paths = source_paths(&source);
        let mut catalog = catalog::snapshots(self.repo, self.index)?;
        let clients = catalog.claims.clients();
        refuse(clients.endings(self.identity.client))?;
        self.index.distrust(&clients.revoked())?;
        host::require(&catalog.claims, self.identity.client, &self.options.host)?;
        let fetcher = match self.repo.keys().tree() {
            Ok(_) => Some(ChunkFetcher::new(self.repo, self.index, NODE_CACHE_BYTES)?),
            Err(_) => None,
        };
        let previous = match source {
            Source::Paths(_) => {
                let (repo, index, own) = (self.repo, self.index, self.identity.client);
                let place = (repo, index, own);
                let options = &self.options;
                previous::find(place, folder, &mut catalog, &paths, options, fetcher.as_ref())?
            }
            _ => Previous::none(),
        };
        let stream_before = match source {
            Source::Stream { .. } | Source::Command { .. } if self.options.skip_if_unchanged => {
                let place = (self.repo, self.index, self.identity.client);
                let options = &self.options;
                previous::find_stream(place, &mut catalog, &paths, options, fetcher.as_ref())?
            }
            _ => None,
        };
        let (stream_parent, stream_before) = stream_before.unzip();
        let (parent, parent_root) = (previous.parent.or(stream_parent), previous.root);
        self.announce(previous.summary.as_ref(), shared.monitor);
        let mut hints = match (&source, self.options.dry_run) {
            (Source::Paths(_), false) => {
                let domain = self.repo.keys().write()?.domain;
                Some(HintsWriter::create(folder, &hints_name(&self.options.host, &paths, domain))?)
            }
            _ => None,
        };
        let is_stream = !matches!(source, Source::Paths(_));
        let built = self.build(source, previous, shared, hints.as_mut())?;
        self.require_something(&built, is_stream)?;
        let mut report = self.report(&built, parent, shared);
        report.lost.clone_from(&catalog.missing);
        let unchanged = self.options.skip_if_unchanged
            && (is_same_stream(&built, stream_before)
                || is_same_tree(&built, parent_root, &report));
        if self.options.dry_run || unchanged {
            if !self.options.dry_run {
                self.give_up("nothing had changed", shared.monitor);
            }
            return Ok(report);
        }
        let draft = self.draft(&paths, &catalog, &report);
        let (repo, index) = (self.repo, self.index);
        let session = Committer {
            repo,
            index,
            identity: &self.identity,
            usable: &self.usable,
            monitor: shared.monitor,
        }
        .commit(self.session, &draft)?;
        report.snapshot = Some(session);
        if let Some(hints) = hints {
            let (epoch, root, owners) = (index.epoch(), built.root.node, built.owners);
            let header = HintsHeader { session, epoch, root, owners };
            hints.finish(&header)?;
        }
        Ok(report)
    }

    /// A snapshot of nothing would look like a backup.
    fn require_something(&self, built: &Built, is_stream: bool) -> Result<(), BackupError> {
        if self.options.allow_empty {
            return Ok(());
        }
        if is_stream {
            return if built.root.total_bytes == 0 {
                Err(BackupError::EmptyStream)
            } else {
                Ok(())
            };
        }
        let is_nothing = |root: &RecordedRoot| root.state == RootState::Empty;
        if built.root.item_count > 0 && !built.roots.iter().all(is_nothing) {
            return Ok(());
        }
        let at = match built.roots.as_slice() {
            [] => String::new(),
            [root] => format!(" below {}", escape(&root.asked.0)),
            [root, ..] => format!(" below {} and the other paths", escape(&root.asked.0)),
        };
        Err(BackupError::NothingSelected { at })
    }

    fn announce(&self, last: Option<&Summary>, monitor: &dyn Monitor) {
        monitor.phase(&Phase {
            name: "backing up",
            total_items: last.map(|summary| summary.entries),
            total_bytes: last.map(|summary| summary.total_bytes),
        });
    }

    fn build(
        &self,
        source: Source,
        previous: Previous<'_>,
        shared: &Shared<'_>,
        hints: Option<&mut HintsWriter>,
    ) -> Result<Built, BackupError> {
        let context = FillContext {
            repo: self.repo,
            write: self.repo.keys().write()?,
            identity: &self.identity,
            session: self.session,
            level: self.options.level,
            pack_bytes: match self.options.pack_bytes {
                0 => PACK_TARGET_BYTES,
                chosen => chosen,
            },
            shared,
            next_pack: AtomicU32::new(0),
            buffers: PackBuffers::default(),
        };
        let dedup = Dedup::default();
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let pipeline = Pipeline {
            context: &context,
            index: self.index,
            dedup: &dedup,
            tree: &self.repo.config().tree,
            workers: if self.options.workers == 0 { cores } else { self.options.workers },
            rereads: self.options.force,
        };
        let (place, writer) = ((self.repo, self.index), (context.write, context.identity));
        let uploads = Uploader::new(place, &dedup, writer, self.session, self.options.dry_run);
        pipeline.with_uploads(uploads, |packs| match source {
            Source::Paths(roots) => {
                self.options.closed.iter().for_each(|one| shared.problem(one.clone()));
                let rules = self.walk_options(Vec::new())?;
                let with_roots = WalkOptions { roots: roots.clone(), ..rules.clone() };
                let walk = Walk::new(with_roots)?.on_all_cores();
                // What the last run saw is close enough; only the first one has to count.
                let counts = self.options.scan && previous.summary.is_none();
                let count = counts.then(|| WalkOptions { roots, ..rules.clone() });
                let walk = (walk, &rules);
                scan::beside(count, shared, || pipeline.run(walk, previous, packs, hints))
            }
            Source::Stream { name, mut input } => {
                pipeline.run_stream(&name, self.started, input.as_mut(), packs)
            }
            Source::Command { name, argv, variables } => {
                let mut command = CommandSource::spawn(&argv, &variables)?;
                let built = pipeline.run_stream(&name, self.started, &mut command, packs)?;
                command.finish()?;
                Ok(built)
            }
            Source::Files { name, mut files } => {
                pipeline.run_files(&name, self.started, files.as_mut(), packs)
            }
        })
    }

    fn walk_options(&self, roots: Vec<PathBuf>) -> Result<WalkOptions, BackupError> {
        Ok(WalkOptions {
            roots,
            excludes: Excludes::new(&self.options.excludes)?,
            with_atime: self.options.with_atime,
            skip: self.options.skip.clone(),
        })
    }

    fn report(
        &self,
        built: &Built,
        parent: Option<SessionId>,
        shared: &Shared<'_>,
    ) -> BackupReport {
        let (problem_count, problems) = shared.problems();
        let tally = &shared.tally;
        let inconsistent_count = Tally::get(&tally.inconsistent);
        let state = match (problem_count, inconsistent_count) {
            (0, 0) => SnapshotState::Complete,
            (0, _) => SnapshotState::CompleteWithNotes,
            _ => SnapshotState::Partial,
        };
        let counted = &built.counts.summary;
        let changed_unseen = Tally::get(&tally.changed_unseen);
        let vanished_known = Tally::get(&tally.vanished_known);
        let summary = Summary {
            files_new: counted.files_new.saturating_sub(Tally::get(&tally.vanished_new)),
            files_changed: (counted.files_changed + changed_unseen).saturating_sub(vanished_known),
            files_unmodified: counted.files_unmodified.saturating_sub(changed_unseen),
            paths_gone: counted.paths_gone + vanished_known,
            bytes_gone: counted.bytes_gone + Tally::get(&tally.vanished_bytes),
            vanished: Tally::get(&tally.vanished),
            entries: built.root.item_count,
            total_bytes: built.root.total_bytes,
            bytes_read: Tally::get(&tally.bytes_read),
            bytes_new: Tally::get(&tally.bytes_new),
            bytes_stored: Tally::get(&tally.bytes_stored),
            data_chunks_new: Tally::get(&tally.data_chunks_new),
            tree_nodes_new: Tally::get(&tally.tree_nodes_new),
            requests: self.repo.store().usage().requests(),
            ..*counted
        };
        let now_ms = self.repo.clock().monotonic().as_millis() as u64;
        BackupReport {
            snapshot: None,
            root: built.root.node,
            parent,
            summary,
            files_gone: built.counts.files_gone + vanished_known,
            roots: self.roots(built),
            state,
            problem_count,
            problems,
            inconsistent_count,
            adopted: self.adopted.clone(),
            lost: Vec::new(),
            duration_ms: now_ms - self.started_ms,
        }
    }

    /// What became of each path that was asked for, those included that were missing before.
    fn roots(&self, built: &Built) -> Vec<RecordedRoot> {
        let mut roots = built.roots.clone();
        roots.extend(self.options.missing.iter().map(|path| missing(path)));
        roots.extend(self.options.closed.iter().map(|problem| closed(&problem.path)));
        roots.sort_by(|a, b| a.asked.cmp(&b.asked));
        roots.dedup_by(|a, b| a.asked == b.asked && a.led_to == b.led_to);
        roots
    }

    fn draft<'d>(
        &'d self,
        paths: &'d [PathBytes],
        catalog: &Catalog,
        report: &BackupReport,
    ) -> Draft<'d> {
        let recorded = report.problems.iter().map(|problem| RecordedProblem {
            path: problem.path.key().to_vec(),
            action: problem.action.to_owned(),
            why: problem.why.clone(),
        });
        Draft {
            root: report.root,
            previous: self.chain.previous,
            seen: newest_of_others(catalog, &self.identity),
            evidence: newest_evidence(catalog, &self.options.evidence),
            host: &self.options.host,
            paths,
            tags: &self.options.tags,
            description: self.options.description.as_deref(),
            started: self.started,
            summary: report.summary,
            state: report.state,
            problem_count: report.problem_count,
            problems: recorded.collect(),
            roots: report.roots.clone(),
        }
    }

    /// Tells collectors not to wait for this session. If that fails too, the next run does it.
    fn give_up(&self, why: &str, monitor: &dyn Monitor) {
        let settled = session::settle(self.repo, &self.identity, self.session);
        let noted = match settled {
            Ok(Aftermath::GivenUp) => {
                self.index.finish_run(self.session, self.repo.clock().now(), "given up", why)
            }
            // A commit whose answer was lost: the next run adopts it.
            Ok(Aftermath::Adopted(_)) | Err(_) => return,
        };
        if let Err(error) = noted {
            monitor.note(&format!("the end of the run could not be noted: {error}"));
        }
    }
}

/// The newest snapshot of every other client: a store that is rolled back shows.
fn newest_of_others(catalog: &Catalog, identity: &Identity) -> Vec<SessionId> {
    let mut newest = std::collections::BTreeMap::new();
    for one in &catalog.snapshots {
        let session = one.snapshot.session;
        if session.client() != identity.client {
            let newest = newest.entry(session.client()).or_insert(session);
            if newest.sequence() < session.sequence() {
                *newest = session;
            }
        }
    }
    newest.into_values().collect()
}

/// The newest head of every chain of evidence that this machine or a snapshot knows of.
fn newest_evidence(catalog: &Catalog, known: &[EvidenceHead]) -> Vec<EvidenceHead> {
    let snapshots = catalog.snapshots.iter().chain(&catalog.forgotten);
    let counting = snapshots.filter(|one| one.doubt != Some(Doubt::Revoked));
    let gossip = counting.flat_map(|one| &one.snapshot.evidence);
    let mut newest = std::collections::BTreeMap::new();
    for head in gossip.chain(known) {
        let kept: &mut EvidenceHead = newest.entry(head.writer).or_insert(*head);
        if kept.number < head.number {
            *kept = *head;
        }
    }
    newest.into_values().take(EVIDENCE_MAX_HEADS).collect()
}

/// Whether a stream holds what it held before.
fn is_same_stream(built: &Built, before: Option<Entry>) -> bool {
    built.stream.as_ref().zip(before).is_some_and(|(now, before)| now.content == before.content)
}

/// Whether a tree is as it was. Of a folder that is only on the way its metadata are saved and nothing
/// else, and any work beside a root changes the time of the folder above it.
fn is_same_tree(built: &Built, before: Option<ChunkId>, report: &BackupReport) -> bool {
    let is_alike = built.counts.differences == 0 && report.problem_count == 0;
    before.is_some_and(|root| root == built.root.node || is_alike)
}

fn source_paths(source: &Source) -> Vec<PathBytes> {
    use std::os::unix::ffi::OsStrExt;
    let mut paths: Vec<PathBytes> = match source {
        Source::Paths(roots) => {
            // As a name of the source a slash at the end counts for nothing.
            let plain = |bytes: &[u8]| TreePath::from_slashes(bytes).map(|path| path.to_slashes());
            let bytes = roots.iter().map(|root| root.as_os_str().as_bytes());
            bytes.map(|bytes| PathBytes(plain(bytes).unwrap_or_else(|_| bytes.to_vec()))).collect()
        }
        Source::Stream { name, .. } | Source::Command { name, .. } | Source::Files { name, .. } => {
            vec![PathBytes([b"/", name.as_slice()].concat())]
        }
    };
    paths.sort();
    paths.dedup();
    paths
}
