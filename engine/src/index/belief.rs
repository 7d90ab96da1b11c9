//! Which snapshots count, and for whom: a record says what its client pleases, and the administrator
//! has said what the client may say.
//!
//! A snapshot is part of the history of its client, and of the clients that succeed it. It is not
//! believed for the host that it names if its client may not name that, and not at all if it was
//! made after the client was revoked. Such a snapshot is listed, can be restored by its id, and
//! stands in no other's way: it is never the latest, displaces nothing, and counts in no report.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use crate::base::id::{ClientId, Digest, SessionId};
use crate::base::time::Timestamp;
use crate::format::snapshot::{Original, Snapshot};
use crate::index::clients::{Clients, Ending};
use crate::repo::marks::may_mark;

/// A confirmed snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Committed {
    /// Its record, verified.
    pub snapshot: Snapshot,
    /// Plain BLAKE3 of the commit object.
    pub digest: Digest,
    /// When the store received the commit, by the store's clock.
    pub committed: Timestamp,
    /// Whether its client has confirmed it. Of one that nobody has confirmed yet, a machine that
    /// goes on twice from one state of memory may put up another commit, and then none of them counts.
    pub is_settled: bool,
    /// The client whose it is; of one that was brought back, whose the forgotten one was.
    pub owner: ClientId,
    /// The client that its history goes on with: the owner, or the last that succeeds it.
    pub line: ClientId,
    /// Why it does not count, if so.
    pub doubt: Option<Doubt>,
    speaks_for_others: bool,
}

impl Committed {
    /// The forgotten snapshot that it brings back, if its client may say so.
    #[must_use]
    pub fn believed_original(&self) -> Option<Original> {
        self.snapshot.original.filter(|_| self.speaks_for_others)
    }

    /// One of which it was not looked at yet whether it counts.
    #[must_use]
    pub fn new(
        snapshot: Snapshot,
        digest: Digest,
        (committed, is_settled): (Timestamp, bool),
    ) -> Self {
        let owner = snapshot.client;
        Self {
            snapshot,
            digest,
            committed,
            is_settled,
            owner,
            line: owner,
            doubt: None,
            speaks_for_others: false,
        }
    }
}

/// Why a snapshot does not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Doubt {
    /// It names a host that its client may not name.
    Host,
    /// Its client was revoked before.
    Revoked,
}

impl Doubt {
    /// The word that programs see.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Host => "host",
            Self::Revoked => "revoked",
        }
    }

    /// What people see.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Host => "not of this host: its client may not name it",
            Self::Revoked => "after revocation of its client",
        }
    }
}

/// Who claims what.
#[derive(Debug, Clone, Default)]
pub struct Claims {
    clients: Clients,
    /// The host that a client named first, if the administrator has said nothing about its hosts.
    first_hosts: BTreeMap<ClientId, String>,
    /// The lines of clients that are believed for a host.
    believed: BTreeMap<String, BTreeSet<ClientId>>,
    /// The lines of all that name it.
    named: BTreeMap<String, BTreeSet<ClientId>>,
}

impl Claims {
    /// The clients.
    #[must_use]
    pub fn clients(&self) -> &Clients {
        &self.clients
    }

    /// The hosts that a client may name; `None` for any.
    #[must_use]
    pub fn hosts_of(&self, client: ClientId) -> Option<Vec<String>> {
        if self.clients.may_name_any(client) {
            return None;
        }
        match self.clients.get(client).map(|record| record.hosts.as_slice()) {
            Some(hosts) if !hosts.is_empty() => Some(hosts.to_vec()),
            _ => self.first_hosts.get(&client).map(|host| vec![host.clone()]),
        }
    }

    /// Whether snapshots of a client count for a host.
    #[must_use]
    pub fn may_name(&self, client: ClientId, host: &str) -> bool {
        self.hosts_of(client).is_none_or(|hosts| hosts.iter().any(|one| one == host))
    }

    /// The lines of clients that are believed for a host and do not succeed each other.
    #[must_use]
    pub fn lines_of(&self, host: &str) -> BTreeSet<ClientId> {
        self.believed.get(host).cloned().unwrap_or_default()
    }

    /// Whether it takes more than the name of a host to know whose a snapshot is.
    #[must_use]
    pub fn is_shared(&self, host: &str) -> bool {
        self.named.get(host).is_some_and(|lines| lines.len() > 1)
    }

    /// Whether there is more than one line of clients.
    #[must_use]
    pub fn has_several_lines(&self) -> bool {
        let all: BTreeSet<ClientId> = self.named.values().flatten().copied().collect();
        all.len() > 1
    }

