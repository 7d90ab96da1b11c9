//! `database drill`: restores into a private server and compares the rows of each table.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use restore_verify::evidence::drill_event::Outcome;

use crate::args::database::DatabaseDrillArgs;
use crate::command::context::Context;
use crate::command::database::dump::not_yet;
use crate::command::database::proof::{Facts, record};
use crate::command::database::scratch;
use crate::command::database::stored::Stored;
use crate::command::open::{Opened, open};
use crate::database::manifest::Database;
use crate::database::mysql::Mysql;
use crate::database::preset::Preset;
use crate::database::private::{self, Private};
use crate::database::program::Workshop;
use crate::database::psql::Psql;
use crate::database::put_back::{self, Back, Owners};
use crate::database::tools;
use crate::fault::{ExitCode, Fault};
use crate::ui::database::{DatabaseDrillSummary, DatabaseFinding};
use crate::ui::json::Message;
use crate::ui::output::printable;
use crate::units;

/// What a restore says that shows that this machine lacks something, and nothing of the dump.
const LACKS: [&str; 4] =
    ["is not available", "could not open extension control file", "No space left", "locale name"];

/// Drills.
///
/// # Errors
/// Exit code 21 unless every database came back with the rows that it had.
pub fn run(args: &DatabaseDrillArgs, context: &Context<'_>) -> Result<ExitCode, Fault> {
    let opened = open(context)?;
    opened.require_content()?;
    let stored = Stored::find(&opened, &args.snapshot, (&args.source, &args.filter), context)?;
    let databases = stored.databases(args.database.as_ref())?;
    let mut drill = Drill { opened: &opened, stored: &stored, context, found: Summary::default() };
    drill.carry_out(&databases, &scratch(args.scratch.as_ref(), context.around))?;
    let found = drill.found;
    let mut summary = summary(&stored, databases.len() as u64, found);
    let facts = Facts {
        outcome: match summary.outcome {
            "pass" => Outcome::Passed,
            "fail" => Outcome::Failed,
            _ => Outcome::NotProved,
        },
        databases: summary.databases_passed,
        bytes: summary.bytes_restored,
        differences: summary.findings.len() as u64,
        time: Duration::from_secs_f64(summary.restore_seconds),
        is_whole: stored.manifest.databases.len() == databases.len(),
        words: format!(
            "database drill: {} rows of {} tables were compared with those that were dumped",
            summary.rows, summary.tables
        ),
    };
    summary.evidence = record(&opened, &stored.snapshot, facts, context).map(|it| it.to_string());
    tell(&summary, context);
    verdict(&summary)
}

#[derive(Default)]
struct Summary {
    version: String,
    passed: u64,
    tables: u64,
    rows: u64,
    bytes: u64,
    time: Duration,
    findings: Vec<DatabaseFinding>,
}

struct Drill<'a> {
    opened: &'a Opened,
    stored: &'a Stored,
    context: &'a Context<'a>,
    found: Summary,
}

/// Where databases are restored into for a drill.
enum Place {
    Postgresql(Private, Psql),
    Mysql(Private, Mysql),
    Sqlite(tempfile::TempDir),
}

