//! The grammar of object keys: the only file that knows how keys are spelled.
//!
//! Every name holds a random part or a random id, so no two writers ever share a key and none is
//! used twice. Parsing is strict: a key that would be spelled otherwise is none of ours.

use std::fmt;

use crate::base::id::{
    ClientId, GenerationId, HoldId, InvitationId, Nonce8, PackId, PackKind, RepositoryId,
    SegmentId, SessionId, SlotId,
};

/// What keys begin with; each ends so that listing it finds exactly one kind of object.
pub mod prefix {
    /// Repository configurations; exactly one is expected.
    pub const CONFIG: &str = "config-";
    /// Key slots.
    pub const SLOTS: &str = "keys/";
    /// Client registrations.
    pub const CLIENTS: &str = "clients/";
    /// Registrations of sessions.
    pub const SESSIONS: &str = "sess/";
    /// Packs of file content.
    pub const DATA: &str = "data/";
    /// Packs of tree nodes.
    pub const TREE: &str = "tree/";
    /// Index segments.
    pub const INDEX: &str = "index/";
    /// Outcomes of sessions.
    pub const SNAPSHOTS: &str = "snap/";
    /// Records of collections.
    pub const COLLECTIONS: &str = "gc/";
    /// Records of past collections. Sorts after every generation id: whoever lists too late for
    /// records that were folded sees what they were folded into.
    pub const PAST: &str = "gc/past-";
    /// Tombstones of forgotten snapshots.
    pub const TOMBS: &str = "tomb/";
    /// Holds and their releases.
    pub const HOLDS: &str = "hold/";
    /// Tags that were changed after a snapshot was made.
    pub const TAGS: &str = "tag/";
    /// Signed records of what was proved.
    pub const EVIDENCE: &str = "evidence/";
    /// What became of runs; sorts by the hour in which they began.
    pub const RUNS: &str = "run/";
    /// How machines are set up.
    pub const CONFIGURATIONS: &str = "conf/";
    /// Which key slots there are.
    pub const SLOT_SETS: &str = "slots/";
    /// New keys.
    pub const EPOCHS: &str = "epochs/";
    /// Invitations that were taken.
    pub const JOINS: &str = "join/";
    /// History that was folded.
    pub const FOLDS: &str = "fold/";
    /// Where snapshots came from.
    pub const COPIED: &str = "copied/";
    /// How long objects are locked.
    pub const LOCKS: &str = "lock/";
    /// What a second person agreed to.
    pub const CONSENTS: &str = "consent/";
}

/// What stands behind a name, in its key in the store. See [`code`](crate::store::code).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Coding {
    /// Nothing: whoever reads the object needs no key to name it.
    None,
    /// A code that every role can make.
    Name,
    /// The same; and half of this random part is a code that only maintain and admin can make.
    Keeper(Nonce8),
}

