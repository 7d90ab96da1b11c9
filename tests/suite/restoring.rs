//! What is left out, what is restored of it, and what happens to what is there already.

use std::fs;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};

use engine::backup::{self, BackupOptions, Source};
use engine::base::monitor::{Monitor, Phase};
use engine::disk::exclude::{ExcludeOptions, IfPresent, PathMatcher};
use engine::disk::selection::Selection;
use engine::restore::{self, Overwrite, RestoreError, RestoreOptions};
use system_tests::compare::{Aspect, compare};
use system_tests::trees::content::random_bytes;
use system_tests::trees::{put, set_mtime};
use system_tests::world::{World, options, tree_path};

use crate::place::Place;

/// `a/{one,two}.txt`, `a/deep/three.log`, `b/four.txt`, all from the same second.
fn small_tree(source: &Path) {
    for name in ["a/one.txt", "a/two.txt", "a/deep/three.log", "b/four.txt"] {
        put(&source.join(name), name.as_bytes());
        set_mtime(&source.join(name), 1_700_000_000);
    }
}

fn small_world() -> (World, PathBuf) {
    let world = World::in_memory();
    let source = world.new_folder("source");
    small_tree(&source);
    world.backup(&source).expect("the backup runs");
    (world, source)
}

/// Paths of everything below `folder` that is no folder.
pub(crate) fn files_below(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut open = vec![folder.to_owned()];
    while let Some(next) = open.pop() {
        for entry in fs::read_dir(next).expect("a folder of ours") {
            let path = entry.expect("readable").path();
            if path.is_dir() {
                open.push(path);
            } else {
                let below = path.strip_prefix(folder).expect("it is below");
                found.push(below.display().to_string());
            }
        }
    }
    found.sort();
    found
}

#[test]
fn what_is_excluded_is_not_in_the_snapshot() {
    let world = World::in_memory();
    let source = world.new_folder("source");
    small_tree(&source);
    put(&source.join("cache/CACHEDIR.TAG"), b"Signature: 8a477f597d28d172789f06886806bc55\n");
    put(&source.join("cache/big"), &[1; 9000]);
    put(&source.join("marked/.nobackup"), b"");
    put(&source.join("marked/secret"), b"x");
    put(&source.join("huge"), &[1; 50_000]);
    put(&source.join("NOTES.TMP"), b"x");
    let excludes = ExcludeOptions {
        patterns: vec!["*.log".to_owned(), format!("{}/b", source.display())],
        patterns_ignore_case: vec!["*.tmp".to_owned()],
        exclude_caches: true,
        if_present: vec![IfPresent::parse(".nobackup").expect("a name")],
        larger_than_bytes: Some(10_000),
        one_file_system: true,
    };
    let options = BackupOptions { excludes, ..options() };
    let report = world.backup_with(&source, &options).expect("the backup runs");
    assert_eq!(report.problems, []);
    let target = world.out.path().join("restored");
    world.restore(&world.newest(), &source, &target).expect("the restore runs");
    let left = ["a/one.txt", "a/two.txt", "cache/CACHEDIR.TAG", "marked/.nobackup"];
    assert_eq!(files_below(&target), left);
}

#[test]
fn a_folder_or_a_file_is_restored_alone() {
    let (world, source) = small_world();
    let (snapshot, out) = (world.newest(), world.out.path());
    world.restore(&snapshot, &source.join("a"), &out.join("folder")).expect("the restore runs");
    assert_eq!(compare(&source.join("a"), &out.join("folder")).expect("readable"), []);
    let file = source.join("a/deep/three.log");
    let report = world.restore(&snapshot, &file, &out.join("file")).expect("the restore runs");
    assert_eq!(report.files, 1);
    assert_eq!(compare(&source.join("a/deep"), &out.join("file")).expect("readable"), []);
    let nothing = world.restore(&snapshot, &source.join("a/x"), &out.join("nothing"));
    assert!(matches!(nothing, Err(RestoreError::NoSuchPath { .. })), "{nothing:?}");
    // From the root, absolute paths appear below the target.
    world.restore(&snapshot, Path::new("/"), &out.join("all")).expect("the restore runs");
    let again = out.join("all").join(source.strip_prefix("/").expect("absolute"));
    assert_eq!(compare(&source, &again).expect("readable"), []);
}

