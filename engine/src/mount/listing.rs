//! An open folder: its items one after the other, from any position on.
//!
//! Nothing of a folder is kept but where the reader is, however large it is. A position is the number of
//! the items before it; one that is not where the reader is costs reading from the beginning.

use std::sync::{Arc, Mutex, PoisonError};

use crate::base::path::TreePath;
use crate::format::entry::{Entry, EntryKind};
use crate::mount::blocks::Blocks;
use crate::mount::error::MountError;
use crate::mount::inodes::{Identity, Node, Place};
use crate::mount::scene::{Found, Item, Scene};
use crate::tree::cursor::EntryCursor;
use crate::tree::error::TreeError;

/// One item of a folder.
#[derive(Debug, Clone)]
pub struct Listed {
    /// Its name.
    pub name: Vec<u8>,
    /// What it is.
    pub kind: EntryKind,
    /// What makes its number.
    pub identity: Identity,
    /// What it stands for.
    pub node: Node,
    /// Its entry, if it is in a snapshot and has one.
    pub entry: Option<Arc<Entry>>,
}

/// An open folder.
pub struct Listing<'b> {
    source: Source<'b>,
    state: Mutex<State<'b>>,
}

enum Source<'b> {
    Scene(Vec<Listed>),
    Tree { blocks: &'b Blocks<'b>, place: Arc<Place>, folder: TreePath },
}

struct State<'b> {
    stream: Stream<'b>,
    /// Items that came out of the stream and were taken.
    at: u64,
    /// One that came out and was not taken.
    held: Option<Listed>,
}

enum Stream<'b> {
    Scene(usize),
    Tree(Box<TreeStream<'b>>),
}

struct TreeStream<'b> {
    cursor: EntryCursor<'b>,
    /// The first node that could not be read: said at the end, so that everything else is listed.
    damage: Option<TreeError>,
    is_over: bool,
}

impl<'b> Listing<'b> {
    /// Of a folder that no snapshot has.
    ///
    /// # Errors
    /// [`MountError::NoEntry`] if it is not there any more, [`MountError::NotAFolder`].
    pub fn of_scene(scene: &Scene, path: &[Vec<u8>]) -> Result<Self, MountError> {
        let folder = match scene.at(path).ok_or(MountError::NoEntry)? {
            Found::Folder(folder) => folder,
            _ => return Err(MountError::NotAFolder),
        };
        let items = folder.items().map(|(name, item)| scene_item(path, name, item)).collect();
        let state = State { stream: Stream::Scene(0), at: 0, held: None };
        Ok(Self { source: Source::Scene(items), state: Mutex::new(state) })
    }

    /// Of a folder of a snapshot.
    #[must_use]
    pub fn of_tree(blocks: &'b Blocks<'b>, place: Arc<Place>, folder: TreePath) -> Self {
        let source = Source::Tree { blocks, place, folder };
        let state = State { stream: source.stream(), at: 0, held: None };
        Self { source, state: Mutex::new(state) }
    }

    /// Gives `take` the items from position `from` on, each with the position behind it, until it answers
    /// `false` for one that it did not take.
    ///
    /// # Errors
    /// What could not be read, after everything that could be was taken. A store that does not answer is
    /// asked again when this is called again.
    pub fn each(
        &self,
        from: u64,
        take: &mut dyn FnMut(u64, &Listed) -> bool,
    ) -> Result<(), MountError> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.at != from {
            *state = State { stream: self.source.stream(), at: 0, held: None };
            while state.at < from {
                if self.next(&mut state)?.is_none() {
                    return Ok(());
                }
                state.at += 1;
            }
        }
        let mut taken = 0;
        loop {
            let item = match self.next(&mut state) {
                Ok(Some(item)) => item,
                Ok(None) => return Ok(()),
                // The kernel shows what it has, and comes again.
                Err(_) if taken > 0 => return Ok(()),
                Err(error) => return Err(error),
            };
            if !take(state.at + 1, &item) {
                state.held = Some(item);
                return Ok(());
            }
            state.at += 1;
            taken += 1;
        }
    }

    fn next(&self, state: &mut State<'b>) -> Result<Option<Listed>, MountError> {
        if let Some(held) = state.held.take() {
            return Ok(Some(held));
        }
        match (&self.source, &mut state.stream) {
            (Source::Scene(items), Stream::Scene(at)) => {
                let item = items.get(*at).cloned();
                *at += usize::from(item.is_some());
                Ok(item)
            }
            (Source::Tree { place, folder, .. }, Stream::Tree(stream)) => {
                match stream.next(place, folder) {
                    Err(error) if !error.is_local_to_one_node() => {
                        // Begins anew with the next call.
                        *state = State { stream: self.source.stream(), at: 0, held: None };
                        Err(error.into())
                    }
                    other => Ok(other?),
                }
            }
            _ => Ok(None),
        }
    }
}

