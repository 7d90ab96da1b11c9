//! The agent: one thread for each organisation, and one that listens for the end.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::{Scope, ScopedJoinHandle};
use std::time::{Duration, SystemTime};

use agent::config::schedule::OnBattery;
use agent::night::{Candidate, Night, Power, Step};
use agent::state::State;
use engine::base::time::Timestamp;
use engine::index::lock::StateLock;
use sd_notify::NotifyState;

use crate::config::surroundings::Surroundings;
use crate::fault::{ExitCode, Fault};
use crate::night::load::{self, Organisation};
use crate::night::perform::{Errand, News, perform};
use crate::night::power;
use crate::night::record;

/// The wall clock is looked at at least so often: a machine that slept is not told.
const LOOK_MS: u64 = 60_000;
/// Who was away for so much longer than meant has slept.
const SLEPT_S: i64 = 90;
/// How often it is looked whether to stop.
const TICK: Duration = Duration::from_millis(250);
/// The store is told how jobs ended while nothing else is due for so long.
const QUIET_MS: u64 = 2_000;
/// How long before the store is told again what it could not be told; at first and at most.
const UNTOLD_S: u64 = 300;
/// See [`UNTOLD_S`].
const UNTOLD_MAX_S: u64 = 3_600;
/// A thread that does nothing for so long hangs.
const BEAT_MAX: Duration = Duration::from_secs(600);

/// What the agent tells whoever runs it.
pub trait Audience: Sync {
    /// Something has ended.
    fn news(&self, news: &News);
    /// Something goes wrong, and the rest goes on.
    fn trouble(&self, fault: &Fault);
}

/// What the store was not told, and when that is tried again.
#[derive(Default)]
struct Untold {
    not_before_s: u64,
    wait_s: u64,
    said: Option<Fault>,
}

/// What all threads share.
struct Hall<'a> {
    around: &'a Surroundings,
    audience: &'a dyn Audience,
    is_stopped: AtomicBool,
    /// Runs that may begin now; whoever waits for one is woken when another ends.
    free: Mutex<usize>,
    changed: Condvar,
}

/// A thread and what is known of it.
struct Desk {
    /// Seconds of the clock that never jumps at which it last went round.
    beat_s: AtomicU64,
    is_at_work: AtomicBool,
}

/// Runs until it is asked to stop. Whatever then runs is stopped and goes on when the agent begins again.
///
/// # Errors
/// A fault of exit code 11 if another agent has all of the organisations; a local one if a thread ends.
pub fn serve(
    organisations: Vec<Organisation>,
    (config, concurrent): (Option<&Path>, usize),
    around: &Surroundings,
    audience: &dyn Audience,
) -> Result<ExitCode, Fault> {
    let hall = Hall {
        around,
        audience,
        is_stopped: AtomicBool::new(false),
        free: Mutex::new(concurrent.max(1)),
        changed: Condvar::new(),
    };
    let observer = around.cancel.observe();
    let mut places = Vec::new();
    let mut busy = None;
    for organisation in organisations {
        let lock = match StateLock::acquire(&organisation.state) {
            Ok(lock) => Some(lock),
            Err(error) => {
                let fault = Fault::from(error);
                audience.trouble(&fault);
                busy = Some(fault);
                None
            }
        };
        places.push((organisation, lock));
    }
    if let Some(fault) = busy.filter(|_| places.iter().all(|(_, lock)| lock.is_none())) {
        return Err(fault);
    }
    let outcome = std::thread::scope(|scope| {
        let mut crew = Crew { scope, hall: &hall, members: Vec::new() };
        places.into_iter().for_each(|(organisation, lock)| crew.add(organisation, lock));
        say(&[NotifyState::Ready]);
        let outcome = crew.watch(config);
        say(&[NotifyState::Stopping]);
        hall.is_stopped.store(true, Ordering::SeqCst);
        hall.changed.notify_all();
        while crew.members.iter().any(|member| !member.thread.is_finished()) {
            // Whoever does not look any more is ended.
            let _ = around.cancel.is_set();
            std::thread::sleep(TICK / 5);
        }
        outcome
    });
    drop(observer);
    outcome
}

