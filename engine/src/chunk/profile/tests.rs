//! Tests of detection: what must be recognised, what must not, and that nothing panics.

use proptest::collection::vec;
use proptest::prelude::{any, prop_assert_eq, proptest};

use super::*;

const GIB: u64 = 1 << 30;

fn noise(length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    blake3::Hasher::new_keyed(&[5; 32]).finalize_xof().fill(&mut bytes);
    bytes
}

/// `length` zero bytes with pieces put over them.
fn image(length: usize, pieces: &[(usize, &[u8])]) -> Vec<u8> {
    let mut bytes = vec![0; length];
    for (offset, piece) in pieces {
        bytes[*offset..offset + piece.len()].copy_from_slice(piece);
    }
    bytes
}

fn partition(kind: u8, start: u32, length: u32) -> [u8; 16] {
    let mut entry = [0; 16];
    entry[4] = kind;
    entry[8..12].copy_from_slice(&start.to_le_bytes());
    entry[12..].copy_from_slice(&length.to_le_bytes());
    entry
}

#[test]
fn databases_and_images_are_known_by_their_first_bytes() {
    for magic in [
        &b"SQLite format 3\0"[..],
        b"QFI\xfb\0\0\0\x03",
        b"KDMV\x01\0\0\0",
        b"# Disk DescriptorFile\nversion=1",
        b"conectix\0\0\0\x02",
        b"vhdxfile",
        b"LUKS\xba\xbe\0\x02",
        b"XFSB\0\0\x10\0",
    ] {
        let bytes = image(DETECT_BYTES, &[(0, magic)]);
        assert_eq!(detect(&bytes, GIB), Profile::Pages, "{magic:?}");
        let moved = image(DETECT_BYTES, &[(1, magic)]);
        assert_eq!(detect(&moved, GIB), Profile::General, "{magic:?}");
    }
    assert_eq!(detect(&image(4096, &[(0, b"XFSB\0\0\x10\x01")]), GIB), Profile::General);
}

#[test]
fn file_systems_and_disks_need_more_than_two_bytes_of_magic() {
    let ext = |inodes: u8, log: u8, revision: u8| {
        image(
            DETECT_BYTES,
            &[(1024, &[inodes]), (1048, &[log]), (1080, &[0x53, 0xef]), (1100, &[revision])],
        )
    };
    assert_eq!(detect(&ext(1, 2, 1), GIB), Profile::Pages);
    assert_eq!(detect(&ext(0, 2, 1), GIB), Profile::General);
    assert_eq!(detect(&ext(1, 7, 1), GIB), Profile::General);
    assert_eq!(detect(&ext(1, 2, 2), GIB), Profile::General);

    let boot = |pieces: &[(usize, &[u8])]| {
        let mut bytes = image(DETECT_BYTES, pieces);
        bytes[510..512].copy_from_slice(&[0x55, 0xaa]);
        detect(&bytes, GIB)
    };
    let linux = partition(0x83, 2048, 1_000_000);
    assert_eq!(boot(&[(446, &linux)]), Profile::Pages);
    assert_eq!(boot(&[(512, b"EFI PART")]), Profile::Pages);
    assert_eq!(boot(&[(3, b"NTFS    ")]), Profile::Pages);
    assert_eq!(boot(&[(82, b"FAT32   ")]), Profile::Pages);
    assert_eq!(boot(&[]), Profile::General);
    assert_eq!(boot(&[(446, &partition(0x83, 0, 1000))]), Profile::General);
    assert_eq!(boot(&[(446, &partition(0x83, 2 << 21, 1000))]), Profile::General);
    assert_eq!(boot(&[(446, &linux), (462, &[0x11])]), Profile::General);
    let unmarked = image(DETECT_BYTES, &[(446, &linux), (512, b"EFI PART")]);
    assert_eq!(detect(&unmarked, GIB), Profile::General);
}

#[test]
fn database_pages_must_fit_the_file_and_each_other() {
    let mut page = image(8192, &[(12, &[28, 0]), (14, &[0, 0x1f]), (16, &[0, 0x20])]);
    page[18..20].copy_from_slice(&[4, 0x20]);
    let empty = vec![0; 8192];
    let other = vec![1; 8192];
    let heap = |pages: &[&[u8]], file_bytes| detect(&pages.concat(), file_bytes);
    assert_eq!(heap(&[&page], 8192), Profile::Pages);
    assert_eq!(heap(&[&page, &empty, &page], 3 * 8192), Profile::Pages);
    assert_eq!(heap(&[&page, &page], 3 * 8192 + 1), Profile::General);
    assert_eq!(heap(&[&empty, &page], 3 * 8192), Profile::General);
    assert_eq!(heap(&[&page, &other], 3 * 8192), Profile::General);

    let space = |log_end: u8| {
        image(
            32 * KIB,
            &[(20, &[9; 4]), (25, &[8]), (34, &[0, 0, 0, 5, 0, 0, 0, 5]), (16_380, &[log_end; 4])],
        )
    };
    assert_eq!(detect(&space(9), 96 * KIB as u64), Profile::Pages);
    assert_eq!(detect(&space(9), 96 * KIB as u64 + 1), Profile::General);
    assert_eq!(detect(&space(8), 96 * KIB as u64), Profile::General);
}

#[test]
fn media_is_long_and_does_not_compress() {
    let bytes = noise(DETECT_BYTES);
    assert_eq!(detect(&bytes, MEDIA_MIN_BYTES + 1), Profile::Media);
    assert_eq!(detect(&bytes, MEDIA_MIN_BYTES), Profile::General);
    let mut mixed = bytes.clone();
    mixed[..4096].fill(0);
    assert_eq!(detect(&mixed, GIB), Profile::General);
    assert_eq!(detect(&vec![0; DETECT_BYTES], GIB), Profile::General);
    assert_eq!(detect(&[], GIB), Profile::General);
}

#[test]
fn bytes_beyond_the_first_do_not_change_the_answer() {
    let mut bytes = noise(DETECT_BYTES);
    bytes.extend(vec![0; DETECT_BYTES]);
    assert_eq!(detect(&bytes, GIB), Profile::Media);
    let btrfs = image(2 * DETECT_BYTES, &[(0x10040, b"_BHRfS_M")]);
    assert_eq!(detect(&btrfs, GIB), Profile::General);
}

#[test]
fn only_short_general_files_are_never_cut() {
    let single = |file_bytes| whole_file_is_one_chunk(file_bytes, Profile::General);
    assert_eq!([0, 1, 65_536, 65_537].map(single), [false, true, true, false]);
    assert!(!whole_file_is_one_chunk(100, Profile::Pages));
    assert!(!whole_file_is_one_chunk(1 << 20, Profile::Media));
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in vec(any::<u8>(), 0..9000), file_bytes: u64) {
        let _ = detect(&bytes, file_bytes);
    }

    #[test]
    fn chance_does_not_look_like_pages(seed: [u8; 32], file_bytes in MEDIA_MIN_BYTES + 1..GIB) {
        let mut bytes = vec![0; DETECT_BYTES];
        blake3::Hasher::new_keyed(&seed).finalize_xof().fill(&mut bytes);
        // Even with the short magics in place by chance.
        bytes[510..512].copy_from_slice(&[0x55, 0xaa]);
        bytes[1080..1082].copy_from_slice(&[0x53, 0xef]);
        prop_assert_eq!(detect(&bytes, file_bytes), Profile::Media);
    }
}
