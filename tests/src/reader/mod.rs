//! A second reader of the repository format, written from `docs/FORMAT.md` alone.
//!
//! It shares no code with the product, so that a mistake in the document, or in the product's
//! understanding of it, shows as a difference between the two. It is slow, keeps everything in
//! memory, reads local folders only, and gives up at the first thing that is wrong.

pub mod cbor;
pub mod disk;
pub mod key;
pub mod object;
pub mod unlock;
mod epoch;
pub mod pack;
pub mod entry;
pub mod tree;
pub mod snapshot;
pub mod machine;
pub mod cut;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::{Path, PathBuf};

use crate::reader::cbor::Value;
use crate::reader::entry::{Entry, Extent};
use crate::reader::key::{Key, Keys, Suite, hash, id_of};
use crate::reader::object::Config;
use crate::reader::pack::{Listed, Pack, Place};
use crate::reader::snapshot::{Opening, Snapshot};
use crate::reader::unlock::Secret;

/// What went wrong, for people.
pub type Result<T> = std::result::Result<T, String>;

/// Numbers that a node may not exceed.
const NODE_MAX_BYTES: usize = 2 << 20;

/// An opened repository with the tables of all packs.
pub struct Repository {
    folder: PathBuf,
    id: [u8; 16],
    keys: Keys,
    names: Vec<Key>,
    config: Option<Config>,
    chunks: HashMap<[u8; 32], Vec<Place>>,
    packs: Vec<Pack>,
}

impl Repository {
    /// Opens the repository in `folder` and reads its segments, and the footers of packs that no
    /// segment lists.
    ///
    /// # Errors
    /// Says what is wrong.
    pub fn open(folder: &Path, secret: &Secret<'_>) -> Result<Self> {
        let config = object::read_config(folder)?;
        let (bundle, slot) = unlock::unlock(folder, &config.repository, secret, Some(&config))?;
        let suite = Suite::of(config.suite)?;
        let mut keys = Keys::from_bundle(&bundle, suite)?;
        if keys.admin_key != config.admin_key {
            return Err("the bundle belongs to another administrator".to_owned());
        }
        object::check_config_mac(&config, &keys)?;
        let id = config.repository;
        epoch::enter_all(folder, &id, &mut keys, &slot)?;
        let mut opened = Self::without_index(folder, id, keys, Some(config));
        let mut listed = BTreeMap::new();
        for name in opened.coded_below("index")? {
            for pack in opened.read_segment(&name)? {
                listed.insert(pack.name.clone(), pack);
            }
        }
        opened.index_packs(&listed)?;
        Ok(opened)
    }

    /// Opens what is left when only packs and slots are left: no configuration, no segment.
    ///
    /// # Errors
    /// Says what is wrong.
    pub fn recover(folder: &Path, secret: &Secret<'_>) -> Result<Self> {
        let mut names = disk::keys_below(folder, "tree")?;
        names.extend(disk::keys_below(folder, "data")?);
        let first = names.first().ok_or("no pack is left")?;
        let header = pack::read_header(&disk::read(folder, first)?, first)?;
        let (bundle, slot) = unlock::unlock(folder, &header.repository, secret, None)?;
        let mut keys = Keys::from_bundle(&bundle, Suite::of(header.suite)?)?;
        epoch::enter_all(folder, &header.repository, &mut keys, &slot)?;
        let mut opened = Self::without_index(folder, header.repository, keys, None);
        opened.index_packs(&BTreeMap::new())?;
        Ok(opened)
    }

    fn without_index(folder: &Path, id: [u8; 16], keys: Keys, config: Option<Config>) -> Self {
        let folder = folder.to_owned();
        let names = keys.names();
        Self { folder, id, keys, names, config, chunks: HashMap::new(), packs: Vec::new() }
    }

    /// All keys with a right code below `top`, without it.
    fn coded_below(&self, top: &str) -> Result<Vec<String>> {
        disk::coded_below(&self.folder, top, &self.names)
    }

    /// The object whose key is `base` and a code.
    fn read_coded(&self, base: &str) -> Result<Vec<u8>> {
        let keys = self.names.iter().map(|key| disk::coded(base, key));
        let mut answers = keys.map(|key| disk::read(&self.folder, &key));
        answers.find(Result::is_ok).unwrap_or_else(|| Err(format!("{base} is not there")))
    }

    /// The configuration, unless it was lost.
    #[must_use]
    pub fn config(&self) -> Option<&Config> {
        self.config.as_ref()
    }

    /// The keys of the role that opened it.
    #[must_use]
    pub fn keys(&self) -> &Keys {
        &self.keys
    }

    /// How many packs there are.
    #[must_use]
    pub fn pack_count(&self) -> usize {
        self.packs.len()
    }

