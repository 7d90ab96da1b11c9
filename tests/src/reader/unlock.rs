//! Slots: from a passphrase, 24 words or a key file to a bundle of keys.

use std::path::Path;

use argon2::{Algorithm, Argon2, Params, Version};

use crate::reader::Result;
use crate::reader::cbor::Value;
use crate::reader::disk::{self, unhex};
use crate::reader::key::{Key, bind, open_record};
use crate::reader::object::{Config, array, expect, number, number32, take};

/// What a repository is opened with.
pub enum Secret<'a> {
    /// A passphrase.
    Passphrase(&'a [u8]),
    /// The 24 words.
    Words(&'a str),
    /// The text of a key file.
    KeyFile(&'a str),
}

const MEMORY_KIB: std::ops::RangeInclusive<u32> = 64 << 10..=4 << 20;
const PASSES: std::ops::RangeInclusive<u32> = 2..=20;
const LANES: std::ops::RangeInclusive<u32> = 1..=16;
const SLOTS_MAX: usize = 64;

struct Slot {
    kind: u8,
    cost: (u32, u32, u32),
    salt: [u8; 16],
    about: Vec<u8>,
    head: Vec<u8>,
    sealed: Vec<u8>,
}

fn read_slot(bytes: &[u8], repository: &[u8; 16], id: &[u8; 8]) -> Result<Slot> {
    let mut rest = bytes;
    expect(&mut rest, b"MSTK", "a slot")?;
    let kind = take(&mut rest, 1)?[0];
    if array::<16>(&mut rest)? != *repository || array::<8>(&mut rest)? != *id {
        return Err("a slot is not where it belongs".to_owned());
    }
    let cost = (number32(&mut rest)?, number32(&mut rest)?, number32(&mut rest)?);
    let sound = match kind {
        1 => MEMORY_KIB.contains(&cost.0) && PASSES.contains(&cost.1) && LANES.contains(&cost.2),
        2 | 3 => cost == (0, 0, 0),
        _ => false,
    };
    if !sound {
        return Err("a slot has an impossible kind or cost".to_owned());
    }
    let salt = array(&mut rest)?;
    let about_bytes = number(&mut rest, 2)? as usize;
    let about = take(&mut rest, about_bytes)?.to_vec();
    let head = bytes[..60 + about_bytes].to_vec();
    Ok(Slot { kind, cost, salt, about, head, sealed: rest.to_vec() })
}

/// The key of 24 words.
fn key_of_words(words: &str) -> Result<Key> {
    let words = words.to_lowercase().split_whitespace().collect::<Vec<_>>().join(" ");
    let phrase = bip39::Mnemonic::parse_in_normalized(bip39::Language::English, &words)
        .map_err(|error| error.to_string())?;
    phrase.to_entropy().try_into().map_err(|_| "these are not 24 words".to_owned())
}

/// The repository's id in hex, the slot's id in hex, and the key in a key file.
fn parse_key_file(text: &str) -> Result<(&str, &str, Key)> {
    let lines: Vec<&str> = text.lines().collect();
    let ["mainstay key file, version 1", repository, slot, key] = lines.as_slice() else {
        return Err("this is no key file".to_owned());
    };
    let value = |line: &'static str, text| -> Result<&str> {
        str::strip_prefix(text, line).ok_or_else(|| format!("{line:?} is missing"))
    };
    let key = unhex(value("key ", *key)?)?;
    Ok((value("repository ", *repository)?, value("slot ", *slot)?, key))
}

/// The bundle that `secret` opens, and its slot.
pub(super) fn unlock(
    folder: &Path,
    repository: &[u8; 16],
    secret: &Secret<'_>,
    config: Option<&Config>,
) -> Result<(Value, [u8; 8])> {
    let mut names = disk::keys_below(folder, "keys")?;
    let words_key = match secret {
        Secret::Words(words) => Some(key_of_words(words)?),
        _ => None,
    };
    if let Secret::KeyFile(text) = secret {
        let (wanted, slot, _) = parse_key_file(text)?;
        if wanted != disk::hex(repository) {
            return Err("the key file belongs to another repository".to_owned());
        }
        names.retain(|name| *name == format!("keys/{slot}"));
    }
    for name in names.iter().take(SLOTS_MAX) {
        let bytes = disk::read(folder, name)?;
        let id = unhex(name.trim_start_matches("keys/"))?;
        let slot = read_slot(&bytes, repository, &id)?;
        let key = match (slot.kind, secret) {
            (1, Secret::Passphrase(passphrase)) => {
                require_cost(&slot, config)?;
                stretch(&slot, passphrase)?
            }
            (2, Secret::Words(_)) => words_key.ok_or("there are no words")?,
            (3, Secret::KeyFile(text)) => parse_key_file(text)?.2,
            _ => continue,
        };
        let aad = bind("slot", repository, name, &slot.head);
        if let Ok(plain) = open_record(&key, &aad, &slot.sealed) {
            return Ok((Value::decode(&plain)?, id));
        }
    }
    Err(format!("none of {} slots opens", names.len()))
}

fn require_cost(slot: &Slot, config: Option<&Config>) -> Result<()> {
    let (memory, passes) = config.map_or((0, 0), |config| config.kdf_min);
    match u64::from(slot.cost.0) >= memory && u64::from(slot.cost.1) >= passes {
        true => Ok(()),
        false => Err("a slot is weaker than the repository allows".to_owned()),
    }
}

fn stretch(slot: &Slot, passphrase: &[u8]) -> Result<Key> {
    let (memory_kib, passes, lanes) = slot.cost;
    let params = Params::new(memory_kib, passes, lanes, Some(32)).map_err(|e| e.to_string())?;
    let mut key = [0; 32];
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_into(passphrase, &slot.salt, &mut key)
        .map_err(|error| error.to_string())?;
    Ok(key)
}

/// Role and label of every slot, by its key, as any role can list them.
///
/// # Errors
/// Says what is wrong.
pub fn list_slots(
    folder: &Path,
    repository: &[u8; 16],
    controls: &[Key],
) -> Result<Vec<(String, u64, String)>> {
    let mut found = Vec::new();
    for name in disk::keys_below(folder, "keys")? {
        let id = unhex(name.trim_start_matches("keys/"))?;
        let slot = read_slot(&disk::read(folder, &name)?, repository, &id)?;
        let aad = bind("slot about", repository, &name, &[]);
        let mut opened = controls.iter().map(|key| open_record(key, &aad, &slot.about));
        let about = opened.find_map(Result::ok).ok_or("what a slot says does not open")?;
        let about = Value::decode(&about)?;
        found.push((name, about.field(0)?.uint()?, about.field(1)?.text()?.to_owned()));
    }
    Ok(found)
}
