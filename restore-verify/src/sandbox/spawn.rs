//! Starting the confined child, and ending it with everything that it started.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use crate::sandbox::child::{OUTER, WORD};
use crate::sandbox::family;
use crate::sandbox::job::Job;

/// This program, for whoever is it.
pub const MYSELF: &str = "/proc/self/exe";

/// What probes of a drill may use, all of them together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Budget {
    /// The program that knows the word of the child.
    pub program: PathBuf,
    /// Wall time of all probes together, in milliseconds.
    pub time_ms: u64,
    /// Memory of one probe, in bytes; only one works at a time.
    pub memory_bytes: u64,
    /// Bytes of all answers together.
    pub answer_bytes: u64,
    /// Whether the user's own test keeps the network of this machine.
    pub network: bool,
    /// What the user's own test may read beyond what the system brings.
    pub readable: Vec<PathBuf>,
}

impl Default for Budget {
    fn default() -> Self {
        Self {
            program: MYSELF.into(),
            time_ms: 3_600_000,
            memory_bytes: 1 << 30,
            answer_bytes: 64 << 20,
            network: false,
            readable: Vec::new(),
        }
    }
}

/// A running child.
#[derive(Debug)]
pub struct Cell {
    /// The outer process.
    pub child: Child,
    is_over: bool,
}

/// What a child gets from this process: nothing else passes.
pub struct Given<'a> {
    /// All of its environment.
    pub variables: Vec<(&'a str, OsString)>,
    /// Where it begins.
    pub folder: &'a Path,
    /// Its input.
    pub stdin: Stdio,
    /// Its error output.
    pub stderr: Stdio,
}

impl Cell {
    /// Starts `program` as the child for `job`; its output is a pipe.
    ///
    /// # Errors
    /// If it cannot be started.
    pub fn start(program: &Path, job: &Job, given: Given<'_>) -> io::Result<Self> {
        let child = Command::new(program)
            .args([OsStr::new(WORD), OsStr::new(OUTER), OsStr::new(&job.to_argument()?)])
            .env_clear()
            .envs(given.variables)
            .current_dir(given.folder)
            .stdin(given.stdin)
            .stdout(Stdio::piped())
            .stderr(given.stderr)
            .process_group(0)
            .spawn()?;
        Ok(Self { child, is_over: false })
    }

    /// Bytes of memory that it and all below it hold.
    #[must_use]
    pub fn memory_bytes(&self) -> u64 {
        family::memory_bytes(Pid::from_child(&self.child))
    }

    /// How it ended, if it did.
    ///
    /// # Errors
    /// If it was lost.
    pub fn try_wait(&mut self) -> io::Result<Option<ExitStatus>> {
        let status = self.child.try_wait()?;
        self.is_over |= status.is_some();
        Ok(status)
    }

    /// Ends it and all that it started, whatever group or session they moved to.
    ///
    /// # Errors
    /// If it was lost.
    pub fn end(&mut self) -> io::Result<ExitStatus> {
        if !self.is_over {
            let outer = Pid::from_child(&self.child);
            // Last, because it adopts what loses its parent.
            family::end_below(outer);
            let _ = kill_process(outer, Signal::KILL);
        }
        let status = self.child.wait();
        self.is_over = true;
        status
    }
}

impl Drop for Cell {
    fn drop(&mut self) {
        if !self.is_over {
            // Nobody asks any more how it ended.
            drop(self.end());
        }
    }
}
