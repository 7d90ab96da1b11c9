//! What lists show can be given back to other commands, and what a restore leaves out is said.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::process::{Command, Stdio};

use crate::place::{Place, last_json, put, ran};

/// Names that a list cannot show as they are.
const NAMES: [&[u8]; 6] =
    [b"back\\slash", b"\xff\xfe", b"a\nline", b"\x1b[31m", b"tab\t.\\n", b"\\xff"];

fn restored(place: &Place, target: &str, name: &[u8]) -> Option<Vec<u8>> {
    std::fs::read(place.path(target).join(OsStr::from_bytes(name))).ok()
}

#[test]
fn names_that_are_listed_can_be_given_back() {
    let place = Place::with_repository();
    for name in NAMES {
        put(&place.path("source").join(OsStr::from_bytes(name)), name);
    }
    place.backup();
    let listed = place.run(["ls", "latest"]).expect(0);
    let source = format!("{}/", place.path("source").display());
    let shown: Vec<_> = listed.lines().filter_map(|line| line.strip_prefix(&source)).collect();
    let odd: Vec<_> = shown.iter().filter(|line| line.contains('\\')).collect();
    assert_eq!(odd.len(), NAMES.len(), "{listed}");
    for (number, name) in odd.into_iter().enumerate() {
        let path = format!("latest:{source}{name}");
        let content = place.run(["cat", &path]).expect(0);
        assert_eq!(place.run(["ls", &path]).expect(0).trim_end(), format!("{source}{name}"));
        let target = format!("out{number}");
        place.run(["restore", "-q", &path, "--target", &target]).expect(0);
        let read = std::fs::read(place.path(&target)).expect("it came back");
        assert_eq!(String::from_utf8_lossy(&read), content, "{name}");
    }
    // The very name counts before what it could stand for.
    let literal = place.run(["cat", &format!("latest:{source}\\xff")]).expect(0);
    assert_eq!(literal, "\\xff");
    let line = ["restore", "-q", &format!("latest:{source}"), "--target", "some"];
    let include =
        ["--include", "a\\nline", "--include", "\\x1b[[]31m", "--include", "back\\\\slash"];
    place.run(line.iter().chain(&include)).expect(0);
    for name in [&b"a\nline"[..], b"\x1b[31m", b"back\\slash"] {
        assert_eq!(restored(&place, "some", name).as_deref(), Some(name));
    }
    assert_eq!(restored(&place, "some", b"a.txt"), None);
    let words = place.run(["restore", "latest", "--target", "x", "--include", "\\xff"]).fails(2);
    assert!(words.contains("write ? for it"), "{words}");
    place.run(["cat", &format!("latest:{source}\\q")]).fails(2);
}

/// The command as a user who is not root, if that can be tried.
fn as_user(place: &Place, arguments: &[&str]) -> Option<Command> {
    if place.folder.path().metadata().expect("it is there").uid() != 0 {
        return Some(place.command(arguments));
    }
    let command = place.command(arguments);
    let mut dropped = Command::new("setpriv");
    dropped.args(["--reuid=65534", "--regid=65534", "--clear-groups"]);
    dropped.arg(command.get_program()).args(command.get_args()).env_clear();
    let variables = command.get_envs().filter_map(|(name, value)| Some((name, value?)));
    dropped.envs(variables).current_dir(place.folder.path()).stdin(Stdio::null());
    let mut version = Command::new("setpriv");
    version.args(["--reuid=65534", "--regid=65534", "--clear-groups"]);
    version.arg(command.get_program()).arg("version").stdout(Stdio::null());
    version.status().is_ok_and(|status| status.success()).then_some(dropped)
}

fn set_mode(path: &Path, mode: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).expect("it is ours");
}

#[test]
fn a_user_is_told_of_set_id_bits_and_can_verify_what_nobody_may_read() {
    let place = Place::empty();
    set_mode(place.folder.path(), 0o777);
    let run = |arguments: &[&str]| as_user(&place, arguments).map(|mut command| ran(&mut command));
    let Some(made) = run(&["init", "-q", "--no-probe", "--kdf-memory", "64MiB"]) else { return };
    made.expect(0);
    std::fs::create_dir_all(place.path("source/shared")).expect("a folder");
    for (name, mode) in [("program", 0o4755), ("plain", 0o644)] {
        put(&place.path("source").join(name), name.as_bytes());
        set_mode(&place.path("source").join(name), mode);
    }
    set_mode(&place.path("source/shared"), 0o2775);
    let is_root = place.path("source").metadata().expect("it is there").uid() == 0;
    run(&["backup", "-q", "source"]).expect("tried before").expect(0);
    let part = place.latest("");
    let back = run(&["restore", &part, "--target", "out"]).expect("tried before");
    assert_eq!(back.exit, 0, "{}", back.stderr);
    // Whoever owns the source anyway may lend those rights.
    assert_eq!(
        back.stderr.contains("2 items came back without set-id bits"),
        is_root,
        "{}",
        back.stderr
    );
    let back = run(&["restore", &part, "--target", "out2", "--json"]).expect("tried before");
    let summary = last_json(&back.expect(0));
    assert_eq!(summary["set_ids_lost"], if is_root { 2 } else { 0 });
    // Root saves it, so that the source of a file that even its owner may not read can be read.
    set_mode(&place.path("source/plain"), 0o000);
    if is_root {
        place.run(["backup", "-q", "source", "--cache-dir", "state-of-root"]).expect(0);
        let owned =
            Command::new("chown").args(["-R", "65534"]).arg(place.path("repository")).status();
        assert!(owned.is_ok_and(|status| status.success()), "root can give it away");
        let line = ["restore", &part, "--target", "out3", "--verify", "--json"];
        let back = run(&line).expect("tried before");
        let summary = last_json(&back.expect(0));
        assert_eq!((&summary["error_count"], &summary["files_verified"]), (&0.into(), &2.into()));
        let mode = place.path("out3/plain").metadata().expect("it came back").permissions().mode();
        assert_eq!(mode & 0o7777, 0);
    }
}
