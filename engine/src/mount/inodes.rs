//! Inode numbers, and what they stand for.
//!
//! A number is a hash of what it stands for, so it is the same in the next mount. Hard links share one.
//! Known are those alone that the kernel holds.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use minicbor::Encode;

use crate::base::id::{ChunkId, SessionId};
use crate::base::path::TreePath;
use crate::base::time::Timestamp;
use crate::crypt::hash::digest;
use crate::format::entry::{Entry, EntryKind};
use crate::mount::scene::Shown;

/// The number of the folder at the top.
pub const TOP: u64 = 1;

/// A snapshot at one of the places where it is shown.
#[derive(Debug, PartialEq, Eq)]
pub struct Place {
    /// Which.
    pub session: SessionId,
    /// The root of its tree.
    pub root: ChunkId,
    /// When it was made.
    pub made: Timestamp,
    /// Its path from the top. A folder can have one parent only, so each place has numbers of its own.
    pub path: Vec<Vec<u8>>,
}

impl Place {
    /// A snapshot at a path from the top.
    #[must_use]
    pub fn new(shown: Shown, path: Vec<Vec<u8>>) -> Self {
        Self { session: shown.session, root: shown.root, made: shown.made, path }
    }
}

/// What a number stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Node {
    /// A folder or link that no snapshot has, by its path from the top.
    Scene(Vec<Vec<u8>>),
    /// Something in a snapshot; its root is the snapshot's folder.
    Entry(Arc<Place>, TreePath),
}

/// What makes a number: a hash, of which the other half tells two apart whose numbers are equal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Identity {
    number: u64,
    check: u64,
}

impl Identity {
    fn of(kind: u8, parts: &[&[u8]]) -> Self {
        let mut bytes = vec![kind];
        for part in parts {
            bytes.extend((part.len() as u64).to_le_bytes());
            bytes.extend(*part);
        }
        let digest = digest(&bytes);
        let hash = digest.as_bytes();
        let half = |from: usize| {
            hash[from..from + 8].iter().fold(0, |number: u64, byte| number << 8 | u64::from(*byte))
        };
        // 0 is none, and 1 the top.
        Self { number: half(0).max(TOP + 1), check: half(8) }
    }

    /// Of a folder or link that no snapshot has.
    #[must_use]
    pub fn of_scene(path: &[Vec<u8>]) -> Self {
        match path {
            [] => Self { number: TOP, check: 0 },
            _ => Self::of(0, &path.iter().map(Vec::as_slice).collect::<Vec<_>>()),
        }
    }

    /// Of an entry, if there is one, at a path of a snapshot.
    #[must_use]
    pub fn of_entry(place: &Place, path: &TreePath, entry: Option<&Entry>) -> Self {
        let top = place.path.join(&b'/');
        let session = place.session.to_snapshot_hex();
        if let Some(entry) = entry.filter(|entry| entry.link_count > 1)
            && entry.kind != EntryKind::Directory
            && let Some(facts) = link_facts(entry)
        {
            return Self::of(2, &[&top, session.as_bytes(), &facts]);
        }
        match path.is_root() {
            // What lies there is another folder once another snapshot does.
            true => Self::of(3, &[&top, session.as_bytes()]),
            false => Self::of(1, &[&top, session.as_bytes(), path.key()]),
        }
    }
}

/// What all names of one file have in common. Content is among it: a record that joins what differs would
/// show one file for the other.
fn link_facts(entry: &Entry) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut encoder = minicbor::Encoder::new(&mut bytes);
    encoder.u64(entry.device).ok()?.u64(entry.inode).ok()?.u64(entry.size_bytes).ok()?;
    entry.kind.encode(&mut encoder, &mut ()).ok()?;
    entry.content.encode(&mut encoder, &mut ()).ok()?;
    entry.target.as_deref().unwrap_or_default().encode(&mut encoder, &mut ()).ok()?;
    Some(bytes)
}

/// The numbers that the kernel holds.
#[derive(Default)]
pub struct Inodes {
    known: Mutex<HashMap<u64, Known>>,
}

struct Known {
    check: u64,
    node: Node,
    /// How often the kernel was told of it.
    lookups: u64,
}

impl Inodes {
    fn lock(&self) -> MutexGuard<'_, HashMap<u64, Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The number of something that the kernel is told of.
    pub fn remember(&self, identity: Identity, node: Node) -> u64 {
        let mut known = self.lock();
        let number = free(&known, identity);
        if number != TOP {
            let new = || Known { check: identity.check, node, lookups: 0 };
            known.entry(number).or_insert_with(new).lookups += 1;
        }
        number
    }

    /// The number that something has, or would have.
    #[must_use]
    pub fn number(&self, identity: Identity) -> u64 {
        free(&self.lock(), identity)
    }

    /// What a number stands for.
    #[must_use]
    pub fn get(&self, number: u64) -> Option<Node> {
        match number {
            TOP => Some(Node::Scene(Vec::new())),
            _ => self.lock().get(&number).map(|known| known.node.clone()),
        }
    }

    /// The kernel lets go of a number, so many times.
    pub fn forget(&self, number: u64, lookups: u64) {
        let mut known = self.lock();
        if let Some(one) = known.get_mut(&number) {
            one.lookups = one.lookups.saturating_sub(lookups);
            if one.lookups == 0 {
                known.remove(&number);
            }
        }
    }

    /// How many are known.
    #[must_use]
    pub fn count(&self) -> usize {
        self.lock().len()
    }
}

/// The number of `identity`, or the next that stands for nothing else.
fn free(known: &HashMap<u64, Known>, identity: Identity) -> u64 {
    let mut number = identity.number;
    while known.get(&number).is_some_and(|one| one.check != identity.check) {
        number = number.wrapping_add(1).max(TOP + 1);
    }
    number
}
