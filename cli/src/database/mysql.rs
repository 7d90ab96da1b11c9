//! Dumps of MariaDB and MySQL: SQL as text in one transaction, with counts of rows before and after it.
//! Another connection cannot see the state that the dump sees, so a table that changes has a range.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::Stdio;

use crate::database::dump::{Check, Current, Origin, Producer};
use crate::database::footer;
use crate::database::manifest::{Database, FILE, Manifest, Rows, Table};
use crate::database::name;
use crate::database::preset::Preset;
use crate::database::program::{Tool, Workshop};
use crate::database::server::Server;
use crate::database::toc::Contents;
use crate::database::tools;
use crate::database::version::{self, Maker, Version};
use crate::fault::{ExitCode, Fault};

/// Databases of the server itself.
const OWN: [&str; 4] = ["information_schema", "performance_schema", "sys", "mysql"];
/// Name of the file with the users.
const GLOBALS: &str = "users.sql";
/// Longest row that is dumped and restored.
pub const PACKET: &str = "--max-allowed-packet=1G";
/// The first release whose tool dumps users.
const USERS_SINCE: Version = Version::new(10, 6);

/// A server, and how to talk to it.
#[derive(Clone)]
pub struct Mysql {
    /// What tools have in common.
    pub workshop: Workshop,
    /// Whose tools are used.
    pub preset: Preset,
    /// The server.
    pub server: Server,
    client: PathBuf,
}

impl Mysql {
    /// For a server.
    ///
    /// # Errors
    /// A fault that says what to install.
    pub fn new(workshop: &Workshop, preset: Preset, server: &Server) -> Result<Self, Fault> {
        let client = tools::mysql(workshop, preset, "mariadb", "mysql")?;
        Ok(Self { workshop: workshop.clone(), preset, server: server.clone(), client })
    }

    /// The same for what must be cleaned up, whoever wants to stop.
    #[must_use]
    pub fn unstoppable(&self) -> Self {
        Self { workshop: self.workshop.unstoppable(), ..self.clone() }
    }

    /// A tool that talks to this server.
    #[must_use]
    pub fn connect(&self, tool: Tool) -> Tool {
        let server = &self.server;
        let mut arguments: Vec<OsString> = Vec::new();
        let mut add = |name: &str, value: &std::ffi::OsStr| {
            let mut word = OsString::from(name);
            word.push(value);
            arguments.push(word);
        };
        if let Some(file) = &server.login_file {
            // It must come first; what stands in the user's own file would count more.
            add("--defaults-extra-file=", file.as_os_str());
        }
        if let Some(host) = &server.host {
            add("--host=", host.as_ref());
        }
        if let Some(port) = server.port {
            add("--port=", port.to_string().as_ref());
        }
        if let Some(socket) = &server.socket {
            add("--socket=", socket.as_os_str());
        }
        if let Some(user) = &server.user {
            add("--user=", user.as_ref());
        }
        let tool = match &server.login_file {
            Some(_) => tool.vars([("HOME", "/nonexistent")]),
            None => tool,
        };
        tool.args(arguments).args(["--default-character-set=utf8mb4"])
    }

    /// The client that reads SQL from its input. No command of the client itself is carried out that
    /// stands in it.
    #[must_use]
    pub fn reader(&self) -> Tool {
        let tool = self.connect(self.workshop.tool(&self.client));
        tool.args(["--batch", "--skip-column-names", "--binary-mode", PACKET])
    }

    /// What the server answers: rows of fields.
    ///
    /// # Errors
    /// A fault in the words of the server.
    pub fn ask(&self, sql: &str) -> Result<Vec<Vec<String>>, Fault> {
        let printed = self.reader().output(format!("{sql};\n").as_bytes())?;
        let fields = |line: &str| line.split('\t').map(name::unescaped).collect();
        Ok(printed.lines().map(fields).collect())
    }

    /// The version of the server, and in its own words.
    ///
    /// # Errors
    /// A fault of the server.
    pub fn version(&self) -> Result<(Maker, Version, String), Fault> {
        let rows = self.ask("SELECT VERSION()")?;
        let said = rows.into_iter().flatten().next().unwrap_or_default();
        let (maker, version) = version::of_mysql_server(&said).ok_or_else(|| {
            Fault::new(ExitCode::Failed, "E_DATABASE", "the server does not say its version")
        })?;
        Ok((maker, version, said))
    }

    /// Tables of a database with rows of their own, and those whose engine knows no transactions.
    fn tables(&self, database: &str) -> Result<(Vec<String>, Vec<String>), Fault> {
        let rows = self.ask(&format!(
            "SELECT TABLE_NAME, COALESCE(ENGINE, '') FROM information_schema.TABLES \
             WHERE TABLE_TYPE IN ('BASE TABLE', 'SYSTEM VERSIONED') AND TABLE_SCHEMA = {} \
             ORDER BY TABLE_NAME",
            name::hex_literal(database)
        ))?;
        let (mut all, mut loose) = (Vec::new(), Vec::new());
        for row in rows {
            let [table, engine] = row.as_slice() else { continue };
            all.push(table.clone());
            if !engine.eq_ignore_ascii_case("InnoDB") {
                loose.push(format!("{database}.{table} ({engine})"));
            }
        }
        Ok((all, loose))
    }

