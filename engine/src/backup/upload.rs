//! Uploads packs, then lists the acknowledged ones in segments. The order is the safety argument:
//! a segment names only packs whose upload was acknowledged and that are still there, a commit comes
//! after all of it.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};

use crossbeam_channel::{Receiver, Sender, bounded};

use crate::backup::error::BackupError;
use crate::backup::shared::{Shared, Tally, Watch, lock};
use crate::base::id::SessionId;
use crate::base::limits::{
    SEGMENT_MAX_AGE_S, UPLOAD_QUEUE_PACKS, UPLOAD_THREADS_LOCAL, UPLOAD_THREADS_REMOTE,
};
use crate::base::monitor::Counter;
use crate::blob::dedup::Dedup;
use crate::blob::pack::FinishedPack;
use crate::format::segment::{SegmentPack, is_full};
use crate::index::Index;
use crate::repo::Repo;
use crate::repo::keyring::{Identity, WriteKeys};
use crate::repo::segments::{self, put_segment};
use crate::store::name::ObjectName;

/// Where finished packs go.
pub(super) struct Uploader<'a> {
    repo: &'a Repo,
    index: &'a Index,
    dedup: &'a Dedup,
    write: &'a WriteKeys,
    identity: &'a Identity,
    session: SessionId,
    dry_run: bool,
    queue: Receiver<FinishedPack>,
    acknowledged: Mutex<Acknowledged>,
    next_segment: AtomicU32,
}

#[derive(Default)]
struct Acknowledged {
    packs: Vec<SegmentPack>,
    oldest_s: u64,
}

impl<'a> Uploader<'a> {
    /// The uploader and the end of its queue for those who finish packs. A dry run counts packs
    /// and drops them.
    pub(super) fn new(
        (repo, index): (&'a Repo, &'a Index),
        dedup: &'a Dedup,
        (write, identity): (&'a WriteKeys, &'a Identity),
        session: SessionId,
        dry_run: bool,
    ) -> (Self, Sender<FinishedPack>) {
        let (sender, queue) = bounded(UPLOAD_QUEUE_PACKS);
        let uploader = Self {
            repo,
            index,
            dedup,
            write,
            identity,
            session,
            dry_run,
            queue,
            acknowledged: Mutex::default(),
            next_segment: AtomicU32::new(0),
        };
        (uploader, sender)
    }

    /// How many threads should call [`Uploader::work`].
    pub(super) fn thread_count(&self) -> usize {
        match self.repo.store().is_local() {
            true => UPLOAD_THREADS_LOCAL,
            false => UPLOAD_THREADS_REMOTE,
        }
    }

    /// Uploads until every sender is gone. After an error it only empties the queue, so that
    /// nobody waits for it.
    pub(super) fn work(&self, shared: &Shared<'_>) {
        let _watch = Watch(shared);
        for pack in &self.queue {
            if shared.is_stopped() {
                continue;
            }
            if let Err(error) = self.upload(pack, shared) {
                shared.fail(error);
            }
        }
    }

    fn upload(&self, pack: FinishedPack, shared: &Shared<'_>) -> Result<(), BackupError> {
        let stored_bytes = pack.bytes.len() as u64;
        if !self.dry_run {
            self.repo.store().put_new(&ObjectName::Pack(pack.listed.pack), pack.bytes)?;
        }
        Tally::add(&shared.tally.bytes_stored, stored_bytes);
        shared.monitor.add(Counter::StoredBytes, stored_bytes);
        if self.dry_run {
            return Ok(());
        }
        let now_s = self.repo.clock().monotonic().as_secs();
        let due = {
            let mut acknowledged = lock(&self.acknowledged);
            if acknowledged.packs.is_empty() {
                acknowledged.oldest_s = now_s;
            }
            acknowledged.packs.push(pack.listed);
            let is_due = is_full(&acknowledged.packs)
                || now_s.saturating_sub(acknowledged.oldest_s) >= SEGMENT_MAX_AGE_S;
            if is_due { std::mem::take(&mut acknowledged.packs) } else { Vec::new() }
        };
        self.write_segment(&due)
    }

    /// Lists what is left; called when all packs are acknowledged. A dry run has nothing to list.
    pub(super) fn finish(&self) -> Result<(), BackupError> {
        let rest = std::mem::take(&mut lock(&self.acknowledged).packs);
        self.write_segment(&rest)
    }

    fn write_segment(&self, packs: &[SegmentPack]) -> Result<(), BackupError> {
        if packs.is_empty() {
            return Ok(());
        }
        // A store that was put back has lost what was acknowledged, and would have the segment: a state
        // that shows a segment shows its packs.
        if !segments::are_there(self.repo, packs)? {
            return Err(BackupError::PutBack);
        }
        let number = self.next_segment.fetch_add(1, Ordering::Relaxed);
        let id = segments::new_id(self.session, number);
        put_segment(self.repo, &self.identity.signing, self.write.domain, id, packs)?;
        self.index.add_own_segment(id, packs)?;
        self.dedup.settle(packs);
        Ok(())
    }
}
