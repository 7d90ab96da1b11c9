//! Which host a snapshot names: what the machine calls itself, unless its client may name another
//! one only. A snapshot that nobody would believe is not made.

use crate::backup::error::BackupError;
use crate::backup::options::BackupOptions;
use crate::base::id::ClientId;
use crate::base::monitor::Monitor;
use crate::format::client::Client;
use crate::format::envelope::decode_record;
use crate::format::slot::Role;
use crate::format::snapshot::Snapshot;
use crate::index::belief::Claims;
use crate::index::identity::newest_written;
use crate::index::{Index, IndexError};
use crate::repo::Repo;
use crate::repo::keyring::Identity;
use crate::repo::object::client;

/// The host to name, before anything is in the store. Of a client about whose hosts the
/// administrator has said nothing this machine may remember which it named; if it does not,
/// [`require`] finds out later.
///
/// # Errors
/// [`BackupError::ForeignHost`] if somebody has named a host that the client may not name, or the
/// machine's own is none of several that it may; errors of store and index.
pub(super) fn early(
    repo: &Repo,
    index: &Index,
    identity: &Identity,
    options: &BackupOptions,
    monitor: &dyn Monitor,
) -> Result<String, BackupError> {
    let host = options.host.clone();
    if repo.keys().role() != Role::Backup {
        return Ok(host);
    }
    let kept = index.client(identity.client)?;
    let kept = kept.and_then(|bytes| decode_record::<Client>(&bytes, "client record").ok());
    let mut hosts = match kept {
        Some(record) => record.hosts,
        None => client(repo, identity.client)?.hosts,
    };
    if hosts.is_empty() {
        hosts.extend(last_named(index, identity.client)?);
    }
    match hosts.as_slice() {
        [] => Ok(host),
        all if all.contains(&host) => Ok(host),
        [only] if !options.is_host_named => {
            monitor.note(&format!(
                "this machine calls itself {host:?}; its key is for {only:?}, which the snapshot \
                 names"
            ));
            Ok(only.clone())
        }
        all => Err(foreign(identity.client, all, &host)),
    }
}

/// The host of the newest snapshot that was committed from here.
fn last_named(index: &Index, own: ClientId) -> Result<Option<String>, IndexError> {
    let Some(session) = newest_written(index)?.filter(|session| session.client() == own) else {
        return Ok(None);
    };
    let kept = index.snapshot(session)?;
    let decoded = kept.and_then(|(_, bytes)| decode_record::<Snapshot>(&bytes, "snapshot").ok());
    Ok(decoded.map(|snapshot| snapshot.host))
}

/// Refuses a host that the client may not name.
///
/// # Errors
/// [`BackupError::ForeignHost`].
pub(super) fn require(claims: &Claims, own: ClientId, host: &str) -> Result<(), BackupError> {
    match claims.hosts_of(own) {
        Some(hosts) if !hosts.iter().any(|one| one == host) => Err(foreign(own, &hosts, host)),
        _ => Ok(()),
    }
}

fn foreign(client: ClientId, hosts: &[String], host: &str) -> BackupError {
    let hosts: Vec<_> = hosts.iter().map(|host| format!("{host:?}")).collect();
    let (client, hosts) = (client.to_string(), hosts.join(", "));
    BackupError::ForeignHost { client, hosts, host: host.to_owned() }
}
