//! What is said while a store is silent.
//!
//! A line after three seconds, and then ever more rarely: a log of a night must not consist of
//! them. Where nobody looks on, the first comes after ten seconds, since most silences are shorter.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use engine::store::{Waiting, Watch};

use crate::ui::Ui;
use crate::ui::cancel::Cancel;

/// Prints one line where a bar may be in the way.
pub(crate) type Say = Arc<dyn Fn(&str) + Send + Sync>;

/// Who prints lines at present; shared by all copies of a [`Ui`].
#[derive(Clone, Default)]
pub(crate) struct Speaker(Arc<Mutex<Option<Say>>>);

impl Speaker {
    /// From now on `say` prints; `None` for nobody.
    pub(crate) fn set(&self, say: Option<Say>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = say;
    }

    fn get(&self) -> Option<Say> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Seconds of silence at which something is said; every minute after the last.
const SAID_AT_S: [u64; 4] = [3, 10, 30, 60];

impl Ui {
    /// Tells on standard error while a store is silent, and passes on that the user wants to stop.
    #[must_use]
    pub fn watch(&self, cancel: &Cancel) -> Watch {
        let first_s = if self.stderr.is_terminal() { SAID_AT_S[0] } else { SAID_AT_S[1] };
        let said_s = Arc::new(AtomicU64::new(0));
        let (ui, said) = (self.clone(), Arc::clone(&said_s));
        let on_wait = move |waiting: &Waiting| {
            let silent_s = waiting.silent_ms.div_ceil(1000);
            let due_s = due(silent_s).filter(|due_s| *due_s >= first_s);
            if let Some(due_s) = due_s
                && said.fetch_max(due_s, Ordering::Relaxed) < due_s
            {
                ui.say(&words(waiting, silent_s));
            }
        };
        let ui = self.clone();
        let on_answer = move || {
            if said_s.swap(0, Ordering::Relaxed) > 0 {
                ui.say("the store answers again");
            }
        };
        let cancel = cancel.clone();
        Watch {
            on_wait: Some(Arc::new(on_wait)),
            on_answer: Some(Arc::new(on_answer)),
            is_cancelled: Some(Arc::new(move || cancel.is_asked())),
        }
    }

    fn say(&self, line: &str) {
        match self.speaker.get() {
            Some(say) => say(line),
            None => self.note(line),
        }
    }
}

/// The last moment before `silent_s` at which something is said.
fn due(silent_s: u64) -> Option<u64> {
    let last = SAID_AT_S[SAID_AT_S.len() - 1];
    match silent_s >= last {
        true => Some(silent_s / last * last),
        false => SAID_AT_S.into_iter().rfind(|at_s| *at_s <= silent_s),
    }
}

fn words(waiting: &Waiting, silent_s: u64) -> String {
    match &waiting.last_failure {
        None => format!("the store does not answer, waiting ({silent_s} s)"),
        Some(why) => format!("{why}; trying again ({silent_s} s)"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::Settings;
    use crate::ui::output::{Captured, Output};

    fn said(is_terminal: bool, silences_ms: &[u64]) -> String {
        let (out, _) = Captured::output();
        let text = Captured::default();
        let err = Output::new(text.clone(), is_terminal);
        let ui = Ui::new(Settings::default(), out, err);
        let watch = ui.watch(&Cancel::default());
        let tell = watch.on_wait.expect("somebody is told");
        for silent_ms in silences_ms {
            tell(&Waiting { silent_ms: *silent_ms, last_failure: None });
        }
        watch.on_answer.expect("somebody is told")();
        text.text()
    }

    #[test]
    fn silence_is_said_after_three_seconds_and_then_more_rarely() {
        let all: Vec<u64> = (0..=4 * 125).map(|quarter| quarter * 250).collect();
        let text = said(true, &all);
        let count = text.lines().filter(|line| line.contains("does not answer")).count();
        assert_eq!(count, 5, "{text}");
        assert!(text.starts_with("the store does not answer, waiting (3 s)\n"), "{text}");
        assert!(text.ends_with("the store answers again\n"), "{text}");
        assert!(said(false, &all).starts_with("the store does not answer, waiting (10 s)\n"));
        assert_eq!(said(true, &[250, 1000, 2000]), "");
    }
}
