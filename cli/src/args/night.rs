//! Options of what happens by itself: `agent`, `run`, `schedule`, `status`, `config`.

use std::path::PathBuf;

use agent::config::schedule::JobKind;
use clap::{Args, Subcommand, ValueEnum};

use crate::args::epilogue;
use crate::args::values;
use crate::fault::ExitCode;

/// Do what configurations say when it is due, until asked to stop
///
/// Takes --config FILE, or a folder with one file for each client; a file that changes is read again.
/// A job that fails in a way that can pass is tried again; what was missed while this machine was off is
/// made up for once. On SIGTERM what runs is put off, goes on when the agent begins again, and the exit
/// code is 0. Variables of the environment count only for what a file does not say.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
#[command(after_long_help = epilogue::with_repository(
    "mainstay agent --config /etc/mainstay/clients\n\
     mainstay schedule install --config /etc/mainstay/clients",
    &[ExitCode::Busy],
))]
pub struct AgentArgs {
    /// Jobs of different clients that run at once
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u16).range(1..=64))]
    pub concurrent: u16,
}

/// Do once what is due now, or one job by hand
///
/// With --due everything that is due and not done yet, each job once: for cron. With the name of a job,
/// that job, due or not. The exit code is 0 only if everything was done.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
#[command(after_long_help = epilogue::with_repository(
    "mainstay run --due --config /etc/mainstay/clients\n\
     mainstay run backup --config /etc/mainstay/clients/acme.toml",
    &[ExitCode::Partial, ExitCode::Busy, ExitCode::DrillFailed, ExitCode::Breached],
))]
pub struct RunArgs {
    /// The job: backup, forget, prune, check, drill, report
    #[arg(value_name = "JOB", required_unless_present = "due", conflicts_with = "due")]
    pub job: Option<JobKind>,

    /// Everything that is due
    #[arg(long)]
    pub due: bool,
}

/// Show when jobs are due, or let the system start the agent
#[derive(Debug, Clone, PartialEq, Eq, Args)]
#[command(subcommand_required = true, arg_required_else_help = true)]
pub struct ScheduleArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: ScheduleCommand,
}

/// What can be done with schedules.
#[derive(Debug, Clone, PartialEq, Eq, Subcommand)]
pub enum ScheduleCommand {
    /// Show the next slots of all jobs, through the nights in which clocks are set
    ///
    /// A slot is the instant that a calendar names; the job begins then, or later by its share of
    /// `spread` and when its window opens. What follows another job is shown at that one's slots.
    #[command(after_long_help = epilogue::plain(
        "mainstay schedule next --config acme.toml --count 5\n\
         mainstay schedule next --config acme.toml --from 2027-03-27T00:00:00Z --json",
    ))]
    Next(NextArgs),
    /// Write the unit of systemd for the agent, and start it
    #[command(after_long_help = epilogue::plain(
        "mainstay schedule install --config /etc/mainstay/clients\n\
         mainstay schedule install --print",
    ))]
    Install(InstallArgs),
}

/// Options of `schedule next`.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct NextArgs {
    /// First moment, as RFC 3339 or a date; now otherwise
    #[arg(long, value_name = "TIME")]
    pub from: Option<String>,

    /// How many slots of each client
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub count: u32,

    /// Only this job
    #[arg(long, value_name = "JOB")]
    pub job: Option<JobKind>,
}

/// Options of `schedule install`.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct InstallArgs {
    /// Print the unit and change nothing
    #[arg(long)]
    pub print: bool,

    /// Folder of units
    #[arg(long, value_name = "DIR", default_value = "/etc/systemd/system")]
    pub unit_dir: PathBuf,

    /// Write the unit without telling systemd
    #[arg(long)]
    pub no_start: bool,
}

/// Show where each system stands, worst first
///
/// From what this machine remembers, without a request to any store. A system is a machine with one of
/// its sources.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
#[command(after_long_help = epilogue::plain(
    "mainstay status --config /etc/mainstay/clients\n\
     mainstay status --config acme.toml --json\n\
     mainstay status --check --format nagios",
))]
pub struct StatusArgs {
    /// Only this client
    #[arg(long, value_name = "NAME", value_parser = values::words)]
    pub client: Option<String>,

    /// Only what needs somebody: tickets of `watch` that nobody acknowledged; none is the goal
    #[arg(long, conflicts_with = "check")]
    pub attention: bool,

    /// Answer as a monitor does: one state for all, and its exit code
    #[arg(long)]
    pub check: bool,

    /// The form of that answer
    #[arg(long, value_enum, value_name = "FORM", default_value_t, requires = "check")]
    pub format: CheckFormat,

    /// Exit codes of the states, each from 0 to 3 [default: ok=0,warn=1,crit=2,unknown=3; for datto
    /// ok=0 and 1 for the others]
    #[arg(long, value_name = "MAP", value_parser = exit_map, requires = "check")]
    pub exit_map: Option<ExitMap>,
}

/// How a monitor wants its answer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum CheckFormat {
    /// A first line that is the same for each state, and a line for each system that is not well
    #[default]
    Plain,
    /// Nagios, Icinga, Checkmk
    Nagios,
    /// Datto RMM
    Datto,
    /// For programs
    Json,
}

