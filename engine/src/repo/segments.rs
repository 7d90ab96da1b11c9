//! Index segments: written by whoever begins their session, and believed only if it may say so.
//!
//! A segment says where chunks are, and collectors delete copies because of it. So it is signed,
//! and a client of role backup can list packs of its own sessions in its own dedup domain only. A
//! collector lists what others wrote, when it replaces their segments.

use std::cell::RefCell;
use std::collections::{BTreeSet, HashSet};

use bytes::Bytes;

use crate::base::error::{Classified, ErrorClass};
use crate::base::id::{Nonce8, PackId, SegmentId, SessionId};
use crate::base::limits::SEGMENT_MAX_BYTES;
use crate::crypt::sign::{SigningKey, verify};
use crate::crypt::{aead, hash, random};
use crate::format::client::Client;
use crate::format::envelope::{associated_data, split_signed};
use crate::format::segment::{self, SegmentFrame, SegmentPack};
use crate::format::slot::Role;
use crate::repo::Repo;
use crate::repo::error::RepoError;
use crate::repo::object::{WRONG_SIGNATURE, writer};
use crate::store::name::ObjectName;

/// A name for a new segment.
#[must_use]
pub fn new_id(session: SessionId, number: u32) -> SegmentId {
    SegmentId { session, number, random: Nonce8::new(random::array()) }
}

/// What sealed part and signature are bound to.
fn bound(
    repo: &Repo,
    purpose: &'static str,
    name: &ObjectName,
    frame: &SegmentFrame<'_>,
) -> Vec<u8> {
    let key_hash = hash::digest(name.key().as_bytes());
    associated_data(purpose, repo.config().repository, key_hash, &frame.bound())
}

/// Whether the store shows all of these packs, by listings that begin now: one for each kind and 256
/// numbers of a session.
///
/// # Errors
/// Those of the store.
pub fn are_there(repo: &Repo, packs: &[SegmentPack]) -> Result<bool, RepoError> {
    let mut missing: HashSet<PackId> = packs.iter().map(|pack| pack.pack).collect();
    let below = |PackId { kind, session, counter, .. }: &PackId| {
        format!("{}/{session}/{:06x}", kind.prefix(), counter >> 8)
    };
    let prefixes: BTreeSet<String> = missing.iter().map(below).collect();
    for prefix in prefixes {
        repo.store().list_each(&prefix, &mut |object| {
            if let Some(ObjectName::Pack(pack)) = object.name {
                missing.remove(&pack);
            }
            true
        })?;
    }
    Ok(missing.is_empty())
}

/// Signs and stores a segment of a dedup domain. What is signed is the hash of what it lists: Ed25519 hashes
/// a message with SHA-512, which takes several times as long for 8 MiB.
///
/// # Errors
/// [`RepoError::Denied`] if this keyring has no index key of the domain; errors of the store.
pub fn put_segment(
    repo: &Repo,
    signing: &SigningKey,
    domain: u32,
    id: SegmentId,
    packs: &[SegmentPack],
) -> Result<(), RepoError> {
    let index_key = repo.keys().index_key(domain).ok_or_else(|| RepoError::Denied {
        role: repo.keys().role(),
        action: "write the index of another dedup domain",
    })?;
    let name = ObjectName::Segment(id);
    let mut frame = SegmentFrame { domain, epoch: repo.keys().control().1, sealed: &[] };
    let listed = segment::encode_packs(packs);
    let mut message = bound(repo, "signed segment", &name, &frame);
    message.extend_from_slice(hash::digest(&listed).as_bytes());
    let plain = [signing.sign(&message).as_slice(), &listed].concat();
    drop((message, listed));
    let sealed = aead::seal(&index_key, &bound(repo, "segment", &name, &frame), &plain);
    if sealed.len() >= SEGMENT_MAX_BYTES {
        // Nobody would read it: whoever lists packs ends a segment before that.
        let why = format!("{} would have {} bytes", name.key(), sealed.len());
        return Err(RepoError::Refused { why });
    }
    frame.sealed = &sealed;
    repo.store().put_new(&name, Bytes::from(frame.encode()))?;
    Ok(())
}

