//! Something happens at every single request: a process ends, or somebody else runs whole.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use engine::base::id::SessionId;
use engine::base::monitor::Recording;
use engine::gc::{self, GcError, GcOptions, GcReport};
use engine::repo::Repo;
use engine::store::{ObjectName, Store};
use object_store::ObjectStore;
use object_store::memory::InMemory;
use system_tests::store::dated::{Dated, SetClock};
use system_tests::store::fault::{Fault, Faulty, Plan};
use system_tests::store::hook::{Hooked, Moment, Verdict};
use system_tests::store::record::CallKind;
use system_tests::trees::content::random_bytes;
use system_tests::trees::put;
use system_tests::world::World;

use crate::collecting::{Stage, keys, options, packs, plain, prune, through};

/// A prune at a copy of the store, on a machine of its own.
struct Attempt {
    /// The machine, started again with a store that works.
    machine: World,
    /// Numbers of the requests of the prune.
    requests: std::ops::Range<u64>,
    outcome: Result<GcReport, GcError>,
}

fn attempt(stage: &Stage, plan: Plan) -> Attempt {
    let inner = Arc::new(stage.inner.fork());
    let faulty = Faulty::new(Arc::clone(&inner) as _, plan);
    let mut machine = stage.machine(&through(Arc::new(faulty.clone())));
    let first = faulty.request_count();
    let outcome = prune(&machine);
    let requests = first..faulty.request_count();
    tokio::runtime::Builder::new_current_thread()
        .build()
        .expect("a thread can wait")
        .block_on(faulty.settle());
    machine.repo = stage.machine(&plain(&inner)).repo;
    Attempt { machine, requests, outcome }
}

fn every_request_of_a_prune(fault: Fault) {
    let stage = Stage::new();
    let faultless = attempt(&stage, Plan::none());
    assert!(faultless.outcome.is_ok(), "{:?}", faultless.outcome);
    assert!(faultless.requests.clone().count() > 20, "{:?}", faultless.requests);
    let mut failed = 0;
    for number in faultless.requests {
        let attempt = attempt(&stage, Plan::at(number, fault));
        failed += u64::from(attempt.outcome.is_err());
        stage.assert_kept(attempt.machine.repo.store());
        stage.assert_clean_after_two(&attempt.machine);
    }
    let ends = matches!(fault, Fault::CrashBefore | Fault::CrashAfter);
    assert!(failed > 20 || !ends, "only {failed} runs ended");
}

#[test]
fn a_prune_may_end_before_every_request() {
    every_request_of_a_prune(Fault::CrashBefore);
}

#[test]
fn a_prune_may_end_after_every_request() {
    every_request_of_a_prune(Fault::CrashAfter);
}

#[test]
fn every_answer_to_a_prune_may_be_lost() {
    every_request_of_a_prune(Fault::ErrorAfter);
}

#[test]
fn every_request_of_a_prune_may_land_late() {
    every_request_of_a_prune(Fault::Late { after_requests: 3 });
}

/// Lets `act` run once, before the request with this number; answers whether it did.
fn interrupted(
    inner: &Arc<InMemory>,
    number: u64,
    act: impl Fn() + Send + Sync + 'static,
) -> (Store, Arc<AtomicBool>) {
    let (count, has_acted) = (AtomicU64::new(0), Arc::new(AtomicBool::new(false)));
    let acted = Arc::clone(&has_acted);
    let hooked = Hooked::new(Arc::clone(inner) as _, move |moment, _, _| {
        if moment == Moment::Before && count.fetch_add(1, Ordering::AcqRel) == number {
            acted.store(true, Ordering::Release);
            // On a thread of its own: its store has a runtime of its own.
            let done = std::thread::scope(|scope| scope.spawn(&act).join());
            assert!(done.is_ok(), "what ran in between failed");
        }
        Verdict::Go
    });
    (through(Arc::new(hooked)), has_acted)
}

/// A whole collection that waits for nobody: whoever runs is given up.
fn collect_at_once(machine: &World) {
    let abandon_sessions = undecided(machine.repo.store());
    let options = GcOptions { abandon_sessions, ..options() };
    gc::run(&machine.repo, &machine.index, &options, &Recording::default())
        .expect("the collector runs");
}

