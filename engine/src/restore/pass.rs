//! The first half of a restore: the pass over the tree, which makes folders and plans the rest,
//! window after window.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::sync::Arc;

use crossbeam_channel::Sender;
use hashbrown::HashMap;

use crate::base::error::in_one_line;
use crate::base::limits::{CHUNK_MAX_BYTES, RESTORE_WINDOW_FILES};
use crate::base::monitor::{Action, Change, Counter, Problem};
use crate::base::path::TreePath;
use crate::base::time::Timestamp;
use crate::disk::error::DiskError;
use crate::format::entry::{Content, Entry, EntryKind};
use crate::format::extent::Extent;
use crate::format::snapshot::Snapshot;
use crate::index::IndexReader;
use crate::restore::carry::{After, Step, Work};
use crate::restore::error::RestoreError;
use crate::restore::file::RestoredFile;
use crate::restore::folder::{LeftFolder, OpenFolder, Standing};
use crate::restore::links::Links;
use crate::restore::options::Overwrite;
use crate::restore::ready::Ready;
use crate::restore::report::{RestoreReport, Tally};
use crate::restore::reuse::Sources;
use crate::restore::way::Way;
use crate::restore::window::{Wanted, Window, plan};
use crate::tree::TreeError;
use crate::tree::cursor::subtree;
use crate::tree::extents::ExtentCursor;

/// The pass over the tree.
pub(super) struct Pass<'a> {
    pub(super) work: &'a Work<'a>,
    pub(super) overwrite: Overwrite,
    reader: IndexReader,
    steps: Sender<Step>,
    pub(super) window: Window,
    pub(super) open: Vec<OpenFolder>,
    /// Folders whose last child was seen; finished when the window was carried out.
    left: Vec<LeftFolder>,
    pub(super) links: Links,
    pub(super) report: RestoreReport,
    /// The last entry that is no folder: nothing can lie below it.
    pub(super) last_leaf: Option<TreePath>,
    /// The times of folders in which something was done.
    pub(super) kept_times: RefCell<HashMap<TreePath, Timestamp>>,
    /// Numbers of patterns that matched nothing yet.
    idle: Vec<usize>,
    /// Those of them that matched what the snapshot has only the name of.
    nameless: BTreeSet<usize>,
    pub(super) tells_changes: bool,
    /// Where a part of the tree could not be read last, and why.
    unread: Option<(TreePath, String)>,
}

impl<'a> Pass<'a> {
    /// A pass that hands its windows to `steps`.
    pub(super) fn new(work: &'a Work<'a>, reader: IndexReader, steps: Sender<Step>) -> Self {
        let standing = if work.is_fresh { Standing::New } else { Standing::Existing };
        let device = work.to.target.device_and_inode().0;
        Self {
            work,
            // Without the option the target was empty: what is there now, this restore made.
            overwrite: work.options.overwrite.unwrap_or(Overwrite::IfChanged),
            reader,
            steps,
            window: Window::first(work.window_bytes_max),
            open: vec![OpenFolder::new(TreePath::root(), None, standing, device)],
            left: Vec::new(),
            links: Links::default(),
            report: RestoreReport::default(),
            last_leaf: None,
            kept_times: RefCell::default(),
            idle: (0..work.options.patterns.len()).collect(),
            nameless: BTreeSet::new(),
            tells_changes: work.to.monitor.wants_changes(),
            unread: None,
        }
    }

    /// Plans everything at and below `from`; returns what was counted so far.
    pub(super) fn run(
        mut self,
        snapshot: &Snapshot,
        from: &TreePath,
    ) -> Result<RestoreReport, RestoreError> {
        let work = self.work;
        for item in subtree(work.executor.fetcher, snapshot.root, from) {
            if work.to.monitor.is_cancelled() {
                return Err(RestoreError::Interrupted);
            }
            match item {
                Ok((path, entry)) => self.take(&path, entry)?,
                Err(error) if error.is_local_to_one_node() => self.leave_unread(&error),
                Err(error) => return Err(error.into()),
            }
            self.hand_over_if_full()?;
        }
        self.end()
    }

    /// A part of the tree cannot be read: what is in it is missing from some folder that is open.
    fn leave_unread(&mut self, error: &TreeError) {
        self.open.iter_mut().for_each(|open| open.is_complete = false);
        let (to, why) = (self.work.to, in_one_line(error));
        to.tally.leave_unfinished();
        let path = self.open.last().map(|open| open.path.clone()).unwrap_or_default();
        // One pack holds many nodes, of all of which this would be said.
        if self.unread.as_ref().is_some_and(|(at, said)| *at == path && *said == why) {
            return;
        }
        self.unread = Some((path.clone(), why.clone()));
        to.tally.damage(to.monitor, Problem { path, action: "reading the tree below", why });
    }

    /// Plans entries under the names that come with them.
    pub(super) fn run_list(
        mut self,
        entries: Vec<(TreePath, Entry)>,
    ) -> Result<RestoreReport, RestoreError> {
        for (path, entry) in entries {
            if self.work.to.monitor.is_cancelled() {
                return Err(RestoreError::Interrupted);
            }
            self.take(&path, entry)?;
            self.hand_over_if_full()?;
        }
        self.end()
    }

