//! All live snapshots as candidates, with what people decided about them.

use crate::base::id::SessionId;
use crate::format::snapshot::SnapshotState;
use crate::index::Index;
use crate::index::catalog::{self, Catalog, Committed};
use crate::index::marks::Marks;
use crate::repo::Repo;
use crate::retain::RetainError;
use crate::retain::candidate::{Candidate, store_time};

/// What retention works on.
#[derive(Debug)]
pub struct Gathered {
    /// All snapshots, forgotten ones apart, with the tags in force.
    pub catalog: Catalog,
    /// Tombstones and holds.
    pub marks: Marks,
    /// The live ones among the confirmed, oldest first.
    pub candidates: Vec<Candidate>,
}

/// Reads snapshots with what people decided about them, and picks those that may be forgotten.
///
/// # Errors
/// Those of store and index.
pub fn gather(repo: &Repo, index: &Index) -> Result<Gathered, RetainError> {
    let (catalog, marks) = catalog::marked(repo, index)?;
    let candidates = catalog.snapshots.iter().map(|one| candidate(one, &marks)).collect();
    Ok(Gathered { catalog, marks, candidates })
}

fn candidate(one: &Committed, marks: &Marks) -> Candidate {
    let snapshot = &one.snapshot;
    // Only who may forget can speak for another client, and say when that one committed.
    let original = one.believed_original();
    let lineage: SessionId = original.map_or(snapshot.session, |original| original.session);
    let committed = original.map_or(one.committed, |original| original.committed);
    let mut tags = snapshot.tags.clone();
    tags.sort_unstable();
    Candidate {
        session: snapshot.session,
        client: lineage.client(),
        line: one.line,
        doubt: one.doubt,
        sequence: lineage.sequence(),
        host: snapshot.host.clone(),
        paths: snapshot.paths.clone(),
        tags,
        is_partial: snapshot.state == SnapshotState::Partial,
        is_settled: one.is_settled,
        store_time: store_time(snapshot.started, snapshot.finished, committed),
        own_time: snapshot.started,
        holds: marks.holds_of(snapshot.session).map(|hold| hold.hold).collect(),
    }
}
