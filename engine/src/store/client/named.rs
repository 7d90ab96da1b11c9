//! Names and their codes: under which keys an object lies, and what keys mean.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;

use crate::base::error::{Classified, ErrorClass};
use crate::base::id::Nonce8;
use crate::crypt::random;
use crate::store::client::Store;
use crate::store::code::{self, NameCodes};
use crate::store::error::StoreError;
use crate::store::listed::Listed;
use crate::store::name::{Coding, ObjectName};

/// Somebody who is asked when a listing shows names that would be those of objects, but for their codes.
///
/// They are junk, unless keys were changed: then they may be anything, and whoever passed them over could
/// miss that packs are being deleted.
pub trait StrangeNames: Send + Sync {
    /// Looks at the store, after the listing.
    ///
    /// # Errors
    /// [`StoreError::NewEpoch`] if keys were changed; errors of the store.
    fn explain(&self, store: &Store) -> Result<(), StoreError>;
}

impl Store {
    /// The same connection, for whoever has opened the repository.
    #[must_use]
    pub fn with_codes(&self, codes: NameCodes) -> Self {
        Self { codes: Some(Arc::new(codes)), fitting: Arc::default(), ..self.clone() }
    }

    /// The same connection; `watch` is asked about names with codes that are not known.
    #[must_use]
    pub fn with_watch(&self, watch: Arc<dyn StrangeNames>) -> Self {
        Self { watch: Some(watch), ..self.clone() }
    }

    /// The same connection, on which such names are junk.
    #[must_use]
    pub fn without_watch(&self) -> Self {
        Self { watch: None, ..self.clone() }
    }

    /// The key under which this handle writes an object.
    #[must_use]
    pub fn key_of(&self, name: &ObjectName) -> String {
        self.keys_of(name).into_iter().next().unwrap_or_else(|| name.key())
    }

    /// A random part for a mark; see [`NameCodes::draw`].
    #[must_use]
    pub fn draw(&self, name: impl Fn(Nonce8) -> ObjectName) -> Nonce8 {
        match &self.codes {
            Some(codes) => codes.draw(name),
            None => Nonce8::new(random::array()),
        }
    }

    pub(super) fn explain(&self, names: &Names) -> Result<(), StoreError> {
        self.link().repeats.fetch_or(names.repeats, Ordering::Relaxed);
        match &self.watch {
            Some(watch) if names.is_strange => watch.explain(self),
            _ => Ok(()),
        }
    }

    /// Whether a listing has named a key more than once.
    #[must_use]
    pub fn repeats_keys(&self) -> bool {
        self.link().repeats.load(Ordering::Relaxed)
    }

    /// The name of what the store holds at `key`, if the key is one that counts.
    #[must_use]
    pub fn name_at(&self, key: &str) -> Option<ObjectName> {
        match &self.codes {
            Some(codes) => codes.read(key),
            None => ObjectName::parse(key).filter(|name| name.coding() == Coding::None),
        }
    }

    pub(super) fn keys_of(&self, name: &ObjectName) -> Vec<String> {
        let coded = self.codes.as_ref().map(|codes| codes.keys(name));
        coded.filter(|keys| !keys.is_empty()).unwrap_or_else(|| vec![name.key()])
    }

    /// Reads an object that `open` opens, under whichever of the keys that its name may have.
    ///
    /// Whoever had keys of one epoch can put something else under that epoch's code of a name. It hides
    /// nothing: what does not open under one key is looked for under the others.
    ///
    /// # Errors
    /// What `open` says of the first object that it does not open; errors of the store.
    pub fn get_genuine<T, E>(
        &self,
        name: &ObjectName,
        max_bytes: u64,
        open: impl Fn(Bytes) -> Result<T, E>,
    ) -> Result<T, E>
    where
        E: Classified + From<StoreError>,
    {
        let keys = self.keys_of(name);
        let read = |at: usize| {
            let key = keys.get(at).map(String::as_str).unwrap_or_default();
            let opened = self.raw_get(key, max_bytes).map_err(E::from).and_then(&open)?;
            if keys.len() > 1 {
                self.fitting.store(at, Ordering::Relaxed);
            }
            Ok(opened)
        };
        // Objects of one epoch are mostly read together.
        let fitting = self.fitting.load(Ordering::Relaxed) % keys.len().max(1);
        let mut outcome: Result<T, E> = read(fitting);
        for at in (0..keys.len()).filter(|at| *at != fitting) {
            let Err(error) = &outcome else { break };
            let Some(said) = weight(error.class()) else { break };
            let next = read(at);
            let says_more = |error: &E| weight(error.class()).is_none_or(|weight| weight > said);
            if next.as_ref().err().is_none_or(says_more) {
                outcome = next;
            }
        }
        outcome
    }
}

/// How much an error says of an object that may lie elsewhere, too; `None` if it says nothing of that.
fn weight(class: ErrorClass) -> Option<u8> {
    match class {
        ErrorClass::Missing => Some(0),
        // Some stores say so of what is not there.
        ErrorClass::Denied => Some(1),
        ErrorClass::Corrupt | ErrorClass::Newer | ErrorClass::Unreadable => Some(2),
        _ => None,
    }
}

/// The names in a listing, in the order of keys: each counts once.
///
/// Whoever had keys of one epoch can put up a second object for a name. It came later, so the first
/// one counts: nobody can change when the store received something.
#[derive(Default)]
pub(super) struct Names {
    held: Option<Listed>,
    is_strange: bool,
    /// Whether a key was named more than once.
    pub(super) repeats: bool,
}

impl Names {
    /// Takes the next object; answers the one before.
    pub(super) fn next(&mut self, mut object: Listed) -> Option<Listed> {
        self.is_strange |= object.name.is_none() && code::is_coded(&object.key);
        if let Some(held) = &mut self.held
            && held.name.is_some()
            && held.name == object.name
        {
            let later = if object.modified < held.modified { held } else { &mut object };
            later.name = None;
            if object.name.is_none() {
                // The one that counts stays, for a third one.
                return Some(object);
            }
        }
        self.held.replace(object)
    }

    /// The last object.
    pub(super) fn last(&mut self) -> Option<Listed> {
        self.held.take()
    }
}
