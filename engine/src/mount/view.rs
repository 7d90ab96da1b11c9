//! What the kernel asks, by inode numbers and handles; called from many threads at once.

use std::sync::{Arc, PoisonError, RwLock};

use crossbeam_channel::{Receiver, Sender, bounded};

use crate::base::id::ChunkId;
use crate::base::limits::{
    MOUNT_AHEAD_LOCAL_BYTES, MOUNT_AHEAD_QUEUE_CHUNKS, MOUNT_AHEAD_REMOTE_BYTES,
};
use crate::base::path::TreePath;
use crate::format::entry::{Entry, EntryKind};
use crate::mount::attributes::{Attributes, xattr, xattr_names};
use crate::mount::blocks::Blocks;
use crate::mount::error::MountError;
use crate::mount::file::{Ahead, OpenFile};
use crate::mount::handles::{Handles, Recent};
use crate::mount::inodes::{Identity, Inodes, Node, Place};
use crate::mount::listing::{Listed, Listing};
use crate::mount::scene::{Found, Scene};
use crate::tree::cursor::{find, is_folder};

/// A mounted repository.
pub struct View<'b> {
    blocks: &'b Blocks<'b>,
    scene: RwLock<Arc<Scene>>,
    inodes: Inodes,
    recent: Recent,
    files: Handles<OpenFile>,
    folders: Handles<Listing<'b>>,
    /// User and group to whom folders belong that no snapshot has.
    owner: (u32, u32),
    ahead_bytes: u64,
    wanted: Sender<ChunkId>,
    coming: Receiver<ChunkId>,
}

impl<'b> View<'b> {
    /// Shows `scene`.
    #[must_use]
    pub fn new(blocks: &'b Blocks<'b>, is_local: bool, owner: (u32, u32), scene: Scene) -> Self {
        let (wanted, coming) = bounded(MOUNT_AHEAD_QUEUE_CHUNKS);
        Self {
            blocks,
            scene: RwLock::new(Arc::new(scene)),
            inodes: Inodes::default(),
            recent: Recent::default(),
            files: Handles::default(),
            folders: Handles::default(),
            owner,
            ahead_bytes: if is_local { MOUNT_AHEAD_LOCAL_BYTES } else { MOUNT_AHEAD_REMOTE_BYTES },
            wanted,
            coming,
        }
    }

    /// Shows another scene from now on. What is open stays open.
    pub fn show(&self, scene: Scene) {
        *self.scene.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(scene);
    }

