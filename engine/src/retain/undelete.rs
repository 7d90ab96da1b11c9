//! Bringing a forgotten snapshot back: a new snapshot with the same tree.
//!
//! A tombstone cannot be taken down: a collector that has seen it may be about to delete. So this is
//! an ordinary session, registered before it looks at anything, that refers to chunks which are
//! there already, as any backup of unchanged files does. Whatever protects such a backup against
//! collections protects this one; nothing has to be argued anew. What a collection has announced or
//! condemned cannot be relied on, but read: it is copied into packs of this session, as a backup
//! would write it again. It is refused if a chunk or a node is gone.

use std::collections::{BTreeSet, HashMap, HashSet};

use crate::base::bits::Bits;
use crate::base::error::{Classified, ErrorClass, in_one_line};
use crate::base::id::{ChunkId, PackId, PackKind, SessionId};
use crate::base::limits::NODE_CACHE_BYTES;
use crate::base::monitor::{Counter, Monitor, Phase};
use crate::base::path::TreePath;
use crate::blob::BlobError;
use crate::blob::fetch::ChunkFetcher;
use crate::blob::rewrite::{Output, Rewriter};
use crate::format::envelope::encode_record;
use crate::format::generation::PackSet;
use crate::format::session::SessionKind;
use crate::format::snapshot::{Original, Snapshot};
use crate::index::catalog::Committed;
use crate::index::collections::take_in;
use crate::index::identity::{advance_chain, chain, writer_identity};
use crate::index::reader::PackRow;
use crate::index::refresh::refresh;
use crate::index::settle::settle_open_runs;
use crate::index::{Index, IndexError, IndexReader, PackStanding};
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
    /// Stored bytes of what a collection was about to delete and that was copied therefore.
    pub copied_bytes: u64,
}

