//! The process ends between the steps of a commit, or somebody fences it there.
//!
//! What the next run does follows from the flags alone (`docs/GC.md`): a commit without a fence is
//! a success that nobody was told of, and is adopted; with a fence it is nothing, for ever.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use engine::backup::{BackupError, BackupReport};
use engine::base::id::{ClientId, SessionId};
use engine::crypt::sign::SigningKey;
use engine::format::slot::Role;
use engine::index::identity::enrol;
use engine::repo::commits::{self, Flags};
use engine::repo::keyring::Identity;
use engine::repo::{Repo, session};
use engine::store::retry::RetrySettings;
use engine::store::{ObjectName, Store};
use object_store::memory::InMemory;
use system_tests::store::hook::{Hooked, Moment, Verdict};
use system_tests::store::record::CallKind;
use system_tests::trees::content::random_bytes;
use system_tests::trees::put;
use system_tests::world::World;

/// A step of a commit, as a request of the second backup.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Register,
    TreePack,
    Segment,
    Commit,
    LookForFence,
    Confirm,
}

impl Step {
    fn is(self, kind: CallKind, key: &str) -> bool {
        let is_put = kind == CallKind::Put;
        match self {
            Self::Register => is_put && key.starts_with("sess/"),
            Self::TreePack => is_put && key.starts_with("tree/"),
            Self::Segment => is_put && key.starts_with("index/"),
            Self::Commit => is_put && key.contains(".commit-"),
            // The listings of all snapshots come before the commit.
            Self::LookForFence => kind == CallKind::List && key.starts_with("snap"),
            Self::Confirm => is_put && key.contains(".ok-"),
        }
    }
}

/// A machine whose store does what `rule` says once `is_armed`.
struct Stage {
    world: World,
    store: Arc<InMemory>,
    hooked: Hooked,
    is_armed: Arc<AtomicBool>,
    /// The session of the commit that was put while armed.
    committed: Arc<Mutex<Option<SessionId>>>,
    source: PathBuf,
    first: SessionId,
}

type Rule = dyn Fn(Moment, CallKind, &str, Option<SessionId>) -> Verdict + Send + Sync;

impl Stage {
    /// With one good snapshot and a source that has changed since.
    fn new(rule: impl Fn(&Arc<InMemory>, &str) -> Box<Rule>) -> Self {
        let store = Arc::new(InMemory::new());
        let maker = World::in_store(Arc::clone(&store) as _);
        let (is_armed, committed) = (Arc::new(AtomicBool::new(false)), Arc::default());
        let rule = rule(&store, &maker.recovery_words);
        let (armed, seen) = (Arc::clone(&is_armed), Arc::<Mutex<_>>::clone(&committed));
        let hooked = Hooked::new(Arc::clone(&store) as _, move |moment, kind, key| {
            if !armed.load(Ordering::Acquire) {
                return Verdict::Go;
            }
            let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
            if let (CallKind::Put, Some(ObjectName::Commit(session, _))) =
                (kind, engine::store::code::spelled(key))
            {
                *seen = Some(session);
            }
            rule(moment, kind, key, *seen)
        });
        let through = Store::from_object_store(Arc::new(hooked.clone()), "hooked", true);
        let mut world =
            maker.another(&through.with_retry(RetrySettings::fast())).expect("the words open it");
        world.recovery_words.clone_from(&maker.recovery_words);
        let source = world.new_folder("source");
        put(&source.join("one"), &random_bytes(1, 100_000));
        let first = world.backup(&source).expect("the first backup runs").snapshot;
        put(&source.join("two"), &random_bytes(2, 100_000));
        is_armed.store(true, Ordering::Release);
        let first = first.expect("it was committed");
        Self { world, store, hooked, is_armed, committed, source, first }
    }

    fn plain(&self) -> Store {
        Store::from_object_store(Arc::clone(&self.store) as _, "memory", true)
    }

