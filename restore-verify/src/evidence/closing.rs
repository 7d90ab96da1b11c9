//! Whether a test closes a finding: it is of the same system and looks at least as hard, at what
//! failed among the rest.
//!
//! All of it follows from the two records and from their beginnings, so a verifier comes to the
//! same answer as the program that wrote them.

use crate::evidence::drill_event::{
    Drill, DrillBegun, DrillKind, FINDINGS_MAX, Finding, Objective, Outcome,
};
use crate::evidence::event::Check;

/// Steps that restore and compare a file: that its bytes came back equal answers all of them.
const BYTES_STEPS: [&str; 3] = ["bytes", "restore", "structure"];
/// The probe that asks whether a file is what its name says, and those that look into it.
const KIND: &str = "kind";
const CONTENT_PROBES: [&str; 4] = ["sqlite", "archive", "dump", "image"];
/// The probe that is the user's own.
pub const COMMAND: &str = "command";

/// A record that can fail, or test again.
#[derive(Debug, Clone, Copy)]
pub enum Test<'a> {
    /// A drill, and its beginning as far as it is there.
    Drill(&'a Drill, Option<&'a DrillBegun>),
    /// A check of the repository.
    Check(&'a Check),
    /// A turn of packs.
    Rotation,
}

/// Why `again`, if it passed, does not close what `found` found; nothing if it does.
#[must_use]
pub fn shortfalls(found: Test<'_>, again: Test<'_>) -> Vec<String> {
    let why = match (found, again) {
        (Test::Drill(found, Some(begun)), Test::Drill(again, Some(again_begun))) => {
            return of_drill((found, begun), (again, again_begun));
        }
        (Test::Drill(..), Test::Drill(..)) => "the beginning of a drill is not recorded",
        (Test::Drill(..), _) => "it was no drill: it restores nothing",
        (_, Test::Drill(..)) => "a drill reads one snapshot, and this concerns the repository",
        (Test::Check(found), Test::Check(again)) if reads_as_much(&found.method, &again.method) => {
            return Vec::new();
        }
        (Test::Rotation, Test::Check(again)) if again.method == "all" => return Vec::new(),
        (Test::Check(_) | Test::Rotation, Test::Check(_)) => {
            "it reads less than what failed: `check --read-data` reads everything"
        }
        (_, Test::Rotation) => "a rotation reads a part of the packs",
    };
    vec![why.to_owned()]
}

/// Methods of checks: a part is the same part, and chance reads something else each time.
fn reads_as_much(found: &str, again: &str) -> bool {
    again == "all" || found == "structure" || (found == again && found.starts_with("part "))
}

fn of_drill(
    (found, begun): (&Drill, &DrillBegun),
    (again, again_begun): (&Drill, &DrillBegun),
) -> Vec<String> {
    let mut all = Vec::new();
    let mut say = |is_so: bool, why: String| {
        if is_so {
            all.push(why);
        }
    };
    // A drill that found no snapshot at all says so of the repository.
    say(
        found.system != again.system && !found.system.is_empty(),
        format!("it is of {}, the finding is of {}", again.system, found.system),
    );
    let has_root = |root| again_begun.roots.contains(root);
    say(
        !begun.roots.iter().all(has_root),
        "its snapshot is of other paths than the one that failed".to_owned(),
    );
    say(
        again.snapshot_ms < found.snapshot_ms,
        "its snapshot is older than the one that failed".to_owned(),
    );
    say(again_begun.discards && !begun.discards, "it dropped what it read".to_owned());
    for probe in again_begun.skipped.iter().filter(|probe| !begun.skipped.contains(probe)) {
        say(true, format!("it left out the probe {probe}"));
    }
    match (begun.command, again_begun.command) {
        (Some(_), None) => say(true, "it ran without the command".to_owned()),
        (Some(one), Some(other)) => say(one != other, "it ran another command".to_owned()),
        (None, _) => {}
    }
    if let Some(why) = weaker_kind((found, begun), (again, again_begun)) {
        say(true, why);
    }
    let certain = || found.findings.iter().filter(|finding| !finding.is_doubt);
    let untested = certain().filter(|finding| !is_tested(finding, again)).count();
    say(
        untested > 0,
        match untested {
            1 => "1 thing that failed was not looked at again, or is gone".to_owned(),
            count => format!("{count} things that failed were not looked at again, or are gone"),
        },
    );
    let unnamed = found.finding_count.saturating_sub(FINDINGS_MAX as u64);
    let is_cut = unnamed > 0 && certain().count() == FINDINGS_MAX;
    say(
        is_cut && again.kind != DrillKind::Full,
        format!("the finding names {FINDINGS_MAX} things of {}", found.finding_count),
    );
    for objective in found.breaches() {
        if let Some(why) = unmet(found, again, objective) {
            say(true, why);
        }
    }
    all
}

/// Why a drill does not show that an objective which `found` breached is met by now.
#[must_use]
pub fn unmet(found: &Drill, again: &Drill, objective: Objective) -> Option<String> {
    let name = objective.name();
    let target = found.target_ms(objective)?;
    let was_measured = found.measured(objective).is_some_and(|it| it.is_measured);
    match again.measured(objective) {
        None => Some(format!("it says nothing of the {name}")),
        Some(it) if it.ms > target => Some(format!("the {name} is still beyond its objective")),
        Some(it) if was_measured && !it.is_measured => {
            Some(format!("it estimates the {name}, which was measured when it was breached"))
        }
        Some(_) => None,
    }
}

/// Why what was restored is less, if it is.
fn weaker_kind(
    (found, begun): (&Drill, &DrillBegun),
    (again, again_begun): (&Drill, &DrillBegun),
) -> Option<String> {
    use DrillKind::{Full, IndexLoss, Kit, Paths, Sample};
    let less = |is_less: bool, why: &str| is_less.then(|| why.to_owned());
    match (found.kind, again.kind) {
        (Full, Full) | (Sample | Paths, Full) => None,
        (Sample, Sample) => {
            let is_whole = again.files >= again.total_files;
            less(!is_whole && again_begun.wanted < begun.wanted, "its sample is smaller")
        }
        (Paths, Paths) => less(again.files < found.files, "it restored fewer files"),
        (IndexLoss, IndexLoss) | (Kit, Kit) => None,
        (Full | Sample | Paths | IndexLoss | Kit, _) => {
            let (one, other) = (again.kind.name(), found.kind.name());
            Some(format!("a drill of the kind {one} is weaker than, or other than, {other}"))
        }
    }
}

/// Whether what a finding names was looked at again, and passed.
fn is_tested(finding: &Finding, again: &Drill) -> bool {
    let Some(file) = finding.file else {
        // Steps that concern no file run in every drill; the user's own test may not have.
        let ran = |probe: &str| again.probes.iter().any(|it| it.probe == probe && it.passed > 0);
        return finding.probe != COMMAND || ran(COMMAND);
    };
    let answers = |probe: &str| {
        let is_of_bytes = BYTES_STEPS.contains(&finding.probe.as_str()) && probe == "bytes";
        // What opens as a database, an archive, a dump or a picture is of its kind.
        let is_of_kind = finding.probe == KIND && CONTENT_PROBES.contains(&probe);
        probe == finding.probe || is_of_bytes || is_of_kind
    };
    let of_it = || again.retested.iter().filter(|it| it.file == file && answers(&it.probe));
    of_it().any(|it| it.outcome == Outcome::Passed)
        && of_it().all(|it| it.outcome == Outcome::Passed)
}

#[cfg(test)]
mod tests;
