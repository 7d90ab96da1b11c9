//! Whether `yesterday` means what whoever types it means: the clock of this machine against the store's.
//!
//! A date is a date; what is counted from now is nothing on a machine whose clock is wrong. The store's
//! clock is learnt by writing. Where a key may not write, the newest commit tells at least that this
//! machine is behind.

use engine::base::id::SessionId;
use engine::base::limits::CLOCK_SLACK_S;
use engine::base::time::Timestamp;
use engine::index::catalog::Catalog;
use engine::store::name::ObjectName;

use crate::args::filter::FilterArgs;
use crate::command::context::Context;
use crate::command::open::Opened;
use crate::fault::Fault;
use crate::units;

/// Refuses a moment that is counted from now if this machine and the store do not agree on now.
///
/// # Errors
/// A refusal (23) that says by how much they differ.
pub fn require(
    filter: &FilterArgs,
    opened: &Opened,
    catalog: &Catalog,
    context: &Context<'_>,
) -> Result<(), Fault> {
    match difference(filter, opened, catalog, context) {
        None => Ok(()),
        Some(words) => Err(Fault::refused(words)
            .hint("name a date (--time 2026-11-20), or the id of a snapshot; then set the clock")),
    }
}

/// The same as a note, for what only shows.
pub fn tell(filter: &FilterArgs, opened: &Opened, catalog: &Catalog, context: &Context<'_>) {
    if let Some(words) = difference(filter, opened, catalog, context) {
        context.ui.note(&words);
    }
}

/// Says after a backup that this machine's clock is not the store's: later, lists and rules would
/// only show a snapshot from the future, or from the past.
pub fn note_after_backup(snapshot: SessionId, opened: &Opened, context: &Context<'_>) {
    let Some((there, here)) =
        opened.repo.store().clocks().or_else(|| received(snapshot, opened, context))
    else {
        return;
    };
    let apart = here.since(there).max(there.since(here));
    if apart.as_secs() > CLOCK_SLACK_S as u64 {
        let side = if here > there { "ahead of" } else { "behind" };
        context.ui.note(&format!(
            "the clock of this machine is {} {side} the store's: set the one that is wrong, or lists \
             and rules will doubt this snapshot's time",
            units::age(apart)
        ));
    }
}

/// When the store received the commit, and what the clock of this machine shows now. Whoever may not list
/// learns it from the list of another machine.
fn received(
    snapshot: SessionId,
    opened: &Opened,
    context: &Context<'_>,
) -> Option<(Timestamp, Timestamp)> {
    let store = opened.repo.store();
    let mut received = None;
    let listed = store.list_each(&store.key_of(&ObjectName::Confirm(snapshot)), &mut |object| {
        received = Some(object.modified);
        false
    });
    listed.ok()?;
    Some((received?, context.around.clock.now()))
}

fn difference(
    filter: &FilterArgs,
    opened: &Opened,
    catalog: &Catalog,
    context: &Context<'_>,
) -> Option<String> {
    if !filter.time.as_ref()?.is_relative() {
        return None;
    }
    let here = context.around.clock.now();
    let there = opened.repo.store().time_of_store().ok().or_else(|| newest_ahead(catalog, here))?;
    let apart = here.since(there).max(there.since(here));
    let side = if here > there { "ahead of" } else { "behind" };
    (apart.as_secs() > CLOCK_SLACK_S as u64).then(|| {
        format!(
            "the clock of this machine is {} {side} the store's, so nobody knows which day --time \
             means",
            units::age(apart)
        )
    })
}

/// When the store received the newest commit, if that is later than now.
fn newest_ahead(catalog: &Catalog, here: Timestamp) -> Option<Timestamp> {
    let all = catalog.snapshots.iter().chain(&catalog.forgotten);
    all.map(|one| one.committed).max().filter(|newest| *newest > here)
}
