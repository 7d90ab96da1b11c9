//! Options of the commands about the program itself.

use std::path::PathBuf;

use clap::Args;
use clap_complete::Shell;

use crate::args::epilogue;
use crate::args::values::Compression;

/// Show on your own files what this program does
///
/// Makes a repository in a temporary folder, backs a folder up twice, checks, restores, compares
/// every file with the original, and says what was saved by deduplication and compression. Changes
/// nothing in the folder, removes everything it made. Needs no repository and no passphrase.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
#[command(after_long_help = epilogue::with_repository("mainstay demo ~/Documents", &[]))]
pub struct DemoArgs {
    /// Folder to back up; otherwise one that every system has
    #[arg(value_name = "PATH")]
    pub path: Option<PathBuf>,
}

/// Measure what this machine can do, stage by stage, and what limits a backup
///
/// Reads the given files and folders (made-up data without any), runs each stage of a backup alone
/// on all processors, and, if a repository is given, writes to its store and removes that again.
/// Needs no passphrase, and about ten seconds. Files that were read lately come from memory, and
/// are read faster than a disk could.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
#[command(after_long_help = epilogue::with_repository(
    "mainstay benchmark\n\
     mainstay benchmark /home\n\
     mainstay -r s3://bucket/prefix benchmark /home --compression better",
    &[],
))]
pub struct BenchmarkArgs {
    /// Data to measure with
    #[arg(value_name = "PATH")]
    pub paths: Vec<PathBuf>,

    /// How hard to compress
    #[arg(long, value_enum, value_name = "HOW", default_value_t)]
    pub compression: Compression,
}

/// Say what is set, where it comes from, what works, and what to type next
///
/// Looks at configuration, repository, key, local state, store, clock, index, snapshots and space.
/// The exit code is that of the first thing that fails. To learn the store's clock, a small object is
/// written and deleted.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
#[command(after_long_help = epilogue::with_repository("mainstay doctor\nmainstay doctor --json", &[]))]
pub struct DoctorArgs {}

/// Options that every command takes
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct OptionsArgs {}

/// Print the completion script of a shell
#[derive(Debug, Clone, PartialEq, Eq, Args)]
#[command(after_long_help = epilogue::plain(
    "mainstay completions bash > /etc/bash_completion.d/mainstay\n\
     mainstay completions fish > ~/.config/fish/completions/mainstay.fish",
))]
pub struct CompletionsArgs {
    /// Which shell
    #[arg(value_enum, value_name = "SHELL")]
    pub shell: Shell,
}

/// Print the manual page, or write all pages to a folder
#[derive(Debug, Clone, PartialEq, Eq, Args)]
#[command(after_long_help = epilogue::plain(
    "mainstay man | man -l -\n\
     mainstay man --dir /usr/local/share/man/man1",
))]
pub struct ManArgs {
    /// Write one page per command to this existing folder
    #[arg(long, value_name = "DIR")]
    pub dir: Option<PathBuf>,
}

/// Print the version of the program and of the repository format
#[derive(Debug, Clone, PartialEq, Eq, Args)]
#[command(after_long_help = epilogue::plain("mainstay version --json"))]
pub struct VersionArgs {}
