//! Each request of a workload goes wrong once, in each way in which requests go wrong.
//!
//! A run without faults says how many requests there are. Then one run for each of them and each
//! fault, and at length more runs in which a second one goes wrong too. After each of them every
//! machine starts again without faults, everything that was reported is restored byte for byte,
//! and two more generations leave no garbage.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use object_store::ObjectStore;
use object_store::memory::InMemory;
use system_tests::store::fault::{Fault, Faulty, Plan};
use system_tests::store::hook::{Hooked, Verdict};
use system_tests::world::World;
use tempfile::TempDir;

use crate::files::{Files, new_folder, write};
use crate::scale::{Chance, count, tell};
use crate::simulator::collector::Manner;
use crate::simulator::machine::{Ending, Machine, Task, WrongClock};
use crate::simulator::truth::Truth;

/// What some machine does, in order.
#[derive(Debug, Clone, Copy)]
enum Step {
    /// Machine and version of its files.
    Backup(usize, u64),
    /// Machine and number of the snapshot.
    Restore(usize, u64),
    /// Machine and number of the snapshot.
    Forget(usize, u64),
    /// Machine and number of the snapshot.
    Hold(usize, u64),
    /// Machine and number of the forgotten snapshot.
    Undelete(usize, u64),
    /// Machine, and how it collects.
    Prune(usize, Manner),
}

/// A sequence of steps of two machines.
#[derive(Debug, Clone, Copy)]
struct Workload {
    name: &'static str,
    /// What went well before.
    before: &'static [Step],
    /// Where each request goes wrong once.
    steps: &'static [Step],
}

/// Two machines with files in common; the second one has a stale index when it goes on.
const WORKLOADS: [Workload; 2] = [
    Workload {
        name: "two machines",
        before: &[],
        steps: &[Step::Backup(0, 0), Step::Backup(1, 1), Step::Backup(0, 2), Step::Restore(1, 0)],
    },
    Workload {
        name: "a stale index",
        before: &[],
        steps: &[
            Step::Backup(0, 0),
            Step::Backup(1, 0),
            Step::Backup(1, 3),
            Step::Backup(0, 3),
            Step::Restore(0, 2),
        ],
    },
];

/// A collection that announces, one that repacks and deletes, and who uses the store afterwards.
/// The first machine does not know what was moved.
const COLLECTION: Workload = Workload {
    name: "a collection",
    before: &[Step::Backup(0, 0), Step::Backup(1, 1), Step::Backup(0, 2), Step::Backup(1, 3)],
    steps: &[
        Step::Forget(1, 0),
        Step::Forget(1, 1),
        Step::Prune(1, Manner::Announcing),
        Step::Prune(1, Manner::Abandoning),
        Step::Backup(0, 5),
        Step::Restore(0, 1),
    ],
};

/// What is held stays although it is forgotten; what was forgotten comes back after a collection
/// has announced that it goes, and outlives the one that would have deleted it.
const MARKS: Workload = Workload {
    name: "marks",
    before: &[Step::Backup(0, 0), Step::Backup(1, 1), Step::Backup(0, 2), Step::Backup(1, 3)],
    steps: &[
        Step::Hold(1, 0),
        Step::Forget(1, 0),
        Step::Forget(0, 1),
        Step::Prune(1, Manner::Announcing),
        Step::Undelete(0, 0),
        Step::Prune(1, Manner::Abandoning),
        Step::Restore(0, 3),
    ],
};

/// Versions share some contents, and lack others.
fn version(number: u64) -> Files {
    (0..3).map(|at| (format!("file-{at}"), (number * at + number) % 7)).collect()
}

struct Stage {
    /// Where each run begins.
    store: InMemory,
    /// The machines' folders then.
    folder: TempDir,
    words: Arc<str>,
    truth: Truth,
    workload: Workload,
    runs: AtomicU64,
}

impl Stage {
    fn new(workload: Workload) -> Self {
        let store = Arc::new(InMemory::new());
        let world = World::in_store(Arc::clone(&store) as _);
        let words = world.recovery_words.as_str().into();
        let (folder, truth) = (new_folder(), Truth::default());
        let store = Arc::new(store.fork());
        let mut stage =
            Self { store: InMemory::new(), folder, words, truth, workload, runs: 0.into() };
        let machines = stage.machines(stage.folder.path(), &stage.truth);
        let inner = Arc::new(Faulty::new(Arc::clone(&store) as _, Plan::none()));
        let mut held = [Files::new(), Files::new()];
        for step in workload.before {
            let went = take(&machines, &mut held, *step, Arc::clone(&inner));
            assert_eq!(went, Ok(true), "{step:?}");
        }
        stage.store = store.fork();
        stage
    }

    fn machines(&self, folder: &Path, truth: &Truth) -> [Machine; 2] {
        [0, 1].map(|place: usize| {
            let own = folder.join(place.to_string());
            std::fs::create_dir_all(own.join("source")).expect("a folder of the test");
            let clock = Arc::new(WrongClock::default());
            clock.jump(1_800_000_000);
            let (words, truth) = (Arc::clone(&self.words), truth.clone());
            Machine { place, folder: own, clock, words, truth }
        })
    }

