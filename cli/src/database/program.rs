//! Tools of databases as processes: without a shell, with the secrets of their own server alone, and
//! never outliving the wish to stop.

use std::ffi::{OsStr, OsString};
use std::io::{Read, Write};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use engine::disk::child::child;
use rustix::process::{Pid, Signal, kill_process_group};

use crate::config::surroundings::Surroundings;
use crate::database::hint;
use crate::fault::{ExitCode, Fault};
use crate::ui::cancel::Cancel;
use crate::ui::output::in_one_line;

/// How often it is looked whether one has ended, or whether all should.
const TICK: Duration = Duration::from_millis(20);
/// So much of what one says on standard error is kept, from its beginning and from its end.
const WORDS_MAX_BYTES: usize = 4096;
/// A list or an answer that is longer is none.
const OUTPUT_MAX_BYTES: u64 = 256 << 20;
/// Longest line of a tool that an error repeats.
const LINE_MAX_CHARS: usize = 300;

/// A user of the system that a tool runs as.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// Number of the user.
    pub uid: u32,
    /// Number of the group.
    pub gid: u32,
    /// The home folder.
    pub home: PathBuf,
}

impl User {
    /// The user of this name, if there is one.
    #[must_use]
    pub fn find(name: &str) -> Option<Self> {
        use uzers::os::unix::UserExt;
        let user = uzers::get_user_by_name(name)?;
        let home = user.home_dir().to_owned();
        Some(Self { uid: user.uid(), gid: user.primary_group_id(), home })
    }
}

/// What all tools of a command have in common.
#[derive(Clone)]
pub struct Workshop {
    /// The environment; secrets of this program and of stores are left out.
    pub variables: Vec<(OsString, OsString)>,
    /// Whether everything stops.
    pub cancel: Cancel,
}

impl Workshop {
    /// That of a command.
    #[must_use]
    pub fn new(around: &Surroundings) -> Self {
        let variables = around.variables.clone().into_iter().collect();
        Self { variables, cancel: around.cancel.clone() }
    }

    /// The same for what must be cleaned up, whoever wants to stop.
    #[must_use]
    pub fn unstoppable(&self) -> Self {
        Self { cancel: Cancel::default(), ..self.clone() }
    }

    /// A variable of the environment.
    #[must_use]
    pub fn variable(&self, name: &str) -> Option<&OsStr> {
        let found = self.variables.iter().find(|(one, _)| one == name);
        found.map(|(_, value)| value.as_os_str()).filter(|value| !value.is_empty())
    }

    /// A tool that can be started.
    #[must_use]
    pub fn tool(&self, program: &Path) -> Tool {
        let variables = self.variables.clone();
        let cancel = self.cancel.clone();
        Tool { program: program.into(), arguments: Vec::new(), variables, user: None, cancel }
    }
}

/// A tool before it runs.
#[derive(Clone)]
pub struct Tool {
    program: PathBuf,
    arguments: Vec<OsString>,
    variables: Vec<(OsString, OsString)>,
    user: Option<User>,
    cancel: Cancel,
}

impl Tool {
    /// Adds arguments.
    #[must_use]
    pub fn args<T: Into<OsString>>(mut self, arguments: impl IntoIterator<Item = T>) -> Self {
        self.arguments.extend(arguments.into_iter().map(Into::into));
        self
    }

    /// Sets variables.
    #[must_use]
    pub fn vars<T: Into<OsString>>(
        mut self,
        variables: impl IntoIterator<Item = (&'static str, T)>,
    ) -> Self {
        for (name, value) in variables {
            self.variables.retain(|(one, _)| one != name);
            self.variables.push((name.into(), value.into()));
        }
        self
    }

    /// Runs it as somebody else, if this program may do that.
    #[must_use]
    pub fn as_user(mut self, user: Option<&User>) -> Self {
        if let Some(user) = user {
            self = self.vars([("HOME", user.home.as_os_str())]);
            self.user = Some(user.clone());
        }
        self
    }

    /// Starts it.
    ///
    /// # Errors
    /// A local fault if it cannot be started.
    pub fn start(self, stdin: Stdio, stdout: Stdio) -> Result<Running, Fault> {
        let name = self.program.file_name().unwrap_or(self.program.as_os_str());
        let name = name.to_string_lossy().into_owned();
        let mut command = child(self.program.as_os_str(), self.variables);
        command.args(self.arguments).stdin(stdin).stdout(stdout).stderr(Stdio::piped());
        // A group of its own, which ends as a whole.
        command.process_group(0);
        if let Some(user) = &self.user {
            command.uid(user.uid).gid(user.gid).current_dir("/");
        }
        let mut child = command.spawn().map_err(|error| {
            let fault = Fault::new(
                ExitCode::Failed,
                "E_DATABASE",
                format!("cannot start {}", self.program.display()),
            );
            fault.because(&error)
        })?;
        let (stdin, stdout) = (child.stdin.take(), child.stdout.take());
        let stderr = child.stderr.take();
        let words = std::thread::spawn(move || stderr.map(words_of).unwrap_or_default());
        let life = Arc::new(Mutex::new(Life { child, status: None }));
        let watched = Arc::clone(&life);
        let cancel = self.cancel.clone();
        std::thread::spawn(move || watch(&watched, &cancel));
        Ok(Running { name, life, stdin, stdout, words: Some(words), cancel: self.cancel })
    }

    /// Runs it to its end and answers what it printed; `input` is what it reads.
    ///
    /// # Errors
    /// A fault if it cannot be started or fails.
    pub fn output(self, input: &[u8]) -> Result<String, Fault> {
        let mut running = self.start(Stdio::piped(), Stdio::piped())?;
        let (stdin, stdout) = (running.stdin.take(), running.stdout.take());
        let printed = std::thread::scope(|scope| {
            scope.spawn(move || stdin.map(|mut pipe| pipe.write_all(input)));
            let mut printed = Vec::new();
            let pipe = stdout.map(|pipe| pipe.take(OUTPUT_MAX_BYTES));
            // What was cut off is noticed by the exit code.
            let _ = pipe.map(|mut pipe| pipe.read_to_end(&mut printed));
            printed
        });
        running.finish()?;
        Ok(String::from_utf8_lossy(&printed).into_owned())
    }
}

#[derive(Debug)]
struct Life {
    child: Child,
    status: Option<ExitStatus>,
}

impl Life {
    /// Whether it has ended.
    fn look(&mut self) -> Option<ExitStatus> {
        if self.status.is_none() {
            self.status = self.child.try_wait().ok().flatten();
        }
        self.status
    }

