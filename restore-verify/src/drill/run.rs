//! A drill from beginning to end.

use std::collections::HashSet;

use engine::base::id::ChunkId;
use engine::base::limits::NODE_CACHE_BYTES;
use engine::base::monitor::Phase;
use engine::blob::fetch::ChunkFetcher;
use engine::index::catalog::{Catalog, Committed};
use engine::index::pin::Pin;

use crate::drill::again::Again;
use crate::drill::close::{close, open_ticket, settle};
use crate::drill::expect::{self, Known};
use crate::drill::files::{Observed, Restorer, Results};
use crate::drill::findings::{About, Findings};
use crate::drill::look::Looker;
use crate::drill::memory::{FileId, FileIds, Memory};
use crate::drill::options::{DrillError, DrillOptions, DrillReport, Place, Stated};
use crate::drill::salt::Salts;
use crate::drill::scratch::Scratch;
use crate::drill::survey::{Survey, Wish, list_packs, survey};
use crate::drill::{index_loss, kit, standing};
use crate::evidence::closing::COMMAND;
use crate::evidence::confinement::Confinement;
use crate::evidence::drill_event::{
    Drill, DrillBegun, DrillKind, EstimateFacts, Expected, Outcome,
};
use crate::evidence::event::Event;
use crate::evidence::record::{Hash32, Reference, SignedRecord, Writer};
use crate::evidence::remedy::cases;
use crate::evidence::shelf::{Author, Shelf, millis};
use crate::objective::estimate::estimate;
use crate::objective::level::{Facts, lacks, level};
use crate::sample::coverage::{PackAge, covered};
use crate::sample::draw;

/// Files that the kinds `index-loss` and `kit` restore to show that reading works.
const TOKEN_FILES: u64 = 20;

/// Drills `committed`, which is in `catalog`, and records what it found.
///
/// # Errors
/// [`DrillError`] only if not even that can be recorded, or if its beginning cannot. Everything
/// else is an outcome.
pub fn run(
    place: &Place<'_>,
    catalog: &Catalog,
    committed: &Committed,
    options: &DrillOptions,
) -> Result<DrillReport, DrillError> {
    place.repo.keys().data()?;
    let mut shelf = Shelf::open(place.repo, place.state)?;
    let again = options.retest_of.and_then(|finding| Again::of(place.repo, &shelf, finding));
    let mut findings = Findings::testing(again.clone());
    standing::look(place, &shelf, catalog, &mut findings)?;
    let own = Writer(*place.author.identity.client.as_bytes());
    let memory = Memory::open(place.state)?;
    let snapshot = &committed.snapshot;
    let system = catalog.claims.system_of(committed);
    let ids = FileIds::new(place.repo, &system);
    let generation = generation(&shelf, own, &system);
    let number = shelf.head(own).map_or(0, |head| head.record.number + 1);
    let roots = expect::roots(&ids, snapshot);
    let known = expect::passed(&shelf.records(), &system, &roots);
    let expected = expect::expected(options.expected, &known, catalog, committed, &ids);
    let mut drill = Running {
        place,
        options,
        committed,
        system,
        ids: &ids,
        generation,
        drilled: memory.drawn(generation, number)?,
        previous: shelf.previous(own),
        again,
        roots,
        known,
        expected,
        before: expect::before(catalog, committed, &ids).first().map(|one| one.root),
        started_ms: millis(place.repo.clock().now()),
        requests: place.repo.store().usage().requests(),
    };
    let Author { identity, host, .. } = place.author;
    let pin = Pin::new(place.repo, place.index, identity, host, &[snapshot.session]);
    if let Err(error) = &pin {
        findings.error("snapshots", About::Object("the pin of the snapshot"), error);
    }
    let done = drill.carry_out(&mut shelf, &memory, findings);
    if let Ok(pin) = pin {
        // Undecided pins are decided by collectors in time; the drill is what it is.
        drop(pin.release(place.repo));
    }
    if done.is_ok() {
        close(place, &mut shelf, catalog);
    }
    done
}

