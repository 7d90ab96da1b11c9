//! Cases of what a target is called, and of targets that have something in them.

use std::fs;

use crate::rules::{Case, Stage, Verdict, ends, fails, holds, link, now, untouched};

/// Every case of this file.
pub(crate) const CASES: &[Case] = &[
    ("a file gets the name of the target", a_file_gets_the_name_of_the_target),
    ("a slash makes the target a folder", a_slash_makes_a_folder),
    ("a folder that is there gets the file", a_folder_gets_the_file),
    ("a link to a folder gets the file", a_link_to_a_folder_gets_the_file),
    ("a dry run makes no target", a_dry_run_makes_no_target),
    ("a target with something in it is refused", a_target_that_is_not_empty_is_refused),
    ("a filter that matches nothing is named", a_filter_that_matches_nothing_is_named),
    ("an exception below an excluded folder", an_exception_below_an_excluded_folder),
];

fn one(stage: &Stage) -> (String, Vec<u8>) {
    Stage::file(&stage.source.join("d/one"), 1, 4_000);
    let what = Stage::at(&stage.save(&stage.source), &stage.source.join("d/one"));
    (what, fs::read(stage.source.join("d/one")).expect("a file of ours"))
}

fn a_file_gets_the_name_of_the_target(stage: &Stage) -> Verdict {
    let (what, bytes) = one(stage);
    let target = stage.place.join("new");
    ends(&stage.restore(&what, &target, &[]), 0)?;
    holds(fs::read(&target).is_ok_and(|found| found == bytes), "it is not the file")?;
    let names = fs::read_dir(&stage.place).map(Iterator::count).unwrap_or_default();
    holds(names == 1, "there is more than that")
}

fn a_slash_makes_a_folder(stage: &Stage) -> Verdict {
    let (what, bytes) = one(stage);
    ends(&stage.restore(&what, &stage.place.join("new/"), &[]), 0)?;
    let found = fs::read(stage.place.join("new/one"));
    holds(found.is_ok_and(|found| found == bytes), "the file is not in the folder")
}

fn a_folder_gets_the_file(stage: &Stage) -> Verdict {
    let (what, bytes) = one(stage);
    fs::create_dir(stage.place.join("new")).expect("the place is free");
    ends(&stage.restore(&what, &stage.place.join("new"), &[]), 0)?;
    let found = fs::read(stage.place.join("new/one"));
    holds(found.is_ok_and(|found| found == bytes), "the file is not in the folder")
}

fn a_link_to_a_folder_gets_the_file(stage: &Stage) -> Verdict {
    let (what, bytes) = one(stage);
    fs::create_dir(stage.place.join("real")).expect("the place is free");
    link("real", &stage.place.join("new"));
    ends(&stage.restore(&what, &stage.place.join("new"), &[]), 0)?;
    let found = fs::read(stage.place.join("real/one"));
    holds(found.is_ok_and(|found| found == bytes), "the file is not in the folder")?;
    holds(stage.place.join("new").is_symlink(), "the link is gone")
}

fn a_dry_run_makes_no_target(stage: &Stage) -> Verdict {
    one(stage);
    let what = Stage::at(&stage.save(&stage.source), &stage.source);
    let old = now(&stage.place);
    ends(&stage.restore(&what, &stage.place.join("new/deep"), &["--dry-run"]), 0)?;
    untouched(&old, &stage.place)
}

fn a_target_that_is_not_empty_is_refused(stage: &Stage) -> Verdict {
    one(stage);
    let what = Stage::at(&stage.save(&stage.source), &stage.source);
    Stage::file(&stage.place.join("mine"), 7, 300);
    let old = now(&stage.place);
    let trial = stage.restore(&what, &stage.place, &["--dry-run"]);
    ends(&trial, 23)?;
    ends(&stage.restore(&what, &stage.place, &[]), 23)?;
    untouched(&old, &stage.place)
}

fn a_filter_that_matches_nothing_is_named(stage: &Stage) -> Verdict {
    one(stage);
    let what = Stage::at(&stage.save(&stage.source), &stage.source);
    let ran = stage.restore(&what, &stage.place, &["--include", "no-such-name"]);
    fails(&ran)?;
    holds(ran.stderr.contains("no-such-name"), format!("it is not named: {}", ran.show()))?;
    let ran =
        stage.restore(&what, &stage.place, &["--overwrite", "always", "--exclude", "no-such-name"]);
    ends(&ran, 0)?;
    holds(ran.stderr.contains("no-such-name"), format!("it is not named: {}", ran.show()))
}

fn an_exception_below_an_excluded_folder(stage: &Stage) -> Verdict {
    Stage::file(&stage.source.join("a/keep"), 1, 400);
    Stage::file(&stage.source.join("a/drop"), 2, 400);
    let what = Stage::at(&stage.save(&stage.source), &stage.source);
    let options = ["--exclude", "a", "--exclude", "!keep"];
    ends(&stage.restore(&what, &stage.place, &options), 0)?;
    holds(stage.place.join("a/keep").exists(), "the exception is not restored")?;
    holds(!stage.place.join("a/drop").exists(), "what is excluded is restored")
}
