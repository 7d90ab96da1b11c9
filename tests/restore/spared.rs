//! Cases of what a restore must leave although its place is wanted, and of targets that resist.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::process::Command;

use system_tests::trees::put;

use crate::disks::Kind;
use crate::machine::NOBODY;
use crate::rules::{Case, Stage, Verdict, ends, equal, fails, holds, kept, no_leftovers, now};

const MIB: usize = 1 << 20;
const REPLACES: [&str; 4] = ["--overwrite", "always", "--delete", "--replace-kind"];

/// Every case of this file.
pub(crate) const CASES: &[Case] = &[
    ("a folder goes with all it holds or not at all", a_folder_goes_whole_or_not_at_all),
    ("a folder that may go goes", a_folder_that_may_go_goes),
    ("what a rule keeps is replaced by no folder", a_rule_keeps_files_in_the_way),
    ("a dry run sees what flags protect", a_dry_run_sees_flags),
    ("an attribute that does not fit costs itself alone", an_attribute_that_does_not_fit),
    ("a read-only target of one's own is filled", a_read_only_target),
    ("a full disk takes as much as goes", a_full_disk_takes_as_much_as_goes),
];

/// A snapshot that has a file `x` where a folder lies now.
fn file_for_folder(stage: &Stage) -> String {
    Stage::file(&stage.source.join("x"), 1, 5_000);
    Stage::at(&stage.save(&stage.source), &stage.source)
}

fn a_folder_goes_whole_or_not_at_all(stage: &Stage) -> Verdict {
    let what = file_for_folder(stage);
    let folder = stage.place.join("x");
    for name in ["mine", "deep/other", "deep/keep.tmp", "zz"] {
        Stage::file(&folder.join(name), 3, 100);
    }
    let old = now(&stage.place);
    let options = [&REPLACES[..], &["--exclude", "*.tmp"]].concat();
    for more in [&["--dry-run"][..], &[]] {
        let ran = stage.restore(&what, &stage.place, &[&options, more].concat());
        fails(&ran)?;
        holds(ran.stderr.contains("keep.tmp"), format!("it does not say why: {}", ran.show()))?;
        let names = ["x", "x/mine", "x/deep", "x/deep/other", "x/deep/keep.tmp", "x/zz"];
        kept(&old, &stage.place, &names)?;
    }
    fs::remove_file(folder.join("deep/keep.tmp")).expect("a file of ours");
    ends(&stage.restore(&what, &stage.place, &options), 0)?;
    equal(&stage.source, &stage.place)
}

fn a_folder_that_may_go_goes(stage: &Stage) -> Verdict {
    let what = file_for_folder(stage);
    Stage::file(&stage.place.join("x/deep/other"), 3, 100);
    ends(&stage.restore(&what, &stage.place, &REPLACES), 0)?;
    equal(&stage.source, &stage.place)?;
    no_leftovers(&stage.place)
}

fn a_rule_keeps_files_in_the_way(stage: &Stage) -> Verdict {
    Stage::file(&stage.source.join("folder/inner"), 1, 100);
    Stage::file(&stage.source.join("link/inner"), 1, 100);
    Stage::file(&stage.source.join("other"), 1, 100);
    let what = Stage::at(&stage.save(&stage.source), &stage.source);
    put(&stage.place.join("folder"), b"precious");
    symlink("nowhere", stage.place.join("link")).expect("the place is free");
    for rule in ["never", "if-newer"] {
        let ran = stage.restore(&what, &stage.place, &["--overwrite", rule, "--replace-kind"]);
        fails(&ran)?;
        let kept = fs::read(stage.place.join("folder")).is_ok_and(|bytes| bytes == b"precious");
        holds(kept, format!("{rule} has kept nothing: {}", ran.show()))?;
        let is_link = stage.place.join("link").is_symlink();
        holds(is_link, format!("{rule} has kept no link: {}", ran.show()))?;
        holds(stage.place.join("other").exists(), "the rest is not restored")?;
    }
    ends(&stage.restore(&what, &stage.place, &REPLACES), 0)?;
    equal(&stage.source, &stage.place)
}

fn set(flag: &str, path: &std::path::Path) {
    crate::disks::must(Command::new("chattr").arg(flag).arg(path));
}

