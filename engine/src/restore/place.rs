//! Makes room for an entry: what is done about something that is there already.

use crate::base::error::in_one_line;
use crate::base::monitor::Problem;
use crate::base::path::TreePath;
use crate::disk::error::DiskError;
use crate::disk::write::{ExistingStat, Target};
use crate::format::entry::{Entry, EntryKind};
use crate::restore::options::{Overwrite, RestoreOptions};

/// What to do with an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Placement {
    /// The place is free now: create it.
    Create,
    /// It is there and its content is right; only metadata is set.
    Keep,
    /// It stays as it is.
    Skip,
}

/// Decides, and removes what is in the way.
///
/// # Errors
/// [`Problem`] if the place cannot be made free.
pub(super) fn make_room(
    target: &Target,
    path: &TreePath,
    entry: &Entry,
    options: &RestoreOptions,
) -> Result<Placement, Problem> {
    let told = |error: DiskError| Problem {
        path: path.clone(),
        action: "replacing",
        why: in_one_line(&error),
    };
    let Some(existing) = target.stat(path).map_err(told)? else { return Ok(Placement::Create) };
    let is_directory = entry.kind == EntryKind::Directory;
    if is_directory && existing.kind == EntryKind::Directory {
        return Ok(Placement::Keep);
    }
    let placement = decide(&existing, entry, options.overwrite.unwrap_or(Overwrite::Never));
    if placement != Placement::Create {
        return Ok(placement);
    }
    if existing.kind == EntryKind::Directory && !options.delete {
        let why = "a folder is in its place; --delete would remove it".to_owned();
        return Err(Problem { path: path.clone(), action: "replacing", why });
    }
    if !options.dry_run {
        target.remove(path).map_err(told)?;
    }
    Ok(Placement::Create)
}

fn decide(existing: &ExistingStat, entry: &Entry, overwrite: Overwrite) -> Placement {
    let is_equal = existing.kind == entry.kind
        && existing.size_bytes == entry.size_bytes
        && existing.mtime == entry.mtime;
    match overwrite {
        Overwrite::Never => Placement::Skip,
        Overwrite::IfNewer if existing.mtime >= entry.mtime => Placement::Skip,
        Overwrite::IfChanged if is_equal && entry.kind == EntryKind::File => Placement::Keep,
        _ => Placement::Create,
    }
}
