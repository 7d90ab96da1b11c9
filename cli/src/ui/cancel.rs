//! Stopping on SIGINT, SIGTERM and SIGHUP: first asked, then at once.
//!
//! An operation that can stop safely holds an [`Observer`]; the first signal then only sets a
//! flag, and the operation ends in a state that the next run goes on from. With nobody observing,
//! on a second signal, or if nobody looks at the flag any more (all wait: for a pipe without data, for
//! a server that hangs), the process ends before two seconds are over with 130: everything in the repository is written so
//! that this is safe too, the next run only has more to repeat. Processes that it began end with
//! it.
//!
//! Signals arrive through tokio on a helper thread, so that no handler of ours runs in signal
//! context.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::ui::hidden;

/// The exit code of a process that was asked to stop.
const INTERRUPTED: i32 = 130;
/// Who does not look at the flag for so long after a signal is waiting for something.
const PATIENCE: Duration = Duration::from_millis(1750);
/// Who has looked once, and for so long not again, waits for something as well: each that looks is
/// told to stop.
const PATIENCE_AFTER_LOOKS: Duration = Duration::from_millis(1000);
/// How often it is seen whether somebody has looked.
const TICK: Duration = Duration::from_millis(50);
/// What children are left to end by themselves.
const GRACE_OF_CHILDREN: Duration = Duration::from_millis(100);
/// Processes that are ended; whoever begins more is not a dump program.
const DESCENDANTS_MAX: usize = 4096;
/// Who still looks at it after so long does not come to an end.
const PATIENCE_MAX: Duration = Duration::from_millis(14_000);

/// Whether somebody wants the process to stop; cheap to clone and to ask.
#[derive(Debug, Clone, Default)]
pub struct Cancel {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    is_set: AtomicBool,
    observers: AtomicUsize,
    /// How often somebody looked.
    looks: AtomicU64,
}

/// Held while an operation looks at the flag; see [`Cancel::observe`].
#[derive(Debug)]
pub struct Observer {
    shared: Arc<Shared>,
}

impl Cancel {
    /// Listens to SIGINT, SIGTERM and SIGHUP from now on, for the life of the process; not to
    /// SIGHUP where it is ignored, as under `nohup`.
    ///
    /// # Errors
    /// If the thread or the signal handlers cannot be made.
    pub fn on_signals() -> io::Result<Self> {
        let cancel = Self::default();
        let shared = Arc::clone(&cancel.shared);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let mut signals = {
            let _inside = runtime.enter();
            vec![signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?]
        };
        if !is_hangup_ignored() {
            let _inside = runtime.enter();
            signals.push(signal(SignalKind::hangup())?);
        }
        {
            // A file that grows beyond the limit of its size is an error of that file. Whoever listens
            // to the signal is not killed by it, also when nobody asks whether it came.
            let _inside = runtime.enter();
            let _heard = signal(SignalKind::from_raw(rustix::process::Signal::XFSZ.as_raw()))?;
        }
        std::thread::Builder::new()
            .name("signals".to_owned())
            .spawn(move || runtime.block_on(listen(&shared, signals)))?;
        Ok(cancel)
    }

    /// Asks to stop, as the first signal does.
    pub fn set(&self) {
        self.shared.is_set.store(true, Ordering::SeqCst);
    }

    /// Whether a stop was asked for.
    #[must_use]
    pub fn is_set(&self) -> bool {
        self.shared.looks.fetch_add(1, Ordering::Relaxed);
        self.shared.is_set.load(Ordering::SeqCst)
    }

    /// The same for whoever only waits for others, and will not end the operation.
    #[must_use]
    pub fn is_asked(&self) -> bool {
        self.shared.is_set.load(Ordering::SeqCst)
    }

    /// Promises to look at [`Cancel::is_set`] for as long as the answer is held.
    #[must_use]
    pub fn observe(&self) -> Observer {
        self.shared.observers.fetch_add(1, Ordering::SeqCst);
        Observer { shared: Arc::clone(&self.shared) }
    }
}

impl Drop for Observer {
    fn drop(&mut self) {
        self.shared.observers.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Whether whoever started this program wants it to outlive the terminal.
fn is_hangup_ignored() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let ignored = ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    // Bit 0 stands for signal 1.
    ignored.is_some_and(|mask| mask & 1 != 0)
}

async fn listen(shared: &Shared, mut signals: Vec<Signal>) {
    // First come, first served, without the macros of tokio.
    let mut came = async || {
        std::future::poll_fn(|task| {
            let mut polled = signals.iter_mut().map(|signal| signal.poll_recv(task));
            match polled.any(|one| one.is_ready()) {
                true => std::task::Poll::Ready(()),
                false => std::task::Poll::Pending,
            }
        })
        .await;
    };
    came().await;
    if ends_at_once(shared) {
        end();
    }
    let mut patience = Patience::begin(shared.looks.load(Ordering::Relaxed));
    // A second signal ends the patience.
    while tokio::time::timeout(TICK, came()).await.is_err() {
        if patience.is_over(TICK, shared.looks.load(Ordering::Relaxed)) {
            break;
        }
    }
    end();
}

/// How long the end of an operation is waited for that was asked to stop.
struct Patience {
    passed: Duration,
    looks: u64,
    /// When somebody was last seen to have looked.
    looked: Option<Duration>,
}

impl Patience {
    fn begin(looks: u64) -> Self {
        Self { passed: Duration::ZERO, looks, looked: None }
    }

