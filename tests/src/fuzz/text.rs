//! What people type or keep in files, and names of objects.

use std::str::FromStr;

use cli::config::words;
use cli::units;
use engine::base::path::{TreePath, escape};
use engine::crypt::phrase;
use engine::disk::pattern::{PathMatcher, parse_pattern_file};
use engine::repo::open::KeyFile;
use engine::retain::span::Span;
use engine::store::code::spelled;
use engine::store::location::Location;

use crate::fuzz::Decoder;

/// All of them.
pub const ALL: &[Decoder] = &[
    ("key file", |bytes| with_text(bytes, key_file)),
    ("recovery words", |bytes| with_text(bytes, recovery_words)),
    ("location", |bytes| with_text(bytes, location)),
    ("patterns", |bytes| with_text(bytes, patterns)),
    ("span", |bytes| with_text(bytes, span)),
    ("object name", |bytes| with_text(bytes, object_name)),
    ("path key", path_key),
    ("path", path),
    ("printed words", |bytes| with_text(bytes, |text| words::find(text).is_ok())),
    ("duration", |bytes| with_text(bytes, |text| units::parse_duration(text).is_ok())),
    ("percentage", |bytes| with_text(bytes, |text| units::parse_percent(text).is_ok())),
    ("size", |bytes| with_text(bytes, |text| units::parse_size(text).is_ok())),
];

/// Longer texts are not typed, and patterns of regular expressions take long to build.
const TEXT_MAX_BYTES: usize = 4096;

fn with_text(bytes: &[u8], check: impl Fn(&str) -> bool) -> bool {
    let short = &bytes[..bytes.len().min(TEXT_MAX_BYTES)];
    std::str::from_utf8(short).is_ok_and(check)
}

fn key_file(text: &str) -> bool {
    let Ok(file) = KeyFile::parse(text) else { return false };
    let written = file.to_text();
    let again = KeyFile::parse(&written).map(|it| it.to_text());
    assert_eq!(again.ok().as_deref(), Some(&*written), "from {text:?}");
    true
}

fn recovery_words(text: &str) -> bool {
    let Ok(key) = phrase::from_words(text) else { return false };
    let written = phrase::words(&key);
    let again = phrase::from_words(&written).ok().map(|it| *it.expose());
    assert_eq!(again.as_ref(), Some(key.expose()), "from {text:?}");
    true
}

fn location(text: &str) -> bool {
    let Ok(location) = Location::parse(text) else { return false };
    let shown = location.display();
    assert!(!shown.is_empty(), "{text:?} is shown as nothing");
    true
}

fn patterns(text: &str) -> bool {
    let lines = parse_pattern_file(text);
    let Ok(matcher) = PathMatcher::new(&lines, false) else { return false };
    let Ok(path) = TreePath::from_slashes(b"/home/user/.cache/file.txt") else { return false };
    // What matches a path cannot be out of reach of the folders above it.
    if matcher.matches(&path) {
        let above = path.parent().unwrap_or_else(TreePath::root);
        assert!(matcher.matches(&above) || matcher.may_match_below(&above), "{lines:?}");
    }
    true
}

fn span(text: &str) -> bool {
    let Ok(span) = Span::from_str(text) else { return false };
    assert_eq!(Span::from_str(&span.to_string()), Ok(span), "from {text:?}");
    true
}

fn object_name(text: &str) -> bool {
    let Some(name) = spelled(text) else { return false };
    let key = name.key();
    assert!(text.starts_with(&key), "{text:?} is read as {key}");
    assert!(text.len() == key.len() || text.len() == key.len() + 17, "{text:?}");
    true
}

fn path_key(bytes: &[u8]) -> bool {
    let Ok(path) = TreePath::from_key(bytes) else { return false };
    assert_eq!(path.key(), bytes);
    assert!(
        path.components().all(|name| !matches!(name, b"." | b".." | b"") && !name.contains(&b'/'))
    );
    let slashes = path.to_slashes();
    assert_eq!(
        TreePath::from_slashes(&slashes).map(|it| it.key().to_vec()).ok().as_deref(),
        Some(bytes)
    );
    true
}

fn path(bytes: &[u8]) -> bool {
    let shown = escape(bytes);
    assert!(!shown.chars().any(char::is_control), "{bytes:?} drives a terminal");
    let Ok(path) = TreePath::from_slashes(bytes) else { return false };
    path_key(path.key())
}
