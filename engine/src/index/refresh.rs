//! Takes in the segments that appeared in the store since the last look, and rebuilds from nothing.
//!
//! Segments are read and opened by a few threads and added by one. A segment that is damaged does
//! no harm: the packs describe themselves, so the packs that no readable segment lists are read by
//! their footers instead.

use std::collections::HashSet;

use crate::base::id::{PackId, SegmentId};
use crate::base::monitor::{Counter, Monitor, Phase};
use crate::format::segment::SegmentPack;
use crate::index::collections::take_in;
use crate::index::fetch::{Kind, costs_only_itself, fetch_all};
use crate::index::{Index, IndexError};
use crate::repo::Repo;
use crate::repo::error::RepoError;
use crate::repo::footer::read_footer;
use crate::repo::generations;
use crate::repo::segments::{SegmentView, get_segment};
use crate::store::name::{ObjectName, prefix};

/// What a refresh found.
#[derive(Debug, Default)]
pub struct Refreshed {
    /// Segments that were new to the index.
    pub segments_added: u64,
    /// Segments that could not be read; their packs were read by their footers.
    pub damaged: Vec<RepoError>,
    /// Packs that were added from their footers.
    pub packs_from_footers: u64,
}

/// Brings the index up to date with the store. If segments that the index knows are gone from the
/// store, the store is not the one that the index was made from any more (put back to an older
/// state, or damaged): then everything is read again, so that no backup relies on lost packs. The same
/// if a record of what was deleted cannot be read.
///
/// # Errors
/// Those of the store and of the database. Damaged segments and packs are no error.
pub fn refresh(repo: &Repo, index: &Index, monitor: &dyn Monitor) -> Result<Refreshed, IndexError> {
    if index.doubts_packs()? {
        monitor.note("what a collection deleted cannot be read; reading the index again");
        return rebuild(repo, index, false, monitor);
    }
    let mut known = index.known_segments()?;
    for (id, domain) in index.closed_segments()? {
        // Another key may open what an earlier one could not.
        if repo.keys().index_key(domain).is_none() {
            known.insert(id);
        }
    }
    let (listed, gone_count) = compare(repo, index, &known, monitor)?;
    if gone_count > 0 {
        let gone = match gone_count {
            1 => "1 index segment is".to_owned(),
            more => format!("{more} index segments are"),
        };
        monitor.note(&format!("{gone} gone from the store; reading the index again"));
        return rebuild(repo, index, false, monitor);
    }
    let mut wanted: Vec<_> = listed.difference(&known).copied().collect();
    wanted.sort_unstable();
    add_segments(repo, index, &wanted, None, monitor)
}

/// Whether segments that the index knows are gone from the store and no collector replaced them: it was
/// put back to an earlier state since the index was brought up to date, and packs that segments listed
/// may be gone with them. A segment is stored after its packs, so no such state shows it without them.
///
/// # Errors
/// Those of the store and of the database.
pub fn has_lost_segments(
    repo: &Repo,
    index: &Index,
    monitor: &dyn Monitor,
) -> Result<bool, IndexError> {
    let (_, gone_count) = compare(repo, index, &index.known_segments()?, monitor)?;
    Ok(gone_count > 0)
}

/// Lists the segments in the store, and counts those of `known` that are gone and were not replaced by a
/// collector; forgets those that were.
fn compare(
    repo: &Repo,
    index: &Index,
    known: &HashSet<SegmentId>,
    monitor: &dyn Monitor,
) -> Result<(HashSet<SegmentId>, usize), IndexError> {
    let listed = list_segments(repo)?;
    let gone: Vec<_> = known.difference(&listed).copied().collect();
    if gone.is_empty() {
        return Ok((listed, 0));
    }
    // What they listed is known, or listed by their replacements, or deleted. A listing that runs
    // meanwhile may have passed both by.
    let collections = generations::list(repo)?;
    take_in(repo, index, collections, monitor)?;
    let replaced = index.replaced_segments()?;
    let (explained, lost): (Vec<_>, Vec<_>) =
        gone.into_iter().partition(|segment| replaced.contains(segment));
    index.forget_segments(&explained)?;
    Ok((list_segments(repo)?, lost.len()))
}

/// Forgets everything that came from the store and reads it again. Packs that segments list and
/// the store does not have are left out, so that the next backup stores their chunks anew. With
/// `from_footers`, packs that no segment lists are added.
///
/// # Errors
/// Those of the store and of the database.
pub fn rebuild(
    repo: &Repo,
    index: &Index,
    from_footers: bool,
    monitor: &dyn Monitor,
) -> Result<Refreshed, IndexError> {
    let collections = generations::list(repo)?;
    take_in(repo, index, collections, monitor)?;
    let present = list_packs(repo)?;
    let mut wanted: Vec<_> = list_segments(repo)?.into_iter().collect();
    wanted.sort_unstable();
    index.clear()?;
    let mut refreshed = add_segments(repo, index, &wanted, Some(&present), monitor)?;
    // Only now: a run that is cut off before begins again.
    index.trust_packs()?;
    if from_footers && refreshed.damaged.is_empty() {
        refreshed.packs_from_footers = add_unlisted_packs(repo, index, monitor)?;
    }
    Ok(refreshed)
}

fn list_segments(repo: &Repo) -> Result<HashSet<SegmentId>, RepoError> {
    let mut segments = HashSet::new();
    repo.store().list_each(prefix::INDEX, &mut |object| {
        if let Some(ObjectName::Segment(id)) = object.name {
            segments.insert(id);
        }
        true
    })?;
    Ok(segments)
}

