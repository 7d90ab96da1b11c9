//! O7 to O11: the final word, the look for a close, and only then deletion.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::base::error::{Classified, ErrorClass};
use crate::base::id::{PackId, SegmentId};
use crate::base::limits::GC_DELETE_THREADS;
use crate::base::monitor::{Counter, Phase};
use crate::format::envelope::ControlKind;
use crate::format::generation::{PackSet, Sweep};
use crate::gc::collector::{Collector, Generation};
use crate::gc::error::GcError;
use crate::index::collected::{KeptGeneration, KeptState};
use crate::repo::collect;
use crate::store::StoreError;
use crate::store::name::ObjectName;

impl Collector<'_> {
    /// O7: says finally what will be deleted, and which segments will be replaced.
    ///
    /// # Errors
    /// Those of the store.
    pub fn sweep(
        &self,
        generation: &Generation,
        packs: &PackSet,
    ) -> Result<Vec<SegmentId>, GcError> {
        let segments = self.index.segments_of(packs)?;
        let record =
            Sweep { generation: generation.id, packs: packs.clone(), segments: segments.clone() };
        collect::put_sweep(self.repo, &self.identity()?, &record)?;
        Ok(segments)
    }

    /// O8: whether nobody closed the generation. If somebody did, it is void and deletes nothing,
    /// ever.
    ///
    /// # Errors
    /// Those of the store.
    pub fn may_delete(&self, generation: &Generation) -> Result<bool, GcError> {
        if collect::may_delete(self.repo, generation.id)? {
            return Ok(true);
        }
        self.give_up(generation, "somebody closed it")?;
        Ok(false)
    }

    /// Says that the generation deletes nothing. Its owner must be at O8 or before it.
    ///
    /// # Errors
    /// Those of the store.
    pub fn give_up(&self, generation: &Generation, why: &str) -> Result<(), GcError> {
        let kind = ControlKind::Void;
        collect::put_ending(self.repo, &self.identity()?, generation.id, kind, why)?;
        Ok(())
    }

    /// O10: deletes packs; answers how many the store did not let go. These stay excluded, and a
    /// later generation tries again.
    ///
    /// # Errors
    /// Those of the store that concern more than one object, [`GcError::Interrupted`].
    pub fn delete(&self, packs: &PackSet) -> Result<u64, GcError> {
        let all: Vec<PackId> = packs.iter().collect();
        self.monitor.phase(&Phase {
            name: "deleting packs",
            total_items: Some(all.len() as u64),
            total_bytes: None,
        });
        let (next, refused) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let failure: Mutex<Option<StoreError>> = Mutex::default();
        std::thread::scope(|scope| {
            for _ in 0..GC_DELETE_THREADS.min(all.len()) {
                scope.spawn(|| {
                    while let Some(pack) = all.get(next.fetch_add(1, Ordering::Relaxed)) {
                        if self.monitor.is_cancelled() || is_set(&failure) {
                            break;
                        }
                        match self.repo.store().delete(&ObjectName::Pack(*pack)) {
                            Ok(()) => {}
                            Err(error) if error.class() == ErrorClass::Denied => {
                                refused.fetch_add(1, Ordering::Relaxed);
                            }
                            Err(error) => keep_first(&failure, error),
                        }
                        self.monitor.add(Counter::Items, 1);
                    }
                });
            }
        });
        if let Some(error) = failure.into_inner().unwrap_or_default() {
            return Err(error.into());
        }
        if self.monitor.is_cancelled() {
            return Err(GcError::Interrupted);
        }
        // Only folders of sessions that have decided, and only if nothing is in them.
        let folders: BTreeSet<_> = all.iter().map(|pack| (pack.kind, pack.session)).collect();
        for (kind, session) in folders {
            let pack = all.iter().find(|pack| (pack.kind, pack.session) == (kind, session));
            pack.into_iter().for_each(|pack| {
                self.repo.store().remove_empty_folder(&ObjectName::Pack(*pack));
            });
        }
        Ok(refused.into_inner() as u64)
    }

    /// O11: everything is deleted. The packs leave the index.
    ///
    /// # Errors
    /// Those of the store and of the index.
    pub fn finish(
        &self,
        generation: &Generation,
        packs: &PackSet,
        segments: &[SegmentId],
    ) -> Result<(), GcError> {
        let detail = match packs.len() {
            1 => "1 pack".to_owned(),
            count => format!("{count} packs"),
        };
        let kind = ControlKind::Done;
        collect::put_ending(self.repo, &self.identity()?, generation.id, kind, &detail)?;
        self.index.add_replaced_segments(segments)?;
        self.index.bury(packs)?;
        let kept = KeptGeneration { state: KeptState::Done, packs: PackSet::default() };
        self.index.keep_generation(generation.id, &kept)?;
        Ok(())
    }
}

fn keep_first(failure: &Mutex<Option<StoreError>>, error: StoreError) {
    if let Ok(mut failure) = failure.lock() {
        failure.get_or_insert(error);
    }
}

fn is_set(failure: &Mutex<Option<StoreError>>) -> bool {
    failure.lock().map_or(true, |failure| failure.is_some())
}
