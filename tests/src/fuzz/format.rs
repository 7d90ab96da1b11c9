//! Decoders of the repository's format: records of CBOR, objects of a fixed layout, and tree nodes.

use std::fmt::Debug;

use engine::format::announcement::{
    Announced, Announcement, EpochRecord, SlotSet, decode_announcement,
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
use engine::format::slot::{Bundle, EpochKeys, Slot, SlotAbout};
use engine::format::snapshot::Snapshot;

use crate::fuzz::{Decoder, exact, round};

/// Size of the pack that tables are read for.
const PACK_BYTES: u64 = 1 << 20;

/// Records, sealed or inside of something.
pub const RECORDS: &[Decoder] = &[
    ("config record", record::<Config>),
    ("slot about", record::<SlotAbout>),
    ("bundle", record::<Bundle>),
    ("client", record::<Client>),
    ("session", record::<Session>),
    ("confirm", record::<Confirm>),
    ("fence", record::<Fence>),
    ("tomb", record::<Tomb>),
    ("hold", record::<Hold>),
    ("release", record::<Release>),
    ("tags", record::<TagRecord>),
    ("condemn", record::<Condemn>),
    ("sweep", record::<Sweep>),
    ("ending", record::<Ending>),
    ("close", record::<Close>),
    ("past", record::<Base>),
    ("snapshot", record::<Snapshot>),
    ("commit", record::<Commit>),
    ("private", record::<Private>),
    ("revocation", record::<Revocation>),
    ("run", record::<RunRecord>),
    ("conf", record::<ConfRecord>),
    ("configuration", record::<Configuration>),
    ("join", record::<JoinRecord>),
    ("fold", record::<FoldRecord>),
    ("copied", record::<CopiedRecord>),
    ("lock", record::<LockRecord>),
    ("epoch keys", record::<EpochKeys>),
    ("consent", record::<Consent>),
];

/// Objects as they lie in the store, and what is sealed in them.
pub const OBJECTS: &[Decoder] = &[
    ("config", configuration),
    ("slot", slot),
    ("control", control),
    ("signed", |bytes| split_signed(bytes).is_ok()),
    ("sealed part", sealed_part),
    ("header", header),
    ("table", table),
    ("footer plain", |bytes| split_footer(bytes).is_ok()),
    ("footer", |bytes| footer_len(bytes, PACK_BYTES).is_ok()),
    ("segment frame", frame),
    ("segment", listed),
    ("slot set", announced::<SlotSet>),
    ("epoch", announced::<EpochRecord>),
];

/// Nodes of trees, and what is in them.
pub const TREES: &[Decoder] = &[
    ("node", node),
    ("entry", record::<Entry>),
    ("ntfs", record::<Ntfs>),
    ("extent", record::<Extent>),
];

fn record<T>(bytes: &[u8]) -> bool
where
    T: PartialEq + Debug + minicbor::Encode<()> + for<'b> minicbor::Decode<'b, ()>,
{
    round(bytes, |bytes| decode_record::<T>(bytes, "record").ok(), |value| encode_record(value))
}

fn announced<T: Announcement + PartialEq + Debug>(bytes: &[u8]) -> bool {
    let encode = |it: &Announced<T>| [it.signed.as_slice(), &it.signature].concat();
    exact(bytes, |bytes| decode_announcement::<T>(bytes).ok(), encode)
}

fn configuration(bytes: &[u8]) -> bool {
    let encode = |signed: &config::SignedConfig| {
        [signed.signed.as_slice(), &signed.signature, &signed.mac].concat()
    };
    exact(bytes, |bytes| config::decode(bytes).ok(), encode)
}

fn slot(bytes: &[u8]) -> bool {
    exact(bytes, |bytes| Slot::decode(bytes).ok(), Slot::encode)
}

fn control(bytes: &[u8]) -> bool {
    let taken = ControlKind::ALL.into_iter().filter(|kind| {
        let decode = |bytes: &[u8]| {
            let frame = decode_control(bytes, *kind).ok()?;
            Some((frame.epoch, frame.sealed.to_vec()))
        };
        exact(bytes, decode, |(epoch, sealed)| encode_control(*kind, *epoch, sealed))
    });
    let count = taken.count();
    assert!(count <= 1, "one object of {count} kinds");
    count == 1
}

fn header(bytes: &[u8]) -> bool {
    let Ok(header) = PackHeader::decode(bytes) else { return false };
    // Blocks follow it.
    assert!(bytes.starts_with(&header.encode()), "it has two forms");
    true
}

fn sealed_part(bytes: &[u8]) -> bool {
    exact(bytes, |bytes| SealedPart::decode(bytes).ok(), SealedPart::encode)
}

fn table(bytes: &[u8]) -> bool {
    let encode = |table: &PackTable| {
        let mut bytes = Vec::new();
        table.encode_into(&mut bytes);
        bytes
    };
    exact(bytes, |bytes| PackTable::decode(bytes, PACK_BYTES).ok(), encode)
}

fn frame(bytes: &[u8]) -> bool {
    let decode = |bytes: &[u8]| {
        let frame = segment::decode_frame(bytes).ok()?;
        Some((frame.domain, frame.epoch, frame.sealed.to_vec()))
    };
    exact(bytes, decode, |(domain, epoch, sealed)| {
        SegmentFrame { domain: *domain, epoch: *epoch, sealed }.encode()
    })
}

fn listed(bytes: &[u8]) -> bool {
    let decode = |bytes: &[u8]| segment::decode_packs(bytes, 0).ok();
    exact(bytes, decode, |packs| segment::encode_packs(packs))
}

fn node(bytes: &[u8]) -> bool {
    round(bytes, |bytes| Node::decode(bytes).ok(), Node::encode)
}
