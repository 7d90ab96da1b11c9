//! The contract itself: right stores pass the full probe, wrong ones fail the right check.
//!
//! Against a real S3 it runs when `MAINSTAY_TEST_S3` says where:
//! `endpoint1,endpoint2,bucket,access,secret,region`; `tests/stores/ceph-up.sh` prints it, with a
//! versioned and a locked bucket besides.
#![expect(clippy::disallowed_methods, reason = "the place of a real store comes from outside")]
#![expect(clippy::print_stderr, reason = "a test that was not run says so")]

use std::sync::atomic::{AtomicUsize, Ordering};

use crate::base::monitor::{Monitor, Silent};
use crate::store::client::Store;
use crate::store::contract::{Effort, Outcome, ProbeOptions, ProbeReport, probe};
use crate::store::error::StoreError;
use crate::store::faulty::{Faulty, Wrong};
use crate::store::location::{Location, StoreOptions};
use crate::store::retry::RetrySettings;

fn faulty(wrong: Wrong) -> Result<ProbeReport, StoreError> {
    let store = Store::from_object_store(Faulty::new(wrong), "faulty", true);
    probe(&store.with_retry(RetrySettings::fast()), &ProbeOptions::default(), &Silent)
}

fn show(report: &ProbeReport) -> String {
    let mut text = format!("{:?}\n", report.capabilities);
    for check in &report.checks {
        let (number, outcome) = (check.number, check.outcome);
        text += &format!("{number:2} {outcome:?} {}: {}\n", check.name, check.detail);
    }
    text
}

fn assert_all_pass(report: &ProbeReport) {
    assert!(report.is_safe(), "{}", show(report));
    assert!(report.capabilities.probed);
    let all = report.checks.iter().all(|check| check.outcome == Outcome::Passed);
    assert!(all, "{}", show(report));
    let numbers: Vec<_> = report.checks.iter().map(|check| check.number).collect();
    assert_eq!(numbers, (1..=10).collect::<Vec<_>>());
}

#[test]
fn memory_passes_the_full_probe() {
    let location = Location::parse("memory:contract").expect("a location");
    let open = || Store::open(&location, &StoreOptions::default(), false).expect("opened");
    let store = open();
    let options = ProbeOptions { effort: Effort::Full, second: Some(open()) };
    let report = probe(&store, &options, &Silent).expect("probed");
    assert_all_pass(&report);
    assert!(report.capabilities.atomic_create);
    assert!(store.list("").expect("listed").is_empty(), "something is left");
}

#[test]
fn a_local_folder_passes_the_full_probe() {
    let place = tempfile::tempdir().expect("a scratch folder");
    let location = Location::parse(&place.path().display().to_string()).expect("a location");
    let open = || Store::open(&location, &StoreOptions::default(), false).expect("opened");
    let options = ProbeOptions { effort: Effort::Full, second: Some(open()) };
    let report = probe(&open(), &options, &Silent).expect("probed");
    assert_all_pass(&report);
    assert!(report.capabilities.atomic_create);
    let left = std::fs::read_dir(place.path()).expect("a folder").count();
    assert_eq!(left, 0, "something is left");
}

#[test]
fn wrong_stores_are_refused_with_the_number_of_the_check() {
    for (wrong, number) in [
        (Wrong::StaleLists, 1),
        (Wrong::Forgets, 1),
        (Wrong::FalseExists(usize::MAX), 1),
        (Wrong::HalfBodies, 1),
        (Wrong::HugeObjects, 1),
        (Wrong::EndlessBodies, 1),
        (Wrong::OtherBytes, 1),
        (Wrong::HiddenFlags, 2),
        (Wrong::VisibleParts, 3),
        (Wrong::ListsDeleted, 4),
        (Wrong::ShortLists, 5),
    ] {
        let report = faulty(wrong).expect("probed");
        let failed = report.first_failed().map(|check| check.number);
        assert_eq!(failed, Some(number), "{wrong:?}\n{}", show(&report));
        assert!(!report.is_safe() && !report.capabilities.probed);
    }
}

#[test]
fn stores_that_are_only_inconvenient_are_safe() {
    for (wrong, atomic_create) in [
        (Wrong::Nothing, true),
        (Wrong::ErrorAfterEffect, false),
        (Wrong::ErrorBefore(3), true),
        (Wrong::FalseExists(3), true),
        (Wrong::NoCreation, false),
        (Wrong::CreationOverwrites, false),
    ] {
        let report = faulty(wrong).expect("probed");
        assert!(report.is_safe(), "{wrong:?}\n{}", show(&report));
        assert_eq!(report.capabilities.atomic_create, atomic_create, "{}", show(&report));
    }
}

#[test]
fn a_store_that_does_not_answer_is_an_error_and_no_verdict() {
    let error = faulty(Wrong::ErrorBefore(usize::MAX)).expect_err("unreachable");
    assert!(matches!(error, StoreError::Unavailable { .. }), "{error}");
}

