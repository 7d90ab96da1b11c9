//! What a machine does that collects, and how a simulation looks for garbage at its end.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use engine::base::error::ErrorClass;
use engine::base::id::SessionId;
use engine::base::monitor::Monitor;
use engine::gc::{self, Collector, GcError, GcOptions, GcReport, MaxUnused};
use engine::repo::Repo;
use engine::repo::commits;
use engine::repo::error::RepoError;
use engine::store::name::{ObjectName, prefix};
use object_store::ObjectStore;
use system_tests::store::hook::{Hooked, Verdict};

use crate::simulator::machine::{Ending, Machine, Process, told};

/// How often a patient collector looks whether the sessions that it waits for have ended.
const LOOKS: u32 = 12;

/// How a collection is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Manner {
    /// Everything at once; sessions that have not decided are given up.
    Abandoning,
    /// Everything at once; it ends when it would have to wait for a session.
    Hasty,
    /// Step by step without repacking; it looks at the sessions again and again.
    Patient,
    /// What may go is only announced.
    Announcing,
}

/// Whoever would have to wait for a session stops instead: in a simulation nobody else moves while
/// a machine sleeps.
#[derive(Debug, Default)]
struct Impatient {
    is_waiting: AtomicBool,
}

impl Monitor for Impatient {
    fn note(&self, text: &str) {
        self.is_waiting.fetch_or(text.starts_with("waiting for"), Ordering::Relaxed);
    }

    fn is_cancelled(&self) -> bool {
        self.is_waiting.load(Ordering::Relaxed)
    }
}

/// No grace, no brake, and nothing unused may stay.
fn thorough() -> GcOptions {
    GcOptions {
        grace: Duration::ZERO,
        max_unused: MaxUnused::Percent(0.0),
        confirm_mass_delete: Some(u64::MAX),
        ..GcOptions::default()
    }
}

impl Machine {
    pub(super) fn prune(
        &self,
        process: &Process,
        manner: Manner,
    ) -> Result<Ending, (ErrorClass, String)> {
        let (repo, index) = (&process.repo, &process.index);
        let mut options = thorough();
        match manner {
            Manner::Patient => return self.prune_patiently(process),
            Manner::Hasty => {}
            Manner::Announcing => options.grace = GcOptions::default().grace,
            Manner::Abandoning => options.abandon_sessions = undecided(repo).map_err(told)?,
        }
        let report = gc::run(repo, index, &options, &Impatient::default()).map_err(told)?;
        self.truth.note_deleted(report.deleted_packs);
        Ok(Ending::Done)
    }

    /// O1 to O11 as the protocol has them, with time for others between any two looks.
    fn prune_patiently(&self, process: &Process) -> Result<Ending, (ErrorClass, String)> {
        let options = thorough();
        let collector = Collector::new(&process.repo, &process.index, &options, &process.monitor)
            .map_err(told)?;
        let mut survey = collector.survey().map_err(told)?;
        let condemned = survey.candidates().clone();
        let mut generation = collector.condemn(condemned, false).map_err(told)?;
        let mut looks = 0;
        while !collector.barrier_look(&mut generation).map_err(told)?.is_empty() {
            looks += 1;
            if looks == LOOKS {
                collector.give_up(&generation, "it took too long").map_err(told)?;
                return Ok(Ending::Refused("others took too long".to_owned()));
            }
        }
        let packs = match collector.remark(&generation, &mut survey) {
            Ok(packs) => packs,
            Err(error) => {
                collector.give_up(&generation, "ended before its sweep").map_err(told)?;
                return Err(told(error));
            }
        };
        let segments = collector.sweep(&generation, &packs).map_err(told)?;
        if !collector.may_delete(&generation).map_err(told)? {
            return Ok(Ending::Refused("somebody closed it".to_owned()));
        }
        let finish = || -> Result<(), GcError> {
            collector.replace_segments(&generation, &segments, &packs)?;
            if collector.delete(&packs)? == 0 {
                collector.finish(&generation, &packs, &segments)?;
            }
            Ok(())
        };
        finish().map_err(told)?;
        self.truth.note_deleted(packs.len() as u64);
        Ok(Ending::Done)
    }

    /// Two generations in a row while nothing else happens; then nothing may be left that no
    /// snapshot needs.
    pub(crate) fn collect_all(&self, inner: &Arc<dyn ObjectStore>) -> Result<(), String> {
        for generation in 1..=2 {
            let process = self.quiet_process(inner)?;
            let options = GcOptions {
                abandon_sessions: undecided(&process.repo).map_err(|error| error.to_string())?,
                ..thorough()
            };
            gc::run(&process.repo, &process.index, &options, &Impatient::default())
                .map_err(|error| format!("quiet generation {generation}: {error}"))?;
        }
        let report = self.look_for_garbage(inner)?;
        let left = report.unneeded_packs + report.repack.packs;
        match left + report.unused_bytes {
            0 => Ok(()),
            _ => Err(format!("garbage after two generations: {report:?}")),
        }
    }

    fn look_for_garbage(&self, inner: &Arc<dyn ObjectStore>) -> Result<GcReport, String> {
        let process = self.quiet_process(inner)?;
        let options = GcOptions { dry_run: true, ..thorough() };
        gc::run(&process.repo, &process.index, &options, &process.monitor)
            .map_err(|error| error.to_string())
    }

    fn quiet_process(&self, inner: &Arc<dyn ObjectStore>) -> Result<Process, String> {
        let door = Hooked::new(Arc::clone(inner), |_, _, _| Verdict::Go);
        self.start(&door).map_err(|(_, text)| text)
    }
}

/// Sessions that are registered and have neither commit nor final.
fn undecided(repo: &Repo) -> Result<Vec<SessionId>, RepoError> {
    let outcomes = commits::list_all(repo)?;
    let mut undecided = Vec::new();
    repo.store().list_each(prefix::SESSIONS, &mut |object| {
        if let Some(ObjectName::Session(session)) = object.name {
            let flags = outcomes.get(&session);
            if !flags.is_some_and(|flags| flags.has_commit() || !flags.finals.is_empty()) {
                undecided.push(session);
            }
        }
        true
    })?;
    Ok(undecided)
}