    fn scene(&self) -> Arc<Scene> {
        Arc::clone(&self.scene.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Reads ahead what readers will want; `None` comes from `next` when that is over.
    pub fn read_ahead(&self, next: &dyn Fn(&Receiver<ChunkId>) -> Option<ChunkId>) {
        while let Some(id) = next(&self.coming) {
            // Whoever wants it meets the error.
            let _ = self.blocks.warm(&id);
        }
    }

    /// Whether it is a folder or link that no snapshot has.
    #[must_use]
    pub fn is_scene(&self, inode: u64) -> bool {
        matches!(self.inodes.get(inode), Some(Node::Scene(_)))
    }

    fn node(&self, inode: u64) -> Result<Node, MountError> {
        self.inodes.get(inode).ok_or(MountError::Stale)
    }

    /// What a name in a folder leads to; the kernel holds its number from now on.
    ///
    /// # Errors
    /// [`MountError::NoEntry`]; damage and errors of the store.
    pub fn look_up(&self, folder: u64, name: &[u8]) -> Result<Attributes, MountError> {
        let listed = match self.node(folder)? {
            Node::Scene(path) => self.scene_item(&path, name)?,
            Node::Entry(place, path) => {
                let child = path.join(name).map_err(|_| MountError::NoEntry)?;
                let entry = self.find(&place, &child)?;
                crate::mount::listing::tree_item(&place, name.to_vec(), child, entry)
            }
        };
        self.tell(&listed)
    }

    fn scene_item(&self, folder: &[Vec<u8>], name: &[u8]) -> Result<Listed, MountError> {
        let scene = self.scene();
        let path: Vec<_> = folder.iter().cloned().chain([name.to_vec()]).collect();
        let kind = match scene.at(&path).ok_or(MountError::NoEntry)? {
            Found::Snapshot(shown) => {
                let place = Arc::new(Place::new(shown, path));
                let (name, root) = (name.to_vec(), TreePath::root());
                return Ok(crate::mount::listing::tree_item(&place, name, root, None));
            }
            Found::Folder(_) => EntryKind::Directory,
            Found::Link(_) => EntryKind::Symlink,
        };
        let (name, identity) = (name.to_vec(), Identity::of_scene(&path));
        Ok(Listed { name, kind, identity, node: Node::Scene(path), entry: None })
    }

    /// The entry at a path; `None` for a folder that has none, or whose entry is damaged.
    fn find(&self, place: &Place, path: &TreePath) -> Result<Option<Arc<Entry>>, MountError> {
        if path.is_root() {
            return Ok(None);
        }
        match find(self.blocks, place.root, path) {
            Ok(Some(entry)) => Ok(Some(Arc::new(entry))),
            Ok(None) => Err(MountError::NoEntry),
            Err(error) if error.is_local_to_one_node() => {
                match is_folder(self.blocks, place.root, path) {
                    Ok(Some(true)) => Ok(None),
                    _ => Err(error.into()),
                }
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Attributes of something that the kernel is told of.
    ///
    /// # Errors
    /// [`MountError::NoEntry`] if it is not there any more.
    pub fn tell(&self, listed: &Listed) -> Result<Attributes, MountError> {
        let inode = self.inodes.remember(listed.identity, listed.node.clone());
        if let Some(entry) = &listed.entry {
            self.recent.put(inode, Arc::clone(entry));
        }
        let told = self.describe(inode, &listed.node, listed.entry.as_deref());
        if told.is_err() {
            self.inodes.forget(inode, 1);
        }
        told
    }

    fn describe(
        &self,
        inode: u64,
        node: &Node,
        entry: Option<&Entry>,
    ) -> Result<Attributes, MountError> {
        match (node, entry) {
            (Node::Entry(..), Some(entry)) => Ok(Attributes::of_entry(inode, entry)),
            (Node::Entry(place, path), None) => {
                let folder = Attributes::of_folder(inode, self.owner, place.made);
                // The root of a snapshot is what it is; a damaged entry may be readable again.
                Ok(Attributes { is_lasting: path.is_root(), ..folder })
            }
            (Node::Scene(path), _) => {
                let scene = self.scene();
                match scene.at(path).ok_or(MountError::NoEntry)? {
                    Found::Link(target) => {
                        Ok(Attributes::of_link(inode, self.owner, scene.made, target))
                    }
                    _ => Ok(Attributes::of_folder(inode, self.owner, scene.made)),
                }
            }
        }
    }

    /// The kernel lets go of a number.
    pub fn forget(&self, inode: u64, lookups: u64) {
        self.inodes.forget(inode, lookups);
    }

    /// How many numbers the kernel holds.
    #[must_use]
    pub fn inode_count(&self) -> usize {
        self.inodes.count()
    }

    fn entry(&self, inode: u64, node: &Node) -> Result<Option<Arc<Entry>>, MountError> {
        let Node::Entry(place, path) = node else { return Ok(None) };
        if let Some(entry) = self.recent.get(inode) {
            return Ok(Some(entry));
        }
        let found = self.find(place, path)?;
        if let Some(entry) = &found {
            self.recent.put(inode, Arc::clone(entry));
        }
        Ok(found)
    }

    /// What `stat` says.
    ///
    /// # Errors
    /// [`MountError::NoEntry`] for a folder of ours that is gone; damage and errors of the store.
    pub fn attributes(&self, inode: u64) -> Result<Attributes, MountError> {
        let node = self.node(inode)?;
        let entry = self.entry(inode, &node)?;
        self.describe(inode, &node, entry.as_deref())
    }

    /// Where a link leads.
    ///
    /// # Errors
    /// [`MountError::NotALink`]; damage and errors of the store.
    pub fn link_target(&self, inode: u64) -> Result<Vec<u8>, MountError> {
        let node = self.node(inode)?;
        if let Node::Scene(path) = &node {
            return match self.scene().at(path).ok_or(MountError::NoEntry)? {
                Found::Link(target) => Ok(target.to_vec()),
                _ => Err(MountError::NotALink),
            };
        }
        let entry = self.entry(inode, &node)?.filter(|entry| entry.kind == EntryKind::Symlink);
        entry.and_then(|entry| entry.target.clone()).ok_or(MountError::NotALink)
    }

    /// The names of the extended attributes, each with a zero byte behind.
    ///
    /// # Errors
    /// Damage and errors of the store.
    pub fn xattr_names(&self, inode: u64) -> Result<Vec<u8>, MountError> {
        let node = self.node(inode)?;
        Ok(self.entry(inode, &node)?.map(|entry| xattr_names(&entry)).unwrap_or_default())
    }

    /// The value of an extended attribute.
    ///
    /// # Errors
    /// [`MountError::NoAttribute`]; damage and errors of the store.
    pub fn xattr(&self, inode: u64, name: &[u8]) -> Result<Vec<u8>, MountError> {
        let node = self.node(inode)?;
        let entry = self.entry(inode, &node)?.ok_or(MountError::NoAttribute)?;
        xattr(&entry, name).map(<[u8]>::to_vec)
    }

    /// Opens a file; answers its handle.
    ///
    /// # Errors
    /// [`MountError::NotAFile`], [`MountError::Unread`]; damage and errors of the store.
    pub fn open(&self, inode: u64) -> Result<u64, MountError> {
        let node = self.node(inode)?;
        let entry = self.entry(inode, &node)?.ok_or(MountError::NotAFile)?;
        Ok(self.files.add(OpenFile::new(entry)?))
    }

    /// Bytes of an open file; less than asked for only at its end.
    ///
    /// # Errors
    /// If any of them cannot be read.
    pub fn read(&self, handle: u64, offset: u64, bytes: u32) -> Result<Vec<u8>, MountError> {
        let file = self.files.get(handle).ok_or(MountError::Stale)?;
        let take = |id| self.wanted.try_send(id).is_ok();
        let ahead = Ahead { bytes: self.ahead_bytes, take: &take };
        file.read(self.blocks, &ahead, offset, bytes)
    }

    /// Where data (or a hole) begins in an open file, at or behind `offset`.
    ///
    /// # Errors
    /// [`MountError::NothingBehind`]; damage and errors of the store.
    pub fn seek(&self, handle: u64, offset: u64, is_for_data: bool) -> Result<u64, MountError> {
        let file = self.files.get(handle).ok_or(MountError::Stale)?;
        file.seek(self.blocks, offset, is_for_data)
    }

    /// Closes a file.
    pub fn close(&self, handle: u64) {
        self.files.remove(handle);
    }

    /// Opens a folder; answers its handle.
    ///
    /// # Errors
    /// [`MountError::NotAFolder`], [`MountError::NoEntry`]; damage and errors of the store.
    pub fn open_folder(&self, inode: u64) -> Result<u64, MountError> {
        let node = self.node(inode)?;
        let listing = match &node {
            Node::Scene(path) => Listing::of_scene(&self.scene(), path)?,
            Node::Entry(place, path) => {
                let entry = self.entry(inode, &node)?;
                if entry.is_some_and(|entry| entry.kind != EntryKind::Directory) {
                    return Err(MountError::NotAFolder);
                }
                Listing::of_tree(self.blocks, Arc::clone(place), path.clone())
            }
        };
        Ok(self.folders.add(listing))
    }

    /// Gives `take` the items of an open folder from position `from` on, each with the position behind it,
    /// until it answers `false`. The folder itself and the one above are not among them.
    ///
    /// # Errors
    /// As [`Listing::each`].
    pub fn list(
        &self,
        handle: u64,
        from: u64,
        take: &mut dyn FnMut(u64, &Listed) -> bool,
    ) -> Result<(), MountError> {
        self.folders.get(handle).ok_or(MountError::Stale)?.each(from, take)
    }

    /// Closes a folder.
    pub fn close_folder(&self, handle: u64) {
        self.folders.remove(handle);
    }

    /// The number that an item has, or would have if the kernel were told of it.
    #[must_use]
    pub fn number(&self, listed: &Listed) -> u64 {
        self.inodes.number(listed.identity)
    }

    /// The path of something from the top, for people.
    #[must_use]
    pub fn path_of(&self, inode: u64) -> Vec<u8> {
        match self.inodes.get(inode) {
            Some(Node::Scene(path)) => path.join(&b'/'),
            Some(Node::Entry(place, path)) => [place.path.join(&b'/'), path.to_slashes()].concat(),
            None => Vec::new(),
        }
    }

    /// The number of the folder above.
    #[must_use]
    pub fn number_above(&self, inode: u64) -> u64 {
        let identity = match self.inodes.get(inode) {
            Some(Node::Entry(place, path)) => match path.parent() {
                Some(above) => Identity::of_entry(&place, &above, None),
                None => Identity::of_scene(&place.path[..place.path.len().saturating_sub(1)]),
            },
            Some(Node::Scene(path)) => Identity::of_scene(&path[..path.len().saturating_sub(1)]),
            None => Identity::of_scene(&[]),
        };
        self.inodes.number(identity)
    }
}
