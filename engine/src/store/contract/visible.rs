//! Checks 1 and 4: what was acknowledged on one connection is seen on the other at once.

use crate::format::config::Capabilities;
use crate::store::contract::bench::{Bench, Failure, pattern};
use crate::store::error::StoreError;

/// Keys of one folder: what a store without paging has to look through for each listing.
const KEYS_PER_FOLDER: usize = 32;

/// Check 1. Each key is asked for before it is written, which provokes caches of absence.
pub(super) fn fresh_objects(bench: &Bench<'_>, _: &mut Capabilities) -> Result<String, Failure> {
    let count = bench.sizes.fresh_count;
    bench.each(count, |index| {
        let (writer, reader) = bench.pair(index);
        let folder = bench.key(&format!("1/{:04x}", index / KEYS_PER_FOLDER));
        let key = format!("{folder}/{:04x}", index % KEYS_PER_FOLDER);
        let body = pattern(index as u64, 100 + index % 900);
        bench.expect_absent(reader, &key, "a new key")?;
        writer.raw_put_new(&key, body.clone())?;
        match reader.raw_get(&key, body.len() as u64) {
            Ok(held) if held == body => {}
            Ok(_) => return wrong(&key, "is read with other content than was written"),
            Err(StoreError::NotFound { .. }) => return wrong(&key, "is not there for a read"),
            Err(error) => return Err(error.into()),
        }
        match reader.raw_size(&key) {
            Ok(size_bytes) if size_bytes == body.len() as u64 => {}
            Ok(_) => return wrong(&key, "has another size than was written"),
            Err(StoreError::NotFound { .. }) => return wrong(&key, "is not there for a HEAD"),
            Err(error) => return Err(error.into()),
        }
        let listed = reader.list(&format!("{folder}/"))?;
        match listed.iter().find(|object| object.key == key) {
            Some(object) if object.size_bytes == body.len() as u64 => Ok(()),
            Some(_) => wrong(&key, "is listed with another size than was written"),
            None => wrong(&key, "is not listed after its write was acknowledged"),
        }
    })?;
    Ok(format!("{count} new keys read, measured and listed on the other connection"))
}

/// Check 4.
pub(super) fn deleted_objects(bench: &Bench<'_>, _: &mut Capabilities) -> Result<String, Failure> {
    let count = bench.sizes.deleted_count;
    bench.each(count, |index| {
        let (writer, reader) = bench.pair(index);
        let key = bench.key(&format!("4/{index:04x}"));
        writer.raw_put_new(&key, pattern(index as u64, 64))?;
        reader.raw_size(&key)?;
        match writer.raw_delete(&key) {
            Err(StoreError::Denied { .. }) => {
                return Err(Failure::Skipped("these credentials may not delete".to_owned()));
            }
            other => other?,
        }
        bench.expect_absent(reader, &key, "a deleted object")
    })?;
    Ok(format!("{count} deleted objects gone from reads and listings on the other connection"))
}

fn wrong(key: &str, what: &str) -> Result<(), Failure> {
    Err(Failure::Wrong(format!("{key} {what}")))
}