fn matcher(pattern: &str) -> Vec<PathMatcher> {
    vec![PathMatcher::new(&[pattern.to_owned()], false).expect("a pattern")]
}

fn only(include: Vec<PathMatcher>) -> RestoreOptions {
    let selection = Selection { include, ..Selection::default() };
    RestoreOptions { selection, ..RestoreOptions::default() }
}

#[test]
fn filters_choose_what_is_restored() {
    let (world, source) = small_world();
    let restored = |name: &str, options: &RestoreOptions| {
        let target = world.out.path().join(name);
        let report = world.restore_with(&world.newest(), &source, &target, options);
        assert_eq!(report.expect("the restore runs").problems, []);
        files_below(&target)
    };
    let texts = only(matcher("*.txt"));
    assert_eq!(restored("texts", &texts), ["a/one.txt", "a/two.txt", "b/four.txt"]);
    let deep = format!("{}/a/deep", source.display());
    let deep = only(matcher(&deep));
    assert_eq!(restored("deep", &deep), ["a/deep/three.log"]);
    let selection = Selection { exclude: matcher("a"), ..Selection::default() };
    let no_a = RestoreOptions { selection, ..RestoreOptions::default() };
    assert_eq!(restored("no a", &no_a), ["b/four.txt"]);
}

#[test]
fn each_policy_replaces_what_it_says_and_nothing_else() {
    let (world, source) = small_world();
    let snapshot = world.newest();
    // Of four files one is right, one longer, one newer and one older than in the snapshot.
    for (policy, replaced) in [
        (Overwrite::Always, ["a/deep/three.log", "a/two.txt", "b/four.txt"].as_slice()),
        (Overwrite::IfChanged, &["a/deep/three.log", "a/two.txt", "b/four.txt"]),
        (Overwrite::IfNewer, &["b/four.txt"]),
        (Overwrite::Never, &[]),
    ] {
        let target = tempfile::tempdir_in(world.out.path()).expect("a folder can be made");
        let target = target.path();
        small_tree(target);
        for (name, mtime) in [
            ("a/two.txt", 1_700_000_000),
            ("a/deep/three.log", 1_700_000_001),
            ("b/four.txt", 1_600_000_000),
        ] {
            put(&target.join(name), b"something else is here");
            set_mtime(&target.join(name), mtime);
        }
        let refused = world.restore(&snapshot, &source, target);
        assert!(matches!(refused, Err(RestoreError::TargetNotEmpty { .. })), "{refused:?}");
        let options = RestoreOptions { overwrite: Some(policy), ..RestoreOptions::default() };
        let report = world.restore_with(&snapshot, &source, target, &options);
        assert_eq!(report.expect("the restore runs").problems, [], "{policy:?}");
        for name in ["a/one.txt", "a/two.txt", "a/deep/three.log", "b/four.txt"] {
            let is_restored = fs::read(target.join(name)).expect("it is there") == name.as_bytes();
            let wanted = name == "a/one.txt" || replaced.contains(&name);
            assert_eq!(is_restored, wanted, "{policy:?} {name}");
        }
    }
}

