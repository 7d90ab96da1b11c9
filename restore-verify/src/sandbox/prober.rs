//! Looks at restored files, each by the confined child.

use std::io::{self, Read};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::process::{ChildStdin, ChildStdout, Stdio};
use std::time::Duration;

use engine::base::monitor::Monitor;
use engine::base::time::Clock;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

use crate::evidence::confinement::Confinement;
use crate::probe::choose;
use crate::probe::verdict::{Limits, Verdict};
use crate::sandbox::job::{Answer, Job, MESSAGE_MAX_BYTES, Question, Task, receive, send};
use crate::sandbox::spawn::{Budget, Cell, Given};

/// How long an answer is waited for before somebody looks whether to stop.
const LOOK_NS: i64 = 100_000_000;
/// What a probe gets beyond its own limit of time, to say itself that it is over.
const GRACE_MS: u64 = 5_000;
/// How long a child may take to begin.
const BEGIN_MS: u64 = 60_000;

/// What a look at a file says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Look {
    /// No probe is for such a file, or it was not asked for.
    Nothing,
    /// A probe looked.
    Probed(&'static str, Verdict),
    /// It was not looked at, and this is why.
    Not(String),
}

/// Asks the child.
pub struct Prober<'a> {
    budget: &'a Budget,
    /// All that may be read.
    scratch: PathBuf,
    /// The only folder in it that may be written to.
    copies: PathBuf,
    clock: &'a dyn Clock,
    monitor: &'a dyn Monitor,
    worker: Option<Worker>,
    spent_ms: u64,
    answered_bytes: u64,
    confinement: Option<Confinement>,
}

struct Worker {
    cell: Cell,
    input: ChildStdin,
    output: ChildStdout,
    received: Vec<u8>,
}

/// Why there is no answer.
enum Silence {
    Cancelled,
    Late,
    Ended(String),
}

impl<'a> Prober<'a> {
    /// For files in `scratch`; `copies` in it may be written to.
    #[must_use]
    pub fn new(
        budget: &'a Budget,
        scratch: &Path,
        copies: &Path,
        clock: &'a dyn Clock,
        monitor: &'a dyn Monitor,
    ) -> Self {
        Self {
            budget,
            scratch: scratch.to_owned(),
            copies: copies.to_owned(),
            clock,
            monitor,
            worker: None,
            spent_ms: 0,
            answered_bytes: 0,
            confinement: None,
        }
    }

    /// How the children were confined so far: the weakest of them; `None` without any.
    #[must_use]
    pub fn confinement(&self) -> Option<&Confinement> {
        self.confinement.as_ref()
    }

    /// Takes another child into account.
    pub fn also(&mut self, other: Confinement) {
        self.confinement = Some(match self.confinement.take() {
            Some(mine) => mine.weaker(other),
            None => other,
        });
    }

    /// Time that is left of the budget.
    #[must_use]
    pub fn left_ms(&self) -> u64 {
        self.budget.time_ms.saturating_sub(self.spent_ms)
    }

    /// Counts time that was used otherwise.
    pub fn spend(&mut self, time_ms: u64) {
        self.spent_ms = self.spent_ms.saturating_add(time_ms);
    }

    /// Looks at the file `path`, which is called `name` in the snapshot.
    pub fn look(&mut self, path: &Path, name: &[u8], skip: &[String], limits: &Limits) -> Look {
        if self.left_ms() == 0 {
            return Look::Not("the time for probes is used up".to_owned());
        }
        if self.answered_bytes > self.budget.answer_bytes {
            return Look::Not("the probes have said more than they may".to_owned());
        }
        let began = self.clock.monotonic();
        let time_ms = limits.time_ms.min(self.left_ms());
        let question = Question {
            path: path.into(),
            name: name.to_vec(),
            skip: skip.to_vec(),
            decoded_bytes: limits.decoded_bytes,
            memory_bytes: limits.memory_bytes.min(self.budget.memory_bytes / 2),
            time_ms,
        };
        let look = self.ask(&question);
        self.spend(self.clock.monotonic().saturating_sub(began).as_millis() as u64);
        look
    }

    fn ask(&mut self, question: &Question) -> Look {
        if let Err(error) = self.ensure_worker() {
            return Look::Not(format!("the process that probes cannot begin: {error}"));
        }
        let Some(worker) = self.worker.as_mut() else { return Look::Nothing };
        if let Err(error) = send(&mut worker.input, question) {
            self.worker = None;
            return Look::Not(format!("the process that probes does not listen: {error}"));
        }
        // First which probe it is, then what it says: so that it is known whom the file was too
        // much for.
        let limit_ms = question.time_ms.saturating_add(GRACE_MS);
        let mut begun: Option<&'static str> = None;
        loop {
            match self.receive::<Answer>(limit_ms) {
                Ok(answer) => {
                    self.answered_bytes += answer.why.len() as u64;
                    let Some(name) = answer.probe.as_deref() else { return Look::Nothing };
                    let Some(name) = choose::NAMES.into_iter().find(|known| *known == name) else {
                        self.worker = None;
                        return Look::Not("the process that probes talks nonsense".to_owned());
                    };
                    if answer.is_begin() && begun.is_none() {
                        begun = Some(name);
                        continue;
                    }
                    return Look::Probed(name, answer.verdict());
                }
                Err(silence) => {
                    self.worker = None;
                    let why = match silence {
                        Silence::Cancelled => return Look::Not("it was interrupted".to_owned()),
                        Silence::Late => "it took longer than a probe may".to_owned(),
                        Silence::Ended(how) => format!("it was too much for its probe: {how}"),
                    };
                    return match begun {
                        Some(name) => Look::Probed(name, Verdict::NotProved(why)),
                        None => Look::Not(why),
                    };
                }
            }
        }
    }

