//! What this machine remembers: which files were drilled, when packs had their turn, what results
//! were. Losing it makes drills repeat themselves; no evidence is lost.

use std::collections::{BTreeMap, HashSet};
use std::fs::{DirBuilder, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use engine::base::id::PackId;
use engine::base::path::TreePath;
use engine::crypt::hash::{derive, mac};
use engine::crypt::secret::SecretKey;
use engine::repo::Repo;
use engine::store::name::ObjectName;

use crate::drill::options::DrillError;
use crate::evidence::record::{Hash32, Reference};
use crate::evidence::table::{ResultRow, read_results, results_text};

/// Stands for one file of one system.
pub type FileId = [u8; 16];

/// Results of more files are not kept here; their root is in the record.
pub const RESULTS_MAX_ROWS: usize = 100_000;
/// Files whose drills are remembered: 28 bytes each in memory and on disk.
const DRAWN_MAX: u64 = 16_000_000;
const DRAWN_BYTES: usize = 8 + 4 + 16;

/// The folder of what is remembered.
#[derive(Debug, Clone)]
pub struct Memory {
    folder: PathBuf,
}

impl Memory {
    /// In the state folder of a repository.
    ///
    /// # Errors
    /// If its folder cannot be made.
    pub fn open(state: &Path) -> Result<Self, DrillError> {
        let folder = state.join("proof");
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder.join("results"))
            .map_err(DrillError::file("creating", &folder))?;
        Ok(Self { folder })
    }

    /// Files that were drilled in `generation` before record `before` of this machine's chain.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn drawn(&self, generation: u64, before: u32) -> Result<HashSet<FileId>, DrillError> {
        let path = self.folder.join("drawn");
        let mut bytes = Vec::new();
        match std::fs::File::open(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(HashSet::new()),
            Err(error) => return Err(DrillError::file("reading", &path)(error)),
            Ok(file) => file
                .take(DRAWN_MAX * DRAWN_BYTES as u64)
                .read_to_end(&mut bytes)
                .map_err(DrillError::file("reading", &path))?,
        };
        let mut drawn = HashSet::new();
        for row in bytes.chunks_exact(DRAWN_BYTES) {
            let (numbers, id) = row.split_at(12);
            let (Ok(wave), Ok(number), Ok(id)) = (
                numbers[..8].try_into().map(u64::from_le_bytes),
                numbers[8..].try_into().map(u32::from_le_bytes),
                id.try_into(),
            ) else {
                continue;
            };
            if wave == generation && number < before {
                drawn.insert(id);
            }
        }
        Ok(drawn)
    }

    /// Remembers files that were drilled.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn add_drawn(
        &self,
        generation: u64,
        number: u32,
        files: &[FileId],
    ) -> Result<(), DrillError> {
        let rows: Vec<u8> = files
            .iter()
            .flat_map(|id| {
                [&generation.to_le_bytes()[..], &number.to_le_bytes(), id.as_slice()].concat()
            })
            .collect();
        let path = self.folder.join("drawn");
        let append = || {
            let mut file = OpenOptions::new().append(true).create(true).mode(0o600).open(&path)?;
            file.write_all(&rows)
        };
        append().map_err(DrillError::file("writing", &path))
    }

    /// When packs had their last turn, by key.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn pack_turns(&self) -> Result<BTreeMap<String, i64>, DrillError> {
        let path = self.folder.join("packs");
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => String::new(),
            Err(error) => return Err(DrillError::file("reading", &path)(error)),
        };
        let turn = |line: &str| {
            let (at, key) = line.split_once(' ')?;
            Some((key.to_owned(), at.parse().ok()?))
        };
        // A line that a crash cut short is a pack without a turn: it comes again.
        Ok(text.lines().filter_map(turn).collect())
    }

    /// Replaces the turns of packs.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn set_pack_turns(&self, turns: &BTreeMap<String, i64>) -> Result<(), DrillError> {
        let text: String = turns.iter().map(|(key, at)| format!("{at} {key}\n")).collect();
        self.replace("packs", text.as_bytes())
    }

    /// Remembers that all bytes of packs were authenticated, and that others are not what they were.
    ///
    /// # Errors
    /// If the file cannot be read or written.
    pub fn add_pack_turns<'k>(
        &self,
        packs: &[PackId],
        damaged: impl IntoIterator<Item = &'k String>,
        at_ms: i64,
    ) -> Result<(), DrillError> {
        let mut turns = self.pack_turns()?;
        for key in damaged {
            turns.remove(key);
        }
        turns.extend(packs.iter().map(|pack| (ObjectName::Pack(*pack).key(), at_ms)));
        self.set_pack_turns(&turns)
    }

    /// Keeps the results of a drill, so that single files can be shown later.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn keep_results(&self, drill: Reference, rows: &[ResultRow]) -> Result<(), DrillError> {
        match rows.len() > RESULTS_MAX_ROWS {
            true => Ok(()),
            false => self.replace(&results_name(drill), results_text(rows).as_bytes()),
        }
    }

    /// The results of a drill, if they are kept.
    #[must_use]
    pub fn results(&self, drill: Reference) -> Option<Vec<ResultRow>> {
        read_results(&std::fs::read(self.folder.join(results_name(drill))).ok()?)
    }

    fn replace(&self, name: &str, bytes: &[u8]) -> Result<(), DrillError> {
        let path = self.folder.join(name);
        let write = || -> std::io::Result<()> {
            let mut file = tempfile::NamedTempFile::new_in(&self.folder)?;
            file.write_all(bytes)?;
            file.as_file().sync_all()?;
            file.persist(&path)?;
            Ok(())
        };
        write().map_err(DrillError::file("writing", &path))
    }
}

fn results_name(drill: Reference) -> String {
    format!("results/{}-{:08x}.csv", drill.writer, drill.number)
}

/// Makes the ids of files.
pub struct FileIds {
    key: SecretKey,
}

impl FileIds {
    /// For one system.
    #[must_use]
    pub fn new(repo: &Repo, system: &str) -> Self {
        let control = repo.keys().first_control().expose();
        Self { key: derive("mainstay v2 memory of drills", &[control, system.as_bytes()]) }
    }

    /// The id of a file.
    #[must_use]
    pub fn of(&self, path: &TreePath) -> FileId {
        let mut id = [0; 16];
        id.copy_from_slice(&mac(&self.key, path.key())[..16]);
        id
    }

    /// Stands for what was backed up, in the evidence: only holders of keys can say of which path.
    #[must_use]
    pub fn root(&self, kind: &str, name: &[u8]) -> Hash32 {
        Hash32(mac(&self.key, &[b"root\0".as_slice(), kind.as_bytes(), &[0], name].concat()))
    }
}
