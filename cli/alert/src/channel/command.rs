//! A program of the user's that gets each event on its standard input.

use std::ffi::{OsStr, OsString};
use std::io::{Read, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, Stdio};
use std::time::Duration;

use agent::config::alert::Alert;
use engine::base::time::{Clock, SystemClock};
use engine::disk::child::child;
use rustix::process::{Pid, Signal, kill_process_group};

use crate::channel::{ChannelError, setting};
use crate::deliver::{PATIENCE, Receiver, Refusal};
use crate::state::Due;

/// How often it is looked whether it has ended.
const TICK: Duration = Duration::from_millis(20);
/// So much of what it complains of is kept.
const WORDS_MAX_BYTES: u64 = 4096;
/// Longer words are cut.
const WORDS_MAX_CHARS: usize = 200;

pub(super) struct CommandChannel {
    name: String,
    fallback: Option<String>,
    words: Vec<String>,
    variables: Vec<(OsString, OsString)>,
    patience: Duration,
}

impl CommandChannel {
    pub(super) fn new(
        alert: &Alert,
        variables: &[(OsString, OsString)],
    ) -> Result<Self, ChannelError> {
        let words = alert.run.as_ref().map(|run| run.0.clone()).unwrap_or_default();
        if words.is_empty() {
            return Err(setting(alert, "says no command"));
        }
        Ok(Self {
            name: alert.name().to_owned(),
            fallback: alert.fallback.clone(),
            words,
            variables: variables.to_vec(),
            patience: alert.timeout.map_or(PATIENCE, |span| Duration::from_secs(span.seconds())),
        })
    }

    fn run(&self, event: &Due) -> Result<(), String> {
        let Some((program, arguments)) = self.words.split_first() else { return Ok(()) };
        let mut command = child(OsStr::new(program), self.variables.iter().cloned());
        command.args(arguments).process_group(0);
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(|error| format!("cannot be started: {error}"))?;
        let (stdin, stderr) = (child.stdin.take(), child.stderr.take());
        let body = event.body.clone();
        // Whoever does not read it, or says much, must not stop this program.
        let given = std::thread::spawn(move || {
            stdin.map(|mut pipe| pipe.write_all(body.as_bytes()).and_then(|()| pipe.flush()))
        });
        let said = std::thread::spawn(move || {
            let mut text = Vec::new();
            if let Some(mut pipe) = stderr {
                let _ = pipe.by_ref().take(WORDS_MAX_BYTES).read_to_end(&mut text);
                let _ = std::io::copy(&mut pipe, &mut std::io::sink());
            }
            String::from_utf8_lossy(&text).into_owned()
        });
        self.wait(&mut child)?;
        drop(given);
        let status = child.wait().map_err(|error| format!("was lost: {error}"))?;
        if status.success() {
            return Ok(());
        }
        let ending = match status.code() {
            Some(code) => format!("ended with exit code {code}"),
            None => "was ended by a signal".to_owned(),
        };
        // What it started may hold its standard error open; its words are then left behind.
        std::thread::sleep(TICK);
        let words =
            if said.is_finished() { said.join().unwrap_or_default() } else { String::new() };
        match words.lines().last().map(str::trim).filter(|line| !line.is_empty()) {
            Some(line) => Err(format!("{ending}: {}", crate::record::cut(line, WORDS_MAX_CHARS))),
            None => Err(ending),
        }
    }

    fn wait(&self, child: &mut Child) -> Result<(), String> {
        let clock = SystemClock::default();
        let begun = clock.monotonic();
        loop {
            match child.try_wait() {
                Ok(Some(_)) => return Ok(()),
                Ok(None) => {}
                Err(error) => return Err(format!("was lost: {error}")),
            }
            if clock.monotonic().saturating_sub(begun) > self.patience {
                let group = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
                if let Some(group) = group {
                    let _ = kill_process_group(group, Signal::KILL);
                }
                let _ = child.wait();
                return Err(format!("took longer than {} s", self.patience.as_secs()));
            }
            std::thread::sleep(TICK);
        }
    }
}

impl Receiver for CommandChannel {
    fn name(&self) -> &str {
        &self.name
    }

    fn fallback(&self) -> Option<&str> {
        self.fallback.as_deref()
    }

    fn is_digest(&self) -> bool {
        false
    }

    fn give(&mut self, events: &[Due], _now_s: i64) -> Result<Option<String>, Refusal> {
        for event in events {
            self.run(event).map_err(|why| {
                let program = self.words.first().map(String::as_str).unwrap_or_default();
                Refusal::of_event(format!("the command {program:?} {why}"))
            })?;
        }
        Ok(None)
    }
}
