//! Restores onto file systems that round times, and what is told of the target itself.

use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime};

use crate::disks::{Disk, Kind, must};
use crate::machine::Machine;
use crate::rules::{Case, PAST, Stage, Verdict, ends, fails, holds, inode, no_leftovers};

pub(crate) const CASES: &[Case] = &[
    ("the target itself is told of as in the dry run", the_target_itself),
    ("what only root can make leaves nothing behind", what_only_root_can_make),
];

fn the_target_itself(stage: &Stage) -> Verdict {
    Stage::file(&stage.source.join("folder/file"), 1, 500);
    let what = Stage::at(&stage.save(&stage.source), &stage.source);
    ends(&stage.restore(&what, &stage.place, &["--overwrite", "always"]), 0)?;
    let options = ["--overwrite", "if-changed", "--verbose"];
    let planned = stage.restore(&what, &stage.place, &[&options[..], &["--dry-run"]].concat());
    let done = stage.restore(&what, &stage.place, &options);
    for ran in [&planned, &done] {
        ends(ran, 0)?;
        holds(!ran.stdout.contains("U /"), format!("nothing changes: {}", ran.show()))?;
    }
    Ok(())
}

fn what_only_root_can_make(stage: &Stage) -> Verdict {
    Stage::file(&stage.source.join("file"), 1, 500);
    let device = stage.source.join("null");
    must(std::process::Command::new("mknod").arg(&device).args(["c", "1", "3"]));
    let what = Stage::at(&stage.save(&stage.source), &stage.source);
    let target = stage.place.join("own");
    fs::create_dir(&target).map_err(|error| error.to_string())?;
    let nobody = Some(crate::machine::NOBODY);
    std::os::unix::fs::chown(&target, nobody, nobody).map_err(|error| error.to_string())?;
    let ran = stage.restore_as_nobody(&what, &target, &[]);
    fails(&ran)?;
    holds(ran.stderr.contains("root can"), format!("no way out: {}", ran.show()))?;
    holds(target.join("file").exists(), "the rest is not restored")?;
    no_leftovers(&target)?;
    ends(&stage.restore(&what, &target, &["--overwrite", "if-changed"]), 0)?;
    holds(target.join("null").exists(), "root has not made it")
}

fn set_time(path: &Path, time: SystemTime) {
    let file = fs::File::options().write(true).open(path).expect("a file of ours");
    file.set_modified(time).expect("a file of ours");
}

/// An old file system of the kind of ext keeps whole seconds, until 2038.
#[test]
fn what_was_restored_onto_a_coarse_file_system_is_not_restored_again() {
    let Some(disk) = Disk::new(Kind::OldExt) else { return };
    let folder = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir());
    let folder = folder.expect("a temporary folder");
    let machine = Machine::create(&folder.path().join("machine"));
    let place = disk.place.join("case");
    let source = machine.folder.join("src");
    let stage = Stage { machine, disk, source, place };
    fs::create_dir(&stage.source).expect("the place is free");
    for number in 0..5_u64 {
        let path = stage.source.join(format!("file{number}"));
        Stage::file(&path, number, 500);
        let time = Duration::from_secs(PAST) + Duration::from_nanos(number * 123_456_789);
        set_time(&path, SystemTime::UNIX_EPOCH + time);
    }
    let what = Stage::at(&stage.save(&stage.source), &stage.source);
    ends(&stage.restore(&what, &stage.place, &[]), 0).expect("it restores");
    let before: Vec<_> =
        (0..5).map(|number| inode(&stage.place.join(format!("file{number}")))).collect();
    let options = ["--overwrite", "if-changed", "--verbose"];
    let ran = stage.restore(&what, &stage.place, &options);
    ends(&ran, 0).expect("it restores");
    let now: Vec<_> =
        (0..5).map(|number| inode(&stage.place.join(format!("file{number}")))).collect();
    assert_eq!(before, now, "{}", ran.show());
    assert!(
        !ran.stdout.lines().any(|line| line.starts_with("M ") || line.starts_with("U ")),
        "{}",
        ran.show()
    );
    // A file that was changed within the second is another one.
    let changed = stage.place.join("file3");
    fs::write(&changed, b"changed").expect("a file of ours");
    ends(&stage.restore(&what, &stage.place, &options), 0).expect("it restores");
    assert_ne!(fs::read(&changed).expect("it is there"), b"changed");

    let far = stage.source.join("far");
    Stage::file(&far, 9, 500);
    set_time(&far, SystemTime::UNIX_EPOCH + Duration::from_secs(7_258_118_400));
    let what = Stage::at(&stage.save(&stage.source), &stage.source);
    let ran = stage.restore(&what, &stage.place, &options);
    fails(&ran).expect("a time is not what it was");
    assert!(
        ran.stderr.contains("/far: setting the times of: the file system cannot hold"),
        "{}",
        ran.show()
    );
    let ran = stage.restore(&what, &stage.place, &options);
    ends(&ran, 0).expect("nothing is left to do");
}
