//! Looks at what a directory holds, a stretch of names at a time, by the rules of one walk.
//!
//! The item of a directory comes before those of what it holds, and says how complete its listing
//! is; so a directory is opened and listed before its item is given out. A name that was listed has
//! an item unless a rule leaves it out or it is gone.

use std::collections::HashSet;
use std::io;
use std::ops::Range;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;

use rustix::fs::{Mode, OFlags, Statx, StatxAttributes};

use crate::base::limits::{
    FOLDER_READ_BYTES, LOOK_AGAIN_MAX, NAME_MAX_BYTES, PATH_MAX_BYTES, WALK_STRETCH_NAMES,
};
use crate::base::path::{TreePath, escape};
use crate::disk::error::{is_gone, is_replaced, problem};
use crate::disk::exclude::{Excludes, IfPresent, Standing};
use crate::disk::folder::{Folder, Names, Purpose, Shared};
use crate::disk::found::{Found, describe};
use crate::disk::meta::{self, Stat};
use crate::disk::read::OpenFile;
use crate::disk::roots::{Lead, Named};
use crate::disk::task::{Doorway, Inside, Looked, Seen, Task, WalkItem, Way};
use crate::format::entry::{
    EntryKind, LISTING_FILTERED, LISTING_NOT_READ, LISTING_ON_THE_WAY, LISTING_OTHER_FILE_SYSTEM,
    LISTING_VANISHED,
};

/// The rules of one walk.
#[derive(Debug)]
pub(crate) struct Looker {
    pub(crate) excludes: Excludes,
    /// Directories that appear but are not entered.
    pub(crate) skip: HashSet<(u64, u64)>,
    pub(crate) named: Named,
    pub(crate) shared: Arc<Shared>,
}

/// Whether and why something in a directory is looked at.
#[derive(Debug, Clone, Copy)]
struct Claim {
    lead: Lead,
    /// Whether it is to be saved as long as its size and its file system do not leave it out.
    is_selected: bool,
    /// Whether something below it may be saved although it is not.
    may_release: bool,
    standing: Standing,
}

impl Claim {
    fn is_nothing(&self) -> bool {
        !self.is_selected && !self.may_release && self.lead == Lead::Nowhere
    }
}

impl Looker {
    /// Does a task; `buffer` is for listing.
    pub(crate) fn run(&self, task: Task, buffer: &mut Vec<u8>) -> Looked {
        let mut looked = Looked::default();
        match task {
            Task::List(doorway) => self.enter(*doorway, buffer, &mut looked),
            Task::Look(inside, stretch) => {
                self.look_at(&inside, stretch, &mut looked);
            }
        }
        looked
    }

    /// Opens a directory and lists it; looks at it again if it was replaced meanwhile.
    fn enter(&self, doorway: Doorway, buffer: &mut Vec<u8>, looked: &mut Looked) {
        let Doorway { mut found, way } = doorway;
        let purpose = if way.is_on_the_way { Purpose::LookUp } else { Purpose::List };
        let mut error = io::Error::other("it was replaced each time it was looked at");
        for _ in 0..LOOK_AGAIN_MAX {
            let Stat { facts, .. } = found.stat;
            let identity = (facts.device, facts.inode);
            match Folder::open_below(&found.folder, found.name(), identity, purpose) {
                Ok((folder, fd)) => return self.list(found, (folder, &fd), way, buffer, looked),
                Err(failure) if is_replaced(&failure) => {}
                Err(failure) => {
                    error = failure;
                    break;
                }
            }
            let again = found.folder.fd().and_then(|fd| Ok(self.stat(&fd, found.name(), true)?));
            match again.and_then(|stat| describe(&stat)) {
                Ok(stat) if stat.facts.kind == EntryKind::Directory => found.stat = stat,
                Ok(stat) if found.listing == 0 && !found.is_provisional => {
                    found.stat = stat;
                    return looked.item(WalkItem::Found(found));
                }
                // Something else that is left out, or nothing.
                Ok(_) => return,
                Err(error) if is_gone(&error) => {
                    return looked.item(WalkItem::Vanished(found.path));
                }
                Err(failure) => {
                    error = failure;
                    break;
                }
            }
        }
        if found.is_provisional {
            // It is left out, most likely because it cannot be read.
            return;
        }
        let why = problem(&found.path, "opening", &error);
        found.listing |= LISTING_NOT_READ;
        looked.item(WalkItem::Found(found));
        looked.item(WalkItem::Problem(why));
    }

