//! What a restore does on a file system of each kind: each case is one promise, or its neighbour.

use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};

use system_tests::scale::tell;
use system_tests::trees::content::random_bytes;
use system_tests::trees::{put, set_mtime};

use crate::disks::{Disk, Kind};
use crate::draw::{Abilities, scene};
use crate::look::{Tree, is_staged, touched};
use crate::machine::{Machine, NOBODY, Ran, run};
use crate::play::{Extent, Player, Violation};
use crate::{coarse, flags, names, places, slash, space, spared};

/// What a case says if it fails.
pub(crate) type Verdict = Result<(), String>;

/// A case: its name, and what it does.
pub(crate) type Case = (&'static str, fn(&Stage) -> Verdict);

/// A moment of the past that files of tests are from.
pub(crate) const PAST: u64 = 1_700_000_000;

/// A machine with a disk, and folders for one case.
pub(crate) struct Stage {
    pub(crate) machine: Machine,
    pub(crate) disk: Disk,
    /// What is saved; not on the disk.
    pub(crate) source: PathBuf,
    /// A folder on the disk.
    pub(crate) place: PathBuf,
}

impl Stage {
    /// Makes a file of random bytes from the past.
    pub(crate) fn file(path: &Path, seed: u64, length_bytes: usize) {
        put(path, &random_bytes(seed, length_bytes));
        set_mtime(path, PAST + seed);
    }

    /// Saves a folder.
    pub(crate) fn save(&self, what: &Path) -> String {
        self.machine.backup(what, &[], false)
    }

    /// What the command line names: what is at `path` of a snapshot.
    pub(crate) fn at(snapshot: &str, path: &Path) -> String {
        format!("{snapshot}:{}", path.display())
    }

    /// Restores.
    pub(crate) fn restore(&self, what: &str, target: &Path, options: &[&str]) -> Ran {
        run(self.machine.restore(&Self::words(what, target, options)))
    }

    /// Restores as somebody without rights.
    pub(crate) fn restore_as_nobody(&self, what: &str, target: &Path, options: &[&str]) -> Ran {
        let mut command = self.machine.restore(&Self::words(what, target, options));
        command.env("MAINSTAY_KEY_FILE", self.machine.folder.join("nobody.key"));
        command.env("MAINSTAY_STATE_DIR", self.machine.folder.join("nobody"));
        command.uid(NOBODY).gid(NOBODY);
        run(command)
    }

    pub(crate) fn words(what: &str, target: &Path, options: &[&str]) -> Vec<String> {
        let target = target.display().to_string();
        let words = [what, "--target", &target].into_iter().chain(options.iter().copied());
        words.map(str::to_owned).collect()
    }
}

/// A case holds if this does.
pub(crate) fn holds(condition: bool, otherwise: impl Into<String>) -> Verdict {
    if condition { Ok(()) } else { Err(otherwise.into()) }
}

/// A run ended so.
pub(crate) fn ends(ran: &Ran, exit: i32) -> Verdict {
    holds(ran.exit == Some(exit) && !ran.is_insane(), format!("not exit {exit}: {}", ran.show()))
}

/// A run said that not everything was done, and how a program says it.
pub(crate) fn fails(ran: &Ran) -> Verdict {
    let is_said = !matches!(ran.exit, None | Some(0 | 2)) && !ran.is_insane();
    holds(is_said, format!("no failure: {}", ran.show()))
}

/// Two trees hold the same, metadata included.
pub(crate) fn equal(left: &Path, right: &Path) -> Verdict {
    let found = system_tests::compare::compare(left, right).map_err(|error| error.to_string())?;
    holds(found.is_empty(), format!("they differ: {found:?}"))
}

/// No name below a folder is one that a restore made for itself.
pub(crate) fn no_leftovers(folder: &Path) -> Verdict {
    let tree = Tree::of(folder).map_err(|error| error.to_string())?;
    let left: Vec<&String> = tree.0.keys().filter(|path| is_staged(path)).collect();
    holds(left.is_empty(), format!("left over: {left:?}"))
}

/// Everything below a folder is untouched. The folder itself may have had something in it for a
/// while, but has its time again.
pub(crate) fn untouched(before: &Tree, folder: &Path) -> Verdict {
    let after = Tree::of(folder).map_err(|error| error.to_string())?;
    let mut changed = touched(before, &after);
    let is_top_same = match (before.get(""), after.get("")) {
        (Some(old), Some(new)) => old.differing_meta(new).is_empty(),
        _ => false,
    };
    if is_top_same {
        changed.remove("");
    }
    holds(changed.is_empty(), format!("touched: {changed:?}"))
}

/// Whether these names are as they were.
pub(crate) fn kept(before: &Tree, folder: &Path, names: &[&str]) -> Verdict {
    let after = Tree::of(folder).map_err(|error| error.to_string())?;
    let changed = touched(before, &after);
    let wrong: Vec<&&str> = names.iter().filter(|name| changed.contains(**name)).collect();
    holds(wrong.is_empty(), format!("touched: {wrong:?}"))
}

/// Everything of a folder, as it is now.
pub(crate) fn now(folder: &Path) -> Tree {
    Tree::of(folder).expect("a folder of ours")
}

/// The number of a file.
pub(crate) fn inode(path: &Path) -> Option<u64> {
    fs::symlink_metadata(path).ok().map(|meta| meta.ino())
}

/// A link beside what it leads to.
pub(crate) fn link(to: &str, at: &Path) {
    symlink(to, at).expect("the place is free");
}

fn play(kind: Kind) {
    let Some(disk) = Disk::new(kind) else { return };
    let folder = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir());
    let folder = folder.expect("a temporary folder");
    let machine = Machine::create(&folder.path().join("machine"));
    let place = disk.place.join("case");
    let source = machine.folder.join("src");
    let stage = Stage { machine, disk, source, place };
    let mut failed = Vec::new();
    let all = [
        space::CASES,
        places::CASES,
        flags::CASES,
        names::CASES,
        slash::CASES,
        spared::CASES,
        coarse::CASES,
    ];
    for (name, case) in all.into_iter().flatten() {
        fs::create_dir(&stage.place).expect("the place is free");
        fs::create_dir(&stage.source).expect("the place is free");
        if let Err(why) = case(&stage) {
            tell(&format!("{kind:?}: {name}: {why}"));
            failed.push(*name);
        }
        // A target that is new takes shape beside its place.
        let beside = fs::read_dir(&stage.disk.place).expect("a folder of ours").flatten();
        let left = beside.filter(|entry| is_staged(&entry.file_name().to_string_lossy())).count();
        if left > 0 {
            tell(&format!("{kind:?}: {name}: {left} left over beside the target"));
            failed.push(*name);
        }
        flags::thaw(&stage.place);
        crate::stage::clear(&stage.place, true);
        crate::stage::clear(&stage.source, true);
    }
    assert_eq!(failed, [""; 0], "on {kind:?}");
}

