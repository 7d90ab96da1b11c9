//! How one entry of a snapshot is shown: as `ls -l` does, and for programs.

use engine::base::path::{TreePath, escape};
use engine::format::entry::{Entry, EntryKind};
use jiff::tz::TimeZone;
use unicode_width::UnicodeWidthStr;

use crate::ui::records::{JsonPath, Node};
use crate::ui::table::cut;
use crate::units;

/// Letter of `ls -l` and name in JSON, as restic has it.
fn kind(kind: EntryKind) -> (char, &'static str) {
    match kind {
        EntryKind::File => ('-', "file"),
        EntryKind::Directory => ('d', "dir"),
        EntryKind::Symlink => ('l', "symlink"),
        EntryKind::Fifo => ('p', "fifo"),
        EntryKind::Socket => ('s', "socket"),
        EntryKind::CharDevice => ('c', "chardev"),
        EntryKind::BlockDevice => ('b', "dev"),
    }
}

/// The name of a kind in JSON.
#[must_use]
pub fn kind_name(of: EntryKind) -> &'static str {
    kind(of).1
}

/// Kind and permissions as `ls -l` shows them: `drwxr-sr-t`.
#[must_use]
pub fn permissions(entry: &Entry) -> String {
    let mut text = String::with_capacity(10);
    text.push(kind(entry.kind).0);
    for (shift, special, letter) in [(6, 0o4000, 's'), (3, 0o2000, 's'), (0, 0o1000, 't')] {
        let bits = entry.mode >> shift;
        text.push(if bits & 4 != 0 { 'r' } else { '-' });
        text.push(if bits & 2 != 0 { 'w' } else { '-' });
        text.push(match (bits & 1 != 0, entry.mode & special != 0) {
            (true, true) => letter,
            (false, true) => letter.to_ascii_uppercase(),
            (true, false) => 'x',
            (false, false) => '-',
        });
    }
    text
}

/// One line with everything: `-rw-r--r--  user  users  1.50 KiB  2026-11-20 …  /path`. On a terminal of
/// `width` columns the time is to the minute, and a path that does not fit has a line of its own.
#[must_use]
pub fn long_lines(
    path: &TreePath,
    entry: &Entry,
    zone: &TimeZone,
    width: Option<usize>,
) -> Vec<String> {
    let name = |name: &Option<Vec<u8>>, id: u32| match name {
        Some(name) => escape(name),
        None => id.to_string(),
    };
    let size = match entry.kind {
        EntryKind::File => units::size(entry.size_bytes),
        _ => "-".to_owned(),
    };
    let time = match width {
        Some(_) => units::local_minute(entry.mtime, zone),
        None => units::local_time(entry.mtime, zone),
    };
    let facts = format!(
        "{}  {:<8}  {:<8}  {size:>8}  {time}",
        permissions(entry),
        name(&entry.user, entry.uid),
        name(&entry.group, entry.gid),
    );
    let target = entry.target.as_ref().map(|target| format!(" -> {}", escape(target)));
    let path = format!("{path}{}", target.unwrap_or_default());
    match width {
        Some(width) if facts.width() + 2 + path.width() > width => {
            vec![cut(&facts, Some(width)), format!("  {path}")]
        }
        _ => vec![format!("{facts}  {path}")],
    }
}

/// The entry for programs.
#[must_use]
pub fn node(path: &TreePath, entry: &Entry) -> Node {
    let text = |name: &Option<Vec<u8>>| name.as_deref().map(|name| JsonPath::new(name).path);
    Node {
        name: JsonPath::new(path.name()).path,
        kind: kind(entry.kind).1,
        path: JsonPath::new(&path.to_slashes()),
        uid: entry.uid,
        gid: entry.gid,
        user: text(&entry.user),
        group: text(&entry.group),
        size: (entry.kind == EntryKind::File).then_some(entry.size_bytes),
        mode: entry.mode,
        permissions: permissions(entry),
        mtime: units::rfc3339(entry.mtime),
        ctime: units::rfc3339(entry.ctime),
        linktarget: text(&entry.target),
        inode: entry.inode,
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use engine::base::time::Timestamp;

    pub(crate) fn entry(kind: EntryKind, mode: u32) -> Entry {
        Entry {
            kind,
            mode,
            uid: 7,
            gid: 8,
            user: Some(b"a\x1b".to_vec()),
            group: None,
            mtime: Timestamp::default(),
            ctime: Timestamp::default(),
            btime: None,
            atime: None,
            size_bytes: 1536,
            inode: 1,
            device: 1,
            link_count: 0,
            xattrs: Vec::new(),
            inode_flags: 0,
            target: (kind == EntryKind::Symlink).then(|| b"x\ny".to_vec()),
            device_number: None,
            flags: 0,
            content: None,
            listing: 0,
            ntfs: None,
        }
    }

    #[test]
    fn permissions_read_as_in_ls() {
        for (kind, mode, text) in [
            (EntryKind::File, 0o644, "-rw-r--r--"),
            (EntryKind::Directory, 0o3755, "drwxr-sr-t"),
            (EntryKind::File, 0o4711, "-rws--x--x"),
            (EntryKind::Symlink, 0o777, "lrwxrwxrwx"),
            (EntryKind::BlockDevice, 0o7000, "b--S--S--T"),
        ] {
            assert_eq!(permissions(&entry(kind, mode)), text);
        }
    }

    #[test]
    fn a_hostile_name_stays_on_its_line() {
        let path = TreePath::from_slashes(b"/a\nb").expect("because a newline may be in a name");
        let shown = |entry: &Entry, width| long_lines(&path, entry, &TimeZone::UTC, width);
        let line = shown(&entry(EntryKind::Symlink, 0o777), None).concat();
        let expected = "lrwxrwxrwx  a\\x1b     8                -  1970-01-01 00:00:00 UTC  \
                        /a\\nb -> x\\ny";
        assert_eq!(line, expected);
        let line = shown(&entry(EntryKind::File, 0o600), Some(80)).concat();
        assert_eq!(line, "-rw-------  a\\x1b     8         1.50 KiB  1970-01-01 00:00  /a\\nb");
        let lines = shown(&entry(EntryKind::File, 0o600), Some(60));
        assert_eq!(lines[1], "  /a\\nb", "{lines:?}");
    }
}
