//! What all checks share: two connections, a place of their own, sizes, and parallel work.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

use bytes::Bytes;

use crate::base::id::encode_hex;
use crate::base::monitor::{Counter, Monitor};
use crate::store::client::Store;
use crate::store::contract::Effort;
use crate::store::error::StoreError;

/// Requests in flight at once.
const THREADS: usize = 16;
/// Deletions in flight at once.
const CLEANING_THREADS: usize = 32;

/// Why a check did not pass.
pub(super) enum Failure {
    /// The store behaved otherwise than it must.
    Wrong(String),
    /// It could not be found out.
    Skipped(String),
    /// A request failed.
    Store(StoreError),
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// Numbers of keys, rounds and bytes.
pub(super) struct Sizes {
    pub(super) fresh_count: usize,
    pub(super) race_count: usize,
    pub(super) cut_count: usize,
    pub(super) deleted_count: usize,
    pub(super) listed_count: usize,
    /// Keys on a page; `None` for as many as the store gives.
    pub(super) page_keys: Option<usize>,
    pub(super) large_bytes: usize,
    pub(super) create_count: usize,
}

impl Sizes {
    fn of(effort: Effort) -> Self {
        match effort {
            Effort::Quick => Self {
                fresh_count: 64,
                race_count: 50,
                cut_count: 2,
                deleted_count: 16,
                listed_count: 120,
                page_keys: Some(50),
                large_bytes: 1 << 20,
                create_count: 6,
            },
            Effort::Full => Self {
                fresh_count: 2000,
                race_count: 1000,
                cut_count: 10,
                deleted_count: 200,
                listed_count: 2500,
                page_keys: None,
                large_bytes: 64 << 20,
                create_count: 20,
            },
        }
    }
}

/// The place where one probe works.
pub(super) struct Bench<'a> {
    pub(super) first: &'a Store,
    pub(super) second: &'a Store,
    pub(super) sizes: Sizes,
    folder: String,
    monitor: &'a dyn Monitor,
}

impl<'a> Bench<'a> {
    pub(super) fn new(
        first: &'a Store,
        second: &'a Store,
        effort: Effort,
        monitor: &'a dyn Monitor,
    ) -> Result<Self, StoreError> {
        let mut random = [0; 8];
        getrandom::fill(&mut random).map_err(|error| StoreError::Local {
            action: "drawing a random name for",
            key: "probe".to_owned(),
            source: std::io::Error::other(error.to_string()),
        })?;
        let folder = format!("probe-{}", encode_hex(&random));
        Ok(Self { first, second, sizes: Sizes::of(effort), folder, monitor })
    }

    /// A key in the place of this probe; each check has a folder of its own.
    pub(super) fn key(&self, rest: &str) -> String {
        format!("{}/{rest}", self.folder)
    }

    /// A writer and a reader that are different connections, in turn.
    pub(super) fn pair(&self, turn: usize) -> (&'a Store, &'a Store) {
        match turn % 2 {
            0 => (self.first, self.second),
            _ => (self.second, self.first),
        }
    }

    /// Whether the user asked to stop, as an error.
    pub(super) fn go_on(&self) -> Result<(), StoreError> {
        match self.monitor.is_cancelled() {
            true => Err(StoreError::Interrupted),
            false => Ok(()),
        }
    }

    /// One check has ended.
    pub(super) fn count(&self) {
        self.monitor.add(Counter::Items, 1);
    }

    /// Does `work` for 0..count on several threads; the first failure ends it.
    pub(super) fn each<E: From<StoreError> + Send>(
        &self,
        count: usize,
        work: impl Fn(usize) -> Result<(), E> + Sync,
    ) -> Result<(), E> {
        let next = AtomicUsize::new(0);
        let failure = Mutex::new(None);
        thread::scope(|scope| {
            for _ in 0..THREADS.min(count) {
                scope.spawn(|| {
                    loop {
                        let index = next.fetch_add(1, Ordering::Relaxed);
                        if index >= count {
                            return;
                        }
                        let done = self.go_on().map_err(E::from).and_then(|()| work(index));
                        if let Err(error) = done {
                            next.store(count, Ordering::Relaxed);
                            let mut slot = failure.lock().unwrap_or_else(PoisonError::into_inner);
                            slot.get_or_insert(error);
                        }
                    }
                });
            }
        });
        failure.into_inner().unwrap_or_else(PoisonError::into_inner).map_or(Ok(()), Err)
    }

    /// Fails with `why` if a read or a listing through `store` shows the object.
    pub(super) fn expect_absent(&self, store: &Store, key: &str, why: &str) -> Result<(), Failure> {
        match store.raw_size(key) {
            Err(StoreError::NotFound { .. }) => {}
            Ok(size_bytes) => {
                return Err(Failure::Wrong(format!("{why}: {size_bytes} bytes are there")));
            }
            Err(error) => return Err(error.into()),
        }
        match store.list(key)?.iter().any(|object| object.key == key) {
            true => Err(Failure::Wrong(format!("{why}: it is listed"))),
            false => Ok(()),
        }
    }

    /// Removes what the probe wrote; what cannot be removed is only noted.
    pub(super) fn clean(&self) {
        let prefix = self.key("");
        let removed: Result<(), StoreError> = self.first.list(&prefix).and_then(|objects| {
            let keys: Vec<_> = objects.into_iter().map(|object| object.key).collect();
            // Not through `each`, which would stop when the user asks to.
            thread::scope(|scope| {
                let part = keys.len().div_ceil(CLEANING_THREADS).max(1);
                let threads: Vec<_> = keys
                    .chunks(part)
                    .map(|part| {
                        scope.spawn(|| part.iter().try_for_each(|key| self.first.raw_delete(key)))
                    })
                    .collect();
                threads.into_iter().flat_map(thread::ScopedJoinHandle::join).collect()
            })
        });
        self.first.raw_remove_empty(&self.folder);
        if let Err(error) = removed {
            self.monitor.note(&format!("what the probe wrote below {prefix} is left: {error}"));
        }
    }
}

/// Bytes that differ from one `seed` to another and are not all alike.
pub(super) fn pattern(seed: u64, byte_count: usize) -> Bytes {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut bytes = Vec::with_capacity(byte_count + 8);
    while bytes.len() < byte_count {
        // xorshift64 (Marsaglia, 2003): fast, and no two seeds in use give the same bytes.
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(byte_count);
    bytes.into()
}