    fn committed(&self) -> Option<SessionId> {
        *self.committed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The machine starts again with its state folder and a store that works.
    fn restart(mut self) -> Self {
        assert!(self.hooked.is_crashed(), "the process did not end");
        self.is_armed.store(false, Ordering::Release);
        let repo = self.world.another(&self.plain()).expect("the words open it").repo;
        self.world.repo = repo;
        self
    }

    fn backup(&self) -> Result<BackupReport, BackupError> {
        self.world.backup(&self.source)
    }

    fn flags(&self, session: SessionId) -> Flags {
        commits::list_one(&self.world.repo, session).expect("the store lists")
    }

    /// Exactly these snapshots are listed, in this order, for this machine and for a new one.
    fn assert_listed(&self, wanted: &[SessionId]) {
        let another = self.world.another(&self.plain()).expect("the words open it");
        for world in [&self.world, &another] {
            let listed = world.snapshots();
            let listed: Vec<_> = listed.iter().map(|one| one.snapshot.session).collect();
            assert_eq!(listed, wanted);
        }
        another.assert_newest_is(&self.source);
        another.assert_sound();
    }
}

fn crash_at(step: Step, when: Moment) -> Stage {
    Stage::new(|_, _| {
        Box::new(move |moment, kind, key, committed| {
            let is_early = step == Step::LookForFence && committed.is_none();
            let ends = moment == when && step.is(kind, key) && !is_early;
            if ends { Verdict::Crash } else { Verdict::Go }
        })
    })
}

#[test]
fn a_commit_that_landed_is_adopted_and_listed_once() {
    for (step, when) in [
        (Step::Commit, Moment::After),
        (Step::LookForFence, Moment::Before),
        (Step::LookForFence, Moment::After),
        (Step::Confirm, Moment::Before),
        (Step::Confirm, Moment::After),
    ] {
        let stage = crash_at(step, when);
        stage.backup().expect_err("the process ends");
        let landed = stage.committed().expect("the commit was put");
        let stage = stage.restart();
        let report = stage.backup().expect("the next run succeeds");
        assert_eq!(report.adopted, [landed], "{step:?} {when:?}");
        assert_eq!(report.summary.data_chunks_new, 0, "{step:?} {when:?}");
        assert!(stage.flags(landed).confirm, "the adopted snapshot was not confirmed");
        let second = report.snapshot.expect("it was committed");
        stage.assert_listed(&[stage.first, landed, second]);
        assert_eq!(stage.backup().expect("runs").adopted, [], "adopted twice");
    }
}

#[test]
fn a_session_without_a_commit_is_given_up_and_fenced() {
    for (step, when) in [
        (Step::Register, Moment::Before),
        (Step::Register, Moment::After),
        (Step::TreePack, Moment::After),
        (Step::Segment, Moment::Before),
        (Step::Segment, Moment::After),
        (Step::Commit, Moment::Before),
    ] {
        let stage = crash_at(step, when);
        stage.backup().expect_err("the process ends");
        let open = stage.world.index.open_runs().expect("the index is readable");
        assert_eq!(open.len(), 1, "{step:?} {when:?}: the session was not noted in time");
        let stage = stage.restart();
        let report = stage.backup().expect("the next run succeeds");
        assert_eq!(report.adopted, [], "{step:?} {when:?}");
        let flags = stage.flags(open[0]);
        assert!(
            !flags.has_commit() && flags.fences.len() == 1 && flags.finals.len() == 1,
            "{flags:?}"
        );
        let second = report.snapshot.expect("it was committed");
        stage.assert_listed(&[stage.first, second]);
        assert_eq!(stage.world.index.open_runs().expect("readable"), []);
    }
}

/// A second machine, which may fence sessions.
struct Fencer {
    repo: Repo,
    identity: Identity,
}

impl Fencer {
    fn new(store: Store, words: &str) -> Self {
        let clock = Arc::new(engine::base::time::SystemClock::default());
        let unlock = engine::repo::open::Unlock::Words(words);
        let repo = engine::repo::open::open(&store, clock, &unlock).expect("the words open it");
        let identity = Identity { client: ClientId::new([7; 8]), signing: SigningKey::generate() };
        enrol(&repo, &identity, "fencer", Role::Admin, 0).expect("an administrator may");
        Self { repo, identity }
    }

