//! No object is taken for another: what lies under a key that is not its own is refused, with an
//! error that names the key.

use std::fs;
use std::path::{Path, PathBuf};

use engine::base::monitor::Recording;
use engine::blob::open_pack::PackOpener;
use engine::crypt::seal::{SealPublic, Suite};
use engine::format::announcement::{EpochRecord, SealedEpoch, SlotSet};
use engine::format::client::Client;
use engine::format::envelope::ControlKind;
use engine::format::generation::{Base, Condemn, Sweep};
use engine::format::history::{CopiedRecord, FoldRecord, JoinRecord, LockRecord};
use engine::format::machine::{Revocation, RunRecord};
use engine::format::mark::{Hold, Release, TagRecord, Tomb};
use engine::format::session::{Confirm, Fence, Session};
use engine::format::slot::{KdfCost, Role};
use engine::index::identity::writer_identity;
use engine::repo::commits::Flags;
use engine::repo::create::{CreateOptions, create};
use engine::repo::generations::{self, Testimony};
use engine::repo::keyring::{Identity, Keyring};
use engine::repo::open::{KeyFile, Unlock, open};
use engine::repo::session::fence;
use engine::repo::{
    Repo, announcement, collect, commits, consents, evidence, footer, history, machine, marks,
    object, segments, session, slot_sets, slots,
};
use engine::store::ObjectName;
use system_tests::world::{PASSPHRASE, World};

use crate::golden;
use crate::second_reader::{clock, folder_store, key_file, noise, put};

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
        let name = engine::store::code::spelled(key).expect("the engine names its objects");
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
    let mut world = World::around_in(made.repo, folder);
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
    put_machine(&world.repo, &identity);
    put_history(&world.repo, &identity);
    collect_for_nothing(&world.repo, &identity);
    let other = engine::base::id::ClientId::new([5; 8]);
    object::put_client(&world.repo, &Client { client: other, ..golden::client() })
        .expect("a client can be enrolled");
    let text = key_file(&world.repo, Suite::X25519, Role::Restore);
    let key = KeyFile::parse(&text).expect("it was just made");
    put_epochs(&mut world, &at, &key);
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

/// Every record about a machine, twice.
fn put_machine(repo: &Repo, identity: &Identity) {
    for number in 0..2 {
        let client = identity.client;
        let revoked = Revocation {
            client: engine::base::id::ClientId::new([number as u8; 8]),
            ..golden::machines::revocation()
        };
        machine::put_revocation(repo, &revoked).expect("an administrator may");
        let run = RunRecord { client, number, ..golden::machines::run() };
        machine::put_run(repo, identity, &run).expect("it is stored");
        let configuration = golden::machines::configuration();
        machine::put_conf(repo, identity, number, &configuration).expect("it is stored");
    }
}

/// Every record that nothing writes yet, and every announcement, twice.
fn put_history(repo: &Repo, identity: &Identity) {
    let (client, by, repository) = (identity.client, identity.client, repo.config().repository);
    for number in 0..2 {
        let invitation = engine::base::id::InvitationId::new([number as u8; 8]);
        let join = JoinRecord { invitation, client, ..golden::history::join() };
        history::put_join(repo, identity, &join).expect("it is stored");
        let fold = FoldRecord { by, number, ..golden::history::fold() };
        history::put_fold(repo, identity, &fold).expect("it is stored");
        let session = session::new_id(identity, 30 + u64::from(number));
        let copied = CopiedRecord { session, ..golden::history::copied() };
        history::put_copied(repo, identity, &copied).expect("it is stored");
        let lock = LockRecord { by, number, ..golden::history::lock() };
        history::put_lock(repo, identity, &lock).expect("it is stored");
        let set = SlotSet { repository, number, ..golden::history::slot_set() };
        announcement::put_slot_set(repo, &set).expect("an administrator may");
    }
}

