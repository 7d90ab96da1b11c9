//! The sealed table at the end of a pack: enough to index the pack without reading its blocks.

use crate::base::id::{PackId, RepositoryId};
use crate::base::limits::{FOOTER_MAX_BYTES, PACK_MAX_BYTES};
use crate::crypt::secret::SecretKey;
use crate::crypt::{aead, hash};
use crate::format::envelope::associated_data;
use crate::format::pack::{PackHeader, PackTable, TRAILER_BYTES, footer_len};
use crate::format::segment::SegmentPack;
use crate::repo::Repo;
use crate::repo::error::RepoError;
use crate::store::name::ObjectName;

/// Bytes of the first read of a tail: holds the footer of a pack with up to 5,900 chunks.
const TAIL_BYTES: u64 = 256 * 1024;
const _: () = assert!(TAIL_BYTES > TRAILER_BYTES as u64);

/// Associated data of a footer.
#[must_use]
pub fn footer_data(repository: RepositoryId, pack: PackId) -> Vec<u8> {
    let key_hash = hash::digest(ObjectName::Pack(pack).key().as_bytes());
    associated_data("footer", repository, key_hash, &[pack.kind.code()])
}

/// Seals a table.
#[must_use]
pub fn seal_footer(
    index_key: &SecretKey,
    repository: RepositoryId,
    pack: PackId,
    table: &PackTable,
) -> Vec<u8> {
    let mut plain = Vec::with_capacity(table.len_bytes());
    table.encode_into(&mut plain);
    aead::seal(index_key, &footer_data(repository, pack), &plain)
}

/// Reads the table of a pack in at most three requests; `None` if its dedup domain is closed to
/// this role.
///
/// # Errors
/// [`RepoError::Corrupt`] naming the pack, or errors of the store.
pub fn read_footer(repo: &Repo, pack: PackId) -> Result<Option<SegmentPack>, RepoError> {
    let name = ObjectName::Pack(pack);
    let key = name.key();
    let (mut tail, size) = repo.store().get_tail(&name, TAIL_BYTES)?;
    if size > PACK_MAX_BYTES as u64 {
        return Err(RepoError::corrupt(&key, format!("{size} bytes are too many for a pack")));
    }
    let length = footer_len(&tail, size).map_err(|e| RepoError::codec(&key, &e))?;
    let wanted = length + TRAILER_BYTES;
    if wanted > tail.len() {
        tail = repo.store().get_tail(&name, wanted as u64)?.0;
    }
    let domain = read_domain(repo, pack, (size as usize == tail.len()).then_some(&tail[..]))?;
    let sealed_start = tail.len().checked_sub(wanted).ok_or_else(|| short(&key))?;
    let sealed = &tail[sealed_start..tail.len() - TRAILER_BYTES];
    open_table(repo, pack, domain, sealed, size)
}

/// Opens a sealed footer.
///
/// # Errors
/// [`RepoError::Corrupt`] naming the pack.
pub fn open_table(
    repo: &Repo,
    pack: PackId,
    domain: u32,
    sealed: &[u8],
    pack_bytes: u64,
) -> Result<Option<SegmentPack>, RepoError> {
    let key = ObjectName::Pack(pack).key();
    let Some(index_key) = repo.keys().index_key(domain) else { return Ok(None) };
    if sealed.len() > FOOTER_MAX_BYTES {
        return Err(RepoError::corrupt(&key, "its footer is too long"));
    }
    let data = footer_data(repo.config().repository, pack);
    let plain = aead::open(&index_key, &data, sealed)
        .map_err(|_| RepoError::corrupt(&key, "its footer does not open"))?;
    let table = PackTable::decode(&plain, pack_bytes).map_err(|e| RepoError::codec(&key, &e))?;
    Ok(Some(SegmentPack { pack, stored_bytes: pack_bytes as u32, table }))
}

/// The dedup domain that the header names.
fn read_domain(repo: &Repo, pack: PackId, whole: Option<&[u8]>) -> Result<u32, RepoError> {
    let header = match whole {
        Some(bytes) => decode_header(repo, pack, bytes)?,
        None => {
            let name = ObjectName::Pack(pack);
            let bytes = repo.store().get_range(&name, 0..PackHeader::MAX_BYTES as u64)?;
            decode_header(repo, pack, &bytes)?
        }
    };
    Ok(header.domain)
}

/// Reads a pack's header and checks that it belongs to this pack of this repository.
///
/// # Errors
/// [`RepoError::Corrupt`] or [`RepoError::Newer`], naming the pack.
pub fn decode_header(repo: &Repo, pack: PackId, bytes: &[u8]) -> Result<PackHeader, RepoError> {
    let key = ObjectName::Pack(pack).key();
    let header = PackHeader::decode(bytes).map_err(|e| RepoError::envelope(&key, &e))?;
    let belongs = header.kind == pack.kind
        && header.suite == repo.config().suite
        && header.repository == repo.config().repository
        && header.key_hash == hash::digest(key.as_bytes());
    match belongs {
        true => Ok(header),
        false => Err(RepoError::corrupt(&key, "its header is that of another pack")),
    }
}

fn short(key: &str) -> RepoError {
    RepoError::corrupt(key, "it is shorter than its footer says")
}
