//! Cases of what hangs on a file beside its bytes: inode flags, attributes, rights of its folder.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::Path;
use std::process::Command;

use crate::disks::{Kind, must};
use crate::machine::{NOBODY, run};
use crate::rules::{
    Case, PAST, Stage, Verdict, ends, equal, fails, holds, kept, no_leftovers, now, untouched,
};

/// Every case of this file.
pub(crate) const CASES: &[Case] = &[
    ("flags come back", flags_come_back),
    ("an immutable file that is right is kept", an_immutable_file_is_kept),
    ("an immutable file that is wrong is no silent success", an_immutable_file_in_the_way),
    ("immutable files with several names come back", immutable_files_with_names),
    ("immutable folders come back, the top one included", immutable_folders),
    ("a folder that only takes more is refused", a_folder_to_which_one_can_only_add),
    ("no copy on write is set before content", no_copy_on_write),
    ("attributes are left out if asked", attributes_are_left_out),
    ("a read-only folder of the same user is filled", a_read_only_folder_is_filled),
    ("nothing needs /proc", nothing_needs_proc),
];

/// Takes away what keeps root from removing a file.
pub(crate) fn thaw(folder: &Path) {
    let _ = Command::new("chattr").args(["-R", "-f", "-i", "-a"]).arg(folder).output();
}

/// The letters that `lsattr` shows.
fn letters(path: &Path) -> String {
    let output = Command::new("lsattr").arg("-d").arg(path).output().expect("it is installed");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.split_whitespace().next().unwrap_or_default().to_owned()
}

fn set(flag: &str, path: &Path) {
    must(Command::new("chattr").arg(flag).arg(path));
}

/// Whether this file system keeps the flags that are meant here.
fn has_flags(stage: &Stage) -> bool {
    matches!(stage.disk.kind, Kind::Ext4 | Kind::Xfs | Kind::Btrfs)
}

fn flags_come_back(stage: &Stage) -> Verdict {
    if !has_flags(stage) {
        return Ok(());
    }
    let (source, target) = (stage.place.join("source"), stage.place.join("target"));
    for (name, flag) in [("a", "+d"), ("b", "+A"), ("folder/c", "+d")] {
        Stage::file(&source.join(name), 1, 50_000);
        set(flag, &source.join(name));
    }
    set("+d", &source.join("folder"));
    let what = Stage::at(&stage.save(&source), &source);
    for (options, differ) in [(&[][..], false), (&["--no-flags"][..], true)] {
        ends(&stage.restore(&what, &target, options), 0)?;
        for name in ["a", "b", "folder", "folder/c"] {
            let (mine, others) = (letters(&target.join(name)), letters(&source.join(name)));
            let why = format!("{name} with {options:?}: {mine}, saved {others}");
            holds((mine != others) == differ, why)?;
        }
        fs::remove_dir_all(&target).expect("it was just made");
    }
    Ok(())
}

fn an_immutable_file_is_kept(stage: &Stage) -> Verdict {
    if !has_flags(stage) {
        return Ok(());
    }
    let (source, target) = (stage.place.join("source"), stage.place.join("target"));
    Stage::file(&source.join("fixed"), 1, 5_000);
    Stage::file(&source.join("other"), 2, 5_000);
    set("+i", &source.join("fixed"));
    let what = Stage::at(&stage.save(&source), &source);
    ends(&stage.restore(&what, &target, &[]), 0)?;
    holds(letters(&target.join("fixed")).contains('i'), "it is not immutable")?;
    fs::remove_file(target.join("other")).expect("a file of ours");
    let old = now(&target);
    ends(&stage.restore(&what, &target, &["--overwrite", "if-changed", "--delete"]), 0)?;
    kept(&old, &target, &["fixed"])?;
    equal(&source, &target)
}

