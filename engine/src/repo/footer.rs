//! The sealed table at the end of a pack: enough to index the pack without reading its blocks.
//!
//! It is signed by the client whose session wrote the pack, over everything that the header says
//! and the size of the whole: a key that can read footers cannot make one.

use crate::base::id::{PackId, RepositoryId};
use crate::base::limits::{FOOTER_MAX_BYTES, PACK_MAX_BYTES};
use crate::crypt::secret::SecretKey;
use crate::crypt::sign::{SigningKey, verify};
use crate::crypt::{aead, hash};
use crate::format::envelope::associated_data;
use crate::format::pack::{
    FOOTER_SIGNATURE_BYTES, PackHeader, PackTable, TRAILER_BYTES, footer_len, split_footer,
};
use crate::format::segment::SegmentPack;
use crate::repo::Repo;
use crate::repo::error::RepoError;
use crate::repo::object::{WRONG_SIGNATURE, pack_signer};
use crate::repo::ring::unknown;
use crate::store::name::ObjectName;

/// Bytes of the first read of a tail: holds the footer of a pack with up to 5,900 chunks.
const TAIL_BYTES: u64 = 256 * 1024;
const _: () = assert!(TAIL_BYTES > TRAILER_BYTES as u64);

/// Bytes that a footer has beside its table.
pub const FOOTER_BARE_BYTES: usize = FOOTER_SIGNATURE_BYTES + aead::SEAL_BYTES;

/// What blocks and footer of a pack are bound to: its key, its kind, and its whole header.
#[must_use]
pub fn pack_data(
    purpose: &'static str,
    repository: RepositoryId,
    pack: PackId,
    header: &PackHeader,
) -> Vec<u8> {
    let key_hash = hash::digest(ObjectName::Pack(pack).key().as_bytes());
    let mut further = vec![pack.kind.code()];
    further.extend_from_slice(hash::digest(&header.encode()).as_bytes());
    associated_data(purpose, repository, key_hash, &further)
}

/// The message that the signature in a footer is over.
fn signed_message(
    repository: RepositoryId,
    (pack, header): (PackId, &PackHeader),
    pack_bytes: u32,
    table: &[u8],
) -> Vec<u8> {
    let mut message = pack_data("signed footer", repository, pack, header);
    message.extend_from_slice(&pack_bytes.to_le_bytes());
    message.extend_from_slice(table);
    message
}

/// Signs and seals the table of a pack that will have `pack_bytes` in all.
#[must_use]
pub fn seal_footer(
    index_key: &SecretKey,
    signing: &SigningKey,
    (pack, header): (PackId, &PackHeader),
    pack_bytes: u32,
    table: &PackTable,
) -> Vec<u8> {
    let repository = header.repository;
    let mut plain = vec![0; FOOTER_SIGNATURE_BYTES];
    plain.reserve_exact(table.len_bytes());
    table.encode_into(&mut plain);
    let body = &plain[FOOTER_SIGNATURE_BYTES..];
    let signature = signing.sign(&signed_message(repository, (pack, header), pack_bytes, body));
    plain[..FOOTER_SIGNATURE_BYTES].copy_from_slice(&signature);
    aead::seal(index_key, &pack_data("footer", repository, pack, header), &plain)
}

/// Reads the table of a pack in at most three requests, and verifies who signed it; `None` if its
/// dedup domain is closed to this role.
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
    let header = read_header(repo, pack, (size as usize == tail.len()).then_some(&tail[..]))?;
    let sealed_start = tail.len().checked_sub(wanted).ok_or_else(|| short(&key))?;
    let sealed = &tail[sealed_start..tail.len() - TRAILER_BYTES];
    open_footer(repo, pack, &header, sealed, size)
}

/// Opens a sealed footer and verifies its signature.
///
/// # Errors
/// [`RepoError::Corrupt`] naming the pack.
pub fn open_footer(
    repo: &Repo,
    pack: PackId,
    header: &PackHeader,
    sealed: &[u8],
    pack_bytes: u64,
) -> Result<Option<SegmentPack>, RepoError> {
    let key = ObjectName::Pack(pack).key();
    let domain = header.domain;
    let index_key = repo.keys().index_key_in(header.epoch, domain, &key)?;
    let Some(index_key) = index_key else { return Ok(None) };
    let stored_bytes = u32::try_from(pack_bytes).ok().filter(|_| sealed.len() <= FOOTER_MAX_BYTES);
    let stored_bytes =
        stored_bytes.ok_or_else(|| RepoError::corrupt(&key, "its footer is too long"))?;
    let repository = repo.config().repository;
    let plain = aead::open(&index_key, &pack_data("footer", repository, pack, header), sealed)
        .map_err(|_| RepoError::corrupt(&key, "its footer does not open"))?;
    let (signature, body) = split_footer(&plain).map_err(|e| RepoError::codec(&key, &e))?;
    let table = PackTable::decode(body, pack_bytes).map_err(|e| RepoError::codec(&key, &e))?;
    let signer = pack_signer(repo, pack, domain)?;
    verify(&signer, &signed_message(repository, (pack, header), stored_bytes, body), &signature)
        .map_err(|_| RepoError::corrupt(&key, WRONG_SIGNATURE))?;
    let footer = hash::digest(sealed);
    Ok(Some(SegmentPack { pack, domain, stored_bytes, footer, table }))
}

/// The header of a pack, from its bytes or from the store.
fn read_header(repo: &Repo, pack: PackId, whole: Option<&[u8]>) -> Result<PackHeader, RepoError> {
    match whole {
        Some(bytes) => decode_header(repo, pack, bytes),
        None => {
            let name = ObjectName::Pack(pack);
            let bytes = repo.store().get_range(&name, 0..PackHeader::MAX_BYTES as u64)?;
            decode_header(repo, pack, &bytes)
        }
    }
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
    if belongs && repo.keys().control_of(header.epoch).is_none() {
        return Err(unknown(header.epoch, &key));
    }
    match belongs {
        true => Ok(header),
        false => Err(RepoError::corrupt(&key, "its header is that of another pack")),
    }
}

fn short(key: &str) -> RepoError {
    RepoError::corrupt(key, "it is shorter than its footer says")
}
