//! Check 3: an object appears whole or not at all.

use std::thread;
use std::time::Duration;

use crate::format::config::Capabilities;
use crate::store::contract::bench::{Bench, Failure, pattern};
use crate::store::error::StoreError;
use crate::store::transport::Fault;

const BODY_BYTES: usize = 256 << 10;
/// What a dead connection leaves may come late.
const LATE_MS: u64 = 250;

pub(super) fn half_uploads(bench: &Bench<'_>, _: &mut Capabilities) -> Result<String, Failure> {
    let abandoned = abandoned_upload(bench)?;
    if !bench.first.raw_can_misbehave() {
        return match abandoned {
            true => Ok("an upload in parts that was never completed left nothing; there is no \
                        connection that could be cut"
                .to_owned()),
            false => Err(Failure::Skipped("this store has no upload that could be cut".to_owned())),
        };
    }
    let count = bench.sizes.cut_count;
    bench.each(count, |index| {
        let (writer, reader) = bench.pair(index);
        let key = bench.key(&format!("3/cut-{index:02x}"));
        let body = pattern(index as u64, BODY_BYTES);
        let cut = Fault::Cut(body.slice(..BODY_BYTES / 2));
        if writer.raw_put_once(&key, body.clone(), true, Some(cut)).is_ok() {
            return Err(Failure::Wrong("half a request was acknowledged".to_owned()));
        }
        bench.expect_absent(reader, &key, "after half a PUT")?;
        thread::sleep(Duration::from_millis(LATE_MS));
        bench.expect_absent(reader, &key, "some time after half a PUT")?;
        writer.raw_put_new(&key, body.clone())?;
        match reader.raw_get(&key, body.len() as u64)? == body {
            true => Ok(()),
            false => Err(Failure::Wrong("half a PUT spoiled the whole one after it".to_owned())),
        }
    })?;
    let parts = if abandoned { ", and an upload in parts that was never completed," } else { "" };
    Ok(format!("{count} PUTs cut after half of their bytes{parts} left nothing"))
}

/// Whether the store knows uploads in parts; fails if an uncompleted one is visible.
fn abandoned_upload(bench: &Bench<'_>) -> Result<bool, Failure> {
    let key = bench.key("3/parts");
    let look = || bench.expect_absent(bench.second, &key, "before an upload in parts is completed");
    match bench.first.raw_abandoned_upload(&key, pattern(3, BODY_BYTES), look) {
        Ok(seen) => seen?,
        Err(StoreError::NotSupported { .. }) => return Ok(false),
        Err(error) => return Err(error.into()),
    }
    bench.expect_absent(bench.second, &key, "after an upload in parts was aborted")?;
    Ok(true)
}
