//! Options of `drill` and `evidence`.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};
use restore_verify::evidence::known::KnownHead;
use restore_verify::evidence::verify::Trust;

use crate::args::epilogue;
use crate::args::filter::FilterArgs;
use crate::args::values::{self, SnapshotPath, ValueError};
use crate::fault::ExitCode;
use crate::units;

/// What a drill does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Kind {
    /// Restore files that nobody can choose
    Sample,
    /// Restore what SNAP:PATH names
    Paths,
    /// Restore everything
    Full,
    /// Make the index anew from the store and compare
    IndexLoss,
    /// Open the repository with the recovery kit alone
    Kit,
}

/// Restore from the store, look at what came back, and sign what was found
///
/// Needs a key of role `verify`, and nothing of the machine that was backed up. A drill passes,
/// fails, or is not proved; all three are recorded as evidence. A sample draws files by a public
/// rule from what was signed before, so nobody can choose them. Restored files lie in a folder of
/// their own below --scratch, never more than --quota at a time, and are removed at the end.
#[derive(Debug, Clone, PartialEq, Args)]
#[command(after_long_help = epilogue::with_repository(
    "mainstay --key-file verify.key drill\n\
     mainstay drill latest --host web1 --files 2995 --rto 4h --rpo 26h\n\
     mainstay drill --kind paths latest:/var/lib/app --command ./count-rows.sh\n\
     mainstay drill --kind full --discard\n\
     mainstay drill --kind kit --kit kit.txt",
    &[ExitCode::Busy, ExitCode::DrillFailed, ExitCode::Breached],
))]
pub struct DrillArgs {
    /// Which snapshot, and for --kind paths which part of it
    #[arg(value_name = "SNAP[:PATH]", value_parser = SnapshotPath::parser(), default_value = "latest")]
    pub source: SnapshotPath,

    /// What to do: `sample`, or with --retest what the drill did that failed
    #[arg(long, value_enum, value_name = "KIND")]
    pub kind: Option<Kind>,

    /// Files that a sample draws: 300, or with --retest as many as before. 299 without a failure
    /// show that under 1 % are defective, at 95 %
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=100_000))]
    pub files: Option<u64>,

    /// Files that the snapshot must hold at least; without it half of what was there before
    #[arg(long, value_name = "N")]
    pub expect_files: Option<u64>,

    /// Bytes that its files must have at least
    #[arg(long, value_name = "SIZE", value_parser = size)]
    pub expect_bytes: Option<u64>,

    /// Folder in which a scratch folder is made and removed; the default is in the state folder
    #[arg(long, value_name = "DIR")]
    pub scratch: Option<PathBuf>,

    /// Most bytes in scratch at a time
    #[arg(long, value_name = "SIZE", default_value = "1G", value_parser = size)]
    pub quota: u64,

    /// Verify bytes and drop them: needs no disk; probes cannot look
    #[arg(long)]
    pub discard: bool,

    /// A probe that does not run: meta, kind, sqlite, archive, dump, image (may be repeated)
    #[arg(long, value_name = "PROBE", value_parser = probe)]
    pub skip_probe: Vec<String>,

    /// Test what `full` or `paths` restored with a command; it finds the folder in
    /// MAINSTAY_RESTORED. Exit code 0 passes, 75 cannot tell, others fail. Words as a shell splits
    /// them. It is confined: no network, no files but the system's, its own and what was restored
    #[arg(long, value_name = "COMMAND", conflicts_with = "discard")]
    pub command: Option<String>,

    /// Longest time of that command
    #[arg(long, value_name = "TIME", default_value = "10m", value_parser = duration)]
    pub command_time: Duration,

    /// Most memory of each of its processes
    #[arg(long, value_name = "SIZE", default_value = "8G", value_parser = size)]
    pub command_memory: u64,

    /// Longest time of all probes together
    #[arg(long, value_name = "TIME", default_value = "1h", value_parser = duration)]
    pub probe_time: Duration,

    /// Most memory of a probe
    #[arg(long, value_name = "SIZE", default_value = "1G", value_parser = size)]
    pub probe_memory: u64,

    /// Let --command use the network of this machine; evidence says so
    #[arg(long, requires = "command")]
    pub probe_network: bool,

    /// Let --command read and run what is at PATH, beside what the system brings (may be repeated)
    #[arg(long, value_name = "PATH", requires = "command")]
    pub probe_read: Vec<PathBuf>,

    /// Recovery point objective: exit code 22 if the snapshot is older
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub rpo: Option<Duration>,

    /// Recovery time objective: exit code 22 if a full restore takes longer or is estimated to
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub rto: Option<Duration>,

    /// Do not restore stretches of the snapshot to estimate the time of a full restore
    #[arg(long)]
    pub no_estimate: bool,

    /// File with the recovery words, for --kind kit
    #[arg(long, value_name = "FILE", required_if_eq("kind", "kit"))]
    pub kit: Option<PathBuf>,

    /// Test a finding again: the record of the drill that failed. Only a test of the same system
    /// that looks at least as hard closes it
    #[arg(long, value_name = "RECORD")]
    pub retest: Option<String>,

    /// The ticket that this belongs to
    #[arg(long, value_name = "ID", value_parser = values::label)]
    pub ticket: Option<String>,

    /// Who causes it, as evidence names it; the default is the user's name
    #[arg(long, value_name = "NAME", value_parser = values::label)]
    pub actor: Option<String>,

    /// What `latest` means.
    #[command(flatten)]
    pub filter: FilterArgs,
}