fn an_immutable_file_in_the_way(stage: &Stage) -> Verdict {
    if !has_flags(stage) {
        return Ok(());
    }
    Stage::file(&stage.source.join("fixed"), 1, 5_000);
    Stage::file(&stage.source.join("other"), 2, 5_000);
    let what = Stage::at(&stage.save(&stage.source), &stage.source);
    Stage::file(&stage.place.join("fixed"), 7, 300);
    let old = fs::read(stage.place.join("fixed")).expect("a file of ours");
    set("+i", &stage.place.join("fixed"));
    let ran = stage.restore(&what, &stage.place, &["--overwrite", "always"]);
    let bytes = fs::read(stage.place.join("fixed")).expect("it is there");
    if ran.exit == Some(0) {
        return equal(&stage.source, &stage.place);
    }
    fails(&ran)?;
    holds(bytes == old, "it is neither old nor new")?;
    holds(ran.stderr.contains("fixed"), format!("it is not named: {}", ran.show()))?;
    holds(stage.place.join("other").exists(), "the rest is not restored")
}

fn immutable_files_with_names(stage: &Stage) -> Verdict {
    if !has_flags(stage) {
        return Ok(());
    }
    let (source, target) = (stage.place.join("source"), stage.place.join("target"));
    for (name, flag) in [("a/fixed", "+i"), ("a/grows", "+a")] {
        Stage::file(&source.join(name), 1, 5_000);
        fs::create_dir_all(source.join("b")).expect("the place is free");
        let other = source.join(name.replace("a/", "b/"));
        fs::hard_link(source.join(name), other).expect("the place is free");
        set(flag, &source.join(name));
    }
    let what = Stage::at(&stage.save(&source), &source);
    ends(&stage.restore(&what, &target, &[]), 0)?;
    let filled = stage.place.join("filled");
    Stage::file(&filled.join("more"), 3, 10);
    ends(&stage.restore(&what, &filled, &["--overwrite", "if-newer"]), 0)?;
    fs::remove_file(filled.join("more")).expect("a file of ours");
    for folder in [&target, &filled] {
        equal(&source, folder)?;
        no_leftovers(folder)?;
        for (name, letter) in [("b/fixed", 'i'), ("b/grows", 'a')] {
            holds(letters(&folder.join(name)).contains(letter), format!("{name} has no flag"))?;
        }
        ends(&stage.restore(&what, folder, &["--overwrite", "if-changed"]), 0)?;
    }
    Ok(())
}

fn immutable_folders(stage: &Stage) -> Verdict {
    if !has_flags(stage) {
        return Ok(());
    }
    for flag in ["+i", "+a"] {
        let (source, target) = (stage.place.join("source"), stage.place.join("target"));
        Stage::file(&source.join("inner/file"), 1, 5_000);
        set(flag, &source.join("inner"));
        set(flag, &source);
        let what = Stage::at(&stage.save(&source), &source);
        fs::create_dir(&target).expect("the place is free");
        ends(&stage.restore(&what, &target, &[]), 0)?;
        equal(&source, &target)?;
        no_leftovers(&target)?;
        for name in ["", "inner"] {
            let letters = letters(&target.join(name));
            holds(letters.contains(&flag[1..]), format!("{flag} is lost of {name:?}"))?;
        }
        for folder in [&source, &target] {
            thaw(folder);
            fs::remove_dir_all(folder).expect("it was thawed");
        }
    }
    Ok(())
}

fn a_folder_to_which_one_can_only_add(stage: &Stage) -> Verdict {
    if !has_flags(stage) {
        return Ok(());
    }
    Stage::file(&stage.source.join("file"), 1, 5_000);
    let what = Stage::at(&stage.save(&stage.source), &stage.source);
    let target = stage.place.join("target");
    Stage::file(&target.join("other"), 2, 10);
    set("+a", &target);
    let old = now(&target);
    for options in [&["--overwrite", "always"][..], &["--overwrite", "always", "--dry-run"]] {
        let ran = stage.restore(&what, &target, options);
        fails(&ran)?;
        holds(ran.stderr.contains("chattr -i -a"), format!("no way out is named: {}", ran.show()))?;
    }
    untouched(&old, &target)
}

