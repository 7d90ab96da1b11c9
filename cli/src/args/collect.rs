//! Options of `prune` and `unblock`.

use std::time::Duration;

use clap::Args;
use engine::base::id::{GenerationId, SessionId};
use engine::gc::{GcOptions, MaxUnused};

use crate::args::epilogue;
use crate::args::values::ValueError;
use crate::fault::ExitCode;
use crate::units;

/// Free the space of what no snapshot needs
///
/// Runs beside any number of backups. What is unneeded is announced first and deleted by a run
/// after the grace, so that a daily run frees what the one of the day before announced. Never
/// touches a snapshot: `mainstay forget` decides which of them stay.
#[derive(Debug, Clone, PartialEq, Args)]
#[command(after_long_help = epilogue::with_repository(
    "mainstay prune --dry-run\n\
     mainstay prune\n\
     mainstay prune --grace 0s --max-unused 10%",
    &[ExitCode::Busy],
))]
pub struct PruneArgs {
    /// Only say what would be freed and how many requests it would cost
    #[arg(short = 'n', long)]
    pub dry_run: bool,

    /// How long packs are announced before they are deleted; 0s announces and deletes in one run
    #[arg(long, value_name = "DURATION", default_value = "24h", value_parser = units::parse_duration)]
    pub grace: Duration,

    /// Leave this much unused space in packs that are needed in part: x%, SIZE or unlimited
    #[arg(long, value_name = "LIMIT", default_value = "5%", value_parser = max_unused)]
    pub max_unused: MaxUnused,

    /// Rewrite at most so many bytes of packs that are needed in part
    #[arg(long, value_name = "SIZE", value_parser = units::parse_size)]
    pub max_repack_size: Option<u64>,

    /// Begin no new work after so long
    #[arg(long, value_name = "DURATION", value_parser = units::parse_duration)]
    pub max_duration: Option<Duration>,

    /// Give up this session, or close this generation, without waiting for its silence
    #[arg(long, value_name = "ID")]
    pub abandon: Vec<Abandoned>,

    /// Deleting this many packs at once is intended
    #[arg(long, value_name = "N")]
    pub confirm_mass_delete: Option<u64>,
}

impl PruneArgs {
    /// What `forget --prune` does afterwards.
    #[must_use]
    pub fn after_forgetting(dry_run: bool, grace: Duration) -> Self {
        Self {
            dry_run,
            grace,
            max_unused: GcOptions::default().max_unused,
            max_repack_size: None,
            max_duration: None,
            abandon: Vec::new(),
            confirm_mass_delete: None,
        }
    }
}

/// Go on without an object that cannot be read
///
/// What stops backups or collections may be a genuine object that was damaged, or what somebody put there
/// who has a key. The error names it. Without --confirm this says what is done about it and what is given
/// up by that, and changes nothing.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
#[command(after_long_help = epilogue::with_repository(
    "mainstay unblock gc/8f0e2d417b6c9a35e1d20f4b86a7c953.sweep\n\
     mainstay unblock clients/3f2a91c20d4b5e66 --confirm clients/3f2a91c20d4b5e66",
    &[],
))]
pub struct UnblockArgs {
    /// The object, as an error or `mainstay check` names it
    #[arg(value_name = "KEY")]
    pub key: String,

    /// The same again, so that nothing is given up by mistake
    #[arg(long, value_name = "KEY")]
    pub confirm: Option<String>,

    /// Why, for the record
    #[arg(long, value_name = "TEXT")]
    pub reason: Option<String>,
}

/// What is not waited for any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Abandoned {
    /// A session, by 48 digits.
    Session(SessionId),
    /// A generation of a collector, by 32 digits.
    Generation(GenerationId),
}

impl std::str::FromStr for Abandoned {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let session = SessionId::from_hex(text).map(Self::Session);
        session.or_else(|_| GenerationId::from_hex(text).map(Self::Generation)).map_err(|_| {
            ValueError::new("write the 48 digits of a session or the 32 digits of a generation")
        })
    }
}

fn max_unused(text: &str) -> Result<MaxUnused, units::UnitError> {
    match text {
        "unlimited" => Ok(MaxUnused::Unlimited),
        "0%" => Ok(MaxUnused::Percent(0.0)),
        percent if percent.ends_with('%') => units::parse_percent(percent).map(MaxUnused::Percent),
        size => units::parse_size(size).map(MaxUnused::Bytes),
    }
}