    /// Rows of all tables of a database by name, as one transaction sees them.
    ///
    /// # Errors
    /// A fault of the server.
    pub fn count(&self, database: &str) -> Result<Rows, Fault> {
        let (tables, _) = self.tables(database)?;
        let place = name::backticked(database);
        let mut sql = "START TRANSACTION WITH CONSISTENT SNAPSHOT".to_owned();
        for table in &tables {
            sql.push_str(&format!(";\nSELECT COUNT(*) FROM {place}.{}", name::backticked(table)));
        }
        let answers = self.ask(&sql)?;
        let counts = answers.iter().filter_map(|row| row.first()?.parse().ok());
        let counts: Vec<u64> = counts.collect();
        if counts.len() != tables.len() {
            return Err(Fault::new(
                ExitCode::Failed,
                "E_DATABASE",
                format!("the server counted {} of {} tables", counts.len(), tables.len()),
            ));
        }
        let keys = tables.into_iter().map(|table| (String::new(), table));
        Ok(keys.zip(counts).collect())
    }

    /// Names of databases that are not the server's own.
    ///
    /// # Errors
    /// A fault of the server.
    pub fn databases(&self) -> Result<Vec<(String, String, String)>, Fault> {
        let rows = self.ask(
            "SELECT SCHEMA_NAME, DEFAULT_CHARACTER_SET_NAME, DEFAULT_COLLATION_NAME \
             FROM information_schema.SCHEMATA ORDER BY SCHEMA_NAME",
        )?;
        let rows = rows.into_iter().filter_map(|row| match <[String; 3]>::try_from(row) {
            Ok([name, charset, collation]) => Some((name, charset, collation)),
            Err(_) => None,
        });
        Ok(rows.filter(|(name, ..)| !OWN.contains(&name.to_lowercase().as_str())).collect())
    }
}

/// Dumps a server.
pub struct MysqlDump {
    server: Mysql,
    tool: PathBuf,
    options: Vec<&'static str>,
    has_users: bool,
}

/// A server that was looked at, ready to be dumped.
pub struct Looked {
    /// What dumps it.
    pub producer: MysqlDump,
    /// Its databases that are meant.
    pub databases: Vec<Database>,
    /// What is known of it.
    pub manifest: Manifest,
    /// What the user should know.
    pub notes: Vec<String>,
}

/// Looks at a server, and whether the tool fits it. `wanted` are names of databases; none means all that
/// are not the server's own.
///
/// # Errors
/// A fault of the server; one that says what to install; one for a database that is not there.
pub fn look(server: Mysql, wanted: &[String]) -> Result<Looked, Fault> {
    let (maker, version, said) = server.version()?;
    let tool = tools::mysql(&server.workshop, server.preset, "mariadb-dump", "mysqldump")?;
    let tool_said = server.workshop.tool(&tool).args(["--version"]).output(b"")?;
    let known = version::of_mysql_tool(&tool_said);
    let (tool_maker, tool_version) = known.unwrap_or((maker, version));
    require_not_older(&tool_said, (tool_maker, tool_version), (maker, version))?;
    let mut notes = Vec::new();
    if tool_version > version && tool_maker == maker {
        notes.push(format!(
            "the client ({tool_version}) is newer than the server ({version}): a server of that version \
             may not read the dump; the drill shows it"
        ));
    }
    let mut databases = Vec::new();
    let mut taken = BTreeSet::from([GLOBALS.to_owned(), FILE.to_owned()]);
    for (name, charset, collation) in server.databases()? {
        if !wanted.is_empty() && !wanted.contains(&name) {
            continue;
        }
        let (_, loose) = server.tables(&name)?;
        if let Some(first) = loose.first() {
            notes.push(format!(
                "{first} is not of InnoDB, {} in all: what changes in it during the dump may be half in it",
                loose.len()
            ));
        }
        let file = name::file(&name, "sql", &taken);
        taken.insert(file.clone());
        databases.push(Database {
            name,
            file,
            form: "sql".to_owned(),
            encoding: Some(charset),
            collate: Some(collation),
            ..Database::default()
        });
    }
    if let Some(name) = wanted.iter().find(|name| !databases.iter().any(|one| one.name == **name)) {
        return Err(Fault::usage(format!("the server has no database {name:?}"))
            .hint("`mainstay database detect` lists those that there are"));
    }
    let case = server.ask("SELECT @@lower_case_table_names")?;
    let manifest = Manifest {
        server_version: said,
        server_release: (version.major, version.minor),
        tool_version: tool_said.trim().to_owned(),
        lower_case_table_names: case.first().and_then(|row| row.first()?.parse().ok()),
        ..Manifest::default()
    };
    let options = options((tool_maker, tool_version), (maker, version));
    let mut producer = MysqlDump { server, tool, options, has_users: false };
    let can_dump_users = tool_maker == Maker::Mariadb
        && maker == Maker::Mariadb
        && tool_version.min(version) >= USERS_SINCE;
    // Whoever may not read the users can still dump all data.
    producer.has_users = can_dump_users && producer.users().output(b"").is_ok();
    if !producer.has_users {
        notes.push("users and their rights are not in this dump".to_owned());
    }
    Ok(Looked { producer, databases, manifest, notes })
}

