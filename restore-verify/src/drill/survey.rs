//! All files of a snapshot in one walk: is everything there that it needs, and which are drawn.

use std::collections::{BTreeMap, HashSet};

use engine::base::error::in_one_line;
use engine::base::id::{ChunkId, PackId};
use engine::base::monitor::{Counter, Phase};
use engine::base::path::TreePath;
use engine::blob::fetch::ChunkFetcher;
use engine::format::entry::{Content, Entry, EntryKind};
use engine::format::extent::Extent;
use engine::format::snapshot::Snapshot;
use engine::index::IndexReader;
use engine::repo::Repo;
use engine::store::name::{ObjectName, prefix};
use engine::tree::cursor::{EntryCursor, find};
use engine::tree::extents::ExtentCursor;

use crate::drill::again::Again;
use crate::drill::findings::{About, Findings};
use crate::drill::memory::{FileId, FileIds};
use crate::drill::options::{DrillError, Place};
use crate::drill::salt::Salts;
use crate::drill::stretch::{Stretch, Stretcher};
use crate::evidence::drill_event::PopulationFacts;
use crate::evidence::merkle::RootBuilder;
use crate::evidence::record::Hash32;
use crate::objective::estimate::Load;
use crate::probe::choose::is_lost_if_emptied;
use crate::sample::draw::{Drawer, Row, stratum};

/// A file that a drill restores.
#[derive(Debug, Clone)]
pub struct Picked {
    /// Its path.
    pub path: TreePath,
    /// Its entry.
    pub entry: Entry,
    /// Salted hash of its path.
    pub hash: Hash32,
}

/// What a walk found.
#[derive(Default)]
pub struct Survey {
    /// All files.
    pub population: PopulationFacts,
    /// Those that are drawn, sorted by their hashes.
    pub drawn: Vec<Picked>,
    /// Those of an earlier test's findings that are not drawn, sorted by their paths.
    pub again: Vec<Picked>,
    /// Parts of the tree that are restored to estimate the time of a whole restore.
    pub stretches: Vec<Stretch>,
    /// All small entries.
    pub small: Load,
    /// All large files.
    pub large: Load,
    /// Whether the tree was walked to its end and everything in it is where it should be.
    pub is_complete: bool,
    /// Bytes of all files without holes.
    content_bytes: u64,
    /// The rows, if they were asked for.
    pub rows: Vec<Row>,
}

/// What a walk needs to know.
pub struct Wish<'a> {
    /// Salts of this drill.
    pub salts: &'a Salts,
    /// Seed and number of files; none are drawn without.
    pub draw: Option<(Hash32, u64)>,
    /// Files that were drilled before.
    pub drilled: &'a HashSet<FileId>,
    /// Their ids.
    pub ids: &'a FileIds,
    /// Keep all rows.
    pub keep_rows: bool,
    /// Files that an earlier test found broken.
    pub again: Option<&'a Again>,
    /// Pick stretches.
    pub stretches: bool,
    /// The tree of the snapshot before, to be asked for files that are empty now.
    pub before: Option<ChunkId>,
}

/// Files that are asked for in the snapshot before: of more, nothing is said.
const EMPTIED_MAX: u32 = 10_000;

/// Names and sizes of all packs in the store.
pub type Packs = BTreeMap<PackId, u64>;

/// Lists the packs.
///
/// # Errors
/// Those of the store.
pub fn list_packs(repo: &Repo) -> Result<Packs, DrillError> {
    let mut packs = Packs::new();
    for below in [prefix::DATA, prefix::TREE] {
        let mut take = |object: engine::store::Listed| {
            if let Some(ObjectName::Pack(pack)) = object.name {
                packs.insert(pack, object.size_bytes);
            }
            true
        };
        repo.store().list_each(below, &mut take).map_err(engine::repo::error::RepoError::from)?;
    }
    Ok(packs)
}

