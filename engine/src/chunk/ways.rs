//! In which way zstd looks for matches: found out by trying, because it depends on what is compressed.
//!
//! The way of the default level, with two tables and matches from 5 bytes on, is best with programs,
//! databases and libraries. In prose, mail and logs most short matches cost more than they save, and
//! finding them half of a backup's time. Readers do not see any difference.

use std::io::Cursor;

use zstd::zstd_safe::{self, CCtx, CParameter, ResetDirective, Strategy};

use crate::chunk::level::Level;
use crate::chunk::profile::is_worth_it;

/// Both ways are tried after so many blocks,
const TRIAL_EVERY_BLOCKS: u32 = 32;
/// ... or after so many, when a block compressed much better or worse than the last that was tried.
const TRIAL_SOONEST_BLOCKS: u32 = 8;

/// The quick way has one table of 2 to the power of this many places,
const QUICK_HASH_LOG2: u32 = 18;
/// ... and takes no shorter matches.
const QUICK_MATCH_MIN_BYTES: u32 = 6;

/// A shorter block is not tried: it says little.
const TRIED_MIN_BYTES: usize = 128 << 10;

/// The ways of a level: the one of its number, and for the default one that looks for fewer, longer
/// matches. With prose, mail and logs that is up to twice as fast and stores less, with programs it
/// stores more: now and then both are tried on one block.
pub(super) struct Ways {
    pub(super) context: CCtx<'static>,
    level: i32,
    has_quick: bool,
    blocks_since_trial: u32,
    /// Thousandths of its length that the block of the last trial took.
    trial_permille: usize,
    other: Vec<u8>,
}

impl Ways {
    pub(super) fn of(level: Level) -> Option<Self> {
        let mut ways = Self {
            context: CCtx::create(),
            level: level.zstd_level()?,
            has_quick: level == Level::Auto,
            blocks_since_trial: TRIAL_EVERY_BLOCKS,
            trial_permille: 0,
            other: Vec::new(),
        };
        ways.take(false);
        Some(ways)
    }

    /// Appends `raw` compressed, and says whether that was worth it; if not, `out` has any end.
    pub(super) fn append(&mut self, raw: &[u8], out: &mut Vec<u8>) -> bool {
        let start = out.len();
        let is_due = self.has_quick && self.blocks_since_trial >= TRIAL_EVERY_BLOCKS;
        if is_due && raw.len() >= TRIED_MIN_BYTES {
            return self.append_smaller(raw, out);
        }
        let suits = append_squeezed(&mut self.context, raw, out);
        self.blocks_since_trial = self.blocks_since_trial.saturating_add(1);
        let permille = permille(raw, out.len() - start);
        let is_unlike = permille.abs_diff(self.trial_permille) > self.trial_permille / 4;
        if is_unlike && self.blocks_since_trial >= TRIAL_SOONEST_BLOCKS {
            self.blocks_since_trial = TRIAL_EVERY_BLOCKS;
        }
        suits
    }

    /// The same in both ways; the quick one goes on unless the other is worth its time.
    fn append_smaller(&mut self, raw: &[u8], out: &mut Vec<u8>) -> bool {
        let start = out.len();
        self.take(true);
        let quick_suits = append_squeezed(&mut self.context, raw, out);
        self.take(false);
        let mut other = std::mem::take(&mut self.other);
        other.clear();
        let suits = append_squeezed(&mut self.context, raw, &mut other);
        let is_quick = quick_suits && !(suits && is_worth_it(out.len() - start, other.len()));
        if is_quick {
            self.take(true);
        } else {
            out.truncate(start);
            out.extend_from_slice(&other);
        }
        self.other = other;
        self.blocks_since_trial = 0;
        self.trial_permille = permille(raw, out.len() - start);
        quick_suits || suits
    }

    /// Makes the context go one way; it keeps its memory.
    fn take(&mut self, is_quick: bool) {
        let quick = [
            CParameter::Strategy(Strategy::ZSTD_fast),
            CParameter::HashLog(QUICK_HASH_LOG2),
            CParameter::MinMatch(QUICK_MATCH_MIN_BYTES),
        ];
        let level = [
            CParameter::CompressionLevel(self.level),
            CParameter::ContentSizeFlag(false),
            CParameter::ChecksumFlag(false),
        ];
        const VALID: &str = "because zstd has these parameters, and no frame is begun";
        let reset = self.context.reset(ResetDirective::SessionAndParameters);
        reset.map_err(zstd_safe::get_error_name).expect(VALID);
        for parameter in level.into_iter().chain(quick.into_iter().filter(|_| is_quick)) {
            self.context.set_parameter(parameter).map_err(zstd_safe::get_error_name).expect(VALID);
        }
    }
}

fn permille(raw: &[u8], squeezed_bytes: usize) -> usize {
    squeezed_bytes.saturating_mul(1000) / raw.len().max(1)
}

/// Appends `raw` compressed, and says whether that was worth it; if not, `out` has any end.
pub(super) fn append_squeezed(context: &mut CCtx<'static>, raw: &[u8], out: &mut Vec<u8>) -> bool {
    out.reserve(zstd_safe::compress_bound(raw.len()));
    let start = out.len() as u64;
    let mut end = Cursor::new(out);
    end.set_position(start);
    let outcome = context.compress2(&mut end, raw);
    outcome.is_ok_and(|squeezed_bytes| is_worth_it(raw.len(), squeezed_bytes))
}

#[cfg(test)]
mod tests;
