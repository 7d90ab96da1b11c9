//! The brake: a run that would delete very much needs to be told that this is meant.

use std::collections::BTreeMap;

use crate::base::id::ClientId;
use crate::base::limits::{GC_BRAKE_LEAST_PACKS, GC_BRAKE_NEWEST, GC_BRAKE_PERCENT};
use crate::gc::error::GcError;

/// What a run would do, as far as the brake looks at it.
#[derive(Debug, Clone, Default)]
pub(super) struct Braked {
    /// Packs in the store.
    pub(super) pack_count: u64,
    /// Packs that would be deleted.
    pub(super) delete_count: u64,
    /// Of each client, its newest snapshots, newest first: whether the run would drop it.
    pub(super) newest: BTreeMap<ClientId, Vec<bool>>,
}

/// Whether that is more than a quarter of all packs, and not just a few.
pub(super) fn is_much(all: u64, deleted: u64) -> bool {
    deleted > GC_BRAKE_LEAST_PACKS && deleted * 100 > all * GC_BRAKE_PERCENT
}

/// Refuses more than a quarter of all packs unless they are few, and to leave a client none of its newest three
/// snapshots, unless `confirmed` says at least so many packs.
pub(super) fn check(run: &Braked, confirmed: Option<u64>) -> Result<(), GcError> {
    if confirmed.is_some_and(|confirmed| confirmed >= run.delete_count) {
        return Ok(());
    }
    let refused = |why: String| Err(GcError::MassDelete { why, confirm: run.delete_count });
    let (packs, all) = (run.delete_count, run.pack_count);
    if is_much(all, packs) {
        let percent = GC_BRAKE_PERCENT;
        return refused(format!(
            "{packs} of {all} packs would be deleted, more than {percent} percent"
        ));
    }
    for (client, newest) in &run.newest {
        let first = newest.iter().take(GC_BRAKE_NEWEST);
        if !newest.is_empty() && first.clone().all(|drops| *drops) {
            let count = first.count();
            return refused(match count {
                1 => format!("the newest snapshot of client {client} would be deleted"),
                _ => format!("the newest {count} snapshots of client {client} would be deleted"),
            });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(pack_count: u64, delete_count: u64, newest: &[bool]) -> Braked {
        let newest = BTreeMap::from([(ClientId::new([1; 8]), newest.to_vec())]);
        Braked { pack_count, delete_count, newest }
    }

    #[test]
    fn a_quarter_passes_and_more_needs_to_be_confirmed() {
        assert!(check(&run(100, 25, &[]), None).is_ok());
        assert!(check(&run(0, 0, &[]), None).is_ok());
        assert!(check(&run(20, 16, &[]), None).is_ok(), "few packs");
        assert!(check(&run(20, 17, &[]), None).is_err());
        for (confirmed, passes) in [(None, false), (Some(25), false), (Some(26), true)] {
            assert_eq!(check(&run(100, 26, &[]), confirmed).is_ok(), passes, "{confirmed:?}");
        }
    }

    #[test]
    fn a_client_keeps_one_of_its_newest_three_unless_it_is_confirmed() {
        for (newest, passes) in [
            (&[true, true, true, false][..], false),
            (&[true, true, false], true),
            (&[false, true, true, true], true),
            (&[true], false),
            (&[], true),
        ] {
            assert_eq!(check(&run(100, 1, newest), None).is_ok(), passes, "{newest:?}");
        }
        assert!(check(&run(100, 1, &[true, true, true]), Some(1)).is_ok());
    }
}
