//! A small HTTP server for doubles of ticket systems.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use serde_json::Value;

/// A request.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) query: BTreeMap<String, String>,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) text: String,
}

impl Request {
    pub(crate) fn body(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_default()
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map(String::as_str).unwrap_or_default()
    }
}

/// A status and a body.
pub(crate) type Reply = (u16, Value);

/// A ticket system.
pub(crate) trait Double: Send {
    fn answer(&mut self, request: &Request) -> Reply;
}

/// What goes wrong on the way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// The next request with this method is answered so, and not carried out.
    Status(&'static str, u16),
    /// The next one with this method is carried out, and half of its answer comes.
    Cut(&'static str),
}

pub(crate) struct Server<D> {
    pub(crate) port: u16,
    pub(crate) double: Arc<Mutex<D>>,
    trouble: Arc<Mutex<Option<Trouble>>>,
}

impl<D: Double + 'static> Server<D> {
    pub(crate) fn start(double: D) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let (double, trouble) = (Arc::new(Mutex::new(double)), Arc::new(Mutex::new(None)));
        let (shared, troubles) = (Arc::clone(&double), Arc::clone(&trouble));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                serve(stream, &shared, &troubles);
            }
        });
        Self { port, double, trouble }
    }

    pub(crate) fn make_trouble(&self, trouble: Trouble) {
        *self.trouble.lock().expect("nobody panics") = Some(trouble);
    }
}

fn serve<D: Double>(
    mut stream: TcpStream,
    double: &Mutex<D>,
    trouble: &Mutex<Option<Trouble>>,
) -> Option<()> {
    let request = read(&stream)?;
    let wanted = |it: &Trouble| match it {
        Trouble::Status(method, _) | Trouble::Cut(method) => *method == request.method,
    };
    let trouble = {
        let mut held = trouble.lock().ok()?;
        if held.as_ref().is_some_and(wanted) { held.take() } else { None }
    };
    let (status, body) = match trouble {
        Some(Trouble::Status(_, status)) => (status, Value::Null),
        _ => double.lock().ok()?.answer(&request),
    };
    let text = if body.is_null() { String::new() } else { body.to_string() };
    let sent = match trouble {
        Some(Trouble::Cut(_)) => &text[..text.len() / 2],
        _ => &text,
    };
    write!(
        stream,
        "HTTP/1.1 {status} x\r\ncontent-length: {}\r\nretry-after: 7\r\nconnection: close\r\n\r\n{sent}",
        text.len()
    )
    .ok()
}

fn read(stream: &TcpStream) -> Option<Request> {
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    let mut first = String::new();
    reader.read_line(&mut first).ok()?;
    let mut words = first.split(' ');
    let (method, target) = (words.next()?.to_owned(), words.next()?.to_owned());
    let url = url::Url::parse(&format!("http://x{target}")).ok()?;
    let mut headers = BTreeMap::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(": ") else { break };
        headers.insert(name.to_ascii_lowercase(), value.to_owned());
    }
    let length = headers.get("content-length").and_then(|text| text.parse().ok()).unwrap_or(0);
    let mut raw = vec![0; length];
    reader.read_exact(&mut raw).ok()?;
    Some(Request {
        method,
        path: url.path().to_owned(),
        query: url.query_pairs().into_owned().collect(),
        headers,
        text: String::from_utf8(raw).ok()?,
    })
}
