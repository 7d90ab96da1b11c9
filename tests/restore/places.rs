//! Cases of what stands where something is restored: mounts, links, other names, other kinds.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::disks::must;
use crate::look::Tree;
use crate::rules::{
    Case, PAST, Stage, Verdict, ends, equal, fails, holds, inode, kept, link, no_leftovers, now,
    untouched,
};

/// Every case of this file.
pub(crate) const CASES: &[Case] = &[
    ("names outside keep the old content", names_outside_keep_the_old_content),
    ("a file that is a mount point is written", a_mounted_file_is_written),
    ("a mounted folder is never replaced", a_mounted_folder_is_never_replaced),
    ("a mounted folder is never deleted", a_mounted_folder_is_never_deleted),
    ("a folder on another disk is filled", a_folder_on_another_disk_is_filled),
    ("a link where a folder was stays", a_link_where_a_folder_was_stays),
    ("a link above a source is left alone", a_link_above_a_source_is_left_alone),
    ("neighbours of a single file stay", neighbours_of_a_single_file_stay),
    ("other folders above a source stay", other_folders_above_a_source_stay),
    ("excluded names stay", excluded_names_stay),
    ("included files touch nothing else", included_files_touch_nothing_else),
    ("the same again touches nothing", the_same_again_touches_nothing),
];

/// `a`, `d/b`, `d/c`.
fn plain(stage: &Stage) -> String {
    for (name, seed) in [("a", 1), ("d/b", 2), ("d/c", 3)] {
        Stage::file(&stage.source.join(name), seed, 50_000);
    }
    system_tests::trees::set_mtime(&stage.source.join("d"), PAST);
    system_tests::trees::set_mtime(&stage.source, PAST);
    Stage::at(&stage.save(&stage.source), &stage.source)
}

fn names_outside_keep_the_old_content(stage: &Stage) -> Verdict {
    let what = plain(stage);
    let outside = stage.place.join("outside");
    let target = stage.place.join("target");
    Stage::file(&outside, 9, 700);
    let old = fs::read(&outside).expect("a file of ours");
    fs::create_dir(&target).expect("the place is free");
    fs::hard_link(&outside, target.join("a")).expect("one file system");
    let trial =
        stage.restore(&what, &target, &["--overwrite", "always", "--dry-run", "--json", "-v"]);
    let is_named =
        trial.stdout.lines().any(|line| line.contains("\"/a\"") && line.contains("remark"));
    holds(is_named, format!("the dry run does not say so: {}", trial.show()))?;
    ends(&stage.restore(&what, &target, &["--overwrite", "always"]), 0)?;
    holds(fs::read(&outside).is_ok_and(|bytes| bytes == old), "the name outside has other bytes")?;
    equal(&stage.source, &target)
}

fn a_mounted_file_is_written(stage: &Stage) -> Verdict {
    let what = plain(stage);
    let (other, target) = (stage.place.join("other"), stage.place.join("target"));
    Stage::file(&other, 9, 700);
    Stage::file(&target.join("a"), 8, 20);
    must(Command::new("mount").arg("--bind").arg(&other).arg(target.join("a")));
    let number = inode(&target.join("a"));
    ends(&stage.restore(&what, &target, &["--overwrite", "always"]), 0)?;
    holds(inode(&target.join("a")) == number, "it is another file")?;
    equal(&stage.source, &target)?;
    no_leftovers(&stage.place)
}

fn mount_at(path: &Path) -> Tree {
    fs::create_dir_all(path).expect("the place is free");
    must(Command::new("mount").args(["-t", "tmpfs", "none"]).arg(path));
    Stage::file(&path.join("inside"), 7, 300);
    now(path)
}

fn a_mounted_folder_is_never_replaced(stage: &Stage) -> Verdict {
    let what = plain(stage);
    let old = mount_at(&stage.place.join("a"));
    let options = ["--overwrite", "always", "--replace-kind", "--delete"];
    fails(&stage.restore(&what, &stage.place, &options))?;
    untouched(&old, &stage.place.join("a"))?;
    holds(stage.place.join("d/c").exists(), "the rest is not restored")
}

fn a_mounted_folder_is_never_deleted(stage: &Stage) -> Verdict {
    let what = plain(stage);
    let old = mount_at(&stage.place.join("d/extra/mounted"));
    Stage::file(&stage.place.join("d/extra-file"), 7, 300);
    ends(&stage.restore(&what, &stage.place, &["--overwrite", "always", "--delete"]), 0)?;
    untouched(&old, &stage.place.join("d/extra/mounted"))?;
    holds(!stage.place.join("d/extra-file").exists(), "an extra file is still there")
}

fn a_folder_on_another_disk_is_filled(stage: &Stage) -> Verdict {
    let what = plain(stage);
    fs::create_dir(stage.place.join("d")).expect("the place is free");
    must(Command::new("mount").args(["-t", "tmpfs", "none"]).arg(stage.place.join("d")));
    ends(&stage.restore(&what, &stage.place, &["--overwrite", "always", "--delete"]), 0)?;
    equal(&stage.source, &stage.place)?;
    no_leftovers(&stage.place)
}

fn a_link_where_a_folder_was_stays(stage: &Stage) -> Verdict {
    let what = plain(stage);
    let (outside, target) = (stage.place.join("outside"), stage.place.join("target"));
    Stage::file(&outside.join("b"), 7, 300);
    let old = now(&outside);
    fs::create_dir(&target).expect("the place is free");
    link("../outside", &target.join("d"));
    let plain = stage.restore(&what, &target, &["--overwrite", "always"]);
    fails(&plain)?;
    holds(target.join("d").is_symlink(), "the link was replaced without being asked")?;
    untouched(&old, &outside)?;
    let options = ["--overwrite", "always", "--replace-kind"];
    ends(&stage.restore(&what, &target, &options), 0)?;
    untouched(&old, &outside)?;
    equal(&stage.source, &target)
}

