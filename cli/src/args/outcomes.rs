//! Options of `outcomes`.

use std::path::PathBuf;

use agent::config::schedule::JobKind;
use clap::Args;

use crate::args::epilogue;
use crate::args::moment::Moment;

/// List how jobs of all machines ended, the newest last, from what they recorded in the store
///
/// A machine that runs jobs by itself records in the repository how each ended, signed with its key, also
/// of those that failed or that nothing ran for. What is missing here was not recorded: a machine that is
/// off says nothing.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
#[command(after_long_help = epilogue::with_repository(
    "mainstay outcomes --failed\n\
     mainstay outcomes --host web1 --since 30d --json",
    &[],
))]
pub struct OutcomesArgs {
    /// Only of this host (may be repeated)
    #[arg(short = 'H', long, value_name = "HOST")]
    pub host: Vec<String>,

    /// Only of this job
    #[arg(long, value_name = "JOB")]
    pub job: Option<JobKind>,

    /// Only what began since then: a time or how long ago [default: 7d]
    #[arg(long, value_name = "WHEN", allow_hyphen_values = true)]
    pub since: Option<Moment>,

    /// Only what did not end well
    #[arg(long)]
    pub failed: bool,

    /// Record what this folder of the agent has and the store has not
    #[arg(long, value_name = "DIR", hide = true)]
    pub record: Option<PathBuf>,

    /// With it: store this configuration if it is another than before
    #[arg(long, value_name = "FILE", hide = true, requires = "record")]
    pub setup: Option<PathBuf>,
}
