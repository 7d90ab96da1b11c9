//! Names of one file: the first is restored, the later ones become hard links to it.
//!
//! Device and inode number group them, and those are what a snapshot says: two entries belong
//! together only if they also agree in kind and content, otherwise each is restored on its own.

use std::collections::HashMap;

use crate::base::id::Digest;
use crate::base::path::TreePath;
use crate::crypt::hash::digest;
use crate::disk::write::ExistingStat;
use crate::format::entry::{Content, Entry, EntryKind};
use crate::format::envelope::encode_record;
use crate::restore::way::Way;

/// What must be equal for two entries to be one file.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Sameness {
    device: u64,
    inode: u64,
    kind: EntryKind,
    size_bytes: u64,
    content: Option<Digest>,
    target: Option<Vec<u8>>,
    /// The file system of the target that it lies on: a file has no names on two.
    target_device: u64,
}

impl Sameness {
    fn of(entry: &Entry, target_device: u64) -> Self {
        let hash = |content: &Content| digest(&encode_record(content));
        Self {
            device: entry.device,
            inode: entry.inode,
            kind: entry.kind,
            size_bytes: entry.size_bytes,
            content: entry.content.as_ref().map(hash),
            target: entry.target.clone(),
            target_device,
        }
    }
}

/// The first name of a file.
struct First {
    path: TreePath,
    /// Device and inode number in the target, if it was there.
    identity: Option<(u64, u64)>,
}

/// A later name of a file.
pub(super) struct LaterName {
    pub(super) first: TreePath,
    pub(super) path: TreePath,
    pub(super) way: Way,
}

/// First and later names.
#[derive(Default)]
pub(super) struct Links {
    first: HashMap<Sameness, First>,
    later: Vec<LaterName>,
}

impl Links {
    /// Whether the entry is a further name of something that came before; it is linked later.
    pub(super) fn is_later(
        &mut self,
        path: &TreePath,
        entry: &Entry,
        way: Way,
        target_device: u64,
    ) -> bool {
        if entry.link_count < 2 {
            return false;
        }
        let sameness = Sameness::of(entry, target_device);
        match self.first.get(&sameness) {
            Some(first) => {
                let (first, path) = (first.path.clone(), path.clone());
                self.later.push(LaterName { first, path, way });
                true
            }
            None => {
                self.first.insert(sameness, First { path: path.clone(), identity: None });
                false
            }
        }
    }

    /// Whether an entry that is there already, with the right content, is another file than the one
    /// whose name came before. If none came before, it is the first.
    pub(super) fn is_other(
        &mut self,
        path: &TreePath,
        entry: &Entry,
        there: &ExistingStat,
    ) -> bool {
        if entry.link_count < 2 {
            return false;
        }
        let identity = Some(there.device_and_inode);
        let first = self.first.entry(Sameness::of(entry, there.device_and_inode.0));
        first.or_insert_with(|| First { path: path.clone(), identity }).identity != identity
    }

    /// Whether the entry is a further name of something that came before.
    pub(super) fn has_first(&self, entry: &Entry, target_device: u64) -> bool {
        entry.link_count > 1 && self.first.contains_key(&Sameness::of(entry, target_device))
    }

    /// The links that are to be made now.
    pub(super) fn take_later(&mut self) -> Vec<LaterName> {
        std::mem::take(&mut self.later)
    }
}
