//! One pair of records that closes, and every way in which the second one may be less.

use super::*;
use crate::evidence::drill_event::{ProbeTally, Retested};
use crate::evidence::record::{Hash32, Reference, Writer};

type Pair = (Drill, DrillBegun);

fn hash(number: u8) -> Hash32 {
    Hash32([number; 32])
}

fn begun(kind: DrillKind) -> DrillBegun {
    DrillBegun {
        kind,
        snapshot: [1; 24],
        system: "web1".to_owned(),
        seed: None,
        generation: 0,
        population: None,
        wanted: 300,
        discards: false,
        retest_of: None,
        ticket: None,
        skipped: vec!["image".to_owned()],
        command: Some(hash(9)),
        roots: vec![hash(1), hash(2)],
        expected: None,
    }
}

fn finding(probe: &str, file: Option<u8>, is_doubt: bool) -> Finding {
    let (probe, why) = (probe.to_owned(), "it is broken".to_owned());
    Finding { probe, file: file.map(hash), object: None, is_doubt, why }
}

fn drill(kind: DrillKind, outcome: Outcome) -> Drill {
    Drill {
        begun: Reference { writer: Writer([1; 8]), number: 1, hash: hash(0) },
        kind,
        snapshot: [1; 24],
        system: "web1".to_owned(),
        snapshot_ms: 1000,
        outcome,
        level: 4,
        lacks: String::new(),
        started_ms: 2000,
        finished_ms: 3000,
        restore_ms: 500,
        files: 300,
        bytes: 3000,
        decoded_bytes: 3000,
        requests: 1,
        results: hash(0),
        result_count: 300,
        probes: vec![ProbeTally { probe: COMMAND.to_owned(), passed: 1, ..ProbeTally::default() }],
        finding_count: 0,
        findings: Vec::new(),
        total_files: 1000,
        total_bytes: 9000,
        estimate: None,
        rpo_ms: 3_600_000,
        rpo_target_ms: None,
        rto_target_ms: None,
        retest_of: None,
        ticket: None,
        authenticated_ppm: 1,
        retested: Vec::new(),
        dropped: 0,
        not_saved: 0,
        confinement: None,
    }
}

/// A drill that failed in five ways, and was in time for nothing.
fn failed(kind: DrillKind) -> Pair {
    let findings = vec![
        finding("dump", Some(1), false),
        finding("structure", Some(2), false),
        finding("meta", Some(3), false),
        finding(COMMAND, None, false),
        finding("snapshots", None, false),
        finding("archive", Some(4), true),
    ];
    let drill = Drill {
        finding_count: 6,
        findings,
        rpo_target_ms: Some(3_599_999),
        ..drill(kind, Outcome::Failed)
    };
    (drill, begun(kind))
}

fn passed(kind: DrillKind) -> Pair {
    let row = |probe: &str, file| Retested {
        probe: probe.to_owned(),
        file: hash(file),
        outcome: Outcome::Passed,
    };
    let retested = vec![row("bytes", 2), row("dump", 1), row("meta", 3), row("meta", 1)];
    let drill = Drill { retested, rpo_ms: 3_599_999, ..drill(kind, Outcome::Passed) };
    (drill, begun(kind))
}

fn short(found: &Pair, again: &Pair) -> Vec<String> {
    shortfalls(Test::Drill(&found.0, Some(&found.1)), Test::Drill(&again.0, Some(&again.1)))
}

#[test]
fn an_equal_or_a_stronger_test_closes() {
    use DrillKind::{Full, IndexLoss, Kit, Paths, Sample};
    let kinds = [Sample, Full, Paths, IndexLoss, Kit];
    for (found, again, closes) in kinds.iter().flat_map(|found| {
        kinds.iter().map(move |again| {
            (*found, *again, found == again || (*again == Full && matches!(found, Sample | Paths)))
        })
    }) {
        let said = short(&failed(found), &passed(again));
        assert_eq!(said.is_empty(), closes, "{found:?} then {again:?}: {said:?}");
    }
    // Stronger still: more probes, more files, more paths, a newer snapshot.
    let mut again = passed(Sample);
    again.1.skipped.clear();
    again.1.wanted = 3000;
    again.1.roots.push(hash(3));
    again.0.snapshot_ms = 5000;
    assert_eq!(short(&failed(Sample), &again), Vec::<String>::new());
    // A smaller sample that is everything there is.
    again.1.wanted = 10;
    again.0.total_files = 300;
    assert_eq!(short(&failed(Sample), &again), Vec::<String>::new());
}

