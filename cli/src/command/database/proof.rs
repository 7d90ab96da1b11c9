//! Evidence that a database came back, or did not: a record of a restore, with what was compared.

use std::time::Duration;

use engine::format::snapshot::Snapshot;
use restore_verify::evidence::drill_event::Outcome;
use restore_verify::evidence::event::{Event, Restore};
use restore_verify::evidence::record::Reference;
use restore_verify::evidence::shelf::millis;

use crate::command::context::Context;
use crate::command::open::Opened;
use crate::command::witness::witness;

/// What came back.
pub struct Facts {
    /// How it ended.
    pub outcome: Outcome,
    /// Databases.
    pub databases: u64,
    /// Bytes of their dumps.
    pub bytes: u64,
    /// Tables and other things that are not as they were.
    pub differences: u64,
    /// Time of the restore.
    pub time: Duration,
    /// Whether it was everything that the snapshot has.
    pub is_whole: bool,
    /// What was done, in words without names of tables.
    pub words: String,
}

/// Writes the record, if this key signs any; answers where it is.
pub fn record(
    opened: &Opened,
    snapshot: &Snapshot,
    facts: Facts,
    context: &Context<'_>,
) -> Option<Reference> {
    let duration_ms = facts.time.as_millis() as u64;
    let restore = Restore {
        snapshot: *snapshot.session.as_bytes(),
        system: snapshot.host.clone(),
        outcome: facts.outcome,
        files: facts.databases,
        bytes: facts.bytes,
        duration_ms,
        is_verified: true,
        reason: facts.words,
        ticket: None,
        started_ms: millis(context.around.clock.now()) - duration_ms as i64,
        problems: facts.differences,
        damaged: 0,
        is_whole: facts.is_whole,
        snapshot_ms: millis(snapshot.started),
    };
    witness(opened, &Event::Restore(restore), context)
}
