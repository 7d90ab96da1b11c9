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
    /// Whether, without `.ok`, a fence or final was seen that counts.
    pub sees_fence: bool,
    /// Whether a confirmation was seen that counts.
    pub sees_confirm: bool,
    /// Snapshots that count.
    pub found: Set,
    /// Those that get a tombstone.
    pub to_forget: Set,
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
    /// Sessions with `.commit`.
    pub committed: Set,
    /// With `.ok`.
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
                let is_free = !self.is_contested(session) || setup.lacks(Mutant::ReportWithoutLook);
                self.step = if is_free { Step::Confirm } else { Step::Idle };
            }
            Step::Confirm => {
                if self.put_confirm(session) {
                    self.told.insert(session);
                }
                self.step = Step::Idle;
            }
            // Without a commit the session is given up; the surroundings fence it.
            Step::Settle => {
                self.step = match self.committed.has(session) {
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
        if confirms.has(session) {
            self.told.insert(session);
        } else if !self.is_contested(session)
            || (setup.lacks(Mutant::AdoptsDespiteFence) && !self.aborted.has(session))
        {
            self.step = Step::Confirm;
        }
    }

    /// Whether a listing shows a fence or final, whoever wrote it: clients go by names, and lose
    /// nothing but a session by that.
    fn is_contested(&self, session: usize) -> bool {
        let forged = self.forged.fences | self.forged.finals;
        (self.fenced | self.aborted | forged).has(session)
    }

    /// PUTs `.ok`; somebody else's object of that name is an error.
    pub(crate) fn put_confirm(&mut self, session: usize) -> bool {
        let is_free = !self.forged.confirms.has(session);
        if is_free {
            self.confirmed.insert(session);
        }
        is_free
    }

    pub(crate) fn lose(&mut self) {
        self.left.lost_requests -= 1;
        match self.step {
            Step::Commit => self.commits_under_way.insert(self.opened.into()),
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

    /// Whether collectors take a session for a snapshot.
    #[must_use]
    pub fn is_snapshot(&self, setup: &Setup, session: usize) -> bool {
        self.committed.has(session) && !self.finals(setup).has(session)
    }

    /// Whether a session counts for everybody who looks now: it is confirmed.
    #[must_use]
    pub fn counts(&self, setup: &Setup, session: usize) -> bool {
        let mut count = Count { session: session as u8, ..Count::default() };
        self.see_commit(&mut count);
        self.see_flags(setup, &mut count);
        Self::verdict(setup, &count)
    }

    fn see_commit(&self, count: &mut Count) {
        count.sees_commit = self.committed.has(count.session.into());
    }

    fn see_flags(&self, setup: &Setup, count: &mut Count) {
        let session = count.session.into();
        count.sees_fence = (self.fenced | self.finals(setup)).has(session);
        count.sees_confirm = self.confirms(setup).has(session);
    }

    fn verdict(setup: &Setup, count: &Count) -> bool {
        let is_free = !count.sees_fence || setup.lacks(Mutant::CountsUnconfirmed);
        let is_confirmed = match setup.lacks(Mutant::FenceBeatsConfirm) {
            true => is_free,
            false => count.sees_confirm || is_free,
        };
        count.sees_commit && is_confirmed
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
        let is_read = count.part == if looks_twice && count.sees_commit { 3 } else { 2 };
        if is_read {
            if Self::verdict(setup, &count) {
                count.found.insert(count.session.into());
            }
            let (found, session, runs_left) = (count.found, count.session + 1, count.runs_left);
            count = Count { found, session, runs_left, ..Count::default() };
        }
        if usize::from(count.session) > setup.session_count {
            self.counted |= count.found;
            let kept = (count.found - self.tombed).last();
            let to_forget = count.found - kept.map_or(Set::EMPTY, Set::of) - self.tombed;
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
