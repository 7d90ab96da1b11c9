//! Numbers for what is open, and entries that were read lately.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::base::limits::MOUNT_ENTRIES_KEPT;
use crate::format::entry::Entry;

/// What is open, by number.
pub struct Handles<T> {
    next: AtomicU64,
    open: Mutex<HashMap<u64, Arc<T>>>,
}

impl<T> Default for Handles<T> {
    fn default() -> Self {
        Self { next: AtomicU64::new(1), open: Mutex::default() }
    }
}

impl<T> Handles<T> {
    fn lock(&self) -> MutexGuard<'_, HashMap<u64, Arc<T>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Opens; answers the number.
    pub fn add(&self, one: T) -> u64 {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        self.lock().insert(number, Arc::new(one));
        number
    }

    /// What has the number.
    pub fn get(&self, number: u64) -> Option<Arc<T>> {
        self.lock().get(&number).cloned()
    }

    /// Closes.
    pub fn remove(&self, number: u64) {
        self.lock().remove(&number);
    }
}

/// Entries by inode number, those that were not asked for lately dropped.
#[derive(Default)]
pub struct Recent {
    halves: Mutex<Halves>,
}

/// Two generations: when the young one is full, it becomes the old one.
#[derive(Default)]
struct Halves {
    young: HashMap<u64, Arc<Entry>>,
    old: HashMap<u64, Arc<Entry>>,
}

impl Recent {
    fn lock(&self) -> MutexGuard<'_, Halves> {
        self.halves.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The entry, if it is there.
    pub fn get(&self, number: u64) -> Option<Arc<Entry>> {
        let mut halves = self.lock();
        if let Some(entry) = halves.young.get(&number) {
            return Some(Arc::clone(entry));
        }
        let entry = halves.old.remove(&number)?;
        halves.put(number, Arc::clone(&entry));
        Some(entry)
    }

    /// Keeps an entry.
    pub fn put(&self, number: u64, entry: Arc<Entry>) {
        self.lock().put(number, entry);
    }
}

impl Halves {
    fn put(&mut self, number: u64, entry: Arc<Entry>) {
        if self.young.len() >= MOUNT_ENTRIES_KEPT / 2 {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(number, entry);
    }
}
