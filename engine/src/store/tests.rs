//! The client against stores that are wrong in one way at a time.

use std::sync::Arc;

use bytes::Bytes;

use crate::base::error::{Classified, ErrorClass};
use crate::base::id::{ClientId, Nonce8, RepositoryId, SegmentId, SessionId, SlotId};
use crate::base::limits::DIRECT_WRITE_MIN_BYTES;
use crate::store::client::Store;
use crate::store::error::StoreError;
use crate::store::faulty::{Faulty, Wrong};
use crate::store::location::{Location, StoreOptions};
use crate::store::name::{ObjectName, prefix};
use crate::store::retry::RetrySettings;

const NAME: ObjectName = ObjectName::Slot(SlotId::new([7; 8]));

fn store(wrong: Wrong) -> Store {
    Store::from_object_store(Faulty::new(wrong), "faulty", true).with_retry(RetrySettings::fast())
}

fn body(byte_count: usize) -> Bytes {
    (0..byte_count).map(|index| (index * 7 % 251) as u8).collect::<Vec<_>>().into()
}

fn memory(name: &str) -> Store {
    let location = Location::parse(&format!("memory:{name}")).expect("a location");
    Store::open(&location, &StoreOptions::default(), false).expect("opened")
}

#[test]
fn a_lost_answer_is_looked_up_and_costs_no_second_write() {
    let store = store(Wrong::ErrorAfterEffect);
    store.put_new(&NAME, body(5000)).expect("the write took effect");
    assert_eq!(store.get(&NAME, 5000).expect("read"), body(5000));
    assert_eq!(store.usage().put_count, 1);
    assert_eq!(store.usage().get_count, 2);
}

#[test]
fn a_remote_body_goes_into_the_memory_that_is_there() {
    let store = store(Wrong::Nothing);
    store.put_new(&NAME, body(50_000)).expect("written");
    let mut into = vec![9; 60_000];
    let room = into.as_ptr();
    store.get_into(&NAME, 60_000, &mut into).expect("read");
    assert_eq!((into.as_ptr(), &into[..]), (room, &body(50_000)[..]));
    store.get_range_into(&NAME, 10..40_000, &mut into).expect("inside");
    assert_eq!((into.as_ptr(), &into[..]), (room, &body(50_000)[10..40_000]));
}

#[test]
fn failed_writes_are_repeated_and_counted_once_each() {
    let store = store(Wrong::ErrorBefore(2));
    store.put_new(&NAME, body(100)).expect("the third attempt succeeds");
    let usage = store.usage();
    assert_eq!((usage.put_count, usage.retry_count, usage.uploaded_bytes), (3, 2, 300));
}

#[test]
fn what_never_succeeds_ends_as_transient() {
    let store = store(Wrong::ErrorBefore(usize::MAX));
    let error = store.put_new(&NAME, body(100)).expect_err("it cannot succeed");
    assert_eq!(error.class(), ErrorClass::Transient);
    assert_eq!(store.usage().put_count, u64::from(RetrySettings::fast().max_attempts));
}

#[test]
fn already_exists_is_not_believed_without_a_look() {
    let store_ = store(Wrong::FalseExists(2));
    store_.put_new(&NAME, body(100)).expect("the third attempt succeeds");
    assert_eq!(store_.get(&NAME, 100).expect("read"), body(100));

    let store_ = store(Wrong::FalseExists(usize::MAX));
    let error = store_.put_new(&NAME, body(100)).expect_err("nothing is ever written");
    assert!(matches!(error, StoreError::Inconsistent { .. }), "{error}");
}

#[test]
fn the_same_bytes_twice_are_no_conflict_and_other_bytes_are() {
    for wrong in [Wrong::Nothing, Wrong::ErrorAfterEffect] {
        let store = store(wrong);
        store.put_new(&NAME, body(100)).expect("written");
        store.put_new(&NAME, body(100)).expect("the same bytes");
        for other in [body(99), body(101), Bytes::from(vec![0; 100])] {
            let error = store.put_new(&NAME, other).expect_err("other bytes");
            assert!(matches!(error, StoreError::Conflict { .. }), "{error}");
        }
        assert_eq!(store.get(&NAME, 100).expect("read"), body(100));
    }
}

#[test]
fn a_store_without_creation_is_asked_for_it_once() {
    let store = store(Wrong::NoCreation);
    for number in 0..5 {
        store.put_new(&ObjectName::Slot(SlotId::new([number; 8])), body(10)).expect("written");
    }
    assert_eq!(store.usage().put_count, 6);
    assert_eq!(store.usage().retry_count, 0);
}

