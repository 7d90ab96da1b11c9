//! A machine whose memory was copied goes on twice: each of its snapshots is reported once, and what
//! is needed stays.

use std::sync::Arc;

use engine::base::id::{Nonce8, SessionId};
use engine::format::envelope::ControlKind;
use engine::format::session::{Confirm, SessionKind};
use engine::format::snapshot::Snapshot;
use engine::index::catalog;
use engine::index::identity::writer_identity;
use engine::repo::keyring::Identity;
use engine::repo::object::put_control;
use engine::repo::session::{Aftermath, CommitOutcome, commit, new_id, register, settle};
use engine::repo::{Repo, commits, private};
use engine::store::{ObjectName, Store};
use object_store::memory::InMemory;
use system_tests::trees::content::random_bytes;
use system_tests::trees::put;
use system_tests::world::World;

/// A machine with a snapshot, and a session that it has registered.
struct Scene {
    world: World,
    identity: Identity,
    session: SessionId,
    honest: Snapshot,
}

impl Scene {
    fn new() -> Self {
        let inner = Arc::new(InMemory::new());
        let store = Store::from_object_store(inner as _, "memory", true);
        let world = World::create(&store);
        let source = world.new_folder("source");
        put(&source.join("file"), &random_bytes(1, 90_000));
        world.backup(&source).expect("the backup runs");
        let identity =
            writer_identity(&world.repo, &world.index, "host").expect("an administrator");
        let session = new_id(&identity, 1);
        register(&world.repo, &identity, session, SessionKind::Backup, "host").expect("stored");
        let previous = world.snapshots().first().map(|one| one.digest);
        let honest = Snapshot { session, previous, ..world.newest() };
        Self { world, identity, session, honest }
    }

    fn repo(&self) -> &Repo {
        &self.world.repo
    }

    /// What the twin commits; it differs.
    fn of_twin(&self) -> Snapshot {
        Snapshot { description: Some("the twin".to_owned()), ..self.honest.clone() }
    }

    /// A twin puts its commit, and sleeps.
    fn put_commit(&self, byte: u8) -> (Nonce8, Confirm) {
        let random = Nonce8::new([byte; 8]);
        let name = ObjectName::Commit(self.session, random);
        let record = private::seal(self.repo(), &name, &self.of_twin()).expect("it can be sealed");
        let signing = &self.identity.signing;
        let commit = put_control(self.repo(), &name, ControlKind::Commit, &record, signing)
            .expect("it is stored");
        (random, Confirm { session: self.session, commit, random })
    }

    fn put_confirm(&self, confirm: &Confirm) {
        let name = ObjectName::Confirm(self.session);
        put_control(self.repo(), &name, ControlKind::Confirm, confirm, &self.identity.signing)
            .expect("it is stored");
    }

    /// Descriptions of the snapshots of the session that are listed, and whether it is unconfirmed.
    fn listed(&self) -> (Vec<Option<String>>, bool) {
        let catalog = catalog::snapshots(self.repo(), &self.world.index).expect("they are listed");
        let own = catalog.snapshots.iter().filter(|one| one.snapshot.session == self.session);
        let told = own.map(|one| one.snapshot.description.clone()).collect();
        (told, catalog.unconfirmed.contains(&self.session))
    }
}

#[test]
fn whoever_sees_the_commit_of_the_other_starts_over() {
    let scene = Scene::new();
    let first = commit(scene.repo(), &scene.identity, &scene.honest).expect("it runs");
    assert!(matches!(first, CommitOutcome::Confirmed(_)));
    let second = commit(scene.repo(), &scene.identity, &scene.of_twin()).expect("it runs");
    assert_eq!(second, CommitOutcome::Fenced);
    assert_eq!(scene.listed(), (vec![None], false), "the reported one stays");
    let flags = commits::list_one(scene.repo(), scene.session).expect("it lists");
    assert_eq!(flags.commits.len(), 2, "neither takes the place of the other");
    scene.world.assert_sound();
}

#[test]
fn of_two_commits_without_a_confirmation_none_counts_and_both_live() {
    let scene = Scene::new();
    let (_, confirm) = scene.put_commit(3);
    let alone = scene.listed();
    assert_eq!(alone, (vec![Some("the twin".to_owned())], false), "one alone is listed");
    let outcome = commit(scene.repo(), &scene.identity, &scene.honest).expect("it runs");
    assert_eq!(outcome, CommitOutcome::Fenced);
    assert_eq!(scene.listed(), (Vec::new(), true));
    // A collector keeps what both of them need.
    let options = engine::gc::GcOptions::default();
    let (repo, index) = (scene.repo(), &scene.world.index);
    let silent = system_tests::world::silent();
    let freed = engine::gc::run(repo, index, &options, &silent).expect("it runs");
    assert_eq!((freed.deleted_packs, freed.fenced_sessions), (0, 0), "{freed:?}");
    // After a crash nobody can say which one was meant, unless one of them was confirmed.
    let after = settle(repo, &scene.identity, scene.session).expect("it runs");
    assert_eq!(after, Aftermath::GivenUp);
    scene.put_confirm(&confirm);
    assert_eq!(scene.listed(), (vec![Some("the twin".to_owned())], false));
    let after = settle(repo, &scene.identity, scene.session).expect("it runs");
    assert_eq!(after, Aftermath::Adopted(confirm.commit));
}

#[test]
fn a_commit_that_nobody_has_confirmed_is_listed_and_not_counted() {
    let scene = Scene::new();
    let (random, confirm) = scene.put_commit(3);
    let is_settled = || {
        let catalog = catalog::snapshots(scene.repo(), &scene.world.index).expect("listed");
        let own = catalog.snapshots.iter().find(|one| one.snapshot.session == scene.session);
        own.expect("it is listed").is_settled
    };
    assert!(!is_settled());
    // The same commit, confirmed by whoever comes first: a success for both.
    scene.put_confirm(&confirm);
    assert!(is_settled());
    let after = settle(scene.repo(), &scene.identity, scene.session).expect("it runs");
    assert_eq!(after, Aftermath::Adopted(confirm.commit));
    let read = commits::read(scene.repo(), scene.session, random).expect("it opens");
    assert_eq!(read.digest, confirm.commit);
}
