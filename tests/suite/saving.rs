//! What a backup saves of what was named, and what it says of the rest.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::place::{Place, last_json, put, ran};

/// A repository and nothing else.
fn empty() -> Place {
    let place = Place::with_repository();
    fs::remove_dir_all(place.path("source")).expect("it is there");
    place
}

fn file(place: &Place, name: &str) {
    let path = place.path(name);
    fs::create_dir_all(path.parent().expect("it is below a folder")).expect("a folder");
    put(&path, name.as_bytes());
}

/// What the newest snapshot has below the folder of the test, each path as `ls` shows it.
fn saved(place: &Place) -> Vec<String> {
    let listed = place.run(["ls", "-q", "latest"]).expect(0);
    let base = format!("{}/", place.folder.path().display());
    listed.lines().filter_map(|line| line.strip_prefix(&base)).map(str::to_owned).collect()
}

fn snapshots(place: &Place) -> Vec<Value> {
    let listed = place.run(["snapshots", "--json"]).expect(0);
    serde_json::from_str(&listed).expect("JSON")
}

fn backup(place: &Place, arguments: &[&str]) -> Value {
    let all = ["backup", "-q", "--json"].iter().chain(arguments);
    last_json(&place.run(all).expect(0))
}

#[test]
fn a_named_path_is_saved_whatever_leaves_out_the_folders_around_it() {
    let place = empty();
    for name in ["s/cache/keep/f", "s/cache/drop", "s/tagged/keep/f", "s/tagged/drop", "s/f"] {
        file(&place, name);
    }
    put(&place.path("s/tagged/CACHEDIR.TAG"), b"Signature: 8a477f597d28d172789f06886806bc55");
    backup(
        &place,
        &["s", "s/cache/keep", "s/tagged/keep", "--exclude", "cache", "--exclude-caches"],
    );
    let expected = [
        "s",
        "s/cache",
        "s/cache/keep",
        "s/cache/keep/f",
        "s/f",
        "s/tagged",
        "s/tagged/CACHEDIR.TAG",
        "s/tagged/keep",
        "s/tagged/keep/f",
    ];
    assert_eq!(saved(&place), expected);
    // Filters count for what it holds, and for a file that is named there is nothing that counts.
    put(&place.path("s/large"), &[b'x'; 5000]);
    backup(&place, &["s/large", "s/f", "--exclude", "/**/s", "--exclude-larger-than", "1000"]);
    assert_eq!(saved(&place), ["s", "s/f", "s/large"]);
    backup(&place, &["s/cache", "--exclude", "cache/keep"]);
    assert_eq!(saved(&place), ["s", "s/cache", "s/cache/drop"]);
    place.run(["check", "-q", "--read-data"]).expect(0);
}

#[test]
fn lists_name_paths_as_well() {
    let place = empty();
    for name in ["s/a b/f", "s/x/f", "s/y/f", "s/z"] {
        file(&place, name);
    }
    put(&place.path("list"), b"# patterns\n  s/[xy]  \n");
    put(&place.path("verbatim"), b"s/a b/../a b/\n");
    put(&place.path("raw"), b"s/z\0s/z\0");
    let lists = ["--files-from", "list", "--files-from-verbatim", "verbatim"];
    backup(&place, &[&lists[..], &["--files-from-raw", "raw", "--exclude", "s"]].concat());
    let expected = ["s", "s/a b", "s/a b/f", "s/x", "s/x/f", "s/y", "s/y/f", "s/z"];
    assert_eq!(saved(&place), expected);
    put(&place.path("list"), b"# nothing\n\n");
    let words = place.run(["backup", "--files-from", "list"]).fails(1);
    assert!(words.contains("name no path") && words.contains("--allow-empty"), "{words}");
    assert_eq!(snapshots(&place).len(), 1);
    backup(&place, &["--files-from", "list", "--allow-empty"]);
    assert_eq!(saved(&place), [""; 0]);
}

