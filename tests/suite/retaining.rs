//! Forgetting and holding on real repositories: who may, what counts, and what a store can hide.

use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use engine::base::error::{Classified, ErrorClass};
use engine::base::id::{Digest, HoldId, Nonce8, SessionId};
use engine::base::time::Clock;
use engine::format::envelope::ControlKind;
use engine::format::mark::{Hold, Tomb};
use engine::format::slot::Role;
use engine::index::catalog;
use engine::index::identity::writer_identity;
use engine::index::marks::{self as index_marks, Marks, TagChanges};
use engine::repo::keyring::Identity;
use engine::repo::object::put_control;
use engine::repo::open::{Unlock, open};
use engine::repo::{commits, marks};
use engine::retain::candidate::GroupBy;
use engine::retain::clocks::require_agreement;
use engine::retain::gather::gather;
use engine::retain::hold::{HoldRequest, add as add_hold};
use engine::retain::plan::{PlanOptions, plan};
use engine::retain::policy::{Count, Policy};
use engine::store::{ObjectName, Store};
use object_store::ObjectStoreExt;
use object_store::memory::InMemory;
use object_store::path::Path as KeyPath;
use system_tests::store::dated::{Dated, SetClock};
use system_tests::store::hook::{Hooked, Moment, Verdict};
use system_tests::store::record::CallKind;
use system_tests::trees::content::random_bytes;
use system_tests::trees::put;
use system_tests::world::{PASSPHRASE, World, open_index};

/// Forgotten snapshots come back.
mod undeleting;

/// An administrator with snapshots, and the store that other keys come to.
struct Office {
    inner: Arc<InMemory>,
    store: Store,
    admin: World,
    source: PathBuf,
}

impl Office {
    fn new(snapshot_count: u64) -> Self {
        let inner = Arc::new(InMemory::new());
        let store = Store::from_object_store(inner.clone(), "memory", true);
        let admin = World::create(&store);
        let source = admin.new_folder("source");
        for number in 0..snapshot_count {
            put(&source.join("file"), &random_bytes(number, 3000));
            admin.backup(&source).expect("the backup runs");
        }
        Self { inner, store, admin, source }
    }

    fn machine(&self, role: Role) -> World {
        let key = self.admin.cut_key(role, 0);
        World::with_key(&self.store, &key).expect("a new key opens the repository")
    }

    fn ids(&self) -> Vec<(SessionId, Digest)> {
        let snapshots = self.admin.snapshots();
        snapshots.iter().map(|one| (one.snapshot.session, one.digest)).collect()
    }

    /// The commit of a snapshot.
    fn commit_of(&self, session: SessionId) -> ObjectName {
        let flags = commits::list_one(&self.admin.repo, session).expect("it can be listed");
        let random = flags.commits.keys().next().expect("it is committed");
        ObjectName::Commit(session, *random)
    }

    fn hide(&self, name: &ObjectName) -> Bytes {
        let path = KeyPath::from(self.admin.repo.store().key_of(name));
        futures::executor::block_on(async {
            let bytes = self.inner.get(&path).await.expect("it is there");
            let bytes = bytes.bytes().await.expect("it can be read");
            self.inner.delete(&path).await.expect("it can be deleted");
            bytes
        })
    }

    fn replace(&self, name: &ObjectName, bytes: Bytes) {
        let path = KeyPath::from(self.admin.repo.store().key_of(name));
        futures::executor::block_on(self.inner.put(&path, bytes.into())).expect("it can be put");
    }
}

fn identity(world: &World) -> Identity {
    writer_identity(&world.repo, &world.index, "test-host").expect("it has an identity")
}

fn read(world: &World) -> Marks {
    index_marks::read(&world.repo, &world.index).expect("marks can be read")
}

fn cold(world: &World) -> Marks {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let index = open_index(&world.repo, folder.path()).expect("it can be made");
    index_marks::read(&world.repo, &index).expect("marks can be read")
}

