//! The state of the repository as a whole, before a drill looks at one snapshot.

use engine::check;
use engine::index::belief::Doubt;
use engine::index::catalog::Catalog;
use engine::index::marks;
use engine::index::refresh::refresh;
use engine::store::name::ObjectName;

use crate::drill::findings::{About, Findings};
use crate::drill::options::{DrillError, Place};
use crate::evidence::chain::Flaw;
use crate::evidence::shelf::Shelf;

/// Digits of a snapshot's id that people see.
const SHORT_DIGITS: usize = 8;

/// What snapshots knew of chains of evidence must be there: a chain that is cut off shows, though
/// this machine has never seen its end.
#[must_use]
pub fn compare_with_snapshots(shelf: &Shelf<'_>, catalog: &Catalog) -> Vec<Flaw> {
    let all = catalog.snapshots.iter().chain(&catalog.forgotten);
    let all = all.filter(|one| one.doubt != Some(Doubt::Revoked));
    let named: Vec<_> = all
        .map(|one| (one.snapshot.session.to_snapshot_hex(), one.snapshot.evidence.as_slice()))
        .collect();
    shelf.compare_with_snapshots(named.iter().map(|(id, heads)| (&id[..SHORT_DIGITS], *heads)))
}

/// Looks at segments, snapshot records, chains of snapshots and chains of evidence: what is gone
/// or was put back shows here, whichever snapshot is drilled.
///
/// # Errors
/// Those of the store and of the index.
pub fn look(
    place: &Place<'_>,
    shelf: &Shelf<'_>,
    catalog: &Catalog,
    findings: &mut Findings,
) -> Result<(), DrillError> {
    for error in refresh(place.repo, place.index, place.monitor)?.damaged {
        findings.fail("index", About::Object("an index segment"), error.to_string());
    }
    let marks = marks::read(place.repo, place.index)?;
    for (session, error) in &catalog.damaged {
        let key = ObjectName::commit_of(*session);
        findings.fail("snapshots", About::Object(&key), error.to_string());
    }
    for (key, damage) in check::chain_damage(catalog, &marks) {
        for why in damage.findings {
            findings.fail("snapshots", About::Object(&key), why);
        }
    }
    for flaw in shelf.flaws().iter().chain(&compare_with_snapshots(shelf, catalog)) {
        findings.fail("evidence", About::Object(&flaw.place), flaw.why.clone());
    }
    Ok(())
}
