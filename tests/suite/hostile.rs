//! Keys that should not be able to: whoever holds one writes any object, and takes nothing away.
//!
//! A forger here has the keys of a role, the right to add objects, and none to delete. It claims
//! copies of chunks that others stored, lists packs of others, and waits for an honest collector to
//! delete the good ones, or for an honest backup to leave out what it claims to have. Nothing it
//! writes may do that. A genuine second copy, planted the same way, does let the first one go.

mod blocked;
mod children;
mod claims;
mod files;
mod folder;
mod junk;
mod lost;
pub(crate) mod machine;
mod permits;
pub(crate) mod place;
mod planted;
mod probing;
mod restoring;
mod revoked;
mod rotating;
mod slots;
mod two;
mod words;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use engine::base::id::{ChunkId, ClientId, Nonce8, PackId, PackKind, SessionId};
use engine::base::monitor::Recording;
use engine::blob::block::OpenBlock;
use engine::blob::buffers::PackBuffers;
use engine::blob::fetch::ChunkFetcher;
use engine::blob::pack::{FinishedPack, OpenPack};
use engine::chunk::level::Level;
use engine::chunk::squeeze::Compressor;
use engine::crypt::sign::SigningKey;
use engine::format::envelope::ControlKind;
use engine::format::private::Commit;
use engine::format::segment::SegmentPack;
use engine::format::session::SessionKind;
use engine::format::slot::Role;
use engine::format::snapshot::Snapshot;
use engine::gc::{self, GcOptions, GcReport, MaxUnused};
use engine::index::refresh::refresh;
use engine::index::{catalog, identity};
use engine::repo::footer::read_footer;
use engine::repo::keyring::Identity;
use engine::repo::object::put_control;
use engine::repo::segments::{self, put_segment};
use engine::repo::{private, session};
use engine::store::ObjectName;
use system_tests::trees::content::random_bytes;
use system_tests::trees::put;
use system_tests::world::{World, new_place, silent};

use self::place::{At, Place, everywhere, on_a_real_server};

everywhere![
    a_genuine_copy_lets_the_first_one_go,
    a_key_that_only_reads_makes_no_collector_delete_anything,
    a_backup_key_takes_nothing_from_another_dedup_domain,
    a_copy_counts_only_if_its_pack_says_so_itself_and_its_session_is_known,
    nobody_is_led_astray_by_what_others_list,
    a_backup_leaves_nothing_out_that_only_a_forger_claims_to_have,
    a_machine_that_backs_up_learns_no_root_and_no_problem_of_others,
    a_record_whose_private_part_is_open_or_of_another_record_is_refused,
    a_client_record_that_is_gone_takes_nothing_from_other_clients,
];

on_a_real_server![
    a_genuine_copy_lets_the_first_one_go,
    a_key_that_only_reads_makes_no_collector_delete_anything,
    a_backup_key_takes_nothing_from_another_dedup_domain,
    a_copy_counts_only_if_its_pack_says_so_itself_and_its_session_is_known,
    nobody_is_led_astray_by_what_others_list,
    a_backup_leaves_nothing_out_that_only_a_forger_claims_to_have,
    a_machine_that_backs_up_learns_no_root_and_no_problem_of_others,
    a_record_whose_private_part_is_open_or_of_another_record_is_refused,
    a_client_record_that_is_gone_takes_nothing_from_other_clients,
];

/// A repository with one snapshot of one file, in one pack of content and one of its tree.
struct Scene {
    place: Place,
    admin: World,
    source: PathBuf,
    /// Holds the repository, if it is in a folder.
    _folder: tempfile::TempDir,
}

impl Scene {
    fn new(at: At) -> Self {
        let folder = new_place();
        let place = Place::new(at, folder.path(), "repository");
        let admin = World::create(&place.store());
        let source = admin.new_folder("source");
        put(&source.join("file"), &random_bytes(1, 300_000));
        admin.backup(&source).expect("the backup runs");
        Self { place, admin, source, _folder: folder }
    }

    fn packs(&self) -> BTreeSet<PackId> {
        let store = self.place.store();
        let listed =
            [store.list("data/").expect("it lists"), store.list("tree/").expect("it lists")];
        let pack = |key: &str| match engine::store::code::spelled(key) {
            Some(ObjectName::Pack(pack)) => Some(pack),
            _ => None,
        };
        let all = listed.concat();
        all.iter().map(|object| pack(&object.key).expect("only packs are listed")).collect()
    }

