//! Options of `mount`.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use crate::args::epilogue;
use crate::args::filter::FilterArgs;
use crate::args::values::Selector;
use crate::units::parse_duration;

/// Show the snapshots as folders, to look for files and copy them
///
/// DIR/hosts/HOST/TIME, DIR/hosts/HOST/latest, DIR/tags/TAG/TIME, DIR/times/TIME and DIR/ids/ID are
/// snapshots; below each lie the absolute paths. Files cannot be changed, and every byte is verified before it is
/// shown: what is damaged gives an input/output error. New snapshots come up while it runs.
///
/// Runs until Ctrl-C, SIGTERM or `fusermount3 -u DIR`. Only the user who mounts may look into it, at all
/// files, whatever their permissions; with --allow-other all users, at what owner and permissions allow.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
#[command(after_long_help = epilogue::with_repository(
    "mainstay mount /mnt/backup\n\
     mainstay mount --host web1 /mnt/backup\n\
     cp -a /mnt/backup/hosts/web1/latest/etc/nginx /etc/",
    &[],
))]
pub struct MountArgs {
    /// An empty folder
    #[arg(value_name = "DIR")]
    pub folder: PathBuf,

    /// Only this snapshot (may be repeated)
    #[arg(long = "snapshot", value_name = "SNAP")]
    pub snapshots: Vec<Selector>,

    /// Let other users in, each as far as owner and permissions of a file allow
    #[arg(long)]
    pub allow_other: bool,

    /// Look for new snapshots when somebody lists them, at most this often
    #[arg(long, value_name = "DURATION", value_parser = parse_duration, default_value = "1m")]
    pub refresh: Duration,

    /// Conditions on snapshots.
    #[command(flatten)]
    pub filter: FilterArgs,
}
