//! Reads every small object but key slots: clients, sessions, flags and segments.
//!
//! A machine whose index is warm reads none of them in its daily work, so damage would show only
//! on the day when the index is lost. They are read when packs are read, and in the same parts.

use std::sync::atomic::{AtomicUsize, Ordering};

use crate::base::error::{Classified, ErrorClass, in_one_line};
use crate::base::id::{ClientId, Digest, SegmentId, SessionId};
use crate::base::limits::{FETCH_THREADS_REMOTE, RECORD_ALONE_BYTES};
use crate::base::monitor::{Counter, Monitor, Phase};
use crate::check::error::CheckError;
use crate::check::options::CheckOptions;
use crate::check::report::CheckReport;
use crate::format::client::Client;
use crate::format::envelope::ControlKind;
use crate::format::mark::{Hold, Release, TagRecord, Tomb};
use crate::format::session::{Confirm, Fence, Session};
use crate::index::{Index, IndexReader};
use crate::repo::Repo;
use crate::repo::error::RepoError;
use crate::repo::evidence;
use crate::repo::generations::{self, Testimony};
use crate::repo::marks::{self, Mark, MarkRecord};
use crate::repo::object::{client, get_control};
use crate::repo::segments::{SegmentView, get_segment};
use crate::repo::{announcement, commits, consents, history, machine};
use crate::store::name::ObjectName;

/// Reads and verifies the small objects that the options choose.
pub(super) fn check(
    repo: &Repo,
    index: &Index,
    options: &CheckOptions,
    report: &mut CheckReport,
    monitor: &dyn Monitor,
) -> Result<(), CheckError> {
    let chosen = choose(repo, options)?;
    monitor.phase(&Phase {
        name: "reading records",
        total_items: Some(chosen.len() as u64),
        total_bytes: None,
    });
    let threads = match (options.threads, repo.store().is_local()) {
        (0, true) => std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
        (0, false) => FETCH_THREADS_REMOTE,
        (wanted, _) => wanted,
    };
    let (large, chosen): (Vec<_>, Vec<_>) =
        chosen.into_iter().partition(|(_, bytes)| *bytes > RECORD_ALONE_BYTES);
    let readers =
        (0..threads.min(chosen.len())).map(|_| index.reader()).collect::<Result<Vec<_>, _>>()?;
    let next = AtomicUsize::new(0);
    let (sender, receiver) = crossbeam_channel::bounded(threads);
    std::thread::scope(|scope| {
        for reader in readers {
            let (sender, next, chosen) = (sender.clone(), &next, &chosen);
            scope.spawn(move || {
                while let Some((name, _)) = chosen.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let verified = verify_if_there(repo, &reader, name);
                    monitor.add(Counter::Items, 1);
                    if monitor.is_cancelled() || sender.send((*name, verified)).is_err() {
                        break;
                    }
                }
            });
        }
        drop(sender);
        for (name, verified) in receiver {
            report.records_read += 1;
            take(name, verified, report)?;
        }
        Ok::<(), CheckError>(())
    })?;
    // One at a time, on this thread: each other one would keep the memory of its largest for itself.
    let reader = index.reader()?;
    for (name, _) in large {
        if monitor.is_cancelled() {
            break;
        }
        report.records_read += 1;
        take(name, verify_if_there(repo, &reader, &name), report)?;
        monitor.add(Counter::Items, 1);
    }
    if monitor.is_cancelled() { Err(CheckError::Interrupted) } else { Ok(()) }
}

/// Names and sizes.
fn choose(repo: &Repo, options: &CheckOptions) -> Result<Vec<(ObjectName, u64)>, CheckError> {
    let mut chosen = Vec::new();
    repo.store().list_each("", &mut |object| {
        match object.name {
            // Packs and key slots are read elsewhere, and whoever holds `repo` has verified the
            // configuration.
            None
            | Some(
                ObjectName::Pack(_)
                | ObjectName::Config(_)
                | ObjectName::Slot(_)
                | ObjectName::SlotSet { .. },
            ) => {}
            Some(name) if options.read_data.reads_record(&object.key) => {
                chosen.push((name, object.size_bytes));
            }
            Some(_) => {}
        }
        true
    })?;
    Ok(chosen)
}

