//! Which snapshots a command is about, when it is not about a named one.

use std::path::PathBuf;

use clap::Args;

use crate::args::moment::Moment;
use crate::args::values::TagSet;

/// Conditions that a snapshot has to meet; without any, all do.
#[derive(Debug, Clone, PartialEq, Eq, Default, Args)]
pub struct FilterArgs {
    /// Only snapshots of this host (may be repeated)
    #[arg(short = 'H', long, value_name = "HOST")]
    pub host: Vec<String>,

    /// Only snapshots of this client and of those that it succeeds: its name, or the first digits of
    /// its id, as `mainstay key clients` shows them
    #[arg(long = "client", value_name = "CLIENT")]
    pub client: Option<String>,

    /// Only snapshots with all of these tags (a,b); repeated: with any of the sets
    #[arg(long, value_name = "TAG[,TAG…]")]
    pub tag: Vec<TagSet>,

    /// Only snapshots of this absolute path (repeated: of all of them)
    #[arg(long, value_name = "PATH")]
    pub path: Vec<PathBuf>,

    /// Only snapshots that were made by then: 2026-11-20, "2026-11-20 18:00", yesterday,
    /// "tuesday 18:00", 3d (ago)
    #[arg(long, value_name = "WHEN", allow_hyphen_values = true)]
    pub time: Option<Moment>,
}
