//! The user's own test of what was restored: a confined command with limits of time, memory and output.
//!
//! It gets the folder in `MAINSTAY_RESTORED` and nothing else of the environment but the `PATH`. It
//! may read what the system brings, run it, and change what was restored. Exit code 0 passes, 75 says
//! that it could not test, anything else fails. A test that was not found, that somebody ended or that
//! came to no end has given no answer either.

use std::ffi::{OsStr, OsString};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use engine::base::monitor::Monitor;
use engine::base::path::escape;
use engine::base::time::Clock;

use crate::evidence::confinement::Confinement;
use crate::probe::verdict::Verdict;
use crate::sandbox::child::BROKEN;
use crate::sandbox::job::{Job, MESSAGE_MAX_BYTES, Task, receive};
use crate::sandbox::spawn::{Budget, Cell, Given};

/// What a command may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CommandLimits {
    /// Wall time, in milliseconds.
    pub time_ms: u64,
    /// Address space of each of its processes, and memory of all together, in bytes.
    pub memory_bytes: u64,
    /// Bytes that it may print.
    pub output_bytes: u64,
}

impl Default for CommandLimits {
    fn default() -> Self {
        Self { time_ms: 600_000, memory_bytes: 8 << 30, output_bytes: 1 << 20 }
    }
}

/// Stands between how a test ended and what it printed.
pub const OUTPUT_MARK: &str = "; it printed: ";

/// Exit code of a test that could not test.
const CANNOT_TELL: i32 = 75;
/// Exit codes by which shells say that a program cannot be run, or is not there.
const NOT_RUN: [i32; 2] = [126, 127];
/// Signals by which somebody else ends a program: a fault of its own has others.
const ENDED_BY: [(i32, &str); 7] = [
    (1, "SIGHUP"),
    (2, "SIGINT"),
    (3, "SIGQUIT"),
    (9, "SIGKILL"),
    (13, "SIGPIPE"),
    (15, "SIGTERM"),
    (24, "SIGXCPU"),
];
/// Bytes of output that a finding quotes, the last ones.
const QUOTED_BYTES: usize = 300;
/// Between two looks at whether the command has ended.
const LOOK_MS: u64 = 20;
/// Looks between two counts of memory: counting reads all of `/proc`.
const LOOKS_PER_COUNT: u32 = 10;
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/// What a system brings: programs, libraries, and what these look at.
const SYSTEM: [&str; 16] = [
    "/usr",
    "/bin",
    "/sbin",
    "/lib",
    "/lib32",
    "/lib64",
    "/libx32",
    "/opt",
    "/nix",
    "/gnu",
    "/snap",
    "/sys",
    "/proc",
    "/run/current-system",
    "/run/systemd/resolve",
    "/var/lib/locales",
];
/// Devices that nobody is harmed by.
const DEVICES: [&str; 6] =
    ["/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom", "/dev/fd"];
/// In `/etc`: what no test has to read.
const SECRET: [&str; 8] =
    ["mainstay", "shadow", "shadow-", "gshadow", "gshadow-", "sudoers", "sudoers.d", "ssh"];

/// The test, over the restored folder.
pub struct Test<'a> {
    /// The program and its arguments.
    pub argv: &'a [OsString],
    /// What was restored.
    pub folder: &'a Path,
    /// A folder for what it writes besides.
    pub temporary: &'a Path,
    /// What it may use.
    pub limits: CommandLimits,
    /// What all probes may use.
    pub budget: &'a Budget,
    /// Tells the time.
    pub clock: &'a dyn Clock,
    /// Says when to stop.
    pub monitor: &'a dyn Monitor,
}

