//! What each key can do, and that it can do nothing else.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use engine::backup::{BackupError, BackupOptions};
use engine::base::error::{Classified, ErrorClass};
use engine::base::monitor::Silent;
use engine::blob::fetch::ChunkFetcher;
use engine::check::{self, CheckOptions, ReadData};
use engine::format::slot::Role;
use engine::gc::{self, GcOptions, MaxUnused};
use engine::index::identity::writer_identity;
use engine::index::refresh::refresh;
use engine::repo::error::RepoError;
use engine::repo::marks;
use engine::repo::open::KeyFile;
use engine::repo::slots;
use engine::restore::{self, RestoreError};
use engine::store::Store;
use object_store::memory::InMemory;
use system_tests::trees::content::random_bytes;
use system_tests::trees::put;
use system_tests::world::{World, tree_path};

/// An administrator and the store that machines with other keys come to.
struct Office {
    admin: World,
    store: Store,
}

impl Office {
    fn new() -> Self {
        let store = Store::from_object_store(Arc::new(InMemory::new()), "memory", true);
        Self { admin: World::create(&store), store }
    }

    /// A machine of its own with a new key.
    fn machine(&self, role: Role, domain: u32) -> World {
        let key = self.admin.cut_key(role, domain);
        World::with_key(&self.store, &key).expect("a new key opens the repository")
    }
}

fn make_source(world: &World) -> PathBuf {
    let source = world.new_folder("source");
    put(&source.join("a/large"), &random_bytes(1, 300_000));
    put(&source.join("a/small"), b"inline");
    put(&source.join("b"), &random_bytes(2, 5000));
    source
}

fn is_denied<T>(result: &Result<T, impl Classified>) -> bool {
    matches!(result, Err(error) if error.class() == ErrorClass::Denied)
}

fn restored(world: &World, source: &Path) -> Result<u64, RestoreError> {
    let target = tempfile::tempdir_in(world.out.path()).expect("a folder can be made");
    world.restore(&world.newest(), source, target.path()).map(|report| report.problem_count)
}

#[test]
fn a_backup_key_backs_up_and_compares_with_its_own_hints() {
    let office = Office::new();
    let client = office.machine(Role::Backup, 7);
    let source = make_source(&client);
    let first = client.backup(&source).expect("the backup runs");
    assert!(first.summary.data_chunks_new > 0);
    let second = client.backup(&source).expect("the backup runs");
    assert_eq!(second.parent, first.snapshot);
    assert_eq!((second.summary.files_unmodified, second.summary.bytes_read), (3, 0));
    put(&source.join("b"), &random_bytes(3, 5000));
    let third = client.backup(&source).expect("the backup runs");
    assert_eq!((third.summary.files_changed, third.summary.data_chunks_new), (1, 1));
    // Its listing of snapshots needs no more than the control key.
    assert_eq!(client.snapshots().len(), 3);
    office.admin.assert_newest_is(&source);
    office.admin.assert_sound();
}

#[test]
fn a_backup_key_that_lost_its_hints_reads_again_and_stores_nothing() {
    let office = Office::new();
    let mut client = office.machine(Role::Backup, 7);
    let source = make_source(&client);
    client.backup(&source).expect("the backup runs");
    client.lose_index();
    let second = client.backup(&source).expect("the backup runs");
    assert_eq!((second.summary.files_new, second.summary.data_chunks_new), (3, 0));
    assert_eq!(second.summary.bytes_read, 305_006);
    let chain: Vec<_> =
        client.snapshots().iter().map(|one| one.snapshot.session.sequence()).collect();
    assert_eq!(chain, [0, 1], "the chain did not go on");
    office.admin.assert_sound();
}

#[test]
fn a_backup_key_reads_nothing_back() {
    let office = Office::new();
    let client = office.machine(Role::Backup, 7);
    let source = make_source(&client);
    client.backup(&source).expect("the backup runs");
    assert!(is_denied(&restored(&client, &source)), "it restores");
    assert!(is_denied(&client.check_all()), "it checks");
    let snapshot = client.newest();
    let (repo, index) = (&client.repo, &client.index);
    let path = tree_path(&source.join("b"));
    let mut bytes = Vec::new();
    let cat = restore::read::cat(repo, index, &snapshot, &path, &mut bytes);
    assert!(is_denied(&cat) && bytes.is_empty(), "it reads a file");
    let fetcher = ChunkFetcher::new(repo, index, 1 << 20).expect("the index is readable");
    let node = fetcher.chunk(&snapshot.root);
    assert!(is_denied(&node), "it reads names: {node:?}");
    let mut chunk_count = 0;
    client
        .index
        .reader()
        .expect("readable")
        .for_each_pack(&mut |pack, _| {
            let table = client.index.reader().and_then(|reader| reader.pack_table(&pack));
            for chunk in table.expect("readable").expect("indexed").chunks {
                assert!(is_denied(&fetcher.chunk(&chunk.id)), "it reads chunk {}", chunk.id);
                chunk_count += 1;
            }
            true
        })
        .expect("readable");
    assert!(chunk_count >= 3, "there are only {chunk_count} chunks");
    assert!(repo.keys().admin().is_err() && repo.keys().tree().is_err());
    let removed = slots::remove(repo, "");
    assert!(matches!(removed, Err(RepoError::Denied { .. })), "it manages keys");
}

