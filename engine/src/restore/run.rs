//! A restore from beginning to end: one pass over the tree, window after window.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use hashbrown::HashSet;

use crate::base::error::in_one_line;
use crate::base::limits::{
    FETCH_THREADS_REMOTE, NODE_CACHE_BYTES, RESTORE_WINDOW_CHUNKS, RESTORE_WINDOW_FILES,
};
use crate::base::monitor::{Counter, Monitor, Phase, Problem};
use crate::base::path::TreePath;
use crate::blob::fetch::{ChunkFetcher, Openers};
use crate::disk::write::{MetadataOptions, Target, is_root};
use crate::format::entry::{Content, Entry, EntryKind};
use crate::format::extent::Extent;
use crate::format::snapshot::Snapshot;
use crate::index::{Index, IndexReader};
use crate::repo::Repo;
use crate::restore::error::RestoreError;
use crate::restore::execute::Executor;
use crate::restore::file::{Destination, RestoredFile};
use crate::restore::links::Links;
use crate::restore::options::RestoreOptions;
use crate::restore::place::{Placement, make_room};
use crate::restore::report::{RestoreReport, Tally};
use crate::restore::verify::{Verifier, verify};
use crate::restore::window::{Wanted, Window, plan};
use crate::tree::cursor::{find, subtree};
use crate::tree::extents::ExtentCursor;

/// Restores what lies at and below `from` in `snapshot` into `folder`.
///
/// The content of a folder lands directly in it, a single file under its own name. With the
/// root as `from`, absolute paths appear below it.
///
/// # Errors
/// [`RestoreError`] if nothing, or nothing more, could be restored. Entries that could not be
/// restored are in the report.
pub fn run(
    repo: &Repo,
    index: &Index,
    snapshot: &Snapshot,
    from: &TreePath,
    folder: &Path,
    options: &RestoreOptions,
    monitor: &dyn Monitor,
) -> Result<RestoreReport, RestoreError> {
    repo.keys().data()?;
    let started_ms = repo.clock().monotonic().as_millis() as u64;
    let fetcher = ChunkFetcher::new(repo, index, NODE_CACHE_BYTES)?;
    let base = base_of(&fetcher, snapshot, from)?;
    let target = Target::create(folder)?;
    if options.overwrite.is_none() && !options.dry_run && !target.is_empty()? {
        return Err(RestoreError::TargetNotEmpty { path: folder.display().to_string() });
    }
    require_space(&fetcher, snapshot, from, &target, options)?;
    monitor.phase(&Phase {
        name: "restoring",
        total_items: from.is_root().then_some(snapshot.summary.entries),
        total_bytes: from.is_root().then_some(snapshot.summary.total_bytes),
    });
    let tally = Tally::default();
    let metadata =
        MetadataOptions { owners: is_root() && !options.no_owner, xattrs: true, inode_flags: true };
    if !is_root() && !options.no_owner {
        monitor.note("not running as root: owners are not restored");
    }
    let to = Destination {
        target: &target,
        metadata,
        monitor,
        tally: &tally,
        open_files: AtomicUsize::new(0),
    };
    let openers = Openers::new(repo);
    let executor = Executor {
        repo,
        openers: &openers,
        fetcher: &fetcher,
        to: &to,
        threads: thread_count(repo, options),
    };
    let mut pass = Pass {
        base,
        options,
        to: &to,
        executor: &executor,
        reader: index.reader()?,
        window: Window::default(),
        open: Vec::new(),
        left: Vec::new(),
        links: Links::default(),
        report: RestoreReport::default(),
    };
    pass.run(snapshot, from)?;
    let mut report = pass.report;
    if options.verify && !options.dry_run {
        let base = &pass.base;
        let verifier = Verifier { repo, fetcher: &fetcher, to: &to, options, base };
        verify(&verifier, snapshot, from, &mut report)?;
    }
    tally.fill(&mut report);
    report.duration_ms = repo.clock().monotonic().as_millis() as u64 - started_ms;
    Ok(report)
}

