//! Names of folders that no snapshot has, and numbers of inodes.

use std::collections::HashMap;
use std::sync::Arc;

use proptest::prelude::*;

use super::handles::{Handles, Recent};
use super::inodes::{Identity, Inodes, Node, Place, TOP};
use super::scene::{Folder, Found, Scene, Shown, safe_name};
use crate::base::id::{ChunkId, ClientId, Nonce8, SessionId};
use crate::base::limits::{MOUNT_ENTRIES_KEPT, NAME_MAX_BYTES};
use crate::base::path::TreePath;
use crate::base::time::Timestamp;
use crate::format::entry::{Entry, EntryKind};

fn shown(number: u8) -> Shown {
    let session =
        SessionId::from_parts(ClientId::new([number; 8]), u64::from(number), Nonce8::new([0; 8]));
    Shown { session, root: ChunkId::new([number; 32]), made: Timestamp::default() }
}

proptest! {
    #[test]
    fn every_text_has_a_name_of_its_own(
        texts in proptest::collection::hash_set(
            prop_oneof![
                3 => "[./%a\u{0}\u{7f}\u{1b}ü\u{202e}]{0,4}",
                1 => "\\PC{0,20}",
                1 => "[a-c/]{250,300}",
                1 => "[äöü%]{120,160}",
            ],
            1..40,
        ),
    ) {
        let mut names = HashMap::new();
        for text in &texts {
            let name = safe_name(text);
            prop_assert!(TreePath::root().join(&name).is_ok(), "{text:?} {name:?}");
            prop_assert!(name.len() <= NAME_MAX_BYTES);
            let readable = std::str::from_utf8(&name).expect("a text stays a text");
            prop_assert!(!readable.chars().any(char::is_control));
            let other = names.insert(name, text);
            prop_assert!(other.is_none(), "{text:?} {other:?}");
        }
    }

    #[test]
    fn plain_names_stay_as_they_are(text in "[a-zA-Z0-9_.-]{3,60}") {
        prop_assert_eq!(safe_name(&text), text.as_bytes());
    }
}

#[test]
fn a_name_that_is_taken_gets_a_number_and_beginnings_lead_to_names() {
    let mut folder = Folder::default();
    assert_eq!(folder.add(b"t", shown(1)), b"t");
    assert_eq!(folder.add(b"t", shown(2)), b"t_2");
    assert_eq!(folder.add(b"t", shown(3)), b"t_3");
    folder.alias(b"abcdef".to_vec(), b"t".to_vec());
    folder.alias(b"abxyz".to_vec(), b"t_2".to_vec());
    assert_eq!(folder.find(b"t_2"), Some(Found::Snapshot(shown(2))));
    assert_eq!(folder.find(b"abc"), Some(Found::Link(b"t")));
    assert_eq!(folder.find(b"abxyz"), Some(Found::Link(b"t_2")));
    for nothing in [&b"ab"[..], b"", b"abcdefg", b"b"] {
        assert_eq!(folder.find(nothing), None, "{nothing:?}");
    }
    folder.link(b"latest", b"t_3".to_vec());
    let mut top = Folder::default();
    top.put(b"hosts", folder);
    let scene = Scene { top, made: Timestamp::default() };
    let at = |path: &[&[u8]]| {
        let path: Vec<_> = path.iter().map(|name| name.to_vec()).collect();
        scene.at(&path).map(|found| format!("{found:?}"))
    };
    assert!(at(&[]).is_some() && at(&[b"hosts", b"latest"]).is_some());
    assert_eq!(at(&[b"hosts", b"t", b"below"]), None);
    assert_eq!(at(&[b"tags"]), None);
}

#[test]
fn a_number_is_known_for_as_long_as_the_kernel_holds_it() {
    let inodes = Inodes::default();
    let place = Arc::new(Place::new(shown(1), vec![b"ids".to_vec(), b"x".to_vec()]));
    let path = TreePath::from_slashes(b"a/b").expect("a path");
    let identity = Identity::of_entry(&place, &path, None);
    let node = || Node::Entry(Arc::clone(&place), path.clone());
    let number = inodes.number(identity);
    assert_eq!(inodes.get(number), None);
    assert_eq!(inodes.remember(identity, node()), number);
    assert_eq!(inodes.remember(identity, node()), number);
    inodes.forget(number, 1);
    assert_eq!(inodes.get(number), Some(node()));
    inodes.forget(number, 5);
    assert_eq!((inodes.get(number), inodes.count()), (None, 0));
    // The top is there whatever is forgotten.
    assert_eq!(inodes.remember(Identity::of_scene(&[]), Node::Scene(Vec::new())), TOP);
    inodes.forget(TOP, 1);
    assert_eq!(inodes.get(TOP), Some(Node::Scene(Vec::new())));
    // At another place it is another folder.
    let elsewhere = Place::new(shown(1), vec![b"latest".to_vec()]);
    assert_ne!(inodes.number(Identity::of_entry(&elsewhere, &path, None)), number);
}

#[test]
fn handles_end_and_entries_are_dropped_in_time() {
    let handles = Handles::default();
    let (one, two) = (handles.add("one"), handles.add("two"));
    handles.remove(one);
    assert_eq!((handles.get(one), handles.get(two).as_deref()), (None, Some(&"two")));
    let recent = Recent::default();
    let entry = Arc::new(entry());
    let count = 2 * MOUNT_ENTRIES_KEPT as u64;
    for number in 0..count {
        recent.put(number, Arc::clone(&entry));
        assert!(recent.get(0).is_some(), "what is asked for again and again stays");
    }
    let kept = (0..count).filter(|number| recent.get(*number).is_some()).count();
    assert!(kept <= MOUNT_ENTRIES_KEPT, "{kept}");
    assert!(recent.get(count - 1).is_some());
}

fn entry() -> Entry {
    Entry {
        kind: EntryKind::Fifo,
        mode: 0,
        uid: 0,
        gid: 0,
        user: None,
        group: None,
        mtime: Timestamp::default(),
        ctime: Timestamp::default(),
        btime: None,
        atime: None,
        size_bytes: 0,
        inode: 0,
        device: 0,
        link_count: 0,
        xattrs: Vec::new(),
        inode_flags: 0,
        target: None,
        device_number: None,
        flags: 0,
        content: None,
        listing: 0,
        ntfs: None,
    }
}