/// How often all files of a system were drilled, by the newest sample of this chain.
fn generation(shelf: &Shelf<'_>, own: Writer, system: &str) -> u64 {
    let chain = shelf.chains().get(&own).map(Vec::as_slice).unwrap_or_default();
    let of = |one: &SignedRecord| match Event::decode(&one.record.event, &one.record.body) {
        Ok(Event::DrillBegun(begun)) if begun.system == system => Some(begun.generation),
        _ => None,
    };
    chain.iter().rev().find_map(of).unwrap_or_default()
}

struct Running<'a> {
    place: &'a Place<'a>,
    options: &'a DrillOptions,
    committed: &'a Committed,
    system: String,
    ids: &'a FileIds,
    generation: u64,
    drilled: HashSet<FileId>,
    previous: Hash32,
    again: Option<Again>,
    roots: Vec<Hash32>,
    known: Vec<Known>,
    expected: Option<Expected>,
    before: Option<ChunkId>,
    started_ms: i64,
    requests: u64,
}

/// What the parts of a drill found.
struct Done {
    survey: Survey,
    results: Results,
    observed: Observed,
    confinement: Option<Confinement>,
}

impl Done {
    fn new(survey: Survey) -> Self {
        let (results, observed) = (Results::default(), Observed::default());
        Self { survey, results, observed, confinement: None }
    }
}