#[test]
fn two_collectors_may_meet_at_every_request() {
    let stage = Arc::new(Stage::new());
    for number in 0.. {
        let inner = Arc::new(stage.inner.fork());
        let (other, other_inner) = (Arc::clone(&stage), Arc::clone(&inner));
        let (store, has_acted) = interrupted(&inner, number, move || {
            collect_at_once(&other.machine(&plain(&other_inner)));
        });
        let machine = stage.machine(&store);
        let outcome = prune(&machine);
        assert!(outcome.is_ok(), "at request {number}: {outcome:?}");
        stage.assert_kept(&plain(&inner));
        stage.assert_clean_after_two(&stage.machine(&plain(&inner)));
        if !has_acted.load(Ordering::Acquire) {
            assert!(number > 20, "only {number} requests");
            break;
        }
    }
}

/// What another machine commits between two looks of a collector is needed, and not lost.
#[test]
fn another_machine_may_back_up_before_every_request_of_a_prune() {
    let stage = Arc::new(Stage::new());
    for number in 0.. {
        let inner = Arc::new(stage.inner.fork());
        let (other, other_inner) = (Arc::clone(&stage), Arc::clone(&inner));
        let (store, has_acted) = interrupted(&inner, number, move || {
            let client = other.machine(&plain(&other_inner));
            let source = client.new_folder("mine");
            put(&source.join("new"), &random_bytes(4, 100_000));
            client.backup(&source).expect("it runs");
        });
        let outcome = prune(&stage.machine(&store));
        assert!(outcome.is_ok(), "at request {number}: {outcome:?}");
        stage.assert_kept(&plain(&inner));
        if !has_acted.load(Ordering::Acquire) {
            assert!(number > 20, "only {number} requests");
            break;
        }
    }
}

/// Sessions that have not decided, as an operator would find them.
fn undecided(store: &Store) -> Vec<SessionId> {
    let decided: BTreeSet<_> = keys(store, "snap/")
        .iter()
        .filter_map(|key| engine::store::code::spelled(key))
        .filter_map(|name| match name {
            ObjectName::Commit(session, _) | ObjectName::Final(session, _) => Some(session),
            _ => None,
        })
        .collect();
    let registered = keys(store, "sess/");
    let sessions = registered.iter().filter_map(|key| match engine::store::code::spelled(key) {
        Some(ObjectName::Session(session)) => Some(session),
        _ => None,
    });
    sessions.filter(|session| !decided.contains(session)).collect()
}

/// A machine backs up what the forgotten snapshot held, and its index knows those chunks.
fn sleeping_client_at(stage: &Arc<Stage>, number: u64) -> bool {
    let inner = Arc::new(stage.inner.fork());
    let (other, other_inner) = (Arc::clone(stage), Arc::clone(&inner));
    let (store, has_acted) = interrupted(&inner, number, move || {
        collect_at_once(&other.machine(&plain(&other_inner)));
    });
    // It has worked before, so it knows the chunks of `gone`.
    let warm = stage.machine(&plain(&inner));
    engine::index::refresh::refresh(&warm.repo, &warm.index, &Recording::default())
        .expect("it can look");
    let source = warm.new_folder("mine");
    put(&source.join("again"), &random_bytes(2, 400_000));
    put(&source.join("stays"), &random_bytes(1, 300_000));
    let World { index, folder, out, .. } = warm;
    let repo: Repo = stage.world.another(&store).expect("the words open it").repo;
    let client = World {
        repo,
        index,
        folder,
        out,
        recovery_words: String::new(),
        monitor: Recording::default(),
    };
    let report = client.backup(&source);
    assert!(report.is_ok(), "at request {number}: {report:?}");
    let snapshot = report.ok().and_then(|report| report.snapshot).expect("it was committed");
    let later = stage.machine(&plain(&inner));
    let restored = later.snapshots();
    let one = restored.iter().find(|one| one.snapshot.session == snapshot);
    let found = later.differences(&one.expect("listed").snapshot, &source, &source);
    assert!(found.is_empty(), "at request {number}: {found:#?}");
    stage.assert_clean_after_two(&stage.machine(&plain(&inner)));
    let found = later.differences(&one.expect("listed").snapshot, &source, &source);
    assert!(found.is_empty(), "after request {number} and two prunes: {found:#?}");
    has_acted.load(Ordering::Acquire)
}

