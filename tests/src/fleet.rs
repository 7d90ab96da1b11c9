//! A year of a fleet in a repository: real commits and real signed events of many systems, drawn
//! from a seed, with failures among them; and what a report must say of it, counted on the way.
//!
//! The clock is the simulation's own, and commits get the time of the day on which they would have
//! come, because recovery points go by the store's clock.

mod proof;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, UNIX_EPOCH};

use engine::base::id::{ChunkId, ClientId, Nonce8};
use engine::base::monitor::Recording;
use engine::base::time::{Clock, Timestamp};
use engine::crypt::secret::SecretKey;
use engine::crypt::sign::SigningKey;
use engine::format::envelope::ControlKind;
use engine::format::facts::{Details, Facts};
use engine::format::session::{Confirm, SessionKind};
use engine::format::slot::{KdfCost, Role};
use engine::format::snapshot::{Snapshot, SnapshotState, Summary};
use engine::index::identity::enrol;
use engine::repo::create::{CreateOptions, create};
use engine::repo::keyring::Identity;
use engine::repo::object::put_control;
use engine::repo::{Repo, private, session};
use engine::store::Store;
use engine::store::location::{Location, StoreOptions};
use engine::store::name::ObjectName;

use crate::world::PASSPHRASE;

/// 2025-12-01T00:00:00Z, in milliseconds since 1970.
pub const BEGIN_MS: i64 = 1_764_547_200_000;
/// Milliseconds of a day.
pub const DAY_MS: i64 = 86_400_000;

/// Size and seed of a fleet.
#[derive(Debug, Clone, Copy)]
pub struct FleetOptions {
    /// Systems.
    pub systems: u32,
    /// Days.
    pub days: u32,
    /// Where chance begins.
    pub seed: u64,
}

/// What happened, counted while it was made.
#[derive(Debug, Clone, Default)]
pub struct Truth {
    /// Runs that succeeded, with notes or without, by system.
    pub ok: BTreeMap<String, u64>,
    /// Runs whose snapshot lacks something, by system.
    pub partial: BTreeMap<String, u64>,
    /// Runs that began and left no snapshot, by system.
    pub failed_runs: BTreeMap<String, u64>,
    /// Days without a run, by system.
    pub missed: BTreeMap<String, u64>,
    /// Begin and commit of each snapshot, by system.
    pub points: BTreeMap<String, Vec<(i64, i64)>>,
    /// Drills that passed.
    pub passed: u64,
    /// Drills that failed.
    pub failed: u64,
    /// Drills that proved nothing.
    pub not_proved: u64,
    /// Files that samples drew, of drills that passed or failed.
    pub draws: u64,
    /// Findings, and those that a new test closed.
    pub findings: u64,
    /// Findings that a new test closed.
    pub closed: u64,
    /// Real restores.
    pub restores: u64,
    /// Bytes that rotations and checks read.
    pub bytes_read: u64,
    /// Signed records.
    pub records: u64,
}

/// A clock that shows what it was set to.
#[derive(Debug, Default)]
pub struct SetClock(Mutex<i64>);

impl SetClock {
    /// Sets it, in milliseconds since 1970.
    ///
    /// # Panics
    /// If a thread that held it has panicked.
    pub fn set(&self, at_ms: i64) {
        *self.0.lock().expect("nobody panics") = at_ms;
    }
}

/// A point in time, from milliseconds since 1970.
#[must_use]
pub fn timestamp(at_ms: i64) -> Timestamp {
    let nanos = at_ms.rem_euclid(1000) as u32 * 1_000_000;
    Timestamp { seconds: at_ms.div_euclid(1000), nanos }
}

impl Clock for SetClock {
    fn now(&self) -> Timestamp {
        timestamp(*self.0.lock().expect("nobody panics"))
    }

    fn monotonic(&self) -> Duration {
        Duration::from_millis(self.now().seconds.unsigned_abs() * 1000)
    }
}

/// Chance with a seed.
struct Dice(u64);

