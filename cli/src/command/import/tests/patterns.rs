//! Patterns of Borg, read as Borg reads them, against what they are translated to.

use engine::base::path::TreePath;
use engine::disk::exclude::PathMatcher;
use import::pattern::{Style, of_borg};
use proptest::prelude::*;

/// `fm:` as Borg documents it: a whole path from the root, or its beginning up to a `/`; `*` and `?` go
/// over slashes.
fn borg_fnmatch(pattern: &str, path: &str) -> bool {
    let mut pattern = pattern.trim_start_matches('/').to_owned();
    if pattern.ends_with('/') {
        pattern.push('*');
    }
    let path = path.trim_start_matches('/');
    let ends = path.match_indices('/').map(|(at, _)| at).chain([path.len()]);
    ends.into_iter().any(|end| glob(pattern.as_bytes(), &path.as_bytes()[..end], true))
}

/// `sh:`: stars stay within a name, `**/` is any number of folders.
fn borg_shell(pattern: &str, path: &str) -> bool {
    let mut pattern = pattern.trim_start_matches('/').to_owned();
    if pattern.ends_with('/') {
        pattern.push_str("**/*");
    }
    let path = path.trim_start_matches('/');
    let ends = path.match_indices('/').map(|(at, _)| at).chain([path.len()]);
    ends.into_iter().any(|end| glob(pattern.as_bytes(), &path.as_bytes()[..end], false))
}

fn glob(pattern: &[u8], text: &[u8], over_slashes: bool) -> bool {
    match (pattern, text) {
        ([b'*', b'*', b'/', rest @ ..], _) if !over_slashes => {
            let folders = text.iter().enumerate().filter(|(_, one)| **one == b'/');
            glob(rest, text, false)
                || folders.into_iter().any(|(at, _)| glob(rest, &text[at + 1..], false))
        }
        ([b'*', rest @ ..], _) => {
            glob(rest, text, over_slashes)
                || matches!(text, [one, more @ ..]
                    if (over_slashes || *one != b'/') && glob(pattern, more, over_slashes))
        }
        ([one, rest @ ..], [first, more @ ..]) => one == first && glob(rest, more, over_slashes),
        ([], []) => true,
        _ => false,
    }
}

fn ours(patterns: &[String], path: &str) -> bool {
    let matcher = PathMatcher::new(patterns, false).expect("they can be used");
    let path = TreePath::from_slashes(path.as_bytes()).expect("a path");
    matcher.matches(&path)
}

fn path() -> impl Strategy<Value = String> {
    proptest::collection::vec("[ab.]{0,1}[ab]{1,2}", 1..5)
        .prop_map(|names| format!("/{}", names.join("/")))
}

/// Borg takes `.` and `..` out of a pattern before it reads it.
fn is_normal(pattern: &str) -> bool {
    pattern.split('/').all(|name| name != "." && name != "..")
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, max_global_rejects: 100_000, ..ProptestConfig::with_cases(3000) })]

    #[test]
    fn fm_patterns_leave_out_the_same(pattern in "/?[ab*]{1,3}(/[ab.*]{1,3}){0,2}/?", paths in proptest::collection::vec(path(), 8)) {
        prop_assume!(is_normal(&pattern));
        if let Ok(translated) = of_borg(&pattern, Style::Fnmatch) {
            for path in paths {
                prop_assert_eq!(
                    ours(&translated.patterns, &path),
                    borg_fnmatch(&pattern, &path),
                    "{} as {:?} on {}", pattern, translated.patterns, path
                );
            }
        }
    }

    #[test]
    fn sh_patterns_leave_out_the_same(pattern in "/?(\\*\\*/)?[ab*]{1,2}(/[ab.*]{1,2}|/\\*\\*){0,2}/?", paths in proptest::collection::vec(path(), 8)) {
        prop_assume!(is_normal(&pattern));
        prop_assume!(!pattern.ends_with("**") && !pattern.ends_with("**/"));
        if let Ok(translated) = of_borg(&pattern, Style::Shell) {
            for path in paths {
                prop_assert_eq!(
                    ours(&translated.patterns, &path),
                    borg_shell(&pattern, &path),
                    "{} as {:?} on {}", pattern, translated.patterns, path
                );
            }
        }
    }
}