#[test]
fn a_test_that_is_weaker_in_one_way_closes_nothing_and_says_why() {
    type Change = fn(&mut Pair);
    let changes: [(&str, Change); 19] = [
        ("it is of web2, the finding is of web1", |it| it.0.system = "web2".to_owned()),
        ("other paths", |it| it.1.roots = vec![hash(1)]),
        ("other paths", |it| it.1.roots.clear()),
        ("older than the one that failed", |it| it.0.snapshot_ms = 999),
        ("it dropped what it read", |it| it.1.discards = true),
        ("it left out the probe dump", |it| it.1.skipped.push("dump".to_owned())),
        ("without the command", |it| it.1.command = None),
        ("another command", |it| it.1.command = Some(hash(8))),
        ("its sample is smaller", |it| it.1.wanted = 299),
        ("1 thing that failed", |it| it.0.probes.clear()),
        ("1 thing that failed", |it| it.0.probes[0].passed = 0),
        ("3 things that failed", |it| it.0.retested.clear()),
        ("1 thing that failed", |it| drop(it.0.retested.remove(0))),
        ("1 thing that failed", |it| drop(it.0.retested.remove(1))),
        ("1 thing that failed", |it| it.0.retested[1].probe = "meta".to_owned()),
        ("1 thing that failed", |it| it.0.retested[1].file = hash(77)),
        ("1 thing that failed", |it| it.0.retested[1].outcome = Outcome::NotProved),
        ("the recovery point is still beyond its objective", |it| it.0.rpo_ms = 3_600_000),
        ("weaker than, or other than, sample", |it| it.0.kind = DrillKind::Paths),
    ];
    let found = failed(DrillKind::Sample);
    for (why, change) in changes {
        let mut again = passed(DrillKind::Sample);
        assert_eq!(short(&found, &again), Vec::<String>::new());
        change(&mut again);
        let said = short(&found, &again);
        assert!(said.len() == 1 && said[0].contains(why), "{why}: {said:?}");
    }
    let again = passed(DrillKind::Sample);
    let (one, two) = (Test::Drill(&found.0, Some(&found.1)), Test::Drill(&again.0, None));
    assert_eq!(shortfalls(one, two), ["the beginning of a drill is not recorded"]);
}

#[test]
fn findings_that_no_record_names_are_tested_by_a_whole_restore() {
    let mut found = failed(DrillKind::Sample);
    found.0.findings = (0..FINDINGS_MAX).map(|_| finding("dump", Some(1), false)).collect();
    found.0.finding_count = FINDINGS_MAX as u64;
    assert_eq!(short(&found, &passed(DrillKind::Sample)), Vec::<String>::new());
    found.0.finding_count += 1;
    let said = short(&found, &passed(DrillKind::Sample));
    assert_eq!(said, ["the finding names 64 things of 65"]);
    assert_eq!(short(&found, &passed(DrillKind::Full)), Vec::<String>::new());
}

#[test]
fn a_time_that_was_measured_is_measured_again() {
    let mut found = failed(DrillKind::Full);
    (found.0.outcome, found.0.rto_target_ms) = (Outcome::Passed, Some(400));
    let mut again = passed(DrillKind::Full);
    again.0.restore_ms = 400;
    assert_eq!(short(&found, &again), Vec::<String>::new());
    again.0.restore_ms = 401;
    assert_eq!(short(&found, &again), ["the recovery time is still beyond its objective"]);
    again.0.dropped = 1;
    assert_eq!(short(&found, &again), ["it says nothing of the recovery time"]);
    again.0.estimate = Some(crate::evidence::drill_event::EstimateFacts {
        likely_ms: 10,
        low_ms: 1,
        high_ms: 20,
        observations: 9,
    });
    let said = short(&found, &again);
    assert!(said.len() == 1 && said[0].contains("which was measured"), "{said:?}");
}

#[test]
fn a_check_closes_what_reads_no_more_than_it() {
    let methods = ["structure", "part 1/7", "part 2/7", "random", "all"];
    let check = |method: &str| Check {
        snapshots: 1,
        packs: 1,
        pack_bytes: 1,
        bytes_read: 1,
        damaged: 0,
        findings: Vec::new(),
        duration_ms: 1,
        started_ms: 1,
        outcome: Outcome::Passed,
        method: method.to_owned(),
        packs_read: 1,
        hurt_paths: 0,
        retest_of: None,
        ticket: None,
    };
    for found in methods {
        for again in methods {
            let closes = again == "all"
                || found == "structure"
                || (found == again && found.starts_with("part"));
            let (one, two) = (check(found), check(again));
            let said = shortfalls(Test::Check(&one), Test::Check(&two));
            assert_eq!(said.is_empty(), closes, "{found} then {again}: {said:?}");
        }
    }
    let (all, (drill, begun)) = (check("all"), passed(DrillKind::Full));
    let drill = Test::Drill(&drill, Some(&begun));
    assert_eq!(shortfalls(Test::Rotation, Test::Check(&all)), Vec::<String>::new());
    assert_eq!(shortfalls(Test::Rotation, Test::Check(&check("structure"))).len(), 1);
    assert_eq!(shortfalls(Test::Check(&all), drill).len(), 1);
    assert_eq!(shortfalls(drill, Test::Check(&all)).len(), 1);
    assert_eq!(shortfalls(Test::Rotation, drill).len(), 1);
}