impl Test<'_> {
    /// Runs it; answers how it was confined too, if it could begin.
    #[must_use]
    pub fn run(&self) -> (Verdict, Option<Confinement>) {
        if self.argv.is_empty() {
            return (Verdict::NotProved("no command is given".to_owned()), None);
        }
        let confinement = match self.confinement() {
            Ok(confinement) => confinement,
            Err(error) => {
                let why = format!("the process that tests cannot begin: {error}");
                return (Verdict::NotProved(why), None);
            }
        };
        let verdict = match self.start(Task::Command) {
            Ok(cell) => self.watch(cell),
            Err(error) => Verdict::NotProved(error.to_string()),
        };
        (verdict, Some(confinement))
    }

    /// What a child that does nothing says of its walls: a command says nothing of them.
    fn confinement(&self) -> io::Result<Confinement> {
        let mut cell = self.start(Task::Report)?;
        let mut said = Vec::new();
        if let Some(pipe) = cell.child.stdout.take() {
            pipe.take(MESSAGE_MAX_BYTES as u64).read_to_end(&mut said)?;
        }
        let status = cell.end()?;
        receive(&mut said.as_slice())?
            .ok_or_else(|| io::Error::other(format!("it says nothing ({status})")))
    }

    fn start(&self, task: Task) -> io::Result<Cell> {
        let own = self.argv.iter().map(Path::new).filter(|path| path.is_absolute());
        // A program brings what lies beside it.
        let beside = self.argv.first().and_then(|program| Path::new(program).parent());
        let beside = beside.filter(|folder| folder.is_absolute() && folder.parent().is_some());
        let executable: Vec<PathBuf> = SYSTEM
            .iter()
            .map(PathBuf::from)
            .chain(configuration())
            .chain(own.map(Path::to_owned))
            .chain(beside.map(Path::to_owned))
            .chain(self.budget.readable.iter().cloned())
            .collect();
        let writable: Vec<PathBuf> = [self.folder, self.temporary]
            .into_iter()
            .map(Path::to_owned)
            .chain(DEVICES.map(PathBuf::from))
            .collect();
        let texts = |paths: Vec<PathBuf>| paths.iter().map(|path| path.as_path().into()).collect();
        let job = Job {
            task,
            readable: Vec::new(),
            executable: texts(executable),
            writable: texts(writable),
            network: self.budget.network,
            memory_bytes: self.limits.memory_bytes,
            file_bytes: u64::MAX >> 1,
            argv: self.argv.iter().map(|word| OsStr::new(word).into()).collect(),
            folder: Some(self.folder.into()),
            confinement: None,
        };
        let given = Given {
            variables: vec![
                ("PATH", PATH.into()),
                ("MAINSTAY_RESTORED", self.folder.into()),
                ("TMPDIR", self.temporary.into()),
            ],
            folder: self.folder,
            stdin: Stdio::null(),
            stderr: if task == Task::Report { Stdio::null() } else { Stdio::piped() },
        };
        Cell::start(&self.budget.program, &job, given)
    }

    fn watch(&self, mut cell: Cell) -> Verdict {
        let outputs = (cell.child.stdout.take(), cell.child.stderr.take());
        let is_too_much = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let collector = Collector { most: self.limits.output_bytes, is_too_much: &is_too_much };
            let out = scope.spawn(move || outputs.0.map(|pipe| collector.collect(pipe)));
            let err = scope.spawn(move || outputs.1.map(|pipe| collector.collect(pipe)));
            let (mut stopped, status) = self.wait(&mut cell, &is_too_much);
            let out = out.join().ok().flatten().unwrap_or_default();
            let err = err.join().ok().flatten().unwrap_or_default();
            if is_too_much.load(Ordering::Relaxed) {
                stopped = Some("it printed more than it may");
            }
            match (stopped, status) {
                (Some(INTERRUPTED), _) => Verdict::NotProved(INTERRUPTED.to_owned()),
                (Some(why), _) => Verdict::NotProved(format!("it gave no answer: {why}")),
                (None, Err(error)) => Verdict::NotProved(error.to_string()),
                (None, Ok(status)) => judge(status.code().unwrap_or_default(), &out, &err),
            }
        })
    }

    /// Until it has ended or was ended, and why.
    fn wait(
        &self,
        cell: &mut Cell,
        is_too_much: &AtomicBool,
    ) -> (Option<&'static str>, io::Result<std::process::ExitStatus>) {
        let started = self.clock.monotonic();
        let limit = Duration::from_millis(self.limits.time_ms);
        let mut looks = 0_u32;
        loop {
            match cell.try_wait() {
                Ok(Some(status)) => return (None, Ok(status)),
                Ok(None) => {}
                Err(error) => return (None, Err(error)),
            }
            looks = looks.wrapping_add(1);
            let is_large = looks.is_multiple_of(LOOKS_PER_COUNT)
                && cell.memory_bytes() > self.limits.memory_bytes;
            let why = if self.monitor.is_cancelled() {
                INTERRUPTED
            } else if self.clock.monotonic().saturating_sub(started) > limit {
                "it took longer than it may"
            } else if is_too_much.load(Ordering::Relaxed) {
                "it printed more than it may"
            } else if is_large {
                "it used more memory than it may"
            } else {
                std::thread::sleep(Duration::from_millis(LOOK_MS));
                continue;
            };
            return (Some(why), cell.end());
        }
    }
}