/// The name of an object in a repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ObjectName {
    /// The configuration of a repository.
    Config(RepositoryId),
    /// A key slot.
    Slot(SlotId),
    /// The registration of a client.
    Client(ClientId),
    /// A client is revoked, with its random part.
    Revoked(ClientId, Nonce8),
    /// The registration of a session.
    Session(SessionId),
    /// A pack, of content or of tree nodes.
    Pack(PackId),
    /// A segment of the index.
    Segment(SegmentId),
    /// The commit flag of a session: its snapshot record. Its random part tells twins apart.
    Commit(SessionId, Nonce8),
    /// Says that the commit was seen without a fence.
    Confirm(SessionId),
    /// A fencer's flag, with its random part.
    Fence(SessionId, Nonce8),
    /// A fencer's decision, with its random part.
    Final(SessionId, Nonce8),
    /// A tombstone. Its random part lets nobody take the place of a genuine one.
    Tomb(SessionId, Nonce8),
    /// A hold.
    Hold(HoldId),
    /// The release of a hold.
    Release(HoldId, Nonce8),
    /// A tag record.
    Tags(SessionId, Nonce8),
    /// What a generation may delete.
    Condemn(GenerationId),
    /// What a generation will delete.
    Sweep(GenerationId),
    /// A generation deletes nothing.
    Void(GenerationId),
    /// A generation has deleted everything.
    Done(GenerationId),
    /// A successor's flag, with its random part.
    Close(GenerationId, Nonce8),
    /// A successor's decision, with its random part.
    Closed(GenerationId, Nonce8),
    /// What past generations deleted.
    Past {
        /// Higher than that of every record that it replaces.
        number: u32,
        /// Random part.
        random: Nonce8,
    },
    /// What became of a run.
    Run {
        /// Hours since 1970 in which it began.
        hour: u32,
        /// The client that ran.
        writer: ClientId,
        /// Its running number.
        number: u32,
        /// Random part.
        random: Nonce8,
    },
    /// How a machine is set up.
    Conf {
        /// The client on it.
        writer: ClientId,
        /// Higher than that of every record that it replaces.
        number: u32,
        /// Random part.
        random: Nonce8,
    },
    /// Which key slots there are.
    SlotSet {
        /// Higher than that of every set that it replaces.
        number: u32,
        /// Random part.
        random: Nonce8,
    },
    /// New keys; the number of the epoch.
    Epoch(u32),
    /// An invitation was taken, with a random part.
    Join(InvitationId, Nonce8),
    /// History that was folded.
    Fold {
        /// Higher than that of every record that it replaces.
        number: u32,
        /// Random part.
        random: Nonce8,
    },
    /// Where the snapshot of a session came from, with a random part.
    Copied(SessionId, Nonce8),
    /// How long objects are locked.
    Lock {
        /// Higher than that of every record before it.
        number: u32,
        /// Random part.
        random: Nonce8,
    },
    /// A second person agrees, with a random part.
    Consent(Nonce8),
    /// One record of a writer's chain of evidence.
    Evidence {
        /// The client that wrote it.
        writer: ClientId,
        /// Its place in the chain, from 0.
        number: u32,
    },
}

impl ObjectName {
    /// What stands behind it in its key.
    #[must_use]
    pub fn coding(&self) -> Coding {
        match self {
            Self::Config(_) | Self::Slot(_) | Self::SlotSet { .. } | Self::Pack(_) => Coding::None,
            Self::Hold(hold) => Coding::Keeper(Nonce8::new(*hold.as_bytes())),
            Self::Tomb(_, random) | Self::Release(_, random) | Self::Consent(random) => {
                Coding::Keeper(*random)
            }
            _ => Coding::Name,
        }
    }

    /// How people are told of the commit of a session, whatever its random part is.
    #[must_use]
    pub fn commit_of(session: SessionId) -> String {
        format!("{}{session}.commit", prefix::SNAPSHOTS)
    }

