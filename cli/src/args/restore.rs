//! Options of `restore`.

use std::path::PathBuf;

use clap::Args;

use crate::args::epilogue;
use crate::args::filter::FilterArgs;
use crate::args::values::{self, Overwrite, SnapshotPath};

/// Write files of a snapshot to a folder
///
/// SNAP writes the whole snapshot, with its absolute paths below the target; SNAP:PATH writes what
/// is in that folder directly into the target. A single file lands in the target folder; if nothing
/// is at the target and its parent exists, it gets that name.
///
/// A file shows its old content until the new one is whole. What is not finished lies in folders
/// called .mainstay-restore-…; the same command again goes on with it and removes them.
///
/// Patterns mean what they mean for backup: without `/` they match any name, with a leading `/` they
/// start at the root, and what lies below a match is matched too. `!PATTERN` takes back what an
/// earlier --exclude left out, also below an excluded folder.
///
/// PATH and patterns may have the escapes that `ls` shows (\n, \x1b, \u{202e}, \\); in a pattern a
/// byte that is no letter is `?`.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
#[command(after_long_help = epilogue::with_repository(
    "mainstay restore latest --target /tmp/back\n\
     mainstay restore latest:/home/user --target /home/user --overwrite if-changed\n\
     mainstay restore latest --time '2026-11-20 18:00' --target /tmp/back\n\
     mainstay restore 4f3a91c2 --include '*.odt' --target . --dry-run",
    &[],
))]
pub struct RestoreArgs {
    /// Which snapshot, and which part of it
    #[arg(value_name = "SNAP[:PATH]", value_parser = SnapshotPath::parser())]
    pub source: SnapshotPath,

    /// Folder to write to; made if it does not exist
    #[arg(short, long, value_name = "DIR")]
    pub target: PathBuf,

    /// Only what matches this pattern (may be repeated)
    #[arg(short, long, value_name = "PATTERN")]
    pub include: Vec<String>,

    /// The same without regard to upper and lower case
    #[arg(long, value_name = "PATTERN")]
    pub iinclude: Vec<String>,

    /// Not what matches this pattern; !PATTERN takes back, also in a folder that is left out, and
    /// the last match decides (may be repeated)
    #[arg(short, long, value_name = "PATTERN")]
    pub exclude: Vec<String>,

    /// The same without regard to upper and lower case
    #[arg(long, value_name = "PATTERN")]
    pub iexclude: Vec<String>,

    /// What happens to files that exist; without it the target must be empty
    #[arg(long, value_enum, value_name = "WHEN")]
    pub overwrite: Option<Overwrite>,

    /// Delete what is in restored folders and was not there when they were backed up; try it with
    /// --dry-run first
    #[arg(long, requires = "overwrite")]
    pub delete: bool,

    /// Replace a link or a file by a folder, or a folder by a file; a folder that is not empty also
    /// needs --delete
    #[arg(long, requires = "overwrite")]
    pub replace_kind: bool,

    /// Overwrite existing files block by block where they are, for files larger than the free space;
    /// a file that is not finished has a time in 1970
    #[arg(long, requires = "overwrite")]
    pub in_place: bool,

    /// Do not check whether the target has room
    #[arg(long)]
    pub no_space_check: bool,

    /// Write nothing; name what would be created, changed and deleted
    #[arg(short = 'n', long)]
    pub dry_run: bool,

    /// Read everything back afterwards and compare it with the snapshot
    #[arg(long, conflicts_with = "dry_run")]
    pub verify: bool,

    /// Do not set owner and group
    #[arg(long)]
    pub no_owner: bool,

    /// Do not set extended attributes and ACLs
    #[arg(long)]
    pub no_xattrs: bool,

    /// Do not set inode flags
    #[arg(long)]
    pub no_flags: bool,

    /// For snapshots that somebody may have made to do harm: no set-id bits, devices, pipes, sockets,
    /// owners, ACLs, capabilities, labels and inode flags; says what it left out
    #[arg(long)]
    pub untrusted: bool,

    /// Why it is done, for evidence
    #[arg(long, value_name = "WORDS", value_parser = values::words, conflicts_with = "dry_run")]
    pub reason: Option<String>,

    /// The ticket that it belongs to, for evidence
    #[arg(long, value_name = "ID", value_parser = values::label, conflicts_with = "dry_run")]
    pub ticket: Option<String>,

    /// What `latest` means.
    #[command(flatten)]
    pub filter: FilterArgs,
}
