//! A small genuine repository that holds an object of nearly every kind, to be forked for each batch.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use engine::base::id::{ClientId, Digest, Nonce8, PackId, SessionId};
use engine::base::monitor::Recording;
use engine::crypt::sign::SigningKey;
use engine::format::generation::{Base as Past, Condemn};
use engine::format::history::{CopiedRecord, FoldRecord, JoinRecord, LockRecord};
use engine::format::machine::{Revocation, RunRecord};
use engine::format::segment::SegmentPack;
use engine::format::slot::Role;
use engine::format::snapshot::Snapshot;
use engine::gc::{self, GcOptions, MaxUnused};
use engine::index::identity::{self, writer_identity};
use engine::repo::commits::{self, Flags};
use engine::repo::footer::read_footer;
use engine::repo::keyring::Identity;
use engine::repo::{Repo, collect, evidence, history, machine, marks, session};
use engine::store::{ObjectName, Store};
use object_store::memory::InMemory;
use restore_verify::evidence::record::{Hash32, RECORD_VERSION, Record, Writer, encode};
use system_tests::trees::content::random_bytes;
use system_tests::trees::put;
use system_tests::world::World;

use crate::forged::kinds::Thief;
use crate::golden;

/// The repository before anybody forges anything.
pub(super) struct Base {
    pub(super) inner: Arc<InMemory>,
    pub(super) admin: World,
    /// The administrator's state folder, closed, to be copied.
    pub(super) state: PathBuf,
    /// Snapshots that must never be lost, each with the folder that it is of.
    pub(super) genuine: Vec<Genuine>,
    /// A snapshot that the administrator forgot, whose packs the next prune deletes.
    pub(super) forgotten: SessionId,
    /// What the administrator backs up next.
    pub(super) next: PathBuf,
    /// What lies in packs, those among them that the next backup will write.
    pub(super) packs: Vec<SegmentPack>,
    thieves: Vec<(Thief, Identity)>,
}

/// A snapshot, and what was backed up.
pub(super) struct Genuine {
    pub(super) snapshot: Snapshot,
    pub(super) commit: Digest,
    pub(super) random: Nonce8,
    pub(super) source: PathBuf,
}

/// A store around a repository in memory.
pub(super) fn plain(inner: &Arc<InMemory>) -> Store {
    Store::from_object_store(Arc::clone(inner) as _, "memory", true)
}

/// A collection that asks for nothing and deletes whatever is unneeded.
pub(super) fn prune_options() -> GcOptions {
    GcOptions {
        grace: Duration::ZERO,
        confirm_mass_delete: Some(u64::MAX),
        max_unused: MaxUnused::Unlimited,
        host: "collector".to_owned(),
        // Whoever waits is asked to stop at once, so that a session without an end is no hang.
        max_duration: Some(Duration::ZERO),
        ..GcOptions::default()
    }
}

/// All packs in a store.
pub(super) fn packs_in(store: &Store) -> BTreeSet<PackId> {
    let below = |prefix| store.list(prefix).expect("memory lists");
    let names = below("data/").into_iter().chain(below("tree/")).filter_map(|it| it.name);
    names
        .filter_map(|name| if let ObjectName::Pack(pack) = name { Some(pack) } else { None })
        .collect()
}

impl Base {
    pub(super) fn new() -> Self {
        let inner = Arc::new(InMemory::new());
        let mut admin = World::in_store(Arc::clone(&inner) as _);
        let identity = writer_identity(&admin.repo, &admin.index, "test-host").expect("enrolled");
        let old = folder(&admin, "old", 1, 30_000);
        let old = admin.backup(&old).expect("it is backed up").snapshot.expect("it is new");
        forget(&admin.repo, &identity, old);
        gc::run(&admin.repo, &admin.index, &prune_options(), &Recording::default())
            .expect("there is something to collect");
        let one = folder(&admin, "one", 2, 90_000);
        let first = admin.backup(&one).expect("it is backed up").snapshot.expect("it is new");
        let key = admin.cut_key(Role::Backup, 0);
        let machine = World::with_key(&plain(&inner), &key).expect("the key opens");
        let two = folder(&admin, "two", 3, 60_000);
        let second = machine.backup(&two).expect("it is backed up").snapshot.expect("it is new");
        let gone = folder(&admin, "gone", 4, 50_000);
        let forgotten = admin.backup(&gone).expect("it is backed up").snapshot.expect("it is new");
        forget(&admin.repo, &identity, forgotten);
        let held = [first, second].map(|session| session);
        put_records(&admin.repo, &identity, held);
        let thieves = Thief::ALL.iter().filter_map(|thief| enrol(&admin.repo, *thief)).collect();
        let genuine = [(first, one), (second, two)]
            .map(|(session, source)| genuine(&admin, session, source))
            .into();
        let next = folder(&admin, "next", 2, 90_000);
        put(&next.join("new"), &random_bytes(5, 40_000));
        let packs = packs(&admin, &inner, &next);
        let state = admin.new_folder("copied").join("state");
        admin.while_closed(|from| copy(from, &state));
        Self { inner, admin, state, genuine, forgotten, next, packs, thieves }
    }

    /// Who signs for a thief that has a key.
    pub(super) fn identity(&self, thief: Thief) -> Option<&Identity> {
        self.thieves.iter().find(|(who, _)| *who == thief).map(|(_, identity)| identity)
    }
}