    /// `passed` later there were `looks` in all: whether nobody is to be waited for any more.
    fn is_over(&mut self, passed: Duration, looks: u64) -> bool {
        self.passed += passed;
        if looks != self.looks {
            (self.looks, self.looked) = (looks, Some(self.passed));
        }
        let end = match self.looked {
            None => PATIENCE,
            // Not before those end who never looked.
            Some(looked) => (looked + PATIENCE_AFTER_LOOKS).max(PATIENCE),
        };
        self.passed >= end.min(PATIENCE_MAX)
    }
}

/// Ends the process and those that it began, and leaves the terminal as it was.
fn end() -> ! {
    hidden::show();
    end_children();
    std::process::exit(INTERRUPTED)
}

/// Ends the processes that this one began, and those that they began, as far as the system names them:
/// by asking first, and a moment later also those that do not listen.
fn end_children() {
    let all = descendants();
    all.iter().for_each(|child| send(*child, rustix::process::Signal::TERM));
    if all.is_empty() {
        return;
    }
    std::thread::sleep(GRACE_OF_CHILDREN);
    // Whoever they began meanwhile is asked by nobody else.
    all.iter().chain(&descendants()).for_each(|child| send(*child, rustix::process::Signal::KILL));
}

fn send(child: i32, signal: rustix::process::Signal) {
    if let Some(child) = rustix::process::Pid::from_raw(child) {
        // One that has ended by itself is what is wanted.
        let _ = rustix::process::kill_process(child, signal);
    }
}

fn descendants() -> Vec<i32> {
    let mut found = children_of("self");
    let mut looked_at = 0;
    while let Some(next) = found.get(looked_at).copied().filter(|_| found.len() < DESCENDANTS_MAX) {
        found.extend(children_of(&next.to_string()));
        looked_at += 1;
    }
    found
}

fn children_of(process: &str) -> Vec<i32> {
    let tasks = std::fs::read_dir(format!("/proc/{process}/task"));
    let texts = tasks
        .into_iter()
        .flatten()
        .flatten()
        .map(|task| std::fs::read_to_string(task.path().join("children")).unwrap_or_default());
    let numbers = |text: String| {
        text.split_whitespace().filter_map(|number| number.parse().ok()).collect::<Vec<_>>()
    };
    texts.flat_map(numbers).collect()
}

/// Takes note of one signal; whether the process has to end now.
fn ends_at_once(shared: &Shared) -> bool {
    let was_set = shared.is_set.swap(true, Ordering::SeqCst);
    was_set || shared.observers.load(Ordering::SeqCst) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_signal_asks_and_the_second_ends() {
        let cancel = Cancel::default();
        let observer = cancel.observe();
        assert!(!ends_at_once(&cancel.shared));
        assert!(cancel.is_set());
        assert!(ends_at_once(&cancel.shared));
        drop(observer);
    }

    #[test]
    fn a_real_signal_arrives() {
        let cancel = Cancel::on_signals().expect("because the test may have handlers");
        let _observer = cancel.observe();
        let own = rustix::process::getpid();
        rustix::process::kill_process(own, rustix::process::Signal::TERM)
            .expect("because a process may signal itself");
        for _ in 0..500 {
            if cancel.is_set() {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        panic!("the signal was not seen within five seconds");
    }

    #[test]
    fn who_looks_has_more_time_and_who_waits_has_less_than_two_seconds() {
        let ends_at = |last_look_ms: u64| {
            let mut patience = Patience::begin(7);
            let mut looks = 7;
            (1..).map(|tick: u64| tick * 50).find(|at_ms| {
                looks += u64::from(*at_ms <= last_look_ms);
                patience.is_over(TICK, looks)
            })
        };
        assert_eq!(ends_at(0), Some(1750));
        assert_eq!(ends_at(700), Some(1750));
        assert_eq!(ends_at(5000), Some(6000));
        assert_eq!(ends_at(60_000), Some(14_000));
    }

    #[test]
    fn children_are_asked_to_end() {
        let mut child = std::process::Command::new("sleep").arg("60").spawn().expect("a child");
        end_children();
        let ended = child.wait().expect("it ends");
        assert!(!ended.success());
    }

    #[test]
    fn with_nobody_observing_the_first_signal_ends() {
        let cancel = Cancel::default();
        drop(cancel.observe());
        assert!(ends_at_once(&cancel.shared));
    }
}
