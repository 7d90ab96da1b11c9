//! What runs that were killed left in a local folder: files whose writing never ended.
//!
//! They bear the name of an object with a number behind it, so no listing shows them and nothing
//! reads them. Who writes today's is still at it; those of days ago only take room.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use crate::base::time::Timestamp;
use crate::store::code::spelled;
#[cfg(test)]
use crate::store::name::ObjectName;
use crate::store::walk::without_stage;

/// Files that were removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Leftovers {
    /// How many.
    pub count: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// Removes what was last written to `before` some time. What cannot be looked at or removed stays: it
/// is in nobody's way.
pub(super) fn remove(root: &Path, before: Timestamp) -> Leftovers {
    let mut removed = Leftovers::default();
    folder(root, "", before, &mut removed);
    removed
}

fn folder(path: &Path, key: &str, before: Timestamp, removed: &mut Leftovers) {
    for entry in fs::read_dir(path).into_iter().flatten().flatten() {
        // Links are not followed: whatever they lead to was not put there by us.
        let Ok(kind) = entry.file_type() else { continue };
        let Ok(name) = entry.file_name().into_string() else { continue };
        let key = format!("{key}{name}");
        if kind.is_dir() {
            folder(&entry.path(), &format!("{key}/"), before, removed);
        } else if kind.is_file() && is_unfinished_object(&key) {
            let Ok(metadata) = entry.metadata() else { continue };
            let is_old = metadata.mtime() < before.seconds;
            if is_old && fs::remove_file(entry.path()).is_ok() {
                removed.count += 1;
                removed.bytes += metadata.len();
            }
        }
    }
}

/// Whether somebody began to write one of our objects there. Files of others stay, whatever their
/// names look like.
fn is_unfinished_object(key: &str) -> bool {
    without_stage(key).and_then(spelled).is_some()
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::time::{Duration, SystemTime};

    use super::*;
    use crate::base::id::{ClientId, Nonce8, SegmentId, SessionId};

    #[test]
    fn only_old_unfinished_objects_are_removed() {
        let place = tempfile::tempdir().expect("a folder");
        let session = SessionId::from_parts(ClientId::new([7; 8]), 3, Nonce8::new([1; 8]));
        let random = Nonce8::new([2; 8]);
        let segment = ObjectName::Segment(SegmentId { session, number: 0, random });
        // With some code behind it.
        let object = format!("{segment}-{random}");
        let before = Timestamp { seconds: 1_000_000_000, nanos: 0 };
        let make = |name: &str, is_old: bool| {
            let path = place.path().join(name);
            fs::create_dir_all(path.parent().expect("it has one")).expect("made");
            let file = File::create(path).expect("made");
            file.set_len(1000).expect("it has a length");
            let seconds = if is_old { 999_999_999 } else { 1_000_000_000 };
            let modified = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
            file.set_modified(modified).expect("its time is set");
        };
        make(&object, true);
        make(&format!("{object}#1"), true);
        make(&format!("{object}#20"), true);
        make(&format!("{object}#2"), false);
        make(&format!("{object}#x"), true);
        make("somebody/elses#1", true);
        let removed = remove(place.path(), before);
        assert_eq!(removed, Leftovers { count: 2, bytes: 2000 });
        let is_there = |name: &str| place.path().join(name).exists();
        assert!(is_there(&object) && is_there(&format!("{object}#2")));
        assert!(is_there(&format!("{object}#x")) && is_there("somebody/elses#1"));
        assert!(!is_there(&format!("{object}#1")) && !is_there(&format!("{object}#20")));
    }
}
