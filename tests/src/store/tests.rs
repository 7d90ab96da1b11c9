//! The watching store sees everything; the failing store fails as planned and not otherwise.

use std::sync::Arc;

use bytes::Bytes;
use futures::TryStreamExt;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{Error, ObjectStore, ObjectStoreExt, PutMode, PutOptions};

use super::fault::{Fault, Faulty, Injected, Plan};
use super::record::{CallKind, Recorder};

type Outcome = Result<(), Error>;

fn here(name: &str) -> Path {
    Path::from(name)
}

async fn put(store: &dyn ObjectStore, name: &str, body: &'static str) -> Outcome {
    store.put(&here(name), body.into()).await.map(|_| ())
}

async fn get(store: &dyn ObjectStore, name: &str) -> Result<Bytes, Error> {
    store.get(&here(name)).await?.bytes().await
}

async fn names(store: &dyn ObjectStore) -> Result<Vec<String>, Error> {
    let metas: Vec<_> = store.list(None).try_collect().await?;
    Ok(metas.iter().map(|meta| meta.location.to_string()).collect())
}

/// A store with two objects, the same behind a plan.
async fn planned(plan: Plan) -> (Arc<InMemory>, Faulty) {
    let inner = Arc::new(InMemory::new());
    put(&*inner, "a", "1234").await.expect("memory takes it");
    put(&*inner, "b", "5678").await.expect("memory takes it");
    (Arc::clone(&inner), Faulty::new(inner, plan))
}

fn marker<T: std::fmt::Debug>(result: Result<T, Error>) -> Option<Injected> {
    Injected::of(&result.expect_err("a fault was planned"))
}

#[tokio::test]
async fn every_request_is_written_down_with_its_bytes() {
    let store = Recorder::new(Arc::new(InMemory::new()));
    put(&store, "x/a", "1234").await.expect("memory takes it");
    assert_eq!(get(&store, "x/a").await.expect("it is there"), "1234");
    get(&store, "x/b").await.expect_err("it is not there");
    store.get_range(&here("x/a"), 1..3).await.expect("it is there");
    store.get_ranges(&here("x/a"), &[0..1, 2..4]).await.expect("it is there");
    store.head(&here("x/a")).await.expect("it is there");
    assert_eq!(names(&store).await.expect("memory lists"), ["x/a"]);
    store.delete(&here("x/a")).await.expect("it is there");
    let seen: Vec<_> = store
        .calls()
        .into_iter()
        .map(|call| (call.kind, call.key, call.body_bytes, call.is_ok))
        .collect();
    let expected = [
        (CallKind::Put, "x/a", 4, true),
        (CallKind::Get, "x/a", 4, true),
        (CallKind::Get, "x/b", 0, false),
        (CallKind::Get, "x/a", 2, true),
        (CallKind::GetRanges, "x/a", 3, true),
        (CallKind::Head, "x/a", 0, true),
        (CallKind::List, "", 0, true),
        (CallKind::Delete, "x/a", 0, true),
    ];
    assert_eq!(seen, expected.map(|(kind, key, bytes, ok)| (kind, key.to_owned(), bytes, ok)));
    assert_eq!((store.count(CallKind::Get), store.body_bytes(CallKind::Get)), (3, 6));
    assert_eq!(store.take().len(), 8);
    assert_eq!(store.calls(), []);
}

#[tokio::test]
async fn without_a_plan_nothing_goes_wrong_and_both_count_alike() {
    let (_, faulty) = planned(Plan::none()).await;
    let store = Recorder::new(Arc::new(faulty.clone()));
    put(&store, "c", "!").await.expect("nothing planned");
    get(&store, "a").await.expect("nothing planned");
    store.head(&here("a")).await.expect("nothing planned");
    store.get_ranges(&here("a"), &[0..1, 2..3]).await.expect("nothing planned");
    names(&store).await.expect("nothing planned");
    store.delete(&here("b")).await.expect("nothing planned");
    assert_eq!(store.calls().len() as u64, faulty.request_count());
    assert!(store.calls().iter().all(|call| call.is_ok), "{:?}", store.calls());
    assert_eq!(names(&store).await.expect("nothing planned"), ["a", "c"]);
}

