//! Many processes on one repository at once, for as long as one likes.
//!
//! Eight machines back up folders that change, while others check, restore, forget and collect in
//! loops; processes are stopped for a while, continued, and killed. What was reported is there at the end. The
//! repository is in a folder, or in the S3 server that `MAINSTAY_TEST_SOAK_S3` describes; then
//! every other machine uses the second endpoint. `MAINSTAY_TEST_SOAK_MIDWAY` is a command that is
//! run at half time, to break a part of the store. In the end two generations leave no garbage.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use crate::files::{Files, draw, holds, new_folder, write};
use crate::process::{PRUNE, Program, Ran, assert_no_garbage, finish, forgetting};
use crate::scale::{Chance, count, tell, text};

/// Machines that back up.
const CLIENTS: u64 = 8;

/// Machines that forget and collect.
const COLLECTORS: u64 = 2;

/// How a program ends whose time was up.
const INTERRUPTED: i32 = 130;

/// Snapshots of each folder that are not forgotten.
const KEPT: usize = 5;

/// What all threads of the test know.
struct Yard {
    program: Program,
    /// The other endpoint of the store, if it has two.
    second: Option<String>,
    /// Whether a part of the store breaks.
    is_broken: bool,
    is_over: AtomicBool,
    /// Snapshots that were reported, with the folder and what it held.
    reported: Mutex<BTreeMap<String, Reported>>,
    backups: AtomicU64,
    prunes: AtomicU64,
    kills: AtomicU64,
    stops: AtomicU64,
}

/// A snapshot that was reported.
struct Reported {
    /// When, among all.
    number: u64,
    source: String,
    files: Files,
}

impl Yard {
    /// Runs a process; sometimes it is stopped for a while, sometimes killed.
    fn disturb(&self, program: &Program, chance: &mut Chance, arguments: &[&str]) -> Ran {
        let child = program.command(arguments).spawn().expect("the program can be started");
        let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw).expect("a running child");
        if chance.hits(3) {
            std::thread::sleep(Duration::from_millis(chance.below(150)));
            // It may have ended by itself; then there is nobody to disturb. It is not reaped
            // before `finish`, so nobody else has its number.
            if chance.hits(2) {
                let _ = kill_process(pid, Signal::KILL);
            } else {
                let _ = kill_process(pid, Signal::STOP);
                std::thread::sleep(Duration::from_millis(chance.below(1_500)));
                let _ = kill_process(pid, Signal::CONT);
                self.stops.fetch_add(1, Ordering::Relaxed);
            }
        }
        let ran = finish(child);
        ran.assert_sane();
        self.kills.fetch_add(u64::from(ran.exit.is_none()), Ordering::Relaxed);
        ran
    }

    /// A run without a result was killed, or a part of the store was broken on purpose.
    fn excuse(&self, ran: &Ran) {
        let is_excused = ran.exit.is_none() || (self.is_broken && ran.exit == Some(24));
        assert!(is_excused, "it failed: {ran:#?}");
    }

    fn another(&self, name: &str, number: u64) -> Program {
        let mut program = self.program.another(name);
        if let Some(second) = self.second.as_ref().filter(|_| number % 2 == 1) {
            program.way.retain(|(name, _)| *name != "AWS_ENDPOINT_URL");
            program.way.push(("AWS_ENDPOINT_URL", second.clone()));
        }
        program
    }

    fn client(&self, number: u64, mut chance: Chance) {
        let program = self.another(&format!("state-{number}"), number);
        let source = format!("source-{number}");
        let mut files = draw(&mut chance);
        write(&program.folder.join(&source), &files);
        while !self.is_over.load(Ordering::Acquire) {
            let ran = self.disturb(&program, &mut chance, &["backup", "-q", "--json", &source]);
            // What was interrupted may be adopted, so that the source stays until one is told of.
            if let Some(snapshot) = ran.snapshot() {
                let number = self.backups.fetch_add(1, Ordering::Relaxed);
                let mut reported = self.reported.lock().unwrap_or_else(PoisonError::into_inner);
                reported.insert(snapshot, Reported { number, source: source.clone(), files });
                drop(reported);
                files = draw(&mut chance);
                write(&program.folder.join(&source), &files);
            } else {
                self.excuse(&ran);
            }
        }
    }

    fn reader(&self, number: u64, mut chance: Chance, arguments: &[&str]) {
        let program = self.another(&format!("reader-{number}"), number);
        while !self.is_over.load(Ordering::Acquire) {
            let ran = self.disturb(&program, &mut chance, arguments);
            // Before the first snapshot there is no latest one.
            if !matches!(ran.exit, Some(0 | 2)) {
                self.excuse(&ran);
            }
            let target = program.folder.join("target");
            if arguments.contains(&"target") && target.exists() {
                std::fs::remove_dir_all(&target).expect("a folder of this thread alone");
            }
        }
    }

    /// Takes back the promise of what is old.
    fn old(&self) -> Vec<String> {
        let mut reported = self.reported.lock().unwrap_or_else(PoisonError::into_inner);
        let mut by_source: BTreeMap<String, Vec<(u64, String)>> = BTreeMap::new();
        for (snapshot, one) in reported.iter() {
            by_source.entry(one.source.clone()).or_default().push((one.number, snapshot.clone()));
        }
        let mut old = Vec::new();
        for mut snapshots in by_source.into_values() {
            snapshots.sort_unstable();
            let count = snapshots.len().saturating_sub(KEPT);
            old.extend(snapshots.drain(..count).map(|(_, snapshot)| snapshot));
        }
        old.iter().for_each(|snapshot| drop(reported.remove(snapshot)));
        old
    }

    /// Forgets what is old, and collects; the time is short, so that it gives up waiting now and
    /// then.
    fn collector(&self, number: u64, mut chance: Chance) {
        let program = self.another(&format!("collector-{number}"), number);
        while !self.is_over.load(Ordering::Acquire) {
            let old = self.old();
            if !old.is_empty() {
                let ran = self.disturb(&program, &mut chance, &forgetting(&old));
                if ran.exit != Some(0) {
                    self.excuse(&ran);
                }
            }
            let prune: Vec<&str> = PRUNE.into_iter().chain(["--max-duration", "15s"]).collect();
            let ran = self.disturb(&program, &mut chance, &prune);
            match ran.exit {
                Some(0) => drop(self.prunes.fetch_add(1, Ordering::Relaxed)),
                // It waited for somebody in vain.
                Some(INTERRUPTED) => {}
                _ => self.excuse(&ran),
            }
        }
    }

    fn judge(&self) {
        let ran = self.program.run(["check", "-q", "--read-data"]);
        assert_eq!(ran.exit, Some(0), "{ran:#?}");
        let listed = self.program.run(["snapshots", "--json"]).stdout;
        let reported = self.reported.lock().unwrap_or_else(PoisonError::into_inner);
        let missing: Vec<_> = reported.keys().filter(|one| !listed.contains(*one)).collect();
        assert_eq!(missing, Vec::<&String>::new(), "reported and not listed");
        for (snapshot, Reported { source, files, .. }) in reported.iter().take(60) {
            let what = format!("{snapshot}:{}", self.program.folder.join(source).display());
            let ran = self.program.run(["restore", "-q", &what, "--target", "judged"]);
            assert_eq!(ran.exit, Some(0), "{ran:#?}");
            let target = self.program.folder.join("judged");
            assert!(holds(&target, files), "{snapshot} restores to something else");
            std::fs::remove_dir_all(&target).expect("it was just made");
        }
    }
}