    /// Its key below the location of the repository, without a code.
    #[must_use]
    pub fn key(&self) -> String {
        match self {
            Self::Config(id) => format!("{}{id}", prefix::CONFIG),
            Self::Slot(id) => format!("{}{id}", prefix::SLOTS),
            Self::Client(id) => format!("{}{id}", prefix::CLIENTS),
            Self::Revoked(id, random) => format!("{}{id}.revoked-{random}", prefix::CLIENTS),
            Self::Session(id) => format!("{}{id}", prefix::SESSIONS),
            Self::Pack(pack) => {
                let PackId { kind, session, counter, random } = pack;
                format!("{}/{session}/{counter:08x}-{random}", kind.prefix())
            }
            Self::Segment(SegmentId { session, number, random }) => {
                format!("{}{session}/{number:08x}-{random}", prefix::INDEX)
            }
            Self::Commit(id, random) => format!("{}{id}.commit-{random}", prefix::SNAPSHOTS),
            Self::Confirm(id) => format!("{}{id}.ok", prefix::SNAPSHOTS),
            Self::Fence(id, random) => format!("{}{id}.fence-{random}", prefix::SNAPSHOTS),
            Self::Final(id, random) => format!("{}{id}.final-{random}", prefix::SNAPSHOTS),
            Self::Tomb(id, random) => format!("{}{id}-{random}", prefix::TOMBS),
            Self::Hold(id) => format!("{}{id}", prefix::HOLDS),
            Self::Release(id, random) => format!("{}{id}.release-{random}", prefix::HOLDS),
            Self::Tags(id, random) => format!("{}{id}-{random}", prefix::TAGS),
            Self::Condemn(id) => format!("{}{id}.condemn", prefix::COLLECTIONS),
            Self::Sweep(id) => format!("{}{id}.sweep", prefix::COLLECTIONS),
            Self::Void(id) => format!("{}{id}.void", prefix::COLLECTIONS),
            Self::Done(id) => format!("{}{id}.done", prefix::COLLECTIONS),
            Self::Close(id, random) => format!("{}{id}.close-{random}", prefix::COLLECTIONS),
            Self::Closed(id, random) => format!("{}{id}.closed-{random}", prefix::COLLECTIONS),
            Self::Past { number, random } => format!("{}{number:08x}-{random}", prefix::PAST),
            Self::Run { hour, writer, number, random } => {
                format!("{}{hour:08x}/{writer}-{number:08x}-{random}", prefix::RUNS)
            }
            Self::Conf { writer, number, random } => {
                format!("{}{writer}/{number:08x}-{random}", prefix::CONFIGURATIONS)
            }
            Self::SlotSet { number, random } => {
                format!("{}{number:08x}-{random}", prefix::SLOT_SETS)
            }
            Self::Epoch(number) => format!("{}{number:08x}", prefix::EPOCHS),
            Self::Join(id, random) => format!("{}{id}-{random}", prefix::JOINS),
            Self::Fold { number, random } => format!("{}{number:08x}-{random}", prefix::FOLDS),
            Self::Copied(id, random) => format!("{}{id}-{random}", prefix::COPIED),
            Self::Lock { number, random } => format!("{}{number:08x}-{random}", prefix::LOCKS),
            Self::Consent(random) => format!("{}{random}", prefix::CONSENTS),
            Self::Evidence { writer, number } => {
                format!("{}{writer}/{number:08x}", prefix::EVIDENCE)
            }
        }
    }

    /// The name that is spelled `key`, a key without a code; `None` for every other one.
    #[must_use]
    pub fn parse(key: &str) -> Option<Self> {
        if let Some(id) = key.strip_prefix(prefix::CONFIG) {
            return RepositoryId::from_hex(id).ok().map(Self::Config);
        }
        let (folder, rest) = key.split_once('/')?;
        match folder {
            "keys" => SlotId::from_hex(rest).ok().map(Self::Slot),
            "clients" => parse_client(rest),
            "sess" => SessionId::from_hex(rest).ok().map(Self::Session),
            "data" => parse_pack(PackKind::Data, rest),
            "tree" => parse_pack(PackKind::Tree, rest),
            "index" => parse_numbered(rest).map(|(session, number, random)| {
                Self::Segment(SegmentId { session, number, random })
            }),
            "snap" => parse_outcome(rest),
            "tomb" => parse_mark(rest).map(|(session, random)| Self::Tomb(session, random)),
            "tag" => parse_mark(rest).map(|(session, random)| Self::Tags(session, random)),
            "hold" => parse_hold(rest),
            "gc" => parse_collection(rest),
            "run" => parse_run(rest),
            "conf" => {
                let (writer, file) = rest.split_once('/')?;
                let (number, random) = parse_drawn(file)?;
                Some(Self::Conf { writer: ClientId::from_hex(writer).ok()?, number, random })
            }
            "slots" => parse_drawn(rest).map(|(number, random)| Self::SlotSet { number, random }),
            "epochs" => parse_number(rest).map(Self::Epoch),
            "join" => {
                let (id, random) = rest.split_once('-')?;
                let random = Nonce8::from_hex(random).ok()?;
                Some(Self::Join(InvitationId::from_hex(id).ok()?, random))
            }
            "fold" => parse_drawn(rest).map(|(number, random)| Self::Fold { number, random }),
            "copied" => parse_mark(rest).map(|(session, random)| Self::Copied(session, random)),
            "lock" => parse_drawn(rest).map(|(number, random)| Self::Lock { number, random }),
            "consent" => Nonce8::from_hex(rest).ok().map(Self::Consent),
            "evidence" => {
                let (writer, number) = rest.split_once('/')?;
                let writer = ClientId::from_hex(writer).ok()?;
                Some(Self::Evidence { writer, number: parse_number(number)? })
            }
            _ => None,
        }
    }
}

