//! Tests of hints: round trips, every flip and every truncation noticed, the old kept until then.

use std::fs;
use std::fs::File;
use std::io::Write;

use proptest::prelude::*;

use super::*;
use crate::base::codec::PutLe;
use crate::base::limits::PATH_MAX_BYTES;
use crate::base::time::Timestamp;
use crate::disk::owner::Owner;
use crate::format::entry::{Content, Entry, EntryKind, Xattr};
use crate::format::node::Child;

fn header() -> HintsHeader {
    let users = vec![Owner { id: 1000, name: Some(b"u".to_vec()) }];
    let owners = Owners { users, groups: vec![Owner { id: 1000, name: None }] };
    let (session, root) = (SessionId::new([1; 24]), ChunkId::new([3; 32]));
    HintsHeader { session, epoch: [2; 16], root, owners }
}

fn entry(inode: u64) -> Entry {
    let time = Timestamp { seconds: inode as i64, nanos: 5 };
    Entry {
        kind: EntryKind::File,
        mode: 0o644,
        uid: 1000,
        gid: 1000,
        user: Some(b"u".to_vec()),
        group: None,
        mtime: time,
        ctime: time,
        btime: None,
        atime: None,
        size_bytes: inode,
        inode,
        device: 1,
        link_count: 0,
        xattrs: vec![Xattr { name: b"user.a".to_vec(), value: vec![0; (inode % 40) as usize] }],
        inode_flags: 0,
        target: None,
        device_number: None,
        flags: 0,
        content: Some(Content::Inline(inode.to_le_bytes().to_vec())),
        listing: (inode % 32) as u8,
        ntfs: None,
    }
}

fn write(folder: &Path, name: &str, entries: &[(Vec<u8>, Entry)]) {
    let mut writer = HintsWriter::create(folder, name).unwrap();
    for part in entries.chunks(7) {
        push(&mut writer, part).unwrap();
    }
    writer.finish(&header()).unwrap();
}

fn push(writer: &mut HintsWriter, entries: &[(Vec<u8>, Entry)]) -> Result<(), IndexError> {
    let child = Child {
        last_key: entries.last().unwrap().0.clone(),
        node: ChunkId::new([entries.len() as u8; 32]),
        item_count: entries.len() as u64,
        total_bytes: 5,
    };
    writer.push_leaf(&child, entries.len() == 7, entries)
}

type Keyed = Vec<(Vec<u8>, Entry)>;

fn read(folder: &Path, name: &str) -> Option<(Keyed, HintsHeader)> {
    let (reader, header) = HintsReader::open(folder, name).unwrap()?;
    let mut entries = Vec::new();
    for leaf in reader {
        let leaf = leaf.unwrap();
        let count = leaf.entry_count();
        assert_eq!((leaf.child.item_count, leaf.child.total_bytes), (count as u64, 5));
        assert_eq!(leaf.child.node, ChunkId::new([count as u8; 32]));
        assert_eq!((leaf.is_bounded, leaf.key(count - 1)), (count == 7, &leaf.child.last_key[..]));
        for number in 0..count {
            let entry = leaf.entry(number).unwrap();
            assert_eq!(leaf.sound_facts(number), Some((&entry.facts(), entry.listing)));
            entries.push((leaf.key(number).to_vec(), entry));
        }
        assert!(leaf.entry(count).is_err());
    }
    Some((entries, header))
}

fn keys(count: u64) -> Vec<(Vec<u8>, Entry)> {
    (0..count).map(|n| (format!("home\0u\0file{n:06}").into_bytes(), entry(n))).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn entries_come_back_in_order(
        keys in proptest::collection::btree_set(proptest::collection::vec(0u8..4, 0..20), 0..200),
        name in ".{0,40}",
    ) {
        let folder = tempfile::tempdir().unwrap();
        let entries: Vec<_> = (0..).zip(keys).map(|(n, key)| (key, entry(n))).collect();
        write(folder.path(), &name, &entries);
        prop_assert_eq!(read(folder.path(), &name), Some((entries, header())));
        let other = name + "x";
        prop_assert!(read(folder.path(), &other).is_none());
    }
}

#[test]
fn every_flipped_byte_and_every_truncation_is_noticed_and_the_file_removed() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "s", &keys(30));
    let file = path(folder.path(), "s");
    let sound = fs::read(&file).unwrap();
    let put = |bytes: &[u8]| File::create(&file).unwrap().write_all(bytes).unwrap();
    for position in 0..sound.len() {
        for mask in [1, 0x80] {
            let mut bytes = sound.clone();
            bytes[position] ^= mask;
            put(&bytes);
            assert!(read(folder.path(), "s").is_none(), "flip at {position}");
            assert!(!file.exists());
        }
        put(&sound[..position]);
        assert!(read(folder.path(), "s").is_none(), "cut at {position}");
    }
    put(&[&sound[..], b"x"].concat());
    assert!(read(folder.path(), "s").is_none());
    put(&sound);
    assert_eq!(read(folder.path(), "s"), Some((keys(30), header())));
}

