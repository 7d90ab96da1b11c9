//! Fills packs with new chunks: one open block per profile, one open pack per worker.
//!
//! A worker keeps a block for each profile, so that pictures between texts do not cut the texts'
//! blocks short.

use std::sync::atomic::{AtomicU32, Ordering};

use crossbeam_channel::{SendTimeoutError, Sender};

use crate::backup::error::BackupError;
use crate::backup::shared::{LOOK_AROUND, Shared, Tally};
use crate::base::id::{ChunkId, PackKind, SessionId};
use crate::blob::block::{OpenBlock, is_block_of_its_own};
use crate::blob::buffers::PackBuffers;
use crate::blob::dedup::DedupView;
use crate::blob::pack::{FinishedPack, OpenPack};
use crate::chunk::level::Level;
use crate::chunk::profile::Profile;
use crate::chunk::squeeze::Compressor;
use crate::repo::Repo;
use crate::repo::keyring::{Identity, WriteKeys};

/// What every filler of a run needs.
pub(super) struct FillContext<'a> {
    pub(super) repo: &'a Repo,
    pub(super) write: &'a WriteKeys,
    /// Who signs the packs.
    pub(super) identity: &'a Identity,
    pub(super) session: SessionId,
    pub(super) level: Level,
    pub(super) pack_bytes: usize,
    pub(super) shared: &'a Shared<'a>,
    pub(super) next_pack: AtomicU32,
    pub(super) buffers: PackBuffers,
}

/// Stores chunks of one kind.
pub(super) struct Filler<'a> {
    context: &'a FillContext<'a>,
    kind: PackKind,
    dedup: DedupView<'a>,
    blocks: [OpenBlock; Profile::ALL.len()],
    pack: Option<OpenPack>,
    compressor: Compressor,
    packs: Sender<FinishedPack>,
}

impl<'a> Filler<'a> {
    pub(super) fn new(
        context: &'a FillContext<'a>,
        kind: PackKind,
        dedup: DedupView<'a>,
        packs: Sender<FinishedPack>,
    ) -> Self {
        Self {
            context,
            kind,
            dedup,
            blocks: Default::default(),
            pack: None,
            compressor: Compressor::new(context.level),
            packs,
        }
    }

    /// Stores `bytes` unless the repository has them, and says under which id they are.
    pub(super) fn store(&mut self, profile: Profile, bytes: &[u8]) -> Result<ChunkId, BackupError> {
        let id = self.context.write.chunk_id.id(self.kind, bytes);
        if !self.dedup.claim(&id)? {
            return Ok(id);
        }
        let tally = &self.context.shared.tally;
        Tally::add(&tally.bytes_new, bytes.len() as u64);
        match self.kind {
            PackKind::Data => Tally::add(&tally.data_chunks_new, 1),
            PackKind::Tree => Tally::add(&tally.tree_nodes_new, 1),
        }
        let slot = profile as usize;
        if is_block_of_its_own(bytes.len()) {
            self.close_block(slot)?;
            self.add_block(bytes, &[(id, bytes.len() as u32)])?;
            return Ok(id);
        }
        if self.blocks[slot].is_full_for(bytes.len()) {
            self.close_block(slot)?;
        }
        self.blocks[slot].push(id, bytes);
        Ok(id)
    }

    /// Whether the index or this run has the chunk, without taking it on.
    pub(super) fn is_indexed(&mut self, id: &ChunkId) -> Result<bool, BackupError> {
        Ok(self.dedup.is_indexed(id)?)
    }

    /// Closes all blocks and the pack.
    pub(super) fn finish(mut self) -> Result<(), BackupError> {
        for slot in 0..self.blocks.len() {
            self.close_block(slot)?;
        }
        self.close_pack()
    }

    fn close_block(&mut self, slot: usize) -> Result<(), BackupError> {
        if self.blocks[slot].is_empty() {
            return Ok(());
        }
        let mut block = std::mem::take(&mut self.blocks[slot]);
        self.add_block(block.raw(), block.chunks())?;
        block.clear();
        self.blocks[slot] = block;
        Ok(())
    }

    fn add_block(&mut self, raw: &[u8], chunks: &[(ChunkId, u32)]) -> Result<(), BackupError> {
        let context = self.context;
        if self.pack.is_none() {
            let counter = context.next_pack.fetch_add(1, Ordering::Relaxed);
            let (repo, write, buffers) = (context.repo, context.write, &context.buffers);
            let (kind, session) = (self.kind, context.session);
            self.pack = Some(OpenPack::new(repo, write, buffers, kind, session, counter)?);
        }
        let Some(pack) = self.pack.as_mut() else { return Err(BackupError::Lost) };
        pack.add_block(raw, chunks, &mut self.compressor);
        if pack.is_full(context.pack_bytes) { self.close_pack() } else { Ok(()) }
    }

    fn close_pack(&mut self) -> Result<(), BackupError> {
        let Some(pack) = self.pack.take() else { return Ok(()) };
        let FillContext { write, identity, .. } = self.context;
        let mut waiting = pack.finish(write, &identity.signing);
        loop {
            match self.packs.send_timeout(waiting, LOOK_AROUND) {
                Ok(()) => return Ok(()),
                Err(SendTimeoutError::Timeout(pack)) if !self.context.shared.is_stopped() => {
                    waiting = pack;
                }
                Err(_) => return Err(BackupError::Lost),
            }
        }
    }
}
