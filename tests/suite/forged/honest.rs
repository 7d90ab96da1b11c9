//! What honest machines do with a repository into which somebody put forged objects, and what they
//! notice of it.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use cli::fault::{Doing, ExitCode, Fault};
use engine::base::error::{Classified, ErrorClass, in_one_line};
use engine::base::id::{GenerationId, SessionId};
use engine::base::monitor::Recording;
use engine::format::snapshot::Snapshot;
use engine::gc::unblock::{Obstacle, Target, look, pass};
use engine::gc::{self, GcError, GcOptions};
use engine::index::catalog;
use engine::repo::open::{Unlock, open};
use engine::repo::{Repo, generations, session};
use engine::restore::RestoreOptions;
use engine::retain;
use object_store::memory::InMemory;
use system_tests::compare::compare_with_roots;
use system_tests::world::{PASSPHRASE, World, clock};

use crate::forged::base::{Base, Genuine, copy, plain, prune_options};
use crate::forged::kinds::{Kind, Thief};

/// What a command made of it: effects for the table.
pub(super) type Effects = BTreeSet<String>;

/// A promise that was broken, in words.
pub(super) type Broken = String;

/// Honest machines around one fork of the repository.
pub(super) struct Honest<'a> {
    base: &'a Base,
    inner: &'a Arc<InMemory>,
    who: Thief,
    kind: Kind,
    place: tempfile::TempDir,
    effects: Effects,
}

/// Folders in memory: nothing here has to survive anything.
fn place() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).expect("a folder can be made")
}

impl<'a> Honest<'a> {
    pub(super) fn new(base: &'a Base, inner: &'a Arc<InMemory>, who: Thief, kind: Kind) -> Self {
        Self { base, inner, who, kind, place: place(), effects: Effects::new() }
    }

    /// The first look: everybody reads, the administrator backs up and collects.
    pub(super) fn work(mut self) -> Result<Effects, Broken> {
        if matches!(self.kind, Kind::Config | Kind::Slot | Kind::SlotSet) {
            let opened = open(&plain(self.inner), clock(), &Unlock::Passphrase(PASSPHRASE));
            self.outcome("open", opened)?;
        }
        let opened = self.open();
        let Some(repo) = self.outcome("open", opened)? else { return Ok(self.effects) };
        self.read(World::around_in(repo, place()))?;
        let own = place();
        copy(&self.base.state, &own.path().join("state"));
        let Some(repo) = self.outcome("open", self.open())? else { return Ok(self.effects) };
        let machine = World::around_in(repo, own);
        let saved = self.back_up(&machine)?;
        self.collect(&machine)?;
        if let Some(saved) = saved {
            self.restore(&machine, &saved, &self.base.next.clone(), "restore")?;
        }
        Ok(self.effects)
    }

    fn open(&self) -> Result<Repo, engine::repo::error::RepoError> {
        open(&plain(self.inner), clock(), &Unlock::Words(&self.base.admin.recovery_words))
    }

    /// Notes an error by its exit code; only documented ways to end are allowed.
    fn outcome<T, E: Classified>(
        &mut self,
        what: &str,
        done: Result<T, E>,
    ) -> Result<Option<T>, Broken> {
        let error = match done {
            Ok(done) => return Ok(Some(done)),
            Err(error) => error,
        };
        // What a key may not do is found out when it is used.
        let doing = match error.class() {
            ErrorClass::Denied => Doing::Unlock,
            _ => Doing::Work,
        };
        let code = Fault::during(doing, &error).exit_code();
        let told = in_one_line(&error);
        if matches!(code, ExitCode::Failed | ExitCode::Usage | ExitCode::Store | ExitCode::Busy) {
            return Err(format!("{what} ends with {}: {told}", code.code()));
        }
        self.effects.insert(format!("{what} {}", code.code()));
        Ok(None)
    }

    /// What a machine sees that knows nothing.
    fn read(&mut self, fresh: World) -> Result<(), Broken> {
        let marked = catalog::marked(&fresh.repo, &fresh.index);
        if let Some((catalog, _)) = self.outcome("list", marked)? {
            let listed: BTreeSet<SessionId> =
                catalog.snapshots.iter().map(|one| one.snapshot.session).collect();
            for genuine in &self.base.genuine {
                let session = genuine.snapshot.session;
                let is_forgotten =
                    catalog.forgotten.iter().any(|one| one.snapshot.session == session);
                if is_forgotten {
                    self.may_forget(genuine)?;
                    self.effects.insert("forgotten".to_owned());
                } else if !listed.contains(&session) {
                    self.effects.insert("hidden".to_owned());
                }
            }
            if catalog.snapshots.len() > self.base.genuine.len() {
                self.effects.insert("listed".to_owned());
            }
        }
        for genuine in &self.base.genuine {
            self.restore(&fresh, &genuine.snapshot, &genuine.source, "restore")?;
        }
        let checked = fresh.check_all();
        if let Some(report) = self.outcome("check", checked)? {
            let names = !report.is_sound()
                || !report.foreign_keys.is_empty()
                || !report.stray_slots.is_empty();
            if names {
                self.effects.insert("named".to_owned());
            }
        }
        Ok(())
    }

    fn may_forget(&self, genuine: &Genuine) -> Result<(), Broken> {
        match self.who.may_forget() {
            true => Ok(()),
            false => Err(format!("{:?} made {} forgotten", self.who, genuine.snapshot.session)),
        }
    }

    /// Who may forget can have packs deleted. Who shares a dedup domain can store a whole pack of wrong
    /// bytes under right ids, and a collector may take it for a second copy.
    fn may_lose(&self) -> bool {
        let is_pack = matches!(self.kind, Kind::Pack(_));
        self.who.may_forget() || (self.who == Thief::Backup && is_pack)
    }

