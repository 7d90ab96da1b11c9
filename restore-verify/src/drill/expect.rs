//! What a snapshot must hold at least: that nothing is wrong with an emptied folder proves nothing.
//!
//! Somebody states it, or it is learned: from the last drill of the same source that passed, and
//! from snapshots that were made since. Half of what was there may go before anybody is asked.

use std::collections::BTreeMap;

use engine::format::snapshot::Snapshot;
use engine::index::catalog::{Catalog, Committed};

use crate::drill::findings::{About, Findings};
use crate::drill::memory::FileIds;
use crate::drill::options::Stated;
use crate::evidence::claims::APPLICATION_PROBES;
use crate::evidence::closing::COMMAND;
use crate::evidence::drill_event::{
    Drill, DrillBegun, DrillKind, Expected, ExpectedFrom, Outcome, PopulationFacts, ProbeTally,
    ROOTS_MAX,
};
use crate::evidence::event::Event;
use crate::evidence::record::{Hash32, SignedRecord};
use crate::evidence::shelf::millis;

/// Snapshots before the one that is drilled of which the largest counts.
const SNAPSHOTS: usize = 9;
/// Of fewer entries or files nothing is learned but that there must be one.
const LEARNED_MIN_COUNT: u64 = 4;
/// Of fewer bytes nothing is learned but that there must be one.
const LEARNED_MIN_BYTES: u64 = 64 * 1024;

/// What was backed up, as hashes that are the same in every drill of the system.
#[must_use]
pub fn roots(ids: &FileIds, snapshot: &Snapshot) -> Vec<Hash32> {
    let mut roots: Vec<Hash32> = match &snapshot.facts.source {
        Some(name) => vec![ids.root("source", name.as_bytes())],
        None => snapshot.paths.iter().map(|path| ids.root("path", &path.0)).collect(),
    };
    roots.sort_unstable();
    roots.dedup();
    if roots.len() > ROOTS_MAX {
        let all: Vec<u8> = roots.iter().flat_map(|root| root.0).collect();
        roots = vec![ids.root("paths", &all)];
    }
    roots
}

/// A drill of the same source that passed.
pub struct Known {
    /// How it ended.
    pub drill: Drill,
    /// How it began.
    begun: DrillBegun,
}

/// The drills of the system that passed, oldest first.
#[must_use]
pub fn passed(records: &[&SignedRecord], system: &str, roots: &[Hash32]) -> Vec<Known> {
    let event = |one: &SignedRecord| Event::decode(&one.record.event, &one.record.body).ok();
    let begins = records.iter().filter(|one| one.record.event == "drill-begun");
    let begins: BTreeMap<_, _> = begins.map(|one| (one.reference(), *one)).collect();
    let known = |one: &&SignedRecord| {
        let Event::Drill(drill) = event(one)? else { return None };
        if drill.system != system || drill.outcome != Outcome::Passed {
            return None;
        }
        let Event::DrillBegun(begun) = event(begins.get(&drill.begun)?)? else { return None };
        overlap(&begun.roots, roots).then_some(Known { drill: *drill, begun })
    };
    records.iter().filter(|one| one.record.event == "drill").filter_map(known).collect()
}

/// Whether two snapshots are of one source: what lies apart is never compared.
fn overlap(one: &[Hash32], other: &[Hash32]) -> bool {
    (one.is_empty() && other.is_empty()) || one.iter().any(|root| other.contains(root))
}

/// Snapshots of the same source that were made before, newest first.
#[must_use]
pub fn before<'c>(catalog: &'c Catalog, committed: &Committed, ids: &FileIds) -> Vec<&'c Snapshot> {
    let snapshot = &committed.snapshot;
    let own = roots(ids, snapshot);
    let mut before: Vec<&Snapshot> = catalog
        .snapshots
        .iter()
        .chain(&catalog.forgotten)
        .filter(|one| one.line == committed.line && one.doubt.is_none())
        .map(|one| &one.snapshot)
        .filter(|one| one.session != snapshot.session && one.host == snapshot.host)
        .filter(|one| one.started <= snapshot.started && one.domain == snapshot.domain)
        .filter(|one| overlap(&roots(ids, one), &own))
        .collect();
    before.sort_by_key(|one| std::cmp::Reverse(one.started));
    before
}

