//! Order, completeness and bounds of a walk, and what happens when the source changes under it.

use std::fs::File;
use std::io::Write;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::Path;

use proptest::prelude::{Strategy, any, proptest};

use super::*;
use crate::base::error::{Classified, ErrorClass};
use crate::base::limits::{WALK_AHEAD_ITEMS, WALK_OPEN_FOLDERS, WALK_STRETCH_NAMES};
use crate::disk::exclude::{ExcludeOptions, IfPresent};
use crate::disk::folder::{Folder, Names, Purpose};
use crate::format::entry::EntryKind;

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

fn scratch() -> tempfile::TempDir {
    tempfile::tempdir().expect("because the test machine has space")
}

fn put(path: &Path, bytes: &[u8]) {
    std::fs::create_dir_all(path.parent().expect("because it is below something"))
        .expect("because the test may write here");
    let mut file = File::create(path).expect("because the test may write here");
    file.write_all(bytes).expect("because there is space");
}

fn os(name: &[u8]) -> std::ffi::OsString {
    std::ffi::OsString::from_vec(name.to_vec())
}

fn tree_path(path: &Path) -> TreePath {
    TreePath::from_slashes(path.as_os_str().as_bytes()).expect("because it exists")
}

fn walk_with(roots: &[&Path], excludes: &ExcludeOptions) -> Vec<Found> {
    let options = WalkOptions {
        roots: roots.iter().map(|root| root.to_path_buf()).collect(),
        excludes: Excludes::new(excludes).expect("because the test wrote valid patterns"),
        ..WalkOptions::default()
    };
    let walk = |helpers| {
        let walk = Walk::new(options.clone()).expect("because the roots exist");
        let items = walk.with_helpers(helpers).map(|item| match item {
            WalkItem::Found(found) => found,
            other => panic!("{other:?}"),
        });
        items.collect::<Vec<_>>()
    };
    let (alone, helped) = (walk(0), walk(3));
    // Not times: folders above the roots change while other tests run.
    let seen = |all: &[Found]| -> Vec<_> {
        let facts = all.iter().map(|found| (found.path.clone(), found.stat.facts));
        facts.map(|(path, facts)| (path, facts.kind, facts.inode, facts.device)).collect()
    };
    assert_eq!(seen(&alone), seen(&helped), "helpers change nothing");
    helped
}

/// Paths below the root, as text without the root.
fn below(root: &Path, excludes: &ExcludeOptions) -> Vec<String> {
    let base = tree_path(root);
    let all = walk_with(&[root], excludes);
    let inner = all.iter().filter_map(|found| base.strip_prefix_of(&found.path));
    inner.filter(|path| !path.is_root()).map(|path| path.to_string()).collect()
}

fn find(root: &Path, path: &Path) -> Found {
    let wanted = tree_path(path);
    let mut all = walk_with(&[root], &ExcludeOptions::default()).into_iter();
    all.find(|found| found.path == wanted).expect("because the test made it")
}

fn assert_rising(all: &[Found]) {
    for pair in all.windows(2) {
        assert!(pair[0].path < pair[1].path, "{} then {}", pair[0].path, pair[1].path);
    }
}

#[test]
fn awkward_names_come_in_tree_order() {
    let folder = scratch();
    let long = [b'x'; 255];
    let names: [&[u8]; 9] =
        [b"a-b", b"\x01", b"\xff\xfe", b"-rf", b"a b\n", b"\x1b[31m", &long, b"...", b"a.c"];
    for name in names {
        put(&folder.path().join(os(name)), b"");
    }
    for inner in [&b"\x01"[..], b"z", b"\xff"] {
        put(&folder.path().join("a").join(os(inner)), b"");
    }
    let all = walk_with(&[folder.path()], &ExcludeOptions::default());
    assert_rising(&all);
    let base = tree_path(folder.path());
    let inside = all.iter().filter(|found| base.contains(&found.path)).count();
    assert_eq!(inside, 1 + names.len() + 1 + 3);
}

