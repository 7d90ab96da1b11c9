//! The one place where errors become words, hints and exit codes.
//!
//! The engine answers what kind of error it has ([`ErrorClass`]); only the caller knows what it
//! was about to do, and the same class means different things then: something missing while the
//! repository is being looked for is exit code 10, a file missing from a snapshot is 1. So an
//! error is turned into a [`Fault`] together with a [`Doing`]; `?` takes [`Doing::Work`].
//!
//! What a user reads: `error:` what failed, `cause:` what was behind it, `try:` what to do next.

use std::error::Error;

use engine::base::error::{Classified, ErrorClass};

use crate::ui::Ui;
use crate::ui::json::{ExitError, Message};

/// How the process ends. A code that is not in this list is a failure too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum ExitCode {
    /// Done.
    Ok = 0,
    /// Failed.
    Failed = 1,
    /// The command line or a setting is wrong.
    Usage = 2,
    /// Done in part: some source files could not be read; the snapshot exists and lists them.
    Partial = 3,
    /// The repository does not exist.
    NoRepository = 10,
    /// Another run of this client is active on this machine.
    Busy = 11,
    /// Wrong passphrase or key, or none.
    Key = 12,
    /// Damage was found.
    Damage = 20,
    /// A restore drill failed.
    DrillFailed = 21,
    /// A recovery objective is breached.
    Breached = 22,
    /// Refused for safety.
    Refused = 23,
    /// The store cannot be reached or denies access.
    Store = 24,
    /// The repository has a format that this program does not read.
    Newer = 25,
    /// Interrupted.
    Interrupted = 130,
}

impl ExitCode {
    /// All of them, in order.
    pub const ALL: [Self; 14] = [
        Self::Ok,
        Self::Failed,
        Self::Usage,
        Self::Partial,
        Self::NoRepository,
        Self::Busy,
        Self::Key,
        Self::Damage,
        Self::DrillFailed,
        Self::Breached,
        Self::Refused,
        Self::Store,
        Self::Newer,
        Self::Interrupted,
    ];

    /// The number that the system sees.
    #[must_use]
    pub const fn code(self) -> u8 {
        self as u8
    }

    /// One line for the help text.
    #[must_use]
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::Ok => "done",
            Self::Failed => "failed",
            Self::Usage => "the command line or a setting is wrong",
            Self::Partial => {
                "done in part: something that is there could not be read; `problems` names it"
            }
            Self::NoRepository => "the repository does not exist",
            Self::Busy => "another run of this client is active on this machine",
            Self::Key => "wrong passphrase or key, or none",
            Self::Damage => "damage was found",
            Self::DrillFailed => "a restore drill failed, or closes no finding",
            Self::Breached => "a recovery objective is breached",
            Self::Refused => "refused for safety",
            Self::Store => "the store cannot be reached or denies access",
            Self::Newer => "the repository has a format that this program does not read",
            Self::Interrupted => "interrupted",
        }
    }
}

/// What a command was about when an error came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Doing {
    /// Looking whether there is a repository.
    Find,
    /// Unlocking it with a passphrase or a key.
    Unlock,
    /// Anything after that.
    Work,
}

/// Why a command fails, ready to be printed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    message: String,
    causes: Vec<String>,
    hint: Option<String>,
    code: &'static str,
    exit: ExitCode,
}

impl Fault {
    /// A failure with a stable `code` (`E_…`).
    #[must_use]
    pub fn new(exit: ExitCode, code: &'static str, message: impl Into<String>) -> Self {
        Self { message: message.into(), causes: Vec::new(), hint: None, code, exit }
    }