#[test]
fn a_tombstone_counts_if_its_signer_may_forget() {
    let office = Office::new(3);
    let ids = office.ids();
    for (role, target) in [(Role::Maintain, ids[0]), (Role::Admin, ids[1])] {
        let world = if role == Role::Admin { &office.admin } else { &office.machine(role) };
        marks::put_tomb(&world.repo, &identity(world), target, "old", None)
            .expect("it is forgotten");
    }
    let thief = office.machine(Role::Backup);
    let denied = marks::put_tomb(&thief.repo, &identity(&thief), ids[2], "mine", None);
    assert_eq!(denied.expect_err("it may not").class(), ErrorClass::Denied);
    // The thief's program knows no rules; his key is on the machine he broke into.
    let record = Tomb {
        session: ids[2].0,
        commit: ids[2].1,
        by: identity(&thief).client,
        at: thief.repo.clock().now(),
        reason: "mine".to_owned(),
        policy: None,
    };
    let signing = identity(&thief).signing;
    // As if it had the keeper's key, too: otherwise nobody who collects would read them.
    let drawn = || {
        let store = office.admin.repo.store();
        ObjectName::Tomb(ids[2].0, store.draw(|it| ObjectName::Tomb(ids[2].0, it)))
    };
    let own = drawn();
    put_control(&thief.repo, &own, ControlKind::Tomb, &record, &signing).expect("it is stored");
    let borrowed = Tomb { by: identity(&office.admin).client, ..record };
    let other = drawn();
    put_control(&thief.repo, &other, ControlKind::Tomb, &borrowed, &signing).expect("it is stored");
    for marks in [read(&office.admin), cold(&office.admin), cold(&thief)] {
        assert!(marks.is_forgotten(ids[0].0) && marks.is_forgotten(ids[1].0));
        assert!(!marks.is_forgotten(ids[2].0), "a forged tombstone counts");
        assert_eq!(marks.live(ids.iter().map(|id| id.0)), [ids[2].0].into());
        assert_eq!(marks.ignored.len(), 2, "{:?}", marks.ignored);
        assert_eq!(marks.obstacle(), None);
    }
}

#[test]
fn a_hold_beats_tombstones_until_it_is_released() {
    let office = Office::new(2);
    let (admin, ids) = (&office.admin, office.ids());
    let who = identity(admin);
    let held = vec![ids[0].0];
    let hold = marks::put_hold(&admin.repo, &who, held, "audit", None, None).expect("it is held");
    for id in &ids {
        marks::put_tomb(&admin.repo, &who, *id, "old", None).expect("it is forgotten");
    }
    assert_eq!(cold(admin).live(ids.iter().map(|id| id.0)), [ids[0].0].into());
    assert_eq!(read(admin).holds_of(ids[0].0).count(), 1);

    let thief = office.machine(Role::Backup);
    let denied = marks::put_release(&thief.repo, &identity(&thief), hold.hold, "mine");
    assert_eq!(denied.expect_err("it may not").class(), ErrorClass::Denied);
    marks::put_release(&admin.repo, &who, hold.hold, "over").expect("it is released");
    assert_eq!(cold(admin).live(ids.iter().map(|id| id.0)), [].into());
}

#[test]
fn a_hold_signed_by_a_backup_key_holds_nothing() {
    let office = Office::new(1);
    let (admin, ids) = (&office.admin, office.ids());
    let thief = office.machine(Role::Backup);
    // As if it had the keeper's key, too: otherwise nobody who collects would read it.
    let drawn = admin.repo.store().draw(|it| ObjectName::Hold(HoldId::new(*it.as_bytes())));
    let record = Hold {
        hold: HoldId::new(*drawn.as_bytes()),
        by: identity(&thief).client,
        at: thief.repo.clock().now(),
        reason: "fill the disk".to_owned(),
        until: None,
        selection: None,
        snapshots: vec![ids[0].0],
    };
    let name = ObjectName::Hold(record.hold);
    put_control(&thief.repo, &name, ControlKind::Hold, &record, &identity(&thief).signing)
        .expect("it is stored");
    marks::put_tomb(&admin.repo, &identity(admin), ids[0], "old", None).expect("it is forgotten");
    let marks = read(admin);
    assert!(marks.is_forgotten(ids[0].0));
    assert_eq!((marks.ignored.len(), marks.damaged.len()), (1, 0));
}

#[test]
fn hidden_marks_stay_in_force_where_they_were_seen() {
    let office = Office::new(2);
    let (admin, ids) = (&office.admin, office.ids());
    let who = identity(admin);
    let hold = marks::put_hold(&admin.repo, &who, vec![ids[0].0], "audit", None, None)
        .expect("it is held");
    let mut tombs = Vec::new();
    for id in &ids {
        let tomb = marks::put_tomb(&admin.repo, &who, *id, "old", None);
        tombs.push(tomb.expect("it is forgotten"));
    }
    assert_eq!(read(admin).obstacle(), None);
    let hidden = office.hide(&ObjectName::Hold(hold.hold));
    assert!(!read(admin).is_forgotten(ids[0].0), "this machine knows the hold");
    assert!(read(admin).obstacle().is_some_and(|why| why.contains(&hold.hold.to_string())));
    // Who never saw it cannot know; that is why collectors should be machines with a memory.
    assert!(cold(admin).is_forgotten(ids[0].0));
    office.replace(&ObjectName::Hold(hold.hold), hidden);
    assert_eq!(read(admin).obstacle(), None);

    office.hide(&tombs[1]);
    assert!(read(admin).is_forgotten(ids[1].0), "this machine knows the tombstone");
    assert_eq!(read(admin).missing, [tombs[1].key()]);
    assert!(!cold(admin).is_forgotten(ids[1].0), "less is forgotten, never more");
}

