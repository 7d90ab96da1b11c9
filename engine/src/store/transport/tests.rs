//! The S3 client against canned HTTP answers: what each status means, and what is never believed.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex};
use std::thread;

use bytes::Bytes;

use crate::base::error::{Classified, ErrorClass};
use crate::base::id::SlotId;
use crate::base::time::{Clock, SystemClock};
use crate::store::client::Store;
use crate::store::error::StoreError;
use crate::store::location::{Location, StoreOptions};
use crate::store::name::ObjectName;
use crate::store::pace::Limits;
use crate::store::retry::RetrySettings;

mod silence;

const NAME: ObjectName = ObjectName::Slot(SlotId::new([7; 8]));

/// A server that gives one answer per connection, in order, the last one again and again.
struct Canned {
    endpoint: String,
    /// First lines and header lines of the requests that came, in lower case.
    heads: Arc<Mutex<Vec<String>>>,
}

impl Canned {
    fn new(answers: Vec<String>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let heads = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&heads);
        thread::spawn(move || {
            for (turn, stream) in listener.incoming().enumerate() {
                let Ok(mut stream) = stream else { return };
                let mut reader = BufReader::new(stream.try_clone().expect("a clone"));
                let mut head = String::new();
                while reader.read_line(&mut head).is_ok_and(|count| count > 2) {}
                let head = head.to_ascii_lowercase();
                let length = head.split("content-length: ").nth(1).and_then(|rest| {
                    rest.lines().next().and_then(|number| number.trim().parse().ok())
                });
                let mut body = vec![0; length.unwrap_or(0)];
                let _ = reader.read_exact(&mut body);
                seen.lock().expect("not poisoned").push(head);
                let answer = answers.get(turn).or(answers.last()).expect("an answer");
                if stream.write_all(answer.as_bytes()).is_err() || !answer.contains("endless") {
                    continue;
                }
                while stream.write_all(&[b'x'; 65536]).is_ok() {}
            }
        });
        Self { endpoint: format!("http://{address}"), heads }
    }

    fn store(&self) -> Store {
        self.store_with(Limits::default())
    }

    fn store_with(&self, limits: Limits) -> Store {
        let location = Location::parse("s3://bucket/repo").expect("a location");
        let options = StoreOptions {
            endpoint: Some(self.endpoint.clone()),
            environment: [("AWS_ACCESS_KEY_ID", "key"), ("AWS_SECRET_ACCESS_KEY", "hunter2")]
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .into(),
            limits,
            ..StoreOptions::default()
        };
        let store = Store::open(&location, &options, false).expect("opened");
        store.with_retry(RetrySettings::fast())
    }

    fn heads(&self) -> Vec<String> {
        self.heads.lock().expect("not poisoned").clone()
    }
}

fn answer(status: &str, headers: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: {length}\r\n{headers}\r\n{body}"
    )
}

fn object(body: &str) -> String {
    let headers = "etag: \"1\"\r\nlast-modified: Sat, 21 Nov 2026 10:00:00 GMT\r\n";
    answer("200 OK", headers, body)
}

fn xml(status: &str, code: &str) -> String {
    answer(status, "", &format!("<Error><Code>{code}</Code><Message>why</Message></Error>"))
}

#[test]
fn each_status_has_its_class() {
    for (status, code, class, request_count) in [
        ("400 Bad Request", "RequestTimeout", ErrorClass::Transient, 4),
        ("400 Bad Request", "ExpiredToken", ErrorClass::Denied, 1),
        ("400 Bad Request", "InvalidRequest", ErrorClass::Usage, 1),
        ("401 Unauthorized", "AccessDenied", ErrorClass::Denied, 1),
        ("403 Forbidden", "SignatureDoesNotMatch", ErrorClass::Denied, 1),
        ("404 Not Found", "NoSuchKey", ErrorClass::Missing, 1),
        ("408 Request Timeout", "", ErrorClass::Transient, 4),
        ("429 Too Many Requests", "SlowDown", ErrorClass::Transient, 4),
        ("500 Internal Server Error", "InternalError", ErrorClass::Transient, 4),
        ("501 Not Implemented", "NotImplemented", ErrorClass::Usage, 1),
        ("503 Service Unavailable", "SlowDown", ErrorClass::Transient, 4),
    ] {
        for is_listing in [false, true] {
            let canned = Canned::new(vec![xml(status, code)]);
            let store = canned.store();
            let error = match is_listing {
                true => store.list("keys/").map(|_| ()).expect_err(status),
                false => store.get(&NAME, 10).map(|_| ()).expect_err(status),
            };
            // A listing has no object that could be missing, only a bucket.
            let class = match (class, is_listing) {
                (ErrorClass::Missing, true) => ErrorClass::Usage,
                (class, _) => class,
            };
            assert_eq!(error.class(), class, "{status} {code}: {error:?}");
            assert_eq!(canned.heads().len(), request_count, "{status} {code}");
            assert!(!format!("{error:?}").contains("hunter2"));
        }
    }
}