/// What paths in the target are relative to: the folder itself, or the folder of a single file.
fn base_of(
    fetcher: &ChunkFetcher<'_>,
    snapshot: &Snapshot,
    from: &TreePath,
) -> Result<TreePath, RestoreError> {
    if from.is_root() {
        return Ok(TreePath::root());
    }
    match find(fetcher, snapshot.root, from)? {
        None => Err(RestoreError::NoSuchPath { path: from.to_string() }),
        Some(entry) if entry.kind == EntryKind::Directory => Ok(from.clone()),
        Some(_) => Ok(from.parent().unwrap_or_default()),
    }
}

fn thread_count(repo: &Repo, options: &RestoreOptions) -> usize {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    match (options.threads, repo.store().is_local()) {
        (0, true) => cores,
        (0, false) => cores.max(FETCH_THREADS_REMOTE),
        (wanted, _) => wanted,
    }
}

/// Refuses before the first write if the target cannot hold what is to come. Holes cost nothing,
/// so extents are only counted when the logical size does not fit.
fn require_space(
    fetcher: &ChunkFetcher<'_>,
    snapshot: &Snapshot,
    from: &TreePath,
    target: &Target,
    options: &RestoreOptions,
) -> Result<(), RestoreError> {
    let free_bytes = target.free_bytes()?;
    if snapshot.summary.total_bytes <= free_bytes || options.dry_run {
        return Ok(());
    }
    let mut needed_bytes = 0u64;
    for (path, entry) in subtree(fetcher, snapshot.root, from).filter_map(Result::ok) {
        if !options.selects(&path) {
            continue;
        }
        let content = entry.content.as_ref();
        let extents = content.into_iter().flat_map(|c| ExtentCursor::new(fetcher, c)).flatten();
        let data = extents.filter(|extent| matches!(extent, Extent::Chunk { .. }));
        needed_bytes += data.map(|extent| extent.length_bytes()).sum::<u64>();
        if needed_bytes > free_bytes {
            return Err(RestoreError::NoSpace { free_bytes, needed_bytes });
        }
    }
    Ok(())
}

/// A directory whose children are still coming.
struct OpenDirectory {
    path: TreePath,
    entry: Option<Entry>,
    children: HashSet<Vec<u8>>,
    /// Whether all children came; not if a tree node between them could not be read.
    is_complete: bool,
}

impl OpenDirectory {
    fn new(path: TreePath, entry: Option<Entry>) -> Self {
        Self { path, entry, children: HashSet::new(), is_complete: true }
    }
}

/// The pass over the tree.
struct Pass<'a> {
    base: TreePath,
    options: &'a RestoreOptions,
    to: &'a Destination<'a>,
    executor: &'a Executor<'a>,
    reader: IndexReader,
    window: Window,
    open: Vec<OpenDirectory>,
    /// Directories whose last child was seen; finished when the window was carried out.
    left: Vec<(TreePath, Entry)>,
    links: Links,
    report: RestoreReport,
}