    /// The command line or a setting is wrong.
    #[must_use]
    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(ExitCode::Usage, "E_USAGE", message)
    }

    /// The local machine failed.
    #[must_use]
    pub fn local(message: impl Into<String>) -> Self {
        Self::new(ExitCode::Failed, "E_LOCAL", message)
    }

    /// No passphrase or key can be had, or it does not fit.
    #[must_use]
    pub fn key(message: impl Into<String>) -> Self {
        Self::new(ExitCode::Key, "E_KEY", message)
    }

    /// Going on could lose or disclose data.
    #[must_use]
    pub fn refused(message: impl Into<String>) -> Self {
        Self::new(ExitCode::Refused, "E_REFUSED", message)
    }

    /// The user or the system asked to stop.
    #[must_use]
    pub fn interrupted() -> Self {
        Self::new(ExitCode::Interrupted, "E_INTERRUPTED", "interrupted")
    }

    /// An error of the engine, by its class and by what was being done.
    #[must_use]
    pub fn during(doing: Doing, error: &(impl Classified + ?Sized)) -> Self {
        let (exit, code, hint) = verdict(doing, error.class());
        let mut fault = Self::new(exit, code, error.to_string());
        fault.hint = hint.map(str::to_owned);
        if let Some(remedy) = remedy::find(error.source()) {
            fault.hint = Some(remedy.hint);
            // What the store says of one object is about no other.
            let is_of_all = !matches!(exit, ExitCode::Interrupted | ExitCode::Damage);
            if let (true, Some(code)) = (is_of_all, remedy.code) {
                (fault.exit, fault.code) = (ExitCode::Store, code);
            }
        }
        fault.causes = causes(error.source(), &fault.message);
        fault
    }

    /// Adds what was behind it, with everything behind that, and what to do about a file of this
    /// machine if nothing was said yet.
    #[must_use]
    pub fn because(mut self, error: &(dyn Error + 'static)) -> Self {
        self.causes.extend(causes(Some(error), &self.message));
        self.hint = self.hint.or_else(|| local::of(error).map(str::to_owned));
        self
    }

    /// Says what to do next.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Ends with another exit code.
    #[must_use]
    pub fn exit(mut self, exit: ExitCode) -> Self {
        self.exit = exit;
        self
    }

    /// How the process ends because of it.
    #[must_use]
    pub fn exit_code(&self) -> ExitCode {
        self.exit
    }

    /// Its stable name.
    #[must_use]
    pub fn code(&self) -> &'static str {
        self.code
    }

    /// What failed, in words.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    /// What to do next, if that is known.
    #[must_use]
    pub fn hint_words(&self) -> Option<&str> {
        self.hint.as_deref()
    }

    /// The lines that a user reads.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        let first = std::iter::once(format!("error: {}", self.message));
        let causes = self.causes.iter().map(|cause| format!("  cause: {cause}"));
        let hint = self.hint.iter().map(|hint| format!("  try: {hint}"));
        first.chain(causes).chain(hint).collect()
    }

    /// Prints it on standard error, as text or as an `exit_error` message.
    pub fn print(&self, ui: &Ui) {
        let message = Message::ExitError(ExitError {
            code: self.code,
            message: &self.message,
            causes: &self.causes,
            hint: self.hint.as_deref(),
            exit_code: self.exit.code(),
        });
        ui.failure(&message, &self.lines());
    }
}

/// Errors that come while a command does its work.
impl<E: Classified> From<E> for Fault {
    fn from(error: E) -> Self {
        Self::during(Doing::Work, &error)
    }
}

/// Exit code, stable name and the usual next step of a class of errors.
fn verdict(doing: Doing, class: ErrorClass) -> (ExitCode, &'static str, Option<&'static str>) {
    match (class, doing) {
        (ErrorClass::Missing, Doing::Find) => (
            ExitCode::NoRepository,
            "E_NO_REPOSITORY",
            Some("check the location; `mainstay init` makes a new repository"),
        ),
        (ErrorClass::Denied | ErrorClass::Missing, Doing::Unlock) => {
            (ExitCode::Key, "E_KEY", Some("check the passphrase or the key file"))
        }
        (ErrorClass::Missing, Doing::Work) => (ExitCode::Failed, "E_MISSING", None),
        (ErrorClass::Denied, Doing::Find | Doing::Work) => (
            ExitCode::Store,
            "E_STORE_DENIED",
            Some("check the credentials and the permissions of this role"),
        ),
        (ErrorClass::Corrupt, _) => (
            ExitCode::Damage,
            "E_CORRUPT",
            Some("`mainstay check --read-data` shows everything that is affected"),
        ),
        (ErrorClass::Unreadable, _) => (
            ExitCode::Damage,
            "E_UNREADABLE",
            Some("other objects can be read: look after this one in the store itself"),
        ),
        (ErrorClass::Transient, _) => (
            ExitCode::Store,
            "E_STORE",
            Some("check the network and the endpoint, then repeat the command"),
        ),
        (ErrorClass::Conflict, _) => {
            (ExitCode::Busy, "E_BUSY", Some("wait until the other run has ended"))
        }
        (ErrorClass::Usage, _) => (ExitCode::Usage, "E_USAGE", None),
        (ErrorClass::Newer, _) => (ExitCode::Newer, "E_NEWER", Some("update this program")),
        (ErrorClass::Early, _) => (
            ExitCode::Newer,
            "E_EARLY",
            Some(
                "restore what you need with the program that made it, then back up into a new \
                 repository",
            ),
        ),
        (ErrorClass::Rekeyed, _) => {
            (ExitCode::Key, "E_NEW_KEYS", Some("repeat the command: it begins with the new keys"))
        }
        (ErrorClass::Refused, _) => (ExitCode::Refused, "E_REFUSED", None),
        (ErrorClass::Local, _) => (ExitCode::Failed, "E_LOCAL", None),
        (ErrorClass::Interrupted, _) => (ExitCode::Interrupted, "E_INTERRUPTED", None),
        (ErrorClass::Bug, _) => (
            ExitCode::Failed,
            "E_BUG",
            Some("report this with the command and the lines above; it should not happen"),
        ),
    }
}

/// The words of `error` and everything behind it; not what the level above has said already.
fn causes(error: Option<&(dyn Error + 'static)>, said: &str) -> Vec<String> {
    let mut list: Vec<String> = Vec::new();
    let mut next = error;
    while let Some(error) = next {
        let words = error.to_string();
        let above = list.last().map_or(said, String::as_str);
        if !above.ends_with(words.as_str()) {
            list.push(words);
        }
        next = error.source();
    }
    list
}

/// Files of this machine.
pub mod local;
mod remedy;
#[cfg(test)]
mod tests;
