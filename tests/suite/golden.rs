//! The hex in `docs/FORMAT.md` is what the engine writes, or opens where sealing is random.
//!
//! Examples that hold random bytes lie under `tests/fixtures/vectors/` as a small repository;
//! `make_vectors_anew` writes it, and is run by hand when the format changes before it is frozen.

pub(crate) mod entries;
pub(crate) mod generations;
pub(crate) mod history;
pub(crate) mod machines;
pub(crate) mod marks;
pub(crate) mod snapshots;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use engine::base::id::{
    ChunkId, ClientId, Digest, Nonce8, PackId, PackKind, RepositoryId, SegmentId, SessionId,
    SlotId, encode_hex,
};
use engine::base::time::Timestamp;
use engine::blob::block::OpenBlock;
use engine::blob::buffers::PackBuffers;
use engine::blob::pack::OpenPack;
use engine::chunk::gear::GearTable;
use engine::chunk::level::Level;
use engine::chunk::squeeze::Compressor;
use engine::crypt::hash::{self, derive};
use engine::crypt::seal::{Suite, key_pair};
use engine::crypt::secret::SecretKey;
use engine::format::announcement::{Announcement, SlotSet, encode_announcement};
use engine::format::client::Client;
use engine::format::config::{Capabilities, ChunkerConfig, Config, TreeConfig, encode_for_signing};
use engine::format::envelope::{ControlKind, associated_data, encode_record};
use engine::format::node::Node;
use engine::format::pack::{BlockInfo, ChunkInfo, PackHeader, PackTable};
use engine::format::segment::{SegmentPack, encode_packs};
use engine::format::session::{Confirm, Fence, Session, SessionKind};
use engine::format::slot::{Bundle, Role, Slot, SlotAbout};
use engine::repo::footer::read_footer;
use engine::repo::keyring::Keyring;
use engine::repo::object::{put_client, put_control};
use engine::repo::open::{KeyFile, Unlock, open};
use engine::repo::segments::{SegmentView, get_segment, put_segment};
use engine::repo::slots::{self, Wrapping, unwrap_bundle};
use engine::repo::{Repo, commits, private};
use engine::store::ObjectName;

use crate::golden::entries::{extents, inner, leaf, ntfs};
use crate::golden::snapshots::{commit, private as private_part, snapshot};
use crate::second_reader::{clock, folder_store, put};

fn root() -> SecretKey {
    let mut bytes = [0; 32];
    bytes.iter_mut().zip(0..).for_each(|(byte, number)| *byte = number);
    SecretKey::new(bytes)
}

fn keys() -> Keyring {
    Keyring::from_root(root(), Suite::X25519, 0, 0)
}

const REPOSITORY: RepositoryId = RepositoryId::new([0xa0; 16]);
const CLIENT: ClientId = ClientId::new([0xc1; 8]);
/// Random part of the name of the commit.
const COMMIT: Nonce8 = Nonce8::new([0xcc; 8]);
const TIME: Timestamp = Timestamp { seconds: 1_700_000_000, nanos: 5 };

fn session_id() -> SessionId {
    SessionId::from_parts(CLIENT, 7, Nonce8::new([0xee; 8]))
}

pub(crate) fn segment_id() -> SegmentId {
    SegmentId { session: session_id(), number: 0, random: Nonce8::new([0x5e; 8]) }
}

fn signing() -> engine::crypt::sign::SigningKey {
    engine::crypt::sign::SigningKey::from_seed(&SecretKey::new([0x51; 32]))
}

pub(crate) fn config() -> Config {
    Config {
        repository: REPOSITORY,
        created: TIME,
        admin_key: *keys().admin_key(),
        suite: 2,
        chunker: ChunkerConfig { kind: 1, version: 5 },
        // Not the default, which may change: a repository keeps what it was made with.
        tree: TreeConfig { boundary_bits: 6, min_items: 16, max_items: 256 },
        features: Vec::new(),
        capabilities: Capabilities::default(),
        kdf_memory_kib_min: 65_536,
        kdf_passes_min: 2,
    }
}

pub(crate) fn config_bytes() -> Vec<u8> {
    let keys = keys();
    let mut bytes = encode_for_signing(&config());
    let signature = keys.admin().expect("made from the root").signing().sign(&bytes);
    bytes.extend_from_slice(&signature);
    let key = derive("mainstay v2 configuration mac", &[keys.control().0.expose()]);
    let mac = hash::mac(&key, &bytes);
    bytes.extend_from_slice(&mac);
    bytes
}

