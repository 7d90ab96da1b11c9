//! No bytes make a decoder panic, and no object is taken for another.
//!
//! What a decoder accepts must survive being written and read again; what lies under the key of
//! another object must be refused with an error that names the key ([`places`]).

mod places;

use std::fmt::Debug;

use engine::format::announcement::{
    Announced, Announcement, EpochRecord, SlotSet, decode_announcement, encode_announcement,
};
use engine::format::client::Client;
use engine::format::config::{self, Config};
use engine::format::consent::Consent;
use engine::format::entry::Entry;
use engine::format::envelope::{
    ControlKind, decode_control, decode_record, encode_control, encode_record, split_signed,
};
use engine::format::extent::Extent;
use engine::format::generation::{Base, Close, Condemn, Ending, Sweep};
use engine::format::history::{CopiedRecord, FoldRecord, JoinRecord, LockRecord};
use engine::format::machine::{ConfRecord, Configuration, Revocation, RunRecord};
use engine::format::mark::{Hold, Release, TagRecord, Tomb};
use engine::format::node::Node;
use engine::format::ntfs::Ntfs;
use engine::format::pack::{PackHeader, PackTable, footer_len, split_footer};
use engine::format::private::{Commit, Private, SealedPart};
use engine::format::segment::{self, SegmentFrame};
use engine::format::session::{Confirm, Fence, Session};
use engine::format::slot::{Bundle, EpochKeys, KdfCost, OlderKeys, Role, Slot, SlotAbout};
use engine::format::snapshot::Snapshot;
use proptest::collection::vec;
use proptest::prelude::{Strategy, any, prop_oneof, proptest};
use proptest::sample::{Index, select};
use proptest::test_runner::Config as ProptestConfig;

use crate::golden;

/// Size of the pack that tables are read for.
const PACK_BYTES: u64 = 1 << 20;

/// Whether `decode` takes the bytes; what it takes must decode again to the same from `encode`.
fn round<T: PartialEq + Debug>(
    bytes: &[u8],
    decode: impl Fn(&[u8]) -> Option<T>,
    encode: impl Fn(&T) -> Vec<u8>,
) -> bool {
    let Some(value) = decode(bytes) else { return false };
    let again = decode(&encode(&value));
    assert_eq!(again.as_ref(), Some(&value), "from {bytes:02x?}");
    true
}

fn round_record<T>(bytes: &[u8]) -> bool
where
    T: PartialEq + Debug + minicbor::Encode<()> + for<'b> minicbor::Decode<'b, ()>,
{
    round(bytes, |bytes| decode_record::<T>(bytes, "record").ok(), |value| encode_record(value))
}

type Check = fn(&[u8]) -> bool;

/// A decoder by its name, and bytes that it takes.
type Decoder = (&'static str, Check, Vec<u8>);

/// Every decoder of the format, and bytes that it takes.
fn decoders() -> Vec<Decoder> {
    [objects(), of_machines(), of_trees()].concat()
}

fn objects() -> Vec<Decoder> {
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
        ("config", check_config, golden::config_bytes()),
        ("config record", round_record::<Config>, encode_record(&golden::config())),
        ("slot", check_slot, slot.encode()),
        ("slot about", round_record::<SlotAbout>, encode_record(&about)),
        ("bundle", round_record::<Bundle>, encode_record(&golden::bundle())),
        ("bundle of a later epoch", round_record::<Bundle>, encode_record(&later_bundle())),
        ("control", check_control, encode_control(ControlKind::Commit, 1, &[9; 120])),
        ("signed", |bytes| split_signed(bytes).is_ok(), vec![1; 70]),
        ("client", round_record::<Client>, encode_record(&golden::client())),
        ("session", round_record::<Session>, encode_record(&golden::session())),
        ("confirm", round_record::<Confirm>, encode_record(&golden::confirm())),
        ("fence", round_record::<Fence>, encode_record(&golden::fence())),
        ("tomb", round_record::<Tomb>, encode_record(&golden::marks::tomb())),
        ("hold", round_record::<Hold>, encode_record(&golden::marks::hold())),
        ("release", round_record::<Release>, encode_record(&golden::marks::release())),
        ("tags", round_record::<TagRecord>, encode_record(&golden::marks::tags())),
        ("condemn", round_record::<Condemn>, encode_record(&golden::generations::condemn())),
        ("sweep", round_record::<Sweep>, encode_record(&golden::generations::sweep())),
        ("ending", round_record::<Ending>, encode_record(&golden::generations::ending())),
        ("close", round_record::<Close>, encode_record(&golden::generations::close())),
        ("past", round_record::<Base>, encode_record(&golden::generations::base())),
        ("snapshot", round_record::<Snapshot>, encode_record(&golden::snapshots::snapshot())),
        ("commit", round_record::<Commit>, encode_record(&golden::snapshots::commit())),
        ("private", round_record::<Private>, encode_record(&golden::snapshots::private())),
        ("sealed part", check_sealed_part, sealed_part.encode()),
        ("header", check_header, golden::header().encode()),
        ("table", check_table, table),
        ("footer plain", |bytes| split_footer(bytes).is_ok(), vec![1; 70]),
        ("footer", |bytes| footer_len(bytes, PACK_BYTES).is_ok(), vec![0; 40]),
        (
            "segment frame",
            check_frame,
            SegmentFrame { domain: 5, epoch: 1, sealed: &[8; 60] }.encode(),
        ),
        ("segment", check_segment, segment::encode_packs(&golden::segment_packs())),
    ]
}

