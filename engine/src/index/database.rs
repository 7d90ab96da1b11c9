//! The file of the index: opening, recognising, replacing it, and its one writing connection.
//!
//! A write-ahead log lets readers go on while segments are added. A commit need not reach the disk
//! (`synchronous = NORMAL`): after a power failure the index is an older one, which is as good,
//! except for what no store can tell us again; that is written with
//! [`Index::write_durably`].

use std::collections::HashSet;
use std::fs::{DirBuilder, OpenOptions};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags, Transaction, TransactionBehavior};

use crate::base::id::RepositoryId;
use crate::base::limits::{
    INDEX_BUSY_WAIT_MS, INDEX_LOG_KEPT_BYTES, INDEX_WRITER_CACHE_BYTES, KIB,
};
use crate::base::time::Timestamp;
use crate::disk::trust::{self, Purpose};
use crate::index::damage;
use crate::index::error::{Failure, IndexError, is_damage};
use crate::index::fingerprint::fingerprint;
use crate::index::place::Reliable;
use crate::index::schema::{
    ALL_TABLES, APPLICATION_ID, PAGE_BYTES, SCHEMA_VERSION, SMALL_TABLES, TABLES,
};

/// Name of the database in its folder.
const FILE_NAME: &str = "index.sqlite";

/// The local index of one repository.
///
/// Holds the one connection that writes; calls from several threads wait for each other. Look-ups
/// go through [`Index::reader`].
#[derive(Debug)]
pub struct Index {
    connection: Mutex<Connection>,
    pub(crate) shared: Arc<Shared>,
    epoch: Mutex<[u8; 16]>,
}

/// What the writing connection and the readers of this process have in common.
#[derive(Debug)]
pub(crate) struct Shared {
    /// The database file.
    pub(crate) path: PathBuf,
    /// Commits so far: a reader whose view is older renews it.
    pub(crate) commits: AtomicU64,
    /// Rows of packs that must not be relied on, because some collection names them.
    pub(crate) excluded: RwLock<Arc<HashSet<i64>>>,
    /// Rows of packs that must not be relied on, because they are of another dedup domain or of a
    /// client that was revoked, or nobody can tell who listed them.
    pub(crate) foreign: RwLock<Arc<HashSet<i64>>>,
    /// Which packs may be relied on.
    pub(crate) reliable: RwLock<Reliable>,
}

/// How an index was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OpenOutcome {
    /// It was there and belongs to the repository.
    Existing,
    /// There was none; an empty one was made.
    Created,
    /// What was there was no index of this repository and version, or was damaged. An empty one
    /// was made in its place.
    Replaced {
        /// Where the old file is now.
        moved_to: PathBuf,
        /// What was wrong with it.
        why: String,
    },
}

impl Index {
    /// Opens `folder/index.sqlite`, and makes folder (mode 0700) and file (0600) if need be.
    ///
    /// A file that is not an index of this `repository` and of this version, or that is damaged,
    /// is renamed to `index.sqlite.bad-<seconds of now>` and a fresh one made. The whole file is
    /// read only if an earlier use met damage; otherwise the small tables are.
    ///
    /// # Errors
    /// [`IndexError::File`] and [`IndexError::Database`] if the folder or the file cannot be used,
    /// also when another process keeps the database busy.
    pub fn open(
        folder: &Path,
        repository: RepositoryId,
        now: Timestamp,
    ) -> Result<(Self, OpenOutcome), IndexError> {
        make_folder(folder)?;
        // Absolute, so that no name of a folder is ever read as a database URI.
        let folder = std::path::absolute(folder).map_err(IndexError::file("finding", folder))?;
        let path = folder.join(FILE_NAME);
        let exists = path.try_exists().map_err(IndexError::file("finding", &path))?;
        check_trust(&path)?;
        let (connection, outcome) = if exists {
            match examine(&path, repository)? {
                Examined::Sound(connection) => (connection, OpenOutcome::Existing),
                Examined::Unusable(why) => {
                    let moved_to = damage::move_aside(&path, now)?;
                    (create(&path, repository)?, OpenOutcome::Replaced { moved_to, why })
                }
            }
        } else {
            (create(&path, repository)?, OpenOutcome::Created)
        };
        let epoch = connection
            .query_row("SELECT epoch FROM identity", (), |row| row.get(0))
            .map_err(|source| opening(&path, source))?;
        let shared = Arc::new(Shared {
            path,
            commits: AtomicU64::new(0),
            excluded: RwLock::default(),
            foreign: RwLock::default(),
            reliable: RwLock::default(),
        });
        let index = Self { connection: Mutex::new(connection), shared, epoch: Mutex::new(epoch) };
        Ok((index, outcome))
    }

