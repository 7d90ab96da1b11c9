//! Check 9: what the store can do beyond what is needed; recorded, never relied upon.
//!
//! Two PUTs one after the other would prove nothing: several stores refuse the second one and still
//! let many win a race. So eight writers race for one key, half of them with bodies that arrive
//! late, through both connections.

use std::sync::Barrier;
use std::thread;
use std::time::Duration;

use crate::base::error::{Classified, ErrorClass};
use crate::format::config::Capabilities;
use crate::store::contract::bench::{Bench, Failure, pattern};
use crate::store::error::StoreError;
use crate::store::transport::Fault;

const WRITERS: usize = 8;
const BODY_BYTES: usize = 32 << 10;
const LATE_MS: u64 = 20;

pub(super) fn abilities(
    bench: &Bench<'_>,
    capabilities: &mut Capabilities,
) -> Result<String, Failure> {
    let version = bench.first.raw_put_once(&bench.key("9/first"), pattern(9, 10), false, None)?;
    let facts = bench.first.raw_bucket_facts().unwrap_or_default();
    let gives_versions = version.is_some_and(|version| version != "null");
    capabilities.versioning = facts.versioning.unwrap_or(gives_versions);
    capabilities.object_lock = facts.object_lock.unwrap_or(false);
    let creation = atomic_creation(bench)?;
    capabilities.atomic_create = creation.is_none();
    let retention = match facts.default_retention.as_deref() {
        None | Some("") => String::new(),
        Some(period) => format!(", default retention {period}"),
    };
    Ok(format!(
        "versioning {}, object lock {}{retention}, atomic creation {}",
        yes_or_no(capabilities.versioning),
        yes_or_no(capabilities.object_lock),
        creation.map_or_else(|| "yes".to_owned(), |why| format!("no ({why})")),
    ))
}

fn yes_or_no(is_so: bool) -> &'static str {
    if is_so { "yes" } else { "no" }
}

/// Why creation is not atomic; `None` if it is.
fn atomic_creation(bench: &Bench<'_>) -> Result<Option<String>, Failure> {
    let key = bench.key("9/twice");
    bench.first.raw_put_new(&key, pattern(1, 10))?;
    match bench.second.raw_put_once(&key, pattern(2, 10), true, None) {
        Err(StoreError::Conflict { .. }) => {}
        Err(StoreError::NotSupported { .. }) => return Ok(Some("not supported".to_owned())),
        Ok(_) => return Ok(Some("what exists is overwritten".to_owned())),
        Err(error) => return Ok(Some(error.to_string())),
    }
    for round in 0..bench.sizes.create_count {
        bench.go_on()?;
        if let Some(why) = race(bench, round)? {
            return Ok(Some(why));
        }
    }
    Ok(None)
}

/// One race; why it had not exactly one winner.
fn race(bench: &Bench<'_>, round: usize) -> Result<Option<String>, Failure> {
    let key = bench.key(&format!("9/race-{round:02x}"));
    let start = Barrier::new(WRITERS);
    let write = |writer: usize| {
        let (store, _) = bench.pair(writer);
        let body = pattern((round * WRITERS + writer) as u64, BODY_BYTES);
        let is_late = writer % 4 >= 2 && store.raw_can_misbehave();
        let late = is_late.then(|| Fault::Hold(body.clone(), Duration::from_millis(LATE_MS)));
        start.wait();
        match store.raw_put_once(&key, body.clone(), true, late) {
            Ok(_) => Ok(Some(body)),
            Err(error) if error.class() == ErrorClass::Conflict => Ok(None),
            Err(error) => Err(error),
        }
    };
    let answers: Vec<_> = thread::scope(|scope| {
        let write = &write;
        let threads: Vec<_> =
            (0..WRITERS).map(|writer| scope.spawn(move || write(writer))).collect();
        threads.into_iter().filter_map(|thread| thread.join().ok()).collect()
    });
    let mut winners = Vec::new();
    for answer in answers {
        match answer {
            Ok(winner) => winners.extend(winner),
            // An unknown outcome in a race proves nothing; assume the less.
            Err(error) => return Ok(Some(error.to_string())),
        }
    }
    let [winner] = winners.as_slice() else {
        return Ok(Some(format!("{} of {WRITERS} writers won a race", winners.len())));
    };
    let held = bench.second.raw_get(&key, BODY_BYTES as u64)?;
    Ok((held != *winner).then(|| "a loser's bytes are stored".to_owned()))
}