pub(crate) fn bundle() -> Bundle {
    let keys = keys();
    let admin = keys.admin().expect("made from the root");
    Keyring::cut_bundle(admin, Suite::X25519, Role::Restore, (0, 0), None)
}

pub(crate) fn session() -> Session {
    Session {
        session: session_id(),
        kind: SessionKind::Backup,
        started: TIME,
        host: "host".to_owned(),
        program: "mainstay 1".to_owned(),
        pinned: Vec::new(),
        generation: None,
    }
}

pub(crate) fn client() -> Client {
    Client {
        client: CLIENT,
        name: "host".to_owned(),
        verifying_key: signing().public(),
        role: Role::Admin,
        domain: 0,
        enrolled: TIME,
        hosts: vec!["host".to_owned()],
        succeeds: Vec::new(),
        recipient: None,
        approves: false,
    }
}

pub(crate) fn confirm() -> Confirm {
    Confirm { session: session_id(), commit: Digest::new([0xdd; 32]), random: COMMIT }
}

pub(crate) fn fence() -> Fence {
    Fence { session: session_id(), by: CLIENT, reason: "silent".to_owned() }
}

pub(crate) fn table() -> PackTable {
    let chunk = |id, offset, length_bytes| ChunkInfo {
        id: ChunkId::new([id; 32]),
        block: 0,
        offset,
        length_bytes,
    };
    PackTable {
        blocks: vec![BlockInfo { offset: 162, stored_bytes: 99, raw_bytes: 70 }],
        chunks: vec![chunk(1, 0, 40), chunk(2, 40, 30)],
    }
}

pub(crate) fn header() -> PackHeader {
    PackHeader {
        kind: PackKind::Data,
        suite: 2,
        domain: 0,
        epoch: 0,
        repository: REPOSITORY,
        key_hash: Digest::new([0x44; 32]),
        encapsulation: vec![0x55; 32],
        sealed_key: [0x66; 48],
        commitment: [0x77; 16],
    }
}

pub(crate) fn segment_packs() -> Vec<SegmentPack> {
    let pack = PackId {
        kind: PackKind::Data,
        session: session_id(),
        counter: 3,
        random: Nonce8::new([0x99; 8]),
    };
    let footer = Digest::new([0x46; 32]);
    vec![SegmentPack { pack, domain: 0, stored_bytes: 512, footer, table: table() }]
}

/// The block of the example pack before it is sealed: stored, because it is so short.
fn block() -> Vec<u8> {
    let raw = leaf().encode();
    let length = (raw.len() as u32).to_le_bytes();
    [&[0], length.as_slice(), &raw].concat()
}

fn key_lines() -> Vec<u8> {
    let root = root();
    let of = |context| derive(context, &[root.expose()]);
    let keys = keys();
    let domain = |context| {
        let domain_number = 0_u32.to_le_bytes();
        derive("mainstay v2 key of a dedup domain", &[of(context).expose(), &domain_number])
    };
    let chunk_id = domain("mainstay v2 chunk id keys");
    let data = of("mainstay v2 key pair of file content");
    let tree = of("mainstay v2 key pair of names and metadata");
    let all = [
        of("mainstay v2 administrator signing key"),
        SecretKey::new(*keys.admin_key()),
        keys.control().0.clone(),
        derive("mainstay v2 configuration mac", &[keys.control().0.expose()]),
        chunk_id.clone(),
        domain("mainstay v2 cut point keys"),
        keys.index_key(0).expect("an administrator has it"),
        derive("mainstay v2 ids of chunks of file content", &[chunk_id.expose()]),
        derive("mainstay v2 ids of tree nodes", &[chunk_id.expose()]),
        data.clone(),
        tree.clone(),
    ];
    let mut bytes: Vec<u8> = all.iter().flat_map(|key| *key.expose()).collect();
    bytes.extend(key_pair(Suite::X25519, &data).1.to_bytes());
    bytes.extend(key_pair(Suite::X25519, &tree).1.to_bytes());
    bytes
}

