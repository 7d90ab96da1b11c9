//! Which paths are wanted: those that an include pattern matches, without those that an exclude
//! pattern matches.
//!
//! A backup and a restore ask the same patterns, so a list means the same to both. A folder that is
//! left out is looked into all the same where something below it may be wanted.

use crate::base::path::TreePath;
use crate::disk::pattern::PathMatcher;

/// What the patterns say of a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Judgement {
    /// It is wanted.
    Selected,
    /// It is left out.
    Excluded,
}

/// Patterns of what is wanted.
#[derive(Debug, Clone, Default)]
pub struct Selection {
    /// Only what one of these matches is wanted; everything if there is none.
    pub include: Vec<PathMatcher>,
    /// What one of these matches is left out.
    pub exclude: Vec<PathMatcher>,
}

impl Selection {
    /// Whether `path` is wanted.
    #[must_use]
    pub fn judge(&self, path: &TreePath) -> Judgement {
        let mut include = self.include.iter();
        let is_in = self.include.is_empty() || include.any(|matcher| matcher.matches(path));
        match is_in && !self.exclude.iter().any(|matcher| matcher.matches(path)) {
            true => Judgement::Selected,
            false => Judgement::Excluded,
        }
    }

    /// Whether something below the folder `path` may be wanted, so that it must be looked into.
    #[must_use]
    pub fn may_select_below(&self, path: &TreePath) -> bool {
        let mut include = self.include.iter();
        let may_be_in = self.include.is_empty() || include.any(|it| it.may_match_below(path));
        let may_stay = |it: &PathMatcher| !it.matches(path) || it.may_release_below(path);
        may_be_in && self.exclude.iter().all(may_stay)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{Strategy, proptest};

    use super::*;

    const PATTERNS: [&str; 14] = [
        "a", "!a", "b", "!b", "/a", "!/a/b", "a/b", "!b/c", "/a/**/c", "!/a/**/c", "**", "!c",
        "/b/*", "!/b/a",
    ];

    fn matcher(numbers: &[usize]) -> Vec<PathMatcher> {
        let patterns: Vec<String> = numbers.iter().map(|at| PATTERNS[*at].to_owned()).collect();
        let made = PathMatcher::new(&patterns, false).expect("because the patterns are valid");
        if patterns.is_empty() { Vec::new() } else { vec![made] }
    }

    /// All paths of up to four of the names `a`, `b` and `c`.
    fn paths() -> Vec<TreePath> {
        let mut all = vec![TreePath::root()];
        for at in 0.. {
            let path: &TreePath = &all[at];
            if path.components().count() == 4 {
                break;
            }
            let below = [b"a", b"b", b"c"].map(|name| path.join(name).expect("it is short"));
            all.extend(below);
        }
        all
    }

    fn list() -> impl Strategy<Value = Vec<usize>> {
        proptest::collection::vec(0..PATTERNS.len(), 0..5)
    }

    proptest! {
        #[test]
        fn no_folder_that_holds_something_wanted_is_passed(include in list(), exclude in list()) {
            let selection = Selection { include: matcher(&include), exclude: matcher(&exclude) };
            let all = paths();
            for wanted in all.iter().filter(|path| selection.judge(path) == Judgement::Selected) {
                let mut above = wanted.parent();
                while let Some(folder) = above {
                    assert!(selection.may_select_below(&folder), "{wanted} is below {folder}");
                    above = folder.parent();
                }
            }
        }
    }

    #[test]
    fn folders_in_which_nothing_can_be_wanted_are_passed() {
        let exclude = |patterns: &[&str]| {
            let patterns: Vec<String> = patterns.iter().map(|text| (*text).to_owned()).collect();
            let made = PathMatcher::new(&patterns, false).expect("because the patterns are valid");
            Selection { include: Vec::new(), exclude: vec![made] }
        };
        let path = |text: &str| TreePath::from_slashes(text.as_bytes()).expect("it is valid");
        let floating = exclude(&["a", "!keep"]);
        assert_eq!(floating.judge(&path("/a/x/keep/y")), Judgement::Selected);
        assert_eq!(floating.judge(&path("/a/x")), Judgement::Excluded);
        assert!(floating.may_select_below(&path("/a/x")));
        let earlier = exclude(&["!keep", "a"]);
        assert_eq!(earlier.judge(&path("/a/keep")), Judgement::Excluded);
        assert!(!earlier.may_select_below(&path("/a")), "the last match decides");
        let anchored = exclude(&["a", "!/a/b/keep"]);
        assert!(anchored.may_select_below(&path("/a/b")));
        assert!(!anchored.may_select_below(&path("/a/c")));
        assert!(!exclude(&["a"]).may_select_below(&path("/a")));
    }
}
