//! Permissions, owners, times, extended attributes and links of what was restored.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use engine::disk::write::is_root;
use engine::format::entry::{Entry, EntryKind};
use rustix::fs::lgetxattr;

use crate::probe::verdict::Verdict;

/// Longest value of an attribute that is compared.
const VALUE_MAX_BYTES: usize = 64 * 1024;

/// Compares what the system says of `path` with the snapshot's entry.
#[must_use]
pub fn look(path: &Path, entry: &Entry) -> Verdict {
    let metadata = match std::fs::symlink_metadata(path) {
        Ok(metadata) => metadata,
        Err(error) => return Verdict::Failed(error.to_string()),
    };
    let mut differs = Vec::new();
    if entry.kind == EntryKind::Symlink {
        let target = std::fs::read_link(path).ok();
        if target.as_ref().map(|target| target.as_os_str().as_bytes()) != entry.target.as_deref() {
            differs.push("target of the link".to_owned());
        }
    } else if metadata.mode() & 0o7777 != entry.mode & 0o7777 {
        differs.push(format!("permissions {:o}", metadata.mode() & 0o7777));
    }
    if entry.kind == EntryKind::File && metadata.size() != entry.size_bytes {
        differs.push(format!("size {}", metadata.size()));
    }
    let found = (metadata.mtime(), metadata.mtime_nsec());
    if found != (entry.mtime.seconds, i64::from(entry.mtime.nanos)) {
        differs.push("time of change".to_owned());
    }
    if is_root() && (metadata.uid(), metadata.gid()) != (entry.uid, entry.gid) {
        differs.push(format!("owner {}:{}", metadata.uid(), metadata.gid()));
    }
    let mut unproved = 0;
    for attribute in &entry.xattrs {
        let mut value = vec![0; VALUE_MAX_BYTES];
        match lgetxattr(path, OsStr::from_bytes(&attribute.name), value.as_mut_slice()) {
            Ok(length) if value[..length] == attribute.value => {}
            // Not every file system of a drill has every attribute.
            Err(rustix::io::Errno::OPNOTSUPP | rustix::io::Errno::PERM) => unproved += 1,
            Err(rustix::io::Errno::NODATA) if !is_root() => unproved += 1,
            Ok(_) | Err(_) => differs.push("an extended attribute".to_owned()),
        }
    }
    match (differs.is_empty(), unproved) {
        (false, _) => Verdict::Failed(format!("other {}", differs.join(", "))),
        (true, 0) => Verdict::Passed,
        (true, _) => {
            Verdict::NotProved("the scratch file system keeps no such attributes".to_owned())
        }
    }
}