/// An announcement as it lies in the store, under the key that its number gives.
fn announced<T: Announcement>(record: &T, number: u32) -> Vec<u8> {
    let name = match T::WHAT {
        SlotSet::WHAT => ObjectName::SlotSet { number, random: Nonce8::new([0x70; 8]) },
        _ => ObjectName::Epoch(number),
    };
    let mut bytes = encode_announcement(record);
    let front =
        associated_data("announcement", REPOSITORY, hash::digest(name.key().as_bytes()), &[]);
    let keys = keys();
    let signing = keys.admin().expect("made from the root").signing();
    let signature = signing.sign(&[front.as_slice(), &bytes].concat());
    bytes.extend_from_slice(&signature);
    bytes
}

/// The keys of codes, the code of the session's registration, and the second half of the random part
/// of a hold that begins with four bytes `40`.
fn code_lines() -> Vec<u8> {
    let (keys, root) = (keys(), root());
    let names = derive("mainstay v2 codes of names", &[keys.control().0.expose()]);
    let epoch = 0_u32.to_le_bytes();
    let keeper = derive("mainstay v2 codes of keepers in an epoch", &[root.expose(), &epoch]);
    let session = hash::mac(&names, ObjectName::Session(session_id()).key().as_bytes());
    let hold = hash::mac(&keeper, b"hold/40404040");
    [&names.expose()[..], keeper.expose(), &session[..8], &hold[..4]].concat()
}

fn gear_numbers() -> Vec<u8> {
    let keys = keys();
    let table = GearTable::new(&keys.write().expect("an administrator writes").cut);
    table.gear()[..4].iter().flat_map(|number| number.to_le_bytes()).collect()
}

/// Examples without randomness, by name.
fn computed() -> BTreeMap<&'static str, Vec<u8>> {
    let mut table_bytes = Vec::new();
    table().encode_into(&mut table_bytes);
    BTreeMap::from([
        ("keys", key_lines()),
        ("gear", gear_numbers()),
        ("config", config_bytes()),
        ("bundle", encode_record(&bundle())),
        ("session", encode_record(&session())),
        ("client", encode_record(&client())),
        ("confirm", encode_record(&confirm())),
        ("fence", encode_record(&fence())),
        ("tomb", encode_record(&marks::tomb())),
        ("hold", encode_record(&marks::hold())),
        ("release", encode_record(&marks::release())),
        ("tags", encode_record(&marks::tags())),
        ("consent", encode_record(&marks::consent())),
        ("revocation", encode_record(&machines::revocation())),
        ("run", encode_record(&machines::run())),
        ("conf", encode_record(&machines::conf())),
        ("configuration", encode_record(&machines::configuration())),
        ("join", encode_record(&history::join())),
        ("fold", encode_record(&history::fold())),
        ("copied", encode_record(&history::copied())),
        ("lock", encode_record(&history::lock())),
        ("slot-set", announced(&history::slot_set(), 2)),
        ("epoch", announced(&history::epoch(), 1)),
        ("epoch-keys", encode_record(&history::epoch_keys())),
        ("codes", code_lines()),
        ("condemn", encode_record(&generations::condemn())),
        ("sweep", encode_record(&generations::sweep())),
        ("ending", encode_record(&generations::ending())),
        ("close", encode_record(&generations::close())),
        ("past", encode_record(&generations::base())),
        ("snapshot", encode_record(&commit())),
        ("private", encode_record(&private_part())),
        ("table", table_bytes),
        ("pack-header", header().encode()),
        ("segment", encode_packs(&segment_packs())),
        ("extents", Node::Extents(extents()).encode()),
        ("leaf", leaf().encode()),
        ("inner", inner().encode()),
        ("ntfs", encode_record(&ntfs())),
        ("block", block()),
    ])
}

fn vectors() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/vectors")
}

/// The only file below a folder of the vectors, with its key.
fn only_object(folder: &str) -> (String, Vec<u8>) {
    let mut path = vectors().join(folder);
    while path.is_dir() {
        let mut listed = fs::read_dir(&path).expect("a folder can be listed");
        path = listed.next().expect("it is not empty").expect("a folder can be listed").path();
        assert!(listed.next().is_none(), "{folder} holds one object");
    }
    let key = path.strip_prefix(vectors()).expect("it is below").to_str().expect("plain");
    (key.to_owned(), fs::read(&path).expect("it can be read"))
}

