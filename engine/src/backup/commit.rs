//! From a finished tree to a confirmed snapshot.

use crate::backup::error::BackupError;
use crate::base::id::{ChunkId, Digest, SessionId};
use crate::base::monitor::Monitor;
use crate::base::time::Timestamp;
use crate::format::envelope::encode_record;
use crate::format::session::SessionKind;
use crate::format::snapshot::{PathBytes, RecordedProblem, Snapshot, SnapshotState, Summary};
use crate::index::Index;
use crate::index::identity::advance_chain;
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
    pub(super) host: &'a str,
    pub(super) paths: &'a [PathBytes],
    pub(super) tags: &'a [String],
    pub(super) description: Option<&'a str>,
    pub(super) started: Timestamp,
    pub(super) summary: Summary,
    pub(super) state: SnapshotState,
    pub(super) problem_count: u64,
    pub(super) problems: Vec<RecordedProblem>,
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
        })
    }
}

/// Commits until no fence is met; returns the session that became a snapshot.
pub(super) fn commit(
    repo: &Repo,
    index: &Index,
    identity: &Identity,
    mut session: SessionId,
    draft: &Draft<'_>,
    monitor: &dyn Monitor,
) -> Result<SessionId, BackupError> {
    for _ in 0..COMMIT_ATTEMPTS {
        let snapshot = draft.record(repo, identity, session)?;
        match session::commit(repo, identity, &snapshot)? {
            CommitOutcome::Confirmed(digest) => {
                advance_chain(index, session, digest)?;
                // The next run lists it and need not read back what was written here.
                index.put_snapshot(session, digest, &encode_record(&snapshot))?;
                index.finish_run(session, repo.clock().now(), "committed", draft.state.name())?;
                return Ok(session);
            }
            CommitOutcome::Fenced => {
                monitor.note("the session was fenced by somebody else; committing again");
                index.finish_run(session, repo.clock().now(), "fenced", "")?;
                // Back to B1: a new id, and only then a fresh look at what may be used.
                session = session::new_id(identity, session.sequence());
                index.begin_run(session, repo.clock().now(), "commit again after a fence")?;
                session::register(repo, identity, session, SessionKind::Backup, draft.host)?;
                session::require_no_collections(repo)?;
            }
        }
    }
    Err(BackupError::AlwaysFenced { attempts: COMMIT_ATTEMPTS })
}
