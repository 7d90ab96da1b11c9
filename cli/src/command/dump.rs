//! `dump`: a part of a snapshot as a stream.

use std::collections::HashMap;
use std::fs::OpenOptions;
use std::io::{BufWriter, Write};
use std::path::Path;

use engine::base::limits::{MIB, NODE_CACHE_BYTES};
use engine::base::path::TreePath;
use engine::blob::fetch::ChunkFetcher;
use engine::format::entry::{Entry, EntryKind};
use engine::restore::RestoreError;
use engine::restore::read::{Holes, extents_with_holes, write_content};
use engine::tree::cursor::{find, subtree};

use crate::args::dump::{ArchiveFormat, DumpArgs};
use crate::command::asked::in_tree;
use crate::command::clock;
use crate::command::context::Context;
use crate::command::dump::archive::Archive;
use crate::command::dump::pax::Pax;
use crate::command::dump::zipped::Zipped;
use crate::command::open::{open, progress};
use crate::command::select::Choice;
use crate::command::trouble;
use crate::fault::{ExitCode, Fault};
use crate::units;

/// What an archive takes.
pub mod archive;
/// tar.
pub mod pax;
/// zip.
pub mod zipped;

const BUFFER_BYTES: usize = MIB;
/// Fast enough for a line, small enough for a disk.
const ZSTD_LEVEL: i32 = 3;

/// Writes an archive of a folder, or the bytes of a file.
///
/// # Errors
/// Exit code 1 if something is left out, 2 for a path that the snapshot does not have, 20 for damage; what was written before is
/// right, and the archive has no end then.
pub fn run(args: &DumpArgs, context: &Context<'_>) -> Result<ExitCode, Fault> {
    let opened = open(context)?;
    opened.require_content()?;
    let catalog = opened.look(&progress(context))?;
    if args.source.snapshot.is_latest() {
        clock::require(&args.filter, &opened, &catalog, context)?;
    }
    let choice = Choice::new(&catalog, &args.filter, context);
    let snapshot = &choice.one(&args.source.snapshot)?.snapshot;
    let asked = match (&args.source.path, &args.path) {
        (Some(_), Some(_)) => {
            return Err(Fault::usage("the path is given both behind the colon and apart from it")
                .hint("write SNAP:PATH, or SNAP PATH"));
        }
        (path, None) | (None, path) => path.clone().unwrap_or_default(),
    };
    let top = in_tree(&opened, snapshot, &asked)?;
    let nodes = ChunkFetcher::new(&opened.repo, &opened.index, NODE_CACHE_BYTES)?;
    let entry = if top.is_root() { None } else { find(&nodes, snapshot.root, &top)? };
    if entry.is_none() && !top.is_root() {
        return Err(trouble::restore(&RestoreError::NoSuchPath { path: top.to_string() }));
    }
    let is_folder = entry.as_ref().is_none_or(|entry| entry.kind == EntryKind::Directory);
    let format = args.archive.or_else(|| is_folder.then_some(ArchiveFormat::Tar));
    let output = Output::open(args.output.as_deref(), format.is_some(), context)?;
    let written = match (format, &entry) {
        (None, Some(entry)) => raw(&nodes, &top, entry, output.writer(context)?),
        (None, None) => Ok(Left::default()),
        (Some(format), _) => {
            let archive = begin(format, output.writer(context)?, context)?;
            Dumping { nodes: &nodes, root: snapshot.root, top: &top, archive, context }.run()
        }
    };
    match written {
        Ok(left) => {
            output.keep()?;
            left.judge()
        }
        // Whoever read has seen enough; another failure is noticed at the end of the process.
        Err(RestoreError::Output { .. }) if output.path.is_none() => Ok(ExitCode::Ok),
        Err(error) => {
            let fault = trouble::restore(&error);
            output.discard();
            Err(fault)
        }
    }
}

fn raw(
    nodes: &ChunkFetcher<'_>,
    path: &TreePath,
    entry: &Entry,
    mut output: Box<dyn Write>,
) -> Result<Left, RestoreError> {
    if entry.kind != EntryKind::File {
        return Err(RestoreError::NotAFile { path: path.to_string() });
    }
    write_content(nodes, path, entry, Holes::AsZeros, &mut output)?;
    output.flush().map_err(|source| RestoreError::Output { source })?;
    Ok(Left::default())
}

fn begin(
    format: ArchiveFormat,
    output: Box<dyn Write>,
    context: &Context<'_>,
) -> Result<Box<dyn Archive>, Fault> {
    Ok(match format {
        ArchiveFormat::Tar => Box::new(Pax::new(output)),
        ArchiveFormat::TarZst => {
            let failed = |error| Fault::local("nothing can be compressed").because(&error);
            let mut encoder = zstd::Encoder::new(output, ZSTD_LEVEL).map_err(failed)?;
            encoder.include_checksum(true).map_err(failed)?;
            Box::new(Pax::new(encoder))
        }
        ArchiveFormat::Zip => Box::new(Zipped::new(output, (**context.around.time_zone).clone())),
    })
}

/// Where the stream goes.
struct Output<'a> {
    path: Option<&'a Path>,
    part: Option<tempfile::TempPath>,
}

