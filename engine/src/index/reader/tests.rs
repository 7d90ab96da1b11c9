//! Tests of look-ups: copies, collisions of prefixes, tables, and what a view sees.

use proptest::prelude::*;

use super::*;
use crate::index::sample::{empty, id, open, pack, segment};

#[test]
fn every_chunk_is_found_where_it_lies_and_no_other() {
    let (_folder, index) = empty();
    let packs: Vec<_> =
        (0..20).map(|n| pack(n, u64::from(n) * 60..u64::from(n) * 60 + 60)).collect();
    index.add_packs(&packs).unwrap();
    let reader = index.reader().unwrap();
    for pack in &packs {
        for chunk in &pack.table.chunks {
            let block = pack.table.blocks[chunk.block as usize];
            let place = ChunkPlace {
                pack: pack.pack,
                pack_bytes: pack.stored_bytes,
                block: chunk.block,
                block_offset: block.offset,
                block_stored_bytes: block.stored_bytes,
                block_raw_bytes: block.raw_bytes,
                offset: chunk.offset,
                length_bytes: chunk.length_bytes,
            };
            assert!(reader.contains(&chunk.id).unwrap());
            assert_eq!(reader.first_place(&chunk.id).unwrap(), Some(place));
            assert_eq!(reader.places(&chunk.id).unwrap(), [place]);
        }
    }
    for number in 1_200..2_000 {
        assert!(!reader.contains(&id(number)).unwrap());
        assert_eq!(reader.first_place(&id(number)).unwrap(), None);
        assert!(reader.places(&id(number)).unwrap().is_empty());
    }
}

#[test]
fn all_copies_of_a_chunk_are_named_oldest_first() {
    let (_folder, index) = empty();
    index.add_packs(&[pack(3, [1, 2, 1]), pack(2, [2])]).unwrap();
    index.add_packs(&[pack(1, [5, 1])]).unwrap();
    let reader = index.reader().unwrap();
    let copies = reader.places(&id(1)).unwrap();
    let found: Vec<_> = copies.iter().map(|place| (place.pack.counter, place.offset)).collect();
    assert_eq!(found, [(3, 0), (3, 2_000), (1, 1_000)]);
    assert_eq!(reader.first_place(&id(1)).unwrap(), Some(copies[0]));
}

#[test]
fn ids_that_share_a_prefix_are_told_apart() {
    let (_folder, index) = empty();
    let near = |last| {
        let mut bytes = *id(1).as_bytes();
        bytes[31] ^= last;
        ChunkId::new(bytes)
    };
    let mut packs = [pack(1, [1, 1, 1]), pack(2, [1])];
    for (chunk, last) in packs[0].table.chunks.iter_mut().zip([1, 2, 3]) {
        chunk.id = near(last);
    }
    packs[1].table.chunks[0].id = near(2);
    index.add_packs(&packs).unwrap();
    let reader = index.reader().unwrap();
    assert!(!reader.contains(&near(0)).unwrap());
    assert!(!reader.contains(&near(4)).unwrap());
    assert_eq!(reader.places(&near(1)).unwrap().len(), 1);
    assert_eq!(reader.places(&near(2)).unwrap().len(), 2);
    assert_eq!(reader.first_place(&near(3)).unwrap().map(|place| place.offset), Some(2_000));
}

#[test]
fn packs_are_visited_until_the_visitor_has_enough() {
    let (_folder, index) = empty();
    index.add_packs(&(1..=9).map(|n| pack(n, [u64::from(n)])).collect::<Vec<_>>()).unwrap();
    let reader = index.reader().unwrap();
    let mut seen = Vec::new();
    reader
        .for_each_pack(&mut |pack, stored_bytes| {
            // The visitor may look things up, also while the view is renewed under it.
            index.add_packs(&[]).unwrap();
            assert!(reader.contains(&id(u64::from(pack.counter))).unwrap());
            seen.push((pack.counter, stored_bytes));
            seen.len() < 4
        })
        .unwrap();
    assert_eq!(seen.len(), 4);
    assert!(seen.iter().all(|(counter, stored_bytes)| *stored_bytes == 50_000 + counter));
}

#[test]
fn a_reader_sees_what_its_process_adds_and_others_after_a_new_view() {
    let (folder, index) = empty();
    let mut reader = index.reader().unwrap();
    assert!(!reader.contains(&id(1)).unwrap());
    index.add_packs(&[pack(1, [1])]).unwrap();
    assert!(reader.contains(&id(1)).unwrap(), "added by the same process");

    let (other, _) = open(folder.path());
    other.add_packs(&[pack(2, [2])]).unwrap();
    assert!(!reader.contains(&id(2)).unwrap(), "the view is older");
    reader.refresh_view().unwrap();
    reader.refresh_view().unwrap();
    assert!(reader.contains(&id(2)).unwrap());

    other.add_packs(&[pack(3, [3])]).unwrap();
    for _ in 0..=INDEX_VIEW_LOOKUPS {
        reader.contains(&id(9)).unwrap();
    }
    assert!(reader.contains(&id(3)).unwrap(), "no view is kept for ever");
}

#[test]
fn packs_indexed_after_clearing_are_not_mistaken_for_those_before() {
    let (_folder, index) = empty();
    index.add_packs(&[pack(1, [1]), pack(2, [2])]).unwrap();
    let reader = index.reader().unwrap();
    assert_eq!(reader.first_place(&id(1)).unwrap().unwrap().pack.counter, 1);
    assert_eq!(reader.first_place(&id(2)).unwrap().unwrap().pack.counter, 2);
    index.clear().unwrap();
    assert!(!reader.contains(&id(1)).unwrap());
    index.add_packs(&[pack(3, [2]), pack(4, [1])]).unwrap();
    assert_eq!(reader.first_place(&id(1)).unwrap().unwrap().pack.counter, 4);
    assert_eq!(reader.first_place(&id(2)).unwrap().unwrap().pack.counter, 3);
}

#[test]
fn readers_of_many_threads_look_up_while_packs_are_added() {
    let (_folder, index) = empty();
    std::thread::scope(|scope| {
        for _ in 0..3 {
            let reader = index.reader().unwrap();
            scope.spawn(move || {
                while !reader.contains(&id(199)).unwrap() {
                    std::thread::yield_now();
                }
                assert!((0..200).all(|number| reader.contains(&id(number)).unwrap()));
            });
        }
        for n in 0..20 {
            let chunks = u64::from(n) * 10..u64::from(n) * 10 + 10;
            index.add_segment(segment(2, n), &[pack(n, chunks)]).unwrap();
        }
    });
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn the_table_of_a_pack_comes_back_as_it_was_added(
        sizes in proptest::collection::vec(0u64..130, 1..8),
    ) {
        let (_folder, index) = empty();
        let packs: Vec<_> = (1u32..).zip(&sizes).map(|(n, size)| pack(n, 0..*size)).collect();
        index.add_packs(&packs).unwrap();
        let reader = index.reader().unwrap();
        for pack in &packs {
            let table = reader.pack_table(&pack.pack).unwrap();
            prop_assert_eq!(table.as_ref(), Some(&pack.table));
        }
        prop_assert_eq!(reader.pack_table(&pack(99, []).pack).unwrap(), None);
    }
}
