//! Every decoder of bytes that somebody else may have written, for fuzzers and for tests.
//!
//! A *target* is a group of decoders; the first byte of its input chooses one, the rest is for that
//! decoder. Nothing may panic, and what is taken must survive being written and read again. The
//! programs in `tests/fuzz/` call the targets; a test of the suite replays the corpora that are kept
//! beside them.

/// Records, objects and nodes of the format.
pub mod format;
/// Evidence and what travels with it.
pub mod evidence;
/// What people type, and names.
pub mod text;
/// What lies on this machine, listings, and messages of probes.
pub mod local;
/// Files that probes look into, and compressed blocks.
pub mod content;

use std::fmt::Debug;

/// Looks at some bytes; says whether the decoder took them.
pub type Check = fn(&[u8]) -> bool;

/// A decoder by its name.
pub type Decoder = (&'static str, Check);

/// A target: its name, and its decoders in the order of their numbers. New ones come last, so that
/// the corpora that are kept stay what they are.
pub type Target = (&'static str, &'static [Decoder]);

/// All targets.
pub const TARGETS: [Target; 8] = [
    ("records", format::RECORDS),
    ("objects", format::OBJECTS),
    ("trees", format::TREES),
    ("evidence", evidence::ALL),
    ("text", text::ALL),
    ("local", local::ALL),
    ("probes", content::PROBES),
    ("blocks", content::BLOCKS),
];

/// Gives an input to the decoder that its first byte chooses.
pub fn run(target: &str, input: &[u8]) {
    let Some((_, decoders)) = TARGETS.iter().find(|(name, _)| *name == target) else { return };
    let Some((number, bytes)) = input.split_first() else { return };
    let (_, check) = decoders[usize::from(*number) % decoders.len()];
    check(bytes);
}

/// The input that gives `bytes` to the decoder of that name, and its target.
#[must_use]
pub fn input_for(decoder: &str, bytes: &[u8]) -> Option<(&'static str, Vec<u8>)> {
    TARGETS.iter().find_map(|(target, decoders)| {
        let number = decoders.iter().position(|(name, _)| *name == decoder)?;
        Some((*target, [&[number as u8], bytes].concat()))
    })
}

/// The check of that name.
#[must_use]
pub fn check(decoder: &str) -> Option<Check> {
    let all = TARGETS.iter().flat_map(|(_, decoders)| decoders.iter());
    all.copied().find(|(name, _)| *name == decoder).map(|(_, check)| check)
}

/// A written form may be longer than what was read, by fields that have a default, but not by more.
fn is_bounded(written: &[u8], read: &[u8]) -> bool {
    written.len() <= 4 * read.len() + 64
}

/// Whether `decode` takes the bytes. What it takes must decode to the same again from `encode`, be
/// written in one form only, and not have grown.
fn round<T: PartialEq + Debug>(
    bytes: &[u8],
    decode: impl Fn(&[u8]) -> Option<T>,
    encode: impl Fn(&T) -> Vec<u8>,
) -> bool {
    let Some(value) = decode(bytes) else { return false };
    let written = encode(&value);
    let lengths = (bytes.len(), written.len());
    assert!(is_bounded(&written, bytes), "{} bytes became {}", lengths.0, lengths.1);
    let again = decode(&written);
    assert_eq!(again.as_ref(), Some(&value), "from {bytes:02x?}");
    assert_eq!(again.map(|it| encode(&it)), Some(written), "two forms of {bytes:02x?}");
    true
}

/// The same for layouts that have one form: what is taken is what would be written.
fn exact<T: PartialEq + Debug>(
    bytes: &[u8],
    decode: impl Fn(&[u8]) -> Option<T>,
    encode: impl Fn(&T) -> Vec<u8>,
) -> bool {
    let Some(value) = decode(bytes) else { return false };
    assert_eq!(encode(&value), bytes, "it has two forms");
    true
}
