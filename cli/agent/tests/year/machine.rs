//! A machine with its clock, its nights and its trouble.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use agent::config::check::Sections;
use agent::config::schedule::{Entry, Schedule};
use agent::config::source::Source;
use agent::night::{Candidate, End, Night, Order, Power, Step};
use agent::outcome::{Outcome, Reason, Verdict};
use agent::plan::{Machine as Home, Plan};
use agent::span::Span;
use agent::state::{Facts, State, StateError};
use jiff::tz::TimeZone;

use crate::oracle::Oracle;
use crate::seed::Seed;
use crate::troubles;

/// Something that happens to a machine at some time.
#[derive(Clone)]
pub(crate) enum Trouble {
    /// It is off or asleep for so long.
    Off(i64),
    /// Nothing can be written for so long.
    DiskFull(i64),
    /// Its clock is wrong by so much, for so long.
    Clock { by_s: i64, for_s: i64 },
    /// Its clock is right again.
    ClockRight,
    /// The rules of its zone change.
    Zone(TimeZone),
}

/// A snapshot in the store.
pub(crate) struct Snapshot {
    pub(crate) source: &'static str,
    pub(crate) slot_s: i64,
    /// When it began, by the machine's clock.
    pub(crate) began_s: i64,
    /// When it was made in truth.
    pub(crate) made_s: i64,
}

/// A stretch of time in which the agent looked after its jobs.
pub(crate) struct Watch {
    pub(crate) from_s: i64,
    pub(crate) to_s: i64,
}

pub(crate) struct Machine {
    pub(crate) number: u64,
    pub(crate) plan: Plan,
    path: PathBuf,
    seed: Seed,
    /// True time.
    pub(crate) now_s: i64,
    end_s: i64,
    clock_off_s: i64,
    disk_full_until_s: i64,
    troubles: Vec<(i64, Trouble)>,
    night: Option<Night>,
    /// Writes until it is killed.
    fuse: Arc<AtomicI64>,
    pub(crate) kills: usize,
    pub(crate) snapshots: Vec<Snapshot>,
    pub(crate) watches: Vec<Watch>,
    /// Whether its clock ran ahead by days, and when its zone changed.
    pub(crate) ran_ahead: bool,
    pub(crate) zone_changed_s: Option<i64>,
    pub(crate) clock_was_wrong: bool,
}

const SOURCES: [&str; 2] = ["files", "db"];
/// Two days on which the store cannot be reached by anybody: from, to, in days of the year.
const STORE_DOWN_DAYS: [(i64, i64); 2] = [(100, 101), (250, 252)];

impl Machine {
    pub(crate) fn new(
        number: u64,
        oracle: &Oracle,
        begin_s: i64,
        span_s: i64,
        path: PathBuf,
    ) -> Self {
        let mut seed = Seed::new(number);
        let (hour, minute) = oracle.time;
        // Both forms mean the same.
        let calendar = match number % 2 {
            0 => format!("{minute} {hour} * * *"),
            _ => format!("{hour:02}:{minute:02}"),
        };
        let source = |name: &str| Source {
            name: name.to_owned(),
            paths: vec!["/data".into()],
            ..Source::default()
        };
        let spread = [Span::default(), Span::of_seconds(2700)][number as usize / 2 % 2];
        let sections = Sections {
            client: Some(format!("client {number}")),
            time_zone: Some(oracle.zone.to_owned()),
            sources: SOURCES.map(source).to_vec(),
            schedule: Some(Schedule {
                backup: Some(Entry { calendar: Some(calendar), ..Entry::default() }),
                spread: Some(spread),
                ..Schedule::default()
            }),
            ..Sections::default()
        };
        let home = Home { host: "host".to_owned(), zone: TimeZone::UTC };
        let plan = Plan::make(&sections, &home).expect("it makes sense");
        let troubles = troubles(number, &mut seed);
        Self {
            number,
            plan,
            path,
            now_s: begin_s + seed.between(0, 3600),
            end_s: begin_s + span_s,
            clock_off_s: 0,
            disk_full_until_s: 0,
            ran_ahead: troubles
                .iter()
                .any(|(_, one)| matches!(one, Trouble::Clock { by_s, .. } if *by_s > 86_400)),
            clock_was_wrong: troubles.iter().any(|(_, one)| matches!(one, Trouble::Clock { .. })),
            zone_changed_s: None,
            troubles,
            night: None,
            fuse: Arc::new(AtomicI64::new(seed.between(1, 400))),
            kills: 0,
            snapshots: Vec::new(),
            watches: Vec::new(),
            seed,
        }
    }

    fn clock_s(&self) -> i64 {
        self.now_s + self.clock_off_s
    }

    /// From the first minute to the last.
    pub(crate) fn live(&mut self) {
        while self.now_s < self.end_s {
            self.meet_trouble();
            let from_s = self.now_s;
            let outcome = self.watch();
            self.watches.push(Watch { from_s, to_s: self.now_s });
            if let Err(error) = outcome {
                assert!(matches!(error, StateError::Ended), "{error}");
                self.kills += 1;
                self.night = None;
                self.fuse.store(self.seed.between(1, 300), Ordering::SeqCst);
                self.now_s += self.seed.between(1, 300);
            }
        }
        // At the end everything is written down: no kill any more.
        self.fuse.store(i64::MAX, Ordering::SeqCst);
    }

