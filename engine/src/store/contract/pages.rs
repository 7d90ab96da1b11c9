//! Check 5: a listing of many pages shows each object once, in order, while others write.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use crate::format::config::Capabilities;
use crate::store::client::Store;
use crate::store::contract::bench::{Bench, Failure, pattern};
use crate::store::error::StoreError;

/// Listings that are made one after the other.
const LISTINGS: usize = 3;
/// Keys that the disturbing writer adds at most, so that a slow listing does not grow for ever.
const DISTURBING_MAX: usize = 1000;

pub(super) fn complete_listings(
    bench: &Bench<'_>,
    _: &mut Capabilities,
) -> Result<String, Failure> {
    let count = bench.sizes.listed_count;
    let prefix = bench.key("5/");
    bench.each(count, |index| -> Result<(), StoreError> {
        let (writer, _) = bench.pair(index);
        writer.raw_put_new(&format!("{prefix}{index:05x}"), pattern(index as u64, 16))
    })?;
    let finished = AtomicBool::new(false);
    let added = AtomicUsize::new(0);
    let listed = thread::scope(|scope| {
        let disturb = scope.spawn(|| -> Result<(), StoreError> {
            for extra in 0..DISTURBING_MAX {
                if finished.load(Ordering::Relaxed) {
                    break;
                }
                // Between the others' keys, all over their range.
                let key = format!("{prefix}{:05x}-{extra}", extra * 37 % count);
                bench.first.raw_put_new(&key, pattern(1, 16))?;
                added.fetch_add(1, Ordering::Relaxed);
            }
            Ok(())
        });
        let mut page_count = 0;
        let listed: Result<(), Failure> = (0..LISTINGS).try_for_each(|turn| {
            bench.go_on()?;
            let (reader, _) = bench.pair(turn + 1);
            page_count += list_once(reader, &prefix, count, bench.sizes.page_keys)?;
            Ok(())
        });
        finished.store(true, Ordering::Relaxed);
        let disturbed = disturb.join();
        listed.map(|()| (page_count, disturbed))
    });
    let (page_count, disturbed) = listed?;
    disturbed.map_err(|_| Failure::Skipped("the writing thread died".to_owned()))??;
    let added = added.load(Ordering::Relaxed);
    Ok(format!(
        "{LISTINGS} listings of {count} keys in {page_count} pages, {added} written meanwhile"
    ))
}

/// Lists and compares; the number of pages.
fn list_once(
    store: &Store,
    prefix: &str,
    count: usize,
    page_keys: Option<usize>,
) -> Result<usize, Failure> {
    let mut keys: Vec<String> = Vec::new();
    let mut token = None;
    let mut page_count = 0;
    loop {
        let page = store.raw_page(prefix, token.take(), page_keys)?;
        page_count += 1;
        keys.extend(page.objects.into_iter().map(|object| object.key));
        match page.next {
            Some(next) if page_count <= 10 * count => token = Some(next),
            Some(_) => return Err(Failure::Wrong("the listing does not end".to_owned())),
            None => break,
        }
    }
    // A store that gives all at once is sorted by us, so its order says nothing about it.
    if store.raw_has_pages() && !keys.is_sorted() {
        return Err(Failure::Wrong("the listing is not sorted by key".to_owned()));
    }
    let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
    for key in &keys {
        *seen.entry(key).or_default() += 1;
    }
    for index in 0..count {
        let key = format!("{prefix}{index:05x}");
        match seen.get(key.as_str()) {
            Some(1) => {}
            Some(times) => return Err(Failure::Wrong(format!("{key} is listed {times} times"))),
            None => {
                let listed_count = keys.len();
                let why = format!("{key} is missing among {listed_count} listed of {count} keys");
                return Err(Failure::Wrong(why));
            }
        }
    }
    Ok(page_count)
}
