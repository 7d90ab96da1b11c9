//! Paths inside a snapshot: components joined by a zero byte, names being any bytes.
//!
//! With zero as the joint, plain byte order puts a directory directly before everything below it
//! and keeps every subtree together, whatever bytes the names hold. So one byte comparison serves
//! the walk, the tree and the merge of both.

use crate::base::limits::{NAME_MAX_BYTES, PATH_MAX_BYTES};

/// Why bytes are not a path of a snapshot.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// A component is empty, `.`, `..`, or contains `/` or a zero byte.
    #[error("the name \"{name}\" cannot stand in a snapshot")]
    BadName {
        /// The component, escaped.
        name: String,
    },
    /// A component or the whole is longer than any file system allows.
    #[error("a path of {length_bytes} bytes is too long")]
    TooLong {
        /// Its length.
        length_bytes: usize,
    },
}

/// A path below the root of a snapshot; empty for the root itself.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct TreePath(Vec<u8>);

impl TreePath {
    /// The root of a snapshot.
    #[must_use]
    pub fn root() -> Self {
        Self::default()
    }

    /// Takes a key as it stands in a tree node.
    ///
    /// # Errors
    /// [`PathError`] for a name that no directory can hold, or that would lead out of it.
    pub fn from_key(key: &[u8]) -> Result<Self, PathError> {
        if key.len() > PATH_MAX_BYTES {
            return Err(PathError::TooLong { length_bytes: key.len() });
        }
        if !key.is_empty() {
            key.split(|byte| *byte == 0).try_for_each(check_name)?;
        }
        Ok(Self(key.to_vec()))
    }

    /// Takes a path as users and systems write it: `/` between components; a leading `/`,
    /// doubled `/` and `.` components do not count.
    ///
    /// # Errors
    /// [`PathError`] for `..` and for names that cannot be.
    pub fn from_slashes(text: &[u8]) -> Result<Self, PathError> {
        let mut path = Self::root();
        for name in text.split(|byte| *byte == b'/') {
            if !name.is_empty() && name != b"." {
                path = path.join(name)?;
            }
        }
        Ok(path)
    }

    /// The path of `name` in this directory.
    ///
    /// # Errors
    /// [`PathError`] if `name` cannot stand in a directory.
    pub fn join(&self, name: &[u8]) -> Result<Self, PathError> {
        check_name(name)?;
        let mut key = Vec::with_capacity(self.0.len() + 1 + name.len());
        key.extend_from_slice(&self.0);
        if !key.is_empty() {
            key.push(0);
        }
        key.extend_from_slice(name);
        if key.len() > PATH_MAX_BYTES {
            return Err(PathError::TooLong { length_bytes: key.len() });
        }
        Ok(Self(key))
    }

    /// `other`, which is seen from this path, as seen from the root.
    ///
    /// # Errors
    /// [`PathError::TooLong`].
    pub fn join_path(&self, other: &Self) -> Result<Self, PathError> {
        other.components().try_fold(self.clone(), |path, name| path.join(name))
    }

    /// The key as it stands in a tree node: components joined by zero bytes.
    #[must_use]
    pub fn key(&self) -> &[u8] {
        &self.0
    }

    /// Whether this is the root of the snapshot.
    #[must_use]
    pub fn is_root(&self) -> bool {
        self.0.is_empty()
    }

    /// The components from the top down.
    pub fn components(&self) -> impl DoubleEndedIterator<Item = &[u8]> {
        self.0.split(|byte| *byte == 0).filter(|name| !name.is_empty())
    }

    /// The last component; empty for the root.
    #[must_use]
    pub fn name(&self) -> &[u8] {
        self.components().next_back().unwrap_or_default()
    }

    /// The directory that holds this path; `None` for the root.
    #[must_use]
    pub fn parent(&self) -> Option<Self> {
        if self.is_root() {
            return None;
        }
        let end = self.0.iter().rposition(|byte| *byte == 0).unwrap_or(0);
        Some(Self(self.0[..end].to_vec()))
    }

