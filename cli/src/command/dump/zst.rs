//! tar in zstd.

use std::io::{self, Write};

use engine::format::entry::Entry;
use engine::format::extent::Extent;
use engine::restore::RestoreError;

use crate::command::dump::archive::{Archive, Content};
use crate::command::dump::pax::Pax;

/// How hard to try: fast enough for a line, small enough for a disk.
const LEVEL: i32 = 3;

/// An archive in the making.
pub struct Compressed<W: Write> {
    inner: Pax<zstd::Encoder<'static, W>>,
}

impl<W: Write> Compressed<W> {
    /// An empty archive that goes to `output`.
    ///
    /// # Errors
    /// Those of the library.
    pub fn new(output: W) -> io::Result<Self> {
        let mut encoder = zstd::Encoder::new(output, LEVEL)?;
        encoder.include_checksum(true)?;
        Ok(Self { inner: Pax::new(encoder) })
    }
}

impl<W: Write> Archive for Compressed<W> {
    fn add(&mut self, name: &[u8], entry: &Entry) -> io::Result<bool> {
        self.inner.add(name, entry)
    }

    fn add_hard_link(&mut self, name: &[u8], entry: &Entry, first: &[u8]) -> io::Result<()> {
        self.inner.add_hard_link(name, entry, first)
    }

    fn add_file(
        &mut self,
        name: &[u8],
        entry: &Entry,
        extents: &[Extent],
        content: &mut Content<'_>,
    ) -> Result<(), RestoreError> {
        self.inner.add_file(name, entry, extents, content)
    }

    fn keeps_holes(&self) -> bool {
        true
    }

    fn keeps_hard_links(&self) -> bool {
        true
    }

    fn finish(self: Box<Self>) -> io::Result<()> {
        self.inner.into_output()?.finish()?.flush()
    }
}
