//! A collection from beginning to end.
//!
//! With a grace, one run announces and a later one deletes: a pack that an announcement named long
//! enough ago is ripe. Nothing is kept on the machine between the two, so any machine may go on,
//! and a state folder that was copied or put back to an earlier day does no harm.

use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use crate::base::id::{ClientId, GenerationId, Nonce8, PackId, SegmentId, SessionId};
use crate::base::limits::{GC_POLL_MS, LEFTOVER_AGE_S};
use crate::base::monitor::{Monitor, Phase};
use crate::base::time::Timestamp;
use crate::format::consent::Deed;
use crate::format::generation::PackSet;
use crate::gc::brake::{self, Braked};
use crate::gc::collector::{Collector, Generation, Survey};
use crate::gc::error::GcError;
use crate::gc::live::Root;
use crate::gc::mark::mark;
use crate::gc::options::GcOptions;
use crate::gc::repack;
use crate::gc::report::GcReport;
use crate::gc::usage::PackUse;
use crate::index::Index;
use crate::index::collected::KeptState;
use crate::index::consents::Consents;
use crate::index::settle::settle_open_runs;
use crate::repo::Repo;
use crate::store::name::ObjectName;

/// Deletes what no snapshot needs.
///
/// # Errors
/// [`GcError`]; whatever the error, no snapshot has lost anything, and the next run goes on.
pub fn run(
    repo: &Repo,
    index: &Index,
    options: &GcOptions,
    monitor: &dyn Monitor,
) -> Result<GcReport, GcError> {
    let started = repo.clock().monotonic();
    let requests_before = repo.store().usage().requests();
    let collector = Collector::new(repo, index, options, monitor)?;
    let deadline = options.max_duration.map(|most| started + most);
    let mut report = GcReport::default();
    if !options.dry_run {
        settle_open_runs(repo, index, &collector.identity()?, monitor)?;
        report.closed_generations += collector.abandon_generations()?;
    }
    let mut survey = collector.survey()?;
    if !options.dry_run {
        report.fenced_sessions = collector.give_up_silent(&survey)?;
        if report.fenced_sessions > 0 {
            survey = collector.survey()?;
        }
    }
    collector.tell(&survey, &mut report);
    let survey = match collector.make_thin_packs_unneeded(survey, deadline, &mut report)? {
        Step::Go(survey) => survey,
        Step::Stop => return Ok(report.end(repo, started, requests_before)),
    };
    collector.collect(survey, deadline, &mut report)?;
    let now = repo.clock().now();
    let before = Timestamp { seconds: now.seconds.saturating_sub(LEFTOVER_AGE_S), ..now };
    report.leftovers = repo.store().remove_leftovers(before);
    Ok(report.end(repo, started, requests_before))
}

impl GcReport {
    fn end(mut self, repo: &Repo, started: Duration, requests_before: u64) -> Self {
        self.requests = repo.store().usage().requests() - requests_before;
        self.duration_ms = (repo.clock().monotonic() - started).as_millis() as u64;
        self
    }
}

enum Step<T> {
    Go(T),
    /// It is only a dry run.
    Stop,
}

