//! Findings as they come: with names for the people of the house, without for evidence.

use std::collections::BTreeMap;

use engine::base::error::{Classified, ErrorClass, in_one_line};
use engine::base::path::TreePath;

use crate::evidence::drill_event::{FINDINGS_MAX, Finding, Outcome, ProbeTally, TEXT_MAX_BYTES};
use crate::evidence::record::Hash32;
use crate::probe::verdict::Verdict;

/// Probes that look at what an application works with: a database, a dump of one, the user's own
/// test. That an archive or a picture is whole says nothing of an application.
const APPLICATION_PROBES: [&str; 3] = ["sqlite", "dump", "command"];

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
#[derive(Debug, Default)]
pub struct Findings {
    found: Vec<Found>,
    count: u64,
    has_failed: bool,
    has_doubt: bool,
    probes: BTreeMap<&'static str, ProbeTally>,
}

impl Findings {
    /// Something is wrong.
    pub fn fail(&mut self, probe: &str, about: About<'_>, why: impl Into<String>) {
        self.has_failed = true;
        self.push(probe, about, false, why.into());
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

    /// What a probe said of a file. A probe that cannot tell is counted and leaves the rest of the
    /// drill as good as it is.
    pub fn probed(&mut self, probe: &'static str, about: About<'_>, verdict: Verdict) {
        let tally = self
            .probes
            .entry(probe)
            .or_insert_with(|| ProbeTally { probe: probe.to_owned(), ..ProbeTally::default() });
        match verdict {
            Verdict::Passed => tally.passed += 1,
            Verdict::Failed(why) => {
                tally.failed += 1;
                self.fail(probe, about, why);
            }
            Verdict::NotProved(why) => {
                tally.not_proved += 1;
                self.push(probe, about, true, why);
            }
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

    /// How the probes fared.
    #[must_use]
    pub fn probes(&self) -> Vec<ProbeTally> {
        self.probes.values().cloned().collect()
    }

    /// Whether checks of applications ran and all passed, and nothing else was found broken.
    #[must_use]
    pub fn is_application_good(&self) -> bool {
        let is_check = |tally: &&ProbeTally| APPLICATION_PROBES.contains(&tally.probe.as_str());
        self.probes.values().filter(is_check).any(|tally| tally.passed > 0)
            && self.probes.values().all(|tally| tally.failed == 0)
            && self.probes.values().filter(is_check).all(|tally| tally.not_proved == 0)
    }

    /// Those that evidence names: failures before doubts, and no name of a file in any text.
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