#[test]
fn roots_come_sorted_once_and_with_the_directories_above_them() {
    let folder = scratch();
    let at = |name: &str| folder.path().join(name);
    put(&at("one/a/file"), b"");
    put(&at("one/a/beside"), b"");
    put(&at("one/b"), b"");
    put(&at("two/file"), b"");
    let roots = [at("two"), at("one/a/file"), at("one/b"), at("two/file")];
    let roots: Vec<&Path> = roots.iter().map(PathBuf::as_path).collect();
    let all = walk_with(&roots, &ExcludeOptions::default());
    assert_rising(&all);
    let base = tree_path(folder.path());
    let shown: Vec<String> = all
        .iter()
        .filter_map(|found| base.strip_prefix_of(&found.path))
        .map(|path| path.to_string())
        .collect();
    assert_eq!(
        shown,
        ["/", "/one", "/one/a", "/one/a/file", "/one/b", "/two", "/two/file"],
        "the folder itself, then only what leads to the roots, then what they hold"
    );
    assert!(all.iter().all(|found| base.contains(&found.path) || found.path.contains(&base)));
    let above = all.first().expect("because a temporary folder lies below something");
    assert_eq!(above.stat.facts.kind, EntryKind::Directory);
}

#[test]
fn a_root_through_a_link_is_walked_and_a_root_that_is_a_link_is_a_link() {
    let folder = scratch();
    put(&folder.path().join("real/inner/file"), b"");
    symlink("real", folder.path().join("link")).expect("because it is new");
    let through = folder.path().join("link/inner");
    let all = walk_with(&[&through], &ExcludeOptions::default());
    let kinds: Vec<_> = all.iter().rev().take(3).map(|found| found.stat.facts.kind).collect();
    assert_eq!(kinds, [EntryKind::File, EntryKind::Directory, EntryKind::Directory]);
    let itself = walk_with(&[&folder.path().join("link")], &ExcludeOptions::default());
    let last = itself.last().expect("because the link is there");
    assert_eq!(last.entry().expect("it is there").target.as_deref(), Some(&b"real"[..]));
    assert_eq!(last.stat.facts.size_bytes, 4);
}

#[test]
fn roots_that_cannot_be_walked_are_named_before_anything_happens() {
    let new = |root: &str| {
        Walk::new(WalkOptions { roots: vec![root.into()], ..WalkOptions::default() })
            .expect_err("because the root is bad")
    };
    let missing = new("/no/such/folder");
    assert_eq!(missing.class(), ErrorClass::Missing);
    assert!(missing.to_string().contains("/no/such/folder"));
    assert_eq!(new("relative").class(), ErrorClass::Usage);
    assert_eq!(new("/tmp/../etc").class(), ErrorClass::Usage);
    let roots = ["/no/such/folder".into(), "/".into()];
    assert_eq!(missing_roots(&roots), roots[..1]);
}

#[test]
fn excludes_prune_by_pattern_size_and_tag() {
    let folder = scratch();
    let at = |name: &str| folder.path().join(name);
    for name in ["a/keep.rs", "a/skip.o", "target/deep/x", "src/target", "B.TMP", "c/b.tmp"] {
        put(&at(name), b"1234");
    }
    put(&at("cache/CACHEDIR.TAG"), b"Signature: 8a477f597d28d172789f06886806bc55\nmore");
    put(&at("cache/big/file"), b"");
    put(&at("nocache/CACHEDIR.TAG"), b"Signature: something else");
    put(&at("nocache/file"), b"");
    put(&at("tagged/.nobackup"), b"");
    put(&at("tagged/z"), b"");
    put(&at("large"), &[0; 2000]);
    let options = ExcludeOptions {
        patterns: vec!["*.o".into(), "target".into()],
        patterns_ignore_case: vec!["b.tmp".into()],
        exclude_caches: true,
        if_present: vec![IfPresent { name: ".nobackup".into(), header: None }],
        larger_than_bytes: Some(1999),
        one_file_system: false,
    };
    let expected = [
        "/a",
        "/a/keep.rs",
        "/c",
        "/cache",
        "/cache/CACHEDIR.TAG",
        "/nocache",
        "/nocache/CACHEDIR.TAG",
        "/nocache/file",
        "/src",
        "/tagged",
        "/tagged/.nobackup",
    ];
    assert_eq!(below(folder.path(), &options), expected);
    let all_of_it = below(folder.path(), &ExcludeOptions::default());
    assert_eq!(all_of_it.len(), 22);
    let name = folder.path().file_name().and_then(|name| name.to_str()).expect("ASCII");
    let itself = ExcludeOptions { patterns: vec![name.to_owned()], ..ExcludeOptions::default() };
    let all = walk_with(&[folder.path()], &itself);
    assert!(all.len() > 22, "what is named is walked though a pattern matches it");
}

