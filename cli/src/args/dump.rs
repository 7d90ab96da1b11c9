//! Options of `dump`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use engine::base::path::TreePath;

use crate::args::epilogue;
use crate::args::filter::FilterArgs;
use crate::args::values::{SnapshotPath, path_in_snapshot};

/// Write a folder of a snapshot as an archive, or a file as it is, to standard output
///
/// Names in the archive are relative to the folder. tar has owners, permissions, times, extended
/// attributes and ACLs, hard links, holes and devices; zip has permissions and times of files, folders
/// and symbolic links. Every byte is verified before it is written. An archive that could not be
/// finished has no end, so that programs that read it say so.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
#[command(after_long_help = epilogue::with_repository(
    "mainstay dump latest:/srv/data -a tar.zst -o data.tar.zst\n\
     mainstay dump latest /srv/data | ssh web1 tar -x -C /srv/data\n\
     mainstay dump latest:/etc/fstab",
    &[],
))]
pub struct DumpArgs {
    /// Which snapshot, and what of it
    #[arg(value_name = "SNAP[:PATH]", value_parser = SnapshotPath::parser())]
    pub source: SnapshotPath,

    /// The same path apart from the snapshot, absolute
    #[arg(value_name = "PATH", value_parser = path_in_snapshot())]
    pub path: Option<TreePath>,

    /// Which kind of archive [default: tar for a folder, none for a file]
    #[arg(short, long, value_enum, value_name = "FORMAT")]
    pub archive: Option<ArchiveFormat>,

    /// Write to this file, which must not be there yet
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,

    /// What `latest` means.
    #[command(flatten)]
    pub filter: FilterArgs,
}

/// Kinds of archives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ArchiveFormat {
    /// tar with extended headers (PAX).
    Tar,
    /// The same, compressed with zstd.
    #[value(name = "tar.zst")]
    TarZst,
    /// zip.
    Zip,
}