    /// The folder that the database lies in.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.shared.path.parent().unwrap_or(Path::new("/"))
    }

    /// Random bytes, drawn when this database was made or cleared. While they are the same,
    /// nothing that was ever in the index has been removed.
    #[must_use]
    pub fn epoch(&self) -> [u8; 16] {
        *self.epoch.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Forgets segments, packs, chunks and clients, and draws a new epoch. The history of runs, the
    /// settings, the identity and the marks stay, and the snapshots that were seen: that one of them
    /// is gone is what a store that was put back does not tell.
    ///
    /// # Errors
    /// [`IndexError`] if the database fails; then nothing is forgotten.
    pub fn clear(&self) -> Result<(), IndexError> {
        let epoch = draw_epoch()?;
        self.write(|transaction| {
            transaction.execute_batch(
                "DELETE FROM segment; DELETE FROM closed_segment; DELETE FROM chunk; DELETE FROM part; DELETE FROM pack;
                 DELETE FROM client;",
            )?;
            transaction.execute("UPDATE identity SET epoch = ?1", [epoch])?;
            Ok(())
        })?;
        self.set_epoch(epoch);
        Ok(())
    }

    /// The new epoch after something was removed in a transaction that drew it.
    pub(crate) fn set_epoch(&self, epoch: [u8; 16]) {
        *self.epoch.lock().unwrap_or_else(PoisonError::into_inner) = epoch;
    }

    /// Runs `work` in one transaction; an error undoes all of it.
    pub(crate) fn write<T>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, Failure>,
    ) -> Result<T, IndexError> {
        let mut connection = self.connection();
        let done = transact(&mut connection, work).map_err(self.shared.failed("writing"))?;
        self.shared.commits.fetch_add(1, Ordering::Release);
        Ok(done)
    }

    /// As [`Index::write`], and the disk has it when this returns.
    pub(crate) fn write_durably<T>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, Failure>,
    ) -> Result<T, IndexError> {
        let mut connection = self.connection();
        let set = |connection: &Connection, level: &str| {
            let set = connection.pragma_update(None, "synchronous", level);
            set.map_err(|error| self.shared.failed("writing")(error.into()))
        };
        set(&connection, "FULL")?;
        let done = transact(&mut connection, work).map_err(self.shared.failed("writing"));
        set(&connection, "NORMAL")?;
        self.shared.commits.fetch_add(1, Ordering::Release);
        done
    }

    /// Reads through the writing connection: for small things that are asked rarely.
    pub(crate) fn read<T>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, Failure>,
    ) -> Result<T, IndexError> {
        work(&self.connection()).map_err(self.shared.failed("reading"))
    }

    fn connection(&self) -> MutexGuard<'_, Connection> {
        // A thread that panicked inside dropped its transaction, which undid it.
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shared {
    /// Puts the file and what was done to it to a failure, and marks a file that seems damaged.
    pub(crate) fn failed(&self, action: &'static str) -> impl FnOnce(Failure) -> IndexError {
        let path = self.path.clone();
        move |failure| match failure {
            Failure::Index(error) => error,
            Failure::Unreadable(what) => {
                damage::suspect(&path);
                IndexError::Damaged { path, what }
            }
            Failure::Sql(source) => {
                if is_damage(&source) {
                    damage::suspect(&path);
                }
                IndexError::Database { action, path, source }
            }
        }
    }
}

fn transact<T>(
    connection: &mut Connection,
    work: impl FnOnce(&Transaction<'_>) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let done = work(&transaction)?;
    transaction.commit()?;
    Ok(done)
}

enum Examined {
    Sound(Connection),
    Unusable(String),
}

/// Opens an existing file and finds out whether it can be used.
fn examine(path: &Path, repository: RepositoryId) -> Result<Examined, IndexError> {
    let length = path.metadata().map_err(IndexError::file("finding", path))?.len();
    if length == 0 {
        return Ok(Examined::Unusable("the file is empty".to_owned()));
    }
    let unusable = match look_inside(path, repository) {
        Ok(Ok(connection)) => return Ok(Examined::Sound(connection)),
        Ok(Err(why)) => why,
        Err(error) if is_outside_trouble(path, &error) => return Err(opening(path, error)),
        Err(error) => error.to_string(),
    };
    Ok(Examined::Unusable(unusable))
}

/// The checks of [`examine`] in order; the inner error says why the file is not ours.
fn look_inside(
    path: &Path,
    repository: RepositoryId,
) -> Result<Result<Connection, String>, rusqlite::Error> {
    let connection = connect(path)?;
    let number = |name| connection.pragma_query_value(None, name, |row| row.get::<_, i32>(0));
    // Before anything is written: a foreign file is put aside as it is.
    if number("application_id")? != APPLICATION_ID {
        return Ok(Err("it is not an index of this program".to_owned()));
    }
    let version = number("user_version")?;
    if version != SCHEMA_VERSION {
        return Ok(Err(format!("its version is {version}, this program's {SCHEMA_VERSION}")));
    }
    if connection.is_readonly("main")? {
        return Err(rusqlite::Error::SqliteFailure(
            rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_READONLY),
            None,
        ));
    }
    configure(&connection)?;
    for table in ALL_TABLES {
        connection.prepare(&format!("SELECT 1 FROM {table} LIMIT 1"))?.exists(())?;
    }
    let found: [u8; 16] =
        connection.query_row("SELECT repository FROM identity", (), |row| row.get(0))?;
    if found != *repository.as_bytes() {
        return Ok(Err(format!("it belongs to repository {}", RepositoryId::new(found))));
    }
    if damage::is_suspect(path) {
        check(&connection, "PRAGMA integrity_check(1)")?;
        // The structure may be sound and a value wrong: without this look at the content, the same
        // value would be met again after every open.
        match fingerprint(&connection) {
            Ok(_) => {}
            Err(Failure::Sql(error)) => return Err(error),
            Err(Failure::Unreadable(what)) => return Ok(Err(format!("{what} is damaged"))),
            Err(Failure::Index(error)) => return Ok(Err(error.to_string())),
        }
        if damage::clear_suspicion(path).is_err() {
            return Ok(Err("the mark of an earlier damage cannot be removed".to_owned()));
        }
    } else {
        for table in SMALL_TABLES {
            check(&connection, &format!("PRAGMA quick_check({table})"))?;
        }
    }
    Ok(Ok(connection))
}

