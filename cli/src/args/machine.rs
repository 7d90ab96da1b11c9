//! Options of `machine`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};

use crate::args::epilogue;
use crate::args::key::KeyRevokeArgs;
use crate::args::values::{self, PolicyKind, Role};
use crate::units::parse_duration;

/// Let machines join, list them, and end them
#[derive(Debug, Clone, PartialEq, Eq, Args)]
#[command(subcommand_required = true, arg_required_else_help = true)]
pub struct MachineArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: MachineCommand,
}

/// What can be done with machines.
#[derive(Debug, Clone, PartialEq, Eq, Subcommand)]
pub enum MachineCommand {
    /// Print an invitation: a token with a key for one machine
    ///
    /// Whoever has the token has the key, so it belongs where passwords belong. Credentials of the store
    /// are not in it: give the machine those that --print-policy cuts for it. Nothing can keep a token
    /// from being used twice; a second use is noticed by whoever joins last and by `machine list`.
    #[command(after_long_help = epilogue::with_repository(
        "mainstay machine invite --host web1 --organisation acme\n\
         mainstay machine invite --host web1 --organisation acme --template web.toml --output web1.token\n\
         mainstay machine invite --host web1 --organisation acme --output web1.token --print-policy s3",
        &[],
    ))]
    Invite(InviteArgs),
    /// Join with a token: write key and configuration, save everything once, and start the agent
    ///
    /// The token comes from the argument, from --token-file, from MAINSTAY_TOKEN, or with - from standard
    /// input; arguments can be seen by other users of the machine. Credentials of the store that are in
    /// the environment are kept for the agent.
    #[command(after_long_help = epilogue::plain(
        "mainstay machine join --token-file web1.token\n\
         AWS_ACCESS_KEY_ID=… AWS_SECRET_ACCESS_KEY=… MAINSTAY_TOKEN=… mainstay machine join",
    ))]
    Join(JoinArgs),
    /// Say in the repository that the invitation was taken
    #[command(hide = true)]
    Claim(ClaimArgs),
    /// List machines, who has joined, and what each saved last
    #[command(after_long_help = epilogue::with_repository("mainstay machine list --json", &[]))]
    List,
    /// End a machine: nothing counts any more that is signed with its key
    Revoke(KeyRevokeArgs),
}

/// Options of `machine invite`.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct InviteArgs {
    /// The host that the machine's snapshots will name
    #[arg(long, value_name = "HOST", value_parser = values::host)]
    pub host: String,

    /// The organisation, as tickets and reports name it
    #[arg(long, value_name = "NAME", value_parser = values::label)]
    pub organisation: String,

    /// What the key allows
    #[arg(long, value_enum, value_name = "ROLE", default_value = "backup")]
    pub role: Role,

    /// Until when the invitation can be taken, from now
    #[arg(long, value_name = "SPAN", default_value = "24h", value_parser = parse_duration)]
    pub expires: Duration,

    /// Sources, schedule and all else of the machine's configuration; it names no client, repo, host or
    /// key-file
    #[arg(long, value_name = "FILE")]
    pub template: Option<PathBuf>,

    /// What the machine saves, if there is no template (may be repeated)
    #[arg(long, value_name = "PATH", conflicts_with = "template")]
    pub path: Vec<PathBuf>,

    /// Write the token to this file, which must not be there yet
    #[arg(long, value_name = "FILE")]
    pub output: Option<PathBuf>,

    /// Print the least permissions that the store must give to the machine
    #[arg(long, value_enum, value_name = "STORE", requires = "output")]
    pub print_policy: Option<PolicyKind>,
}

/// Options of `machine join`.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct JoinArgs {
    /// The token; - reads it from standard input
    #[arg(value_name = "TOKEN", conflicts_with = "token_file")]
    pub token: Option<String>,

    /// Read the token from this file
    #[arg(long, value_name = "FILE")]
    pub token_file: Option<PathBuf>,

    /// Folder for the configuration and the key
    #[arg(long, value_name = "DIR", default_value = "/etc/mainstay/clients")]
    pub config_dir: PathBuf,

    /// Do not let systemd start the agent
    #[arg(long)]
    pub no_service: bool,

    /// Do not save anything yet
    #[arg(long)]
    pub no_backup: bool,
}

/// Options of `machine claim`.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct ClaimArgs {
    /// The invitation
    #[arg(value_name = "ID")]
    pub invitation: String,

    /// What the machine calls itself
    #[arg(long, value_name = "NAME")]
    pub machine: String,

    /// It has the files of a join that was cut off: one record of its own name is its own
    #[arg(long)]
    pub again: bool,
}