/// Signed records of what was proved
#[derive(Debug, Clone, PartialEq, Eq, Args)]
#[command(after_long_help = epilogue::with_repository(
    "mainstay evidence list\n\
     mainstay evidence export --to q3.zip --purpose 'audit 2026'\n\
     mainstay evidence verify q3.zip --key 1f0a-22b1-…",
    &[],
))]
pub struct EvidenceArgs {
    /// What to do with them.
    #[command(subcommand)]
    pub command: EvidenceCommand,
}

/// What can be done with evidence.
#[derive(Debug, Clone, PartialEq, Eq, Subcommand)]
pub enum EvidenceCommand {
    /// List the records of all chains
    #[command(after_long_help = epilogue::with_repository("mainstay evidence list --json", &[]))]
    List,
    /// Show one record with everything in it
    #[command(after_long_help = epilogue::with_repository("mainstay evidence show 12", &[]))]
    Show {
        /// The record: WRITER/NUMBER, or the number if there is one writer
        #[arg(value_name = "RECORD")]
        record: String,
    },
    /// Verify a bundle with the public key alone, or without one all chains in the repository
    ///
    /// A bundle needs no repository, no passphrase and no network. --key is what the owner of the
    /// repository gave you: its fingerprint, as `mainstay key test` shows it, or its public key.
    #[command(after_long_help = epilogue::with_repository(
        "mainstay evidence verify\n\
         mainstay evidence verify q3.zip --key 1f0a-22b1-…\n\
         mainstay evidence verify --known-head 3f2a91c27d10b5e8/41:9c1f…",
        &[],
    ))]
    Verify {
        /// The bundle
        #[arg(value_name = "BUNDLE", requires = "key")]
        bundle: Option<PathBuf>,
        /// Fingerprint or public key of the repository's administrator
        #[arg(long, value_name = "KEY", value_parser = trust)]
        key: Option<Trust>,
        /// A record that you know from elsewhere and that must be there, as an earlier run showed it
        /// (may be repeated)
        #[arg(long, value_name = "WRITER/NUMBER:HASH")]
        known_head: Vec<KnownHead>,
    },
    /// List what failed, and how far it is: open, fixed, closed
    ///
    /// A finding is closed by a drill or a check that tests it again and passes, never by a word.
    #[command(after_long_help = epilogue::with_repository("mainstay evidence findings --open", &[]))]
    Findings {
        /// Leave out what is closed
        #[arg(long)]
        open: bool,
    },
    /// Say something about a finding: its ticket, that it is fixed, or anything else
    #[command(after_long_help = epilogue::with_repository(
        "mainstay evidence note --finding 12 --ticket PSA-4711\n\
         mainstay evidence note --finding 12 --fixed 'disk replaced, pack copied back'\n\
         mainstay drill --retest 12",
        &[],
    ))]
    Note(NoteArgs),
    /// Record now how many backups ran and how they ended, for an auditor to draw from
    #[command(after_long_help = epilogue::with_repository("mainstay evidence runs", &[]))]
    Runs,
    /// Ask the time stamp authority now
    #[command(after_long_help = epilogue::with_repository(
        "mainstay evidence stamp --timestamp-url https://freetsa.org/tsr",
        &[],
    ))]
    Stamp,
    /// Write a bundle for an auditor: chains, who vouches for them, samples, single files
    Export(ExportArgs),
}

