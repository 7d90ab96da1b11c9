//! Looks at what a directory holds, a stretch of names at a time, by the rules of one walk.
//!
//! A [`Task`] needs nothing but what it carries, so any thread can do it, in any order. What comes
//! of it says where further tasks belong, and [`Place`] orders all of them as the walk does.

use std::collections::HashSet;
use std::io::{self, ErrorKind};
use std::ops::Range;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;

use rustix::fs::{Mode, OFlags, Statx, StatxAttributes};
use rustix::io::Errno;

use crate::base::limits::WALK_STRETCH_NAMES;
use crate::base::monitor::Problem;
use crate::base::path::{TreePath, escape};
use crate::disk::error::problem;
use crate::disk::exclude::{Excludes, IfPresent, Standing};
use crate::disk::folder::{Folder, Names, Shared};
use crate::disk::found::{Found, describe};
use crate::disk::meta::{self, Stat};
use crate::disk::read::OpenFile;
use crate::format::entry::EntryKind;

/// One step of a walk.
#[derive(Debug)]
pub enum WalkItem {
    /// Something to back up.
    Found(Found),
    /// Something that could not be looked at; the walk goes on beside it.
    Problem(Problem),
}

/// The rules of one walk.
#[derive(Debug)]
pub(crate) struct Looker {
    pub(crate) excludes: Excludes,
    /// Directories that appear but are not entered.
    pub(crate) skip: HashSet<(u64, u64)>,
    pub(crate) shared: Arc<Shared>,
}

/// Something to be looked at.
#[derive(Debug)]
pub(crate) enum Task {
    /// A directory: list it, and look at the first stretch of its names.
    List(Doorway),
    /// A further stretch of a directory that was listed.
    Look(Arc<Inside>, Range<usize>),
}

/// A directory that was seen and is to be entered.
#[derive(Debug)]
pub(crate) struct Doorway {
    /// The directory that holds it; itself for the root of everything.
    pub(crate) parent: Arc<Folder>,
    pub(crate) path: TreePath,
    /// Device and inode number it was seen with.
    pub(crate) identity: (u64, u64),
    pub(crate) way: Way,
}

/// What holds for everything below a directory.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Way {
    pub(crate) standing: Standing,
    /// Device of the root that the walk came from.
    pub(crate) device: u64,
}

/// A directory that was listed.
#[derive(Debug)]
pub(crate) struct Inside {
    folder: Arc<Folder>,
    path: TreePath,
    names: Names,
    way: Way,
}

/// Where a task stands in the order of the walk.
///
/// The path is that of the directory, or of the first name of the stretch. A stretch may begin with
/// a directory, which is then listed after it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Place {
    key: Vec<u8>,
    is_list: bool,
}

/// What a task found, in the order of the walk.
#[derive(Debug)]
pub(crate) enum Seen {
    Item(WalkItem),
    /// Here belongs what the task of this place finds.
    Later(Place),
}

/// Everything that came of a task.
#[derive(Debug, Default)]
pub(crate) struct Looked {
    pub(crate) seen: Vec<Seen>,
    pub(crate) tasks: Vec<(Place, Task)>,
}

impl Looked {
    pub(crate) fn problem(&mut self, path: &TreePath, action: &'static str, error: &io::Error) {
        self.seen.push(Seen::Item(WalkItem::Problem(problem(path, action, error))));
    }

    fn later(&mut self, place: Place, task: Task) {
        self.seen.push(Seen::Later(place.clone()));
        self.tasks.push((place, task));
    }

    fn list(&mut self, doorway: Doorway) {
        let place = Place { key: doorway.path.key().to_vec(), is_list: true };
        self.later(place, Task::List(doorway));
    }

    fn look(&mut self, inside: &Arc<Inside>, stretch: Range<usize>) {
        let mut key = inside.path.key().to_vec();
        if !key.is_empty() {
            key.push(0);
        }
        key.extend_from_slice(inside.names.get(stretch.start).unwrap_or_default());
        self.later(Place { key, is_list: false }, Task::Look(Arc::clone(inside), stretch));
    }
}

impl Place {
    /// The directory, or the first name of the stretch, if that is a name.
    pub(crate) fn path(&self) -> TreePath {
        TreePath::from_key(&self.key).unwrap_or_default()
    }
}

impl Looker {
    /// Does a task; `buffer` is for listing.
    pub(crate) fn run(&self, task: Task, buffer: &mut Vec<u8>) -> Looked {
        let mut looked = Looked::default();
        match task {
            Task::List(doorway) => self.list(doorway, buffer, &mut looked),
            Task::Look(inside, stretch) => self.look_at(&inside, stretch, &mut looked),
        }
        looked
    }