#[test]
fn links_on_the_way_stay_links_and_paths_are_understood_as_they_were_named() {
    let place = empty();
    file(&place, "root/usr/lib/systemd/a.service");
    file(&place, "root/usr/lib/ld.so");
    symlink("usr/lib", place.path("root/lib")).expect("the name is free");
    backup(&place, &["root/lib/systemd"]);
    let expected = [
        "root",
        "root/lib",
        "root/usr",
        "root/usr/lib",
        "root/usr/lib/systemd",
        "root/usr/lib/systemd/a.service",
    ];
    assert_eq!(saved(&place), expected);
    let long = place.run(["ls", "-q", "-l", "latest"]).expect(0);
    assert!(long.contains("root/lib -> usr/lib"), "{long}");
    let at = |name: &str| format!("latest:{}", place.path(name).display());
    for named in ["root/lib/systemd/a.service", "root/usr/lib/systemd/a.service"] {
        let content = place.run(["cat", &at(named)]).expect(0);
        assert_eq!(content, "root/usr/lib/systemd/a.service");
        let found = place.run(["find", "-q", &place.path(named).display().to_string()]).expect(0);
        assert_eq!(found.lines().count(), 2, "{found}");
    }
    assert_eq!(place.run(["ls", "-q", &at("root/lib/systemd")]).expect(0).lines().count(), 1);
    for named in ["root/lib/systemd", "root/usr/lib/systemd"] {
        let path = place.path(named).display().to_string();
        place.run(["ls", "-q", "latest", "--path", &path]).expect(0);
    }
    let listed = snapshots(&place);
    let real = place.path("root/usr/lib/systemd").display().to_string();
    assert_eq!(listed[0]["paths"], serde_json::json!([real]));
    assert_eq!(listed[0]["roots"][0]["led_to"], real);
    // With a slash a link means what it leads to, and it is there too.
    backup(&place, &["root/lib/"]);
    let names = saved(&place);
    assert!(
        names.contains(&"root/lib".to_owned()) && names.contains(&"root/usr/lib/ld.so".to_owned())
    );
    backup(&place, &["root/lib"]);
    assert_eq!(saved(&place), ["root", "root/lib"]);
    place.run(["check", "-q", "--read-data"]).expect(0);
}

#[test]
fn nothing_selected_is_no_snapshot() {
    let place = empty();
    file(&place, "tmp/s/f");
    fs::create_dir_all(place.path("tmp/hollow/inner")).expect("folders");
    for arguments in [
        &["tmp/s", "--exclude", "f"][..],
        &["tmp/s", "--exclude", "*"],
        &["tmp/s", "--exclude", "/"],
        &["tmp", "--exclude", "f", "--exclude", "inner"],
        &["tmp/s", "--dry-run", "--exclude", "f"],
    ] {
        let all: Vec<_> = ["backup"].iter().chain(arguments).collect();
        let words = place.run(&all).fails(1);
        assert!(
            words.contains(" is selected, so no snapshot") && words.contains("try:"),
            "{words}"
        );
    }
    assert_eq!(snapshots(&place).len(), 0);
    backup(&place, &["tmp/s", "--exclude", "f", "--allow-empty"]);
    assert_eq!(saved(&place), ["tmp", "tmp/s"]);
    assert_eq!(snapshots(&place)[0]["roots"][0]["state"], "empty");
    // An empty folder is something, and so is one path of several.
    backup(&place, &["tmp/hollow", "--exclude", "f"]);
    assert_eq!(saved(&place), ["tmp", "tmp/hollow", "tmp/hollow/inner"]);
    let told = place.run(["backup", "tmp/s", "tmp/hollow", "--exclude", "f"]);
    assert_eq!(told.exit, 0);
    assert!(told.stderr.contains("tmp/s: nothing below it was selected"), "{}", told.stderr);
}

