//! Damage to the objects of a repository, and whether anything notices it.
//!
//! A [`Vault`] is a store in memory whose objects are known: each can be spoilt and put back, so
//! that thousands of damages are tried on one repository. Whoever looks is a new process each
//! time: a handle that was opened earlier remembers what it read before the damage.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use engine::base::path::TreePath;
use engine::check::{self, CheckOptions, CheckReport, ReadData};
use engine::format::snapshot::Snapshot;
use engine::index::Index;
use engine::index::catalog;
use engine::repo::Repo;
use engine::repo::open::{Unlock, open};
use engine::restore::{self, RestoreOptions};
use engine::store::Store;
use engine::store::name::ObjectName;
use futures::executor::block_on;
use futures::stream::TryStreamExt;
use object_store::memory::InMemory;
use object_store::{ObjectStore, ObjectStoreExt};

use crate::world::{World, clock, silent};

/// What is done to an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Damage {
    /// One bit is turned.
    Flip {
        /// Which byte.
        at: usize,
        /// Which bit of it.
        bit: u8,
    },
    /// Only the first bytes are left.
    Truncate(usize),
    /// One byte more.
    Append(u8),
    /// All bytes are zero.
    Zero,
    /// It is gone.
    Delete,
    /// Other bytes stand there.
    Replace(Bytes),
}

impl Damage {
    /// The spoilt object; `None` if it is gone.
    #[must_use]
    pub fn apply(&self, original: &Bytes) -> Option<Bytes> {
        let mut bytes = original.to_vec();
        match self {
            Self::Flip { at, bit } => bytes[*at] ^= 1 << bit,
            Self::Truncate(length) => bytes.truncate(*length),
            Self::Append(byte) => bytes.push(*byte),
            Self::Zero => bytes.fill(0),
            Self::Delete => return None,
            Self::Replace(other) => return Some(other.clone()),
        }
        Some(Bytes::from(bytes))
    }
}

/// First word of a key: `config`, `keys`, `data` …; flags with what they say: `snap.ok`.
#[must_use]
pub fn kind_of(key: &str) -> String {
    let folder = key.split(['/', '-']).next().unwrap_or_default();
    match key.rsplit_once('.') {
        Some((_, flag)) => format!("{folder}.{}", flag.split('-').next().unwrap_or_default()),
        None => folder.to_owned(),
    }
}

/// A store whose objects are known.
#[derive(Debug, Clone)]
pub struct Vault {
    /// The store.
    pub inner: Arc<InMemory>,
    /// Its objects as they should be.
    pub objects: BTreeMap<String, Bytes>,
}

impl Vault {
    /// Reads everything in `inner`.
    ///
    /// # Panics
    /// If memory cannot be read.
    #[must_use]
    pub fn of(inner: &Arc<InMemory>) -> Self {
        let mut objects = BTreeMap::new();
        let listed: Vec<_> =
            block_on(inner.list(None).try_collect()).expect("memory can be listed");
        for meta in listed {
            let got = block_on(async { inner.get(&meta.location).await?.bytes().await });
            objects.insert(meta.location.to_string(), got.expect("memory can be read"));
        }
        Self { inner: Arc::clone(inner), objects }
    }

    /// Keys of objects of one kind, as [`kind_of`] names it.
    #[must_use]
    pub fn keys(&self, kind: &str) -> Vec<String> {
        self.objects.keys().filter(|key| kind_of(key) == kind).cloned().collect()
    }

    /// Writes any object, or removes it.
    ///
    /// # Panics
    /// If memory cannot be written.
    pub fn set(&self, key: &str, bytes: Option<Bytes>) {
        let path = object_store::path::Path::from(key);
        match bytes {
            Some(bytes) => {
                block_on(self.inner.put(&path, bytes.into())).expect("memory can be written");
            }
            None => block_on(self.inner.delete(&path)).expect("memory can be written"),
        }
    }

    /// Does damage to one object.
    ///
    /// # Panics
    /// If there is no such object.
    pub fn spoil(&self, key: &str, damage: &Damage) {
        self.set(key, damage.apply(&self.objects[key]));
    }

    /// Puts one object back as it should be.
    pub fn heal(&self, key: &str) {
        self.set(key, self.objects.get(key).cloned());
    }

    /// A new connection to it.
    #[must_use]
    pub fn store(&self) -> Store {
        Store::from_object_store(Arc::clone(&self.inner) as Arc<dyn ObjectStore>, "vault", true)
    }
}

/// A repository in a vault with a source that was backed up.
pub struct Target {
    /// The world, with a warm index.
    pub world: World,
    /// Its store.
    pub vault: Vault,
    /// The folder that was backed up last.
    pub source: std::path::PathBuf,
    /// The newest snapshot.
    pub snapshot: Snapshot,
}

impl Target {
    /// Makes a vault, lets `fill` back up into it, and looks at what it holds then.
    ///
    /// # Panics
    /// If the repository cannot be made.
    #[must_use]
    pub fn new(fill: impl FnOnce(&World) -> std::path::PathBuf) -> Self {
        let inner = Arc::new(InMemory::new());
        let world = World::in_store(Arc::clone(&inner) as Arc<dyn ObjectStore>);
        let source = fill(&world);
        let snapshot = world.newest();
        Self { vault: Vault::of(&inner), world, source, snapshot }
    }

    /// Opens the repository as another process with the recovery words, which cost no stretching.
    ///
    /// # Errors
    /// What opening says, as text.
    pub fn open(&self) -> Result<Repo, String> {
        let store = self.world.repo.store();
        open(store, clock(), &Unlock::Words(&self.world.recovery_words)).map_err(|e| e.to_string())
    }

