//! SQLite: opens a restored database, replays what its log holds, and lets it check itself.

use std::path::Path;
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags};

use crate::probe::verdict::{Limits, Verdict};

/// First bytes of a database.
pub const MAGIC: &[u8; 16] = b"SQLite format 3\0";
/// Findings that SQLite lists before it stops.
const FINDINGS: u32 = 5;

/// Runs `integrity_check`. The file is written to if a journal beside it must be replayed: it is a
/// copy of a drill.
#[must_use]
pub fn look(path: &Path, limits: &Limits) -> Verdict {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let opened = Connection::open_with_flags(path, flags).and_then(|connection| {
        // Nothing in a foreign schema may run anything.
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, false)?;
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_VIEW, false)?;
        connection.pragma_update(None, "cell_size_check", true)?;
        Ok(connection)
    });
    let connection = match opened {
        Ok(connection) => connection,
        Err(error) => return judge(&error),
    };
    let interrupt = connection.get_interrupt_handle();
    let (done, waiting) = sync_channel::<()>(1);
    let checked = std::thread::scope(|scope| {
        scope.spawn(move || {
            let limit = Duration::from_millis(limits.time_ms);
            if waiting.recv_timeout(limit) == Err(RecvTimeoutError::Timeout) {
                interrupt.interrupt();
            }
        });
        let checked = check(&connection);
        drop(done);
        checked
    });
    match checked {
        Ok(findings) if findings.len() == 1 && findings[0] == "ok" => Verdict::Passed,
        Ok(findings) => Verdict::Failed(findings.join("; ")),
        Err(error) => judge(&error),
    }
}

fn check(connection: &Connection) -> Result<Vec<String>, rusqlite::Error> {
    let mut statement = connection.prepare(&format!("PRAGMA integrity_check({FINDINGS})"))?;
    let rows = statement.query_map((), |row| row.get::<_, String>(0))?;
    rows.collect()
}

fn judge(error: &rusqlite::Error) -> Verdict {
    match error.sqlite_error_code() {
        Some(ErrorCode::OperationInterrupted) => {
            Verdict::NotProved("the check took longer than it may".to_owned())
        }
        Some(
            ErrorCode::OutOfMemory
            | ErrorCode::SystemIoFailure
            | ErrorCode::DiskFull
            | ErrorCode::CannotOpen
            | ErrorCode::ReadOnly,
        ) => Verdict::NotProved(error.to_string()),
        _ => Verdict::Failed(error.to_string()),
    }
}