#[test]
fn delete_removes_what_the_snapshot_does_not_have_and_a_filter_would_restore() {
    let (world, source) = small_world();
    let snapshot = world.newest();
    let target = world.out.path().join("target");
    small_tree(&target);
    put(&target.join("a/extra.txt"), b"x");
    put(&target.join("gone/with/all.txt"), b"x");
    put(&target.join("a/deep/extra.log"), b"x");
    let restored = |delete, dry_run, include| {
        let overwrite = Some(Overwrite::IfChanged);
        let options = RestoreOptions { overwrite, delete, dry_run, ..only(include) };
        world.restore_with(&snapshot, &source, &target, &options).expect("the restore runs")
    };
    assert_eq!(restored(false, false, Vec::new()).deleted, 0);
    // Three files, and two folders that hold nothing else.
    assert_eq!(restored(true, true, Vec::new()).deleted, 5);
    assert_eq!(files_below(&target).len(), 7, "a dry run or no --delete removed something");
    // Only what the filter would restore is removed.
    assert_eq!(restored(true, false, matcher("*.log")).deleted, 1);
    assert!(!target.join("a/deep/extra.log").exists());
    assert_eq!(restored(true, false, Vec::new()).deleted, 4);
    assert_eq!(compare(&source, &target).expect("readable"), []);
}

#[test]
fn what_a_deletion_leaves_because_nothing_is_proved_is_counted() {
    let place = Place::with_repository();
    for name in ["source/a", "source/left.out", "source/folder/b"] {
        put(&place.path(name), name.as_bytes());
    }
    place.run(["backup", "-q", "--exclude", "*.out", "source"]).expect(0);
    for name in ["source/more", "source/folder/more"] {
        put(&place.path(name), name.as_bytes());
    }
    let from = format!("latest:{}", place.path("source").display());
    let words = ["restore", &from, "--target", "source", "--overwrite", "if-changed", "--delete"];
    let said = place.run(words).expect(0);
    assert!(said.contains("stayed   2 items in folders that were not backed up whole"), "{said}");
    assert!(said.contains("deleted  1 item"), "{said}");
    let kept = ["source/left.out", "source/more"].map(|name| place.path(name).exists());
    assert_eq!((kept, place.path("source/folder/more").exists()), ([true, true], false));
}

#[test]
fn a_tree_pack_that_is_gone_costs_what_is_in_it() {
    let place = Place::with_repository();
    fs::remove_dir_all(place.path("source")).expect("it is there");
    for number in 0..60 {
        for folder in ["a/b", "c"] {
            put(&place.path(&format!("source/{folder}/{number}")), format!("{number}").as_bytes());
        }
    }
    for name in ["one", "two"] {
        place.run(["backup", "-q", "source"]).expect(0);
        put(&place.path(&format!("source/c/{name}")), b"new");
    }
    place.run(["backup", "-q", "source"]).expect(0);
    let listed = |folder: &str| {
        let mut packs = files_below(&place.path(folder));
        packs.sort();
        packs
    };
    let first = listed("repository/tree").swap_remove(0);
    fs::remove_file(place.path("repository/tree").join(first)).expect("it is there");
    let from = format!("latest:{}", place.path("source").display());
    let file = format!("{from}/a/b/1");
    for words in [
        vec!["cat", &file],
        vec!["restore", &from, "--target", "part"],
        vec!["restore", "latest", "--target", "whole"],
        vec!["ls", "latest"],
        vec!["find", "two"],
    ] {
        let said = place.run(&words).fails(20);
        assert!(said.contains("not in the store"), "{words:?}: {said}");
    }
    assert!(place.path("part").exists(), "nothing was restored");
}