#[test]
fn the_probe_stops_when_asked_and_cleans_up() {
    /// Stops when it was asked a few times, so that something was written.
    #[derive(Default)]
    struct Impatient(AtomicUsize);
    impl Monitor for Impatient {
        fn is_cancelled(&self) -> bool {
            self.0.fetch_add(1, Ordering::Relaxed) > 20
        }
    }
    let location = Location::parse("memory:cancelled").expect("a location");
    let store = Store::open(&location, &StoreOptions::default(), false).expect("opened");
    let answer = probe(&store, &ProbeOptions::default(), &Impatient::default());
    assert!(matches!(answer, Err(StoreError::Interrupted)));
    assert!(store.list("").expect("listed").is_empty(), "something is left");
}

/// Two gateways to a bucket below a prefix of its own; `None` without the variable.
fn real_s3(variable: &str, prefix: &str) -> Option<[Store; 2]> {
    let Ok(place) = std::env::var(variable) else {
        eprintln!("not run: {variable} is not set");
        return None;
    };
    let parts: Vec<_> = place.split(',').collect();
    let [first, second, bucket, access, secret, region] = parts[..] else {
        panic!("{variable} is not endpoint1,endpoint2,bucket,access,secret,region");
    };
    let location = Location::parse(&format!("s3://{bucket}/{prefix}")).expect("a location");
    Some([first, second].map(|endpoint| {
        let variable = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let options = StoreOptions {
            endpoint: Some(endpoint.to_owned()),
            region: Some(region.to_owned()),
            allow_http: false,
            environment: vec![
                variable("AWS_ACCESS_KEY_ID", access),
                variable("AWS_SECRET_ACCESS_KEY", secret),
                variable("AWS_UNSIGNED_PAYLOAD", "true"),
            ],
            ..StoreOptions::default()
        };
        Store::open(&location, &options, false).expect("opened")
    }))
}

fn probe_s3(variable: &str, prefix: &str, effort: Effort) -> Option<ProbeReport> {
    let [first, second] = real_s3(variable, prefix)?;
    let options = ProbeOptions { effort, second: Some(second.clone()) };
    let report = probe(&first, &options, &Silent).expect("probed");
    eprintln!("{variable} {}{:?}\n{:?}", show(&report), first.usage(), second.usage());
    assert_all_pass(&report);
    assert!(first.list("").expect("listed").is_empty(), "something is left");
    Some(report)
}

#[test]
fn a_real_s3_passes_the_full_probe_through_both_gateways() {
    if let Some(report) = probe_s3("MAINSTAY_TEST_S3", "full/probe", Effort::Full) {
        assert!(!report.capabilities.versioning && !report.capabilities.object_lock);
        assert!(report.capabilities.atomic_create);
    }
}

#[test]
fn a_versioned_bucket_is_recognised_and_safe() {
    if let Some(report) = probe_s3("MAINSTAY_TEST_S3_VERSIONED", "probe", Effort::Quick) {
        assert!(report.capabilities.versioning && !report.capabilities.object_lock);
    }
}

#[test]
fn a_bucket_with_object_lock_is_recognised_and_safe() {
    if let Some(report) = probe_s3("MAINSTAY_TEST_S3_LOCKED", "", Effort::Quick) {
        assert!(report.capabilities.versioning && report.capabilities.object_lock);
    }
}

#[test]
fn a_missing_bucket_and_a_wrong_secret_are_errors_and_no_verdict() {
    let Ok(place) = std::env::var("MAINSTAY_TEST_S3") else {
        eprintln!("not run: MAINSTAY_TEST_S3 is not set");
        return;
    };
    let parts: Vec<_> = place.split(',').collect();
    let [endpoint, _, bucket, access, secret, region] = parts[..] else { panic!("{place}") };
    for (bucket, secret, wanted) in [("no-such-bucket", secret, true), (bucket, "wrong", false)] {
        let variable = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let options = StoreOptions {
            endpoint: Some(endpoint.to_owned()),
            region: Some(region.to_owned()),
            allow_http: false,
            environment: vec![
                variable("AWS_ACCESS_KEY_ID", access),
                variable("AWS_SECRET_ACCESS_KEY", secret),
            ],
            ..StoreOptions::default()
        };
        let location = Location::parse(&format!("s3://{bucket}/x")).expect("a location");
        let store = Store::open(&location, &options, false).expect("opened");
        let error = probe(&store, &ProbeOptions::default(), &Silent).expect_err("unusable");
        let is_missing = matches!(error, StoreError::NoBucket { .. });
        let is_denied = matches!(error, StoreError::Denied { .. });
        assert_eq!((is_missing, is_denied), (wanted, !wanted), "{error}");
    }
}