/// A folder that holds a large file, a short one, a directory and a link.
fn folder(admin: &World, name: &str, seed: u64, length: usize) -> PathBuf {
    let folder = admin.new_folder(name);
    put(&folder.join("large"), &random_bytes(seed, length));
    put(&folder.join("below/short"), name.as_bytes());
    std::os::unix::fs::symlink("below/short", folder.join("link")).expect("a link can be made");
    folder
}

fn forget(repo: &Repo, identity: &Identity, session: SessionId) {
    let (random, _) = commit_of(repo, session);
    let commit = commits::read(repo, session, random).expect("it is genuine").digest;
    marks::put_tomb(repo, identity, (session, commit), "test", None).expect("it is forgotten");
}

fn commit_of(repo: &Repo, session: SessionId) -> (Nonce8, Flags) {
    let flags = commits::list_one(repo, session).expect("memory lists");
    (*flags.commits.keys().next().expect("it was committed"), flags)
}

fn genuine(admin: &World, session: SessionId, source: PathBuf) -> Genuine {
    let (random, _) = commit_of(&admin.repo, session);
    let read = commits::read(&admin.repo, session, random).expect("it is genuine");
    Genuine { snapshot: read.record, commit: read.digest, random, source }
}

/// One record of each kind that backups and collections do not leave.
fn put_records(repo: &Repo, identity: &Identity, [first, second]: [SessionId; 2]) {
    let client = identity.client;
    let put = || -> Result<(), engine::repo::error::RepoError> {
        marks::put_hold(repo, identity, vec![first], "test", None, None)?;
        let ended = marks::put_hold(repo, identity, vec![second], "test", None, None)?;
        marks::put_release(repo, identity, ended.hold, "test")?;
        marks::put_tags(repo, identity, first, vec!["kept".to_owned()], Vec::new())?;
        let aborted = session::new_id(identity, 20);
        session::fence(repo, identity, aborted, "test", &Flags::default())?;
        let spare = ClientId::new([9; 8]);
        machine::put_revocation(
            repo,
            &Revocation { client: spare, ..golden::machines::revocation() },
        )?;
        machine::put_run(repo, identity, &RunRecord { client, ..golden::machines::run() })?;
        machine::put_conf(repo, identity, 1, &golden::machines::configuration())?;
        history::put_join(repo, identity, &JoinRecord { client, ..golden::history::join() })?;
        history::put_fold(repo, identity, &FoldRecord { by: client, ..golden::history::fold() })?;
        let session = session::new_id(identity, 30);
        let copied = CopiedRecord { session, ..golden::history::copied() };
        history::put_copied(repo, identity, &copied)?;
        history::put_lock(repo, identity, &LockRecord { by: client, ..golden::history::lock() })?;
        for close in [false, true] {
            let generation = collect::new_generation(identity);
            let condemn = Condemn { generation, ..golden::generations::condemn() };
            collect::put_condemn(repo, identity, &condemn)?;
            match close {
                true => drop(collect::close(repo, identity, generation, "test")?),
                false => {
                    use engine::format::envelope::ControlKind::Void;
                    collect::put_ending(repo, identity, generation, Void, "test")?;
                }
            }
        }
        let past = Past { by: client, ..golden::generations::base() };
        collect::put_past(repo, identity, 1, &past)?;
        evidence::put(repo, identity, 0, &evidence_body(repo, client, 0)).map(drop)
    };
    put().expect("memory takes them");
}

/// A record of evidence without an event that anybody knows.
pub(super) fn evidence_body(repo: &Repo, writer: ClientId, number: u32) -> Vec<u8> {
    encode(&Record {
        version: RECORD_VERSION,
        repository: *repo.config().repository.as_bytes(),
        writer: Writer(*writer.as_bytes()),
        number,
        previous: Hash32::default(),
        at_ms: 1_700_000_000_000,
        actor: "test".to_owned(),
        host: "test-host".to_owned(),
        program: "test".to_owned(),
        heads: Vec::new(),
        event: "test".to_owned(),
        body: vec![0xa0],
        heads_ms: Vec::new(),
    })
}

fn enrol(repo: &Repo, thief: Thief) -> Option<(Thief, Identity)> {
    let role = thief.role()?;
    let byte = 0xf0 + role as u8 + thief.domain() as u8;
    let identity = Identity { client: ClientId::new([byte; 8]), signing: SigningKey::generate() };
    identity::enrol(repo, &identity, "thief", role, thief.domain()).expect("it is enrolled");
    Some((thief, identity))
}

/// What lies in packs, and what will lie there after `next` was backed up.
fn packs(admin: &World, inner: &Arc<InMemory>, next: &Path) -> Vec<SegmentPack> {
    let forked = plain(&Arc::new(inner.fork()));
    let dry = admin.another(&forked).expect("the words open it");
    dry.backup(next).expect("the backup of the fork runs");
    let listed = packs_in(&forked).into_iter();
    listed.map(|pack| read_footer(&dry.repo, pack).expect("it is sound").expect("open")).collect()
}

/// Copies the files of a folder without folders.
pub(super) fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a folder can be made");
    for entry in std::fs::read_dir(from).expect("it is there") {
        let entry = entry.expect("it can be listed");
        if entry.path().is_file() {
            std::fs::copy(entry.path(), to.join(entry.file_name())).expect("it can be copied");
        }
    }
}
