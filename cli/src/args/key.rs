//! Options of `key`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::args::deed::DeedArgs;
use crate::args::epilogue;
use crate::args::values::{self, Domain, PolicyKind, Role};
use crate::fault::ExitCode;

/// Passphrases and key files that unlock a repository
#[derive(Debug, Clone, PartialEq, Eq, Args)]
#[command(after_long_help = epilogue::with_repository(
    "mainstay key list\n\
     mainstay key add --role backup --to-key-file web1.key",
    &[],
))]
pub struct KeyArgs {
    /// What to do with them.
    #[command(subcommand)]
    pub command: KeyCommand,
}

/// What can be done with keys.
#[derive(Debug, Clone, PartialEq, Eq, Subcommand)]
pub enum KeyCommand {
    /// Add a passphrase, or make a key file for a machine
    Add(KeyAddArgs),
    /// List what unlocks this repository
    #[command(after_long_help = epilogue::with_repository("mainstay key list --json", &[]))]
    List,
    /// Remove a passphrase or key; copies of what it unlocked stay with whoever has them
    Remove(KeyRemoveArgs),
    /// List the clients: who writes, as which host, in whose place, and who was revoked
    #[command(after_long_help = epilogue::with_repository("mainstay key clients --json", &[]))]
    Clients,
    /// End a client: nothing counts any more that is signed with its key
    Revoke(KeyRevokeArgs),
    /// Let this machine go on with the history of one that it replaces
    Succeed(KeySucceedArgs),
    /// Change the passphrase: add a new one of the same role, and remove the one that was given
    Passwd(KeyPasswdArgs),
    /// Change the keys of the repository: keys that were removed read nothing that is written from now on
    Rotate(KeyRotateArgs),
    /// Say which role the given passphrase or key file has
    #[command(after_long_help = epilogue::with_repository(
        "mainstay key test --key-file web1.key",
        &[],
    ))]
    Test,
}

/// Options of `key add`.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
#[command(after_long_help = epilogue::with_repository(
    "mainstay key add --role backup --to-key-file web1.key --label web1 --client-host web1\n\
     mainstay key add --role backup --to-key-file web1.key --print-policy s3 > web1.json\n\
     mainstay key add --role backup --to-key-file new.key --label web1 --succeeds 3f2a91c2\n\
     mainstay key add --role restore --new-password-file second.txt",
    &[],
))]
pub struct KeyAddArgs {
    /// What the new key allows
    #[arg(long, value_enum, value_name = "ROLE")]
    pub role: Role,

    /// Make a key file for unattended runs, instead of a passphrase
    #[arg(long, value_name = "FILE", conflicts_with = "new_password_file")]
    pub to_key_file: Option<PathBuf>,

    /// Read the new passphrase from this file, instead of asking
    #[arg(long, value_name = "FILE")]
    pub new_password_file: Option<PathBuf>,

    /// A name for people
    #[arg(long, value_name = "TEXT", value_parser = values::label)]
    pub label: Option<String>,

    /// A host that the new client may name in its snapshots (may be repeated); without it, the one
    /// that its first snapshot names
    #[arg(long, value_name = "HOST", value_parser = values::host)]
    pub client_host: Vec<String>,

    /// The new client may agree to what takes two people; from the first one on, a collection over the
    /// brake, the release of a hold and `offboard` do (role maintain)
    #[arg(long)]
    pub approver: bool,

    /// Go on with the history of this client, whose machine is replaced or has another name now (may
    /// be repeated); `key clients` lists them
    #[arg(long, value_name = "CLIENT")]
    pub succeeds: Vec<String>,

    /// Whose data the new client deduplicates against
    #[arg(long, value_enum, value_name = "DOMAIN", default_value_t)]
    pub domain: Domain,

    /// Print the least permissions that the store must give beside this key, and nothing else
    #[arg(long, value_enum, value_name = "STORE")]
    pub print_policy: Option<PolicyKind>,

    /// Accept a passphrase of fewer than 12 characters
    #[arg(long)]
    pub weak: bool,
}

/// Options of `key passwd`.
///
/// The old passphrase opens the repository as in every command; the new one is asked for twice.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
#[command(after_long_help = epilogue::with_repository(
    "mainstay key passwd\n\
     mainstay -p old.txt key passwd --new-password-file new.txt",
    &[],
))]
pub struct KeyPasswdArgs {
    /// Read the new passphrase from this file, instead of asking
    #[arg(long, value_name = "FILE")]
    pub new_password_file: Option<PathBuf>,

    /// Accept a passphrase of fewer than 12 characters
    #[arg(long)]
    pub weak: bool,
}

/// Options of `key revoke`.
///
/// What the client made until now goes on counting, or until the snapshot that `--last` names. Later
/// snapshots are never `latest`, take no other's place, count in no report, and stay until they are
/// named in `forget`; its later evidence counts for nothing, and nobody relies on anything that it
/// stored. There is no way back; a new key can go on with its history.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
#[command(after_long_help = epilogue::with_repository(
    "mainstay key revoke web1 --reason 'laptop stolen' --dry-run\n\
     mainstay key revoke web1 --reason 'taken over on Tuesday' --last 1a2b3c4d",
    &[],
))]
pub struct KeyRevokeArgs {
    /// Which client: its name, or the first digits of its id, as `key clients` shows them
    #[arg(value_name = "CLIENT")]
    pub client: String,

    /// Its last snapshot that counts, or `none` [default: the newest]
    #[arg(long, value_name = "SNAP")]
    pub last: Option<String>,

    /// Why, and whether.
    #[command(flatten)]
    pub deed: DeedArgs,
}

/// Options of `key succeed`.
///
/// For machines that are opened with the passphrase: one that was installed anew, or lost its state
/// folder, is another client to the repository. From now on what it makes, what it made and what the
/// named clients made is one history for `latest`, for rules and for reports. A machine with a key
/// file gets a new one instead: `key add --succeeds`.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
#[command(after_long_help = epilogue::with_repository(
    "mainstay key succeed 3f2a91c2",
    &[ExitCode::Busy],
))]
pub struct KeySucceedArgs {
    /// Which clients: their names, or the first digits of their ids
    #[arg(value_name = "CLIENT", required = true)]
    pub clients: Vec<String>,
}

/// Options of `key remove`.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
#[command(after_long_help = epilogue::with_repository("mainstay key remove 4f3a91c2", &[]))]
pub struct KeyRemoveArgs {
    /// Which one, as `key list` shows it
    #[arg(value_name = "ID")]
    pub id: String,
}

/// Options of `key rotate`.
///
/// Everybody whose key is in `key list` as `good` gets the new keys by itself, with the next command.
/// What was written before stays readable for them, and for whoever had a key then.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
#[command(after_long_help = epilogue::with_repository(
    "mainstay key remove 4f3a91c2\n\
     mainstay key rotate --dry-run\n\
     mainstay key rotate",
    &[],
))]
pub struct KeyRotateArgs {
    /// Only say who would get new keys, and who would not
    #[arg(long, short = 'n')]
    pub dry_run: bool,
}
