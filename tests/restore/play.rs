//! One scene played to the end, and then interrupted at many points.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use engine::base::time::{Clock, SystemClock};
use nix::errno::Errno;
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use system_tests::scale::Chance;

use crate::between::{Leave, Whole, differences};
use crate::dry;
use crate::look::{Tree, touched};
use crate::machine::{Machine, NOBODY, Ran, run};
use crate::model::Model;
use crate::scene::{Overwrite, Part, SOURCE, Scene};
use crate::stage::{backup_options, clear, own};
use crate::tracer::{Fault, Traced};

/// Where everything of a scene is, beside the repository.
const ARENA: &str = "arena";

/// A promise that was broken.
#[derive(Debug, Clone)]
pub(crate) struct Violation {
    pub(crate) seed: u64,
    /// During what: the run to the end, the run that was interrupted, the one after it.
    pub(crate) moment: &'static str,
    /// The arguments of the command.
    pub(crate) command: String,
    /// Where it was interrupted.
    pub(crate) point: String,
    /// What was found.
    pub(crate) text: String,
    /// All that the scene is.
    pub(crate) scene: String,
}

impl Violation {
    /// All of it, for people.
    pub(crate) fn show(&self) -> String {
        let Self { seed, moment, command, point, text, scene } = self;
        format!(
            "MAINSTAY_TEST_SEED={seed}: {moment}\n  mainstay {command}\n  {point}\n  {text}\n\
             {scene}"
        )
    }
}

/// How many points of a scene are tried, and from where on everything is random.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Extent {
    pub(crate) points: usize,
    /// Whether every point is tried in turn, in every way.
    pub(crate) is_every: bool,
}

/// What came of a scene.
#[derive(Debug, Default)]
pub(crate) struct Played {
    /// Points at which a restore was really met.
    pub(crate) points: u64,
    pub(crate) violations: Vec<Violation>,
}

/// Plays scenes, one after the other, on one machine.
pub(crate) struct Player {
    machine: Machine,
    arena: PathBuf,
    processors: CpuSet,
    since: i64,
}

/// A scene whose run to the end is known.
struct Known<'a> {
    scene: &'a Scene,
    arguments: Vec<String>,
    whole: Whole,
    exit: Option<i32>,
    calls: usize,
}

impl Player {
    /// With everything in one folder.
    pub(crate) fn new(folder: &Path) -> Self {
        Self::on(folder, folder)
    }

    /// With the repository and the source in one folder, and what is restored in another.
    pub(crate) fn on(folder: &Path, place: &Path) -> Self {
        let processors = sched_getaffinity(None).expect("the system says which there are");
        let since = SystemClock::default().now().seconds - 1;
        Self { machine: Machine::create(folder), arena: place.join(ARENA), processors, since }
    }

    pub(crate) fn is_root(&self) -> bool {
        self.machine.is_root()
    }

    fn arena(&self) -> PathBuf {
        self.arena.clone()
    }

    fn source(&self) -> PathBuf {
        self.machine.folder.join(SOURCE)
    }

    /// Plays a scene and looks at as many points of it as asked for.
    pub(crate) fn play(&self, scene: &Scene, extent: Extent) -> Played {
        let mut scene = scene.clone();
        let as_nobody = scene.has_unreadable();
        if as_nobody {
            own(&mut scene, NOBODY);
        }
        let scene = &scene;
        self.clear_all(true);
        scene.make_source(&self.source());
        let saved = Tree::of(&self.source()).expect("the source can be read");
        let snapshot = self.machine.backup(&self.source(), &backup_options(scene), as_nobody);
        self.narrow(scene.is_narrow);
        let mut played = Played::default();
        let known = self.to_the_end(scene, &snapshot, &mut played);
        let model = Model { scene, saved: &saved, whole: &known.whole, source: &self.source() };
        for text in model.faults(known.exit) {
            played.violations.push(self.violation(&known, "a run to the end", "no fault", text));
        }
        for fault in choose(scene, known.calls, extent) {
            self.point(&known, fault, &mut played);
        }
        self.narrow(false);
        self.clear_all(scene.has_mount());
        played
    }

