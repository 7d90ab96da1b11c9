//! The commands: flags → options → one call of the engine → report → ui; one file for each.
//!
//! A command answers the exit code of an outcome it has printed, or a [`Fault`] that is printed
//! for it. Adding one is a file, a `mod` line, a variant and a line in [`dispatch`].

/// What every command gets.
pub mod context;
/// Errors whose meaning depends on what was being done.
pub mod trouble;
/// Local paths.
pub mod place;
/// From flags to an opened repository.
pub mod open;
/// When snapshots were made.
pub mod made;
/// Which clients are meant.
pub mod whose;
/// Which paths in a snapshot are meant.
pub mod asked;
/// Which snapshots are meant.
pub mod select;
/// The clock of this machine and the store's.
pub mod clock;
/// Time stamps of others.
pub mod authority;
/// Evidence of what commands do.
pub mod witness;
/// `init`
pub mod init;
/// `probe`
pub mod probe;
/// Permissions of a store.
pub mod store_policy;
/// `key clients`, `key revoke`, `key succeed`
pub mod client;
/// `key rotate`
pub mod key_rotate;
/// `key`
pub mod key;
/// Snapshots that are gone.
pub mod lost;
/// What a backup is of.
pub mod sources;
/// `backup`
pub mod backup;
/// How an entry is shown.
pub mod node;
/// `problems`
pub mod problems;
/// Rules of retention, and how they are shown.
pub mod rules;
/// How snapshots are listed.
pub mod listing;
/// `snapshots`
pub mod snapshots;
/// `ls`
pub mod ls;
/// How entries differ.
pub mod change;
/// Versions of a path.
pub mod versions;
/// `find --history`
pub mod past;
/// `find`
pub mod find;
/// `cat`
pub mod cat;
/// `dump`.
pub mod dump;
/// `mount`.
pub mod mount;
/// `diff`.
pub mod diff;
/// `history`.
pub mod history;
/// `timeline`.
pub mod timeline;
/// `restore`
pub mod restore;
/// `prune`
pub mod prune;
/// `unblock`
pub mod unblock;
/// Conditions of `forget` that fit nothing.
pub mod no_match;
/// `forget`
pub mod forget;
/// `undelete`
pub mod undelete;
/// `offboard`
pub mod offboard;
/// `hold`
pub mod hold;
/// `approve`
pub mod approve;
/// `tag`
pub mod tag;
/// `policy`
pub mod policy;
/// `check --rotate`.
pub mod rotate;
/// `check`
pub mod check;
/// `drill`
pub mod drill;
/// `database`
pub mod database;
/// `evidence findings`, `note`, `runs`, `stamp`.
pub mod finding;
/// Evidence in words.
pub mod told;
/// The body of a record of evidence in words.
pub mod evidence_lines;
/// `evidence`
pub mod evidence;
/// `report`
pub mod report;
/// `stats`
pub mod stats;
/// `index`
pub mod index;
/// `cache`
pub mod cache;
/// `doctor`
pub mod doctor;
/// `demo`
pub mod demo;
/// `benchmark`
pub mod benchmark;
/// `completions`
pub mod completions;
/// `man`
pub mod man;
/// `version`
pub mod version;
/// What the commands about what happens by itself have in common.
pub mod night;
/// `agent`
pub mod agent;
/// `watch`
pub mod watch;
/// `ticket`
pub mod ticket;
/// `alert`
pub mod alert;
/// `run`
pub mod run;
/// `schedule install`
pub mod install;
/// `schedule`
pub mod schedule;
/// `status --check`
pub mod monitor;
/// `status`
pub mod status;
/// `outcomes`
pub mod outcomes;
/// `config stored`
pub mod stored;
/// `recover`
pub mod recover;
/// `machine join`
pub mod join;
/// `machine`
pub mod machine;
/// `config import`
pub mod import;
/// `config`
pub mod config;

use std::ffi::OsString;

use clap::{CommandFactory, Parser, Subcommand};

