//! Typed ids, so that a chunk is never taken for a session: one macro makes them all.
//!
//! Written in lower-case hexadecimal wherever a person or an object name sees them.

use std::fmt;

/// A text is not an id of the wanted kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not a {kind} ({hex_digits} hexadecimal digits)")]
pub struct ParseIdError {
    /// What was read, cut to a printable length.
    pub text: String,
    /// The kind of id that was wanted.
    pub kind: &'static str,
    /// How many digits such an id has.
    pub hex_digits: usize,
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $bytes:literal, $kind:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name([u8; $bytes]);

        impl $name {
            /// Length in bytes; in hexadecimal twice as many digits.
            pub const LEN: usize = $bytes;

            /// Wraps raw bytes.
            #[must_use]
            pub const fn new(bytes: [u8; $bytes]) -> Self {
                Self(bytes)
            }

            /// The raw bytes.
            #[must_use]
            pub const fn as_bytes(&self) -> &[u8; $bytes] {
                &self.0
            }

            /// Parses lower-case hexadecimal of exactly the right length.
            ///
            /// # Errors
            /// [`ParseIdError`] for anything else.
            pub fn from_hex(text: &str) -> Result<Self, ParseIdError> {
                let mut bytes = [0; $bytes];
                match decode_hex(text.as_bytes(), &mut bytes) {
                    true => Ok(Self(bytes)),
                    false => Err(ParseIdError {
                        text: text.chars().take(80).collect(),
                        kind: $kind,
                        hex_digits: 2 * $bytes,
                    }),
                }
            }

            /// The first eight digits, for people.
            #[must_use]
            pub fn short(&self) -> String {
                encode_hex(&self.0[..4])
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str(&encode_hex(&self.0))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(out, "{}({})", $kind, encode_hex(&self.0))
            }
        }

        impl<C> minicbor::Encode<C> for $name {
            fn encode<W: minicbor::encode::Write>(
                &self,
                encoder: &mut minicbor::Encoder<W>,
                _: &mut C,
            ) -> Result<(), minicbor::encode::Error<W::Error>> {
                encoder.bytes(&self.0)?;
                Ok(())
            }
        }

        impl<'b, C> minicbor::Decode<'b, C> for $name {
            fn decode(
                decoder: &mut minicbor::Decoder<'b>,
                _: &mut C,
            ) -> Result<Self, minicbor::decode::Error> {
                let bytes = decoder.bytes()?;
                let array = bytes
                    .try_into()
                    .map_err(|_| minicbor::decode::Error::message(concat!($kind, " of wrong length")))?;
                Ok(Self(array))
            }
        }
    };
}

id!(
    /// Names a repository; random, drawn at its creation.
    RepositoryId, 16, "repository id"
);
id!(
    /// Names a chunk or a tree node: keyed BLAKE3 over its bytes, with a key for each kind.
    ChunkId, 32, "chunk id"
);

/// The id of no chunk, where one is not known.
impl Default for ChunkId {
    fn default() -> Self {
        Self([0; 32])
    }
}

id!(
    /// Names an enrolled machine or service identity; random.
    ClientId, 8, "client id"
);
id!(
    /// Names a key slot; random.
    SlotId, 8, "slot id"
);
id!(
    /// Names an invitation of a machine; random.
    InvitationId, 8, "invitation id"
);
id!(
    /// Names a hold; random.
    HoldId, 8, "hold id"
);
id!(
    /// A random part of an object name that is used once.
    Nonce8, 8, "random part"
);
id!(
    /// Names a run of a job: hour u32 big-endian, number u32 big-endian, random 8.
    RunId, 16, "run id"
);
id!(
    /// A plain BLAKE3 hash, of an object or of a record.
    Digest, 32, "digest"
);
id!(
    /// Names a session: client (8), sequence (8, big-endian), random (8). A snapshot bears the id
    /// of the session that committed it.
    SessionId, 24, "session id"
);

id!(
    /// Names one run of a collector: client (8), random (8). Never used twice.
    GenerationId, 16, "generation id"
);

impl GenerationId {
    /// Joins the two parts.
    #[must_use]
    pub fn from_parts(client: ClientId, random: Nonce8) -> Self {
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(client.as_bytes());
        bytes[8..].copy_from_slice(random.as_bytes());
        Self(bytes)
    }

    /// The client that collects.
    #[must_use]
    pub fn client(&self) -> ClientId {
        let mut bytes = [0; 8];
        bytes.copy_from_slice(&self.0[..8]);
        ClientId(bytes)
    }

