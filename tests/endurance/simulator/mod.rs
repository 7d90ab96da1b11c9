//! A simulation of many machines on one store, over the real engine.
//!
//! Three machines back up, two collect, one restores, forgets, holds
//! and brings back. A seed decides whose request has
//! its effect next, which requests are lost, late or doubled, who crashes, loses its state, or
//! finds its clock a year off. Whatever is restored meanwhile is right. After each collection,
//! however it ended, and at the end, everything that was reported and not forgotten is restored byte
//! for byte; and at last two generations leave no garbage.

mod hall;
pub(crate) mod truth;
pub(crate) mod machine;
pub(crate) mod collector;
mod marks;

use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use object_store::ObjectStore;
use object_store::memory::InMemory;
use system_tests::store::fault::{Fault, Faulty, Plan};
use system_tests::world::World;

use crate::files::{Files, draw, new_folder, write};
use crate::scale::{Chance, count, tell};
use crate::simulator::collector::Manner;
use crate::simulator::hall::Hall;
use crate::simulator::machine::{Ending, Machine, Task, WrongClock};
use crate::simulator::truth::Truth;

/// Machines that back up; behind them those that collect, and one that does the rest.
const CLIENTS: usize = 3;
const COLLECTORS: usize = 2;
const RESTORER: usize = CLIENTS + COLLECTORS;
const MACHINES: usize = RESTORER + 1;

/// Tasks in one simulation.
const TASKS: u64 = 24;

const YEAR_SECONDS: u64 = 366 * 86_400;

/// What is made once and copied for each seed.
struct Stage {
    store: InMemory,
    words: Arc<str>,
}

impl Stage {
    fn new() -> Self {
        let store = Arc::new(InMemory::new());
        let world = World::in_store(Arc::clone(&store) as _);
        Self { store: store.fork(), words: world.recovery_words.as_str().into() }
    }
}

/// A task that goes on.
struct Running {
    faulty: Faulty,
    door: system_tests::store::hook::Hooked,
    task: Task,
}

struct Simulation {
    chance: Chance,
    hall: Hall,
    store: Arc<InMemory>,
    machines: Vec<Machine>,
    /// A machine that only restores, and whose index grows old.
    judge: Machine,
    running: Vec<Option<Running>>,
    /// What each client's folder holds, and whether that was backed up.
    sources: Vec<(Files, bool)>,
    ended: (SyncSender<(usize, Ending)>, Receiver<(usize, Ending)>),
    /// Stores with requests that have not landed yet.
    late: Vec<Faulty>,
    tasks_left: u64,
    crash_count: u64,
    _folder: tempfile::TempDir,
}

impl Simulation {
    fn new(stage: &Stage, seed: u64) -> Self {
        let folder = new_folder();
        let truth = Truth::default();
        let new_machine = |place: usize, name: &str| {
            let own = folder.path().join(name);
            std::fs::create_dir_all(own.join("source")).expect("a folder of the test");
            let clock = Arc::new(WrongClock::default());
            clock.jump(1_800_000_000);
            let (words, truth) = (Arc::clone(&stage.words), truth.clone());
            Machine { place, folder: own, clock, words, truth }
        };
        Self {
            chance: Chance::new(seed),
            hall: Hall::new(MACHINES),
            store: Arc::new(stage.store.fork()),
            machines: (0..MACHINES).map(|at| new_machine(at, &at.to_string())).collect(),
            judge: new_machine(MACHINES, "judge"),
            running: (0..MACHINES).map(|_| None).collect(),
            sources: vec![(Files::new(), true); CLIENTS],
            ended: sync_channel(MACHINES),
            late: Vec::new(),
            tasks_left: TASKS,
            crash_count: 0,
            _folder: folder,
        }
    }

    /// A few requests of the next process go wrong, each in a way that it can live with.
    fn plan(&mut self) -> Plan {
        let mut plan = Plan::none();
        for _ in 0..self.chance.below(4) {
            let fault = match self.chance.below(4) {
                0 => Fault::ErrorBefore,
                1 => Fault::ErrorAfter,
                2 => Fault::Twice,
                _ => Fault::Late { after_requests: self.chance.below(30) },
            };
            plan = plan.and(self.chance.below(60), fault);
        }
        plan
    }

    fn choose_task(&mut self, place: usize) -> Task {
        if place == RESTORER {
            let choice = self.chance.draw();
            return match self.chance.below(10) {
                0..3 => Task::Forget(choice),
                3 => Task::Hold(choice),
                4..6 => Task::Undelete(choice),
                _ => Task::Restore(choice),
            };
        }
        if place >= CLIENTS {
            return Task::Prune(match self.chance.below(6) {
                0 => Manner::Abandoning,
                1 => Manner::Announcing,
                2 | 3 => Manner::Hasty,
                _ => Manner::Patient,
            });
        }
        // What was interrupted is backed up again as it was: it may be adopted.
        if self.sources[place].1 {
            let files = draw(&mut self.chance);
            write(&self.machines[place].source(), &files);
            self.sources[place] = (files, false);
        }
        Task::Backup(self.sources[place].0.clone())
    }