    fn ensure_worker(&mut self) -> io::Result<()> {
        if self.worker.is_some() {
            return Ok(());
        }
        let job = Job {
            task: Task::Files,
            readable: vec![self.scratch.as_path().into()],
            executable: Vec::new(),
            writable: vec![self.copies.as_path().into()],
            network: false,
            memory_bytes: self.budget.memory_bytes,
            file_bytes: u64::MAX >> 1,
            argv: Vec::new(),
            folder: None,
            confinement: None,
        };
        let given = Given {
            variables: vec![("SQLITE_TMPDIR", self.copies.clone().into())],
            folder: Path::new("/"),
            stdin: Stdio::piped(),
            stderr: Stdio::null(),
        };
        let mut cell = Cell::start(&self.budget.program, &job, given)?;
        let (Some(input), Some(output)) = (cell.child.stdin.take(), cell.child.stdout.take())
        else {
            return Err(io::Error::other("it has no pipes"));
        };
        self.worker = Some(Worker { cell, input, output, received: Vec::new() });
        match self.receive::<Confinement>(BEGIN_MS) {
            Ok(confinement) => self.also(confinement),
            Err(silence) => {
                self.worker = None;
                return Err(io::Error::other(match silence {
                    Silence::Cancelled => "it was interrupted".to_owned(),
                    Silence::Late => "it says nothing".to_owned(),
                    Silence::Ended(how) => how,
                }));
            }
        }
        Ok(())
    }

    /// The next message of the worker.
    fn receive<T>(&mut self, limit_ms: u64) -> Result<T, Silence>
    where
        T: for<'b> minicbor::Decode<'b, ()>,
    {
        let (clock, monitor) = (self.clock, self.monitor);
        let Some(worker) = self.worker.as_mut() else {
            return Err(Silence::Ended("it is gone".to_owned()));
        };
        let (began, limit) = (clock.monotonic(), Duration::from_millis(limit_ms));
        loop {
            if let Some(message) = worker.message() {
                return message;
            }
            if monitor.is_cancelled() {
                return Err(Silence::Cancelled);
            }
            if clock.monotonic().saturating_sub(began) > limit {
                return Err(Silence::Late);
            }
            worker.wait()?;
        }
    }
}

impl Worker {
    /// The first whole message of what has arrived.
    fn message<T>(&mut self) -> Option<Result<T, Silence>>
    where
        T: for<'b> minicbor::Decode<'b, ()>,
    {
        let length = u32::from_be_bytes(*self.received.first_chunk::<4>()?) as usize;
        let whole = 4 + length;
        if length <= MESSAGE_MAX_BYTES && self.received.len() < whole {
            return None;
        }
        let message = match receive::<T>(&mut self.received.as_slice()) {
            Ok(Some(message)) => Ok(message),
            Ok(None) => Err(Silence::Ended("it said half of something".to_owned())),
            Err(error) => Err(Silence::Ended(error.to_string())),
        };
        self.received.drain(..whole.min(self.received.len()));
        Some(message)
    }

    /// Waits a little for more.
    fn wait(&mut self) -> Result<(), Silence> {
        let timeout = Timespec { tv_sec: 0, tv_nsec: LOOK_NS };
        let mut waited = [PollFd::from_borrowed_fd(self.output.as_fd(), PollFlags::IN)];
        match poll(&mut waited, Some(&timeout)) {
            Ok(0) | Err(Errno::INTR) => return Ok(()),
            Ok(_) => {}
            Err(error) => return Err(Silence::Ended(error.to_string())),
        }
        let mut buffer = [0; 4096];
        match self.output.read(&mut buffer) {
            Ok(0) => Err(Silence::Ended(self.how_it_ended())),
            Ok(count) => {
                self.received.extend_from_slice(&buffer[..count]);
                Ok(())
            }
            Err(error) => Err(Silence::Ended(error.to_string())),
        }
    }

    fn how_it_ended(&mut self) -> String {
        let Ok(status) = self.cell.end() else { return "it was lost".to_owned() };
        match status.code() {
            Some(code @ 129..=192) => {
                format!("signal {}, as when memory is used up", code - 128)
            }
            Some(code) => format!("exit code {code}"),
            None => status.to_string(),
        }
    }
}
