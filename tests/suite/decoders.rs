//! No bytes make a decoder panic, and no object is taken for another.
//!
//! What a decoder accepts must survive being written and read again; what lies under the key of
//! another object must be refused with an error that names the key ([`places`]).

mod places;

use engine::format::announcement::{Announcement, encode_announcement};
use engine::format::entry::Entry;
use engine::format::envelope::{ControlKind, decode_record, encode_control, encode_record};
use engine::format::node::Node;
use engine::format::private::SealedPart;
use engine::format::segment::{self, SegmentFrame};
use engine::format::session::Session;
use engine::format::slot::{KdfCost, Role, Slot, SlotAbout};
use proptest::collection::vec;
use proptest::prelude::{Strategy, any, prop_oneof, proptest};
use proptest::sample::{Index, select};
use proptest::test_runner::Config as ProptestConfig;
use system_tests::fuzz;

use crate::golden;

/// A decoder by its name, what it looks at, and bytes that it takes.
type Decoder = (&'static str, fuzz::Check, Vec<u8>);

type Seed = (&'static str, Vec<u8>);

/// Every decoder of the format, and bytes that it takes.
fn decoders() -> Vec<Decoder> {
    let check = |name| fuzz::check(name).expect("there is a decoder of that name");
    seeds().into_iter().map(|(name, seed)| (name, check(name), seed)).collect()
}

/// Bytes that decoders of the format take, with the names of these.
pub(crate) fn seeds() -> Vec<Seed> {
    [objects(), of_machines(), of_trees()].concat()
}

fn objects() -> Vec<Seed> {
    let slot = Slot {
        kind: engine::format::slot::SlotKind::Passphrase,
        repository: golden::config().repository,
        slot: engine::base::id::SlotId::new([7; 8]),
        cost: Some(KdfCost::FLOOR),
        salt: [3; 16],
        about: vec![1; 50],
        bundle: vec![2; 90],
    };
    let about =
        SlotAbout { role: Role::Verify, label: "x".to_owned(), created: golden::config().created };
    let (encapsulation, sealed) = (vec![1; 32], vec![3; 60]);
    let sealed_part = SealedPart { encapsulation, sealed_key: [2; 48], sealed };
    let mut table = Vec::new();
    golden::table().encode_into(&mut table);
    vec![
        ("config", golden::config_bytes()),
        ("config record", encode_record(&golden::config())),
        ("slot", slot.encode()),
        ("slot about", encode_record(&about)),
        ("bundle", encode_record(&golden::bundle())),
        ("control", encode_control(ControlKind::Commit, 1, &[9; 120])),
        ("signed", vec![1; 70]),
        ("client", encode_record(&golden::client())),
        ("session", encode_record(&golden::session())),
        ("confirm", encode_record(&golden::confirm())),
        ("fence", encode_record(&golden::fence())),
        ("tomb", encode_record(&golden::marks::tomb())),
        ("hold", encode_record(&golden::marks::hold())),
        ("release", encode_record(&golden::marks::release())),
        ("tags", encode_record(&golden::marks::tags())),
        ("condemn", encode_record(&golden::generations::condemn())),
        ("sweep", encode_record(&golden::generations::sweep())),
        ("ending", encode_record(&golden::generations::ending())),
        ("close", encode_record(&golden::generations::close())),
        ("past", encode_record(&golden::generations::base())),
        ("snapshot", encode_record(&golden::snapshots::snapshot())),
        ("commit", encode_record(&golden::snapshots::commit())),
        ("private", encode_record(&golden::snapshots::private())),
        ("sealed part", sealed_part.encode()),
        ("header", golden::header().encode()),
        ("table", table),
        ("footer plain", vec![1; 70]),
        ("footer", vec![0; 40]),
        ("segment frame", SegmentFrame { domain: 5, epoch: 1, sealed: &[8; 60] }.encode()),
        ("segment", segment::encode_packs(&golden::segment_packs())),
    ]
}

fn of_machines() -> Vec<Seed> {
    vec![
        ("revocation", encode_record(&golden::machines::revocation())),
        ("run", encode_record(&golden::machines::run())),
        ("conf", encode_record(&golden::machines::conf())),
        ("configuration", encode_record(&golden::machines::configuration())),
        ("join", encode_record(&golden::history::join())),
        ("fold", encode_record(&golden::history::fold())),
        ("copied", encode_record(&golden::history::copied())),
        ("lock", encode_record(&golden::history::lock())),
        ("consent", encode_record(&golden::marks::consent())),
        ("slot set", announced(&golden::history::slot_set())),
        ("epoch", announced(&golden::history::epoch())),
        ("epoch keys", encode_record(&golden::history::epoch_keys())),
    ]
}

fn announced<T: Announcement>(record: &T) -> Vec<u8> {
    [encode_announcement(record), vec![9; 64]].concat()
}

fn of_trees() -> Vec<Seed> {
    let of_windows =
        Entry { ntfs: Some(Box::new(golden::entries::ntfs())), ..golden::entries::file() };
    vec![
        ("node", golden::entries::leaf().encode()),
        ("node", golden::entries::inner().encode()),
        ("node", Node::Extents(golden::entries::extents()).encode()),
        ("entry", encode_record(&golden::entries::file())),
        ("entry", encode_record(&of_windows)),
        ("node", Node::Entries(vec![(b"a".to_vec(), of_windows)]).encode()),
        ("ntfs", encode_record(&golden::entries::ntfs())),
        ("extent", encode_record(&golden::entries::extents()[0])),
    ]
}

/// One change of some bytes.
#[derive(Debug, Clone)]
enum Edit {
    Set(Index, u8),
    Flip(Index, u8),
    Insert(Index, Vec<u8>),
    Remove(Index, usize),
    Cut(Index),
}

fn apply(bytes: &mut Vec<u8>, edit: &Edit) {
    if bytes.is_empty() {
        return;
    }
    let length = bytes.len();
    match edit {
        Edit::Set(at, value) => bytes[at.index(length)] = *value,
        Edit::Flip(at, bit) => bytes[at.index(length)] ^= 1 << bit,
        Edit::Insert(at, piece) => {
            let at = at.index(length);
            bytes.splice(at..at, piece.iter().copied());
        }
        Edit::Remove(at, count) => {
            let at = at.index(length);
            bytes.drain(at..(at + count).min(length));
        }
        Edit::Cut(at) => bytes.truncate(at.index(length)),
    }
}

fn edits() -> impl Strategy<Value = Vec<Edit>> {
    // Heads of CBOR items with absurd lengths, of open ones, and of plain ones.
    let heads = select(vec![
        vec![0x9b, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
        vec![0x5b, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
        vec![0xbb, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
        vec![0x9f],
        vec![0xbf],
        vec![0x5f],
        vec![0xf6],
        vec![0xff],
        vec![0x80],
        vec![0xa0],
        vec![0x00],
    ]);
    let values = select(vec![0, 1, 2, 0x17, 0x18, 0x1b, 0x40, 0x5f, 0x7f, 0x80, 0x9f, 0xf6, 0xff]);
    let edit = prop_oneof![
        (any::<Index>(), values).prop_map(|(at, value)| Edit::Set(at, value)),
        (any::<Index>(), 0..8_u8).prop_map(|(at, bit)| Edit::Flip(at, bit)),
        (any::<Index>(), heads).prop_map(|(at, piece)| Edit::Insert(at, piece)),
        (any::<Index>(), vec(any::<u8>(), 0..9)).prop_map(|(at, piece)| Edit::Insert(at, piece)),
        (any::<Index>(), 1..9_usize).prop_map(|(at, count)| Edit::Remove(at, count)),
        any::<Index>().prop_map(Edit::Cut),
    ];
    vec(edit, 1..6)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3000))]

    #[test]
    fn random_bytes_are_decoded_or_refused(bytes in vec(any::<u8>(), 0..400)) {
        for (_, check, seed) in decoders() {
            check(&bytes);
            // Behind a sound beginning, so that magic numbers are passed.
            for front in [1, 5, 10, 60] {
                let front = &seed[..seed.len().min(front)];
                check(&[front, &bytes].concat());
            }
        }
    }

    #[test]
    fn changed_bytes_are_decoded_or_refused(edits in edits(), from: Index) {
        let decoders = decoders();
        let mut bytes = decoders[from.index(decoders.len())].2.clone();
        edits.iter().for_each(|edit| apply(&mut bytes, edit));
        for (_, check, _) in decoders {
            check(&bytes);
        }
    }
}

#[test]
fn every_decoder_takes_what_the_engine_writes() {
    for (name, check, seed) in decoders() {
        assert!(check(&seed), "{name}");
    }
}

#[test]
fn nesting_without_end_does_not_exhaust_the_stack() {
    for opener in [&[0x81][..], &[0xa1, 0x00], &[0xc1], &[0x9f], &[0xbf, 0x00]] {
        // As an unknown field of a record, which is skipped, and as a value by itself.
        let deep = opener.repeat(1_000_000 / opener.len());
        for front in [&[0xa1, 0x18, 0x63][..], &[0xa1, 0x00], &[]] {
            let bytes = [front, &deep].concat();
            for (_, check, _) in decoders() {
                check(&bytes);
            }
        }
    }
}

#[test]
fn unknown_fields_are_skipped() {
    let mut bytes = encode_record(&golden::session());
    assert_eq!(bytes[0], 0xa5, "a map of five fields");
    bytes[0] = 0xa6;
    bytes.extend_from_slice(&[0x18, 99, 0x82, 0x01, 0x61, b'x']);
    assert_eq!(decode_record::<Session>(&bytes, "session"), Ok(golden::session()));
}
