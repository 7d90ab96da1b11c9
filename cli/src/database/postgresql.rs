//! Dumps of PostgreSQL: the custom format without compression, in the same snapshot of the database that
//! its rows are counted in.

use std::collections::BTreeSet;
use std::process::Stdio;

use serde_json::Value;

use crate::database::dump::{Check, Current, Origin, Probe, Producer};
use crate::database::footer;
use crate::database::manifest::{Database, Manifest, Rows, Table};
use crate::database::name;
use crate::database::psql::{MAINTENANCE, Psql, Transaction, json};
use crate::database::toc::Contents;
use crate::database::tools::{Fitting, beside, fitting};
use crate::database::version::{self, Maker, Version};
use crate::fault::{ExitCode, Fault};

/// Tables with rows of their own: no temporary ones, no part of the system or of an extension, which no
/// dump contains.
const TABLES: &str = "SELECT json_build_object('schema', n.nspname, 'name', c.relname) \
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
    WHERE c.relkind = 'r' AND c.relpersistence <> 't' AND n.nspname <> 'information_schema' \
    AND n.nspname !~ '^pg_' AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_depend d \
    WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objid = c.oid \
    AND d.deptype = 'e') ORDER BY n.nspname, c.relname";

/// Databases that somebody can connect to. Columns that not every release has go through JSON.
const DATABASES: &str = "SELECT json_build_object('name', d.datname, \
    'encoding', pg_encoding_to_char(d.encoding), 'owner', pg_get_userbyid(d.datdba), \
    'collate', d.datcollate, 'ctype', d.datctype, \
    'provider', to_jsonb(d)->>'datlocprovider', \
    'icu', coalesce(to_jsonb(d)->>'daticulocale', to_jsonb(d)->>'datlocale')) \
    FROM pg_database d WHERE datallowconn AND NOT datistemplate ORDER BY datname";

/// How many large objects there are.
const LARGE_OBJECTS: &str = "SELECT count(*) FROM pg_catalog.pg_largeobject_metadata";

/// Roles that own something in this database or have rights there; the first one of a server is not
/// written down as such.
const ROLES: &str = "SELECT json_build_object('name', r.rolname) FROM pg_catalog.pg_roles r \
    WHERE r.rolname !~ '^pg_' AND (r.oid = 10 OR r.oid = (SELECT datdba FROM pg_catalog.pg_database \
    WHERE datname = current_database()) OR EXISTS (SELECT 1 FROM pg_catalog.pg_shdepend s \
    JOIN pg_catalog.pg_database d ON d.oid = s.dbid WHERE d.datname = current_database() \
    AND s.refclassid = 'pg_catalog.pg_authid'::pg_catalog.regclass AND s.refobjid = r.oid)) \
    ORDER BY r.rolname";

/// Name of the file with the roles.
const GLOBALS: &str = "globals.sql";

/// Dumps a server.
pub struct Postgresql {
    psql: Psql,
    pg_dump: Fitting,
    transaction: Option<Transaction>,
}

/// A server that was looked at, ready to be dumped.
pub struct Looked {
    /// What dumps it.
    pub producer: Postgresql,
    /// Its databases that are meant.
    pub databases: Vec<Database>,
    /// What is known of it.
    pub manifest: Manifest,
    /// What the user should know.
    pub notes: Vec<String>,
}

/// Looks at a server, and whether there is a `pg_dump` that fits it. `wanted` are names of databases; none
/// means all that are no templates.
///
/// # Errors
/// A fault of the server; one that says what to install; one for a database that is not there.
pub fn look(psql: Psql, wanted: &[String]) -> Result<Looked, Fault> {
    let first = wanted.first().map_or(MAINTENANCE, String::as_str);
    let (server, said) = server_version(&psql, first)?;
    let pg_dump = fitting(&psql.workshop, "pg_dump", server)?;
    let mut notes = Vec::new();
    if pg_dump.version.release(Maker::Postgresql) > server.release(Maker::Postgresql) {
        notes.push(format!(
            "pg_dump {} is newer than the server {said}: a server of that version may not read the dump; \
             the drill shows it",
            pg_dump.version
        ));
    }
    let mut databases = Vec::new();
    let mut taken =
        BTreeSet::from([GLOBALS.to_owned(), crate::database::manifest::FILE.to_owned()]);
    for row in psql.ask_json(first, DATABASES)? {
        let mut database = database(&row);
        if wanted.is_empty() || wanted.contains(&database.name) {
            database.file = name::file(&database.name, "dump", &taken);
            taken.insert(database.file.clone());
            databases.push(database);
        }
    }
    if let Some(name) = wanted.iter().find(|name| !databases.iter().any(|one| one.name == **name)) {
        return Err(Fault::usage(format!("the server has no database {name:?}"))
            .hint("`mainstay database detect` lists those that there are"));
    }
    let manifest = Manifest {
        server_version: said,
        server_release: (server.major, server.minor),
        tool_version: pg_dump.said.clone(),
        ..Manifest::default()
    };
    let producer = Postgresql { psql, pg_dump, transaction: None };
    Ok(Looked { producer, databases, manifest, notes })
}

