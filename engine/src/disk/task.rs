//! What there is to look at, and what came of it.
//!
//! A [`Task`] needs nothing but what it carries, so any thread can do it, in any order. What comes
//! of it says where further tasks belong, and [`Place`] orders all of them as the walk does.

use std::io;
use std::ops::Range;
use std::sync::Arc;

use crate::base::monitor::Problem;
use crate::base::path::TreePath;
use crate::disk::error::problem;
use crate::disk::exclude::Standing;
use crate::disk::folder::{Folder, Names};
use crate::disk::found::Found;

/// One step of a walk.
#[derive(Debug)]
pub enum WalkItem {
    /// Something to back up.
    Found(Found),
    /// Something that is there and could not be looked at.
    Unread(Problem),
    /// Something that went wrong; what it concerns has an item of its own, if it is to have one.
    Problem(Problem),
    /// Something that was gone when it was looked at.
    Vanished(TreePath),
}

/// Something to be looked at.
#[derive(Debug)]
pub(crate) enum Task {
    /// A directory: list it, and look at the first stretch of its names.
    List(Box<Doorway>),
    /// A further stretch of a directory that was listed.
    Look(Arc<Inside>, Range<usize>),
}

/// A directory that was seen and is to be entered.
#[derive(Debug)]
pub(crate) struct Doorway {
    pub(crate) found: Found,
    pub(crate) way: Way,
}

/// What holds for everything below a directory.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Way {
    pub(crate) standing: Standing,
    /// Device of the root that the walk came from.
    pub(crate) device: u64,
    /// Whether nothing is looked at but what is named or leads there.
    pub(crate) is_on_the_way: bool,
}

/// A directory that was listed.
#[derive(Debug)]
pub(crate) struct Inside {
    pub(crate) folder: Arc<Folder>,
    pub(crate) path: TreePath,
    pub(crate) names: Names,
    pub(crate) way: Way,
    /// Whether something below it is named.
    pub(crate) has_named: bool,
    /// Names of files that leave out everything beside them, if there are such.
    pub(crate) tags: Vec<Vec<u8>>,
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
        self.item(WalkItem::Problem(problem(path, action, error)));
    }

    pub(crate) fn item(&mut self, item: WalkItem) {
        self.seen.push(Seen::Item(item));
    }

    fn later(&mut self, place: Place, task: Task) {
        self.seen.push(Seen::Later(place.clone()));
        self.tasks.push((place, task));
    }

    pub(crate) fn list(&mut self, doorway: Doorway) {
        let place = Place { key: doorway.found.path.key().to_vec(), is_list: true };
        self.later(place, Task::List(Box::new(doorway)));
    }

    pub(crate) fn look(&mut self, inside: &Arc<Inside>, stretch: Range<usize>) {
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