impl fmt::Display for ObjectName {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.key())
    }
}

fn parse_pack(kind: PackKind, rest: &str) -> Option<ObjectName> {
    let (session, counter, random) = parse_numbered(rest)?;
    Some(ObjectName::Pack(PackId { kind, session, counter, random }))
}

/// Session, number and random part of a pack or a segment.
fn parse_numbered(rest: &str) -> Option<(SessionId, u32, Nonce8)> {
    let (session, file) = rest.split_once('/')?;
    let (number, random) = parse_drawn(file)?;
    Some((SessionId::from_hex(session).ok()?, number, random))
}

/// A number and a random part.
fn parse_drawn(text: &str) -> Option<(u32, Nonce8)> {
    let (number, random) = text.split_once('-')?;
    Some((parse_number(number)?, Nonce8::from_hex(random).ok()?))
}

fn parse_outcome(rest: &str) -> Option<ObjectName> {
    let (session, what) = rest.split_once('.')?;
    let session = SessionId::from_hex(session).ok()?;
    match what.split_once('-') {
        None if what == "ok" => Some(ObjectName::Confirm(session)),
        Some(("commit", random)) => {
            Some(ObjectName::Commit(session, Nonce8::from_hex(random).ok()?))
        }
        Some(("fence", random)) => Some(ObjectName::Fence(session, Nonce8::from_hex(random).ok()?)),
        Some(("final", random)) => Some(ObjectName::Final(session, Nonce8::from_hex(random).ok()?)),
        _ => None,
    }
}

fn parse_client(rest: &str) -> Option<ObjectName> {
    match rest.split_once(".revoked-") {
        None => ClientId::from_hex(rest).ok().map(ObjectName::Client),
        Some((id, random)) => {
            let random = Nonce8::from_hex(random).ok()?;
            Some(ObjectName::Revoked(ClientId::from_hex(id).ok()?, random))
        }
    }
}

fn parse_run(rest: &str) -> Option<ObjectName> {
    let (hour, file) = rest.split_once('/')?;
    let (writer, rest) = file.split_once('-')?;
    let (number, random) = rest.split_once('-')?;
    Some(ObjectName::Run {
        hour: parse_number(hour)?,
        writer: ClientId::from_hex(writer).ok()?,
        number: parse_number(number)?,
        random: Nonce8::from_hex(random).ok()?,
    })
}

fn parse_mark(rest: &str) -> Option<(SessionId, Nonce8)> {
    let (session, random) = rest.split_once('-')?;
    Some((SessionId::from_hex(session).ok()?, Nonce8::from_hex(random).ok()?))
}

fn parse_hold(rest: &str) -> Option<ObjectName> {
    match rest.split_once(".release-") {
        None => HoldId::from_hex(rest).ok().map(ObjectName::Hold),
        Some((hold, random)) => {
            Some(ObjectName::Release(HoldId::from_hex(hold).ok()?, Nonce8::from_hex(random).ok()?))
        }
    }
}

fn parse_collection(rest: &str) -> Option<ObjectName> {
    if let Some(past) = rest.strip_prefix("past-") {
        return parse_drawn(past).map(|(number, random)| ObjectName::Past { number, random });
    }
    let (generation, what) = rest.split_once('.')?;
    let generation = GenerationId::from_hex(generation).ok()?;
    let nonce = |random| Nonce8::from_hex(random).ok();
    match what.split_once('-') {
        None if what == "condemn" => Some(ObjectName::Condemn(generation)),
        None if what == "sweep" => Some(ObjectName::Sweep(generation)),
        None if what == "void" => Some(ObjectName::Void(generation)),
        None if what == "done" => Some(ObjectName::Done(generation)),
        Some(("close", random)) => Some(ObjectName::Close(generation, nonce(random)?)),
        Some(("closed", random)) => Some(ObjectName::Closed(generation, nonce(random)?)),
        _ => None,
    }
}