    /// What a segment lists: of a client that may say so.
    fn read_segment(&self, name: &str) -> Result<Vec<Listed>> {
        let bytes = self.read_coded(name)?;
        let (client, record) = self.client_of(name)?;
        let signer = record.field(2)?.array::<32>()?;
        let packs = pack::read_segment(&bytes, name, &self.id, &self.keys, &signer)?;
        let may_list = |pack: &Listed| match record.field(3)?.uint()? {
            1 => {
                let is_own = pack.name.split('/').nth(1).is_some_and(|s| s.starts_with(&client));
                Ok(is_own && record.field(4)?.uint()? == u64::from(pack.domain))
            }
            2 | 5 => Ok(true),
            _ => Ok::<_, String>(false),
        };
        for pack in &packs {
            if !may_list(pack)? {
                return Err(format!("{name} lists {}, which its client may not", pack.name));
            }
        }
        Ok(packs)
    }

    /// Reads every pack whole: header, hash, table, and compares what a segment says of it.
    fn index_packs(&mut self, listed: &BTreeMap<String, Listed>) -> Result<()> {
        let mut names = disk::keys_below(&self.folder, "data")?;
        names.extend(disk::keys_below(&self.folder, "tree")?);
        for name in listed.keys() {
            if !names.contains(name) {
                return Err(format!("a segment lists the pack {name}, which is missing"));
            }
        }
        for name in names {
            let bytes = disk::read(&self.folder, &name)?;
            let size = bytes.len();
            let pack = Pack::open(bytes, &name, &self.id, &self.keys)?;
            if self.config.is_some() {
                let signer = self.client_of(&name)?.1.field(2)?.array::<32>()?;
                pack.footer.verify(&signer).map_err(|why| format!("{name}: {why}"))?;
            }
            let as_listed = |listed: &Listed| {
                listed.size == size
                    && listed.table == pack.table
                    && listed.domain == pack.domain
                    && listed.footer == pack.footer.hash
            };
            if !listed.get(&name).is_none_or(as_listed) {
                return Err(format!("a segment and the pack {name} differ"));
            }
            let number = self.packs.len();
            for chunk in &pack.table.chunks {
                let place = Place { pack: number, chunk: *chunk };
                self.chunks.entry(chunk.id).or_default().push(place);
            }
            self.packs.push(pack);
        }
        Ok(())
    }

    /// The bytes of a chunk, with its id computed anew.
    fn chunk(&self, kind: u8, id: &[u8; 32]) -> Result<Vec<u8>> {
        let places = self.chunks.get(id).map(Vec::as_slice).unwrap_or_default();
        for place in places {
            let pack = &self.packs[place.pack];
            if pack.kind != kind {
                continue;
            }
            let raw = pack.block(place.chunk.block)?;
            let start = place.chunk.offset as usize;
            let bytes = &raw[start..start + place.chunk.length as usize];
            if id_of(&self.keys.id_key(pack.domain, kind)?, bytes) == *id {
                return Ok(bytes.to_vec());
            }
        }
        Err(format!("chunk {} has no sound copy among {}", disk::hex(id), places.len()))
    }

    fn node(&self, id: &[u8; 32]) -> Result<tree::Node> {
        let bytes = self.chunk(2, id)?;
        if bytes.len() > NODE_MAX_BYTES {
            return Err("a node is too large".to_owned());
        }
        tree::Node::read(&Value::decode(&bytes)?)
    }

    /// The confirmed snapshots in the order of their ids.
    ///
    /// # Errors
    /// Says what is wrong.
    pub fn snapshots(&self) -> Result<Vec<Snapshot>> {
        let names = self.coded_below("snap")?;
        let mut found = Vec::new();
        for name in &names {
            let Some((session, random)) = name.split_once(".commit-") else { continue };
            let bytes = self.read_coded(name)?;
            let contested = names.iter().any(|other| {
                other.starts_with(&format!("{session}.fence-"))
                    || other.starts_with(&format!("{session}.final-"))
                    || (other.starts_with(&format!("{session}.commit-")) && other != name)
            });
            let confirmation = format!("{session}.ok");
            let is_confirmed = match names.contains(&confirmation) {
                true => self.confirms(&confirmation, random, &hash(&bytes))?,
                false => !contested,
            };
            if !is_confirmed {
                continue;
            }
            let record = self.control(name, 3)?;
            let hex = session.trim_start_matches("snap/");
            let epoch = object::epoch_of(&bytes)?;
            let opening = Opening { keys: &self.keys, repository: &self.id, name, epoch };
            found.push(Snapshot::read(&record, &opening, hex, hash(&bytes))?);
        }
        Ok(found)
    }

