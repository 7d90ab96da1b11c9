//! Stores that take a connection and say nothing, or not enough, before and after they were known.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crate::base::error::in_one_line;
use crate::store::client::Store;
use crate::store::location::{Location, StoreOptions};
use crate::store::transport::tests::*;

const OPENING_MS: u64 = 1_500;

/// What is done with one connection.
type Act = fn(&mut TcpStream);

/// A server that reads what comes and does `acts` with one connection after the other, the last one again
/// and again.
fn server(acts: &'static [Act]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    let count = Arc::new(AtomicUsize::new(0));
    thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let count = Arc::clone(&count);
            thread::spawn(move || {
                let mut head = [0; 4096];
                let _ = stream.read(&mut head);
                let turn = count.fetch_add(1, Ordering::Relaxed);
                acts.get(turn).or(acts.last()).expect("there is one")(&mut stream);
            });
        }
    });
    address.to_string()
}

fn hang(_: &mut TcpStream) {
    thread::sleep(Duration::from_secs(60));
}

/// A line of the head each time, and never the last.
fn slow_head(stream: &mut TcpStream) {
    let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n");
    while stream.write_all(b"x-more: 1\r\n").is_ok() {
        thread::sleep(Duration::from_millis(200));
    }
}

/// A head, a part of the body, and nothing more.
fn half(stream: &mut TcpStream) {
    let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 500\r\n\r\n<?xml version=");
    hang(stream);
}

/// A right answer that takes longer to begin than a first one may.
fn late(stream: &mut TcpStream) {
    thread::sleep(Duration::from_millis(2 * OPENING_MS));
    good(stream);
}

fn good(stream: &mut TcpStream) {
    let _ = stream.write_all(object("body").as_bytes());
}

/// Four bytes, one after the other, for longer than a first answer may take to begin.
fn slow_body(stream: &mut TcpStream) {
    let whole = xml("404 Not Found", "NoSuchKey");
    let (head, body) = whole.split_once("\r\n\r\n").expect("a head");
    let _ = stream.write_all(format!("{head}\r\n\r\n").as_bytes());
    for piece in body.as_bytes().chunks(16) {
        thread::sleep(Duration::from_millis(500));
        let _ = stream.write_all(piece);
    }
}

fn store(location: &str, endpoint: String) -> Store {
    store_with(location, endpoint, OPENING_MS)
}

fn store_with(location: &str, endpoint: String, opening_ms: u64) -> Store {
    let token = r#"{"gcs_base_url": "URL", "disable_oauth": true, "client_email": "", "private_key": "", "private_key_id": ""}"#;
    let environment = [
        ("AWS_ACCESS_KEY_ID", "key"),
        ("AWS_SECRET_ACCESS_KEY", "hunter2"),
        ("AZURE_STORAGE_ACCOUNT_NAME", "account"),
        ("AZURE_STORAGE_ACCOUNT_KEY", "aHVudGVyMg=="),
        ("GOOGLE_SERVICE_ACCOUNT_KEY", &token.replace("URL", &endpoint)),
    ];
    let options = StoreOptions {
        endpoint: Some(endpoint.clone()),
        environment: environment.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
        opening_ms: Some(opening_ms),
        ..StoreOptions::default()
    };
    let location = Location::parse(location).expect("a location");
    Store::open(&location, &options, false).expect("opened")
}

#[test]
fn a_store_that_never_answers_is_given_up_soon() {
    for location in ["s3://bucket/repo", "az://bucket/repo", "gs://bucket/repo"] {
        for (scheme, act) in
            [("http", hang as Act), ("http", slow_head), ("http", half), ("https", hang)]
        {
            let acts: &'static [Act] = Box::leak(Box::new([act]));
            let address = server(acts);
            let clock = SystemClock::default();
            let error = store(location, format!("{scheme}://{address}"))
                .list("config-")
                .expect_err("nobody answers");
            let took = clock.monotonic();
            let said = in_one_line(&error);
            assert!(took < Duration::from_millis(2 * OPENING_MS + 500), "{took:?}: {said}");
            assert_eq!(error.class(), ErrorClass::Transient, "{said}");
            assert!(said.contains(&address) && said.contains("within 2 s"), "{said}");
        }
    }
}

#[test]
fn a_store_that_answered_once_has_its_time() {
    let store = store("s3://bucket/repo", format!("http://{}", server(&[good, late])));
    assert_eq!(store.get(&NAME, 10).expect("the first"), "body");
    assert_eq!(store.get(&NAME, 10).expect("the second"), "body");
}

#[test]
fn who_wants_to_wait_for_longer_is_not_stopped_by_a_number_of_attempts() {
    let address = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("one");
    thread::spawn(move || {
        thread::sleep(Duration::from_secs(1));
        for stream in TcpListener::bind(address).expect("it is free again").incoming() {
            let mut stream = stream.expect("a connection");
            let _ = stream.read(&mut [0; 4096]);
            good(&mut stream);
        }
    });
    let store = store_with("s3://bucket/repo", format!("http://{address}"), 20_000);
    let store = store.with_retry(RetrySettings::fast());
    assert_eq!(store.get(&NAME, 10).expect("it comes late"), "body");
}

#[test]
fn a_first_answer_that_comes_slowly_is_waited_for() {
    let store = store("s3://bucket/repo", format!("http://{}", server(&[slow_body])));
    let clock = SystemClock::default();
    let error = store.get(&NAME, 10).expect_err("it is not there");
    assert_eq!(error.class(), ErrorClass::Missing, "{error:?}");
    assert!(clock.monotonic() > Duration::from_millis(OPENING_MS));
}