impl Drill<'_> {
    fn carry_out(&mut self, databases: &[&Database], scratch: &[PathBuf]) -> Result<(), Fault> {
        let place = match self.place(scratch) {
            Ok(place) => place,
            Err(fault) if fault.code() == "E_NOT_PROVED" => {
                for database in databases {
                    self.doubt(database, &fault);
                }
                return Ok(());
            }
            Err(fault) => return Err(fault),
        };
        self.found.version = match &place {
            Place::Postgresql(private, _) | Place::Mysql(private, _) => private.said.clone(),
            Place::Sqlite(_) => self.stored.manifest.server_version.clone(),
        };
        for (number, database) in databases.iter().enumerate() {
            let before = self.found.findings.len();
            self.one(database, &place, number)?;
            if self.context.around.cancel.is_asked() {
                return Err(Fault::interrupted());
            }
            self.found.passed += u64::from(self.found.findings.len() == before);
        }
        Ok(())
    }

    fn place(&self, scratch: &[PathBuf]) -> Result<Place, Fault> {
        let workshop = Workshop::new(self.context.around);
        let (preset, manifest) = (self.stored.preset, &self.stored.manifest);
        Ok(match preset {
            Preset::Postgresql => {
                let (private, psql) = private::postgresql(&workshop, scratch, manifest)?;
                Place::Postgresql(private, psql)
            }
            Preset::Mariadb | Preset::Mysql => {
                let (private, mysql) = private::mysql(&workshop, preset, scratch, manifest)?;
                Place::Mysql(private, mysql)
            }
            Preset::Sqlite => {
                let scratch = scratch.first().map_or(Path::new("/tmp"), PathBuf::as_path);
                let folder = tempfile::Builder::new().prefix("mainstay-drill-").tempdir_in(scratch);
                Place::Sqlite(folder.map_err(|error| {
                    Fault::local(format!("cannot make a folder in {}", scratch.display()))
                        .because(&error)
                        .hint("name another one with --scratch")
                })?)
            }
            Preset::Mongodb => return Err(not_yet()),
        })
    }

    fn one(&mut self, database: &Database, place: &Place, number: usize) -> Result<(), Fault> {
        match self.stored.size_bytes(self.opened, database)? {
            Some(size) if size == database.bytes => {}
            size => {
                let size = size.map_or("is missing".to_owned(), |size| format!("has {size} bytes"));
                let why = format!("the dump {size}, and had {}", database.bytes);
                self.fail(database, why, None);
                return Ok(());
            }
        }
        let (opened, stored) = (self.opened, self.stored);
        let mut content = |output: &mut dyn Write| stored.write(opened, database, output);
        let clock = &self.context.around.clock;
        let began = clock.monotonic();
        // Not under its own name: a private server has databases of its own.
        let name = format!("drill_{number}");
        let back = match place {
            Place::Postgresql(_, psql) => {
                let database = &adapted(database);
                let what = (&stored.manifest, database);
                put_back::postgresql(psql, what, &name, Owners::Made, &mut content)
            }
            Place::Mysql(_, mysql) => put_back::mysql(mysql, database, &name, &mut content),
            Place::Sqlite(folder) => {
                put_back::sqlite(database, &folder.path().join(&name), &mut content)
            }
        };
        self.found.time += clock.monotonic().saturating_sub(began);
        match back {
            Ok(back) => {
                self.take(database, back);
                if let Place::Postgresql(_, psql) = place {
                    self.amcheck(database, psql, &name);
                }
                Ok(())
            }
            Err(fault) if fault.exit_code() == ExitCode::Interrupted => Err(fault),
            Err(fault) => {
                match LACKS.iter().any(|word| fault.message().contains(word)) {
                    true => self.doubt(database, &fault),
                    false => self.fail(database, fault.message().to_owned(), fault.lines().last()),
                }
                Ok(())
            }
        }
    }

    fn take(&mut self, database: &Database, back: Back) {
        self.found.tables += back.rows.len() as u64;
        self.found.rows += back.rows.values().copied().fold(0, u64::saturating_add);
        self.found.bytes += database.bytes;
        for why in back.differences {
            self.fail(database, why, None);
        }
    }

    /// The structure of tables and indexes, where the server's tool for it is there.
    fn amcheck(&mut self, database: &Database, psql: &Psql, name: &str) {
        let programs = tools::postgresql_folders().into_iter();
        let mut programs = programs.map(|(_, folder)| folder.join("pg_amcheck"));
        let Some(program) = programs.find(|program| program.is_file()) else { return };
        if psql.ask(name, "CREATE EXTENSION IF NOT EXISTS amcheck").is_err() {
            return self.context.ui.detail(1, "the extension amcheck is not there: not used");
        }
        let tool = psql.workshop.tool(&program);
        if let Err(fault) = psql.connect(tool, Some(name)).args(["--no-password"]).output(b"") {
            self.fail(database, fault.message().to_owned(), None);
        }
    }

    fn fail(&mut self, database: &Database, why: String, hint: Option<&String>) {
        let hint = hint.and_then(|line| line.trim().strip_prefix("try: ").map(str::to_owned));
        let database = database.name.clone();
        self.found.findings.push(DatabaseFinding { database, not_proved: false, why, hint });
    }

    fn doubt(&mut self, database: &Database, fault: &Fault) {
        let lines = fault.lines();
        let hint = lines.iter().find_map(|line| line.trim().strip_prefix("try: "));
        self.found.findings.push(DatabaseFinding {
            database: database.name.clone(),
            not_proved: true,
            why: fault.message().to_owned(),
            hint: hint.map(str::to_owned),
        });
    }
}