/// What a snapshot proves not to have been there may be what this program needs now.
#[test]
fn neither_the_repository_nor_the_key_goes_because_a_snapshot_has_none() {
    let place = Place::with_repository();
    let made = place.path("machine.key");
    let words = ["key", "add", "--role", "admin", "--to-key-file"].map(str::to_owned);
    place.run(words.iter().chain([&made.display().to_string()])).expect(0);
    put(&place.path("k/x"), b"a file then");
    place.run(["backup", "-q", "k"]).expect(0);
    let from = format!("latest:{}", place.path("k").display());
    let options = ["--overwrite", "always", "--delete", "--replace-kind"];
    let restore = |repository: &Path, key: &Path| {
        let mut words = vec!["restore", &from, "--target", "k"];
        words.extend(options);
        let (repository, key) = (repository.display().to_string(), key.display().to_string());
        words.extend(["-r", &repository, "--key-file", &key]);
        place.command(words).env_remove("MAINSTAY_PASSWORD").output().expect("it runs")
    };
    fs::remove_file(place.path("k/x")).expect("it is there");
    let key = place.path("k/x/keys/machine.key");
    fs::create_dir_all(place.path("k/x/keys")).expect("a folder");
    fs::rename(&made, &key).expect("one disk");
    assert!(!restore(&place.path("repository"), &key).status.success());
    assert!(key.exists(), "the key of the run is gone");
    let moved = place.path("k/beside.key");
    fs::rename(&key, &moved).expect("one disk");
    let repository = place.path("k/x/deep/repository");
    fs::create_dir_all(place.path("k/x/deep")).expect("a folder");
    fs::rename(place.path("repository"), &repository).expect("one disk");
    let ended = restore(&repository, &moved);
    assert!(!ended.status.success(), "{}", String::from_utf8_lossy(&ended.stdout));
    assert!(repository.join("keys").exists() && moved.exists());
    fs::rename(&repository, place.path("repository")).expect("one disk");
    fs::remove_dir_all(place.path("k/x")).expect("it is ours");
    let ended = restore(&place.path("repository"), &moved);
    assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
    assert!(moved.exists(), "a key beside what is restored is gone");
    assert_eq!(fs::read(place.path("k/x")).expect("it is restored"), b"a file then");
}

#[test]
fn delete_spares_what_is_in_parts_of_the_tree_that_cannot_be_read() {
    let world = World::in_memory();
    let source = world.new_folder("source");
    for number in 0..1500_u64 {
        put(&source.join(format!("many/{number}")), &number.to_le_bytes());
    }
    world.backup(&source).expect("the backup runs");
    let target = world.out.path().join("target");
    world.restore(&world.newest(), &source, &target).expect("the restore runs");
    let store = world.repo.store();
    let first_packs = store.list("tree/").expect("the store lists");
    put(&source.join("zz"), b"new");
    world.backup(&source).expect("the backup runs");
    // The new root and the nodes above the new file are left; most others are gone.
    for pack in first_packs {
        store
            .delete(&engine::store::code::spelled(&pack.key).expect("a pack"))
            .expect("memory deletes");
    }
    put(&target.join("extra"), b"x");
    let overwrite = Some(Overwrite::IfChanged);
    let options = RestoreOptions { overwrite, delete: true, ..RestoreOptions::default() };
    let report = world.restore_with(&world.newest(), &source, &target, &options);
    let report = report.expect("the restore goes on");
    assert!(report.damage_count > 0, "{report:?}");
    assert_eq!(report.deleted, 0, "what could not be read was taken for deleted");
    assert_eq!(files_below(&target.join("many")).len(), 1500);
}

#[test]
fn a_folder_in_the_place_of_a_file_goes_only_if_both_are_asked_for() {
    let (world, source) = small_world();
    let target = world.out.path().join("target");
    put(&target.join("b/four.txt/inside"), b"x");
    let mut options =
        RestoreOptions { overwrite: Some(Overwrite::Always), ..RestoreOptions::default() };
    let restored = |options: &RestoreOptions| {
        world.restore_with(&world.newest(), &source, &target, options).expect("the restore runs")
    };
    let report = restored(&options);
    assert_eq!(report.problem_count, 1, "{report:?}");
    assert!(target.join("b/four.txt/inside").exists());
    for (delete, replace_kind) in [(true, false), (false, true)] {
        (options.delete, options.replace_kind) = (delete, replace_kind);
        assert_eq!(restored(&options).problem_count, 1);
        assert!(target.join("b/four.txt/inside").exists());
    }
    (options.delete, options.replace_kind) = (true, true);
    assert_eq!(restored(&options).problems, []);
    assert_eq!(compare(&source, &target).expect("readable"), []);
}