#[test]
fn skipped_directories_appear_but_are_not_entered() {
    let folder = scratch();
    put(&folder.path().join("repo/pack"), b"");
    put(&folder.path().join("z"), b"");
    let repo = std::fs::metadata(folder.path().join("repo")).expect("because it exists");
    let options = WalkOptions {
        roots: vec![folder.path().to_path_buf()],
        skip: vec![(repo.dev(), repo.ino())],
        ..WalkOptions::default()
    };
    let last_two: Vec<String> = Walk::new(options)
        .expect("because the root exists")
        .filter_map(|item| match item {
            WalkItem::Found(found) => Some(found.path.to_string()),
            _ => None,
        })
        .collect();
    assert!(last_two.iter().any(|path| path.ends_with("/repo")));
    assert!(!last_two.iter().any(|path| path.ends_with("/pack")));
}

#[test]
fn other_file_systems_appear_as_empty_directories() {
    let (outer, inner) = (Path::new("/dev"), Path::new("/dev/shm"));
    let device = |path: &Path| std::fs::metadata(path).map(|meta| meta.dev()).ok();
    let file = tempfile::NamedTempFile::new_in(inner);
    let (Ok(file), true) = (file, device(outer) != device(inner)) else { return };
    let walk = |one_file_system| {
        let excludes = Excludes::new(&ExcludeOptions { one_file_system, ..Default::default() });
        let excludes = excludes.expect("because there are no patterns");
        let options = WalkOptions { roots: vec![outer.into()], excludes, ..WalkOptions::default() };
        let walk = Walk::new(options).expect("because the root exists");
        let paths = walk.filter_map(|item| match item {
            WalkItem::Found(found) => Some(found.path),
            _ => None,
        });
        paths.collect::<Vec<_>>()
    };
    let (inner, file) = (tree_path(inner), tree_path(file.path()));
    assert!(walk(false).contains(&file));
    let limited = walk(true);
    assert!(limited.contains(&inner) && !limited.contains(&file));
}

#[test]
fn an_unreadable_directory_is_reported_and_still_appears() {
    use std::os::unix::fs::PermissionsExt;
    let folder = scratch();
    let closed = folder.path().join("closed");
    put(&closed.join("x"), b"");
    put(&folder.path().join("later"), b"");
    let set = |mode| {
        std::fs::set_permissions(&closed, std::fs::Permissions::from_mode(mode))
            .expect("because the test owns it");
    };
    set(0o000);
    let options =
        WalkOptions { roots: vec![folder.path().to_path_buf()], ..WalkOptions::default() };
    let items: Vec<WalkItem> = Walk::new(options).expect("because the root exists").collect();
    set(0o700);
    let is_found = |path: &Path| {
        let path = tree_path(path);
        items.iter().any(|item| matches!(item, WalkItem::Found(found) if found.path == path))
    };
    assert!(is_found(&closed) && is_found(&folder.path().join("later")));
    if !is_root() {
        let problems: Vec<_> =
            items.iter().filter(|item| matches!(item, WalkItem::Problem(_))).collect();
        assert!(
            matches!(problems.as_slice(), [WalkItem::Problem(it)] if it.path == tree_path(&closed)),
            "{problems:?}"
        );
    }
}

#[test]
fn a_file_replaced_after_the_walk_is_not_opened() {
    let folder = scratch();
    let path = folder.path().join("file");
    put(&path, b"seen");
    put(&folder.path().join("secret"), b"secret");
    let found = find(folder.path(), &path);
    assert!(found.open().is_ok());

    std::fs::rename(&path, folder.path().join("moved")).expect("because it exists");
    assert_eq!(found.open().map(|_| ()).map_err(|error| error.is_missing()), Err(true));
    symlink("secret", &path).expect("because the name is free");
    assert!(matches!(found.open(), Err(DiskError::Replaced { .. })));
    std::fs::remove_file(&path).expect("because it exists");
    let _socket = std::os::unix::net::UnixListener::bind(&path).expect("because it is free");
    assert!(matches!(found.open(), Err(DiskError::Replaced { .. })));
    std::fs::remove_file(&path).expect("because it exists");
    put(&path, b"new file");
    assert!(matches!(found.open(), Err(DiskError::Replaced { .. })));
    let again = found.look_again().expect("because a file is there");
    assert_eq!(again.stat.facts.size_bytes, 8);
    assert!(again.open().is_ok());
}

