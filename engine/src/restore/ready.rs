//! What a restore can make without reading a pack: short files, links, pipes, sockets, devices.

use std::sync::Arc;

use crate::base::error::in_one_line;
use crate::base::monitor::{Counter, Problem};
use crate::base::path::TreePath;
use crate::disk::error::DiskError;
use crate::disk::write::is_root;
use crate::format::entry::{Entry, EntryKind};
use crate::restore::file::{Destination, RestoredFile};
use crate::restore::journal::Note;
use crate::restore::way::Way;

/// Something that can be made without reading a pack.
pub(super) enum Ready {
    /// A file and all its bytes.
    File(Arc<RestoredFile>, Vec<u8>),
    /// A link, a pipe, a socket or a device.
    Other(TreePath, Box<Entry>, Way),
}

/// Makes it.
pub(super) fn make(to: &Destination<'_>, ready: Ready) {
    match ready {
        Ready::File(file, bytes) => file.write(to, &bytes, 0, 1),
        Ready::Other(path, entry, way) => {
            if let Err(error) = make_other(to, &path, &entry, way) {
                // The same user will be refused the same again.
                if !error.is_reserved_for_root() || is_root() {
                    to.tally.leave_unfinished();
                }
                let problem = Problem { path, action: "creating", why: in_one_line(&error) };
                to.tally.problem(to.monitor, problem);
            }
            to.monitor.add(Counter::Items, 1);
        }
    }
}

fn make_other(
    to: &Destination<'_>,
    path: &TreePath,
    entry: &Entry,
    way: Way,
) -> Result<(), DiskError> {
    let target = to.target;
    let made = match (&entry.kind, &entry.target) {
        (EntryKind::Symlink, Some(to)) => target.make_symlink(path, to),
        _ => target.make_special(path, entry),
    };
    if let Err(error) = made {
        discard(to, path, way);
        return Err(error);
    }
    let mut applied = target.apply_metadata(path, entry, &to.metadata);
    to.tally.take_in(to.monitor, &mut applied);
    if applied.has_no_room {
        to.tally.leave_unfinished();
        match way {
            Way::Aside(_) => discard(to, path, way),
            Way::Fresh | Way::InPlace => target.remove_one(path)?,
        }
        return Ok(());
    }
    if applied.may_be_better {
        to.tally.leave_unfinished();
    }
    if entry.link_count > 1 || applied.may_be_better {
        to.note(Note::Made, path)?;
    }
    place(to, path, way)
}

/// Puts something that is no folder in its place.
pub(super) fn place(to: &Destination<'_>, path: &TreePath, way: Way) -> Result<(), DiskError> {
    let Way::Aside(replaces) = way else { return Ok(()) };
    let placed = to.target.publish(path, replaces);
    if placed.is_err() {
        discard(to, path, way);
    }
    placed
}

/// Removes what was made aside for something that is no folder.
pub(super) fn discard(to: &Destination<'_>, path: &TreePath, way: Way) {
    let removed = match way {
        Way::Aside(_) => to.target.discard_aside(path),
        Way::Fresh | Way::InPlace => Ok(()),
    };
    if let Err(error) = removed {
        let path = path.clone();
        let problem = Problem { path, action: "removing", why: in_one_line(&error) };
        to.tally.problem(to.monitor, problem);
    }
}