#[test]
fn redirects_are_not_followed() {
    let elsewhere = Canned::new(vec![object("forged")]);
    for status in ["301 Moved Permanently", "302 Found", "307 Temporary Redirect"] {
        let headers = format!("location: {}/x\r\n", elsewhere.endpoint);
        let canned = Canned::new(vec![answer(status, &headers, "")]);
        let store = canned.store();
        let errors = [
            store.get(&NAME, 10).map(|_| ()).expect_err(status),
            store.put_new(&NAME, Bytes::from_static(b"body")).expect_err(status),
            store.list("keys/").map(|_| ()).expect_err(status),
        ];
        for error in errors {
            assert!(matches!(error, StoreError::Redirected { .. }), "{status}: {error:?}");
        }
        assert_eq!(canned.heads().len(), 3);
    }
    assert!(elsewhere.heads().is_empty(), "a redirect was followed");
}

#[test]
fn payloads_are_signed_and_creation_is_asked_for() {
    let canned = Canned::new(vec![answer("200 OK", "etag: \"1\"\r\n", "")]);
    canned.store().put_new(&NAME, Bytes::from_static(b"abc")).expect("accepted");
    let head = canned.heads().concat();
    // SHA-256 of "abc" (FIPS 180-2, B.1).
    let hash = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    assert!(head.contains(&format!("x-amz-content-sha256: {hash}")), "{head}");
    assert!(head.contains("if-none-match: *"), "{head}");
    assert!(head.starts_with("put /bucket/repo/keys/0707070707070707 "), "{head}");
}

#[test]
fn after_a_500_the_object_is_looked_at() {
    // Written although it failed.
    let canned = Canned::new(vec![xml("500 Internal Server Error", ""), object("body")]);
    canned.store().put_new(&NAME, Bytes::from_static(b"body")).expect("it is there");
    assert_eq!(canned.heads().len(), 2);
    // Not written: 409, absent; then 412 because somebody else's bytes are there.
    let absent = xml("404 Not Found", "NoSuchKey");
    let canned = Canned::new(vec![
        xml("409 Conflict", "ConditionalRequestConflict"),
        absent,
        xml("412 Precondition Failed", "PreconditionFailed"),
        object("else"),
    ]);
    let error = canned.store().put_new(&NAME, Bytes::from_static(b"body")).expect_err("other");
    assert!(matches!(error, StoreError::Conflict { .. }), "{error:?}");
    assert_eq!(canned.heads().len(), 4);
}

#[test]
fn a_store_that_knows_no_creation_gets_plain_writes() {
    let canned = Canned::new(vec![
        xml("501 Not Implemented", "NotImplemented"),
        answer("200 OK", "etag: \"1\"\r\n", ""),
    ]);
    canned.store().put_new(&NAME, Bytes::from_static(b"body")).expect("written");
    let heads = canned.heads();
    assert!(heads[0].contains("if-none-match") && !heads[1].contains("if-none-match"));
}

#[test]
fn endless_answers_are_cut_off() {
    let endless = |status| format!("HTTP/1.1 {status}\r\nconnection: close\r\nx: endless\r\n\r\n");
    for status in ["200 OK", "403 Forbidden", "500 Internal Server Error"] {
        let canned = Canned::new(vec![endless(status)]);
        canned.store().list("keys/").expect_err(status);
        canned.store().get(&NAME, 10).expect_err(status);
    }
}

#[test]
fn short_and_long_bodies_are_refused() {
    let announced = |announced: usize, body: &str| {
        object(body).replace(
            &format!("content-length: {}", body.len()),
            &format!("content-length: {announced}"),
        )
    };
    let error = Canned::new(vec![announced(100, "short")]).store().get(&NAME, 100);
    assert_eq!(error.expect_err("short").class(), ErrorClass::Transient);
    let error = Canned::new(vec![announced(1 << 40, "")]).store().get(&NAME, 100);
    assert_eq!(error.expect_err("long").class(), ErrorClass::Corrupt);
    // A whole object where a part was asked for.
    let error = Canned::new(vec![object("0123456789")]).store().get_range(&NAME, 2..4);
    error.expect_err("the whole is no part");
}

