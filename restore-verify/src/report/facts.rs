//! What a report is computed from: verified records, confirmed snapshots, marks, keys.
//!
//! Read once from a repository; from here on everything is arithmetic on plain values.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use engine::base::error::{Classified, ErrorClass};
use engine::crypt::seal::Suite;
use engine::format::slot::{Role, SlotKind};
use engine::format::snapshot::SnapshotState;
use engine::index::belief::Claims;
use engine::index::catalog::{Catalog, Committed};
use engine::index::marks::Marks;
use engine::repo::error::RepoError;
use engine::repo::{Repo, slots};
use engine::store::Listed;
use engine::store::name::prefix;

use crate::evidence::event::Event;
use crate::evidence::population::RunOutcome;
use crate::evidence::record::{Reference, record_key, to_hex};
use crate::evidence::remedy::{Case, cases};
use crate::evidence::runs;
use crate::evidence::shelf::{Shelf, ShelfError, millis};
use crate::report::population::{Point, Recorded};

/// Between a writer's clock and the store's: more is another time.
const CLOCKS_MS: i64 = 3_600_000;

/// A record, decoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its id: `writer/number`.
    pub id: String,
    /// Its place and hash.
    pub reference: Reference,
    /// When it was written, by the clock of its writer.
    pub at_ms: i64,
    /// When the store received it, by the store's clock, if the store was asked.
    pub stored_ms: Option<i64>,
    /// Who caused it.
    pub actor: String,
    /// Where.
    pub host: String,
    /// Program and version.
    pub program: String,
    /// What happened.
    pub event: Event,
}

impl Entry {
    /// From when on it is certain that it was there: what its writer says, or the store if that saw
    /// it later.
    #[must_use]
    pub fn proved_ms(&self) -> i64 {
        match self.stored_ms {
            // Clocks differ a little, and stores round to seconds.
            Some(stored) if stored - self.at_ms > CLOCKS_MS => stored,
            _ => self.at_ms,
        }
    }
}

/// A hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HoldFact {
    /// Its id.
    pub id: String,
    /// Since when.
    pub at_ms: i64,
    /// Why.
    pub reason: String,
    /// Until when it is meant.
    pub until_ms: Option<i64>,
    /// How many snapshots.
    pub snapshots: u64,
    /// When it ended.
    pub released_ms: Option<i64>,
}

/// A key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyFact {
    /// Its id.
    pub id: String,
    /// `passphrase`, `recovery words`, `key file`.
    pub kind: &'static str,
    /// What it may do.
    pub role: Option<Role>,
    /// Its name for people.
    pub label: Option<String>,
    /// When it was made.
    pub created_ms: Option<i64>,
}

/// Everything.
#[derive(Debug, Clone, Default)]
pub struct Facts {
    /// The repository's id.
    pub repository: String,
    /// Fingerprint of its administrator.
    pub fingerprint: String,
    /// Where it is.
    pub place: String,
    /// How data are encrypted.
    pub cipher: String,
    /// Whether the store locks objects; `None` if it was not probed.
    pub locks_objects: Option<bool>,
    /// Verified records, oldest first.
    pub entries: Vec<Entry>,
    /// Findings with what was done about them.
    pub cases: Vec<Case>,
    /// What is wrong with the chains.
    pub flaws: Vec<String>,
    /// The newest record of each chain.
    pub heads: Vec<Reference>,
    /// Confirmed snapshots, forgotten ones too, oldest first.
    pub points: Vec<Point>,
    /// Runs of backups as evidence and the store know them.
    pub recorded: BTreeMap<[u8; 24], Recorded>,
    /// When this was read.
    pub read_ms: i64,
    /// Snapshots whose record cannot be read.
    pub damaged: Vec<String>,
    /// Snapshots that are gone though nobody forgot them.
    pub gone: Vec<String>,
    /// Holds, released ones too.
    pub holds: Vec<HoldFact>,
    /// Keys.
    pub keys: Vec<KeyFact>,
}