/// Exactly eight lower-case hexadecimal digits.
fn parse_number(text: &str) -> Option<u32> {
    let number = u32::from_str_radix(text, 16).ok()?;
    (format!("{number:08x}") == text).then_some(number)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn every_kind(a: [u8; 24], n: [u8; 8], number: u32) -> Vec<ObjectName> {
        let session = SessionId::new(a);
        let random = Nonce8::new(n);
        let generation = GenerationId::from_parts(session.client(), random);
        let pack = |kind| ObjectName::Pack(PackId { kind, session, counter: number, random });
        vec![
            ObjectName::Config(RepositoryId::new([n[0]; 16])),
            ObjectName::Slot(SlotId::new(n)),
            ObjectName::Client(ClientId::new(n)),
            ObjectName::Revoked(ClientId::new(n), random),
            ObjectName::Run { hour: number, writer: ClientId::new(n), number, random },
            ObjectName::Conf { writer: ClientId::new(n), number, random },
            ObjectName::Session(session),
            pack(PackKind::Data),
            pack(PackKind::Tree),
            ObjectName::Segment(SegmentId { session, number, random }),
            ObjectName::Commit(session, random),
            ObjectName::Confirm(session),
            ObjectName::Fence(session, random),
            ObjectName::Final(session, random),
            ObjectName::Tomb(session, random),
            ObjectName::Hold(HoldId::new(n)),
            ObjectName::Release(HoldId::new(n), random),
            ObjectName::Tags(session, random),
            ObjectName::Condemn(generation),
            ObjectName::Sweep(generation),
            ObjectName::Void(generation),
            ObjectName::Done(generation),
            ObjectName::Close(generation, random),
            ObjectName::Closed(generation, random),
            ObjectName::Past { number, random },
            ObjectName::SlotSet { number, random },
            ObjectName::Epoch(number),
            ObjectName::Join(InvitationId::new(n), random),
            ObjectName::Fold { number, random },
            ObjectName::Copied(session, random),
            ObjectName::Lock { number, random },
            ObjectName::Consent(random),
            ObjectName::Evidence { writer: ClientId::new(n), number },
        ]
    }

    proptest! {
        #[test]
        fn names_round_trip_and_stay_within_the_characters_that_the_probe_tries(
            a: [u8; 24], n: [u8; 8], number: u32,
        ) {
            for name in every_kind(a, n, number) {
                let key = name.key();
                prop_assert_eq!(ObjectName::parse(&key), Some(name));
                prop_assert!(key.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit()
                    || b"/.-".contains(&b)));
            }
        }

        #[test]
        fn no_key_has_two_spellings(key in "(config-|keys/|snap/|clients/|run/|conf/|index/|data/|tomb/|hold/|tag/|gc/|evidence/)?[0-9a-fA-F/.+-]{0,90}") {
            if let Some(name) = ObjectName::parse(&key) {
                prop_assert_eq!(name.key(), key);
            }
        }
    }

    #[test]
    fn other_spellings_are_no_names() {
        let session = "ab".repeat(24);
        for key in [
            format!("index/{session}/+0000001-{}", "0".repeat(16)),
            format!("index/{session}/0000000A-{}", "0".repeat(16)),
            format!("index/{session}/1-{}", "0".repeat(16)),
            format!("index/{session}/00000001"),
            format!("snap/{session}"),
            format!("snap/{session}.commit"),
            format!("snap/{session}.commit-"),
            format!("snap/{session}.fence-1"),
            format!("snap/{session}.commit/x"),
            format!("data/{session}/00000001"),
            format!("tomb/{session}"),
            format!("hold/{}.release", "0".repeat(16)),
            format!("/keys/{}", "0".repeat(16)),
            "config-".to_owned(),
            "README".to_owned(),
            String::new(),
        ] {
            assert_eq!(ObjectName::parse(&key), None, "{key}");
        }
    }
}
