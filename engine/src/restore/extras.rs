//! What the target has and the snapshot does not: removed only where the snapshot proves that it was
//! not there.
//!
//! A folder's entry says whether its listing is whole. Where it is not, because something could not
//! be read, was left out by a filter, lay on another file system or was never looked at, what is
//! missing from the snapshot may well have been there, and stays. So do things that a filter of this
//! restore leaves out, what is mounted, the repository, and the state folder of this machine.

use crate::base::error::in_one_line;
use crate::base::monitor::Problem;
use crate::base::path::TreePath;
use crate::disk::stage::STAGE_PREFIX;
use crate::format::entry::{EntryKind, LISTING_ON_THE_WAY};
use crate::restore::folder::{OpenFolder, Standing};
use crate::restore::pass::Pass;
use crate::restore::place::IN_IMMUTABLE;
use crate::restore::stays::Extra;

/// A folder that goes if all it holds goes.
struct Going {
    path: TreePath,
    names: std::vec::IntoIter<Vec<u8>>,
    /// Whether something in it stays.
    keeps: bool,
}

impl Pass<'_> {
    /// Removes what is in a folder and not in the snapshot, all of whose children came.
    pub(super) fn remove_others(&mut self, open: &OpenFolder) {
        if open.standing == Standing::Left {
            return self.remove_left_others(open);
        }
        let is_there = match open.standing {
            Standing::Existing => true,
            Standing::Unmade => self.is_folder(&open.path),
            Standing::New | Standing::Left | Standing::Blocked => false,
        };
        if !self.work.options.delete || !is_there {
            return;
        }
        if !open.proves_absence() {
            return self.count_unproven(open);
        }
        if self.lies_on_later_mount(open) {
            return;
        }
        for name in self.names_in(&open.path) {
            if !open.children.contains(&name)
                && let Ok(path) = open.path.join(&name)
            {
                if open.is_fixed {
                    self.refuse_removal(&path, IN_IMMUTABLE);
                    continue;
                }
                if !self.work.options.dry_run {
                    self.keep_time(&open.path);
                }
                self.remove_extra(path);
            }
        }
    }

    /// Counts what a deletion has to leave because the listing of its folder is not whole. Folders on
    /// the way were never meant to be, and nobody expects anything to go there.
    fn count_unproven(&mut self, open: &OpenFolder) {
        let Some(entry) = open.entry.as_ref().filter(|_| open.is_complete) else { return };
        if entry.listing & LISTING_ON_THE_WAY != 0 || self.lies_on_later_mount(open) {
            return;
        }
        let names = self.names_in(&open.path);
        let stays = |name: &&Vec<u8>| {
            let is_own = name.starts_with(STAGE_PREFIX.as_bytes());
            let path = open.path.join(name);
            !is_own && !open.children.contains(*name) && path.is_ok_and(|it| self.is_selected(&it))
        };
        self.report.unproven += names.iter().filter(stays).count() as u64;
    }

    /// Whether a folder lies on a file system that is mounted in the target and was not when the
    /// snapshot was made: what that one holds, the snapshot cannot know.
    fn lies_on_later_mount(&self, open: &OpenFolder) -> bool {
        let above = self.open.iter();
        above.clone().zip(above.skip(1).chain([open])).any(|(parent, child)| {
            let then = parent.entry.as_ref().zip(child.entry.as_ref());
            let was_mount = then.is_some_and(|(parent, child)| parent.device != child.device);
            !was_mount && self.device_of(parent) != self.device_of(child)
        })
    }

    /// The file system that a folder lies on now; one that nothing had to be made in was not looked at.
    fn device_of(&self, open: &OpenFolder) -> u64 {
        match open.standing {
            Standing::Unmade => {
                let there = self.work.to.target.stat(&open.path).ok().flatten();
                there.map_or(open.device, |there| there.device_and_inode.0)
            }
            _ => open.device,
        }
    }

    /// Removes what an earlier run left in a folder that is not finished and this run does not want.
    fn remove_left_others(&self, open: &OpenFolder) {
        for name in self.names_in(&open.path) {
            if open.wanted.contains(&name) || !open.is_complete {
                continue;
            }
            let Ok(path) = open.path.join(&name) else { continue };
            if let Err(error) = self.work.to.target.remove(&path) {
                self.problem(&path, "removing", &error);
                self.work.to.tally.leave_half_made(&path);
            }
        }
    }

    /// Names what goes with a folder that something of another kind takes the place of.
    pub(super) fn tell_gone_below(&self, path: &TreePath) {
        if !self.tells_changes {
            return;
        }
        let mut left = vec![path.clone()];
        while let Some(folder) = left.pop() {
            for name in self.names_in(&folder) {
                let Ok(path) = folder.join(&name) else { continue };
                self.tell_removed(&path);
                if self.is_folder(&path) {
                    left.push(path);
                }
            }
        }
    }

    fn is_folder(&self, path: &TreePath) -> bool {
        let stat = self.work.to.target.stat(path);
        stat.is_ok_and(|stat| stat.is_some_and(|stat| stat.kind == EntryKind::Directory))
    }

    fn names_in(&self, path: &TreePath) -> Vec<Vec<u8>> {
        match self.work.to.target.list(path) {
            Ok(names) => names,
            Err(error) => {
                self.problem(path, "listing", &error);
                Vec::new()
            }
        }
    }

    /// Removes one thing with all it holds, as far as nothing of it has to stay. A list instead of
    /// recursion: a tree can be deeper than a stack.
    fn remove_extra(&mut self, path: TreePath) {
        let mut going: Vec<Going> = Vec::new();
        let mut next = Some(path);
        loop {
            if let Some(path) = next.take() {
                let found = self.look_at_extra(&path).unwrap_or_else(|error| {
                    self.problem(&path, "looking at", &error);
                    Extra::Stays(None)
                });
                match found {
                    Extra::Stays(why) => {
                        if let Some(why) = why {
                            self.refuse_removal(&path, why);
                        }
                        if let Some(above) = going.last_mut() {
                            above.keeps = true;
                        }
                    }
                    Extra::Goes => {
                        if !self.remove_one(&path)
                            && let Some(above) = going.last_mut()
                        {
                            above.keeps = true;
                        }
                    }
                    Extra::Folder => {
                        let names = self.names_in(&path).into_iter();
                        going.push(Going { path, names, keeps: false });
                    }
                }
            }
            let Some(last) = going.last_mut() else { return };
            if let Some(name) = last.names.next() {
                match last.path.join(&name) {
                    Ok(path) => next = Some(path),
                    Err(_) => last.keeps = true,
                }
                continue;
            }
            let Some(Going { path, keeps, .. }) = going.pop() else { return };
            let goes = !keeps && self.is_selected(&path) && self.remove_one(&path);
            if !goes && let Some(above) = going.last_mut() {
                above.keeps = true;
            }
        }
    }

    /// What a filter leaves out of the restore it leaves alone in the target.
    pub(super) fn is_selected(&self, path: &TreePath) -> bool {
        self.work.base.join_path(path).is_ok_and(|full| self.work.options.selects(&full))
    }

    fn refuse_removal(&self, path: &TreePath, why: &str) {
        let to = self.work.to;
        let problem = Problem { path: path.clone(), action: "removing", why: why.to_owned() };
        to.tally.problem(to.monitor, problem);
    }

    /// Removes a file or an empty folder; whether it is gone, or would be.
    fn remove_one(&mut self, path: &TreePath) -> bool {
        self.report.deleted += 1;
        self.tell_removed(path);
        if self.work.options.dry_run {
            return true;
        }
        let to = self.work.to;
        let removed = match to.target.remove_one(path) {
            Err(error) if self.unlock(path, &error) => to.target.remove_one(path),
            result => result,
        };
        let Err(error) = removed else { return true };
        self.report.deleted -= 1;
        let path = path.clone();
        let problem = Problem { path, action: "removing", why: in_one_line(&error) };
        to.tally.problem(to.monitor, problem);
        false
    }
}