fn list_packs(repo: &Repo) -> Result<HashSet<PackId>, RepoError> {
    let mut packs = HashSet::new();
    for below in [prefix::DATA, prefix::TREE] {
        repo.store().list_each(below, &mut |object| {
            if let Some(ObjectName::Pack(pack)) = object.name {
                packs.insert(pack);
            }
            true
        })?;
    }
    Ok(packs)
}

/// Reads segments and adds what they list, limited to packs that are `present` if those are given.
fn add_segments(
    repo: &Repo,
    index: &Index,
    wanted: &[SegmentId],
    present: Option<&HashSet<PackId>>,
    monitor: &dyn Monitor,
) -> Result<Refreshed, IndexError> {
    let mut refreshed = Refreshed::default();
    if wanted.is_empty() {
        return Ok(refreshed);
    }
    monitor.phase(&Phase {
        name: "reading the index",
        total_items: Some(wanted.len() as u64),
        total_bytes: None,
    });
    fetch_all(
        repo,
        Kind::Large,
        wanted,
        |id| get_segment(repo, *id),
        |id, fetched| {
            monitor.add(Counter::Items, 1);
            let keep = |packs: &mut Vec<SegmentPack>| {
                if let Some(present) = present {
                    packs.retain(|pack| present.contains(&pack.pack));
                }
            };
            match fetched {
                Ok(SegmentView::Open(mut packs)) => {
                    keep(&mut packs);
                    let differing = without_differing(repo, index, packs, |packs| {
                        index.add_segment(id, packs)
                    })?;
                    refreshed.segments_added += 1;
                    note_differing(id, &differing, &mut refreshed, monitor);
                    Ok(())
                }
                Ok(SegmentView::Unsigned(mut packs)) => {
                    keep(&mut packs);
                    let key = ObjectName::Segment(id).key();
                    let why = "the record of its client cannot be read";
                    monitor.note(&format!("{key} is used for reading only: {why}"));
                    without_differing(repo, index, packs, |packs| index.add_unsigned_packs(packs))?;
                    Ok(())
                }
                Ok(SegmentView::Closed { domain }) => index.add_closed_segment(id, domain),
                Err(error) if costs_only_itself(&error) => {
                    monitor.note(&format!("{error}; its packs are read by their footers"));
                    refreshed.damaged.push(error);
                    Ok(())
                }
                Err(error) => Err(error.into()),
            }
        },
    )?;
    if !refreshed.damaged.is_empty() {
        refreshed.packs_from_footers = add_unlisted_packs(repo, index, monitor)?;
    }
    Ok(refreshed)
}

/// Adds what a segment lists with `add`, but what another segment says differently of a pack. Then
/// the pack's own footer decides, for both; answers the packs of which the new one is not believed.
fn without_differing(
    repo: &Repo,
    index: &Index,
    mut packs: Vec<SegmentPack>,
    add: impl Fn(&[SegmentPack]) -> Result<(), IndexError>,
) -> Result<Vec<PackId>, IndexError> {
    let mut differing = Vec::new();
    loop {
        let pack = match add(&packs) {
            Err(IndexError::PackDiffers { pack }) => pack,
            other => return other.map(|()| differing),
        };
        let Some(at) = packs.iter().position(|one| one.pack == pack) else {
            return Err(IndexError::PackDiffers { pack });
        };
        let told = packs.swap_remove(at);
        match read_footer(repo, pack) {
            Ok(Some(own)) => {
                if told != own {
                    differing.push(pack);
                }
                index.replace_pack(&own)?;
            }
            Ok(None) => differing.push(pack),
            // It says nothing any more; what was told first stands, and reading finds out.
            Err(error) if costs_only_itself(&error) => differing.push(pack),
            Err(error) => return Err(error.into()),
        }
    }
}

fn note_differing(
    id: SegmentId,
    differing: &[PackId],
    refreshed: &mut Refreshed,
    monitor: &dyn Monitor,
) {
    for pack in differing {
        let (key, pack) = (ObjectName::Segment(id).key(), ObjectName::Pack(*pack).key());
        let why = format!("what it says of {pack} is not what the pack says");
        monitor.note(&format!("{key} is not believed: {why}"));
        refreshed.damaged.push(RepoError::corrupt(&key, why));
    }
}

/// Reads the footers of all packs that the index does not know; returns how many it could read.
///
/// # Errors
/// Those of the store and of the database. A damaged footer is only noted.
pub fn add_unlisted_packs(
    repo: &Repo,
    index: &Index,
    monitor: &dyn Monitor,
) -> Result<u64, IndexError> {
    let mut known: HashSet<PackId> = HashSet::new();
    index.reader()?.for_each_pack(&mut |pack, _| {
        known.insert(pack);
        true
    })?;
    let mut wanted: Vec<_> = list_packs(repo)?.difference(&known).copied().collect();
    wanted.sort_unstable();
    monitor.phase(&Phase {
        name: "reading the footers of packs",
        total_items: Some(wanted.len() as u64),
        total_bytes: None,
    });
    let mut added = 0;
    fetch_all(
        repo,
        Kind::Large,
        &wanted,
        |pack| read_footer(repo, *pack),
        |_, fetched| {
            monitor.add(Counter::Items, 1);
            match fetched {
                Ok(Some(pack)) => {
                    index.add_packs(&[pack])?;
                    added += 1;
                    Ok(())
                }
                Ok(None) => Ok(()),
                Err(error) if costs_only_itself(&error) => {
                    monitor.note(&error.to_string());
                    Ok(())
                }
                Err(error) => Err(error.into()),
            }
        },
    )?;
    Ok(added)
}