/// Examples that hold random bytes, with the folder of the vectors they lie in.
const STORED: [(&str, &str); 5] = [
    ("slot", "keys"),
    ("session-object", "sess"),
    ("pack", "tree"),
    ("segment-object", "index"),
    ("snapshot-object", "snap"),
];

/// The hex of each example in the document.
fn documented() -> BTreeMap<String, String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/FORMAT.md");
    let text = fs::read_to_string(path).expect("the document is there");
    let mut found = BTreeMap::new();
    for part in text.split("<!-- example: ").skip(1) {
        let (name, rest) = part.split_once(" -->\n```hex\n").expect("a marker and a block");
        let (hex, _) = rest.split_once("```").expect("the block ends");
        let digits = hex.lines().flat_map(|line| line.split('#').next()).collect::<String>();
        let digits = digits.split_whitespace().collect::<String>();
        assert_eq!(found.insert(name.to_owned(), digits), None, "{name} stands there twice");
    }
    found
}

fn wrapped(bytes: &[u8]) -> String {
    bytes.chunks(32).map(|line| encode_hex(line) + "\n").collect()
}

#[test]
fn every_example_of_the_document_is_what_the_engine_writes() {
    let mut wanted: BTreeMap<String, Vec<u8>> =
        computed().into_iter().map(|(name, bytes)| (name.to_owned(), bytes)).collect();
    for (name, folder) in STORED {
        wanted.insert(name.to_owned(), only_object(folder).1);
    }
    let documented = documented();
    let names = |map: Vec<&String>| map.into_iter().cloned().collect::<Vec<_>>();
    assert_eq!(names(documented.keys().collect()), names(wanted.keys().collect()));
    let wrong: String = wanted
        .iter()
        .filter(|(name, bytes)| documented[*name] != encode_hex(bytes))
        .map(|(name, bytes)| format!("\n@ {name}\n{}", wrapped(bytes)))
        .collect();
    assert!(wrong.is_empty(), "docs/FORMAT.md should say:{wrong}");
}

fn open_vectors(folder: &Path, key: [u8; 32], slot: SlotId) -> Repo {
    let file = KeyFile { repository: REPOSITORY, slot, key: SecretKey::new(key) };
    open(&folder_store(folder), clock(), &Unlock::KeyFile(&file)).expect("the vectors open")
}

#[test]
fn stored_examples_open_to_what_the_document_says() {
    let (key, bytes) = only_object("keys");
    let Some(ObjectName::Slot(id)) = engine::store::code::spelled(&key) else {
        panic!("{key} is no slot")
    };
    let slot = Slot::decode(&bytes).expect("it is a slot");
    let opened = unwrap_bundle(&slot, &SecretKey::new([0x4b; 32])).expect("it decodes");
    assert!(opened == Some(bundle()), "another bundle");

    let repo = open_vectors(&vectors(), [0x4b; 32], id);
    assert_eq!(*repo.config(), config());
    let name = ObjectName::Session(session_id());
    let stored =
        engine::repo::object::get_control::<Session>(&repo, &name, ControlKind::Session, |_| {
            engine::repo::object::client(&repo, CLIENT).map(|client| client.verifying_key)
        });
    assert_eq!(stored.expect("it opens").record, session());
    let (key, _) = only_object("tree");
    let Some(ObjectName::Pack(pack)) = engine::store::code::spelled(&key) else {
        panic!("{key} is no pack")
    };
    let footer = read_footer(&repo, pack).expect("it opens").expect("the domain is open");
    let stored = commits::read(&repo, session_id(), COMMIT).expect("it opens");
    assert_eq!(stored.record, snapshot());
    let segment = get_segment(&repo, segment_id()).expect("it opens");
    assert_eq!(segment, SegmentView::Open(vec![footer]));
}

#[test]
fn the_second_reader_opens_the_stored_examples() {
    use system_tests::reader::{Repository, unlock::Secret};

    let (key, _) = only_object("keys");
    let file = format!(
        "mainstay key file, version 1\nrepository {REPOSITORY}\nslot {}\nkey {}\n",
        key.trim_start_matches("keys/"),
        "4b".repeat(32)
    );
    let opened = Repository::open(&vectors(), &Secret::KeyFile(&file)).expect("it opens");
    let snapshots = opened.snapshots().expect("it is signed");
    assert_eq!(snapshots[0].root, [1; 32]);
    let record = opened.session(&session_id().to_string()).expect("it is signed");
    assert_eq!(record.field(3).and_then(|host| host.text()), Ok("host"));
    let roots = opened.roots().expect("nodes can be read");
    let entries = opened.entries(&roots[0]).expect("the leaf is a tree");
    let keys: Vec<_> = entries.iter().map(|entry| entry.key.as_slice()).collect();
    assert_eq!(keys, [&b"a"[..], b"a\0b"]);
    assert_eq!(opened.content(&entries[1]).as_deref(), Ok(&b"hello"[..]));
}

