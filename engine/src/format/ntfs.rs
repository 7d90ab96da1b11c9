//! What Windows and NTFS know of a path and nobody else: optional in an entry, absent from what is
//! backed up elsewhere.
//!
//! Streams and security descriptors lie in chunks like content. Whatever asks an entry what it needs
//! must be told of them too: `Entry::contents` and `Entry::security` do.

use minicbor::{Decode, Encode};

use crate::base::limits::{
    NAME_MAX_BYTES, NTFS_FILE_ID_MAX_BYTES, NTFS_REPARSE_MAX_BYTES, NTFS_SHORT_NAME_MAX_BYTES,
    NTFS_STREAMS_MAX, XATTR_MAX_BYTES,
};
use crate::format::content::Content;
use crate::format::extent::Extent;

/// A named stream of a file or folder.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Stream {
    /// Its name, WTF-8, without colons.
    #[cbor(n(0), with = "minicbor::bytes")]
    pub name: Vec<u8>,
    /// Its length.
    #[n(1)]
    pub size_bytes: u64,
    /// Its bytes.
    #[n(2)]
    pub content: Content,
}

/// Where another file system object is meant: a junction, a link, a placeholder.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Reparse {
    /// What kind of point it is.
    #[n(0)]
    pub tag: u32,
    /// What that kind says.
    #[cbor(n(1), with = "minicbor::bytes")]
    pub data: Vec<u8>,
}

/// Everything that only NTFS knows of a path.
#[derive(Debug, Clone, PartialEq, Eq, Default, Encode, Decode)]
#[cbor(map)]
pub struct Ntfs {
    /// `FILE_ATTRIBUTE_…` bits.
    #[cbor(n(0), default, skip_if = "is_zero")]
    pub attributes: u32,
    /// The security descriptor, self-relative: a chunk of content, because many paths share it.
    #[n(1)]
    pub security: Option<Extent>,
    /// Named streams, rising by name.
    #[cbor(n(2), default, skip_if = "Vec::is_empty")]
    pub streams: Vec<Stream>,
    /// Reparse point.
    #[n(3)]
    pub reparse: Option<Reparse>,
    /// Object id.
    #[cbor(n(4), with = "minicbor::bytes")]
    pub object_id: Option<[u8; 16]>,
    /// Extended attributes, as `FILE_FULL_EA_INFORMATION`.
    #[cbor(n(5), with = "minicbor::bytes")]
    pub extended: Option<Vec<u8>>,
    /// Short name, WTF-8.
    #[cbor(n(6), with = "minicbor::bytes")]
    pub short_name: Option<Vec<u8>>,
    /// Whether names in this folder that differ only in case are two.
    #[cbor(n(7), default, skip_if = "std::ops::Not::not")]
    pub is_case_sensitive: bool,
    /// File id: 8 bytes on NTFS, 16 on ReFS.
    #[cbor(n(8), with = "minicbor::bytes")]
    pub file_id: Option<Vec<u8>>,
    /// Creation, in 100 ns since 1601.
    #[n(9)]
    pub created: Option<u64>,
    /// Last change of metadata, in 100 ns since 1601.
    #[n(10)]
    pub changed: Option<u64>,
}

fn is_zero(value: &u32) -> bool {
    *value == 0
}

impl Ntfs {
    /// Whether no part is longer than it may be, streams rise by name, and the security descriptor
    /// is a chunk.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        let fits = |part: &Option<Vec<u8>>, most: usize| {
            part.as_ref().is_none_or(|bytes| bytes.len() <= most)
        };
        let names = self.streams.iter().map(|stream| &stream.name);
        names.clone().zip(names.clone().skip(1)).all(|(one, next)| one < next)
            && names.clone().all(|name| (1..=NAME_MAX_BYTES).contains(&name.len()))
            && self.streams.len() <= NTFS_STREAMS_MAX
            && !matches!(self.security, Some(Extent::Hole { .. }))
            && self.reparse.as_ref().is_none_or(|it| it.data.len() <= NTFS_REPARSE_MAX_BYTES)
            && fits(&self.extended, XATTR_MAX_BYTES)
            && fits(&self.short_name, NTFS_SHORT_NAME_MAX_BYTES)
            && fits(&self.file_id, NTFS_FILE_ID_MAX_BYTES)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stream(name: &[u8]) -> Stream {
        Stream { name: name.to_vec(), size_bytes: 1, content: Content::Inline(vec![1]) }
    }

    #[test]
    fn what_no_file_system_has_is_not_sound() {
        let sound = |change: fn(&mut Ntfs)| {
            let mut ntfs = Ntfs { streams: vec![stream(b"a"), stream(b"b")], ..Ntfs::default() };
            change(&mut ntfs);
            ntfs.is_sound()
        };
        assert!(sound(|_| ()));
        assert!(!sound(|it| it.streams.reverse()), "falling names");
        assert!(!sound(|it| it.streams.push(stream(b"b"))), "one name twice");
        assert!(!sound(|it| it.streams.insert(0, stream(b""))), "the stream without a name");
        assert!(!sound(|it| it.security = Some(Extent::Hole { length_bytes: 9 })));
        assert!(!sound(|it| it.file_id = Some(vec![1; 17])));
        assert!(!sound(|it| it.short_name = Some(vec![1; 100])));
        assert!(!sound(|it| it.reparse = Some(Reparse { tag: 1, data: vec![1; 20_000] })));
    }
}
