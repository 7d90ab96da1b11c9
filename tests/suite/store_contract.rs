//! Whole round trips on real stores: two connections, through different gateways where there are
//! any; what one writes the other reads.
//!
//! Real S3 is used when `MAINSTAY_TEST_S3` says where:
//! `endpoint1,endpoint2,bucket,access,secret,region`.
#![expect(clippy::disallowed_methods, reason = "the place of a real store comes from outside")]
#![expect(clippy::print_stderr, reason = "a test that was not run says so")]

use engine::base::monitor::Silent;
use engine::store::contract::{Effort, ProbeOptions, probe};
use engine::store::{Location, Store, StoreOptions};
use system_tests::trees::content::random_bytes;
use system_tests::trees::put;
use system_tests::world::{World, new_place};

fn open(location: &str, options: &StoreOptions) -> Store {
    let location = Location::parse(location).expect("a location");
    Store::open(&location, options, true).expect("opened")
}

/// Backs up through one connection, again through the other, and restores and checks crosswise.
fn round_trip(first: &Store, second: &Store) {
    let here = World::create(first);
    let source = here.new_folder("source");
    for number in 0..200_u64 {
        let length = 1000 + (number as usize * 7919) % 60_000;
        put(&source.join(format!("{}/{number}", number % 9)), &random_bytes(number, length));
    }
    put(&source.join("large"), &random_bytes(1000, 40 << 20));
    let report = here.backup(&source).expect("the backup runs");
    assert_eq!(report.problems, []);
    let there = here.another(second).expect("the words open it");
    there.assert_newest_is(&source);
    put(&source.join("3/new"), &random_bytes(2000, 100_000));
    let report = there.backup(&source).expect("the backup runs");
    assert_eq!(report.summary.files_new, 1, "the other machine's snapshot is not the parent");
    assert!(report.summary.bytes_new < 1 << 20, "{:?}", report.summary);
    here.assert_newest_is(&source);
    let third = here.backup(&source).expect("the backup runs");
    assert_eq!(third.summary.data_chunks_new, 0, "{:?}", third.summary);
    for world in [&here, &there] {
        assert_eq!(world.snapshots().len(), 3);
        world.assert_sound();
    }
}

#[test]
fn the_store_in_memory_keeps_the_contract_and_a_repository() {
    let first = open("memory:store-contract", &StoreOptions::default());
    let second = open("memory:store-contract", &StoreOptions::default());
    round_trip(&first, &second);
}

#[test]
fn a_folder_keeps_the_contract_and_a_repository() {
    let place = new_place();
    let location = place.path().join("repository").display().to_string();
    let open = || open(&location, &StoreOptions::default());
    round_trip(&open(), &open());
}

/// The parts of `MAINSTAY_TEST_S3`, with a bucket prefix that nobody used before.
fn gateways() -> Option<[Store; 2]> {
    let Ok(place) = std::env::var("MAINSTAY_TEST_S3") else {
        eprintln!("not run: MAINSTAY_TEST_S3 is not set");
        return None;
    };
    let parts: Vec<_> = place.split(',').collect();
    let [one, two, bucket, access, secret, region] = parts[..] else {
        unreachable!("MAINSTAY_TEST_S3 has six parts")
    };
    let prefix = blake3::hash(&std::process::id().to_le_bytes()).to_hex();
    let now = std::time::SystemTime::now().duration_since(std::time::SystemTime::UNIX_EPOCH);
    let now_ms = now.expect("after 1970").as_millis();
    let location = format!("s3://{bucket}/suite/{now_ms}-{}", &prefix[..8]);
    let variable = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let gateway = |endpoint: &str| {
        let options = StoreOptions {
            endpoint: Some(endpoint.to_owned()),
            region: Some(region.to_owned()),
            allow_http: false,
            environment: vec![
                variable("AWS_ACCESS_KEY_ID", access),
                variable("AWS_SECRET_ACCESS_KEY", secret),
            ],
        };
        open(&location, &options)
    };
    Some([gateway(one), gateway(two)])
}

#[test]
fn a_repository_lives_on_s3_through_two_gateways() {
    let Some([first, second]) = gateways() else { return };
    round_trip(&first, &second);
    let options = ProbeOptions { effort: Effort::Quick, second: Some(second) };
    let report = probe(&first, &options, &Silent).expect("probed");
    assert!(report.is_safe(), "a store with a repository in it fails the contract: {report:?}");
}