    /// The pack of that kind, with what it says of itself.
    fn pack(&self, kind: PackKind) -> SegmentPack {
        let all = self.packs();
        let pack = all.into_iter().find(|pack| pack.kind == kind).expect("there is one");
        read_footer(&self.admin.repo, pack).expect("it can be read").expect("its domain is open")
    }

    /// A client whose packs sort behind all others: of two equal copies the other one goes.
    fn enrol(&self, role: Role, domain: u32, byte: u8) -> Identity {
        let identity =
            Identity { client: ClientId::new([byte; 8]), signing: SigningKey::generate() };
        identity::enrol(&self.admin.repo, &identity, "forger", role, domain).expect("enrolled");
        identity
    }

    /// Stores a pack that claims to hold these chunks. The keys are those that any reading role has;
    /// only the signature is the forger's.
    fn forge(
        &self,
        (signing, session): (&SigningKey, SessionId),
        domain: u32,
        like: &SegmentPack,
        content: impl Fn(&ChunkId, u32) -> Vec<u8>,
    ) -> FinishedPack {
        let repo = &self.admin.repo;
        let write = repo.keys().write_to(domain).expect("an administrator has all keys");
        let (buffers, kind) = (PackBuffers::default(), like.pack.kind);
        let mut pack =
            OpenPack::new(repo, &write, &buffers, kind, session, 0).expect("a pack can be begun");
        let mut compressor = Compressor::new(Level::Off);
        for chunk in &like.table.chunks {
            let mut block = OpenBlock::default();
            block.push(chunk.id, &content(&chunk.id, chunk.length_bytes));
            pack.add_block(block.raw(), block.chunks(), &mut compressor);
        }
        pack.finish(&write, signing)
    }

    fn put(&self, name: &ObjectName, bytes: Bytes) {
        self.place.store().put_new(name, bytes).expect("the store takes it");
    }

    fn list(&self, signing: &SigningKey, session: SessionId, packs: &[SegmentPack]) {
        let (domain, id) = (packs[0].domain, segments::new_id(session, 0));
        put_segment(&self.admin.repo, signing, domain, id, packs).expect("the store takes it");
    }

    /// Junk under the ids of `like`, signed and listed by that key.
    fn claim(&self, signing: &SigningKey, session: SessionId, domain: u32, like: &SegmentPack) {
        let junk = |_: &ChunkId, length: u32| vec![7; length as usize];
        let forged = self.forge((signing, session), domain, like, junk);
        self.put(&ObjectName::Pack(forged.listed.pack), forged.bytes);
        self.list(signing, session, &[forged.listed]);
    }

    /// An honest collection by a machine that has seen all of that.
    fn prune(&self) -> GcReport {
        let options = GcOptions {
            grace: Duration::ZERO,
            confirm_mass_delete: Some(u64::MAX),
            max_unused: MaxUnused::Unlimited,
            host: "collector".to_owned(),
            ..GcOptions::default()
        };
        let (repo, index) = (&self.admin.repo, &self.admin.index);
        gc::run(repo, index, &options, &Recording::default()).expect("it runs")
    }

    /// The packs of the snapshot are there, and a machine that knows nothing restores it.
    fn assert_kept(&self, packs: &BTreeSet<PackId>, what: &str) {
        assert!(self.packs().is_superset(packs), "{what}: a good pack was deleted");
        let fresh = self.admin.another(&self.place.store()).expect("the words open it");
        fresh.assert_newest_is(&self.source);
    }
}

fn session_of(client: ClientId) -> SessionId {
    SessionId::from_parts(client, 0, Nonce8::new([3; 8]))
}

fn register(scene: &Scene, identity: &Identity, session: SessionId) {
    session::register(&scene.admin.repo, identity, session, SessionKind::Backup, "forger")
        .expect("it can be registered");
}

