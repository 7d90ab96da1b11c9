//! Which configuration under a prefix is that of the repository.
//!
//! Whoever may add objects can add configurations, with key slots that belong to them. The one that counts
//! is the one that opens: its bundle authenticates it, and nobody else can make one that does. So no
//! other stops anybody, and `check` names it.

use bytes::Bytes;

use crate::base::error::{Classified, ErrorClass};
use crate::base::limits::{CONFIGS_READ_MAX, CONTROL_MAX_BYTES};
use crate::crypt::sign::verify;
use crate::format::config::{self, KNOWN_FEATURES, SignedConfig};
use crate::format::envelope::EnvelopeError;
use crate::repo::Repo;
use crate::repo::error::RepoError;
use crate::store::Store;
use crate::store::code::spelled;
use crate::store::name::{ObjectName, prefix};

/// Objects that are looked at where there is no configuration.
const LOOKED_AT_MAX: u32 = 1000;

/// A configuration whose signature is right: by whichever administrator.
pub(super) struct FoundConfig {
    /// What it says.
    pub(super) signed: SignedConfig,
    /// The object.
    pub(super) object: Bytes,
}

/// Opens the one configuration that opens.
///
/// # Errors
/// [`RepoError::NoRepository`] without any; [`RepoError::Ambiguous`] if two repositories open; why the
/// oldest does not if none does, and that it is unavailable if one of them is.
pub(super) fn open_genuine(
    store: &Store,
    open: impl Fn(FoundConfig) -> Result<Repo, RepoError>,
) -> Result<Repo, RepoError> {
    let names = listed(store)?;
    let Some((first, others)) = names.split_first() else { return Err(nothing(store)) };
    let try_one = |name: &ObjectName| read_of(store, name).and_then(&open);
    if others.is_empty() {
        return try_one(first);
    }
    let mut opened: Vec<Repo> = Vec::new();
    let mut failure = None;
    for name in names.iter().take(CONFIGS_READ_MAX) {
        match try_one(name) {
            Ok(repo) => opened.push(repo),
            // What may be the repository and cannot be had now is not passed over.
            Err(error) if is_of_the_moment(&error) => return Err(error),
            Err(error) => failure = better(failure, error),
        }
    }
    match (opened.pop(), opened.pop()) {
        (Some(one), None) => Ok(one),
        (None, _) => Err(failure.unwrap_or_else(|| nothing(store))),
        (Some(one), Some(other)) => {
            let key = |repo: &Repo| ObjectName::Config(repo.config().repository).key();
            Err(RepoError::Ambiguous {
                place: store.describe().to_owned(),
                names: [key(&other), key(&one)],
            })
        }
    }
}

/// There is no configuration. Backups may be there all the same, and then nobody should make a new
/// repository in their place.
fn nothing(store: &Store) -> RepoError {
    let (mut looked_at, mut found) = (0, None);
    let listed = store.list_each("", &mut |object| {
        looked_at += 1;
        // An `init` that was cut off leaves slots alone, and may be repeated.
        let is_used = |name: &ObjectName| {
            matches!(
                name,
                ObjectName::Pack(_)
                    | ObjectName::Segment(_)
                    | ObjectName::Session(_)
                    | ObjectName::Commit(..)
            )
        };
        found = spelled(&object.key).filter(is_used).map(|_| object.key);
        found.is_none() && looked_at < LOOKED_AT_MAX
    });
    match (listed, found) {
        (Ok(()), Some(key)) => {
            let why = format!("it is missing, while {key} is there");
            RepoError::corrupt(&format!("{}…", prefix::CONFIG), why)
        }
        _ => RepoError::NoRepository { place: store.describe().to_owned() },
    }
}

fn is_of_the_moment(error: &RepoError) -> bool {
    matches!(error.class(), ErrorClass::Transient | ErrorClass::Interrupted | ErrorClass::Local)
}

/// The error that says most: a key that does not fit may be meant for the repository that is damaged.
fn better(first: Option<RepoError>, second: RepoError) -> Option<RepoError> {
    match first {
        None | Some(RepoError::WrongKey { slot_count: 0, .. } | RepoError::NoSlots { .. }) => {
            Some(second)
        }
        Some(first) => Some(first),
    }
}

/// Names of all configurations, the oldest first: one that was added is tried last.
fn listed(store: &Store) -> Result<Vec<ObjectName>, RepoError> {
    let mut listed = match store.list(prefix::CONFIG) {
        Ok(listed) => listed,
        Err(error) if error.class() == ErrorClass::Missing => {
            return Err(RepoError::NoRepository { place: store.describe().to_owned() });
        }
        Err(error) => return Err(error.into()),
    };
    listed.sort_by(|a, b| (a.modified, &a.key).cmp(&(b.modified, &b.key)));
    Ok(listed.iter().filter_map(|object| object.name).collect())
}

/// Reads the configuration of this name.
///
/// # Errors
/// [`RepoError::KeyFile`] if there are only others; what is wrong with it; errors of the store.
pub(super) fn read_of(store: &Store, name: &ObjectName) -> Result<FoundConfig, RepoError> {
    match store.get(name, CONTROL_MAX_BYTES as u64) {
        Ok(object) => check(name, object),
        Err(error) if error.class() == ErrorClass::Missing => {
            require_listed(store, name)?;
            Err(error.into())
        }
        Err(error) => Err(error.into()),
    }
}

/// Tells a key of another repository from one of this.
///
/// # Errors
/// [`RepoError::NoRepository`] and [`RepoError::KeyFile`].
pub(super) fn require_listed(store: &Store, wanted: &ObjectName) -> Result<(), RepoError> {
    let found = listed(store)?;
    match found.first() {
        None => Err(nothing(store)),
        Some(_) if found.contains(wanted) => Ok(()),
        Some(other) => {
            let id = |name: &ObjectName| name.key().trim_start_matches("config-").to_owned();
            let (wanted, here) = (id(wanted), id(other));
            let why = format!("it belongs to the repository {wanted}, and this is {here}");
            Err(RepoError::KeyFile { why })
        }
    }
}

/// Checks what can be checked without a key.
///
/// # Errors
/// [`RepoError::Corrupt`], [`RepoError::Early`], [`RepoError::Newer`].
pub(super) fn check(name: &ObjectName, object: Bytes) -> Result<FoundConfig, RepoError> {
    let key = name.key();
    let signed = config::decode(&object).map_err(|error| match error {
        EnvelopeError::Early { version, .. } => RepoError::Early { version },
        error => RepoError::envelope(&key, &error),
    })?;
    if *name != ObjectName::Config(signed.config.repository) {
        return Err(RepoError::corrupt(&key, "it describes another repository"));
    }
    verify(&signed.config.admin_key, &signed.signed, &signed.signature)
        .map_err(|_| RepoError::corrupt(&key, "its signature is wrong"))?;
    let unknown = signed.config.features.iter().find(|f| !KNOWN_FEATURES.contains(&f.as_str()));
    if let Some(feature) = unknown {
        return Err(RepoError::Newer { why: format!("it uses the feature {feature:?}") });
    }
    if signed.config.chunker.kind != 1 {
        return Err(RepoError::Newer { why: "it uses another chunker".to_owned() });
    }
    Ok(FoundConfig { signed, object })
}
