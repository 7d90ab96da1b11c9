//! Keeps what is typed off the screen while a passphrase is asked for and tried.
//!
//! A prompt hides what is typed at it, but not what comes while a passphrase is stretched, or between
//! two prompts: a second try typed too early would stand on the screen. So the terminal is silent
//! from the first prompt to the end of the last try, and what was typed for nobody is dropped then.
//! However the process ends, the terminal gets its ways back: the one who ends it on a signal calls
//! [`show`].

use std::fs::File;
use std::sync::{Mutex, PoisonError};

use rustix::process::getpgrp;
use rustix::termios::{
    LocalModes, OptionalActions, QueueSelector, Termios, tcflush, tcgetattr, tcgetpgrp, tcsetattr,
};

/// The one terminal that a process has, while it is silent.
static SILENT: Mutex<Option<Silent>> = Mutex::new(None);

struct Silent {
    terminal: File,
    /// How it was.
    before: Termios,
    /// Who wants it silent.
    holder_count: usize,
}

/// While it is held, nothing that is typed is shown.
#[derive(Debug)]
#[must_use]
pub struct Hidden(());

impl Hidden {
    /// From now on. Where there is no terminal nothing is typed either.
    pub fn begin() -> Self {
        let mut silent = SILENT.lock().unwrap_or_else(PoisonError::into_inner);
        match silent.as_mut() {
            Some(silent) => silent.holder_count += 1,
            None => *silent = silence(),
        }
        Self(())
    }
}

impl Drop for Hidden {
    fn drop(&mut self) {
        let mut silent = SILENT.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(held) = silent.as_mut() {
            held.holder_count -= 1;
            if held.holder_count == 0 {
                restore(silent.take());
            }
        }
    }
}

/// Drops what was typed since the last prompt: whoever is asked again begins anew.
pub fn forget_typed() {
    let silent = SILENT.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(silent) = silent.as_ref().filter(|it| is_ours(&it.terminal)) {
        // What stays is only typed in vain.
        let _ = tcflush(&silent.terminal, QueueSelector::IFlush);
    }
}

/// Gives the terminal its ways back, whoever still wants it silent: the process ends.
pub(crate) fn show() {
    // Whoever is interrupted in the middle of changing it holds the lock for a moment only.
    let mut silent = SILENT.lock().unwrap_or_else(PoisonError::into_inner);
    restore(silent.take());
}

fn silence() -> Option<Silent> {
    let terminal = File::options().read(true).write(true).open("/dev/tty").ok()?;
    let before = tcgetattr(&terminal).ok()?;
    if !is_ours(&terminal) {
        return None;
    }
    let mut silent = before.clone();
    silent.local_modes.remove(LocalModes::ECHO | LocalModes::ECHONL);
    tcsetattr(&terminal, OptionalActions::Now, &silent).ok()?;
    Some(Silent { terminal, before, holder_count: 1 })
}

fn restore(silent: Option<Silent>) {
    if let Some(Silent { terminal, before, .. }) = silent.filter(|it| is_ours(&it.terminal)) {
        // It is gone, or somebody else's by now: then it is nobody's to restore. Not both in one call,
        // which would wait for a terminal that was told to stop.
        let _ = tcflush(&terminal, QueueSelector::IFlush);
        let _ = tcsetattr(&terminal, OptionalActions::Now, &before);
    }
}

/// Whether this process is in front: in the background it would be stopped for touching the terminal.
fn is_ours(terminal: &File) -> bool {
    tcgetpgrp(terminal).is_ok_and(|front| front == getpgrp())
}