/// Scenes are drawn and interrupted on a disk of each kind, too; fewer than in memory.
fn interrupt(kind: Kind) {
    let Some(disk) = Disk::new(kind) else { return };
    let folder = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir());
    let folder = folder.expect("a temporary folder");
    let player = Player::on(&folder.path().join("m0"), &disk.place);
    let extent = Extent { points: 12, is_every: false };
    let abilities = Abilities { root: true, replace_kind: true, in_place: true };
    for seed in 0..12 {
        let seed = 1_000_000 + seed * 5 + kind as u64;
        let played = player.play(&scene(seed, abilities), extent);
        let first = played.violations.first().map(Violation::show).unwrap_or_default();
        assert!(first.is_empty(), "on {kind:?}: {first}");
    }
}

#[test]
fn promises_hold_on_ext4() {
    play(Kind::Ext4);
}

#[test]
fn promises_hold_on_xfs() {
    play(Kind::Xfs);
}

#[test]
fn promises_hold_on_btrfs() {
    play(Kind::Btrfs);
}

#[test]
fn promises_hold_on_tmpfs() {
    play(Kind::Tmpfs);
}

#[test]
fn promises_hold_on_overlayfs() {
    play(Kind::Overlay);
}

#[test]
fn interrupted_restores_are_finished_on_ext4() {
    interrupt(Kind::Ext4);
}

#[test]
fn interrupted_restores_are_finished_on_xfs() {
    interrupt(Kind::Xfs);
}

#[test]
fn interrupted_restores_are_finished_on_btrfs() {
    interrupt(Kind::Btrfs);
}

#[test]
fn interrupted_restores_are_finished_on_overlayfs() {
    interrupt(Kind::Overlay);
}