fn later_bundle() -> Bundle {
    let mut bundle = golden::bundle();
    bundle.epoch = 1;
    bundle.older = vec![OlderKeys { epoch: 0, keys: golden::history::epoch_keys() }];
    bundle
}

fn of_machines() -> Vec<Decoder> {
    vec![
        ("revocation", round_record::<Revocation>, encode_record(&golden::machines::revocation())),
        ("run", round_record::<RunRecord>, encode_record(&golden::machines::run())),
        ("conf", round_record::<ConfRecord>, encode_record(&golden::machines::conf())),
        (
            "configuration",
            round_record::<Configuration>,
            encode_record(&golden::machines::configuration()),
        ),
        ("join", round_record::<JoinRecord>, encode_record(&golden::history::join())),
        ("fold", round_record::<FoldRecord>, encode_record(&golden::history::fold())),
        ("copied", round_record::<CopiedRecord>, encode_record(&golden::history::copied())),
        ("lock", round_record::<LockRecord>, encode_record(&golden::history::lock())),
        ("consent", round_record::<Consent>, encode_record(&golden::marks::consent())),
        ("slot set", check_announced::<SlotSet>, announced(&golden::history::slot_set())),
        ("epoch", check_announced::<EpochRecord>, announced(&golden::history::epoch())),
        ("epoch keys", round_record::<EpochKeys>, encode_record(&golden::history::epoch_keys())),
    ]
}

fn announced<T: Announcement>(record: &T) -> Vec<u8> {
    [encode_announcement(record), vec![9; 64]].concat()
}

fn check_announced<T: Announcement + PartialEq + std::fmt::Debug>(bytes: &[u8]) -> bool {
    let encode = |it: &Announced<T>| [it.signed.as_slice(), &it.signature].concat();
    round(bytes, |bytes| decode_announcement::<T>(bytes).ok(), encode)
}

fn of_trees() -> Vec<Decoder> {
    let of_windows =
        Entry { ntfs: Some(Box::new(golden::entries::ntfs())), ..golden::entries::file() };
    vec![
        ("leaf", check_node, golden::entries::leaf().encode()),
        ("inner", check_node, golden::entries::inner().encode()),
        ("extents", check_node, Node::Extents(golden::entries::extents()).encode()),
        ("entry", round_record::<Entry>, encode_record(&golden::entries::file())),
        ("entry of Windows", round_record::<Entry>, encode_record(&of_windows)),
        ("leaf of Windows", check_node, Node::Entries(vec![(b"a".to_vec(), of_windows)]).encode()),
        ("ntfs", round_record::<Ntfs>, encode_record(&golden::entries::ntfs())),
        ("extent", round_record::<Extent>, encode_record(&golden::entries::extents()[0])),
    ]
}

fn check_config(bytes: &[u8]) -> bool {
    let encode = |signed: &config::SignedConfig| {
        [signed.signed.as_slice(), &signed.signature, &signed.mac].concat()
    };
    round(bytes, |bytes| config::decode(bytes).ok(), encode)
}

fn check_slot(bytes: &[u8]) -> bool {
    round(bytes, |bytes| Slot::decode(bytes).ok(), Slot::encode)
}

fn check_control(bytes: &[u8]) -> bool {
    let taken = ControlKind::ALL.into_iter().filter(|kind| {
        let decode = |bytes: &[u8]| {
            let frame = decode_control(bytes, *kind).ok()?;
            Some((frame.epoch, frame.sealed.to_vec()))
        };
        round(bytes, decode, |(epoch, sealed)| encode_control(*kind, *epoch, sealed))
    });
    let count = taken.count();
    assert!(count <= 1, "one object of {count} kinds");
    count == 1
}

fn check_header(bytes: &[u8]) -> bool {
    round(bytes, |bytes| PackHeader::decode(bytes).ok(), PackHeader::encode)
}

fn check_sealed_part(bytes: &[u8]) -> bool {
    round(bytes, |bytes| SealedPart::decode(bytes).ok(), SealedPart::encode)
}

fn check_table(bytes: &[u8]) -> bool {
    let encode = |table: &PackTable| {
        let mut bytes = Vec::new();
        table.encode_into(&mut bytes);
        bytes
    };
    round(bytes, |bytes| PackTable::decode(bytes, PACK_BYTES).ok(), encode)
}

fn check_frame(bytes: &[u8]) -> bool {
    let decode = |bytes: &[u8]| {
        let frame = segment::decode_frame(bytes).ok()?;
        Some((frame.domain, frame.epoch, frame.sealed.to_vec()))
    };
    round(bytes, decode, |(domain, epoch, sealed)| {
        SegmentFrame { domain: *domain, epoch: *epoch, sealed }.encode()
    })
}

fn check_segment(bytes: &[u8]) -> bool {
    let decode = |bytes: &[u8]| segment::decode_packs(bytes, 0).ok();
    round(bytes, decode, |packs| segment::encode_packs(packs))
}

fn check_node(bytes: &[u8]) -> bool {
    round(bytes, |bytes| Node::decode(bytes).ok(), Node::encode)
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
