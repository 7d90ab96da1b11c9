//! Cases of room on the disk: full disks, what fits and what does not, files written in place.

use std::fs;
use std::os::unix::fs::MetadataExt;

use system_tests::trees::{put, set_mtime};

use crate::rules::{
    Case, PAST, Stage, Verdict, ends, equal, fails, holds, inode, kept, no_leftovers, now,
    untouched,
};
use crate::tracer::Fault;

const MIB: usize = 1 << 20;

/// Every case of this file.
pub(crate) const CASES: &[Case] = &[
    ("a full disk leaves the old file", a_full_disk_leaves_the_old_file),
    ("what does not fit is refused first", what_does_not_fit_is_refused_first),
    ("nothing to write needs no room", nothing_to_write_needs_no_room),
    ("hard links are counted once", hard_links_are_counted_once),
    ("holes take no room", holes_take_no_room),
    ("a file larger than the room is written in place", in_place_needs_no_room),
    ("a file in place is marked until it is done", in_place_is_marked),
];

fn one_large(stage: &Stage, length: usize) -> String {
    Stage::file(&stage.source.join("large"), 1, length);
    Stage::file(&stage.source.join("small"), 2, 500);
    Stage::at(&stage.save(&stage.source), &stage.source)
}

fn a_full_disk_leaves_the_old_file(stage: &Stage) -> Verdict {
    let what = one_large(stage, 24 * MIB);
    Stage::file(&stage.place.join("large"), 5, 8 * MIB);
    let old = now(&stage.place);
    let filler = stage.disk.leave(10);
    let options = ["--overwrite", "always", "--no-space-check"];
    let ran = stage.restore(&what, &stage.place, &options);
    fails(&ran)?;
    holds(ran.stderr.contains("space"), format!("it does not say why: {}", ran.show()))?;
    kept(&old, &stage.place, &["large"])?;
    drop(filler);
    ends(&stage.restore(&what, &stage.place, &options), 0)?;
    equal(&stage.source, &stage.place)?;
    no_leftovers(&stage.disk.place)
}

fn what_does_not_fit_is_refused_first(stage: &Stage) -> Verdict {
    let what = one_large(stage, 24 * MIB);
    Stage::file(&stage.place.join("large"), 5, 24 * MIB);
    let old = now(&stage.place);
    let _filler = stage.disk.leave(10);
    // What is replaced is there until the new one is whole.
    let options = ["--overwrite", "always"];
    let trial = stage.restore(&what, &stage.place, &["--overwrite", "always", "--dry-run"]);
    let ran = stage.restore(&what, &stage.place, &options);
    fails(&ran)?;
    holds(trial.exit == ran.exit, format!("the dry run ends otherwise: {}", trial.show()))?;
    untouched(&old, &stage.place)
}

fn nothing_to_write_needs_no_room(stage: &Stage) -> Verdict {
    let what = one_large(stage, 12 * MIB);
    ends(&stage.restore(&what, &stage.place, &[]), 0)?;
    let old = now(&stage.place);
    let _filler = stage.disk.leave(2);
    ends(&stage.restore(&what, &stage.place, &["--overwrite", "if-changed"]), 0)?;
    untouched(&old, &stage.place)
}

fn hard_links_are_counted_once(stage: &Stage) -> Verdict {
    let what = {
        Stage::file(&stage.source.join("a"), 1, 12 * MIB);
        let link = |name: &str| fs::hard_link(stage.source.join("a"), stage.source.join(name));
        link("b").expect("one file system");
        link("c").expect("one file system");
        Stage::at(&stage.save(&stage.source), &stage.source)
    };
    let _filler = stage.disk.leave(20);
    ends(&stage.restore(&what, &stage.place, &[]), 0)?;
    equal(&stage.source, &stage.place)
}

fn holes_take_no_room(stage: &Stage) -> Verdict {
    let path = stage.source.join("sparse");
    Stage::file(&path, 1, 70_000);
    let file = fs::File::options().write(true).open(&path).expect("a file of ours");
    file.set_len(2_000 * MIB as u64).expect("a hole");
    drop(file);
    system_tests::trees::set_mtime(&path, 1_700_000_009);
    let what = Stage::at(&stage.save(&stage.source), &stage.source);
    Stage::file(&stage.place.join("sparse"), 5, 8 * MIB);
    let _filler = stage.disk.leave(20);
    ends(&stage.restore(&what, &stage.place, &["--overwrite", "always"]), 0)?;
    equal(&stage.source, &stage.place)
}

/// A large file of which a part differs, and little room.
fn changed(stage: &Stage) -> (String, std::path::PathBuf) {
    let what = one_large(stage, 24 * MIB);
    let target = stage.place.join("large");
    fs::copy(stage.source.join("large"), &target).expect("there is room");
    let file = fs::File::options().write(true).open(&target).expect("a file of ours");
    let other = system_tests::trees::content::random_bytes(9, MIB);
    std::os::unix::fs::FileExt::write_all_at(&file, &other, 10 * MIB as u64).expect("room");
    drop(file);
    (what, target)
}

fn in_place_needs_no_room(stage: &Stage) -> Verdict {
    let (what, target) = changed(stage);
    let number = inode(&target);
    let _filler = stage.disk.leave(8);
    fails(&stage.restore(&what, &stage.place, &["--overwrite", "if-changed"]))?;
    let options = ["--overwrite", "if-changed", "--in-place"];
    ends(&stage.restore(&what, &stage.place, &options), 0)?;
    holds(inode(&target) == number, "it is another file")?;
    equal(&stage.source, &stage.place)?;
    no_leftovers(&stage.disk.place)
}

fn in_place_is_marked(stage: &Stage) -> Verdict {
    let (what, target) = changed(stage);
    let options = ["--overwrite", "if-changed", "--in-place"];
    let words = Stage::words(&what, &stage.place, &options);
    let command = stage.machine.restore(&words);
    let old = fs::read(&target).expect("a file of ours");
    let whole = fs::read(stage.source.join("large")).expect("a file of ours");
    for at in 0.. {
        // Each begins with what the first began with, and with nothing of the one before.
        fs::remove_dir_all(&stage.place).expect("a folder of ours");
        put(&target, &old);
        set_mtime(&target, PAST - 7);
        let (_, traced) = stage.machine.trace(&command, &stage.place, Fault::KillAfter(at));
        let Some(met) = traced.met else { break };
        // Every write gives it the time of now, until its time is set to 0 again.
        let bytes = fs::read(&target).expect("it can be read");
        let seconds = fs::metadata(&target).expect("it is there").mtime();
        let says_done = [PAST as i64 - 7, PAST as i64 + 1].contains(&seconds);
        if bytes != old && bytes != whole && says_done {
            let after = met.show(&stage.place);
            return Err(format!("after {after}: half of it is new, and its time is {seconds}"));
        }
    }
    ends(&stage.restore(&what, &stage.place, &options), 0)?;
    equal(&stage.source, &stage.place)?;
    no_leftovers(&stage.disk.place)
}
