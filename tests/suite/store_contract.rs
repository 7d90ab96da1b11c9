//! Whole round trips on real stores: two connections, through different gateways where there are
//! any; what one writes the other reads.
//!
//! Real S3 is used when `MAINSTAY_TEST_S3` says where:
//! `endpoint1,endpoint2,bucket,access,secret,region`. Emulators of the other clouds are used when
//! `MAINSTAY_TEST_AZ` (`endpoint,container,account,key`) and `MAINSTAY_TEST_GS` (`endpoint,bucket`) do.
#![expect(clippy::disallowed_methods, reason = "the place of a real store comes from outside")]
#![expect(clippy::print_stderr, reason = "a test that was not run says so")]

use std::num::NonZeroU32;

use engine::base::monitor::Silent;
use engine::store::contract::{Effort, ProbeOptions, probe};
use engine::store::{Limits, Location, Store, StoreOptions};
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

/// The parts of a variable that names a store, if it is set.
fn parts<const N: usize>(variable: &str) -> Option<[String; N]> {
    let Ok(place) = std::env::var(variable) else {
        eprintln!("not run: {variable} is not set");
        return None;
    };
    let parts: Vec<_> = place.split(',').map(str::to_owned).collect();
    Some(parts.try_into().expect("as many parts as docs/TESTING.md says"))
}

/// A name that nobody used before.
fn fresh_name() -> String {
    let process = blake3::hash(&std::process::id().to_le_bytes()).to_hex();
    let now = std::time::SystemTime::now().duration_since(std::time::SystemTime::UNIX_EPOCH);
    format!("{}-{}", now.expect("after 1970").as_millis(), &process[..8])
}

/// Connections through both gateways of `MAINSTAY_TEST_S3`, to a place that nobody used before.
fn gateways() -> Option<[Store; 2]> {
    let [one, two, bucket, access, secret, region] = parts("MAINSTAY_TEST_S3")?;
    let location = format!("s3://{bucket}/suite/{}", fresh_name());
    let variable = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let gateway = |endpoint: String| {
        let options = StoreOptions {
            endpoint: Some(endpoint),
            region: Some(region.clone()),
            allow_http: false,
            environment: vec![
                variable("AWS_ACCESS_KEY_ID", &access),
                variable("AWS_SECRET_ACCESS_KEY", &secret),
            ],
            // Limited bodies are sent in another way; here they take it, at no cost in time.
            limits: Limits::new(NonZeroU32::new(1 << 20), NonZeroU32::new(1 << 20)),
            ..StoreOptions::default()
        };
        open(&location, &options)
    };
    Some([one, two].map(gateway))
}

#[test]
fn a_repository_lives_on_s3_through_two_gateways() {
    let Some([first, second]) = gateways() else { return };
    round_trip(&first, &second);
    let options = ProbeOptions { effort: Effort::Quick, second: Some(second) };
    let report = probe(&first, &options, &Silent).expect("probed");
    assert!(report.is_safe(), "a store with a repository in it fails the contract: {report:?}");
}

/// Two connections to a place that nobody used before, in a bucket of a cloud.
fn connections(
    bucket: &str,
    endpoint: String,
    variables: &[(&str, &str)],
    limits: Limits,
) -> [Store; 2] {
    let variables = variables.iter().map(|(name, value)| ((*name).into(), (*value).into()));
    let options = StoreOptions {
        endpoint: Some(endpoint),
        environment: variables.collect(),
        limits,
        ..StoreOptions::default()
    };
    let location = format!("{bucket}/suite/{}", fresh_name());
    [open(&location, &options), open(&location, &options)]
}

#[test]
fn a_repository_lives_on_azure() {
    let Some([endpoint, container, account, key]) = parts("MAINSTAY_TEST_AZ") else { return };
    let variables = [
        ("AZURE_STORAGE_ACCOUNT_NAME", account.as_str()),
        ("AZURE_STORAGE_ACCOUNT_KEY", key.as_str()),
    ];
    let place = format!("az://{container}");
    let [first, second] = connections(&place, endpoint, &variables, Limits::default());
    round_trip(&first, &second);
    let options = ProbeOptions { effort: Effort::Quick, second: Some(second) };
    let report = probe(&first, &options, &Silent).expect("probed");
    assert!(report.is_safe(), "a store with a repository in it fails the contract: {report:?}");
}

/// Without the probe: its third check begins an upload in parts, which the emulator does not know.
/// (The engine itself never does.) Nor do its listings have more than one page.
#[test]
fn a_repository_lives_on_google() {
    let Some([endpoint, bucket]) = parts("MAINSTAY_TEST_GS") else { return };
    let account = format!(
        r#"{{"gcs_base_url":"{endpoint}","disable_oauth":true,"client_email":"","private_key":"","private_key_id":""}}"#
    );
    let variables = [("GOOGLE_SERVICE_ACCOUNT_KEY", account.as_str())];
    let fast = NonZeroU32::new(1 << 20);
    let limits = Limits::new(fast, fast);
    let [first, second] = connections(&format!("gs://{bucket}"), endpoint, &variables, limits);
    round_trip(&first, &second);
}
