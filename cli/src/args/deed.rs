//! Options of what is done once, for a reason, and stands in a record afterwards.

use clap::Args;

use crate::args::values;

/// Why it is done, and whether it is done at all.
#[derive(Debug, Clone, PartialEq, Eq, Default, Args)]
pub struct DeedArgs {
    /// Why, for the record
    #[arg(long, value_name = "TEXT", value_parser = values::words)]
    pub reason: Option<String>,

    /// Only say what would happen
    #[arg(short = 'n', long)]
    pub dry_run: bool,
}
