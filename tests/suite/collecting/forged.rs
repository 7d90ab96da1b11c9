//! Records that somebody made up, or that cannot be read.

use std::sync::Arc;

use engine::base::id::{GenerationId, Nonce8};
use engine::base::monitor::Recording;
use engine::blob::fetch::ChunkFetcher;
use engine::format::entry::{Content, Entry};
use engine::format::envelope::ControlKind;
use engine::format::extent::Extent;
use engine::format::generation::{Close, Condemn, PackSet};
use engine::format::ntfs::{Ntfs, Stream};
use engine::format::slot::Role;
use engine::gc::{self, Collector, GcOptions};
use engine::index::identity::writer_identity;
use engine::repo::keyring::Identity;
use engine::repo::{Repo, collect, generations};
use engine::store::ObjectName;
use object_store::memory::InMemory;
use system_tests::forge;
use system_tests::trees::content::random_bytes;
use system_tests::trees::put;
use system_tests::world::World;

use crate::collecting::{Stage, options, packs, plain, prune};

#[test]
fn records_of_clients_that_may_not_collect_count_for_nothing() {
    let stage = Stage::new();
    let store = plain(&stage.inner);
    let key = stage.world.cut_key(Role::Backup, 0);
    let client = World::with_key(&store, &key).expect("the key opens");
    let mut forged = Forger::new(&stage, &client);
    // It condemns everything: nobody minds.
    forged.put_condemn();
    let again = stage.world.backup(&stage.source).expect("runs");
    assert_eq!(again.summary.data_chunks_new, 0, "what is condemned by nobody may be referred to");
    // It closes what a collector condemned: the exclusion stands.
    let (options, monitor) = (options(), Recording::default());
    let (repo, index) = (&stage.world.repo, &stage.world.index);
    let collector = Collector::new(repo, index, &options, &monitor).expect("admin");
    let survey = collector.survey().expect("it can look");
    let generation = collector.condemn(survey.candidates().clone(), false).expect("condemned");
    forged.put_close(generation.id());
    let flags = generations::list_one(repo, generation.id()).expect("it lists");
    assert!(!flags.closed.is_empty());
    assert!(!generations::is_closed(repo, generation.id(), &flags).expect("it reads"));
    assert!(collector.may_delete(&generation).expect("it lists"), "a forged close closes nothing");
    stage.assert_restores(&store);
    assert!(prune(&client).is_err(), "the role may not collect");
}

/// A backup client that writes records of collections with its own key.
struct Forger<'a> {
    repo: &'a Repo,
    identity: Identity,
    packs: PackSet,
}

impl<'a> Forger<'a> {
    fn new(stage: &Stage, client: &'a World) -> Self {
        let identity = client.repo.keys().identity().expect("it has one").clone();
        let all = packs(&plain(&stage.inner));
        let packs = all.iter().filter_map(|key| match engine::store::code::spelled(key) {
            Some(ObjectName::Pack(pack)) => Some(pack),
            _ => None,
        });
        Self { repo: &client.repo, identity, packs: packs.collect() }
    }

    fn put<T: minicbor::Encode<()>>(&self, name: &ObjectName, kind: ControlKind, record: &T) {
        engine::repo::object::put_control(self.repo, name, kind, record, &self.identity.signing)
            .expect("the store takes it");
    }

    fn put_condemn(&mut self) {
        let generation = collect::new_generation(&self.identity);
        let record = Condemn {
            generation,
            started: self.repo.clock().now(),
            program: "forger".to_owned(),
            is_announcement: false,
            packs: self.packs.clone(),
        };
        let kind = ControlKind::Condemn;
        self.put(&ObjectName::Condemn(generation), kind, &record);
    }

    fn put_close(&self, generation: GenerationId) {
        let random = Nonce8::new([7; 8]);
        let record = Close { generation, by: self.identity.client, reason: "because".to_owned() };
        self.put(&ObjectName::Close(generation, random), ControlKind::Close, &record);
        self.put(&ObjectName::Closed(generation, random), ControlKind::Closed, &record);
    }
}

#[test]
fn a_condemnation_that_cannot_be_read_stops_whoever_would_refer_to_chunks() {
    let stage = Stage::new();
    let store = plain(&stage.inner);
    let identity =
        writer_identity(&stage.world.repo, &stage.world.index, "test-host").expect("admin");
    let generation = collect::new_generation(&identity);
    let junk = bytes::Bytes::from_static(b"no record at all");
    // Under a name that only holders of keys can make: it may be a genuine one that rotted.
    let named = stage.world.repo.store();
    named.put_new(&ObjectName::Condemn(generation), junk).expect("it is stored");
    let error = stage.world.backup(&stage.source).expect_err("it cannot know what is condemned");
    assert!(error.to_string().contains(&generation.to_string()), "{error}");
    // Restores go on, and a collector can close it.
    stage.assert_restores(&store);
    let options = GcOptions { abandon_generations: vec![generation], ..options() };
    let (repo, index) = (&stage.world.repo, &stage.world.index);
    gc::run(repo, index, &options, &Recording::default()).expect("it runs");
    stage.world.backup(&stage.source).expect("the next backup runs");
}

/// A later program puts streams and security descriptors into entries; this one only keeps them.
#[test]
fn what_only_windows_knows_of_a_path_is_kept_and_missed() {
    let inner = Arc::new(InMemory::new());
    let world = World::in_store(Arc::clone(&inner) as _);
    let mut forger = forge::Forger::new(&world);
    let (stream, security) = (vec![1; 5000], vec![2; 200]);
    let [stream_id, security_id] = [&stream, &security].map(|bytes| forger.chunk(bytes));
    let chunk = |id, bytes: &Vec<u8>| Extent::Chunk { id, length_bytes: bytes.len() as u32 };
    let one = Stream {
        name: b"Zone.Identifier".to_vec(),
        size_bytes: 5000,
        content: Content::Extents(vec![chunk(stream_id, &stream)]),
    };
    let security = Some(chunk(security_id, &security));
    let ntfs = Some(Box::new(Ntfs { streams: vec![one], security, ..Ntfs::default() }));
    let root = forger.leaf(vec![(b"file".to_vec(), Entry { ntfs, ..forge::inline(b"main") })]);
    let kept = forger.commit(root);
    // Garbage, so that something is collected.
    let source = world.new_folder("source");
    put(&source.join("gone"), &random_bytes(5, 90_000));
    let gone = world.backup(&source).expect("it runs").snapshot.expect("committed");
    crate::collecting::forget(&world, gone);
    assert!(prune(&world).expect("it runs").deleted_packs > 0);
    let fetcher = ChunkFetcher::new(&world.repo, &world.index, 1 << 20).expect("it can be made");
    for id in [stream_id, security_id] {
        fetcher.chunk(&id).expect("an entry needs it");
    }
    crate::collecting::assert_sound(&world);
    // Whoever looks for what is missing looks for these, too.
    for key in packs(&plain(&inner)).iter().filter(|key| key.starts_with("data/")) {
        let name = engine::store::code::spelled(key).expect("a pack");
        plain(&inner).delete(&name).expect("it can be deleted");
    }
    let report = world.check_all().expect("it runs");
    let kept = &kept.session.to_snapshot_hex()[..8];
    let hurts = |path: &String| path.starts_with(kept);
    let is_named = report.damage.values().any(|damage| damage.paths.iter().any(hurts));
    assert!(is_named, "{:?}", report.damage);
}
