//! A repository with its state folder, made in a few lines, for tests that need a real one.

use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use engine::backup::{self, BackupError, BackupOptions, BackupReport, Source};
use engine::base::id::ClientId;
use engine::base::monitor::Recording;
use engine::base::path::TreePath;
use engine::base::time::{Clock, SystemClock};
use engine::check::{self, CheckError, CheckOptions, CheckReport, ReadData};
use engine::crypt::secret::SecretKey;
use engine::crypt::sign::SigningKey;
use engine::format::slot::{KdfCost, Role};
use engine::format::snapshot::Snapshot;
use engine::index::catalog::{self, Committed};
use engine::index::{Index, IndexError, identity, refresh};
use engine::repo::Repo;
use engine::repo::create::{CreateOptions, create};
use engine::repo::error::RepoError;
use engine::repo::keyring::Identity;
use engine::repo::open::{KeyFile, Unlock, open};
use engine::repo::slots::{self, Wrapping};
use engine::restore::{self, RestoreError, RestoreOptions, RestoreReport};
use engine::store::Store;
use object_store::ObjectStore;
use object_store::memory::InMemory;

use crate::compare::{Difference, compare_with_roots};

/// The passphrase of every world.
pub const PASSPHRASE: &[u8] = b"correct horse battery staple";

/// A repository in some store, opened by its administrator, with a state folder.
pub struct World {
    /// The opened repository.
    pub repo: Repo,
    /// The local index.
    pub index: Index,
    /// Holds the state folder and the sources.
    pub folder: tempfile::TempDir,
    /// Where restores go: not beside the sources, because the folders above a source are in its
    /// snapshots.
    pub out: tempfile::TempDir,
    /// The 24 words, for whoever made the repository.
    pub recovery_words: String,
    /// What was reported so far.
    pub monitor: Recording,
}

/// The clock of every world: that of the system.
#[must_use]
pub fn clock() -> Arc<dyn Clock> {
    Arc::new(SystemClock::default())
}

impl World {
    /// A new repository in memory.
    ///
    /// # Panics
    /// If it cannot be made: tests want that.
    #[must_use]
    pub fn in_memory() -> Self {
        Self::in_store(Arc::new(InMemory::new()))
    }

    /// A new repository in any store, wrapped ones among them.
    ///
    /// # Panics
    /// If it cannot be made.
    #[must_use]
    pub fn in_store(inner: Arc<dyn ObjectStore>) -> Self {
        Self::create(&Store::from_object_store(inner, "test store", true))
    }

    /// A new repository in a store of the engine.
    ///
    /// # Panics
    /// If it cannot be made.
    #[must_use]
    pub fn create(store: &Store) -> Self {
        let monitor = Recording::default();
        let options =
            CreateOptions { cost: KdfCost::FLOOR, probe: false, ..CreateOptions::default() };
        let made = create(store, clock(), PASSPHRASE, &options, &monitor)
            .expect("a repository can be made");
        let mut world = Self::around(made.repo);
        world.recovery_words = made.recovery_words.to_string();
        world
    }

    /// A machine with an empty state folder that works with an opened repository.
    ///
    /// # Panics
    /// If its folders cannot be made.
    #[must_use]
    pub fn around(repo: Repo) -> Self {
        Self::around_in(repo, new_place())
    }

    /// The same with a folder of the test, in which the state is made and other things may be.
    ///
    /// # Panics
    /// If its folders cannot be made.
    #[must_use]
    pub fn around_in(repo: Repo, folder: tempfile::TempDir) -> Self {
        let out = new_place();
        let index =
            open_index(&repo, &folder.path().join("state")).expect("the index can be opened");
        let (recovery_words, monitor) = (String::new(), Recording::default());
        Self { repo, index, folder, out, recovery_words, monitor }
    }

    /// Where the index lies.
    #[must_use]
    pub fn state(&self) -> PathBuf {
        self.folder.path().join("state")
    }

    /// A fresh folder beside the state.
    ///
    /// # Panics
    /// If it cannot be made.
    #[must_use]
    pub fn new_folder(&self, name: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::create_dir_all(&path).expect("a folder can be made");
        path
    }