impl Dice {
    /// A number below `below`, by `SplitMix64`.
    fn roll(&mut self, below: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % below
    }
}

/// One system.
struct System {
    name: String,
    identity: Identity,
    bytes: u64,
    sequence: u64,
    /// No run before this day.
    dead_until: u32,
    newest: Option<Snapshot>,
}

/// A fleet and its repository.
pub struct Fleet {
    /// The folder with the repository.
    pub folder: PathBuf,
    /// The repository.
    pub repo: Repo,
    /// The first moment after the simulated time.
    pub end_ms: i64,
    /// What happened.
    pub truth: Truth,
}

impl Fleet {
    /// Makes it: the repository in `folder`, what the prover's machine keeps in `state`.
    ///
    /// # Panics
    /// If something cannot be written: tests want that.
    #[must_use]
    pub fn create(folder: &Path, state: &Path, options: FleetOptions) -> Self {
        let clock = Arc::new(SetClock::default());
        clock.set(BEGIN_MS - DAY_MS);
        let text = folder.to_str().expect("a path of a test is text");
        let location = Location::parse(text).expect("a path is a location");
        let store = Store::open(&location, &StoreOptions::default(), true).expect("a folder");
        let settings =
            CreateOptions { cost: KdfCost::FLOOR, probe: false, ..CreateOptions::default() };
        let made = create(&store, clock.clone(), PASSPHRASE, &settings, &Recording::default());
        let repo = made.expect("a repository can be made").repo;
        let mut simulation = Simulation {
            clock,
            folder: folder.to_owned(),
            dice: Dice(options.seed),
            systems: systems(&repo, options.systems),
            repo,
            truth: Truth::default(),
        };
        for day in 0..options.days {
            for system in 0..simulation.systems.len() {
                simulation.night(system, day);
            }
        }
        simulation.prove(state, options.days);
        let end_ms = BEGIN_MS + i64::from(options.days) * DAY_MS;
        let Simulation { repo, truth, .. } = simulation;
        Self { folder: folder.to_owned(), repo, end_ms, truth }
    }
}

fn systems(repo: &Repo, count: u32) -> Vec<System> {
    let kinds = ["web", "db", "file", "mail", "app"];
    let make = |number: u32| {
        let mut seed = [7; 32];
        seed[..4].copy_from_slice(&number.to_be_bytes());
        let mut client = [0xa0; 8];
        client[4..].copy_from_slice(&number.to_be_bytes());
        let signing = SigningKey::from_seed(&SecretKey::new(seed));
        let identity = Identity { client: ClientId::new(client), signing };
        let name = format!("{}{:02}", kinds[number as usize % kinds.len()], number / 5 + 1);
        enrol(repo, &identity, &name, Role::Backup, 0).expect("it can be enrolled");
        let bytes = (20 + u64::from(number) * 7) << 30;
        System { name, identity, bytes, sequence: 0, dead_until: 0, newest: None }
    };
    (0..count).map(make).collect()
}

/// When runs of a day begin.
fn begin_of(day: u32) -> i64 {
    BEGIN_MS + i64::from(day) * DAY_MS + 3_600_000
}

/// A fleet in the making.
struct Simulation {
    clock: Arc<SetClock>,
    folder: PathBuf,
    dice: Dice,
    systems: Vec<System>,
    repo: Repo,
    truth: Truth,
}