    fn begin(&mut self, place: usize) {
        self.tasks_left -= 1;
        let (task, plan) = (self.choose_task(place), self.plan());
        let faulty = Faulty::new(Arc::clone(&self.store) as _, plan);
        let machine = self.machines[place].clone();
        let door = machine.door(&self.hall, Arc::new(faulty.clone()));
        self.running[place] = Some(Running { faulty, door: door.clone(), task: task.clone() });
        self.hall.begin(place);
        let (hall, ended) = (self.hall.clone(), self.ended.0.clone());
        std::thread::spawn(move || {
            let act = std::panic::AssertUnwindSafe(|| machine.run(&door, &task));
            let ending = std::panic::catch_unwind(act)
                .unwrap_or_else(|_| Ending::Broken("it panicked".to_owned()));
            // Its place is free only when everybody can know how it ended.
            ended.send((place, ending)).expect("the simulation waits for it");
            hall.end(place);
        });
    }

    /// Takes note of tasks that have ended.
    fn collect(&mut self) -> Result<(), String> {
        while let Ok((place, ending)) = self.ended.1.try_recv() {
            let Some(running) = self.running[place].take() else { continue };
            match &ending {
                Ending::Broken(text) => {
                    return Err(format!("machine {place}, {:?}: {text}", running.task));
                }
                Ending::Done if place < CLIENTS => self.sources[place].1 = true,
                Ending::Done | Ending::Refused(_) => {}
            }
            if matches!(running.task, Task::Prune(_)) {
                self.judge()?;
            }
            self.late.push(running.faulty);
            if running.door.is_crashed() && self.chance.hits(4) {
                self.machines[place].lose_state();
                // Nobody can adopt what nobody remembers.
                if place < CLIENTS {
                    self.sources[place].1 = true;
                }
            }
        }
        Ok(())
    }

    /// Restores everything that is promised; nobody else moves meanwhile.
    fn judge(&self) -> Result<(), String> {
        self.judge.judge(Arc::clone(&self.store) as _)
    }

    /// One step: whatever the seed says.
    fn step(&mut self, waiting: &[usize]) {
        let idle: Vec<usize> =
            (0..MACHINES).filter(|place| self.running[*place].is_none()).collect();
        if self.chance.hits(50) {
            let (place, seconds) =
                (self.chance.below(MACHINES as u64), self.chance.below(YEAR_SECONDS));
            let seconds = seconds as i64 * if self.chance.hits(2) { 1 } else { -1 };
            self.machines[place as usize].clock.jump(seconds);
        }
        if !self.late.is_empty() && self.chance.hits(40) {
            let at = self.chance.below(self.late.len() as u64) as usize;
            settle(&self.late.swap_remove(at));
        }
        let may_begin = self.tasks_left > 0 && !idle.is_empty();
        if may_begin && (waiting.is_empty() || self.chance.hits(12)) {
            let place = idle[self.chance.below(idle.len() as u64) as usize];
            self.begin(place);
            return;
        }
        let Some(at) = (!waiting.is_empty()).then(|| self.chance.below(waiting.len() as u64))
        else {
            return;
        };
        let place = waiting[at as usize];
        if self.chance.hits(120) {
            self.crash_count += 1;
            self.hall.crash(place);
        } else {
            self.hall.call(place);
        }
    }

    fn run(mut self) -> Result<Tally, String> {
        loop {
            let waiting = self.hall.waiting();
            self.collect()?;
            let is_over = self.tasks_left == 0 && self.running.iter().all(Option::is_none);
            if is_over && waiting.is_empty() {
                break;
            }
            self.step(&waiting);
        }
        std::mem::take(&mut self.late).iter().for_each(settle);
        self.judge()?;
        let store = Arc::clone(&self.store) as Arc<dyn ObjectStore>;
        self.judge.collect_all(&store)?;
        self.judge()?;
        let truth = &self.judge.truth;
        let (reported, deleted) = (truth.counts().0 as u64, truth.deleted_packs());
        Ok(Tally { crashes: self.crash_count, reported, deleted })
    }
}

/// What happened in simulations.
#[derive(Debug, Default)]
struct Tally {
    crashes: u64,
    reported: u64,
    /// Packs that collectors deleted while others worked.
    deleted: u64,
}

/// Lets everything happen that is still under way.
pub(crate) fn settle(faulty: &Faulty) {
    tokio::runtime::Builder::new_current_thread()
        .build()
        .expect("a thread can wait")
        .block_on(faulty.settle());
}

/// Runs so many seeds, from `first` on.
fn simulate(first: u64, seeds: u64) {
    let stage = Stage::new();
    let mut all = Tally::default();
    for seed in first..first + seeds {
        match Simulation::new(&stage, seed).run() {
            Ok(one) => {
                all.crashes += one.crashes;
                all.reported += one.reported;
                all.deleted += one.deleted;
            }
            Err(text) => panic!("seed {seed}: {text}; MAINSTAY_TEST_SEED={seed} runs it again"),
        }
        if (seed + 1 - first).is_multiple_of(500) {
            tell(&format!("{} seeds, {all:?}", seed + 1 - first));
        }
    }
    assert!(all.crashes > 0 || seeds < 20, "nobody crashed");
    assert!(all.reported > seeds, "hardly anything was backed up");
    assert!(all.deleted > 0 || seeds < 20, "nothing was collected");
}

#[test]
fn nothing_reported_is_lost_whatever_the_order() {
    match count("MAINSTAY_TEST_SEED", u64::MAX) {
        u64::MAX => simulate(0, count("MAINSTAY_TEST_SEEDS", 250)),
        seed => simulate(seed, count("MAINSTAY_TEST_SEEDS", 1)),
    }
}

#[test]
fn nothing_reported_is_lost_in_other_orders_either() {
    let seeds = count("MAINSTAY_TEST_SEEDS", 250);
    simulate(1_000_000_000, seeds);
}