    /// Lists an open directory: first itself, then the first stretch of what it holds.
    fn list(
        &self,
        found: Found,
        (folder, fd): (Arc<Folder>, &OwnedFd),
        way: Way,
        buffer: &mut Vec<u8>,
        looked: &mut Looked,
    ) {
        let path = found.path.clone();
        let (inside, mut listing, failure) = self.inside(&path, folder, fd, way, buffer);
        listing |= found.listing;
        looked.item(WalkItem::Found(found));
        if let Some(error) = failure {
            looked.problem(&path, "listing", &error);
        }
        listing |= self.look_at_all(inside, looked);
        if let Some(Seen::Item(WalkItem::Found(found))) = looked.seen.first_mut() {
            found.listing = listing;
        }
    }

    /// What an open directory holds, how complete that is, and why it may break off.
    fn inside(
        &self,
        path: &TreePath,
        folder: Arc<Folder>,
        fd: &OwnedFd,
        way: Way,
        buffer: &mut Vec<u8>,
    ) -> (Inside, u8, Option<io::Error>) {
        let (mut listing, mut failure) = (0, None);
        let (mut tags, mut named) = (Vec::new(), Vec::new());
        if way.is_on_the_way || self.named.is_nested() {
            named = self.named.names_in(path);
        }
        let has_named = !named.is_empty();
        let mut names = if way.is_on_the_way {
            Names::of(&named)
        } else {
            let (mut names, result) = Names::list(fd, buffer);
            if let Err(error) = result {
                listing |= LISTING_NOT_READ;
                failure = Some(error);
            }
            let found = self.excludes.tags().iter().filter(|tag| is_tagged(fd, &names, tag));
            tags = found.map(|tag| tag.name.as_bytes().to_vec()).collect();
            // Whoever names a folder wants it, as with a name that a pattern leaves out.
            if !tags.is_empty() && self.named.lead(path) == Lead::Here {
                tags.clear();
            }
            if has_named {
                names.add(&named);
            }
            names
        };
        if !tags.is_empty() {
            let count = names.len();
            let is_tag = |name: &[u8]| tags.iter().any(|tag| tag == name);
            names.keep_only(|name| is_tag(name) || named.iter().any(|it| it == name));
            if names.len() < count {
                listing |= LISTING_FILTERED;
            }
        }
        let inside = Inside { folder, path: path.clone(), names, way, has_named, tags };
        (inside, listing, failure)
    }

    /// Looks at the first stretch and adds tasks for the others; says how complete the listing is.
    fn look_at_all(&self, inside: Inside, looked: &mut Looked) -> u8 {
        let inside = Arc::new(inside);
        let count = inside.names.len();
        let mut listing = self.look_at(&inside, 0..count.min(WALK_STRETCH_NAMES), looked);
        for start in (WALK_STRETCH_NAMES..count).step_by(WALK_STRETCH_NAMES) {
            looked.look(&inside, start..count.min(start + WALK_STRETCH_NAMES));
        }
        if count > WALK_STRETCH_NAMES {
            listing = self.foresee(&inside, WALK_STRETCH_NAMES..count, listing);
        }
        listing
    }

    /// How complete the listing of a large directory will be, whose entry comes before its later
    /// names are looked at. What takes a look is looked at twice where a rule goes by that.
    fn foresee(&self, inside: &Inside, rest: Range<usize>, mut listing: u8) -> u8 {
        let longest = inside.path.key().len() + 1 + NAME_MAX_BYTES;
        let (has_rules, needs_look) = (self.excludes.has_patterns(), self.excludes.needs_look());
        if longest <= PATH_MAX_BYTES && !has_rules && !needs_look {
            return listing;
        }
        let elsewhere = match self.excludes.one_file_system() {
            true => LISTING_OTHER_FILE_SYSTEM,
            false => 0,
        };
        let worst = LISTING_FILTERED | elsewhere;
        for name in rest.filter_map(|number| inside.names.get(number)) {
            if longest <= PATH_MAX_BYTES && listing & worst == worst {
                break;
            }
            let Ok(path) = inside.path.join(name) else {
                listing |= LISTING_NOT_READ;
                continue;
            };
            let claim = self.claim(inside, &path);
            listing |= match claim.is_selected || claim.lead != Lead::Nowhere {
                false => LISTING_FILTERED,
                true if needs_look && claim.lead == Lead::Nowhere => {
                    let fd = inside.folder.fd();
                    let stat = fd.and_then(|fd| Ok(meta::stat_at(&*fd, path.name())?));
                    let stat = stat.and_then(|stat| describe(&stat));
                    stat.map_or(0, |stat| self.reason_out(&stat, inside.way.device))
                }
                true => 0,
            };
        }
        listing
    }

