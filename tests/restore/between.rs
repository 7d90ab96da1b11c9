//! What may be on the disk while a restore is under way: each name is as it was or as it will be.
//!
//! What will be is known from a run to the end on an equal target; whether that is right is another
//! module's question. Here nothing is known of snapshots and options.

use std::collections::BTreeMap;

use crate::look::{Seen, Tree, is_staged};
use crate::scene::TARGET;

/// A restore that ran to its end: the arena before and after.
pub(crate) struct Whole {
    pub(crate) before: Tree,
    pub(crate) after: Tree,
}

/// What is allowed beside old and new.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Leave {
    /// Files that are written where they are.
    pub(crate) in_place: bool,
    /// Metadata that could not be set, of what is whole otherwise: the system refused.
    pub(crate) metadata: bool,
    /// An interrupted run came before: what it made, this one finds there.
    pub(crate) again: bool,
}

/// What a run to the end does to a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    /// Nothing: not even its time of change is another.
    Kept,
    /// Names in this folder come, go or are replaced; the folder itself is left alone.
    KeptAround,
    Changed,
}

impl Whole {
    /// What the run did to a name that was there before.
    pub(crate) fn fate(&self, path: &str) -> Fate {
        let (Some(before), Some(after)) = (self.before.get(path), self.after.get(path)) else {
            return Fate::Changed;
        };
        if after.is_untouched(before) {
            return Fate::Kept;
        }
        let is_around = before.is_folder()
            && before.facts.inode == after.facts.inode
            && before.differing_meta(after).iter().all(|what| *what == "mtime")
            && self.has_other_names(path);
        if is_around { Fate::KeptAround } else { Fate::Changed }
    }

    /// Whether the names in a folder are others in the end, or are other files.
    pub(crate) fn has_other_names(&self, folder: &str) -> bool {
        let names = |tree: &Tree| -> BTreeMap<String, (u64, u64)> {
            tree.children(folder).map(|(path, seen)| (path.to_owned(), seen.facts.inode)).collect()
        };
        names(&self.before) != names(&self.after)
    }

    /// What is wrong with the disk as it is after a run that did not get to its end. It began with
    /// `before`, which is equal to what the whole run began with, but for inodes and times of
    /// change. A file that is written in place may hold anything while it has
    /// neither the old time nor the new; metadata that
    /// the system refused to set may be missing.
    pub(crate) fn faults(&self, before: &Tree, seen: &Tree, leave: Leave) -> Vec<String> {
        let mut faults = Vec::new();
        let mut paths: Vec<&String> = before.0.keys().chain(seen.0.keys()).collect();
        paths.sort_unstable();
        paths.dedup();
        for path in paths.into_iter().filter(|path| !is_staged(path)) {
            let (was, is) = (before.get(path), seen.get(path));
            let why = match (was, self.after.get(path), is) {
                (_, _, None) => match self.after.get(path).is_some() && was.is_some() {
                    true => {
                        Some("missing, although it was there and is there in the end".to_owned())
                    }
                    false => None,
                },
                // A target that was made, and that nothing was for.
                (None, None, Some(is)) if path == TARGET && is.is_folder() => None,
                (None, None, Some(_)) => {
                    Some("there, although it was not and is not in the end".to_owned())
                }
                (None, Some(end), Some(is)) => fresh(is, end, leave),
                (Some(was), None, Some(is)) => going(was, is),
                (Some(was), Some(end), Some(is)) => self.known(path, [was, end, is], leave),
            };
            if let Some(why) = why {
                let show = |seen: Option<&Seen>| seen.map_or("nothing".to_owned(), Seen::show);
                let (was, end) = (show(was), show(self.after.get(path)));
                let is = show(is);
                faults.push(format!("{path}: {why}\n    was {was}\n    is  {is}\n    end {end}"));
            }
        }
        faults
    }

    fn known(&self, path: &str, [was, end, is]: [&Seen; 3], leave: Leave) -> Option<String> {
        // Where the restore keeps what it needs for itself is its own business.
        let is_top = path.is_empty() || path == TARGET;
        match self.fate(path) {
            Fate::Kept if is_top => None,
            Fate::Kept if is.is_untouched(was) => None,
            Fate::Kept => Some("touched, although it is kept in the end".to_owned()),
            Fate::KeptAround => {
                let differing = is.differing_meta(was);
                let wrong = differing.iter().any(|what| *what != "mtime");
                wrong.then(|| format!("{differing:?} changed, although it is kept in the end"))
            }
            // Every write gives it the time of now, also one that changes nothing, until its time is
            // set to 0 again.
            Fate::Changed
                if leave.in_place
                    && is.facts.mtime != was.facts.mtime
                    && is.facts.mtime != end.facts.mtime =>
            {
                None
            }
            Fate::Changed if leave.in_place && is.facts.mtime == (0, 0) => None,
            Fate::Changed => replaced(was, end, is, leave),
        }
    }
}

