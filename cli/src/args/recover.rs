//! Options of `recover`.

use std::path::PathBuf;

use clap::Args;

use crate::args::epilogue;

/// Bring a whole machine back with nothing but the recovery kit
///
/// Opens the repository that the kit names with its words, and restores the newest snapshot of each
/// source of the host: into DIR everything that has a path, as it was, and into
/// DIR/recovered-streams what was saved as a stream. The most urgent source comes first (`rto` of its
/// stored configuration). The configuration of the agent comes back with its hooks and commands off.
/// A run that was interrupted is given again as it was. Credentials of the store come from the
/// environment, as always.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
#[command(after_long_help = epilogue::with_repository(
    "mainstay recover --kit kit.txt --target /mnt/new\n\
     mainstay recover --kit kit.txt --target /mnt/new --host web1 --dry-run",
    &[],
))]
pub struct RecoverArgs {
    /// The recovery kit: the file that `init --kit` wrote, or a copy of it
    #[arg(long, value_name = "FILE")]
    pub kit: PathBuf,

    /// Folder to restore to, empty but for lost+found
    #[arg(short, long, value_name = "DIR")]
    pub target: PathBuf,

    /// The machine; needed if the repository has several
    #[arg(short = 'H', long, value_name = "HOST")]
    pub host: Option<String>,

    /// Read everything back afterwards and compare it with the snapshots
    #[arg(long, conflicts_with = "dry_run")]
    pub verify: bool,

    /// Write nothing; say what would be restored, in which order
    #[arg(short = 'n', long)]
    pub dry_run: bool,
}
