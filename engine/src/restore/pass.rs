//! The first half of a restore: the pass over the tree, which makes directories and small things
//! and plans the rest, window after window.

use std::sync::Arc;

use crossbeam_channel::Sender;
use hashbrown::HashSet;

use crate::base::error::in_one_line;
use crate::base::limits::RESTORE_WINDOW_FILES;
use crate::base::monitor::{Counter, Problem};
use crate::base::path::TreePath;
use crate::format::entry::{Content, Entry, EntryKind};
use crate::format::extent::Extent;
use crate::format::snapshot::Snapshot;
use crate::index::IndexReader;
use crate::restore::carry::{After, Step, Work};
use crate::restore::error::RestoreError;
use crate::restore::execute::Executor;
use crate::restore::file::{Destination, RestoredFile};
use crate::restore::links::Links;
use crate::restore::options::RestoreOptions;
use crate::restore::place::{Placement, make_room};
use crate::restore::report::RestoreReport;
use crate::restore::window::{Wanted, Window, plan};
use crate::tree::cursor::subtree;
use crate::tree::extents::ExtentCursor;

/// A directory whose children are still coming.
struct OpenDirectory {
    path: TreePath,
    entry: Option<Entry>,
    children: HashSet<Vec<u8>>,
    /// Whether all children came; not if a tree node between them could not be read.
    is_complete: bool,
    /// Whether this run made it: then nothing is in the way of its children. What somebody puts
    /// there meanwhile is not replaced, because everything is made as new.
    is_fresh: bool,
}

impl OpenDirectory {
    fn new(path: TreePath, entry: Option<Entry>, is_fresh: bool) -> Self {
        Self { path, entry, children: HashSet::new(), is_complete: true, is_fresh }
    }
}

/// The pass over the tree.
pub(super) struct Pass<'a> {
    base: &'a TreePath,
    options: &'a RestoreOptions,
    to: &'a Destination<'a>,
    executor: &'a Executor<'a>,
    reader: IndexReader,
    steps: Sender<Step>,
    window: Window,
    open: Vec<OpenDirectory>,
    /// Directories whose last child was seen; finished when the window was carried out.
    left: Vec<(TreePath, Entry)>,
    links: Links,
    report: RestoreReport,
}

impl<'a> Pass<'a> {
    /// A pass that hands its windows to `steps`.
    pub(super) fn new(work: &Work<'a>, reader: IndexReader, steps: Sender<Step>) -> Self {
        let is_fresh = work.is_empty && !work.options.dry_run;
        Self {
            base: work.base,
            options: work.options,
            to: work.to,
            executor: work.executor,
            reader,
            steps,
            window: Window::default(),
            open: vec![OpenDirectory::new(TreePath::root(), None, is_fresh)],
            left: Vec::new(),
            links: Links::default(),
            report: RestoreReport::default(),
        }
    }

    /// Plans everything at and below `from`; returns what was counted so far.
    pub(super) fn run(
        mut self,
        snapshot: &Snapshot,
        from: &TreePath,
    ) -> Result<RestoreReport, RestoreError> {
        let fetcher = self.executor.fetcher;
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
                self.hand_over(true)?;
            }
        }
        self.leave_until(None);
        self.hand_over(true)?;
        Ok(self.report)
    }

    /// Plans entries under the names that come with them.
    pub(super) fn run_list(
        mut self,
        entries: Vec<(TreePath, Entry)>,
    ) -> Result<RestoreReport, RestoreError> {
        for (path, entry) in entries {
            if self.to.monitor.is_cancelled() {
                return Err(RestoreError::Interrupted);
            }
            self.take(&path, entry)?;
            if self.window.is_full() || self.left.len() > RESTORE_WINDOW_FILES {
                self.hand_over(true)?;
            }
        }
        self.leave_until(None);
        self.hand_over(true)?;
        Ok(self.report)
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
        if self.options.delete
            && let Some(parent) = self.open.last_mut()
        {
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
        let is_free = self.open.last().is_some_and(|parent| parent.is_fresh);
        let placed = match is_free {
            true => Ok(Placement::Create),
            false => make_room(self.to.target, &path, &entry, self.options),
        };
        let placement = match placed {
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
        let made = match self.options.dry_run {
            true => Ok(false),
            false => self.to.target.make_directory(&path),
        };
        let is_fresh = match made {
            Ok(is_fresh) => is_fresh,
            Err(error) => {
                let why = in_one_line(&error);
                let problem = Problem { path, action: "creating the folder", why };
                self.to.tally.problem(self.to.monitor, problem);
                return Ok(());
            }
        };
        self.report.directories += 1;
        self.to.monitor.add(Counter::Items, 1);
        self.open.push(OpenDirectory::new(path, Some(entry), is_fresh));
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
                true => Ok(false),
                false => self.to.target.make_directory(&path),
            };
            let why = match &made {
                Ok(_) => "the snapshot has no readable entry of this folder".to_owned(),
                Err(error) => in_one_line(error),
            };
            let problem = Problem { path: path.clone(), action: "creating the folder", why };
            if made.is_err() {
                return self.to.tally.problem(self.to.monitor, problem);
            }
            self.to.tally.damage(self.to.monitor, problem);
            // The node that lost the folder's entry may have held some of its children too.
            let open = OpenDirectory::new(path.clone(), None, false);
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

    fn take_file(&mut self, path: TreePath, mut entry: Entry) -> Result<(), RestoreError> {
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
        let content = entry.content.take();
        let file = Arc::new(RestoredFile::new(path, entry));
        match content {
            Some(Content::Inline(bytes)) if bytes.len() as u64 != file.entry.size_bytes => {
                file.mark_damaged(self.to, "its content is not as long as the file".to_owned());
            }
            Some(Content::Inline(bytes)) => {
                file.expect_write();
                file.write(self.to, &bytes, 0, 1);
            }
            Some(content) => self.plan_extents(&file, &content)?,
            None => file.mark_damaged(self.to, "the snapshot has no content for it".to_owned()),
        }
        file.steps_done(self.to, 1);
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
                if self.window.is_full_of_chunks() {
                    self.hand_over(false)?;
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

    /// Hands the window to the carrier, which may still be busy with the one before. Links and
    /// directories go along unless a file is planned only in part: it may belong to them.
    fn hand_over(&mut self, is_between_files: bool) -> Result<(), RestoreError> {
        let next = self.window.next();
        let wanted = std::mem::replace(&mut self.window, next).wanted;
        let plan = plan(&wanted, &self.reader, self.executor.range_max_bytes)?;
        let after = match is_between_files {
            true => After { links: self.links.take_later(), left: std::mem::take(&mut self.left) },
            false => After::default(),
        };
        // It is gone only after an error of its own, which is the one that is told.
        self.steps.send(Step { wanted, plan, after }).map_err(|_| RestoreError::Lost)
    }
}
