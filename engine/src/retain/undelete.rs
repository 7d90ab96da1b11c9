//! Bringing a forgotten snapshot back: a new snapshot with the same tree.
//!
//! A tombstone cannot be taken down: a collector that has seen it may be about to delete. So this is
//! an ordinary session, registered before it looks at anything, that refers to chunks which are
//! there already, as any backup of unchanged files does. Whatever protects such a backup against
//! collections protects this one; nothing has to be argued anew. It is refused if a chunk or a
//! node is gone or is about to go.

use std::collections::HashSet;

use crate::base::error::in_one_line;
use crate::base::id::{ChunkId, PackId, SessionId};
use crate::base::limits::NODE_CACHE_BYTES;
use crate::base::monitor::{Monitor, Phase};
use crate::base::path::TreePath;
use crate::blob::fetch::ChunkFetcher;
use crate::format::envelope::encode_record;
use crate::format::generation::PackSet;
use crate::format::session::SessionKind;
use crate::format::snapshot::{Original, Snapshot};
use crate::index::catalog::Committed;
use crate::index::collections::take_in;
use crate::index::identity::{advance_chain, chain, writer_identity};
use crate::index::refresh::refresh;
use crate::index::settle::settle_open_runs;
use crate::index::{Index, IndexError, IndexReader};
use crate::repo::error::RepoError;
use crate::repo::generations;
use crate::repo::keyring::Identity;
use crate::repo::marks::require_may_mark;
use crate::repo::session::{self, CommitOutcome};
use crate::repo::{PROGRAM, Repo};
use crate::retain::RetainError;
use crate::retain::gather::{Gathered, gather};
use crate::store::name::{ObjectName, prefix};
use crate::tree::TreeError;
use crate::tree::reach::{Reach, ReachVisitor};

/// How often a commit that met a fence is tried again under a new session.
const COMMIT_ATTEMPTS: u32 = 5;

/// What became of a forgotten snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UndeleteReport {
    /// The forgotten one.
    pub original: SessionId,
    /// The live one with its tree.
    pub snapshot: SessionId,
    /// Whether somebody had brought it back before.
    pub was_there: bool,
}

/// Brings a forgotten snapshot back.
///
/// # Errors
/// [`RetainError::NotWhole`] if something it needs is gone or about to go, and if it is not
/// forgotten; [`RepoError::Denied`] for roles that may not; errors of store and index.
pub fn undelete(
    repo: &Repo,
    index: &Index,
    host: &str,
    wanted: SessionId,
    monitor: &dyn Monitor,
) -> Result<UndeleteReport, RetainError> {
    require_may_mark(repo, "bring snapshots back")?;
    repo.keys().tree()?;
    // What is refused or done anyway needs no session.
    if let Some(report) = look(&gather(repo, index)?, wanted)?.1 {
        return Ok(report);
    }
    let identity = writer_identity(repo, index, host)?;
    settle_open_runs(repo, index, &identity, monitor)?;
    let sequence = chain(repo, index, identity.client)?.next_sequence;
    let session = session::new_id(&identity, sequence);
    index.begin_run(session, repo.clock().now(), "undelete")?;
    let done = Session { repo, index, identity: &identity, host }.run(session, wanted, monitor);
    let gave_up = match &done {
        Ok(report) if !report.was_there => return done,
        Ok(_) => "the snapshot had been brought back already".to_owned(),
        Err(error) => in_one_line(error),
    };
    // Nobody shall wait for this session. If that fails too, the next run sees to it.
    for open in index.open_runs()?.into_iter().filter(|open| open.client() == identity.client) {
        if let Ok(session::Aftermath::GivenUp) = session::settle(repo, &identity, open) {
            index.finish_run(open, repo.clock().now(), "given up", &gave_up)?;
        }
    }
    done
}

struct Session<'a> {
    repo: &'a Repo,
    index: &'a Index,
    identity: &'a Identity,
    host: &'a str,
}