    /// The same repository opened again through `store`, as another process would.
    ///
    /// # Errors
    /// Those of opening.
    pub fn reopen(&self, store: &Store) -> Result<Repo, RepoError> {
        open(store, clock(), &Unlock::Passphrase(PASSPHRASE))
    }

    /// Another machine with the recovery words of this one's administrator.
    ///
    /// # Errors
    /// Those of opening.
    pub fn another(&self, store: &Store) -> Result<Self, RepoError> {
        open(store, clock(), &Unlock::Words(&self.recovery_words)).map(Self::around)
    }

    /// A key file of some role, and the identity that goes with it if the role writes.
    ///
    /// # Panics
    /// If this is not the administrator's world, or the slot cannot be written.
    #[must_use]
    pub fn cut_key(&self, role: Role, domain: u32) -> KeyFile {
        let identity = matches!(role, Role::Backup | Role::Maintain | Role::Verify).then(|| {
            let mut client = [0; 8];
            getrandom::fill(&mut client).expect("the system has random bytes");
            Identity { client: ClientId::new(client), signing: SigningKey::generate() }
        });
        if let Some(identity) = &identity {
            identity::enrol(&self.repo, identity, role.name(), role, domain)
                .expect("an administrator can enrol");
        }
        let bundle = self.repo.keys().cut_for(role, domain, identity.as_ref());
        let bundle = bundle.expect("only an administrator cuts keys");
        let key = SecretKey::random();
        let created = self.repo.clock().now();
        let slot = slots::add(&self.repo, role.name(), &bundle, &Wrapping::KeyFile(&key), created)
            .expect("a slot can be added");
        KeyFile { repository: self.repo.config().repository, slot, key }
    }

    /// Another machine that opens the repository with a key file.
    ///
    /// # Errors
    /// Those of opening.
    pub fn with_key(store: &Store, key: &KeyFile) -> Result<Self, RepoError> {
        open(store, clock(), &Unlock::KeyFile(key)).map(Self::around)
    }

    /// Forgets the local index and the hints, as if the state folder had been deleted.
    ///
    /// # Panics
    /// If the folder cannot be removed.
    pub fn lose_index(&mut self) {
        self.while_closed(|state| std::fs::remove_dir_all(state).expect("a folder of ours"));
    }

    /// Closes the index, lets `act` do something to the state folder, and opens what is there.
    ///
    /// # Panics
    /// If the index cannot be opened.
    pub fn while_closed(&mut self, act: impl FnOnce(&Path)) {
        let spare = new_place();
        self.index = open_index(&self.repo, spare.path()).expect("a spare index can be opened");
        act(&self.state());
        self.index = open_index(&self.repo, &self.state()).expect("the index can be opened");
    }

    /// Backs up one folder with default options.
    ///
    /// # Errors
    /// Those of the backup.
    pub fn backup(&self, source: &Path) -> Result<BackupReport, BackupError> {
        self.backup_with(source, &options())
    }

    /// Backs up one folder.
    ///
    /// # Errors
    /// Those of the backup.
    pub fn backup_with(
        &self,
        source: &Path,
        options: &BackupOptions,
    ) -> Result<BackupReport, BackupError> {
        let source = Source::Paths(vec![source.to_owned()]);
        backup::run(&self.repo, &self.index, &self.state(), source, options, &self.monitor)
    }

    /// The confirmed snapshots, oldest first.
    ///
    /// # Panics
    /// If they cannot be listed or one is damaged.
    #[must_use]
    pub fn snapshots(&self) -> Vec<Committed> {
        let catalog = catalog::snapshots(&self.repo, &self.index).expect("snapshots can be listed");
        assert!(catalog.damaged.is_empty(), "damaged: {:?}", catalog.damaged);
        catalog.snapshots
    }

    /// The newest snapshot.
    ///
    /// # Panics
    /// If there is none.
    #[must_use]
    pub fn newest(&self) -> Snapshot {
        self.snapshots().pop().expect("there is a snapshot").snapshot
    }

    /// Restores the content of the folder `source` of a snapshot into `target`.
    ///
    /// # Errors
    /// Those of the restore.
    pub fn restore(
        &self,
        snapshot: &Snapshot,
        source: &Path,
        target: &Path,
    ) -> Result<RestoreReport, RestoreError> {
        self.restore_with(snapshot, source, target, &RestoreOptions::default())
    }