#[test]
fn a_directory_replaced_by_a_link_is_not_entered_and_an_open_one_may_move() {
    let folder = scratch();
    put(&folder.path().join("dir/file"), b"right");
    put(&folder.path().join("other/file"), b"wrong");
    let found = find(folder.path(), &folder.path().join("dir/file"));
    std::fs::rename(folder.path().join("dir"), folder.path().join("moved"))
        .expect("because it exists");
    symlink("other", folder.path().join("dir")).expect("because the name is free");
    let mut bytes = [0; 5];
    let file = found.open().expect("because its directory is still open");
    assert_eq!(file.read_at(&mut bytes, 0).expect("because it is open"), 5);
    assert_eq!(&bytes, b"right");

    let options =
        WalkOptions { roots: vec![folder.path().to_path_buf()], ..WalkOptions::default() };
    let mut walk = Walk::new(options).expect("because the root exists");
    let is_moved =
        |item: &WalkItem| matches!(item, WalkItem::Found(found) if found.path.name() == b"dir");
    let link = walk.find(is_moved).expect("because it is there");
    assert!(matches!(link, WalkItem::Found(it) if it.stat.facts.kind == EntryKind::Symlink));
}

#[test]
fn results_outlive_the_descriptors_of_their_directories() {
    let folder = scratch();
    let count = WALK_OPEN_FOLDERS * 3;
    for number in 0..count {
        put(&folder.path().join(format!("{number}/inner/file")), number.to_string().as_bytes());
    }
    let all = walk_with(&[folder.path()], &ExcludeOptions::default());
    let files = all.iter().filter(|found| found.stat.facts.kind == EntryKind::File);
    let mut opened = 0;
    for found in files {
        let file = found.open().expect("because its directory can be opened again");
        let parent = found.path.parent().and_then(|inner| inner.parent());
        let expected = parent.expect("because it is deep enough").name().to_vec();
        let mut bytes = vec![0; 9];
        let read = file.read_at(&mut bytes, 0).expect("because it is open");
        assert_eq!(bytes[..read], expected);
        opened += 1;
    }
    assert_eq!(opened, count);
}

#[test]
fn large_directories_are_looked_at_in_stretches() {
    let folder = scratch();
    let count = 2 * WALK_STRETCH_NAMES + 1;
    for number in 0..count {
        let name = format!("{number:04}");
        match number % WALK_STRETCH_NAMES {
            // The last of a stretch, the first of the next and the one after it are directories.
            0 | 1 | 255 => put(&folder.path().join(name).join("inner/file"), b""),
            _ => put(&folder.path().join(name), b""),
        }
    }
    let all = walk_with(&[folder.path()], &ExcludeOptions::default());
    assert_rising(&all);
    let base = tree_path(folder.path());
    let inside = all.iter().filter(|found| base.contains(&found.path)).count();
    assert_eq!(inside, 1 + count + 2 * 7);
}

#[test]
fn a_walk_may_be_left_at_any_point() {
    let folder = scratch();
    for number in 0..200 {
        put(&folder.path().join(format!("{number}/inner/file")), b"");
    }
    for taken in [0, 1, 7, 300] {
        let options = WalkOptions { roots: vec![folder.path().into()], ..WalkOptions::default() };
        let walk = Walk::new(options).expect("because the root exists").with_helpers(3);
        assert_eq!(walk.take(taken).count(), taken);
    }
}

#[test]
fn helpers_stop_when_enough_lies_ready_and_go_on_when_it_is_taken() {
    let folder = scratch();
    let directory_count = 2 * WALK_AHEAD_ITEMS / 64;
    for number in 0..64 * directory_count {
        put(&folder.path().join(format!("{}/{number}", number / 64)), b"");
    }
    let options = WalkOptions { roots: vec![folder.path().into()], ..WalkOptions::default() };
    let walk = Walk::new(options).expect("because the root exists");
    let mut walk = walk.with_helpers(2);
    let is_root = |item: &WalkItem| matches!(item, WalkItem::Found(found) if found.path == tree_path(folder.path()));
    walk.find(is_root).expect("because the root comes first");
    walk.next().expect("because it holds something");
    let ready_count = (0..6000).find_map(|_| {
        std::thread::sleep(std::time::Duration::from_millis(10));
        walk.ahead.ready_count()
    });
    let ready_count = ready_count.expect("because helpers rest some time");
    assert!(ready_count >= WALK_AHEAD_ITEMS, "{ready_count}");
    assert!(ready_count <= WALK_AHEAD_ITEMS + 2 * WALK_STRETCH_NAMES, "{ready_count}");
    assert_eq!(walk.count() + 1, 65 * directory_count);
}

