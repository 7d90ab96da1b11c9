//! File systems of several kinds, each in a file of its own, as long as a test runs.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use system_tests::scale::tell;

use crate::points::own_mounts;

/// What is mounted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Ext4,
    /// With inodes that have no room for fractions of seconds.
    OldExt,
    Xfs,
    Btrfs,
    Tmpfs,
    Overlay,
}

/// How large each is; XFS is not made smaller.
const SIZE_MIB: u64 = 400;

/// A mounted file system. Mounts are those of this thread alone, so that they end with it.
pub(crate) struct Disk {
    pub(crate) kind: Kind,
    /// A folder on it.
    pub(crate) place: PathBuf,
    mounted: Vec<PathBuf>,
    _folder: tempfile::TempDir,
}

impl Disk {
    /// Mounts a new file system; nothing without root, which is said.
    pub(crate) fn new(kind: Kind) -> Option<Self> {
        if !rustix::process::geteuid().is_root() || !own_mounts() {
            tell(&format!("NOT TESTED: restores on {kind:?}, because mounting needs root"));
            return None;
        }
        let folder = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir());
        let folder = folder.expect("a temporary folder");
        let base = folder.path().to_owned();
        let at = base.join("disk");
        fs::create_dir(&at).expect("a folder of ours");
        let mut mounted = vec![at.clone()];
        match kind {
            Kind::Ext4 => image(&base, &at, "mkfs.ext4", &["-q", "-F", "-I", "256", "-m", "0"]),
            Kind::OldExt => image(&base, &at, "mkfs.ext4", &["-q", "-F", "-I", "128", "-m", "0"]),
            Kind::Xfs => image(&base, &at, "mkfs.xfs", &["-q", "-f"]),
            Kind::Btrfs => image(&base, &at, "mkfs.btrfs", &["-q", "-f"]),
            Kind::Tmpfs => tmpfs(&at),
            Kind::Overlay => {
                let below = base.join("below");
                fs::create_dir(&below).expect("a folder of ours");
                tmpfs(&below);
                let parts = ["lower", "upper", "work"].map(|name| below.join(name));
                parts.iter().for_each(|part| fs::create_dir(part).expect("a folder of ours"));
                let [lower, upper, work] = parts.each_ref().map(|part| part.display());
                let options = format!("lowerdir={lower},upperdir={upper},workdir={work}");
                must(
                    Command::new("mount").args(["-t", "overlay", "-o", &options, "none"]).arg(&at),
                );
                mounted.insert(0, below);
            }
        }
        let place = at.join("place");
        fs::create_dir(&place).expect("a new file system has room");
        Some(Self { kind, place, mounted, _folder: folder })
    }

    /// Leaves so much room on it, until what is returned is dropped.
    pub(crate) fn leave(&self, free_mib: u64) -> Filler {
        let path = self.place.join("filler");
        let file = File::create(&path).expect("there is room");
        // Step by step, because file systems need some room to say where things are.
        let flags = rustix::fs::FallocateFlags::empty();
        for at in 0.. {
            file.sync_all().expect("a disk of ours");
            let stat = rustix::fs::statvfs(&self.place).expect("the system says");
            let free_bytes = (stat.f_bavail * stat.f_frsize).saturating_sub(free_mib << 20);
            let step_bytes = free_bytes.min(16 << 20);
            let is_full = step_bytes < 64 << 10;
            if is_full || rustix::fs::fallocate(&file, flags, at * (16 << 20), step_bytes).is_err()
            {
                break;
            }
        }
        file.sync_all().expect("a disk of ours");
        Filler(path)
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        for place in self.mounted.iter().rev() {
            // A test that failed already should say why, not that this failed, too.
            let _ = Command::new("umount").arg("-l").arg(place).status();
        }
    }
}

/// A file that fills a disk.
pub(crate) struct Filler(PathBuf);

impl Drop for Filler {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
        // Btrfs gives the room back when this has reached the disk.
        if let Some(folder) = self.0.parent().and_then(|folder| File::open(folder).ok()) {
            let _ = rustix::fs::syncfs(folder);
        }
    }
}

fn image(base: &Path, at: &Path, program: &str, options: &[&str]) {
    let path = base.join("image");
    let file = File::create(&path).expect("a file of ours");
    file.set_len(SIZE_MIB << 20).expect("a hole costs nothing");
    must(Command::new(program).args(options).arg(&path));
    must(Command::new("mount").args(["-o", "loop"]).arg(&path).arg(at));
}

fn tmpfs(at: &Path) {
    let size = format!("size={SIZE_MIB}m");
    must(Command::new("mount").args(["-t", "tmpfs", "-o", &size, "none"]).arg(at));
}

/// Runs a program of the system that has to succeed.
pub(crate) fn must(command: &mut Command) {
    // Programs that make file systems are not where everybody looks.
    command.env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let why = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {why}");
}