    /// Whether `other` is this path or lies below it.
    #[must_use]
    pub fn contains(&self, other: &Self) -> bool {
        if self.is_root() {
            return true;
        }
        let rest = other.0.strip_prefix(self.0.as_slice());
        rest.is_some_and(|rest| rest.first().is_none_or(|byte| *byte == 0))
    }

    /// `other` as seen from this path; `None` if it does not lie at or below it.
    #[must_use]
    pub fn strip_prefix_of(&self, other: &Self) -> Option<Self> {
        if self.is_root() {
            return Some(other.clone());
        }
        let rest = other.0.strip_prefix(self.0.as_slice())?;
        match rest.split_first() {
            None => Some(Self::root()),
            Some((0, below)) => Some(Self(below.to_vec())),
            Some(_) => None,
        }
    }

    /// The path of which this is what [`escape`] makes; `None` if it has no escapes, or others, or
    /// they make names that cannot be.
    #[must_use]
    pub fn unescaped(&self) -> Option<Self> {
        let mut has_escapes = false;
        let path = self.components().try_fold(Self::root(), |path, name| {
            let read = unescape(name)?;
            has_escapes |= read != name;
            path.join(&read).ok()
        });
        path.filter(|_| has_escapes)
    }

    /// The absolute path with `/` between components, as raw bytes.
    #[must_use]
    pub fn to_slashes(&self) -> Vec<u8> {
        let mut text = Vec::with_capacity(self.0.len() + 1);
        text.push(b'/');
        text.extend(self.0.iter().map(|byte| if *byte == 0 { b'/' } else { *byte }));
        text
    }
}

impl std::fmt::Display for TreePath {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(&escape(&self.to_slashes()))
    }
}

/// Makes any bytes printable on one line: control characters, invalid UTF-8, invisible and
/// direction-changing characters become `\x..` or `\u{..}`; a backslash is doubled.
#[must_use]
pub fn escape(bytes: &[u8]) -> String {
    // Nearly all names are plain, and lists have millions.
    let is_plain = |byte: &u8| (b' '..=b'~').contains(byte) && *byte != b'\\';
    let mut text = String::with_capacity(bytes.len());
    if bytes.iter().all(is_plain) {
        text.extend(bytes.iter().copied().map(char::from));
        return text;
    }
    for part in bytes.utf8_chunks() {
        for letter in part.valid().chars() {
            match letter {
                '\\' => text.push_str("\\\\"),
                '\n' => text.push_str("\\n"),
                '\t' => text.push_str("\\t"),
                _ if letter.is_ascii_control() => {
                    text.push_str(&format!("\\x{:02x}", u32::from(letter)));
                }
                _ if letter.is_control() || is_deceiving(letter) => {
                    text.push_str(&format!("\\u{{{:x}}}", u32::from(letter)));
                }
                _ => text.push(letter),
            }
        }
        for byte in part.invalid() {
            text.push_str(&format!("\\x{byte:02x}"));
        }
    }
    text
}

/// The bytes of which `text` is what [`escape`] makes, as far as it has escapes.
fn unescape(text: &[u8]) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        if *first != b'\\' {
            bytes.push(*first);
            continue;
        }
        let (read, length) = match rest.first() {
            Some(b'\\') => (vec![b'\\'], 1),
            _ => read_escape(rest)?,
        };
        bytes.extend(read);
        rest = &rest[length..];
    }
    Some(bytes)
}

/// What stands behind a backslash in what [`escape`] makes, unless it is another backslash: the bytes
/// that it stands for, and how long it is itself.
pub(crate) fn read_escape(text: &[u8]) -> Option<(Vec<u8>, usize)> {
    let number = |digits: &[u8]| {
        let digits = std::str::from_utf8(digits).ok()?;
        let is_hex = !digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
        is_hex.then(|| u32::from_str_radix(digits, 16).ok()).flatten()
    };
    match text.first()? {
        b'n' => Some((vec![b'\n'], 1)),
        b't' => Some((vec![b'\t'], 1)),
        b'x' => Some((vec![u8::try_from(number(text.get(1..3)?)?).ok()?], 3)),
        b'u' => {
            let digits = text.strip_prefix(b"u{")?;
            let length = digits.iter().position(|byte| *byte == b'}')?;
            let letter = char::from_u32(number(&digits[..length])?)?;
            Some((letter.to_string().into_bytes(), length + 3))
        }
        _ => None,
    }
}

