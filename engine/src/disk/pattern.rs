//! Patterns of paths as restic users write them.
//!
//! * Without `/` a pattern matches any one component; with a leading `/` it starts at the root;
//!   otherwise its components match anywhere in a row.
//! * `*`, `?` and `[a-z]` stay within a component; a component `**` stands for any number of them.
//! * What lies below a match is matched too. `!pattern` takes back, also below a folder that is
//!   matched; the last match decides.
//!
//! * `\` takes the meaning from the letter behind it. What lists show instead of a letter that nobody
//!   can see stands for that letter: `\n`, `\t`, `\x1b`, `\u{202e}`.
//!
//! `?` and `[…]` stand for one byte, so a letter outside ASCII needs `*`, and a byte that is no letter `?`. Matching goes down the
//! path: what an ancestor matched is handed to its children, so only the last component is looked
//! at for patterns without `/`, and no path text is put together unless another kind exists.

use std::borrow::Cow;

use globset::{Candidate, Glob, GlobBuilder, GlobMatcher, GlobSet, GlobSetBuilder};

use crate::base::path::{TreePath, read_escape};
use crate::disk::error::DiskError;

/// Patterns, ready to be matched.
#[derive(Debug, Clone, Default)]
pub struct PathMatcher {
    /// By number of the pattern: whether it takes back.
    negated: Vec<bool>,
    /// Patterns of one component, and their numbers.
    names: GlobSet,
    name_numbers: Vec<usize>,
    /// The others, matched against the path without its leading `/`.
    paths: GlobSet,
    path_numbers: Vec<usize>,
    /// The last pattern that matches the root and so everything.
    everything: Verdict,
    /// Where each pattern may match.
    reaches: Vec<Reach>,
    ignore_case: bool,
}

/// Where a pattern may match.
#[derive(Debug, Clone)]
struct Reach {
    number: usize,
    /// Component by component, its beginning, if it starts at the root; otherwise it may match
    /// anywhere.
    anchored: Option<Vec<GlobMatcher>>,
}

/// The number of the last pattern that matched a path or an ancestor.
pub(crate) type Verdict = Option<usize>;

/// The meaning of one pattern.
struct Parsed<'a> {
    is_negated: bool,
    is_anchored: bool,
    /// Without `**` at the end, which adds nothing: what lies below a match is matched.
    components: Vec<&'a str>,
}

impl PathMatcher {
    /// Prepares patterns; empty ones count for nothing.
    ///
    /// # Errors
    /// [`DiskError::BadPattern`] with what is wrong.
    pub fn new(patterns: &[String], ignore_case: bool) -> Result<Self, DiskError> {
        let mut matcher = Self { ignore_case, ..Self::default() };
        let mut names = GlobSetBuilder::new();
        let mut paths = GlobSetBuilder::new();
        for (number, pattern) in patterns.iter().filter(|text| !text.is_empty()).enumerate() {
            let read = unseen_letters(pattern).map_err(|why| bad(pattern, &why))?;
            let folded = if ignore_case { read.to_lowercase() } else { read };
            let parsed = parse(&folded).map_err(|why| bad(pattern, &why))?;
            matcher.negated.push(parsed.is_negated);
            let globs: Result<Vec<Glob>, _> =
                parsed.components.iter().map(|component| glob(component)).collect();
            let globs = globs.map_err(|error| bad(pattern, &error.kind()))?;
            match parsed.components.as_slice() {
                [] => matcher.everything = Some(number),
                [name] if !parsed.is_anchored => {
                    names.add(glob(&format!("**/{name}")).map_err(|e| bad(pattern, &e.kind()))?);
                    matcher.name_numbers.push(number);
                }
                components => {
                    let start = if parsed.is_anchored { "" } else { "**/" };
                    let whole = format!("{start}{}", components.join("/"));
                    paths.add(glob(&whole).map_err(|error| bad(pattern, &error.kind()))?);
                    matcher.path_numbers.push(number);
                }
            }
            matcher.reaches.push(reach(number, &parsed, &globs));
        }
        matcher.names = names.build().map_err(|error| bad("", &error.kind()))?;
        matcher.paths = paths.build().map_err(|error| bad("", &error.kind()))?;
        Ok(matcher)
    }

