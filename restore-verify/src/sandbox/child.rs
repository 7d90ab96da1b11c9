//! The confined child: this program, started again with a word that only it uses.
//!
//! The outer process makes namespaces and waits; the inner one, the first of its own process
//! namespace, gives up everything else and works. When the inner one ends, however, nothing that it
//! started goes on.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, ExitStatus};

use rustix::process::{Signal, getpid, set_child_subreaper, set_parent_process_death_signal};

use crate::evidence::confinement::{Confinement, Reach};
use crate::probe::choose;
use crate::sandbox::job::{Answer, Job, Question, Task, receive, send};
use crate::sandbox::{apart, family, walls};

/// The word: never a command of a user.
pub const WORD: &str = "confined-probe";
/// The two processes.
pub const OUTER: &str = "outer";
const INNER: &str = "inner";
/// This program.
const MYSELF: &str = "/proc/self/exe";
/// Exit code of a child that could not begin.
pub const BROKEN: u8 = 70;
/// What the shell that sets the limit of memory answers if it cannot.
const CANNOT_TELL: u8 = 75;

/// Runs the child if that is what `arguments`, the program's name first, ask for; answers its exit
/// code. To be asked before the process has threads.
#[must_use]
pub fn enter(arguments: &[OsString]) -> Option<u8> {
    let [_, word, stage, job] = arguments else { return None };
    if word != WORD {
        return None;
    }
    let Some(job) = Job::from_argument(job) else { return Some(BROKEN) };
    let done = if stage == OUTER { outer(job) } else { inner(&job) };
    Some(done.unwrap_or(BROKEN))
}

fn outer(mut job: Job) -> io::Result<u8> {
    let apart = apart::separate(job.network);
    let reach = match (apart.network, job.network) {
        (true, _) => Reach::Loopback,
        (false, true) => Reach::Asked,
        (false, false) => Reach::Open,
    };
    if !apart.processes {
        // Then this process collects whatever lost its parent, and ends it.
        set_child_subreaper(Some(getpid()))?;
    }
    let confinement =
        Confinement { landlock: 0, reach, processes_apart: apart.processes, limited: false };
    job.confinement = Some(confinement);
    let status = Command::new(MYSELF)
        .args([OsStr::new(WORD), OsStr::new(INNER), OsStr::new(&job.to_argument()?)])
        .status();
    if !apart.processes {
        family::end_below(getpid());
    }
    Ok(code_of(status?))
}

/// As a shell says it: what a signal ended has no code of its own.
fn code_of(status: ExitStatus) -> u8 {
    let signal = status.signal().map(|signal| 128 + signal);
    status.code().or(signal).and_then(|code| u8::try_from(code).ok()).unwrap_or(BROKEN)
}

fn inner(job: &Job) -> io::Result<u8> {
    set_parent_process_death_signal(Some(Signal::KILL))?;
    let mut confinement = job.confinement.clone().unwrap_or(Confinement::NONE);
    confinement.limited = walls::limit(job);
    let closes_network = confinement.reach == Reach::Open
        || (confinement.reach == Reach::Loopback && job.task == Task::Files);
    confinement.landlock = walls::close_files(job, closes_network)
        .map_err(|error| io::Error::other(error.to_string()))?;
    // TCP is a part of Landlock since its fourth version.
    if confinement.reach == Reach::Open && confinement.landlock >= 4 {
        confinement.reach = Reach::NoTcp;
    }
    walls::drop_capabilities(job.task)?;
    match job.task {
        Task::Report => send(&mut io::stdout(), &confinement).map(|()| 0),
        Task::Files => {
            send(&mut io::stdout(), &confinement)?;
            serve().map(|()| 0)
        }
        Task::Command => test(job),
    }
}

/// Answers questions until there are none.
fn serve() -> io::Result<()> {
    let (mut input, mut output) = (io::stdin().lock(), io::stdout().lock());
    while let Some(question) = receive::<Question>(&mut input)? {
        let path = question.path.to_path();
        let answer = match choose::by_content(&path, &question.name) {
            Ok(Some(choice)) if !question.skip.iter().any(|name| name == choice.name()) => {
                send(&mut output, &Answer::begin(choice.name()))?;
                Answer::of(choice.name(), choose::look(&path, choice, &question.limits()))
            }
            Ok(_) => Answer::default(),
            // That it cannot be read was found by the comparison.
            Err(_) => Answer::default(),
        };
        send(&mut output, &answer)?;
    }
    Ok(())
}

/// Runs the user's own test.
fn test(job: &Job) -> io::Result<u8> {
    // The shell sets the limit and becomes the command: there is no way to do so from here without
    // code that the compiler cannot check, and this process must outlive it.
    let kib = (job.memory_bytes / 1024).to_string();
    let script = format!("ulimit -v \"$1\" || exit {CANNOT_TELL}; shift; exec \"$@\"");
    let status = Command::new("/bin/sh")
        .args(["-c", &script, "sh", &kib])
        .args(job.argv.iter().map(crate::sandbox::job::Text::to_os))
        .status()?;
    Ok(code_of(status))
}
