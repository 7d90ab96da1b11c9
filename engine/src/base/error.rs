//! The rules that every error of the engine follows, and the one thing all have in common.
//!
//! * Each floor has a small enum of its own with struct variants: typed ids, names and a `source`.
//! * A message says what was done to what, starts in lower case and has no full stop.
//! * Every error answers [`Classified::class`]. Retrying looks only at the class; turning errors
//!   into words, hints and exit codes happens in one place of the command line, nowhere here.
//! * What does not stop the work (an unreadable file) is no error: it goes to the
//!   [`Monitor`](crate::base::monitor::Monitor) and is counted in the report.

/// What a caller can do about an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorClass {
    /// Stored bytes are damaged or forged.
    Corrupt,
    /// Something that was named does not exist.
    Missing,
    /// This one object cannot be read; others can. Nothing says that it is damaged.
    Unreadable,
    /// A key, a credential or a permission does not suffice.
    Denied,
    /// The same request may succeed later.
    Transient,
    /// Somebody else holds or decided what was wanted.
    Conflict,
    /// The request itself is wrong.
    Usage,
    /// The object was written by a newer program.
    Newer,
    /// The repository was written by a program that was never released.
    Early,
    /// Keys of the repository were changed, and this process or this key does not have the new ones.
    Rekeyed,
    /// Refused because going on could lose data.
    Refused,
    /// The local machine failed: disk full, no memory, no permission on a local file.
    Local,
    /// The user or the system asked to stop.
    Interrupted,
    /// A mistake in this program.
    Bug,
}

impl ErrorClass {
    /// All of them, for tables and tests.
    pub const ALL: [Self; 14] = [
        Self::Corrupt,
        Self::Missing,
        Self::Unreadable,
        Self::Denied,
        Self::Transient,
        Self::Conflict,
        Self::Usage,
        Self::Newer,
        Self::Early,
        Self::Rekeyed,
        Self::Refused,
        Self::Local,
        Self::Interrupted,
        Self::Bug,
    ];
}

/// Implemented by every error of the engine.
pub trait Classified: std::error::Error {
    /// What a caller can do about it.
    fn class(&self) -> ErrorClass;
}

/// An error with its causes in one line, for places where only a text fits.
#[must_use]
pub fn in_one_line(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let words = cause.to_string();
        // Wrapping types often repeat what they wrap.
        if !text.ends_with(&words) {
            text.push_str(": ");
            text.push_str(&words);
        }
        next = cause.source();
    }
    text
}