fn a_dry_run_sees_flags(stage: &Stage) -> Verdict {
    if !matches!(stage.disk.kind, Kind::Ext4 | Kind::Xfs | Kind::Btrfs) {
        return Ok(());
    }
    Stage::file(&stage.source.join("fixed/file"), 1, 5_000);
    Stage::file(&stage.source.join("other"), 1, 5_000);
    let what = Stage::at(&stage.save(&stage.source), &stage.source);
    Stage::file(&stage.place.join("fixed/file"), 9, 300);
    Stage::file(&stage.place.join("extra"), 9, 300);
    set("+i", &stage.place.join("extra"));
    set("+i", &stage.place.join("fixed"));
    let options = ["--overwrite", "always", "--delete"];
    for more in [&["--dry-run"][..], &[]] {
        let ran = stage.restore(&what, &stage.place, &[&options, more].concat());
        fails(&ran)?;
        for name in ["/extra", "/fixed/file"] {
            let is_said = ran.stderr.lines().any(|it| it.contains(name) && it.contains("chattr"));
            holds(is_said, format!("{name}: no way out is named: {}", ran.show()))?;
        }
        holds(!ran.stdout.contains("- /extra"), format!("it is told as gone: {}", ran.show()))?;
    }
    holds(stage.place.join("other").exists(), "the rest is not restored")?;
    no_leftovers(&stage.place)
}

fn an_attribute_that_does_not_fit(stage: &Stage) -> Verdict {
    let large = stage.source.join("large");
    Stage::file(&large, 1, 5_000);
    let value = vec![b'v'; 20_000];
    let flags = rustix::fs::XattrFlags::CREATE;
    if rustix::fs::setxattr(&large, "user.big", &value, flags).is_err() {
        // Nowhere here can it be saved.
        return Ok(());
    }
    let what = Stage::at(&stage.save(&stage.source), &stage.source);
    for _ in 0..2 {
        let ran = stage.restore(&what, &stage.place, &["--overwrite", "always"]);
        let is_there = fs::read(stage.place.join("large")).ok() == fs::read(&large).ok();
        holds(is_there, format!("the file is not restored: {}", ran.show()))?;
        if ran.exit != Some(0) {
            fails(&ran)?;
            holds(ran.stderr.contains("--no-xattrs"), format!("no way out: {}", ran.show()))?;
        }
        no_leftovers(&stage.place)?;
    }
    ends(&stage.restore(&what, &stage.place, &["--overwrite", "always", "--no-xattrs"]), 0)
}

fn a_read_only_target(stage: &Stage) -> Verdict {
    if !stage.machine.is_root() {
        return Ok(());
    }
    Stage::file(&stage.source.join("file"), 1, 100);
    fs::set_permissions(&stage.source, Permissions::from_mode(0o555)).expect("it is ours");
    let what = Stage::at(&stage.save(&stage.source), &stage.source);
    chown(&stage.place, Some(NOBODY), Some(NOBODY)).expect("this is root");
    let target = stage.place.join("target");
    ends(&stage.restore_as_nobody(&what, &target, &[]), 0)?;
    let mode =
        |path: &std::path::Path| fs::metadata(path).map(|it| it.permissions().mode() & 0o777);
    holds(mode(&target).ok() == Some(0o555), "it has another mode")?;
    no_leftovers(&target)?;
    // A file is missing in it, and it is as it should be otherwise.
    fs::remove_file(target.join("file")).expect("this is root");
    for more in [&["--dry-run"][..], &[]] {
        let options = [&["--overwrite", "if-changed"][..], more].concat();
        ends(&stage.restore_as_nobody(&what, &target, &options), 0)?;
    }
    holds(target.join("file").exists(), "the file is not restored")?;
    holds(mode(&target).ok() == Some(0o555), "it got another mode")?;
    no_leftovers(&target)?;
    let file = Stage::at(what.split(':').next().unwrap_or_default(), &stage.source.join("file"));
    fs::remove_file(target.join("file")).expect("this is root");
    ends(&stage.restore_as_nobody(&file, &target, &["--overwrite", "if-changed"]), 0)?;
    holds(mode(&target).ok() == Some(0o555), "one file changed its mode")
}

fn a_full_disk_takes_as_much_as_goes(stage: &Stage) -> Verdict {
    for number in 0..12 {
        Stage::file(&stage.source.join(format!("f{number}")), number, 2 * MIB);
        Stage::file(&stage.place.join(format!("f{number}")), 100 + number, 2 * MIB);
    }
    let what = Stage::at(&stage.save(&stage.source), &stage.source);
    let filler = stage.disk.leave(10);
    let trial = stage.restore(&what, &stage.place, &["--overwrite", "always", "--dry-run"]);
    ends(&trial, 0)?;
    ends(&stage.restore(&what, &stage.place, &["--overwrite", "always"]), 0)?;
    equal(&stage.source, &stage.place)?;
    drop(filler);
    no_leftovers(&stage.disk.place)
}
