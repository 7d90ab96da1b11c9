//! Runs a program and stops it at a chosen change of a folder, or makes that change fail.
//!
//! The program is any program: it is traced (ptrace) from its first instruction, with all its
//! threads, and every call that changes something below the watched folder has a number. A process
//! that is killed before a call has not made it; one that is killed after it has made it and
//! nothing else in that thread. A call that fails is not made at all.
//!
//! The tracer of a process is a thread, so that several threads may trace at once.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use nix::errno::Errno;
use nix::libc;
use nix::sys::ptrace::{self, Options};
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

use crate::call::{Call, Raw, change};

/// What happens to the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Nothing: changes are only counted.
    None,
    /// It is killed before it makes the change of this number.
    KillBefore(usize),
    /// It is killed when it has made the change of this number.
    KillAfter(usize),
    /// It gets SIGINT when it has made the change of this number.
    Interrupt(usize),
    /// The change of this number fails and no other.
    Fail(usize, Errno),
    /// Every change from this number on that takes space fails: the disk is full.
    Full(usize),
}

/// How a program ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ended {
    Exit(i32),
    Signal(Signal),
}

/// A run that was watched.
#[derive(Debug)]
pub(crate) struct Traced {
    pub(crate) ended: Ended,
    /// Every change below the watched folder, in the order in which they began.
    pub(crate) calls: Vec<Call>,
    /// The call that the fault met.
    pub(crate) met: Option<Call>,
}

/// Arguments of a shell that waits for a line and then becomes the program: by then it is traced.
const WAITING_SHELL: [&str; 3] = ["-c", "read line; exec \"$@\" </dev/null", "sh"];

/// Runs `command`, whose output goes to the two files, until it ends.
///
/// # Errors
/// What the system refuses: where processes must not be traced, there is nothing to test.
pub(crate) fn run(
    command: &Command,
    output: (File, File),
    watched: &Path,
    fault: Fault,
) -> io::Result<Traced> {
    let mut shell = Command::new("/bin/sh");
    shell.args(WAITING_SHELL).arg(command.get_program()).args(command.get_args());
    shell.env_clear();
    for (name, value) in command.get_envs() {
        if let Some(value) = value {
            shell.env(name, value);
        }
    }
    if let Some(folder) = command.get_current_dir() {
        shell.current_dir(folder);
    }
    shell.stdin(Stdio::piped()).stdout(output.0).stderr(output.1);
    let mut child = shell.spawn()?;
    let leader = Pid::from_raw(i32::try_from(child.id()).map_err(io::Error::other)?);
    let options = Options::PTRACE_O_TRACESYSGOOD
        | Options::PTRACE_O_TRACECLONE
        | Options::PTRACE_O_TRACEFORK
        | Options::PTRACE_O_TRACEVFORK
        | Options::PTRACE_O_TRACEEXEC
        | Options::PTRACE_O_EXITKILL;
    if let Err(error) = ptrace::seize(leader, options) {
        let _ = child.kill();
        let _ = child.wait();
        return Err(error.into());
    }
    child.stdin.take().map(|mut line| line.write_all(b"go\n")).transpose()?;
    let mut tracer =
        Tracer { leader, watched, fault, calls: Vec::new(), met: None, pending: BTreeMap::new() };
    let ended = tracer.follow()?;
    Ok(Traced { ended, calls: tracer.calls, met: tracer.met })
}

/// What is to be done when a thread comes out of its call.
enum Pending {
    Kill,
    Interrupt,
    Fail(Errno),
}

struct Tracer<'a> {
    leader: Pid,
    watched: &'a Path,
    fault: Fault,
    calls: Vec<Call>,
    met: Option<Call>,
    pending: BTreeMap<Pid, Pending>,
}

impl Tracer<'_> {
    fn follow(&mut self) -> io::Result<Ended> {
        loop {
            // Of this thread only: others trace other programs.
            let flags = WaitPidFlag::__WALL | WaitPidFlag::__WNOTHREAD;
            match waitpid(None, Some(flags))? {
                WaitStatus::Exited(pid, code) if pid == self.leader => {
                    return Ok(Ended::Exit(code));
                }
                WaitStatus::Signaled(pid, signal, _) if pid == self.leader => {
                    return Ok(Ended::Signal(signal));
                }
                WaitStatus::PtraceSyscall(thread) => {
                    self.at_call(thread).or_else(gone)?;
                    resume(thread, None)?;
                }
                WaitStatus::PtraceEvent(thread, _, _) => resume(thread, None)?,
                WaitStatus::Stopped(thread, signal) => resume(thread, Some(signal))?,
                _ => {}
            }
        }
    }

    fn at_call(&mut self, thread: Pid) -> Result<(), Errno> {
        let is_entry = ptrace::syscall_info(thread)?.op == libc::PTRACE_SYSCALL_INFO_ENTRY;
        let mut registers = ptrace::getregs(thread)?;
        if !is_entry {
            match self.pending.remove(&thread) {
                Some(Pending::Kill) => kill(self.leader, Signal::SIGKILL)?,
                Some(Pending::Interrupt) => kill(self.leader, Signal::SIGINT)?,
                Some(Pending::Fail(errno)) => {
                    registers.rax = (-i64::from(errno as i32)) as u64;
                    ptrace::setregs(thread, registers)?;
                }
                None => {}
            }
            return Ok(());
        }
        let raw = Raw {
            number: registers.orig_rax as i64,
            arguments: [
                registers.rdi,
                registers.rsi,
                registers.rdx,
                registers.r10,
                registers.r8,
                registers.r9,
            ],
        };
        let Some(call) = change(thread, &raw) else { return Ok(()) };
        if !call.paths.iter().any(|path| path.starts_with(self.watched)) {
            return Ok(());
        }
        let (at, takes_space) = (self.calls.len(), call.takes_space);
        self.calls.push(call);
        let pending = match self.fault {
            Fault::KillBefore(chosen) if chosen == at => {
                self.met = self.calls.last().cloned();
                return kill(self.leader, Signal::SIGKILL);
            }
            Fault::KillAfter(chosen) if chosen == at => Pending::Kill,
            Fault::Interrupt(chosen) if chosen == at => Pending::Interrupt,
            Fault::Fail(chosen, errno) if chosen == at => Pending::Fail(errno),
            Fault::Full(chosen) if chosen <= at && takes_space => Pending::Fail(Errno::ENOSPC),
            _ => return Ok(()),
        };
        if self.met.is_none() {
            self.met = self.calls.last().cloned();
        }
        if let Pending::Fail(_) = pending {
            // No call has this number: the kernel makes none, and the result is set afterwards.
            registers.orig_rax = u64::MAX;
            ptrace::setregs(thread, registers)?;
        }
        self.pending.insert(thread, pending);
        Ok(())
    }
}

/// Lets a thread run to its next call; it may have been killed meanwhile.
fn resume(thread: Pid, signal: Option<Signal>) -> Result<(), Errno> {
    ptrace::syscall(thread, signal).or_else(gone)
}

fn gone(error: Errno) -> Result<(), Errno> {
    if error == Errno::ESRCH { Ok(()) } else { Err(error) }
}
