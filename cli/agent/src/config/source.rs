//! What is saved: `[[source]]`.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::words::CommandWords;
use crate::span::Span;

/// One thing that is saved: paths, what a command prints, or databases. With the machine that it is on it makes a
/// *system*, which has its own objectives and outcomes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Source {
    /// Its name, unique in the file; its snapshots carry it as a tag.
    pub name: String,
    /// Files and folders.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub paths: Vec<PathBuf>,
    /// The command whose output is saved instead.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub command: Option<CommandWords>,
    /// The kind of database that is dumped instead: postgresql, mariadb, mysql, sqlite.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub preset: Option<String>,
    /// Names of databases, or paths of files of SQLite; without any, all of the server.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub databases: Vec<String>,
    /// `database dump --server`
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server: Option<String>,
    /// `database dump --login-file`
    #[serde(skip_serializing_if = "Option::is_none")]
    pub login_file: Option<PathBuf>,
    /// Name of the file that its output becomes; the source's name otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub filename: Option<String>,
    /// `backup --exclude`
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub exclude: Vec<String>,
    /// `backup --iexclude`
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub iexclude: Vec<String>,
    /// `backup --exclude-file`
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub exclude_file: Vec<PathBuf>,
    /// `backup --exclude-if-present`
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub exclude_if_present: Vec<String>,
    /// `backup --exclude-larger-than`
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exclude_larger_than: Option<String>,
    /// `backup --exclude-caches`
    pub exclude_caches: bool,
    /// `backup --one-file-system`
    pub one_file_system: bool,
    /// `backup --with-atime`
    pub with_atime: bool,
    /// `backup --allow-missing`
    pub allow_missing: bool,
    /// `backup --tag`, beside the one with the name of the source.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// Recovery point objective, if it is not that of all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rpo: Option<Span>,
    /// Recovery time objective, if it is not that of all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rto: Option<Span>,
    /// Tier, if it is not that of all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tier: Option<String>,
}

impl Source {
    /// The tag that its snapshots carry.
    #[must_use]
    pub fn tag(&self) -> String {
        format!("source={}", self.name)
    }
}