#[tokio::test]
async fn an_error_before_leaves_nothing_and_an_error_after_leaves_everything() {
    for (fault, left) in [(Fault::ErrorBefore, 2), (Fault::ErrorAfter, 3)] {
        let (inner, store) = planned(Plan::at(1, fault)).await;
        get(&store, "a").await.expect("request 0 is not planned");
        assert_eq!(marker(put(&store, "c", "!").await), Some(Injected::Failed));
        assert_eq!(names(&*inner).await.expect("memory lists").len(), left, "{fault:?}");
        put(&store, "c", "!").await.expect("request 2 is not planned");
        assert_eq!(store.fired().into_iter().collect::<Vec<_>>(), [1]);
    }
}

#[tokio::test]
async fn a_late_request_happens_when_it_is_due() {
    let plan = Plan::at(0, Fault::Late { after_requests: 1 });
    let (inner, store) = planned(plan).await;
    assert_eq!(marker(put(&store, "c", "late").await), Some(Injected::TimedOut));
    get(&store, "c").await.expect_err("one request comes before it");
    assert_eq!(get(&store, "c").await.expect("now it is due"), "late");

    let plan = Plan::at(0, Fault::Late { after_requests: 9 }).and(1, Fault::CrashBefore);
    let (again, store) = planned(plan).await;
    assert_eq!(marker(store.delete(&here("a")).await), Some(Injected::TimedOut));
    assert_eq!(marker(get(&store, "a").await), Some(Injected::Crashed));
    assert_eq!(names(&*again).await.expect("memory lists"), ["a", "b"]);
    store.settle().await;
    assert_eq!(names(&*again).await.expect("memory lists"), ["b"]);
    assert_eq!(names(&*inner).await.expect("memory lists").len(), 3);
}

#[tokio::test]
async fn after_a_crash_nothing_happens_any_more() {
    for (fault, left) in [(Fault::CrashBefore, 2), (Fault::CrashAfter, 3)] {
        let (inner, store) = planned(Plan::at(0, fault)).await;
        assert_eq!(marker(put(&store, "c", "!").await), Some(Injected::Crashed));
        assert_eq!(marker(put(&store, "d", "!").await), Some(Injected::Crashed));
        assert_eq!(marker(get(&store, "a").await), Some(Injected::Crashed));
        assert_eq!(marker(names(&store).await), Some(Injected::Crashed));
        assert_eq!(marker(store.delete(&here("a")).await), Some(Injected::Crashed));
        assert_eq!(names(&*inner).await.expect("memory lists").len(), left, "{fault:?}");
    }
}

#[tokio::test]
async fn half_a_body_comes_with_an_error_or_without_one() {
    let plan = Plan::at(0, Fault::TornBody).and(1, Fault::ShortBody).and(2, Fault::TornBody);
    let plan = plan.and(3, Fault::TornBody).and(4, Fault::ShortBody).and(5, Fault::TornBody);
    let (inner, store) = planned(plan).await;
    assert_eq!(marker(get(&store, "a").await), Some(Injected::Failed));
    assert_eq!(get(&store, "a").await.expect("it looks whole"), "12");
    assert_eq!(marker(put(&store, "c", "half").await), Some(Injected::Failed));
    assert_eq!(marker(names(&store).await), Some(Injected::Failed));
    let parts = store.get_ranges(&here("a"), &[0..1, 0..4]).await.expect("it looks whole");
    assert_eq!(parts, ["1", "12"]);
    assert_eq!(marker(store.get_ranges(&here("a"), &[0..1, 2..3]).await), Some(Injected::Failed));
    assert_eq!(names(&*inner).await.expect("memory lists"), ["a", "b"]);
    assert_eq!(get(&store, "a").await.expect("the plan is over"), "1234");
}

#[tokio::test]
async fn a_request_made_twice_meets_its_own_traces() {
    let (inner, store) = planned(Plan::at(0, Fault::Twice)).await;
    let opts = PutOptions { mode: PutMode::Create, ..PutOptions::default() };
    let second = store.put_opts(&here("c"), "!".into(), opts).await;
    assert!(matches!(second, Err(Error::AlreadyExists { .. })), "{second:?}");
    assert_eq!(get(&*inner, "c").await.expect("the first one landed"), "!");
}

#[tokio::test]
async fn refusals_look_like_those_of_a_store() {
    let (inner, store) = planned(Plan::at(0, Fault::Denied).and(1, Fault::Conflict)).await;
    let denied = put(&store, "c", "!").await;
    assert!(matches!(denied, Err(Error::PermissionDenied { .. })), "{denied:?}");
    let conflict = put(&store, "c", "!").await;
    assert!(matches!(conflict, Err(Error::AlreadyExists { .. })), "{conflict:?}");
    assert_eq!(names(&*inner).await.expect("memory lists").len(), 2);
}
