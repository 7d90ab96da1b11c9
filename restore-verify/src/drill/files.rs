//! Restores files from the store, compares all of them with the tree, and then lets probes look.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use engine::base::error::in_one_line;
use engine::base::path::TreePath;
use engine::blob::fetch::ChunkFetcher;
use engine::crypt::hash::ChunkIdKey;
use engine::disk::write::Target;
use engine::format::entry::{Entry, EntryKind};
use engine::format::snapshot::Snapshot;
use engine::restore::{self, RestoreOptions, RestoreReport};
use engine::tree::cursor::{find, subtree};

use crate::drill::findings::{About, Findings};
use crate::drill::look::Looker;
use crate::drill::memory::RESULTS_MAX_ROWS;
use crate::drill::options::{DrillError, DrillOptions, Place};
use crate::drill::prove::{Restored, prove};
use crate::drill::salt::Salts;
use crate::drill::scratch::Scratch;
use crate::drill::stretch::{Stretch, beginnings};
use crate::drill::survey::Picked;
use crate::evidence::merkle::RootBuilder;
use crate::evidence::table::ResultRow;
use crate::objective::estimate::{Load, Observation};
use crate::probe::meta;

/// Folder in scratch that files are restored to.
const FOLDER: &str = "files";

/// What was restored and compared so far.
#[derive(Default)]
pub struct Results {
    /// Rows, as long as they are few enough to be kept.
    pub rows: Vec<ResultRow>,
    /// Root over all of them.
    pub root: RootBuilder,
    /// Files that came back equal.
    pub equal_files: u64,
    /// Bytes of all files.
    pub bytes: u64,
    /// Bytes of blocks that were decoded.
    pub decoded_bytes: u64,
    /// Wall time of restoring alone.
    pub restore_ms: u64,
    /// Files whose bytes were verified and dropped.
    pub dropped_files: u64,
}

impl Results {
    fn take(&mut self, row: ResultRow, is_equal: bool) {
        self.root.push(&row.to_bytes());
        self.equal_files += u64::from(is_equal);
        self.bytes = self.bytes.saturating_add(row.size_bytes);
        if self.rows.len() <= RESULTS_MAX_ROWS {
            self.rows.push(row);
        }
    }

    fn restored(&mut self, report: &RestoreReport) {
        self.decoded_bytes += report.decoded_bytes;
        self.restore_ms += report.duration_ms;
    }
}

/// Restores of stretches.
#[derive(Debug, Default)]
pub struct Observed {
    /// What a restore takes that has hardly anything to do, in milliseconds.
    pub start_ms: f64,
    /// The restores that went well.
    pub all: Vec<Observation>,
}

/// Restores and compares.
pub struct Restorer<'a> {
    /// Repository, index, author.
    pub place: Place<'a>,
    /// What is asked for.
    pub options: &'a DrillOptions,
    /// Reads the tree.
    pub fetcher: &'a ChunkFetcher<'a>,
    /// Computes ids anew.
    pub key: &'a ChunkIdKey,
    /// The snapshot.
    pub snapshot: &'a Snapshot,
    /// Names files.
    pub salts: &'a Salts,
    /// Where files go; `None` if they are dropped.
    pub scratch: Option<&'a Scratch>,
    /// Most bytes of files that may still lie there at a time.
    pub room_bytes: u64,
}