    /// Whether a confirmation names this commit; of the commit that it names it has the hash.
    fn confirms(&self, name: &str, random: &str, commit: &[u8; 32]) -> Result<bool> {
        let record = self.control(name, 4)?;
        if disk::hex(record.field(2)?.bytes()?) != random {
            return Ok(false);
        }
        match record.field(1)?.bytes()? == commit {
            true => Ok(true),
            false => Err(format!("{name} confirms another commit")),
        }
    }

    /// The client at the front of the session in a key, and its record.
    fn client_of(&self, name: &str) -> Result<(String, Value)> {
        let session = name.split_once('/').map_or("", |(_, rest)| rest);
        let client = session.get(..16).ok_or("a session id is too short")?;
        let client_name = format!("clients/{client}");
        let bytes = self.read_coded(&client_name)?;
        let admin = self.keys.admin_key;
        let record = object::open_control(&bytes, &client_name, 1, &self.id, &self.keys, &admin)?;
        match disk::hex(record.field(0)?.bytes()?) == client {
            true => Ok((client.to_owned(), record)),
            false => Err(format!("{client_name} is the record of another client")),
        }
    }

    /// Reads a control object that the client at the front of its session signed.
    fn control(&self, name: &str, kind: u8) -> Result<Value> {
        let session = name.split_once('/').map_or("", |(_, rest)| rest);
        let signer = self.client_of(name)?.1.field(2)?.array::<32>()?;
        let bytes = self.read_coded(name)?;
        let record = object::open_control(&bytes, name, kind, &self.id, &self.keys, &signer)?;
        let wanted = session.split('.').next().unwrap_or_default();
        let told = if kind == 3 { record.field(0)?.field(1)? } else { record.field(0)? };
        match disk::hex(told.bytes()?) == wanted {
            true => Ok(record),
            false => Err(format!("{name} is the record of another session")),
        }
    }

    /// Reads the record of a session, verified.
    ///
    /// # Errors
    /// Says what is wrong.
    pub fn session(&self, session: &str) -> Result<Value> {
        self.control(&format!("sess/{session}"), 2)
    }

    /// Every entry below a root, in order of their keys.
    ///
    /// # Errors
    /// Says what is wrong.
    pub fn entries(&self, root: &[u8; 32]) -> Result<Vec<Entry>> {
        tree::walk_entries(root, &|id| self.node(id))
    }

    /// Items in each node of each level of a tree, from the leaves up.
    ///
    /// # Errors
    /// Says what is wrong.
    pub fn shape(&self, root: &[u8; 32]) -> Result<Vec<Vec<usize>>> {
        tree::actual_shape(root, &|id| self.node(id))
    }

    /// The extents of a file, wherever they are listed.
    ///
    /// # Errors
    /// Says what is wrong.
    pub fn extents(&self, entry: &Entry) -> Result<Vec<Extent>> {
        match &entry.content {
            Some(entry::Content::Extents(extents)) => Ok(extents.clone()),
            Some(entry::Content::Tree { root, extent_count }) => {
                let found = tree::walk_extents(root, &|id| self.node(id))?;
                match found.len() as u64 == *extent_count {
                    true => Ok(found),
                    false => Err("an extent tree has another number of extents".to_owned()),
                }
            }
            _ => Ok(Vec::new()),
        }
    }

    /// The whole content of a file.
    ///
    /// # Errors
    /// Says what is wrong.
    pub fn content(&self, entry: &Entry) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        if let Some(entry::Content::Inline(inline)) = &entry.content {
            bytes.extend_from_slice(inline);
        }
        for extent in self.extents(entry)? {
            match extent {
                Extent::Hole(length) => bytes.resize(bytes.len() + length as usize, 0),
                Extent::Chunk { id, length } => {
                    let chunk = self.chunk(1, &id)?;
                    if chunk.len() as u64 != length {
                        return Err("a chunk is not as long as its extent".to_owned());
                    }
                    bytes.extend_from_slice(&chunk);
                }
            }
        }
        match bytes.len() as u64 == entry.size {
            true => Ok(bytes),
            false => Err(format!("a file of {} bytes has {}", entry.size, bytes.len())),
        }
    }

    /// Roots of all trees of entries: nodes that no other node names.
    ///
    /// # Errors
    /// Says what is wrong.
    pub fn roots(&self) -> Result<Vec<[u8; 32]>> {
        let mut roots = Vec::new();
        let mut children = HashSet::new();
        for pack in self.packs.iter().filter(|pack| pack.kind == 2) {
            for chunk in &pack.table.chunks {
                let node = self.node(&chunk.id)?;
                children.extend(node.children().iter().map(|child| child.id));
                if node.kind() == tree::KIND_ENTRIES {
                    roots.push(chunk.id);
                }
            }
        }
        roots.retain(|root| !children.contains(root));
        Ok(roots)
    }
}