impl<'b> Source<'b> {
    fn stream(&self) -> Stream<'b> {
        match self {
            Self::Scene(_) => Stream::Scene(0),
            Self::Tree { blocks, place, folder } => {
                let blocks: &'b Blocks<'b> = blocks;
                let cursor = EntryCursor::from(blocks, place.root, folder);
                Stream::Tree(Box::new(TreeStream { cursor, damage: None, is_over: false }))
            }
        }
    }
}

impl TreeStream<'_> {
    fn next(&mut self, place: &Arc<Place>, folder: &TreePath) -> Result<Option<Listed>, TreeError> {
        while !self.is_over {
            match self.cursor.next() {
                None => self.is_over = true,
                Some(Err(error)) if !error.is_local_to_one_node() => return Err(error),
                Some(Err(error)) => {
                    self.damage.get_or_insert(error);
                    self.is_over = self.cursor.is_past(folder);
                }
                Some(Ok((path, entry))) => {
                    let Some(below) = folder.strip_prefix_of(&path) else {
                        self.is_over = true;
                        break;
                    };
                    let mut names = below.components();
                    let Some(name) = names.next() else { continue };
                    // What lies deeper comes up only where the folder that it is in was not read.
                    let is_own = names.next().is_none();
                    let child = match is_own {
                        true => path.clone(),
                        false => match folder.join(name) {
                            Ok(child) => child,
                            Err(source) => return Err(TreeError::BadPath { source }),
                        },
                    };
                    if !is_own || entry.kind == EntryKind::Directory {
                        self.cursor.skip_below(&child);
                    }
                    let entry = is_own.then(|| Arc::new(entry));
                    return Ok(Some(tree_item(place, name.to_vec(), child, entry)));
                }
            }
        }
        // Once more at the same position, the same is said.
        match &self.damage {
            Some(damage) => Err(TreeError::Unlisted { why: damage.to_string() }),
            None => Ok(None),
        }
    }
}

/// An item of a folder of a snapshot.
#[must_use]
pub fn tree_item(
    place: &Arc<Place>,
    name: Vec<u8>,
    path: TreePath,
    entry: Option<Arc<Entry>>,
) -> Listed {
    let identity = Identity::of_entry(place, &path, entry.as_deref());
    let kind = entry.as_ref().map_or(EntryKind::Directory, |entry| entry.kind);
    Listed { name, kind, identity, node: Node::Entry(Arc::clone(place), path), entry }
}

fn scene_item(folder: &[Vec<u8>], name: &[u8], item: &Item) -> Listed {
    let path: Vec<_> = folder.iter().cloned().chain([name.to_vec()]).collect();
    match item {
        Item::Snapshot(shown) => {
            let place = Arc::new(Place::new(*shown, path));
            tree_item(&place, name.to_vec(), TreePath::root(), None)
        }
        Item::Folder(_) | Item::Link(_) => {
            let is_link = matches!(item, Item::Link(_));
            let kind = if is_link { EntryKind::Symlink } else { EntryKind::Directory };
            let identity = Identity::of_scene(&path);
            Listed { name: name.to_vec(), kind, identity, node: Node::Scene(path), entry: None }
        }
    }
}
