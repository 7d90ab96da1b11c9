//! Records that somebody made up, or that cannot be read.

use engine::base::id::{GenerationId, Nonce8};
use engine::base::monitor::Recording;
use engine::format::envelope::ControlKind;
use engine::format::generation::{Close, Condemn, PackSet};
use engine::format::slot::Role;
use engine::gc::{self, Collector, GcOptions};
use engine::index::identity::writer_identity;
use engine::repo::keyring::Identity;
use engine::repo::{Repo, collect, generations};
use engine::store::ObjectName;
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
        let packs = all.iter().filter_map(|key| match ObjectName::parse(key) {
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
    store.put_new(&ObjectName::Condemn(generation), junk).expect("it is stored");
    let error = stage.world.backup(&stage.source).expect_err("it cannot know what is condemned");
    assert!(error.to_string().contains(&generation.to_string()), "{error}");
    // Restores go on, and a collector can close it.
    stage.assert_restores(&store);
    let options = GcOptions { abandon_generations: vec![generation], ..options() };
    let (repo, index) = (&stage.world.repo, &stage.world.index);
    gc::run(repo, index, &options, &Recording::default()).expect("it runs");
    stage.world.backup(&stage.source).expect("the next backup runs");
}
