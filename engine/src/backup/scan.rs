//! Counts what there is to back up, beside the backup, so that its progress has an end.
//!
//! A second walk with the same rules as the first one reads no file and waits for nobody; what it
//! looks at, the backup finds in the kernel's caches a little later. Runs that are over soon never
//! begin to count.

use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, TryRecvError, bounded};

use crate::backup::shared::Shared;
use crate::disk::walk::{Walk, WalkItem, WalkOptions};
use crate::format::entry::EntryKind;

/// A run that ends sooner needs no estimate.
const PATIENCE: Duration = Duration::from_millis(500);

/// Items between two words on how much there is so far.
const TOLD_EVERY: u64 = 256;

/// Does `work`, and meanwhile counts what `count` describes and tells the monitor. Counting ends
/// with the work at the latest; what cannot be looked at is the work's to report.
pub(super) fn beside<T>(
    count: Option<WalkOptions>,
    shared: &Shared<'_>,
    work: impl FnOnce() -> T,
) -> T {
    let Some(options) = count else { return work() };
    std::thread::scope(|scope| {
        let (working, is_over) = bounded::<()>(0);
        scope.spawn(move || {
            if let Some((items, bytes)) = scan(options, &is_over, shared) {
                shared.monitor.totals(items, bytes);
            }
        });
        let made = work();
        drop(working);
        made
    })
}

/// Numbers of items and bytes; `None` if the work was over first.
fn scan(options: WalkOptions, is_over: &Receiver<()>, shared: &Shared<'_>) -> Option<(u64, u64)> {
    if is_over.recv_timeout(PATIENCE) != Err(RecvTimeoutError::Timeout) {
        return None;
    }
    let (mut items, mut bytes) = (0, 0_u64);
    for item in Walk::new(options).ok()? {
        if is_over.try_recv() != Err(TryRecvError::Empty) {
            return None;
        }
        let WalkItem::Found(found) = item else { continue };
        items += 1;
        if items % TOLD_EVERY == 0 {
            shared.monitor.counted(bytes);
        }
        let facts = found.stat.facts;
        if facts.kind == EntryKind::File {
            bytes = bytes.saturating_add(facts.size_bytes);
        }
    }
    Some((items, bytes))
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;
    use crate::base::monitor::Monitor;

    #[derive(Default)]
    struct Totals(Mutex<Vec<(u64, u64)>>);

    impl Monitor for Totals {
        fn totals(&self, items: u64, bytes: u64) {
            self.0.lock().expect("nobody panics").push((items, bytes));
        }
    }

    fn told(work: impl FnOnce(&Totals)) -> Vec<(u64, u64)> {
        let place = tempfile::tempdir().expect("a folder");
        std::fs::create_dir(place.path().join("a")).expect("a folder");
        for (name, length) in [("a/1", 1000), ("a/2", 0), ("3", 10)] {
            std::fs::File::create(place.path().join(name))
                .and_then(|file| file.set_len(length))
                .expect("a file");
        }
        let options =
            WalkOptions { roots: vec![place.path().to_owned()], ..WalkOptions::default() };
        let monitor = Totals::default();
        beside(Some(options), &Shared::new(&monitor), || work(&monitor));
        monitor.0.into_inner().expect("nobody panics")
    }

    #[test]
    fn everything_is_counted_while_work_goes_on() {
        let until_told = |monitor: &Totals| {
            for _ in 0..600 {
                if !monitor.0.lock().expect("nobody panics").is_empty() {
                    return;
                }
                std::thread::sleep(Duration::from_millis(50));
            }
        };
        let told = told(until_told);
        // Folders above the temporary one are items too.
        assert!(matches!(told[..], [(items, 1010)] if items >= 5), "{told:?}");
    }

    #[test]
    fn short_work_is_not_waited_for() {
        assert_eq!(told(|_| ()), []);
    }
}