/// Why facts cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum FactsError {
    /// Evidence.
    #[error(transparent)]
    Shelf(#[from] ShelfError),
    /// The repository.
    #[error(transparent)]
    Repo(#[from] RepoError),
}

impl Classified for FactsError {
    fn class(&self) -> ErrorClass {
        match self {
            Self::Shelf(error) => error.class(),
            Self::Repo(error) => error.class(),
        }
    }
}

impl Facts {
    /// Reads them. What is wrong with evidence is part of them.
    ///
    /// # Errors
    /// Those of the store and of local files.
    pub fn read(
        repo: &Repo,
        state: &Path,
        catalog: &Catalog,
        marks: &Marks,
    ) -> Result<Self, FactsError> {
        let shelf = Shelf::open(repo, state)?;
        let mut facts = Self {
            repository: repo.config().repository.to_string(),
            fingerprint: repo.fingerprint(),
            place: repo.store().describe().to_string(),
            cipher: cipher(repo),
            locks_objects: locks_objects(repo),
            flaws: shelf.flaws().iter().map(ToString::to_string).collect(),
            damaged: catalog.damaged.iter().map(|(id, _)| id.to_snapshot_hex()).collect(),
            gone: catalog.missing.iter().map(|id| id.to_snapshot_hex()).collect(),
            keys: keys(repo)?,
            holds: holds(marks),
            recorded: recorded(&shelf, repo, catalog, state)?,
            read_ms: millis(repo.clock().now()),
            ..Self::default()
        };
        facts.take_records(&shelf, &stored_times(repo)?, catalog);
        for (all, is_forgotten) in [(&catalog.snapshots, false), (&catalog.forgotten, true)] {
            let counting = all.iter().filter(|one| one.doubt.is_none());
            let claims = &catalog.claims;
            facts.points.extend(counting.map(|one| point(one, claims, is_forgotten)));
        }
        facts.points.sort_by(|a, b| (a.started_ms, &a.snapshot).cmp(&(b.started_ms, &b.snapshot)));
        Ok(facts)
    }

    /// The systems that have snapshots or were drilled, by name.
    #[must_use]
    pub fn systems(&self) -> BTreeSet<&str> {
        let drilled = self.entries.iter().filter_map(|entry| match &entry.event {
            Event::Drill(drill) => Some(drill.system.as_str()),
            _ => None,
        });
        let all = self.points.iter().map(|point| point.system.as_str()).chain(drilled);
        all.filter(|name| !name.is_empty()).collect()
    }

    fn take_records(
        &mut self,
        shelf: &Shelf<'_>,
        stored: &BTreeMap<String, i64>,
        catalog: &Catalog,
    ) {
        let all = catalog.snapshots.iter().chain(&catalog.forgotten);
        let systems: BTreeMap<[u8; 24], String> = all
            .map(|one| (*one.snapshot.session.as_bytes(), catalog.claims.system_of(one)))
            .collect();
        for one in shelf.records() {
            let record = &one.record;
            let id = one.reference().to_string();
            // A body that does not decode is a flaw, and still a link of its chain.
            let mut event = Event::decode(&record.event, &record.body).unwrap_or_else(|why| {
                self.flaws.push(format!("{id}: its body is of another shape: {why}"));
                Event::Unknown { event: record.event.clone(), body: record.body.clone() }
            });
            // Whose a snapshot is may be known better by now than when it was drilled.
            if let Event::Drill(drill) = &mut event
                && let Some(system) = systems.get(&drill.snapshot)
            {
                drill.system.clone_from(system);
            }
            self.entries.push(Entry {
                id,
                reference: one.reference(),
                at_ms: record.at_ms,
                stored_ms: stored.get(&record_key(record.writer, record.number)).copied(),
                actor: record.actor.clone(),
                host: record.host.clone(),
                program: record.program.clone(),
                event,
            });
        }
        self.cases = cases(shelf.records());
        let mut heads: BTreeMap<_, Reference> = BTreeMap::new();
        for entry in &self.entries {
            let at = entry.reference;
            let head = heads.entry(at.writer).or_insert(at);
            if head.number < at.number {
                *head = at;
            }
        }
        self.heads = heads.into_values().collect();
    }
}

/// When the store received records, by their keys.
fn stored_times(repo: &Repo) -> Result<BTreeMap<String, i64>, FactsError> {
    let mut times = BTreeMap::new();
    let mut take = |object: Listed| {
        times.insert(object.key, millis(object.modified));
        true
    };
    repo.store().list_each(prefix::EVIDENCE, &mut take).map_err(RepoError::from)?;
    Ok(times)
}

/// What populations say, the newest last, and then the store, which may know more by now.
fn recorded(
    shelf: &Shelf<'_>,
    repo: &Repo,
    catalog: &Catalog,
    state: &Path,
) -> Result<BTreeMap<[u8; 24], Recorded>, ShelfError> {
    let mut found: BTreeMap<[u8; 24], Recorded> = BTreeMap::new();
    for (at, rows) in runs::recorded(shelf, state) {
        let record = Some(at.to_string());
        let rows = rows.into_iter();
        found.extend(rows.map(|row| (row.run, Recorded { row, record: record.clone() })));
    }
    let doubted = catalog.snapshots.iter().chain(&catalog.forgotten);
    for one in doubted.filter(|one| one.doubt.is_some()) {
        found.remove(one.snapshot.session.as_bytes());
    }
    for row in runs::without_snapshot(repo, catalog)? {
        match found.get(&row.run) {
            Some(known) if known.row == row => {}
            _ => drop(found.insert(row.run, Recorded { row, record: None })),
        }
    }
    Ok(found)
}

fn locks_objects(repo: &Repo) -> Option<bool> {
    let capabilities = &repo.config().capabilities;
    capabilities.probed.then_some(capabilities.object_lock)
}

fn cipher(repo: &Repo) -> String {
    let seal = match Suite::from_code(repo.config().suite) {
        Some(Suite::XWing) => "X-Wing (ML-KEM-768 and X25519)",
        Some(Suite::X25519) => "X25519",
        None => "an unknown suite",
    };
    format!("ChaCha20-Poly1305, sealed to public keys with {seal}")
}

fn keys(repo: &Repo) -> Result<Vec<KeyFact>, RepoError> {
    let fact = |slot: slots::ListedSlot| KeyFact {
        id: slot.slot.to_string(),
        kind: match slot.kind {
            Some(SlotKind::Passphrase) => "passphrase",
            Some(SlotKind::Phrase) => "recovery words",
            Some(SlotKind::KeyFile) => "key file",
            None => "unknown",
        },
        role: slot.role,
        created_ms: slot.about.as_ref().map(|about| millis(about.created)),
        label: slot.about.map(|about| about.label),
    };
    // Others anybody may have put there.
    let listed = slots::list(repo)?.into_iter().filter(|slot| slot.standing.is_listed());
    Ok(listed.map(fact).collect())
}

fn holds(marks: &Marks) -> Vec<HoldFact> {
    let fact = |(id, hold): (_, &engine::format::mark::Hold)| HoldFact {
        id: hold.hold.to_string(),
        at_ms: millis(hold.at),
        reason: hold.reason.clone(),
        until_ms: hold.until.map(millis),
        snapshots: hold.snapshots.len() as u64,
        released_ms: marks.releases.get(id).map(|release| millis(release.at)),
    };
    marks.holds.iter().map(fact).collect()
}

fn point(one: &Committed, claims: &Claims, is_forgotten: bool) -> Point {
    let snapshot = &one.snapshot;
    let original = one.believed_original();
    let committed = original.map_or(one.committed, |original| original.committed);
    Point {
        run: to_hex(snapshot.session.as_bytes()),
        snapshot: snapshot.session.to_snapshot_hex(),
        system: claims.system_of(one),
        started_ms: millis(snapshot.started),
        finished_ms: millis(snapshot.finished),
        committed_ms: millis(committed),
        outcome: match snapshot.state {
            SnapshotState::Complete => RunOutcome::Ok,
            SnapshotState::CompleteWithNotes => RunOutcome::OkWithNotes,
            SnapshotState::Partial => RunOutcome::Partial,
        },
        entries: snapshot.summary.entries,
        bytes: snapshot.summary.total_bytes,
        stored_bytes: snapshot.summary.bytes_stored,
        problems: snapshot.problem_count,
        is_forgotten,
        is_brought_back: original.is_some(),
    }
}
