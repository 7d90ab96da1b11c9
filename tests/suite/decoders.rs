//! No bytes make a decoder panic, and no object is taken for another.
//!
//! What a decoder accepts must survive being written and read again; what lies under the key of
//! another object must be refused with an error that names the key.

use std::fmt::Debug;
use std::fs;
use std::path::{Path, PathBuf};

use engine::base::monitor::Recording;
use engine::blob::open_pack::PackOpener;
use engine::crypt::seal::Suite;
use engine::format::client::Client;
use engine::format::config::{self, Config};
use engine::format::entry::Entry;
use engine::format::envelope::{
    ControlKind, decode_control, decode_record, encode_control, encode_record, split_signed,
};
use engine::format::extent::Extent;
use engine::format::generation::{Base, Close, Condemn, Ending, Sweep};
use engine::format::mark::{Hold, Release, TagRecord, Tomb};
use engine::format::node::Node;
use engine::format::pack::{PackHeader, PackTable, footer_len};
use engine::format::segment;
use engine::format::session::{Confirm, Fence, Session};
use engine::format::slot::{Bundle, KdfCost, Role, Slot, SlotAbout};
use engine::format::snapshot::Snapshot;
use engine::index::identity::writer_identity;
use engine::repo::commits::Flags;
use engine::repo::create::{CreateOptions, create};
use engine::repo::generations::{self, Testimony};
use engine::repo::keyring::Identity;
use engine::repo::open::{KeyFile, Unlock, open};
use engine::repo::session::fence;
use engine::repo::{Repo, collect, commits, evidence, footer, marks, object, session, slots};
use engine::store::ObjectName;
use proptest::collection::vec;
use proptest::prelude::{Strategy, any, prop_oneof, proptest};
use proptest::sample::{Index, select};
use proptest::test_runner::Config as ProptestConfig;
use system_tests::world::{PASSPHRASE, World};

use crate::golden;
use crate::second_reader::{clock, folder_store, key_file, noise, put};

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

/// Every decoder of the format, and bytes that it takes.
fn decoders() -> Vec<(&'static str, Check, Vec<u8>)> {
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
    let mut table = Vec::new();
    golden::table().encode_into(&mut table);
    vec![
        ("config", check_config, golden::config_bytes()),
        ("config record", round_record::<Config>, encode_record(&golden::config())),
        ("slot", check_slot, slot.encode()),
        ("slot about", round_record::<SlotAbout>, encode_record(&about)),
        ("bundle", round_record::<Bundle>, encode_record(&golden::bundle())),
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
        ("snapshot", round_record::<Snapshot>, encode_record(&golden::snapshot())),
        ("header", check_header, golden::header().encode()),
        ("table", check_table, table),
        ("footer", |bytes| footer_len(bytes, PACK_BYTES).is_ok(), vec![0; 40]),
        ("segment frame", check_frame, segment::encode_frame(5, &[8; 60])),
        ("segment", check_segment, segment::encode_packs(&golden::segment_packs())),
        ("leaf", check_node, golden::leaf().encode()),
        ("inner", check_node, golden::inner().encode()),
        ("extents", check_node, Node::Extents(golden::extents()).encode()),
        ("entry", round_record::<Entry>, encode_record(&golden::file())),
        ("extent", round_record::<Extent>, encode_record(&golden::extents()[0])),
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
        segment::decode_frame(bytes).ok().map(|(domain, sealed)| (domain, sealed.to_vec()))
    };
    round(bytes, decode, |(domain, sealed)| segment::encode_frame(*domain, sealed))
}