impl Collector<'_> {
    fn tell(&self, survey: &Survey, report: &mut GcReport) {
        report.packs = survey.stored.len() as u64;
        report.pack_bytes = survey.stored.values().map(|pack| pack.bytes).sum();
        report.snapshots = survey.living.roots.len() as u64;
        report.unneeded_packs = survey.candidates.len() as u64;
        report.unneeded_bytes = survey.bytes_of(&survey.candidates);
    }

    /// Repacks if that is wished for, and looks again; a dry run ends here.
    fn make_thin_packs_unneeded(
        &self,
        survey: Survey,
        deadline: Option<Duration>,
        report: &mut GcReport,
    ) -> Result<Step<Survey>, GcError> {
        let thin = self.thin_packs(&survey)?;
        report.unused_bytes = thin.iter().map(|thin| thin.unused_bytes).sum();
        let (max_unused, budget) = (self.options.max_unused, self.options.max_repack_bytes);
        let kept_bytes = report.pack_bytes - report.unneeded_bytes.min(report.pack_bytes);
        let chosen = repack::choose(&thin, kept_bytes, max_unused, budget);
        if self.options.dry_run {
            report.repack.packs = chosen.len() as u64;
            report.repack.bytes =
                chosen.iter().map(|thin| u64::from(thin.pack.row.stored_bytes)).sum();
            let deletes = report.unneeded_packs + report.repack.packs;
            // Condemnation, sweep, end, one round of looking again; a few segments.
            report.requests_to_come = deletes + 2 * report.repack.packs + deletes.div_ceil(64) + 15;
            return Ok(Step::Stop);
        }
        if !chosen.is_empty() || !survey.candidates.is_empty() {
            self.require_deletes()?;
        }
        if chosen.is_empty() {
            return Ok(Step::Go(survey));
        }
        report.repack = self.repack(&survey, &chosen, deadline)?;
        if self.monitor.is_cancelled() {
            return Err(GcError::Interrupted);
        }
        if report.repack.packs == 0 {
            return Ok(Step::Go(survey));
        }
        let again = self.survey()?;
        report.unneeded_packs = again.candidates.len() as u64;
        report.unneeded_bytes = again.bytes_of(&again.candidates);
        Ok(Step::Go(again))
    }

    /// Where nothing may be deleted, records, replaced segments and rewritten packs would only add
    /// up with each run. Nobody has the object that is deleted here, so that nothing happens; stores
    /// ask whether it is allowed before they look for it.
    fn require_deletes(&self) -> Result<(), GcError> {
        let nobody = SessionId::from_parts(ClientId::new([0; 8]), 0, Nonce8::new([0; 8]));
        let random = Nonce8::new([0; 8]);
        let name = ObjectName::Segment(SegmentId { session: nobody, number: 0, random });
        Ok(self.repo.store().delete(&name)?)
    }

    /// What the brake does not let through must be confirmed, and agreed to where that takes two.
    fn require_meant(&self, braked: &Braked) -> Result<(), GcError> {
        if brake::check(braked, None).is_ok() {
            return Ok(());
        }
        brake::check(braked, self.options.confirm_mass_delete)?;
        let consents = Consents::read(self.repo, self.index)?;
        if consents.takes_two() {
            let own = self.identity()?.client;
            let deed = (Deed::Prune, "", braked.delete_count);
            consents.require(own, deed, self.repo.clock().now())?;
        }
        Ok(())
    }

    fn collect(
        &self,
        mut survey: Survey,
        deadline: Option<Duration>,
        report: &mut GcReport,
    ) -> Result<(), GcError> {
        self.require_meant(&self.braked(&survey)?)?;
        let (ripe, carried_out) = self.ripe(&survey);
        let announced = self.announced(&survey);
        let fresh: PackSet = survey
            .candidates
            .iter()
            .filter(|pack| !ripe.contains(pack) && !announced.contains(pack))
            .collect();
        report.waiting_packs =
            survey.candidates.iter().filter(|p| !ripe.contains(p) && announced.contains(p)).count()
                as u64;
        if !ripe.is_empty() {
            self.carry_out(ripe, &mut survey, deadline, report)?;
        }
        if !fresh.is_empty() {
            report.announced_packs = fresh.len() as u64;
            report.announced_bytes = survey.bytes_of(&fresh);
            self.condemn(fresh, true)?;
        }
        if !report.is_void {
            report.closed_generations += self.close_others(&survey, &carried_out)?;
        }
        Ok(())
    }

    /// O2 to O11 for packs whose grace is over.
    fn carry_out(
        &self,
        ripe: PackSet,
        survey: &mut Survey,
        deadline: Option<Duration>,
        report: &mut GcReport,
    ) -> Result<(), GcError> {
        let folded = self.fold(survey)?;
        let mut generation = self.condemn(ripe, false)?;
        report.generation = Some(generation.id);
        if let Err(error) = self.pass_barrier(&mut generation, deadline) {
            // Nobody needs to wait for this generation, or to close it.
            self.give_up(&generation, "ended before its sweep")?;
            return Err(error);
        }
        report.fenced_sessions += generation.fenced_count;
        let packs = match self.remark(&generation, survey) {
            Ok(packs) => packs,
            Err(error) => {
                self.give_up(&generation, "ended before its sweep")?;
                return Err(error);
            }
        };
        report.rescued_packs = (generation.condemned.len() - packs.len()) as u64;
        let segments = self.sweep(&generation, &packs)?;
        if !self.may_delete(&generation)? {
            report.is_void = true;
            return Ok(());
        }
        report.replaced_segments = self.replace_segments(&generation, &segments, &packs)?;
        report.refused_deletes = self.delete(&packs)?;
        if report.refused_deletes == 0 {
            self.finish(&generation, &packs, &segments)?;
        }
        report.deleted_packs = packs.len() as u64 - report.refused_deletes;
        report.deleted_bytes = survey.bytes_of(&packs);
        if let Some(folded) = &folded {
            self.remove_folded(folded)?;
        }
        self.remove_registrations()
    }

    /// Waits until every session that was registered in time has decided.
    fn pass_barrier(
        &self,
        generation: &mut Generation,
        deadline: Option<Duration>,
    ) -> Result<(), GcError> {
        let [mut wait_ms, longest_ms] = GC_POLL_MS;
        let mut is_told = false;
        loop {
            let waiting = self.barrier_look(generation)?;
            let Some(first) = waiting.first() else { return Ok(()) };
            if !is_told {
                is_told = true;
                let count = waiting.len();
                self.monitor.note(&format!(
                    "waiting for {count} running sessions to end, first {}",
                    first.session
                ));
                self.monitor.phase(&Phase {
                    name: "waiting for running sessions",
                    total_items: None,
                    total_bytes: None,
                });
            }
            let is_late = deadline.is_some_and(|end| self.repo.clock().monotonic() >= end);
            if self.monitor.is_cancelled() || is_late {
                return Err(GcError::Interrupted);
            }
            std::thread::sleep(Duration::from_millis(wait_ms));
            wait_ms = (wait_ms * 2).min(longest_ms);
        }
    }

    /// Candidates that were condemned long enough ago, and the announcements that are carried out
    /// with them. Without a grace, all of them.
    fn ripe(&self, survey: &Survey) -> (PackSet, HashSet<GenerationId>) {
        let grace_s = self.options.grace.as_secs() as i64;
        let is_old = |heard: i64| survey.store_now.seconds.saturating_sub(heard) >= grace_s;
        let old =
            survey.excluded.open.iter().filter(|(_, open)| is_old(open.flags.last_heard().seconds));
        let mut named = PackSet::default();
        let mut carried_out = HashSet::new();
        for (id, open) in old {
            named.extend(&open.kept.packs);
            if open.kept.state == KeptState::Announced {
                carried_out.insert(*id);
            }
        }
        let is_ripe = |pack: &PackId| grace_s == 0 || named.contains(pack);
        (survey.candidates.iter().filter(is_ripe).collect(), carried_out)
    }

    /// Packs that are announced, ripe or not.
    fn announced(&self, survey: &Survey) -> PackSet {
        let mut packs = PackSet::default();
        for open in survey.excluded.open.values() {
            packs.extend(&open.kept.packs);
        }
        packs
    }

    fn braked(&self, survey: &Survey) -> Result<Braked, GcError> {
        let reader = self.index.reader()?;
        let mut dropped: HashSet<SessionId> = HashSet::new();
        let mut there: Vec<Root> = Vec::new();
        for root @ Root { session, node, .. } in &survey.living.forgotten {
            // A root that is gone already, or that stays for others, is not dropped by this run.
            let (mut is_there, mut stays) = (false, false);
            reader.for_each_copy(node, &mut |copy| {
                if let Some(pack) = survey.packs.get(&copy.pack_row).filter(|pack| pack.exists) {
                    is_there = true;
                    stays |= !survey.candidates.contains(&pack.row.pack);
                }
                true
            })?;
            if is_there {
                there.push(*root);
            }
            if is_there && !stays {
                dropped.insert(*session);
            }
        }
        let mut newest = BTreeMap::new();
        for (client, sessions) in &survey.living.by_client {
            let is_dropped: Vec<bool> =
                sessions.iter().map(|session| dropped.contains(session)).collect();
            newest.insert(*client, is_dropped);
        }
        let count = |orphans: &PackSet| {
            let (mut pack_count, mut delete_count) = (0, 0);
            for pack in survey.stored.keys().filter(|pack| !orphans.contains(pack)) {
                pack_count += 1;
                delete_count += u64::from(survey.candidates.contains(pack));
            }
            (pack_count, delete_count)
        };
        let (mut pack_count, mut delete_count) = count(&PackSet::default());
        if brake::is_much(pack_count, delete_count) {
            // Only then: looking at what forgotten snapshots need takes as long as marking.
            (pack_count, delete_count) = count(&self.orphans(survey, &there)?);
        }
        Ok(Braked { pack_count, delete_count, newest })
    }

    /// Packs that no snapshot ever needed: a run that was cut off left them, and nobody, the forgotten
    /// snapshots among them, has referred to them since. Both must be known; none of them if what
    /// the forgotten ones need cannot be read.
    fn orphans(&self, survey: &Survey, forgotten: &[Root]) -> Result<PackSet, GcError> {
        let mut orphans = PackSet::default();
        let mut needed = survey.marks.clone();
        match mark(self.repo, self.index, forgotten, &mut needed, self.monitor) {
            Ok(()) => {}
            Err(GcError::Interrupted) => return Err(GcError::Interrupted),
            Err(_) => return Ok(orphans),
        }
        for PackUse { row, .. } in survey.packs.values() {
            let is_cut_off = survey.candidates.contains(&row.pack)
                && survey.living.aborted.contains_key(&row.pack.session);
            let records = row.first_record..row.first_record + i64::from(row.chunk_count);
            if is_cut_off && !records.into_iter().any(|record| needed.live.get(record)) {
                orphans.insert(row.pack);
            }
        }
        Ok(orphans)
    }
}
