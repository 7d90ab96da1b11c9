//! The dumps in a snapshot, found by what the snapshot says of itself.

use std::io::Write;

use engine::base::limits::NODE_CACHE_BYTES;
use engine::base::path::TreePath;
use engine::blob::fetch::ChunkFetcher;
use engine::format::snapshot::Snapshot;
use engine::restore::RestoreError;
use engine::restore::read::{Holes, write_content};
use engine::tree::cursor::find;

use crate::args::filter::FilterArgs;
use crate::args::values::{Selector, TagSet};
use crate::command::clock;
use crate::command::context::Context;
use crate::command::open::{Opened, progress};
use crate::command::select::{Choice, short_id};
use crate::command::trouble;
use crate::database::manifest::{self, Database, Manifest};
use crate::database::preset::Preset;
use crate::fault::Fault;

/// What `database dump` has put into a snapshot.
pub struct Stored {
    /// The snapshot.
    pub snapshot: Snapshot,
    /// What the dumps are of.
    pub manifest: Manifest,
    /// The preset.
    pub preset: Preset,
    folder: TreePath,
}

impl Stored {
    /// The dumps of a source in a snapshot.
    ///
    /// # Errors
    /// Those of selecting a snapshot; a fault if it has no dumps of this source.
    pub fn find(
        opened: &Opened,
        selector: &Selector,
        (source, filter): (&str, &FilterArgs),
        context: &Context<'_>,
    ) -> Result<Self, Fault> {
        let mut filter = filter.clone();
        let tag = format!("source={source}");
        match filter.tag.as_mut_slice() {
            [] => filter.tag.push(TagSet(vec![tag])),
            sets => sets.iter_mut().for_each(|set| set.0.push(tag.clone())),
        }
        let catalog = opened.look(&progress(context))?;
        if selector.is_latest() {
            clock::require(&filter, opened, &catalog, context)?;
        }
        let choice = Choice::new(&catalog, &filter, context);
        let snapshot = choice.one(selector)?.snapshot.clone();
        let failed = |why: String| {
            let id = short_id(snapshot.session);
            Fault::usage(format!("the snapshot {id} has no dump of {source:?}: {why}"))
                .hint("`mainstay database dump` makes one; `mainstay ls` shows what this one has")
        };
        let folder = TreePath::root().join(source.as_bytes());
        let folder = folder.map_err(|error| failed(error.to_string()))?;
        let mut bytes = Vec::new();
        let path = folder.join(manifest::FILE.as_bytes());
        let path = path.map_err(|error| failed(error.to_string()))?;
        match copy(opened, &snapshot, &path, manifest::MAX_BYTES, &mut bytes) {
            Err(RestoreError::NoSuchPath { path }) => {
                return Err(failed(format!("there is no {path}")));
            }
            Err(error) => return Err(trouble::restore(&error)),
            Ok(()) => {}
        }
        let manifest = Manifest::parse(&bytes).map_err(failed)?;
        let preset = Preset::of(&manifest.preset)
            .ok_or_else(|| failed(format!("{:?} is no preset", manifest.preset)))?;
        Ok(Self { snapshot, manifest, preset, folder })
    }

    /// The databases that are meant.
    ///
    /// # Errors
    /// A fault of usage if there is none of that name.
    pub fn databases(&self, wanted: Option<&String>) -> Result<Vec<&Database>, Fault> {
        let all = &self.manifest.databases;
        let Some(wanted) = wanted else { return Ok(all.iter().collect()) };
        let found = all.iter().find(|one| one.name == *wanted);
        found.map(|one| vec![one]).ok_or_else(|| {
            Fault::usage(format!("the snapshot has no database {wanted:?}"))
                .hint(format!("it has {}", self.names()))
        })
    }

    /// Names of all databases.
    #[must_use]
    pub fn names(&self) -> String {
        let names: Vec<_> =
            self.manifest.databases.iter().map(|one| format!("{:?}", one.name)).collect();
        names.join(", ")
    }

    /// The size of a dump in the snapshot; nothing if it is not there.
    ///
    /// # Errors
    /// Damage.
    pub fn size_bytes(&self, opened: &Opened, database: &Database) -> Result<Option<u64>, Fault> {
        let Ok(path) = self.folder.join(database.file.as_bytes()) else { return Ok(None) };
        let nodes = ChunkFetcher::new(&opened.repo, &opened.index, NODE_CACHE_BYTES)?;
        Ok(find(&nodes, self.snapshot.root, &path)?.map(|entry| entry.size_bytes))
    }

    /// Writes a dump; whether all of it was taken.
    ///
    /// # Errors
    /// Damage, and whatever keeps the store from answering.
    pub fn write(
        &self,
        opened: &Opened,
        database: &Database,
        output: &mut dyn Write,
    ) -> Result<bool, Fault> {
        let path = self.folder.join(database.file.as_bytes()).map_err(|error| {
            Fault::usage(format!("{:?} is no name of a file", database.file)).because(&error)
        })?;
        match copy(opened, &self.snapshot, &path, u64::MAX, output) {
            Ok(()) => Ok(true),
            Err(RestoreError::Output { .. }) => Ok(false),
            Err(error) => Err(trouble::restore(&error)),
        }
    }
}

fn copy(
    opened: &Opened,
    snapshot: &Snapshot,
    path: &TreePath,
    most_bytes: u64,
    output: &mut dyn Write,
) -> Result<(), RestoreError> {
    let nodes = ChunkFetcher::new(&opened.repo, &opened.index, NODE_CACHE_BYTES)?;
    let none = || RestoreError::NoSuchPath { path: path.to_string() };
    let entry = find(&nodes, snapshot.root, path)?.ok_or_else(none)?;
    if entry.content.is_none() || entry.size_bytes > most_bytes {
        return Err(RestoreError::NotAFile { path: path.to_string() });
    }
    write_content(&nodes, path, &entry, Holes::AsZeros, output)
}
