//! Both halves of the floor together: what one writes the other must find.

use std::fs::File;
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use crate::base::path::TreePath;
use crate::disk::walk::{Found, Walk, WalkItem, WalkOptions};
use crate::disk::write::Target;
use crate::format::entry::EntryKind;

fn scratch() -> tempfile::TempDir {
    tempfile::tempdir().expect("because the test machine has space")
}

fn tree_path(path: &Path) -> TreePath {
    TreePath::from_slashes(path.as_os_str().as_bytes()).expect("because it exists")
}

fn walk(root: &Path) -> Vec<Found> {
    let options = WalkOptions { roots: vec![root.to_path_buf()], ..WalkOptions::default() };
    let walk = Walk::new(options).expect("because the root exists");
    walk.map(|item| match item {
        WalkItem::Found(found) => found,
        other => panic!("{other:?}"),
    })
    .collect()
}

fn find(root: &Path, path: &Path) -> Found {
    let wanted = tree_path(path);
    let mut all = walk(root).into_iter();
    all.find(|found| found.path == wanted).expect("because the test made it")
}

#[test]
fn kinds_and_link_counts_are_told_without_opening_anything() {
    let folder = scratch();
    let mut file = File::create(folder.path().join("file")).expect("because it is new");
    file.write_all(b"abc").expect("because there is space");
    std::fs::hard_link(folder.path().join("file"), folder.path().join("second"))
        .expect("because it is new");
    let _socket = std::os::unix::net::UnixListener::bind(folder.path().join("socket"))
        .expect("because it is new");
    let target = Target::create(folder.path()).expect("because it exists");
    let mut fifo = find(folder.path(), &folder.path().join("file")).entry().expect("it is there");
    fifo.kind = EntryKind::Fifo;
    target
        .make_special(&TreePath::root().join(b"fifo").expect("because it is a name"), &fifo)
        .expect("because anybody may make a pipe");
    let found = |name: &str| find(folder.path(), &folder.path().join(name));
    assert_eq!(found("file").stat.facts.link_count, 2);
    assert_eq!(found("file").stat.facts.size_bytes, 3);
    assert_eq!(found("file").stat.facts.inode, found("second").stat.facts.inode);
    assert_eq!(found("socket").stat.facts.kind, EntryKind::Socket);
    assert_eq!(found("fifo").stat.facts.kind, EntryKind::Fifo);
    assert_eq!(found("fifo").stat.facts.link_count, 0);
    let folder_entry = find(folder.path(), folder.path()).entry().expect("it is there");
    assert_eq!((folder_entry.link_count, folder_entry.size_bytes), (0, 0));
}

#[test]
fn a_tree_deeper_than_paths_can_be_long_is_walked_and_written_back() {
    for (depth, name) in [(40, vec![b'd'; 250]), (1500, b"d".to_vec())] {
        let folder = scratch();
        let target = Target::create(&folder.path().join("one")).expect("because it is new");
        let copy = Target::create(&folder.path().join("two")).expect("because it is new");
        let mut path = TreePath::root();
        for _ in 0..depth {
            path = path.join(&name).expect("because the limit is far");
            target.make_directory(&path).expect("because its parent exists");
        }
        let leaf = path.join(b"leaf").expect("because the limit is far");
        let file = target.create_file(&leaf, 0).expect("because it is new");
        file.write_at(b"deep down", 0).expect("because there is space");

        let root = folder.path().join("one");
        let base = tree_path(&root);
        let mut count = 0;
        for found in walk(&root) {
            let Some(path) = base.strip_prefix_of(&found.path).filter(|it| !it.is_root()) else {
                continue;
            };
            count += 1;
            if found.stat.facts.kind == EntryKind::Directory {
                copy.make_directory(&path).expect("because its parent came before");
                continue;
            }
            let mut bytes = [0; 9];
            let file = found.open().expect("because it is there");
            assert_eq!(file.read_at(&mut bytes, 0).expect("because it is open"), 9);
            let written = copy.create_file(&path, 9).expect("because it is new");
            written.write_at(&bytes, 0).expect("because there is space");
        }
        assert_eq!(count, depth + 1);
        let stat = copy.stat(&leaf).expect("because the way is there");
        assert_eq!(stat.map(|stat| stat.size_bytes), Some(9));
        for target in [target, copy] {
            target.remove(&TreePath::root()).expect("because it can be emptied");
            assert!(target.is_empty().expect("because it can be listed"));
        }
    }
}