/// The threads, one for each organisation.
struct Crew<'scope, 'env> {
    scope: &'scope Scope<'scope, 'env>,
    hall: &'env Hall<'env>,
    members: Vec<Member<'scope>>,
}

struct Member<'scope> {
    path: PathBuf,
    state: PathBuf,
    desk: Arc<Desk>,
    thread: ScopedJoinHandle<'scope, ()>,
}

impl Crew<'_, '_> {
    fn add(&mut self, organisation: Organisation, lock: Option<StateLock>) {
        let desk = Arc::new(Desk::new(self.hall.elapsed_s()));
        let (path, state) = (organisation.path.clone(), organisation.state.clone());
        let (hall, own) = (self.hall, Arc::clone(&desk));
        let thread = self.scope.spawn(move || hall.attend(organisation, lock, &own));
        self.members.push(Member { path, state, desk, thread });
    }

    /// Looks after the threads until it is asked to stop.
    fn watch(&mut self, config: Option<&Path>) -> Result<ExitCode, Fault> {
        let clock = &self.hall.around.clock;
        let watchdog = sd_notify::watchdog_enabled().map(|span| span / 2);
        let (mut pinged, mut looked) = (clock.monotonic(), clock.monotonic());
        let mut refused = Vec::new();
        while !self.hall.around.cancel.is_set() {
            if self.members.iter().any(|member| member.thread.is_finished()) {
                return Err(Fault::local("the agent cannot go on with one of its clients")
                    .hint("correct what the lines above say, and start it again"));
            }
            let now = clock.monotonic();
            if watchdog.is_some_and(|span| now >= pinged + span) && self.is_alive() {
                say(&[NotifyState::Watchdog]);
                pinged = now;
            }
            if now >= looked + Duration::from_millis(LOOK_MS) {
                self.look_for_more(config, &mut refused);
                looked = now;
            }
            std::thread::sleep(TICK);
        }
        Ok(ExitCode::Ok)
    }

    /// Files that came into the folder since; one that makes no sense is said once for each of its texts.
    fn look_for_more(&mut self, config: Option<&Path>, refused: &mut Vec<Fault>) {
        let Ok(files) = load::files(config, self.hall.around) else { return };
        let is_new = |path: &PathBuf| self.members.iter().all(|member| member.path != *path);
        let new: Vec<PathBuf> = files.into_iter().filter(is_new).collect();
        let mut still = Vec::new();
        for path in new {
            let found = load::one(&path, self.hall.around).and_then(|organisation| {
                match self.members.iter().find(|member| member.state == organisation.state) {
                    None => Ok(organisation),
                    Some(other) => Err(load::twice(&other.path, &path)),
                }
            });
            match found {
                Ok(organisation) => {
                    let lock = StateLock::acquire(&organisation.state).ok();
                    self.add(organisation, lock);
                }
                Err(fault) => {
                    if !refused.contains(&fault) {
                        self.hall.audience.trouble(&fault);
                    }
                    still.push(fault);
                }
            }
        }
        *refused = still;
    }

    fn is_alive(&self) -> bool {
        let now_s = self.hall.elapsed_s();
        self.members.iter().all(|member| {
            let beat_s = member.desk.beat_s.load(Ordering::Relaxed);
            member.desk.is_at_work.load(Ordering::Relaxed)
                || now_s.saturating_sub(beat_s) < BEAT_MAX.as_secs()
        })
    }
}