#[test]
fn another_version_is_no_hints() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "s", &keys(3));
    let file = path(folder.path(), "s");
    let mut bytes = fs::read(&file).unwrap();
    let end = bytes.len() - 32;
    bytes[end - TRAILER_BYTES + 32 + 4] += 1;
    let hash = blake3::hash(&bytes[..end]);
    bytes[end..].copy_from_slice(hash.as_bytes());
    File::create(&file).unwrap().write_all(&bytes).unwrap();
    assert!(read(folder.path(), "s").is_none());
}

#[test]
fn a_file_that_lies_about_its_lengths_ends_in_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let leaf = |body: &[u8], raw_bytes: u32| {
        let squeezed = zstd::bulk::compress(body, 1).unwrap();
        let mut stored = Vec::new();
        stored.put_u32(squeezed.len() as u32);
        stored.put_u32(raw_bytes);
        stored.put(&squeezed);
        stored
    };
    let mut many = vec![1];
    many.put(&[0; 32]);
    many.put_u32(u32::MAX);
    many.put_u64(1);
    let mut long = vec![1];
    long.put(&[0; 32]);
    long.put_u32(1);
    long.put_u64(1);
    long.put(&[1; 67]);
    long.put_u32(0);
    long.put_u32(u32::MAX);
    long.put_u32(u32::MAX);
    long.put(&[0; 100]);
    let wrong = [
        (leaf(&many, many.len() as u32), 2u64),
        (leaf(&long, long.len() as u32), 1),
        (leaf(b"", 0), 1),
        (leaf(&many, u32::MAX), 1),
        (leaf(&many, 3), 1),
        (Vec::new(), u64::MAX),
        (vec![0xff; 12], 1),
    ];
    for (body, claimed) in wrong {
        let mut bytes = body;
        let header = minicbor::to_vec(header()).unwrap();
        bytes.put(&header);
        bytes.put(&MAGIC);
        bytes.put_u8(VERSION);
        bytes.put_u64(claimed);
        bytes.put_u32(header.len() as u32);
        let hash = blake3::hash(&bytes);
        bytes.put(hash.as_bytes());
        fs::create_dir_all(folder.path().join("hints")).unwrap();
        File::create(path(folder.path(), "s")).unwrap().write_all(&bytes).unwrap();
        let (mut reader, _) = HintsReader::open(folder.path(), "s").unwrap().unwrap();
        assert!(reader.next().unwrap().is_err());
        assert!(reader.next().is_none());
    }
}

#[test]
fn the_old_hints_stay_until_the_new_ones_are_finished() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "s", &keys(3));
    let mut writer = HintsWriter::create(folder.path(), "s").unwrap();
    push(&mut writer, &keys(1)).unwrap();
    assert_eq!(read(folder.path(), "s"), Some((keys(3), header())));
    // As a killed process leaves it: neither finished nor dropped.
    std::mem::forget(writer);
    assert_eq!(fs::read_dir(folder.path().join("hints")).unwrap().count(), 2);
    write(folder.path(), "s", &keys(4));
    assert_eq!(read(folder.path(), "s"), Some((keys(4), header())));
    assert_eq!(fs::read_dir(folder.path().join("hints")).unwrap().count(), 1);
    remove(folder.path(), "s").unwrap();
    remove(folder.path(), "s").unwrap();
    assert!(read(folder.path(), "s").is_none());
}

#[test]
fn keys_out_of_order_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let mut writer = HintsWriter::create(folder.path(), "s").unwrap();
    let with = |key: &[u8]| (key.to_vec(), entry(1));
    push(&mut writer, &[with(b""), with(b"b")]).unwrap();
    assert!(push(&mut writer, &[with(b"b")]).is_err());
    assert!(push(&mut writer, &[with(b"a"), with(b"c")]).is_err());
    assert!(push(&mut writer, &[with(b"d"), with(b"c")]).is_err());
    assert!(push(&mut writer, &[with(&vec![b'e'; PATH_MAX_BYTES + 1])]).is_err());
}

#[test]
fn a_copied_leaf_is_the_same_leaf() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "s", &keys(30));
    let (reader, _) = HintsReader::open(folder.path(), "s").unwrap().unwrap();
    let mut writer = HintsWriter::create(folder.path(), "s").unwrap();
    for leaf in reader {
        writer.copy_leaf(&leaf.unwrap()).unwrap();
    }
    writer.finish(&header()).unwrap();
    assert_eq!(read(folder.path(), "s"), Some((keys(30), header())));
}
