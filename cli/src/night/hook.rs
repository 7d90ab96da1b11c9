//! Commands around jobs.

use std::ffi::{OsStr, OsString};
use std::io::Read;
use std::os::unix::process::CommandExt;
use std::process::Stdio;
use std::time::Duration;

use agent::config::hook::{Hook, OnFailure};
use agent::config::schedule::JobKind;
use engine::base::time::Clock;
use engine::disk::child::child;
use rustix::process::{Pid, Signal, kill_process_group};

/// A hook in front of a job that ends with this code says: not this time. It is `EX_TEMPFAIL`, which other
/// programs take as the same word.
const SKIP_CODE: i32 = 75;
/// How often it is looked whether one has ended.
const TICK: Duration = Duration::from_millis(50);
/// One that is asked to end gets so long.
const GRACE: Duration = Duration::from_secs(2);
/// So much of what one says is kept.
const WORDS_MAX_BYTES: usize = 4096;

/// What the hooks of one place came to.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct HooksEnd {
    /// The first failure that fails the job.
    pub failure: Option<String>,
    /// Failures that only make a note.
    pub notes: Vec<String>,
    /// What one said that wants the job to be left out this time.
    pub skip: Option<String>,
}

/// Runs those that stand around a job, one after the other, until one fails it.
pub fn run(
    hooks: &[Hook],
    job: JobKind,
    variables: &[(OsString, OsString)],
    clock: &dyn Clock,
    is_over: &dyn Fn() -> bool,
) -> HooksEnd {
    let mut end = HooksEnd::default();
    for hook in hooks.iter().filter(|hook| hook.jobs.contains(&job)) {
        let Err(Unwell { why, is_skip }) = one(hook, variables, clock, is_over) else { continue };
        let program = hook.run.0.first().map(String::as_str).unwrap_or_default();
        let words = format!("the hook {program:?} {why}");
        if is_skip {
            end.skip = Some(words);
            break;
        }
        match hook.on_failure {
            OnFailure::Ignore => {}
            OnFailure::Warn => end.notes.push(words),
            OnFailure::Error => {
                end.failure = Some(words);
                break;
            }
        }
    }
    end
}

/// Why a hook did not end well.
struct Unwell {
    why: String,
    is_skip: bool,
}

impl From<String> for Unwell {
    fn from(why: String) -> Self {
        Self { why, is_skip: false }
    }
}

fn one(
    hook: &Hook,
    variables: &[(OsString, OsString)],
    clock: &dyn Clock,
    is_over: &dyn Fn() -> bool,
) -> Result<(), Unwell> {
    let Some((program, arguments)) = hook.run.0.split_first() else { return Ok(()) };
    let mut command = child(OsStr::new(program), variables.iter().cloned());
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    // A group of its own: a script's children end with it.
    command.process_group(0);
    let mut child =
        command.spawn().map_err(|error| Unwell::from(format!("cannot be started: {error}")))?;
    let group = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    let signal = |signal: Signal| {
        if let Some(group) = group {
            let _ = kill_process_group(group, signal);
        }
    };
    let pipe = child.stderr.take();
    let words = std::thread::spawn(move || pipe.map(last_words).unwrap_or_default());
    let limit = Duration::from_secs(hook.timeout.seconds());
    let began = clock.monotonic();
    let since = |begin: Duration| clock.monotonic().saturating_sub(begin);
    let mut asked: Option<(Duration, String)> = None;
    let status = loop {
        match child.try_wait() {
            Ok(Some(status)) => break status,
            Ok(None) => {}
            Err(error) => return Err(format!("was lost: {error}").into()),
        }
        match &asked {
            None if since(began) > limit => {
                signal(Signal::TERM);
                asked = Some((clock.monotonic(), format!("took longer than {}", hook.timeout)));
            }
            None if is_over() => {
                signal(Signal::TERM);
                asked = Some((clock.monotonic(), "was stopped".to_owned()));
            }
            Some((begin, _)) if since(*begin) > GRACE => signal(Signal::KILL),
            _ => {}
        }
        std::thread::sleep(TICK);
    };
    if let Some((_, why)) = asked {
        signal(Signal::KILL);
        return Err(why.into());
    }
    if status.success() {
        return Ok(());
    }
    // What it started may hold its standard error open; its words are then left behind.
    let words = if words.is_finished() || settle(&words) { words.join().ok() } else { None };
    let words = words.unwrap_or_default();
    let ending = match status.code() {
        Some(code) => format!("ended with exit code {code}"),
        None => "was ended by a signal".to_owned(),
    };
    let why = match words.lines().last().map(str::trim).filter(|line| !line.is_empty()) {
        Some(line) => format!("{ending}: {line}"),
        None => ending,
    };
    Err(Unwell { why, is_skip: status.code() == Some(SKIP_CODE) })
}

/// Waits a moment for the end of what was said.
fn settle<T>(thread: &std::thread::JoinHandle<T>) -> bool {
    for _ in 0..10 {
        std::thread::sleep(TICK);
        if thread.is_finished() {
            return true;
        }
    }
    false
}

fn last_words(mut pipe: impl Read) -> String {
    let (mut kept, mut buffer) = (Vec::new(), [0; 1024]);
    while let Ok(length) = pipe.read(&mut buffer) {
        if length == 0 {
            break;
        }
        kept.extend_from_slice(&buffer[..length]);
        let too_many = kept.len().saturating_sub(WORDS_MAX_BYTES);
        kept.drain(..too_many);
    }
    String::from_utf8_lossy(&kept).into_owned()
}
