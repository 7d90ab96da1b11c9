//! Tests of hints: round trips, every flip and every truncation noticed, the old kept until then.

use std::fs;

use proptest::prelude::*;

use super::*;
use crate::base::time::Timestamp;
use crate::format::entry::{Content, EntryKind, Xattr};

const HEADER: HintsHeader =
    HintsHeader { session: SessionId::new([1; 24]), epoch: [2; 16], root: ChunkId::new([3; 32]) };

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
    }
}

fn write(folder: &Path, name: &str, entries: &[(Vec<u8>, Entry)]) {
    let mut writer = HintsWriter::create(folder, name).unwrap();
    for (key, entry) in entries {
        writer.push(key, entry).unwrap();
    }
    writer.finish(&HEADER).unwrap();
}

type Keyed = Vec<(Vec<u8>, Entry)>;

fn read(folder: &Path, name: &str) -> Option<(Keyed, HintsHeader)> {
    let (reader, header) = HintsReader::open(folder, name).unwrap()?;
    Some((reader.collect::<Result<_, _>>().unwrap(), header))
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
        prop_assert_eq!(read(folder.path(), &name), Some((entries, HEADER)));
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
    assert_eq!(read(folder.path(), "s"), Some((keys(30), HEADER)));
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
    let mut record = Vec::new();
    record.put_u32(1);
    record.put_u32(u32::MAX);
    record.put_u32(u32::MAX);
    for (body, claimed) in [(record, 2u64), (Vec::new(), u64::MAX), (vec![0xff; 12], 1)] {
        let mut bytes = zstd::bulk::compress(&body, 1).unwrap();
        let header = minicbor::to_vec(&HEADER).unwrap();
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
    writer.push(b"a", &entry(1)).unwrap();
    assert_eq!(read(folder.path(), "s"), Some((keys(3), HEADER)));
    // As a killed process leaves it: neither finished nor dropped.
    std::mem::forget(writer);
    assert_eq!(fs::read_dir(folder.path().join("hints")).unwrap().count(), 2);
    write(folder.path(), "s", &keys(4));
    assert_eq!(read(folder.path(), "s"), Some((keys(4), HEADER)));
    assert_eq!(fs::read_dir(folder.path().join("hints")).unwrap().count(), 1);
    remove(folder.path(), "s").unwrap();
    remove(folder.path(), "s").unwrap();
    assert!(read(folder.path(), "s").is_none());
}

#[test]
fn keys_out_of_order_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let mut writer = HintsWriter::create(folder.path(), "s").unwrap();
    writer.push(b"", &entry(0)).unwrap();
    writer.push(b"b", &entry(1)).unwrap();
    assert!(writer.push(b"b", &entry(2)).is_err());
    assert!(writer.push(b"a", &entry(2)).is_err());
    assert!(writer.push(&vec![b'c'; PATH_MAX_BYTES + 1], &entry(2)).is_err());
    writer.push(b"b\0c", &entry(2)).unwrap();
    writer.finish(&HEADER).unwrap();
    let keys: Vec<_> =
        read(folder.path(), "s").unwrap().0.into_iter().map(|(key, _)| key).collect();
    assert_eq!(keys, [&b""[..], b"b", b"b\0c"]);
}
