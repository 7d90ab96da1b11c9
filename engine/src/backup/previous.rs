//! What the last run saw, in path order: from hints kept on this machine, or from the tree of a
//! snapshot.
//!
//! A key that cannot read trees has only the hints. They also save the requests for the tree, so
//! they come first. Losing them costs one full reading, never an upload.

use std::path::Path;

use crate::backup::error::BackupError;
use crate::backup::options::BackupOptions;
use crate::base::id::{ChunkId, ClientId, SessionId};
use crate::base::path::TreePath;
use crate::blob::fetch::ChunkFetcher;
use crate::crypt::hash::DigestHasher;
use crate::disk::owner::Owners;
use crate::format::entry::Entry;
use crate::format::slot::Role;
use crate::format::snapshot::{PathBytes, Summary};
use crate::index::Index;
use crate::index::catalog::{Catalog, Committed};
use crate::index::hints::HintsReader;
use crate::index::marks;
use crate::repo::Repo;
use crate::tree::cursor::{self, EntryCursor};

/// Entries of an earlier run.
pub(super) enum Entries<'a> {
    None,
    Hints(Box<HintsReader>),
    Tree(Box<EntryCursor<'a>>),
}

/// An earlier run to compare with.
pub(super) struct Previous<'a> {
    pub(super) entries: Entries<'a>,
    /// Whether every chunk of an entry must be looked up before the entry is carried over.
    pub(super) must_look_up: bool,
    /// The names that owners had when the hints were written.
    pub(super) owners: Option<Owners>,
    pub(super) parent: Option<SessionId>,
    pub(super) root: Option<ChunkId>,
    pub(super) summary: Option<Summary>,
}

impl Previous<'_> {
    pub(super) fn none() -> Self {
        Previous {
            entries: Entries::None,
            must_look_up: true,
            owners: None,
            parent: None,
            root: None,
            summary: None,
        }
    }
}

/// Name of the hints of a source: one per host, set of paths, and dedup domain. What another key of
/// this machine stored lies in another domain, where this one neither finds nor counts it.
pub(super) fn hints_name(host: &str, paths: &[PathBytes], domain: u32) -> String {
    let mut hasher = DigestHasher::new();
    hasher.update(&domain.to_le_bytes());
    for part in std::iter::once(host.as_bytes()).chain(paths.iter().map(|p| p.0.as_slice())) {
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(part);
    }
    hasher.finish().to_string()[..32].to_owned()
}

/// Finds the run to compare with: hints if they are those of a snapshot and nothing that they
/// refer to can have been removed, otherwise the newest snapshot of the same host and paths.
///
/// What hints vouch for is there even if its snapshot was forgotten meanwhile. Tombstones are only
/// asked for, and the forgotten taken out of `catalog`, by a run that reads a tree, or that makes
/// no snapshot if the last one still says it all.
pub(super) fn find<'a>(
    (repo, index, own): (&Repo, &Index, ClientId),
    folder: &Path,
    catalog: &mut Catalog,
    paths: &[PathBytes],
    options: &BackupOptions,
    fetcher: Option<&'a ChunkFetcher<'a>>,
) -> Result<Previous<'a>, BackupError> {
    let domain = repo.keys().write()?.domain;
    let hints = match options.parent {
        Some(_) => None,
        None => HintsReader::open(folder, &hints_name(&options.host, paths, domain))?,
    };
    // A snapshot that is gone may have taken its packs along, and what a collection names may be
    // gone before this run is committed.
    let is_bound = |session| catalog.snapshots.iter().any(|one| one.snapshot.session == session);
    let must_look_up = !hints.as_ref().is_some_and(|(_, header)| {
        header.epoch == index.epoch() && is_bound(header.session) && index.excluded().is_empty()
    });
    if must_look_up || options.skip_if_unchanged {
        catalog.set_apart_forgotten(&marks::read_forgotten(repo, index)?);
    }
    let parent = choose_parent(catalog, own, (paths, domain), options)?;
    let describe = |entries, must_look_up, parent: Option<&Committed>| Previous {
        entries,
        must_look_up,
        owners: None,
        parent: parent.map(|one| one.snapshot.session),
        root: parent.map(|one| one.snapshot.root),
        summary: parent.map(|one| one.snapshot.summary),
    };
    if let Some((reader, header)) = hints {
        let known = catalog.snapshots.iter().find(|one| one.snapshot.session == header.session);
        let must_look_up = must_look_up || known.is_none();
        let previous = describe(Entries::Hints(Box::new(reader)), must_look_up, known);
        return Ok(Previous { owners: Some(header.owners), ..previous });
    }
    match (parent, fetcher) {
        (Some(parent), Some(fetcher)) => {
            let cursor = EntryCursor::new(fetcher, parent.snapshot.root);
            Ok(describe(Entries::Tree(Box::new(cursor)), true, Some(parent)))
        }
        _ => Ok(describe(Entries::None, true, None)),
    }
}

/// The newest snapshot of the same stream, and the file that it holds.
pub(super) fn find_stream(
    (repo, index, own): (&Repo, &Index, ClientId),
    catalog: &mut Catalog,
    paths: &[PathBytes],
    options: &BackupOptions,
    fetcher: Option<&ChunkFetcher<'_>>,
) -> Result<Option<(SessionId, Entry)>, BackupError> {
    catalog.set_apart_forgotten(&marks::read_forgotten(repo, index)?);
    let domain = repo.keys().write()?.domain;
    let parent = choose_parent(catalog, own, (paths, domain), options)?;
    let (Some(parent), Some(fetcher), [path]) = (parent, fetcher, paths) else { return Ok(None) };
    let Ok(path) = TreePath::from_slashes(&path.0) else { return Ok(None) };
    // One that cannot be read is compared with nothing.
    let entry = cursor::find(fetcher, parent.snapshot.root, &path).ok().flatten();
    Ok(entry.map(|entry| (parent.snapshot.session, entry)))
}

fn choose_parent<'c>(
    catalog: &'c Catalog,
    own: ClientId,
    (paths, domain): (&[PathBytes], u32),
    options: &BackupOptions,
) -> Result<Option<&'c Committed>, BackupError> {
    let mut newest_first = catalog.snapshots.iter().rev();
    match options.parent {
        Some(wanted) => {
            let found = newest_first.find(|one| one.snapshot.session == wanted);
            let missing = || BackupError::NoParent { wanted: wanted.to_snapshot_hex() };
            found.map(Some).ok_or_else(missing)
        }
        // What another client says of these files would be carried over unread. An administrator's
        // machine may have lost who it was, and whoever holds the root secret needs no such trick.
        None => Ok(newest_first
            .filter(|one| is_trusted(catalog, own, one))
            .map(|one| (one, &one.snapshot))
            .find_map(|(one, snapshot)| {
                let is_alike = snapshot.host == options.host && snapshot.paths == paths;
                (is_alike && snapshot.domain == domain).then_some(one)
            })),
    }
}

fn is_trusted(catalog: &Catalog, own: ClientId, one: &Committed) -> bool {
    let clients = catalog.claims.clients();
    let is_admin = |client| clients.get(client).is_some_and(|it| it.role == Role::Admin);
    let is_of_line = one.line == clients.line(own);
    one.doubt.is_none() && (is_of_line || (is_admin(own) && is_admin(one.snapshot.client)))
}