    /// A full check by another process with `index`.
    ///
    /// # Errors
    /// What opening or the check says, as text.
    pub fn check(&self, index: &Index) -> Result<CheckReport, String> {
        let repo = self.open()?;
        let options = CheckOptions { read_data: ReadData::All, threads: 1 };
        check::run(&repo, index, &options, &silent()).map_err(|error| error.to_string())
    }

    /// What a full check by another process finds; `None` if all is well.
    #[must_use]
    pub fn finding(&self, index: &Index) -> Option<String> {
        match self.check(index) {
            Err(error) => Some(error),
            Ok(report) if report.is_sound() && report.foreign_keys.is_empty() => None,
            Ok(report) => Some(format!("{:?} {:?}", report.damage, report.foreign_keys)),
        }
    }

    /// Restores the newest snapshot by another process with `index`, and proves that nothing in
    /// the target is wrong without being reported. Returns what was reported; `None` if nothing.
    ///
    /// # Panics
    /// If a file is wrong, missing or too much and nobody said so.
    #[must_use]
    pub fn restore(&self, index: &Index) -> Option<String> {
        use std::os::unix::ffi::OsStrExt;
        let repo = match self.open() {
            Ok(repo) => repo,
            Err(error) => return Some(error),
        };
        let refreshed = engine::index::refresh::refresh(&repo, index, &silent());
        if let Err(error) = refreshed {
            return Some(error.to_string());
        }
        let listed = catalog::snapshots(&repo, index).map_err(|error| error.to_string());
        let snapshot = match listed {
            Err(error) => return Some(error),
            Ok(catalog) => {
                let wanted = self.snapshot.session;
                let found = catalog.snapshots.into_iter().find(|s| s.snapshot.session == wanted);
                match found {
                    Some(found) => found.snapshot,
                    None => return Some("the snapshot is not listed".to_owned()),
                }
            }
        };
        assert_eq!(snapshot, self.snapshot, "the record of a snapshot is another");
        let target = tempfile::tempdir_in(self.world.folder.path()).expect("a folder can be made");
        let from = TreePath::from_slashes(self.source.as_os_str().as_bytes())
            .expect("the test wrote a valid path");
        let options = RestoreOptions::default();
        let restored =
            restore::run(&repo, index, &snapshot, &from, target.path(), &options, &silent());
        let report = match restored {
            Ok(report) => report,
            Err(error) => return Some(error.to_string()),
        };
        // Damage to the tree itself is told for everything below a folder.
        let told: Vec<(TreePath, bool)> = report
            .problems
            .iter()
            .map(|problem| (problem.path.clone(), problem.action == "reading the tree below"))
            .collect();
        let is_told = |path: &str| {
            let path = TreePath::from_slashes(path.as_bytes()).expect("it is on disk");
            told.iter()
                .any(|(told, and_below)| *told == path || (*and_below && told.contains(&path)))
        };
        for (path, why) in differences(&self.source, target.path()) {
            // What a restore leaves that has to be gone on with.
            if path.starts_with(engine::disk::stage::STAGE_PREFIX) {
                continue;
            }
            assert!(is_told(&path), "{path} {why}, and the report says only {:?}", report.problems);
        }
        (report.problem_count > 0).then(|| format!("{:?}", report.problems))
    }
}

/// Files below `wanted` and `found` that are not equal, with what is wrong; bytes only.
///
/// # Panics
/// If a folder cannot be read.
#[must_use]
pub fn differences(wanted: &Path, found: &Path) -> Vec<(String, &'static str)> {
    let (wanted, found) = (contents(wanted), contents(found));
    let mut wrong = Vec::new();
    for (path, bytes) in &wanted {
        match found.get(path) {
            None => wrong.push((path.clone(), "is missing")),
            Some(other) if other != bytes => wrong.push((path.clone(), "is other bytes")),
            Some(_) => {}
        }
    }
    let extra = found.keys().filter(|path| !wanted.contains_key(*path));
    wrong.extend(extra.map(|path| (path.clone(), "was not in the snapshot")));
    wrong
}

/// Everything below a folder: bytes of files, targets of links, nothing for the rest.
///
/// # Panics
/// If a folder cannot be read.
#[must_use]
pub fn contents(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    use std::os::unix::ffi::OsStrExt;
    let mut all = BTreeMap::new();
    let mut left = vec![folder.to_owned()];
    while let Some(at) = left.pop() {
        for item in std::fs::read_dir(&at).expect("a folder can be listed") {
            let item = item.expect("a folder can be listed");
            let path = item.path();
            let kind = item.file_type().expect("a name has a kind");
            let below = path.strip_prefix(folder).expect("it lies below");
            let bytes = if kind.is_symlink() {
                let link = std::fs::read_link(&path).expect("a link can be read");
                [b"link to ", link.as_os_str().as_bytes()].concat()
            } else if kind.is_dir() {
                left.push(path.clone());
                b"folder".to_vec()
            } else if kind.is_file() {
                std::fs::read(&path).expect("a file can be read")
            } else {
                b"special".to_vec()
            };
            all.insert(below.to_string_lossy().into_owned(), bytes);
        }
    }
    all
}

/// Positions in an object of `length` bytes: all if there are at most `all_up_to`, otherwise both
/// ends and evenly spread ones between.
#[must_use]
pub fn positions(length: usize, all_up_to: usize) -> Vec<usize> {
    if length <= all_up_to {
        return (0..length).collect();
    }
    let ends = all_up_to / 4;
    let step = (length - 2 * ends).div_ceil(all_up_to / 2).max(1);
    (0..ends).chain((ends..length - ends).step_by(step)).chain(length - ends..length).collect()
}

/// The name that a key spells.
///
/// # Panics
/// If it spells none.
#[must_use]
pub fn name_of(key: &str) -> ObjectName {
    engine::store::code::spelled(key).expect("the key of an object that the engine wrote")
}
