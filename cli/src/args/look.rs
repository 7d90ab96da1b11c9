//! Options of the commands that look into a repository.

use clap::{Args, ValueEnum};
use engine::base::path::TreePath;
use engine::retain::candidate::GroupBy;

use crate::args::epilogue;
use crate::args::filter::FilterArgs;
use crate::args::rules::group_by;
use crate::args::values::{Selector, SnapshotPath, path_in_snapshot};

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

    /// One line for each: when, whose, and in which state
    #[arg(short = 'c', long)]
    pub compact: bool,

    /// What is listed together: any of host, paths, tags, client, or '' [default: host,paths]
    #[arg(short, long, value_name = "WHAT", value_parser = group_by, conflicts_with = "compact")]
    pub group_by: Option<GroupBy>,

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
///
/// `SNAP` and `SNAP:PATH` list everything below, one whole path a line. With paths apart from the
/// snapshot only what is directly in those folders is listed, unless -R is given.
///
/// Control characters and bytes that are no text are shown as \n, \t, \x1b or \u{202e}, and a
/// backslash as two. A path that is written like that leads there as well, here, in `cat` and in
/// `restore`, unless something has just the name that was written.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
#[command(after_long_help = epilogue::with_repository(
    "mainstay ls latest\n\
     mainstay ls latest /home/user /etc\n\
     mainstay ls -l --sort size latest:/home/user",
    &[],
))]
pub struct LsArgs {
    /// Which snapshot, and which folder of it
    #[arg(value_name = "SNAP[:PATH]", value_parser = SnapshotPath::parser())]
    pub source: SnapshotPath,

    /// Folders and files in it, absolute
    #[arg(value_name = "PATH", value_parser = path_in_snapshot())]
    pub paths: Vec<TreePath>,

    /// Also permissions, owner, size and time
    #[arg(short, long)]
    pub long: bool,

    /// Also what is in folders below; the default if no PATH is given apart from SNAP
    #[arg(short = 'R', long, overrides_with = "no_recursive")]
    pub recursive: bool,

    /// Only what is directly in the folder
    #[arg(long, overrides_with = "recursive")]
    pub no_recursive: bool,

    /// In which order: the largest or the newest first. All is kept in memory until it is sorted
    #[arg(long, value_enum, value_name = "BY", default_value_t)]
    pub sort: Sort,

    /// The other way round
    #[arg(long)]
    pub reverse: bool,

    /// What `latest` means.
    #[command(flatten)]
    pub filter: FilterArgs,
}

/// The order of a list of entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum Sort {
    /// By path.
    #[default]
    Name,
    /// The largest first.
    Size,
    /// The newest first.
    Time,
}

impl LsArgs {
    /// Whether folders below are listed too.
    #[must_use]
    pub fn is_recursive(&self) -> bool {
        self.recursive || (self.paths.is_empty() && !self.no_recursive)
    }

    /// Whether entries are shown as they come.
    #[must_use]
    pub fn is_in_tree_order(&self) -> bool {
        self.sort == Sort::Name && !self.reverse
    }
}

/// Find files in snapshots by name
///
/// A pattern with a slash is compared with whole paths, one without with names.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
#[command(after_long_help = epilogue::with_repository(
    "mainstay find '*.odt'\n\
     mainstay find --history 'report*'\n\
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

    /// Each path once, with its versions, as `history` shows them
    #[arg(long, conflicts_with = "snapshot")]
    pub history: bool,

    /// Conditions on snapshots.
    #[command(flatten)]
    pub filter: FilterArgs,
}

/// Write the content of a file of a snapshot to standard output
///
/// The path may be written as `ls` shows it, with its escapes.
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