/// The same with a locale that every machine has: the order of texts decides no count.
fn adapted(database: &Database) -> Database {
    let locale = database.collate.as_ref().map(|_| "C".to_owned());
    Database {
        collate: locale.clone(),
        ctype: locale,
        provider: None,
        icu_locale: None,
        ..database.clone()
    }
}

fn summary(stored: &Stored, databases: u64, found: Summary) -> DatabaseDrillSummary {
    let is_failed = found.findings.iter().any(|finding| !finding.not_proved);
    let outcome = match (is_failed, found.findings.is_empty()) {
        (true, _) => "fail",
        (false, false) => "not-proved",
        (false, true) => "pass",
    };
    DatabaseDrillSummary {
        outcome,
        snapshot_id: stored.snapshot.session.to_snapshot_hex(),
        source: stored.manifest.source.clone(),
        preset: stored.manifest.preset.clone(),
        hostname: stored.snapshot.host.clone(),
        server_version: stored.manifest.server_version.clone(),
        drill_version: found.version,
        databases_passed: found.passed,
        databases,
        tables: found.tables,
        rows: found.rows,
        bytes_restored: found.bytes,
        restore_seconds: found.time.as_secs_f64(),
        findings: found.findings,
        evidence: None,
    }
}

fn tell(summary: &DatabaseDrillSummary, context: &Context<'_>) {
    if context.ui.is_json() {
        return context.ui.message(&Message::DatabaseDrill(Box::new(summary.clone())));
    }
    for finding in &summary.findings {
        let word = if finding.not_proved { "not proved" } else { "failed" };
        let line = format!("{word}: {}: {}", finding.database, finding.why);
        context.ui.result(&printable(&line));
        if let Some(hint) = &finding.hint {
            context.ui.result(&printable(&format!("  try: {hint}")));
        }
    }
    if context.ui.is_quiet() {
        return;
    }
    let line = |name: &str, text: String| {
        context.ui.result(&printable(&format!("  {name:<11}{text}")));
    };
    context.ui.result(&format!("database drill: {}", summary.outcome));
    let time = units::duration(Duration::from_secs_f64(summary.restore_seconds));
    line("restored", format!("{} in {time}", units::size(summary.bytes_restored)));
    let (tables, rows) =
        (units::counted(summary.tables, "table"), units::counted(summary.rows, "row"));
    let databases = units::counted(summary.databases, "database");
    line(
        "counted",
        format!("{tables}, {rows}; {} of {databases} as dumped", summary.databases_passed),
    );
    if !summary.drill_version.is_empty() {
        let (from, into) = (&summary.server_version, &summary.drill_version);
        line("server", format!("dumped from {from}, drilled in {into}"));
    }
    if let Some(evidence) = &summary.evidence {
        line("evidence", evidence.clone());
    }
}

fn verdict(summary: &DatabaseDrillSummary) -> Result<ExitCode, Fault> {
    let count = summary.findings.len() as u64;
    match summary.outcome {
        "pass" => Ok(ExitCode::Ok),
        "fail" => {
            let findings = units::counted(count, "finding");
            let message = format!("the database drill failed with {findings}");
            Err(Fault::new(ExitCode::DrillFailed, "E_DRILL_FAILED", message).hint(
                "drill older snapshots until one passes, hold that one, and dump the database again",
            ))
        }
        _ => {
            let reasons = units::counted(count, "reason");
            let message = format!("the database drill proved nothing, for {reasons}");
            Err(Fault::new(ExitCode::DrillFailed, "E_NOT_PROVED", message)
                .hint("remove what was in the way and repeat the drill"))
        }
    }
}