/// The version of a server, and in its own words.
///
/// # Errors
/// A fault of the server.
pub fn server_version(psql: &Psql, database: &str) -> Result<(Version, String), Fault> {
    let lines = psql.ask(
        database,
        "SELECT current_setting('server_version_num'); SELECT current_setting('server_version')",
    )?;
    let number = lines.first().and_then(|line| line.trim().parse().ok());
    let number: u32 = number.ok_or_else(|| {
        Fault::new(ExitCode::Failed, "E_DATABASE", "the server does not say its version")
    })?;
    Ok((version::of_number(number), lines.get(1).cloned().unwrap_or_default()))
}

fn database(row: &Value) -> Database {
    let text = |name: &str| row[name].as_str().map(str::to_owned);
    Database {
        name: text("name").unwrap_or_default(),
        form: "custom".to_owned(),
        owner: text("owner"),
        encoding: text("encoding"),
        collate: text("collate"),
        ctype: text("ctype"),
        provider: text("provider"),
        icu_locale: text("icu"),
        ..Database::default()
    }
}

/// Rows of all tables by schema and name, and large objects, as one transaction sees them.
///
/// # Errors
/// A fault of the server, above all for a table that the user may not read.
pub fn count(transaction: &mut Transaction) -> Result<(Rows, u64), Fault> {
    let mut rows = Rows::new();
    for line in transaction.ask(TABLES)? {
        let row = json(&line)?;
        let text = |name: &str| row[name].as_str().unwrap_or_default().to_owned();
        let (schema, table) = (text("schema"), text("name"));
        let sql = format!(
            "SELECT count(*) FROM ONLY {}.{}",
            name::identifier(&schema),
            name::identifier(&table)
        );
        let count = transaction.number(&sql)?;
        rows.insert((schema, table), count);
    }
    let large_objects = transaction.number(LARGE_OBJECTS)?;
    Ok((rows, large_objects))
}

impl Producer for Postgresql {
    fn begin(&mut self, database: &mut Database) -> Result<Current, Fault> {
        let mut transaction = self.psql.transaction(&database.name)?;
        let snapshot = transaction.ask("SELECT pg_catalog.pg_export_snapshot()")?;
        let snapshot = snapshot.first().cloned().unwrap_or_default();
        let (rows, large_objects) = count(&mut transaction)?;
        let table = |((schema, name), rows)| Table { schema, name, rows_min: rows, rows_max: rows };
        database.tables = rows.into_iter().map(table).collect();
        database.large_objects = large_objects;
        for line in transaction.ask(ROLES)? {
            database.roles.extend(json(&line)?["name"].as_str().map(str::to_owned));
        }
        let list = beside(&self.psql.workshop, &self.pg_dump.program, "pg_restore")?;
        let list = self.psql.workshop.tool(&list).args(["--list"]);
        let probe = Probe::new(list.start(Stdio::piped(), Stdio::piped())?);
        let tool = self.psql.workshop.tool(&self.pg_dump.program);
        let tool = self.psql.connect(tool, Some(&database.name)).args([
            "--format=custom",
            "--compress=0",
            "--blobs",
            "--no-password",
            &format!("--snapshot={snapshot}"),
        ]);
        let running = tool.start(Stdio::null(), Stdio::piped())?;
        self.transaction = Some(transaction);
        Ok(Current::new(Origin::Tool(running), Check::Contents(probe)))
    }

    fn end(&mut self, database: &mut Database, contents: Option<Contents>) -> Result<(), Fault> {
        self.transaction = None;
        let contents = contents.unwrap_or_default();
        let missing = database.tables.iter().find(|one| !contents.has(&one.schema, &one.name));
        match missing {
            None => Ok(()),
            Some(table) => Err(Fault::new(
                ExitCode::Failed,
                "E_DUMP",
                format!(
                    "the dump of {:?} has no data of the table {}, so no snapshot was made",
                    database.name,
                    table.shown()
                ),
            )
            .hint("look at the server's log, then repeat the dump")),
        }
    }

    fn globals(&mut self) -> Result<Option<(String, Current)>, Fault> {
        let program = beside(&self.psql.workshop, &self.pg_dump.program, "pg_dumpall")?;
        let tool = self.psql.workshop.tool(&program);
        let tool = self.psql.connect(tool, None).args(["--globals-only", "--no-password"]);
        // Only a superuser may read the hashes of passwords; roles without them are better than none.
        let is_superuser = self
            .psql
            .ask(MAINTENANCE, "SELECT 1 FROM pg_roles WHERE rolname = current_user AND rolsuper")?;
        let tool = match is_superuser.is_empty() {
            true => tool.args(["--no-role-passwords"]),
            false => tool,
        };
        let running = tool.start(Stdio::null(), Stdio::piped())?;
        let check = Check::Footer(footer::POSTGRESQL);
        Ok(Some((GLOBALS.to_owned(), Current::new(Origin::Tool(running), check))))
    }
}
