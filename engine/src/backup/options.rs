//! What a backup is asked to do.

use std::ffi::OsString;
use std::io::Read;
use std::path::PathBuf;

use crate::base::id::SessionId;
use crate::base::monitor::Problem;
use crate::chunk::level::Level;
use crate::disk::exclude::ExcludeOptions;
use crate::format::snapshot::EvidenceHead;

/// What is backed up.
pub enum Source {
    /// Files and folders, as absolute paths. One that ends in `/` means what a link leads to.
    Paths(Vec<PathBuf>),
    /// A stream that becomes one file of this name at the top of the snapshot.
    Stream {
        /// Name of the file.
        name: Vec<u8>,
        /// The stream.
        input: Box<dyn Read + Send>,
    },
    /// The standard output of a command; if the command fails, so does the backup.
    Command {
        /// Name of the file.
        name: Vec<u8>,
        /// Program and arguments.
        argv: Vec<OsString>,
        /// The environment; secrets in it are left out.
        variables: Vec<(OsString, OsString)>,
    },
    /// Several streams that become files of one folder at the top of the snapshot; if one of them
    /// fails, so does the backup.
    Files {
        /// Name of the folder.
        name: Vec<u8>,
        /// The streams.
        files: Box<dyn StreamedFiles>,
    },
}

/// One of them.
pub struct StreamedFile<'a> {
    /// Its name.
    pub name: Vec<u8>,
    /// Its content.
    pub input: Box<dyn Read + 'a>,
}

/// Files that are made one after the other, as streams of unknown length.
pub trait StreamedFiles: Send {
    /// The next file; nothing after the last one. The stream before has been
    /// read to its end.
    ///
    /// # Errors
    /// Whatever means that there must be no snapshot.
    fn next_file(&mut self) -> std::io::Result<Option<StreamedFile<'_>>>;
}

/// Options that have defaults.
#[derive(Debug, Clone, Default)]
pub struct BackupOptions {
    /// Host name to record.
    pub host: String,
    /// Whether somebody has named the host. Otherwise it is what the machine calls itself, and a
    /// client that may name one other host names that.
    pub is_host_named: bool,
    /// Tags to record.
    pub tags: Vec<String>,
    /// Free words to record.
    pub description: Option<String>,
    /// What to leave out.
    pub excludes: ExcludeOptions,
    /// Record access times.
    pub with_atime: bool,
    /// Read every file, whatever the last run says.
    pub force: bool,
    /// Compare with this snapshot instead of the last one of the same host and paths.
    pub parent: Option<SessionId>,
    /// Store nothing; find out what would be stored.
    pub dry_run: bool,
    /// Commit no snapshot if nothing differs from the last one.
    pub skip_if_unchanged: bool,
    /// How hard to compress.
    pub level: Level,
    /// Size that packs should have, in bytes; 0 means the usual one.
    pub pack_bytes: usize,
    /// Worker threads; 0 means one per core.
    pub workers: usize,
    /// Count items and bytes beside the work, for a progress display with an end, if no earlier run
    /// tells how many there will be.
    pub scan: bool,
    /// Heads of chains of evidence that this machine knows of; those that other snapshots name are
    /// added.
    pub evidence: Vec<EvidenceHead>,
    /// Make a snapshot although nothing was selected, or the stream is empty.
    pub allow_empty: bool,
    /// Paths that were asked for as well and are not there: the snapshot says so.
    pub missing: Vec<PathBuf>,
    /// Paths that were asked for as well and that this user may not look at: the snapshot is partial.
    pub closed: Vec<Problem>,
    /// Directories that are never entered, by device and inode: repository and state folder.
    pub skip: Vec<(u64, u64)>,
}
