//! Records below `gc/`: what a collector is about to delete, what it decided, how it ended.
//!
//! A *generation* is one run of one collector; its id begins with the collector's client id. Each
//! record is one object, so it is there whole or not at all; a generation names at most
//! [`GENERATION_MAX_PACKS`] packs, and what is left over waits for the next one.

use std::collections::BTreeMap;

use minicbor::decode::Error as DecodeError;
use minicbor::{Decode, Decoder, Encode, Encoder};

use crate::base::id::{ClientId, GenerationId, Nonce8, PackId, PackKind, SegmentId, SessionId};
use crate::base::limits::GENERATION_MAX_PACKS;
use crate::base::time::Timestamp;

/// Bytes of a pack within its group: counter u32 big-endian ‖ random part 8.
const MEMBER_BYTES: usize = 4 + Nonce8::LEN;

/// A set of packs, kept and stored by owner: twelve bytes a pack.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PackSet {
    groups: BTreeMap<(PackKind, SessionId), Vec<(u32, Nonce8)>>,
}

impl PackSet {
    /// Adds a pack; answers whether it was new.
    pub fn insert(&mut self, pack: PackId) -> bool {
        let group = self.groups.entry((pack.kind, pack.session)).or_default();
        match group.binary_search(&(pack.counter, pack.random)) {
            Ok(_) => false,
            Err(at) => {
                group.insert(at, (pack.counter, pack.random));
                true
            }
        }
    }

    /// Adds all packs of another set.
    pub fn extend(&mut self, other: &Self) {
        other.iter().for_each(|pack| {
            self.insert(pack);
        });
    }

    /// Whether the pack is in it.
    #[must_use]
    pub fn contains(&self, pack: &PackId) -> bool {
        self.groups
            .get(&(pack.kind, pack.session))
            .is_some_and(|group| group.binary_search(&(pack.counter, pack.random)).is_ok())
    }

    /// Whether nothing is in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.groups.is_empty()
    }

    /// How many packs are in it.
    #[must_use]
    pub fn len(&self) -> usize {
        self.groups.values().map(Vec::len).sum()
    }

    /// All packs, sorted by kind, session and counter.
    pub fn iter(&self) -> impl Iterator<Item = PackId> + '_ {
        self.groups.iter().flat_map(|((kind, session), group)| {
            let whole = |(counter, random): &(u32, Nonce8)| PackId {
                kind: *kind,
                session: *session,
                counter: *counter,
                random: *random,
            };
            group.iter().map(whole)
        })
    }
}

impl FromIterator<PackId> for PackSet {
    fn from_iter<I: IntoIterator<Item = PackId>>(packs: I) -> Self {
        let mut set = Self::default();
        packs.into_iter().for_each(|pack| {
            set.insert(pack);
        });
        set
    }
}

impl<C> Encode<C> for PackSet {
    fn encode<W: minicbor::encode::Write>(
        &self,
        encoder: &mut Encoder<W>,
        context: &mut C,
    ) -> Result<(), minicbor::encode::Error<W::Error>> {
        encoder.array(self.groups.len() as u64)?;
        for ((kind, session), group) in &self.groups {
            let mut members = Vec::with_capacity(group.len() * MEMBER_BYTES);
            for (counter, random) in group {
                members.extend_from_slice(&counter.to_be_bytes());
                members.extend_from_slice(random.as_bytes());
            }
            encoder.array(3)?.u8(kind.code())?;
            session.encode(encoder, context)?;
            encoder.bytes(&members)?;
        }
        Ok(())
    }
}

impl<'b, C> Decode<'b, C> for PackSet {
    fn decode(decoder: &mut Decoder<'b>, context: &mut C) -> Result<Self, DecodeError> {
        let wrong = DecodeError::message;
        let count = decoder.array()?.ok_or(wrong("packs of no stated number"))?;
        let (mut groups, mut pack_count) = (BTreeMap::new(), 0);
        for _ in 0..count {
            if decoder.array()? != Some(3) {
                return Err(wrong("a group of packs has another form"));
            }
            let kind = PackKind::from_code(decoder.u8()?).ok_or(wrong("kind of a pack"))?;
            let owner = (kind, SessionId::decode(decoder, context)?);
            let group = members(decoder.bytes()?)?;
            pack_count += group.len();
            if pack_count > GENERATION_MAX_PACKS {
                return Err(wrong("too many packs"));
            }
            if groups.last_key_value().is_some_and(|(last, _)| *last >= owner) {
                return Err(wrong("groups of packs do not rise"));
            }
            groups.insert(owner, group);
        }
        Ok(Self { groups })
    }
}

fn members(bytes: &[u8]) -> Result<Vec<(u32, Nonce8)>, DecodeError> {
    let (chunks, rest) = bytes.as_chunks::<MEMBER_BYTES>();
    if chunks.is_empty() || !rest.is_empty() {
        return Err(DecodeError::message("a group of packs has another length"));
    }
    let mut group: Vec<(u32, Nonce8)> = Vec::with_capacity(chunks.len());
    for [a, b, c, d, random @ ..] in chunks {
        let member = (u32::from_be_bytes([*a, *b, *c, *d]), Nonce8::new(*random));
        if group.last().is_some_and(|last| *last >= member) {
            return Err(DecodeError::message("packs do not rise"));
        }
        group.push(member);
    }
    Ok(group)
}