    /// F1 to F3 against a session that it takes for dead.
    fn fence(&self, session: SessionId) {
        let nothing_seen = Flags::default();
        session::fence(&self.repo, &self.identity, session, "it seems dead", &nothing_seen)
            .expect("the store works");
    }
}

/// The first commit is met by a fence, put at `when`.
fn fence_at(when: Moment) -> Stage {
    Stage::new(move |store, words| {
        let store = Store::from_object_store(Arc::clone(store) as _, "memory", true);
        let (fencer, is_done) = (Fencer::new(store, words), AtomicBool::new(false));
        Box::new(move |moment, kind, key, committed| {
            let is_now = moment == when && Step::Commit.is(kind, key);
            if let (true, Some(session)) = (is_now, committed)
                && !is_done.swap(true, Ordering::AcqRel)
            {
                // On a thread of its own: its store has a runtime of its own.
                std::thread::scope(|scope| drop(scope.spawn(|| fencer.fence(session)).join()));
            }
            Verdict::Go
        })
    })
}

fn first_commit_of(stage: &Stage, second: SessionId) -> SessionId {
    let all = commits::list_all(&stage.world.repo).expect("the store lists");
    let others = all.keys().filter(|session| ![stage.first, second].contains(session));
    let others: Vec<_> = others.copied().collect();
    assert_eq!(others.len(), 1, "there should be one fenced session: {others:?}");
    others[0]
}

#[test]
fn a_run_that_is_fenced_before_its_commit_commits_again() {
    let stage = fence_at(Moment::Before);
    let report = stage.backup().expect("the run succeeds under another session");
    let second = report.snapshot.expect("it was committed");
    let fenced = first_commit_of(&stage, second);
    let flags = stage.flags(fenced);
    // The fencer saw no commit and decided; the commit came later and counts for nothing.
    assert!(flags.has_commit() && !flags.confirm && flags.finals.len() == 1, "{flags:?}");
    stage.assert_listed(&[stage.first, second]);
    let third = stage.backup().expect("runs");
    assert_eq!(third.adopted, [], "a fenced session was adopted");
    stage.assert_listed(&[stage.first, second, third.snapshot.expect("committed")]);
}

#[test]
fn when_both_flags_are_seen_on_both_sides_both_back_off() {
    let stage = fence_at(Moment::After);
    let report = stage.backup().expect("the run succeeds under another session");
    let second = report.snapshot.expect("it was committed");
    let fenced = first_commit_of(&stage, second);
    let flags = stage.flags(fenced);
    assert!(flags.has_commit() && !flags.confirm, "{flags:?}");
    assert!(flags.fences.len() == 1 && flags.finals.is_empty(), "{flags:?}");
    stage.assert_listed(&[stage.first, second]);
    let check = stage.world.check_all().expect("the check runs");
    assert_eq!((check.unconfirmed, check.is_sound()), (1, true));
}

#[test]
fn a_commit_that_was_fenced_before_the_restart_is_never_reported() {
    let stage = crash_at(Step::Commit, Moment::After);
    stage.backup().expect_err("the process ends");
    let landed = stage.committed().expect("the commit was put");
    let stage = stage.restart();
    Fencer::new(stage.plain(), &stage.world.recovery_words).fence(landed);
    let report = stage.backup().expect("the next run succeeds");
    assert_eq!(report.adopted, []);
    let second = report.snapshot.expect("it was committed");
    assert_ne!(second, landed);
    assert_eq!(report.summary.data_chunks_new, 0, "uploaded packs should stay usable");
    assert!(!stage.flags(landed).confirm);
    stage.assert_listed(&[stage.first, second]);
}

#[test]
fn a_forged_confirmation_beside_a_fence_is_not_adopted() {
    let stage = crash_at(Step::Commit, Moment::After);
    stage.backup().expect_err("the process ends");
    let landed = stage.committed().expect("the commit was put");
    let stage = stage.restart();
    Fencer::new(stage.plain(), &stage.world.recovery_words).fence(landed);
    let (name, body) = (ObjectName::Confirm(landed), b"who wrote this has no key".to_vec());
    stage.world.repo.store().put_new(&name, body.into()).expect("the name is free");
    let report = stage.backup().expect("the next run succeeds");
    assert_eq!(report.adopted, []);
    let listed: Vec<_> = stage.world.snapshots().iter().map(|one| one.snapshot.session).collect();
    assert_eq!(listed, [stage.first, report.snapshot.expect("it was committed")]);
    let check = stage.world.check_all().expect("the check runs");
    assert_eq!(check.damage.keys().collect::<Vec<_>>(), [&name.key()], "the forgery is named");
}

#[test]
fn a_machine_that_lost_its_state_goes_on_without_it() {
    let mut stage = crash_at(Step::Commit, Moment::After);
    stage.backup().expect_err("the process ends");
    let landed = stage.committed().expect("the commit was put");
    stage = stage.restart();
    stage.world.lose_index();
    let second = stage.backup().expect("the next run succeeds").snapshot.expect("committed");
    // Nobody fenced it, so that one listing confirms it: it is a snapshot, told or not.
    stage.assert_listed(&[stage.first, landed, second]);
}