/// Characters that change how their neighbours look: zero width, line separators, bidi controls.
fn is_deceiving(letter: char) -> bool {
    matches!(letter,
        '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}'
        | '\u{feff}' | '\u{61c}')
}

fn check_name(name: &[u8]) -> Result<(), PathError> {
    let bad = name.is_empty()
        || name == b"."
        || name == b".."
        || name.iter().any(|byte| *byte == b'/' || *byte == 0);
    if bad {
        return Err(PathError::BadName { name: escape(name) });
    }
    if name.len() > NAME_MAX_BYTES {
        return Err(PathError::TooLong { length_bytes: name.len() });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> TreePath {
        TreePath::from_slashes(text.as_bytes()).expect("because the test wrote a valid path")
    }

    #[test]
    fn a_directory_sorts_directly_before_what_it_holds() {
        let mut paths = [path("/a-b"), path("/a/z"), path("/a"), path("/a.c"), path("/a/\u{1}")];
        paths.sort();
        let shown: Vec<_> = paths.iter().map(|p| String::from_utf8(p.to_slashes())).collect();
        let shown: Vec<_> = shown.into_iter().flatten().collect();
        assert_eq!(shown, ["/a", "/a/\u{1}", "/a/z", "/a-b", "/a.c"]);
    }

    #[test]
    fn names_that_lead_elsewhere_are_refused() {
        for bad in [&b".."[..], b".", b"", b"a/b", b"a\0b", &[b'x'; 766]] {
            assert!(TreePath::root().join(bad).is_err());
        }
        assert!(TreePath::from_key(b"a\0..\0b").is_err());
        assert!(TreePath::from_key(b"a\0\0b").is_err());
        assert!(TreePath::from_slashes(b"/a/../b").is_err());
        assert!(TreePath::from_key(b"").is_ok_and(|p| p.is_root()));
    }

    #[test]
    fn prefix_means_whole_components() {
        assert!(path("/a").contains(&path("/a/b")));
        assert!(!path("/a").contains(&path("/ab")));
        assert_eq!(path("/a").strip_prefix_of(&path("/a/b/c")), Some(path("b/c")));
        assert_eq!(path("/a/b").parent(), Some(path("/a")));
        assert_eq!(path("/a").parent(), Some(TreePath::root()));
        assert_eq!(TreePath::root().parent(), None);
    }

    #[test]
    fn escaping_hides_nothing() {
        assert_eq!(escape(b"a\x1b[31m\n\\\xff"), "a\\x1b[31m\\n\\\\\\xff");
        assert_eq!(escape("x\u{202e}y".as_bytes()), "x\\u{202e}y");
        assert_eq!(escape("Grüße".as_bytes()), "Grüße");
    }

    #[test]
    fn what_is_escaped_can_be_read_again() {
        let names: [&[u8]; 6] = [
            b"a\x1b[31m\n\\\xff",
            b"\\xff",
            b"\\\\n",
            "x\u{202e}y\t".as_bytes(),
            b"\x80\\",
            b"\\u{",
        ];
        for name in names {
            let path = TreePath::root().join(name).expect("a name");
            let shown = TreePath::from_slashes(path.to_string().as_bytes()).expect("a path");
            assert_eq!(shown.unescaped(), Some(path), "{shown:?}");
        }
        for text in
            ["/plain/Grüße", "/a\\", "/a\\q", "/\\xg1", "/\\x2f", "/\\u{}", "/\\u{d800}", "/\\u{20"]
        {
            assert_eq!(path(text).unescaped(), None, "{text}");
        }
    }
}