/// `gc/<gid>.condemn`: what the collector may delete. Put up before it looks who is running.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Condemn {
    /// The generation.
    #[n(0)]
    pub generation: GenerationId,
    /// When, by the collector's clock; for people.
    #[n(1)]
    pub started: Timestamp,
    /// Program and version.
    #[n(2)]
    pub program: String,
    /// Whether its owner ended on purpose after this record: it only announces, so that a later
    /// generation may delete after the grace. Anybody may close it.
    #[cbor(n(3), default, skip_if = "std::ops::Not::not")]
    pub is_announcement: bool,
    /// What is condemned.
    #[n(4)]
    pub packs: PackSet,
}

/// `gc/<gid>.sweep`: what the collector will delete, unless somebody closed its generation.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Sweep {
    /// The generation.
    #[n(0)]
    pub generation: GenerationId,
    /// What will be deleted: some of what was condemned.
    #[n(1)]
    pub packs: PackSet,
    /// Segments that will be replaced: a reader that knows them need not miss them.
    #[cbor(n(2), default, skip_if = "Vec::is_empty")]
    pub segments: Vec<SegmentId>,
}

/// `gc/<gid>.void`: the owner deletes nothing, ever. `gc/<gid>.done`: everything is deleted.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Ending {
    /// The generation.
    #[n(0)]
    pub generation: GenerationId,
    /// Why, or what was done; for people.
    #[n(1)]
    pub detail: String,
}

/// `gc/<gid>.close-<r>`: somebody asks a silent generation to give up. `gc/<gid>.closed-<r>`: its
/// sweep was not there after that, so it never deletes anything.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Close {
    /// The generation that is closed.
    #[n(0)]
    pub generation: GenerationId,
    /// Who closes it.
    #[n(1)]
    pub by: ClientId,
    /// Why, for people.
    #[n(2)]
    pub reason: String,
}

/// `gc/past-<n>-<r>`: what finished generations deleted, so that their records can go.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Base {
    /// Who wrote it.
    #[n(0)]
    pub by: ClientId,
    /// Finished generations whose packs are in it; their records may still be there.
    #[n(1)]
    pub generations: Vec<GenerationId>,
    /// Everything they deleted: excluded for ever.
    #[n(2)]
    pub packs: PackSet,
    /// Generations that somebody gave up, because their records could not be read. What they deleted
    /// nobody knows, so whoever takes this in asks the store which packs there are.
    #[cbor(n(3), default, skip_if = "Vec::is_empty")]
    pub given_up: Vec<GenerationId>,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::format::envelope::{decode_record, encode_record};

    fn pack(kind: PackKind, session: u8, counter: u32, random: u8) -> PackId {
        let session = SessionId::new([session; 24]);
        PackId { kind, session, counter, random: Nonce8::new([random; 8]) }
    }

    proptest! {
        #[test]
        fn a_set_is_what_was_put_into_it(
            members in proptest::collection::vec((any::<bool>(), 0..3_u8, 0..9_u32, 0..2_u8), 0..40),
        ) {
            let members: Vec<_> = members.into_iter().map(|(is_tree, session, counter, random)| {
                let kind = if is_tree { PackKind::Tree } else { PackKind::Data };
                pack(kind, session, counter, random)
            }).collect();
            let set: PackSet = members.iter().copied().collect();
            let mut sorted = members.clone();
            sorted.sort();
            sorted.dedup();
            prop_assert_eq!(set.iter().collect::<Vec<_>>(), sorted);
            prop_assert!(members.iter().all(|member| set.contains(member)));
            prop_assert!(!set.contains(&pack(PackKind::Data, 9, 0, 0)));
            let bytes = encode_record(&set);
            prop_assert_eq!(decode_record::<PackSet>(&bytes, "packs"), Ok(set));
        }
    }

    #[test]
    fn a_hundred_thousand_packs_are_a_record_of_little_over_a_megabyte() {
        let packs = (0..100_000).map(|n| pack(PackKind::Data, (n % 200) as u8, n, 1)).collect();
        let record = Condemn {
            generation: GenerationId::new([1; 16]),
            started: Timestamp::default(),
            program: "mainstay".to_owned(),
            is_announcement: false,
            packs,
        };
        let bytes = encode_record(&record);
        assert!(bytes.len() < 1_300_000, "{} bytes", bytes.len());
        assert_eq!(decode_record::<Condemn>(&bytes, "condemn"), Ok(record));
    }

    #[test]
    fn sets_in_another_form_are_refused() {
        let group = |kind: u8, session: u8, members: &[u8]| {
            let mut bytes = vec![0x83, kind, 0x58, 24];
            bytes.extend([session; 24]);
            bytes.push(0x40 + members.len() as u8);
            bytes.extend(members);
            bytes
        };
        let refused = |groups: &[Vec<u8>]| {
            let mut bytes = vec![0x80 + groups.len() as u8];
            groups.iter().for_each(|group| bytes.extend(group));
            decode_record::<PackSet>(&bytes, "packs").is_err()
        };
        assert!(!refused(&[group(1, 1, &[0; 12]), group(1, 2, &[0; 12]), group(2, 1, &[0; 12])]));
        assert!(refused(&[group(1, 2, &[0; 12]), group(1, 1, &[0; 12])]), "not rising");
        assert!(refused(&[group(1, 1, &[0; 12]), group(1, 1, &[1; 12])]), "twice");
        assert!(refused(&[group(3, 1, &[0; 12])]), "of no kind");
        assert!(refused(&[group(1, 1, &[])]), "empty");
        assert!(refused(&[group(1, 1, &[0; 13])]), "of another length");
        // Twice the same member needs a length of 24: one head byte more.
        let mut twice = vec![0x81, 0x83, 1, 0x58, 24];
        twice.extend([1; 24]);
        twice.extend([0x58, 24]);
        twice.extend([0; 24]);
        assert!(decode_record::<PackSet>(&twice, "packs").is_err(), "a member twice");
    }
}