impl<'a> Output<'a> {
    fn open(
        path: Option<&'a Path>,
        is_archive: bool,
        context: &Context<'_>,
    ) -> Result<Self, Fault> {
        let Some(path) = path else {
            if is_archive && context.ui.stdout().is_terminal() {
                return Err(Fault::usage("an archive is not for a terminal")
                    .hint("write it to a file with -o FILE, or into a pipe"));
            }
            return Ok(Self { path: None, part: None });
        };
        if path.symlink_metadata().is_ok() {
            return Err(Fault::refused(format!("{} is there already", path.display()))
                .hint("name a file that is not there yet, or remove that one first"));
        }
        let folder = path.parent().filter(|it| !it.as_os_str().is_empty());
        let part = tempfile::Builder::new()
            .prefix(".mainstay-dump-")
            .tempfile_in(folder.unwrap_or(Path::new(".")));
        let part = part.map_err(|error| unwritable(path, &error))?;
        Ok(Self { path: Some(path), part: Some(part.into_temp_path()) })
    }

    fn writer(&self, context: &Context<'_>) -> Result<Box<dyn Write>, Fault> {
        match (&self.path, &self.part) {
            (Some(path), Some(part)) => {
                let file = OpenOptions::new().write(true).open(part);
                let file = file.map_err(|error| unwritable(path, &error))?;
                Ok(Box::new(BufWriter::with_capacity(BUFFER_BYTES, file)))
            }
            _ => Ok(Box::new(context.ui.stdout())),
        }
    }

    /// Gives the file its name, unless something came there meanwhile.
    fn keep(self) -> Result<(), Fault> {
        let (Some(path), Some(part)) = (self.path, self.part) else { return Ok(()) };
        part.persist_noclobber(path).map_err(|error| unwritable(path, &error.error))
    }

    /// What was not finished is no archive.
    fn discard(self) {
        drop(self.part);
    }
}

fn unwritable(path: &Path, error: &std::io::Error) -> Fault {
    Fault::local(format!("{} cannot be written", path.display())).because(error)
}

/// How many items the archive does not have; sockets do not count, which mean nothing without the
/// process that made them.
#[derive(Default)]
struct Left {
    count: u64,
}

impl Left {
    /// Leaves out what is at `path`, and says so.
    fn out(&mut self, path: &TreePath, kind: EntryKind, context: &Context<'_>) {
        let why = match kind {
            EntryKind::Socket => return context.ui.note(&format!("{path}: a socket is left out")),
            EntryKind::File => "it could not be read when the snapshot was made",
            _ => "an archive of this kind has no pipes and devices",
        };
        self.count += 1;
        context.ui.problem("leaving out", &path.to_slashes(), why);
    }

    fn judge(&self) -> Result<ExitCode, Fault> {
        match self.count {
            0 => Ok(ExitCode::Ok),
            count => {
                let items = units::counted(count, "item");
                Err(Fault::local(format!("{items} could not be put into the archive"))
                    .hint("the lines above name them; everything else is in it"))
            }
        }
    }
}

struct Dumping<'a> {
    nodes: &'a ChunkFetcher<'a>,
    root: engine::base::id::ChunkId,
    top: &'a TreePath,
    archive: Box<dyn Archive>,
    context: &'a Context<'a>,
}

impl Dumping<'_> {
    fn run(mut self) -> Result<Left, RestoreError> {
        let mut left = Left::default();
        // The first name of each file that has several.
        let mut names: HashMap<(u64, u64), Vec<u8>> = HashMap::new();
        for item in subtree(self.nodes, self.root, self.top) {
            let (path, entry) = item?;
            if self.context.around.cancel.is_asked() {
                return Err(RestoreError::Interrupted);
            }
            let Some(name) = self.name(&path, &entry) else { continue };
            if entry.kind == EntryKind::File {
                let id = (entry.device, entry.inode);
                let has_names = entry.link_count > 1 && self.archive.keeps_hard_links();
                if let Some(first) = names.get(&id).filter(|_| has_names) {
                    let added = self.archive.add_hard_link(&name, &entry, first);
                    added.map_err(|source| RestoreError::Output { source })?;
                    continue;
                }
                if entry.content.is_none() {
                    left.out(&path, entry.kind, self.context);
                    continue;
                }
                self.add_file(&name, &path, &entry)?;
                if has_names {
                    names.insert(id, name);
                }
                continue;
            }
            let added = self.archive.add(&name, &entry);
            if !added.map_err(|source| RestoreError::Output { source })? {
                left.out(&path, entry.kind, self.context);
            }
        }
        self.archive.finish().map_err(|source| RestoreError::Output { source })?;
        Ok(left)
    }

    fn add_file(
        &mut self,
        name: &[u8],
        path: &TreePath,
        entry: &Entry,
    ) -> Result<(), RestoreError> {
        let nodes = self.nodes;
        let extents = match self.archive.keeps_holes() {
            true => extents_with_holes(nodes, entry)?,
            false => Vec::new(),
        };
        let holes = if extents.is_empty() { Holes::AsZeros } else { Holes::LeftOut };
        let mut content = |output: &mut dyn Write| write_content(nodes, path, entry, holes, output);
        self.archive.add_file(name, entry, &extents, &mut content)
    }

    /// The name in the archive: of what lies in the folder that was asked for, below it; of a file that
    /// was asked for, its own. The folder itself has none.
    fn name(&self, path: &TreePath, entry: &Entry) -> Option<Vec<u8>> {
        if path == self.top {
            return (entry.kind != EntryKind::Directory).then(|| path.name().to_vec());
        }
        let below = self.top.strip_prefix_of(path)?.to_slashes();
        Some(below.strip_prefix(b"/").map_or_else(|| below.clone(), <[u8]>::to_vec))
    }
}
