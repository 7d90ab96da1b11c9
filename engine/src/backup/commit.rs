//! From a finished tree to a confirmed snapshot.

use crate::backup::error::BackupError;
use crate::base::id::{ChunkId, Digest, SessionId};
use crate::base::monitor::Monitor;
use crate::base::time::Timestamp;
use crate::format::envelope::encode_record;
use crate::format::facts::{Details, Facts};
use crate::format::session::SessionKind;
use crate::format::snapshot::{
    EvidenceHead, PathBytes, RecordedProblem, RecordedRoot, Snapshot, SnapshotState, Summary,
};
use crate::index::Index;
use crate::index::collections::{self, Usable};
use crate::index::identity::advance_chain;
use crate::index::refresh::{has_lost_segments, refresh};
use crate::repo::keyring::Identity;
use crate::repo::session::{self, CommitOutcome};
use crate::repo::{PROGRAM, Repo};

/// How often a commit that met a fence is tried again under a new session.
const COMMIT_ATTEMPTS: u32 = 5;

/// Everything that goes into the record beside the numbers of the run.
pub(super) struct Draft<'a> {
    pub(super) root: ChunkId,
    pub(super) previous: Option<Digest>,
    pub(super) seen: Vec<SessionId>,
    pub(super) evidence: Vec<EvidenceHead>,
    pub(super) host: &'a str,
    pub(super) paths: &'a [PathBytes],
    pub(super) tags: &'a [String],
    pub(super) description: Option<&'a str>,
    pub(super) started: Timestamp,
    pub(super) summary: Summary,
    pub(super) state: SnapshotState,
    pub(super) problem_count: u64,
    pub(super) problems: Vec<RecordedProblem>,
    pub(super) roots: Vec<RecordedRoot>,
}

impl Draft<'_> {
    fn record(
        &self,
        repo: &Repo,
        identity: &Identity,
        session: SessionId,
    ) -> Result<Snapshot, BackupError> {
        Ok(Snapshot {
            repository: repo.config().repository,
            session,
            client: identity.client,
            previous: self.previous,
            seen: self.seen.clone(),
            root: self.root,
            host: self.host.to_owned(),
            paths: self.paths.to_vec(),
            started: self.started,
            finished: repo.clock().now(),
            program: PROGRAM.to_owned(),
            tags: self.tags.to_vec(),
            description: self.description.map(str::to_owned),
            summary: self.summary,
            state: self.state,
            problem_count: self.problem_count,
            problems: self.problems.clone(),
            domain: repo.keys().write()?.domain,
            original: None,
            evidence: self.evidence.clone(),
            roots: self.roots.clone(),
            facts: Facts::default(),
            details: Details::default(),
        })
    }
}

/// B2 and B3: what collections announced, and what is stored, from listings that begin now.
pub(super) fn look(
    repo: &Repo,
    index: &Index,
    monitor: &dyn Monitor,
) -> Result<Usable, BackupError> {
    Ok(collections::begin(repo, index, monitor, || refresh(repo, index, monitor).map(drop))?)
}

/// Commits what a run has built.
pub(super) struct Committer<'a> {
    pub(super) repo: &'a Repo,
    pub(super) index: &'a Index,
    pub(super) identity: &'a Identity,
    /// What the run relied on.
    pub(super) usable: &'a Usable,
    pub(super) monitor: &'a dyn Monitor,
}

impl Committer<'_> {
    /// Commits until no fence is met; returns the session that became a snapshot.
    ///
    /// # Errors
    /// [`BackupError::PutBack`] if the store has lost what the run relies on; [`BackupError::Overtaken`];
    /// those of the store and of the index.
    pub(super) fn commit(
        &self,
        mut session: SessionId,
        draft: &Draft<'_>,
    ) -> Result<SessionId, BackupError> {
        let (repo, index, identity) = (self.repo, self.index, self.identity);
        for _ in 0..COMMIT_ATTEMPTS {
            // As late as can be: a run of a night is long enough for somebody to put a store back.
            if has_lost_segments(repo, index, self.monitor)? {
                return Err(BackupError::PutBack);
            }
            let snapshot = draft.record(repo, identity, session)?;
            match session::commit(repo, identity, &snapshot)? {
                CommitOutcome::Confirmed(digest) => {
                    advance_chain(index, session, digest)?;
                    // The next run lists it and need not read back what was written here.
                    index.put_snapshot(session, digest, &encode_record(&snapshot))?;
                    let (now, state) = (repo.clock().now(), draft.state.name());
                    index.finish_run(session, now, "committed", state)?;
                    return Ok(session);
                }
                CommitOutcome::Fenced => {
                    self.monitor.note("the session was fenced by somebody else; committing again");
                    index.finish_run(session, repo.clock().now(), "fenced", "")?;
                    session = self.begin_again(session, draft.host)?;
                }
            }
        }
        Err(BackupError::AlwaysFenced { attempts: COMMIT_ATTEMPTS })
    }

    /// Back to B1: a new id, and only then a fresh look at what may be used. Whoever fenced the
    /// session did not wait for it, so what it relied on may have been condemned meanwhile.
    fn begin_again(&self, fenced: SessionId, host: &str) -> Result<SessionId, BackupError> {
        let (repo, index) = (self.repo, self.index);
        let session = session::new_id(self.identity, fenced.sequence());
        index.begin_run(session, repo.clock().now(), "commit again after a fence")?;
        session::register(repo, self.identity, session, SessionKind::Backup, host)?;
        let usable = look(repo, index, self.monitor)?;
        if usable.is_no_less_than(self.usable) {
            return Ok(session);
        }
        session::settle(repo, self.identity, session)?;
        index.finish_run(session, repo.clock().now(), "given up", "overtaken by a collection")?;
        Err(BackupError::Overtaken)
    }
}