/// Without systemd there is nobody to tell.
fn say(states: &[NotifyState<'_>]) {
    let _ = sd_notify::notify(states);
}

impl Desk {
    fn new(now_s: u64) -> Self {
        Self { beat_s: AtomicU64::new(now_s), is_at_work: AtomicBool::new(false) }
    }
}

impl Hall<'_> {
    fn is_stopped(&self) -> bool {
        self.is_stopped.load(Ordering::SeqCst)
    }

    /// The nights of one organisation.
    fn attend(&self, mut organisation: Organisation, lock: Option<StateLock>, desk: &Desk) {
        let Some(_lock) = lock.or_else(|| self.wait_for_lock(&organisation, desk)) else { return };
        let mut night = loop {
            match self.begin(&organisation) {
                Ok(night) => break night,
                Err(fault) => self.audience.trouble(&fault),
            }
            if !self.rest(LOOK_MS, desk) {
                return;
            }
        };
        let mut read = written(&organisation);
        let mut untold = Untold::default();
        let mut last_s = self.now().seconds;
        let mut said = None;
        while !self.is_stopped() {
            let now = self.now();
            if now.seconds - last_s > SLEPT_S {
                night.wake(now.seconds);
            }
            if !organisation.state_file().exists() {
                let folder = organisation.state.display();
                self.audience.trouble(&Fault::local(format!("{folder} was removed")).hint(
                    "what was remembered is gone: start the agent again, and each source is saved anew",
                ));
                return;
            }
            let newest = written(&organisation);
            if newest != read {
                read = newest;
                self.reload(&mut organisation, &mut night);
            }
            let step = match read {
                Some(_) => self.step(&organisation, &mut night, desk),
                // Whoever takes the file away wants no more of it.
                None => Ok(LOOK_MS / 12),
            };
            let wait_ms = match step {
                Ok(wait_ms) => {
                    said = None;
                    if read.is_some() && wait_ms > QUIET_MS {
                        self.tell_store(&organisation, &night, &mut untold, desk);
                    }
                    wait_ms
                }
                Err(fault) => {
                    // The same again and again is said once.
                    if said.as_ref() != Some(&fault) {
                        self.audience.trouble(&fault);
                        said = Some(fault);
                    }
                    LOOK_MS
                }
            };
            last_s = self.now().seconds;
            if wait_ms > 0 {
                self.rest(wait_ms, desk);
                last_s = last_s.saturating_add(i64::try_from(wait_ms / 1000).unwrap_or(0));
            }
        }
    }

    fn wait_for_lock(&self, organisation: &Organisation, desk: &Desk) -> Option<StateLock> {
        while self.rest(LOOK_MS, desk) {
            if let Ok(lock) = StateLock::acquire(&organisation.state) {
                return Some(lock);
            }
        }
        None
    }

    fn begin(&self, organisation: &Organisation) -> Result<Night, Fault> {
        organisation.put_in_force()?;
        let state = State::open(&organisation.state_file())?;
        let now_s = self.now().seconds;
        let mut night = Night::begin(organisation.plan.clone(), state, now_s)?;
        night.wake(now_s);
        Ok(night)
    }

    fn reload(&self, organisation: &mut Organisation, night: &mut Night) {
        if !organisation.path.exists() {
            let path = organisation.path.display();
            let words = format!("{path} is gone: its jobs rest until it is there again");
            self.audience.trouble(&Fault::usage(words));
            return;
        }
        match load::one(&organisation.path, self.around) {
            // Of another client or repository: that is another state.
            Ok(newer) if newer.state != organisation.state => self.audience.trouble(
                &Fault::usage(format!(
                    "{} is about another client or repository now",
                    newer.path.display()
                ))
                .hint("start the agent again"),
            ),
            Ok(newer) => {
                if let Err(fault) = newer.put_in_force() {
                    self.audience.trouble(&fault);
                    return;
                }
                night.replan(newer.plan.clone());
                *organisation = newer;
            }
            Err(fault) => self.audience.trouble(&fault.hint(
                "the agent goes on with what it said before; correct it and it is read again",
            )),
        }
    }

    /// Does what is due, or answers how long there is nothing to do.
    fn step(
        &self,
        organisation: &Organisation,
        night: &mut Night,
        desk: &Desk,
    ) -> Result<u64, Fault> {
        let look = |night: &mut Night| {
            let on_battery = night.plan().rules.on_battery;
            let power = if on_battery == OnBattery::Run { Power::default() } else { power::look() };
            night.look(self.now().seconds, power)
        };
        let until = match look(night)? {
            Step::Wait(until) => until,
            Step::Due(_) => {
                if !self.enter(desk) {
                    return Ok(0);
                }
                // It may have waited for its turn.
                let done = match look(night) {
                    Ok(Step::Due(candidate)) => self.run(organisation, night, &candidate, desk),
                    Ok(Step::Wait(_)) => Ok(()),
                    Err(error) => Err(error.into()),
                };
                self.leave();
                return done.map(|()| 0);
            }
        };
        let now = self.now();
        let now_ms = now.seconds.saturating_mul(1000) + i64::from(now.nanos / 1_000_000);
        let wait_ms = until.map_or(i64::MAX, |until_s| until_s.saturating_mul(1000) - now_ms);
        Ok(u64::try_from(wait_ms.max(1)).unwrap_or(LOOK_MS).min(LOOK_MS))
    }

    /// Tells the store how jobs ended. What keeps it from that is said once, and tried again later.
    fn tell_store(
        &self,
        organisation: &Organisation,
        night: &Night,
        untold: &mut Untold,
        desk: &Desk,
    ) {
        let now_s = self.elapsed_s();
        let is_stopped = || self.is_stopped();
        let errand =
            Errand { organisation, around: self.around, tell: &|_| {}, is_stopped: &is_stopped };
        if now_s < untold.not_before_s || !record::is_due(&errand, night.state()).unwrap_or(false) {
            return;
        }
        if !self.enter(desk) {
            return;
        }
        desk.is_at_work.store(true, Ordering::Relaxed);
        let told = record::record(&errand);
        desk.is_at_work.store(false, Ordering::Relaxed);
        self.leave();
        match told {
            Ok(()) => *untold = Untold::default(),
            Err(fault) => {
                untold.wait_s = (untold.wait_s * 2).clamp(UNTOLD_S, UNTOLD_MAX_S);
                untold.not_before_s = now_s + untold.wait_s;
                if untold.said.as_ref() != Some(&fault) {
                    self.audience.trouble(&fault);
                    untold.said = Some(fault);
                }
            }
        }
    }

    fn run(
        &self,
        organisation: &Organisation,
        night: &mut Night,
        candidate: &Candidate,
        desk: &Desk,
    ) -> Result<(), Fault> {
        let order = night.take(candidate, self.now().seconds)?;
        desk.is_at_work.store(true, Ordering::Relaxed);
        let errand = Errand {
            organisation,
            around: self.around,
            tell: &|news| self.audience.news(news),
            is_stopped: &|| self.is_stopped(),
        };
        let done = perform(&errand, night, &order);
        desk.is_at_work.store(false, Ordering::Relaxed);
        desk.beat_s.store(self.elapsed_s(), Ordering::Relaxed);
        match done {
            Ok(_) => Ok(()),
            Err(fault) => {
                // What could not be written down is found again when the state can be used.
                let end = agent::night::End::PutOff;
                let _ = night.end(&order, &end, self.now().seconds.saturating_add(60));
                Err(fault)
            }
        }
    }

    /// Waits for a turn; `false` if everything stops.
    fn enter(&self, desk: &Desk) -> bool {
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if self.is_stopped() {
                return false;
            }
            if *free > 0 {
                *free -= 1;
                return true;
            }
            desk.beat_s.store(self.elapsed_s(), Ordering::Relaxed);
            let waited = self.changed.wait_timeout(free, Duration::from_millis(LOOK_MS));
            free = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn leave(&self) {
        *self.free.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        self.changed.notify_all();
    }

    /// Waits; `false` if everything stops.
    fn rest(&self, wait_ms: u64, desk: &Desk) -> bool {
        let until = self.around.clock.monotonic() + Duration::from_millis(wait_ms);
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            desk.beat_s.store(self.elapsed_s(), Ordering::Relaxed);
            let left = until.saturating_sub(self.around.clock.monotonic());
            if self.is_stopped() || left.is_zero() {
                return !self.is_stopped();
            }
            let waited = self.changed.wait_timeout(free, left);
            free = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn elapsed_s(&self) -> u64 {
        self.around.clock.monotonic().as_secs()
    }

    fn now(&self) -> Timestamp {
        self.around.clock.now()
    }
}

/// When a file was last written, and how long it is.
fn written(organisation: &Organisation) -> Option<(SystemTime, u64)> {
    let found = std::fs::metadata(&organisation.path).ok()?;
    Some((found.modified().ok()?, found.len()))
}
