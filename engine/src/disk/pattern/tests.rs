//! The table of what restic's users expect of a pattern.

use super::*;

fn path(text: &str) -> TreePath {
    TreePath::from_slashes(text.as_bytes()).expect("because the test wrote a valid path")
}

fn matcher(patterns: &[&str], ignore_case: bool) -> PathMatcher {
    let patterns: Vec<String> = patterns.iter().map(|text| (*text).to_owned()).collect();
    PathMatcher::new(&patterns, ignore_case).expect("because the test wrote valid patterns")
}

#[test]
fn one_pattern_matches_what_restic_matches() {
    let table = [
        ("foo", "/a/foo", true),
        ("foo", "/foo/below/x", true),
        ("foo", "/a/foobar", false),
        ("foo/", "/a/foo", true),
        ("*.c", "/a/b.c", true),
        ("*.c", "/a/b.cc", false),
        ("*.c", "/x.c/inside", true),
        ("/a", "/a/b", true),
        ("/a", "/b/a", false),
        ("/a/*", "/a", false),
        ("/a/*", "/a/b/c", true),
        ("/a/*/c", "/a/b/b/c", false),
        ("a/b", "/x/a/b/y", true),
        ("a/b", "/x/a/c/b", false),
        ("a/b", "/xa/b", false),
        ("a/*", "/x/a", false),
        ("a/*", "/x/a/q", true),
        ("a/**/b", "/a/b", true),
        ("a/**/b", "/x/a/1/2/b/f", true),
        ("a/**/b", "/x/b/a", false),
        ("/a/**/b", "/a/b", true),
        ("/a/**/b", "/z/a/b", false),
        ("/**/b", "/z/a/b", true),
        ("**/b", "/z/a/b", true),
        ("a/**", "/a", true),
        ("a/**", "/x/a/b", true),
        ("**", "/anything", true),
        ("/", "/anything", true),
        ("f?o", "/fxo", true),
        ("f?o", "/f/o", false),
        ("[a-c]x", "/bx", true),
        ("[^a-c]x", "/bx", false),
        ("[^a-c]x", "/dx", true),
        ("{a,b}", "/a", false),
        ("{a,b}", "/{a,b}", true),
        (r"\*", "/*", true),
        (r"\*", "/x", false),
        (r"a\nb", "/a\nb", true),
        (r"a\nb", "/anb", false),
        (r"\x1b[[]31m", "/\u{1b}[31m", true),
        (r"x\u{202e}?", "/x\u{202e}y", true),
        (r"\\n", r"/\n", true),
        (r"\u{", "/u{", true),
        (r"\q", "/q", true),
        ("A", "/a", false),
        (".", "/a", true),
        ("a//./b", "/a/b", true),
    ];
    for (pattern, text, expected) in table {
        let found = matcher(&[pattern], false).matches(&path(text));
        assert_eq!(found, expected, "{pattern} on {text}");
    }
}

#[test]
fn names_that_are_no_text_can_be_matched() {
    let odd = TreePath::root().join(b"x\xff\n.tmp").expect("because any bytes are a name");
    assert!(matcher(&["*.tmp"], false).matches(&odd));
    assert!(matcher(&["/x*"], false).matches(&odd));
    assert!(matcher(&["X*.TMP"], true).matches(&odd));
    let dots = TreePath::root().join(b"...").expect("because it is no way up");
    assert!(matcher(&["..."], false).matches(&dots));
    assert!(!matcher(&["."], false).is_empty());
}

#[test]
fn the_last_match_decides() {
    let set = matcher(&["*.log", "!keep.log", "/x/keep.log"], false);
    assert!(set.matches(&path("/a.log")));
    assert!(!set.matches(&path("/a/keep.log")));
    assert!(set.matches(&path("/x/keep.log")));
    let below = matcher(&["/home/u/**/*", "!/home/u/Documents"], false);
    assert!(below.matches(&path("/home/u/other/x")));
    assert!(!below.matches(&path("/home/u/Documents")));
    assert!(!below.matches(&path("/home/u/Documents/deep/x")));
}

#[test]
fn ignoring_case_goes_beyond_ascii() {
    let set = matcher(&["ÄRGER*", "/Tmp/X"], true);
    assert!(set.matches(&path("/a/ärger.TXT")));
    assert!(set.matches(&path("/TMP/x/y")));
    assert!(!matcher(&["ÄRGER*"], false).matches(&path("/ärger")));
}

#[test]
fn only_directories_that_can_hold_a_match_are_looked_into() {
    let set = matcher(&["/home/*/docs/a.txt", "/srv/**/x"], false);
    for (text, expected) in [
        ("/", true),
        ("/home", true),
        ("/home/u", true),
        ("/home/u/docs", true),
        ("/home/u/docs/a.txt/below", true),
        ("/home/u/music", false),
        ("/etc", false),
        ("/srv/1/2/3", true),
    ] {
        assert_eq!(set.may_match_below(&path(text)), expected, "{text}");
    }
    assert!(matcher(&["floating"], false).may_match_below(&path("/etc")));
    assert!(!matcher(&[], false).may_match_below(&path("/etc")));
    assert!(!matcher(&["!/etc"], false).may_match_below(&path("/etc")));
}

#[test]
fn bad_patterns_are_named() {
    for bad in ["[a", "a/[", "!", "../x", r"x\", r"\xff", r"\x2a", r"\x2f", r"\x00"] {
        let error = PathMatcher::new(&[bad.to_owned()], false).expect_err("because it is bad");
        assert!(matches!(&error, DiskError::BadPattern { pattern, .. } if pattern == bad));
    }
    assert!(PathMatcher::new(&[String::new()], false).is_ok_and(|set| set.is_empty()));
}

#[test]
fn a_pattern_file_has_comments_and_blank_lines() {
    let text = "\u{feff}*.o\r\n\n# comment\n  /a b  \r\n#\n!x";
    assert_eq!(parse_pattern_file(text), ["*.o", "/a b", "!x"]);
}
