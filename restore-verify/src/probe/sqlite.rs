//! SQLite: opens a restored database, replays what its log holds, and lets it check itself.

use std::fmt::Write;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags};

use crate::probe::verdict::{Limits, Verdict};

/// What belongs to a database, by what is appended to its name.
pub const COMPANIONS: [&str; 2] = ["-wal", "-journal"];
/// First bytes of a database.
pub const MAGIC: &[u8; 16] = b"SQLite format 3\0";
/// Findings that SQLite lists before it stops.
const FINDINGS: u32 = 5;

/// Runs `integrity_check`. The file is written to if a journal beside it must be replayed: then it is a
/// copy of a drill. Without one it is only read.
#[must_use]
pub fn look(path: &Path, limits: &Limits) -> Verdict {
    let opened = open(path).and_then(|connection| {
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

fn open(path: &Path) -> Result<Connection, rusqlite::Error> {
    let has_journal = COMPANIONS.iter().any(|ending| {
        let mut beside = path.as_os_str().to_owned();
        beside.push(ending);
        std::fs::metadata(beside).is_ok_and(|found| found.len() > 0)
    });
    if has_journal {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        return Connection::open_with_flags(path, flags);
    }
    // Nobody writes to it, so it needs neither locks nor files of its own beside it.
    let name = path.as_os_str().as_bytes().iter().fold(String::new(), |mut text, byte| {
        match byte {
            b'/' | b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' => text.push(char::from(*byte)),
            // Writing to a text cannot fail.
            _ => drop(write!(text, "%{byte:02X}")),
        }
        text
    });
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY
        | OpenFlags::SQLITE_OPEN_NO_MUTEX
        | OpenFlags::SQLITE_OPEN_URI;
    Connection::open_with_flags(format!("file:{name}?immutable=1"), flags)
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
