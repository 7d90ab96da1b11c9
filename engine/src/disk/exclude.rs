//! What a backup leaves out: by pattern, by tag file, by size, by file system.

use crate::base::path::TreePath;
use crate::disk::error::DiskError;
use crate::disk::pattern::Verdict;
pub use crate::disk::pattern::{PathMatcher, parse_pattern_file};

/// Name and first bytes of the file that marks a directory as a cache, see
/// <https://bford.info/cachedir/>.
const CACHE_TAG: (&str, &str) = ("CACHEDIR.TAG", "Signature: 8a477f597d28d172789f06886806bc55");

/// A file whose presence excludes everything beside it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IfPresent {
    /// Its name.
    pub name: String,
    /// What it must start with, being a regular file; without this its presence suffices.
    pub header: Option<String>,
}

impl IfPresent {
    /// Reads `NAME` or `NAME:HEADER`.
    ///
    /// # Errors
    /// [`DiskError::BadPattern`] if the name is none.
    pub fn parse(text: &str) -> Result<Self, DiskError> {
        let (name, header) = match text.split_once(':') {
            Some((name, header)) => (name, Some(header.to_owned())),
            None => (text, None),
        };
        if name.is_empty() || name.contains('/') {
            let why = "the part before `:` must be the name of a file".to_owned();
            return Err(DiskError::BadPattern { pattern: text.to_owned(), why });
        }
        Ok(Self { name: name.to_owned(), header })
    }
}

/// What the user asked to leave out.
#[derive(Debug, Clone, Default)]
pub struct ExcludeOptions {
    /// Patterns, see [`PathMatcher`].
    pub patterns: Vec<String>,
    /// Patterns that do not distinguish upper and lower case.
    pub patterns_ignore_case: Vec<String>,
    /// Leave out what directories marked with a valid `CACHEDIR.TAG` hold.
    pub exclude_caches: bool,
    /// Leave out what directories hold in which one of these lies.
    pub if_present: Vec<IfPresent>,
    /// Leave out files larger than this.
    pub larger_than_bytes: Option<u64>,
    /// Do not enter other file systems than that of the root being walked.
    pub one_file_system: bool,
}

/// [`ExcludeOptions`], ready to be applied.
#[derive(Debug, Clone, Default)]
pub struct Excludes {
    exact: PathMatcher,
    folded: PathMatcher,
    tags: Vec<IfPresent>,
    larger_than_bytes: Option<u64>,
    one_file_system: bool,
}

/// The verdicts of both lists of patterns on a path.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Standing {
    exact: Verdict,
    folded: Verdict,
}

impl Excludes {
    /// Prepares the options.
    ///
    /// # Errors
    /// [`DiskError::BadPattern`].
    pub fn new(options: &ExcludeOptions) -> Result<Self, DiskError> {
        let mut tags = options.if_present.clone();
        if options.exclude_caches {
            let (name, header) = CACHE_TAG;
            tags.push(IfPresent { name: name.to_owned(), header: Some(header.to_owned()) });
        }
        Ok(Self {
            exact: PathMatcher::new(&options.patterns, false)?,
            folded: PathMatcher::new(&options.patterns_ignore_case, true)?,
            tags,
            larger_than_bytes: options.larger_than_bytes,
            one_file_system: options.one_file_system,
        })
    }

    /// Whether a path is left out because of its name or an ancestor's.
    #[must_use]
    pub fn excludes(&self, path: &TreePath) -> bool {
        self.exact.matches(path) || self.folded.matches(path)
    }

    pub(crate) fn judge_all(&self, path: &TreePath) -> Standing {
        Standing { exact: self.exact.judge_all(path), folded: self.folded.judge_all(path) }
    }

    pub(crate) fn judge(&self, parent: Standing, path: &TreePath) -> Standing {
        Standing {
            exact: self.exact.judge(parent.exact, path),
            folded: self.folded.judge(parent.folded, path),
        }
    }

    pub(crate) fn is_out(&self, standing: Standing) -> bool {
        self.exact.is_match(standing.exact) || self.folded.is_match(standing.folded)
    }

    /// Whether something below `path`, which is out, may be taken back.
    pub(crate) fn may_release(&self, standing: Standing, path: &TreePath) -> bool {
        let lists = [(&self.exact, standing.exact), (&self.folded, standing.folded)];
        let mut lists = lists.into_iter();
        lists.all(|(list, verdict)| !list.is_match(verdict) || list.may_release(verdict, path))
    }

    /// The standing of a path that was named: what leaves it out by its name or an ancestor's does
    /// not count.
    pub(crate) fn judge_named(&self, path: &TreePath) -> Standing {
        let standing = self.judge_all(path);
        if !self.is_out(standing) {
            return standing;
        }
        Standing { exact: self.exact.start(), folded: self.folded.start() }
    }

    /// Whether there are patterns.
    pub(crate) fn has_patterns(&self) -> bool {
        !self.exact.is_empty() || !self.folded.is_empty()
    }

    /// Whether anything beside folders is left out by what only a look at it tells.
    pub(crate) fn needs_look(&self) -> bool {
        self.one_file_system || self.larger_than_bytes.is_some()
    }

    pub(crate) fn is_too_large(&self, size_bytes: u64) -> bool {
        self.larger_than_bytes.is_some_and(|limit| size_bytes > limit)
    }

    pub(crate) fn one_file_system(&self) -> bool {
        self.one_file_system
    }

    pub(crate) fn tags(&self) -> &[IfPresent] {
        &self.tags
    }
}