impl Restorer<'_> {
    /// Restores single files, as many at a time as the quota allows.
    ///
    /// # Errors
    /// If scratch cannot be used.
    pub fn picked(
        &self,
        picked: &[Picked],
        mut looker: Option<&mut Looker<'_>>,
        results: &mut Results,
        findings: &mut Findings,
    ) -> Result<(), DrillError> {
        let Some(scratch) = self.scratch else {
            for one in picked {
                self.dropped(one, results, findings);
            }
            return Ok(());
        };
        let mut rest = picked;
        while let Some(first) = rest.first() {
            if self.place.monitor.is_cancelled() {
                findings.doubt("restore", About::Object("the drill"), "it was interrupted");
                return Ok(());
            }
            if first.entry.size_bytes > self.room_bytes {
                // Larger than scratch may be: its bytes are proved all the same.
                self.dropped(first, results, findings);
                rest = &rest[1..];
                continue;
            }
            let mut bytes = 0;
            let fits = |one: &&Picked| {
                bytes += one.entry.size_bytes;
                bytes <= self.room_bytes
            };
            let count = rest.iter().take_while(fits).count();
            let (batch, after) = rest.split_at(count);
            self.batch(batch, (scratch, looker.as_deref_mut()), results, findings)?;
            rest = after;
        }
        scratch.clear(FOLDER)
    }

    fn dropped(&self, one: &Picked, results: &mut Results, findings: &mut Findings) {
        let clock = self.place.repo.clock();
        let started = clock.monotonic();
        let (row, proved) = prove(self.fetcher, self.key, one, Some(Restored::Dropped));
        results.restore_ms += clock.monotonic().saturating_sub(started).as_millis() as u64;
        results.decoded_bytes += one.entry.size_bytes;
        results.dropped_files += 1;
        results.take(row, proved.is_ok());
        match proved {
            Ok(()) => findings.equal(&one.path),
            Err(why) => findings.fail("bytes", About::File(&one.path, one.hash), why),
        }
    }

    fn batch(
        &self,
        batch: &[Picked],
        (scratch, looker): (&Scratch, Option<&mut Looker<'_>>),
        results: &mut Results,
        findings: &mut Findings,
    ) -> Result<(), DrillError> {
        let folder = scratch.fresh(FOLDER)?;
        let Some(report) = self.restore_flat(batch, &folder, findings) else { return Ok(()) };
        results.restored(&report);
        let why: HashMap<&TreePath, &str> =
            report.problems.iter().map(|problem| (&problem.path, problem.why.as_str())).collect();
        let target = match Target::create(&folder) {
            Ok(target) => target,
            Err(error) => {
                findings.error("restore", About::Object("the scratch folder"), &error);
                return Ok(());
            }
        };
        for (number, one) in batch.iter().enumerate() {
            let name = flat_name(number);
            let cause = why.get(&name).copied();
            self.compare(&target, &name, one, cause, results, findings);
            self.metadata(&folder.join(flat_text(number)), one, findings);
        }
        let Some(looker) = looker else { return Ok(()) };
        let bytes: u64 = batch.iter().map(|one| one.entry.size_bytes).sum();
        looker.room_bytes = self.room_bytes.saturating_sub(bytes);
        for (number, one) in batch.iter().enumerate() {
            self.look(looker, &folder.join(flat_text(number)), one, findings);
        }
        Ok(())
    }

    fn restore_flat(
        &self,
        batch: &[Picked],
        folder: &Path,
        findings: &mut Findings,
    ) -> Option<RestoreReport> {
        let files = flat(batch.iter().map(|one| alone(&one.entry)));
        let Place { repo, index, monitor, .. } = self.place;
        let restored = restore::run_entries(repo, index, files, folder, &quiet_options(), monitor);
        match restored {
            Ok(report) => Some(report),
            Err(error) => {
                findings.error("restore", About::Object("the restore"), &error);
                None
            }
        }
    }

    /// Restores stretches of the tree only to see how long that takes. They stay in scratch, half
    /// of it at most, to the end of the drill: file systems are slow to make files where
    /// many were just removed, and then neither these times nor that of the drill would be those of
    /// a restore.
    ///
    /// # Errors
    /// If scratch cannot be used.
    pub fn observe(&mut self, stretches: Vec<Stretch>) -> Result<Observed, DrillError> {
        let mut observed = Observed::default();
        let Some(scratch) = self.scratch.filter(|_| !stretches.is_empty()) else {
            return Ok(observed);
        };
        let least = self.options.quota_bytes / 2;
        let folder = scratch.fresh("stretch")?;
        let start = self.timed(beginnings(&stretches), &folder);
        observed.start_ms = start.map_or(0.0, |(wall_ms, _)| wall_ms);
        for (number, stretch) in stretches.into_iter().enumerate() {
            let Stretch { group, entries, bytes, .. } = stretch;
            let Some(room) = self.room_bytes.checked_sub(bytes).filter(|room| *room >= least)
            else {
                continue;
            };
            self.room_bytes = room;
            let folder = scratch.fresh(&format!("stretch-{number}"))?;
            if let Some((wall_ms, load)) = self.timed(entries, &folder) {
                observed.all.push(Observation { group, load, wall_ms });
            }
        }
        Ok(observed)
    }

    /// Restores entries; how long that took, in milliseconds, and how much it was, if nothing was
    /// wrong.
    fn timed(&self, entries: Vec<(TreePath, Entry)>, folder: &Path) -> Option<(f64, Load)> {
        let Place { repo, index, monitor, .. } = self.place;
        let entry_count = entries.len() as u64;
        let started = repo.clock().monotonic();
        let report =
            restore::run_entries(repo, index, entries, folder, &quiet_options(), monitor).ok()?;
        let wall = repo.clock().monotonic().saturating_sub(started);
        let load = Load {
            entries: entry_count,
            written_bytes: report.written_bytes,
            decoded_bytes: report.decoded_bytes,
        };
        (report.problem_count == 0).then_some((wall.as_secs_f64() * 1000.0, load))
    }

    /// Restores what lies at and below `from` as a user would, and compares all of it.
    ///
    /// # Errors
    /// If scratch cannot be used.
    pub fn tree(
        &self,
        from: &TreePath,
        looker: Option<&mut Looker<'_>>,
        results: &mut Results,
        findings: &mut Findings,
    ) -> Result<(), DrillError> {
        let Some(scratch) = self.scratch else {
            return self.walk(from, findings, &mut |one, findings| {
                if one.entry.kind == EntryKind::File {
                    self.dropped(one, results, findings);
                }
            });
        };
        let Some(bytes) = self.fits(from, findings) else { return Ok(()) };
        let folder = scratch.fresh(FOLDER)?;
        let Place { repo, index, monitor, .. } = self.place;
        let options = quiet_options();
        let restored = restore::run(repo, index, self.snapshot, from, &folder, &options, monitor);
        let report = match restored {
            Ok(report) => report,
            Err(error) => {
                findings.error("restore", About::Object("the restore"), &error);
                return Ok(());
            }
        };
        results.restored(&report);
        let mut why: BTreeMap<TreePath, String> =
            report.problems.into_iter().map(|problem| (problem.path, problem.why)).collect();
        let target = match Target::create(&folder) {
            Ok(target) => target,
            Err(error) => {
                findings.error("restore", About::Object("the scratch folder"), &error);
                return Ok(());
            }
        };
        let base = self.base(from);
        self.walk(from, findings, &mut |one, findings| {
            let Some(name) = base.strip_prefix_of(&one.path) else { return };
            if one.entry.kind == EntryKind::File {
                let cause = why.remove(&name);
                self.compare(&target, &name, one, cause.as_deref(), results, findings);
            }
            self.metadata(&below(&folder, &name), one, findings);
        })?;
        for (path, why) in why {
            let hash = self.salts.hash(&path);
            findings.fail("restore", About::File(&path, hash), why);
        }
        if let Some(looker) = looker {
            looker.room_bytes = self.room_bytes.saturating_sub(bytes);
            self.look_below(from, (looker, &folder), findings)?;
        }
        scratch.clear(FOLDER)
    }

    /// Probes over what was restored to a folder, when all of it was compared.
    fn look_below(
        &self,
        from: &TreePath,
        (looker, folder): (&mut Looker<'_>, &Path),
        findings: &mut Findings,
    ) -> Result<(), DrillError> {
        let base = self.base(from);
        // What is wrong with the tree was said when it was compared.
        self.walk(from, &mut Findings::default(), &mut |one, _| {
            if let Some(name) = base.strip_prefix_of(&one.path) {
                self.look(looker, &below(folder, &name), one, findings);
            }
        })?;
        if !self.options.command.is_empty() && self.options.runs("command") {
            looker.command(folder, findings);
        }
        if self.place.monitor.is_cancelled() {
            findings.doubt("restore", About::Object("the drill"), "it was interrupted");
        }
        Ok(())
    }

    /// Bytes of what is asked for, if it fits into scratch; says so if not.
    fn fits(&self, from: &TreePath, findings: &mut Findings) -> Option<u64> {
        let entries = subtree(self.fetcher, self.snapshot.root, from).filter_map(Result::ok);
        let bytes = entries.fold(0_u64, |sum, (_, entry)| sum.saturating_add(entry.size_bytes));
        let quota = self.room_bytes;
        if bytes > quota {
            let why = format!(
                "it has {bytes} bytes, and {quota} may lie in scratch: allow more, or drop the bytes"
            );
            findings.doubt("restore", About::Object("the scratch folder"), why);
        }
        (bytes <= quota).then_some(bytes)
    }

    /// What paths of a restore are relative to: the folder itself, or that of a single file.
    fn base(&self, from: &TreePath) -> TreePath {
        match find(self.fetcher, self.snapshot.root, from) {
            Ok(Some(entry)) if entry.kind != EntryKind::Directory => {
                from.parent().unwrap_or_default()
            }
            _ => from.clone(),
        }
    }

    fn walk(
        &self,
        from: &TreePath,
        findings: &mut Findings,
        visit: &mut dyn FnMut(&Picked, &mut Findings),
    ) -> Result<(), DrillError> {
        let mut count = 0;
        for item in subtree(self.fetcher, self.snapshot.root, from) {
            match item {
                Ok((path, entry)) => {
                    count += 1;
                    if entry.is_unread() {
                        continue;
                    }
                    let hash = self.salts.hash(&path);
                    visit(&Picked { path, entry, hash }, findings);
                }
                Err(error) => {
                    findings.error("restore", About::Object("the tree of the snapshot"), &error);
                }
            }
            if self.place.monitor.is_cancelled() {
                findings.doubt("restore", About::Object("the drill"), "it was interrupted");
                return Ok(());
            }
        }
        if count == 0 {
            let hash = self.salts.hash(from);
            findings.fail("restore", About::File(from, hash), "the snapshot does not have it");
        }
        Ok(())
    }

    fn compare(
        &self,
        target: &Target,
        name: &TreePath,
        one: &Picked,
        cause: Option<&str>,
        results: &mut Results,
        findings: &mut Findings,
    ) {
        let opened = target.open_for_reading(name);
        let restored = opened.as_ref().ok().map(Restored::File);
        let (row, proved) = prove(self.fetcher, self.key, one, restored);
        results.take(row, proved.is_ok());
        if proved.is_ok() {
            findings.equal(&one.path);
        }
        if let Err(why) = proved {
            let open_error = opened.err().map(|error| in_one_line(&error));
            let why = cause.map(str::to_owned).or(open_error).unwrap_or(why);
            findings.fail("bytes", About::File(&one.path, one.hash), why);
        }
    }

    fn metadata(&self, path: &Path, one: &Picked, findings: &mut Findings) {
        if self.options.runs("meta") && !findings.is_unequal(&one.path) {
            let about = About::File(&one.path, one.hash);
            findings.probed("meta", about, meta::look(path, &one.entry));
        }
    }

    fn look(&self, looker: &mut Looker<'_>, path: &Path, one: &Picked, findings: &mut Findings) {
        if one.entry.kind == EntryKind::File && !findings.is_unequal(&one.path) {
            looker.file(
                path,
                one,
                &|ending, folder, name| self.fetch(one, ending, folder, name),
                findings,
            );
        }
    }

    /// Restores what belongs to a database that was restored by itself.
    fn fetch(&self, one: &Picked, ending: &[u8], folder: &Path, name: &str) {
        let beside = [one.path.name(), ending].concat();
        let full = one.path.parent().unwrap_or_default().join(&beside);
        let (Ok(full), Ok(local)) = (full, TreePath::root().join(name.as_bytes())) else { return };
        if let Ok(Some(entry)) = find(self.fetcher, self.snapshot.root, &full)
            && entry.kind == EntryKind::File
        {
            let files = vec![(local, alone(&entry))];
            let Place { repo, index, monitor, .. } = self.place;
            // Without it the database is judged by itself, which is the stricter way.
            drop(restore::run_entries(repo, index, files, folder, &quiet_options(), monitor));
        }
    }
}

fn quiet_options() -> RestoreOptions {
    RestoreOptions { no_flags: true, ..RestoreOptions::default() }
}

/// The entry without its other names: each file of a sample stands for itself.
fn alone(entry: &Entry) -> Entry {
    Entry { link_count: 0, ..entry.clone() }
}

/// Entries side by side, by their number.
fn flat(entries: impl Iterator<Item = Entry>) -> Vec<(TreePath, Entry)> {
    entries.enumerate().map(|(number, entry)| (flat_name(number), entry)).collect()
}

fn flat_text(number: usize) -> String {
    format!("{number:08}")
}

fn flat_name(number: usize) -> TreePath {
    // Digits are a name that every folder can hold.
    TreePath::from_slashes(flat_text(number).as_bytes()).unwrap_or_default()
}

fn below(folder: &Path, name: &TreePath) -> PathBuf {
    let mut path = folder.to_owned();
    name.components().for_each(|part| path.push(text(part)));
    path
}

fn text(bytes: &[u8]) -> &std::ffi::OsStr {
    std::os::unix::ffi::OsStrExt::from_bytes(bytes)
}
