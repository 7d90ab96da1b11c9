//! Disks that are full: of the repository, of the state, of what is restored to.
//!
//! A file system in memory gets room for so many MiB, for each number; the program has to say so
//! and leave nothing half done, and to go on where it was once there is room. Mounting needs root;
//! without it, this says that nothing was tested.

use std::path::{Path, PathBuf};
use std::process::Command;

use system_tests::trees::content::random_bytes;
use system_tests::trees::put;

use crate::files::new_folder;
use crate::process::Program;
use crate::scale::tell;

const MIB: u64 = 1 << 20;

/// How large the source is.
const SOURCE_MIB: u64 = 10;

/// A file system of its own, as long as it lives.
struct Disk(PathBuf);

impl Disk {
    /// With room for so much; nothing if this process may not mount.
    fn mount(at: &Path, size_kib: u64) -> Option<Self> {
        std::fs::create_dir_all(at).expect("a folder of the test");
        let size = format!("size={size_kib}k");
        let mut command = Command::new("mount");
        command.args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(at);
        let is_mounted = command.output().is_ok_and(|output| output.status.success());
        is_mounted.then(|| Self(at.to_owned()))
    }

    fn resize(&self, size_kib: u64) {
        let option = format!("remount,size={size_kib}k");
        let status = Command::new("mount").args(["-o", &option]).arg(&self.0).status();
        assert!(status.is_ok_and(|status| status.success()), "it cannot be resized");
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // A test that failed already should say why, not that this failed, too.
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

/// A repository with one small snapshot, and a source that has grown since.
struct Stage {
    program: Program,
    _folder: tempfile::TempDir,
}

impl Stage {
    /// `small` is mounted before anything is made. Nothing without root.
    fn new(small: &str) -> Option<(Self, Disk)> {
        let folder = new_folder();
        let Some(disk) = Disk::mount(&folder.path().join(small), 4 * SOURCE_MIB * 1024) else {
            tell("NOT TESTED: full disks, because mounting needs root");
            return None;
        };
        let program = Program::create(folder.path());
        put(&folder.path().join("source/small"), &random_bytes(1, 50_000));
        let stage = Self { program, _folder: folder };
        stage.backup(0);
        for at in 0..SOURCE_MIB {
            put(&stage.path(&format!("source/{at}")), &random_bytes(100 + at, MIB as usize));
        }
        Some((stage, disk))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.program.folder.join(name)
    }

    fn backup(&self, exit: i32) {
        let ran = self.program.run(["backup", "-q", "--json", "source"]);
        assert_eq!(ran.exit, Some(exit), "{ran:#?}");
    }

    fn snapshot_count(&self) -> usize {
        let ran = self.program.run(["snapshots", "--json"]);
        ran.stdout
            .matches("\"snapshot_id\"")
            .count()
            .max(ran.stdout.matches("\"short_id\"").count())
    }

    fn restores(&self) {
        let what = format!("latest:{}", self.path("source").display());
        let ran = self.program.run(["restore", "-q", &what, "--target", "whole"]);
        assert_eq!(ran.exit, Some(0), "{ran:#?}");
        let found = system_tests::compare::compare(&self.path("source"), &self.path("whole"));
        assert!(found.is_ok_and(|found| found.is_empty()), "the restored tree differs");
        std::fs::remove_dir_all(self.path("whole")).expect("it was just made");
    }
}

fn used_kib(folder: &Path) -> u64 {
    let output = Command::new("du").arg("-sk").arg(folder).output().expect("du is everywhere");
    let text = String::from_utf8_lossy(&output.stdout);
    text.split_whitespace().next().and_then(|word| word.parse().ok()).expect("it prints a number")
}

#[test]
fn a_full_repository_leaves_no_snapshot_and_goes_on_when_there_is_room() {
    for room_mib in 0..SOURCE_MIB {
        let Some((stage, disk)) = Stage::new("repository") else { return };
        disk.resize(used_kib(&stage.path("repository")) + room_mib * 1024 + 64);
        let ran = stage.program.run(["backup", "-q", "--json", "source"]);
        assert!(!matches!(ran.exit, Some(0 | 3)), "with room for {room_mib} MiB: {ran:#?}");
        assert_eq!(ran.snapshot(), None);
        assert!(ran.stderr.contains("space"), "it does not say why: {}", ran.stderr);
        assert_eq!(stage.snapshot_count(), 1, "a part of a snapshot is listed");
        disk.resize(8 * SOURCE_MIB * 1024);
        stage.backup(0);
        stage.restores();
    }
}

#[test]
fn a_full_state_folder_costs_no_snapshot() {
    for room_kib in [0, 64, 128, 256, 512, 1024, 2048] {
        let Some((stage, disk)) = Stage::new("state") else { return };
        disk.resize(used_kib(&stage.path("state")) + room_kib);
        let ran = stage.program.run(["backup", "-q", "--json", "source"]);
        let count = stage.snapshot_count();
        disk.resize(8 * SOURCE_MIB * 1024);
        if ran.snapshot().is_some() {
            assert_eq!(count, 2, "with room for {room_kib} KiB: reported and not listed");
        }
        stage.backup(0);
        stage.restores();
    }
}

#[test]
fn a_full_target_is_said_and_the_rest_can_be_restored_later() {
    for room_mib in 0..SOURCE_MIB {
        let Some((stage, disk)) = Stage::new("target") else { return };
        stage.backup(0);
        disk.resize(room_mib * 1024 + 64);
        let what = format!("latest:{}", stage.path("source").display());
        let ran = stage.program.run(["restore", "-q", &what, "--target", "target/inside"]);
        assert!(!matches!(ran.exit, Some(0)), "with room for {room_mib} MiB: {ran:#?}");
        let says_why =
            ran.stderr.contains("No space") || ran.stderr.contains(" free, the restore needs ");
        assert!(says_why, "it does not say why: {}", ran.stderr);
        disk.resize(8 * SOURCE_MIB * 1024);
        stage.restores();
    }
}

#[test]
fn on_a_disk_without_a_free_byte_space_can_be_freed() {
    let Some((stage, disk)) = Stage::new("repository") else { return };
    stage.backup(0);
    for at in 0..SOURCE_MIB {
        std::fs::remove_file(stage.path(&format!("source/{at}"))).expect("it is there");
    }
    stage.backup(0);
    // Somebody else takes the last byte; nothing but the repository can give one back.
    disk.resize(used_kib(&stage.path("repository")) + 8);
    fill(&stage.path("repository/filler"));
    let listed = stage.program.run(["snapshots", "--json"]);
    assert_eq!(listed.exit, Some(0), "{listed:#?}");
    let forgot = stage.program.run(["forget", "--keep-last", "1", "--confirm-mass-delete", "9"]);
    assert_eq!(forgot.exit, Some(0), "{forgot:#?}");
    assert!(forgot.stderr.contains("reserve"), "{}", forgot.stderr);
    let pruned = stage.program.run(["prune", "--grace", "0s", "--confirm-mass-delete", "999"]);
    assert_eq!(pruned.exit, Some(0), "{pruned:#?}");
    let left = used_kib(&stage.path("repository"));
    assert!(left < SOURCE_MIB * 1024, "{left} KiB are left: {}", pruned.stdout);
    stage.restores();
}

#[test]
fn a_full_state_folder_has_a_way_out() {
    let Some((stage, disk)) = Stage::new("state") else { return };
    stage.backup(0);
    disk.resize(used_kib(&stage.path("state")) + 4);
    fill(&stage.path("state/filler"));
    // What only reads goes on without, another folder does for the rest, and caches can go.
    let read = stage.program.run(["ls", "-q", "--no-index", "latest"]);
    assert_eq!(read.exit, Some(0), "{read:#?}");
    for line in [&["prune", "--grace", "0s"][..], &["backup", "-q", "source"]] {
        let elsewhere = stage.program.run([line, &["--cache-dir", "other"]].concat());
        assert_eq!(elsewhere.exit, Some(0), "{elsewhere:#?}");
    }
    let cleaned = stage.program.run(["cache", "clean", "--older-than", "0s"]);
    assert_eq!(cleaned.exit, Some(0), "{cleaned:#?}");
    disk.resize(8 * SOURCE_MIB * 1024);
    stage.backup(0);
    stage.restores();
}

/// Writes until nothing more can be.
fn fill(path: &Path) {
    let mut file = std::fs::File::create(path).expect("a file has room in a folder");
    while std::io::Write::write_all(&mut file, &[1; 1024]).is_ok() {}
}