#[test]
fn an_empty_stream_is_no_snapshot() {
    let place = empty();
    let words = place.run(["backup", "--stdin", "--stdin-filename", "db.sql"]).fails(1);
    assert!(words.contains("0 bytes") && words.contains("--allow-empty"), "{words}");
    let words = place.run(["backup", "--stdin-from-command", "--", "true"]).fails(1);
    assert!(words.contains("0 bytes"), "{words}");
    let words = place.run(["backup", "--stdin-from-command", "--", "false"]).fails(1);
    assert!(words.contains("exit status 1"), "the cause comes first: {words}");
    assert_eq!(snapshots(&place).len(), 0);
    place.run(["backup", "-q", "--stdin", "--allow-empty"]).expect(0);
    assert_eq!(snapshots(&place).len(), 1);
}

#[test]
fn nothing_new_is_no_snapshot_if_so_asked() {
    let place = empty();
    for name in ["above/s/f", "above/s/g"] {
        file(&place, name);
    }
    let made = |more: &[&str]| {
        let words = [&["--skip-if-unchanged"], more].concat();
        !backup(&place, &words)["snapshot_id"].is_null()
    };
    assert!(made(&["above/s"]));
    // Who works beside a source changes the time of the folder above it, and nothing that is saved.
    file(&place, "above/other");
    assert!(!made(&["above/s"]));
    close(&place.path("above/s/f"), 0o600);
    assert!(made(&["above/s"]));
    assert!(!made(&["above/s"]));
    fs::remove_file(place.path("above/s/g")).expect("it is there");
    assert!(made(&["above/s"]));
    let stream = |text| made(&["--stdin-from-command", "--", "printf", text]);
    assert!(stream("one") && !stream("one") && stream("two") && !stream("two"));
    assert_eq!(snapshots(&place).len(), 5);
}

#[test]
fn a_forced_run_reads_all_and_compares_all_the_same() {
    let world = system_tests::world::World::in_memory();
    let source = world.new_folder("source");
    for name in ["changed", "same", "gone"] {
        put(&source.join(name), &[name.as_bytes(), &[7; 5000]].concat());
    }
    world.backup(&source).expect("the backup runs");
    fs::remove_file(source.join("gone")).expect("it is there");
    let options = engine::backup::BackupOptions { force: true, ..system_tests::world::options() };
    let forced = || world.backup_with(&source, &options).expect("the backup runs").summary;
    let counted = forced();
    let counts = (counted.files_new, counted.files_changed, counted.files_unmodified);
    assert_eq!((counts, counted.paths_gone), ((0, 0, 2), 1));
    assert!(counted.bytes_read > 10_000, "{counted:?}");
}

#[test]
fn a_named_folder_that_is_a_tagged_cache_is_saved() {
    let place = empty();
    for name in ["s/cache/f", "s/cache/inner/f", "s/inner/f"] {
        file(&place, name);
    }
    let tag = b"Signature: 8a477f597d28d172789f06886806bc55\n";
    put(&place.path("s/cache/CACHEDIR.TAG"), tag);
    put(&place.path("s/cache/inner/CACHEDIR.TAG"), tag);
    backup(&place, &["s/cache", "--exclude-caches"]);
    let expected = ["s", "s/cache", "s/cache/CACHEDIR.TAG", "s/cache/f", "s/cache/inner"];
    assert_eq!(saved(&place)[..5], expected);
    assert!(!saved(&place).contains(&"s/cache/inner/f".to_owned()));
    backup(&place, &["s", "--exclude-caches"]);
    assert!(!saved(&place).contains(&"s/cache/f".to_owned()));
}

#[test]
fn exceptions_bring_back_what_lies_in_a_folder_that_is_left_out() {
    let place = empty();
    for name in ["s/a/deep/keep", "s/a/drop", "s/b/drop", "s/f"] {
        file(&place, name);
    }
    backup(&place, &["s", "--exclude", "a", "--exclude", "b", "--exclude", "!keep"]);
    assert_eq!(saved(&place), ["s", "s/a", "s/a/deep", "s/a/deep/keep", "s/f"]);
    backup(&place, &["s", "--exclude", "!keep", "--exclude", "a"]);
    assert_eq!(saved(&place), ["s", "s/b", "s/b/drop", "s/f"]);
}

