//! Names of one file: the first is restored, the later ones become hard links to it.
//!
//! Device and inode number group them, and those are what a snapshot says: two entries belong
//! together only if they also agree in kind and content, otherwise each is restored on its own.

use std::collections::{HashMap, HashSet};

use crate::base::id::Digest;
use crate::base::path::TreePath;
use crate::crypt::hash::digest;
use crate::format::entry::{Content, Entry, EntryKind};
use crate::format::envelope::encode_record;

/// What must be equal for two entries to be one file.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Sameness {
    device: u64,
    inode: u64,
    kind: EntryKind,
    size_bytes: u64,
    content: Option<Digest>,
    target: Option<Vec<u8>>,
}

/// First and later names.
#[derive(Default)]
pub(super) struct Links {
    first: HashMap<Sameness, TreePath>,
    later: Vec<(TreePath, TreePath)>,
}

impl Links {
    /// Whether the entry is a further name of something that came before; it is linked later.
    pub(super) fn is_later(&mut self, path: &TreePath, entry: &Entry) -> bool {
        if entry.link_count < 2 {
            return false;
        }
        let hash = |content: &Content| digest(&encode_record(content));
        let sameness = Sameness {
            device: entry.device,
            inode: entry.inode,
            kind: entry.kind,
            size_bytes: entry.size_bytes,
            content: entry.content.as_ref().map(hash),
            target: entry.target.clone(),
        };
        match self.first.get(&sameness) {
            Some(first) => {
                self.later.push((first.clone(), path.clone()));
                true
            }
            None => {
                self.first.insert(sameness, path.clone());
                false
            }
        }
    }

    /// The links that are to be made now, as (first, later).
    pub(super) fn take_later(&mut self) -> Vec<(TreePath, TreePath)> {
        std::mem::take(&mut self.later)
    }
}

/// Files with several names whose content could not be restored.
pub(super) type Spoilt = HashSet<TreePath>;