/// What `committed` must hold at least; nothing if nobody knows.
#[must_use]
pub fn expected(
    stated: Stated,
    known: &[Known],
    catalog: &Catalog,
    committed: &Committed,
    ids: &FileIds,
) -> Option<Expected> {
    if stated != Stated::default() {
        let (files, bytes) = (stated.files.unwrap_or_default(), stated.bytes.unwrap_or_default());
        return Some(Expected { files, bytes, from: ExpectedFrom::Stated, entries: 0 });
    }
    let snapshot = &committed.snapshot;
    let is_whole = |one: &&Known| matches!(one.drill.kind, DrillKind::Sample | DrillKind::Full);
    let last = known
        .iter()
        .rev()
        .filter(is_whole)
        .find(|one| one.drill.snapshot_ms <= millis(snapshot.started));
    let since_ms = last.map_or(i64::MIN, |one| one.drill.snapshot_ms);
    let mut before = before(catalog, committed, ids);
    before.retain(|one| millis(one.started) >= since_ms);
    before.truncate(SNAPSHOTS);
    if last.is_none() && before.is_empty() {
        return None;
    }
    let entries = before.iter().map(|one| one.summary.entries).max().unwrap_or_default();
    let bytes = before.iter().map(|one| one.summary.total_bytes).max().unwrap_or_default();
    let (shown_files, shown_bytes) =
        last.map_or((0, 0), |one| (one.drill.total_files, one.drill.total_bytes));
    // What somebody has stated since was shown by a drill then, and replaces what was before.
    Some(Expected {
        files: half(shown_files, LEARNED_MIN_COUNT),
        bytes: half(shown_bytes.max(bytes), LEARNED_MIN_BYTES),
        from: if last.is_some() { ExpectedFrom::Drill } else { ExpectedFrom::Snapshots },
        entries: half(entries, LEARNED_MIN_COUNT),
    })
}

fn half(count: u64, least: u64) -> u64 {
    if count < least { count.min(1) } else { count.div_ceil(2) }
}

/// Says what a snapshot lacks of what is expected.
pub fn judge(
    expected: Option<&Expected>,
    population: &PopulationFacts,
    entries: u64,
    findings: &mut Findings,
) {
    let mut doubt = |why: String| findings.doubt("expectation", About::Object("the snapshot"), why);
    match (population.files, population.bytes) {
        (0, _) => doubt("it has no file: nothing was proved".to_owned()),
        (_, 0) => doubt("all its files are empty: nothing was proved".to_owned()),
        _ => {}
    }
    let Some(expected) = expected else { return };
    let words = expected.from.words();
    for (name, found, least) in [
        ("files", population.files, expected.files),
        ("entries", entries, expected.entries),
        ("bytes", population.bytes, expected.bytes),
    ] {
        if found < least {
            doubt(format!("it has {found} {name}, and {least} or more are expected, as {words}"));
        }
    }
}

/// Says which applications a whole restore no longer holds that the last one held.
pub fn judge_probes(
    known: &[Known],
    begun_skips: &[String],
    now: &[ProbeTally],
    findings: &mut Findings,
) {
    let whole = known.iter().rev().find(|one| one.drill.kind == DrillKind::Full);
    let Some(whole) = whole.filter(|one| !one.begun.discards) else { return };
    let looked = |tally: &ProbeTally| tally.passed + tally.failed + tally.not_proved;
    for tally in whole.drill.probes.iter().filter(|it| it.passed > 0) {
        let name = tally.probe.as_str();
        let is_file_probe = APPLICATION_PROBES.contains(&name) && name != COMMAND;
        let is_skipped = begun_skips.iter().any(|skipped| skipped == name);
        let found = now.iter().find(|it| it.probe == name).map_or(0, looked);
        if is_file_probe && !is_skipped && found == 0 {
            let why = format!(
                "the probe {name} found nothing to look at; in the last whole restore it was {}",
                looked(tally)
            );
            findings.doubt("expectation", About::Object("the snapshot"), why);
        }
    }
}
