//! The flags of every session, the machine that commits, and retention while it reads.

use crate::commit::setup::{Budget, Listing, Mutant, Setup};
use crate::set::Set;

/// What the client does next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Step {
    /// Nothing.
    #[default]
    Idle,
    /// PUT `.commit`.
    Commit,
    /// LIST for fences and finals.
    Look,
    /// PUT `.ok`, then report.
    Confirm,
    /// After a crash: LIST, for the commit.
    Settle,
    /// After a crash: the second LIST, which begins after the commit was seen.
    SettleAgain,
}

/// What retention has read so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Count {
    /// How often it may still run.
    pub runs_left: u8,
    /// The session it reads.
    pub session: u8,
    /// How many parts of it were read.
    pub part: u8,
    /// Whether its commit was seen.
    pub sees_commit: bool,
    /// Whether a commit of the twin was seen.
    pub sees_twin: bool,
    /// Whether a fence or final was seen that counts.
    pub sees_fence: bool,
    /// Whether a confirmation was seen that counts and names the commit.
    pub sees_confirm: bool,
    /// Whether one was seen that names the commit of the twin.
    pub sees_twin_confirm: bool,
    /// Snapshots that count.
    pub found: Set,
    /// Those whose commit of the twin counts.
    pub found_twins: Set,
    /// Those that get a tombstone.
    pub to_forget: Set,
}

/// The machine a second time, from a copy of its memory before it committed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Twin {
    /// What it does next.
    pub step: Step,
    /// The session that it goes on with.
    pub session: u8,
    /// Sessions with its commit.
    pub committed: Set,
    /// Sessions whose `.ok` names its commit.
    pub confirmed: Set,
    /// Whose confirmation of its commit may still land.
    pub confirms_under_way: Set,
    /// Whose users it told of success.
    pub told: Set,
    /// Which retention counted.
    pub counted: Set,
}

/// Objects with the right name and a wrong signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Forged {
    /// `.fence-`.
    pub fences: Set,
    /// `.final-`.
    pub finals: Set,
    /// `.ok`; the client cannot put its own then.
    pub confirms: Set,
}

/// Everything at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct State {
    /// Sessions with `.commit-` of the client.
    pub committed: Set,
    /// With an `.ok` that names it.
    pub confirmed: Set,
    /// With a `.fence-`.
    pub fenced: Set,
    /// Of which a fencer, after its fence, saw no commit.
    pub missed: Set,
    /// With a `.final-`.
    pub aborted: Set,
    /// With a tombstone.
    pub tombed: Set,
    /// What somebody without a key wrote.
    pub forged: Forged,
    /// Whose users were told of success.
    pub told: Set,
    /// Which retention counted as snapshots.
    pub counted: Set,
    /// Whose commit may still land.
    pub commits_under_way: Set,
    /// Whose confirmation may still land.
    pub confirms_under_way: Set,
    /// What the client does next.
    pub step: Step,
    opened: u8,
    /// Whether the confirmation that the client is about to put names the commit of its twin.
    confirms_twin: bool,
    /// The client a second time.
    pub twin: Twin,
    /// What retention does.
    pub count: Count,
    /// What may still go wrong.
    pub left: Budget,
}

impl State {
    /// A store with one reported snapshot.
    #[must_use]
    pub fn first(setup: &Setup) -> Self {
        let nothing = Set::EMPTY;
        Self {
            committed: Set::of(0),
            confirmed: Set::of(0),
            fenced: nothing,
            missed: nothing,
            aborted: nothing,
            tombed: nothing,
            forged: Forged::default(),
            told: Set::of(0),
            counted: nothing,
            commits_under_way: nothing,
            confirms_under_way: nothing,
            step: Step::Idle,
            opened: 0,
            confirms_twin: false,
            twin: Twin::default(),
            count: Count { runs_left: setup.retention_runs, ..Count::default() },
            left: setup.budget,
        }
    }

    /// The session that the client opened last; 0 is the one from the beginning.
    #[must_use]
    pub fn opened(&self) -> usize {
        self.opened.into()
    }

    pub(crate) fn open(&mut self) {
        self.opened += 1;
        self.step = Step::Commit;
    }

