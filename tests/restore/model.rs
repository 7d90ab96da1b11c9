//! What a restore that runs to its end must have done, from the scene alone.
//!
//! Where the documents leave a choice, both answers are allowed, so that everything that is said
//! here is a promise that was broken.

use crate::between::Whole;
use crate::look::{Seen, Tree};
use crate::scene::{Hidden, Item, Node, Overwrite, Part, Scene, TARGET};

/// What must have become of a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Must {
    /// As it was, untouched; or not there if it was not.
    Keep,
    /// As the snapshot has it.
    New,
    /// The old content; metadata may have been set.
    KeepContent,
    /// Gone.
    Go,
    /// One of the first two.
    KeepOrNew,
    /// Kept or gone.
    KeepOrGo,
    /// A folder that leads to something, or what was there.
    Way,
}

/// The scene, and what was seen of it.
pub(crate) struct Model<'a> {
    pub(crate) scene: &'a Scene,
    /// The source, as it was saved.
    pub(crate) saved: &'a Tree,
    pub(crate) whole: &'a Whole,
    /// Where the source is.
    pub(crate) source: &'a std::path::Path,
}

impl Model<'_> {
    /// Everything that is wrong with a run that ended with this code.
    pub(crate) fn faults(&self, exit: Option<i32>) -> Vec<String> {
        let mut faults = Vec::new();
        for item in &self.scene.items {
            let Some(place) = self.place(&item.path) else { continue };
            if place == TARGET {
                continue;
            }
            let must = self.must(item, &place);
            if let Some(why) = self.breaks(item, &place, must) {
                let show = |seen: Option<&Seen>| seen.map_or("nothing".to_owned(), Seen::show);
                faults.push(format!(
                    "{place}: {why} ({must:?})\n    was   {}\n    is    {}\n    saved {}",
                    show(self.whole.before.get(&place)),
                    show(self.whole.after.get(&place)),
                    show(self.snapshot(&item.path)),
                ));
            }
        }
        self.top(&mut faults);
        self.outside(&mut faults);
        self.links(&mut faults);
        self.strangers(&mut faults);
        self.exit(exit, &mut faults);
        faults
    }

    fn place(&self, path: &str) -> Option<String> {
        self.scene.place(path, self.source)
    }

    /// What the snapshot has there.
    fn snapshot(&self, path: &str) -> Option<&Seen> {
        self.scene.in_snapshot(path)?;
        self.saved.get(path)
    }

    fn must(&self, item: &Item, place: &str) -> Must {
        let before = self.whole.before.get(place);
        let Some(saved) = self.snapshot(&item.path) else {
            return if before.is_some() { self.must_extra(item) } else { Must::Keep };
        };
        let is_only_file = matches!(self.scene.order.part, Part::File(_) | Part::FileAs(_));
        if is_only_file && !self.is_part(&item.path) {
            return Must::Keep;
        }
        if self.is_blocked(&item.path) {
            return match self.parent_was_folder(&item.path) {
                true => Must::KeepOrGo,
                false => Must::Keep,
            };
        }
        if !self.selects(&item.path) {
            let leads = saved.is_folder() && self.selects_below(&item.path);
            return if leads { Must::Way } else { Must::Keep };
        }
        if item.hidden == Some(Hidden::Unreadable) {
            // Who could not read the folder could not read all of its metadata either.
            return Must::Way;
        }
        let Some(before) = before else { return Must::New };
        self.must_meet(item, before, saved)
    }

    /// Something is there already.
    fn must_meet(&self, item: &Item, before: &Seen, saved: &Seen) -> Must {
        let order = &self.scene.order;
        let policy = order.overwrite;
        if before.is_folder() != saved.is_folder() {
            if !order.replace_kind || self.holds_mount(&item.path) {
                return Must::Keep;
            }
            let is_plain = matches!(policy, Overwrite::Always | Overwrite::IfChanged)
                && saved.is_folder()
                && self.listing_is_whole(&item.path) == Some(true);
            return if is_plain { Must::New } else { Must::KeepOrNew };
        }
        if saved.is_folder() {
            return match policy {
                Overwrite::Never => Must::Way,
                Overwrite::IfNewer => Must::KeepOrNew,
                _ => Must::New,
            };
        }
        let is_same_kind = before.facts.kind == saved.facts.kind;
        match policy {
            Overwrite::Always | Overwrite::Absent => Must::New,
            Overwrite::Never => Must::Keep,
            Overwrite::IfNewer if !is_same_kind => Must::KeepOrNew,
            Overwrite::IfNewer if saved.facts.mtime > before.facts.mtime => Must::New,
            Overwrite::IfNewer => Must::Keep,
            Overwrite::IfChanged if !is_same_kind => Must::New,
            Overwrite::IfChanged => {
                let is_equal = saved.facts.mtime == before.facts.mtime
                    && saved.facts.size_bytes == before.facts.size_bytes;
                match (is_equal, before.differing_meta(saved).is_empty()) {
                    (false, _) => Must::New,
                    (true, true) if saved.facts.link_target == before.facts.link_target => {
                        Must::Keep
                    }
                    (true, _) if before.facts.link_target.is_some() => Must::KeepOrNew,
                    (true, _) => Must::KeepContent,
                }
            }
        }
    }

    /// Something that the snapshot does not have.
    fn must_extra(&self, item: &Item) -> Must {
        if self.is_blocked(&item.path) {
            return if self.parent_was_folder(&item.path) { Must::KeepOrGo } else { Must::Keep };
        }
        let order = &self.scene.order;
        let is_file = matches!(order.part, Part::File(_) | Part::FileAs(_));
        if !order.delete || is_file || self.scene.hidden(&item.path).is_some() {
            return Must::Keep;
        }
        // The topmost folder that the snapshot does not have; the one above it proves that.
        let mut top = item.path.as_str();
        while let Some((parent, _)) = top.rsplit_once('/') {
            if self.scene.in_snapshot(parent).is_some()
                || self.place(parent).as_deref() == Some(TARGET)
            {
                break;
            }
            top = parent;
        }
        let parent = top.rsplit_once('/').map_or("", |(parent, _)| parent);
        let is_in_folder =
            parent.is_empty() || self.scene.in_snapshot(parent).is_some_and(Node::is_folder);
        if !is_in_folder {
            return Must::Keep;
        }
        let is_whole = self.listing_is_whole(parent);
        let keeps_below = self.scene.items.iter().any(|other| {
            let is_below =
                other.path == item.path || other.path.starts_with(&format!("{}/", item.path));
            is_below && other.there.is_some() && (!self.selects(&other.path) || other.is_mount)
        });
        let is_mounted = self.scene.items.iter().any(|other| {
            other.is_mount
                && (item.path == other.path || item.path.starts_with(&format!("{}/", other.path)))
        });
        if is_whole == Some(false) || keeps_below || is_mounted {
            return Must::Keep;
        }
        let is_near_kept = self.scene.items.iter().any(|other| {
            let is_beside = other.path == top || other.path.starts_with(&format!("{top}/"));
            is_beside && other.there.is_some() && (!self.selects(&other.path) || other.is_mount)
        });
        let is_own_choice = !order.include.is_empty() && !self.selects_self_above(parent);
        if is_whole.is_none() || is_near_kept || is_own_choice { Must::KeepOrGo } else { Must::Go }
    }

    /// Whether a folder of the snapshot names everything that was in it; nothing if that depends on
    /// how what could not be read is kept.
    fn listing_is_whole(&self, folder: &str) -> Option<bool> {
        if self.scene.item(folder).is_some_and(|item| item.hidden == Some(Hidden::Unreadable)) {
            return Some(false);
        }
        let hidden = |kind| {
            let items = self.scene.items.iter();
            items
                .filter(|item| item.parent() == folder && item.path != folder)
                .any(|item| item.saved.is_some() && item.hidden == Some(kind))
        };
        match (hidden(Hidden::Excluded), hidden(Hidden::Unreadable)) {
            (true, _) => Some(false),
            (false, true) => None,
            (false, false) => Some(true),
        }
    }

    /// Whether the filters want a path: of all patterns that match it or a folder above it, the one
    /// that was given last counts.
    fn selects(&self, path: &str) -> bool {
        let order = &self.scene.order;
        let is_included = order.include.is_empty() || self.selects_self_above(path);
        let matches = |pattern: &&String| {
            let name = pattern.strip_prefix('!').unwrap_or(pattern);
            path.split('/').any(|component| component == name)
        };
        let last = order.exclude.iter().rfind(matches);
        is_included && last.is_none_or(|pattern| pattern.starts_with('!'))
    }

    fn selects_self_above(&self, path: &str) -> bool {
        let include = &self.scene.order.include;
        path.split('/').any(|name| include.iter().any(|pattern| pattern == name))
    }

    fn selects_below(&self, path: &str) -> bool {
        let below = format!("{path}/");
        let mut items = self.scene.items.iter();
        items.any(|item| {
            item.path.starts_with(&below)
                && self.scene.in_snapshot(&item.path).is_some()
                && self.selects(&item.path)
        })
    }

    /// Whether the one file that is asked for is this one.
    fn is_part(&self, path: &str) -> bool {
        matches!(&self.scene.order.part, Part::File(file) | Part::FileAs(file) if file == path)
    }

    fn holds_mount(&self, path: &str) -> bool {
        let below = format!("{path}/");
        let mut items = self.scene.items.iter();
        items.any(|item| item.is_mount && (item.path == path || item.path.starts_with(&below)))
    }

    /// Whether something above it is no folder in the end.
    fn is_blocked(&self, path: &str) -> bool {
        let mut path = path;
        while let Some((parent, _)) = path.rsplit_once('/') {
            let place = self.place(parent);
            let is_open = place.is_none_or(|place| {
                place == TARGET || self.whole.after.get(&place).is_some_and(Seen::is_folder)
            });
            if !is_open {
                return true;
            }
            path = parent;
        }
        false
    }

    fn parent_was_folder(&self, path: &str) -> bool {
        let parent = path.rsplit_once('/').and_then(|(parent, _)| self.place(parent));
        parent.and_then(|place| self.whole.before.get(&place)).is_some_and(Seen::is_folder)
    }

    /// What is wrong with a name, if anything is.
    fn breaks(&self, item: &Item, place: &str, must: Must) -> Option<&'static str> {
        let before = self.whole.before.get(place);
        let after = self.whole.after.get(place);
        let is_kept = || self.is_kept(item, place);
        let is_new = || self.is_new(item, after);
        let holds = match must {
            Must::Keep => is_kept(),
            Must::New => is_new(),
            Must::KeepOrNew => is_kept() || is_new(),
            Must::Go => after.is_none(),
            Must::KeepOrGo => after.is_none() || is_kept(),
            // One with names outside of the snapshot is not changed but written anew.
            Must::KeepContent => match (before, after) {
                (Some(before), Some(after)) => {
                    before.has_content_of(after) || (item.there_link.is_some() && is_new())
                }
                _ => false,
            },
            Must::Way => is_kept() || after.is_some_and(Seen::is_folder),
        };
        if holds {
            return None;
        }
        Some(match (must, before, after) {
            (Must::Keep, None, Some(_)) => "made, although nothing asks for it",
            (Must::Keep, Some(_), None) => "gone, although it must be kept",
            (Must::Keep, ..) => "touched, although it must be kept",
            (Must::New, _, None) => "not restored",
            (Must::New, ..) => "not as the snapshot has it",
            (Must::Go, ..) => "still there, although the snapshot proves that it was not",
            (_, Some(_), None) => "gone",
            _ => "neither kept nor as the snapshot has it",
        })
    }

    fn is_kept(&self, item: &Item, place: &str) -> bool {
        let (before, after) = match (self.whole.before.get(place), self.whole.after.get(place)) {
            (None, after) => return after.is_none(),
            (Some(_), None) => return false,
            (Some(before), Some(after)) => (before, after),
        };
        if before.is_folder() && after.is_folder() {
            let differing = before.differing_meta(after);
            let allows_time = self.whole.has_other_names(place);
            return match allows_time {
                true => differing.iter().all(|what| *what == "mtime"),
                false => after.is_untouched(before),
            };
        }
        if item.there_link.is_some() || item.saved_link.is_some() {
            // Its other names may come and go, which changes it, too; in place, they change together.
            return (self.scene.order.in_place && item.there_link.is_some())
                || (before.has_content_of(after) && before.differing_meta(after).is_empty());
        }
        after.is_untouched(before)
    }

    fn is_new(&self, item: &Item, after: Option<&Seen>) -> bool {
        let (Some(after), Some(saved)) = (after, self.snapshot(&item.path)) else { return false };
        if after.has_content_of(saved) && after.differing_meta(saved).is_empty() {
            return true;
        }
        // One file with a name that was kept, or written in place with another name.
        let is_joined = item.saved_link.is_some()
            && self.scene.items.iter().any(|other| {
                other.path != item.path && other.saved_link == item.saved_link && {
                    let place = self.place(&other.path);
                    let other = place.and_then(|place| self.whole.after.get(&place));
                    other.is_some_and(|other| other.facts.inode == after.facts.inode)
                }
            });
        is_joined || (self.scene.order.in_place && item.there_link.is_some())
    }

    /// The target itself is as the folder that it is filled from, if that is asked for.
    fn top(&self, faults: &mut Vec<String>) {
        let order = &self.scene.order;
        let base = match &order.part {
            Part::Source => "",
            Part::Folder(base) => base,
            _ => return,
        };
        let is_asked =
            matches!(order.overwrite, Overwrite::Absent | Overwrite::Always | Overwrite::IfChanged)
                && order.include.is_empty()
                && (base.is_empty() || self.selects(base))
                && self.scene.item(base).is_none_or(|item| item.hidden.is_none());
        let (Some(after), Some(saved)) = (self.whole.after.get(TARGET), self.saved.get(base))
        else {
            return;
        };
        let differing = after.differing_meta(saved);
        if is_asked && !differing.is_empty() {
            let (is, saved) = (after.show(), saved.show());
            faults.push(format!(
                "{TARGET}: has not its {differing:?}\n    is    {is}\n    saved {saved}"
            ));
        }
    }

    /// Nothing outside the target is touched.
    fn outside(&self, faults: &mut Vec<String>) {
        for (path, before) in &self.whole.before.0 {
            if path == TARGET || path.starts_with("t/") || path.is_empty() {
                continue;
            }
            let after = self.whole.after.get(path);
            let is_link = path.contains("/link-");
            let is_same = after.is_some_and(|after| {
                let is_equal =
                    before.has_content_of(after) && before.differing_meta(after).is_empty();
                after.is_untouched(before) || (is_link && (is_equal || self.scene.order.in_place))
            });
            if !is_same {
                let is = after.map_or("nothing".to_owned(), Seen::show);
                faults.push(format!(
                    "{path}: touched outside\n    was {}\n    is  {is}",
                    before.show()
                ));
            }
        }
    }

    /// Names that are one file in the snapshot are one file if all of them are new.
    fn links(&self, faults: &mut Vec<String>) {
        for group in 0..2 {
            let mut inodes = Vec::new();
            for item in self.scene.items.iter().filter(|item| item.saved_link == Some(group)) {
                let Some(place) = self.place(&item.path) else { continue };
                if self.snapshot(&item.path).is_none() || self.must(item, &place) != Must::New {
                    continue;
                }
                inodes.extend(self.whole.after.get(&place).map(|seen| (place, seen.facts.inode)));
            }
            // Another file system cannot have a second name of a file.
            let is_one = inodes.iter().all(|(_, inode)| {
                inodes.iter().all(|(_, other)| inode.0 != other.0 || inode == other)
            });
            if !is_one && !self.scene.order.in_place {
                faults.push(format!("{inodes:?}: not one file, although the snapshot says so"));
            }
        }
    }

    /// Names that neither the scene nor the snapshot has.
    fn strangers(&self, faults: &mut Vec<String>) {
        for (path, seen) in &self.whole.after.0 {
            let is_known = self.whole.before.get(path).is_some() || path == TARGET;
            let is_way = self.scene.order.part == Part::Whole && seen.is_folder() && {
                let source = self.place("").unwrap_or_default();
                source.starts_with(path)
            };
            let is_item =
                self.scene.items.iter().any(|item| self.place(&item.path).as_deref() == Some(path));
            if !is_known && !is_way && !is_item {
                faults.push(format!("{path}: nothing of that name was saved or was there"));
            }
        }
    }

    /// An entry that could not be put in place is a problem; without one the run is a success.
    fn exit(&self, exit: Option<i32>, faults: &mut Vec<String>) {
        let order = &self.scene.order;
        let mut is_conflict = false;
        for item in &self.scene.items {
            let Some(place) = self.place(&item.path).filter(|place| place != TARGET) else {
                continue;
            };
            let (Some(saved), Some(before)) =
                (self.snapshot(&item.path), self.whole.before.get(&place))
            else {
                continue;
            };
            let is_wanted =
                self.selects(&item.path) || (saved.is_folder() && self.selects_below(&item.path));
            let is_file = matches!(order.part, Part::File(_) | Part::FileAs(_));
            let is_wanted = is_wanted && (!is_file || self.is_part(&item.path));
            let after = self.whole.after.get(&place);
            let stays = after.is_some_and(|after| after.is_folder() != saved.is_folder());
            is_conflict |= is_wanted
                && before.is_folder() != saved.is_folder()
                && stays
                && !self.is_blocked(&item.path);
        }
        let is_nothing = !order.include.is_empty()
            && !self.scene.items.iter().any(|item| {
                self.place(&item.path).is_some()
                    && self.scene.in_snapshot(&item.path).is_some()
                    && self.selects(&item.path)
            });
        if is_nothing {
            if exit == Some(0) {
                faults.push("exit 0, although the filter selects nothing".to_owned());
            }
            return;
        }
        // What a rule keeps in the place of a folder keeps what the folder holds away, which is said.
        let may_keep_away = order.replace_kind && matches!(order.overwrite, Overwrite::IfNewer);
        let is_unsure = self.scene.has_unreadable()
            || may_keep_away
            || matches!(order.overwrite, Overwrite::Never);
        match (is_conflict, exit) {
            (true, Some(0))
                if !matches!(order.overwrite, Overwrite::Never | Overwrite::IfNewer) =>
            {
                faults.push("exit 0, although something could not be put in place".to_owned());
            }
            (false, Some(0)) => {}
            (false, other) if !is_unsure => {
                faults.push(format!("exit {other:?}, although everything could be put in place"));
            }
            _ => {}
        }
    }
}