impl Running<'_> {
    fn seed(&self) -> Hash32 {
        let snapshot = self.committed.snapshot.session.as_bytes();
        Hash32(draw::seed(&self.previous.0, snapshot, self.generation))
    }

    fn wanted(&self) -> u64 {
        match self.options.kind {
            DrillKind::Sample => self.options.sample_files,
            DrillKind::IndexLoss | DrillKind::Kit => TOKEN_FILES,
            DrillKind::Paths | DrillKind::Full => 0,
        }
    }

    fn carry_out(
        &mut self,
        shelf: &mut Shelf<'_>,
        memory: &Memory,
        mut findings: Findings,
    ) -> Result<DrillReport, DrillError> {
        let needs_scratch = !self.options.discard || self.options.kind == DrillKind::IndexLoss;
        let scratch = match needs_scratch.then(|| Scratch::create(&self.options.scratch)) {
            None => None,
            Some(Ok(scratch)) => Some(scratch),
            Some(Err(error)) => {
                findings.error("restore", About::Object("the scratch folder"), &error);
                let survey = Survey::default();
                let begun = self.begin(shelf, &survey)?;
                return self.record(shelf, memory, begun, Done::new(survey), findings);
            }
        };
        let rebuilt = match (self.options.kind, &scratch) {
            (DrillKind::IndexLoss, Some(scratch)) => {
                let now = self.place.repo.clock().now();
                Some(index_loss::rebuild(self.place, scratch, now, &mut findings)?)
            }
            _ => None,
        };
        let words = self.options.words.as_ref().map(|words| words.as_str());
        let unlocked = match self.options.kind {
            DrillKind::Kit => kit::unlock(self.place, words, &mut findings),
            _ => None,
        };
        let place = Place {
            index: rebuilt.as_ref().unwrap_or(self.place.index),
            repo: unlocked.as_ref().unwrap_or(self.place.repo),
            ..*self.place
        };
        let fetcher =
            ChunkFetcher::new(place.repo, place.index, NODE_CACHE_BYTES).map_err(|error| {
                match error {
                    engine::blob::BlobError::Index(error) => DrillError::Index(error),
                    other => DrillError::Repo(engine::repo::error::RepoError::Refused {
                        why: other.to_string(),
                    }),
                }
            })?;
        let survey = self.survey(&place, &fetcher, &mut findings)?;
        let begun = self.begin(shelf, &survey)?;
        let mut done = Done::new(survey);
        let is_locked_out = self.options.kind == DrillKind::Kit && unlocked.is_none();
        if !is_locked_out {
            let files = if self.options.discard { None } else { scratch.as_ref() };
            self.restore(&place, &fetcher, files, &mut done, &mut findings)?;
        }
        self.record(shelf, memory, begun, done, findings)
    }

    /// Walks the snapshot and draws. When every file was drilled, a new generation begins.
    fn survey(
        &mut self,
        place: &Place<'_>,
        fetcher: &ChunkFetcher<'_>,
        findings: &mut Findings,
    ) -> Result<Survey, DrillError> {
        let packs = list_packs(place.repo)?;
        let snapshot = &self.committed.snapshot;
        loop {
            let salts = Salts::new(self.place.repo, &self.seed());
            let wanted = self.wanted();
            let wish = Wish {
                salts: &salts,
                draw: (wanted > 0).then(|| (self.seed(), wanted)),
                drilled: &self.drilled,
                ids: self.ids,
                keep_rows: false,
                again: self.again.as_ref(),
                stretches: self.options.estimate && !self.options.discard,
                before: self.before.filter(|_| self.options.runs("kind")),
            };
            let mut found = Findings::default();
            let survey = survey(place, fetcher, snapshot, &wish, &packs, &mut found)?;
            let is_used_up = self.options.kind == DrillKind::Sample
                && survey.population.files > 0
                && survey.population.fresh == 0
                && !self.drilled.is_empty();
            if is_used_up {
                self.generation += 1;
                self.drilled.clear();
                continue;
            }
            findings.join(found);
            return Ok(survey);
        }
    }

    /// Signs what is going to be done.
    fn begin(&self, shelf: &mut Shelf<'_>, survey: &Survey) -> Result<Reference, DrillError> {
        let event = Event::DrillBegun(DrillBegun {
            kind: self.options.kind,
            snapshot: *self.committed.snapshot.session.as_bytes(),
            system: self.system.clone(),
            seed: Some(self.seed()),
            generation: self.generation,
            population: (self.wanted() > 0).then_some(survey.population),
            wanted: self.wanted(),
            discards: self.options.discard,
            retest_of: self.options.retest_of,
            ticket: self.options.ticket.clone(),
            skipped: self.options.skipped(),
            command: self.options.command_hash(),
            roots: self.roots.clone(),
            expected: self.expected,
        });
        // The seed follows from what stands before: if that changed meanwhile, it is another drill.
        Ok(shelf.append_here(&self.place.author, &event)?.reference())
    }

    fn restore(
        &self,
        place: &Place<'_>,
        fetcher: &ChunkFetcher<'_>,
        scratch: Option<&Scratch>,
        done: &mut Done,
        findings: &mut Findings,
    ) -> Result<(), DrillError> {
        let snapshot = &self.committed.snapshot;
        let Some(key) = place.repo.keys().chunk_id_key(snapshot.domain) else {
            let why = "this key cannot compute the ids of the snapshot's chunks";
            findings.doubt("restore", About::Object("the keys"), why);
            return Ok(());
        };
        let salts = Salts::new(self.place.repo, &self.seed());
        place.monitor.phase(&Phase { name: "restoring", total_items: None, total_bytes: None });
        let mut restorer = Restorer {
            place: *place,
            options: self.options,
            fetcher,
            key: &key,
            snapshot,
            salts: &salts,
            scratch,
            room_bytes: self.options.quota_bytes,
        };
        let (clock, monitor) = (place.repo.clock(), place.monitor);
        let looker = scratch.map(|scratch| Looker::new(self.options, scratch, clock, monitor));
        let mut looker = looker.transpose()?;
        done.observed = restorer.observe(std::mem::take(&mut done.survey.stretches))?;
        match self.options.kind {
            DrillKind::Sample | DrillKind::IndexLoss | DrillKind::Kit => {
                restorer.picked(
                    &done.survey.drawn,
                    looker.as_mut(),
                    &mut done.results,
                    findings,
                )?;
                // Nobody drew these, so they are no part of the sample and of what it shows.
                let mut apart = Results::default();
                restorer.picked(&done.survey.again, looker.as_mut(), &mut apart, findings)?;
            }
            DrillKind::Full => {
                let root = engine::base::path::TreePath::root();
                restorer.tree(&root, looker.as_mut(), &mut done.results, findings)?;
            }
            DrillKind::Paths => {
                for path in &self.options.paths {
                    restorer.tree(path, looker.as_mut(), &mut done.results, findings)?;
                }
                if self.options.paths.is_empty() {
                    findings.doubt("restore", About::Object("the paths"), "none were given");
                }
            }
        }
        done.confinement = looker.and_then(|looker| looker.finish(findings));
        if done.results.root.count() == 0 && done.survey.is_complete {
            let why = "there was no file that could be restored";
            findings.doubt("restore", About::Object("the snapshot"), why);
        }
        Ok(())
    }

    fn record(
        &self,
        shelf: &mut Shelf<'_>,
        memory: &Memory,
        begun: Reference,
        done: Done,
        mut findings: Findings,
    ) -> Result<DrillReport, DrillError> {
        if self.place.monitor.is_cancelled() && findings.outcome() == Outcome::NotProved {
            // Whoever stops a drill has not shown that nothing can be proved.
            return Err(DrillError::Interrupted);
        }
        self.judge_expectations(&done.survey, &mut findings);
        let drill = self.describe(begun, &done, &findings, memory)?;
        let Done { survey, results, .. } = done;
        let is_breached = !drill.breaches().is_empty();
        let record = shelf.append(&self.place.author, &Event::Drill(Box::new(drill.clone())))?;
        let record = record.reference();
        memory.keep_results(record, &results.rows)?;
        if self.options.kind == DrillKind::Sample {
            let files: Vec<FileId> =
                survey.drawn.iter().map(|picked| self.ids.of(&picked.path)).collect();
            memory.add_drawn(self.generation, begun.number, &files)?;
        }
        let (ticket, still_open) = self.remedy(shelf, record, drill.outcome)?;
        let findings = findings.into_named();
        Ok(DrillReport { drill, record, findings, is_breached, ticket, still_open })
    }

    /// Whether the snapshot holds what it must, if the drill is one of what it holds.
    fn judge_expectations(&self, survey: &Survey, findings: &mut Findings) {
        let kind = self.options.kind;
        if !survey.is_complete || !matches!(kind, DrillKind::Sample | DrillKind::Full) {
            return;
        }
        let entries = self.committed.snapshot.summary.entries;
        expect::judge(self.expected.as_ref(), &survey.population, entries, findings);
        let is_stated = self.options.expected != Stated::default();
        if kind == DrillKind::Full && !self.options.discard && !is_stated {
            let (skipped, probes) = (self.options.skipped(), findings.probes());
            expect::judge_probes(&self.known, &skipped, &probes, findings);
        }
    }

    fn describe(
        &self,
        begun: Reference,
        Done { survey, results, observed, confinement }: &Done,
        findings: &Findings,
        memory: &Memory,
    ) -> Result<Drill, DrillError> {
        let snapshot = &self.committed.snapshot;
        let snapshot_ms = millis(snapshot.started);
        let rpo_ms = (self.started_ms - snapshot_ms).max(0) as u64;
        let (small, large) = (survey.small, survey.large);
        let found = estimate(observed.start_ms, &observed.all, small, large);
        let estimate = found.map(|found| EstimateFacts {
            likely_ms: found.likely_ms,
            low_ms: found.low_ms,
            high_ms: found.high_ms,
            observations: found.observations,
        });
        let authenticated_ppm = self.authenticated_ppm(results, memory)?;
        let is_equal = results.root.count() > 0 && results.equal_files == results.root.count();
        let is_in_time =
            self.options.rto_target_ms.is_none_or(|target| results.restore_ms <= target);
        let is_good = findings.outcome() == Outcome::Passed;
        // What the operator chose is no sample, and what was dropped was not restored.
        let is_written = results.dropped_files < results.root.count();
        let is_sample = is_written && self.options.kind != DrillKind::Paths;
        let is_full = self.options.kind == DrillKind::Full && results.dropped_files == 0;
        let is_compared = self.expected.is_some() || findings.has_passed(COMMAND);
        let facts = Facts {
            has_recovery_point: self.options.rpo_target_ms.is_none_or(|target| rpo_ms <= target),
            is_structure_complete: survey.is_complete,
            authenticated_ppm,
            is_sample_equal: is_good && is_equal && is_sample,
            is_full_in_time: is_good && is_full && is_in_time,
            is_snapshot_whole: snapshot.problem_count == 0,
            is_application_good: is_good && is_compared && findings.is_application_good(),
        };
        Ok(Drill {
            begun,
            kind: self.options.kind,
            snapshot: *snapshot.session.as_bytes(),
            system: self.system.clone(),
            snapshot_ms,
            outcome: findings.outcome(),
            level: level(&facts),
            lacks: lacks(&facts).to_owned(),
            started_ms: self.started_ms,
            finished_ms: millis(self.place.repo.clock().now()),
            restore_ms: results.restore_ms,
            files: results.root.count(),
            bytes: results.bytes,
            decoded_bytes: results.decoded_bytes,
            requests: self.place.repo.store().usage().requests() - self.requests,
            results: results.root.root(),
            result_count: results.root.count(),
            probes: findings.probes(),
            finding_count: findings.count(),
            findings: findings.for_evidence(),
            total_files: survey.population.files,
            total_bytes: survey.population.bytes,
            estimate,
            rpo_ms,
            rpo_target_ms: self.options.rpo_target_ms,
            rto_target_ms: self.options.rto_target_ms,
            retest_of: self.options.retest_of,
            ticket: self.options.ticket.clone(),
            authenticated_ppm,
            retested: findings.retested(),
            dropped: results.dropped_files,
            not_saved: snapshot.problem_count,
            confinement: confinement.clone(),
        })
    }

    /// Of all stored bytes: those of the rotation, and at least those of this drill.
    fn authenticated_ppm(&self, results: &Results, memory: &Memory) -> Result<u32, DrillError> {
        let turns = memory.pack_turns()?;
        let mut packs = Vec::new();
        self.place.index.reader()?.for_each_pack(&mut |pack, stored_bytes| {
            let key = engine::store::name::ObjectName::Pack(pack).key();
            let last_ms = turns.get(&key).copied();
            packs.push(PackAge { key, bytes: u64::from(stored_bytes), last_ms });
            true
        })?;
        let total: u64 = packs.iter().map(|pack| pack.bytes).sum();
        let now_ms = millis(self.place.repo.clock().now());
        let (bytes, _) = covered(&packs, self.options.rotation_days, now_ms);
        let share = |bytes: u64| (u128::from(bytes) * 1_000_000 / u128::from(total.max(1))) as u32;
        // Decoded bytes are more than stored ones, and some are read twice: a lower bound.
        let own = u32::from(results.equal_files > 0);
        Ok(share(bytes).max(own).min(1_000_000))
    }

    /// Opens a ticket for what was found, or closes what is shown to be mended; answers the ticket,
    /// and why the finding that was tested again stays open.
    fn remedy(
        &self,
        shelf: &mut Shelf<'_>,
        record: Reference,
        outcome: Outcome,
    ) -> Result<(Option<String>, Vec<String>), DrillError> {
        let known = self.options.retest_of.and_then(|finding| ticket_of(shelf, finding));
        let given = self.options.ticket.clone().or(known);
        let is_case = cases(shelf.records()).iter().any(|case| case.finding == record);
        if is_case && (outcome != Outcome::Failed || self.options.retest_of.is_none()) {
            let given = self.options.ticket.clone();
            let ticket = open_ticket(self.place, shelf, record, given)?;
            return Ok((Some(ticket), settle(self.place, shelf, record, self.options.retest_of)?));
        }
        let still_open = settle(self.place, shelf, record, self.options.retest_of)?;
        Ok((given, still_open))
    }
}

/// The newest ticket that is named for a finding.
fn ticket_of(shelf: &Shelf<'_>, finding: Reference) -> Option<String> {
    shelf.records().into_iter().rev().find_map(|one| {
        match Event::decode(&one.record.event, &one.record.body) {
            Ok(Event::Remedy(remedy)) if remedy.finding == finding => Some(remedy.ticket),
            _ => None,
        }
    })
}
