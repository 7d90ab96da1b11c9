//! Carries out a window: threads read ranges, decode blocks, verify chunks and write them.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::base::error::in_one_line;
use crate::base::limits::{
    FETCH_RANGE_LOCAL_MAX_BYTES, FETCH_RANGE_REMOTE_MAX_BYTES, FETCH_THREADS_LOCAL_MORE,
    FETCH_THREADS_REMOTE,
};
use crate::blob::BlobError;
use crate::blob::fetch::{ChunkFetcher, Openers};
use crate::blob::open_pack::{PackOpener, key_of};
use crate::chunk::squeeze::Decompressor;
use crate::repo::Repo;
use crate::restore::error::RestoreError;
use crate::restore::file::Destination;
use crate::restore::options::RestoreOptions;
use crate::restore::report::Tally;
use crate::restore::window::{Plan, PlannedBlock, PlannedRead, Wanted};

/// What reading needs.
pub(super) struct Executor<'a> {
    openers: Openers<'a>,
    /// Tries every copy of a chunk when the first one is damaged.
    pub(super) fetcher: &'a ChunkFetcher<'a>,
    to: &'a Destination<'a>,
    threads: usize,
    /// How much is read with one request.
    pub(super) range_max_bytes: usize,
    /// What the threads of one window leave for those of the next: memory that comes and goes with
    /// each of them would leave holes.
    decoders: Mutex<Vec<Decoder>>,
}