    /// Whether there are no patterns at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.negated.is_empty()
    }

    /// Whether `path` or one of its ancestors is matched.
    #[must_use]
    pub fn matches(&self, path: &TreePath) -> bool {
        self.is_match(self.judge_all(path))
    }

    /// Whether anything below the directory `path` could match, so that it must be looked into.
    #[must_use]
    pub fn may_match_below(&self, path: &TreePath) -> bool {
        let mut adding = self.reaches.iter().filter(|reach| !self.negated[reach.number]);
        self.matches(path) || adding.any(|reach| self.leads_below(reach, path))
    }

    /// Whether `path` is matched and a pattern could take back something below it, so that it must
    /// be looked into although it is matched.
    #[must_use]
    pub fn may_release_below(&self, path: &TreePath) -> bool {
        self.may_release(self.judge_all(path), path)
    }

    /// The same for a path with a known verdict.
    pub(crate) fn may_release(&self, verdict: Verdict, path: &TreePath) -> bool {
        let Some(matched) = verdict.filter(|number| !self.negated[*number]) else { return false };
        let mut later = self.reaches.iter().filter(|reach| reach.number > matched);
        later.any(|reach| self.negated[reach.number] && self.leads_below(reach, path))
    }

    /// Whether a pattern may match something below `path`.
    fn leads_below(&self, reach: &Reach, path: &TreePath) -> bool {
        let Some(components) = &reach.anchored else { return true };
        let mut pairs = components.iter().zip(path.components());
        pairs.all(|(glob, name)| glob.is_match_candidate(&Candidate::from_bytes(&self.fold(name))))
    }

    /// What a verdict means.
    pub(crate) fn is_match(&self, verdict: Verdict) -> bool {
        verdict.is_some_and(|number| !self.negated[number])
    }

    /// The verdict on the root.
    pub(crate) fn start(&self) -> Verdict {
        self.everything
    }

    /// The verdict on a path, its ancestors being judged too.
    pub(crate) fn judge_all(&self, path: &TreePath) -> Verdict {
        let key = path.key();
        let ends = (0..=key.len()).filter(|at| key.get(*at).is_none_or(|byte| *byte == 0));
        ends.filter(|end| *end > 0)
            .fold(self.start(), |verdict, end| self.judge_key(verdict, &key[..end]))
    }

    /// The verdict on a path whose parent's verdict is known.
    pub(crate) fn judge(&self, parent: Verdict, path: &TreePath) -> Verdict {
        self.judge_key(parent, path.key())
    }

    fn judge_key(&self, parent: Verdict, key: &[u8]) -> Verdict {
        let mut verdict = parent;
        if !self.names.is_empty() {
            let start = key.iter().rposition(|byte| *byte == 0).map_or(0, |at| at + 1);
            let name = self.fold(&key[start..]);
            verdict = verdict.max(last(&self.names, &self.name_numbers, &name));
        }
        if !self.paths.is_empty() {
            let text: Vec<u8> =
                key.iter().map(|byte| if *byte == 0 { b'/' } else { *byte }).collect();
            let text = self.fold(&text);
            verdict = verdict.max(last(&self.paths, &self.path_numbers, &text));
        }
        verdict
    }

    fn fold<'a>(&self, text: &'a [u8]) -> Cow<'a, [u8]> {
        match (self.ignore_case, std::str::from_utf8(text)) {
            (false, _) => Cow::Borrowed(text),
            (true, Ok(text)) => Cow::Owned(text.to_lowercase().into_bytes()),
            (true, Err(_)) => Cow::Owned(text.to_ascii_lowercase()),
        }
    }
}