/// Walks a snapshot.
///
/// # Errors
/// Those of store and database that end the drill; damage becomes findings.
pub fn survey(
    place: &Place<'_>,
    fetcher: &ChunkFetcher<'_>,
    snapshot: &Snapshot,
    wish: &Wish<'_>,
    packs: &Packs,
    findings: &mut Findings,
) -> Result<Survey, DrillError> {
    place.monitor.phase(&Phase {
        name: "surveying",
        total_items: Some(snapshot.summary.entries),
        total_bytes: None,
    });
    let mut walker = Walker {
        snapshot,
        wish,
        packs,
        fetcher,
        reader: place.index.reader()?,
        drawer: wish.draw.map(|(seed, count)| Drawer::new(seed.0, count)),
        root: RootBuilder::default(),
        survey: Survey { is_complete: true, ..Survey::default() },
        missing: HashSet::new(),
        stretcher: stretcher(snapshot, wish.stretches),
        entries: 0,
        emptied: 0,
    };
    for item in EntryCursor::new(fetcher, snapshot.root) {
        match item {
            Ok((path, entry)) => walker.take(&path, entry, findings)?,
            Err(error) => {
                walker.survey.is_complete = false;
                findings.error("structure", About::Object("the tree of the snapshot"), &error);
            }
        }
        place.monitor.add(Counter::Items, 1);
        if place.monitor.is_cancelled() {
            walker.survey.is_complete = false;
            findings.doubt("structure", About::Object("the drill"), "it was interrupted");
            break;
        }
    }
    walker.check_count(findings);
    Ok(walker.finish())
}

fn stretcher(snapshot: &Snapshot, is_wanted: bool) -> Stretcher {
    Stretcher::new(snapshot.summary.entries, snapshot.summary.total_bytes, is_wanted)
}

struct Walker<'a> {
    snapshot: &'a Snapshot,
    wish: &'a Wish<'a>,
    packs: &'a Packs,
    fetcher: &'a ChunkFetcher<'a>,
    reader: IndexReader,
    drawer: Option<Drawer<(TreePath, Entry)>>,
    root: RootBuilder,
    survey: Survey,
    /// Packs that were missed already: one finding for each.
    missing: HashSet<PackId>,
    stretcher: Stretcher,
    entries: u64,
    emptied: u32,
}