#[test]
fn a_client_may_sleep_before_every_request_while_a_collector_runs() {
    let stage = Arc::new(Stage::new());
    let mut number = 0;
    while sleeping_client_at(&stage, number) {
        number += 1;
    }
    assert!(number > 12, "only {number} requests");
}

/// No barrier is needed, because nothing else is garbage.
#[test]
fn what_an_abandoned_session_stored_goes_although_nothing_else_does() {
    let stage = Stage::new();
    let store = plain(&stage.inner);
    stage.assert_clean_after_two(&stage.world);
    let before = packs(&store);
    let hooked = Hooked::new(Arc::clone(&stage.inner) as _, |moment, kind, key| {
        let is_put = moment == Moment::Before && kind == CallKind::Put;
        let ends = is_put && key.contains(".commit-");
        if ends { Verdict::Crash } else { Verdict::Go }
    });
    let machine = stage.machine(&through(Arc::new(hooked)));
    let folder = machine.new_folder("other");
    put(&folder.join("lost"), &random_bytes(9, 200_000));
    let error = machine.backup(&folder).expect_err("it ends before its commit");
    assert!(packs(&store).len() > before.len(), "it has stored nothing: {error:?}");
    // Nobody knows that it has ended.
    let report = prune(&stage.world).expect("it runs");
    assert_eq!((report.fenced_sessions, report.deleted_packs), (0, 0), "{report:#?}");
    let options = GcOptions { abandon_sessions: undecided(&store), ..options() };
    let (repo, index) = (&stage.world.repo, &stage.world.index);
    let report = gc::run(repo, index, &options, &Recording::default()).expect("it runs");
    assert_eq!(report.fenced_sessions, 1, "{report:#?}");
    assert_eq!(packs(&store), before);
    stage.assert_kept(&store);
}

/// Time is the store's: a day after it last received something of a session, that is given up.
#[test]
fn a_session_that_is_silent_for_a_day_is_given_up_and_not_before() {
    const BEGIN_S: i64 = 1_800_000_000;
    let clock = SetClock::at(BEGIN_S);
    let dated: Arc<dyn ObjectStore> =
        Arc::new(Dated::new(Arc::new(InMemory::new()), clock.clone()));
    let world = World::in_store(Arc::clone(&dated));
    let hooked = Hooked::new(dated, |moment, kind, key| {
        let is_put = moment == Moment::Before && kind == CallKind::Put;
        let ends = is_put && key.contains(".commit-");
        if ends { Verdict::Crash } else { Verdict::Go }
    });
    let dead = world.another(&through(Arc::new(hooked))).expect("the words open it");
    let lost = dead.new_folder("lost");
    put(&lost.join("lost"), &random_bytes(9, 200_000));
    dead.backup(&lost).expect_err("it ends before its commit");
    let left = undecided(world.repo.store());
    assert_eq!(left.len(), 1, "{left:?}");
    let below = |kind: &str| keys(world.repo.store(), &format!("{kind}/{}/", left[0])).len();
    assert!(below("data") > 0, "it has stored nothing");

    let source = world.new_folder("source");
    for (hours, fenced) in [(23, 0), (25, 1)] {
        clock.set(BEGIN_S + hours * 3600);
        // The store's clock shows in what it receives.
        put(&source.join("file"), &random_bytes(hours as u64, 1000));
        world.backup(&source).expect("the backup runs");
        let report = prune(&world).expect("it runs");
        assert_eq!(report.fenced_sessions, fenced, "after {hours} h: {report:#?}");
        assert_eq!(below("data") == 0, fenced == 1, "after {hours} h: {report:#?}");
    }
    assert_eq!(below("tree"), 0, "its names are left");
    world.assert_newest_is(&source);
}