fn reach(number: usize, parsed: &Parsed<'_>, globs: &[Glob]) -> Reach {
    let fixed = parsed.components.iter().take_while(|component| **component != "**").count();
    let compile = || globs[..fixed].iter().map(Glob::compile_matcher).collect();
    Reach { number, anchored: parsed.is_anchored.then(compile) }
}

fn last(set: &GlobSet, numbers: &[usize], text: &[u8]) -> Verdict {
    let matched = set.matches_candidate(&Candidate::from_bytes(text));
    matched.into_iter().map(|at| numbers[at]).max()
}

fn parse(pattern: &str) -> Result<Parsed<'_>, String> {
    let (is_negated, rest) = match pattern.strip_prefix('!') {
        Some(rest) => (true, rest),
        None => (false, pattern),
    };
    if rest.is_empty() {
        return Err("nothing follows the `!`".to_owned());
    }
    let mut components: Vec<&str> =
        rest.split('/').filter(|name| !name.is_empty() && *name != ".").collect();
    if components.contains(&"..") {
        return Err("`..` never occurs in a path".to_owned());
    }
    while components.last() == Some(&"**") {
        components.pop();
    }
    let is_anchored = rest.starts_with('/');
    if !is_anchored {
        let floating = components.iter().take_while(|name| **name == "**").count();
        components.drain(..floating);
    }
    Ok(Parsed { is_negated, is_anchored, components })
}

/// The pattern with the letters that nobody can see in the place of what is shown instead.
fn unseen_letters(pattern: &str) -> Result<String, String> {
    let mut read = String::with_capacity(pattern.len());
    let mut rest = pattern;
    while let Some(at) = rest.find('\\') {
        let (before, from) = rest.split_at(at);
        read.push_str(before);
        let behind = &from[1..];
        match read_escape(behind.as_bytes()) {
            Some((bytes, length)) => {
                let letter = std::str::from_utf8(&bytes)
                    .map_err(|_| format!("\\{} is no letter; write ? for it", &behind[..length]))?;
                let is_seen = letter.chars().all(|letter| letter.is_ascii_graphic());
                if is_seen || letter.contains(['/', '\0']) {
                    return Err(format!("write the letter itself for \\{}", &behind[..length]));
                }
                read.push_str(letter);
                rest = &behind[length..];
            }
            None => {
                // Whatever it is, it has no meaning of its own: not even if it is another backslash.
                let length = behind.chars().next().map_or(0, char::len_utf8);
                read.push_str(&from[..=length]);
                rest = &behind[length..];
            }
        }
    }
    read.push_str(rest);
    Ok(read)
}

/// A glob as restic understands it: braces and commas are ordinary letters.
fn glob(text: &str) -> Result<Glob, globset::Error> {
    let mut escaped = String::with_capacity(text.len());
    let mut letters = text.chars();
    let mut in_class = false;
    while let Some(letter) = letters.next() {
        match letter {
            '\\' if !in_class => {
                escaped.push('\\');
                escaped.extend(letters.next());
                continue;
            }
            '{' | '}' if !in_class => escaped.push('\\'),
            '[' => in_class = true,
            ']' => in_class = false,
            _ => {}
        }
        escaped.push(letter);
    }
    GlobBuilder::new(&escaped).literal_separator(true).backslash_escape(true).build()
}

fn bad(pattern: &str, why: &dyn std::fmt::Display) -> DiskError {
    DiskError::BadPattern { pattern: pattern.to_owned(), why: why.to_string() }
}

/// The patterns in the text of a pattern file: one a line; blank lines and lines that start with
/// `#` do not count, nor does white space around a pattern.
#[must_use]
pub fn parse_pattern_file(text: &str) -> Vec<String> {
    let lines = text.trim_start_matches('\u{feff}').lines().map(str::trim);
    lines.filter(|line| !line.is_empty() && !line.starts_with('#')).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests;
