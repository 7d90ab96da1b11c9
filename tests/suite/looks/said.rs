//! What is said in situations that a first look meets: nothing is there, all is forgotten, a disk is not
//! mounted, something is damaged.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::process::Command;

use super::{Place, last_json, put, ran};
use crate::place::is_complete;

/// The look of a doctor by its name, and what to type next.
fn doctor(place: &Place, exit: i32) -> (serde_json::Value, String) {
    let ran = place.run(["doctor", "--json"]);
    assert_eq!(ran.exit, exit, "{}{}", ran.stdout, ran.stderr);
    let page = last_json(&ran.stdout);
    let next = page["next"].as_str().unwrap_or_default().to_owned();
    (page, next)
}

fn look<'p>(page: &'p serde_json::Value, name: &str) -> Option<&'p serde_json::Value> {
    page["looks"].as_array()?.iter().find(|look| look["name"] == name)
}

#[test]
fn an_empty_repository_has_nothing_to_divide() {
    let place = Place::with_repository();
    let stats = place.run(["stats"]).expect(0);
    assert!(stats.contains("nothing yet"), "{stats}");
    assert!(!stats.contains("of that") && !stats.contains("0 B"), "{stats}");
}

#[test]
fn forgotten_snapshots_are_named_where_none_is_left() {
    let place = Place::with_repository();
    place.backup();
    put(&place.path("source/a.txt"), b"other");
    place.backup();
    place
        .run(["forget", "--delete-all-snapshots", "--keep-tag", "none", "--allow-no-match"])
        .expect(0);
    let words = place.run(["restore", "latest", "--target", "back"]).fails(2);
    assert!(words.contains("no snapshot is left: 2 snapshots are forgotten"), "{words}");
    assert!(words.contains("snapshots --all") && words.contains("undelete"), "{words}");
    let listed = place.run(["snapshots"]);
    assert_eq!(listed.exit, 0);
    assert!(listed.stderr.contains("undelete"), "{}", listed.stderr);
    let (page, next) = doctor(&place, 0);
    assert_eq!(next, "mainstay snapshots --all");
    assert!(look(&page, "snapshots").is_some_and(|look| look["outcome"] == "warning"), "{page}");
}

#[test]
fn a_doctor_does_not_put_a_new_repository_where_a_disk_is_not_mounted() {
    let place = Place::with_repository();
    std::fs::rename(place.path("repository"), place.path("elsewhere")).expect("it is ours");
    for is_there in [false, true] {
        if is_there {
            std::fs::create_dir(place.path("repository")).expect("it is ours");
        }
        let (page, next) = doctor(&place, 10);
        assert_eq!(next, "mainstay doctor");
        assert!(page.to_string().contains("mount that"), "{page}");
    }
}

#[test]
fn a_doctor_sees_what_is_missing() {
    let place = Place::with_repository();
    place.backup();
    let (page, next) = doctor(&place, 0);
    assert!(look(&page, "packs").is_none() && next == "mainstay drill latest", "{page}");
    let pack = place.largest("data");
    let kept = place.path("pack");
    std::fs::rename(&pack, &kept).expect("it is ours");
    let (page, next) = doctor(&place, 20);
    let packs = look(&page, "packs").cloned().unwrap_or_default();
    assert_eq!((&packs["outcome"], next.as_str()), (&"failed".into(), "mainstay check"), "{page}");
    assert_eq!(page["ok"], false);
    std::fs::rename(&kept, &pack).expect("it is ours");
    doctor(&place, 0);
    // A store that was put back to an earlier state.
    let copy = |from: &str, to: &str| {
        let (from, to) = (place.path(from), place.path(to));
        let copied = Command::new("cp").arg("-a").args([from, to]).status();
        assert!(copied.is_ok_and(|status| status.success()));
    };
    copy("repository", "before");
    put(&place.path("source/a.txt"), b"newer");
    place.backup();
    std::fs::rename(place.path("repository"), place.path("after")).expect("it is ours");
    copy("before", "repository");
    let (page, next) = doctor(&place, 20);
    assert_eq!(next, "mainstay check");
    assert!(page.to_string().contains("gone from the store"), "{page}");
}

#[test]
fn a_doctor_sees_a_repository_that_takes_nothing() {
    if !rustix::process::geteuid().is_root() {
        assert!(!is_complete(), "mounting needs root");
        return;
    }
    let place = Place::with_repository();
    place.backup();
    let doctor = place.command(["doctor"]);
    let script = "mount --bind repository repository && mount -o remount,ro,bind repository && \
                  exec \"$0\" doctor";
    let mut apart = Command::new("unshare");
    apart.args(["--mount", "--propagation", "private", "sh", "-c", script]);
    apart.arg(doctor.get_program()).current_dir(place.folder.path()).env_clear();
    apart.env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
    for (name, value) in doctor.get_envs() {
        apart.env(name, value.unwrap_or_default());
    }
    let ran = ran(&mut apart);
    assert!(ran.exit != 0, "{}{}", ran.stdout, ran.stderr);
    assert!(ran.stdout.contains("FAILED   writing"), "{}{}", ran.stdout, ran.stderr);
    assert!(ran.stdout.contains("mounted read-only"), "{}", ran.stdout);
    assert!(ran.stdout.contains("next: mainstay check"), "{}", ran.stdout);
}

#[test]
fn values_that_cannot_be_are_refused_in_plain_words() {
    let place = Place::with_repository();
    place.backup();
    let words = place.run(["backup", "source", "--limit-upload", "0"]).fails(2);
    assert!(words.contains("a whole number of KiB per second, at least 1"), "{words}");
    let words = place.run(["snapshots", "--time", "someday"]).fails(2);
    assert!(words.contains("this is not a point in time"), "{words}");
    let words = place.run(["hold", "add", "latest", "--reason", "x", "--until", "soon"]).fails(2);
    assert!(words.contains("90d"), "{words}");
    place.run(["hold", "add", "latest", "--reason", "x", "--until", "1d"]).expect(0);
    let words = place.run(["restore", "latest", "--target", "x", "--delete"]).fails(2);
    assert!(!words.contains("no such command or option"), "{words}");
    assert!(words.contains("--overwrite"), "{words}");
    let odd = OsString::from_vec(b"\xff".to_vec());
    let ran = ran(place.command(["find"]).arg(odd));
    assert!(ran.exit == 2 && ran.stderr.contains("will do: \\xff"), "{}", ran.stderr);
    put(&place.path("plain"), b"file");
    let words = place.run(["restore", "latest", "--target", "plain"]).fails(1);
    assert!(words.contains("is a file") && words.contains("try: choose a folder"), "{words}");
}