    /// The client's next step.
    pub(crate) fn step(&mut self, setup: &Setup) {
        let session = self.opened();
        match self.step {
            Step::Idle => {}
            Step::Commit => {
                self.committed.insert(session);
                self.step = Step::Look;
            }
            Step::Look => {
                let is_alone =
                    !self.twin.committed.has(session) || setup.lacks(Mutant::IgnoresTwin);
                let is_free = (!self.is_contested(session) && is_alone)
                    || setup.lacks(Mutant::ReportWithoutLook);
                self.step = if is_free { Step::Confirm } else { Step::Idle };
            }
            Step::Confirm => {
                if self.confirms_twin {
                    self.put_twin_confirm(session);
                } else if self.put_confirm(session) {
                    self.told.insert(session);
                }
                self.step = Step::Idle;
            }
            // Without a commit the session is given up; the surroundings fence it.
            Step::Settle => {
                self.step = match (self.committed | self.twin.committed).has(session) {
                    true => Step::SettleAgain,
                    false => Step::Idle,
                };
            }
            Step::SettleAgain => self.settle(setup),
        }
    }

    fn settle(&mut self, setup: &Setup) {
        let session = self.opened();
        let mut confirms = self.confirmed;
        if setup.lacks(Mutant::AdoptsByName) {
            confirms |= self.forged.confirms;
        }
        self.step = Step::Idle;
        let (own, twins) = (self.committed.has(session), self.twin.committed.has(session));
        let is_alone = own != twins || setup.lacks(Mutant::AdoptsDespiteTwin);
        if own && confirms.has(session) {
            self.told.insert(session);
        } else if self.twin.confirmed.has(session) {
            // A snapshot of this machine all the same.
        } else if (!self.is_contested(session) && is_alone)
            || (setup.lacks(Mutant::AdoptsDespiteFence) && !self.aborted.has(session))
        {
            self.confirms_twin = !own;
            self.step = Step::Confirm;
        }
    }

    /// The twin's next step: as the client's, on the same session.
    pub(crate) fn step_twin(&mut self, setup: &Setup) {
        let session = self.twin.session.into();
        match self.twin.step {
            Step::Commit => {
                self.twin.committed.insert(session);
                self.twin.step = Step::Look;
            }
            Step::Look => {
                let is_alone = !self.committed.has(session) || setup.lacks(Mutant::IgnoresTwin);
                let is_free = !self.is_contested(session) && is_alone;
                self.twin.step = if is_free { Step::Confirm } else { Step::Idle };
            }
            _ => {
                if self.put_twin_confirm(session) {
                    self.twin.told.insert(session);
                }
                self.twin.step = Step::Idle;
            }
        }
    }

    /// A copy of the client's memory, which has not committed yet, goes on beside it.
    pub(crate) fn clone_client(&mut self) {
        self.left.clones -= 1;
        self.twin.session = self.opened;
        self.twin.step = Step::Commit;
    }

    /// Whether a listing shows a fence or final, whoever wrote it: clients go by names, and lose
    /// nothing but a session by that.
    fn is_contested(&self, session: usize) -> bool {
        let forged = self.forged.fences | self.forged.finals;
        (self.fenced | self.aborted | forged).has(session)
    }

    /// PUTs `.ok`; somebody else's object of that name is an error. A store without conditional
    /// writes lets it take the place of one that names the commit of the twin.
    pub(crate) fn put_confirm(&mut self, session: usize) -> bool {
        let is_free = !self.forged.confirms.has(session);
        if is_free {
            self.confirmed.insert(session);
            self.twin.confirmed.remove(session);
        }
        is_free
    }

    pub(crate) fn put_twin_confirm(&mut self, session: usize) -> bool {
        let is_free = !self.forged.confirms.has(session);
        if is_free {
            self.twin.confirmed.insert(session);
            self.confirmed.remove(session);
        }
        is_free
    }

    pub(crate) fn lose(&mut self) {
        self.left.lost_requests -= 1;
        match self.step {
            Step::Commit => self.commits_under_way.insert(self.opened.into()),
            _ if self.confirms_twin => self.twin.confirms_under_way.insert(self.opened.into()),
            _ => self.confirms_under_way.insert(self.opened.into()),
        }
    }

    pub(crate) fn crash(&mut self) {
        self.left.crashes -= 1;
        self.step = Step::Settle;
    }

    fn finals(&self, setup: &Setup) -> Set {
        match setup.lacks(Mutant::ForgedFinalCounts) {
            true => self.aborted | self.forged.finals,
            false => self.aborted,
        }
    }

    fn confirms(&self, setup: &Setup) -> Set {
        match setup.lacks(Mutant::ForgedConfirmCounts) {
            true => self.confirmed | self.forged.confirms,
            false => self.confirmed,
        }
    }