#[test]
fn a_listing_that_repeats_its_token_ends() {
    let page = answer(
        "200 OK",
        "",
        "<ListBucketResult><Prefix>repo/keys/</Prefix><IsTruncated>true</IsTruncated>\
         <NextContinuationToken>again</NextContinuationToken></ListBucketResult>",
    );
    let error = Canned::new(vec![page]).store().list("keys/").expect_err("endless");
    assert!(matches!(error, StoreError::EndlessListing { .. }), "{error:?}");
}

#[test]
fn a_limited_body_arrives_whole_and_slowly() {
    let canned = Canned::new(vec![answer("200 OK", "etag: \"1\"\r\n", "")]);
    let store = canned.store_with(Limits::new(NonZeroU32::new(100), None));
    let clock = SystemClock::default();
    // Six tenths of a second, of which the first is free.
    store.put_new(&NAME, Bytes::from(vec![7; 60 * 1024])).expect("written");
    assert!(clock.monotonic().as_millis() >= 400, "{:?}", clock.monotonic());
    let heads = canned.heads();
    assert_eq!(heads.len(), 1);
    assert!(heads[0].contains("content-length: 61440"), "{}", heads[0]);
    assert!(!heads[0].contains("transfer-encoding"), "{}", heads[0]);
}

#[test]
fn an_answer_that_is_no_listing_is_an_error_and_not_empty() {
    let page = |inside: &str| format!("<ListBucketResult>{inside}</ListBucketResult>");
    let right = page("<Prefix>repo/keys/</Prefix><IsTruncated>false</IsTruncated>");
    let canned = Canned::new(vec![answer("200 OK", "", &right)]);
    assert_eq!(canned.store().list("keys/").expect("it is empty"), []);
    for (status, body) in [
        ("200 OK", "<html><body>Log in to the network</body></html>".to_owned()),
        ("200 OK", "<Error><Code>InternalError</Code></Error>".to_owned()),
        ("200 OK", String::new()),
        ("200 OK", right.replace("repo/keys/", "other/")),
        ("200 OK", right.replace("</ListBucketResult>", "")),
        ("200 OK", right.replace("false", "true")),
        ("202 Accepted", right.clone()),
        ("204 No Content", String::new()),
    ] {
        let canned = Canned::new(vec![answer(status, "", &body)]);
        let error = canned.store().list("keys/").expect_err(&body);
        assert!(matches!(error, StoreError::NotBelieved { .. }), "{status} {body}: {error:?}");
        // A page of a proxy may be gone a moment later.
        assert_eq!(canned.heads().len(), 4, "{body}");
    }
    let once = answer("200 OK", "", "<html></html>");
    let canned = Canned::new(vec![once, answer("200 OK", "", &right)]);
    assert_eq!(canned.store().list("keys/").expect("the second answer is right"), []);
}

#[test]
fn a_web_page_is_neither_an_object_nor_a_receipt_nor_an_absence() {
    let html = |status| answer(status, "content-type: text/html; charset=utf-8\r\n", "<html>");
    for status in ["200 OK", "404 Not Found"] {
        let error = Canned::new(vec![html(status)]).store().get(&NAME, 100).expect_err(status);
        assert!(matches!(error, StoreError::NotBelieved { .. }), "{status}: {error:?}");
        assert_eq!(error.class(), ErrorClass::Transient);
    }
    // What was not stored is sent again until the store has it.
    let receipt = answer("200 OK", "etag: \"1\"\r\n", "<html>thank you</html>");
    let absent = xml("404 Not Found", "NoSuchKey");
    let canned = Canned::new(vec![receipt, absent, answer("200 OK", "etag: \"1\"\r\n", "")]);
    canned.store().put_new(&NAME, Bytes::from_static(b"body")).expect("the second time");
    assert_eq!(canned.heads().len(), 3);
}

#[test]
fn one_refused_object_is_not_a_refused_store() {
    let refused = || xml("403 Forbidden", "AccessDenied");
    let store = Canned::new(vec![refused()]).store();
    assert_eq!(store.get(&NAME, 10).expect_err("refused").class(), ErrorClass::Denied);
    for (answer, class) in [
        (refused(), ErrorClass::Unreadable),
        (xml("403 Forbidden", "SignatureDoesNotMatch"), ErrorClass::Denied),
        (xml("403 Forbidden", "RequestTimeTooSkewed"), ErrorClass::Denied),
        (xml("403 Forbidden", "InvalidObjectState"), ErrorClass::Unreadable),
        (xml("400 Bad Request", "ExpiredToken"), ErrorClass::Denied),
    ] {
        let store = Canned::new(vec![object("body"), answer]).store();
        store.get(&NAME, 10).expect("it is there");
        let error = store.get(&NAME, 10).expect_err("refused");
        assert_eq!(error.class(), class, "{error:?}");
        let said = crate::base::error::in_one_line(&error);
        assert!(said.contains("why") && said.contains("127.0.0.1"), "{said}");
    }
    let missing = Canned::new(vec![xml("404 Not Found", "NoSuchBucket")]).store();
    let error = missing.get(&NAME, 10).expect_err("no bucket");
    assert!(matches!(error, StoreError::NoBucket { .. }), "{error:?}");
}

