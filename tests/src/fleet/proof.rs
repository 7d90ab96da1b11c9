//! The prover's year: rotations, checks, drills, restores, findings and what became of them.

use std::path::Path;

use engine::base::id::ClientId;
use engine::crypt::secret::SecretKey;
use engine::crypt::sign::SigningKey;
use engine::format::slot::Role;
use engine::index::identity::enrol;
use engine::repo::keyring::Identity;
use restore_verify::evidence::drill_event::{
    Drill, DrillBegun, DrillKind, EstimateFacts, Finding, Outcome, PopulationFacts, ProbeTally,
    Retested,
};
use restore_verify::evidence::event::{Act, Check, Event, Remedy, RemedyStep, Restore, Rotation};
use restore_verify::evidence::record::{Hash32, Reference, SignedRecord};
use restore_verify::evidence::shelf::{Author, Shelf};

use crate::fleet::{BEGIN_MS, DAY_MS, Dice, SetClock, Simulation, Truth};

/// From a finding to the test that closes it.
const RETEST_MS: i64 = 30_000;
/// Restores so many bytes in a second.
const RATE: u64 = 180 << 20;

struct Prover<'a> {
    clock: &'a SetClock,
    identity: Identity,
    dice: Dice,
    shelf: Shelf<'a>,
    truth: &'a mut Truth,
}

/// A system as the prover sees it.
struct Scene<'a> {
    name: &'a str,
    bytes: u64,
    snapshot: [u8; 24],
}

fn finding(at_ms: i64) -> Finding {
    Finding {
        probe: "bytes".to_owned(),
        file: Some(Hash32::of(&at_ms.to_be_bytes())),
        object: None,
        is_doubt: false,
        why: "its bytes are not those that were backed up".to_owned(),
    }
}

/// The file of that finding came back.
fn retested(found_ms: i64) -> Vec<Retested> {
    let file = finding(found_ms).file.expect("it is of a file");
    vec![Retested { probe: "bytes".to_owned(), file, outcome: Outcome::Passed }]
}

impl Simulation {
    /// Everything that is signed, after all nights.
    pub(super) fn prove(&mut self, state: &Path, days: u32) {
        let signing = SigningKey::from_seed(&SecretKey::new([9; 32]));
        let identity = Identity { client: ClientId::new([0xc1; 8]), signing };
        enrol(&self.repo, &identity, "prover", Role::Verify, 0).expect("it can be enrolled");
        let shelf = Shelf::open(&self.repo, state).expect("the chains can be read");
        let dice = Dice(self.dice.roll(u64::MAX));
        let mut prover =
            Prover { clock: &self.clock, identity, dice, shelf, truth: &mut self.truth };
        let scenes: Vec<Scene<'_>> = self
            .systems
            .iter()
            .map(|system| Scene {
                name: &system.name,
                bytes: system.bytes,
                snapshot: system.newest.as_ref().map_or([0; 24], |it| *it.session.as_bytes()),
            })
            .collect();
        let total: u64 = scenes.iter().map(|scene| scene.bytes).sum();
        for day in 0..days {
            prover.day(day, total, &scenes);
        }
    }
}