/// A name that was not there before: it is what it will be, or not there. A folder is finished when
/// everything in it is; until then nobody else gets into it.
fn fresh(is: &Seen, end: &Seen, leave: Leave) -> Option<String> {
    if is.is_folder() && end.is_folder() {
        // What a folder with that bit holds gets it, too.
        let more = is.facts.mode & !(end.facts.mode | 0o2700);
        return (more != 0)
            .then(|| format!("a new folder with more rights than in the end: {more:o}"));
    }
    if !is.has_content_of(end) {
        return Some("new, and its content is not that of the end".to_owned());
    }
    let differing = is.differing_meta(end);
    // One that the run before has put in place is overwritten where it is, and marked until that is done.
    let is_marked = leave.in_place && leave.again && differing.iter().all(|what| *what == "mtime");
    let is_wrong = !differing.is_empty() && !leave.metadata && !is_marked;
    is_wrong.then(|| format!("new, and has not its {differing:?} of the end"))
}

/// A name that is removed in the end.
fn going(was: &Seen, is: &Seen) -> Option<String> {
    let differing = is.differing_meta(was);
    let is_same =
        is.has_content_of(was) && differing.iter().all(|what| is.is_folder() && *what == "mtime");
    (!is_same).then(|| "to be removed, and changed before".to_owned())
}

/// A name that is something else in the end, or something changed.
fn replaced(was: &Seen, end: &Seen, is: &Seen, leave: Leave) -> Option<String> {
    let (from, to) = (is.differing_meta(was), is.differing_meta(end));
    let is_mixed = is.is_folder() && was.is_folder() && end.is_folder();
    if is_mixed || (is.has_content_of(was) && is.has_content_of(end)) {
        let neither: Vec<_> = from
            .iter()
            .filter(|what| to.contains(what) && !(is_mixed && **what == "mtime"))
            // A new owner takes the right away that was the old one's to lend.
            .filter(|what| **what != "mode" || is.facts.mode != was.facts.mode & 0o1777)
            .collect();
        return (!neither.is_empty() && !leave.metadata)
            .then(|| format!("{neither:?} neither old nor new"));
    }
    if is.has_content_of(was) {
        let wrong: Vec<_> =
            from.iter().filter(|what| !(is.is_folder() && **what == "mtime")).collect();
        return (!wrong.is_empty()).then(|| format!("the old content with new {wrong:?}"));
    }
    if is.has_content_of(end) && !is.is_folder() {
        return (!to.is_empty() && !leave.metadata)
            .then(|| format!("the new content without its {to:?}"));
    }
    if is.is_folder() && end.is_folder() {
        return fresh(is, end, leave);
    }
    Some("between: its content is neither old nor new".to_owned())
}

/// How the end of an interrupted restore that was begun again differs from the end of one that ran
/// through. `since` is when the test began: later times are of this test, and not of the snapshot.
pub(crate) fn differences(whole: &Tree, seen: &Tree, since: i64) -> Vec<String> {
    let mut found = Vec::new();
    let mut paths: Vec<&String> = whole.0.keys().chain(seen.0.keys()).collect();
    paths.sort_unstable();
    paths.dedup();
    for path in paths {
        let (end, is) = (whole.get(path), seen.get(path));
        if is_staged(path) && end.is_some() && is.is_some() {
            continue;
        }
        let why = match (end, is) {
            (Some(_), None) => "missing".to_owned(),
            (None, Some(_)) if is_staged(path) => "left over".to_owned(),
            // A target that nothing was for stays, empty, if its removal was interrupted.
            (None, Some(is)) if path == TARGET && is.is_folder() => continue,
            (None, _) => "there, and not after a run to the end".to_owned(),
            (Some(end), Some(is)) => match unlike(end, is, since) {
                Some(why) => why,
                None => continue,
            },
        };
        let show = |seen: Option<&Seen>| seen.map_or("nothing".to_owned(), Seen::show);
        found.push(format!("{path}: {why}\n    is  {}\n    end {}", show(is), show(end)));
    }
    let (mine, others) = (seen.link_groups(), whole.link_groups());
    for group in mine.symmetric_difference(&others) {
        let where_to = if mine.contains(group) { "one file, and not" } else { "not one file, but" };
        found.push(format!("{group:?}: {where_to} after a run to the end"));
    }
    found
}

fn unlike(end: &Seen, is: &Seen, since: i64) -> Option<String> {
    if !is.has_content_of(end) {
        return Some("other content".to_owned());
    }
    let is_of_test = is.facts.mtime.0 >= since && end.facts.mtime.0 >= since;
    let mut differing = is.differing_meta(end);
    differing.retain(|what| !(*what == "mtime" && is_of_test));
    if !differing.is_empty() {
        return Some(format!("other {differing:?}"));
    }
    // A page more or less is the file system's business; a hole that is filled is not.
    let (mine, others) = (is.facts.allocated_bytes, end.facts.allocated_bytes);
    let is_file = is.digest.is_some();
    (is_file && mine.abs_diff(others) > 64 << 10)
        .then(|| format!("{mine} bytes of disk, not {others}"))
}