#[test]
fn no_level_is_supported_by_less_than_it_says() {
    use crate::evidence::claims::supported_level;
    let good = |kind| {
        let mut pair = passed(kind);
        pair.1.expected = Some(crate::evidence::drill_event::Expected {
            files: 1,
            bytes: 1,
            from: crate::evidence::drill_event::ExpectedFrom::Drill,
            entries: 1,
        });
        pair.0.probes[0].probe = "sqlite".to_owned();
        pair
    };
    let level = |pair: &Pair| supported_level(&pair.0, Some(&pair.1));
    for (kind, most) in [
        (DrillKind::Full, 6),
        (DrillKind::Sample, 4),
        (DrillKind::Kit, 4),
        (DrillKind::IndexLoss, 4),
        (DrillKind::Paths, 3),
    ] {
        assert_eq!(level(&good(kind)), most, "{kind:?}");
    }
    type Change = fn(&mut Pair);
    let changes: [(u8, Change); 12] = [
        (3, |it| it.0.outcome = Outcome::Failed),
        (3, |it| it.0.outcome = Outcome::NotProved),
        (3, |it| it.0.files = 0),
        (3, |it| it.0.dropped = 300),
        (4, |it| it.0.dropped = 1),
        (4, |it| it.0.rto_target_ms = Some(499)),
        (5, |it| it.0.probes[0].probe = "archive".to_owned()),
        (5, |it| it.0.probes[0].passed = 0),
        (5, |it| it.0.probes[0].failed = 1),
        (5, |it| it.0.probes[0].not_proved = 1),
        (5, |it| it.0.probes.clear()),
        (5, |it| it.1.expected = None),
    ];
    for (number, (most, change)) in changes.into_iter().enumerate() {
        let mut pair = good(DrillKind::Full);
        change(&mut pair);
        assert_eq!(level(&pair), most, "change {number}");
    }
    let mut pair = good(DrillKind::Full);
    (pair.1.expected, pair.0.probes[0].probe) = (None, COMMAND.to_owned());
    assert_eq!(level(&pair), 6, "the user's own test needs no expectation");
}

/// As a program wrote it that knew of none of the later fields: kind, snapshot, system, generation,
/// files that are drawn, whether bytes are dropped.
const OLD_BEGUN: &str = "a60001015818010101010101010101010101010101010101010101010101\
    02647765623104000619012c07f4";

#[test]
fn records_of_before_are_read_and_new_fields_are_bounded() {
    use crate::evidence::drill_event::{ROOTS_MAX, SKIPPED_MAX};
    use crate::evidence::event::Event;
    use crate::evidence::record::{encode, from_hex};
    let old = from_hex(&OLD_BEGUN.replace([' ', '\n'], "")).expect("digits");
    let Ok(Event::DrillBegun(read)) = Event::decode("drill-begun", &old) else {
        panic!("it is read")
    };
    let bare = DrillBegun {
        skipped: Vec::new(),
        command: None,
        roots: Vec::new(),
        ..begun(DrillKind::Sample)
    };
    assert_eq!(read, bare);
    assert_eq!(encode(&bare), old, "what is absent takes no byte");
    let full = begun(DrillKind::Full);
    let again = Event::decode("drill-begun", &encode(&full));
    assert_eq!(again, Ok(Event::DrillBegun(full.clone())));
    for (skipped, roots, is_read) in [
        (SKIPPED_MAX, ROOTS_MAX, true),
        (SKIPPED_MAX + 1, ROOTS_MAX, false),
        (SKIPPED_MAX, ROOTS_MAX + 1, false),
    ] {
        let long = DrillBegun {
            skipped: vec!["x".to_owned(); skipped],
            roots: vec![hash(1); roots],
            ..full.clone()
        };
        assert_eq!(Event::decode("drill-begun", &encode(&long)).is_ok(), is_read);
    }
    let one = passed(DrillKind::Sample).0;
    let again = Event::decode("drill", &encode(&one));
    assert_eq!(again, Ok(Event::Drill(Box::new(one))));
}