    /// Whether the program may use one processor only.
    fn narrow(&self, is_narrow: bool) {
        let mut chosen = self.processors;
        if is_narrow {
            let mine = (0..CpuSet::MAX_CPU).filter(|at| self.processors.is_set(*at));
            // Machines have folders of different names; so they get different processors.
            let mine: Vec<usize> = mine.collect();
            let name = self.machine.folder.as_os_str().as_encoded_bytes();
            let at = usize::from(name.last().copied().unwrap_or_default()) % mine.len();
            chosen = CpuSet::new();
            chosen.set(mine[at]);
        }
        sched_setaffinity(None, &chosen).expect("a part of what is allowed");
    }

    fn clear_all(&self, has_mounts: bool) {
        clear(&self.arena(), has_mounts);
        clear(&self.source(), false);
    }

    fn fresh_arena(&self, scene: &Scene) -> Tree {
        clear(&self.arena(), scene.has_mount());
        scene.make_arena(&self.arena(), &self.source());
        self.look()
    }

    fn look(&self) -> Tree {
        Tree::of(&self.arena()).expect("the arena can be read")
    }

    /// First without writing, then really.
    fn to_the_end<'a>(&self, scene: &'a Scene, snapshot: &str, played: &mut Played) -> Known<'a> {
        let (part, target) = scene.asks(&self.source());
        let target = self.arena().join(target);
        let mut arguments = vec![
            format!("{snapshot}{part}"),
            "--target".to_owned(),
            target.display().to_string(),
            "--json".to_owned(),
        ];
        arguments.extend(scene.order.options());
        let before = self.fresh_arena(scene);
        let trial = self.run(&arguments, &["--dry-run", "-v"]);
        let after = self.look();
        let touched: Vec<String> =
            touched(&before, &after).into_iter().map(str::to_owned).collect();
        let (ran, traced) = self.trace(&arguments, Fault::None);
        assert_ne!(ran.exit, Some(2), "the test does not know the command line: {}", ran.show());
        let whole = Whole { before, after: self.look() };
        let (exit, calls) = (ran.exit, traced.calls.len());
        let known = Known { scene, arguments, whole, exit, calls };
        let mut report = |moment, text: String| {
            played.violations.push(self.violation(&known, moment, "no fault", text));
        };
        if !touched.is_empty() {
            report("a dry run", format!("something was changed: {touched:?}"));
        }
        for text in dry::faults(scene, &known.whole, &trial.stdout, self.since) {
            report("a dry run", format!("{text}\n  {}", trial.show()));
        }
        if trial.exit != exit {
            let text = format!("dry run: {}\n  run: {}", trial.show(), ran.show());
            report("a dry run", format!("its exit code is not that of the run\n  {text}"));
        }
        if ran.is_insane() {
            report("a run to the end", ran.show());
        }
        known
    }

    fn run(&self, arguments: &[String], more: &[&str]) -> Ran {
        let mut command = self.machine.restore(arguments);
        command.args(more);
        run(command)
    }

    fn trace(&self, arguments: &[String], fault: Fault) -> (Ran, Traced) {
        let command: Command = self.machine.restore(arguments);
        self.machine.trace(&command, &self.arena(), fault)
    }

    /// Interrupts a restore at one point, looks, and lets it be finished.
    fn point(&self, known: &Known<'_>, fault: (Fault, Option<Fault>), played: &mut Played) {
        let before = self.fresh_arena(known.scene);
        let (mut point, mut refused, mut is_done) = (String::new(), false, false);
        // When such a restore is done, what it made is in the way of another, or is what another
        // overwrites where it is.
        let order = &known.scene.order;
        let is_named = matches!(order.part, Part::FileAs(_));
        let is_once = is_named || order.in_place || order.overwrite == Overwrite::Absent;
        for (number, fault) in [Some(fault.0), fault.1].into_iter().flatten().enumerate() {
            if is_done && is_once {
                break;
            }
            let (ran, traced) = self.trace(&known.arguments, fault);
            let is_finished = || self.unlike(known, &self.look()).is_empty();
            // A signal or a failure at the very end may come when there is nothing left to go on with.
            is_done = ran.exit == Some(0) || (is_once && is_finished());
            let Some(met) = &traced.met else { continue };
            played.points += 1;
            let shown = met.show(&self.arena());
            let count = traced.calls.len();
            point += &format!(
                "{fault:?} of {}: {shown}, call {count}; {:?}. ",
                known.calls, traced.ended
            );
            let seen = self.look();
            let mut report = |text: String| {
                let text = format!("{text}\n  {}", ran.show());
                played.violations.push(self.violation(known, "an interrupted run", &point, text));
            };
            if ran.is_insane() {
                report("ended in a way that is always wrong".to_owned());
            }
            let refuses = matches!(fault, Fault::Fail(..) | Fault::Full(_));
            refused |= refuses && (met.is_metadata || matches!(fault, Fault::Full(_)));
            let (in_place, again) = (known.scene.order.in_place, number > 0);
            let leave = Leave { in_place, metadata: refused, again };
            let faults = known.whole.faults(&before, &seen, leave);
            faults.into_iter().for_each(&mut report);
            if ran.exit != Some(0) {
                continue;
            }
            if known.exit == Some(0) {
                for text in self.unlike(known, &seen) {
                    report(format!("exit 0, and yet {text}"));
                }
            } else {
                report("exit 0, although a run without a fault ends otherwise".to_owned());
            }
        }
        if is_done && is_once {
            return;
        }
        let ran = self.run(&known.arguments, &[]);
        let seen = self.look();
        let mut report = |text: String| {
            let text = format!("{text}\n  {}", ran.show());
            played.violations.push(self.violation(known, "the same command again", &point, text));
        };
        if ran.exit != known.exit {
            report(format!("exit {:?}, not {:?}", ran.exit, known.exit));
        }
        self.unlike(known, &seen).into_iter().for_each(&mut report);
    }

    /// How the disk differs from that after a run to the end. The time of the target itself may be
    /// that of now: the journal is removed from it last of all.
    fn unlike(&self, known: &Known<'_>, seen: &Tree) -> Vec<String> {
        let all = differences(&known.whole.after, seen, self.since).into_iter();
        all.filter(|text| !text.starts_with("t: other [\"mtime\"]")).collect()
    }

    fn violation(
        &self,
        known: &Known<'_>,
        moment: &'static str,
        point: &str,
        text: String,
    ) -> Violation {
        let folder = format!("{}/", self.machine.folder.display());
        let command = format!("restore {}", known.arguments.join(" ")).replace(&folder, "/…/");
        let arena = format!("{}/", self.arena.display());
        let command = command.replace(&arena, "/…/arena/");
        let (point, text) = (point.replace(&folder, "/…/"), text.replace(&folder, "/…/"));
        let (seed, scene) = (known.scene.seed, known.scene.to_string());
        Violation { seed, moment, command, point, text, scene }
    }
}