impl Simulation {
    /// What a night does to a system: a snapshot, or none.
    fn night(&mut self, at: usize, day: u32) {
        let fate = self.dice.roll(1000);
        let outage = 3 + self.dice.roll(4) as u32;
        let name = self.systems[at].name.clone();
        // The first night always works: before it a system is not there.
        if day > 0 && fate < 3 {
            self.systems[at].dead_until = day + outage;
        }
        let is_dead = day < self.systems[at].dead_until;
        if day > 0 && (is_dead || fate < 9) {
            *self.truth.missed.entry(name).or_default() += 1;
            return;
        }
        if day > 0 && fate < 15 {
            let jitter_ms = self.dice.roll(40 * 60_000) as i64;
            self.cut_off(at, begin_of(day) + jitter_ms);
            *self.truth.failed_runs.entry(name).or_default() += 1;
            return;
        }
        let state = match fate {
            15..35 => SnapshotState::Partial,
            35..60 => SnapshotState::CompleteWithNotes,
            _ => SnapshotState::Complete,
        };
        let counter = match state {
            SnapshotState::Partial => &mut self.truth.partial,
            _ => &mut self.truth.ok,
        };
        *counter.entry(name.clone()).or_default() += 1;
        let jitter_ms = self.dice.roll(40 * 60_000) as i64;
        let started_ms = begin_of(day) + jitter_ms;
        let finished_ms = started_ms + 60_000 + self.dice.roll(30 * 60_000) as i64;
        let committed_ms = (finished_ms + 2_000) / 1000 * 1000;
        self.commit(at, state, (started_ms, finished_ms, committed_ms));
        self.truth.points.entry(name).or_default().push((started_ms, committed_ms));
    }

    /// A run that registers and is never heard of again.
    fn cut_off(&mut self, at: usize, started_ms: i64) {
        self.clock.set(started_ms);
        let system = &mut self.systems[at];
        let id = session::new_id(&system.identity, system.sequence);
        system.sequence += 1;
        session::register(&self.repo, &system.identity, id, SessionKind::Backup, &system.name)
            .expect("it can be registered");
    }

    fn commit(&mut self, at: usize, state: SnapshotState, times: (i64, i64, i64)) {
        let (started_ms, finished_ms, committed_ms) = times;
        let growth = self.dice.roll(6 << 20);
        let system = &mut self.systems[at];
        system.bytes += system.bytes / 1500 + growth;
        self.clock.set(started_ms);
        let id = session::new_id(&system.identity, system.sequence);
        system.sequence += 1;
        session::register(&self.repo, &system.identity, id, SessionKind::Backup, &system.name)
            .expect("it can be registered");
        let problem_count = if state == SnapshotState::Partial { 1 + growth % 9 } else { 0 };
        let snapshot = Snapshot {
            repository: self.repo.config().repository,
            session: id,
            client: system.identity.client,
            previous: None,
            seen: Vec::new(),
            root: ChunkId::new([1; 32]),
            host: system.name.clone(),
            paths: Vec::new(),
            started: timestamp(started_ms),
            finished: timestamp(finished_ms),
            program: "a simulated client".to_owned(),
            tags: Vec::new(),
            description: None,
            summary: Summary {
                entries: system.bytes >> 17,
                total_bytes: system.bytes,
                bytes_stored: system.bytes / 900 + growth,
                ..Summary::default()
            },
            state,
            problem_count,
            problems: Vec::new(),
            domain: 0,
            original: None,
            evidence: Vec::new(),
            roots: Vec::new(),
            facts: Facts::default(),
            details: Details::default(),
        };
        self.clock.set(committed_ms);
        // As a commit does, but without the listing for fences: thousands of them would take hours.
        let (repo, signer) = (&self.repo, &system.identity.signing);
        let random = Nonce8::new([7; 8]);
        let name = ObjectName::Commit(id, random);
        let record = private::seal(repo, &name, &snapshot).expect("it can be sealed");
        let commit = put_control(repo, &name, ControlKind::Commit, &record, signer)
            .expect("it can be committed");
        let path = self.folder.join(repo.store().key_of(&name));
        let (name, record) = (ObjectName::Confirm(id), Confirm { session: id, commit, random });
        put_control(repo, &name, ControlKind::Confirm, &record, signer)
            .expect("it can be confirmed");
        let time = UNIX_EPOCH + Duration::from_millis(committed_ms.unsigned_abs());
        std::fs::File::options()
            .write(true)
            .open(path)
            .and_then(|file| file.set_modified(time))
            .expect("a time can be set");
        system.newest = Some(snapshot);
    }
}