    pub(crate) fn state(&self) -> State {
        State::open(&self.path).expect("it can be read")
    }

    fn meet_trouble(&mut self) {
        while let Some((at_s, trouble)) = self.troubles.first().cloned() {
            if at_s > self.now_s {
                return;
            }
            self.troubles.remove(0);
            match trouble {
                Trouble::Off(for_s) => {
                    self.now_s += for_s;
                    // Half of them slept: the process is still there.
                    match self.seed.once_in(2) {
                        true => self.night = None,
                        false => {
                            let clock_s = self.clock_s();
                            self.night.iter_mut().for_each(|night| night.wake(clock_s));
                        }
                    }
                }
                Trouble::DiskFull(for_s) => self.disk_full_until_s = self.now_s + for_s,
                Trouble::Clock { by_s, for_s } => {
                    self.clock_off_s = by_s;
                    let at = self.troubles.partition_point(|(at_s, _)| *at_s < self.now_s + for_s);
                    self.troubles.insert(at, (self.now_s + for_s, Trouble::ClockRight));
                }
                Trouble::ClockRight => self.clock_off_s = 0,
                Trouble::Zone(zone) => {
                    self.plan.zone = zone;
                    self.zone_changed_s = Some(self.now_s);
                    let plan = self.plan.clone();
                    self.night.iter_mut().for_each(|night| night.replan(plan.clone()));
                }
            }
        }
    }

    /// The agent's time until the next trouble.
    fn watch(&mut self) -> Result<(), StateError> {
        let until_s = self.troubles.first().map_or(self.end_s, |(at_s, _)| *at_s).min(self.end_s);
        let mut night = match self.night.take() {
            Some(night) => night,
            None => {
                let fuse = Arc::clone(&self.fuse);
                let gate = Arc::new(move || fuse.fetch_sub(1, Ordering::SeqCst) > 1);
                let state = State::open(&self.path)?.gated(gate);
                let mut night = Night::begin(self.plan.clone(), state, self.clock_s())?;
                night.wake(self.clock_s());
                night
            }
        };
        while self.now_s < until_s {
            match night.look(self.clock_s(), Power::default())? {
                Step::Due(candidate) => self.run(&mut night, &candidate, until_s)?,
                Step::Wait(wake_s) => {
                    let wake_s = wake_s.map_or(until_s, |wake_s| wake_s - self.clock_off_s);
                    self.now_s = wake_s.max(self.now_s + 1).min(until_s);
                }
            }
        }
        self.night = Some(night);
        Ok(())
    }

    fn run(
        &mut self,
        night: &mut Night,
        candidate: &Candidate,
        until_s: i64,
    ) -> Result<(), StateError> {
        let order = night.take(candidate, self.clock_s())?;
        let mut worst = Verdict::ok();
        for source in SOURCES.into_iter().filter(|source| !order.done.iter().any(|it| it == source))
        {
            night.begin_part(&order, source, self.clock_s())?;
            let verdict = self.back_up(source, &order, until_s)?;
            let facts = Facts { files: 100, bytes: 1 << 20, ..Facts::default() };
            let made = (None, verdict.outcome.has_snapshot().then_some(facts));
            night.end_part(&order, source, &verdict, made, self.clock_s())?;
            worst = Verdict::worst([&worst, &verdict]);
        }
        night.end(&order, &End::Done(worst), self.clock_s()).map(|_| ())
    }

    /// What the program would do: a snapshot, or a reason why there is none.
    fn back_up(
        &mut self,
        source: &'static str,
        order: &Order,
        until_s: i64,
    ) -> Result<Verdict, StateError> {
        let now_s = self.clock_s();
        let is_there = |snapshot: &Snapshot| {
            snapshot.source == source && (order.taken_s..=now_s).contains(&snapshot.began_s)
        };
        if order.is_resumed && self.snapshots.iter().any(is_there) {
            return Ok(Verdict { outcome: Outcome::OkWithNotes, ..Verdict::ok() });
        }
        let began_s = self.clock_s();
        let takes_s = if self.seed.once_in(40) { 7200 } else { self.seed.between(5, 900) };
        if self.now_s + takes_s >= until_s && until_s < self.end_s {
            // Trouble comes while it runs: half of the time the machine is gone.
            self.now_s = until_s;
            if self.seed.once_in(2) {
                return Err(StateError::Ended);
            }
        } else {
            self.now_s += takes_s;
        }
        let day = (self.now_s - (self.end_s - crate::YEAR_S)) / 86_400;
        if STORE_DOWN_DAYS.iter().any(|(from, to)| (*from..*to).contains(&day)) {
            return Ok(Verdict::new(Outcome::Failed, Reason::Store, "cannot be reached"));
        }
        if self.now_s < self.disk_full_until_s {
            return Ok(Verdict::new(Outcome::Failed, Reason::Local, "no space left"));
        }
        if self.seed.once_in(300) {
            return Ok(Verdict::new(Outcome::Failed, Reason::Key, "the key was revoked"));
        }
        self.snapshots.push(Snapshot { source, slot_s: order.slot_s, began_s, made_s: self.now_s });
        Ok(match self.seed.once_in(50) {
            true => Verdict::new(Outcome::Partial, Reason::Unreadable, "1 item"),
            false => Verdict::ok(),
        })
    }
}
