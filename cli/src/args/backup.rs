//! Options of `backup`.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::Args;
use clap::builder::{OsStringValueParser, TypedValueParser};
use engine::base::limits::READ_CONCURRENCY_MAX;

use crate::args::epilogue;
use crate::args::values::{self, Compression, Marker, Selector, TagSet, pack_size, size};
use crate::fault::ExitCode;

/// Make a snapshot of files and folders, or of what a command prints
///
/// Unchanged files are recognised by size and times and are not read again. What cannot be read is
/// reported, listed in the snapshot, and makes the exit code 3; the rest is saved.
///
/// A path that is named is saved, whatever leaves out the folders above it. Links above it are kept
/// as links, and the snapshot has the files at their real path. If nothing at all is selected, no
/// snapshot is made.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
#[command(after_long_help = epilogue::with_repository(
    "mainstay backup /home /etc --exclude '*.tmp' --tag daily\n\
     mainstay backup --files-from list.txt --dry-run\n\
     mainstay backup --stdin-filename db.sql --stdin-from-command -- pg_dump mydb",
    &[ExitCode::Partial, ExitCode::Busy],
))]
pub struct BackupArgs {
    /// Files and folders to save; after --stdin-from-command the command and its arguments.
    /// LINK/ means what a link leads to
    #[arg(
        value_name = "PATH",
        required_unless_present_any = [
            "files_from", "files_from_verbatim", "files_from_raw", "stdin",
        ],
    )]
    pub paths: Vec<OsString>,

    /// What is left out.
    #[command(flatten)]
    pub exclude: ExcludeArgs,

    /// Where the list of what to save comes from.
    #[command(flatten)]
    pub list: ListArgs,

    /// Save what the command after -- prints; if it fails, no snapshot is made
    #[arg(
        long,
        group = "stream",
        requires = "paths",
        conflicts_with_all = ["files_from", "files_from_verbatim", "files_from_raw"],
    )]
    pub stdin_from_command: bool,

    /// Save what comes in on standard input
    #[arg(
        long,
        group = "stream",
        conflicts_with_all = [
            "paths", "stdin_from_command", "files_from", "files_from_verbatim", "files_from_raw",
        ],
    )]
    pub stdin: bool,

    /// Name of the file that holds what came in or what the command printed [default: stdin]
    #[arg(long, value_name = "NAME", value_parser = OsStringValueParser::new().try_map(|name| values::file_name(&name)), requires = "stream")]
    pub stdin_filename: Option<OsString>,

    /// Tags of the snapshot (a,b; may be repeated)
    #[arg(long, value_name = "TAG[,TAG…]")]
    pub tag: Vec<TagSet>,

    /// Host name of the snapshot, if not this machine's
    #[arg(short = 'H', long, value_name = "HOST", value_parser = values::host)]
    pub host: Option<String>,

    /// A remark for people
    #[arg(long, value_name = "TEXT", value_parser = values::words)]
    pub description: Option<String>,

    /// Store nothing; say what would be stored
    #[arg(short = 'n', long)]
    pub dry_run: bool,

    /// Read all files again, also those that look unchanged
    #[arg(short, long, conflicts_with = "parent")]
    pub force: bool,

    /// Snapshot to compare with, instead of the latest of the same host and paths
    #[arg(long, value_name = "SNAP")]
    pub parent: Option<Selector>,

    /// Make no snapshot if nothing changed
    #[arg(long)]
    pub skip_if_unchanged: bool,

    /// Keep the time of last access
    #[arg(long)]
    pub with_atime: bool,

    /// Go on if some of the paths do not exist
    #[arg(long)]
    pub allow_missing: bool,

    /// Make a snapshot also of nothing: of an empty stream, or where all is left out
    #[arg(long)]
    pub allow_empty: bool,

    /// How hard to compress
    #[arg(long, value_enum, value_name = "HOW", default_value_t)]
    pub compression: Compression,

    /// Size of packs, the objects that data is stored in (as SIZE, or a number of MiB) [default: 12]
    #[arg(long, value_name = "SIZE", value_parser = pack_size)]
    pub pack_size: Option<u64>,

    /// Do not count what there is beside a first backup; its progress then has no end
    #[arg(long)]
    pub no_scan: bool,

    /// Files read at once; otherwise as many as there are cores
    #[arg(
        long,
        value_name = "N",
        value_parser = clap::value_parser!(u16).range(1..=i64::from(READ_CONCURRENCY_MAX)),
    )]
    pub read_concurrency: Option<u16>,
}

impl BackupArgs {
    /// All tags, in the order given, each once.
    #[must_use]
    pub fn tags(&self) -> Vec<String> {
        let mut tags: Vec<String> = Vec::new();
        for tag in self.tag.iter().flat_map(|set| &set.0) {
            if !tags.contains(tag) {
                tags.push(tag.clone());
            }
        }
        tags
    }
}

/// What is left out.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
#[command(next_help_heading = "What is left out")]
pub struct ExcludeArgs {
    /// Leave out what matches this pattern; !PATTERN takes back, also in a folder that is left out,
    /// and the last match decides (may be repeated)
    #[arg(short, long, value_name = "PATTERN")]
    pub exclude: Vec<String>,

    /// The same without regard to upper and lower case
    #[arg(long, value_name = "PATTERN")]
    pub iexclude: Vec<String>,

    /// Read patterns from this file, one a line
    #[arg(long, value_name = "FILE")]
    pub exclude_file: Vec<PathBuf>,

    /// Leave out what is in folders with a CACHEDIR.TAG file, unless they are named themselves
    #[arg(long)]
    pub exclude_caches: bool,

    /// Leave out what is in folders with this file (that begins with HEADER)
    #[arg(long, value_name = "NAME[:HEADER]", value_parser = Marker::parser())]
    pub exclude_if_present: Vec<Marker>,

    /// Leave out files larger than this
    #[arg(long, value_name = "SIZE", value_parser = size)]
    pub exclude_larger_than: Option<u64>,

    /// Do not go into other file systems
    #[arg(short = 'x', long)]
    pub one_file_system: bool,
}

/// Where the list of what to save comes from.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
#[command(next_help_heading = "Lists of what to save")]
pub struct ListArgs {
    /// Read patterns of what to save from this file, one a line, without blanks around it
    /// (- for standard input)
    #[arg(long, value_name = "FILE")]
    pub files_from: Vec<PathBuf>,

    /// Read paths from this file, one a line, taken as they are
    #[arg(long, value_name = "FILE")]
    pub files_from_verbatim: Vec<PathBuf>,

    /// Read paths from this file, each ended by a zero byte
    #[arg(long, value_name = "FILE")]
    pub files_from_raw: Vec<PathBuf>,
}
