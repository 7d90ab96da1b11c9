//! Which packs may go: O1 chooses what to condemn, O6 what of that is deleted.

use std::collections::{BTreeMap, HashMap, HashSet};

use crate::base::id::PackId;
use crate::format::generation::PackSet;
use crate::gc::error::GcError;
use crate::gc::mark::Marks;
use crate::gc::usage::{Copies, PackUse};
use crate::index::{IndexReader, PackStanding};

/// O1: packs whose session has decided and of which nothing is needed, or whose every needed chunk
/// has another copy outside of what is chosen. Of two copies the one in the thinner pack goes, then
/// the one with the lesser name, so that collectors that do not know of each other choose alike.
///
/// `excluded` is what others condemn or sweep: no copy there counts, but a dead pack there may be
/// condemned once more, so that what a crash left behind is deleted by whoever comes next.
pub(super) fn candidates(
    reader: &IndexReader,
    packs: &HashMap<i64, PackUse>,
    marks: &Marks,
    excluded: &PackSet,
    max_packs: usize,
) -> Result<PackSet, GcError> {
    let mut sorted: Vec<&PackUse> = packs.values().filter(|pack| may_go(pack, excluded)).collect();
    sorted.sort_unstable_by_key(|pack| pack.row.pack);
    let mut chosen = PackSet::default();
    let (dead, mut needed): (Vec<&PackUse>, Vec<&PackUse>) =
        sorted.into_iter().partition(|pack| pack.live_count == 0);
    for pack in dead.iter().take(max_packs) {
        chosen.insert(pack.row.pack);
    }
    // Of two packs with the same chunks the one that holds more beside them goes.
    needed.sort_by(|a, b| {
        let left = u64::from(a.live_count) * u64::from(b.row.chunk_count);
        let right = u64::from(b.live_count) * u64::from(a.row.chunk_count);
        left.cmp(&right).then(a.row.pack.cmp(&b.row.pack))
    });
    for pack in needed {
        if pack.copied_count < pack.live_count || chosen.len() >= max_packs {
            continue;
        }
        let not_in = [excluded, &chosen];
        let copies = Copies { reader, packs, marks, not_in, must_be_authenticated: false };
        if copies.all_elsewhere(pack)? {
            chosen.insert(pack.row.pack);
        }
    }
    Ok(chosen)
}

/// Packs of running sessions stay. One that is gone already matters only if a sweep names it: then
/// a crash kept its collector from saying so.
fn may_go(pack: &PackUse, excluded: &PackSet) -> bool {
    pack.is_decided && (pack.exists || excluded.contains(&pack.row.pack))
}

/// O6: what of the condemned packs may be deleted: each of its needed chunks has another indexed,
/// existing copy, outside of everything condemned here and of everything that others exclude, in a
/// pack whose own footer was read and verified.
pub(super) fn deletable(
    reader: &IndexReader,
    packs: &HashMap<i64, PackUse>,
    marks: &Marks,
    condemned: &PackSet,
    excluded: &PackSet,
) -> Result<PackSet, GcError> {
    let not_in = [excluded, condemned];
    let copies = Copies { reader, packs, marks, not_in, must_be_authenticated: true };
    let mut deletable = PackSet::default();
    for pack in packs.values().filter(|pack| condemned.contains(&pack.row.pack)) {
        if pack.live_count == 0 || copies.all_elsewhere(pack)? {
            deletable.insert(pack.row.pack);
        }
    }
    Ok(deletable)
}

/// Before O6: one pack for each needed chunk of the condemned packs that has copies elsewhere, but
/// none in a pack whose own footer was read. Packs in `failed` were tried.
pub(super) fn to_authenticate(
    reader: &IndexReader,
    packs: &HashMap<i64, PackUse>,
    marks: &Marks,
    not_in: [&PackSet; 2],
    failed: &HashSet<i64>,
) -> Result<BTreeMap<i64, PackId>, GcError> {
    let copies = Copies { reader, packs, marks, not_in, must_be_authenticated: true };
    let mut wanted = BTreeMap::new();
    let condemned = packs.values().filter(|pack| not_in[1].contains(&pack.row.pack));
    for pack in condemned.filter(|pack| pack.live_count > 0) {
        copies.for_each_live(pack, &mut |id| {
            let (mut is_done, mut first) = (false, None);
            copies.for_each_other(&id, &pack.row, &mut |other| {
                is_done = other.row.standing == PackStanding::Authenticated
                    || wanted.contains_key(&other.row.row);
                if first.is_none() && !failed.contains(&other.row.row) {
                    first = Some((other.row.row, other.row.pack));
                }
                !is_done
            })?;
            // A chunk without any copy keeps its pack: nothing more need be read for that.
            let has_copy = is_done || first.is_some();
            wanted.extend(first.filter(|_| !is_done));
            Ok(has_copy)
        })?;
    }
    Ok(wanted)
}
