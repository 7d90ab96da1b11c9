//! Codes at the end of names: who has no key of the repository cannot make a name that counts.
//!
//! A record that cannot be read may be a genuine one that rotted, and then it must stop things; a
//! record that anybody could have put there must not. The code tells one from the other before
//! anything is fetched. It depends on nothing but the rest of the name, so whoever has the keys
//! can also ask for an object without listing it.

use crate::base::id::Nonce8;
use crate::crypt::hash::mac;
use crate::crypt::random;
use crate::crypt::secret::SecretKey;
use crate::store::name::{Coding, ObjectName};

/// Digits of a code, with the hyphen before it.
const SUFFIX_LEN: usize = 17;

/// Bytes of a random part that are a keeper's code.
const KEEPER_BYTES: usize = 4;

/// The keys of one epoch that codes are made with.
#[derive(Clone)]
pub struct CodeKeys {
    /// Its number.
    pub epoch: u32,
    /// Of all names that have a code.
    pub names: SecretKey,
    /// Of what only maintain and admin may put up; others do not have it.
    pub keeper: Option<SecretKey>,
}

impl CodeKeys {
    /// Whether they make the code of that name. New keys are announced under a code of the epoch just
    /// before: whoever had only older ones cannot stop anybody with a record that cannot be read.
    fn names_it(&self, name: &ObjectName) -> bool {
        match name {
            ObjectName::Epoch(epoch) => self.epoch.checked_add(1) == Some(*epoch),
            _ => true,
        }
    }
}

/// The keys of all epochs that are known, the newest first.
#[derive(Clone)]
pub struct NameCodes {
    epochs: Vec<CodeKeys>,
}

impl NameCodes {
    /// `newest` is the epoch that writes; names of `older` ones count as well.
    #[must_use]
    pub fn new(newest: CodeKeys, older: Vec<CodeKeys>) -> Self {
        let mut epochs = vec![newest];
        epochs.extend(older);
        Self { epochs }
    }

    /// The whole keys under which an object may lie, the one to write to first.
    #[must_use]
    pub fn keys(&self, name: &ObjectName) -> Vec<String> {
        let base = name.key();
        match name.coding() {
            Coding::None => vec![base],
            Coding::Name => {
                let keys = self.epochs.iter().filter(|keys| keys.names_it(name));
                keys.map(|keys| whole(&base, &keys.names)).collect()
            }
            Coding::Keeper(random) => {
                // Under the codes of other epochs than that of the keeper's lies nothing that counts.
                let is_kept = |keys: &&CodeKeys| {
                    let keeper = keys.keeper.as_ref();
                    keeper.is_some_and(|key| keeper_code(key, name, random) == tail(random))
                };
                match self.epochs.iter().find(is_kept) {
                    Some(keys) => vec![whole(&base, &keys.names)],
                    None => self.epochs.iter().map(|keys| whole(&base, &keys.names)).collect(),
                }
            }
        }
    }

    /// The name that the store holds at `key`, if its codes are right.
    #[must_use]
    pub fn read(&self, key: &str) -> Option<ObjectName> {
        let Some((base, _)) = split(key) else {
            return ObjectName::parse(key).filter(|name| name.coding() == Coding::None);
        };
        let Some(name) = ObjectName::parse(base) else {
            // Names of packs end in a random part of the same length.
            return ObjectName::parse(key).filter(|name| name.coding() == Coding::None);
        };
        let mut keys = self.epochs.iter().filter(|keys| keys.names_it(&name));
        let keys = keys.find(|keys| whole(base, &keys.names) == key)?;
        match name.coding() {
            Coding::None => None,
            Coding::Name => Some(name),
            Coding::Keeper(random) => match &keys.keeper {
                Some(keeper) => {
                    (keeper_code(keeper, &name, random) == tail(random)).then_some(name)
                }
                None => Some(name),
            },
        }
    }

    /// A random part for a mark, whose second half only keepers can make. `name` says which mark it
    /// will be the part of. Without the keeper's key all of it is random, and keepers pass it over.
    #[must_use]
    pub fn draw(&self, name: impl Fn(Nonce8) -> ObjectName) -> Nonce8 {
        let drawn = Nonce8::new(random::array());
        let keeper = self.epochs.first().and_then(|keys| keys.keeper.as_ref());
        keeper.map_or(drawn, |keeper| {
            let mut bytes = *drawn.as_bytes();
            let code = keeper_code(keeper, &name(drawn), drawn);
            bytes[8 - KEEPER_BYTES..].copy_from_slice(&code);
            Nonce8::new(bytes)
        })
    }
}

/// The name that is spelled `key`, whatever the code in it is.
#[must_use]
pub fn spelled(key: &str) -> Option<ObjectName> {
    let coded = split(key).and_then(|(base, _)| ObjectName::parse(base));
    let is_plain = |name: &ObjectName| name.coding() == Coding::None;
    coded.or_else(|| ObjectName::parse(key).filter(is_plain))
}

/// Whether this is the key of an object whose name ends in a code, whatever that is.
pub(super) fn is_coded(key: &str) -> bool {
    let name = split(key).and_then(|(base, _)| ObjectName::parse(base));
    name.is_some_and(|name| name.coding() != Coding::None)
}

/// Key and code of what a key ends in, whatever the code is.
fn split(key: &str) -> Option<(&str, &str)> {
    let (base, suffix) = key.split_at_checked(key.len().checked_sub(SUFFIX_LEN)?)?;
    Some((base, suffix.strip_prefix('-')?))
}

fn whole(base: &str, key: &SecretKey) -> String {
    let code: [u8; 8] = first(&mac(key, base.as_bytes()));
    format!("{base}-{}", Nonce8::new(code))
}

/// Over the name with the second half of its random part left out.
fn keeper_code(keeper: &SecretKey, name: &ObjectName, random: Nonce8) -> [u8; KEEPER_BYTES] {
    let key = name.key();
    let digits = random.to_string();
    let drawn = digits.get(..16 - 2 * KEEPER_BYTES).unwrap_or_default();
    first(&mac(keeper, key.replace(&digits, drawn).as_bytes()))
}

fn tail(random: Nonce8) -> [u8; KEEPER_BYTES] {
    let [_, _, _, _, tail @ ..] = *random.as_bytes();
    tail
}

fn first<const N: usize>(mac: &[u8; 32]) -> [u8; N] {
    std::array::from_fn(|at| mac.get(at).copied().unwrap_or_default())
}