#[test]
fn longer_objects_are_refused_before_they_are_downloaded() {
    let store_ = store(Wrong::Nothing);
    store_.put_new(&NAME, body(5000)).expect("written");
    let error = store_.get(&NAME, 4999).expect_err("one byte too long");
    assert!(matches!(error, StoreError::TooLarge { size_bytes: 5000, .. }), "{error}");
    assert_eq!(store_.usage().downloaded_bytes, 0);

    for (wrong, class) in [
        (Wrong::HugeObjects, ErrorClass::Corrupt),
        (Wrong::EndlessBodies, ErrorClass::Corrupt),
        (Wrong::HalfBodies, ErrorClass::Transient),
    ] {
        let store = store(wrong);
        store.put_new(&NAME, body(5000)).expect("written");
        assert_eq!(store.get(&NAME, 5000).expect_err("wrong body").class(), class, "{wrong:?}");
        assert!(store.usage().downloaded_bytes < 50_000);
        let error = store.get_range(&NAME, 10..4000).expect_err("wrong body");
        assert_eq!(error.class(), class, "{wrong:?}");
    }
}

#[test]
fn ranges_are_exact_or_an_error() {
    let store = store(Wrong::Nothing);
    store.put_new(&NAME, body(5000)).expect("written");
    assert_eq!(store.get_range(&NAME, 10..4000).expect("inside"), body(5000).slice(10..4000));
    assert!(store.get_range(&NAME, 10..10).expect("nothing").is_empty());
    for range in [4000..5001, 5000..5001, 9000..9001] {
        let error = store.get_range(&NAME, range).expect_err("beyond the end");
        assert!(matches!(error, StoreError::OutOfRange { .. }), "{error}");
    }
    assert_eq!(store.get_tail(&NAME, 10).expect("the end"), (body(5000).slice(4990..), 5000));
    assert_eq!(store.get_tail(&NAME, 9000).expect("all"), (body(5000), 5000));
    assert_eq!(store.get_tail(&NAME, 0).expect("the size"), (Bytes::new(), 5000));
    let absent = ObjectName::Slot(SlotId::new([8; 8]));
    for answer in [store.get_range(&absent, 0..1), store.get(&absent, 1)] {
        assert_eq!(answer.expect_err("absent").class(), ErrorClass::Missing);
    }
    store.delete(&absent).expect("that it is absent is fine");
}

#[test]
fn reading_into_used_memory_gives_the_same_bytes_errors_and_counts() {
    let place = tempfile::tempdir().expect("a scratch folder");
    let location = Location::parse(&place.path().display().to_string()).expect("a location");
    let folder = Store::open(&location, &StoreOptions::default(), false).expect("opened");
    for store in [memory("reading into"), store(Wrong::Nothing), folder] {
        store.put_new(&NAME, body(50_000)).expect("written");
        let mut into = vec![1; 70_000];
        store.get_into(&NAME, 50_000, &mut into).expect("read");
        assert_eq!(into, body(50_000));
        let before = store.usage();
        for range in [10..4000, 0..50_000, 49_999..50_000, 7..7] {
            store.get_range_into(&NAME, range.clone(), &mut into).expect("inside");
            let range = range.start as usize..range.end as usize;
            assert_eq!(into, body(50_000).slice(range));
        }
        let usage = store.usage();
        assert_eq!(usage.get_count - before.get_count, 3);
        assert_eq!(usage.downloaded_bytes - before.downloaded_bytes, 3990 + 50_000 + 1);
        for range in [40_000..50_001, 50_000..50_001, 90_000..90_001] {
            let error = store.get_range_into(&NAME, range, &mut into).expect_err("beyond the end");
            assert!(matches!(error, StoreError::OutOfRange { .. }), "{error}");
        }
        let error = store.get_into(&NAME, 49_999, &mut into).expect_err("too large");
        assert!(matches!(error, StoreError::TooLarge { .. }), "{error}");
        let absent = ObjectName::Slot(SlotId::new([8; 8]));
        let whole = store.get_into(&absent, 1, &mut into);
        let part = store.get_range_into(&absent, 0..1, &mut into);
        for answer in [whole, part] {
            assert!(matches!(answer, Err(StoreError::NotFound { .. })), "{answer:?}");
        }
    }
    // A folder under the key is no object.
    let absent = ObjectName::Slot(SlotId::new([9; 8]));
    std::fs::create_dir_all(place.path().join(absent.key())).expect("made");
    let folder = Store::open(&location, &StoreOptions::default(), false).expect("opened");
    let answer = folder.get_into(&absent, 1, &mut Vec::new());
    assert!(matches!(answer, Err(StoreError::NotFound { .. })), "{answer:?}");
}