    /// The system that a snapshot is of: its host, and the client if the host alone does not tell.
    #[must_use]
    pub fn system_of(&self, one: &Committed) -> String {
        let host = &one.snapshot.host;
        match one.doubt {
            Some(doubt) => {
                format!("{host} ({}; {})", self.clients.title(one.owner), doubt.words())
            }
            None => self.system(one.line, host),
        }
    }

    /// The system that a run without a snapshot was of.
    #[must_use]
    pub fn system_of_run(&self, client: ClientId, host: &str) -> String {
        match host.is_empty() || self.may_name(client, host) {
            true => self.system(self.clients.line(client), host),
            false => {
                let (title, why) = (self.clients.title(client), Doubt::Host.words());
                format!("{host} ({title}; {why})")
            }
        }
    }

    fn system(&self, line: ClientId, host: &str) -> String {
        let lines = self.believed.get(host);
        match lines.is_some_and(|lines| lines.iter().any(|other| *other != line)) {
            true => format!("{host} ({})", self.clients.title(line)),
            false => host.to_owned(),
        }
    }
}

/// What is looked at to tell whether a client was revoked before it made a snapshot.
#[derive(Debug, Clone, Copy)]
pub struct Made {
    /// The snapshot.
    pub session: SessionId,
    /// Plain BLAKE3 of its commit object.
    pub digest: Digest,
    /// The same of the snapshot that it was made after.
    pub previous: Option<Digest>,
    /// When the store received it.
    pub committed: Timestamp,
}

impl Made {
    /// Of a snapshot.
    #[must_use]
    pub fn of(one: &Committed) -> Self {
        Self {
            session: one.snapshot.session,
            digest: one.digest,
            previous: one.snapshot.previous,
            committed: one.committed,
        }
    }
}

/// The snapshots that their clients made after they were revoked.
///
/// What counts is the last snapshot that the revocation names and all that it was made after, one
/// before the other: these chains are of hashes, and nobody can add to them later. Beside them, a
/// client may have more than one chain (a key file on two machines, a state folder that was put
/// back): of those counts what the store had received before the revocation. Many stores know whole
/// seconds only; of what came in the same one nobody can say that it was before.
#[must_use]
pub fn after_revocation(clients: &Clients, all: &[Made]) -> HashSet<SessionId> {
    let mut after = HashSet::new();
    for client in clients.revoked() {
        let own: Vec<&Made> = all.iter().filter(|one| one.session.client() == client).collect();
        for ending in clients.endings(client) {
            let before = before(&own, ending);
            let late = own.iter().filter(|one| !before.contains(&one.session));
            after.extend(late.map(|one| one.session));
        }
    }
    after
}

fn before(own: &[&Made], ending: &Ending) -> HashSet<SessionId> {
    let mut before = HashSet::new();
    let Some(last) = ending.revocation.snapshot else { return before };
    let by_digest: HashMap<Digest, &Made> = own.iter().map(|one| (one.digest, *one)).collect();
    let mut next = Some(last.commit);
    while let Some(one) = next.and_then(|digest| by_digest.get(&digest)) {
        if !before.insert(one.session) {
            break;
        }
        next = one.previous;
    }
    let is_before = |one: &&&Made| {
        one.session.sequence() < last.session.sequence() && one.committed < ending.received
    };
    before.extend(own.iter().filter(is_before).map(|one| one.session));
    before
}

/// Notes on each snapshot whose it is and whether it counts. All snapshots of the repository
/// belong into `all`, forgotten ones too.
pub(super) fn judge(clients: Clients, all: &mut [Committed]) -> Claims {
    let mut claims = Claims { clients, ..Claims::default() };
    let made: Vec<Made> = all.iter().map(Made::of).collect();
    let after = after_revocation(&claims.clients, &made);
    let is_after = |one: &Committed| after.contains(&one.snapshot.session);
    claims.first_hosts = first_hosts(&claims.clients, all.iter().filter(|one| !is_after(one)));
    for one in all {
        let signer = one.snapshot.client;
        let record = claims.clients.get(signer);
        one.speaks_for_others = record.is_some_and(|record| may_mark(record.role));
        let original = one.believed_original();
        one.owner = original.map_or(signer, |original| original.session.client());
        one.line = claims.clients.line(one.owner);
        let is_late = is_after(one) || original.is_some_and(|it| after.contains(&it.session));
        // Bringing back what was not believed does not make it so.
        let may_name =
            [signer, one.owner].iter().all(|it| claims.may_name(*it, &one.snapshot.host));
        one.doubt = match (is_late, may_name) {
            (true, _) => Some(Doubt::Revoked),
            (false, may_name) => (!may_name).then_some(Doubt::Host),
        };
        let (host, line) = (one.snapshot.host.clone(), one.line);
        claims.named.entry(host.clone()).or_default().insert(line);
        if one.doubt.is_none() {
            claims.believed.entry(host).or_default().insert(line);
        }
    }
    claims
}

