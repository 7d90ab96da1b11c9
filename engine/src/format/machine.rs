//! Records about machines and their runs: `clients/<client>.revoked-<r>`, `run/<h>/…`, `conf/<c>/…`.
//!
//! Each is written by one client, or by the administrator about one, and read by everybody who
//! watches over machines.

use minicbor::{Decode, Encode};

use crate::base::id::{ClientId, Digest, SessionId, SlotId};
use crate::base::limits::{FACT_MAX_BYTES, RUN_COUNTERS_MAX};
use crate::base::time::Timestamp;

/// The last record of a chain that counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct LastRecord {
    /// Its number.
    #[n(0)]
    pub number: u32,
    /// BLAKE3 of its signed bytes.
    #[n(1)]
    pub hash: Digest,
}

/// The last snapshot of a client that counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct LastSnapshot {
    /// The snapshot.
    #[n(0)]
    pub session: SessionId,
    /// BLAKE3 of its commit object.
    #[n(1)]
    pub commit: Digest,
}

/// `clients/<client>.revoked-<r>`: from here on nothing counts that the client signs. Signed by the
/// administrator.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Revocation {
    /// The client.
    #[n(0)]
    pub client: ClientId,
    /// When it was revoked.
    #[n(1)]
    pub at: Timestamp,
    /// Why, for people.
    #[n(2)]
    pub reason: String,
    /// Its last snapshot that counts, if any does.
    #[n(3)]
    pub snapshot: Option<LastSnapshot>,
    /// Its last run that counts.
    #[n(4)]
    pub run: Option<LastRecord>,
    /// Its last evidence that counts.
    #[n(5)]
    pub evidence: Option<LastRecord>,
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Encode, Decode)]
#[cbor(index_only)]
pub enum RunOutcome {
    /// Everything was done.
    #[n(1)]
    Ok,
    /// Done, but for what could not be read.
    #[n(2)]
    Partial,
    /// It ran and was not done.
    #[n(3)]
    Failed,
    /// Everything was done, and there is something to know.
    #[n(4)]
    OkWithNotes,
    /// Done without an error, and not to be believed.
    #[n(5)]
    Suspicious,
    /// It was left out on purpose.
    #[n(6)]
    Skipped,
    /// Nothing ran when it should have.
    #[n(7)]
    Missed,
}

impl RunOutcome {
    /// All of them, from the best to the worst.
    pub const ALL: [Self; 7] = [
        Self::Ok,
        Self::OkWithNotes,
        Self::Skipped,
        Self::Partial,
        Self::Suspicious,
        Self::Missed,
        Self::Failed,
    ];

    /// The word for it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::OkWithNotes => "ok-with-notes",
            Self::Skipped => "skipped",
            Self::Partial => "partial",
            Self::Suspicious => "suspicious",
            Self::Missed => "missed",
            Self::Failed => "failed",
        }
    }

    /// The outcome that a word stands for.
    #[must_use]
    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|outcome| outcome.name() == name)
    }
}

/// A number that a run counted, by its name.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct RunCounter {
    /// What was counted.
    #[n(0)]
    pub name: String,
    /// How many.
    #[n(1)]
    pub value: u64,
}