fn check(connection: &Connection, pragma: &str) -> Result<(), rusqlite::Error> {
    let verdict: String = connection.query_row(pragma, (), |row| row.get(0))?;
    if verdict == "ok" {
        return Ok(());
    }
    Err(rusqlite::Error::SqliteFailure(
        rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_CORRUPT),
        Some(verdict),
    ))
}

/// Whether the file may be sound and something else is in the way: then it must not be moved.
fn is_outside_trouble(path: &Path, error: &rusqlite::Error) -> bool {
    match error.sqlite_error_code() {
        Some(
            ErrorCode::DatabaseBusy
            | ErrorCode::DatabaseLocked
            | ErrorCode::SystemIoFailure
            | ErrorCode::CannotOpen
            | ErrorCode::DiskFull
            | ErrorCode::OutOfMemory
            | ErrorCode::PermissionDenied
            | ErrorCode::OperationInterrupted
            | ErrorCode::FileLockingProtocolFailed
            | ErrorCode::NoLargeFileSupport,
        ) => true,
        // A header can say "read only"; so can the system.
        Some(ErrorCode::ReadOnly) => OpenOptions::new().append(true).open(path).is_err(),
        _ => false,
    }
}

/// Makes an empty index for `repository`.
fn create(path: &Path, repository: RepositoryId) -> Result<Connection, IndexError> {
    let epoch = draw_epoch()?;
    OpenOptions::new()
        .append(true)
        .create(true)
        .mode(0o600)
        .open(path)
        .map_err(IndexError::file("creating", path))?;
    let fill = || {
        let mut connection = connect(path)?;
        connection.pragma_update(None, "page_size", PAGE_BYTES)?;
        configure(&connection)?;
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        // Another process may have made it a moment ago.
        if !transaction.prepare("SELECT 1 FROM sqlite_schema")?.exists(())? {
            transaction.execute_batch(TABLES)?;
            transaction.execute(
                "INSERT INTO identity (one, repository, epoch) VALUES (1, ?1, ?2)",
                (repository.as_bytes(), epoch),
            )?;
            transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
            transaction.pragma_update(None, "user_version", SCHEMA_VERSION)?;
        }
        transaction.commit()?;
        Ok(connection)
    };
    fill().map_err(|source| opening(path, source))
}

fn connect(path: &Path) -> Result<Connection, rusqlite::Error> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    prepare_connection(&connection)?;
    Ok(connection)
}

/// What every connection needs, whatever it is for.
pub(crate) fn prepare_connection(connection: &Connection) -> Result<(), rusqlite::Error> {
    connection.busy_timeout(Duration::from_millis(INDEX_BUSY_WAIT_MS))?;
    // Otherwise SQLite plans a join anew whenever another value is bound, which makes a look-up
    // five times slower.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    connection.pragma_update(None, "trusted_schema", false)
}

fn configure(connection: &Connection) -> Result<(), rusqlite::Error> {
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    connection.pragma_update(None, "cell_size_check", true)?;
    connection.pragma_update(None, "journal_size_limit", INDEX_LOG_KEPT_BYTES as i64)?;
    // Negative: KiB instead of pages.
    connection.pragma_update(None, "cache_size", -((INDEX_WRITER_CACHE_BYTES / KIB) as i64))
}

pub(crate) fn make_folder(folder: &Path) -> Result<(), IndexError> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .map_err(IndexError::file("creating", folder))?;
    check_trust(folder)
}

/// What somebody else put there is not believed: entries that the next backup takes over come from it.
fn check_trust(path: &Path) -> Result<(), IndexError> {
    match std::fs::metadata(path) {
        Ok(found) => Ok(trust::judge(path, &found, Purpose::Instruction)?),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(IndexError::file("looking at", path)(error)),
    }
}

pub(crate) fn draw_epoch() -> Result<[u8; 16], IndexError> {
    let mut epoch = [0; 16];
    getrandom::fill(&mut epoch).map_err(|error| IndexError::Random { source: error.into() })?;
    Ok(epoch)
}

fn opening(path: &Path, source: rusqlite::Error) -> IndexError {
    IndexError::Database { action: "opening", path: path.to_owned(), source }
}

#[cfg(test)]
mod tests;
