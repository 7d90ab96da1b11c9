//! A process of this program that carries out a part of a job, and what it says of it.

use std::collections::{BTreeMap, VecDeque};
use std::ffi::OsString;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use engine::base::time::Clock;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::config::surroundings::CHILD_OF;
use crate::fault::{ExitCode, Fault};

/// How often it is looked whether it has ended.
const TICK: Duration = Duration::from_millis(50);
/// It gets so long to end when it is asked to.
const GRACE: Duration = Duration::from_secs(8);
/// Lines of standard error that are kept.
const LINES_KEPT: usize = 20;
/// No line of output is longer.
const LINE_MAX_BYTES: u64 = 1 << 20;

/// How a process ended and what it said.
#[derive(Debug, Default)]
pub struct ChildEnd {
    /// Its exit code; none if a signal ended it.
    pub code: Option<i32>,
    /// That signal.
    pub signal: Option<i32>,
    /// Whether it was asked to stop.
    pub is_stopped: bool,
    /// The message `summary` of its standard output.
    pub summary: Option<Value>,
    /// The message `exit_error` of its standard error.
    pub failure: Option<Value>,
    /// How many notes it had for the user.
    pub notes: u64,
    /// The first item that failed.
    pub first_problem: Option<String>,
    /// The last lines of its standard error that are no messages.
    pub words: VecDeque<String>,
    /// Its standard output, if it was asked for.
    pub output: Vec<u8>,
}

/// What is started.
#[derive(Clone, Copy)]
pub struct Call<'a> {
    /// This program.
    pub program: &'a Path,
    /// The file of the organisation.
    pub config: &'a Path,
    /// Its environment.
    pub variables: &'a BTreeMap<OsString, OsString>,
    /// What it does.
    pub words: &'a [OsString],
    /// To measure how long it takes to end.
    pub clock: &'a dyn Clock,
    /// Whether its whole standard output is wanted, and not only its summary.
    pub wants_output: bool,
}

impl ChildEnd {
    /// Why it did not do what was asked, in its own words behind `what`.
    #[must_use]
    pub fn fault(&self, what: &str) -> Fault {
        let text = |name: &str| {
            let found = self.failure.as_ref().and_then(|failure| failure.get(name));
            found.and_then(Value::as_str).map(str::to_owned)
        };
        let exit = ExitCode::ALL.into_iter().find(|exit| Some(i32::from(exit.code())) == self.code);
        let (exit, code) = match exit {
            Some(exit @ ExitCode::Usage) => (exit, "E_USAGE"),
            Some(exit @ ExitCode::NoRepository) => (exit, "E_NO_REPOSITORY"),
            Some(exit @ ExitCode::Busy) => (exit, "E_BUSY"),
            Some(exit @ ExitCode::Key) => (exit, "E_KEY"),
            Some(exit @ ExitCode::Damage) => (exit, "E_CORRUPT"),
            Some(exit @ ExitCode::Refused) => (exit, "E_REFUSED"),
            Some(exit @ ExitCode::Store) => (exit, "E_STORE"),
            Some(exit @ ExitCode::Newer) => (exit, "E_NEWER"),
            _ => (ExitCode::Failed, "E_LOCAL"),
        };
        let why = text("message").unwrap_or_else(|| "its process ended without a word".to_owned());
        let fault = Fault::new(exit, code, format!("{what}{why}"));
        match text("hint") {
            Some(hint) => fault.hint(hint),
            None => fault,
        }
    }
}

/// Starts it and waits for its end; `is_over` says when it is asked to stop.
///
/// # Errors
/// A local fault if it cannot be started.
pub fn run(call: Call<'_>, is_over: &dyn Fn() -> bool) -> Result<ChildEnd, Fault> {
    let mut command = Command::new(call.program);
    command.env_clear().envs(call.variables);
    command.env(CHILD_OF, std::process::id().to_string());
    command.arg("--config").arg(call.config).args(["--json", "--quiet"]).args(call.words);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command
        .spawn()
        .map_err(|error| Fault::local("cannot start this program once more").because(&error))?;
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let wants_output = call.wants_output;
    // Whatever is not read would stop it as soon as the pipe is full.
    std::thread::scope(|scope| {
        let said = scope.spawn(move || stdout.map(|pipe| read_stdout(pipe, wants_output)));
        let complained = scope.spawn(move || stderr.map(read_stderr));
        let (status, is_stopped) = wait(&mut child, call.clock, is_over);
        let mut end = complained.join().ok().flatten().unwrap_or_default();
        if let Some((summary, output)) = said.join().ok().flatten() {
            (end.summary, end.output) = (summary, output);
        }
        end.is_stopped = is_stopped;
        end.code = status.and_then(|status| status.code());
        end.signal = status.and_then(|status| status.signal());
        Ok(end)
    })
}

fn wait(
    child: &mut Child,
    clock: &dyn Clock,
    is_over: &dyn Fn() -> bool,
) -> (Option<ExitStatus>, bool) {
    let mut asked: Option<Duration> = None;
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return (Some(status), asked.is_some()),
            Ok(None) => {}
            Err(_) => return (None, asked.is_some()),
        }
        match asked {
            None if is_over() => {
                end(child);
                asked = Some(clock.monotonic());
            }
            Some(since) if clock.monotonic().saturating_sub(since) > GRACE => {
                let _ = child.kill();
            }
            _ => {}
        }
        std::thread::sleep(TICK);
    }
}

fn end(child: &Child) {
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    if let Some(pid) = pid {
        let _ = kill_process(pid, Signal::TERM);
    }
}

/// The last summary, and everything if it is wanted.
fn read_stdout(mut pipe: impl Read, wants_output: bool) -> (Option<Value>, Vec<u8>) {
    if wants_output {
        let mut output = Vec::new();
        // A cut answer is no JSON, which is noticed where it is read.
        let _ = pipe.read_to_end(&mut output);
        return (None, output);
    }
    let mut summary = None;
    each_line(pipe, |line| {
        if let Some(message) = message(line).filter(|message| kind(message) == "summary") {
            summary = Some(message);
        }
    });
    (summary, Vec::new())
}

fn read_stderr(pipe: impl Read) -> ChildEnd {
    let mut end = ChildEnd::default();
    each_line(pipe, |line| match message(line) {
        Some(message) => match kind(&message) {
            "exit_error" => end.failure = Some(message),
            "note" => end.notes += 1,
            "error" if end.first_problem.is_none() => {
                let item = message.get("item").and_then(Value::as_str).unwrap_or_default();
                let why = message.pointer("/error/message").and_then(Value::as_str);
                end.first_problem = Some(format!("{item}: {}", why.unwrap_or_default()));
            }
            _ => {}
        },
        None => {
            if end.words.len() == LINES_KEPT {
                end.words.pop_front();
            }
            end.words.push_back(String::from_utf8_lossy(line).into_owned());
        }
    });
    end
}

fn each_line(pipe: impl Read, mut take: impl FnMut(&[u8])) {
    let mut reader = BufReader::new(pipe);
    let mut line = Vec::new();
    loop {
        line.clear();
        match reader.by_ref().take(LINE_MAX_BYTES).read_until(b'\n', &mut line) {
            Ok(0) | Err(_) => return,
            Ok(_) => take(line.trim_ascii_end()),
        }
    }
}

fn message(line: &[u8]) -> Option<Value> {
    serde_json::from_slice::<Value>(line).ok().filter(Value::is_object)
}

fn kind(message: &Value) -> &str {
    message.get("message_type").and_then(Value::as_str).unwrap_or_default()
}
