//! Options that every command takes.

use std::path::PathBuf;

use clap::{ArgAction, Args};

use crate::config::credential::CredentialFlags;
use crate::config::repository::RepositoryFlags;

/// Options that every command takes.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
#[command(next_help_heading = "Global options")]
pub struct GlobalArgs {
    /// Location of the repository: a path, s3://bucket/prefix, gs://…, az://… or file:///…
    #[arg(short, long, global = true, value_name = "LOCATION")]
    pub repo: Option<String>,

    /// Read the passphrase from this file
    #[arg(short, long, global = true, value_name = "FILE")]
    pub password_file: Option<PathBuf>,

    /// Read the passphrase from the output of this command (no shell is involved)
    #[arg(long, global = true, value_name = "COMMAND")]
    pub password_command: Option<String>,

    /// Use the key file of a machine instead of a passphrase
    #[arg(long, global = true, value_name = "FILE")]
    pub key_file: Option<PathBuf>,

    /// Endpoint of an S3-compatible store
    #[arg(long, global = true, value_name = "URL")]
    pub endpoint: Option<String>,

    /// Let the endpoint be plain HTTP on another machine
    #[arg(long, global = true)]
    pub allow_http: bool,

    /// Folder of the local index (it can be deleted at any time and is rebuilt)
    #[arg(long, global = true, value_name = "DIR")]
    pub cache_dir: Option<PathBuf>,

    /// No progress and no notes; results and problems only
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub quiet: bool,

    /// More details; twice for even more
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub verbose: u8,

    /// Results, progress and errors as JSON, one message a line
    #[arg(long, global = true)]
    pub json: bool,
}

impl GlobalArgs {
    /// Those about the repository's place.
    #[must_use]
    pub fn repository(&self) -> RepositoryFlags {
        RepositoryFlags {
            repo: self.repo.clone(),
            endpoint: self.endpoint.clone(),
            allow_http: self.allow_http,
            cache_dir: self.cache_dir.clone(),
        }
    }

    /// Those about passphrase and key.
    #[must_use]
    pub fn credential(&self) -> CredentialFlags {
        CredentialFlags {
            key_file: self.key_file.clone(),
            password_file: self.password_file.clone(),
            password_command: self.password_command.clone(),
        }
    }
}