    /// The random part.
    #[must_use]
    pub fn random(&self) -> Nonce8 {
        let mut bytes = [0; 8];
        bytes.copy_from_slice(&self.0[8..]);
        Nonce8(bytes)
    }
}

impl SessionId {
    /// Joins the three parts.
    #[must_use]
    pub fn from_parts(client: ClientId, sequence: u64, random: Nonce8) -> Self {
        let mut bytes = [0; 24];
        bytes[..8].copy_from_slice(client.as_bytes());
        bytes[8..16].copy_from_slice(&sequence.to_be_bytes());
        bytes[16..].copy_from_slice(random.as_bytes());
        Self(bytes)
    }

    /// The client that opened the session.
    #[must_use]
    pub fn client(&self) -> ClientId {
        let mut bytes = [0; 8];
        bytes.copy_from_slice(&self.0[..8]);
        ClientId(bytes)
    }

    /// The client's running number of the session.
    #[must_use]
    pub fn sequence(&self) -> u64 {
        let mut bytes = [0; 8];
        bytes.copy_from_slice(&self.0[8..16]);
        u64::from_be_bytes(bytes)
    }

    /// The id as people see it: random part first, because only that part tells two snapshots of
    /// one client apart in the first digits.
    #[must_use]
    pub fn to_snapshot_hex(&self) -> String {
        encode_hex(&self.0[16..]) + &encode_hex(&self.0[..16])
    }

    /// Reads the form of [`SessionId::to_snapshot_hex`].
    ///
    /// # Errors
    /// [`ParseIdError`] if the text is not 48 hexadecimal digits.
    pub fn from_snapshot_hex(text: &str) -> Result<Self, ParseIdError> {
        let turned = Self::from_hex(text)?;
        let mut bytes = [0; 24];
        bytes[..16].copy_from_slice(&turned.0[8..]);
        bytes[16..].copy_from_slice(&turned.0[..8]);
        Ok(Self(bytes))
    }
}

/// What a pack holds; decides which key opens it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PackKind {
    /// File content.
    Data,
    /// Tree nodes: names, metadata, extents.
    Tree,
}

impl PackKind {
    /// The byte that stands for the kind in headers, tables and hashes.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::Data => 1,
            Self::Tree => 2,
        }
    }

    /// The kind of a byte, if it is one.
    #[must_use]
    pub const fn from_code(code: u8) -> Option<Self> {
        match code {
            1 => Some(Self::Data),
            2 => Some(Self::Tree),
            _ => None,
        }
    }

    /// First component of the key of such packs.
    #[must_use]
    pub const fn prefix(self) -> &'static str {
        match self {
            Self::Data => "data",
            Self::Tree => "tree",
        }
    }
}

/// Names a pack: kind, owner session, counter within it, random part. Never re-used and never
/// derived from content, so a late or repeated request can never hit somebody else's pack.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PackId {
    /// What the pack holds.
    pub kind: PackKind,
    /// The session that wrote it.
    pub session: SessionId,
    /// Running number within the session.
    pub counter: u32,
    /// Random part.
    pub random: Nonce8,
}

impl PackId {
    /// Encoded length in bytes.
    pub const LEN: usize = 1 + SessionId::LEN + 4 + Nonce8::LEN;

    /// kind u8 ‖ session 24 ‖ counter u32 big-endian ‖ random 8.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; Self::LEN] {
        let mut bytes = [0; Self::LEN];
        bytes[0] = self.kind.code();
        bytes[1..25].copy_from_slice(self.session.as_bytes());
        bytes[25..29].copy_from_slice(&self.counter.to_be_bytes());
        bytes[29..].copy_from_slice(self.random.as_bytes());
        bytes
    }

    /// Reads the form of [`PackId::to_bytes`]; `None` for an unknown kind.
    #[must_use]
    pub fn from_bytes(bytes: &[u8; Self::LEN]) -> Option<Self> {
        let kind = PackKind::from_code(bytes[0])?;
        let session = SessionId(bytes[1..25].try_into().ok()?);
        let counter = u32::from_be_bytes(bytes[25..29].try_into().ok()?);
        let random = Nonce8(bytes[29..].try_into().ok()?);
        Some(Self { kind, session, counter, random })
    }
}

/// Names a segment of the index: session, counter within it, random part. The random part keeps
/// somebody who sees a session begin from taking the place of its segments.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SegmentId {
    /// The session that wrote it.
    pub session: SessionId,
    /// Running number within the session.
    pub number: u32,
    /// Random part.
    pub random: Nonce8,
}