    /// Runs the workload under a plan, and then everything that must hold. Answers how many
    /// requests there were and whether the fault came.
    fn run(&self, plan: Plan) -> Result<(u64, bool), String> {
        self.runs.fetch_add(1, Ordering::Relaxed);
        let (folder, truth) = (new_folder(), self.truth.copy());
        copy_folder(self.folder.path(), folder.path());
        let machines = self.machines(folder.path(), &truth);
        let inner = Arc::new(self.store.fork());
        let faulty = Faulty::new(Arc::clone(&inner) as _, plan);
        let mut held = [Files::new(), Files::new()];
        for step in self.workload.steps {
            if !take(&machines, &mut held, *step, Arc::new(faulty.clone()))? {
                break;
            }
        }
        let (request_count, fired) = (faulty.request_count(), !faulty.fired().is_empty());
        crate::simulator::settle(&faulty);
        for (machine, files) in machines.iter().zip(&held) {
            write(&machine.source(), files);
            match machine.run(&open_door(Arc::clone(&inner) as _), &Task::Backup(files.clone())) {
                Ending::Done => {}
                other => return Err(format!("the next run: {other:?}")),
            }
        }
        let judge = Machine { folder: folder.path().join("judge"), ..machines[0].clone() };
        let inner = inner as Arc<dyn ObjectStore>;
        judge.judge(Arc::clone(&inner))?;
        machines[1].collect_all(&inner)?;
        judge.judge(inner)?;
        Ok((request_count, fired))
    }

    /// With `chance`, something else goes wrong too, later in the same run.
    fn every_request(&self, faults: &[Fault], part: (u64, u64), chance: &mut Option<Chance>) {
        let name = self.workload.name;
        let (requests, _) = self.run(Plan::none()).expect("without a fault it works");
        let (mut runs, mut fired_count) = (0, 0);
        // Which requests come beside each other is chance, so that there may be a few more.
        for number in (0..requests + 3).filter(|number| number % part.1 == part.0) {
            for fault in faults {
                let mut plan = Plan::at(number, *fault);
                if let Some(chance) = chance {
                    let second = Fault::ALL[chance.below(Fault::ALL.len() as u64) as usize];
                    plan = plan.and(number + 1 + chance.below(requests), second);
                }
                match self.run(plan.clone()) {
                    Ok((_, fired)) => fired_count += u64::from(fired),
                    Err(text) => panic!("{name}, {plan:?}, {requests} requests: {text}"),
                }
                runs += 1;
            }
        }
        tell(&format!("{name}: {runs} runs, {fired_count} faults came"));
        assert!(fired_count * 10 >= runs * 8, "{fired_count} of {runs} faults came");
    }
}

fn open_door(inner: Arc<dyn ObjectStore>) -> Hooked {
    Hooked::new(inner, |_, _, _| Verdict::Go)
}

/// One step of one machine, as a process of its own; no more steps after a crash.
fn take(
    machines: &[Machine; 2],
    held: &mut [Files; 2],
    step: Step,
    store: Arc<Faulty>,
) -> Result<bool, String> {
    let (place, task) = match step {
        Step::Backup(place, number) => {
            held[place] = version(number);
            write(&machines[place].source(), &held[place]);
            (place, Task::Backup(held[place].clone()))
        }
        Step::Restore(place, number) => (place, Task::Restore(number)),
        Step::Forget(place, number) => (place, Task::Forget(number)),
        Step::Hold(place, number) => (place, Task::Hold(number)),
        Step::Undelete(place, number) => (place, Task::Undelete(number)),
        Step::Prune(place, manner) => (place, Task::Prune(manner)),
    };
    match machines[place].run(&open_door(Arc::clone(&store) as _), &task) {
        // A collector that was shown half an object says so, and that it has deleted nothing.
        Ending::Broken(text) if text.starts_with("nothing was deleted") => Ok(false),
        Ending::Broken(text) if !text.contains("planned crash") => Err(format!("{step:?}: {text}")),
        Ending::Refused(text) if store.fired().is_empty() => Err(format!("{step:?}: {text}")),
        Ending::Done => Ok(true),
        Ending::Refused(_) | Ending::Broken(_) => Ok(false),
    }
}

/// One of three each time in the short form, so that every request meets at least one.
const SHORT: [Fault; 3] = [Fault::ErrorAfter, Fault::CrashAfter, Fault::Late { after_requests: 2 }];

fn all(workloads: &[Workload], part: (u64, u64)) {
    let stages: Vec<Stage> = workloads.iter().copied().map(Stage::new).collect();
    let rounds = count("MAINSTAY_TEST_FAULT_ROUNDS", 0);
    for stage in &stages {
        stage.every_request(&SHORT, part, &mut None);
    }
    for round in count("MAINSTAY_TEST_FAULT_FIRST_ROUND", 0)..rounds {
        for stage in &stages {
            let mut chance = (round > 0).then(|| Chance::new(2 * round + part.0));
            stage.every_request(&Fault::ALL, part, &mut chance);
        }
        let runs: u64 = stages.iter().map(|stage| stage.runs.load(Ordering::Relaxed)).sum();
        tell(&format!("round {} of {rounds}: {runs} runs", round + 1));
    }
}

/// A copy of a folder, of which nobody has anything open.
fn copy_folder(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a folder of the test");
    for entry in std::fs::read_dir(from).expect("a folder of the test").flatten() {
        let target = to.join(entry.file_name());
        match entry.path().is_dir() {
            true => copy_folder(&entry.path(), &target),
            false => drop(std::fs::copy(entry.path(), target).expect("a file of the test")),
        }
    }
}

#[test]
fn every_even_request_goes_wrong_and_nothing_is_lost() {
    all(&WORKLOADS, (0, 2));
}

#[test]
fn every_odd_request_goes_wrong_and_nothing_is_lost() {
    all(&WORKLOADS, (1, 2));
}

#[test]
fn every_even_request_of_a_collection_goes_wrong_and_nothing_is_lost() {
    all(&[COLLECTION, MARKS], (0, 2));
}

#[test]
fn every_odd_request_of_a_collection_goes_wrong_and_nothing_is_lost() {
    all(&[COLLECTION, MARKS], (1, 2));
}