const INTERRUPTED: &str = "it was interrupted";

fn judge(code: i32, out: &[u8], err: &[u8]) -> Verdict {
    if code == 0 {
        return Verdict::Passed;
    }
    let said = escape(if err.is_empty() { out } else { err }.trim_ascii());
    let signal = code - 128;
    let ended = ENDED_BY.iter().find(|(number, _)| *number == signal);
    let how = match (ended, code) {
        (Some((_, name)), _) => format!("{name} ended it"),
        (None, 129..=192) => format!("signal {signal}"),
        (None, code) => format!("exit code {code}"),
    };
    if code == i32::from(BROKEN) && said.is_empty() {
        return Verdict::NotProved("the process that tests could not begin".to_owned());
    }
    let why = if said.is_empty() { how } else { format!("{how}{OUTPUT_MARK}{said}") };
    match ended.is_some() || code == CANNOT_TELL || NOT_RUN.contains(&code) {
        true => Verdict::NotProved(why),
        false => Verdict::Failed(why),
    }
}

/// What is in `/etc` but for secrets: Landlock knows no exceptions below what it allows.
fn configuration() -> Vec<PathBuf> {
    let listed = std::fs::read_dir("/etc").into_iter().flatten().flatten();
    let is_open = |name: &OsStr| !SECRET.iter().any(|secret| name == *secret);
    listed.filter(|entry| is_open(&entry.file_name())).map(|entry| entry.path()).collect()
}

/// Reads what a command prints and keeps the end of it.
#[derive(Clone, Copy)]
struct Collector<'a> {
    most: u64,
    is_too_much: &'a AtomicBool,
}

impl Collector<'_> {
    fn collect(self, mut pipe: impl Read) -> Vec<u8> {
        let (mut last, mut total) = (Vec::new(), 0);
        let mut buffer = [0; 4096];
        while let Ok(count) = pipe.read(&mut buffer) {
            total += count as u64;
            if count == 0 || total > self.most {
                break;
            }
            last.extend_from_slice(&buffer[..count]);
            let surplus = last.len().saturating_sub(QUOTED_BYTES);
            last.drain(..surplus);
        }
        if total > self.most {
            self.is_too_much.store(true, Ordering::Relaxed);
        }
        last
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_answer_passes_or_fails() {
        let said = |code| judge(code, b"", b"");
        assert_eq!(said(0), Verdict::Passed);
        for code in [75, 126, 127, 129, 130, 137, 141, 143, 152] {
            assert!(matches!(said(code), Verdict::NotProved(_)), "{code}: {:?}", said(code));
        }
        for code in [1, 2, 4, 74, 76, 125, 128, 134, 135, 139] {
            assert!(matches!(said(code), Verdict::Failed(_)), "{code}: {:?}", said(code));
        }
        let failed = judge(4, b"out", b" 3 rows are missing\n");
        let why = "exit code 4; it printed: 3 rows are missing";
        assert_eq!(failed, Verdict::Failed(why.to_owned()));
        assert_eq!(judge(4, b"\n", b""), Verdict::Failed("exit code 4".to_owned()));
    }
}