/// Two epochs, whose keys the holder of `key` gets.
fn put_epochs(world: &mut World, at: &Path, key: &KeyFile) {
    let (suite, slot) = (Suite::X25519, key.slot);
    let repository = world.repo.config().repository;
    let known = slot_sets::known(&world.repo).expect("they can be read");
    let recipient = known.get(slot).and_then(|known| known.recipient.clone());
    let recipient = SealPublic::from_bytes(suite, &recipient.expect("it has one")).expect("a key");
    for epoch in 1..3 {
        let repo = &world.repo;
        let admin = repo.keys().admin().expect("it is admin");
        let keys = Keyring::cut_epoch(admin, Role::Restore, (0, epoch));
        let place = (epoch, slot);
        let sealed = announcement::seal_epoch_keys(repository, place, &recipient, &keys);
        let sealed = vec![SealedEpoch { slot, sealed: sealed.expect("it can be sealed") }];
        let public = golden::history::epoch().data_public;
        let (data_public, tree_public) = (public.clone(), public);
        let began = repo.clock().now();
        let record = EpochRecord { repository, epoch, at: began, data_public, tree_public, sealed };
        announcement::put_epoch(repo, &record).expect("an administrator may");
        // The next one has a code of this one.
        let again = open(&folder_store(at), clock(), &Unlock::Passphrase(PASSPHRASE));
        world.repo = again.expect("it opens");
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

fn read_history(repo: &Repo, name: &ObjectName) -> Result<(), engine::repo::error::RepoError> {
    match *name {
        ObjectName::SlotSet { .. } => announcement::get_slot_set(repo, name).map(drop),
        ObjectName::Epoch(epoch) => announcement::get_epoch(repo, epoch).map(drop),
        ObjectName::Join(..) => history::get_join(repo, name).map(drop),
        ObjectName::Fold { .. } => history::get_fold(repo, name).map(drop),
        ObjectName::Copied(..) => history::get_copied(repo, name).map(|_| ()),
        _ => history::get_lock(repo, name).map(|_| ()),
    }
}

/// Reads the object as whoever needs it does; gives the error as people see it.
fn read(zoo: &Zoo, name: &ObjectName) -> Result<(), String> {
    let store = folder_store(&zoo.at);
    let repo = open(&store, clock(), &Unlock::KeyFile(&zoo.key)).map_err(|e| e.to_string())?;
    let text = |error: engine::repo::error::RepoError| error.to_string();
    let any_client = |repo: &Repo| {
        let signer = zoo.objects.iter().find_map(|(name, _)| match name {
            ObjectName::Commit(session, _) => Some(session.client()),
            _ => None,
        });
        object::client(repo, signer.expect("there are commits")).map(|c| c.verifying_key)
    };
    let fence = |kind| {
        object::get_control::<Fence>(&repo, name, kind, |_| any_client(&repo))
            .map(drop)
            .map_err(text)
    };
    match *name {
        ObjectName::Config(_) => Ok(()),
        ObjectName::Slot(id) => {
            slots::read(&store, repo.config().repository, id).map(drop).map_err(text)
        }
        ObjectName::Client(id) => object::client(&repo, id).map(drop).map_err(text),
        ObjectName::Revoked(id, random) => {
            machine::get_revocation(&repo, id, random).map(drop).map_err(text)
        }
        ObjectName::Run { .. } => machine::get_run(&repo, name).map(drop).map_err(text),
        ObjectName::Conf { .. } => machine::get_conf(&repo, name).map(drop).map_err(text),
        ObjectName::SlotSet { .. }
        | ObjectName::Epoch(_)
        | ObjectName::Join(..)
        | ObjectName::Fold { .. }
        | ObjectName::Copied(..)
        | ObjectName::Lock { .. } => read_history(&repo, name).map_err(text),
        ObjectName::Consent(id) => consents::get(&repo, id).map(drop).map_err(text),
        ObjectName::Session(_) => {
            object::get_control::<Session>(&repo, name, ControlKind::Session, |_| any_client(&repo))
                .map(drop)
                .map_err(text)
        }
        ObjectName::Commit(id, random) => commits::read(&repo, id, random).map(drop).map_err(text),
        ObjectName::Confirm(_) => {
            object::get_control::<Confirm>(&repo, name, ControlKind::Confirm, |_| any_client(&repo))
                .map(drop)
                .map_err(text)
        }
        ObjectName::Fence(..) => fence(ControlKind::Fence),
        ObjectName::Final(..) => fence(ControlKind::Final),
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
        ObjectName::Segment(id) => segments::get_segment(&repo, id).map(drop).map_err(text),
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

/// Where an object lies, with the code of whichever epoch.
fn place(zoo: &Zoo, name: &ObjectName) -> PathBuf {
    let listed = zoo.world.repo.store().list(&name.key()).expect("it lists");
    let found = listed.into_iter().find(|object| object.name.as_ref() == Some(name));
    zoo.at.join(found.map_or_else(|| name.key(), |object| object.key))
}

#[test]
fn no_object_is_taken_for_another() {
    let zoo = zoo();
    let place = |name: &ObjectName| place(&zoo, name);
    let own: Vec<_> = zoo.objects.iter().filter(|(name, _)| place(name).exists()).collect();
    assert!(own.len() > 15, "only {} objects", own.len());
    let mut count = 0;
    for (name, bytes) in &own {
        let key = name.key();
        let path = place(name);
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
    put(&place(&zoo, &ObjectName::Confirm(snapshot.session)), b"anything");
    assert_eq!(zoo.world.snapshots().len(), 1, "a forged confirmation confirms nothing");
}
