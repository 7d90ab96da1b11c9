//! Holds the source of the workspace to the rules that no compiler and no linter checks.
//!
//! Nothing in Rust stops modules of one crate from growing into a knot, so the floors are checked
//! here: a module names only modules that are declared above it. The checker takes the root of
//! any tree that is laid out like this workspace, because it runs twice: over the workspace, where
//! it must find nothing, and over a spoilt copy, where it must find exactly what was spoilt. It
//! parses; it never compiles. What it cannot see is a path made by a macro, and a method called on
//! a value of a type that is never named.

pub mod source;
pub mod refer;
pub mod rules;

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use crate::tidy::source::Workspace;

/// What can be untidy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rule {
    /// A module names a module that is declared below it.
    Floor,
    /// One operation of the engine names another.
    Operation,
    /// A path begins with `super` outside tests.
    SuperPath,
    /// A `use` takes everything of a module.
    GlobImport,
    /// A module is called after nothing in particular.
    ModuleName,
    /// The first line of a file does not say what the file is.
    MissingDoc,
    /// A file has too many lines.
    FileLength,
    /// Half of the files are longer than they should be.
    MedianLength,
    /// A crate is named outside the one place that may know it.
    ForeignCrate,
    /// Two floors that must not know each other do.
    Apart,
    /// A floor without I/O does I/O or is async.
    Pure,
    /// A file that no `mod` line leads to, or a `mod` line that leads to no file.
    Orphan,
    /// A file that does not parse.
    Unparsed,
}

impl Rule {
    /// Every rule, so that the canary can show that each of them bites.
    pub const ALL: [Self; 13] = [
        Self::Floor,
        Self::Operation,
        Self::SuperPath,
        Self::GlobImport,
        Self::ModuleName,
        Self::MissingDoc,
        Self::FileLength,
        Self::MedianLength,
        Self::ForeignCrate,
        Self::Apart,
        Self::Pure,
        Self::Orphan,
        Self::Unparsed,
    ];
}

/// One thing that is untidy, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Violation {
    /// The file, below the root that was checked.
    pub file: PathBuf,
    /// The line, counted from 1; 0 when the whole file or tree is meant.
    pub line: usize,
    /// The rule that is broken.
    pub rule: Rule,
    /// What is wrong, and what to do.
    pub text: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}:{}: {:?}: {}", self.file.display(), self.line, self.rule, self.text)
    }
}

/// What a check found.
#[derive(Debug, Clone)]
pub struct Findings {
    /// Everything untidy, sorted by file and line.
    pub violations: Vec<Violation>,
    /// How many Rust files were read.
    pub file_count: usize,
    /// The length of the file in the middle when they are sorted by length.
    pub median_lines: usize,
}

/// Checks the packages `engine`, `restore-verify`, `cli/agent`, `cli/alert`, `cli`, `tests` and `benches` below `root`,
/// as far as they are there.
///
/// # Errors
/// When a file or folder cannot be read; a file that does not parse is a violation instead.
pub fn check(root: &Path) -> io::Result<Findings> {
    let workspace = Workspace::read(root)?;
    let mut violations = workspace.faults.clone();
    for file in &workspace.files {
        rules::file(file, &mut violations);
    }
    let median_lines = rules::median(&workspace.files, &mut violations);
    for unit in &workspace.units {
        rules::unit(unit, &mut violations);
    }
    violations.sort();
    violations.dedup();
    Ok(Findings { violations, file_count: workspace.files.len(), median_lines })
}