fn a_genuine_copy_lets_the_first_one_go(at: At) {
    let scene = Scene::new(at);
    let good = scene.pack(PackKind::Data);
    let other = scene.enrol(Role::Backup, 0, 0xff);
    let session = session_of(other.client);
    register(&scene, &other, session);
    let fetcher = ChunkFetcher::new(&scene.admin.repo, &scene.admin.index, 1 << 20).expect("made");
    let genuine = |id: &ChunkId, _: u32| fetcher.chunk(id).expect("it is there");
    let copy = scene.forge((&other.signing, session), 0, &good, genuine);
    scene.put(&ObjectName::Pack(copy.listed.pack), copy.bytes);
    scene.list(&other.signing, session, &[copy.listed]);
    session::end(&scene.admin.repo, &other, session, "done").expect("it ends");
    assert_eq!(scene.prune().deleted_packs, 1);
    assert!(!scene.packs().contains(&good.pack), "there are two copies");
    scene.assert_kept(&BTreeSet::new(), "a genuine copy");
}

fn a_key_that_only_reads_makes_no_collector_delete_anything(at: At) {
    for role in [Role::Verify, Role::Restore] {
        for kind in [PackKind::Data, PackKind::Tree] {
            let scene = Scene::new(at);
            let (packs, good) = (scene.packs(), scene.pack(kind));
            // Under its own name, as a client that may not write.
            let reader = scene.enrol(role, 0, 0xff);
            let session = session_of(reader.client);
            register(&scene, &reader, session);
            scene.claim(&reader.signing, session, 0, &good);
            session::end(&scene.admin.repo, &reader, session, "done").expect("it ends");
            // Under the name of a client that may, without its key.
            let victim = good.pack.session.client();
            let foreign = SessionId::from_parts(victim, u64::MAX, Nonce8::new([0xff; 8]));
            scene.claim(&reader.signing, foreign, 0, &good);
            // Under a name that nobody has.
            scene.claim(&reader.signing, session_of(ClientId::new([0xfe; 8])), 0, &good);
            scene.prune();
            scene.assert_kept(&packs, &format!("role {role:?}, {kind:?}"));
        }
    }
}

fn a_backup_key_takes_nothing_from_another_dedup_domain(at: At) {
    for kind in [PackKind::Data, PackKind::Tree] {
        for claimed_domain in [7, 0] {
            let scene = Scene::new(at);
            let (packs, good) = (scene.packs(), scene.pack(kind));
            let forger = scene.enrol(Role::Backup, 7, 0xff);
            let session = session_of(forger.client);
            register(&scene, &forger, session);
            scene.claim(&forger.signing, session, claimed_domain, &good);
            session::end(&scene.admin.repo, &forger, session, "done").expect("it ends");
            scene.prune();
            scene.assert_kept(&packs, &format!("{kind:?} claimed in domain {claimed_domain}"));
        }
    }
}

fn a_copy_counts_only_if_its_pack_says_so_itself_and_its_session_is_known(at: At) {
    let good_of = |scene: &Scene| scene.pack(PackKind::Data);
    type Plant = fn(&Scene, &Identity, SessionId, &SegmentPack);
    let plants: [(&str, Plant); 4] = [
        ("a pack that is not there", |scene, forger, session, good| {
            let junk = |_: &ChunkId, length: u32| vec![7; length as usize];
            let forged = scene.forge((&forger.signing, session), 0, good, junk);
            scene.list(&forger.signing, session, &[forged.listed]);
        }),
        ("a pack of another size", |scene, forger, session, good| {
            let junk = |_: &ChunkId, length: u32| vec![7; length as usize];
            let forged = scene.forge((&forger.signing, session), 0, good, junk);
            scene.put(&ObjectName::Pack(forged.listed.pack), forged.bytes.slice(..100));
            scene.list(&forger.signing, session, &[forged.listed]);
        }),
        ("a pack that holds something else", |scene, forger, session, good| {
            let junk = |_: &ChunkId, length: u32| vec![7; length as usize];
            let mut other = good.clone();
            for chunk in &mut other.table.chunks {
                chunk.id = ChunkId::new([9; 32]);
            }
            let forged = scene.forge((&forger.signing, session), 0, &other, junk);
            let mut listed = forged.listed;
            for (lie, chunk) in listed.table.chunks.iter_mut().zip(&good.table.chunks) {
                lie.id = chunk.id;
            }
            scene.put(&ObjectName::Pack(listed.pack), forged.bytes);
            scene.list(&forger.signing, session, &[listed]);
        }),
        ("a pack that somebody else signed", |scene, forger, session, good| {
            let junk = |_: &ChunkId, length: u32| vec![7; length as usize];
            let stranger = SigningKey::generate();
            let forged = scene.forge((&stranger, session), 0, good, junk);
            scene.put(&ObjectName::Pack(forged.listed.pack), forged.bytes);
            scene.list(&forger.signing, session, &[forged.listed]);
        }),
    ];
    for (what, plant) in plants {
        let scene = Scene::new(at);
        let (packs, good) = (scene.packs(), good_of(&scene));
        let forger = scene.enrol(Role::Backup, 0, 0xff);
        let session = session_of(forger.client);
        register(&scene, &forger, session);
        plant(&scene, &forger, session, &good);
        session::end(&scene.admin.repo, &forger, session, "done").expect("it ends");
        scene.prune();
        scene.assert_kept(&packs, what);
    }
    let scene = Scene::new(at);
    let (packs, good) = (scene.packs(), good_of(&scene));
    let forger = scene.enrol(Role::Backup, 0, 0xff);
    scene.claim(&forger.signing, session_of(forger.client), 0, &good);
    scene.prune();
    scene.assert_kept(&packs, "a session that was never registered");
}