#[test]
fn a_damaged_hold_stops_collectors_until_somebody_releases_it() {
    let office = Office::new(1);
    let (admin, ids) = (&office.admin, office.ids());
    let who = identity(admin);
    let hold = marks::put_hold(&admin.repo, &who, vec![ids[0].0], "audit", None, None)
        .expect("it is held");
    office.replace(&ObjectName::Hold(hold.hold), Bytes::from_static(b"anything"));
    let marks = cold(admin);
    assert_eq!(marks.damaged.len(), 1);
    assert!(marks.obstacle().is_some());
    marks::put_release(&admin.repo, &who, hold.hold, "it is damaged").expect("it is released");
    assert_eq!(cold(admin).obstacle(), None);
}

#[test]
fn tags_that_two_people_change_at_once_are_all_kept() {
    let office = Office::new(1);
    let (admin, session) = (&office.admin, office.ids()[0].0);
    let other = office.machine(Role::Maintain);
    let tags = |world: &World| {
        let changes = TagChanges::read(&world.repo, &world.index).expect("tags can be read");
        (changes.of(session, &["old".to_owned()]), changes.replaced_by_next(session))
    };
    let set = |world: &World, tags: &[&str], replaces: Vec<Nonce8>| {
        let tags = tags.iter().map(|tag| (*tag).to_owned()).collect();
        marks::put_tags(&world.repo, &identity(world), session, tags, replaces)
            .expect("tags can be set");
    };
    let (before, replaced) = tags(admin);
    assert_eq!((before, replaced.len()), (vec!["old".to_owned()], 0));
    // Both have read the same, neither has seen the other's record.
    set(admin, &["old", "one"], Vec::new());
    set(&other, &["two"], Vec::new());
    let (both, replaced) = tags(&other);
    assert_eq!((both, replaced.len()), (["old", "one", "two"].map(str::to_owned).to_vec(), 2));
    set(&other, &[], replaced);
    let (none, replaced) = tags(admin);
    assert_eq!((none, replaced.len()), (Vec::new(), 1));
}

fn forget(world: &World, target: (SessionId, Digest)) {
    marks::put_tomb(&world.repo, &identity(world), target, "old", None).expect("it is forgotten");
}

#[test]
fn a_collected_snapshot_leaves_no_gap() {
    let office = Office::new(3);
    let (admin, ids) = (&office.admin, office.ids());
    forget(admin, ids[1]);
    admin.assert_sound();
    office.hide(&office.commit_of(ids[1].0));
    office.hide(&ObjectName::Confirm(ids[1].0));
    admin.assert_sound();
    let cold = World::with_key(&office.store, &admin.cut_key(Role::Verify, 0)).expect("it opens");
    cold.assert_sound();
    let catalog = catalog::live(&admin.repo, &admin.index).expect("snapshots can be listed");
    assert_eq!(catalog.missing, [], "a forgotten snapshot is not missing");
}

#[test]
fn a_hold_says_what_it_came_too_late_for() {
    let office = Office::new(2);
    let (admin, ids) = (&office.admin, office.ids());
    forget(admin, ids[0]);
    let both = [ids[0].0, ids[1].0];
    let request = HoldRequest {
        host: "test-host",
        snapshots: &both,
        reason: "audit",
        until: None,
        selection: None,
    };
    let report = add_hold(&admin.repo, &admin.index, &request).expect("it is held");
    assert_eq!(report.too_late, [ids[0].0]);
    assert_eq!(cold(admin).live(both), both.into(), "more is kept than was promised");
}

/// A hold that protects and then a tombstone, both of them at every point of a collector's reading.
#[test]
fn no_reading_sees_the_tombstone_and_misses_the_hold() {
    for (moment, below) in [
        (Moment::Before, "tomb"),
        (Moment::After, "tomb"),
        (Moment::Before, "hold"),
        (Moment::After, "hold"),
    ] {
        let office = Office::new(1);
        let id = office.ids()[0];
        let keeper = Arc::new(office.machine(Role::Maintain));
        let acted = Arc::new(std::sync::atomic::AtomicBool::new(false));
        let (other, done) = (keeper.clone(), acted.clone());
        let hooked = Hooked::new(office.inner.clone(), move |at, kind, key| {
            let here = at == moment && kind == CallKind::List && key.starts_with(below);
            if here && !done.swap(true, std::sync::atomic::Ordering::AcqRel) {
                let keeper = other.clone();
                let work = move || {
                    let one = [id.0];
                    let (host, reason) = ("h", "audit");
                    let (until, selection) = (None, None);
                    let request = HoldRequest { host, snapshots: &one, reason, until, selection };
                    let report = add_hold(&keeper.repo, &keeper.index, &request);
                    assert_eq!(report.expect("it is held").too_late, []);
                    forget(&keeper, id);
                };
                std::thread::spawn(work).join().expect("the other machine works");
            }
            Verdict::Go
        });
        let store = Store::from_object_store(Arc::new(hooked), "hooked", true);
        let collector = World::with_key(&store, &office.admin.cut_key(Role::Maintain, 0))
            .expect("the collector opens the repository");
        let marks = read(&collector);
        assert_eq!(marks.live([id.0]), [id.0].into(), "{moment:?} {below}");
        assert!(acted.load(std::sync::atomic::Ordering::Acquire) || below == "hold");
        assert_eq!(read(&collector).live([id.0]), [id.0].into());
    }
}

