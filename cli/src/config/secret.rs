//! Passphrases in memory, what is asked of them, and files that may hold them.
//!
//! A passphrase is text: UTF-8, one line, not empty. One line ending at the end is taken off,
//! because editors and `echo` put it there, and so is a byte order mark at the beginning. Letters
//! are composed (NFC), so that it does not matter which keyboard made them. A new passphrase that
//! nobody can type is refused at once, rather than found out in an emergency. Recovery words may
//! stand on several lines, or in the kit.

use std::fs::{File, Metadata};
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use engine::base::limits::{PASSPHRASE_MAX_BYTES, PASSPHRASE_MIN_CHARS};
use engine::base::path::escape;
use engine::disk::trust::{self, Distrust, Purpose};
use engine::repo::open::KEY_FILE_HEAD;
use unicode_normalization::UnicodeNormalization;
use zeroize::Zeroizing;

use crate::config::words;
use crate::fault::Fault;
use crate::ui::hidden::Hidden;

/// A passphrase; wiped from memory when dropped and never printed.
#[derive(Clone)]
pub struct Secret {
    text: Zeroizing<String>,
    /// As it was read, if that is something else.
    raw: Option<Zeroizing<String>>,
    /// The terminal that it was typed at, which shows nothing before it was tried.
    hidden: Option<Arc<Hidden>>,
}

impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        (&self.text, &self.raw) == (&other.text, &other.raw)
    }
}

impl Eq for Secret {}

impl std::fmt::Debug for Secret {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("Secret(…)")
    }
}

impl Secret {
    /// Takes bytes as they were read; `origin` says from where, for messages.
    ///
    /// # Errors
    /// A fault of the key if they are empty, too long, not UTF-8 or more than one line.
    pub fn from_bytes(bytes: Zeroizing<Vec<u8>>, origin: &str) -> Result<Self, Fault> {
        if bytes.len() > PASSPHRASE_MAX_BYTES {
            return Err(Fault::key(format!(
                "the passphrase from {origin} is longer than {PASSPHRASE_MAX_BYTES} bytes"
            )));
        }
        let text = std::str::from_utf8(&bytes)
            .map_err(|_| Fault::key(format!("the passphrase from {origin} is not UTF-8")))?;
        if text.trim_end().contains('\n')
            && let Some(words) = words::gather(text)
        {
            return Ok(Self { text: words, raw: None, hidden: None });
        }
        let shown = escape(origin.as_bytes());
        if text.trim_start_matches('\u{feff}').starts_with(KEY_FILE_HEAD) {
            return Err(Fault::key(format!("{shown} is a key file, and no passphrase"))
                .hint(format!("--key-file {shown}")));
        }
        if words::is_kit(text) {
            return Err(Fault::key(format!("the kit in {shown} has no recovery words"))
                .hint("take the whole kit, or its 24 words alone"));
        }
        let text = text.strip_suffix('\n').unwrap_or(text);
        let text = text.strip_suffix('\r').unwrap_or(text);
        if text.is_empty() {
            return Err(Fault::key(format!("the passphrase from {origin} is empty")));
        }
        if text.chars().any(|letter| matches!(letter, '\n' | '\r' | '\0')) {
            return Err(Fault::key(format!("the passphrase from {origin} has more than one line"))
                .hint(
                    "a passphrase is a single line of text; recovery words may stand on several, and \
                     a key file belongs to --key-file",
                ));
        }
        let usual = text.strip_prefix('\u{feff}').unwrap_or(text);
        let usual: Zeroizing<String> = Zeroizing::new(usual.nfc().collect());
        let raw = (*usual != text).then(|| Zeroizing::new(text.to_owned()));
        Ok(Self { text: usual, raw, hidden: None })
    }

    /// The same; `hidden` lasts as long as it.
    #[must_use]
    pub fn typed(self, hidden: Hidden) -> Self {
        Self { hidden: Some(Arc::new(hidden)), ..self }
    }