fn nobody_is_led_astray_by_what_others_list(at: At) {
    for (role, what) in [
        (Role::Backup, "a backup client lists a pack of another one"),
        (Role::Verify, "a reader lists a pack"),
        (Role::Maintain, "a collector lists another table: the footer decides"),
    ] {
        let scene = Scene::new(at);
        let packs = scene.packs();
        // Sorts first: a machine that knows nothing reads it before the genuine segment.
        let forger = scene.enrol(role, 0, 0);
        let lies: Vec<SegmentPack> = [PackKind::Data, PackKind::Tree]
            .into_iter()
            .map(|kind| {
                let mut lie = scene.pack(kind);
                lie.table.chunks.truncate(lie.table.chunks.len() - 1);
                lie
            })
            .collect();
        scene.list(&forger.signing, session_of(forger.client), &lies);
        scene.assert_kept(&packs, what);
        let fresh = scene.admin.another(&scene.place.store()).expect("the words open it");
        let again = fresh.backup(&scene.source).expect("the backup runs");
        assert_eq!(again.summary.data_chunks_new, 0, "{what}: what is there is known");
        refresh(&scene.admin.repo, &scene.admin.index, &silent()).expect("it refreshes");
        scene.prune();
        scene.assert_kept(&packs, what);
    }
}

fn a_backup_leaves_nothing_out_that_only_a_forger_claims_to_have(at: At) {
    for (role, domain) in [(Role::Verify, 0), (Role::Restore, 0), (Role::Backup, 7)] {
        let scene = Scene::new(at);
        // The forger knows what the client will back up, and so the ids.
        put(&scene.source.join("second"), &random_bytes(2, 200_000));
        let dry = scene.admin.another(&scene.place.fork().store()).expect("opens");
        dry.backup(&scene.source).expect("the backup of the fork runs");
        let forked: BTreeSet<_> = dry
            .repo
            .store()
            .list("data/")
            .expect("it lists")
            .into_iter()
            .filter_map(|object| match engine::store::code::spelled(&object.key) {
                Some(ObjectName::Pack(pack)) => Some(pack),
                _ => None,
            })
            .collect();
        let new = *forked.difference(&scene.packs()).next().expect("it stored the second file");
        let like = read_footer(&dry.repo, new).expect("it can be read").expect("open");
        let forger = scene.enrol(role, domain, 0);
        let session = session_of(forger.client);
        register(&scene, &forger, session);
        scene.claim(&forger.signing, session, domain, &like);
        let report = scene.admin.backup(&scene.source).expect("the backup runs");
        assert!(report.summary.data_chunks_new > 0, "{role:?} in domain {domain} is believed");
        let fresh = scene.admin.another(&scene.place.store()).expect("the words open it");
        fresh.assert_newest_is(&scene.source);
    }
}