impl Walker<'_> {
    fn take(
        &mut self,
        path: &TreePath,
        entry: Entry,
        findings: &mut Findings,
    ) -> Result<(), DrillError> {
        self.entries += 1;
        if entry.is_unread() {
            // The snapshot says that it does not have it.
            return Ok(());
        }
        if entry.kind != EntryKind::File {
            self.stretcher.take(path, &entry, 0);
            return Ok(());
        }
        let hash = self.wish.salts.hash(path);
        self.look_whether_emptied(path, hash, &entry, findings);
        let before = self.survey.content_bytes;
        self.look_up(path, hash, &entry, findings)?;
        self.stretcher.take(path, &entry, self.survey.content_bytes - before);
        let age_s = self.snapshot.started.seconds - entry.mtime.seconds;
        let row = Row {
            path: hash.0,
            size_bytes: entry.size_bytes,
            stratum: stratum(age_s, entry.size_bytes, &self.wish.salts.folder(path)),
            is_fresh: !self.wish.drilled.contains(&self.wish.ids.of(path)),
        };
        let population = &mut self.survey.population;
        population.files += 1;
        population.bytes = population.bytes.saturating_add(entry.size_bytes);
        population.fresh += u64::from(row.is_fresh);
        self.root.push(&row.to_bytes());
        if self.wish.keep_rows {
            self.survey.rows.push(row);
        }
        if self.wish.again.is_some_and(|again| again.holds(path)) {
            self.survey.again.push(Picked { path: path.clone(), entry: entry.clone(), hash });
        }
        if let Some(drawer) = &mut self.drawer {
            drawer.push(row, || (path.clone(), entry));
        }
        Ok(())
    }

    /// A dump, a database or a document that is empty now and was not in the snapshot before was
    /// lost, whatever a probe can tell of an empty file.
    fn look_whether_emptied(
        &mut self,
        path: &TreePath,
        hash: Hash32,
        entry: &Entry,
        findings: &mut Findings,
    ) {
        let Some(before) = self.wish.before.filter(|_| entry.size_bytes == 0) else { return };
        if !is_lost_if_emptied(path.name()) || self.emptied >= EMPTIED_MAX {
            return;
        }
        self.emptied += 1;
        // What cannot be read there is damage of that snapshot, and found when it is drilled.
        if let Ok(Some(old)) = find(self.fetcher, before, path)
            && old.kind == EntryKind::File
            && old.size_bytes > 0
        {
            let why =
                format!("it is empty, and had {} bytes in the snapshot before", old.size_bytes);
            findings.fail("kind", About::File(path, hash), why);
        }
    }

    /// Whether every chunk of a file has a place in a pack that is there.
    fn look_up(
        &mut self,
        path: &TreePath,
        hash: Hash32,
        entry: &Entry,
        findings: &mut Findings,
    ) -> Result<(), DrillError> {
        let content = match &entry.content {
            Some(Content::Inline(bytes)) => {
                self.survey.content_bytes += bytes.len() as u64;
                return Ok(());
            }
            Some(content) => content,
            None => {
                self.survey.is_complete = false;
                let why = "the snapshot has no content for it";
                findings.fail("structure", About::File(path, hash), why);
                return Ok(());
            }
        };
        for extent in ExtentCursor::new(self.fetcher, content) {
            let extent = match extent {
                Ok(extent) => extent,
                Err(error) => {
                    self.survey.is_complete = false;
                    findings.fail("structure", About::File(path, hash), in_one_line(&error));
                    return Ok(());
                }
            };
            let Extent::Chunk { id, length_bytes } = extent else { continue };
            self.survey.content_bytes += u64::from(length_bytes);
            let places = self.reader.places(&id)?;
            let is_there = |pack: &PackId, bytes: u32| {
                self.packs.get(pack).is_some_and(|found| *found == u64::from(bytes))
            };
            let good = places.iter().find(|place| is_there(&place.pack, place.pack_bytes));
            self.stretcher.chunk(entry, extent, good);
            if good.is_some() {
                continue;
            }
            self.survey.is_complete = false;
            match places.first() {
                None => {
                    let why = format!("no pack holds chunk {id}");
                    findings.fail("structure", About::File(path, hash), why);
                    return Ok(());
                }
                Some(place) if self.missing.insert(place.pack) => {
                    let key = ObjectName::Pack(place.pack).key();
                    let why = match self.packs.get(&place.pack) {
                        None => "the pack is missing".to_owned(),
                        Some(found) => {
                            format!("the pack has {found} bytes instead of {}", place.pack_bytes)
                        }
                    };
                    findings.fail("structure", About::Object(&key), why);
                }
                Some(_) => {}
            }
        }
        Ok(())
    }

    fn check_count(&mut self, findings: &mut Findings) {
        let wanted = self.snapshot.summary.entries;
        if self.survey.is_complete && self.entries != wanted {
            self.survey.is_complete = false;
            let why = format!("it has {} entries, its record says {wanted}", self.entries);
            findings.fail("structure", About::Object("the tree of the snapshot"), why);
        }
    }

    fn finish(self) -> Survey {
        let mut survey = self.survey;
        survey.population.root = self.root.root();
        if let Some(drawer) = self.drawer {
            let pick = |(row, (path, entry)): (Row, (TreePath, Entry))| Picked {
                path,
                entry,
                hash: Hash32(row.path),
            };
            survey.drawn = drawer.finish().into_iter().map(pick).collect();
            let drawn: HashSet<Hash32> = survey.drawn.iter().map(|picked| picked.hash).collect();
            survey.again.retain(|picked| !drawn.contains(&picked.hash));
        }
        (survey.small, survey.large) = self.stretcher.loads();
        survey.stretches = self.stretcher.finish();
        survey
    }
}
