//! The keys of one epoch, and how they follow from the root secret.
//!
//! An administrator who changes keys begins a new epoch: control key, codes of names, index keys and
//! both key pairs are new, and those of older epochs stay for what was written with them. Keys of
//! chunk ids and cut points do not change, so that deduplication goes on.

use crate::crypt::hash::derive;
use crate::crypt::seal::{SealPublic, SealSecret, Suite, key_pair};
use crate::crypt::secret::SecretKey;
use crate::format::slot::{EpochKeys, Role};
use crate::repo::error::RepoError;

const CONTEXT_DATA: &str = "mainstay v2 key pair of file content";
const CONTEXT_TREE: &str = "mainstay v2 key pair of names and metadata";
const CONTEXT_INDEX: &str = "mainstay v2 index keys";
const CONTEXT_CONTROL: &str = "mainstay v2 control key of an epoch";
const CONTEXT_KEEPER: &str = "mainstay v2 codes of keepers in an epoch";
const CONTEXT_LATER_DATA: &str = "mainstay v2 key pair of file content in a later epoch";
const CONTEXT_LATER_TREE: &str = "mainstay v2 key pair of names and metadata in a later epoch";
const CONTEXT_LATER_INDEX: &str = "mainstay v2 index keys of a later epoch";
const CONTEXT_DOMAIN: &str = "mainstay v2 key of a dedup domain";

/// A key from which the key of each dedup domain follows, or the key of a single domain.
#[derive(Clone)]
pub(super) enum DomainKeys {
    /// Keys of all domains.
    All(SecretKey),
    /// The key of one domain.
    One(u32, SecretKey),
}

impl DomainKeys {
    /// The key of `domain`, if this keyring may have it.
    pub(super) fn of(&self, domain: u32) -> Option<SecretKey> {
        match self {
            Self::All(root) => {
                Some(derive(CONTEXT_DOMAIN, &[root.expose(), &domain.to_le_bytes()]))
            }
            Self::One(own, key) => (*own == domain).then(|| key.clone()),
        }
    }
}

/// The keys of one epoch, as far as the role has them.
pub(super) struct Ring {
    pub(super) epoch: u32,
    pub(super) control: SecretKey,
    pub(super) keeper: Option<SecretKey>,
    pub(super) index: DomainKeys,
    pub(super) tree: Option<SealSecret>,
    pub(super) data: Option<SealSecret>,
}

/// An object of an epoch that nobody has announced to this machine.
pub(super) fn unknown(epoch: u32, key: &str) -> RepoError {
    RepoError::Newer { why: format!("{key} is of epoch {epoch}, which no administrator announced") }
}

pub(super) fn control_key(root: &SecretKey, epoch: u32) -> SecretKey {
    derive(CONTEXT_CONTROL, &[root.expose(), &epoch.to_le_bytes()])
}

pub(super) fn keeper_key(root: &SecretKey, epoch: u32) -> SecretKey {
    derive(CONTEXT_KEEPER, &[root.expose(), &epoch.to_le_bytes()])
}

pub(super) fn index_root(root: &SecretKey, epoch: u32) -> SecretKey {
    match epoch {
        0 => derive(CONTEXT_INDEX, &[root.expose()]),
        _ => derive(CONTEXT_LATER_INDEX, &[root.expose(), &epoch.to_le_bytes()]),
    }
}

/// Seeds of the pairs of file content and of names.
pub(super) fn pair_seeds(root: &SecretKey, epoch: u32) -> (SecretKey, SecretKey) {
    let later = |context| derive(context, &[root.expose(), &epoch.to_le_bytes()]);
    match epoch {
        0 => (derive(CONTEXT_DATA, &[root.expose()]), derive(CONTEXT_TREE, &[root.expose()])),
        _ => (later(CONTEXT_LATER_DATA), later(CONTEXT_LATER_TREE)),
    }
}

pub(super) fn ring_of_root(
    root: &SecretKey,
    suite: Suite,
    epoch: u32,
) -> (Ring, (SealPublic, SealPublic)) {
    let (data, tree) = pair_seeds(root, epoch);
    let ((data, data_public), (tree, tree_public)) =
        (key_pair(suite, &data), key_pair(suite, &tree));
    let ring = Ring {
        epoch,
        control: control_key(root, epoch),
        keeper: Some(keeper_key(root, epoch)),
        index: DomainKeys::All(index_root(root, epoch)),
        tree: Some(tree),
        data: Some(data),
    };
    (ring, (data_public, tree_public))
}

/// `None` if keys of the role are missing.
pub(super) fn ring(scope: (Role, u32), suite: Suite, epoch: u32, keys: &EpochKeys) -> Option<Ring> {
    let opener = |seed: Option<[u8; 32]>| seed.map(|seed| key_pair(suite, &SecretKey::new(seed)).0);
    let (role, _) = scope;
    let ring = Ring {
        epoch,
        control: SecretKey::new(keys.control),
        keeper: keys.keeper.map(SecretKey::new).filter(|_| role.collects()),
        index: domain_keys(scope, SecretKey::new(keys.index?)),
        tree: opener(keys.tree_secret),
        data: opener(keys.data_secret),
    };
    let is_whole = match role {
        Role::Backup => true,
        Role::Maintain => ring.tree.is_some() && ring.keeper.is_some(),
        Role::Verify | Role::Restore | Role::Admin => ring.tree.is_some() && ring.data.is_some(),
    };
    is_whole.then_some(ring)
}

pub(super) fn domain_keys((role, domain): (Role, u32), key: SecretKey) -> DomainKeys {
    match role {
        Role::Backup => DomainKeys::One(domain, key),
        _ => DomainKeys::All(key),
    }
}