/// A repository in a folder, or where the environment says, and the second endpoint of that.
fn program(folder: &Path) -> (Program, Option<String>) {
    let Some(place) = text("MAINSTAY_TEST_SOAK_S3") else {
        return (Program::create(folder), None);
    };
    let parts: Vec<&str> = place.split(',').collect();
    let [first, second, bucket, access, secret, region] = parts[..] else {
        panic!("MAINSTAY_TEST_SOAK_S3 has six parts")
    };
    let name = folder.file_name().unwrap_or_default().to_string_lossy();
    let way = vec![
        ("MAINSTAY_REPOSITORY", format!("s3://{bucket}/soak{name}")),
        ("AWS_ENDPOINT_URL", first.to_owned()),
        ("AWS_ACCESS_KEY_ID", access.to_owned()),
        ("AWS_SECRET_ACCESS_KEY", secret.to_owned()),
        ("AWS_REGION", region.to_owned()),
    ];
    (Program::create_at(folder, way), Some(second.to_owned()))
}

#[test]
fn many_processes_at_once_lose_nothing() {
    let seconds = count("MAINSTAY_TEST_SOAK_SECONDS", 20);
    let (folder, midway) = (new_folder(), text("MAINSTAY_TEST_SOAK_MIDWAY"));
    let (program, second) = program(folder.path());
    let yard = Yard {
        program,
        second,
        is_broken: midway.is_some(),
        is_over: AtomicBool::new(false),
        reported: Mutex::default(),
        backups: AtomicU64::new(0),
        prunes: AtomicU64::new(0),
        kills: AtomicU64::new(0),
        stops: AtomicU64::new(0),
    };
    std::thread::scope(|scope| {
        for number in 0..CLIENTS {
            let yard = &yard;
            scope.spawn(move || yard.client(number, Chance::new(number)));
        }
        let yard = &yard;
        scope.spawn(move || yard.reader(0, Chance::new(100), &["check", "-q"]));
        let restore = ["restore", "-q", "latest", "--target", "target"];
        scope.spawn(move || yard.reader(1, Chance::new(101), &restore));
        for number in 0..COLLECTORS {
            scope.spawn(move || yard.collector(number, Chance::new(200 + number)));
        }
        std::thread::sleep(Duration::from_secs(seconds / 2));
        if let Some(command) = midway {
            let status = std::process::Command::new("sh").args(["-c", &command]).status();
            assert!(status.is_ok_and(|status| status.success()), "{command} failed");
        }
        std::thread::sleep(Duration::from_secs(seconds - seconds / 2));
        yard.is_over.store(true, Ordering::Release);
    });
    let number = |of: &AtomicU64| of.load(Ordering::Relaxed);
    tell(&format!(
        "{} backups, {} prunes, {} kills, {} stops in {seconds} s",
        number(&yard.backups),
        number(&yard.prunes),
        number(&yard.kills),
        number(&yard.stops),
    ));
    assert!(number(&yard.backups) > CLIENTS, "hardly anything was backed up");
    assert!(number(&yard.prunes) > 0, "nothing was collected");
    yard.judge();
    // Whoever was killed last has left a session open; its next run settles it.
    for client in 0..CLIENTS {
        let program = yard.another(&format!("state-{client}"), client);
        let ran = program.run(["backup", "-q", "--json", &format!("source-{client}")]);
        assert_eq!(ran.exit, Some(0), "{ran:#?}");
    }
    for collector in (0..COLLECTORS).chain([0]) {
        let program = yard.another(&format!("collector-{collector}"), collector);
        let ran = program.run(PRUNE);
        assert_eq!(ran.exit, Some(0), "{ran:#?}");
    }
    assert_no_garbage(&yard.program);
    yard.judge();
}