#[test]
fn a_backup_key_shares_nothing_outside_its_domain() {
    let office = Office::new();
    let first = office.machine(Role::Backup, 7);
    let source = make_source(&first);
    let chunks = first.backup(&source).expect("the backup runs").summary.data_chunks_new;
    assert!(chunks > 0);
    // The same files, byte by byte, from a machine of another domain and one of the same.
    let (other, same) = (office.machine(Role::Backup, 8), office.machine(Role::Backup, 7));
    let stored = other.backup(&source).expect("the backup runs").summary.data_chunks_new;
    assert!(stored > 0, "another domain deduplicates against it");
    let stored = same.backup(&source).expect("the backup runs").summary.data_chunks_new;
    assert_eq!(stored, 0, "its own domain does not");
    let keys = other.repo.keys();
    assert!(keys.index_key(7).is_none() && keys.chunk_id_key(7).is_none());
    assert!(keys.index_key(8).is_some() && keys.chunk_id_key(8).is_some());
    let listed = other.index.statistics().expect("readable");
    let all = office.admin.check_all().expect("the check runs");
    assert!(listed.pack_count < all.packs, "it sees which chunks another domain has");
    assert!(all.is_sound(), "{all:#?}");
}

#[test]
fn verify_and_restore_keys_read_snapshots_of_all_domains_and_write_nothing() {
    let office = Office::new();
    let clients = [office.machine(Role::Backup, 7), office.machine(Role::Backup, 8)];
    let sources: Vec<_> = clients.iter().map(make_source).collect();
    for (client, source) in clients.iter().zip(&sources) {
        client.backup(source).expect("the backup runs");
    }
    for role in [Role::Verify, Role::Restore] {
        let reader = office.machine(role, 0);
        let listed = reader.snapshots();
        assert_eq!(listed.len(), 2);
        for (one, source) in listed.iter().zip(&sources) {
            assert_eq!(reader.differences(&one.snapshot, source, source), [], "{role:?}");
        }
        reader.assert_sound();
        let written = reader.backup(&sources[0]);
        assert!(is_denied(&written), "{role:?} backs up");
        assert!(reader.repo.keys().admin().is_err());
    }
    assert_eq!(office.admin.snapshots().len(), 2);
}

#[test]
fn a_maintain_key_reads_names_and_no_content() {
    let office = Office::new();
    let client = office.machine(Role::Backup, 7);
    let source = make_source(&client);
    client.backup(&source).expect("the backup runs");
    let keeper = office.machine(Role::Maintain, 0);
    refresh(&keeper.repo, &keeper.index, &Silent).expect("refreshed");
    let fetcher = ChunkFetcher::new(&keeper.repo, &keeper.index, 1 << 20).expect("readable");
    let path = tree_path(&source.join("a/large"));
    let found = engine::tree::cursor::find(&fetcher, keeper.newest().root, &path);
    let entry = found.expect("names are readable").expect("the file is in the snapshot");
    assert_eq!(entry.size_bytes, 300_000);
    let options = CheckOptions { read_data: ReadData::None, threads: 0 };
    let structure = check::run(&keeper.repo, &keeper.index, &options, &Silent);
    assert!(structure.expect("the check runs").is_sound());
    assert!(is_denied(&keeper.check_all()), "it reads packs of content");
    assert!(is_denied(&restored(&keeper, &source)), "it restores");
    let Some(engine::format::entry::Content::Extents(extents)) = entry.content else {
        unreachable!("a file of this size has a list of chunks")
    };
    for extent in extents {
        if let engine::format::extent::Extent::Chunk { id, .. } = extent {
            assert!(is_denied(&fetcher.chunk(&id)), "it reads content");
        }
    }
}