/// Writes the vectors, with new random parts; the document must then be changed to match.
#[test]
#[ignore = "writes into the source tree; only for a change of the format"]
fn make_vectors_anew() {
    let folder = vectors();
    assert!(!folder.exists(), "remove {} first", folder.display());
    fs::create_dir_all(folder.join("keys")).expect("a folder can be made");
    put(&folder.join(ObjectName::Config(REPOSITORY).key()), &config_bytes());
    let keys = keys();
    let admin = keys.admin().expect("made from the root");
    let admin_bundle = Keyring::cut_bundle(admin, Suite::X25519, Role::Admin, (0, 0), None);
    let mut slots = Vec::new();
    for (bundle, byte) in [(bundle(), 0x4b), (admin_bundle, 0x4c)] {
        let about = SlotAbout { role: bundle.role, label: "example".to_owned(), created: TIME };
        let key = SecretKey::new([byte; 32]);
        let wrapping = Wrapping::KeyFile(&key);
        let slot = slots::wrap(REPOSITORY, keys.control().0, &about, &bundle, &wrapping)
            .expect("no cost is involved");
        put(&folder.join(ObjectName::Slot(slot.slot).key()), &slot.encode());
        slots.push(slot.slot);
    }
    let repo = open_vectors(&folder, [0x4c; 32], slots[1]);
    repo.store().delete(&ObjectName::Slot(slots[1])).expect("a slot can be deleted");
    put_client(&repo, &client()).expect("a client can be enrolled");
    let name = ObjectName::Session(session_id());
    put_control(&repo, &name, ControlKind::Session, &session(), &signing()).expect("it is stored");
    let (name, kind) = (ObjectName::Commit(session_id(), COMMIT), ControlKind::Commit);
    let record = private::seal(&repo, &name, &snapshot()).expect("an administrator writes");
    put_control(&repo, &name, kind, &record, &signing()).expect("it is stored");

    let write = repo.keys().write().expect("an administrator writes");
    let buffers = PackBuffers::default();
    let mut pack =
        OpenPack::new(&repo, write, &buffers, PackKind::Tree, session_id(), 0).expect("a pack");
    let raw = leaf().encode();
    let mut block = OpenBlock::default();
    block.push(write.chunk_id.id(PackKind::Tree, &raw), &raw);
    pack.add_block(block.raw(), block.chunks(), &mut Compressor::new(Level::Off));
    let finished = pack.finish(write, &signing());
    let name = ObjectName::Pack(finished.listed.pack);
    repo.store().put_new(&name, finished.bytes).expect("a pack can be stored");
    put_segment(&repo, &signing(), 0, segment_id(), &[finished.listed])
        .expect("a segment can be stored");
}

/// The values that `engine/src/crypt/vectors.rs` freezes, computed from the document alone.
#[test]
fn the_second_reader_computes_the_frozen_ids() {
    use system_tests::reader::key::{derive, id_of};

    let key = *b"whats the Elvish word for friend";
    let input: Vec<u8> = (0..=250).cycle().take(102_400).collect();
    let id = |context, bytes: &[u8]| encode_hex(&id_of(&derive(context, &[&key]), bytes));
    assert_eq!(
        id("mainstay v2 ids of chunks of file content", &input),
        "93ebaa80147835dd4102aca9cc9f050b6b21c33c66e40ee1304bc48aedeff5ea"
    );
    assert_eq!(
        id("mainstay v2 ids of tree nodes", &input[..3]),
        "c709a58b2733725c2f93d335fb3e9d672f6b4cb93d213381c14331b3dfdcea73"
    );
    let commitment = derive("mainstay v2 commitment to the data key of a pack", &[&key]);
    assert_eq!(encode_hex(&commitment[..16]), "4cad874f06049e18689fcc839b4cf551");
}
