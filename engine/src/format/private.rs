//! The part of a snapshot record that only those may read who may read names: root, problems,
//! details. It is sealed to the tree key pair, so that a machine that backs up can write it and not
//! read it back.
//!
//! `encapsulation length u16 | encapsulation | sealed key 48 | sealed record`. The id of a root would
//! let everybody who reads records claim to have that node; paths of problems are names.

use minicbor::{Decode, Encode};

use crate::base::codec::{CodecError, Cursor, PutLe};
use crate::base::id::ChunkId;
use crate::base::limits::SNAPSHOT_MAX_PROBLEMS;
use crate::format::facts::Details;
use crate::format::pack::ENCAPSULATION_MAX_BYTES;
use crate::format::snapshot::{RecordedProblem, SEALED_ROOT, Snapshot};

/// What is stored under `snap/<sid>.commit`, signed by the client.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Commit {
    /// What every role reads: root, problems and details are not in it.
    #[n(0)]
    pub readable: Snapshot,
    /// A [`SealedPart`].
    #[cbor(n(1), with = "minicbor::bytes")]
    pub sealed: Vec<u8>,
}

impl Snapshot {
    /// Takes out what only those may read who may read names.
    pub fn take_private(&mut self) -> Private {
        Private {
            root: std::mem::replace(&mut self.root, SEALED_ROOT),
            problems: std::mem::take(&mut self.problems),
            details: std::mem::take(&mut self.details),
        }
    }

    /// Puts it back.
    pub fn put_private(&mut self, private: Private) {
        self.root = private.root;
        self.problems = private.problems;
        self.details = private.details;
    }

    /// Whether a part that only a few may read lies open in it.
    #[must_use]
    pub fn tells_too_much(&self) -> bool {
        !self.is_sealed() || !self.problems.is_empty() || !self.details.is_empty()
    }
}

/// What is sealed.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Private {
    /// Root node of the tree of entries.
    #[n(0)]
    pub root: ChunkId,
    /// The first problems.
    #[cbor(n(1), default, skip_if = "Vec::is_empty")]
    pub problems: Vec<RecordedProblem>,
    /// What the content is made of.
    #[cbor(n(2), default, skip_if = "Details::is_empty")]
    pub details: Details,
}

impl Private {
    /// Whether it has no more and no longer parts than it may have.
    #[must_use]
    pub fn is_bounded(&self) -> bool {
        self.problems.len() <= SNAPSHOT_MAX_PROBLEMS && self.details.is_bounded()
    }
}

/// The sealed part and what opens it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedPart {
    /// HPKE encapsulation.
    pub encapsulation: Vec<u8>,
    /// The key of the record, sealed to the public half of the tree pair.
    pub sealed_key: [u8; 48],
    /// Nonce, ciphertext and tag of a [`Private`] record.
    pub sealed: Vec<u8>,
}

impl SealedPart {
    /// The bytes of it.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(50 + self.encapsulation.len() + self.sealed.len());
        bytes.put_u16(self.encapsulation.len() as u16);
        bytes.put(&self.encapsulation);
        bytes.put(&self.sealed_key);
        bytes.put(&self.sealed);
        bytes
    }

    /// Reads it.
    ///
    /// # Errors
    /// A truncation, or an encapsulation longer than any.
    pub fn decode(bytes: &[u8]) -> Result<Self, CodecError> {
        let mut cursor = Cursor::new(bytes);
        let length = usize::from(cursor.u16()?);
        if length > ENCAPSULATION_MAX_BYTES {
            return Err(CodecError::Range { what: "length of the encapsulation" });
        }
        let encapsulation = cursor.take(length)?.to_vec();
        let sealed_key = cursor.array()?;
        let sealed = cursor.take(cursor.remaining())?.to_vec();
        Ok(Self { encapsulation, sealed_key, sealed })
    }
}
