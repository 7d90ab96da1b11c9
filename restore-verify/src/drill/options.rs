//! What a drill is asked to do, and what it answers.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use engine::base::error::{Classified, ErrorClass};
use engine::base::monitor::Monitor;
use engine::base::path::TreePath;
use engine::index::{Index, IndexError};
use engine::repo::Repo;
use engine::repo::error::RepoError;

use crate::drill::findings::Found;
use crate::evidence::closing::COMMAND;
use crate::evidence::drill_event::{Drill, DrillKind, Outcome};
use crate::evidence::record::{Hash32, Reference};
use crate::evidence::shelf::{Author, ShelfError};
use crate::probe::verdict::Limits;
use crate::sandbox::command::CommandLimits;
use crate::sandbox::spawn::Budget;

/// Files of a sample unless another number is asked for: no failure among them shows that under
/// 1 % are defective, at 95 %.
pub const SAMPLE_FILES: u64 = 300;
/// Bytes that lie in scratch at a time unless another number is asked for.
pub const QUOTA_BYTES: u64 = 1 << 30;

/// What a drill works on.
#[derive(Clone, Copy)]
pub struct Place<'a> {
    /// The repository, opened with the role `verify` or above.
    pub repo: &'a Repo,
    /// The local index.
    pub index: &'a Index,
    /// Folder of the index; what drills remember is kept in it.
    pub state: &'a Path,
    /// Who signs and on whose behalf.
    pub author: Author<'a>,
    /// Hears how it goes.
    pub monitor: &'a dyn Monitor,
}

/// What a user states.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Stated {
    /// Regular files.
    pub files: Option<u64>,
    /// Their bytes.
    pub bytes: Option<u64>,
}

/// What is done.
#[derive(Debug, Clone)]
pub struct DrillOptions {
    /// The kind.
    pub kind: DrillKind,
    /// Files that a sample draws.
    pub sample_files: u64,
    /// For `paths`: what is restored.
    pub paths: Vec<TreePath>,
    /// Folder in which a scratch folder is made.
    pub scratch: PathBuf,
    /// Bytes that may lie in scratch at a time.
    pub quota_bytes: u64,
    /// Verify bytes and drop them: needs no disk, and no probe can look.
    pub discard: bool,
    /// Probes that do not run, by name.
    pub skip_probes: Vec<String>,
    /// What a probe of one file may use.
    pub limits: Limits,
    /// What all probes together may use.
    pub budget: Budget,
    /// The user's own test of what was restored; empty for none.
    pub command: Vec<OsString>,
    /// What it may use.
    pub command_limits: CommandLimits,
    /// Objective for the recovery point, in milliseconds.
    pub rpo_target_ms: Option<u64>,
    /// Objective for the time of recovery, in milliseconds.
    pub rto_target_ms: Option<u64>,
    /// Restore stretches of the tree too, to estimate the time of a whole restore.
    pub estimate: bool,
    /// Recovery words, for `kit`.
    pub words: Option<zeroize::Zeroizing<String>>,
    /// The finding that is tested again.
    pub retest_of: Option<Reference>,
    /// The ticket that it belongs to.
    pub ticket: Option<String>,
    /// Period of the rotation whose coverage counts, in days.
    pub rotation_days: u32,
    /// What the snapshot holds at least, if somebody states it.
    pub expected: Stated,
}

impl DrillOptions {
    /// A drill of `kind` with scratch below `scratch`.
    #[must_use]
    pub fn new(kind: DrillKind, scratch: PathBuf) -> Self {
        Self {
            kind,
            sample_files: SAMPLE_FILES,
            paths: Vec::new(),
            scratch,
            quota_bytes: QUOTA_BYTES,
            discard: false,
            skip_probes: Vec::new(),
            limits: Limits::default(),
            budget: Budget::default(),
            command: Vec::new(),
            command_limits: CommandLimits::default(),
            rpo_target_ms: None,
            rto_target_ms: None,
            estimate: true,
            words: None,
            retest_of: None,
            ticket: None,
            rotation_days: 28,
            expected: Stated::default(),
        }
    }

    /// Probes that do not run, in order, each once.
    #[must_use]
    pub fn skipped(&self) -> Vec<String> {
        let all: BTreeSet<&String> = self.skip_probes.iter().collect();
        all.into_iter().cloned().collect()
    }

    /// A hash of the user's own test, if there is one: its words may be nobody else's business.
    #[must_use]
    pub fn command_hash(&self) -> Option<Hash32> {
        if self.command.is_empty() || !self.runs(COMMAND) {
            return None;
        }
        let mut bytes = Vec::new();
        for word in &self.command {
            bytes.extend_from_slice(word.as_encoded_bytes());
            bytes.push(0);
        }
        Some(Hash32::of(&bytes))
    }

    /// Whether a probe runs.
    #[must_use]
    pub fn runs(&self, probe: &str) -> bool {
        !self.skip_probes.iter().any(|skipped| skipped == probe)
    }
}

/// What a drill answers.
#[derive(Debug, Clone)]
pub struct DrillReport {
    /// What was recorded.
    pub drill: Drill,
    /// Where.
    pub record: Reference,
    /// The findings with names, for the people of the house.
    pub findings: Vec<Found>,
    /// Whether the recovery point or the recovery time is beyond its objective.
    pub is_breached: bool,
    /// The ticket that a failed drill opened or belongs to.
    pub ticket: Option<String>,
    /// Why the finding that it tested again stays open although it passed.
    pub still_open: Vec<String>,
}

impl DrillReport {
    /// How it ended.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        self.drill.outcome
    }
}

/// Why a drill could not even be recorded.
#[derive(Debug, thiserror::Error)]
pub enum DrillError {
    /// Evidence cannot be read or written.
    #[error(transparent)]
    Shelf(#[from] ShelfError),
    /// Keys or records.
    #[error(transparent)]
    Repo(#[from] RepoError),
    /// The local index.
    #[error(transparent)]
    Index(#[from] IndexError),
    /// Somebody wanted it to stop before it had an answer.
    #[error("the drill was interrupted; no result is recorded")]
    Interrupted,
    /// A file of this machine.
    #[error("{action} {path} failed")]
    File {
        /// What was done.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
}

impl DrillError {
    /// For `map_err`.
    pub fn file(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::File { action, path, source }
    }
}

impl Classified for DrillError {
    fn class(&self) -> ErrorClass {
        match self {
            Self::Shelf(error) => error.class(),
            Self::Repo(error) => error.class(),
            Self::Index(error) => error.class(),
            Self::Interrupted => ErrorClass::Interrupted,
            Self::File { .. } => ErrorClass::Local,
        }
    }
}