/// `run/<hour>/<client>-<n>-<r>`: what became of a run, also of one that failed. Signed by the
/// client.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct RunRecord {
    /// The client.
    #[n(0)]
    pub client: ClientId,
    /// Its running number of the run.
    #[n(1)]
    pub number: u32,
    /// What was run, as `backup`.
    #[n(2)]
    pub job: String,
    /// How it ended.
    #[n(3)]
    pub outcome: RunOutcome,
    /// Class of the reason in one word, as `store` or `unreadable`, if it did not end well. Never a
    /// sentence: other machines of the repository read this, and names of files are not for them.
    #[n(4)]
    pub reason: Option<String>,
    /// When it began, by the client's clock.
    #[n(5)]
    pub begun: Timestamp,
    /// When it ended.
    #[n(6)]
    pub ended: Timestamp,
    /// The slot of the key that it ran with.
    #[n(7)]
    pub slot: Option<SlotId>,
    /// Its session, if it opened one.
    #[n(8)]
    pub session: Option<SessionId>,
    /// Requests to the store.
    #[cbor(n(9), default)]
    pub requests: u64,
    /// Bytes that went to the store.
    #[cbor(n(10), default)]
    pub sent_bytes: u64,
    /// Bytes that came from it.
    #[cbor(n(11), default)]
    pub received_bytes: u64,
    /// Other numbers.
    #[cbor(n(12), default, skip_if = "Vec::is_empty")]
    pub counters: Vec<RunCounter>,
    /// BLAKE3 of the configuration that it ran with.
    #[n(13)]
    pub configuration: Option<Digest>,
    /// Program and version.
    #[n(14)]
    pub program: String,
    /// Hash of the client's run before it.
    #[n(15)]
    pub previous: Option<Digest>,
    /// The host that it worked for.
    #[n(16)]
    pub host: Option<String>,
    /// What of it: the name of a source.
    #[n(17)]
    pub source: Option<String>,
    /// When it was due.
    #[n(18)]
    pub due: Option<Timestamp>,
    /// How often it was due if nothing ran.
    #[n(19)]
    pub times: Option<u32>,
}

impl RunRecord {
    /// The hour that its key says: hours since 1970 in which it began; 0 before.
    #[must_use]
    pub fn hour(&self) -> u32 {
        u32::try_from(self.begun.seconds.div_euclid(3600)).unwrap_or_default()
    }

    /// Whether no part is longer than it may be.
    #[must_use]
    pub fn is_bounded(&self) -> bool {
        let names = self.counters.iter().map(|counter| &counter.name);
        let optional = self.reason.iter().chain(&self.host).chain(&self.source);
        let mut texts = names.chain([&self.job, &self.program]).chain(optional);
        self.counters.len() <= RUN_COUNTERS_MAX && texts.all(|text| text.len() <= FACT_MAX_BYTES)
    }
}

/// `conf/<client>/<n>-<r>`: how a machine is set up, so that a lost one comes back. Signed by the
/// client; what it says is sealed like the private part of a snapshot record.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct ConfRecord {
    /// The client.
    #[n(0)]
    pub client: ClientId,
    /// Running number; the highest is in force.
    #[n(1)]
    pub number: u32,
    /// When it was written.
    #[n(2)]
    pub at: Timestamp,
    /// A [`SealedPart`](crate::format::private::SealedPart) of a [`Configuration`].
    #[cbor(n(3), with = "minicbor::bytes")]
    pub sealed: Vec<u8>,
}

/// What is sealed in a [`ConfRecord`].
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Configuration {
    /// The configuration file, without secrets.
    #[n(0)]
    pub file: String,
    /// When what runs.
    #[n(1)]
    pub schedule: String,
    /// What else is needed to set up such a machine again: name and value.
    #[cbor(n(2), default, skip_if = "Vec::is_empty")]
    pub facts: Vec<(String, String)>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hour_of_a_run_is_that_of_its_begin() {
        let at = |seconds| Timestamp { seconds, nanos: 0 };
        let run = |begun| RunRecord {
            client: ClientId::new([1; 8]),
            number: 0,
            job: "backup".to_owned(),
            outcome: RunOutcome::Ok,
            reason: None,
            begun,
            ended: begun,
            slot: None,
            session: None,
            requests: 0,
            sent_bytes: 0,
            received_bytes: 0,
            counters: Vec::new(),
            configuration: None,
            program: String::new(),
            previous: None,
            host: None,
            source: None,
            due: None,
            times: None,
        };
        assert_eq!(run(at(7199)).hour(), 1);
        assert_eq!(run(at(7200)).hour(), 2);
        assert_eq!(run(at(-1)).hour(), 0);
        assert!(run(at(0)).is_bounded());
        let one = RunCounter { name: "files".to_owned(), value: 1 };
        assert!(
            !RunRecord { counters: vec![one; RUN_COUNTERS_MAX + 1], ..run(at(0)) }.is_bounded()
        );
        assert!(!RunRecord { job: "x".repeat(2000), ..run(at(0)) }.is_bounded());
    }
}
