//! O9: segments that list deleted packs are replaced by segments that list the rest.
//!
//! A segment is deleted only after everything in it that stays is listed by another one that was
//! acknowledged. One that lists a dead pack does no harm, so whatever cannot be read is left alone.

use std::collections::BTreeMap;

use crate::base::error::{Classified, ErrorClass};
use crate::base::id::{GenerationId, SegmentId, SessionId};
use crate::base::limits::{SEGMENT_MAX_BYTES, SEGMENT_MAX_PACKS};
use crate::format::generation::PackSet;
use crate::format::segment::SegmentPack;
use crate::gc::collector::{Collector, Generation};
use crate::gc::error::GcError;
use crate::repo::segments::{self, SegmentView, get_segment, put_segment};
use crate::store::name::ObjectName;

/// Replacement segments bear the generation's random part, so that their names are as unique.
fn session_of(generation: GenerationId) -> SessionId {
    SessionId::from_parts(generation.client(), 0, generation.random())
}

impl Collector<'_> {
    /// Writes replacements for `segments` without `dead`, then deletes them. Answers how many.
    ///
    /// # Errors
    /// Those of the store and of the index.
    pub fn replace_segments(
        &self,
        generation: &Generation,
        segments: &[SegmentId],
        dead: &PackSet,
    ) -> Result<u64, GcError> {
        let (repo, index) = (self.repo, self.index);
        let buried = index.dead_packs()?;
        let mut writer = Writer {
            collector: self,
            session: session_of(generation.id),
            number: 0,
            merged: Vec::new(),
            open: BTreeMap::new(),
        };
        for name in segments {
            let packs = match get_segment(repo, *name) {
                Ok(SegmentView::Open(packs)) => packs,
                // What cannot be verified is not signed once more.
                Ok(SegmentView::Unsigned(_) | SegmentView::Closed { .. }) => continue,
                Err(error)
                    if matches!(
                        error.class(),
                        ErrorClass::Corrupt | ErrorClass::Missing | ErrorClass::Newer
                    ) =>
                {
                    continue;
                }
                Err(error) => return Err(error.into()),
            };
            let stays =
                |pack: &SegmentPack| !dead.contains(&pack.pack) && !buried.contains(&pack.pack);
            for pack in packs.into_iter().filter(stays) {
                writer.add(pack)?;
            }
            writer.merged.push(*name);
        }
        let merged = writer.finish()?;
        index.add_replaced_segments(&merged)?;
        for name in &merged {
            repo.store().delete(&ObjectName::Segment(*name))?;
        }
        index.forget_segments(&merged)?;
        let folders: BTreeMap<_, _> = merged.iter().map(|name| (name.session, *name)).collect();
        for one in folders.into_values() {
            repo.store().remove_empty_folder(&ObjectName::Segment(one));
        }
        Ok(merged.len() as u64)
    }
}

/// Packs on their way into new segments, by dedup domain.
struct Writer<'a> {
    collector: &'a Collector<'a>,
    session: SessionId,
    number: u32,
    merged: Vec<SegmentId>,
    open: BTreeMap<u32, (usize, Vec<SegmentPack>)>,
}

impl Writer<'_> {
    fn add(&mut self, pack: SegmentPack) -> Result<(), GcError> {
        let domain = pack.domain;
        let (bytes, packs) = self.open.entry(domain).or_default();
        let size = pack.table.len_bytes() + 96;
        if packs.len() >= SEGMENT_MAX_PACKS || *bytes + size > SEGMENT_MAX_BYTES / 2 {
            let full = std::mem::take(packs);
            *bytes = 0;
            self.write(domain, &full)?;
        }
        let (bytes, packs) = self.open.entry(domain).or_default();
        *bytes += size;
        packs.push(pack);
        Ok(())
    }

    fn write(&mut self, domain: u32, packs: &[SegmentPack]) -> Result<(), GcError> {
        let Collector { repo, index, .. } = self.collector;
        let id = segments::new_id(self.session, self.number);
        put_segment(repo, &self.collector.identity()?.signing, domain, id, packs)?;
        index.add_segment(id, packs)?;
        self.number += 1;
        Ok(())
    }

    fn finish(mut self) -> Result<Vec<SegmentId>, GcError> {
        for (domain, (_, packs)) in std::mem::take(&mut self.open) {
            if !packs.is_empty() {
                self.write(domain, &packs)?;
            }
        }
        Ok(self.merged)
    }
}
