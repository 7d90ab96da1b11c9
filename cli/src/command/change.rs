//! How an entry of one snapshot differs from the same path in another.

use engine::base::path::TreePath;
use engine::format::entry::{Entry, EntryKind};
use engine::format::snapshot::Snapshot;
use engine::restore::RestoreError;
use engine::tree::cursor::find;
use engine::tree::source::NodeRead;

use crate::command::trouble;
use crate::fault::Fault;

/// What differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Changed {
    /// It is another kind of file.
    Kind,
    /// Its content, the target of a link, the number of a device.
    Content,
    /// Permissions, owners, times, attributes.
    Metadata,
}

/// Whether equal content has equal ids in two snapshots: ids are made with the key of a domain.
#[must_use]
pub fn share_ids(before: &Snapshot, after: &Snapshot) -> bool {
    before.domain == after.domain
}

/// What differs between two entries of one path, as far as a user can see it; `None` if nothing does.
/// Where ids of chunks cannot be compared, content is judged by size and time.
#[must_use]
pub fn changed(before: &Entry, after: &Entry, has_shared_ids: bool) -> Option<Changed> {
    if before.kind != after.kind {
        return Some(Changed::Kind);
    }
    let is_same_content = match before.kind {
        EntryKind::File if has_shared_ids => before.content == after.content,
        EntryKind::File => before.size_bytes == after.size_bytes && before.mtime == after.mtime,
        _ => (&before.target, before.device_number) == (&after.target, after.device_number),
    };
    if !is_same_content {
        return Some(Changed::Content);
    }
    let metadata =
        |entry: &Entry| (entry.mode, entry.uid, entry.gid, entry.mtime, entry.inode_flags);
    let is_same = metadata(before) == metadata(after) && before.xattrs == after.xattrs;
    (!is_same).then_some(Changed::Metadata)
}

/// Bytes of a file; `None` for everything else.
#[must_use]
pub fn file_bytes(entry: &Entry) -> Option<u64> {
    (entry.kind == EntryKind::File).then_some(entry.size_bytes)
}

/// That at least one of the snapshots has `path`; a part of a tree that cannot be read is told of by
/// whoever walks there.
///
/// # Errors
/// Exit code 2 if none has it.
pub fn require_path(
    nodes: &dyn NodeRead,
    snapshots: &[&Snapshot],
    path: &TreePath,
) -> Result<(), Fault> {
    let may_be = |snapshot: &&Snapshot| !matches!(find(nodes, snapshot.root, path), Ok(None));
    match path.is_root() || snapshots.iter().any(may_be) {
        true => Ok(()),
        false => Err(trouble::restore(&RestoreError::NoSuchPath { path: path.to_string() })),
    }
}

#[cfg(test)]
mod tests {
    use engine::base::time::Timestamp;
    use engine::format::entry::Content;

    use super::*;
    use crate::command::node::tests::entry;

    fn file(content: &[u8]) -> Entry {
        let size_bytes = content.len() as u64;
        let content = Some(Content::Inline(content.to_vec()));
        Entry { content, size_bytes, ..entry(EntryKind::File, 0o644) }
    }

    #[test]
    fn what_a_user_cannot_see_is_no_change() {
        let before = file(b"a");
        let later = Timestamp { seconds: 5, nanos: 0 };
        let moved = Entry { ctime: later, inode: 9, device: 9, ..before.clone() };
        assert_eq!(changed(&before, &moved, true), None);
        let touched = Entry { mtime: later, ..before.clone() };
        assert_eq!(changed(&before, &touched, true), Some(Changed::Metadata));
        assert_eq!(changed(&before, &touched, false), Some(Changed::Content));
        assert_eq!(changed(&before, &file(b"b"), true), Some(Changed::Content));
        assert_eq!(changed(&before, &file(b"b"), false), None, "size and time are equal");
        let folder = Entry { kind: EntryKind::Directory, content: None, ..before.clone() };
        assert_eq!(changed(&before, &folder, true), Some(Changed::Kind));
    }
}
