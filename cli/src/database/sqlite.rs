//! Files of SQLite: copied through its own backup interface, so that a write-ahead log and writers beside
//! it do no harm, and looked at before they are stored.

use std::collections::BTreeSet;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::backup::{Backup, StepResult};
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use crate::database::dump::{Check, Current, Origin, Producer};
use crate::database::manifest::{Database, FILE, Manifest, Rows, Table};
use crate::database::name;
use crate::database::toc::Contents;
use crate::fault::{ExitCode, Fault};
use crate::ui::cancel::Cancel;

/// Pages that are copied before it is looked whether to stop.
const STEP_PAGES: i32 = 4096;
/// A writer is waited for so long.
const BUSY: Duration = Duration::from_secs(30);
/// The beginning of every file of SQLite.
pub const MAGIC: &[u8] = b"SQLite format 3\0";

/// Dumps files.
pub struct SqliteDump {
    scratch: PathBuf,
    cancel: Cancel,
}

/// Looks at files; their names must be absolute.
///
/// # Errors
/// A fault of usage for one that is not there or is none of SQLite.
pub fn look(
    files: &[PathBuf],
    scratch: &Path,
    cancel: &Cancel,
) -> Result<(SqliteDump, Vec<Database>, Manifest), Fault> {
    let (mut databases, mut taken) = (Vec::new(), BTreeSet::from([FILE.to_owned()]));
    for path in files {
        let shown = path
            .to_str()
            .ok_or_else(|| Fault::usage(format!("the name of {} is not UTF-8", path.display())))?;
        open(path)?;
        let last = path.file_name().unwrap_or_default().to_string_lossy();
        let file = name::file(&last, "sqlite", &taken);
        taken.insert(file.clone());
        databases.push(Database {
            name: shown.to_owned(),
            file,
            form: "sqlite".to_owned(),
            ..Database::default()
        });
    }
    let manifest = Manifest {
        server_version: rusqlite::version().to_owned(),
        tool_version: format!("SQLite {}", rusqlite::version()),
        ..Manifest::default()
    };
    Ok((SqliteDump { scratch: scratch.to_owned(), cancel: cancel.clone() }, databases, manifest))
}

/// Opens a file to read it, with everything off that its content could set off.
///
/// # Errors
/// A fault if it is not there or is none of SQLite.
pub fn open(path: &Path) -> Result<Connection, Fault> {
    if !path.is_file() {
        return Err(Fault::usage(format!("{} is no file", path.display()))
            .hint("`mainstay database detect` lists the files of SQLite that it finds"));
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let opened = || -> rusqlite::Result<Connection> {
        let connection = Connection::open_with_flags(path, flags)?;
        connection.busy_timeout(BUSY)?;
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
        connection.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))?;
        Ok(connection)
    };
    opened().map_err(|error| failed(path, "cannot be read as a database of SQLite", &error))
}

fn failed(path: &Path, what: &str, error: &rusqlite::Error) -> Fault {
    let words = format!("{} {what}", path.display());
    Fault::new(ExitCode::Failed, "E_DATABASE", words).because(error)
}

/// Whether a file is whole, in SQLite's own words if it is not.
///
/// # Errors
/// A fault if that cannot be found out.
pub fn integrity(connection: &Connection, path: &Path) -> Result<Option<String>, Fault> {
    let checked = connection
        .query_row("PRAGMA integrity_check(1)", [], |row| row.get::<_, String>(0))
        .map_err(|error| failed(path, "cannot be checked", &error))?;
    Ok((checked != "ok").then_some(checked))
}

/// Rows of all tables by name; virtual ones have none of their own.
///
/// # Errors
/// A fault if they cannot be counted.
pub fn count(connection: &Connection, path: &Path) -> Result<Rows, Fault> {
    let counted = || -> rusqlite::Result<Rows> {
        let mut names = connection.prepare(
            "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' \
             ESCAPE '\\' AND sql NOT LIKE 'CREATE VIRTUAL%' ORDER BY name",
        )?;
        let names: Vec<String> =
            names.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
        let mut rows = Rows::new();
        for table in names {
            let sql = format!("SELECT count(*) FROM {}", name::identifier(&table));
            let count: i64 = connection.query_row(&sql, [], |row| row.get(0))?;
            rows.insert((String::new(), table), u64::try_from(count).unwrap_or_default());
        }
        Ok(rows)
    };
    counted().map_err(|error| failed(path, "cannot be counted", &error))
}

impl SqliteDump {
    /// Copies one state of a file, whoever writes to it meanwhile.
    fn copy(&self, path: &Path, to: &Path) -> Result<(), Fault> {
        let source = open(path)?;
        let copied = || -> rusqlite::Result<bool> {
            // A transaction that stays open sees one state: otherwise each writer would begin the
            // copy anew.
            source.execute_batch("BEGIN")?;
            source.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))?;
            let mut target = Connection::open(to)?;
            let backup = Backup::new(&source, &mut target)?;
            loop {
                if self.cancel.is_set() {
                    return Ok(false);
                }
                match backup.step(STEP_PAGES)? {
                    StepResult::Done => return Ok(true),
                    StepResult::Busy | StepResult::Locked => {
                        std::thread::sleep(Duration::from_millis(20));
                    }
                    _ => {}
                }
            }
        };
        match copied() {
            Ok(true) => Ok(()),
            Ok(false) => Err(Fault::interrupted()),
            Err(error) => Err(failed(path, "cannot be copied", &error)),
        }
    }
}

impl Producer for SqliteDump {
    fn begin(&mut self, database: &mut Database) -> Result<Current, Fault> {
        let path = PathBuf::from(&database.name);
        let folder = tempfile::Builder::new().prefix("mainstay-dump-").tempdir_in(&self.scratch);
        let unwritable = |error: std::io::Error| {
            Fault::local(format!("cannot write to {}", self.scratch.display()))
                .because(&error)
                .hint("name another folder with --scratch")
        };
        let folder = folder.map_err(unwritable)?;
        let to = folder.path().join("copy");
        self.copy(&path, &to)?;
        let connection = open(&to)?;
        if let Some(words) = integrity(&connection, &path)? {
            return Err(Fault::new(
                ExitCode::Damage,
                "E_DUMP",
                format!("{} is damaged, so no snapshot was made: {words}", path.display()),
            )
            .hint(
                "restore it from an older snapshot, or save what `sqlite3 FILE .recover` reads",
            ));
        }
        let rows = count(&connection, &path)?;
        let table = |((schema, name), rows)| Table { schema, name, rows_min: rows, rows_max: rows };
        database.tables = rows.into_iter().map(table).collect();
        drop(connection);
        let file = File::open(&to).map_err(unwritable)?;
        Ok(Current::new(Origin::Copy(file, folder), Check::Done))
    }

    fn end(&mut self, _database: &mut Database, _contents: Option<Contents>) -> Result<(), Fault> {
        Ok(())
    }

    fn globals(&mut self) -> Result<Option<(String, Current)>, Fault> {
        Ok(None)
    }
}
