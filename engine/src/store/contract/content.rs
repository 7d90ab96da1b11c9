//! Checks 6, 7 and 8: exact ranges, large and damaged uploads, the characters of our keys.

use std::ops::Range;

use crate::format::config::Capabilities;
use crate::store::contract::bench::{Bench, Failure, pattern};
use crate::store::error::StoreError;
use crate::store::transport::Fault;

const RANGED_BYTES: u64 = 100_000;

/// Check 6.
pub(super) fn exact_ranges(bench: &Bench<'_>, _: &mut Capabilities) -> Result<String, Failure> {
    let key = bench.key("6/object");
    let body = pattern(6, RANGED_BYTES as usize);
    bench.first.raw_put_new(&key, body.clone())?;
    let reader = bench.second;
    let inside: [Range<u64>; 5] =
        [0..1, 5..5000, 0..RANGED_BYTES, RANGED_BYTES - 1..RANGED_BYTES, 65_535..65_537];
    for range in &inside {
        let part = body.slice(range.start as usize..range.end as usize);
        expect(reader.raw_get_range(&key, range.clone())? == part, "a range has other bytes")?;
    }
    for last_bytes in [1, 1000, RANGED_BYTES, 2 * RANGED_BYTES] {
        let (tail, size_bytes) = reader.raw_get_tail(&key, last_bytes)?;
        let start = RANGED_BYTES.saturating_sub(last_bytes) as usize;
        expect(tail == body.slice(start..), "the end of an object has other bytes")?;
        expect(size_bytes == RANGED_BYTES, "the size of an object is wrong beside its end")?;
    }
    for range in [RANGED_BYTES - 10..RANGED_BYTES + 1, RANGED_BYTES..RANGED_BYTES + 1] {
        let answer = reader.raw_get_range(&key, range);
        let refused = matches!(answer, Err(StoreError::OutOfRange { .. }));
        expect(refused, "a range beyond the end is not refused")?;
    }
    let answer = reader.raw_get(&key, RANGED_BYTES - 1);
    expect(matches!(answer, Err(StoreError::TooLarge { .. })), "the announced size is wrong")?;
    Ok(format!("{} ranges, 4 ends, 2 refusals beyond the end", inside.len()))
}

/// Check 7.
pub(super) fn large_and_damaged(
    bench: &Bench<'_>,
    _: &mut Capabilities,
) -> Result<String, Failure> {
    let key = bench.key("7/large");
    let body = pattern(7, bench.sizes.large_bytes);
    bench.first.raw_put_new(&key, body.clone())?;
    let held = bench.second.raw_get(&key, body.len() as u64)?;
    expect(held == body, "a large object is read with other content than was written")?;
    let large = format!("{} MiB in one PUT", body.len() >> 20);
    if !bench.first.raw_signs_payload() {
        return Ok(format!("{large}; requests here do not sign a hash of their payload"));
    }
    let key = bench.key("7/damaged");
    let body = pattern(8, 100_000);
    let mut damaged = body.to_vec();
    damaged[50_000] ^= 1;
    let swap = Fault::Swap(damaged.into());
    let answer = bench.first.raw_put_once(&key, body, false, Some(swap));
    expect(answer.is_err(), "a body that was changed on its way is accepted")?;
    bench.expect_absent(bench.second, &key, "after a PUT with a changed body")?;
    Ok(format!("{large}; a body that was changed on its way is refused"))
}

/// Check 8. The last two have the shapes of our longest names.
pub(super) fn key_characters(bench: &Bench<'_>, _: &mut Capabilities) -> Result<String, Failure> {
    let session = "0123456789abcdef".repeat(3);
    let names = [
        "abcdefghijklmnopqrstuvwxyz".to_owned(),
        "0123456789".to_owned(),
        "a.b-c/d-e.f".to_owned(),
        format!("data/{session}/00000000-{}", "f".repeat(16)),
        format!("snap/{session}.fence-{}", "f".repeat(16)),
    ];
    let prefix = bench.key("8/");
    for name in &names {
        bench.first.raw_put_new(&format!("{prefix}{name}"), pattern(8, 10))?;
    }
    let mut wanted: Vec<_> = names.iter().map(|name| format!("{prefix}{name}")).collect();
    wanted.sort();
    let listed: Vec<_> = bench.second.list(&prefix)?.into_iter().map(|object| object.key).collect();
    expect(listed == wanted, "keys are listed otherwise than they were written")?;
    let one = bench.second.list(&format!("{prefix}snap/{session}."))?;
    expect(one.len() == 1, "a prefix that ends within a name lists something else")?;
    for key in &wanted {
        bench.second.raw_get(key, 10)?;
    }
    Ok(format!("{} keys written, listed and read", names.len()))
}

fn expect(is_right: bool, otherwise: &str) -> Result<(), Failure> {
    match is_right {
        true => Ok(()),
        false => Err(Failure::Wrong(otherwise.to_owned())),
    }
}