#[test]
fn changes_are_counted_and_shown() {
    let place = empty();
    for name in ["s/content", "s/metadata", "s/kind", "s/gone/f", "s/same/f"] {
        file(&place, name);
    }
    let base = format!("{}/", place.folder.path().display());
    let first = place.run(["backup", "-v", "s"]).expect(0);
    let new = format!("+ {base}s");
    assert_eq!(first.lines().filter(|line| line.starts_with(&new)).count(), 8, "{first}");
    put(&place.path("s/content"), b"other");
    let private = fs::Permissions::from_mode(0o600);
    fs::set_permissions(place.path("s/metadata"), private).expect("it is ours");
    fs::remove_file(place.path("s/kind")).expect("it is there");
    symlink("same", place.path("s/kind")).expect("the name is free");
    fs::remove_dir_all(place.path("s/gone")).expect("it is there");
    file(&place, "s/new");
    for is_dry in [true, false] {
        let dry = ["--dry-run"].iter().filter(|_| is_dry);
        let told = place.run(["backup", "-v", "s"].iter().chain(dry.clone())).expect(0);
        let lines: Vec<_> = told.lines().filter(|line| line.contains(&base)).collect();
        let shown: Vec<_> = lines.iter().map(|line| line.replace(&base, "")).collect();
        let expected =
            ["U s", "M s/content", "- s/gone", "- s/gone/f", "T s/kind", "U s/metadata", "+ s/new"];
        assert_eq!(shown, expected, "{told}");
        assert!(told.contains("removed   1 file, 1 other, 8 B"), "{told}");
        if is_dry {
            let json = place.run(["backup", "-v", "--json", "s", "--dry-run"]).expect(0);
            let messages = json.lines().map(|line| serde_json::from_str(line).expect("JSON"));
            let changes = messages.filter(|it: &Value| it["message_type"] == "verbose_status");
            let is_below = |it: &Value| it["path"].as_str().is_some_and(|it| it.starts_with(&base));
            let changes: Vec<Value> = changes.filter(is_below).collect();
            assert_eq!(changes.len(), expected.len());
            assert_eq!(
                (&changes[2]["action"], &changes[1]["size"]),
                (&"removed".into(), &5.into())
            );
            let summary = last_json(&json);
            assert_eq!(
                (&summary["files_removed"], &summary["paths_removed"]),
                (&1.into(), &2.into())
            );
            assert_eq!(summary["bytes_removed"], 8);
        }
    }
    let quiet = place.run(["backup", "-v", "s"]).expect(0);
    assert!(!quiet.contains(&base) && !quiet.contains("removed"), "{quiet}");
}

/// The same command as a user who may not do everything; `None` where that cannot be tried.
fn as_nobody(place: &Place, arguments: &[&str]) -> Option<Command> {
    let command = place.command(arguments);
    if place.folder.path().metadata().expect("it is there").uid() != 0 {
        return Some(command);
    }
    let mut dropped = Command::new("setpriv");
    dropped.args(["--reuid=65534", "--regid=65534", "--clear-groups"]).arg(command.get_program());
    dropped.args(command.get_args()).env_clear();
    let variables = command.get_envs().filter_map(|(name, value)| Some((name, value?)));
    dropped.envs(variables).current_dir(place.folder.path()).stdin(Stdio::null());
    let allowed = fs::Permissions::from_mode(0o777);
    fs::set_permissions(place.folder.path(), allowed).expect("it is ours");
    Some(dropped)
}

fn close(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("it is ours");
}

