//! Dumps become databases again: under a new name, never over one that is there, whole or not at all.

use std::io::{BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::process::Stdio;

use crate::database::manifest::{self, Database, Manifest, Rows};
use crate::database::mysql::Mysql;
use crate::database::name;
use crate::database::postgresql::{count, server_version};
use crate::database::program::Running;
use crate::database::psql::{MAINTENANCE, Psql, json};
use crate::database::sqlite;
use crate::database::tools::fitting;
use crate::database::version::{self, Maker, Version};
use crate::fault::{ExitCode, Fault};

/// Writes the dump; answers whether all of it was taken.
pub type Content<'a> = dyn FnMut(&mut dyn Write) -> Result<bool, Fault> + 'a;

/// Who owns what comes back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Owners {
    /// As it was; roles that are not there are a refusal.
    Kept,
    /// Everything belongs to whoever restores it, and nobody else has rights.
    Mine,
    /// As it was; roles that are not there are made, without a password and without a login.
    Made,
}

/// What came back.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Back {
    /// Rows by schema and table.
    pub rows: Rows,
    /// How that differs from what was dumped.
    pub differences: Vec<String>,
    /// What the user should know.
    pub notes: Vec<String>,
}

/// Whatever goes wrong with a tool is said rather than that it takes no more input.
fn feed(mut running: Running, content: &mut Content<'_>) -> Result<(), Fault> {
    let written = match running.stdin.take() {
        Some(pipe) => {
            let mut output = BufWriter::with_capacity(1 << 20, pipe);
            let written = content(&mut output);
            // What is left in the buffer of a tool that has ended is of no use to it.
            let flushed = output.flush().is_ok();
            written.map(|is_whole| is_whole && flushed)
        }
        None => Ok(false),
    };
    let is_whole = written?;
    running.finish()?;
    match is_whole {
        true => Ok(()),
        false => Err(Fault::new(
            ExitCode::Failed,
            "E_DATABASE",
            "the tool ended before it had read the whole dump",
        )),
    }
}

/// A refusal to touch what is there.
fn taken(what: &str) -> Fault {
    Fault::refused(format!("{what} is there already, and nothing was changed"))
        .hint("name one with --as that is not there yet; to replace it, rename it first")
}

/// Restores into PostgreSQL. It has another name until it is whole.
///
/// # Errors
/// A refusal if `new` is there or roles are missing; otherwise what the server or the tool said.
pub fn postgresql(
    psql: &Psql,
    (manifest, database): (&Manifest, &Database),
    new: &str,
    owners: Owners,
    content: &mut Content<'_>,
) -> Result<Back, Fault> {
    if psql.has(new)? {
        return Err(taken(&format!("the database {new:?}")));
    }
    let mut back = Back::default();
    roles(psql, database, owners, &mut back)?;
    let (server, _) = server_version(psql, MAINTENANCE)?;
    let made_by = version::of_postgresql_tool(&manifest.tool_version).unwrap_or(server);
    let needed = made_by.release(Maker::Postgresql).max(server.release(Maker::Postgresql));
    let tool = fitting(&psql.workshop, "pg_restore", needed)?;
    let scratch = format!("mainstay-restore-{}-{:08x}", std::process::id(), random());
    let create = create(database, &scratch, server, owners);
    psql.ask(MAINTENANCE, &create)?;
    let half = HalfMade { psql, name: &scratch, is_whole: false };
    let mut pg_restore = psql.connect(psql.workshop.tool(&tool.program), None).args([
        "--exit-on-error",
        "--no-password",
        "--no-tablespaces",
        &format!("--dbname={}", name::connection(&scratch)),
    ]);
    if owners == Owners::Mine {
        pg_restore = pg_restore.args(["--no-owner", "--no-privileges"]);
    }
    feed(pg_restore.start(Stdio::piped(), Stdio::null())?, content)?;
    let mut transaction = psql.transaction(&scratch)?;
    let (rows, large_objects) = count(&mut transaction)?;
    drop(transaction);
    back.differences = manifest::differences(database, &rows, large_objects);
    back.rows = rows;
    psql.ask(MAINTENANCE, "SELECT 1")?;
    let (from, to) = (name::identifier(&scratch), name::identifier(new));
    if let Err(fault) = psql.ask(MAINTENANCE, &format!("ALTER DATABASE {from} RENAME TO {to}")) {
        let is_taken = psql.has(new).unwrap_or_default();
        return Err(if is_taken { taken(&format!("the database {new:?}")) } else { fault });
    }
    half.keep();
    Ok(back)
}