use crate::args::approve::ApproveArgs;
use crate::args::backup::BackupArgs;
use crate::args::collect::{PruneArgs, UnblockArgs};
use crate::args::compare::{DiffArgs, HistoryArgs, TimelineArgs};
use crate::args::database::DatabaseArgs;
use crate::args::dump::DumpArgs;
use crate::args::epilogue;
use crate::args::global::GlobalArgs;
use crate::args::key::KeyArgs;
use crate::args::look::{CatArgs, FindArgs, LsArgs, ProblemsArgs, SnapshotsArgs};
use crate::args::machine::{MachineArgs, MachineCommand};
use crate::args::mount::MountArgs;
use crate::args::night::{AgentArgs, ConfigArgs, RunArgs, ScheduleArgs, StatusArgs};
use crate::args::outcomes::OutcomesArgs;
use crate::args::overview;
use crate::args::program::{
    BenchmarkArgs, CompletionsArgs, DemoArgs, DoctorArgs, ManArgs, OptionsArgs, VersionArgs,
};
use crate::args::proof::{DrillArgs, EvidenceArgs};
use crate::args::recover::RecoverArgs;
use crate::args::report::ReportArgs;
use crate::args::repository::{CacheArgs, CheckArgs, IndexArgs, InitArgs, ProbeArgs, StatsArgs};
use crate::args::restore::RestoreArgs;
use crate::args::retention::{
    ForgetArgs, HoldArgs, OffboardArgs, PolicyArgs, TagArgs, UndeleteArgs,
};
use crate::args::watch::{AlertArgs, TicketArgs, WatchArgs};
use crate::command::context::Context;
use crate::config::surroundings::Surroundings;
use crate::fault::{ExitCode, Fault};
use crate::ui::{Settings, Ui};

/// Backups that are proved to restore
///
/// Mainstay keeps encrypted, deduplicated snapshots of files in a folder or an object store, and
/// restores them.
#[derive(Debug, Clone, Parser)]
#[command(
    name = "mainstay",
    bin_name = "mainstay",
    version,
    after_long_help = epilogue::program(),
    max_term_width = 100,
    subcommand_required = true,
    arg_required_else_help = true,
)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,

    /// Options of every command.
    #[command(flatten)]
    pub global: GlobalArgs,
}

/// What this program can do.
#[derive(Debug, Clone, Subcommand)]
#[expect(missing_docs, reason = "a text here would replace the help of the command's options")]
pub enum Command {
    Init(InitArgs),
    Backup(Box<BackupArgs>),
    Snapshots(SnapshotsArgs),
    Problems(ProblemsArgs),
    Restore(Box<RestoreArgs>),
    Recover(RecoverArgs),
    Ls(LsArgs),
    Find(FindArgs),
    Cat(CatArgs),
    Dump(DumpArgs),
    Mount(MountArgs),
    Diff(DiffArgs),
    History(HistoryArgs),
    Timeline(TimelineArgs),
    Forget(Box<ForgetArgs>),
    Undelete(UndeleteArgs),
    Offboard(OffboardArgs),
    Hold(HoldArgs),
    Approve(ApproveArgs),
    Tag(TagArgs),
    Policy(Box<PolicyArgs>),
    Check(CheckArgs),
    #[command(visible_alias = "gc")]
    Prune(PruneArgs),
    Unblock(UnblockArgs),
    Drill(Box<DrillArgs>),
    Database(DatabaseArgs),
    Evidence(EvidenceArgs),
    Report(Box<ReportArgs>),
    Stats(StatsArgs),
    Machine(MachineArgs),
    Key(KeyArgs),
    Agent(AgentArgs),
    Run(RunArgs),
    Schedule(ScheduleArgs),
    Status(StatusArgs),
    Outcomes(OutcomesArgs),
    Config(ConfigArgs),
    Watch(WatchArgs),
    Ticket(TicketArgs),
    Alert(AlertArgs),
    Doctor(DoctorArgs),
    Probe(ProbeArgs),
    Index(IndexArgs),
    Cache(CacheArgs),
    Demo(DemoArgs),
    Benchmark(BenchmarkArgs),
    Completions(CompletionsArgs),
    Man(ManArgs),
    Version(VersionArgs),
    #[command(hide = true)]
    Options(OptionsArgs),
}

impl Command {
    /// Whether it reads configurations itself: those of all clients, whatever variables say.
    #[must_use]
    pub fn reads_configurations(&self) -> bool {
        match self {
            Self::Agent(_) | Self::Run(_) | Self::Schedule(_) | Self::Status(_) => true,
            Self::Watch(_) | Self::Ticket(_) | Self::Alert(_) => true,
            Self::Config(args) => args.reads_configurations(),
            Self::Machine(args) => matches!(args.command, MachineCommand::Join(_)),
            _ => false,
        }
    }

