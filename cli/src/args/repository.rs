//! Options of the commands about a repository as a whole.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};

use crate::args::epilogue;
use crate::args::filter::FilterArgs;
use crate::args::rotate::RotateArgs;
use crate::args::values::{Selector, Subset, Suite, kdf_memory};
use crate::fault::ExitCode;
use crate::units::parse_duration;

/// Make a new repository and print its recovery words
///
/// The passphrase comes from where --password-file, --password-command or the environment say, or
/// is asked for twice. The store is probed first: one that loses or invents data is refused. The
/// recovery words unlock everything without the passphrase: print them and keep them apart.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
#[command(after_long_help = epilogue::with_repository(
    "mainstay -r /srv/backup init --kit kit.txt\n\
     mainstay -r s3://bucket/prefix --endpoint https://s3.example.net init",
    &[],
))]
pub struct InitArgs {
    /// Write the recovery kit (words, location, fingerprint) to this new file
    #[arg(long, value_name = "FILE")]
    pub kit: Option<PathBuf>,

    /// Algorithms that packs are sealed with
    #[arg(long, value_enum, default_value_t)]
    pub suite: Suite,

    /// Accept a passphrase of fewer than 12 characters
    #[arg(long)]
    pub weak: bool,

    /// Use a store that failed the probe; data can be lost
    #[arg(long)]
    pub allow_unsafe_store: bool,

    /// Memory of one guess at the passphrase, from 64M to 4G
    #[arg(long, value_name = "SIZE", value_parser = kdf_memory)]
    pub kdf_memory: Option<u32>,

    /// Do not probe the store
    #[arg(long, conflicts_with = "allow_unsafe_store")]
    pub no_probe: bool,
}

/// Find out whether a store keeps its promises
///
/// Writes, reads, lists and deletes small objects below the location, and says which guarantees
/// hold. Needs no repository and no passphrase.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
#[command(after_long_help = epilogue::with_repository(
    "mainstay -r s3://bucket/prefix probe\n\
     mainstay -r s3://bucket/prefix --endpoint https://a.example.net \\\n    \
     probe --full --endpoint2 https://b.example.net",
    &[],
))]
pub struct ProbeArgs {
    /// Also races, big objects and long listings; takes minutes
    #[arg(long)]
    pub full: bool,

    /// A second endpoint of the same store, to see whether both show the same
    #[arg(long, value_name = "URL")]
    pub endpoint2: Option<String>,
}

/// Check that everything that snapshots need is there and intact
///
/// Without options, structure: every snapshot, tree and pack is there, with the right size. With
/// --read-data, every byte is read back and authenticated as well; with --rotate a part of them, so
/// that all have had their turn within a time. What a key of role `verify` or `admin` finds is
/// recorded as evidence.
#[derive(Debug, Clone, PartialEq, Args)]
#[command(after_long_help = epilogue::with_repository(
    "mainstay check\n\
     mainstay check --read-data-subset 2/7\n\
     mainstay check --read-data-subset 10G\n\
     mainstay --key-file verify.key check --rotate 28d --max-bytes 200G",
    &[],
))]
pub struct CheckArgs {
    /// Read back and authenticate all stored data
    #[arg(long)]
    pub read_data: bool,

    /// Read back a part: n/t (the n-th of t parts), x% or SIZE (random packs)
    #[arg(long, value_name = "SUBSET", conflicts_with = "read_data")]
    pub read_data_subset: Option<Subset>,

    /// Test a finding again: the record that says that something failed. Needs --read-data
    #[arg(long, value_name = "RECORD", requires = "read_data")]
    pub retest: Option<String>,

    /// The ticket that this belongs to
    #[arg(long, value_name = "ID")]
    pub ticket: Option<String>,

    /// A part in its turn.
    #[command(flatten)]
    pub turn: RotateArgs,
}

/// How much a repository holds
#[derive(Debug, Clone, PartialEq, Eq, Args)]
#[command(after_long_help = epilogue::with_repository(
    "mainstay stats\n\
     mainstay stats latest\n\
     mainstay stats --freed-by 4f3a91c2 8d21b0aa",
    &[],
))]
pub struct StatsArgs {
    /// Only these snapshots
    #[arg(value_name = "SNAP")]
    pub snapshots: Vec<Selector>,

    /// Say instead what forgetting these snapshots, together, would free
    #[arg(long, value_name = "SNAP", num_args = 1.., conflicts_with = "snapshots")]
    pub freed_by: Vec<Selector>,

    /// Conditions on snapshots.
    #[command(flatten)]
    pub filter: FilterArgs,
}

/// Work on the local index
#[derive(Debug, Clone, PartialEq, Eq, Args)]
#[command(after_long_help = epilogue::with_repository("mainstay index rebuild", &[ExitCode::Busy]))]
pub struct IndexArgs {
    /// What to do with it.
    #[command(subcommand)]
    pub command: IndexCommand,
}

/// What can be done with the local index.
#[derive(Debug, Clone, PartialEq, Eq, Subcommand)]
pub enum IndexCommand {
    /// Throw the local index away and read it again from the store
    #[command(after_long_help = epilogue::with_repository(
        "mainstay index rebuild",
        &[ExitCode::Busy],
    ))]
    Rebuild {
        /// Forget also the snapshots that this machine has seen and that the store has lost, so that
        /// other commands do not warn of them any more
        #[arg(long)]
        accept_losses: bool,
    },
}

/// Work on what this machine keeps of repositories and can read again
#[derive(Debug, Clone, PartialEq, Eq, Args)]
#[command(after_long_help = epilogue::plain("mainstay cache clean"))]
pub struct CacheArgs {
    /// What to do with it.
    #[command(subcommand)]
    pub command: CacheCommand,
}

/// What can be done with caches.
#[derive(Debug, Clone, PartialEq, Eq, Subcommand)]
pub enum CacheCommand {
    /// Remove the local index of repositories that were not used for a month
    ///
    /// It is read again from the store when it is needed. What was proved and who this machine is
    /// stay; forgotten is what the machine has seen that the store may lose later. Needs no passphrase,
    /// and no repository.
    #[command(after_long_help = epilogue::plain(
        "mainstay cache clean --dry-run\n\
         mainstay cache clean --older-than 0s",
    ))]
    Clean(CacheCleanArgs),
}

/// Options of `cache clean`.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct CacheCleanArgs {
    /// Only say what would be removed
    #[arg(short = 'n', long)]
    pub dry_run: bool,

    /// For how long it was not used
    #[arg(long, value_name = "DURATION", default_value = "30d", value_parser = parse_duration)]
    pub older_than: Duration,
}