fn random() -> u32 {
    use std::hash::{BuildHasher, RandomState};
    RandomState::new().hash_one(0) as u32
}

/// Dropped together with the wish for it.
struct HalfMade<'a> {
    psql: &'a Psql,
    name: &'a str,
    is_whole: bool,
}

impl HalfMade<'_> {
    fn keep(mut self) {
        self.is_whole = true;
    }
}

impl Drop for HalfMade<'_> {
    fn drop(&mut self) {
        if self.is_whole {
            return;
        }
        // Also when everything stops.
        let psql = self.psql.unstoppable();
        let sql = format!("DROP DATABASE IF EXISTS {}", name::identifier(self.name));
        let forced = format!("{sql} WITH (FORCE)");
        // The connection of a tool that was killed may work on; old servers cannot end it.
        for _ in 0..20 {
            if psql.ask(MAINTENANCE, &forced).is_ok() || psql.ask(MAINTENANCE, &sql).is_ok() {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(100));
        }
    }
}

fn roles(psql: &Psql, database: &Database, owners: Owners, back: &mut Back) -> Result<(), Fault> {
    if owners == Owners::Mine {
        return Ok(());
    }
    let mut there = Vec::new();
    for line in psql.ask(MAINTENANCE, "SELECT json_build_object('name', rolname) FROM pg_roles")? {
        there.extend(json(&line)?["name"].as_str().map(str::to_owned));
    }
    let missing: Vec<&String> =
        database.roles.iter().filter(|role| !there.contains(role)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let list = missing.iter().map(|role| role.as_str()).collect::<Vec<_>>().join(", ");
    if owners == Owners::Kept {
        return Err(Fault::refused(format!(
            "roles that own something or have rights are missing: {list}"
        ))
        .hint(
            "make them first (globals.sql in the snapshot has them all), or restore with \
                 --create-roles, or with --no-owner",
        ));
    }
    let create = missing.iter().map(|role| format!("CREATE ROLE {}", name::identifier(role)));
    psql.ask(MAINTENANCE, &create.collect::<Vec<_>>().join("; "))?;
    back.notes.push(format!("roles were made without login and password: {list}"));
    Ok(())
}

fn create(database: &Database, scratch: &str, server: Version, owners: Owners) -> String {
    let mut sql = format!("CREATE DATABASE {} TEMPLATE template0", name::identifier(scratch));
    if let Some(owner) = database.owner.as_ref().filter(|_| owners != Owners::Mine) {
        sql.push_str(&format!(" OWNER {}", name::identifier(owner)));
    }
    let icu = database.icu_locale.as_ref();
    let provider = match database.provider.as_deref() {
        Some("i") if server.major >= 15 => icu.map(|icu| ("icu", "ICU_LOCALE", icu)),
        Some("b") if server.major >= 17 => icu.map(|icu| ("builtin", "BUILTIN_LOCALE", icu)),
        _ => None,
    };
    if let Some((provider, option, locale)) = provider {
        sql.push_str(&format!(" LOCALE_PROVIDER {provider} {option}{}", name::literal(locale)));
    }
    for (option, value) in [
        ("ENCODING", &database.encoding),
        ("LC_COLLATE", &database.collate),
        ("LC_CTYPE", &database.ctype),
    ] {
        if let Some(value) = value {
            sql.push_str(&format!(" {option}{}", name::literal(value)));
        }
    }
    sql
}

/// Restores into MariaDB or MySQL.
///
/// # Errors
/// A refusal if `new` is there; otherwise what the server or the tool said.
pub fn mysql(
    server: &Mysql,
    database: &Database,
    new: &str,
    content: &mut Content<'_>,
) -> Result<Back, Fault> {
    let is_there = |name: &(String, String, String)| name.0 == new;
    if server.databases()?.iter().any(is_there) {
        return Err(taken(&format!("the database {new:?}")));
    }
    let mut create = format!("CREATE DATABASE {}", name::backticked(new));
    for (option, value) in [("CHARACTER SET", &database.encoding), ("COLLATE", &database.collate)] {
        // Only letters, digits and underscores: anything else is no name of one.
        let is_word =
            |it: &&String| it.bytes().all(|one| one.is_ascii_alphanumeric() || one == b'_');
        if let Some(value) = value.as_ref().filter(is_word) {
            create.push_str(&format!(" {option} {value}"));
        }
    }
    // It fails if somebody else has made one meanwhile.
    server.ask(&create)?;
    let reader = server.reader().args([format!("--database={new}")]);
    let fed =
        reader.start(Stdio::piped(), Stdio::null()).and_then(|running| feed(running, content));
    let counted = fed.and_then(|()| server.count(new));
    let rows = match counted {
        Ok(rows) => rows,
        Err(fault) => {
            let server = server.unstoppable();
            let drop = format!("DROP DATABASE {}", name::backticked(new));
            return Err(match server.ask(&drop) {
                Ok(_) => fault,
                Err(_) => fault.hint(format!("drop the database {new:?}, which is incomplete")),
            });
        }
    };
    let mut back =
        Back { differences: manifest::differences(database, &rows, 0), ..Back::default() };
    back.rows = rows;
    back.notes.extend(definers(server, new)?);
    let events = format!(
        "SELECT COUNT(*) FROM information_schema.EVENTS WHERE EVENT_SCHEMA = {} AND STATUS = 'ENABLED'",
        name::hex_literal(new)
    );
    let events = server.ask(&events)?.into_iter().flatten().next().unwrap_or_default();
    if !matches!(events.as_str(), "" | "0") {
        back.notes.push(format!("events that are enabled in it, and run here too: {events}"));
    }
    Ok(back)
}

/// Views and routines of users that are not there cannot be used.
fn definers(server: &Mysql, new: &str) -> Result<Option<String>, Fault> {
    let place = name::hex_literal(new);
    let parts = [
        ("VIEWS", "TABLE_SCHEMA"),
        ("ROUTINES", "ROUTINE_SCHEMA"),
        ("TRIGGERS", "TRIGGER_SCHEMA"),
        ("EVENTS", "EVENT_SCHEMA"),
    ];
    let selects = parts.map(|(table, column)| {
        format!("SELECT DEFINER FROM information_schema.{table} WHERE {column} = {place}")
    });
    let sql = format!(
        "SELECT DISTINCT DEFINER FROM ({}) d WHERE DEFINER NOT IN \
         (SELECT CONCAT(User, '@', Host) FROM mysql.user) ORDER BY DEFINER",
        selects.join(" UNION ")
    );
    // Whoever may not look at the users cannot know.
    let Ok(rows) = server.ask(&sql) else { return Ok(None) };
    let names: Vec<String> = rows.into_iter().flatten().filter(|name| !name.is_empty()).collect();
    Ok((!names.is_empty()).then(|| {
        format!(
            "views, routines, triggers or events belong to users that are not there, and fail until they \
             are made: {}",
            names.join(", ")
        )
    }))
}

/// Restores a file of SQLite. It has its name once it is whole.
///
/// # Errors
/// A refusal if `new` is there, damage if it is not whole.
pub fn sqlite(database: &Database, new: &Path, content: &mut Content<'_>) -> Result<Back, Fault> {
    if new.symlink_metadata().is_ok() {
        return Err(taken(&new.display().to_string()));
    }
    let unwritable = |error: &std::io::Error| {
        Fault::local(format!("cannot write {}", new.display())).because(error)
    };
    let folder = new.parent().filter(|it| !it.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let part = tempfile::Builder::new().prefix(".mainstay-restore-").tempdir_in(folder);
    let part = part.map_err(|error| unwritable(&error))?;
    let path = part.path().join("database");
    // Nobody knows any more who could read it where it was saved.
    let made = std::fs::File::options().write(true).create_new(true).mode(0o600).open(&path);
    let mut file = made.map_err(|error| unwritable(&error))?;
    if !content(&mut file)? {
        return Err(Fault::local(format!("cannot write {}", new.display()))
            .hint("look whether there is room on that disk"));
    }
    file.sync_all().map_err(|error| unwritable(&error))?;
    let connection = sqlite::open(&path)?;
    let mut back = Back::default();
    back.differences.extend(sqlite::integrity(&connection, &path)?);
    back.rows = sqlite::count(&connection, &path)?;
    drop(connection);
    back.differences.extend(manifest::differences(database, &back.rows, 0));
    // A name that came meanwhile stays what it is.
    std::fs::hard_link(&path, new).map_err(|error| match error.kind() {
        std::io::ErrorKind::AlreadyExists => taken(&new.display().to_string()),
        _ => unwritable(&error),
    })?;
    Ok(back)
}
