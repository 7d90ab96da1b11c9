//! Holes, ends and changes of a file that is being read.

use std::fs::File;
use std::os::unix::fs::FileExt;

use super::*;

fn open(file: &File) -> OpenFile {
    let fd = file.try_clone().expect("because descriptors are left").into();
    let stat = meta::stat_open(file).expect("because it is open");
    OpenFile::new(fd, TreePath::root(), &stat)
}

#[test]
fn data_between_holes_is_found_and_nothing_is_lost() {
    let file = tempfile::tempfile().expect("because the test machine has space");
    let mib = 1 << 20;
    file.set_len(10 * mib).expect("because a hole costs nothing");
    file.write_all_at(b"first", 3 * mib).expect("because there is space");
    file.write_all_at(b"second", 7 * mib).expect("because there is space");
    let reader = open(&file);
    assert!(reader.is_sparse());
    let mut offset = 0;
    let mut found = Vec::new();
    while let Some((start, end)) = reader.next_data(offset).expect("because it is open") {
        assert!(start >= offset && end > start && end <= 10 * mib);
        let mut bytes = vec![0; (end - start) as usize];
        assert_eq!(reader.read_at(&mut bytes, start).expect("because it is open"), bytes.len());
        found.extend(bytes.into_iter().filter(|byte| *byte != 0));
        offset = end;
    }
    assert_eq!(found, b"firstsecond");
    assert_eq!(reader.next_data(10 * mib).expect("because it is open"), None);
}

#[test]
fn reading_stops_at_the_end_and_a_change_shows_in_the_stamp() {
    let file = tempfile::tempfile().expect("because the test machine has space");
    file.write_all_at(b"0123456789", 0).expect("because there is space");
    let reader = open(&file);
    reader.advise_sequential();
    let mut buffer = [0; 8];
    assert_eq!(reader.read_at(&mut buffer, 6).expect("because it is open"), 4);
    assert_eq!(&buffer[..4], b"6789");
    assert_eq!(reader.read_at(&mut buffer, 99).expect("because it is open"), 0);
    assert_eq!(reader.stamp().expect("because it is open"), reader.opened_stamp());
    file.write_all_at(b"x", 10).expect("because there is space");
    assert_ne!(reader.stamp().expect("because it is open"), reader.opened_stamp());
    assert!(!reader.is_sparse());
}
