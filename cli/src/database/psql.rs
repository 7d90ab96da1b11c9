//! Talking to a PostgreSQL server through `psql`: one transaction that stays open, and single answers.

use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{ChildStdin, ChildStdout, Stdio};

use serde_json::Value;

use crate::database::program::{Running, Tool, User, Workshop};
use crate::database::server::Server;
use crate::database::tools;
use crate::fault::{ExitCode, Fault};

/// Ends an answer; no line of an answer is this, for answers are JSON, numbers and ids.
const MARK: &str = "--mainstay--";
/// The user of the system that administers a server of this machine.
const ADMINISTRATOR: &str = "postgres";
/// The database that there always is.
pub const MAINTENANCE: &str = "postgres";

/// A server, and how to talk to it.
#[derive(Clone)]
pub struct Psql {
    /// What tools have in common.
    pub workshop: Workshop,
    /// The server.
    pub server: Server,
    /// The user of the system that tools run as.
    pub user: Option<User>,
    program: PathBuf,
}

impl Psql {
    /// For a server. Without a login, root talks to a server of this machine as its administrator.
    ///
    /// # Errors
    /// A fault that says what to install.
    pub fn new(workshop: &Workshop, server: &Server) -> Result<Self, Fault> {
        let program = tools::postgresql(workshop, "psql")?;
        let has_login = server.user.is_some()
            || server.login_file.is_some()
            || server.host.is_some()
            || ["PGUSER", "PGHOST", "PGHOSTADDR", "PGPASSWORD", "PGPASSFILE", "PGSERVICE"]
                .iter()
                .any(|name| workshop.variable(name).is_some());
        let is_root = rustix::process::geteuid().is_root();
        let user = if is_root && !has_login { User::find(ADMINISTRATOR) } else { None };
        Ok(Self { workshop: workshop.clone(), server: server.clone(), user, program })
    }

    /// The same for what must be cleaned up, whoever wants to stop.
    #[must_use]
    pub fn unstoppable(&self) -> Self {
        Self { workshop: self.workshop.unstoppable(), ..self.clone() }
    }

    /// A tool of PostgreSQL that talks to this server, and to `database` if it is one for a single one.
    #[must_use]
    pub fn connect(&self, tool: Tool, database: Option<&str>) -> Tool {
        let server = &self.server;
        let mut tool = tool.as_user(self.user.as_ref());
        let host = server.socket.as_ref().map(|path| path.clone().into_os_string());
        if let Some(host) = host.or_else(|| server.host.as_ref().map(Into::into)) {
            tool = tool.vars([("PGHOST", host)]);
        }
        if let Some(port) = server.port {
            tool = tool.vars([("PGPORT", port.to_string())]);
        }
        if let Some(user) = &server.user {
            tool = tool.vars([("PGUSER", user)]);
        }
        if let Some(file) = &server.login_file {
            tool = tool.vars([("PGPASSFILE", file)]);
        }
        if let Some(database) = database {
            // Not as an argument, where a name with `=` in it is something else.
            tool = tool.vars([("PGDATABASE", database)]);
        }
        tool.vars([("PGCONNECT_TIMEOUT", "15"), ("PGAPPNAME", "mainstay")])
    }

    fn psql(&self, database: &str) -> Tool {
        let tool = self.workshop.tool(&self.program).vars([("PGCLIENTENCODING", "UTF8")]);
        self.connect(tool, Some(database)).args([
            "--no-psqlrc",
            "--quiet",
            "--no-align",
            "--tuples-only",
            "--no-password",
            "--set=ON_ERROR_STOP=1",
        ])
    }

    /// What the server answers, as lines.
    ///
    /// # Errors
    /// A fault in the words of the server.
    pub fn ask(&self, database: &str, sql: &str) -> Result<Vec<String>, Fault> {
        let text = format!("SET statement_timeout = 0;\n{sql};\n");
        let printed = self.psql(database).output(text.as_bytes())?;
        Ok(printed.lines().filter(|line| !line.is_empty()).map(str::to_owned).collect())
    }

    /// The same for answers in JSON, one a line.
    ///
    /// # Errors
    /// A fault in the words of the server.
    pub fn ask_json(&self, database: &str, sql: &str) -> Result<Vec<Value>, Fault> {
        self.ask(database, sql)?.iter().map(|line| json(line)).collect()
    }

    /// Opens a transaction that sees one state of the database for as long as it stays open.
    ///
    /// # Errors
    /// A fault in the words of the server.
    pub fn transaction(&self, database: &str) -> Result<Transaction, Fault> {
        let mut running = self.psql(database).start(Stdio::piped(), Stdio::piped())?;
        let stdin = running.stdin.take();
        let stdout = running.stdout.take().map(BufReader::new);
        let mut transaction = Transaction { running: Some(running), stdin, stdout };
        transaction.ask(
            "SET statement_timeout = 0; SET lock_timeout = 0; \
             SET idle_in_transaction_session_timeout = 0; SET row_security = off; \
             BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
        )?;
        Ok(transaction)
    }

    /// Whether the server has a database of this name.
    ///
    /// # Errors
    /// A fault in the words of the server.
    pub fn has(&self, database: &str) -> Result<bool, Fault> {
        let name = crate::database::name::literal(database);
        let sql = format!("SELECT 1 FROM pg_database WHERE datname = {name}");
        Ok(!self.ask(MAINTENANCE, &sql)?.is_empty())
    }
}

/// An answer in JSON.
///
/// # Errors
/// A fault if it is none.
pub fn json(line: &str) -> Result<Value, Fault> {
    serde_json::from_str(line).map_err(|error| {
        Fault::new(ExitCode::Failed, "E_DATABASE", "the server's answer is not what was asked for")
            .because(&error)
    })
}

/// A transaction that stays open.
pub struct Transaction {
    running: Option<Running>,
    stdin: Option<ChildStdin>,
    stdout: Option<BufReader<ChildStdout>>,
}

impl Transaction {
    /// What the server answers, as lines.
    ///
    /// # Errors
    /// A fault in the words of the server.
    pub fn ask(&mut self, sql: &str) -> Result<Vec<String>, Fault> {
        let text = format!("{sql};\n\\echo {MARK}\n");
        let written = self.stdin.as_mut().map(|pipe| pipe.write_all(text.as_bytes()));
        if !matches!(written, Some(Ok(()))) {
            return Err(self.broken());
        }
        let mut lines = Vec::new();
        loop {
            let mut line = String::new();
            match self.stdout.as_mut().map(|pipe| pipe.read_line(&mut line)) {
                Some(Ok(1..)) if line.trim_end() == MARK => return Ok(lines),
                Some(Ok(1..)) if line.trim_end().is_empty() => {}
                Some(Ok(1..)) => lines.push(line.trim_end_matches('\n').to_owned()),
                _ => return Err(self.broken()),
            }
        }
    }

    /// A single number.
    ///
    /// # Errors
    /// A fault in the words of the server, or if it answers something else.
    pub fn number(&mut self, sql: &str) -> Result<u64, Fault> {
        let lines = self.ask(sql)?;
        lines.first().and_then(|line| line.parse().ok()).ok_or_else(|| {
            Fault::new(ExitCode::Failed, "E_DATABASE", "the server answered no number to a count")
        })
    }

    fn broken(&mut self) -> Fault {
        self.stdin = None;
        let ended = self.running.take().map(Running::finish);
        let lost = Fault::new(ExitCode::Failed, "E_DATABASE", "psql ended before it had answered");
        ended.and_then(Result::err).unwrap_or(lost)
    }
}
