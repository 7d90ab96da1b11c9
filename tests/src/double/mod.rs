//! An S3 server in this process that gives wrong answers on demand, and a right one otherwise.
//!
//! The doubles in `store` stand where the library does; this one stands where the network is, so
//! that what travels is looked at as well: statuses, headers, XML, bodies that end too soon. It
//! checks no signatures. Each connection carries one request.

mod http;
/// Permissions.
pub mod guard;
/// Ways of being wrong.
pub mod wrong;

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::sync::{Arc, Mutex, PoisonError};

use engine::base::time::{Clock, SystemClock};

use crate::double::guard::Guard;
use crate::double::http::{Reply, Request};
use crate::double::wrong::{Rule, Wrong};

/// An object, and when it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Object {
    body: Arc<Vec<u8>>,
    at: jiff::Timestamp,
}

impl Object {
    /// Its bytes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.body.len()
    }

    /// Whether it has none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.body.is_empty()
    }

    fn written(&self, form: &str) -> String {
        self.at.strftime(form).to_string()
    }
}

/// All objects by their whole key.
pub type Objects = BTreeMap<String, Object>;

/// Kinds of requests, as far as a wrong answer differs for them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Reading an object or a part of it.
    Get,
    /// Writing one.
    Put,
    /// A page of a listing.
    List,
    /// Deleting one.
    Delete,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Get, Self::Put, Self::List, Self::Delete];
}

/// A running server; it lasts as long as the process.
pub struct Double {
    /// `http://127.0.0.1:port`.
    pub endpoint: String,
    shared: Arc<Mutex<Shared>>,
}

#[derive(Default)]
struct Shared {
    objects: Objects,
    rule: Option<Rule>,
    wrong_count: u64,
    guard: Guard,
}

impl Double {
    /// Starts a server without objects.
    ///
    /// # Panics
    /// If there is no free port.
    #[must_use]
    pub fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port is free");
        let port = listener.local_addr().expect("it is bound").port();
        let shared = Arc::new(Mutex::new(Shared::default()));
        let own = Arc::clone(&shared);
        std::thread::spawn(move || {
            for connection in listener.incoming().flatten() {
                let shared = Arc::clone(&own);
                std::thread::spawn(move || {
                    // A client that goes away in the middle is its own affair.
                    let _ = http::serve(connection, |request| answer(&shared, request));
                });
            }
        });
        Self { endpoint: format!("http://127.0.0.1:{port}"), shared }
    }

    fn shared(&self) -> std::sync::MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What it holds.
    #[must_use]
    pub fn objects(&self) -> Objects {
        self.shared().objects.clone()
    }

    /// Puts it back to what it held, and lets it be right from now on.
    pub fn reset(&self, objects: &Objects) {
        let mut shared = self.shared();
        shared.objects.clone_from(objects);
        shared.rule = None;
    }

    /// Lets it be wrong from now on.
    pub fn set(&self, rule: Rule) {
        let mut shared = self.shared();
        shared.rule = Some(rule);
        shared.wrong_count = 0;
    }

    /// Who may do what from now on, and what was asked of it.
    pub fn with_guard<T>(&self, act: impl FnOnce(&mut Guard) -> T) -> T {
        act(&mut self.shared().guard)
    }

    /// Lets it be right again, and says how many answers were wrong.
    pub fn heal(&self) -> u64 {
        let mut shared = self.shared();
        shared.rule = None;
        shared.wrong_count
    }
}

fn answer(shared: &Mutex<Shared>, request: &Request) -> Reply {
    let mut shared = shared.lock().unwrap_or_else(PoisonError::into_inner);
    let kind = request.kind();
    if !shared.guard.lets_in(kind, request) {
        return Reply::error(403, "AccessDenied");
    }
    let wrong = shared.rule.as_mut().and_then(|rule| rule.next(kind, &request.key));
    shared.wrong_count += u64::from(wrong.is_some());
    if wrong.is_some_and(Wrong::is_before_effect) {
        return wrong.map(|wrong| wrong.reply(request, Reply::default())).unwrap_or_default();
    }
    let right = match kind {
        Kind::List => list(&shared.objects, request),
        Kind::Get => get(&shared.objects, request),
        Kind::Put => put(&mut shared.objects, request),
        Kind::Delete => {
            shared.objects.remove(&request.key);
            Reply::status(204, "No Content")
        }
    };
    match wrong {
        Some(wrong) => wrong.reply(request, right),
        None => right,
    }
}

fn put(objects: &mut Objects, request: &Request) -> Reply {
    if request.is_create && objects.contains_key(&request.key) {
        return Reply::error(412, "PreconditionFailed");
    }
    let now = SystemClock::default().now();
    let at = jiff::Timestamp::from_second(now.seconds).unwrap_or_default();
    objects.insert(request.key.clone(), Object { body: Arc::new(request.body.clone()), at });
    Reply { headers: "etag: \"1\"\r\n".to_owned(), ..Reply::status(200, "OK") }
}

fn get(objects: &Objects, request: &Request) -> Reply {
    let Some(object) = objects.get(&request.key) else {
        return match request.is_head {
            true => Reply { is_head: true, ..Reply::status(404, "Not Found") },
            false => Reply::error(404, "NoSuchKey"),
        };
    };
    let size = object.body.len();
    let at = object.written("%a, %d %b %Y %H:%M:%S GMT");
    let headers = format!("etag: \"1\"\r\nlast-modified: {at}\r\n");
    let Some((start, end)) = request.range(size) else {
        let right = Reply { headers, body: object.body.to_vec(), ..Reply::status(200, "OK") };
        return Reply { is_head: request.is_head, ..right };
    };
    if start >= size {
        return Reply::error(416, "InvalidRange");
    }
    let end = end.min(size);
    Reply {
        headers: format!("{headers}content-range: bytes {start}-{}/{size}\r\n", end - 1),
        body: object.body[start..end].to_vec(),
        ..Reply::status(206, "Partial Content")
    }
}

/// Objects of one page: few, so that small repositories have several pages.
const PAGE_OBJECTS: usize = 20;

fn list(objects: &Objects, request: &Request) -> Reply {
    let value = |name: &str| request.query.get(name).map(String::as_str).unwrap_or_default();
    let (prefix, after) = (value("prefix"), value("continuation-token"));
    let most = value("max-keys").parse().unwrap_or(PAGE_OBJECTS).min(PAGE_OBJECTS);
    let mut matching =
        objects.iter().filter(|(key, _)| key.starts_with(prefix) && key.as_str() > after);
    let page: Vec<_> = matching.by_ref().take(most).collect();
    let is_truncated = matching.next().is_some();
    let mut xml = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?><ListBucketResult><Name>bucket</Name>\
         <Prefix>{prefix}</Prefix><KeyCount>{}</KeyCount><IsTruncated>{is_truncated}</IsTruncated>",
        page.len()
    );
    if let (true, Some((last, _))) = (is_truncated, page.last()) {
        xml.push_str(&format!("<NextContinuationToken>{last}</NextContinuationToken>"));
    }
    for (key, object) in page {
        xml.push_str(&format!(
            "<Contents><Key>{key}</Key><Size>{}</Size><ETag>1</ETag>\
             <LastModified>{}</LastModified></Contents>",
            object.body.len(),
            object.written("%Y-%m-%dT%H:%M:%S.000Z")
        ));
    }
    xml.push_str("</ListBucketResult>");
    Reply { body: xml.into_bytes(), ..Reply::status(200, "OK") }
}