    /// Restores and compares: wrong bytes are never right.
    fn restore(
        &mut self,
        machine: &World,
        snapshot: &Snapshot,
        source: &Path,
        what: &str,
    ) -> Result<bool, Broken> {
        let target = tempfile::tempdir_in(self.place.path()).expect("a folder can be made");
        let options =
            RestoreOptions { no_space_check: true, threads: 2, ..RestoreOptions::default() };
        let done = machine.restore_with(snapshot, source, target.path(), &options);
        let Some(report) = self.outcome(what, done)? else { return Ok(false) };
        if report.problem_count > 0 {
            self.effects.insert(format!("{what} {}", ExitCode::Damage.code()));
            return Ok(false);
        }
        let found = compare_with_roots(source, target.path()).expect("both trees can be read");
        match found.is_empty() {
            true => Ok(true),
            false => Err(format!("{what} gives other bytes and says nothing: {found:?}")),
        }
    }

    fn back_up(&mut self, machine: &World) -> Result<Option<Snapshot>, Broken> {
        let done = machine.backup(&self.base.next);
        let Some(report) = self.outcome("backup", done)? else { return Ok(None) };
        let Some(session) = report.snapshot else { return Ok(None) };
        let catalog = catalog::snapshots(&machine.repo, &machine.index);
        let Some(catalog) = self.outcome("list", catalog)? else { return Ok(None) };
        let found = catalog.snapshots.into_iter().find(|one| one.snapshot.session == session);
        match found {
            Some(one) => Ok(Some(one.snapshot)),
            None => Err(format!("the backup {session} was reported and is not listed")),
        }
    }

    fn collect(&mut self, machine: &World) -> Result<(), Broken> {
        let monitor = Recording::default();
        let prune = |options: &GcOptions| gc::run(&machine.repo, &machine.index, options, &monitor);
        match prune(&prune_options()) {
            Ok(_) => return Ok(()),
            Err(GcError::Interrupted) => drop(self.effects.insert("prune waits".to_owned())),
            other => {
                self.outcome("prune", other)?;
            }
        }
        match prune(&self.give_up_all(machine)) {
            Err(GcError::Interrupted) => {
                return Err("prune waits for what was given up".to_owned());
            }
            other => {
                self.outcome("abandon", other)?;
            }
        }
        // What a store has overwritten comes back, and nobody should give it up.
        let is_stopped = ["backup 20", "abandon 20", "abandon 23"];
        if self.who != Thief::Store && is_stopped.iter().any(|it| self.effects.contains(*it)) {
            self.unblock_all(machine)?;
            let pruned = prune(&self.give_up_all(machine));
            self.outcome("unblock", pruned)?;
            let saved = machine.backup(&self.base.next);
            self.outcome("unblock", saved)?;
        }
        Ok(())
    }

    /// As with `unblock` for everything that cannot be read.
    fn unblock_all(&mut self, machine: &World) -> Result<(), Broken> {
        let mut repo = self.open().map_err(|error| format!("nothing opens: {error}"))?;
        let (index, because) = (&machine.index, ("collector", "test"));
        let mut targets: Vec<Target> = Vec::new();
        for object in repo.store().list("").expect("memory lists") {
            targets.extend(Target::parse(&repo, &object.key));
        }
        for target in targets {
            let obstacle = look(&repo, index, target);
            let Some(obstacle) = self.outcome("unblock", obstacle)? else { continue };
            let passed = match obstacle {
                Obstacle::Nothing(_) | Obstacle::HeldSnapshot(_) | Obstacle::Client { .. } => {
                    continue;
                }
                Obstacle::Snapshot { is_remembered: true, .. } => continue,
                Obstacle::Hold(hold) => {
                    retain::hold::release(&repo, index, "collector", &[hold], "test")
                        .map(drop)
                        .map_err(|error| in_one_line(&error))
                }
                _ => pass(&mut repo, index, &obstacle, because, &Recording::default())
                    .map_err(|error| in_one_line(&error)),
            };
            passed.map_err(|error| format!("{target:?} has no way out: {error}"))?;
        }
        Ok(())
    }

    /// As with `--abandon` for everything that is there.
    fn give_up_all(&self, machine: &World) -> GcOptions {
        let sessions = session::registered(&machine.repo).expect("memory lists");
        let listed = generations::list(&machine.repo).expect("memory lists");
        let generations: Vec<GenerationId> = listed.generations.into_keys().collect();
        GcOptions {
            abandon_sessions: sessions.into_keys().collect(),
            abandon_generations: generations,
            ..prune_options()
        }
    }

    /// The last look, on a machine without an index: nothing is lost.
    pub(super) fn look_again(mut self) -> Result<Effects, Broken> {
        let repo = self.open().map_err(|error| format!("afterwards nothing opens: {error}"))?;
        let fresh = World::around_in(repo, place());
        for genuine in &self.base.genuine {
            let is_there = self.restore(&fresh, &genuine.snapshot, &genuine.source, "restore");
            match is_there {
                Ok(true) => {}
                Ok(false) if self.may_lose() => drop(self.effects.insert("lost".to_owned())),
                Ok(false) => {
                    return Err(format!(
                        "{} was lost: {:?}",
                        genuine.snapshot.session, self.effects
                    ));
                }
                Err(broken) => return Err(broken),
            }
        }
        let is_lost = self.effects.contains("lost");
        Ok(if is_lost { Effects::from(["lost".to_owned()]) } else { Effects::new() })
    }
}