#[test]
fn any_prefix_lists_what_begins_with_it() {
    let place = tempfile::tempdir().expect("a scratch folder");
    let location = Location::parse(&place.path().join("repo").display().to_string());
    let location = location.expect("a location");
    assert!(Store::open(&location, &StoreOptions::default(), false).is_err());
    let local = Store::open(&location, &StoreOptions::default(), true).expect("made");
    for store in [memory("prefixes"), local] {
        let session = |n| SessionId::from_parts(ClientId::new([n; 8]), 1, Nonce8::new([n; 8]));
        let names = [
            ObjectName::Config(RepositoryId::new([1; 16])),
            ObjectName::Commit(session(1), Nonce8::new([6; 8])),
            ObjectName::Confirm(session(1)),
            ObjectName::Fence(session(1), Nonce8::new([1; 8])),
            ObjectName::Commit(session(2), Nonce8::new([6; 8])),
            ObjectName::Segment(SegmentId {
                session: session(1),
                number: 1,
                random: Nonce8::new([1; 8]),
            }),
        ];
        for name in &names {
            store.put_new(name, body(10)).expect("written");
        }
        let list = |prefix: &str| -> Vec<_> {
            store.list(prefix).expect(prefix).into_iter().map(|object| object.key).collect()
        };
        assert_eq!(list(prefix::CONFIG), [names[0].key()]);
        let outcome = format!("{}{}.", prefix::SNAPSHOTS, session(1));
        assert_eq!(list(&outcome), [names[1].key(), names[3].key(), names[2].key()]);
        assert_eq!(list(prefix::SNAPSHOTS).len(), 4);
        assert_eq!(list("").len(), names.len());
        assert_eq!(list("ind"), [names[5].key()]);
        assert!(list(prefix::TOMBS).is_empty());
        let mut visited = 0;
        let mut stop_at_two = |_| {
            visited += 1;
            visited < 2
        };
        store.list_each(prefix::SNAPSHOTS, &mut stop_at_two).expect("stopped");
        assert_eq!(visited, 2);
    }
}

#[test]
fn a_folder_that_disappears_is_an_error_and_not_an_empty_repository() {
    let place = tempfile::tempdir().expect("a scratch folder");
    let path = place.path().join("repo");
    let location = Location::parse(&path.display().to_string()).expect("a location");
    let store = Store::open(&location, &StoreOptions::default(), true).expect("made");
    store.put_new(&NAME, body(10)).expect("written");
    std::fs::rename(&path, place.path().join("unmounted")).expect("renamed");
    assert_eq!(store.list("").expect_err("gone").class(), ErrorClass::Missing);
    assert_eq!(store.put_new(&NAME, body(10)).expect_err("gone").class(), ErrorClass::Missing);
    let into = store.get_into(&NAME, 10, &mut Vec::new());
    assert!(matches!(into, Err(StoreError::FolderMissing { .. })), "{into:?}");
    assert!(!path.exists(), "it was made anew");
}

/// Large objects go past the library; the promises are the same.
#[test]
fn a_large_object_in_a_folder_is_made_once_and_never_replaced() {
    let place = tempfile::tempdir().expect("a scratch folder");
    let location = Location::parse(&place.path().display().to_string()).expect("a location");
    let store = Store::open(&location, &StoreOptions::default(), false).expect("opened");
    let large = body(DIRECT_WRITE_MIN_BYTES + 5);
    store.put_new(&NAME, large.clone()).expect("written");
    store.put_new(&NAME, large.clone()).expect("the same is there");
    let mut other = large.to_vec();
    other[DIRECT_WRITE_MIN_BYTES] ^= 1;
    let refused = store.put_new(&NAME, other.into());
    assert!(matches!(refused, Err(StoreError::Conflict { .. })), "{refused:?}");
    assert_eq!(store.get(&NAME, large.len() as u64).expect("read"), large);
    let path = place.path().join(NAME.key());
    let names = std::fs::read_dir(path.parent().expect("a folder")).expect("listed");
    assert_eq!(names.count(), 1, "something was left behind");
}

#[test]
fn stores_in_memory_are_shared_by_name_and_clones_by_everything() {
    let one = memory("shared");
    one.put_new(&NAME, body(10)).expect("written");
    assert_eq!(memory("shared").get(&NAME, 10).expect("read"), body(10));
    assert!(memory("other").get(&NAME, 10).is_err());
    let threads: Vec<_> = (0..4)
        .map(|_| one.clone())
        .map(|store| std::thread::spawn(move || store.get(&NAME, 10).is_ok()))
        .collect();
    assert!(threads.into_iter().all(|thread| thread.join().expect("no panic")));
    assert_eq!(one.usage().get_count, 4);
    assert!(Arc::new(one).is_local());
}