    /// Looks at a stretch of names; says how complete it is.
    fn look_at(&self, inside: &Inside, stretch: Range<usize>, looked: &mut Looked) -> u8 {
        looked.seen.reserve(stretch.len());
        let names = stretch.filter_map(|number| inside.names.get(number));
        names.fold(0, |listing, name| listing | self.look_at_one(inside, name, looked))
    }

    fn look_at_one(&self, inside: &Inside, name: &[u8], looked: &mut Looked) -> u8 {
        let path = match inside.path.join(name) {
            Ok(path) => path,
            Err(error) => {
                let why = io::Error::other(format!("{}: {error}", escape(name)));
                looked.problem(&inside.path, "taking a name of", &why);
                return LISTING_NOT_READ;
            }
        };
        let claim = self.claim(inside, &path);
        if claim.is_nothing() {
            return LISTING_FILTERED;
        }
        let is_entered = claim.lead != Lead::Nowhere || !self.excludes.one_file_system();
        let stat = inside.folder.fd().and_then(|fd| Ok(self.stat(&fd, path.name(), is_entered)?));
        match stat.and_then(|stat| describe(&stat)) {
            Ok(stat) => {
                let found = Found::new(path, stat, Arc::clone(&inside.folder));
                self.announce(found, claim, inside.way.device, looked)
            }
            Err(_) if !claim.is_selected && claim.lead == Lead::Nowhere => LISTING_FILTERED,
            Err(error) if is_gone(&error) => {
                looked.item(WalkItem::Vanished(path));
                LISTING_VANISHED
            }
            Err(error) => {
                let why = problem(&path, "reading the metadata of", &error);
                let is_entry = claim.is_selected;
                looked.item(if is_entry { WalkItem::Unread(why) } else { WalkItem::Problem(why) });
                if is_entry { 0 } else { LISTING_NOT_READ }
            }
        }
    }

    /// What is to become of a path in a directory.
    fn claim(&self, inside: &Inside, path: &TreePath) -> Claim {
        let way = inside.way;
        let lead = if inside.has_named { self.named.lead(path) } else { Lead::Nowhere };
        if lead == Lead::Here {
            let standing = self.excludes.judge_named(path);
            return Claim { lead, is_selected: true, may_release: false, standing };
        }
        let standing = self.excludes.judge(way.standing, path);
        let is_out = self.excludes.is_out(standing);
        let is_passed = way.is_on_the_way
            || (!inside.tags.is_empty() && !inside.tags.iter().any(|tag| tag == path.name()));
        Claim {
            lead,
            is_selected: !is_passed && !is_out,
            may_release: !is_passed && is_out && self.excludes.may_release(standing, path),
            standing,
        }
    }

    /// Why something is left out by what a look at it tells, as a bit of the listing of its folder.
    fn reason_out(&self, stat: &Stat, device: u64) -> u8 {
        match stat.facts.kind {
            EntryKind::Directory => 0,
            _ if self.is_elsewhere(stat.facts.device, device) => LISTING_OTHER_FILE_SYSTEM,
            EntryKind::File if self.excludes.is_too_large(stat.facts.size_bytes) => {
                LISTING_FILTERED
            }
            _ => 0,
        }
    }