    /// Whether it looks at no path.
    #[must_use]
    pub fn needs_no_folder(&self) -> bool {
        matches!(self, Self::Completions(_) | Self::Man(_) | Self::Version(_) | Self::Options(_))
    }
}

/// Runs one command.
///
/// # Errors
/// Whatever stops the command.
pub fn dispatch(command: &Command, context: &Context<'_>) -> Result<ExitCode, Fault> {
    match command {
        Command::Init(args) => init::run(args, context),
        Command::Backup(args) => backup::run(args, context),
        Command::Snapshots(args) => snapshots::run(args, context),
        Command::Problems(args) => problems::run(args, context),
        Command::Restore(args) => restore::run(args, context),
        Command::Recover(args) => recover::run(args, context),
        Command::Ls(args) => ls::run(args, context),
        Command::Find(args) => find::run(args, context),
        Command::Cat(args) => cat::run(args, context),
        Command::Dump(args) => dump::run(args, context),
        Command::Mount(args) => mount::run(args, context),
        Command::Diff(args) => diff::run(args, context),
        Command::History(args) => history::run(args, context),
        Command::Timeline(args) => timeline::run(args, context),
        Command::Forget(args) => forget::run(args, context),
        Command::Undelete(args) => undelete::run(args, context),
        Command::Offboard(args) => offboard::run(args, context),
        Command::Hold(args) => hold::run(args, context),
        Command::Approve(args) => approve::run(args, context),
        Command::Tag(args) => tag::run(args, context),
        Command::Policy(args) => policy::run(args, context),
        Command::Check(args) => check::run(args, context),
        Command::Prune(args) => prune::run(args, context),
        Command::Unblock(args) => unblock::run(args, context),
        Command::Drill(args) => drill::run(args, context),
        Command::Database(args) => database::run(args, context),
        Command::Evidence(args) => evidence::run(args, context),
        Command::Report(args) => report::run(args, context),
        Command::Stats(args) => stats::run(args, context),
        Command::Machine(args) => machine::run(args, context),
        Command::Key(args) => key::run(args, context),
        Command::Agent(args) => agent::run(args, context),
        Command::Run(args) => run::run(args, context),
        Command::Schedule(args) => schedule::run(args, context),
        Command::Status(args) => status::run(args, context),
        Command::Outcomes(args) => outcomes::run(args, context),
        Command::Config(args) => config::run(args, context),
        Command::Watch(args) => watch::run(args, context),
        Command::Ticket(args) => ticket::run(args, context),
        Command::Alert(args) => alert::run(args, context),
        Command::Doctor(args) => doctor::run(args, context),
        Command::Probe(args) => probe::run(args, context),
        Command::Index(args) => index::run(args, context),
        Command::Cache(args) => cache::run(args, context),
        Command::Demo(args) => demo::run(args, context, &run_line),
        Command::Benchmark(args) => benchmark::run(args, context),
        Command::Completions(args) => completions::run(args, context, &mut Cli::command()),
        Command::Man(args) => man::run(args, context, Cli::command()),
        Command::Version(args) => version::run(args, context),
        Command::Options(_) => {
            context.ui.stdout().bytes(overview::options().as_bytes());
            Ok(ExitCode::Ok)
        }
    }
}

/// Runs a whole command line in a world of its own, as a user would; says there why it failed.
fn run_line(arguments: &[OsString], around: &Surroundings) -> ExitCode {
    let ui = |settings| Ui::new(settings, around.stdout.clone(), around.stderr.clone());
    let settings = Settings { color: !around.refuses_color(), ..Settings::default() };
    let outcome = match Cli::try_parse_from(arguments) {
        Err(error) => Err(Fault::usage(error.to_string())),
        Ok(cli) => {
            let ui = ui(Settings { quiet: cli.global.quiet, ..settings });
            let (global, limits) = (&cli.global, cli.global.limits(around));
            dispatch(&cli.command, &Context { ui: &ui, around, global, limits })
        }
    };
    outcome.unwrap_or_else(|fault| {
        fault.print(&ui(settings));
        fault.exit_code()
    })
}
