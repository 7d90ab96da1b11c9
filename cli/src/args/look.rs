//! Options of the commands that look into a repository.

use clap::Args;

use crate::args::epilogue;
use crate::args::filter::FilterArgs;
use crate::args::values::{Selector, SnapshotPath};

/// List the snapshots
#[derive(Debug, Clone, PartialEq, Eq, Args)]
#[command(after_long_help = epilogue::with_repository(
    "mainstay snapshots --host web1 --latest 3\n\
     mainstay snapshots --all --json",
    &[],
))]
pub struct SnapshotsArgs {
    /// Only these snapshots
    #[arg(value_name = "SNAP")]
    pub snapshots: Vec<Selector>,

    /// Forgotten ones too, as long as they are there
    #[arg(long)]
    pub all: bool,

    /// Only the newest N of each host and set of paths
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub latest: Option<u32>,

    /// Conditions on snapshots.
    #[command(flatten)]
    pub filter: FilterArgs,
}

/// List what a snapshot lacks: what could not be read when it was made
///
/// The record of a snapshot names the first 1000 paths and counts all.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
#[command(after_long_help = epilogue::with_repository(
    "mainstay problems latest\n\
     mainstay problems 4f3a91c2 --json",
    &[],
))]
pub struct ProblemsArgs {
    /// Which snapshot
    #[arg(value_name = "SNAP")]
    pub snapshot: Selector,

    /// What `latest` means.
    #[command(flatten)]
    pub filter: FilterArgs,
}

/// List the files of a snapshot
#[derive(Debug, Clone, PartialEq, Eq, Args)]
#[command(after_long_help = epilogue::with_repository(
    "mainstay ls latest\n\
     mainstay ls -l latest:/home/user",
    &[],
))]
pub struct LsArgs {
    /// Which snapshot, and which folder of it
    #[arg(value_name = "SNAP[:PATH]", value_parser = SnapshotPath::parser())]
    pub source: SnapshotPath,

    /// Also permissions, owner, size and time
    #[arg(short, long)]
    pub long: bool,

    /// Also what is in folders below; this is the default
    #[arg(long, overrides_with = "no_recursive")]
    pub recursive: bool,

    /// Only what is directly in the folder
    #[arg(long, overrides_with = "recursive")]
    pub no_recursive: bool,

    /// What `latest` means.
    #[command(flatten)]
    pub filter: FilterArgs,
}

impl LsArgs {
    /// Whether folders below are listed too.
    #[must_use]
    pub fn is_recursive(&self) -> bool {
        !self.no_recursive
    }
}

/// Find files in snapshots by name
///
/// A pattern with a slash is compared with whole paths, one without with names.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
#[command(after_long_help = epilogue::with_repository(
    "mainstay find '*.odt'\n\
     mainstay find --ignore-case report.pdf --snapshot latest",
    &[],
))]
pub struct FindArgs {
    /// What to look for
    #[arg(value_name = "PATTERN", required = true)]
    pub patterns: Vec<String>,

    /// Only in this snapshot (may be repeated)
    #[arg(short, long, value_name = "SNAP")]
    pub snapshot: Vec<Selector>,

    /// Without regard to upper and lower case
    #[arg(short, long)]
    pub ignore_case: bool,

    /// Conditions on snapshots.
    #[command(flatten)]
    pub filter: FilterArgs,
}

/// Write the content of a file of a snapshot to standard output
#[derive(Debug, Clone, PartialEq, Eq, Args)]
#[command(after_long_help = epilogue::with_repository("mainstay cat latest:/etc/fstab", &[]))]
pub struct CatArgs {
    /// Which file of which snapshot
    #[arg(value_name = "SNAP:PATH", value_parser = SnapshotPath::parser())]
    pub source: SnapshotPath,

    /// What `latest` means.
    #[command(flatten)]
    pub filter: FilterArgs,
}