fn check_segment(bytes: &[u8]) -> bool {
    round(bytes, |bytes| segment::decode_packs(bytes).ok(), |packs| segment::encode_packs(packs))
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

/// A repository with at least two objects of almost every kind.
struct Zoo {
    world: World,
    at: PathBuf,
    key: KeyFile,
    objects: Vec<(ObjectName, Vec<u8>)>,
}

fn collect(top: &Path, at: &Path, found: &mut Vec<(ObjectName, Vec<u8>)>) {
    for entry in fs::read_dir(at).expect("a folder can be listed") {
        let path = entry.expect("a folder can be listed").path();
        if path.is_dir() {
            collect(top, &path, found);
            continue;
        }
        let key = path.strip_prefix(top).expect("it is below").to_str().expect("plain");
        let name = ObjectName::parse(key).expect("the engine names its objects");
        found.push((name, fs::read(&path).expect("it can be read")));
    }
}

fn zoo() -> Zoo {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let monitor = Recording::default();
    let options = CreateOptions {
        suite: Suite::X25519,
        cost: KdfCost::FLOOR,
        probe: false,
        ..CreateOptions::default()
    };
    let at = folder.path().join("store");
    let made = create(&folder_store(&at), clock(), PASSPHRASE, &options, &monitor)
        .expect("a repository can be made");
    let world = World::around_in(made.repo, folder);
    let source = world.new_folder("source");
    for seed in 0..2 {
        put(&source.join(format!("file {seed}")), &noise(seed, 3000));
        world.backup(&source).expect("the backup runs");
    }
    let identity = engine::index::identity::writer_identity(&world.repo, &world.index, "host")
        .expect("an administrator may write");
    for number in 20..22 {
        let id = session::new_id(&identity, number);
        let nothing = commits::Flags::default();
        session::fence(&world.repo, &identity, id, "test", &nothing).expect("a fence stands");
    }
    put_marks(&world, &identity);
    collect_for_nothing(&world.repo, &identity);
    let other = engine::base::id::ClientId::new([5; 8]);
    object::put_client(&world.repo, &Client { client: other, ..golden::client() })
        .expect("a client can be enrolled");
    let text = key_file(&world.repo, Suite::X25519, Role::Restore);
    let key = KeyFile::parse(&text).expect("it was just made");
    let mut objects = Vec::new();
    collect(&at, &at, &mut objects);
    // The configuration and a pack's twin of a second repository, for those that are alone.
    objects.push((ObjectName::Config(golden::config().repository), golden::config_bytes()));
    Zoo { world, at, key, objects }
}

/// Two marks of each kind.
fn put_marks(world: &World, identity: &engine::repo::keyring::Identity) {
    let repo = &world.repo;
    for committed in world.snapshots() {
        let session = committed.snapshot.session;
        let commit = committed.digest;
        marks::put_tomb(repo, identity, (session, commit), "test", None).expect("it is forgotten");
        let hold = marks::put_hold(repo, identity, vec![session], "test", None, None);
        let hold = hold.expect("it is held").hold;
        marks::put_release(repo, identity, hold, "test").expect("the hold is released");
        marks::put_tags(repo, identity, session, Vec::new(), Vec::new()).expect("it is tagged");
    }
}

/// Every record of a collection, twice, about packs that there are not.
fn collect_for_nothing(repo: &Repo, identity: &Identity) {
    let put = || -> Result<(), engine::repo::error::RepoError> {
        for number in 0..2 {
            let generation = collect::new_generation(identity);
            let condemn = Condemn { generation, ..golden::generations::condemn() };
            collect::put_condemn(repo, identity, &condemn)?;
            collect::close(repo, identity, generation, "test")?;
            collect::put_sweep(
                repo,
                identity,
                &Sweep { generation, ..golden::generations::sweep() },
            )?;
            for kind in [ControlKind::Void, ControlKind::Done] {
                collect::put_ending(repo, identity, generation, kind, "test")?;
            }
            let by = identity.client;
            collect::put_past(repo, identity, number, &Base { by, ..golden::generations::base() })?;
        }
        Ok(())
    };
    put().expect("the store takes them");
}

/// Reads the object as whoever needs it does; gives the error as people see it.
fn read(zoo: &Zoo, name: &ObjectName) -> Result<(), String> {
    let store = folder_store(&zoo.at);
    let repo = open(&store, clock(), &Unlock::KeyFile(&zoo.key)).map_err(|e| e.to_string())?;
    let text = |error: engine::repo::error::RepoError| error.to_string();
    let any_client = |repo: &Repo| {
        let signer = zoo.objects.iter().find_map(|(name, _)| match name {
            ObjectName::Commit(session) => Some(session.client()),
            _ => None,
        });
        object::client(repo, signer.expect("there are commits")).map(|c| c.verifying_key)
    };
    match *name {
        ObjectName::Config(_) => Ok(()),
        ObjectName::Slot(id) => {
            slots::read(&store, repo.config().repository, id).map(drop).map_err(text)
        }
        ObjectName::Client(id) => object::client(&repo, id).map(drop).map_err(text),
        ObjectName::Session(_) => {
            object::get_control::<Session>(&repo, name, ControlKind::Session, |_| any_client(&repo))
                .map(drop)
                .map_err(text)
        }
        ObjectName::Commit(id) => commits::read(&repo, id).map(drop).map_err(text),
        ObjectName::Confirm(_) => {
            object::get_control::<Confirm>(&repo, name, ControlKind::Confirm, |_| any_client(&repo))
                .map(drop)
                .map_err(text)
        }
        ObjectName::Fence(..) | ObjectName::Final(..) => {
            let kind = match name {
                ObjectName::Fence(..) => ControlKind::Fence,
                _ => ControlKind::Final,
            };
            object::get_control::<Fence>(&repo, name, kind, |_| any_client(&repo))
                .map(drop)
                .map_err(text)
        }
        ObjectName::Tomb(..) => marks::get::<Tomb>(&repo, name).map(drop).map_err(text),
        ObjectName::Hold(_) => marks::get::<Hold>(&repo, name).map(drop).map_err(text),
        ObjectName::Release(..) => marks::get::<Release>(&repo, name).map(drop).map_err(text),
        ObjectName::Tags(..) => marks::get::<TagRecord>(&repo, name).map(drop).map_err(text),
        ObjectName::Condemn(_)
        | ObjectName::Sweep(_)
        | ObjectName::Void(_)
        | ObjectName::Done(_)
        | ObjectName::Close(..)
        | ObjectName::Closed(..)
        | ObjectName::Past { .. } => match generations::verdict(&repo, name).map_err(text)? {
            Testimony::Genuine(()) => Ok(()),
            other => Err(format!("{} is {other:?}", name.key())),
        },
        ObjectName::Segment { session, number } => {
            object::get_segment(&repo, session, number).map(drop).map_err(text)
        }
        ObjectName::Evidence { writer, number } => {
            evidence::get(&repo, writer, number).map(drop).map_err(text)
        }
        ObjectName::Pack(pack) => {
            footer::read_footer(&repo, pack).map_err(text)?;
            let front = store.get_tail(name, 1 << 20).map_err(|e| e.to_string())?.0;
            PackOpener::new(&repo, pack, &front).map(drop).map_err(|e| e.to_string())
        }
    }
}

#[test]
fn no_object_is_taken_for_another() {
    let zoo = zoo();
    let own: Vec<_> =
        zoo.objects.iter().filter(|(name, _)| zoo.at.join(name.key()).exists()).collect();
    assert!(own.len() > 15, "only {} objects", own.len());
    let mut count = 0;
    for (name, bytes) in &own {
        let key = name.key();
        let path = zoo.at.join(&key);
        assert_eq!(read(&zoo, name), Ok(()), "{key} as it was written");
        for (donor, foreign) in zoo.objects.iter().filter(|(donor, _)| donor != name) {
            put(&path, foreign);
            match read(&zoo, name) {
                Ok(()) => panic!("{donor} is taken for {key}"),
                Err(error) => assert!(error.contains(&key), "{donor} at {key}: {error}"),
            }
            count += 1;
        }
        put(&path, bytes);
    }
    assert!(count > 300, "only {count} pairs");
    let snapshots = zoo.world.snapshots();
    assert_eq!(snapshots.len(), 2, "everything is back in its place");
}

#[test]
fn a_confirmation_that_nobody_signed_does_not_undo_a_fence() {
    let zoo = zoo();
    let snapshot = zoo.world.newest();
    let (repo, index) = (&zoo.world.repo, &zoo.world.index);
    let identity = writer_identity(repo, index, "test-host").expect("the writer is enrolled");
    // Somebody who has not seen the commit fences the session, and then sees it.
    fence(repo, &identity, snapshot.session, "test", &Flags::default()).expect("it is fenced");
    assert_eq!(zoo.world.snapshots().len(), 2, "the confirmation is genuine");
    put(&zoo.at.join(format!("snap/{}.ok", snapshot.session)), b"anything");
    assert_eq!(zoo.world.snapshots().len(), 1, "a forged confirmation confirms nothing");
}
