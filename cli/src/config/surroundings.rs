//! Everything the process gets from outside, as one value that tests can make up.
//!
//! The only file that reads the environment of the process. Commands never ask the system
//! themselves, so a test can run any command in its own world, many of them at once.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::io::{self, IsTerminal, Read};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

use engine::base::time::{Clock, SystemClock};
use jiff::tz::TimeZone;
use restore_verify::sandbox::spawn::MYSELF;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{Signal, set_parent_process_death_signal};

use crate::fault::Fault;
use crate::ui::cancel::Cancel;
use crate::ui::output::Output;

/// Every variable that this program itself looks at, with what it is for.
pub const VARIABLES: [(&str, &str); 17] = [
    ("MAINSTAY_REPOSITORY", "location of the repository (--repo)"),
    ("MAINSTAY_PASSWORD", "the passphrase itself; visible to other processes of the user"),
    ("MAINSTAY_PASSWORD_FILE", "file that holds the passphrase (--password-file)"),
    ("MAINSTAY_PASSWORD_COMMAND", "command that prints the passphrase (--password-command)"),
    ("MAINSTAY_PASSWORD_FD", "number of an open descriptor to read the passphrase from"),
    ("MAINSTAY_KEY_FILE", "key file of a machine, instead of a passphrase (--key-file)"),
    ("MAINSTAY_TOKEN", "invitation of a machine (machine join)"),
    ("MAINSTAY_STATE_DIR", "folder of the local index (--cache-dir)"),
    ("MAINSTAY_CONFIG", "file with options of every command (--config)"),
    ("MAINSTAY_PROGRESS_FPS", "how often progress is shown, times per second"),
    ("AWS_ENDPOINT_URL", "endpoint of an S3-compatible store (--endpoint)"),
    ("STATE_DIRECTORY", "folder of the local index, as systemd gives it"),
    ("XDG_STATE_HOME", "parent of the local index; otherwise ~/.local/state"),
    ("HOME", "home folder"),
    ("NO_COLOR", "no colours, whatever the value"),
    ("TMPDIR", "folder for temporary files"),
    ("TZ", "time zone of printed times"),
];

