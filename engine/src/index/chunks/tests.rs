//! Tests of adding: idempotence, all or nothing, independence of order, and sums.

use proptest::prelude::*;

use super::*;
use crate::base::error::{Classified, ErrorClass};
use crate::format::segment::SegmentPack;
use crate::index::sample::{empty, id, pack, segment};

#[test]
fn adding_again_changes_nothing() {
    let (_folder, index) = empty();
    let packs = [pack(1, 0..50), pack(2, 50..90)];
    index.add_packs(&packs[..1]).unwrap();
    index.add_segment(segment(2, 7), &packs).unwrap();
    let once = (index.fingerprint().unwrap(), index.statistics().unwrap());
    index.add_segment(segment(2, 7), &packs).unwrap();
    index.add_packs(&packs).unwrap();
    index.add_segment(segment(2, 8), &packs).unwrap();
    assert_eq!(index.fingerprint().unwrap(), once.0);
    assert_eq!(index.statistics().unwrap(), IndexStatistics { segment_count: 2, ..once.1 });
    assert_eq!(index.known_segments().unwrap(), [segment(2, 7), segment(2, 8)].into());
}

#[test]
fn a_pack_described_differently_is_refused_with_its_whole_segment() {
    let (_folder, index) = empty();
    index.add_packs(&[pack(1, [1, 2])]).unwrap();
    let before = index.fingerprint().unwrap();
    let mut resized = pack(1, [1, 2]);
    resized.stored_bytes += 1;
    for other in [pack(1, [1, 3]), pack(1, [1]), resized] {
        let error = index.add_segment(segment(2, 1), &[pack(2, [9]), other]).unwrap_err();
        assert_eq!(error.class(), ErrorClass::Corrupt, "{error}");
    }
    assert!(index.known_segments().unwrap().is_empty());
    assert_eq!(index.fingerprint().unwrap(), before);
    assert!(!index.reader().unwrap().contains(&id(9)).unwrap());
}

#[test]
fn tables_that_no_decoder_makes_are_refused() {
    let (_folder, index) = empty();
    let spoil = |change: fn(&mut SegmentPack)| {
        let mut pack = pack(1, 0..9);
        change(&mut pack);
        index.add_packs(&[pack]).map_err(|error| error.class())
    };
    assert_eq!(spoil(|p| p.table.chunks[4].block = 3), Err(ErrorClass::Bug));
    assert_eq!(spoil(|p| p.table.chunks[4].offset = 1 << 24), Err(ErrorClass::Bug));
    assert_eq!(spoil(|p| p.table.chunks[4].length_bytes = 1 << 24), Err(ErrorClass::Bug));
    assert_eq!(index.statistics().unwrap(), IndexStatistics::default());
    assert_eq!(spoil(|_| ()), Ok(()));
}

#[test]
fn sums_keep_data_and_trees_apart() {
    let (_folder, index) = empty();
    index.add_segment(segment(1, 1), &[pack(1, 0..30), pack(2, 0..10), pack(5, 90..95)]).unwrap();
    let expected = IndexStatistics {
        segment_count: 1,
        pack_count: 3,
        chunk_count: 45,
        data_raw_bytes: 30 * 1_001 + 10 * 1_002,
        data_stored_bytes: 50_001 + 50_002,
        tree_raw_bytes: 5 * 1_005,
        tree_stored_bytes: 50_005,
    };
    assert_eq!(index.statistics().unwrap(), expected);
}

#[test]
fn a_fingerprint_is_refused_when_look_ups_and_records_disagree() {
    for damage in [
        "DELETE FROM chunk WHERE record = 3",
        "UPDATE chunk SET prefix = prefix + 1 WHERE record = 3",
        "UPDATE part SET pack = 2 WHERE id = 0",
        "DELETE FROM part WHERE id = 1",
    ] {
        let (_folder, index) = empty();
        index.add_packs(&[pack(1, 0..60), pack(2, 60..70)]).unwrap();
        index.fingerprint().unwrap();
        index.write(|transaction| Ok(transaction.execute(damage, ())?)).unwrap();
        assert!(index.fingerprint().is_err(), "{damage}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn the_fingerprint_does_not_depend_on_order_or_grouping(
        sizes in proptest::collection::vec(0u64..60, 1..12),
        order in any::<u64>(),
        cut in any::<proptest::sample::Index>(),
    ) {
        // Ids repeat between packs, so that copies are indexed in different orders.
        let packs: Vec<_> = (1u32..).zip(&sizes).map(|(n, size)| pack(n, 0..*size)).collect();
        let mut shuffled = packs.clone();
        shuffled.sort_by_key(|pack| blake3::hash(&(order ^ u64::from(pack.stored_bytes)).to_le_bytes()).to_hex());
        let (front, back) = shuffled.split_at(cut.index(shuffled.len()));

        let (_folder, one) = empty();
        one.add_packs(&packs).unwrap();
        let (_folder, other) = empty();
        other.add_packs(back).unwrap();
        other.add_segment(segment(3, 1), front).unwrap();
        prop_assert_eq!(one.fingerprint().unwrap(), other.fingerprint().unwrap());
        one.clear().unwrap();
        one.add_packs(&shuffled).unwrap();
        prop_assert_eq!(one.fingerprint().unwrap(), other.fingerprint().unwrap());
        one.add_packs(&[pack(99, [])]).unwrap();
        prop_assert_ne!(one.fingerprint().unwrap(), other.fingerprint().unwrap());
    }
}