#[test]
fn keys_that_expired_are_read_again_once() {
    let old = || xml("400 Bad Request", "ExpiredToken");
    let open = |canned: &Canned| {
        let count = std::sync::atomic::AtomicU64::new(0);
        let options = StoreOptions {
            endpoint: Some(canned.endpoint.clone()),
            keys: Some(Arc::new(move || {
                let number = count.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                let (id, secret) = (format!("key{number}"), "hunter2".to_owned());
                Ok(crate::store::keys::AccessKeys { id, secret, token: None, fresh_ms: None })
            })),
            ..StoreOptions::default()
        };
        let location = Location::parse("s3://bucket/repo").expect("a location");
        Store::open(&location, &options, false).expect("opened").with_retry(RetrySettings::fast())
    };
    let canned = Canned::new(vec![old(), object("body")]);
    assert_eq!(open(&canned).get(&NAME, 10).expect("new keys"), "body");
    let heads = canned.heads();
    assert!(heads[0].contains("credential=key0/") && heads[1].contains("credential=key1/"));
    let canned = Canned::new(vec![old(), answer("200 OK", "etag: \"1\"\r\n", "")]);
    open(&canned).put_new(&NAME, Bytes::from_static(b"body")).expect("new keys");
    let canned = Canned::new(vec![old()]);
    let error = open(&canned).get(&NAME, 10).expect_err("it stays so");
    assert_eq!((error.class(), canned.heads().len()), (ErrorClass::Denied, 2));
}

#[test]
fn who_cannot_be_reached_is_said_soon_and_in_words() {
    let closed = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("one");
    let mute = TcpListener::bind("127.0.0.1:0").expect("a port");
    let mute_at = mute.local_addr().expect("an address");
    thread::spawn(move || {
        for stream in mute.incoming() {
            let Ok(mut stream) = stream else { return };
            let _ = stream.write_all(b"SSH-2.0-OpenSSH_10.0\r\n");
        }
    });
    for (endpoint, words) in [
        (format!("http://{closed}"), "connection refused"),
        ("https://no-such-host.invalid".to_owned(), "has no address"),
        (format!("https://{mute_at}"), "TLS"),
        (format!("http://{mute_at}"), "broke off"),
    ] {
        let location = Location::parse("s3://bucket/repo").expect("a location");
        let options = StoreOptions {
            endpoint: Some(endpoint.clone()),
            environment: [("AWS_ACCESS_KEY_ID", "key"), ("AWS_SECRET_ACCESS_KEY", "hunter2")]
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .into(),
            ..StoreOptions::default()
        };
        let clock = SystemClock::default();
        let store = Store::open(&location, &options, false).expect("opened");
        let error = store.list("keys/").expect_err("nobody is there");
        assert!(clock.monotonic().as_secs() < 10, "{endpoint}");
        assert_eq!(error.class(), ErrorClass::Transient);
        let said = crate::base::error::in_one_line(&error);
        assert!(said.contains(words), "{endpoint}: {said}");
        assert!(said.contains(endpoint.split("://").nth(1).unwrap_or_default()), "{said}");
    }
}

#[test]
fn settings_with_stray_bytes_are_cleaned_or_refused_by_name() {
    let open = |region: &str, endpoint: &str| {
        let location = Location::parse("s3://bucket/repo").expect("a location");
        let options = StoreOptions {
            endpoint: Some(endpoint.to_owned()),
            environment: [("AWS_ACCESS_KEY_ID", "key\r"), ("AWS_SECRET_ACCESS_KEY", " s\n")]
                .into_iter()
                .chain([("AWS_REGION", region)])
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect(),
            ..StoreOptions::default()
        };
        Store::open(&location, &options, false)
    };
    let canned = Canned::new(vec![object("body")]);
    let store = open("us-east-1\n", &format!(" {}\n", canned.endpoint)).expect("cleaned");
    assert_eq!(store.get(&NAME, 10).expect("signed"), "body");
    assert!(canned.heads()[0].contains("credential=key/"), "{:?}", canned.heads());
    let error = open("us east", &canned.endpoint).err().expect("refused");
    assert!(error.to_string().contains("AWS_REGION"), "{error}");
    let error = open("r", "http://127.0.0.1:1\n/x").err().expect("refused");
    assert!(error.to_string().contains("endpoint"), "{error}");
}
