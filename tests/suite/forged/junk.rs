//! Forged objects that were changed from outside, copied, or made of nothing, and objects of others
//! that are overwritten.

use bytes::Bytes;
use engine::format::envelope::ControlKind;
use engine::repo::object::{seal_signed, sign_body};
use engine::store::ObjectName;
use futures::TryStreamExt;
use futures::executor::block_on;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};

use crate::forged::forger::Forger;
use crate::forged::grammar::{noise, one_of, spoil};
use crate::forged::kinds::Kind;

/// Lengths of objects of nothing: around headers and limits.
const LENGTHS: [usize; 8] = [0, 1, 5, 36, 66, 200, 65_536, 65_537];

impl Forger<'_> {
    /// All keys in the fork.
    pub(super) fn keys(&self) -> Vec<String> {
        let listed = block_on(self.inner.list(None).try_collect::<Vec<_>>()).expect("it lists");
        let mut keys: Vec<_> = listed.into_iter().map(|it| it.location.to_string()).collect();
        keys.sort();
        keys
    }

    pub(super) fn raw(&self, key: &str) -> Option<Bytes> {
        block_on(async { self.inner.get(&Path::from(key)).await.ok()?.bytes().await.ok() })
    }

    pub(super) fn put_raw(&self, key: &str, bytes: impl Into<Bytes>) {
        let bytes: Bytes = bytes.into();
        block_on(self.inner.put(&Path::from(key), bytes.into())).expect("memory takes it");
    }

    /// Puts bytes under a name where nothing is.
    pub(super) fn add_raw(&mut self, key: &str, bytes: impl Into<Bytes>) {
        if self.raw(key).is_none() {
            self.count += 1;
            self.put_raw(key, bytes);
        }
    }

    /// The bytes of some other object.
    pub(super) fn foreign(&mut self) -> Bytes {
        let key = one_of(&self.keys(), &mut self.chance).clone();
        self.raw(&key).unwrap_or_default()
    }

    /// Bytes that mean nothing, or something elsewhere.
    pub(super) fn nonsense(&mut self) -> Bytes {
        match self.chance.hits(2) {
            true => self.foreign(),
            false => {
                let length = *one_of(&LENGTHS, &mut self.chance);
                noise(length, &mut self.chance).into()
            }
        }
    }

    pub(super) fn junk_record(&mut self, kind: ControlKind) {
        let choice = self.chance.below(6);
        if choice == 0 {
            return self.uncoded(Kind::Control(kind));
        }
        let Some(name) = self.record(kind, false) else { return };
        let key = self.tool.store().key_of(&name);
        let mut bytes = self.raw(&key).unwrap_or_default().to_vec();
        match choice {
            1 => bytes = self.nonsense().to_vec(),
            2 => {
                bytes[4 + self.chance.below(6) as usize] =
                    *one_of(&[0, 1, 2, 3, 9, 255], &mut self.chance)
            }
            3 => {
                let size = *one_of(&[60_000, 65_000, 70_000], &mut self.chance);
                let opener = *one_of(&[&[0x81][..], &[0xa1, 0x00]], &mut self.chance);
                let signing = self.signing.clone();
                let body = opener.repeat(size / opener.len());
                let signed = sign_body(self.tool, &name, kind, &body, &signing);
                bytes = seal_signed(self.tool, &name, kind, &signed);
            }
            _ => spoil(&mut bytes, &mut self.chance),
        }
        self.put_raw(&key, bytes);
    }

    /// A name that has no code, or a made-up one.
    pub(super) fn uncoded(&mut self, kind: Kind) {
        let (bytes, code) = (self.nonsense(), self.nonce());
        let Some(base) = self.shape(kind) else { return };
        let key = match self.chance.below(4) {
            0 => base.key(),
            1 => format!("{base}-"),
            _ => format!("{base}-{code}"),
        };
        self.add_raw(&key, bytes);
    }

    /// Some name of that kind.
    fn shape(&mut self, kind: Kind) -> Option<ObjectName> {
        match kind {
            Kind::Control(kind) => {
                let view = self.view();
                Some(self.name(kind, &view))
            }
            _ => None,
        }
    }

    /// Overwrites an object of the kind that is there.
    pub(super) fn replace(&mut self, kind: Kind) {
        let is_one = |key: &String| {
            self.tool.store().name_at(key).is_some_and(|name| Kind::of(&name) == kind)
        };
        let keys: Vec<_> = self.keys().into_iter().filter(is_one).collect();
        if keys.is_empty() {
            return;
        }
        let key = one_of(&keys, &mut self.chance).clone();
        let original = self.raw(&key).unwrap_or_default();
        let mut bytes = original.to_vec();
        match self.chance.below(4) {
            0 => {
                let other = one_of(&keys, &mut self.chance);
                bytes = self.raw(other).unwrap_or_default().to_vec();
            }
            1 => bytes = self.nonsense().to_vec(),
            _ => spoil(&mut bytes, &mut self.chance),
        }
        self.count += 1;
        self.put_raw(&key, bytes);
        self.replaced.entry(key).or_insert(original);
    }

    /// Puts back what was overwritten.
    pub(super) fn put_back(&mut self) {
        for (key, bytes) in std::mem::take(&mut self.replaced) {
            self.put_raw(&key, bytes);
        }
    }
}
