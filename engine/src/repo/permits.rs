//! What the credentials of a store must allow beside a key of some role: the least that its commands
//! ask for.
//!
//! A store can hold a machine to this although it knows no key: session ids, generations and chains
//! of evidence begin with the client's id, so a client writes below prefixes that no other one uses.
//! What nothing writes yet is not allowed either.

use crate::base::id::{ClientId, SlotId};
use crate::format::slot::Role;
use crate::store::name::{ObjectName, prefix};

/// What may be done with objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Right {
    /// Reading them.
    Get,
    /// Adding them.
    Put,
    /// Deleting them.
    Delete,
}

/// What is allowed with which keys, relative to the location of the repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Permit {
    /// What may be done.
    pub right: Right,
    /// What the keys begin with, or the whole key if `is_whole`. One star in it stands for anything.
    pub key: String,
    /// Whether it is the key of one object.
    pub is_whole: bool,
}

impl Permit {
    /// Whether it covers an object.
    #[must_use]
    pub fn covers(&self, right: Right, key: &str) -> bool {
        let is_key = match self.key.split_once('*') {
            _ if self.is_whole => key == self.key,
            None => key.starts_with(&self.key),
            Some((begin, then)) => key.strip_prefix(begin).is_some_and(|rest| rest.contains(then)),
        };
        self.right == right && is_key
    }
}

/// Objects that every role reads. Packs are not among them.
const RECORDS: [&str; 17] = [
    prefix::CONFIG,
    prefix::CLIENTS,
    prefix::SLOT_SETS,
    prefix::EPOCHS,
    prefix::SESSIONS,
    prefix::INDEX,
    prefix::SNAPSHOTS,
    prefix::COLLECTIONS,
    prefix::TOMBS,
    prefix::HOLDS,
    prefix::TAGS,
    prefix::CONSENTS,
    prefix::EVIDENCE,
    prefix::RUNS,
    prefix::JOINS,
    prefix::FOLDS,
    prefix::COPIED,
];

/// Where a store is asked what time it is.
const PROBES: &str = "probe-";

/// Who gets permits.
#[derive(Debug, Clone, Copy)]
pub struct Holder {
    /// What the key allows.
    pub role: Role,
    /// The client that the holder writes as.
    pub client: Option<ClientId>,
    /// The slot, if only this one is ever read: a key file says which it opens.
    pub slot: Option<SlotId>,
    /// Whether other clients of its dedup domain write, too: it may have to ask their packs.
    pub shares_domain: bool,
    /// Whether it may agree to what takes two people.
    pub approves: bool,
}

/// All that `holder` needs, beside listing the whole repository.
#[must_use]
pub fn permits(holder: &Holder) -> Vec<Permit> {
    let mut found = Vec::new();
    let mut allow = |right, keys: &[String]| {
        found.extend(keys.iter().map(|key| Permit { right, key: key.clone(), is_whole: false }));
    };
    let plain = |keys: &[&str]| keys.iter().map(|key| (*key).to_owned()).collect::<Vec<_>>();
    if holder.role == Role::Admin {
        for right in [Right::Get, Right::Put, Right::Delete] {
            allow(right, &[String::new()]);
        }
        return found;
    }
    allow(Right::Get, &plain(&RECORDS));
    let own = |keys: &[&str]| match holder.client {
        Some(client) => keys.iter().map(|key| format!("{key}{client}")).collect(),
        None => Vec::new(),
    };
    let written = [prefix::DATA, prefix::TREE, prefix::INDEX, prefix::SESSIONS, prefix::SNAPSHOTS];
    if let Some(client) = holder.client {
        // The hour comes first, so that who watches can read what is new.
        allow(Right::Put, &[format!("{}*/{client}-", prefix::RUNS)]);
        // That the invitation was taken, which bears the client's id.
        allow(Right::Put, &own(&[prefix::JOINS]));
    }
    match holder.role {
        Role::Backup => {
            allow(Right::Put, &own(&written));
            allow(Right::Put, &own(&[prefix::CONFIGURATIONS]));
            allow(Right::Get, &own(&[prefix::CONFIGURATIONS]));
            match holder.shares_domain {
                true => allow(Right::Get, &plain(&[prefix::DATA, prefix::TREE])),
                // What was written is read back when an answer was lost.
                false => allow(Right::Get, &own(&[prefix::DATA, prefix::TREE])),
            }
        }
        Role::Maintain => {
            allow(Right::Get, &plain(&[prefix::DATA, prefix::TREE, PROBES]));
            allow(Right::Put, &own(&[prefix::DATA, prefix::TREE, prefix::INDEX]));
            allow(Right::Put, &own(&[prefix::SESSIONS, prefix::EVIDENCE, prefix::CONFIGURATIONS]));
            // Fences and finals of others, records of collections that it closes.
            allow(Right::Put, &plain(&[prefix::SNAPSHOTS, prefix::COLLECTIONS]));
            allow(Right::Put, &plain(&[prefix::TOMBS, prefix::HOLDS, prefix::TAGS, PROBES]));
            allow(Right::Put, &plain(&[prefix::FOLDS]));
            allow(Right::Get, &plain(&[prefix::CONFIGURATIONS]));
            if holder.approves {
                allow(Right::Put, &plain(&[prefix::CONSENTS]));
            }
            allow(Right::Delete, &plain(&[prefix::DATA, prefix::TREE, prefix::INDEX]));
            allow(Right::Delete, &plain(&[prefix::SESSIONS, prefix::COLLECTIONS, PROBES]));
            allow(Right::Delete, &plain(&[prefix::RUNS, prefix::FOLDS]));
        }
        Role::Verify => {
            allow(Right::Get, &plain(&[prefix::DATA, prefix::TREE, prefix::CONFIGURATIONS]));
            // Registers what it reads, so that nobody deletes that meanwhile, and ends it.
            allow(Right::Put, &own(&[prefix::SESSIONS, prefix::SNAPSHOTS, prefix::EVIDENCE]));
        }
        Role::Restore | Role::Admin => {
            allow(Right::Get, &plain(&[prefix::DATA, prefix::TREE, prefix::CONFIGURATIONS]));
        }
    }
    match holder.slot {
        // Slots of passphrases can be guessed at by whoever reads them.
        Some(slot) if holder.role == Role::Backup => {
            let key = ObjectName::Slot(slot).key();
            found.push(Permit { right: Right::Get, key, is_whole: true });
        }
        _ => {
            let key = prefix::SLOTS.to_owned();
            found.push(Permit { right: Right::Get, key, is_whole: false });
        }
    }
    found
}
