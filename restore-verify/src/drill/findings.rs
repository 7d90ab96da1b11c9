//! Findings as they come: with names for the people of the house, without for evidence.

use std::collections::{BTreeMap, HashSet};

use engine::base::error::{Classified, ErrorClass, in_one_line};
use engine::base::path::TreePath;

use crate::drill::again::Again;
use crate::evidence::claims::APPLICATION_PROBES;
use crate::evidence::closing::COMMAND;
use crate::evidence::drill_event::{
    FINDINGS_MAX, Finding, Outcome, ProbeTally, Retested, TEXT_MAX_BYTES,
};
use crate::evidence::record::Hash32;
use crate::probe::verdict::Verdict;
use crate::sandbox::command::OUTPUT_MARK;

/// Files of which it is remembered that they came back wrong.
const UNEQUAL_MAX: usize = 100_000;

/// Rows of files that were tested again: each file of a finding, by each probe.
const RETESTED_MAX: usize = 16 * FINDINGS_MAX;

/// Findings that are kept with names; more are counted.
const NAMED_MAX: usize = 1000;

/// A finding with the name of its file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// As it stands in evidence.
    pub finding: Finding,
    /// The file.
    pub path: Option<TreePath>,
}

/// What a finding is about.
#[derive(Debug, Clone, Copy)]
pub enum About<'a> {
    /// A file and its salted hash.
    File(&'a TreePath, Hash32),
    /// An object, or a part of the repository.
    Object(&'a str),
}

/// All findings of a drill.
#[derive(Default)]
pub struct Findings {
    found: Vec<Found>,
    count: u64,
    has_failed: bool,
    has_doubt: bool,
    probes: BTreeMap<&'static str, ProbeTally>,
    /// Files that did not come back as they were: what else is wrong with them says nothing.
    unequal: HashSet<TreePath>,
    again: Option<Again>,
    retested: BTreeMap<(String, Hash32), Outcome>,
}

impl Findings {
    /// Those of a drill that tests the findings of an earlier one again, if it does.
    #[must_use]
    pub fn testing(again: Option<Again>) -> Self {
        Self { again, ..Self::default() }
    }

    /// Something is wrong.
    pub fn fail(&mut self, probe: &str, about: About<'_>, why: impl Into<String>) {
        self.has_failed = true;
        if let About::File(path, _) = about
            && probe == "bytes"
            && self.unequal.len() < UNEQUAL_MAX
        {
            self.unequal.insert(path.clone());
        }
        self.push(probe, about, false, why.into());
    }

    /// Whether a file came back with other bytes, or not at all: that was said.
    #[must_use]
    pub fn is_unequal(&self, path: &TreePath) -> bool {
        self.unequal.contains(path)
    }

    /// Something could not be proved, and the drill is incomplete without it.
    pub fn doubt(&mut self, probe: &str, about: About<'_>, why: impl Into<String>) {
        self.has_doubt = true;
        self.push(probe, about, true, why.into());
    }

    /// An error of the engine: damage fails a drill, everything else leaves it unproved.
    pub fn error(&mut self, probe: &str, about: About<'_>, error: &impl Classified) {
        match error.class() {
            ErrorClass::Corrupt | ErrorClass::Missing => {
                self.fail(probe, about, in_one_line(error));
            }
            _ => self.doubt(probe, about, in_one_line(error)),
        }
    }

    /// A file came back as it was backed up.
    pub fn equal(&mut self, path: &TreePath) {
        self.tested("bytes", path, Outcome::Passed);
    }

    /// Remembers how a file fared that the earlier drill named. The worse of two counts.
    fn tested(&mut self, probe: &str, path: &TreePath, outcome: Outcome) {
        let Some(again) = &self.again else { return };
        for file in again.hashes_of(path) {
            let known = self.retested.entry((probe.to_owned(), file)).or_insert(outcome);
            if outcome != Outcome::Passed {
                *known = outcome;
            }
        }
    }

    /// What a probe said of a file. A probe that cannot tell is counted and leaves the rest of the
    /// drill as good as it is; but a test that somebody asked for and that gave no answer leaves the
    /// drill unproved.
    pub fn probed(&mut self, probe: &'static str, about: About<'_>, verdict: Verdict) {
        let tally = self
            .probes
            .entry(probe)
            .or_insert_with(|| ProbeTally { probe: probe.to_owned(), ..ProbeTally::default() });
        let outcome = match verdict {
            Verdict::Passed => {
                tally.passed += 1;
                Outcome::Passed
            }
            Verdict::Failed(why) => {
                tally.failed += 1;
                self.fail(probe, about, why);
                Outcome::Failed
            }
            Verdict::NotProved(why) => {
                tally.not_proved += 1;
                self.has_doubt |= probe == COMMAND;
                self.push(probe, about, true, why);
                Outcome::NotProved
            }
        };
        if let About::File(path, _) = about {
            self.tested(probe, path, outcome);
        }
    }

    fn push(&mut self, probe: &str, about: About<'_>, is_doubt: bool, mut why: String) {
        self.count += 1;
        if self.found.len() >= NAMED_MAX {
            return;
        }
        if why.len() > TEXT_MAX_BYTES {
            let end = (0..=TEXT_MAX_BYTES).rev().find(|at| why.is_char_boundary(*at));
            why.truncate(end.unwrap_or_default());
        }
        let (path, file, object) = match about {
            About::File(path, hash) => (Some(path.clone()), Some(hash), None),
            About::Object(object) => (None, None, Some(object.to_owned())),
        };
        let finding = Finding { probe: probe.to_owned(), file, object, is_doubt, why };
        self.found.push(Found { finding, path });
    }

    /// Takes over what another look found.
    pub fn join(&mut self, other: Self) {
        self.count += other.count;
        self.has_failed |= other.has_failed;
        self.has_doubt |= other.has_doubt;
        self.retested.extend(other.retested);
        let room = NAMED_MAX.saturating_sub(self.found.len());
        self.found.extend(other.found.into_iter().take(room));
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Whether something is wrong.
    #[must_use]
    pub fn has_failed(&self) -> bool {
        self.has_failed
    }

    /// How the drill ends.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        match (self.has_failed, self.has_doubt) {
            (true, _) => Outcome::Failed,
            (false, true) => Outcome::NotProved,
            (false, false) => Outcome::Passed,
        }
    }

    /// What was seen of each file of the earlier drill's findings.
    #[must_use]
    pub fn retested(&self) -> Vec<Retested> {
        let row = |((probe, file), outcome): (&(String, Hash32), &Outcome)| Retested {
            probe: probe.clone(),
            file: *file,
            outcome: *outcome,
        };
        self.retested.iter().take(RETESTED_MAX).map(row).collect()
    }

    /// How the probes fared.
    #[must_use]
    pub fn probes(&self) -> Vec<ProbeTally> {
        self.probes.values().cloned().collect()
    }

    /// Whether a probe has passed something.
    #[must_use]
    pub fn has_passed(&self, probe: &str) -> bool {
        self.probes.get(probe).is_some_and(|tally| tally.passed > 0)
    }

    /// Whether checks of applications ran and all passed, and nothing else was found broken.
    #[must_use]
    pub fn is_application_good(&self) -> bool {
        let is_check = |tally: &&ProbeTally| APPLICATION_PROBES.contains(&tally.probe.as_str());
        self.probes.values().filter(is_check).any(|tally| tally.passed > 0)
            && self.probes.values().all(|tally| tally.failed == 0)
            && self.probes.values().filter(is_check).all(|tally| tally.not_proved == 0)
    }

    /// Those that evidence names: failures before doubts, no name of a file in any text, and of
    /// what the user's own test printed only that it did, because nobody knows what stands in it.
    #[must_use]
    pub fn for_evidence(&self) -> Vec<Finding> {
        let mut order: Vec<&Found> = self.found.iter().collect();
        order.sort_by_key(|found| found.finding.is_doubt);
        let bare = |found: &&Found| {
            let mut finding = found.finding.clone();
            if let Some(path) = &found.path {
                let text = path.to_string();
                finding.why = finding.why.replace(&text, "the file");
            }
            if finding.probe == COMMAND
                && let Some((how, _)) = finding.why.split_once(OUTPUT_MARK)
            {
                finding.why = how.to_owned();
            }
            finding
        };
        order.iter().take(FINDINGS_MAX).map(bare).collect()
    }

    /// All that are kept, with names.
    #[must_use]
    pub fn into_named(self) -> Vec<Found> {
        self.found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(verdicts: &[(&'static str, Verdict)]) -> bool {
        let mut findings = Findings::default();
        for (probe, verdict) in verdicts {
            findings.probed(probe, About::Object("a file"), verdict.clone());
        }
        findings.is_application_good()
    }

    #[test]
    fn only_checks_of_applications_speak_for_them() {
        let (failed, unsure) = (Verdict::Failed("bad".into()), Verdict::NotProved("?".into()));
        assert!(!after(&[]));
        assert!(!after(&[("archive", Verdict::Passed), ("image", Verdict::Passed)]));
        for check in APPLICATION_PROBES {
            assert!(after(&[(check, Verdict::Passed), ("archive", Verdict::Passed)]));
            assert!(!after(&[(check, Verdict::Passed), (check, unsure.clone())]), "{check}");
            assert!(!after(&[(check, Verdict::Passed), ("image", failed.clone())]), "{check}");
        }
    }
}