impl<'a> Executor<'a> {
    pub(super) fn new(
        repo: &'a Repo,
        fetcher: &'a ChunkFetcher<'a>,
        to: &'a Destination<'a>,
        options: &RestoreOptions,
    ) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let (threads, range_max_bytes) = match repo.store().is_local() {
            true => (cores + FETCH_THREADS_LOCAL_MORE, FETCH_RANGE_LOCAL_MAX_BYTES),
            false => (cores.max(FETCH_THREADS_REMOTE), FETCH_RANGE_REMOTE_MAX_BYTES),
        };
        let threads = if options.threads == 0 { threads } else { options.threads };
        let (openers, decoders) = (Openers::new(repo), Mutex::default());
        Self { openers, fetcher, to, threads, range_max_bytes, decoders }
    }

    /// Writes everything that `plan` can fulfil and tells which files are hurt by the rest; does
    /// `meanwhile` beside it.
    pub(super) fn run(
        &self,
        wanted: &[Wanted],
        plan: &Plan,
        meanwhile: impl FnOnce(),
    ) -> Result<(), RestoreError> {
        let next = AtomicUsize::new(0);
        let failure: Mutex<Option<RestoreError>> = Mutex::default();
        std::thread::scope(|scope| {
            for _ in 0..self.threads.min(plan.reads.len()) {
                scope.spawn(|| {
                    let mut decoder = lock(&self.decoders).pop().unwrap_or_default();
                    while let Some(read) = plan.reads.get(next.fetch_add(1, Ordering::Relaxed)) {
                        if self.to.monitor.is_cancelled() {
                            keep_first(&failure, RestoreError::Interrupted);
                        }
                        if is_set(&failure) {
                            break;
                        }
                        if let Err(error) = self.read(wanted, read, &mut decoder) {
                            keep_first(&failure, error);
                        }
                    }
                    lock(&self.decoders).push(decoder);
                });
            }
            meanwhile();
        });
        if let Some(error) = failure.into_inner().unwrap_or_else(PoisonError::into_inner) {
            return Err(error);
        }
        for number in &plan.unknown {
            self.fetch_alone(&wanted[*number as usize], None)?;
        }
        Ok(())
    }

    fn read(
        &self,
        wanted: &[Wanted],
        read: &PlannedRead,
        decoder: &mut Decoder,
    ) -> Result<(), RestoreError> {
        match self.read_pack(wanted, read, decoder) {
            Ok(()) => Ok(()),
            Err(RestoreError::Blob(error)) if error.is_local_to_one_copy() => {
                // The whole range is lost: header, key, or the object itself.
                for chunk in read.blocks.iter().flat_map(|block| &block.chunks) {
                    self.fetch_alone(&wanted[chunk.wanted as usize], Some(&error))?;
                }
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    fn read_pack(
        &self,
        wanted: &[Wanted],
        read: &PlannedRead,
        decoder: &mut Decoder,
    ) -> Result<(), RestoreError> {
        let Decoder { decompressor, fetched, raw } = decoder;
        let (opener, begin) =
            self.openers.read(read.pack, read.pack_bytes, read.bytes.clone(), fetched)?;
        Tally::add(&self.to.tally.fetched_bytes, read.bytes.end - read.bytes.start);
        for block in &read.blocks {
            let start = begin + (u64::from(block.offset) - read.bytes.start) as usize;
            let sealed = &mut fetched[start..start + block.stored_bytes as usize];
            let opened =
                opener.open_block(block.number, sealed, block.raw_bytes, decompressor, raw);
            Tally::add(&self.to.tally.decoded_bytes, u64::from(block.raw_bytes));
            let written =
                opened.and_then(|raw| self.write_block(wanted, read, block, raw, &opener));
            match written {
                Ok(()) => {}
                Err(error) if error.is_local_to_one_copy() => {
                    for chunk in &block.chunks {
                        self.fetch_alone(&wanted[chunk.wanted as usize], Some(&error))?;
                    }
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// Verifies all chunks of a block before the first is written, so that none is written twice.
    fn write_block(
        &self,
        wanted: &[Wanted],
        read: &PlannedRead,
        block: &PlannedBlock,
        raw: &[u8],
        opener: &PackOpener,
    ) -> Result<(), BlobError> {
        let bytes_of = |offset: u32, length_bytes: u32| {
            raw.get(offset as usize..(offset as usize + length_bytes as usize)).ok_or_else(|| {
                BlobError::Damaged {
                    key: key_of(read.pack),
                    why: format!("a chunk lies outside block {}", block.number),
                }
            })
        };
        let mut last = None;
        for chunk in &block.chunks {
            // Wishes for the same chunk follow each other often; verify it once.
            if last != Some((chunk.offset, chunk.length_bytes)) {
                let bytes = bytes_of(chunk.offset, chunk.length_bytes)?;
                opener.verify_chunk(&wanted[chunk.wanted as usize].id, bytes)?;
                last = Some((chunk.offset, chunk.length_bytes));
            }
        }
        let mut chunks = block.chunks.iter().peekable();
        while let Some(first) = chunks.next() {
            let wish = &wanted[first.wanted as usize];
            let (mut length_bytes, mut chunk_count) = (first.length_bytes, 1);
            // What lies side by side here and in the file is written at once.
            while let Some(next) = chunks.next_if(|next| {
                let then = &wanted[next.wanted as usize];
                Arc::ptr_eq(&then.file, &wish.file)
                    && next.offset == first.offset + length_bytes
                    && then.offset == wish.offset + u64::from(length_bytes)
            }) {
                length_bytes += next.length_bytes;
                chunk_count += 1;
            }
            let bytes = bytes_of(first.offset, length_bytes)?;
            wish.file.write(self.to, bytes, wish.offset, chunk_count);
        }
        Ok(())
    }

    /// Serves one wish by whatever copy is good; if none is, the file is told to be damaged.
    fn fetch_alone(
        &self,
        wish: &Wanted,
        first_error: Option<&BlobError>,
    ) -> Result<(), RestoreError> {
        let fetched = self.fetcher.chunk(&wish.id);
        if let Ok(bytes) = &fetched {
            Tally::add(&self.to.tally.fetched_bytes, bytes.len() as u64);
        }
        match fetched {
            Ok(bytes) if bytes.len() == wish.length_bytes as usize => {
                wish.file.write(self.to, &bytes, wish.offset, 1);
                return Ok(());
            }
            Ok(_) => {
                let why = format!("chunk {} has another length than the file says", wish.id);
                wish.file.mark_damaged(self.to, why);
            }
            Err(error) if error.is_local_to_one_copy() => {
                let why = in_one_line(first_error.unwrap_or(&error));
                wish.file.mark_damaged(self.to, why);
            }
            Err(error) => return Err(error.into()),
        }
        wish.file.steps_done(self.to, 1);
        Ok(())
    }
}

/// Buffers of one thread.
#[derive(Default)]
struct Decoder {
    decompressor: Decompressor,
    fetched: Vec<u8>,
    raw: Vec<u8>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn keep_first(failure: &Mutex<Option<RestoreError>>, error: RestoreError) {
    lock(failure).get_or_insert(error);
}

fn is_set(failure: &Mutex<Option<RestoreError>>) -> bool {
    lock(failure).is_some()
}
