//! zip, written as a stream.

use std::io::{self, Write};
use std::mem::ManuallyDrop;

use engine::base::path::escape;
use engine::base::time::Timestamp;
use engine::format::entry::{Entry, EntryKind};
use engine::format::extent::Extent;
use engine::restore::RestoreError;
use jiff::tz::TimeZone;
use zip::write::{SimpleFileOptions, StreamWriter};
use zip::{DateTime, ZipWriter};

use crate::command::dump::archive::{Archive, Content};

/// From this size on the format needs larger fields.
const LARGE_BYTES: u64 = u32::MAX as u64;

/// An archive in the making.
pub struct Zipped<W: Write> {
    /// Dropped, it would write the end of an archive that is not finished.
    writer: ManuallyDrop<ZipWriter<StreamWriter<W>>>,
    /// Of the times in it, which have none of their own.
    zone: TimeZone,
}

impl<W: Write> Zipped<W> {
    /// An empty archive that goes to `output`, with times of `zone`.
    pub fn new(output: W, zone: TimeZone) -> Self {
        Self { writer: ManuallyDrop::new(ZipWriter::new_stream(output)), zone }
    }

    fn options(&self, entry: &Entry) -> SimpleFileOptions {
        let options = SimpleFileOptions::default()
            .unix_permissions(entry.mode & 0o7777)
            .large_file(entry.size_bytes >= LARGE_BYTES);
        match date(entry.mtime, &self.zone) {
            Some(date) => options.last_modified_time(date),
            None => options,
        }
    }
}

/// The format has no times before 1980 and after 2107.
fn date(time: Timestamp, zone: &TimeZone) -> Option<DateTime> {
    let civil = jiff::Timestamp::from_second(time.seconds).ok()?.to_zoned(zone.clone()).datetime();
    let part = |number: i8| u8::try_from(number).ok();
    DateTime::from_date_and_time(
        u16::try_from(civil.year()).ok()?,
        part(civil.month())?,
        part(civil.day())?,
        part(civil.hour())?,
        part(civil.minute())?,
        part(civil.second())?,
    )
    .ok()
}

/// Names are text in this format.
fn text(name: &[u8]) -> String {
    std::str::from_utf8(name).map_or_else(|_| escape(name), str::to_owned)
}

impl<W: Write> Archive for Zipped<W> {
    fn add(&mut self, name: &[u8], entry: &Entry) -> io::Result<bool> {
        let options = self.options(entry);
        match (entry.kind, &entry.target) {
            (EntryKind::Directory, _) => self.writer.add_directory(text(name), options)?,
            (EntryKind::Symlink, Some(target)) => {
                self.writer.add_symlink(text(name), text(target), options)?;
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn add_hard_link(&mut self, _: &[u8], _: &Entry, _: &[u8]) -> io::Result<()> {
        Err(io::Error::other("a zip archive has no hard links"))
    }

    fn add_file(
        &mut self,
        name: &[u8],
        entry: &Entry,
        _: &[Extent],
        content: &mut Content<'_>,
    ) -> Result<(), RestoreError> {
        let options = self.options(entry);
        let begun = self.writer.start_file(text(name), options);
        begun.map_err(|error| RestoreError::Output { source: error.into() })?;
        content(&mut *self.writer)
    }

    fn finish(self: Box<Self>) -> io::Result<()> {
        ManuallyDrop::into_inner(self.writer).finish()?.into_inner().flush()
    }
}