#[test]
fn a_dry_run_counts_as_the_run_does() {
    let world = World::in_memory();
    let source = world.new_folder("source");
    put(&source.join("chunks"), &random_bytes(1, 400_000));
    put(&source.join("inline"), &[b'x'; 300]);
    fs::hard_link(source.join("inline"), source.join("linked")).expect("a link can be made");
    let holes = fs::File::create_new(source.join("holes")).expect("a file can be made");
    holes.set_len(4 << 20).expect("a file can have a hole");
    world.backup(&source).expect("the backup runs");
    let target = world.out.path().join("target");
    let restored = |dry_run| {
        let options = RestoreOptions { dry_run, ..RestoreOptions::default() };
        let report = world.restore_with(&world.newest(), &source, &target, &options);
        let report = report.expect("the restore runs");
        (report.files, report.total_bytes, report.written_bytes)
    };
    assert_eq!(restored(true), restored(false));
}

/// Changes a byte of `file` when the verification begins.
struct Vandal {
    file: PathBuf,
}

impl Monitor for Vandal {
    fn phase(&self, phase: &Phase) {
        if phase.name == "verifying" {
            let file = fs::OpenOptions::new().write(true).open(&self.file).expect("restored");
            let length = file.metadata().expect("readable").size();
            file.write_all_at(b"#", length / 2).expect("room");
        }
    }
}

#[test]
fn verification_finds_one_changed_byte() {
    let world = World::in_memory();
    let source = world.new_folder("source");
    put(&source.join("chunks"), &random_bytes(1, 400_000));
    put(&source.join("inline"), &[b'x'; 300]);
    let holes = fs::File::create_new(source.join("holes")).expect("a file can be made");
    holes.set_len(4 << 20).expect("a file can have a hole");
    world.backup(&source).expect("the backup runs");
    let options = RestoreOptions { verify: true, ..RestoreOptions::default() };
    let target = world.out.path().join("untouched");
    let report = world.restore_with(&world.newest(), &source, &target, &options);
    let report = report.expect("the restore runs");
    assert_eq!((report.verified_files, report.problem_count), (3, 0));
    for name in ["chunks", "inline", "holes"] {
        let target = world.out.path().join(format!("vandal of {name}"));
        let vandal = Vandal { file: target.join(name) };
        let (repo, index, from) = (&world.repo, &world.index, tree_path(&source));
        let report = restore::run(repo, index, &world.newest(), &from, &target, &options, &vandal)
            .expect("the restore runs");
        assert_eq!((report.verified_files, report.problem_count), (2, 1), "{name}: {report:?}");
        assert_eq!(report.problems[0].action, "verifying");
        let found = compare(&source, &target).expect("readable");
        assert!(found.iter().any(|one| one.aspect == Aspect::Bytes), "nothing was changed");
    }
}

#[test]
fn verification_looks_at_what_was_not_restored_because_it_seemed_right() {
    let (world, source) = small_world();
    let target = world.out.path().join("target");
    small_tree(&target);
    put(&target.join("a/one.txt"), b"a/0ne.txt");
    set_mtime(&target.join("a/one.txt"), 1_700_000_000);
    let overwrite = Some(Overwrite::IfChanged);
    let options = RestoreOptions { overwrite, verify: true, ..RestoreOptions::default() };
    let report = world.restore_with(&world.newest(), &source, &target, &options);
    let report = report.expect("the restore runs");
    assert_eq!((report.verified_files, report.problem_count), (3, 1), "{report:?}");
}

#[test]
fn two_sources_in_one_snapshot_come_back() {
    let world = World::in_memory();
    let (one, two) = (world.new_folder("one"), world.new_folder("two"));
    small_tree(&one);
    small_tree(&two);
    let source = Source::Paths(vec![two.clone(), one.clone()]);
    let (repo, index) = (&world.repo, &world.index);
    let report = backup::run(repo, index, &world.state(), source, &options(), &world.monitor)
        .expect("the backup runs");
    assert_eq!(report.problems, []);
    for folder in [&one, &two] {
        assert_eq!(world.differences(&world.newest(), folder, folder), []);
    }
}
