//! Where folders and other entries of a pass go: into new folders, aside, or not at all.

use crate::base::error::in_one_line;
use crate::base::monitor::{Action, Counter, Problem};
use crate::base::path::TreePath;
use crate::disk::aside::Replaces;
use crate::disk::error::DiskError;
use crate::disk::read::OpenFile;
use crate::disk::write::ExistingStat;
use crate::format::entry::{Entry, EntryKind};
use crate::restore::error::RestoreError;
use crate::restore::folder::{OpenFolder, Standing};
use crate::restore::journal::Note;
use crate::restore::options::Overwrite;
use crate::restore::pass::Pass;
use crate::restore::place::{
    IMMUTABLE, IN_IMMUTABLE, Placement, REMARK_OTHER_NAMES, decide, is_equal, sets_folder_metadata,
};
use crate::restore::ready::Ready;
use crate::restore::reuse::{Sources, bytes_at};
use crate::restore::stays::refusal;
use crate::restore::way::Way;

/// A folder in its place.
struct Settled {
    standing: Standing,
    publishes: Option<Replaces>,
    sets_metadata: bool,
    /// Its file system, if it may be another than that of the folder above.
    device: Option<u64>,
    is_fixed: bool,
}

impl Settled {
    fn of(standing: Standing) -> Self {
        Self { standing, publishes: None, sets_metadata: false, device: None, is_fixed: false }
    }

    fn blocked() -> Self {
        Self::of(Standing::Blocked)
    }
}

