//! Keys that the library takes for no path, and so for a broken listing: with empty segments, with `.` and
//! `..`, with control characters.
//!
//! Stores allow them, so anybody who may write can put one up, and no listing that shows it would be read
//! any more. No object of ours has such a key: in a page they are written in a form that the library
//! reads, and read back where the listing is taken apart.

/// A character for private use: what follows it is not to be taken as it is.
const MARK: char = '\u{f8ff}';

/// The form that the library reads; `None` for a key that needs none.
pub(crate) fn marked(key: &str) -> Option<String> {
    let is_odd = |segment: &str| {
        matches!(segment, "" | "." | "..")
            || segment.chars().any(|c| c.is_ascii_control() || c == MARK)
    };
    if !key.split('/').any(is_odd) {
        return None;
    }
    let segments: Vec<_> = key.split('/').map(mark).collect();
    Some(segments.join("/"))
}

fn mark(segment: &str) -> String {
    if matches!(segment, "" | "." | "..") {
        return format!("{MARK}{segment}");
    }
    let mut marked = String::with_capacity(segment.len());
    for one in segment.chars() {
        match one {
            MARK => marked.extend([MARK, '~']),
            one if one.is_ascii_control() => marked.push_str(&format!("{MARK}{:02x}", one as u32)),
            one => marked.push(one),
        }
    }
    marked
}

/// The key as the store has it.
pub(crate) fn unmarked(key: &str) -> String {
    if !key.contains(MARK) {
        return key.to_owned();
    }
    let segments: Vec<_> = key.split('/').map(unmark).collect();
    segments.join("/")
}

fn unmark(segment: &str) -> String {
    let mut pieces = segment.split(MARK);
    let mut plain = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let control = piece.get(..2).and_then(|hex| u8::from_str_radix(hex, 16).ok());
        match (piece.strip_prefix('~'), control) {
            (Some(rest), _) => {
                plain.push(MARK);
                plain.push_str(rest);
            }
            (None, Some(byte)) => {
                plain.push(char::from(byte));
                plain.push_str(&piece[2..]);
            }
            (None, None) => plain.push_str(piece),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn keys_of_ours_stay_as_they_are() {
        for key in ["keys/0123", "data/ab/cd-1", "snap/a.b.commit", "a b/\u{e4}"] {
            assert_eq!(marked(key), None, "{key}");
        }
    }

    proptest! {
        #[test]
        fn odd_keys_become_paths_and_come_back(key in "[/.a~\u{1}\u{7f}\u{f8ff}0]{1,12}") {
            let seen = marked(&key).unwrap_or_else(|| key.clone());
            let path = object_store::path::Path::parse(&seen).expect("the library reads it");
            prop_assert_eq!(path.as_ref(), seen.as_str());
            prop_assert_eq!(unmarked(&seen), key);
        }
    }
}