    /// Its number stays its own for as long as nobody has asked how it ended.
    fn signal(&mut self, signal: Signal) {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        if let (Some(pid), None) = (pid, self.look()) {
            let _ = kill_process_group(pid, signal);
        }
    }
}

/// Ends it when everything stops: whoever reads from it or writes to it waits for nothing then.
fn watch(life: &Mutex<Life>, cancel: &Cancel) {
    let mut is_told = false;
    loop {
        {
            let mut life = life.lock().unwrap_or_else(PoisonError::into_inner);
            if life.look().is_some() {
                return;
            }
            if cancel.is_set() {
                life.signal(if is_told { Signal::KILL } else { Signal::TERM });
                is_told = true;
            }
        }
        std::thread::sleep(if is_told { TICK * 25 } else { TICK });
    }
}

/// A tool that runs. Dropped, it is killed.
pub struct Running {
    name: String,
    life: Arc<Mutex<Life>>,
    /// What it reads.
    pub stdin: Option<ChildStdin>,
    /// What it prints.
    pub stdout: Option<ChildStdout>,
    words: Option<JoinHandle<String>>,
    cancel: Cancel,
}

impl Running {
    /// Whether it has ended.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.life.lock().unwrap_or_else(PoisonError::into_inner).look().is_some()
    }

    /// Sends it and its children a signal.
    pub fn signal(&self, signal: Signal) {
        self.life.lock().unwrap_or_else(PoisonError::into_inner).signal(signal);
    }

    /// Waits for its end, and for at most so long if a limit is given; whether it came.
    pub fn wait(&self, limit: Option<Duration>) -> Option<ExitStatus> {
        let mut waited = Duration::ZERO;
        loop {
            let status = self.life.lock().unwrap_or_else(PoisonError::into_inner).look();
            if status.is_some() || limit.is_some_and(|limit| waited >= limit) {
                return status;
            }
            std::thread::sleep(TICK);
            waited += TICK;
        }
    }

    /// Waits for its end.
    ///
    /// # Errors
    /// A fault with its own words unless it says that it succeeded.
    pub fn finish(mut self) -> Result<(), Fault> {
        drop((self.stdin.take(), self.stdout.take()));
        let status = self.wait(None);
        let said = self.words.take().and_then(|words| words.join().ok()).unwrap_or_default();
        match status {
            Some(status) if status.success() => Ok(()),
            _ if self.cancel.is_asked() => Err(Fault::interrupted()),
            status => Err(failed(&self.name, status, &said)),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.signal(Signal::KILL);
        self.wait(Some(Duration::from_secs(5)));
    }
}

/// That a tool failed, in its own words and with the sentence that helps.
fn failed(name: &str, status: Option<ExitStatus>, said: &str) -> Fault {
    let ending = match status.map(|status| (status.code(), status.signal())) {
        Some((Some(code), _)) => format!("ended with exit status {code}"),
        Some((None, Some(signal))) => format!("was ended by signal {signal}"),
        _ => "ended for an unknown reason".to_owned(),
    };
    let line = telling_line(said);
    let words = match line.as_str() {
        "" => format!("{name} {ending}"),
        line => format!("{name} {ending}: {line}"),
    };
    let fault = Fault::new(ExitCode::Failed, "E_DATABASE", words);
    match hint::of(said) {
        Some(sentence) => fault.hint(sentence),
        None => fault,
    }
}

/// The line that says most: the first about an error, or the last of all.
fn telling_line(said: &str) -> String {
    let mut lines = said.lines().map(str::trim).filter(|line| !line.is_empty());
    let is_error =
        |line: &&str| ["error", "ERROR", "FATAL", "rror:"].iter().any(|word| line.contains(word));
    let line = lines.clone().find(is_error).or_else(|| lines.next_back()).unwrap_or_default();
    in_one_line(line).chars().take(LINE_MAX_CHARS).collect()
}

/// The beginning and the end of what is said.
fn words_of(mut pipe: impl Read) -> String {
    let (mut first, mut last, mut buffer) = (Vec::new(), Vec::new(), [0; 1024]);
    while let Ok(length) = pipe.read(&mut buffer) {
        if length == 0 {
            break;
        }
        let room = WORDS_MAX_BYTES.saturating_sub(first.len()).min(length);
        first.extend_from_slice(&buffer[..room]);
        last.extend_from_slice(&buffer[room..length]);
        let surplus = last.len().saturating_sub(WORDS_MAX_BYTES);
        last.drain(..surplus);
    }
    first.extend(last);
    String::from_utf8_lossy(&first).into_owned()
}