impl Prover<'_> {
    fn append(&mut self, at_ms: i64, actor: &str, event: &Event) -> SignedRecord {
        self.clock.set(at_ms);
        let author = Author { identity: &self.identity, actor, host: "prover" };
        self.truth.records += 1;
        self.shelf.append(&author, event).expect("it is written")
    }

    fn day(&mut self, day: u32, total: u64, scenes: &[Scene<'_>]) {
        let noon = BEGIN_MS + i64::from(day) * DAY_MS + DAY_MS / 2;
        self.rotate(noon, day, total);
        if day % 30 == 20 {
            self.check(noon + 60_000, total);
        }
        for (number, scene) in scenes.iter().enumerate() {
            let at_ms = noon + 3_600_000 + number as i64 * 60_000;
            // Each system has its day of the week, and a full restore every quarter.
            if day as usize % 7 == number % 7 {
                let is_full = day as usize / 7 % 13 == number % 13;
                let kind = if is_full { DrillKind::Full } else { DrillKind::Sample };
                self.drill(at_ms, scene, kind, None);
            }
            if self.dice.roll(600) == 0 || (day == 9 && self.truth.restores == 0) {
                self.restore(at_ms + 20_000, scene);
            }
        }
        if day % 45 == 10 {
            let act = Act {
                subject: "retention".to_owned(),
                action: "keep 14 daily, 8 weekly, 24 monthly".to_owned(),
                ticket: Some(format!("CHG-{}", 100 + day)),
                ..Act::default()
            };
            self.append(noon + 7_200_000, "kim", &Event::Policy(act));
        }
    }

    fn rotate(&mut self, at_ms: i64, day: u32, total: u64) {
        let stored = total / 3 + u64::from(day) * (total / 2500);
        let covered = stored * u64::from((day + 1).min(28)) / 28;
        self.truth.bytes_read += stored / 28;
        let rotation = Rotation {
            packs: stored / 28 / (12 << 20),
            bytes: stored / 28,
            failed: 0,
            total_packs: stored / (12 << 20),
            total_bytes: stored,
            covered_bytes: covered,
            days: 28,
            oldest_ms: (day >= 27).then(|| at_ms - 27 * DAY_MS),
            requests: 40,
            results: Hash32::of(&day.to_be_bytes()),
            finding_count: 0,
            findings: Vec::new(),
            started_ms: at_ms - 600_000,
            finished_ms: at_ms,
        };
        self.append(at_ms, "rotation", &Event::Rotation(rotation));
    }

    fn check(&mut self, at_ms: i64, total: u64) {
        self.truth.bytes_read += total / 20;
        let check = Check {
            snapshots: 300,
            packs: total / 3 / (12 << 20),
            pack_bytes: total / 3,
            bytes_read: total / 20,
            damaged: 0,
            findings: Vec::new(),
            duration_ms: 900_000,
            started_ms: at_ms - 900_000,
            outcome: Outcome::Passed,
            method: "part 1/7".to_owned(),
            packs_read: 90,
            hurt_paths: 0,
            retest_of: None,
            ticket: None,
        };
        self.append(at_ms, "check", &Event::Check(check));
    }

    /// A drill with its beginning; one that fails opens a ticket, and is fixed and tested again.
    fn drill(
        &mut self,
        at_ms: i64,
        scene: &Scene<'_>,
        kind: DrillKind,
        retest_of: Option<Reference>,
    ) -> SignedRecord {
        let fate = self.dice.roll(1000);
        let outcome = match (fate, retest_of) {
            (_, Some(_)) => Outcome::Passed,
            // A small fleet has a failure too.
            _ if self.truth.passed == 25 && self.truth.failed == 0 => Outcome::Failed,
            (0..6, None) => Outcome::Failed,
            (6..12, None) => Outcome::NotProved,
            _ => Outcome::Passed,
        };
        let begun = self.begin(at_ms - 300_000, scene, kind, retest_of);
        let drill = self.outcome(at_ms, scene, (kind, outcome), begun, retest_of);
        if kind == DrillKind::Sample && outcome != Outcome::NotProved {
            self.truth.draws += drill.result_count;
        }
        match outcome {
            Outcome::Passed => self.truth.passed += 1,
            Outcome::Failed => self.truth.failed += 1,
            Outcome::NotProved => self.truth.not_proved += 1,
        }
        let record = self.append(at_ms, "drill", &Event::Drill(Box::new(drill)));
        if outcome == Outcome::Failed {
            self.remedy(at_ms, (scene, kind), record.reference());
        }
        record
    }

    fn begin(
        &mut self,
        at_ms: i64,
        scene: &Scene<'_>,
        kind: DrillKind,
        retest_of: Option<Reference>,
    ) -> Reference {
        let files = scene.bytes >> 17;
        let population =
            PopulationFacts { files, bytes: scene.bytes, fresh: files, root: Hash32([4; 32]) };
        let begun = DrillBegun {
            kind,
            snapshot: scene.snapshot,
            system: scene.name.to_owned(),
            seed: (kind == DrillKind::Sample).then(|| Hash32::of(&at_ms.to_be_bytes())),
            generation: 0,
            population: Some(population),
            wanted: 300,
            discards: false,
            retest_of,
            ticket: None,
            skipped: Vec::new(),
            command: None,
            roots: Vec::new(),
            expected: None,
        };
        self.append(at_ms, "drill", &Event::DrillBegun(begun)).reference()
    }

    fn outcome(
        &mut self,
        at_ms: i64,
        scene: &Scene<'_>,
        (kind, outcome): (DrillKind, Outcome),
        begun: Reference,
        retest_of: Option<Reference>,
    ) -> Drill {
        let is_full = kind == DrillKind::Full;
        let files = if is_full { scene.bytes >> 17 } else { 300 };
        let bytes = if is_full { scene.bytes } else { 300 << 17 };
        let noise = 900 + self.dice.roll(200);
        let full_ms = scene.bytes * 1000 / RATE;
        let failed = u64::from(outcome == Outcome::Failed);
        Drill {
            begun,
            kind,
            snapshot: scene.snapshot,
            system: scene.name.to_owned(),
            snapshot_ms: at_ms - 11 * 3_600_000,
            outcome,
            level: match (outcome, is_full) {
                (Outcome::Passed, true) => 6,
                (Outcome::Passed, false) => 4,
                _ => 3,
            },
            lacks: match (outcome, is_full) {
                (Outcome::Passed, true) => String::new(),
                (Outcome::Passed, false) => "no full restore within the time objective".to_owned(),
                _ => "no sample was restored, or it differs".to_owned(),
            },
            started_ms: at_ms - 300_000,
            finished_ms: at_ms,
            restore_ms: (bytes * 1000 / RATE) * noise / 1000,
            files,
            bytes,
            decoded_bytes: bytes,
            requests: 80,
            results: Hash32::of(&bytes.to_be_bytes()),
            result_count: files,
            probes: vec![ProbeTally {
                probe: "bytes".to_owned(),
                passed: files - failed,
                failed,
                not_proved: 0,
            }],
            finding_count: failed,
            findings: (0..failed).map(|_| finding(at_ms)).collect(),
            total_files: scene.bytes >> 17,
            total_bytes: scene.bytes,
            estimate: (!is_full).then(|| EstimateFacts {
                likely_ms: full_ms * noise / 1000,
                low_ms: full_ms * 8 / 10,
                high_ms: full_ms * 12 / 10,
                observations: 6,
            }),
            rpo_ms: 11 * 3_600_000,
            rpo_target_ms: Some(26 * 3_600_000),
            rto_target_ms: Some(4 * 3_600_000),
            retest_of,
            ticket: None,
            authenticated_ppm: 1_000_000,
            retested: retest_of.map_or_else(Vec::new, |_| retested(at_ms - RETEST_MS)),
            dropped: 0,
            not_saved: 0,
            confinement: None,
        }
    }

    fn remedy(&mut self, at_ms: i64, (scene, kind): (&Scene<'_>, DrillKind), finding: Reference) {
        self.truth.findings += 1;
        let ticket = format!("INC-{}", 4000 + self.truth.findings);
        let step = |step, retest, note: &str| {
            let (ticket, note) = (ticket.clone(), note.to_owned());
            Event::Remedy(Remedy { finding, ticket, step, retest, note })
        };
        self.append(at_ms + 1_000, "drill", &step(RemedyStep::Opened, None, ""));
        // The first finding is always followed up.
        if self.dice.roll(4) == 0 && self.truth.findings > 1 {
            return;
        }
        let fixed = step(RemedyStep::Fixed, None, "volume replaced, backed up anew");
        self.append(at_ms + 5_000, "kim", &fixed);
        let test = self.drill(at_ms + RETEST_MS, scene, kind, Some(finding));
        let closed = step(RemedyStep::Closed, Some(test.reference()), "");
        self.append(at_ms + 31_000, "drill", &closed);
        self.truth.closed += 1;
    }

    fn restore(&mut self, at_ms: i64, scene: &Scene<'_>) {
        self.truth.restores += 1;
        let files = 1 + self.dice.roll(400);
        let restore = Restore {
            snapshot: scene.snapshot,
            system: scene.name.to_owned(),
            outcome: Outcome::Passed,
            files,
            bytes: files << 19,
            duration_ms: 800 + files * 4,
            is_verified: !files.is_multiple_of(3),
            reason: "a user deleted a folder".to_owned(),
            ticket: Some(format!("REQ-{}", 700 + self.truth.restores)),
            started_ms: at_ms - 2_000,
            problems: 0,
            damaged: 0,
            is_whole: false,
            snapshot_ms: at_ms - 11 * 3_600_000,
        };
        self.append(at_ms, "sam", &Event::Restore(restore));
    }
}
