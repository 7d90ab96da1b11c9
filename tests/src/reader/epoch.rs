//! Epochs: which were announced, and the keys of each.

use std::path::Path;

use crate::reader::cbor::Value;
use crate::reader::key::{Keys, bind, verify};
use crate::reader::{Result, disk};

/// Takes in all epochs that are announced, for whoever opened this slot.
pub(super) fn enter_all(
    folder: &Path,
    repository: &[u8; 16],
    keys: &mut Keys,
    slot: &[u8; 8],
) -> Result<()> {
    loop {
        // Its code is made with the key of the epoch just before.
        let number = keys.epochs.last().map_or(0, |epoch| epoch.number) + 1;
        let name = format!("epochs/{number:08x}");
        let newest = keys.names().first().copied().ok_or("there is no epoch")?;
        if !disk::coded_below(folder, "epochs", &[newest])?.contains(&name) {
            return Ok(());
        }
        let bytes = disk::read(folder, &disk::coded(&name, &newest))?;
        let record = announced(&bytes, b"MSTE", &name, repository, &keys.admin_key)?;
        let is_right = record.field(0)?.bytes()? == repository
            && record.field(1)?.uint()? == u64::from(number);
        if !is_right {
            return Err(format!("{name} is the record of another epoch"));
        }
        keys.enter(&record, repository, slot)?;
    }
}

/// An announcement, its signature verified.
pub(super) fn announced(
    bytes: &[u8],
    magic: &[u8; 4],
    name: &str,
    repository: &[u8; 16],
    admin_key: &[u8; 32],
) -> Result<Value> {
    let (signed, signature) =
        bytes.split_last_chunk::<64>().ok_or("an announcement is too short")?;
    let front = bind("announcement", repository, name, &[]);
    verify(admin_key, &[&front, signed].concat(), signature)?;
    let (head, record) = signed.split_first_chunk::<9>().ok_or("it is too short")?;
    let wanted = [&magic[..], &[2], &(record.len() as u32).to_le_bytes()].concat();
    match head[..] == wanted {
        true => Value::decode(record),
        false => Err(format!("{name} has another head")),
    }
}
