//! Probes over what was restored: after everything was compared, and never on what others look at.
//!
//! A database is opened as its application would open it, and that replays and removes its journal.
//! So it is copied, together with the journal beside it, to the one folder that a probe may change.

use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use engine::base::monitor::Monitor;
use engine::base::time::Clock;
use engine::disk::fleeting::remove;
use rustix::fs::{OFlags, ioctl_ficlone};

use crate::drill::findings::{About, Findings};
use crate::drill::options::{DrillError, DrillOptions};
use crate::drill::scratch::Scratch;
use crate::drill::survey::Picked;
use crate::evidence::confinement::Confinement;
use crate::probe::sqlite;
use crate::probe::verdict::Verdict;
use crate::sandbox::command::{CommandLimits, Test};
use crate::sandbox::prober::{Look, Prober};

/// Folder in scratch that probes may change.
const COPIES: &str = "copies";
/// What a database is called there.
const DATABASE: &str = "database";

/// Brings what belongs to a database and does not lie beside it: by its ending, to a folder, under a
/// name.
pub type Fetch<'a> = dyn Fn(&[u8], &Path, &str) + 'a;

/// Looks at files of one drill.
pub struct Looker<'a> {
    options: &'a DrillOptions,
    scratch: &'a Scratch,
    clock: &'a dyn Clock,
    monitor: &'a dyn Monitor,
    prober: Prober<'a>,
    copies: PathBuf,
    /// Bytes that copies may take up.
    pub room_bytes: u64,
    unlooked: u64,
    why: String,
}

impl<'a> Looker<'a> {
    /// For files in `scratch`.
    ///
    /// # Errors
    /// If scratch cannot be used.
    pub fn new(
        options: &'a DrillOptions,
        scratch: &'a Scratch,
        clock: &'a dyn Clock,
        monitor: &'a dyn Monitor,
    ) -> Result<Self, DrillError> {
        let copies = scratch.folder(COPIES)?;
        let prober = Prober::new(&options.budget, scratch.path(), &copies, clock, monitor);
        Ok(Self {
            options,
            scratch,
            clock,
            monitor,
            prober,
            copies,
            room_bytes: 0,
            unlooked: 0,
            why: String::new(),
        })
    }

    /// Looks at one restored file.
    pub fn file(&mut self, path: &Path, one: &Picked, fetch: &Fetch<'_>, findings: &mut Findings) {
        let placed = match self.place(path, fetch) {
            Ok(placed) => placed,
            Err(error) => {
                return self.not(format!("a database cannot be copied to be looked at: {error}"));
            }
        };
        let (skip, limits) = (&self.options.skip_probes, &self.options.limits);
        match self.prober.look(placed.as_deref().unwrap_or(path), one.path.name(), skip, limits) {
            Look::Nothing => {}
            Look::Probed(name, verdict) => {
                let about = About::File(&one.path, one.hash);
                findings.probed(name, about, self.without_place(verdict));
            }
            Look::Not(why) => self.not(why),
        }
        if placed.is_some() {
            self.empty_copies();
        }
    }

    /// Runs the user's own test over `folder`.
    pub fn command(&mut self, folder: &Path, findings: &mut Findings) {
        let limits = self.options.command_limits;
        let began = self.clock.monotonic();
        let test = Test {
            argv: &self.options.command,
            folder,
            temporary: &self.copies,
            limits: CommandLimits { time_ms: limits.time_ms.min(self.prober.left_ms()), ..limits },
            budget: &self.options.budget,
            clock: self.clock,
            monitor: self.monitor,
        };
        let (verdict, confinement) = test.run();
        if let Some(confinement) = confinement {
            self.prober.also(confinement);
        }
        self.prober.spend(self.clock.monotonic().saturating_sub(began).as_millis() as u64);
        findings.probed("command", About::Object("what was restored"), verdict);
        self.empty_copies();
    }

    /// Says what was not looked at; answers how probes were confined, if any ran.
    pub fn finish(self, findings: &mut Findings) -> Option<Confinement> {
        if self.unlooked > 0 {
            let files = match self.unlooked {
                1 => "1 file was".to_owned(),
                more => format!("{more} files were"),
            };
            let why = format!("{files} not looked at: {}", self.why);
            findings.doubt("probes", About::Object("the probes"), why);
        }
        self.prober.confinement().cloned()
    }

    fn not(&mut self, why: String) {
        self.unlooked += 1;
        if self.why.is_empty() {
            self.why = why;
        }
    }

    /// Paths of this machine are nobody's business.
    fn without_place(&self, verdict: Verdict) -> Verdict {
        let folder = self.scratch.path().to_string_lossy().into_owned();
        match verdict {
            Verdict::Passed => Verdict::Passed,
            Verdict::Failed(why) => Verdict::Failed(why.replace(&folder, "scratch")),
            Verdict::NotProved(why) => Verdict::NotProved(why.replace(&folder, "scratch")),
        }
    }

    fn empty_copies(&mut self) {
        // The folder itself stays: it is what the child may write to, not whatever bears its name.
        let entries = std::fs::read_dir(&self.copies).into_iter().flatten().flatten();
        for path in entries.map(|entry| entry.path()) {
            let is_folder = std::fs::symlink_metadata(&path).is_ok_and(|found| found.is_dir());
            let removed = if is_folder { remove(&path) } else { std::fs::remove_file(&path) };
            if let Err(error) = removed {
                self.not(format!("what a probe left cannot be removed: {error}"));
            }
        }
    }

    /// A copy of a database that has a journal; nothing for all other files, which a probe only reads.
    fn place(&mut self, path: &Path, fetch: &Fetch<'_>) -> io::Result<Option<PathBuf>> {
        if !self.options.runs("sqlite") || !is_database(path) {
            return Ok(None);
        }
        let mut has_journal = false;
        for ending in sqlite::COMPANIONS {
            let name = format!("{DATABASE}{ending}");
            let mut beside = path.as_os_str().to_owned();
            beside.push(ending);
            let copy = self.copies.join(&name);
            if std::fs::symlink_metadata(&beside).is_ok_and(|found| found.is_file()) {
                self.copy(Path::new(&beside), &copy)?;
            } else {
                fetch(ending.as_bytes(), &self.copies, &name);
            }
            has_journal |= copy.metadata().is_ok_and(|found| found.len() > 0);
        }
        if !has_journal {
            self.empty_copies();
            return Ok(None);
        }
        let copy = self.copies.join(DATABASE);
        self.copy(path, &copy)?;
        Ok(Some(copy))
    }

    /// Shares the blocks where the file system can, and copies where there is room. Else the file
    /// itself has to do, if nobody wants to see it afterwards.
    fn copy(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut source = File::open(from)?;
        let bytes = source.metadata()?.len();
        let mut target = OpenOptions::new().write(true).create_new(true).mode(0o600).open(to)?;
        if ioctl_ficlone(&target, &source).is_ok() {
            return Ok(());
        }
        if bytes <= self.room_bytes {
            io::copy(&mut source, &mut target)?;
            return Ok(());
        }
        if self.options.command.is_empty() {
            return std::fs::rename(from, to);
        }
        Err(io::Error::other("scratch has no room for a copy: allow more with --quota"))
    }
}

/// By its first bytes; a file that cannot be read was found by the comparison.
fn is_database(path: &Path) -> bool {
    let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits() as i32;
    let Ok(mut file) = OpenOptions::new().read(true).custom_flags(flags).open(path) else {
        return false;
    };
    let mut head = [0; sqlite::MAGIC.len()];
    file.read_exact(&mut head).is_ok() && head == *sqlite::MAGIC
}