    /// Restores with options.
    ///
    /// # Errors
    /// Those of the restore.
    pub fn restore_with(
        &self,
        snapshot: &Snapshot,
        from: &Path,
        target: &Path,
        options: &RestoreOptions,
    ) -> Result<RestoreReport, RestoreError> {
        refresh::refresh(&self.repo, &self.index, &self.monitor)?;
        let from = tree_path(from);
        restore::run(&self.repo, &self.index, snapshot, &from, target, options, &self.monitor)
    }

    /// Restores the folder `source` of a snapshot and says how the result differs from the folder
    /// `like`.
    ///
    /// # Panics
    /// If the restore fails or has problems.
    #[must_use]
    pub fn differences(&self, snapshot: &Snapshot, source: &Path, like: &Path) -> Vec<Difference> {
        let target = tempfile::tempdir_in(self.out.path()).expect("a folder can be made");
        let report = self.restore(snapshot, source, target.path()).expect("the restore runs");
        assert_eq!(report.problems, []);
        compare_with_roots(like, target.path()).expect("both trees can be read")
    }

    /// Restores the folder `source` of the newest snapshot and compares it with what is on disk.
    ///
    /// # Panics
    /// If there is any difference.
    pub fn assert_newest_is(&self, source: &Path) {
        let found = self.differences(&self.newest(), source, source);
        assert!(found.is_empty(), "{found:#?}");
    }

    /// Checks every byte.
    ///
    /// # Panics
    /// If anything is damaged.
    pub fn assert_sound(&self) {
        let report = self.check_all().expect("the check runs");
        assert!(report.is_sound(), "{report:#?}");
    }

    /// Checks everything, every byte.
    ///
    /// # Errors
    /// Those of the check.
    pub fn check_all(&self) -> Result<CheckReport, CheckError> {
        let options = CheckOptions { read_data: ReadData::All, threads: 0 };
        check::run(&self.repo, &self.index, &options, &self.monitor)
    }

    /// Checks what is there without reading content.
    ///
    /// # Errors
    /// Those of the check.
    pub fn check_structure(&self) -> Result<CheckReport, CheckError> {
        let options = CheckOptions { read_data: ReadData::None, threads: 0 };
        check::run(&self.repo, &self.index, &options, &self.monitor)
    }
}

/// Default options of a backup in tests.
#[must_use]
pub fn options() -> BackupOptions {
    BackupOptions { host: "test-host".to_owned(), workers: 2, ..BackupOptions::default() }
}

/// Opens the index of a repository in a folder.
///
/// # Errors
/// Those of the index.
pub fn open_index(repo: &Repo, folder: &Path) -> Result<Index, IndexError> {
    let (index, _) = Index::open(folder, repo.config().repository, repo.clock().now())?;
    Ok(index)
}

/// A folder as its path in a snapshot.
///
/// # Panics
/// If it cannot stand in one.
#[must_use]
pub fn tree_path(path: &Path) -> TreePath {
    TreePath::from_slashes(path.as_os_str().as_bytes()).expect("the test wrote a valid path")
}

/// A temporary folder where others seldom make or remove anything: the folders above a source are
/// in its snapshots with their times, and nearly everybody uses `/tmp`.
///
/// # Panics
/// If it cannot be made.
#[must_use]
pub fn new_place() -> tempfile::TempDir {
    tempfile::tempdir_in("/var/tmp")
        .or_else(|_| tempfile::tempdir())
        .expect("a temporary folder can be made")
}

/// When each folder above `path` last changed. Two backups of one tree are equal only if these
/// were, too, and they do not belong to the test.
///
/// # Panics
/// If one cannot be looked at.
#[must_use]
pub fn stamps_above(path: &Path) -> Vec<(i64, i64)> {
    let look = |folder: &Path| {
        let meta = folder.metadata().expect("a folder that was there a moment ago");
        (meta.ctime(), meta.ctime_nsec())
    };
    path.ancestors().skip(1).map(look).collect()
}

/// A monitor for calls outside a world.
#[must_use]
pub fn silent() -> impl engine::base::monitor::Monitor {
    engine::base::monitor::Silent
}