    /// The passphrase, for the key derivation.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.text
    }

    /// The same as it was read, byte by byte, if that is something else: what a repository may
    /// have been made with.
    #[must_use]
    pub fn as_read(&self) -> Option<Self> {
        self.raw.clone().map(|text| Self { text, raw: None, hidden: self.hidden.clone() })
    }

    /// Whether it will do for a new key slot: everybody can type it, nobody guesses it, and it is
    /// not taken for recovery words.
    ///
    /// # Errors
    /// A fault of usage that says what is wrong with it.
    pub fn check_new(&self, weak_is_wanted: bool) -> Result<(), Fault> {
        let given = self.raw.as_ref().unwrap_or(&self.text);
        if let Some(odd) = given.chars().find(|letter| is_untypable(*letter)) {
            return Err(Fault::usage(format!(
                "the new passphrase holds U+{:04X} ({}), which nobody can type",
                u32::from(odd),
                untypable_name(odd)
            ))
            .hint("write it again by hand; editors and web pages add such characters unseen"));
        }
        if given.trim().is_empty() {
            return Err(Fault::usage("the new passphrase is nothing but spaces")
                .hint("choose another one: whoever sees it written sees none"));
        }
        if words::gather(given).is_some() {
            return Err(Fault::usage("the new passphrase looks like recovery words")
                .hint("choose another one: it would be taken for the words of a kit"));
        }
        self.check_strength(weak_is_wanted)
    }

    /// Whether it will do for a new key slot.
    ///
    /// # Errors
    /// A fault of usage if it is shorter than [`PASSPHRASE_MIN_CHARS`] characters, unless
    /// `weak_is_wanted`.
    pub fn check_strength(&self, weak_is_wanted: bool) -> Result<(), Fault> {
        if weak_is_wanted || self.text.chars().count() >= PASSPHRASE_MIN_CHARS {
            return Ok(());
        }
        Err(Fault::usage(format!(
            "the new passphrase has fewer than {PASSPHRASE_MIN_CHARS} characters"
        ))
        .hint("take several random words, or say --weak if guessing it does not matter"))
    }
}

/// Control characters, and what leaves no mark on a screen or looks like a space and is none.
fn is_untypable(letter: char) -> bool {
    letter.is_control()
        || (letter.is_whitespace() && letter != ' ')
        || matches!(
            letter,
            '\u{ad}'
                | '\u{34f}'
                | '\u{61c}'
                | '\u{180b}'..='\u{180e}'
                | '\u{200b}'..='\u{200f}'
                | '\u{202a}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{feff}'
                | '\u{fffd}'
                | '\u{e0000}'..='\u{e007f}'
        )
}

fn untypable_name(letter: char) -> &'static str {
    match letter {
        '\u{feff}' => "a byte order mark",
        '\u{a0}' => "a space that does not break",
        '\u{200b}'..='\u{200f}' | '\u{2060}' => "a character without width",
        '\t' => "a tab",
        letter if letter.is_control() => "a control character",
        letter if letter.is_whitespace() => "an unusual space",
        _ => "a character that is not seen",
    }
}

/// Refuses a file with a secret that somebody else owns or that others can read or change.
///
/// Pipes and other things that are not files are left alone: a shell's `<(…)` is one.
///
/// # Errors
/// A fault of the key if it cannot be looked at, a refusal if it is not to be believed.
pub fn check_private(path: &Path) -> Result<(), Fault> {
    let metadata = std::fs::metadata(path).map_err(|error| unreadable(path, &error))?;
    check_trust(path, &metadata)
}

fn check_trust(path: &Path, metadata: &Metadata) -> Result<(), Fault> {
    // To close it would be the wrong advice.
    if metadata.is_dir() {
        return Err(Fault::key(format!("{} is a folder, and holds no secret", path.display()))
            .hint("name the file in it"));
    }
    trust::judge(path, metadata, Purpose::Secret).map_err(|distrust| distrusted(&distrust))
}

/// A refusal to believe a file, with the way out.
#[must_use]
pub fn distrusted(distrust: &Distrust) -> Fault {
    Fault::refused(distrust.to_string()).hint(distrust.remedy())
}

/// Reads a passphrase from a file, after looking at its permissions.
///
/// # Errors
/// A fault of the key if it cannot be read or is no passphrase, a refusal as in [`check_private`].
pub fn read_file(path: &Path) -> Result<Secret, Fault> {
    let file = File::open(path).map_err(|error| unreadable(path, &error))?;
    let metadata = file.metadata().map_err(|error| unreadable(path, &error))?;
    check_trust(path, &metadata)?;
    let bytes = read_bounded(file).map_err(|error| unreadable(path, &error))?;
    Secret::from_bytes(bytes, &path.display().to_string())
}