/// First use: the host of the snapshot that the store received first. Of those of one moment the
/// one with the least number.
fn first_hosts<'c>(
    clients: &Clients,
    all: impl Iterator<Item = &'c Committed>,
) -> BTreeMap<ClientId, String> {
    let mut first: BTreeMap<ClientId, &Committed> = BTreeMap::new();
    for one in all.filter(|one| !clients.may_name_any(one.snapshot.client)) {
        let kept = first.entry(one.snapshot.client).or_insert(one);
        let age = |one: &Committed| (one.committed, one.snapshot.session.sequence());
        if age(one) < age(kept) {
            *kept = one;
        }
    }
    first.into_iter().map(|(client, one)| (client, one.snapshot.host.clone())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::id::Nonce8;
    use crate::format::machine::{LastSnapshot, Revocation};

    const CLIENT: ClientId = ClientId::new([7; 8]);

    fn digest(byte: u8) -> Digest {
        Digest::new([byte; 32])
    }

    /// Number `number` with digest `own`, made after `previous`, received at that second.
    fn made(number: u64, own: u8, previous: Option<u8>, seconds: i64) -> Made {
        Made {
            session: SessionId::from_parts(CLIENT, number, Nonce8::new([own; 8])),
            digest: digest(own),
            previous: previous.map(digest),
            committed: Timestamp { seconds, nanos: 0 },
        }
    }

    fn ended(last: Option<Made>, seconds: i64) -> Clients {
        let received = Timestamp { seconds, nanos: 0 };
        let snapshot = last.map(|last| LastSnapshot { session: last.session, commit: last.digest });
        let revocation = Revocation {
            client: CLIENT,
            at: received,
            reason: String::new(),
            snapshot,
            run: None,
            evidence: None,
        };
        Clients::new(Vec::new(), vec![Ending { revocation, received }])
    }

    /// First bytes of the digests of those that do not count.
    fn late(clients: &Clients, all: &[Made]) -> Vec<u8> {
        let after = after_revocation(clients, all);
        let late = all.iter().filter(|one| after.contains(&one.session));
        late.map(|one| one.digest.as_bytes()[0]).collect()
    }

    #[test]
    fn what_the_last_one_was_made_after_counts_and_nothing_else() {
        let chain = [made(0, 1, None, 10), made(1, 2, Some(1), 20), made(2, 3, Some(2), 30)];
        assert_eq!(late(&ended(Some(chain[2]), 35), &chain), [0; 0]);
        assert_eq!(late(&ended(Some(chain[0]), 35), &chain), [2, 3]);
        assert_eq!(late(&ended(None, 35), &chain), [1, 2, 3]);
        // Later ones, whatever number they bear.
        let forged = [made(3, 4, Some(3), 40), made(0, 5, None, 41), made(1, 6, Some(1), 42)];
        let all = [chain.as_slice(), &forged].concat();
        assert_eq!(late(&ended(Some(chain[2]), 35), &all), [4, 5, 6]);
    }

    #[test]
    fn a_second_chain_counts_as_far_as_the_store_had_it() {
        let chain = [made(0, 1, None, 10), made(1, 2, Some(1), 20), made(2, 3, Some(2), 30)];
        let beside = [made(1, 8, Some(1), 25), made(2, 9, Some(8), 31)];
        let all = [chain.as_slice(), &beside].concat();
        // The second one of the number of the last is not before it.
        assert_eq!(late(&ended(Some(chain[2]), 35), &all), [9]);
        assert_eq!(late(&ended(Some(chain[2]), 24), &all), [8, 9]);
        assert_eq!(late(&ended(Some(chain[2]), 25), &all), [8, 9]);
        assert_eq!(late(&ended(Some(chain[2]), 26), &all), [9]);
    }

    #[test]
    fn a_copy_of_the_store_with_new_times_changes_nothing_in_the_chain() {
        let chain = [made(0, 1, None, 900), made(1, 2, Some(1), 901), made(2, 3, Some(2), 902)];
        assert_eq!(late(&ended(Some(chain[1]), 35), &chain), [3]);
    }

    #[test]
    fn of_two_revocations_each_counts() {
        let chain = [made(0, 1, None, 10), made(1, 2, Some(1), 20), made(2, 3, Some(2), 30)];
        let (one, two) = (ended(Some(chain[2]), 35), ended(Some(chain[0]), 36));
        let both = [one.endings(CLIENT), two.endings(CLIENT)].concat();
        assert_eq!(late(&Clients::new(Vec::new(), both), &chain), [2, 3]);
    }
}
