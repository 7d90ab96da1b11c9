//! Stopping on SIGINT and SIGTERM: first asked, then at once.
//!
//! An operation that can stop safely holds an [`Observer`]; the first signal then only sets a
//! flag, and the operation ends in a state that the next run goes on from. With nobody observing,
//! or on a second signal, the process ends at once with 130: everything in the repository is
//! written so that this is safe too, the next run only has more to repeat.
//!
//! Signals arrive through tokio on a helper thread, so that no handler of ours runs in signal
//! context.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use tokio::signal::unix::{Signal, SignalKind, signal};

/// The exit code of a process that was asked to stop.
const INTERRUPTED: i32 = 130;

/// Whether somebody wants the process to stop; cheap to clone and to ask.
#[derive(Debug, Clone, Default)]
pub struct Cancel {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    is_set: AtomicBool,
    observers: AtomicUsize,
}

/// Held while an operation looks at the flag; see [`Cancel::observe`].
#[derive(Debug)]
pub struct Observer {
    shared: Arc<Shared>,
}

impl Cancel {
    /// Listens to SIGINT and SIGTERM from now on, for the life of the process.
    ///
    /// # Errors
    /// If the thread or the signal handlers cannot be made.
    pub fn on_signals() -> io::Result<Self> {
        let cancel = Self::default();
        let shared = Arc::clone(&cancel.shared);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
        let (interrupt, terminate) = {
            let _inside = runtime.enter();
            (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?)
        };
        std::thread::Builder::new()
            .name("signals".to_owned())
            .spawn(move || runtime.block_on(listen(&shared, interrupt, terminate)))?;
        Ok(cancel)
    }

    /// Asks to stop, as the first signal does.
    pub fn set(&self) {
        self.shared.is_set.store(true, Ordering::SeqCst);
    }

    /// Whether a stop was asked for.
    #[must_use]
    pub fn is_set(&self) -> bool {
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

async fn listen(shared: &Shared, mut interrupt: Signal, mut terminate: Signal) {
    loop {
        // Two futures, first come first served, without the macros of tokio.
        let came = std::future::poll_fn(|task| {
            if interrupt.poll_recv(task).is_ready() {
                std::task::Poll::Ready(())
            } else {
                terminate.poll_recv(task).map(|_| ())
            }
        });
        came.await;
        if ends_at_once(shared) {
            std::process::exit(INTERRUPTED);
        }
    }
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
    fn with_nobody_observing_the_first_signal_ends() {
        let cancel = Cancel::default();
        drop(cancel.observe());
        assert!(ends_at_once(&cancel.shared));
    }
}
