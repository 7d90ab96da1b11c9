//! What is said of keys as JSON.

use engine::format::slot::{Role, SlotKind};
use engine::repo::slots::ListedSlot;
use serde::Serialize;

use crate::ui::access::Policy;
use crate::units;

/// A key was added.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct KeyAdded {
    /// The slot.
    #[serde(flatten)]
    pub key: KeyRecord,
    /// The new key file, if it is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_file: Option<String>,
    /// The client that was enrolled for it, for roles that write.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client: Option<String>,
    /// The hosts that the client may name, if they are stated.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub hosts: Vec<String>,
    /// The clients that it succeeds.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub succeeds: Vec<String>,
    /// What the store must allow, if that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy: Option<Policy>,
}

/// A key was removed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct KeyRemoved {
    /// The slot.
    #[serde(flatten)]
    pub key: KeyRecord,
}

/// What the given passphrase or key file is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct KeyTested {
    /// The slot it opens.
    #[serde(flatten)]
    pub key: KeyRecord,
    /// The repository.
    pub repository: String,
    /// Fingerprint of the administrator's key.
    pub fingerprint: String,
}

/// One key slot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct KeyRecord {
    /// Id of the slot.
    pub id: String,
    /// `passphrase`, `recovery words` or `key file`; `unknown` if nobody can say.
    pub kind: &'static str,
    /// What it allows; absent if the slot's label cannot be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<&'static str>,
    /// A name for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created: Option<String>,
    /// `good`, or how it differs from what the administrator has signed: `changed`, `missing`,
    /// `unreadable`, `removed`, `unlisted`.
    pub state: &'static str,
}

impl KeyRecord {
    /// A slot as programs are told of it.
    #[must_use]
    pub fn of(slot: &ListedSlot) -> Self {
        Self {
            id: slot.slot.to_string(),
            kind: slot.kind.map_or("unknown", Self::kind_of),
            role: slot.role.map(Role::name),
            label: slot.about.as_ref().map(|about| about.label.clone()),
            created: slot.about.as_ref().map(|about| units::rfc3339(about.created)),
            state: slot.standing.name(),
        }
    }

    /// What unwraps a slot, in words.
    #[must_use]
    pub fn kind_of(kind: SlotKind) -> &'static str {
        match kind {
            SlotKind::Passphrase => "passphrase",
            SlotKind::Phrase => "recovery words",
            SlotKind::KeyFile => "key file",
        }
    }
}

/// Keys of the repository were changed, or would be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct KeysRotated {
    /// Nothing was changed.
    pub dry_run: bool,
    /// The new epoch.
    pub epoch: u32,
    /// Keys whose holders have the new ones.
    pub given: Vec<KeyRecord>,
    /// Keys whose holders have not.
    pub left_out: Vec<KeyRecord>,
}