fn a_link_above_a_source_is_left_alone(stage: &Stage) -> Verdict {
    let root = &stage.source;
    Stage::file(&root.join("usr/lib/ld.so"), 1, 400);
    Stage::file(&root.join("usr/lib/systemd/unit"), 2, 400);
    Stage::file(&root.join("etc/conf"), 3, 400);
    link("usr/lib", &root.join("lib"));
    let snapshot = stage.machine.backup(&root.join("lib/systemd"), &[], false);
    let what = Stage::at(&snapshot, root);
    for option in ["always", "if-changed"] {
        for more in [&[][..], &["--delete"], &["--replace-kind", "--delete"]] {
            let options: Vec<&str> =
                ["--overwrite", option].into_iter().chain(more.iter().copied()).collect();
            // Whether it is a success depends on what the link means; nobody loses anything.
            let _ = stage.restore(&what, root, &options);
            holds(root.join("lib").is_symlink(), format!("the link is gone: {options:?}"))?;
            holds(
                root.join("lib/ld.so").exists(),
                format!("what it leads to is gone: {options:?}"),
            )?;
            holds(root.join("etc/conf").exists(), format!("a neighbour is gone: {options:?}"))?;
        }
    }
    Ok(())
}

fn neighbours_of_a_single_file_stay(stage: &Stage) -> Verdict {
    let snapshot = plain(stage);
    let what = format!("{snapshot}/a");
    Stage::file(&stage.place.join("mine"), 7, 300);
    Stage::file(&stage.place.join("d/mine"), 8, 300);
    let old = now(&stage.place);
    ends(&stage.restore(&what, &stage.place, &["--overwrite", "always", "--delete"]), 0)?;
    kept(&old, &stage.place, &["mine", "d", "d/mine"])?;
    holds(stage.place.join("a").is_file(), "the file itself is not there")
}

fn other_folders_above_a_source_stay(stage: &Stage) -> Verdict {
    plain(stage);
    let snapshot = stage.save(&stage.source.join("d"));
    let below = stage.place.join(stage.source.strip_prefix("/").expect("it is absolute"));
    Stage::file(&stage.place.join("etc/passwd"), 7, 300);
    Stage::file(&below.join("mine"), 8, 300);
    Stage::file(&below.join("d/extra"), 9, 300);
    let options = ["--overwrite", "if-changed", "--delete"];
    ends(&stage.restore(&snapshot, &stage.place, &options), 0)?;
    holds(stage.place.join("etc/passwd").exists(), "a folder beside the way is gone")?;
    holds(below.join("mine").exists(), "a neighbour of the source is gone")?;
    holds(!below.join("d/extra").exists(), "what was not in the source is still there")?;
    equal(&stage.source.join("d"), &below.join("d"))
}

fn excluded_names_stay(stage: &Stage) -> Verdict {
    plain(stage);
    Stage::file(&stage.source.join("d/cache/x"), 4, 300);
    let options = ["--exclude".to_owned(), "cache".to_owned()];
    let snapshot = stage.machine.backup(&stage.source, &options, false);
    let what = Stage::at(&snapshot, &stage.source);
    for name in ["d/cache/x", "d/extra", "extra"] {
        Stage::file(&stage.place.join(name), 7, 300);
    }
    ends(&stage.restore(&what, &stage.place, &["--overwrite", "always", "--delete"]), 0)?;
    holds(stage.place.join("d/cache/x").exists(), "what was excluded is gone")?;
    holds(!stage.place.join("extra").exists(), "what is proved not to have been there stays")?;
    let filter = ["--overwrite", "always", "--delete", "--exclude", "mine"];
    Stage::file(&stage.place.join("mine"), 7, 300);
    ends(&stage.restore(&what, &stage.place, &filter), 0)?;
    holds(stage.place.join("mine").exists(), "what the restore excludes is gone")
}

fn included_files_touch_nothing_else(stage: &Stage) -> Verdict {
    let what = plain(stage);
    for (name, seed) in [("a", 7), ("d/c", 8), ("e/x", 9)] {
        Stage::file(&stage.place.join(name), seed, 300);
    }
    fs::create_dir(stage.source.join("unused")).expect("the place is free");
    let old = now(&stage.place);
    let options = ["--overwrite", "always", "--delete", "--include", "b"];
    ends(&stage.restore(&what, &stage.place, &options), 0)?;
    let new = now(&stage.place);
    kept(&old, &stage.place, &["a", "d/c", "e", "e/x"])?;
    let folder = |tree: &Tree| tree.get("d").map(|seen| (seen.facts.mode, seen.facts.owner));
    holds(folder(&old) == folder(&new), "a folder on the way has another mode or owner")?;
    holds(stage.place.join("d/b").exists(), "what is included is not restored")
}

fn the_same_again_touches_nothing(stage: &Stage) -> Verdict {
    plain(stage);
    link("nowhere", &stage.source.join("link"));
    let what = Stage::at(&stage.save(&stage.source), &stage.source);
    ends(&stage.restore(&what, &stage.place, &[]), 0)?;
    let old = now(&stage.place);
    for option in ["if-changed", "if-newer", "never"] {
        ends(&stage.restore(&what, &stage.place, &["--overwrite", option, "--delete"]), 0)?;
        untouched(&old, &stage.place).map_err(|why| format!("{option}: {why}"))?;
    }
    Ok(())
}