impl Drop for Player {
    fn drop(&mut self) {
        // What is mounted here is gone with this thread's view of the file systems.
        let _ = fs::remove_dir_all(&self.machine.folder);
    }
}

/// Which points of a run with so many calls are tried: some, or every one in turn. A few are met
/// twice: the second run is interrupted, too.
fn choose(scene: &Scene, calls: usize, extent: Extent) -> Vec<(Fault, Option<Fault>)> {
    let mut chance = Chance::new(scene.seed ^ 0x5bd1_e995);
    if calls == 0 {
        return Vec::new();
    }
    if extent.is_every {
        let every = (0..calls).flat_map(|at| {
            [
                Fault::KillBefore(at),
                Fault::KillAfter(at),
                Fault::Fail(at, Errno::EIO),
                Fault::Full(at),
            ]
        });
        return every.map(|fault| (fault, None)).collect();
    }
    let mut points = Vec::new();
    // Never the same point more often than there are ways.
    for _ in 0..extent.points.min(calls * 4) {
        let fault = draw(&mut chance, calls);
        let second = chance.hits(6).then(|| draw(&mut chance, calls));
        points.push((fault, second));
    }
    points
}

fn draw(chance: &mut Chance, calls: usize) -> Fault {
    let at = chance.below(calls as u64) as usize;
    match chance.below(20) {
        0..=8 => Fault::KillBefore(at),
        9..=12 => Fault::KillAfter(at),
        13 | 14 => Fault::Fail(at, Errno::EIO),
        15 => Fault::Fail(at, Errno::ENOSPC),
        16 => Fault::Fail(at, Errno::EPERM),
        17 | 18 => Fault::Full(at),
        _ => Fault::Interrupt(at),
    }
}