impl Session<'_> {
    fn run(
        &self,
        mut session: SessionId,
        wanted: SessionId,
        monitor: &dyn Monitor,
    ) -> Result<UndeleteReport, RetainError> {
        let (repo, index) = (self.repo, self.index);
        for _ in 0..COMMIT_ATTEMPTS {
            // B1 and B2: only what is read from here on may be relied on.
            session::register(repo, self.identity, session, SessionKind::Backup, self.host)?;
            let excluded = take_in(repo, index, generations::list(repo)?, monitor)?.packs;
            refresh(repo, index, monitor)?;
            let gathered = gather(repo, index)?;
            let (old, back) = look(&gathered, wanted)?;
            if let Some(report) = back {
                return Ok(report);
            }
            self.require_whole(&old.snapshot, &excluded, monitor)?;
            let record = self.record(session, old)?;
            match session::commit(repo, self.identity, &record)? {
                CommitOutcome::Confirmed(digest) => {
                    advance_chain(index, session, digest)?;
                    index.put_snapshot(session, digest, &encode_record(&record))?;
                    index.finish_run(session, repo.clock().now(), "committed", "undelete")?;
                    let (original, snapshot) = (wanted, session);
                    return Ok(UndeleteReport { original, snapshot, was_there: false });
                }
                CommitOutcome::Fenced => {
                    monitor.note("the session was fenced by somebody else; committing again");
                    index.finish_run(session, repo.clock().now(), "fenced", "")?;
                    session = session::new_id(self.identity, session.sequence());
                    index.begin_run(session, repo.clock().now(), "undelete after a fence")?;
                }
            }
        }
        Err(RetainError::AlwaysFenced { attempts: COMMIT_ATTEMPTS })
    }

    fn record(&self, session: SessionId, old: &Committed) -> Result<Snapshot, RetainError> {
        let chain = chain(self.repo, self.index, self.identity.client)?;
        let was = &old.snapshot;
        let first = Original { session: was.session, committed: old.committed };
        Ok(Snapshot {
            session,
            client: self.identity.client,
            previous: chain.previous,
            seen: Vec::new(),
            program: PROGRAM.to_owned(),
            original: Some(was.original.unwrap_or(first)),
            ..was.clone()
        })
    }

    /// Every node and chunk must have a copy in a pack that is there and that no collector is about
    /// to delete.
    fn require_whole(
        &self,
        old: &Snapshot,
        excluded: &PackSet,
        monitor: &dyn Monitor,
    ) -> Result<(), RetainError> {
        let total_items = Some(old.summary.entries);
        let phase = Phase { name: "looking for its chunks", total_items, total_bytes: None };
        monitor.phase(&phase);
        let mut present = list_packs(self.repo)?;
        present.retain(|pack| !excluded.contains(pack));
        let fetcher = ChunkFetcher::new(self.repo, self.index, NODE_CACHE_BYTES)?;
        let reader = self.index.reader()?;
        let mut looker = Looker { reader, present, missing: None, failure: None };
        Reach::default().visit(&fetcher, old.root, &mut looker);
        if let Some(error) = looker.failure {
            return Err(error.into());
        }
        if monitor.is_cancelled() {
            return Err(RetainError::Interrupted);
        }
        match looker.missing {
            None => Ok(()),
            Some(why) => Err(RetainError::NotWhole { snapshot: short(old.session), why }),
        }
    }
}

fn short(session: SessionId) -> String {
    session.to_snapshot_hex()[..8].to_owned()
}

/// The forgotten snapshot, and what has brought it back already.
fn look(
    gathered: &Gathered,
    wanted: SessionId,
) -> Result<(&Committed, Option<UndeleteReport>), RetainError> {
    let old = find(gathered, wanted)?;
    let lineage = old.snapshot.original.map_or(wanted, |original| original.session);
    let is_back = |one: &&Committed| {
        one.snapshot.original.is_some_and(|original| original.session == lineage)
    };
    let back = gathered.catalog.snapshots.iter().find(is_back).map(|one| {
        let snapshot = one.snapshot.session;
        UndeleteReport { original: wanted, snapshot, was_there: true }
    });
    Ok((old, back))
}

fn find(gathered: &Gathered, wanted: SessionId) -> Result<&Committed, RetainError> {
    let forgotten = gathered.catalog.forgotten.iter().find(|one| one.snapshot.session == wanted);
    forgotten.ok_or_else(|| {
        let is_live = gathered.candidates.iter().any(|one| one.session == wanted);
        let why = match (is_live, gathered.marks.tombs.contains_key(&wanted)) {
            (true, true) => "a hold keeps it; it is there",
            (true, false) => "it is not forgotten",
            (false, true) => "its record is gone: a collection has taken it away",
            (false, false) => "there is no such snapshot",
        };
        RetainError::NotWhole { snapshot: short(wanted), why: why.to_owned() }
    })
}

fn list_packs(repo: &Repo) -> Result<HashSet<PackId>, RepoError> {
    let mut packs = HashSet::new();
    for below in [prefix::DATA, prefix::TREE] {
        repo.store().list_each(below, &mut |object| {
            if let Some(ObjectName::Pack(pack)) = ObjectName::parse(&object.key) {
                packs.insert(pack);
            }
            true
        })?;
    }
    Ok(packs)
}

struct Looker {
    reader: IndexReader,
    present: HashSet<PackId>,
    missing: Option<String>,
    failure: Option<IndexError>,
}

impl Looker {
    fn look_up(&mut self, what: &str, id: &ChunkId) {
        if self.missing.is_some() || self.failure.is_some() {
            return;
        }
        match self.reader.places(id) {
            Err(error) => self.failure = Some(error),
            Ok(places) if places.iter().any(|place| self.present.contains(&place.pack)) => {}
            Ok(_) => self.missing = Some(format!("{what} is gone: a collection has begun")),
        }
    }
}

impl ReachVisitor for Looker {
    fn node(&mut self, id: &ChunkId) {
        self.look_up("a part of its tree", id);
    }

    fn chunk(&mut self, path: &TreePath, id: &ChunkId, _: u32) {
        self.look_up(&format!("a part of {path}"), id);
    }

    fn broken(&mut self, near: &TreePath, _: &ChunkId, error: &TreeError) {
        let why = in_one_line(error);
        self.missing.get_or_insert(format!("its tree cannot be read near {near}: {why}"));
    }
}
