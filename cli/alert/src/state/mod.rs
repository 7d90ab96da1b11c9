//! What a watcher remembers: tickets with their history, events, and to whom each still has to go.
//!
//! One SQLite file for each organisation. A ticket changes in the same transaction in which its event is
//! put into the queue of every channel; an event leaves a queue when its receiver has said that it has
//! it. Whatever is killed between the two tells it once more, under the same id.

/// Its tables.
mod schema;
/// Rows as values.
mod row;
/// From findings to tickets and events.
mod round;
/// Tickets for people.
mod ticket;
/// Queues.
mod queue;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rusqlite::{Connection, Transaction, TransactionBehavior};

pub use crate::state::queue::{ChannelState, Due, LogRow};
pub use crate::state::round::{Change, Judged, Route};
pub use crate::state::row::{Step, Ticket, TicketState};

/// How long another process is waited for that writes.
const BUSY: Duration = Duration::from_secs(5);

/// Why the state cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// The file or the database failed.
    #[error("the watcher's state {} cannot be used", path.display())]
    Database {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: rusqlite::Error,
    },
    /// A newer program wrote it.
    #[error("the watcher's state {} was written by a newer program (version {version})", path.display())]
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

/// Asked before each write; `false` ends the world there. Only tests have one.
pub type Gate = Arc<dyn Fn() -> bool + Send + Sync>;

/// The state of a watcher about one organisation.
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

    /// Opens the file if it is there.
    ///
    /// # Errors
    /// As [`State::open`].
    pub fn find(path: &Path) -> Result<Option<Self>, StateError> {
        match path.exists() {
            true => Self::open(path).map(Some),
            false => Ok(None),
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
        database.pragma_update(None, "cache_size", -128).map_err(failed)?;
        let version = schema::version(&database).map_err(failed)?;
        if version > schema::VERSION {
            return Err(StateError::Newer { path: path.to_owned(), version });
        }
        let mut state = Self { path: path.to_owned(), database, gate: None };
        if version < schema::VERSION {
            state.write(schema::migrate)?;
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
            let transaction = database.transaction_with_behavior(TransactionBehavior::Immediate)?;
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
