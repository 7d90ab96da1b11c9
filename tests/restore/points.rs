//! Restores are stopped at any change of the disk, and nothing is worse than before.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use nix::sched::{CloneFlags, unshare};
use system_tests::scale::{count, tell, text};

use crate::draw::{Abilities, scene};
use crate::play::{Extent, Played, Player, Violation};
use crate::shrink::shrink;

/// Points in the short form.
const POINTS: u64 = 2_000;
/// Points of one scene: more show less than another scene.
const POINTS_OF_SCENE: usize = 40;

/// Scenes that a promise was broken in once; they come first.
const BROKEN_ONCE: [u64; 13] =
    [47, 82, 106, 128, 150, 1000, 1085, 1145, 2203, 5001, 5078, 5197, 5283];

/// Where the disks of a worker are, unless somebody wants a certain file system: in memory for one,
/// where temporary files are for the next.
fn new_folder(worker: u64) -> tempfile::TempDir {
    let usual = if worker.is_multiple_of(2) { Some("/dev/shm".to_owned()) } else { None };
    let place = text("MAINSTAY_TEST_PLACE").or(usual);
    let place = place.map_or_else(std::env::temp_dir, std::path::PathBuf::from);
    tempfile::tempdir_in(place).or_else(|_| tempfile::tempdir()).expect("a temporary folder")
}

/// What workers share.
struct Shared {
    next: AtomicU64,
    first_seed: u64,
    /// Seeds that come before those from the first one on.
    kept: &'static [u64],
    points: AtomicU64,
    scenes: AtomicU64,
    violations: Mutex<Vec<Violation>>,
}

/// A view of the file systems of this thread alone: what is mounted ends with it, however it ends.
/// Without root there is none, and nothing is mounted.
pub(crate) fn own_mounts() -> bool {
    if unshare(CloneFlags::CLONE_NEWNS).is_err() {
        return false;
    }
    let mut command = std::process::Command::new("mount");
    let status = command.args(["--make-rprivate", "/"]).status();
    status.is_ok_and(|status| status.success())
}

impl Shared {
    fn next_seed(&self) -> u64 {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let kept = usize::try_from(number).ok().and_then(|number| self.kept.get(number));
        kept.copied().unwrap_or(self.first_seed + number.saturating_sub(self.kept.len() as u64))
    }
}

fn work(worker: u64, goal: (u64, u64), shared: &Shared) {
    let may_mount = own_mounts();
    let folder = new_folder(worker);
    let player = Player::new(&folder.path().join(format!("m{worker}")));
    // To see that a program of before fails, it must be asked for nothing that it does not know.
    let without = text("MAINSTAY_TEST_WITHOUT").unwrap_or_default();
    let abilities = Abilities {
        root: may_mount && player.is_root(),
        replace_kind: !without.contains("replace-kind"),
        in_place: !without.contains("in-place"),
    };
    if !abilities.root && worker == 0 {
        tell("NOT TESTED: owners, mounts and what cannot be read, because they need root");
    }
    let (points, last_seed) = goal;
    let wants_all = text("MAINSTAY_TEST_ALL").is_some();
    let is_every = text("MAINSTAY_TEST_EVERY").is_some();
    while shared.points.load(Ordering::Relaxed) < points {
        let seed = shared.next_seed();
        if seed > last_seed {
            return;
        }
        let scene = scene(seed, abilities);
        let extent = Extent { points: POINTS_OF_SCENE, is_every };
        let Played { points, mut violations } = player.play(&scene, extent);
        if let (Some(first), true) = (violations.first(), text("MAINSTAY_TEST_SHRINK").is_some()) {
            let smallest = shrink(&player, &scene, first.clone());
            tell(&format!("the smallest scene that shows it:\n{}", smallest.show()));
            violations.insert(0, smallest);
        }
        let all = shared.points.fetch_add(points, Ordering::Relaxed) + points;
        let scenes = shared.scenes.fetch_add(1, Ordering::Relaxed) + 1;
        if scenes.is_multiple_of(50) {
            tell(&format!(
                "{all} points, {scenes} scenes; go on with MAINSTAY_TEST_SEED={}",
                seed + 1
            ));
        }
        let mut found = shared.violations.lock().expect("no worker panics while it adds");
        found.extend(violations);
        if !found.is_empty() && !wants_all {
            return;
        }
    }
}

#[test]
fn a_restore_that_ends_anywhere_makes_nothing_worse_and_is_finished_by_the_next() {
    let is_one = text("MAINSTAY_TEST_SEED").is_some() && text("MAINSTAY_TEST_POINTS").is_none();
    let points = count("MAINSTAY_TEST_POINTS", POINTS);
    let first = count("MAINSTAY_TEST_SEED", 1);
    let last = if is_one { first } else { u64::MAX };
    let shared = Shared {
        next: AtomicU64::new(0),
        first_seed: first,
        kept: if text("MAINSTAY_TEST_SEED").is_some() { &[] } else { &BROKEN_ONCE },
        points: AtomicU64::new(0),
        scenes: AtomicU64::new(0),
        violations: Mutex::new(Vec::new()),
    };
    std::thread::scope(|scope| {
        for worker in 0..count("MAINSTAY_TEST_WORKERS", 2) {
            let shared = &shared;
            scope.spawn(move || work(worker, (points, last), shared));
        }
    });
    let met = shared.points.load(Ordering::Relaxed);
    let violations = shared.violations.into_inner().expect("no worker panicked");
    tell(&format!("{met} points in {} scenes", shared.scenes.load(Ordering::Relaxed)));
    summarize(&violations);
    let first = violations.first().map(Violation::show).unwrap_or_default();
    assert!(violations.is_empty(), "{} promises broken, the first:\n{first}", violations.len());
    assert!(is_one || met >= points, "only {met} points were met");
}

/// How often each kind of violation was found, with one of each; for who asks for all.
fn summarize(violations: &[Violation]) {
    if text("MAINSTAY_TEST_ALL").is_none() {
        return;
    }
    let mut kinds: BTreeMap<String, (u64, &Violation)> = BTreeMap::new();
    for violation in violations {
        let line = violation.text.lines().next().unwrap_or_default();
        let kind = line.split_once(": ").map_or(line, |(_, kind)| kind);
        let faults: Vec<&str> = violation
            .point
            .split(['(', ' '])
            .filter(|word| {
                ["Kill", "Fail", "Full", "Interrupt"].iter().any(|of| word.starts_with(of))
            })
            .collect();
        let key = format!("{} {}: {kind}", violation.moment, faults.join("+"));
        kinds.entry(key).or_insert((0, violation)).0 += 1;
    }
    for (kind, (times, first)) in kinds {
        tell(&format!("\n=== {times} times: {kind}\n{}", first.show()));
    }
}