#[test]
fn only_those_who_maintain_collect_and_they_leave_content_as_it_is() {
    let office = Office::new();
    let client = office.machine(Role::Backup, 7);
    let source = make_source(&client);
    // One worker, so that both files are in one pack.
    let one = BackupOptions { workers: 1, ..system_tests::world::options() };
    client.backup_with(&source, &one).expect("the backup runs");
    let first = client.newest().session;
    std::fs::remove_file(source.join("b")).expect("it is there");
    client.backup(&source).expect("the backup runs");
    let forgotten = office.admin.snapshots().into_iter().find(|one| one.snapshot.session == first);
    let digest = forgotten.expect("it is listed").digest;
    let admin = writer_identity(&office.admin.repo, &office.admin.index, "office").expect("admin");
    marks::put_tomb(&office.admin.repo, &admin, (first, digest), "test", None).expect("forgotten");
    let options = GcOptions {
        grace: Duration::ZERO,
        confirm_mass_delete: Some(u64::MAX),
        max_unused: MaxUnused::Percent(0.0),
        ..GcOptions::default()
    };
    for role in [Role::Backup, Role::Verify, Role::Restore] {
        let machine = office.machine(role, 7);
        let pruned = gc::run(&machine.repo, &machine.index, &options, &Silent);
        assert!(is_denied(&pruned), "{role:?} collects: {pruned:?}");
    }
    let keeper = office.machine(Role::Maintain, 0);
    let report = gc::run(&keeper.repo, &keeper.index, &options, &Silent).expect("it collects");
    assert!(report.deleted_packs > 0, "{report:?}");
    assert!(report.repack.unreadable_packs > 0, "it rewrites content: {report:?}");
    office.admin.assert_newest_is(&source);
    // Whoever may read content frees the rest.
    let admin = office.machine(Role::Admin, 0);
    let report = gc::run(&admin.repo, &admin.index, &options, &Silent).expect("it collects");
    assert!(report.repack.packs > 0 && report.repack.unreadable_packs == 0, "{report:?}");
    admin.assert_newest_is(&source);
}

#[test]
fn a_revoked_key_opens_nothing_and_its_snapshots_stay() {
    let office = Office::new();
    let key = office.admin.cut_key(Role::Backup, 7);
    let client = World::with_key(&office.store, &key).expect("the key opens");
    let source = make_source(&client);
    client.backup(&source).expect("the backup runs");
    let text = key.to_text();
    let again = KeyFile::parse(&text).expect("what was written can be read");
    World::with_key(&office.store, &again).expect("the key opens");
    slots::remove(&office.admin.repo, &key.slot.to_string()).expect("an administrator may");
    let refused = World::with_key(&office.store, &key).map(|_| ());
    assert!(matches!(refused, Err(RepoError::WrongKey { .. })), "{refused:?}");
    office.admin.assert_newest_is(&source);
    office.admin.assert_sound();
}

#[test]
fn the_last_administrator_stays() {
    let office = Office::new();
    let slots = slots::list(&office.admin.repo).expect("readable");
    assert_eq!(slots.len(), 2);
    slots::remove(&office.admin.repo, &slots[0].slot.to_string()).expect("one is left");
    let last = slots::remove(&office.admin.repo, &slots[1].slot.to_string());
    assert!(matches!(last, Err(RepoError::Refused { .. })), "{last:?}");
}

/// The state folder is that of the repository, whoever opens it: an unattended backup with a key
/// file today, its administrator tomorrow.
#[test]
fn an_index_that_a_backup_key_filled_serves_the_administrator() {
    let office = Office::new();
    let (one, two) = (office.machine(Role::Backup, 7), office.machine(Role::Backup, 8));
    let (source_one, source_two) = (make_source(&one), make_source(&two));
    one.backup(&source_one).expect("the backup runs");
    two.backup(&source_two).expect("the backup runs");
    // The machine sees the segments of the other domain and cannot open them.
    one.backup(&source_one).expect("the backup runs");
    let mut shared = one;
    shared.repo = office.admin.reopen(&office.store).expect("the passphrase opens");
    let listed = shared.snapshots();
    let foreign = listed.iter().find(|one| one.snapshot.domain == 8).expect("it is listed");
    assert_eq!(shared.differences(&foreign.snapshot, &source_two, &source_two), []);
    shared.assert_sound();
}

#[test]
fn a_failed_backup_for_lack_of_rights_leaves_nothing_in_the_store() {
    let office = Office::new();
    let reader = office.machine(Role::Restore, 0);
    let source = make_source(&reader);
    let before = office.store.list("").expect("lists");
    let refused = reader.backup(&source);
    assert!(matches!(refused, Err(BackupError::Repo(RepoError::Denied { .. }))), "{refused:?}");
    assert_eq!(office.store.list("").expect("lists"), before);
}