/// Exit codes of states.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExitMap {
    /// Everything is well.
    pub ok: u8,
    /// Worth a look.
    pub warn: u8,
    /// Bad.
    pub crit: u8,
    /// Not known.
    pub unknown: u8,
}

impl ExitMap {
    /// What plugins of Nagios end with.
    pub const NAGIOS: Self = Self { ok: 0, warn: 1, crit: 2, unknown: 3 };
    /// Well or not.
    pub const TWO: Self = Self { ok: 0, warn: 1, crit: 1, unknown: 1 };
}

/// Reads `ok=0,warn=1,crit=2,unknown=3`; what is missing is as Nagios has it.
fn exit_map(text: &str) -> Result<ExitMap, String> {
    let mut map = ExitMap::NAGIOS;
    for part in text.split(',') {
        let wrong = || format!("{part:?}: write for example ok=0,warn=0,crit=1,unknown=1");
        let (state, code) = part.split_once('=').ok_or_else(wrong)?;
        let code = code.trim().parse().ok().filter(|code| *code <= 3).ok_or_else(wrong)?;
        match state.trim() {
            "ok" => map.ok = code,
            "warn" => map.warn = code,
            "crit" => map.crit = code,
            "unknown" => map.unknown = code,
            _ => return Err(wrong()),
        }
    }
    Ok(map)
}

/// Check and show configurations
#[derive(Debug, Clone, PartialEq, Eq, Args)]
#[command(subcommand_required = true, arg_required_else_help = true)]
pub struct ConfigArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: ConfigCommand,
}

impl ConfigArgs {
    /// Whether it is about files of this machine; the others open a repository.
    #[must_use]
    pub fn reads_configurations(&self) -> bool {
        !matches!(self.command, ConfigCommand::Stored(_))
    }
}

/// What can be done with configurations.
#[derive(Debug, Clone, PartialEq, Eq, Subcommand)]
pub enum ConfigCommand {
    /// Say whether a configuration makes sense; of a folder, each of its files
    #[command(after_long_help = epilogue::plain(
        "mainstay config check --config /etc/mainstay/clients/acme.toml",
    ))]
    Check,
    /// Show what a configuration asks for, with what it leaves to this machine
    #[command(after_long_help = epilogue::plain(
        "mainstay config show --config acme.toml",
    ))]
    Show,
    /// Print the JSON schema of configurations, for editors
    #[command(after_long_help = epilogue::plain(
        "mainstay config schema >mainstay.schema.json",
    ))]
    Schema,
    /// Make a configuration of those of restic, resticprofile or borgmatic
    ///
    /// Takes environments, scripts, crontabs and units around restic, profiles of resticprofile, and files of
    /// borgmatic with the crontab or timer that starts it. Prints the configuration, and says of everything
    /// without an equivalent what became of it. Secrets are not copied, and a repository of another program
    /// is never touched: make a new one with `mainstay init`.
    #[command(after_long_help = epilogue::plain(
        "mainstay config import /etc/borgmatic/config.yaml --output acme.toml\n\
         mainstay config import /etc/restic/env /usr/local/bin/backup.sh /etc/cron.d/backup\n\
         mainstay config import profiles.yaml --profile nightly --client acme",
    ))]
    Import(ImportArgs),
    /// Show the configurations that machines have stored in the repository, or write one to a file
    ///
    /// A machine that runs jobs by itself stores its configuration, sealed, whenever it changes. Without
    /// --to all versions are listed; with it the newest of a host is written. What it would start
    /// (hooks, commands of sources, password-command) stays off until the line `unconfirmed = true`
    /// is taken out of the file.
    #[command(after_long_help = epilogue::with_repository(
        "mainstay config stored\n\
         mainstay config stored --host web1 --to /etc/mainstay/clients/acme.toml",
        &[],
    ))]
    Stored(StoredArgs),
}

/// Options of `config import`.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct ImportArgs {
    /// What there is: one configuration, with the files that belong to it
    #[arg(value_name = "FILE", required = true)]
    pub files: Vec<PathBuf>,

    /// Whose it is; found out from the files otherwise
    #[arg(long, value_enum, value_name = "PROGRAM")]
    pub from: Option<ImportFrom>,

    /// Name of the organisation; that of the first file otherwise
    #[arg(long, value_name = "NAME", value_parser = values::words)]
    pub client: Option<String>,

    /// Only this profile of resticprofile, or the profiles of this group
    #[arg(long, value_name = "NAME")]
    pub profile: Option<String>,

    /// Write it to this file, which must not be there yet
    #[arg(long, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

/// Whose configuration is imported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ImportFrom {
    /// Environments, scripts, crontabs and units around restic
    ResticEnv,
    /// Profiles of resticprofile
    Resticprofile,
    /// Files of borgmatic
    Borgmatic,
}

/// Options of `config stored`.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct StoredArgs {
    /// Only of this host
    #[arg(short = 'H', long, value_name = "HOST")]
    pub host: Option<String>,

    /// This version instead of the newest
    #[arg(long, value_name = "N")]
    pub number: Option<u32>,

    /// Write it to this file, which must not be there yet
    #[arg(long, value_name = "FILE")]
    pub to: Option<PathBuf>,
}
