//! Each client's chain of snapshots: a gap, or a predecessor that is another, means that somebody
//! took a snapshot away or put an older store in its place.

use std::collections::{BTreeMap, HashSet};

use crate::base::id::{ClientId, Digest, SessionId};
use crate::check::report::{CheckReport, Damage};
use crate::index::belief::Doubt;
use crate::index::catalog::{Catalog, Committed};
use crate::index::marks::Marks;
use crate::store::name::ObjectName;

/// What is wrong with the chains of snapshots, by key of the object.
#[must_use]
pub fn chain_damage(catalog: &Catalog, marks: &Marks) -> BTreeMap<String, Damage> {
    let mut report = CheckReport::default();
    for key in &marks.missing {
        report.finding(key, "this machine has seen it, now it is missing".to_owned());
    }
    check(catalog, marks, &mut report);
    report.damage
}

/// A snapshot as a link of its client's chain: one that is there, or one that was collected and of
/// which the tombstone tells the digest.
struct Link<'a> {
    session: SessionId,
    digest: Digest,
    record: Option<&'a Committed>,
}

/// Compares what snapshots say of each other with what is there.
pub(super) fn check(catalog: &Catalog, marks: &Marks, report: &mut CheckReport) {
    let present = || catalog.snapshots.iter().chain(&catalog.forgotten);
    let good: HashSet<SessionId> = present().map(|one| one.snapshot.session).collect();
    let mut clients: BTreeMap<ClientId, Vec<Link<'_>>> = BTreeMap::new();
    for one in present() {
        let session = one.snapshot.session;
        let link = Link { session, digest: one.digest, record: Some(one) };
        clients.entry(session.client()).or_default().push(link);
    }
    for tomb in marks.tombs.values().filter(|tomb| !good.contains(&tomb.session)) {
        let link = Link { session: tomb.session, digest: tomb.commit, record: None };
        clients.entry(tomb.session.client()).or_default().push(link);
    }
    let mut there = good.clone();
    // Damaged and unconfirmed ones are there too; what is wrong with them is reported elsewhere.
    there.extend(catalog.damaged.iter().map(|(session, _)| *session));
    there.extend(&catalog.unconfirmed);
    let unread: HashSet<SessionId> = there.difference(&good).copied().collect();
    there.extend(marks.tombs.keys());
    for session in &catalog.missing {
        let why = "this machine has seen this snapshot, now it is missing";
        report.finding(&ObjectName::commit_of(*session), why.to_owned());
    }
    for chain in clients.values() {
        check_client(chain, &unread, report);
    }
    // What a client says that was revoked before is nobody's loss.
    for one in present().filter(|one| !is_late(one)) {
        for seen in one.snapshot.seen.iter().filter(|seen| !there.contains(*seen)) {
            let why = "another client has seen this snapshot, now it is missing";
            report.finding(&ObjectName::commit_of(*seen), why.to_owned());
        }
    }
}

/// Two snapshots may bear one number, from a key file on two machines or a state folder that was
/// put back: unwise, but nothing is lost. Each must have been made after one that is there.
fn check_client(chain: &[Link<'_>], unread: &HashSet<SessionId>, report: &mut CheckReport) {
    let mut by_number: BTreeMap<u64, Vec<&Link<'_>>> = BTreeMap::new();
    for link in chain {
        by_number.entry(link.session.sequence()).or_default().push(link);
    }
    let mut before: Option<(u64, &Vec<&Link<'_>>)> = None;
    for (number, group) in &by_number {
        for one in group.iter().filter_map(|link| link.record) {
            if is_late(one) || is_unread_before(one, unread) {
                continue;
            }
            if let Some(why) = finding(*number, one, before) {
                report.finding(&ObjectName::commit_of(one.snapshot.session), why);
            }
        }
        before = Some((*number, group));
    }
}

fn finding(number: u64, one: &Committed, before: Option<(u64, &Vec<&Link<'_>>)>) -> Option<String> {
    let previous = one.snapshot.previous;
    match before {
        None => previous.map(|_| "the snapshots before it are missing".to_owned()),
        Some((last, _)) if last + 1 < number => Some(match number - last - 1 {
            1 => "1 snapshot before it is missing".to_owned(),
            count => format!("{count} snapshots before it are missing"),
        }),
        Some((_, group)) => {
            let is_there = group.iter().any(|other| previous == Some(other.digest));
            let why = "the snapshot before it is not the one it was made after";
            (!is_there).then(|| why.to_owned())
        }
    }
}

fn is_late(one: &Committed) -> bool {
    one.doubt == Some(Doubt::Revoked)
}

/// Whether the predecessor may be one that is there and cannot be read or is not confirmed.
fn is_unread_before(one: &Committed, unread: &HashSet<SessionId>) -> bool {
    let session = one.snapshot.session;
    unread.iter().any(|other| {
        other.client() == session.client() && other.sequence() + 1 == session.sequence()
    })
}