/// A segment as the key in use sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SegmentView {
    /// What it lists; whoever signed it may say so.
    Open(Vec<SegmentPack>),
    /// The same, but the record of its client cannot be read: good for reading, where ids are
    /// computed again, and for nothing else.
    Unsigned(Vec<SegmentPack>),
    /// It belongs to a dedup domain that is closed to this key.
    Closed {
        /// The domain.
        domain: u32,
    },
}

/// Reads a segment.
///
/// # Errors
/// [`RepoError::Corrupt`] if it is damaged, forged, or lists what its client may not list; errors of
/// the store.
pub fn get_segment(repo: &Repo, id: SegmentId) -> Result<SegmentView, RepoError> {
    let name = ObjectName::Segment(id);
    let unsigned = RefCell::new(None);
    let view = repo.store().get_genuine(&name, SEGMENT_MAX_BYTES as u64, |bytes| {
        match open(repo, id, bytes)? {
            // There may be one under another code of the name whose signature can be verified.
            SegmentView::Unsigned(packs) => {
                unsigned.replace(Some(packs));
                Err(RepoError::corrupt(&name.key(), "the record of its client cannot be read"))
            }
            view => Ok(view),
        }
    });
    match (view, unsigned.into_inner()) {
        (Err(RepoError::Corrupt { .. }), Some(packs)) => Ok(SegmentView::Unsigned(packs)),
        (view, _) => view,
    }
}

fn open(repo: &Repo, id: SegmentId, bytes: Bytes) -> Result<SegmentView, RepoError> {
    let name = ObjectName::Segment(id);
    let key = name.key();
    let frame = segment::decode_frame(&bytes).map_err(|e| RepoError::envelope(&key, &e))?;
    let domain = frame.domain;
    let index_key = repo.keys().index_key_in(frame.epoch, domain, &key)?;
    let Some(index_key) = index_key else {
        return Ok(SegmentView::Closed { domain });
    };
    let plain = aead::open(&index_key, &bound(repo, "segment", &name, &frame), frame.sealed)
        .map_err(|_| {
            RepoError::corrupt(&key, "it does not open with the key of this repository")
        })?;
    let mut message = bound(repo, "signed segment", &name, &frame);
    // A full one has 8 MiB, and its tables take as much again.
    drop(bytes);
    let (signature, listed) = split_signed(&plain).map_err(|e| RepoError::codec(&key, &e))?;
    let packs = segment::decode_packs(listed, domain).map_err(|e| RepoError::codec(&key, &e))?;
    let client = match writer(repo, id.session.client(), domain, &key) {
        Ok(client) => client,
        // The record itself, not what it says of the segment.
        Err(error) if is_about_another(&error, &key) => return Ok(SegmentView::Unsigned(packs)),
        Err(error) => return Err(error),
    };
    message.extend_from_slice(hash::digest(listed).as_bytes());
    verify(&client.verifying_key, &message, &signature)
        .map_err(|_| RepoError::corrupt(&key, WRONG_SIGNATURE))?;
    require_own(&client, &packs, &key)?;
    Ok(SegmentView::Open(packs))
}

/// Whether reading the record of a client failed for good.
fn is_about_another(error: &RepoError, key: &str) -> bool {
    match error {
        RepoError::Corrupt { key: about, .. } => about != key,
        other => matches!(other.class(), ErrorClass::Missing | ErrorClass::Newer),
    }
}

/// A backup client lists its own packs; a collector lists any.
fn require_own(client: &Client, packs: &[SegmentPack], key: &str) -> Result<(), RepoError> {
    let owns = |pack: &SegmentPack| pack.pack.session.client() == client.client;
    match client.role == Role::Backup && !packs.iter().all(owns) {
        true => Err(RepoError::corrupt(key, "it lists packs of another client")),
        false => Ok(()),
    }
}