/// What every role reads of a snapshot names no node and no path.
fn a_machine_that_backs_up_learns_no_root_and_no_problem_of_others(at: At) {
    let scene = Scene::new(at);
    let key = scene.admin.cut_key(Role::Backup, 7);
    let client = World::with_key(&scene.place.store(), &key).expect("the key opens");
    let seen = client.newest();
    assert!(seen.is_sealed() && seen.problems.is_empty() && seen.details.is_empty());
    let root = scene.admin.newest().root;
    assert_ne!(root, seen.root);
    // Its own it knows from its index; whoever may read names reads both.
    client.backup(&scene.source).expect("the backup runs");
    let own = client.snapshots().into_iter().filter(|one| one.snapshot.domain == 7);
    assert!(own.map(|one| one.snapshot).all(|own| !own.is_sealed()));
    assert!(scene.admin.snapshots().iter().all(|one| !one.snapshot.is_sealed()));
    // The administrator at the machine of that client: what was kept sealed is read again.
    let mut shared = client;
    shared.repo = scene.admin.another(&scene.place.store()).expect("the words open it").repo;
    assert!(shared.snapshots().iter().any(|one| one.snapshot.root == root));
}

fn a_record_whose_private_part_is_open_or_of_another_record_is_refused(at: At) {
    let scene = Scene::new(at);
    let (repo, honest) = (&scene.admin.repo, scene.admin.newest());
    let forger = scene.enrol(Role::Backup, 0, 0xff);
    let name = |session| ObjectName::Commit(session, Nonce8::new([3; 8]));
    let write = |number: u64, commit: &dyn Fn(Snapshot) -> Commit| {
        let session = SessionId::from_parts(forger.client, number, Nonce8::new([3; 8]));
        let record = commit(Snapshot { session, client: forger.client, ..honest.clone() });
        put_control(repo, &name(session), ControlKind::Commit, &record, &forger.signing)
            .expect("it is stored");
    };
    let seal = |snapshot: &Snapshot| {
        private::seal(repo, &name(snapshot.session), snapshot).expect("it can be sealed")
    };
    write(0, &|snapshot| seal(&snapshot));
    write(1, &|snapshot| Commit { sealed: seal(&snapshot).sealed, readable: snapshot });
    write(2, &|snapshot| Commit { sealed: seal(&honest).sealed, ..seal(&snapshot) });
    write(3, &|snapshot| Commit { sealed: Vec::new(), ..seal(&snapshot) });
    let long = Some("x".repeat(5000));
    write(4, &|snapshot| {
        let mut commit = seal(&snapshot);
        commit.readable.facts.source.clone_from(&long);
        commit
    });
    let listed = catalog::snapshots(repo, &scene.admin.index).expect("they can be listed");
    let told: Vec<String> = listed.damaged.iter().map(|(_, error)| error.to_string()).collect();
    assert_eq!((listed.snapshots.len(), told.len()), (2, 4), "{told:?}");
    assert!(told.iter().any(|why| why.contains("is not sealed")), "{told:?}");
}

/// What others deduplicated against is read even if nobody can tell any more who listed it.
fn a_client_record_that_is_gone_takes_nothing_from_other_clients(at: At) {
    let scene = Scene::new(at);
    let machine = || {
        let key = scene.admin.cut_key(Role::Backup, 0);
        World::with_key(&scene.place.store(), &key).expect("the key opens")
    };
    let (one, two) = (machine(), machine());
    put(&scene.source.join("second"), &random_bytes(2, 200_000));
    one.backup(&scene.source).expect("the backup runs");
    let report = two.backup(&scene.source).expect("the backup runs");
    assert_eq!(report.summary.data_chunks_new, 0, "the second relies on the first");
    let lost = one.repo.keys().identity().expect("the key file has one").client;
    scene.admin.repo.store().delete(&ObjectName::Client(lost)).expect("it can be deleted");
    let packs = scene.packs();
    let fresh = scene.admin.another(&scene.place.store()).expect("the words open it");
    let catalog = catalog::snapshots(&fresh.repo, &fresh.index).expect("they can be listed");
    assert_eq!((catalog.snapshots.len(), catalog.damaged.len()), (2, 1));
    let kept = &catalog.snapshots.last().expect("that of the second").snapshot;
    assert_eq!(fresh.differences(kept, &scene.source, &scene.source), []);
    // A collector does not know what the lost record would say, and deletes nothing.
    let (options, monitor) = (GcOptions::default(), Recording::default());
    assert!(gc::run(&fresh.repo, &fresh.index, &options, &monitor).is_err());
    assert!(scene.packs().is_superset(&packs));
    // Who stores something now does not rely on it.
    let again = fresh.backup(&scene.source).expect("the backup runs");
    assert!(again.summary.data_chunks_new > 0, "nobody can tell who listed that");
}
