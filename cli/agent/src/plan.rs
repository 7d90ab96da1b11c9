//! What a machine has to do: a configuration that makes sense, ready to be asked when.

use jiff::tz::TimeZone;

use crate::calendar::Calendar;
use crate::config::alert::{Alert, Watch, WatchedSystem};
use crate::config::check::{Problem, Sections, problems};
use crate::config::hook::Hooks;
use crate::config::promise::{Objectives, Suspicious};
use crate::config::schedule::{Entry, JobKind, On, OnBattery, Schedule, Window, WindowEnd};
use crate::config::source::Source;

/// How often a job is tried if the configuration does not say.
const ATTEMPTS: u32 = 3;
/// How long before the second attempt if the configuration does not say.
const RETRY_AFTER_S: i64 = 300;

/// What stands in for what a configuration leaves to the machine.
#[derive(Debug, Clone)]
pub struct Machine {
    /// Its name.
    pub host: String,
    /// Its time zone.
    pub zone: TimeZone,
}

/// Everything that one configuration asks of this machine.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The organisation.
    pub client: String,
    /// This machine, as snapshots name it.
    pub host: String,
    /// The zone of calendars and windows.
    pub zone: TimeZone,
    /// What is saved.
    pub sources: Vec<Source>,
    /// What is promised.
    pub objectives: Objectives,
    /// What is due, in the order of [`JobKind`].
    pub jobs: Vec<JobPlan>,
    /// What holds for all jobs.
    pub rules: Rules,
    /// What runs around jobs.
    pub hooks: Hooks,
    /// What counts as suspicious.
    pub suspicious: Suspicious,
    /// Who is told.
    pub alerts: Vec<Alert>,
    /// What there should be.
    pub systems: Vec<WatchedSystem>,
    /// How it is watched.
    pub watch: Watch,
}

/// One job.
#[derive(Debug, Clone)]
pub struct JobPlan {
    /// Which.
    pub kind: JobKind,
    /// When.
    pub trigger: Trigger,
    /// What is special about it.
    pub entry: Entry,
    /// How much later than its slots it begins at most.
    pub offset_s: i64,
}

/// When a job is due.
#[derive(Debug, Clone)]
pub enum Trigger {
    /// At slots of its own.
    Calendar(Calendar),
    /// At the slots of another one, when that has ended.
    After {
        /// The other one.
        job: JobKind,
        /// How it must have ended.
        on: On,
        /// What must lie between two slots, in seconds.
        every_s: i64,
    },
}

/// What holds for all jobs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rules {
    /// Hours in which jobs begin.
    pub window: Option<Window>,
    /// What becomes of what runs when they end.
    pub window_end: WindowEnd,
    /// How late a job may begin.
    pub max_late_s: Option<i64>,
    /// How often it is tried.
    pub attempts: u32,
    /// How long before the second attempt.
    pub retry_after_s: i64,
    /// What happens on battery.
    pub on_battery: OnBattery,
    /// What happens on a line that is paid by the byte.
    pub on_metered: OnBattery,
    /// From which charge on a battery is as good as power, in percent.
    pub min_charge: Option<u8>,
}

impl Plan {
    /// Makes the plan.
    ///
    /// # Errors
    /// Everything that makes no sense.
    pub fn make(sections: &Sections, machine: &Machine) -> Result<Self, Vec<Problem>> {
        let found = problems(sections);
        if !found.is_empty() {
            return Err(found);
        }
        let zone = sections.time_zone.as_deref().and_then(|name| TimeZone::get(name).ok());
        let client = sections.client.clone().unwrap_or_default();
        let host = sections.host.clone().unwrap_or_else(|| machine.host.clone());
        let schedule = sections.schedule.clone().unwrap_or_default();
        let jobs = JobKind::ALL.into_iter().filter_map(|kind| {
            let entry = schedule.entry(kind)?.clone();
            let trigger = trigger(&entry)?;
            let offset_s = offset(&schedule, &client, &host, kind);
            Some(JobPlan { kind, trigger, entry, offset_s })
        });
        Ok(Self {
            jobs: jobs.collect(),
            client,
            host,
            zone: zone.unwrap_or_else(|| machine.zone.clone()),
            sources: sections.sources.clone(),
            objectives: sections.objectives.clone(),
            rules: rules(&schedule),
            hooks: sections.hooks.clone(),
            suspicious: sections.suspicious.clone(),
            alerts: sections.alerts.clone(),
            systems: sections.systems.clone(),
            watch: sections.watch.clone(),
        })
    }

    /// A job of it.
    #[must_use]
    pub fn job(&self, kind: JobKind) -> Option<&JobPlan> {
        self.jobs.iter().find(|job| job.kind == kind)
    }

    /// The calendar that a job goes by in the end: its own, or that of what it comes after.
    #[must_use]
    pub fn calendar(&self, kind: JobKind) -> Option<(&Calendar, &JobPlan)> {
        let mut at = self.job(kind)?;
        for _ in JobKind::ALL {
            match &at.trigger {
                Trigger::Calendar(calendar) => return Some((calendar, at)),
                Trigger::After { job, .. } => at = self.job(*job)?,
            }
        }
        None
    }

    /// Recovery point objective of a source, in seconds.
    #[must_use]
    pub fn rpo_s(&self, source: &Source) -> Option<i64> {
        source.rpo.or(self.objectives.rpo).map(crate::span::Span::seconds_i64)
    }
}

impl JobPlan {
    /// When a slot begins: later than named, always by as much, and before the next slot.
    #[must_use]
    pub fn begin_s(&self, calendar: &Calendar, zone: &TimeZone, slot_s: i64) -> i64 {
        if self.offset_s == 0 {
            return slot_s;
        }
        let room = calendar.next(zone, slot_s).map_or(i64::MAX, |next| (next - slot_s) / 2);
        slot_s + self.offset_s.min(room)
    }
}

fn trigger(entry: &Entry) -> Option<Trigger> {
    if let Some(job) = entry.after {
        let every_s = entry.every.map_or(0, crate::span::Span::seconds_i64);
        return Some(Trigger::After { job, on: entry.on.unwrap_or_default(), every_s });
    }
    let text = match (&entry.calendar, entry.every) {
        (Some(text), _) => text.clone(),
        (None, Some(every)) => format!("every {every}"),
        (None, None) => return None,
    };
    Calendar::parse(&text).ok().map(Trigger::Calendar)
}

/// Stable: of the names alone, so that a machine that is started anew keeps its place.
fn offset(schedule: &Schedule, client: &str, host: &str, kind: JobKind) -> i64 {
    let spread = schedule.spread.unwrap_or_default().seconds();
    if spread == 0 {
        return 0;
    }
    let mut hasher = blake3::Hasher::new();
    for part in [client, host, kind.name()] {
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(part.as_bytes());
    }
    let mut first = [0; 8];
    hasher.finalize_xof().fill(&mut first);
    i64::try_from(u64::from_le_bytes(first) % spread).unwrap_or_default()
}

fn rules(schedule: &Schedule) -> Rules {
    Rules {
        window: schedule.window,
        window_end: schedule.window_end,
        max_late_s: schedule.max_late.map(crate::span::Span::seconds_i64),
        attempts: schedule.attempts.unwrap_or(ATTEMPTS),
        retry_after_s: schedule
            .retry_after
            .map_or(RETRY_AFTER_S, crate::span::Span::seconds_i64)
            .max(1),
        on_battery: schedule.on_battery,
        on_metered: schedule.on_metered,
        min_charge: schedule.min_charge,
    }
}