/// Options of `evidence note`.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct NoteArgs {
    /// The record that says that something failed: WRITER/NUMBER, or the number if there is one
    /// writer
    #[arg(long, value_name = "RECORD")]
    pub finding: String,

    /// The ticket; without it the one that is known
    #[arg(long, value_name = "ID", value_parser = values::label)]
    pub ticket: Option<String>,

    /// What was done about it: it is fixed, and a test has to show it
    #[arg(long, value_name = "WORDS", value_parser = values::words, conflicts_with = "words")]
    pub fixed: Option<String>,

    /// Anything else
    #[arg(long, value_name = "WORDS", value_parser = values::words)]
    pub words: Option<String>,

    /// Who says so, as evidence names it; the default is the user's name
    #[arg(long, value_name = "NAME", value_parser = values::label)]
    pub actor: Option<String>,
}

/// Options of `evidence export`.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
#[command(after_long_help = epilogue::with_repository(
    "mainstay evidence export --to q3.zip --purpose 'audit 2026'\n\
     mainstay evidence export --to one.zip --drill 12 --file 12:/home/user/contract.odt\n\
     mainstay evidence export --to q3.zip --add q3.html --add q3.pdf --add q3.json",
    &[],
))]
pub struct ExportArgs {
    /// The file to write; it must not exist
    #[arg(long, value_name = "FILE")]
    pub to: PathBuf,

    /// Whom it is for
    #[arg(long, value_name = "WORDS", default_value = "")]
    pub purpose: String,

    /// Only records of so long ago, to the first of each chain that is older
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub within: Option<Duration>,

    /// Add population and results of this drill, so that its sample can be drawn again (may be
    /// repeated); without it those of the newest sample
    #[arg(long, value_name = "RECORD")]
    pub drill: Vec<String>,

    /// Show that this file came back in a drill, and no other name (may be repeated)
    #[arg(long, value_name = "RECORD:PATH")]
    pub file: Vec<OsString>,

    /// Put this file into the bundle as reports/NAME: a report, a policy (may be repeated)
    #[arg(long, value_name = "FILE")]
    pub add: Vec<PathBuf>,
}

fn size(text: &str) -> Result<u64, ValueError> {
    Ok(units::parse_size(text)?)
}

fn duration(text: &str) -> Result<Duration, ValueError> {
    Ok(units::parse_duration(text)?)
}

fn trust(text: &str) -> Result<Trust, ValueError> {
    let wrong = "write the fingerprint (eight groups of four digits) or the public key (64 digits)";
    Trust::parse(text).ok_or_else(|| ValueError::new(wrong))
}

fn probe(text: &str) -> Result<String, ValueError> {
    let names = restore_verify::probe::choose::NAMES;
    match names.contains(&text) {
        true => Ok(text.to_owned()),
        false => Err(ValueError::new(format!("no probe is called that: {}", names.join(", ")))),
    }
}