fn take(
    name: ObjectName,
    verified: Result<(), CheckError>,
    report: &mut CheckReport,
) -> Result<(), CheckError> {
    match verified {
        Ok(()) => Ok(()),
        Err(CheckError::Repo(RepoError::Corrupt { key, why })) => {
            report.finding(&key, why);
            Ok(())
        }
        Err(error)
            if matches!(
                error.class(),
                ErrorClass::Corrupt
                    | ErrorClass::Missing
                    | ErrorClass::Newer
                    | ErrorClass::Unreadable
            ) =>
        {
            report.finding(&name.key(), in_one_line(&error));
            Ok(())
        }
        Err(error) => Err(error),
    }
}

/// As [`verify`], for an object that a collector may have removed since it was listed: a
/// registration of a decided session, a segment that others replaced.
fn verify_if_there(repo: &Repo, reader: &IndexReader, name: &ObjectName) -> Result<(), CheckError> {
    let verified = verify(repo, reader, name);
    let may_be_removed = matches!(name, ObjectName::Session(_) | ObjectName::Segment(_));
    let is_missing = verified.as_ref().is_err_and(|error| error.class() == ErrorClass::Missing);
    if is_missing && may_be_removed && repo.store().list(&name.key())?.is_empty() {
        return Ok(());
    }
    verified
}

/// Reads one object and checks everything about it that this role can check.
fn verify(repo: &Repo, reader: &IndexReader, name: &ObjectName) -> Result<(), CheckError> {
    match *name {
        ObjectName::Client(id) => {
            let admin = repo.config().admin_key;
            let stored = get_control::<Client>(repo, name, ControlKind::Client, |_| Ok(admin))?;
            belongs(name, stored.record.client == id)?;
        }
        ObjectName::Revoked(id, random) => drop(machine::get_revocation(repo, id, random)?),
        ObjectName::Run { .. } => drop(machine::get_run(repo, name)?),
        ObjectName::Conf { .. } => drop(machine::get_conf(repo, name)?),
        ObjectName::Epoch(epoch) => drop(announcement::get_epoch(repo, epoch)?),
        ObjectName::Join(..) => drop(history::get_join(repo, name)?),
        ObjectName::Fold { .. } => drop(history::get_fold(repo, name)?),
        ObjectName::Copied(..) => {
            history::get_copied(repo, name)?;
        }
        ObjectName::Lock { .. } => {
            history::get_lock(repo, name)?;
        }
        ObjectName::Consent(id) => drop(consents::get(repo, id)?),
        ObjectName::Session(id) => {
            let stored = get_control::<Session>(repo, name, ControlKind::Session, |record| {
                belongs(name, record.session == id)?;
                key_of(repo, id.client())
            })?;
            belongs(name, stored.record.session == id)?;
        }
        ObjectName::Commit(id, random) => drop(commits::read(repo, id, random)?),
        ObjectName::Confirm(id) => verify_confirmation(repo, name, id)?,
        ObjectName::Fence(id, _) => verify_fence(repo, name, ControlKind::Fence, id)?,
        ObjectName::Final(id, _) => verify_fence(repo, name, ControlKind::Final, id)?,
        ObjectName::Tomb(..) => verify_mark::<Tomb>(repo, name)?,
        ObjectName::Hold(_) => verify_mark::<Hold>(repo, name)?,
        ObjectName::Release(..) => verify_mark::<Release>(repo, name)?,
        ObjectName::Tags(..) => verify_mark::<TagRecord>(repo, name)?,
        ObjectName::Segment(id) => verify_segment(repo, reader, name, id)?,
        ObjectName::Condemn(_)
        | ObjectName::Sweep(_)
        | ObjectName::Void(_)
        | ObjectName::Done(_)
        | ObjectName::Close(..)
        | ObjectName::Closed(..)
        | ObjectName::Past { .. } => verify_collection(repo, name)?,
        ObjectName::Evidence { writer, number } => {
            evidence::get(repo, writer, number)?;
        }
        ObjectName::Pack(_)
        | ObjectName::Config(_)
        | ObjectName::Slot(_)
        | ObjectName::SlotSet { .. } => {}
    }
    Ok(())
}