/// Other threads of a walk may need descriptors at any moment.
#[test]
fn a_directory_can_be_listed_though_its_descriptor_was_taken_away() {
    let folder = scratch();
    put(&folder.path().join("inner/file"), b"");
    let shared = Shared::new(false);
    let path = tree_path(folder.path()).to_slashes();
    let parent = Folder::open_absolute(path, &shared).expect("because it exists");
    let inner = std::fs::metadata(folder.path().join("inner")).expect("because it exists");
    let identity = (inner.dev(), inner.ino());
    let opened = Folder::open_below(&parent, b"inner", identity, Purpose::List);
    let (inner, fd) = opened.expect("because it exists");
    shared.close_all();
    let (names, result) = Names::list(&fd, &mut Vec::with_capacity(1024));
    assert!(result.is_ok() && names.contains(b"file"));
    assert!(inner.fd().is_ok(), "it opens again");
}

#[test]
fn attributes_are_read_for_files_directories_and_links() {
    let folder = scratch();
    let (file, link) = (folder.path().join("file"), folder.path().join("link"));
    put(&file, b"");
    symlink("nowhere", &link).expect("because it is new");
    let flags = rustix::fs::XattrFlags::empty();
    let set =
        |path: &Path, name: &str, value: &[u8]| rustix::fs::lsetxattr(path, name, value, flags);
    let large = vec![7; 3000];
    if set(&file, "user.b", &large).is_err() {
        return; // a file system without attributes
    }
    set(&file, "user.a", b"").expect("because another one could be set");
    set(folder.path(), "user.dir", b"x").expect("because another one could be set");
    let names_of = |path: &Path| {
        let found = find(folder.path(), path);
        let mut entry = found.entry().expect("it is there");
        assert_eq!(found.read_details(&mut entry), []);
        let names = entry.xattrs.iter().map(|it| String::from_utf8_lossy(&it.name).into_owned());
        (names.filter(|name| !name.starts_with("security.")).collect::<Vec<_>>(), entry)
    };
    let (names, entry) = names_of(&file);
    assert_eq!(names, ["user.a", "user.b"]);
    assert!(entry.xattrs.iter().any(|xattr| xattr.value == large));
    let found = find(folder.path(), &file);
    let mut through = found.entry().expect("it is there");
    let open = found.open().expect("because it is readable");
    assert_eq!(found.read_details_of(&open, &mut through), []);
    assert_eq!(through, entry);
    assert_eq!(names_of(folder.path()).0, ["user.dir"]);
    assert_eq!(names_of(&link).0, Vec::<String>::new());
    if is_root() {
        set(&link, "trusted.t", b"of the link").expect("because root may");
        assert_eq!(names_of(&link).0, ["trusted.t"]);
    }
}

proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(64))]
    #[test]
    fn any_tree_is_walked_completely_and_in_order(
        paths in proptest::collection::vec(
            proptest::collection::vec(
                proptest::collection::vec(any::<u8>(), 1..4)
                    .prop_filter("a name", |name| TreePath::root().join(name).is_ok()),
                1..4,
            ),
            0..20,
        )
    ) {
        let folder = scratch();
        let base = tree_path(folder.path());
        let mut expected = std::collections::BTreeSet::new();
        for components in &paths {
            let mut path = base.clone();
            let mut real = folder.path().to_path_buf();
            for name in components {
                path = path.join(name).expect("because the filter kept only names");
                real.push(os(name));
                expected.insert(path.clone());
            }
            std::fs::create_dir_all(&real).expect("because only directories are made");
        }
        expected.insert(base.clone());
        let all = walk_with(&[folder.path()], &ExcludeOptions::default());
        let found: Vec<_> = all.into_iter().map(|found| found.path)
            .filter(|path| base.contains(path)).collect();
        assert_eq!(found, expected.into_iter().collect::<Vec<_>>());
    }
}