/// A tool does not refuse a newer server by itself, and leaves out what it does not know.
fn require_not_older(
    said: &str,
    tool: (Maker, Version),
    server: (Maker, Version),
) -> Result<(), Fault> {
    if tool.0 != server.0 || tool.1 >= server.1 {
        return Ok(());
    }
    let (tool, server) = (tool.1, server.1);
    let name = said.split_ascii_whitespace().next().unwrap_or("the client");
    let name = name.rsplit('/').next().unwrap_or(name);
    Err(Fault::new(
        ExitCode::Failed,
        "E_DATABASE",
        format!(
            "{name} is of version {tool} and the server of version {server}: a client that is older than \
             its server leaves out what it does not know"
        ),
    )
    .hint(format!("install the client of version {server} or newer, first in PATH")))
}

/// What is asked of the tool beside what every dump needs.
fn options(tool: (Maker, Version), server: (Maker, Version)) -> Vec<&'static str> {
    let mut options = vec![
        "--single-transaction",
        "--quick",
        "--routines",
        "--events",
        "--triggers",
        "--hex-blob",
        "--tz-utc",
        PACKET,
    ];
    if tool.0 == Maker::Mysql {
        options.push("--set-gtid-purged=OFF");
        // Servers before MySQL 8 and all of MariaDB do not have them.
        if tool.1.major >= 8 && (server.0 == Maker::Mariadb || server.1.major < 8) {
            options.push("--column-statistics=0");
        }
    }
    options
}

impl MysqlDump {
    fn users(&self) -> Tool {
        let tool = self.server.connect(self.server.workshop.tool(&self.tool));
        tool.args(["--system=users"])
    }
}

impl Producer for MysqlDump {
    fn begin(&mut self, database: &mut Database) -> Result<Current, Fault> {
        let rows = self.server.count(&database.name)?;
        let table = |((schema, name), rows)| Table { schema, name, rows_min: rows, rows_max: rows };
        database.tables = rows.into_iter().map(table).collect();
        let tool = self.server.connect(self.server.workshop.tool(&self.tool));
        let tool = tool.args(self.options.iter().copied()).args(["--", &database.name]);
        let running = tool.start(Stdio::null(), Stdio::piped())?;
        Ok(Current::new(Origin::Tool(running), Check::Footer(footer::MYSQL)))
    }

    fn end(&mut self, database: &mut Database, _contents: Option<Contents>) -> Result<(), Fault> {
        let after = self.server.count(&database.name)?;
        for table in &mut database.tables {
            // One that was dropped meanwhile may or may not be in the dump.
            let key = (table.schema.clone(), table.name.clone());
            let rows = after.get(&key).copied().unwrap_or_default();
            table.rows_min = table.rows_min.min(rows);
            table.rows_max = table.rows_max.max(rows);
        }
        Ok(())
    }

    fn globals(&mut self) -> Result<Option<(String, Current)>, Fault> {
        if !self.has_users {
            return Ok(None);
        }
        let running = self.users().start(Stdio::null(), Stdio::piped())?;
        let check = Check::Footer(footer::MYSQL);
        Ok(Some((GLOBALS.to_owned(), Current::new(Origin::Tool(running), check))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_fit_tool_and_server() {
        let maria = (Maker::Mariadb, Version::new(10, 11));
        let (old, new) = ((Maker::Mysql, Version::new(5, 7)), (Maker::Mysql, Version::new(8, 0)));
        assert!(!options(maria, maria).iter().any(|one| one.contains("gtid")));
        assert!(options(new, maria).contains(&"--column-statistics=0"));
        assert!(options(new, old).contains(&"--column-statistics=0"));
        assert!(!options(new, new).contains(&"--column-statistics=0"));
        for tool in [maria, old, new] {
            assert!(options(tool, new).contains(&"--single-transaction"));
        }
    }

    #[test]
    fn only_an_older_tool_of_the_same_makers_is_refused() {
        let maria = |minor| (Maker::Mariadb, Version::new(10, minor));
        let refused = require_not_older("/usr/bin/mariadb-dump from 10.6", maria(6), maria(11));
        let words = refused.expect_err("it is older").lines().join("\n");
        assert!(words.contains("mariadb-dump is of version 10.6"), "{words}");
        assert!(require_not_older("", maria(11), maria(6)).is_ok());
        let mysql = (Maker::Mysql, Version::new(8, 0));
        assert!(require_not_older("", mysql, maria(11)).is_ok());
    }
}