/// The variable by which a process knows whose child it is, to end with it.
pub const CHILD_OF: &str = "MAINSTAY_CHILD_OF";
/// The variable in which white space counts: it may be part of a passphrase.
const VERBATIM: &str = "MAINSTAY_PASSWORD";
/// Beginnings of the names of variables that hold credentials and settings of stores.
const STORE_PREFIXES: [&str; 3] = ["AWS_", "GOOGLE_", "AZURE_"];
/// Variables of proxies, in either case.
const PROXIES: [&str; 4] = ["HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "NO_PROXY"];
/// Fastest drawing that makes sense: more than a terminal shows.
const PROGRESS_FPS_MAX: f64 = 60.0;

/// How long standard input is waited for before somebody looks whether to stop.
const INPUT_WAIT_NS: i64 = 200_000_000;

/// Asks the user a question and reads the answer without showing it.
pub type AskHidden = Arc<dyn Fn(&str) -> io::Result<String> + Send + Sync>;

/// The world as one process sees it.
#[derive(Clone)]
pub struct Surroundings {
    /// The environment.
    pub variables: BTreeMap<OsString, OsString>,
    /// Standard input.
    pub stdin: Arc<Mutex<dyn Read + Send>>,
    /// Whether somebody sits at standard input.
    pub stdin_is_terminal: bool,
    /// Standard output.
    pub stdout: Output,
    /// Standard error.
    pub stderr: Output,
    /// Asks for passphrases.
    pub ask_hidden: AskHidden,
    /// The folder that relative paths start from; absolute.
    pub current_dir: PathBuf,
    /// Whether the folder that the process works in is gone, so that no relative path means anything.
    pub is_astray: bool,
    /// Name of this machine.
    pub host: String,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Where times are shown for. Only looked up when a time is shown: that can mean reading the
    /// names of all zones.
    pub time_zone: Arc<LazyLock<TimeZone>>,
    /// Whether the user wants to stop.
    pub cancel: Cancel,
    /// This program, to start it again.
    pub program: PathBuf,
    /// Configuration files that count without being named, if they are there: the first of them.
    pub usual_configs: Vec<PathBuf>,
}

impl Surroundings {
    /// Those of this process. Signals are listened to from now on.
    #[must_use]
    pub fn of_process() -> Self {
        // Without handlers a signal ends the process, which is what it is for.
        let cancel = Cancel::on_signals().unwrap_or_default();
        let variables: BTreeMap<OsString, OsString> = std::env::vars_os().collect();
        end_with_parent(&variables);
        Self {
            usual_configs: usual_configs(&variables),
            variables,
            stdin: Arc::new(Mutex::new(PatientInput { cancel: cancel.clone() })),
            stdin_is_terminal: io::stdin().is_terminal(),
            stdout: Output::of_stdout(),
            stderr: Output::of_stderr(),
            ask_hidden: Arc::new(|question| rpassword::prompt_password(question)),
            current_dir: std::env::current_dir().unwrap_or_else(|_| PathBuf::from("/")),
            is_astray: std::env::current_dir().is_err(),
            host: gethostname::gethostname().to_string_lossy().into_owned(),
            clock: Arc::new(SystemClock::default()),
            time_zone: Arc::new(LazyLock::new(TimeZone::system)),
            cancel,
            program: MYSELF.into(),
        }
    }

    /// A world of its own with these variables: no terminal, nothing on standard input, output
    /// that nobody reads, the root as current folder. Tests start from it and change fields.
    #[must_use]
    pub fn isolated(variables: &[(&str, &str)]) -> Self {
        Self {
            variables: variables.iter().map(|(name, value)| (name.into(), value.into())).collect(),
            stdin: Arc::new(Mutex::new(io::empty())),
            stdin_is_terminal: false,
            stdout: Output::new(io::sink(), false),
            stderr: Output::new(io::sink(), false),
            ask_hidden: Arc::new(|_| Err(io::ErrorKind::NotFound.into())),
            current_dir: PathBuf::from("/"),
            is_astray: false,
            host: "localhost".to_owned(),
            clock: Arc::new(SystemClock::default()),
            time_zone: Arc::new(LazyLock::new(|| TimeZone::UTC)),
            cancel: Cancel::default(),
            program: MYSELF.into(),
            usual_configs: Vec::new(),
        }
    }

    /// The arguments of this process, the program's name first.
    #[must_use]
    pub fn arguments_of_process() -> Vec<OsString> {
        std::env::args_os().collect()
    }

    /// A variable, if it is set and not empty.
    #[must_use]
    pub fn variable(&self, name: &str) -> Option<&OsStr> {
        let value = self.variables.get(OsStr::new(name)).map(OsString::as_os_str)?;
        let bytes = match name {
            VERBATIM => value.as_bytes(),
            _ => value.as_bytes().trim_ascii(),
        };
        (!bytes.is_empty()).then(|| OsStr::from_bytes(bytes))
    }

    /// A variable as text.
    ///
    /// # Errors
    /// A fault of usage if it is set and not UTF-8.
    pub fn text(&self, name: &str) -> Result<Option<&str>, Fault> {
        match self.variable(name) {
            None => Ok(None),
            Some(value) => match value.to_str() {
                Some(text) => Ok(Some(text)),
                None => Err(Fault::usage(format!("the variable {name} is not UTF-8"))),
            },
        }
    }

    /// The variables that stores take credentials and settings from.
    ///
    /// # Errors
    /// A fault of usage that names one which is not UTF-8.
    pub fn store_variables(&self) -> Result<Vec<(String, String)>, Fault> {
        let mut found = Vec::new();
        for (name, value) in &self.variables {
            let Some(name) = name.to_str() else { continue };
            let is_wanted = STORE_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
                || PROXIES.iter().any(|proxy| name.eq_ignore_ascii_case(proxy));
            match value.to_str() {
                _ if !is_wanted || value.is_empty() => {}
                Some(value) => found.push((name.to_owned(), value.to_owned())),
                None => return Err(Fault::usage(format!("the variable {name} is not UTF-8"))),
            }
        }
        Ok(found)
    }

    /// Whether the user wants no colours.
    #[must_use]
    pub fn refuses_color(&self) -> bool {
        self.variable("NO_COLOR").is_some() || self.variable("TERM") == Some(OsStr::new("dumb"))
    }

    /// Time between two drawings of progress, if the user set one.
    ///
    /// # Errors
    /// A fault of usage if `MAINSTAY_PROGRESS_FPS` is not a number above 0 and at most 60.
    pub fn progress_interval(&self) -> Result<Option<Duration>, Fault> {
        let Some(text) = self.text("MAINSTAY_PROGRESS_FPS")? else { return Ok(None) };
        let interval = text
            .parse::<f64>()
            .ok()
            .filter(|fps| *fps > 0.0 && *fps <= PROGRESS_FPS_MAX)
            .and_then(|fps| Duration::try_from_secs_f64(1.0 / fps).ok());
        match interval {
            Some(interval) => Ok(Some(interval)),
            None => Err(Fault::usage(format!(
                "MAINSTAY_PROGRESS_FPS is {text:?}, which is not a number above 0 and at most \
                 {PROGRESS_FPS_MAX}"
            ))
            .hint("write for example 10, 1 or 0.0166 for once a minute")),
        }
    }

    /// `path` as an absolute path, links untouched.
    #[must_use]
    pub fn absolute(&self, path: &Path) -> PathBuf {
        self.current_dir.join(path)
    }

    /// Whether there is a person who can be asked.
    #[must_use]
    pub fn has_person(&self) -> bool {
        self.stdin_is_terminal || self.stderr.is_terminal()
    }
}

/// A job of the agent ends with it, whatever ends the agent: nobody would learn how it went.
fn end_with_parent(variables: &BTreeMap<OsString, OsString>) {
    let parent = variables.get(OsStr::new(CHILD_OF)).and_then(|value| value.to_str());
    let is_child = rustix::process::getppid()
        .is_some_and(|pid| parent == Some(pid.as_raw_nonzero().to_string().as_str()));
    if is_child {
        // Without it the job goes on, and the next one waits for it.
        let _ = set_parent_process_death_signal(Some(Signal::TERM));
    }
}

/// The user's own, then that of the machine.
fn usual_configs(variables: &BTreeMap<OsString, OsString>) -> Vec<PathBuf> {
    let absolute = |name: &str| {
        variables.get(OsStr::new(name)).map(PathBuf::from).filter(|path| path.is_absolute())
    };
    let own = absolute("XDG_CONFIG_HOME").or_else(|| Some(absolute("HOME")?.join(".config")));
    let own = own.map(|folder| folder.join("mainstay/mainstay.toml"));
    own.into_iter().chain([PathBuf::from("/etc/mainstay/mainstay.toml")]).collect()
}

/// Standard input that does not keep anybody waiting who wants to stop.
struct PatientInput {
    cancel: Cancel,
}

impl Read for PatientInput {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let input = io::stdin();
        loop {
            if self.cancel.is_set() {
                return Err(io::Error::other("stopped while waiting for standard input"));
            }
            let mut waited = [PollFd::new(&input, PollFlags::IN)];
            let timeout = Timespec { tv_sec: 0, tv_nsec: INPUT_WAIT_NS };
            match poll(&mut waited, Some(&timeout)) {
                Ok(0) | Err(Errno::INTR) => {}
                // Also at its end, and where it cannot be polled: then reading says what is wrong.
                // Past the buffer of the library, in which bytes would wait that nobody polls.
                Ok(_) | Err(_) => return Ok(rustix::io::read(&input, &mut *buffer)?),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn empty_is_not_set_and_odd_bytes_are_an_error() {
        use std::os::unix::ffi::OsStringExt;
        let mut around = Surroundings::isolated(&[("A", ""), ("B", "x")]);
        around.variables.insert("C".into(), OsString::from_vec(vec![0xff]));
        assert_eq!(around.text("A"), Ok(None));
        assert_eq!(around.text("B"), Ok(Some("x")));
        assert_eq!(around.text("C").map_err(|fault| fault.code()), Err("E_USAGE"));
    }

    #[test]
    fn the_pace_of_progress_is_checked() {
        let pace = |text: &str| {
            Surroundings::isolated(&[("MAINSTAY_PROGRESS_FPS", text)]).progress_interval()
        };
        assert_eq!(pace("2"), Ok(Some(Duration::from_millis(500))));
        assert_eq!(pace(""), Ok(None));
        for bad in ["0", "-1", "61", "x", "nan", "inf", "1e-300"] {
            assert!(pace(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn stores_get_their_variables_and_no_others() {
        let around = Surroundings::isolated(&[
            ("AWS_REGION", "eu"),
            ("MAINSTAY_PASSWORD", "x"),
            ("PATH", "/"),
        ]);
        let found = around.store_variables();
        assert_eq!(found, Ok(vec![("AWS_REGION".to_owned(), "eu".to_owned())]));
    }
}