fn no_copy_on_write(stage: &Stage) -> Verdict {
    if stage.disk.kind != Kind::Btrfs {
        return Ok(());
    }
    let (source, target) = (stage.place.join("source"), stage.place.join("target"));
    fs::create_dir(&source).expect("the place is free");
    fs::File::create(source.join("image")).expect("a file of ours");
    // It can be set as long as a file is empty.
    set("+C", &source.join("image"));
    let bytes = system_tests::trees::content::random_bytes(1, 300_000);
    let file = fs::File::options().write(true).open(source.join("image")).expect("a file of ours");
    std::os::unix::fs::FileExt::write_all_at(&file, &bytes, 0).expect("there is room");
    drop(file);
    let what = Stage::at(&stage.save(&source), &source);
    ends(&stage.restore(&what, &target, &[]), 0)?;
    holds(letters(&target.join("image")).contains('C'), "it is copied on write")?;
    equal(&source, &target)
}

fn attributes_are_left_out(stage: &Stage) -> Verdict {
    let path = stage.source.join("a");
    Stage::file(&path, 1, 500);
    let flags = rustix::fs::XattrFlags::empty();
    rustix::fs::setxattr(&path, "user.note", b"value", flags).expect("there are attributes");
    let what = Stage::at(&stage.save(&stage.source), &stage.source);
    let count = |path: &Path| now(path).get("a").map_or(0, |seen| seen.facts.xattrs.len());
    ends(&stage.restore(&what, &stage.place.join("with"), &[]), 0)?;
    ends(&stage.restore(&what, &stage.place.join("without"), &["--no-xattrs"]), 0)?;
    holds(count(&stage.place.join("with")) == 1, "the attribute is not restored")?;
    holds(count(&stage.place.join("without")) == 0, "the attribute is restored all the same")
}

fn give(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).expect("it is ours");
    chown(path, Some(NOBODY), Some(NOBODY)).expect("root may");
}

fn a_read_only_folder_is_filled(stage: &Stage) -> Verdict {
    let make = |root: &Path| {
        for name in ["d/a", "d/b"] {
            Stage::file(&root.join(name), 1, 500);
            give(&root.join(name), 0o444);
        }
        give(&root.join("d"), 0o555);
        system_tests::trees::set_mtime(&root.join("d"), PAST);
        give(root, 0o755);
    };
    make(&stage.source);
    let snapshot = stage.machine.backup(&stage.source, &[], true);
    let what = Stage::at(&snapshot, &stage.source);
    make(&stage.place);
    fs::remove_file(stage.place.join("d/b")).expect("a file of ours");
    // Others must get to the disk.
    for above in stage.place.ancestors().skip(1).take(4) {
        let _ = fs::set_permissions(above, Permissions::from_mode(0o755));
    }
    let options = ["--overwrite", "if-changed"];
    ends(&stage.restore_as_nobody(&what, &stage.place, &options), 0)?;
    equal(&stage.source, &stage.place)?;
    no_leftovers(&stage.place)?;
    let old = now(&stage.place);
    ends(&stage.restore_as_nobody(&what, &stage.place, &options), 0)?;
    untouched(&old, &stage.place)
}

fn nothing_needs_proc(stage: &Stage) -> Verdict {
    let path = stage.source.join("d/a");
    Stage::file(&path, 1, 80_000);
    let flags = rustix::fs::XattrFlags::empty();
    rustix::fs::setxattr(&path, "user.note", b"value", flags).expect("there are attributes");
    fs::hard_link(&path, stage.source.join("b")).expect("one file system");
    crate::rules::link("d/a", &stage.source.join("link"));
    let what = Stage::at(&stage.save(&stage.source), &stage.source);
    for options in [&[][..], &["--overwrite", "always", "--delete"]] {
        let command = stage.machine.restore(&Stage::words(&what, &stage.place, options));
        // In mounts of its own: without `/proc` nobody could unmount what is over it.
        let mut without = Command::new("/usr/bin/unshare");
        without.args([
            "-m",
            "/bin/sh",
            "-c",
            "/bin/mount -t tmpfs none /proc && exec \"$@\"",
            "sh",
        ]);
        without.arg(command.get_program()).args(command.get_args()).env_clear();
        without.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
        ends(&run(without), 0)?;
    }
    equal(&stage.source, &stage.place)
}