    fn end(mut self) -> Result<RestoreReport, RestoreError> {
        self.leave_until(None);
        self.hand_over(true)?;
        let patterns = &self.work.options.patterns;
        let (unread, idle): (Vec<_>, Vec<_>) =
            self.idle.iter().partition(|number| self.nameless.contains(number));
        let texts = |numbers: Vec<usize>| -> Vec<String> {
            numbers.into_iter().map(|number| patterns[number].text.clone()).collect()
        };
        let is_include = |number: &usize| patterns[*number].is_include;
        self.report.has_idle_include = idle.iter().any(is_include);
        self.report.idle_patterns = texts(idle);
        self.report.unread_includes = texts(unread.into_iter().filter(is_include).collect());
        Ok(self.report)
    }

    fn take(&mut self, full: &TreePath, entry: Entry) -> Result<(), RestoreError> {
        let (work, options) = (self.work, self.work.options);
        let Some(path) = work.place_of(full) else { return Ok(()) };
        self.leave_until(Some(&path));
        let is_unread = entry.is_unread();
        self.idle.retain(|number| {
            let is_match = options.patterns[*number].matcher.matches(full);
            if is_match && is_unread {
                self.nameless.insert(*number);
            }
            !is_match || is_unread
        });
        let is_directory = entry.kind == EntryKind::Directory;
        let is_selected = options.selects(full);
        let is_wanted = is_selected || (is_directory && options.may_select_below(full));
        let is_resumed = work.to.journal.is_some_and(|journal| journal.is_resumed());
        // Below a folder that a filter leaves out, the open one is not the parent.
        let is_child = |open: &&mut OpenFolder| {
            (options.delete || is_resumed) && path.parent().as_ref() == Some(&open.path)
        };
        if let Some(parent) = self.open.last_mut().filter(is_child) {
            if options.delete {
                parent.children.insert(path.name().to_vec());
            }
            if is_resumed && is_wanted {
                parent.wanted.insert(path.name().to_vec());
            }
        }
        if !is_wanted {
            return Ok(());
        }
        if path.is_root() {
            if let Some(entry) = self.trimmed(entry) {
                self.take_top(entry, is_selected);
            }
            return Ok(());
        }
        if self.last_leaf.as_ref().is_some_and(|leaf| leaf.contains(&path)) {
            let error = DiskError::Obstructed { path: path.to_string() };
            self.problem(&path, "creating", &error);
            return Ok(());
        }
        self.make_missing_folders(&path);
        if self.standing() == Standing::Blocked {
            return Ok(());
        }
        if entry.is_unread() {
            // Its name was there; the snapshot does not have it. What is there now stays.
            self.report.unread += 1;
            return Ok(());
        }
        let Some(entry) = self.trimmed(entry) else { return Ok(()) };
        if is_directory {
            self.take_folder(path, entry, is_selected);
            return Ok(());
        }
        self.make_way();
        match self.standing() {
            Standing::Blocked => Ok(()),
            _ => self.take_leaf(path, entry),
        }
    }

    /// The entry without what may not come back; nothing if it may not.
    fn trimmed(&mut self, entry: Entry) -> Option<Entry> {
        if self.work.options.untrusted { self.report.left_out.trim(entry) } else { Some(entry) }
    }

    /// Where the folder that holds what comes next stands.
    pub(super) fn standing(&self) -> Standing {
        self.open.last().map_or(Standing::Blocked, |open| open.standing)
    }

    /// The file system that the folder lies on that holds what comes next.
    pub(super) fn device(&self) -> u64 {
        self.open.last().map_or(0, |open| open.device)
    }

    /// Tells what happens to a path.
    pub(super) fn tell(&self, path: &TreePath, entry: &Entry, action: Action) {
        self.tell_remark(path, entry, action, None);
    }

    pub(super) fn tell_remark(
        &self,
        path: &TreePath,
        entry: &Entry,
        action: Action,
        remark: Option<&'static str>,
    ) {
        if self.tells_changes {
            let size_bytes = if entry.kind == EntryKind::File { entry.size_bytes } else { 0 };
            self.work.to.monitor.change(&Change { action, path, size_bytes, remark });
        }
    }

    /// Tells that a path goes.
    pub(super) fn tell_removed(&self, path: &TreePath) {
        if self.tells_changes {
            let action = Action::Remove;
            self.work.to.monitor.change(&Change { action, path, size_bytes: 0, remark: None });
        }
    }

    /// Tells of something that could not be done with a path.
    pub(super) fn problem(&self, path: &TreePath, action: &'static str, error: &DiskError) {
        let problem = Problem { path: path.clone(), action, why: in_one_line(error) };
        self.work.to.tally.problem(self.work.to.monitor, problem);
    }

