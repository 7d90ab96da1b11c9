//! Options of the commands that decide what is kept.

use std::time::Duration;

use clap::{Args, Subcommand};
use engine::retain::span::Span;

use crate::args::deed::DeedArgs;
use crate::args::epilogue;
use crate::args::filter::FilterArgs;
use crate::args::rules::KeepArgs;
use crate::args::values::{self, Selector, TagSet};
use crate::fault::ExitCode;
use crate::units;

/// Mark snapshots as forgotten, by rules or by name
///
/// A forgotten snapshot is no longer listed. It can be restored by its id, and brought back by
/// `undelete`, until a collection frees what only it needs; nothing is deleted here, except with
/// `--prune`. Rules come from options, or from `[retention]` of a configuration. Rules are asked by the clock of the
/// store and by those of the clients, and a snapshot goes only if neither keeps it. Held snapshots
/// always stay, and so do the newest three of each client, unless you insist.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
#[command(after_long_help = epilogue::with_repository(
    "mainstay forget --keep-daily 7 --keep-weekly 5 --keep-monthly 12 --dry-run\n\
     mainstay forget --keep-daily 7 --keep-weekly 5 --prune\n\
     mainstay forget --host web1 --keep-within 30d --keep-tag release\n\
     mainstay forget --config /etc/mainstay/clients/acme.toml\n\
     mainstay forget 1a2b3c4d --reason 'holds a password'",
    &[],
))]
pub struct ForgetArgs {
    /// Exactly these snapshots, without any rules
    #[arg(value_name = "SNAP", conflicts_with_all = ["host", "client", "tag", "path"])]
    pub snapshots: Vec<Selector>,

    /// What to keep.
    #[command(flatten)]
    pub keep: KeepArgs,

    /// Which snapshots the rules are for.
    #[command(flatten)]
    pub filter: FilterArgs,

    /// Show what would be kept, each with every reason, and what would be forgotten
    #[arg(short = 'n', long)]
    pub dry_run: bool,

    /// Why, for the record
    #[arg(long, value_name = "TEXT", value_parser = values::words)]
    pub reason: Option<String>,

    /// Let up to N snapshots go in this run, the newest of clients among them
    #[arg(long, value_name = "N", conflicts_with = "delete_all_snapshots")]
    pub confirm_mass_delete: Option<u64>,

    /// Let all of them go, also without any rule that keeps one
    #[arg(long)]
    pub delete_all_snapshots: bool,

    /// Go on if a tag, a host or a path that is named fits no snapshot
    #[arg(long)]
    pub allow_no_match: bool,

    /// Free what no snapshot needs afterwards, as `mainstay prune` does
    #[arg(long)]
    pub prune: bool,

    /// With --prune: how long packs are announced before they are deleted; 0s does both at once
    #[arg(long, value_name = "DURATION", default_value = "24h", requires = "prune", value_parser = units::parse_duration)]
    pub grace: Duration,
}

/// Bring forgotten snapshots back
///
/// Each comes back as a new snapshot with the same files, host, paths, times and tags, and with an
/// id of its own. It is refused if a collection has begun to free what the snapshot needs.
/// `mainstay snapshots --all` shows what is forgotten.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
#[command(after_long_help = epilogue::with_repository(
    "mainstay undelete 1a2b3c4d",
    &[ExitCode::Busy],
))]
pub struct UndeleteArgs {
    /// Which snapshots
    #[arg(value_name = "SNAP", required = true)]
    pub snapshots: Vec<Selector>,
}

/// Let a client leave: forget all of it, and certify when none of its content is left
///
/// The first run forgets all snapshots of HOST, and removes keys if any are named. After `prune` has
/// freed what only they needed, another run signs a record that no content of it is left:
/// the certificate, which `evidence show` prints and `evidence export` hands over. A held snapshot
/// refuses everything. What other hosts have in common with HOST stays with them.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
#[command(after_long_help = epilogue::with_repository(
    "mainstay offboard web1 --dry-run\n\
     mainstay offboard web1 --confirm web1 --remove-key 5e6f7a8b --reason 'contract ended'\n\
     mainstay prune --max-unused 0%\n\
     mainstay offboard web1",
    &[],
))]
pub struct OffboardArgs {
    /// Name of the client, as its snapshots bear it
    #[arg(value_name = "HOST")]
    pub host: String,

    /// Only what this client and those that it succeeds made, if several claim the host
    #[arg(long, value_name = "CLIENT")]
    pub client: Option<String>,

    /// The name again, so that nothing goes by mistake
    #[arg(long, value_name = "HOST")]
    pub confirm: Option<String>,

    /// Remove the key with this id, too; `mainstay key list` has them
    #[arg(long, value_name = "ID")]
    pub remove_key: Vec<String>,

    /// Why, and whether.
    #[command(flatten)]
    pub deed: DeedArgs,
}

/// Hold snapshots, so that nothing and nobody makes them go
///
/// A hold beats every rule, every `forget` and every collection until it is released.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
#[command(after_long_help = epilogue::with_repository(
    "mainstay hold add latest --host web1 --reason 'case 2026-17' --until 2028-01-01\n\
     mainstay hold list\n\
     mainstay hold release 5e6f7a8b --reason 'case closed'",
    &[],
))]
pub struct HoldArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: HoldCommand,
}

