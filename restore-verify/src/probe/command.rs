//! The user's own test of what was restored: a command with limits of time, memory and output.
//!
//! It gets the folder in `MAINSTAY_RESTORED` and nothing else of the environment but the `PATH`.
//! Exit code 0 passes, 75 says that it could not test, anything else fails.

use std::ffi::OsString;
use std::io::Read;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use engine::base::path::escape;
use engine::base::time::Clock;
use rustix::process::{Pid, Signal, kill_process_group};

use crate::probe::verdict::Verdict;

/// What a command may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CommandLimits {
    /// Wall time, in milliseconds.
    pub time_ms: u64,
    /// Address space of each of its processes, in bytes.
    pub memory_bytes: u64,
    /// Bytes that it may print.
    pub output_bytes: u64,
}

impl Default for CommandLimits {
    fn default() -> Self {
        Self { time_ms: 600_000, memory_bytes: 8 << 30, output_bytes: 1 << 20 }
    }
}

/// Exit code of a test that could not test.
const CANNOT_TELL: i32 = 75;
/// Bytes of output that a finding quotes, the last ones.
const QUOTED_BYTES: usize = 300;
/// Between two looks at whether the command has ended.
const LOOK_MS: u64 = 20;
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Runs `argv` over the restored `folder`.
#[must_use]
pub fn run(argv: &[OsString], folder: &Path, limits: &CommandLimits, clock: &dyn Clock) -> Verdict {
    let Some(program) = argv.first() else {
        return Verdict::NotProved("no command is given".to_owned());
    };
    // The shell sets the limit and becomes the command: there is no way to do so from here
    // without code that the compiler cannot check.
    let kib = (limits.memory_bytes / 1024).to_string();
    let spawned = Command::new("/bin/sh")
        .args(["-c", "ulimit -v \"$1\" || exit 75; shift; exec \"$@\"", "sh", &kib])
        .args(argv)
        .current_dir(folder)
        .env_clear()
        .env("PATH", PATH)
        .env("MAINSTAY_RESTORED", folder)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .spawn();
    match spawned {
        Ok(child) => watch(child, limits, clock),
        Err(error) => Verdict::NotProved(format!("{}: {error}", program.display())),
    }
}

fn watch(mut child: Child, limits: &CommandLimits, clock: &dyn Clock) -> Verdict {
    let outputs = (child.stdout.take(), child.stderr.take());
    let group = Pid::from_child(&child);
    let started = clock.monotonic();
    let is_too_much = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let collector = Collector { most: limits.output_bytes, is_too_much: &is_too_much };
        let out = scope.spawn(move || outputs.0.map(|pipe| collector.collect(pipe)));
        let err = scope.spawn(move || outputs.1.map(|pipe| collector.collect(pipe)));
        let mut stopped = None;
        let status = loop {
            match child.try_wait() {
                Ok(Some(status)) => break Ok(status),
                Ok(None) => {}
                Err(error) => break Err(error),
            }
            if clock.monotonic().saturating_sub(started) > Duration::from_millis(limits.time_ms) {
                stopped = Some("it took longer than it may");
                break child_stopped(&mut child, group);
            }
            if is_too_much.load(Ordering::Relaxed) {
                stopped = Some("it printed more than it may");
                break child_stopped(&mut child, group);
            }
            std::thread::sleep(Duration::from_millis(LOOK_MS));
        };
        // Whatever it left running would hold the pipes, and the scratch folder.
        let _ = kill_process_group(group, Signal::KILL);
        let out = out.join().ok().flatten().unwrap_or_default();
        let err = err.join().ok().flatten().unwrap_or_default();
        if is_too_much.load(Ordering::Relaxed) {
            stopped = Some("it printed more than it may");
        }
        match (stopped, status) {
            (Some(why), _) => Verdict::Failed(why.to_owned()),
            (None, Err(error)) => Verdict::NotProved(error.to_string()),
            (None, Ok(status)) if status.success() => Verdict::Passed,
            (None, Ok(status)) => {
                let said = if err.is_empty() { &out } else { &err };
                let how = match (status.code(), status.signal()) {
                    (Some(code), _) => format!("exit code {code}"),
                    (None, signal) => format!("signal {}", signal.unwrap_or_default()),
                };
                let why = format!("{how}: {}", escape(said.trim_ascii()));
                match status.code() {
                    Some(CANNOT_TELL) => Verdict::NotProved(why),
                    _ => Verdict::Failed(why),
                }
            }
        }
    })
}

fn child_stopped(child: &mut Child, group: Pid) -> std::io::Result<std::process::ExitStatus> {
    let _ = kill_process_group(group, Signal::KILL);
    child.wait()
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
    use engine::base::time::SystemClock;

    use super::*;

    fn shell(script: &str, limits: CommandLimits) -> Verdict {
        let folder = tempfile::tempdir().expect("a folder");
        let argv: Vec<OsString> = ["/bin/sh", "-c", script].iter().map(OsString::from).collect();
        run(&argv, folder.path(), &limits, &SystemClock::default())
    }

    #[test]
    fn a_command_passes_fails_or_cannot_tell() {
        let limits = CommandLimits::default();
        assert_eq!(
            shell("cd \"$MAINSTAY_RESTORED\" && test -z \"$HOME\"", limits),
            Verdict::Passed
        );
        let failed = shell("echo 3 rows are missing >&2; exit 4", limits);
        assert_eq!(failed, Verdict::Failed("exit code 4: 3 rows are missing".to_owned()));
        assert!(matches!(shell("exit 75", limits), Verdict::NotProved(_)));
    }

    #[test]
    fn limits_hold() {
        let limits = CommandLimits { time_ms: 300, memory_bytes: 64 << 20, output_bytes: 10_000 };
        let late = Verdict::Failed("it took longer than it may".to_owned());
        assert_eq!(shell("sleep 30 & sleep 30", limits), late);
        let loud = Verdict::Failed("it printed more than it may".to_owned());
        let patient = CommandLimits { time_ms: 20_000, ..limits };
        assert_eq!(
            shell("while :; do echo aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa; done", patient),
            loud
        );
        let large = shell("x=$(head -c 200000000 /dev/zero | tr '\\0' x); test -n \"$x\"", patient);
        assert!(matches!(large, Verdict::Failed(_)), "{large:?}");
    }
}
