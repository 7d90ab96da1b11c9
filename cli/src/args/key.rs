//! Options of `key`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::args::epilogue;
use crate::args::values::{Domain, PolicyKind, Role};

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
    /// Change the passphrase: add a new one of the same role, and remove the one that was given
    Passwd(KeyPasswdArgs),
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
    "mainstay key add --role backup --to-key-file web1.key --label web1\n\
     mainstay key add --role backup --to-key-file web1.key --print-policy s3 > web1.json\n\
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
    #[arg(long, value_name = "TEXT")]
    pub label: Option<String>,

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

/// Options of `key remove`.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
#[command(after_long_help = epilogue::with_repository("mainstay key remove 4f3a91c2", &[]))]
pub struct KeyRemoveArgs {
    /// Which one, as `key list` shows it
    #[arg(value_name = "ID")]
    pub id: String,
}
