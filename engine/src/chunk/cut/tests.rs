//! Golden cut points, a second implementation of the algorithm, and independence of read sizes.

use proptest::collection::vec;
use proptest::prelude::{Just, Strategy, any, prop_assert, prop_assert_eq, prop_oneof, proptest};
use proptest::test_runner::Config;

use super::*;
use crate::base::limits::{KIB, MIB};
use crate::crypt::secret::SecretKey;

const KEY: [u8; 32] = *b"golden vectors of the cut points";

/// Chunk lengths of 1 MiB of noise with seed 1 by the general profile.
const GOLDEN_GENERAL: [usize; 14] = [
    111039, 79297, 103703, 79744, 103990, 74766, 77064, 81002, 76119, 86052, 38448, 38425, 67353,
    31574,
];
/// Chunk lengths of 12 MiB of noise with seed 2 by the media profile.
const GOLDEN_MEDIA: [usize; 10] =
    [1499420, 1069752, 1221924, 1246493, 1291047, 1980651, 1178837, 1437471, 1330434, 326883];

/// Masks of FastCDC's table for 2^18 (strict) and 2^14 (loose): two bits more and less than the
/// 16 bits of the average of 64 KiB.
const GENERAL_MASKS: (u64, u64) = (0x0000_d907_0753_7000, 0x0000_d903_1353_0000);
/// The same for 2^22 and 2^18.
const MEDIA_MASKS: (u64, u64) = (0x0000_d937_6753_7000, 0x0000_d907_0753_7000);

fn noise(seed: u8, length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    blake3::Hasher::new_keyed(&[seed; 32]).finalize_xof().fill(&mut bytes);
    bytes
}

fn cutter(profile: Profile) -> Cutter {
    Cutter::new(Arc::new(GearTable::new(&SecretKey::new(KEY))), profile)
}

/// Lengths of all chunks, the whole file being in one window.
fn lengths(cutter: &Cutter, data: &[u8]) -> Vec<usize> {
    let mut rest = data;
    let mut found = Vec::new();
    while let Some(length) = cutter.next(rest, true) {
        found.push(length);
        rest = &rest[length..];
    }
    found
}

/// The algorithm of the module's documentation, one byte at a time.
fn slow_cut(data: &[u8], profile: Profile) -> usize {
    let (min, average, max, (strict, loose)) = match profile {
        Profile::General => (16 * KIB, 64 * KIB, 256 * KIB, GENERAL_MASKS),
        Profile::Media => (256 * KIB, MIB, 4 * MIB, MEDIA_MASKS),
        Profile::Pages => return data.len().min(16 * KIB),
    };
    let end = data.len().min(max);
    let gear = GearTable::new(&SecretKey::new(KEY));
    let mut hash = 0_u64;
    for (index, byte) in data.iter().enumerate().take(end / 2 * 2).skip(min) {
        hash = (hash << 1).wrapping_add(gear.gear()[usize::from(*byte)]);
        if hash & (if index < average { strict } else { loose }) == 0 {
            return index;
        }
    }
    end
}

fn slow_lengths(data: &[u8], profile: Profile) -> Vec<usize> {
    let mut rest = data;
    let mut found = Vec::new();
    while !rest.is_empty() {
        found.push(slow_cut(rest, profile));
        rest = &rest[found[found.len() - 1]..];
    }
    found
}

#[test]
fn cut_points_are_those_of_version_1() {
    let general = lengths(&cutter(Profile::General), &noise(1, MIB));
    assert_eq!(general, GOLDEN_GENERAL);
    let media = lengths(&cutter(Profile::Media), &noise(2, 12 * MIB));
    assert_eq!(media, GOLDEN_MEDIA);
    let pages = lengths(&cutter(Profile::Pages), &noise(3, 40_000));
    assert_eq!(pages, [16_384, 16_384, 7232]);
}

#[test]
fn a_slow_implementation_agrees() {
    for seed in 0..6 {
        let data = noise(seed, 2 * MIB + usize::from(seed) * 3);
        assert_eq!(
            lengths(&cutter(Profile::General), &data),
            slow_lengths(&data, Profile::General)
        );
    }
    let data = noise(9, 9 * MIB + 1);
    assert_eq!(lengths(&cutter(Profile::Media), &data), slow_lengths(&data, Profile::Media));
}

#[test]
fn the_average_is_near_its_name_and_the_key_moves_the_cuts() {
    let data = noise(4, 16 * MIB);
    let found = lengths(&cutter(Profile::General), &data);
    let average_bytes = data.len() / found.len();
    assert!((56 * KIB..88 * KIB).contains(&average_bytes), "{average_bytes}");
    let other = Cutter::new(Arc::new(GearTable::new(&SecretKey::new([1; 32]))), Profile::General);
    assert_ne!(lengths(&other, &data), found);
}

#[test]
fn an_insertion_moves_only_the_cuts_near_it() {
    let data = noise(6, 4 * MIB);
    let ends = |data: &[u8]| {
        let mut left_bytes = data.len();
        let found = lengths(&cutter(Profile::General), data).into_iter().map(|length| {
            left_bytes -= length;
            left_bytes
        });
        found.collect::<std::collections::HashSet<_>>()
    };
    let before = ends(&data);
    let mut changed = data.clone();
    changed.splice(2 * MIB..2 * MIB, *b"inserted");
    let after = ends(&changed);
    let kept_count = before.intersection(&after).filter(|left| **left < 2 * MIB).count();
    let tail_count = before.iter().filter(|left| **left < 2 * MIB).count();
    assert!(tail_count - kept_count <= 4, "{kept_count} of {tail_count} cuts kept");
}

#[test]
fn too_little_data_decides_nothing_unless_the_file_ends() {
    for profile in Profile::ALL {
        let cutter = cutter(profile);
        let max_bytes = profile.max_chunk_bytes();
        let zeros = vec![0; max_bytes + 2];
        assert_eq!(cutter.next(&[], true), None);
        assert_eq!(cutter.next(&[], false), None);
        assert_eq!(cutter.next(&zeros[..max_bytes - 1], false), None);
        assert_eq!(cutter.next(&zeros[..1], true), Some(1));
        assert!(cutter.next(&zeros[..max_bytes], false).is_some());
    }
}

/// Data with long runs, in which cuts are rare, and noise, in which they are not.
fn content() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        (any::<u8>(), 1..400_000_usize).prop_map(|(byte, length)| vec![byte; length]),
        (any::<u8>(), 1..400_000_usize).prop_map(|(seed, length)| noise(seed, length)),
        Just(vec![0; 7]),
    ];
    vec(piece, 0..4).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(Config::with_cases(32))]
    #[test]
    fn cuts_do_not_depend_on_how_the_data_was_read(
        data in content(),
        reads in vec(1..300_000_usize, 1..5),
        profile in prop_oneof![Just(Profile::General), Just(Profile::Pages)],
    ) {
        let cutter = cutter(profile);
        let mut found = Vec::new();
        let (mut start, mut end) = (0, 0);
        let mut sizes = reads.iter().cycle();
        while start < data.len() {
            match cutter.next(&data[start..end], end == data.len()) {
                Some(length) => {
                    prop_assert!(length <= profile.max_chunk_bytes());
                    found.push(length);
                    start += length;
                }
                None => end = data.len().min(end + sizes.next().copied().unwrap_or(1)),
            }
        }
        prop_assert_eq!(&found, &lengths(&cutter, &data));
        prop_assert_eq!(found, slow_lengths(&data, profile));
    }
}