/// What a segment says must be what the index has taken from it.
fn verify_segment(
    repo: &Repo,
    reader: &IndexReader,
    name: &ObjectName,
    id: SegmentId,
) -> Result<(), CheckError> {
    let packs = match get_segment(repo, id)? {
        SegmentView::Open(packs) => packs,
        SegmentView::Closed { .. } => return Ok(()),
        SegmentView::Unsigned(_) => {
            let why = "the record of its client cannot be read";
            return Err(RepoError::corrupt(&name.key(), why).into());
        }
    };
    for pack in packs {
        // A pack that the index left out because it is gone hurts whoever needs it, not the segment.
        let known = reader.pack_table(&pack.pack)?;
        if known.is_some_and(|table| table != pack.table) {
            let key = ObjectName::Pack(pack.pack).key();
            let why = format!("it says of {key} something else than the index");
            return Err(RepoError::corrupt(&name.key(), why).into());
        }
    }
    Ok(())
}

/// A record of a collection must be one that counts.
fn verify_collection(repo: &Repo, name: &ObjectName) -> Result<(), CheckError> {
    let why = match generations::verdict(repo, name)? {
        Testimony::Genuine(()) => return Ok(()),
        // Folded while this check ran.
        Testimony::Absent => return Ok(()),
        Testimony::Forged => "whoever wrote it may not collect".to_owned(),
        Testimony::Unreadable(why) => why,
    };
    Err(RepoError::corrupt(&name.key(), why).into())
}

fn verify_confirmation(repo: &Repo, name: &ObjectName, id: SessionId) -> Result<(), CheckError> {
    let stored = get_control::<Confirm>(repo, name, ControlKind::Confirm, |record| {
        belongs(name, record.session == id)?;
        key_of(repo, id.client())
    })?;
    let commit: Digest = match commits::read(repo, id, stored.record.random) {
        Ok(commit) => commit.digest,
        // Reported for the commit itself; the confirmation is sound.
        Err(RepoError::Corrupt { .. } | RepoError::Newer { .. }) => return Ok(()),
        Err(error) if error.class() == ErrorClass::Missing => {
            let why = "the commit that it confirms is missing";
            return Err(RepoError::corrupt(&name.key(), why).into());
        }
        Err(error) => return Err(error.into()),
    };
    match stored.record.commit == commit {
        true => Ok(()),
        false => Err(RepoError::corrupt(&name.key(), "it confirms another commit").into()),
    }
}

fn verify_fence(
    repo: &Repo,
    name: &ObjectName,
    kind: ControlKind,
    id: SessionId,
) -> Result<(), CheckError> {
    get_control::<Fence>(repo, name, kind, |record| {
        belongs(name, record.session == id)?;
        key_of(repo, record.by)
    })?;
    Ok(())
}

fn verify_mark<T: MarkRecord>(repo: &Repo, name: &ObjectName) -> Result<(), RepoError> {
    match marks::get::<T>(repo, name)? {
        Mark::Genuine(_) => Ok(()),
        Mark::Powerless { by, role } => {
            let why = format!(
                "it counts for nothing: it was signed by {by}, a key with the role {}",
                role.name()
            );
            Err(RepoError::corrupt(&name.key(), why))
        }
    }
}

fn key_of(repo: &Repo, id: ClientId) -> Result<[u8; 32], RepoError> {
    client(repo, id).map(|client| client.verifying_key)
}

fn belongs(name: &ObjectName, it_does: bool) -> Result<(), RepoError> {
    match it_does {
        true => Ok(()),
        false => Err(RepoError::corrupt(&name.key(), "it is the record of another object")),
    }
}