    /// Plans the content of a file that is made.
    pub(super) fn plan_file(
        &mut self,
        path: TreePath,
        mut entry: Entry,
        way: Way,
        sources: Sources,
    ) -> Result<(), RestoreError> {
        let to = self.work.to;
        to.monitor.current(&path);
        let content = entry.content.take();
        if way != Way::InPlace {
            self.window.bytes = self.window.bytes.saturating_add(entry.size_bytes);
        }
        let file = Arc::new(RestoredFile::new(path, entry, way));
        match content {
            Some(Content::Inline(bytes)) if bytes.len() as u64 != file.entry.size_bytes => {
                file.mark_damaged(to, "its content is not as long as the file".to_owned());
            }
            Some(Content::Inline(bytes)) if way != Way::InPlace => {
                file.expect_write();
                self.window.file_count += 1;
                self.window.ready.push(Ready::File(Arc::clone(&file), bytes));
            }
            Some(content) => self.plan_extents(&file, &content, sources)?,
            None => file.mark_damaged(to, "the snapshot has no content for it".to_owned()),
        }
        file.steps_done(to, 1);
        Ok(())
    }

    fn plan_extents(
        &mut self,
        file: &Arc<RestoredFile>,
        content: &Content,
        mut sources: Sources,
    ) -> Result<(), RestoreError> {
        let work = self.work;
        if file.is_in_place() {
            return self.plan_in_place(file, content);
        }
        self.window.file_count += 1;
        let mut buffer = vec![0; if sources.is_empty() { 0 } else { CHUNK_MAX_BYTES }];
        let mut offset = 0u64;
        for extent in ExtentCursor::new(work.executor.fetcher, content) {
            let extent = match extent {
                Ok(extent) => extent,
                Err(error) => {
                    file.mark_damaged(work.to, in_one_line(&error));
                    return Ok(());
                }
            };
            if file.has_failed() {
                return Ok(());
            }
            let end = offset.saturating_add(extent.length_bytes());
            if end > file.entry.size_bytes {
                file.mark_damaged(work.to, "its extents are longer than the file".to_owned());
                return Ok(());
            }
            match extent {
                Extent::Chunk { id, length_bytes }
                    if !sources.is_empty() && length_bytes as usize <= CHUNK_MAX_BYTES =>
                {
                    let part = &mut buffer[..length_bytes as usize];
                    if sources.find(work.matcher, &id, part, offset) {
                        file.expect_write();
                        file.write(work.to, part, offset, 1);
                        Tally::add(&work.to.tally.reused_bytes, u64::from(length_bytes));
                    } else {
                        self.want(Wanted { id, length_bytes, file: Arc::clone(file), offset })?;
                    }
                }
                Extent::Chunk { id, length_bytes } => {
                    self.want(Wanted { id, length_bytes, file: Arc::clone(file), offset })?;
                }
                Extent::Hole { length_bytes } => work.to.monitor.add(Counter::Bytes, length_bytes),
            }
            offset = end;
        }
        if offset != file.entry.size_bytes {
            file.mark_damaged(work.to, "its extents are shorter than the file".to_owned());
        }
        Ok(())
    }

    /// Adds a wish to the window.
    pub(super) fn want(&mut self, wanted: Wanted) -> Result<(), RestoreError> {
        wanted.file.expect_write();
        self.window.wanted.push(wanted);
        if self.window.is_full_of_chunks() {
            self.hand_over(false)?;
            if self.work.to.monitor.is_cancelled() {
                return Err(RestoreError::Interrupted);
            }
        }
        Ok(())
    }

    /// Leaves every open folder that does not hold `next`.
    fn leave_until(&mut self, next: Option<&TreePath>) {
        while let Some(open) = self.open.pop() {
            if next.is_some_and(|next| open.path.contains(next)) {
                self.open.push(open);
                return;
            }
            self.remove_others(&open);
            let is_there = !matches!(open.standing, Standing::Unmade | Standing::Blocked);
            if is_there && !self.work.options.dry_run {
                let entry = if open.sets_metadata { open.entry } else { None };
                let was_there = open.standing == Standing::Existing;
                let kept = if was_there { self.kept_time(&open.path) } else { None };
                let keeps_time = kept.filter(|_| entry.is_none());
                let (path, publishes) = (open.path, open.publishes);
                self.left.push(LeftFolder { path, entry, publishes, was_there, keeps_time });
            }
        }
    }

    fn hand_over_if_full(&mut self) -> Result<(), RestoreError> {
        if self.window.is_full() || self.left.len() > RESTORE_WINDOW_FILES {
            self.hand_over(true)?;
        }
        Ok(())
    }

    /// Hands the window to the carrier, which may still be busy with the one before. Links and
    /// folders go along unless a file is planned only in part: it may belong to them.
    fn hand_over(&mut self, is_between_files: bool) -> Result<(), RestoreError> {
        let next = self.window.next();
        let Window { wanted, ready, .. } = std::mem::replace(&mut self.window, next);
        let plan = plan(&wanted, &self.reader, self.work.executor.range_max_bytes)?;
        let links = if is_between_files { self.links.take_later() } else { Vec::new() };
        let after = match is_between_files && !self.work.options.dry_run {
            true => After { links, left: std::mem::take(&mut self.left) },
            false => After::default(),
        };
        // It is gone only after an error of its own, which is the one that is told.
        self.steps.send(Step { wanted, ready, plan, after }).map_err(|_| RestoreError::Lost)
    }
}
