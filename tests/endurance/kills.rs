//! Real processes are killed at random moments, among them such as forget and delete; what they
//! reported is there, and the next one just works. There is no command to unlock anything, because
//! nothing is locked. At the end two generations leave no garbage.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use crate::files::{Files, draw, holds, write};
use crate::process::{PRUNE, Program, Ran, assert_no_garbage, finish, forgetting};
use crate::scale::{Chance, count, tell};

/// What users were told, and what the source held then.
type Reported = BTreeMap<String, Files>;

/// Snapshots that are kept.
const KEPT: usize = 8;

/// Two machines whose processes are killed: one backs up, one forgets and collects.
struct Victim {
    program: Program,
    collector: Program,
    /// What was reported and not forgotten, oldest first.
    order: VecDeque<String>,
    chance: Chance,
    reported: Reported,
    files: Files,
    kill_count: u64,
    reported_count: u64,
    _folder: tempfile::TempDir,
}

impl Victim {
    fn new(seed: u64) -> Self {
        let folder = crate::files::new_folder();
        let program = Program::create(folder.path());
        let mut chance = Chance::new(seed);
        let files = draw(&mut chance);
        write(&folder.path().join("source"), &files);
        let reported = Reported::new();
        let (collector, order) = (program.another("collector"), VecDeque::new());
        Self {
            program,
            collector,
            order,
            chance,
            reported,
            files,
            kill_count: 0,
            reported_count: 0,
            _folder: folder,
        }
    }

    /// A backup was made or not; its source stays as it is until one was reported, because what
    /// was interrupted may be adopted.
    fn note(&mut self, ran: &Ran) {
        let Some(snapshot) = ran.snapshot() else { return };
        self.reported.insert(snapshot.clone(), self.files.clone());
        self.order.push_back(snapshot);
        self.reported_count += 1;
        self.files = draw(&mut self.chance);
        write(&self.program.folder.join("source"), &self.files);
    }

    /// What goes because it is old; from now on nobody is promised it.
    fn old(&mut self) -> Vec<String> {
        let count = self.order.len().saturating_sub(KEPT);
        let old: Vec<String> = self.order.drain(..count).collect();
        old.iter().for_each(|snapshot| drop(self.reported.remove(snapshot)));
        old
    }

    /// A collection, or somebody who forgets, with a violent end; mostly beside a backup.
    fn one_that_deletes(&mut self, after: Duration) {
        let old = self.old();
        let beside = self.chance.hits(2).then(|| {
            let mut backup = self.program.command(["backup", "-q", "--json", "source"]);
            backup.spawn().expect("the program can be started")
        });
        let ran = match old.is_empty() {
            true => self.collector.run_and_kill(PRUNE, after),
            false => self.collector.run_and_kill(forgetting(&old), after),
        };
        self.kill_count += u64::from(ran.exit.is_none());
        // Waiting for a session that was killed before ends only with the next backup.
        assert!(matches!(ran.exit, None | Some(0)), "{ran:#?}");
        if let Some(child) = beside {
            let ran = finish(child);
            ran.assert_sane();
            assert_eq!(ran.exit, Some(0), "beside a collection: {ran:#?}");
            self.note(&ran);
        }
    }

    /// One process with a violent end.
    fn one(&mut self, usual_ms: u64) {
        let after = Duration::from_micros(self.chance.below(usual_ms * 1200));
        let arguments: &[&str] = match self.chance.below(12) {
            0 => &["check", "-q"],
            1 => &["restore", "-q", "latest", "--target", "target"],
            2..=5 => return self.one_that_deletes(after),
            _ => &["backup", "-q", "--json", "source"],
        };
        let ran = self.program.run_and_kill(arguments, after);
        self.kill_count += u64::from(ran.exit.is_none());
        if arguments[0] == "backup" {
            self.note(&ran);
        }
        let _ = std::fs::remove_dir_all(self.program.folder.join("target"));
    }

    /// The next night: it works, whatever happened.
    fn night(&mut self) {
        let ran = self.program.run(["backup", "-q", "--json", "source"]);
        assert_eq!(ran.exit, Some(0), "after {} kills: {ran:#?}", self.kill_count);
        self.note(&ran);
        let old = self.old();
        if !old.is_empty() {
            let ran = self.collector.run(forgetting(&old));
            assert_eq!(ran.exit, Some(0), "{ran:#?}");
        }
        let ran = self.collector.run(PRUNE);
        assert_eq!(ran.exit, Some(0), "after {} kills: {ran:#?}", self.kill_count);
    }

    /// Two generations while nobody else works: then nothing is left that nobody needs.
    fn assert_clean(&self) {
        for _ in 0..2 {
            let ran = self.collector.run(PRUNE);
            assert_eq!(ran.exit, Some(0), "{ran:#?}");
        }
        assert_no_garbage(&self.collector);
    }

    /// Everything that was reported is there; at most `most` are restored.
    fn judge(&mut self, most: usize) {
        let ran = self.program.run(["check", "-q", "--read-data"]);
        assert_eq!(ran.exit, Some(0), "{ran:#?}");
        let ran = self.program.run(["snapshots", "--json"]);
        for snapshot in self.reported.keys() {
            assert!(ran.stdout.contains(snapshot), "{snapshot} was reported and is not listed");
        }
        let all: Vec<_> = self.reported.iter().collect();
        for at in 0..most.min(all.len()) {
            let (snapshot, files) = match all.len() > most {
                true => all[self.chance.below(all.len() as u64) as usize],
                false => all[at],
            };
            let source = self.program.folder.join("source");
            let what = format!("{snapshot}:{}", source.display());
            let target = self.program.folder.join("target");
            let ran = self.program.run(["restore", "-q", &what, "--target", "target"]);
            assert_eq!(ran.exit, Some(0), "{ran:#?}");
            assert!(holds(&target, files), "{snapshot} restores to something else");
            std::fs::remove_dir_all(&target).expect("it was just made");
        }
    }
}

#[test]
fn nothing_reported_is_lost_by_killing() {
    let kills = count("MAINSTAY_TEST_KILLS", 200);
    let seed = count("MAINSTAY_TEST_SEED", 1);
    let mut victim = Victim::new(seed);
    let began = clock_ms();
    victim.night();
    let usual_ms = (clock_ms() - began).max(5);
    let mut processes = 0;
    while victim.kill_count < kills {
        victim.one(usual_ms);
        processes += 1;
        if processes % 20 == 0 {
            victim.night();
        }
        if processes % 2_000 == 0 {
            victim.judge(10);
            tell(&format!("{} kills, {} snapshots", victim.kill_count, victim.reported_count));
        }
    }
    victim.night();
    victim.judge(40);
    victim.assert_clean();
    victim.judge(40);
    assert!(victim.reported_count > kills / 30, "only {}", victim.reported_count);
}

fn clock_ms() -> u64 {
    use engine::base::time::{Clock, SystemClock};
    let now = SystemClock::default().now();
    now.seconds as u64 * 1000 + u64::from(now.nanos / 1_000_000)
}