impl SegmentId {
    /// Encoded length in bytes.
    pub const LEN: usize = SessionId::LEN + 4 + Nonce8::LEN;

    /// session 24 ‖ number u32 big-endian ‖ random 8.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; Self::LEN] {
        let mut bytes = [0; Self::LEN];
        bytes[..24].copy_from_slice(self.session.as_bytes());
        bytes[24..28].copy_from_slice(&self.number.to_be_bytes());
        bytes[28..].copy_from_slice(self.random.as_bytes());
        bytes
    }

    /// Reads the form of [`SegmentId::to_bytes`].
    #[must_use]
    pub fn from_bytes(bytes: &[u8; Self::LEN]) -> Self {
        let (mut session, mut number, mut random) = ([0; 24], [0; 4], [0; 8]);
        session.copy_from_slice(&bytes[..24]);
        number.copy_from_slice(&bytes[24..28]);
        random.copy_from_slice(&bytes[28..]);
        let (session, random) = (SessionId(session), Nonce8(random));
        Self { session, number: u32::from_be_bytes(number), random }
    }
}

impl<C> minicbor::Encode<C> for SegmentId {
    fn encode<W: minicbor::encode::Write>(
        &self,
        encoder: &mut minicbor::Encoder<W>,
        _: &mut C,
    ) -> Result<(), minicbor::encode::Error<W::Error>> {
        encoder.bytes(&self.to_bytes())?.ok()
    }
}

impl<'b, C> minicbor::Decode<'b, C> for SegmentId {
    fn decode(
        decoder: &mut minicbor::Decoder<'b>,
        _: &mut C,
    ) -> Result<Self, minicbor::decode::Error> {
        let bytes: &[u8; Self::LEN] = decoder
            .bytes()?
            .try_into()
            .map_err(|_| minicbor::decode::Error::message("name of a segment of wrong length"))?;
        Ok(Self::from_bytes(bytes))
    }
}

/// Lower-case hexadecimal of any bytes.
#[must_use]
pub fn encode_hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        text.push(char::from(DIGITS[usize::from(byte >> 4)]));
        text.push(char::from(DIGITS[usize::from(byte & 15)]));
    }
    text
}

fn decode_hex(text: &[u8], out: &mut [u8]) -> bool {
    fn digit(byte: u8) -> Option<u8> {
        match byte {
            b'0'..=b'9' => Some(byte - b'0'),
            b'a'..=b'f' => Some(byte - b'a' + 10),
            _ => None,
        }
    }
    if text.len() != out.len() * 2 {
        return false;
    }
    for (pair, byte) in text.chunks_exact(2).zip(out) {
        let (Some(high), Some(low)) = (digit(pair[0]), digit(pair[1])) else { return false };
        *byte = high << 4 | low;
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hex_round_trips_and_refuses_other_spellings() {
        let id = ClientId::new([0, 1, 0xab, 0xff, 5, 6, 7, 8]);
        assert_eq!(id.to_string(), "0001abff05060708");
        assert_eq!(ClientId::from_hex("0001abff05060708"), Ok(id));
        assert!(ClientId::from_hex("0001ABFF05060708").is_err());
        assert!(ClientId::from_hex("0001abff0506070").is_err());
        assert!(ClientId::from_hex("0001abff0506070g").is_err());
    }

    #[test]
    fn session_id_keeps_its_parts_and_its_two_spellings() {
        let id = SessionId::from_parts(ClientId::new([1; 8]), 7, Nonce8::new([9; 8]));
        assert_eq!(id.client(), ClientId::new([1; 8]));
        assert_eq!(id.sequence(), 7);
        assert!(id.to_snapshot_hex().starts_with("0909090909090909"));
        assert_eq!(SessionId::from_snapshot_hex(&id.to_snapshot_hex()), Ok(id));
    }

    #[test]
    fn pack_id_round_trips_through_bytes() {
        let session = SessionId::from_parts(ClientId::new([1; 8]), 7, Nonce8::new([9; 8]));
        let pack =
            PackId { kind: PackKind::Tree, session, counter: 3, random: Nonce8::new([4; 8]) };
        assert_eq!(PackId::from_bytes(&pack.to_bytes()), Some(pack));
        let mut wrong = pack.to_bytes();
        wrong[0] = 9;
        assert_eq!(PackId::from_bytes(&wrong), None);
        let segment = SegmentId { session, number: 3, random: Nonce8::new([4; 8]) };
        assert_eq!(SegmentId::from_bytes(&segment.to_bytes()), segment);
    }
}