/// Reads until the end, but never more than one byte beyond what a passphrase may have.
///
/// # Errors
/// Whatever the reader has.
pub fn read_bounded(reader: impl Read) -> std::io::Result<Zeroizing<Vec<u8>>> {
    let limit = PASSPHRASE_MAX_BYTES + 1;
    // Room for all of it at once: a growing buffer would leave copies behind that nobody wipes.
    let mut bytes = Zeroizing::new(Vec::with_capacity(limit + 64));
    reader.take(limit as u64).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn unreadable(path: &Path, error: &std::io::Error) -> Fault {
    Fault::key(format!("cannot read the secret in {}", path.display())).because(error)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn secret(bytes: &[u8]) -> Result<String, &'static str> {
        Secret::from_bytes(Zeroizing::new(bytes.to_vec()), "a test")
            .map(|secret| secret.expose().to_owned())
            .map_err(|fault| fault.code())
    }

    #[test]
    fn only_one_line_ending_is_taken_off_and_nothing_else() {
        assert_eq!(secret(b"a b \n"), Ok("a b ".to_owned()));
        assert_eq!(secret(b"a\r\n"), Ok("a".to_owned()));
        assert_eq!(secret("ü".as_bytes()), Ok("ü".to_owned()));
        for bad in [&b""[..], b"\n", b"\r\n", b"a\n\n", b"a\nb", b"a\0", b"\xff", &[b'x'; 5000]] {
            assert_eq!(secret(bad), Err("E_KEY"), "{:?}", bad.get(..8));
        }
    }

    #[test]
    fn new_ones_are_long_unless_weak_is_wanted() {
        let short = Secret::from_bytes(Zeroizing::new("ööööööööööö".into()), "a test");
        let short = short.expect("because eleven letters are a passphrase");
        assert_eq!(short.check_strength(false).map_err(|f| f.exit_code().code()), Err(2));
        assert_eq!(short.check_strength(true), Ok(()));
        assert_eq!(format!("{short:?}"), "Secret(…)");
    }

    #[test]
    fn what_nobody_can_type_is_refused_for_new_ones_and_letters_are_composed() {
        let read = |text: &str| {
            Secret::from_bytes(Zeroizing::new(text.as_bytes().to_vec()), "a test").expect(text)
        };
        for odd in ["\u{feff}", "\u{200b}", "\u{a0}", "\t", "\u{1b}", "\u{2003}", "\u{ad}"] {
            for text in [format!("{odd}correct horse"), format!("correct{odd} horse battery")] {
                let fault = read(&text).check_new(true).expect_err(&text);
                assert_eq!(fault.exit_code().code(), 2);
                assert!(fault.message().contains("U+"), "{}", fault.message());
            }
        }
        assert_eq!(read("            ").check_new(true).map_err(|f| f.code()), Err("E_USAGE"));
        assert_eq!(read("correct horse Größe").check_new(false), Ok(()));
        let (composed, apart) =
            (read("gr\u{f6}\u{df}er als nichts"), read("gro\u{308}\u{df}er als nichts"));
        assert_eq!(composed.expose(), apart.expose());
        assert_eq!(composed.as_read(), None);
        assert_eq!(apart.as_read().map(|it| it.expose().len()), Some(apart.expose().len() + 1));
        let marked = read("\u{feff}an old passphrase");
        assert_eq!(marked.expose(), "an old passphrase");
        assert!(marked.as_read().is_some(), "a repository may have been made with it");
        assert_eq!(
            read(&"zebra ".repeat(24)).check_new(false).map_err(|f| f.code()),
            Err("E_USAGE")
        );
    }

    #[test]
    fn files_that_others_read_are_refused_with_a_way_out() {
        let folder = tempfile::tempdir().expect("because the test has a temporary folder");
        let path = folder.path().join("secret");
        std::fs::File::create(&path)
            .and_then(|mut file| std::io::Write::write_all(&mut file, b"long enough\n"))
            .expect("because the folder is writable");
        for (mode, allowed) in [(0o600, true), (0o640, false), (0o644, false), (0o602, false)] {
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode))
                .expect("because the file is ours");
            match read_file(&path) {
                Ok(secret) => {
                    assert!(allowed, "{mode:o}");
                    assert_eq!(secret.expose(), "long enough");
                }
                Err(fault) => {
                    assert!(!allowed, "{mode:o}");
                    assert_eq!(fault.exit_code().code(), 23);
                    assert!(fault.lines().join("\n").contains("chmod go="));
                }
            }
            assert_eq!(check_private(&path).is_ok(), allowed);
        }
        let missing = read_file(&folder.path().join("none"));
        assert_eq!(missing.map_err(|fault| fault.exit_code().code()), Err(12));
    }
}