#[test]
fn what_could_not_be_read_is_named_and_stays_by_name() {
    let place = Place::empty();
    let may_run = as_nobody(&place, &["version"]);
    if !may_run.is_some_and(|mut it| it.output().is_ok_and(|it| it.status.success())) {
        return;
    }
    let run = |arguments: &[&str]| ran(&mut as_nobody(&place, arguments).expect("it was tried"));
    run(&["init", "-q", "--no-probe", "--kdf-memory", "64MiB"]).expect(0);
    for name in ["s/a", "s/closed", "s/folder/f", "s/half/f"] {
        file(&place, name);
    }
    close(&place.path("s/closed"), 0);
    close(&place.path("s/folder"), 0);
    // It can be listed and not entered.
    close(&place.path("s/half"), 0o744);
    let ended = run(&["backup", "s"]);
    assert!(
        ended.stdout.contains("problems  with 3 items; `mainstay problems "),
        "{}",
        ended.stdout
    );
    ended.expect(3);
    let base = format!("{}/", place.folder.path().display());
    let names = run(&["ls", "-q", "latest"]).expect(0);
    let names: Vec<_> = names.lines().filter_map(|line| line.strip_prefix(&base)).collect();
    let expected = ["s", "s/a", "s/closed", "s/folder", "s/half", "s/half/f"];
    assert_eq!(names, expected);
    for line in [
        &["problems", "latest"][..],
        &["snapshots", "-v"],
        &["snapshots", "--json"],
        &["problems", "latest", "--json"],
    ] {
        let told = run(line).expect(0);
        for name in ["s/closed", "s/folder", "s/half/f"] {
            assert!(told.contains(&format!("{base}{name}")), "{line:?}: {told}");
        }
    }
    run(&["check", "-q", "--read-data"]).expect(0);
    // What was never saved comes back in no drill, however much of the rest does.
    let drill = last_json(&run(&["drill", "--kind", "full", "--json"]).expect(0));
    assert_eq!((&drill["level"], &drill["items_not_saved"]), (&4.into(), &3.into()), "{drill}");
    assert!(drill["lacks"].as_str().is_some_and(|it| it.contains("partial")), "{drill}");
    close(&place.path("s/closed"), 0o644);
    close(&place.path("s/folder"), 0o755);
    close(&place.path("s/half"), 0o755);
    run(&["backup", "-q", "s"]).expect(0);
    let target = place.path("target").display().to_string();
    run(&["restore", "-q", &format!("latest:{base}s"), "--target", &target]).expect(0);
    for name in ["a", "closed", "folder/f", "half/f"] {
        let content = fs::read(place.path("target").join(name)).expect("it is restored");
        assert_eq!(content, format!("s/{name}").as_bytes());
    }
    let told = run(&["problems", "latest"]);
    assert_eq!(told.exit, 0);
    assert!(told.stderr.contains("lacks nothing"), "{}", told.stderr);
}

/// File systems in a file system: root only.
#[test]
fn a_named_path_on_another_file_system_is_saved_under_one_file_system() {
    let place = empty();
    for name in ["s/home", "s/other"] {
        fs::create_dir_all(place.path(name)).expect("a folder");
    }
    let mounts: Vec<_> =
        ["s/home", "s/other"].iter().filter_map(|name| Mounted::at(&place.path(name))).collect();
    if mounts.len() < 2 {
        return;
    }
    for name in ["s/f", "s/home/deep/f", "s/other/keep/f", "s/other/drop"] {
        file(&place, name);
    }
    backup(&place, &["-x", "s", "s/home", "s/other/keep"]);
    let expected = [
        "s",
        "s/f",
        "s/home",
        "s/home/deep",
        "s/home/deep/f",
        "s/other",
        "s/other/keep",
        "s/other/keep/f",
    ];
    assert_eq!(saved(&place), expected);
    backup(&place, &["-x", "s"]);
    assert_eq!(saved(&place), ["s", "s/f", "s/home", "s/other"]);
}

/// A file system in memory, as long as this lives.
struct Mounted(std::path::PathBuf);

impl Mounted {
    fn at(path: &Path) -> Option<Self> {
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=1m", "mainstay-test"]).arg(path);
        mount.output().ok()?.status.success().then(|| Self(path.to_owned()))
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        // If it fails, the temporary folder cannot be removed either, and that is not hidden.
        let _ = Command::new("umount").arg(&self.0).status();
    }
}