/// What can be done with holds.
#[derive(Debug, Clone, PartialEq, Eq, Subcommand)]
#[expect(missing_docs, reason = "a text here would replace the help of the command's options")]
pub enum HoldCommand {
    Add(HoldAddArgs),
    List(HoldListArgs),
    Release(HoldReleaseArgs),
}

/// Hold these snapshots
///
/// Without a name, all that meet the conditions now; later ones are not held.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
#[command(after_long_help = epilogue::with_repository(
    "mainstay hold add 1a2b3c4d --reason 'before the migration'\n\
     mainstay hold add --tag year-end --reason 'tax law' --until 2036-12-31",
    &[],
))]
pub struct HoldAddArgs {
    /// Which snapshots
    #[arg(value_name = "SNAP")]
    pub snapshots: Vec<Selector>,

    /// Conditions.
    #[command(flatten)]
    pub filter: FilterArgs,

    /// Why, for the record
    #[arg(long, value_name = "TEXT", value_parser = values::words)]
    pub reason: String,

    /// When somebody should release it: a date, or a time from now such as 90d. It does not end by itself
    #[arg(long, value_name = "DATE|DURATION")]
    pub until: Option<String>,
}

/// List holds
#[derive(Debug, Clone, PartialEq, Eq, Args)]
#[command(after_long_help = epilogue::with_repository("mainstay hold list --json", &[]))]
pub struct HoldListArgs {}

/// Release holds
#[derive(Debug, Clone, PartialEq, Eq, Args)]
#[command(after_long_help = epilogue::with_repository(
    "mainstay hold release 5e6f7a8b --reason 'case closed'\n\
     mainstay hold release --overdue --reason 'time is over'",
    &[],
))]
pub struct HoldReleaseArgs {
    /// Ids of holds, or their first digits
    #[arg(value_name = "HOLD", required_unless_present = "overdue")]
    pub holds: Vec<String>,

    /// All whose time is over
    #[arg(long, conflicts_with = "holds")]
    pub overdue: bool,

    /// Why, for the record
    #[arg(long, value_name = "TEXT", value_parser = values::words)]
    pub reason: String,
}

/// Change the tags of snapshots
///
/// The snapshot itself does not change, and keeps its id: the new tags are a signed record beside
/// it. If two people change tags at once, what both have set is there.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
#[command(after_long_help = epilogue::with_repository(
    "mainstay tag add release,v2 latest\n\
     mainstay tag set '' 1a2b3c4d",
    &[],
))]
pub struct TagArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: TagCommand,
}

/// What can be done with tags.
#[derive(Debug, Clone, PartialEq, Eq, Subcommand)]
pub enum TagCommand {
    /// Give snapshots more tags
    #[command(after_long_help = epilogue::with_repository(
        "mainstay tag add release latest",
        &[],
    ))]
    Add(TagEditArgs),
    /// Take tags away
    #[command(after_long_help = epilogue::with_repository(
        "mainstay tag remove wip --host web1",
        &[],
    ))]
    Remove(TagEditArgs),
    /// Let snapshots have these tags and no others
    #[command(after_long_help = epilogue::with_repository(
        "mainstay tag set release,v2 latest\n\
         mainstay tag set '' 1a2b3c4d",
        &[],
    ))]
    Set(TagEditArgs),
}

/// Which tags of which snapshots.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct TagEditArgs {
    /// The tags
    #[arg(value_name = "TAG[,TAG…]")]
    pub tags: TagSet,

    /// Which snapshots; without a name, all that meet the conditions
    #[arg(value_name = "SNAP")]
    pub snapshots: Vec<Selector>,

    /// Conditions.
    #[command(flatten)]
    pub filter: FilterArgs,
}

/// Look at what rules would do
#[derive(Debug, Clone, PartialEq, Eq, Args)]
#[command(after_long_help = epilogue::with_repository(
    "mainstay policy simulate --keep-daily 7 --keep-monthly 12 --until 2y",
    &[],
))]
pub struct PolicyArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: PolicyCommand,
}

/// What can be done with policies.
#[derive(Debug, Clone, PartialEq, Eq, Subcommand)]
#[expect(missing_docs, reason = "a text here would replace the help of the command's options")]
pub enum PolicyCommand {
    Simulate(SimulateArgs),
}

/// Play rules through past and coming dates
///
/// The snapshots of the repository appear when they were made, and from now on each source makes
/// another one at every planned run. After the last backup of each day the rules are applied.
/// Shows how many snapshots there are on which day, and what is forgotten when. Writes nothing.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
#[command(after_long_help = epilogue::with_repository(
    "mainstay policy simulate --keep-daily 7 --keep-weekly 5 --until 3m\n\
     mainstay policy simulate --config acme.toml --every 6h --from 2026-01-01 --until 2027-06-30",
    &[],
))]
pub struct SimulateArgs {
    /// What to keep.
    #[command(flatten)]
    pub keep: KeepArgs,

    /// Which snapshots the rules are for.
    #[command(flatten)]
    pub filter: FilterArgs,

    /// Time between two backups of a source, from now on
    #[arg(long, value_name = "SPAN", default_value = "1d")]
    pub every: Span,

    /// First day: a date, or a span before now; otherwise now
    #[arg(long, value_name = "DATE|SPAN")]
    pub from: Option<String>,

    /// Last day: a date, or a span from now
    #[arg(long, value_name = "DATE|SPAN", default_value = "1y")]
    pub until: String,

    /// Every day, also those on which nothing is forgotten
    #[arg(long)]
    pub all_days: bool,
}