impl Pass<'_> {
    /// The folder that was asked for, which is the target itself.
    pub(super) fn take_top(&mut self, entry: Entry, is_selected: bool) {
        self.report.directories += 1;
        let work = self.work;
        let stat = match work.is_fresh {
            true => None,
            false => work.to.target.stat(&TreePath::root()).ok().flatten(),
        };
        let sets = |there: &ExistingStat| {
            // The journal is in it, so its time is another by now.
            let before = ExistingStat { mtime: work.modified_before, ..there.clone() };
            sets_folder_metadata(&before, &entry, self.overwrite)
        };
        let is_new =
            work.made_target || work.is_fresh || self.noted(Note::Folder, &TreePath::root());
        let sets_metadata = is_new || (is_selected && stat.as_ref().is_none_or(sets));
        if sets_metadata && !is_new {
            let before = work.modified_before;
            let had_time = work.to.target.keeps_time(&TreePath::root(), entry.mtime, before);
            let had_time = had_time.unwrap_or(false);
            let now = stat.as_ref().filter(|_| had_time).map_or(entry.mtime, |there| there.mtime);
            self.tell_metadata(&TreePath::root(), &Entry { mtime: now, ..entry.clone() });
        }
        if let Some(top) = self.open.first_mut() {
            top.sets_metadata = sets_metadata;
            top.entry = Some(entry);
        }
    }

    /// A folder of the snapshot.
    pub(super) fn take_folder(&mut self, path: TreePath, entry: Entry, is_selected: bool) {
        if !is_selected {
            self.push(path, Some(entry), Settled::of(Standing::Unmade));
            return;
        }
        self.make_way();
        let settled = match self.standing() {
            Standing::Blocked => Settled::blocked(),
            parent => self.settle(parent, &path, &entry, true),
        };
        if settled.standing != Standing::Blocked {
            self.report.directories += 1;
            self.work.to.monitor.add(Counter::Items, 1);
        }
        self.push(path, Some(entry), settled);
    }

    fn push(&mut self, path: TreePath, entry: Option<Entry>, settled: Settled) {
        let Settled { standing, publishes, sets_metadata, device, is_fixed } = settled;
        let device = device.unwrap_or_else(|| self.device());
        let open = OpenFolder::new(path, entry, standing, device);
        self.open.push(OpenFolder { publishes, sets_metadata, is_fixed, ..open });
    }

    /// Makes the folders that were only on the way until now, because something comes that needs them.
    pub(super) fn make_way(&mut self) {
        for at in 1..self.open.len() {
            if self.open[at].standing != Standing::Unmade {
                continue;
            }
            let parent = self.open[at - 1].standing;
            let path = self.open[at].path.clone();
            let settled = match (parent, self.open[at].entry.clone()) {
                (Standing::Blocked, _) | (_, None) => Settled::blocked(),
                (parent, Some(entry)) => self.settle(parent, &path, &entry, false),
            };
            let device = settled.device.unwrap_or(self.open[at - 1].device);
            let open = &mut self.open[at];
            open.device = device;
            open.standing = settled.standing;
            open.publishes = settled.publishes;
            open.sets_metadata = settled.sets_metadata;
            open.is_fixed = settled.is_fixed;
        }
    }

    /// Finds or makes a folder in one that stands as `parent`. One that was there gets metadata only
    /// if it is selected itself.
    fn settle(
        &self,
        parent: Standing,
        path: &TreePath,
        entry: &Entry,
        is_selected: bool,
    ) -> Settled {
        let work = self.work;
        if parent != Standing::Existing {
            self.tell(path, entry, Action::Create);
            return self.make_fresh(parent, path);
        }
        let placement = match decide(work.to.target, path, entry, work.options, self.overwrite) {
            Ok(placement) => placement,
            Err(problem) => {
                work.to.tally.problem(work.to.monitor, problem);
                return Settled::blocked();
            }
        };
        let action = placement.action(entry);
        match placement {
            Placement::Keep(there) => {
                let is_noted = self.noted(Note::Folder, path);
                let sets_metadata = is_noted
                    || (is_selected && sets_folder_metadata(&there, entry, self.overwrite));
                if sets_metadata {
                    self.tell_metadata(path, entry);
                }
                let to = work.to;
                let is_locked = sets_metadata
                    && there.is_immutable
                    && to.target.has_other_metadata(path, entry, &to.metadata);
                if is_locked {
                    self.refuse(path, IMMUTABLE);
                }
                let sets_metadata = sets_metadata && !is_locked;
                let device = Some(there.device_and_inode.0);
                let is_fixed = there.is_immutable;
                Settled { device, is_fixed, ..self.enter_existing(path, sets_metadata) }
            }
            Placement::Follow => self.enter_existing(path, false),
            _ if self.is_in_fixed(path) => {
                self.refuse(path, IN_IMMUTABLE);
                Settled::blocked()
            }
            placement => {
                let replaces = match placement {
                    Placement::Replace(replaces, _) => replaces,
                    _ => Replaces::Nothing,
                };
                if let Some((action, remark)) = action {
                    self.tell_remark(path, entry, action, remark);
                }
                self.make_aside(path, replaces)
            }
        }
    }

    fn enter_existing(&self, path: &TreePath, sets_metadata: bool) -> Settled {
        let to = self.work.to;
        let existing = Settled { sets_metadata, ..Settled::of(Standing::Existing) };
        if self.work.options.dry_run {
            return existing;
        }
        if to.journal.is_some_and(|journal| journal.is_resumed()) {
            // What an earlier run left aside in it is looked for, and removed in the end.
            to.target.find_stage(path);
        }
        // What is made in it makes it newer than the snapshot, for the run that goes on.
        let is_newer_soon = sets_metadata && self.overwrite == Overwrite::IfNewer;
        if is_newer_soon && let Err(error) = to.note(Note::Folder, path) {
            self.problem(path, "creating the folder", &error);
            return Settled::blocked();
        }
        existing
    }

    /// Makes a folder aside that gets its place when all it holds is there.
    fn make_aside(&self, path: &TreePath, replaces: Replaces) -> Settled {
        let target = self.work.to.target;
        let made = Settled {
            publishes: Some(replaces),
            sets_metadata: true,
            ..Settled::of(Standing::New)
        };
        if self.work.options.dry_run {
            return made;
        }
        let begun = self.begin_aside(path).and_then(|was_left| match was_left {
            true if self.is_own_folder(path) => Ok(Standing::Left),
            true => {
                target.remove(path)?;
                target.make_directory(path).map(|_| Standing::New)
            }
            false => target.make_directory(path).map(|_| Standing::New),
        });
        match begun {
            Ok(standing) => Settled { standing, ..made },
            Err(error) => {
                self.problem(path, "creating the folder", &error);
                self.work.to.tally.leave_unfinished();
                Settled::blocked()
            }
        }
    }

    /// Whether an earlier run of this restore left a folder aside for this path.
    fn is_own_folder(&self, path: &TreePath) -> bool {
        let to = self.work.to;
        to.journal.is_some_and(|journal| journal.is_resumed())
            && to
                .target
                .stat(path)
                .is_ok_and(|stat| stat.is_some_and(|stat| stat.kind == EntryKind::Directory))
    }

    /// Makes a folder in one that is made aside.
    fn make_fresh(&self, parent: Standing, path: &TreePath) -> Settled {
        let made = Settled { sets_metadata: true, ..Settled::of(Standing::New) };
        if self.work.options.dry_run {
            return made;
        }
        let target = self.work.to.target;
        let standing = match parent {
            Standing::Left => match target.stat(path) {
                Ok(Some(there)) if there.kind == EntryKind::Directory => Ok(Standing::Left),
                Ok(Some(_)) => target.remove(path).map(|()| Standing::New),
                Ok(None) => Ok(Standing::New),
                Err(error) => Err(error),
            },
            _ => Ok(Standing::New),
        };
        let standing = standing.and_then(|standing| {
            target.make_directory(path)?;
            Ok(standing)
        });
        match standing {
            Ok(standing) => Settled { standing, ..made },
            Err(error) => {
                self.problem(path, "creating the folder", &error);
                self.work.to.tally.leave_half_made(path);
                Settled::blocked()
            }
        }
    }

    /// Folders above `path` that the snapshot has no readable entry for.
    pub(super) fn make_missing_folders(&mut self, path: &TreePath) {
        let above = path.parent().unwrap_or_default();
        let reached = self.open.last().map(|open| open.path.clone()).unwrap_or_default();
        let Some(missing) = reached.strip_prefix_of(&above) else { return };
        if missing.is_root() {
            return;
        }
        self.make_way();
        let to = self.work.to;
        let mut path = reached;
        for name in missing.components() {
            let Ok(next) = path.join(name) else { return };
            path = next;
            let settled = match self.standing() {
                Standing::Blocked => return,
                Standing::Existing => match to.target.stat(&path) {
                    Ok(Some(there)) if there.kind == EntryKind::Directory => {
                        let device = Some(there.device_and_inode.0);
                        Settled { device, ..self.enter_existing(&path, false) }
                    }
                    Ok(None) => self.make_aside(&path, Replaces::Nothing),
                    Ok(Some(_)) => Settled::blocked(),
                    Err(error) => return self.problem(&path, "looking at", &error),
                },
                parent => self.make_fresh(parent, &path),
            };
            let why = "the snapshot has no readable entry of this folder".to_owned();
            let problem = Problem { path: path.clone(), action: "creating the folder", why };
            to.tally.damage(to.monitor, problem);
            self.push(path.clone(), None, settled);
            // The node that lost the folder's entry may have held some of its children too.
            if let Some(open) = self.open.last_mut() {
                open.is_complete = false;
            }
        }
    }

    /// Anything but a folder.
    pub(super) fn take_leaf(&mut self, path: TreePath, entry: Entry) -> Result<(), RestoreError> {
        self.last_leaf = Some(path.clone());
        // Of what an earlier run left, the bytes that are right are used again.
        let left = match self.standing() {
            Standing::Left => bytes_at(self.work.to.target, &path, &entry),
            _ => None,
        };
        let placed = match self.standing() {
            Standing::Existing => self.place(&path, &entry),
            Standing::Left => self.place_left(&path, &entry),
            _ => Ok(Placement::Create),
        };
        let placement = match placed {
            Ok(placement) => placement,
            Err(problem) => {
                self.work.to.tally.problem(self.work.to.monitor, problem);
                if self.standing() == Standing::Left {
                    self.work.to.tally.leave_half_made(&path);
                }
                return Ok(());
            }
        };
        let is_aside = self.standing() == Standing::Existing;
        let action = placement.action(&entry);
        if let Placement::Keep(there) = &placement
            && is_aside
            && self.is_shared_outside(&path, &entry, there)
        {
            self.tell_remark(&path, &entry, Action::Content, Some(REMARK_OTHER_NAMES));
            return self.make_leaf(path, entry, Way::Aside(Replaces::Name), None);
        }
        let way = match placement {
            Placement::Skip(_) | Placement::Follow => {
                self.pass_over(&entry);
                return Ok(());
            }
            Placement::Keep(there) => match self.links.is_other(&path, &entry, &there) {
                false => {
                    self.pass_over(&entry);
                    self.keep(&path, &entry);
                    return Ok(());
                }
                true if is_aside => Way::Aside(Replaces::Name),
                true => {
                    if let Err(error) = self.work.to.target.remove(&path) {
                        self.problem(&path, "replacing", &error);
                        self.work.to.tally.leave_half_made(&path);
                        return Ok(());
                    }
                    Way::Fresh
                }
            },
            Placement::InPlace(_) => Way::InPlace,
            Placement::Create if is_aside => Way::Aside(Replaces::Nothing),
            Placement::Replace(replaces, _) if is_aside => Way::Aside(replaces),
            Placement::Create | Placement::Replace(..) => Way::Fresh,
        };
        // A further name of a file that is there as another file becomes a name of the first.
        let relinked = matches!(action, Some((Action::Metadata, _)) | None);
        let (action, remark) = action.filter(|_| !relinked).unwrap_or((Action::Content, None));
        self.tell_remark(&path, &entry, action, remark);
        if way == Way::Aside(Replaces::Kind) {
            self.tell_gone_below(&path);
        }
        self.make_leaf(path, entry, way, left)
    }

    /// Decides about an entry in a folder that was there.
    fn place(&self, path: &TreePath, entry: &Entry) -> Result<Placement, Problem> {
        let work = self.work;
        let placement = decide(work.to.target, path, entry, work.options, self.overwrite)?;
        let is_file = |there: &ExistingStat| there.kind == EntryKind::File;
        match placement {
            // An earlier run began to overwrite it: nobody has a use for what it is now.
            Placement::Skip(there) | Placement::Keep(there) | Placement::Replace(_, there)
                if entry.kind == EntryKind::File
                    && is_file(&there)
                    && there.link_count == 1
                    && self.noted(Note::InPlace, path) =>
            {
                Ok(Placement::InPlace(there))
            }
            // Made by an earlier run, whatever the rule says of what is there.
            Placement::Skip(there) if self.noted(Note::Made, path) => {
                let is_same = there.kind == entry.kind
                    && (entry.kind != EntryKind::File || there.size_bytes == entry.size_bytes);
                Ok(if is_same { Placement::Keep(there) } else { Placement::Skip(there) })
            }
            Placement::Replace(Replaces::Kind, there) if there.kind == EntryKind::Directory => {
                self.require_all_goes(path)?;
                Ok(Placement::Replace(Replaces::Kind, there))
            }
            Placement::Create | Placement::Replace(..) if self.is_in_fixed(path) => {
                Err(refusal(path, IN_IMMUTABLE.to_owned()))
            }
            placement => Ok(placement),
        }
    }

    /// Decides about an entry in a folder that an earlier run began: all that is there is this
    /// restore's own, and what has its time is whole.
    fn place_left(&self, path: &TreePath, entry: &Entry) -> Result<Placement, Problem> {
        let target = self.work.to.target;
        let told = |error: DiskError| Problem {
            path: path.clone(),
            action: "replacing",
            why: in_one_line(&error),
        };
        let Some(there) = target.stat(path).map_err(told)? else { return Ok(Placement::Create) };
        if is_equal(target, path, &there, entry).map_err(told)? {
            return Ok(Placement::Keep(Box::new(there)));
        }
        target.remove(path).map_err(told)?;
        Ok(Placement::Create)
    }

    fn make_leaf(
        &mut self,
        path: TreePath,
        entry: Entry,
        way: Way,
        left: Option<OpenFile>,
    ) -> Result<(), RestoreError> {
        let is_file = entry.kind == EntryKind::File;
        if is_file {
            self.report.total_bytes = self.report.total_bytes.saturating_add(entry.size_bytes);
        } else {
            self.report.others += 1;
        }
        let (target, device) = (self.work.to.target, self.device());
        let way = match way {
            Way::InPlace if self.links.has_first(&entry, device) => Way::Aside(Replaces::Name),
            way => way,
        };
        if self.work.options.dry_run {
            self.report.files += u64::from(is_file);
            if !self.links.is_later(&path, &entry, way, device) && is_file {
                self.work.foresee(&entry);
            }
            return Ok(());
        }
        let mut sources = Sources::default();
        sources.add(left);
        if way == Way::Aside(Replaces::Name) {
            sources.add(bytes_at(target, &path, &entry));
        }
        let begun = match way {
            Way::Aside(_) => self.begin_aside(&path).and_then(|was_left| match was_left {
                true => {
                    sources.add(bytes_at(target, &path, &entry));
                    target.remove(&path)
                }
                false => Ok(()),
            }),
            Way::Fresh | Way::InPlace => Ok(()),
        };
        if let Err(error) = begun {
            self.problem(&path, "creating", &error);
            self.work.to.tally.leave_unfinished();
            return Ok(());
        }
        if self.links.is_later(&path, &entry, way, device) {
            self.report.files += u64::from(is_file);
            self.count_done(&entry);
            return Ok(());
        }
        match is_file {
            true => self.plan_file(path, entry, way, sources)?,
            false => {
                self.window.file_count += 1;
                self.window.ready.push(Ready::Other(path, Box::new(entry), way));
            }
        }
        Ok(())
    }

    /// Begins to make something aside, also in a folder that this user may not write to but owns.
    fn begin_aside(&self, path: &TreePath) -> Result<bool, DiskError> {
        self.keep_time(&path.parent().unwrap_or_default());
        match self.work.to.target.begin_aside(path) {
            Err(error) if self.unlock(path, &error) => self.work.to.target.begin_aside(path),
            result => result,
        }
    }

    /// Whether an earlier run noted something.
    pub(super) fn noted(&self, note: Note, path: &TreePath) -> bool {
        self.work.to.journal.is_some_and(|journal| journal.has(note, path))
    }
}
