//! Options of `approve`.

use std::time::Duration;

use clap::{Args, Subcommand};

use crate::args::epilogue;
use crate::args::values;
use crate::units;

/// Agree to what takes two people
///
/// Where the administrator has made a key with `key add --approver`, a collection over the brake, the
/// release of a hold and `offboard` take the consent of an approver who is not the one that does it.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
#[command(after_long_help = epilogue::with_repository(
    "mainstay approve release 5e6f7a8b --reason 'case closed'\n\
     mainstay approve offboard web1 --reason 'contract ended' --for 7d\n\
     mainstay approve prune 1200 --reason 'archive moved away'\n\
     mainstay approve list",
    &[],
))]
pub struct ApproveArgs {
    /// To what.
    #[command(subcommand)]
    pub command: ApproveCommand,
}

/// What takes two people.
#[derive(Debug, Clone, PartialEq, Eq, Subcommand)]
#[expect(missing_docs, reason = "a text here would replace the help of the command's options")]
pub enum ApproveCommand {
    Prune(ApprovePruneArgs),
    Release(ApproveReleaseArgs),
    Offboard(ApproveOffboardArgs),
    List(ApproveListArgs),
}

/// Agree to a collection that deletes up to so many packs at once
#[derive(Debug, Clone, PartialEq, Eq, Args)]
#[command(after_long_help = epilogue::with_repository(
    "mainstay approve prune 1200 --reason 'archive moved away'",
    &[],
))]
pub struct ApprovePruneArgs {
    /// The most packs
    #[arg(value_name = "PACKS")]
    pub packs: u64,

    /// Until when, and why.
    #[command(flatten)]
    pub consent: ConsentArgs,
}

/// Agree to the release of a hold
#[derive(Debug, Clone, PartialEq, Eq, Args)]
#[command(after_long_help = epilogue::with_repository(
    "mainstay approve release 5e6f7a8b --reason 'case closed'",
    &[],
))]
pub struct ApproveReleaseArgs {
    /// Id of the hold, or its first digits
    #[arg(value_name = "HOLD")]
    pub hold: String,

    /// Until when, and why.
    #[command(flatten)]
    pub consent: ConsentArgs,
}

/// Agree that all snapshots of a host are forgotten
#[derive(Debug, Clone, PartialEq, Eq, Args)]
#[command(after_long_help = epilogue::with_repository(
    "mainstay approve offboard web1 --reason 'contract ended' --for 7d",
    &[],
))]
pub struct ApproveOffboardArgs {
    /// The host
    #[arg(value_name = "HOST")]
    pub host: String,

    /// Until when, and why.
    #[command(flatten)]
    pub consent: ConsentArgs,
}

/// List what was agreed to, and who may agree
#[derive(Debug, Clone, PartialEq, Eq, Args)]
#[command(after_long_help = epilogue::with_repository("mainstay approve list --json", &[]))]
pub struct ApproveListArgs {}

/// Until when, and why.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct ConsentArgs {
    /// How long it counts
    #[arg(long = "for", value_name = "DURATION", default_value = "24h", value_parser = units::parse_duration)]
    pub lasts: Duration,

    /// Why, for the record
    #[arg(long, value_name = "TEXT", value_parser = values::words)]
    pub reason: String,
}
