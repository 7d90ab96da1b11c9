//! What a machine remembers of its nights: slots that were taken, runs and how they ended.
//!
//! One SQLite file for each organisation. A slot is written down before anything begins, and each part
//! of a run when it has ended; whatever is killed in between finds out what was done and goes on from
//! there. Losing the file costs one more backup, never data.

/// Its tables.
mod schema;
/// Rows as values.
mod row;
/// What is written.
mod write;
/// What is read.
mod read;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use engine::base::error::{Classified, ErrorClass};
use rusqlite::{Connection, OpenFlags, Transaction};

pub use crate::state::row::{Facts, PartRow, Phase, RunRow};
pub use crate::state::write::Gap;

/// How long another process is waited for that writes.
const BUSY: Duration = Duration::from_secs(5);

/// Why the state cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// The file or the database failed.
    #[error("the agent's state {} cannot be used", path.display())]
    Database {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: rusqlite::Error,
    },
    /// A newer program wrote it.
    #[error("the agent's state {} was written by a newer program (version {version})", path.display())]
    Newer {
        /// Which file.
        path: PathBuf,
        /// Its version.
        version: i64,
    },
    /// The world ended here, as a test wanted.
    #[error("ended by a test")]
    Ended,
}

impl Classified for StateError {
    fn class(&self) -> ErrorClass {
        match self {
            Self::Newer { .. } => ErrorClass::Newer,
            Self::Database { .. } | Self::Ended => ErrorClass::Local,
        }
    }
}

/// Asked before each write; `false` ends the world there. Only tests have one.
pub type Gate = Arc<dyn Fn() -> bool + Send + Sync>;

/// The state of one organisation on one machine.
pub struct State {
    path: PathBuf,
    database: Connection,
    gate: Option<Gate>,
}

impl std::fmt::Debug for State {
    fn fmt(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        to.debug_struct("State").field("path", &self.path).finish_non_exhaustive()
    }
}

impl State {
    /// Opens the file, which is made if need be; its folder must be there.
    ///
    /// # Errors
    /// [`StateError`] if it cannot be used, or was written by a newer program.
    pub fn open(path: &Path) -> Result<Self, StateError> {
        let database = Connection::open(path).map_err(|source| failed(path, source))?;
        Self::prepare(path, database)
    }

    /// Opens the file to look at it only; `None` if there is none.
    ///
    /// # Errors
    /// As [`State::open`].
    pub fn look_at(path: &Path) -> Result<Option<Self>, StateError> {
        if !path.exists() {
            return Ok(None);
        }
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let failed = |source| failed(path, source);
        let database = Connection::open_with_flags(path, flags).map_err(failed)?;
        database.busy_timeout(BUSY).map_err(failed)?;
        match schema::version(&database).map_err(failed)? {
            0 => Ok(None),
            version if version > schema::VERSION => {
                Err(StateError::Newer { path: path.to_owned(), version })
            }
            _ => Ok(Some(Self { path: path.to_owned(), database, gate: None })),
        }
    }

    /// A state that is nowhere.
    ///
    /// # Errors
    /// [`StateError::Database`] if there is no memory for it.
    pub fn in_memory() -> Result<Self, StateError> {
        let path = Path::new(":memory:");
        let database = Connection::open_in_memory().map_err(|source| failed(path, source))?;
        Self::prepare(path, database)
    }

    /// The same with a gate before each write.
    #[must_use]
    pub fn gated(mut self, gate: Gate) -> Self {
        self.gate = Some(gate);
        self
    }

    fn prepare(path: &Path, database: Connection) -> Result<Self, StateError> {
        let failed = |source| failed(path, source);
        database.busy_timeout(BUSY).map_err(failed)?;
        database.pragma_update(None, "journal_mode", "WAL").map_err(failed)?;
        database.pragma_update(None, "synchronous", "FULL").map_err(failed)?;
        // Many organisations lie side by side in one process.
        database.pragma_update(None, "cache_size", -128).map_err(failed)?;
        let version = schema::version(&database).map_err(failed)?;
        if version > schema::VERSION {
            return Err(StateError::Newer { path: path.to_owned(), version });
        }
        let mut state = Self { path: path.to_owned(), database, gate: None };
        if version < schema::VERSION {
            state.write(|transaction| schema::migrate(transaction, version))?;
        }
        Ok(state)
    }

    /// Everything that is written goes through here, in one transaction that is on the disk afterwards.
    fn write<T>(
        &mut self,
        work: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T>,
    ) -> Result<T, StateError> {
        if self.gate.as_ref().is_some_and(|gate| !gate()) {
            return Err(StateError::Ended);
        }
        let path = &self.path;
        let run = |database: &mut Connection| {
            let transaction =
                database.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
            let answer = work(&transaction)?;
            transaction.commit()?;
            Ok(answer)
        };
        run(&mut self.database).map_err(|source| failed(path, source))
    }

    fn read<T>(
        &self,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, StateError> {
        work(&self.database).map_err(|source| failed(&self.path, source))
    }
}

fn failed(path: &Path, source: rusqlite::Error) -> StateError {
    StateError::Database { path: path.to_owned(), source }
}