const DAY_S: i64 = 86_400;
const TEN_YEARS_S: i64 = 3652 * DAY_S;
/// A noon.
const BEGIN_S: i64 = 1_793_577_600 + DAY_S / 2;

/// Ten days of backups: how far the client's clock and the store's are off on each of them.
fn ten_days(off: impl Fn(i64) -> (i64, i64)) -> (World, SetClock) {
    let (client, server) = (SetClock::at(BEGIN_S), SetClock::at(BEGIN_S));
    let dated = Dated::new(Arc::new(InMemory::new()), server.clone());
    let store = Store::from_object_store(Arc::new(dated), "dated", true);
    drop(World::create(&store));
    let repo = open(&store, Arc::new(client.clone()), &Unlock::Passphrase(PASSPHRASE));
    let world = World::around(repo.expect("it opens"));
    let source = world.new_folder("source");
    for day in 0..10 {
        let now = BEGIN_S + day * DAY_S;
        let (client_off, store_off) = off(day);
        client.set(now + client_off);
        server.set(now + store_off);
        put(&source.join("file"), &random_bytes(day as u64, 600));
        world.backup(&source).expect("the backup runs");
    }
    client.set(BEGIN_S + 9 * DAY_S);
    server.set(BEGIN_S + 9 * DAY_S);
    (world, client)
}

/// Which days a daily rule keeps.
fn kept_days(world: &World, rules: &Policy, now_s: i64) -> Vec<u64> {
    let gathered = gather(&world.repo, &world.index).expect("it can be gathered");
    let options = PlanOptions {
        group_by: GroupBy::USUAL,
        zone: jiff::tz::TimeZone::UTC,
        now: SetClock::at(now_s).now(),
        spare_newest: false,
    };
    let plan = plan(&gathered.candidates, &|_| true, rules, &options);
    let kept = plan.groups.iter().flat_map(|group| &group.keep);
    let mut days: Vec<_> = kept.map(|kept| kept.session.sequence()).collect();
    days.sort_unstable();
    days
}

#[test]
fn one_clock_that_is_ten_years_off_loses_no_day() {
    let rules = |name: &str| match name {
        "daily" => Policy { each: [0, 3, 0, 0, 0].map(Count::Most), ..Policy::default() },
        _ => Policy { within: "60h".parse().ok(), ..Policy::default() },
    };
    let now = BEGIN_S + 9 * DAY_S;
    let keeps = |world: &World, now, what: &str| {
        for rule in ["daily", "within"] {
            let kept = kept_days(world, &rules(rule), now);
            assert!([7, 8, 9].iter().all(|day| kept.contains(day)), "{rule}, {what}: {kept:?}");
        }
    };
    let (honest, _) = ten_days(|_| (0, 0));
    assert_eq!(kept_days(&honest, &rules("daily"), now), [7, 8, 9]);
    assert_eq!(kept_days(&honest, &rules("within"), now), [7, 8, 9]);
    for off in [-TEN_YEARS_S, TEN_YEARS_S, 2 * DAY_S] {
        // Whoever forgets has the wrong time himself.
        keeps(&honest, now + off, "forgetter");
        for days in [0..10, 5..10, 4..5] {
            let wrong = |day| if days.contains(&day) { off } else { 0 };
            keeps(&ten_days(|day| (wrong(day), 0)).0, now, &format!("client {off} on {days:?}"));
            keeps(&ten_days(|day| (0, wrong(day))).0, now, &format!("store {off} on {days:?}"));
        }
    }
}

#[test]
fn somebody_looks_when_clocks_differ() {
    let (world, client) = ten_days(|_| (0, 0));
    require_agreement(&world.repo).expect("they agree");
    let now = BEGIN_S + 9 * DAY_S;
    for (off, differs) in
        [(3000, false), (-3000, false), (4000, true), (-4000, true), (TEN_YEARS_S, true)]
    {
        client.set(now + off);
        let agreed = require_agreement(&world.repo);
        assert_eq!(agreed.is_err(), differs, "{off}");
    }
    let left = world.repo.store().list("probe-").expect("it can be listed");
    assert_eq!(left, [], "asking leaves nothing behind");
}
