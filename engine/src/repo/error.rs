//! What can go wrong between a repository and its keys.

use crate::base::codec::CodecError;
use crate::base::error::{Classified, ErrorClass};
use crate::crypt::error::CryptError;
use crate::format::consent::Deed;
use crate::format::envelope::EnvelopeError;
use crate::format::slot::Role;
use crate::store::error::StoreError;

/// Errors of this floor.
#[derive(Debug, thiserror::Error)]
pub enum RepoError {
    /// Nothing there is a repository.
    #[error("there is no repository at {place}")]
    NoRepository {
        /// Where it was looked for.
        place: String,
    },
    /// A repository is there already, or other files are.
    #[error("{place} is not empty: {found}")]
    Occupied {
        /// Where a repository should have been made.
        place: String,
        /// What was found.
        found: String,
    },
    /// Two repositories under one prefix, and both open.
    #[error("{place} holds two repositories that open with this: {} and {}", names[0], names[1])]
    Ambiguous {
        /// Where.
        place: String,
        /// Keys of the configurations.
        names: [String; 2],
    },
    /// No slot opens with what was given.
    #[error("no key slot of this repository opens with {what} ({slot_count} tried)")]
    WrongKey {
        /// The passphrase, the recovery words, or the key file.
        what: &'static str,
        /// Slots that were tried.
        slot_count: usize,
    },
    /// The store has a configuration, and no key slot of any kind.
    #[error("the repository at {place} has no key slots: nothing lies below keys/")]
    NoSlots {
        /// Where.
        place: String,
    },
    /// None of the slots that were tried opens, and others could not be tried.
    #[error(
        "none of the {tried} key slots that were tried opens with {what}, and {untried} more could \
         not be tried: they would take too long or more memory than there is"
    )]
    ManySlots {
        /// The passphrase or the recovery words.
        what: &'static str,
        /// Slots that were tried.
        tried: usize,
        /// Slots that were not.
        untried: usize,
    },
    /// Keys were changed, and the new ones were not given to this key.
    #[error(
        "the keys of this repository were changed (epoch {epoch}), and this key did not get the new ones"
    )]
    LeftOut {
        /// The epoch.
        epoch: u32,
    },
    /// The key file is damaged or of another repository.
    #[error("the key file cannot be used: {why}")]
    KeyFile {
        /// Why not.
        why: String,
    },
    /// The role does not allow it.
    #[error("this key has the role {role}, which cannot {action}", role = .role.name())]
    Denied {
        /// The role that opened the repository.
        role: Role,
        /// What was wanted.
        action: &'static str,
    },
    /// The administrator has ended the client that the key writes as.
    #[error("the client {client} was revoked ({reason}): nothing counts any more that it writes")]
    Revoked {
        /// The client.
        client: String,
        /// Why, in the administrator's words.
        reason: String,
    },
    /// The repository needs a newer program.
    #[error("the repository needs a newer program: {why}")]
    Newer {
        /// What is new.
        why: String,
    },
    /// The repository has a format that was never released.
    #[error("the repository has format version {version}, which was never released")]
    Early {
        /// The version.
        version: u8,
    },
    /// An object is damaged, forged, or not where it belongs.
    #[error("the object {key} is damaged: {why}")]
    Corrupt {
        /// Its key in the store.
        key: String,
        /// What is wrong.
        why: String,
    },
    /// The last snapshot or key slot must not be removed, and the like.
    #[error("refused: {why}")]
    Refused {
        /// Why.
        why: String,
    },
    /// Listings of one folder never agree.
    #[error("the listings of {prefix} keep changing")]
    Unsettled {
        /// What was listed.
        prefix: &'static str,
    },
    /// Two slots or clients match where one was wanted.
    #[error("{wanted:?} matches {count} key slots")]
    NotOneSlot {
        /// What was asked for.
        wanted: String,
        /// How many match.
        count: usize,
    },
    /// The store fails the checks that safety needs.
    #[error("the store at {place} fails check {check}: {detail}")]
    UnsafeStore {
        /// Where.
        place: String,
        /// Number and name of the check.
        check: String,
        /// What was seen.
        detail: String,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Somebody else must agree first.
    #[error("{} takes the consent of an approver who is not whoever does it", taken(*deed, subject, *count))]
    TakesTwo {
        /// To what.
        deed: Deed,
        /// The hold or the host.
        subject: String,
        /// The packs that would be deleted.
        count: u64,
    },
    /// A key operation failed.
    #[error(transparent)]
    Crypt(#[from] CryptError),
}

/// A deed, as people call it.
fn taken(deed: Deed, subject: &str, count: u64) -> String {
    match deed {
        Deed::Prune => format!("deleting {count} packs at once"),
        Deed::Release => format!("releasing the hold {subject}"),
        Deed::Offboard => format!("forgetting all snapshots of {subject}"),
    }
}

impl Classified for RepoError {
    fn class(&self) -> ErrorClass {
        match self {
            Self::NoRepository { .. } => ErrorClass::Missing,
            Self::Occupied { .. }
            | Self::Ambiguous { .. }
            | Self::Refused { .. }
            | Self::TakesTwo { .. }
            | Self::UnsafeStore { .. } => ErrorClass::Refused,
            Self::WrongKey { .. }
            | Self::NoSlots { .. }
            | Self::ManySlots { .. }
            | Self::KeyFile { .. }
            | Self::Denied { .. }
            | Self::Revoked { .. } => ErrorClass::Denied,
            Self::LeftOut { .. } => ErrorClass::Rekeyed,
            Self::Newer { .. } => ErrorClass::Newer,
            Self::Early { .. } => ErrorClass::Early,
            Self::Corrupt { .. } => ErrorClass::Corrupt,
            Self::Unsettled { .. } => ErrorClass::Transient,
            Self::NotOneSlot { .. } => ErrorClass::Usage,
            Self::Store(error) => error.class(),
            Self::Crypt(error) => error.class(),
        }
    }
}

impl RepoError {
    /// A damaged object, or a newer one if that is what its envelope says.
    #[must_use]
    pub fn envelope(key: &str, error: &EnvelopeError) -> Self {
        match error {
            EnvelopeError::Newer { .. } => Self::Newer { why: format!("{key}: {error}") },
            _ => Self::Corrupt { key: key.to_owned(), why: error.to_string() },
        }
    }

    /// A damaged object.
    #[must_use]
    pub fn corrupt(key: &str, why: impl Into<String>) -> Self {
        Self::Corrupt { key: key.to_owned(), why: why.into() }
    }

    /// A record inside an object that does not decode.
    #[must_use]
    pub fn codec(key: &str, error: &CodecError) -> Self {
        Self::corrupt(key, error.to_string())
    }
}