impl Pass<'_> {
    fn run(&mut self, snapshot: &Snapshot, from: &TreePath) -> Result<(), RestoreError> {
        let fetcher = self.executor.fetcher;
        self.open.push(OpenDirectory::new(TreePath::root(), None));
        for item in subtree(fetcher, snapshot.root, from) {
            if self.to.monitor.is_cancelled() {
                return Err(RestoreError::Interrupted);
            }
            match item {
                Ok((path, entry)) => self.take(&path, entry)?,
                Err(error) => {
                    self.open.iter_mut().for_each(|open| open.is_complete = false);
                    let path = self.open.last().map(|open| open.path.clone()).unwrap_or_default();
                    let why = in_one_line(&error);
                    let problem = Problem { path, action: "reading the tree below", why };
                    self.to.tally.damage(self.to.monitor, problem);
                }
            }
            if self.window.is_full() || self.left.len() > RESTORE_WINDOW_FILES {
                self.carry_out()?;
            }
        }
        self.leave_until(None);
        self.carry_out()
    }

    fn take(&mut self, full: &TreePath, entry: Entry) -> Result<(), RestoreError> {
        let Some(path) = self.base.strip_prefix_of(full) else { return Ok(()) };
        self.leave_until(Some(&path));
        let is_directory = entry.kind == EntryKind::Directory;
        let wanted =
            self.options.selects(full) || (is_directory && self.options.may_select_below(full));
        if !wanted {
            return Ok(());
        }
        if let Some(parent) = self.open.last_mut() {
            parent.children.insert(path.name().to_vec());
        }
        if path.is_root() {
            if let Some(top) = self.open.first_mut() {
                top.entry = Some(entry);
            }
            self.report.directories += 1;
            return Ok(());
        }
        self.make_missing_folders(&path);
        let placement = match make_room(self.to.target, &path, &entry, self.options) {
            Ok(placement) => placement,
            Err(problem) => {
                self.to.tally.problem(self.to.monitor, problem);
                return Ok(());
            }
        };
        if is_directory {
            return self.take_directory(path, entry);
        }
        match placement {
            Placement::Skip => self.report.skipped += 1,
            Placement::Keep => {
                self.report.skipped += 1;
                if !self.options.dry_run {
                    self.set_metadata(&path, &entry);
                }
            }
            Placement::Create if entry.kind == EntryKind::File => self.take_file(path, entry)?,
            Placement::Create => self.take_other(&path, &entry),
        }
        Ok(())
    }

    fn take_directory(&mut self, path: TreePath, entry: Entry) -> Result<(), RestoreError> {
        if !self.options.dry_run
            && let Err(error) = self.to.target.make_directory(&path)
        {
            let why = in_one_line(&error);
            let problem = Problem { path, action: "creating the folder", why };
            self.to.tally.problem(self.to.monitor, problem);
            return Ok(());
        }
        self.report.directories += 1;
        self.to.monitor.add(Counter::Items, 1);
        self.open.push(OpenDirectory::new(path, Some(entry)));
        Ok(())
    }

    /// Folders above `path` that the snapshot has no readable entry for.
    fn make_missing_folders(&mut self, path: &TreePath) {
        let above = path.parent().unwrap_or_default();
        let reached = self.open.last().map(|open| open.path.clone()).unwrap_or_default();
        let Some(missing) = reached.strip_prefix_of(&above) else { return };
        let mut path = reached;
        for name in missing.components() {
            let Ok(next) = path.join(name) else { return };
            path = next;
            let made = match self.options.dry_run {
                true => Ok(()),
                false => self.to.target.make_directory(&path),
            };
            let why = match &made {
                Ok(()) => "the snapshot has no readable entry of this folder".to_owned(),
                Err(error) => in_one_line(error),
            };
            let problem = Problem { path: path.clone(), action: "creating the folder", why };
            if made.is_err() {
                return self.to.tally.problem(self.to.monitor, problem);
            }
            self.to.tally.damage(self.to.monitor, problem);
            // The node that lost the folder's entry may have held some of its children too.
            let open = OpenDirectory::new(path.clone(), None);
            self.open.push(OpenDirectory { is_complete: false, ..open });
        }
    }

    fn take_other(&mut self, path: &TreePath, entry: &Entry) {
        self.report.others += 1;
        if self.options.dry_run {
            return;
        }
        if self.links.is_later(path, entry) {
            return;
        }
        let target = self.to.target;
        let made = match (&entry.kind, &entry.target) {
            (EntryKind::Symlink, Some(to)) => target.make_symlink(path, to),
            _ => target.make_special(path, entry),
        };
        match made {
            Ok(()) => self.set_metadata(path, entry),
            Err(error) => {
                let why = in_one_line(&error);
                let problem = Problem { path: path.clone(), action: "creating", why };
                self.to.tally.problem(self.to.monitor, problem);
            }
        }
        self.to.monitor.add(Counter::Items, 1);
    }

    fn take_file(&mut self, path: TreePath, entry: Entry) -> Result<(), RestoreError> {
        self.report.total_bytes = self.report.total_bytes.saturating_add(entry.size_bytes);
        if self.options.dry_run {
            self.report.files += 1;
            return Ok(());
        }
        if self.links.is_later(&path, &entry) {
            self.report.files += 1;
            return Ok(());
        }
        self.to.monitor.current(&path);
        let content = entry.content.clone();
        let file = Arc::new(RestoredFile::new(path, entry));
        match content {
            Some(Content::Inline(bytes)) if bytes.len() as u64 != file.entry.size_bytes => {
                file.mark_damaged(self.to, "its content is not as long as the file".to_owned());
            }
            Some(Content::Inline(bytes)) => {
                file.expect_write();
                file.write(self.to, &bytes, 0);
                file.step_done(self.to);
            }
            Some(content) => self.plan_extents(&file, &content)?,
            None => file.mark_damaged(self.to, "the snapshot has no content for it".to_owned()),
        }
        file.step_done(self.to);
        Ok(())
    }

    fn plan_extents(
        &mut self,
        file: &Arc<RestoredFile>,
        content: &Content,
    ) -> Result<(), RestoreError> {
        self.window.file_count += 1;
        let mut offset = 0u64;
        for extent in ExtentCursor::new(self.executor.fetcher, content) {
            let extent = match extent {
                Ok(extent) => extent,
                Err(error) => {
                    file.mark_damaged(self.to, in_one_line(&error));
                    return Ok(());
                }
            };
            if file.has_failed() {
                return Ok(());
            }
            let end = offset.saturating_add(extent.length_bytes());
            if end > file.entry.size_bytes {
                file.mark_damaged(self.to, "its extents are longer than the file".to_owned());
                return Ok(());
            }
            if let Extent::Chunk { id, length_bytes } = extent {
                file.expect_write();
                let file = Arc::clone(file);
                self.window.wanted.push(Wanted { id, length_bytes, file, offset });
                if self.window.wanted.len() >= RESTORE_WINDOW_CHUNKS {
                    self.carry_out_window()?;
                    if self.to.monitor.is_cancelled() {
                        return Err(RestoreError::Interrupted);
                    }
                }
            }
            offset = end;
        }
        if offset != file.entry.size_bytes {
            file.mark_damaged(self.to, "its extents are shorter than the file".to_owned());
        }
        Ok(())
    }

    fn set_metadata(&self, path: &TreePath, entry: &Entry) {
        for problem in self.to.target.apply_metadata(path, entry, &self.to.metadata) {
            self.to.tally.problem(self.to.monitor, problem);
        }
    }

    /// Leaves every open directory that does not hold `next`.
    fn leave_until(&mut self, next: Option<&TreePath>) {
        while let Some(open) = self.open.pop() {
            if next.is_some_and(|next| open.path.contains(next)) {
                self.open.push(open);
                return;
            }
            // What did not come may be what is there.
            if self.options.delete && open.is_complete {
                self.delete_others(&open);
            }
            if let Some(entry) = open.entry {
                self.left.push((open.path, entry));
            }
        }
    }

    fn delete_others(&mut self, open: &OpenDirectory) {
        let names = match self.to.target.list(&open.path) {
            Ok(names) => names,
            Err(error) => {
                let why = in_one_line(&error);
                let problem = Problem { path: open.path.clone(), action: "listing", why };
                return self.to.tally.problem(self.to.monitor, problem);
            }
        };
        for name in names.into_iter().filter(|name| !open.children.contains(name)) {
            let Ok(path) = open.path.join(&name) else { continue };
            let full = self.base.join_path(&path);
            // What a filter leaves out of the restore it leaves alone in the target.
            if !full.is_ok_and(|full| self.options.selects(&full)) {
                continue;
            }
            self.report.deleted += 1;
            if self.options.dry_run {
                continue;
            }
            if let Err(error) = self.to.target.remove(&path) {
                let problem = Problem { path, action: "removing", why: in_one_line(&error) };
                self.to.tally.problem(self.to.monitor, problem);
            }
        }
    }

    fn carry_out_window(&mut self) -> Result<(), RestoreError> {
        let window = std::mem::take(&mut self.window);
        let plan = plan(&window.wanted, &self.reader)?;
        self.executor.run(&window.wanted, &plan)
    }

    /// Writes what is planned, then links, then finishes the directories that are complete.
    fn carry_out(&mut self) -> Result<(), RestoreError> {
        self.carry_out_window()?;
        for (first, later) in self.links.take_later() {
            let linked = self.to.target.make_hard_link(&first, &later);
            if self.to.tally.is_spoilt(&first) {
                let why = format!("it is the same file as {first}, which is damaged");
                let problem = Problem { path: later, action: "restoring", why };
                self.to.tally.damage(self.to.monitor, problem);
            } else if let Err(error) = linked {
                let problem = Problem { path: later, action: "linking", why: in_one_line(&error) };
                self.to.tally.problem(self.to.monitor, problem);
            }
        }
        for (path, entry) in std::mem::take(&mut self.left) {
            if !self.options.dry_run {
                self.set_metadata(&path, &entry);
            }
        }
        Ok(())
    }
}
