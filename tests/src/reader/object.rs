//! The configuration and control objects.

use std::path::Path;

use crate::reader::Result;
use crate::reader::cbor::Value;
use crate::reader::disk;
use crate::reader::key::{Key, Keys, bind, derive, id_of, open_record, verify};

/// Control objects and the configuration are not larger.
const CONTROL_MAX_BYTES: usize = 64 << 10;
/// Snapshot records are not larger.
const SNAPSHOT_MAX_BYTES: usize = 4 << 20;
const FOLDED_MAX_BYTES: usize = 64 << 20;

/// The configuration, its signature verified.
pub struct Config {
    /// The repository.
    pub repository: [u8; 16],
    /// The administrator's public key.
    pub admin_key: Key,
    /// The suite of packs.
    pub suite: u8,
    /// Boundary bits, least and most items of tree nodes.
    pub tree: (u64, u64, u64),
    /// Least memory in KiB and passes of a passphrase slot.
    pub kdf_min: (u64, u64),
    covered: Vec<u8>,
    mac: [u8; 32],
}

/// A slice of `count` bytes from the front of `rest`, which is moved behind it.
pub(super) fn take<'a>(rest: &mut &'a [u8], count: usize) -> Result<&'a [u8]> {
    let (taken, left) = rest.split_at_checked(count).ok_or("an object is truncated")?;
    *rest = left;
    Ok(taken)
}

/// A little-endian number of `count` bytes.
pub(super) fn number(rest: &mut &[u8], count: usize) -> Result<u64> {
    let bytes = take(rest, count)?;
    Ok(bytes.iter().rev().fold(0, |sum, byte| sum << 8 | u64::from(*byte)))
}

/// A u32.
pub(super) fn number32(rest: &mut &[u8]) -> Result<u32> {
    Ok(number(rest, 4)? as u32)
}

/// An array of `N` bytes.
pub(super) fn array<const N: usize>(rest: &mut &[u8]) -> Result<[u8; N]> {
    let mut bytes = [0; N];
    bytes.copy_from_slice(take(rest, N)?);
    Ok(bytes)
}

/// Checks magic number and version.
pub(super) fn expect(rest: &mut &[u8], magic: &[u8; 4], what: &str) -> Result<()> {
    if take(rest, 4)? != magic {
        return Err(format!("{what} has another magic number"));
    }
    match take(rest, 1)? {
        [2] => Ok(()),
        other => Err(format!("{what} has version {}", other[0])),
    }
}

/// The one configuration in the folder.
pub(super) fn read_config(folder: &Path) -> Result<Config> {
    let mut names = disk::keys_below(folder, "")?;
    names.retain(|name| name.starts_with("config-"));
    let [name] = names.as_slice() else {
        return Err(format!("there are {} configurations", names.len()));
    };
    let bytes = disk::read(folder, name)?;
    let config = parse_config(&bytes)?;
    match *name == format!("config-{}", disk::hex(&config.repository)) {
        true => Ok(config),
        false => Err(format!("{name} describes another repository")),
    }
}

/// Reads a configuration and verifies its signature.
///
/// # Errors
/// Says what is wrong.
pub fn parse_config(bytes: &[u8]) -> Result<Config> {
    if bytes.len() > CONTROL_MAX_BYTES {
        return Err("the configuration is too large".to_owned());
    }
    let mut rest = bytes;
    expect(&mut rest, b"MSTG", "the configuration")?;
    let length = number32(&mut rest)? as usize;
    let record = Value::decode(take(&mut rest, length)?)?;
    let signed = &bytes[..9 + length];
    let signature = array::<64>(&mut rest)?;
    let covered = bytes[..73 + length].to_vec();
    let mac = array::<32>(&mut rest)?;
    if !rest.is_empty() {
        return Err("bytes follow the configuration".to_owned());
    }
    let admin_key = record.field(2)?.array()?;
    verify(&admin_key, signed, &signature)?;
    if !record.field(6)?.items()?.is_empty() {
        return Err("the repository has features that this reader does not know".to_owned());
    }
    if record.field(4)?.field(0)?.uint()? != 1 {
        return Err("the chunker is unknown".to_owned());
    }
    let tree = record.field(5)?;
    Ok(Config {
        repository: record.field(0)?.array()?,
        admin_key,
        suite: u8::try_from(record.field(3)?.uint()?).map_err(|error| error.to_string())?,
        tree: (tree.field(0)?.uint()?, tree.field(1)?.uint()?, tree.field(2)?.uint()?),
        kdf_min: (record.field(8)?.uint()?, record.field(9)?.uint()?),
        covered,
        mac,
    })
}

/// Checks that whoever made the configuration had the control key.
pub(super) fn check_config_mac(config: &Config, keys: &Keys) -> Result<()> {
    let key =
        derive("mainstay v2 configuration mac", &[&keys.epochs.first().ok_or("no epoch")?.control]);
    match id_of(&key, &config.covered) == config.mac {
        true => Ok(()),
        false => Err("the configuration's MAC is wrong".to_owned()),
    }
}

/// Opens a control object of `kind` at the key `name` that `signer` signed.
///
/// # Errors
/// Says what is wrong, naming the object.
pub fn open_control(
    bytes: &[u8],
    name: &str,
    kind: u8,
    repository: &[u8; 16],
    keys: &Keys,
    signer: &Key,
) -> Result<Value> {
    open_body(bytes, name, kind, repository, keys, Some(signer))
        .and_then(|body| Value::decode(&body))
        .map_err(|why| format!("{name}: {why}"))
}

/// What a control object says of who signed it, not verified.
///
/// # Errors
/// Says what is wrong, naming the object.
pub(super) fn peek_control(
    bytes: &[u8],
    name: &str,
    kind: u8,
    repository: &[u8; 16],
    keys: &Keys,
) -> Result<Value> {
    open_body(bytes, name, kind, repository, keys, None)
        .and_then(|body| Value::decode(&body))
        .map_err(|why| format!("{name}: {why}"))
}

fn open_body(
    bytes: &[u8],
    name: &str,
    kind: u8,
    repository: &[u8; 16],
    keys: &Keys,
    signer: Option<&Key>,
) -> Result<Vec<u8>> {
    let max = match kind {
        3 => SNAPSHOT_MAX_BYTES,
        25 => FOLDED_MAX_BYTES,
        _ => CONTROL_MAX_BYTES,
    };
    if bytes.len() > max {
        return Err("it is too large".to_owned());
    }
    let mut rest = bytes;
    expect(&mut rest, b"MSTC", "a control object")?;
    if take(&mut rest, 1)? != [kind] {
        return Err("it is of another kind".to_owned());
    }
    let epoch = number32(&mut rest)?;
    let aad = bind("control", repository, name, &[kind]);
    let plain = open_record(&keys.at(epoch)?.control, &aad, rest)?;
    let (signature, body) = plain.split_first_chunk::<64>().ok_or("it has no signature")?;
    let mut message = bind("signed", repository, name, &[kind]);
    message.extend_from_slice(body);
    if let Some(signer) = signer {
        verify(signer, &message, signature)?;
    }
    Ok(body.to_vec())
}

/// The epoch of a control object.
pub(super) fn epoch_of(bytes: &[u8]) -> Result<u32> {
    let mut rest = bytes.get(6..10).ok_or("a control object is too short")?;
    number32(&mut rest)
}