/// Brings a forgotten snapshot back.
///
/// # Errors
/// [`RetainError::NotWhole`] if something it needs is gone, or about to go and this key cannot copy
/// it, and if it is not forgotten; [`RepoError::Denied`] for roles that may not; errors of store and index.
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
            let looker = self.require_whole(&old.snapshot, &excluded, monitor)?;
            let copied_bytes = self.copy(session, wanted, looker, monitor)?;
            let record = self.record(session, old)?;
            match session::commit(repo, self.identity, &record)? {
                CommitOutcome::Confirmed(digest) => {
                    advance_chain(index, session, digest)?;
                    index.put_snapshot(session, digest, &encode_record(&record))?;
                    index.finish_run(session, repo.clock().now(), "committed", "undelete")?;
                    let (original, snapshot) = (wanted, session);
                    return Ok(UndeleteReport {
                        original,
                        snapshot,
                        was_there: false,
                        copied_bytes,
                    });
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

    /// Every node and chunk must have a copy in a pack that is there. Answers of what the only copies
    /// are in packs that cannot be relied on.
    fn require_whole(
        &self,
        old: &Snapshot,
        excluded: &PackSet,
        monitor: &dyn Monitor,
    ) -> Result<Looker, RetainError> {
        let total_items = Some(old.summary.entries);
        let phase = Phase { name: "looking for its chunks", total_items, total_bytes: None };
        monitor.phase(&phase);
        let fetcher = ChunkFetcher::new(self.repo, self.index, NODE_CACHE_BYTES)?;
        let reader = self.index.reader()?;
        let present = list_packs(self.repo)?;
        let mut rows = reader.pack_rows()?;
        rows.retain(|row| present.contains(&row.pack));
        let packs = rows.into_iter().map(|row| {
            let is_reliable = row.is_listed
                && row.domain == old.domain
                && row.standing != PackStanding::Unsigned
                && !excluded.contains(&row.pack);
            (row.row, Known { row, is_reliable })
        });
        let mut looker = Looker { packs: packs.collect(), ..Looker::new(reader) };
        Reach::default().visit(&fetcher, old.root, &mut looker);
        if let Some(error) = looker.failure {
            return Err(error.into());
        }
        if monitor.is_cancelled() {
            return Err(RetainError::Interrupted);
        }
        match looker.missing {
            None => Ok(looker),
            Some(why) => Err(RetainError::NotWhole { snapshot: short(old.session), why }),
        }
    }

    /// Copies what the looker found in unreliable packs only; answers how many bytes were stored.
    fn copy(
        &self,
        session: SessionId,
        wanted: SessionId,
        looker: Looker,
        monitor: &dyn Monitor,
    ) -> Result<u64, RetainError> {
        let Looker { reader, packs, sources, only_copies, .. } = looker;
        if sources.is_empty() {
            return Ok(0);
        }
        let refuse = |why: String| RetainError::NotWhole { snapshot: short(wanted), why };
        let mut rows: Vec<PackRow> =
            sources.iter().filter_map(|row| packs.get(row)).map(|known| known.row).collect();
        // One kind after the other: what is written is of one kind only.
        rows.sort_by_key(|row| (row.pack.kind == PackKind::Data, row.row));
        if rows.iter().any(|row| row.pack.kind == PackKind::Data)
            && self.repo.keys().data().is_err()
        {
            let why = "a collection has announced that a part of it goes, \
                       and only a key of role admin can still copy that";
            return Err(refuse(why.to_owned()));
        }
        let total_items = Some(rows.len() as u64);
        let name = "copying what is about to be deleted";
        monitor.phase(&Phase { name, total_items, total_bytes: None });
        let output = Output::new(self.repo, self.index, monitor, (self.identity, session));
        let mut rewriter = Rewriter::new(&output, reader);
        let told = |error: BlobError| match error.class() {
            ErrorClass::Corrupt | ErrorClass::Missing => refuse(in_one_line(&error)),
            _ => error.into(),
        };
        for row in &rows {
            if monitor.is_cancelled() {
                return Err(RetainError::Interrupted);
            }
            rewriter.copy(&only_copies, row).map_err(told)?;
            monitor.add(Counter::Items, 1);
        }
        rewriter.close_pack()?;
        drop(rewriter);
        Ok(output.finish()?)
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
        // A client that cannot forget cannot say either that it brought something back.
        let is_its_owners = one.owner == lineage.client() && one.doubt.is_none();
        // One that is kept by a hold alone may not be whole for long.
        let is_forgotten = gathered.marks.tombs.contains_key(&one.snapshot.session);
        is_its_owners
            && !is_forgotten
            && one.snapshot.original.is_some_and(|it| it.session == lineage)
    };
    let back = gathered.catalog.snapshots.iter().find(is_back).map(|one| {
        let snapshot = one.snapshot.session;
        UndeleteReport { original: wanted, snapshot, was_there: true, copied_bytes: 0 }
    });
    Ok((old, back))
}

fn find(gathered: &Gathered, wanted: SessionId) -> Result<&Committed, RetainError> {
    let catalog = &gathered.catalog;
    let has_tomb = gathered.marks.tombs.contains_key(&wanted);
    // A hold on one that was forgotten before keeps it in the lists, and may have come too late for a
    // collector: it can be brought back like any other that is forgotten.
    let held = catalog.snapshots.iter().filter(|_| has_tomb);
    let found = catalog.forgotten.iter().chain(held).find(|one| one.snapshot.session == wanted);
    found.ok_or_else(|| {
        let is_live = catalog.snapshots.iter().any(|one| one.snapshot.session == wanted);
        let why = match (is_live, has_tomb) {
            (true, _) => "it is not forgotten",
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
            if let Some(ObjectName::Pack(pack)) = object.name {
                packs.insert(pack);
            }
            true
        })?;
    }
    Ok(packs)
}

/// A pack that is in the index and in the store.
struct Known {
    row: PackRow,
    /// Nobody is about to delete it, and every machine can find what is in it.
    is_reliable: bool,
}

struct Looker {
    reader: IndexReader,
    /// By row of the index.
    packs: HashMap<i64, Known>,
    /// Records of chunks that no reliable pack has.
    only_copies: Bits,
    /// Rows of the packs with these records.
    sources: BTreeSet<i64>,
    missing: Option<String>,
    failure: Option<IndexError>,
}

impl Looker {
    fn new(reader: IndexReader) -> Self {
        Self {
            reader,
            packs: HashMap::new(),
            only_copies: Bits::default(),
            sources: BTreeSet::new(),
            missing: None,
            failure: None,
        }
    }

    fn look_up(&mut self, what: &str, id: &ChunkId) {
        if self.missing.is_some() || self.failure.is_some() {
            return;
        }
        let (packs, mut is_reliable, mut other) = (&self.packs, false, None);
        let looked = self.reader.for_each_copy(id, &mut |copy| {
            let Some(known) = packs.get(&copy.pack_row) else { return true };
            is_reliable = known.is_reliable;
            other = other.or(Some((copy.record, copy.pack_row)));
            !is_reliable
        });
        match (looked, is_reliable, other) {
            (Err(error), ..) => self.failure = Some(error),
            (Ok(()), true, _) => {}
            (Ok(()), false, Some((record, row))) => {
                self.only_copies.set(record);
                self.sources.insert(row);
            }
            (Ok(()), false, None) => self.missing = Some(format!("{what} is gone")),
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
