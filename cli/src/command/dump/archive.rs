//! What an archive in the making takes.

use std::io::{self, Write};

use engine::base::time::Timestamp;
use engine::format::entry::Entry;
use engine::format::extent::Extent;
use engine::restore::RestoreError;

/// Writes the content of a file; called once for each file.
pub type Content<'a> = dyn FnMut(&mut dyn Write) -> Result<(), RestoreError> + 'a;

/// One kind of archive.
pub trait Archive {
    /// Adds an entry that has no content of its own: a folder, a link, a special file. Whether this kind
    /// of archive can hold it.
    ///
    /// # Errors
    /// Those of the output.
    fn add(&mut self, name: &[u8], entry: &Entry) -> io::Result<bool>;

    /// Adds another name of a file that is in the archive.
    ///
    /// # Errors
    /// Those of the output.
    fn add_hard_link(&mut self, name: &[u8], entry: &Entry, first: &[u8]) -> io::Result<()>;

    /// Adds a file. `extents` are those of a file with holes, otherwise empty; content of a file with
    /// holes comes without them where [`Archive::keeps_holes`].
    ///
    /// # Errors
    /// Those of the output and of the repository.
    fn add_file(
        &mut self,
        name: &[u8],
        entry: &Entry,
        extents: &[Extent],
        content: &mut Content<'_>,
    ) -> Result<(), RestoreError>;

    /// Whether holes stay holes.
    fn keeps_holes(&self) -> bool {
        false
    }

    /// Whether a file can have several names.
    fn keeps_hard_links(&self) -> bool {
        false
    }

    /// Ends the archive.
    ///
    /// # Errors
    /// Those of the output.
    fn finish(self: Box<Self>) -> io::Result<()>;
}

/// Whole seconds before or at a time, for formats that have no others.
#[must_use]
pub fn whole_seconds(time: Timestamp) -> u64 {
    u64::try_from(time.seconds).unwrap_or(0)
}