    fn list(&self, doorway: Doorway, buffer: &mut Vec<u8>, looked: &mut Looked) {
        let Doorway { parent, path, identity, way } = doorway;
        let name = if path.is_root() { b"." } else { path.name() };
        let (folder, fd) = match Folder::open_below(&parent, name, identity) {
            Ok(opened) => opened,
            // Removed since it was seen: then there is nothing in it.
            Err(error) if error.kind() == ErrorKind::NotFound => return,
            Err(error) => return looked.problem(&path, "opening", &error),
        };
        let (mut names, result) = Names::list(&fd, buffer);
        if let Err(error) = result {
            looked.problem(&path, "listing", &error);
        }
        let tags = self.excludes.tags().iter().filter(|tag| is_tagged(&fd, &names, tag));
        let kept: Vec<&[u8]> = tags.map(|tag| tag.name.as_bytes()).collect();
        if !kept.is_empty() {
            names.keep_only(&kept);
        }
        let name_count = names.len();
        let inside = Arc::new(Inside { folder, path, names, way });
        self.look_at(&inside, 0..name_count.min(WALK_STRETCH_NAMES), looked);
        for start in (WALK_STRETCH_NAMES..name_count).step_by(WALK_STRETCH_NAMES) {
            looked.look(&inside, start..name_count.min(start + WALK_STRETCH_NAMES));
        }
    }

    fn look_at(&self, inside: &Inside, stretch: Range<usize>, looked: &mut Looked) {
        looked.seen.reserve(stretch.len());
        for name in stretch.filter_map(|number| inside.names.get(number)) {
            self.look_at_one(inside, name, looked);
        }
    }

    fn look_at_one(&self, inside: &Inside, name: &[u8], looked: &mut Looked) {
        let path = match inside.path.join(name) {
            Ok(path) => path,
            Err(error) => {
                let why = io::Error::other(format!("{}: {error}", escape(name)));
                return looked.problem(&inside.path, "taking a name of", &why);
            }
        };
        let standing = self.excludes.judge(inside.way.standing, &path);
        if self.excludes.is_out(standing) {
            return;
        }
        let device = inside.way.device;
        match inside.folder.fd().and_then(|fd| self.look(&fd, path.name(), Some(device))) {
            Ok(Some(stat)) => {
                let folder = Arc::clone(&inside.folder);
                let found = Found { path, stat, folder, is_folder_itself: false };
                self.announce(found, Way { standing, device }, looked);
            }
            Ok(None) => {}
            Err(error) => looked.problem(&path, "reading the metadata of", &error),
        }
    }

    /// What `name` is, unless it is gone or its size or its file system leave it out.
    pub(crate) fn look(
        &self,
        fd: &OwnedFd,
        name: &[u8],
        device: Option<u64>,
    ) -> io::Result<Option<Stat>> {
        let stat = match self.stat(fd, name) {
            Ok(stat) => stat,
            Err(Errno::NOENT) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let stat = describe(&stat)?;
        let is_elsewhere = self.is_elsewhere(stat.facts.device, device);
        let is_out = match stat.facts.kind {
            EntryKind::Directory => false,
            EntryKind::File => is_elsewhere || self.excludes.is_too_large(stat.facts.size_bytes),
            _ => is_elsewhere,
        };
        Ok((!is_out).then_some(stat))
    }

    /// Metadata of a name. What is mounted only when somebody looks inside is mounted now if the
    /// walk will go there, because entering it later must find the same directory.
    fn stat(&self, fd: &OwnedFd, name: &[u8]) -> rustix::io::Result<Statx> {
        let stat = meta::stat_at(fd, name)?;
        let mounts_itself = stat.stx_attributes.contains(StatxAttributes::AUTOMOUNT);
        if !mounts_itself || self.excludes.one_file_system() {
            return Ok(stat);
        }
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let _ = rustix::fs::openat(fd, name, flags, Mode::empty());
        meta::stat_at(fd, name)
    }

    /// Adds an item, with a task after it if it is a directory to enter.
    pub(crate) fn announce(&self, found: Found, way: Way, looked: &mut Looked) {
        let facts = found.stat.facts;
        let identity = (facts.device, facts.inode);
        let enters = facts.kind == EntryKind::Directory
            && !self.skip.contains(&identity)
            && !self.is_elsewhere(identity.0, Some(way.device));
        let place = enters.then(|| (Arc::clone(&found.folder), found.path.clone()));
        looked.seen.push(Seen::Item(WalkItem::Found(found)));
        if let Some((parent, path)) = place {
            looked.list(Doorway { parent, path, identity, way });
        }
    }

    /// Adds the root of everything, which has no entry of its own.
    pub(crate) fn announce_base(&self, standing: Standing, looked: &mut Looked) -> io::Result<()> {
        let parent = Folder::open_absolute(b"/".to_vec(), &self.shared)?;
        let identity = parent.identity();
        let way = Way { standing, device: identity.0 };
        looked.list(Doorway { parent, path: TreePath::root(), identity, way });
        Ok(())
    }

    fn is_elsewhere(&self, device: u64, root_device: Option<u64>) -> bool {
        self.excludes.one_file_system() && root_device.is_some_and(|root| root != device)
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
