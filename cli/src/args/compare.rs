//! Options of the commands that look at how files changed from snapshot to snapshot.

use clap::Args;
use engine::base::path::TreePath;

use crate::args::epilogue;
use crate::args::filter::FilterArgs;
use crate::args::values::{Selector, path_in_snapshot};

/// Show what differs between two snapshots
///
/// A line for each path: + added, - removed, M content changed, T another kind of file, R renamed
/// (same content under another path), U only metadata changed.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
#[command(after_long_help = epilogue::with_repository(
    "mainstay diff latest~1 latest\n\
     mainstay diff 4f3a91c2 latest /srv/data --metadata",
    &[],
))]
pub struct DiffArgs {
    /// The earlier snapshot
    #[arg(value_name = "BEFORE")]
    pub before: Selector,

    /// The later snapshot
    #[arg(value_name = "AFTER")]
    pub after: Selector,

    /// Only this folder or file, absolute
    #[arg(value_name = "PATH", value_parser = path_in_snapshot())]
    pub path: Option<TreePath>,

    /// Also where only permissions, owners, times or attributes differ
    #[arg(long)]
    pub metadata: bool,

    /// What `latest` means.
    #[command(flatten)]
    pub filter: FilterArgs,
}

/// List the versions of a file or folder, the newest first
///
/// A version lasts from the first to the last snapshot that has the path with the same content and
/// metadata. Snapshots of other paths say nothing about it.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
#[command(after_long_help = epilogue::with_repository(
    "mainstay history /srv/data/report.odt\n\
     mainstay history --host web1 /etc/fstab --json",
    &[],
))]
pub struct HistoryArgs {
    /// The path, absolute
    #[arg(value_name = "PATH", value_parser = path_in_snapshot())]
    pub path: TreePath,

    /// Conditions on snapshots.
    #[command(flatten)]
    pub filter: FilterArgs,
}

/// Show how much changed from night to night, so that an unusual one stands out
///
/// Each snapshot is compared with the one before it of the same host and paths.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
#[command(after_long_help = epilogue::with_repository(
    "mainstay timeline\n\
     mainstay timeline /srv/data --days 90 --host web1",
    &[],
))]
pub struct TimelineArgs {
    /// Only what is at and below this path, absolute
    #[arg(value_name = "PATH", value_parser = path_in_snapshot())]
    pub path: Option<TreePath>,

    /// Only the last N days
    #[arg(long, value_name = "N", default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=36_500))]
    pub days: u32,

    /// Conditions on snapshots.
    #[command(flatten)]
    pub filter: FilterArgs,
}