    /// Adds what was seen: an item, or a task if it is a directory to enter. Says what that means
    /// for the listing of its folder.
    fn announce(&self, mut found: Found, claim: Claim, device: u64, looked: &mut Looked) -> u8 {
        let facts = found.stat.facts;
        if facts.kind != EntryKind::Directory {
            let out = match claim.lead {
                Lead::Here => 0,
                _ => self.reason_out(&found.stat, device),
            };
            if claim.is_selected && out == 0 {
                looked.item(WalkItem::Found(found));
            }
            return if claim.is_selected { out } else { LISTING_FILTERED };
        }
        let is_named = claim.lead == Lead::Here;
        let is_elsewhere = !is_named && self.is_elsewhere(facts.device, device);
        let is_skipped = self.skip.contains(&(facts.device, facts.inode));
        let listing = match (is_elsewhere, is_skipped) {
            (true, _) => LISTING_OTHER_FILE_SYSTEM,
            (_, true) => LISTING_FILTERED,
            _ => 0,
        };
        let device = if is_named { facts.device } else { device };
        let standing = claim.standing;
        if listing == 0 && (claim.is_selected || claim.may_release) {
            found.is_provisional = !claim.is_selected && claim.lead == Lead::Nowhere;
            found.listing = if claim.is_selected { 0 } else { LISTING_FILTERED };
            looked.list(Doorway { found, way: Way { standing, device, is_on_the_way: false } });
        } else if claim.lead == Lead::Below && !is_skipped {
            found.listing = listing | LISTING_ON_THE_WAY;
            looked.list(Doorway { found, way: Way { standing, device, is_on_the_way: true } });
        } else if claim.is_selected {
            found.listing = listing;
            looked.item(WalkItem::Found(found));
        }
        if claim.is_selected || claim.lead != Lead::Nowhere { 0 } else { LISTING_FILTERED }
    }

    /// Adds the root of everything, which has no entry of its own.
    pub(crate) fn announce_base(&self, looked: &mut Looked) -> io::Result<()> {
        if self.named.is_empty() {
            return Ok(());
        }
        let path = TreePath::root();
        let is_on_the_way = self.named.lead(&path) != Lead::Here;
        let parent = Folder::open_absolute(b"/".to_vec(), &self.shared)?;
        let identity = parent.identity();
        let standing = self.excludes.judge_named(&path);
        let way = Way { standing, device: identity.0, is_on_the_way };
        let purpose = if is_on_the_way { Purpose::LookUp } else { Purpose::List };
        let (folder, fd) = Folder::open_below(&parent, b".", identity, purpose)?;
        let mut buffer = Vec::with_capacity(FOLDER_READ_BYTES);
        let (inside, _, failure) = self.inside(&path, folder, &fd, way, &mut buffer);
        if let Some(error) = failure {
            looked.problem(&path, "listing", &error);
        }
        self.look_at_all(inside, looked);
        Ok(())
    }

    /// Metadata of a name. What is mounted only when somebody looks inside is mounted now if the
    /// walk will go there, because entering it later must find the same directory.
    fn stat(&self, fd: &OwnedFd, name: &[u8], is_entered: bool) -> rustix::io::Result<Statx> {
        let stat = meta::stat_at(fd, name)?;
        let mounts_itself = stat.stx_attributes.contains(StatxAttributes::AUTOMOUNT);
        if !mounts_itself || !is_entered {
            return Ok(stat);
        }
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let _ = rustix::fs::openat(fd, name, flags, Mode::empty());
        meta::stat_at(fd, name)
    }

    fn is_elsewhere(&self, device: u64, root_device: u64) -> bool {
        self.excludes.one_file_system() && root_device != device
    }
}

/// Whether a directory holds the file that excludes the rest of it.
fn is_tagged(folder: &OwnedFd, names: &Names, tag: &IfPresent) -> bool {
    if !names.contains(tag.name.as_bytes()) {
        return false;
    }
    let Some(header) = &tag.header else { return true };
    let starts_right = || {
        let fd = OpenFile::open_at(folder.as_fd(), tag.name.as_bytes()).ok()?;
        let stat = meta::stat_open(&fd).ok().filter(|s| meta::kind(s) == Some(EntryKind::File))?;
        let file = OpenFile::new(fd, TreePath::root(), &stat);
        let mut start = vec![0; header.len()];
        let count = file.read_at(&mut start, 0).ok()?;
        Some(count == header.len() && start == header.as_bytes())
    };
    starts_right().unwrap_or(false)
}
