//! O3, the barrier: every session that was registered when the condemnation stood is waited for,
//! or fenced, until it has decided.
//!
//! Sessions that register later read the condemnation. Whom to fence is a question of patience: a
//! wrong guess costs that client a second commit, never a snapshot.

use std::collections::BTreeSet;

use crate::base::id::{ClientId, SessionId};
use crate::base::limits::{READER_SILENT_S, SESSION_SILENT_S};
use crate::base::time::Timestamp;
use crate::gc::collector::{Collector, Generation, Survey};
use crate::gc::error::GcError;
use crate::gc::live;
use crate::gc::sessions::{Outcome, last_upload, outcomes};
use crate::index::clients;
use crate::repo::commits::{self, Flags};
use crate::repo::session::registered;
use crate::repo::{generations, session};

/// A session that has not decided yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Waiting {
    /// The session.
    pub session: SessionId,
    /// When the store last heard of it, as far as that was looked at.
    pub last_heard: Timestamp,
}

impl Collector<'_> {
    /// One look at the sessions that the generation waits for; gives up those that are silent by
    /// the store's clock, or that are to be abandoned. Empty: the barrier is passed.
    ///
    /// # Errors
    /// Those of the store.
    pub fn barrier_look(&self, generation: &mut Generation) -> Result<Vec<Waiting>, GcError> {
        let repo = self.repo;
        let (waited_for, mut store_now) = match generation.registered.take() {
            Some(waited_for) => (waited_for, Timestamp::default()),
            None => {
                let found = registered(repo)?;
                let newest = found.values().copied().max().unwrap_or_default();
                (found.into_keys().collect::<BTreeSet<_>>(), newest)
            }
        };
        let outcomes = outcomes(repo)?;
        let flags = outcomes.iter().filter(|(_, outcome)| outcome.flags.has_commit());
        generation.carried.extend(flags.map(|(session, _)| *session));
        let mut left = BTreeSet::new();
        for session in waited_for {
            let outcome = outcomes.get(&session);
            if !self.has_decided(session, outcome)? {
                left.insert(session);
            }
        }
        if left.is_empty() {
            generation.registered = Some(left);
            return Ok(Vec::new());
        }
        let own = generations::list_one(repo, generation.id)?.condemn.unwrap_or_default();
        let newest = outcomes.values().map(|outcome| outcome.newest).max().unwrap_or_default();
        store_now = store_now.max(own).max(newest);
        let times = registered(repo)?;
        let mut waiting = Vec::new();
        for session in left.clone() {
            let registered = times.get(&session).copied().unwrap_or_default();
            match self.look_at(generation, session, registered, store_now)? {
                Some(last_heard) => waiting.push(Waiting { session, last_heard }),
                None => drop(left.remove(&session)),
            }
        }
        generation.registered = Some(left);
        Ok(waiting)
    }

    /// Whether a session has decided. A final that somebody else put up a short while ago may have
    /// been seen while it was under way: it counts once an own one is acknowledged.
    fn has_decided(&self, id: SessionId, outcome: Option<&Outcome>) -> Result<bool, GcError> {
        let Some(Outcome { flags, .. }) = outcome else { return Ok(false) };
        if flags.has_commit() {
            return Ok(true);
        }
        if !commits::has_genuine_final(self.repo, id, flags)? {
            return Ok(false);
        }
        let why = "declared aborted by somebody else";
        session::fence(self.repo, &self.identity()?, id, why, flags)?;
        Ok(true)
    }

    /// Gives up sessions that stored packs, have not decided, and are silent or to be abandoned.
    /// Otherwise what they stored would stay for as long as nothing else makes a barrier necessary.
    /// Answers how many.
    pub(super) fn give_up_silent(&self, survey: &Survey) -> Result<u64, GcError> {
        let owners = survey.stored.keys().map(|pack| pack.session);
        let undecided: BTreeSet<SessionId> =
            owners.filter(|session| !survey.living.decided.contains(session)).collect();
        if undecided.is_empty() {
            return Ok(0);
        }
        let (times, mut count) = (registered(self.repo)?, 0);
        for session in undecided {
            let registered = times.get(&session).copied().unwrap_or_default();
            let heard = self.last_heard(session, registered, survey.store_now, false)?;
            count += u64::from(heard.is_none());
        }
        Ok(count)
    }

    /// When a session was last heard of; `None` if it need not be waited for (any more).
    fn look_at(
        &self,
        generation: &mut Generation,
        id: SessionId,
        registered: Timestamp,
        store_now: Timestamp,
    ) -> Result<Option<Timestamp>, GcError> {
        let is_reader = live::reader(self.repo, id)?.is_some();
        let heard = self.last_heard(id, registered, store_now, is_reader)?;
        generation.fenced_count += u64::from(heard.is_none());
        // A reader refers to nothing new; what he pins is read with the snapshots.
        Ok(heard.filter(|_| !is_reader))
    }

    fn is_revoked(&self, client: ClientId) -> Result<bool, GcError> {
        Ok(!clients::endings_of(self.repo, self.index, client)?.is_empty())
    }

    /// When a session was last heard of; `None` if that was too long ago, or it is to be abandoned:
    /// then it was fenced, and whatever the fencer saw, it has decided now.
    fn last_heard(
        &self,
        id: SessionId,
        registered: Timestamp,
        store_now: Timestamp,
        is_reader: bool,
    ) -> Result<Option<Timestamp>, GcError> {
        let patience_s = if is_reader { READER_SILENT_S } else { SESSION_SILENT_S };
        let is_silent =
            |heard: Timestamp| store_now.seconds.saturating_sub(heard.seconds) >= patience_s as i64;
        let mut heard = registered;
        if is_silent(heard) && !is_reader {
            heard = heard.max(last_upload(self.repo, id)?);
        }
        // Whoever waits for a client that was revoked can be kept waiting for ever.
        let is_revoked = self.is_revoked(id.client())?;
        if self.options.abandon_sessions.contains(&id) || is_silent(heard) || is_revoked {
            session::fence(self.repo, &self.identity()?, id, "silent", &Flags::default())?;
            return Ok(None);
        }
        Ok(Some(heard))
    }
}
