//! Options that every command takes.

use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgAction, Args};
use engine::store::Limits;
use jiff::tz::TimeZone;

use crate::args::values;
use crate::config::bandwidth::{self, Bandwidth};
use crate::config::credential::CredentialFlags;
use crate::config::file::ConfigFile;
use crate::config::repository::RepositoryFlags;
use crate::config::surroundings::Surroundings;
use crate::units::parse_patience;

/// What stands above them.
pub const GLOBAL_HEADING: &str = "Options of every command";

/// Options that every command takes.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
#[command(next_help_heading = GLOBAL_HEADING)]
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

    /// Wait so long for the store's first answer [default: 8s]
    #[arg(long, global = true, value_name = "DURATION", value_parser = parse_patience)]
    pub connect_timeout: Option<Duration>,

    /// Folder of the local index (it can be deleted at any time and is rebuilt)
    #[arg(long, global = true, value_name = "DIR")]
    pub cache_dir: Option<PathBuf>,

    /// Use no local index: read what is needed from the store, and forget it (not for backups)
    #[arg(long, global = true, conflicts_with = "cache_dir")]
    pub no_index: bool,

    /// Send at most this many KiB per second to the store
    #[arg(long, global = true, value_name = "RATE", value_parser = values::rate)]
    pub limit_upload: Option<NonZeroU32>,

    /// Receive at most this many KiB per second from the store
    #[arg(long, global = true, value_name = "RATE", value_parser = values::rate)]
    pub limit_download: Option<NonZeroU32>,

    /// Limits by the hours of the day; of a configuration.
    #[arg(skip)]
    pub bandwidth: Vec<Bandwidth>,

    /// The zone of those hours; that of the system otherwise.
    #[arg(skip)]
    pub time_zone: Option<String>,

    /// Let everything else on this machine go first, on its processors and its disks
    #[arg(long, global = true)]
    pub background: bool,

    /// Time stamp authority (RFC 3161) that is asked once a day to stamp evidence
    #[arg(long, global = true, value_name = "URL")]
    pub timestamp_url: Option<String>,

    /// File with options of every command, as TOML [default: mainstay/mainstay.toml in ~/.config
    /// or /etc]
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,

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
    /// Fills in from the configuration file what no flag says.
    pub fn complete(&mut self, file: ConfigFile) {
        fill(&mut self.repo, file.repo);
        fill(&mut self.endpoint, file.endpoint);
        fill(&mut self.connect_timeout, file.connect_timeout.map(|patience| patience.0));
        let has_limit = self.limit_upload.is_some() || self.limit_download.is_some();
        fill(&mut self.limit_upload, file.limit_upload);
        fill(&mut self.limit_download, file.limit_download);
        fill(&mut self.timestamp_url, file.timestamp.and_then(|section| section.url));
        if !self.no_index {
            fill(&mut self.cache_dir, file.cache_dir);
        }
        // What is said for this run holds at any hour.
        if !has_limit {
            self.bandwidth = file.bandwidth;
        }
        self.time_zone = file.time_zone;
        self.allow_http |= file.allow_http;
        self.background |= file.background;
        let has_flag = self.key_file.is_some()
            || self.password_file.is_some()
            || self.password_command.is_some();
        if !has_flag {
            self.key_file = file.key_file;
            self.password_file = file.password_file;
            self.password_command = file.password_command;
        }
    }

    /// Those about the rates of transfers.
    #[must_use]
    pub fn limits(&self, around: &Surroundings) -> Limits {
        let named = self.time_zone.as_deref().and_then(|name| TimeZone::get(name).ok());
        let zone = named.unwrap_or_else(|| (**around.time_zone).clone());
        let outside = (self.limit_upload, self.limit_download);
        bandwidth::limits(outside, &self.bandwidth, &zone, &around.clock)
    }

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

fn fill<T>(flag: &mut Option<T>, file: Option<T>) {
    if flag.is_none() {
        *flag = file;
    }
}