    /// Whether collectors take a commit of the client for a snapshot.
    #[must_use]
    pub fn is_snapshot(&self, setup: &Setup, session: usize) -> bool {
        let is_another = self.twin.confirmed.has(session);
        self.committed.has(session) && !self.finals(setup).has(session) && !is_another
    }

    /// The same of its twin.
    #[must_use]
    pub fn is_twin_snapshot(&self, setup: &Setup, session: usize) -> bool {
        let is_another = self.confirmed.has(session);
        self.twin.committed.has(session) && !self.finals(setup).has(session) && !is_another
    }

    /// Whether there are two commits of a session and nobody will ever say which one is meant.
    #[must_use]
    pub fn is_contested_for_ever(&self, session: usize) -> bool {
        let both = self.committed & self.twin.committed;
        let confirmed = self.confirmed | self.twin.confirmed;
        let confirms = confirmed | self.confirms_under_way | self.twin.confirms_under_way;
        let is_idle = self.step == Step::Idle && self.twin.step == Step::Idle;
        is_idle && (both - confirms).has(session)
    }

    /// Which commits of a session count for everybody who looks now: the client's, its twin's.
    #[must_use]
    pub fn counts(&self, setup: &Setup, session: usize) -> (bool, bool) {
        let mut count = Count { session: session as u8, ..Count::default() };
        self.see_commit(&mut count);
        self.see_flags(setup, &mut count);
        Self::verdict(setup, &count)
    }

    fn see_commit(&self, count: &mut Count) {
        count.sees_commit = self.committed.has(count.session.into());
        count.sees_twin = self.twin.committed.has(count.session.into());
    }

    fn see_flags(&self, setup: &Setup, count: &mut Count) {
        let session = count.session.into();
        count.sees_fence = (self.fenced | self.finals(setup)).has(session);
        count.sees_confirm = self.confirms(setup).has(session);
        count.sees_twin_confirm = self.twin.confirmed.has(session);
    }

    fn verdict(setup: &Setup, count: &Count) -> (bool, bool) {
        let counts_unsettled = [
            Mutant::CountsUnsettled,
            Mutant::CountsUnconfirmed,
            Mutant::OneUnsortedListing,
            Mutant::FenceBeatsConfirm,
        ];
        let is_free = !count.sees_fence || setup.lacks(Mutant::CountsUnconfirmed);
        let is_alone = count.sees_commit != count.sees_twin;
        let by_itself =
            is_free && is_alone && counts_unsettled.iter().any(|mutant| setup.lacks(*mutant));
        let is_heard = is_free || !setup.lacks(Mutant::FenceBeatsConfirm);
        (
            count.sees_commit && (by_itself || (count.sees_confirm && is_heard)),
            count.sees_twin && (by_itself || (count.sees_twin_confirm && is_heard)),
        )
    }

    /// One part of retention's listing; after the last one it knows what to forget.
    pub(crate) fn count(&mut self, setup: &Setup) {
        let mut count = self.count;
        let looks_twice =
            setup.listing == Listing::Unsorted && !setup.lacks(Mutant::OneUnsortedListing);
        match (setup.listing, count.part) {
            (Listing::Sorted, 0) | (Listing::Unsorted, 1) => self.see_commit(&mut count),
            _ => self.see_flags(setup, &mut count),
        }
        count.part += 1;
        let sees_any = count.sees_commit || count.sees_twin;
        let is_read = count.part == if looks_twice && sees_any { 3 } else { 2 };
        if is_read {
            let (own, twins) = Self::verdict(setup, &count);
            if own {
                count.found.insert(count.session.into());
            }
            if twins {
                count.found_twins.insert(count.session.into());
            }
            let Count { found, found_twins, session, runs_left, .. } = count;
            let session = session + 1;
            count = Count { found, found_twins, session, runs_left, ..Count::default() };
        }
        if usize::from(count.session) > setup.session_count {
            self.counted |= count.found;
            self.twin.counted |= count.found_twins;
            let found = count.found | count.found_twins;
            let kept = (found - self.tombed).last();
            let to_forget = found - kept.map_or(Set::EMPTY, Set::of) - self.tombed;
            let runs_left = count.runs_left - u8::from(to_forget.is_empty());
            count = Count { to_forget, runs_left, ..Count::default() };
        }
        self.count = count;
    }

    /// One tombstone.
    pub(crate) fn forget(&mut self) -> Option<()> {
        let session = self.count.to_forget.first()?;
        self.tombed.insert(session);
        self.count.to_forget.remove(session);
        if self.count.to_forget.is_empty() {
            self.count.runs_left -= 1;
        }
        Some(())
    }
}
