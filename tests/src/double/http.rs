//! As much HTTP as the double needs, and answers that are not HTTP.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use crate::double::Kind;

/// A request that was read whole.
#[derive(Debug, Default)]
pub(crate) struct Request {
    method: String,
    pub(crate) bucket: String,
    /// Who signed it, by the name of the access key.
    pub(crate) signer: String,
    /// The key without the bucket.
    pub(crate) key: String,
    pub(crate) query: BTreeMap<String, String>,
    range: Option<String>,
    pub(crate) is_create: bool,
    pub(crate) is_head: bool,
    pub(crate) body: Vec<u8>,
}

/// What goes back.
#[derive(Debug, Default)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) reason: &'static str,
    /// Lines with their ends.
    pub(crate) headers: String,
    pub(crate) body: Vec<u8>,
    /// Says the length of the body and does not send it.
    pub(crate) is_head: bool,
    pub(crate) manner: Manner,
}

/// How it is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Manner {
    #[default]
    Usual,
    /// More bytes are announced than come.
    Short,
    /// The connection is closed before a byte.
    Nothing,
    /// What comes is no HTTP.
    Garbage,
    /// The body does not end.
    Endless,
    /// The body comes in small pieces with pauses.
    Drip,
    /// Nothing comes, and the connection stays.
    Hang,
}

impl Request {
    pub(crate) fn kind(&self) -> Kind {
        match self.method.as_str() {
            "PUT" => Kind::Put,
            "DELETE" => Kind::Delete,
            _ if self.key.is_empty() => Kind::List,
            _ => Kind::Get,
        }
    }

    /// The bytes that are asked for: start, and end exclusive.
    pub(crate) fn range(&self, size: usize) -> Option<(usize, usize)> {
        let (start, end) = self.range.as_deref()?.strip_prefix("bytes=")?.split_once('-')?;
        if start.is_empty() {
            return Some((size.saturating_sub(end.parse().ok()?), size));
        }
        let end = end.parse().map_or(size, |last: usize| last + 1);
        Some((start.parse().ok()?, end))
    }
}

impl Reply {
    pub(crate) fn status(status: u16, reason: &'static str) -> Self {
        Self { status, reason, ..Self::default() }
    }

    /// An error as S3 words it.
    pub(crate) fn error(status: u16, code: &str) -> Self {
        let body = format!("<Error><Code>{code}</Code><Message>so it is</Message></Error>");
        let headers = "content-type: application/xml\r\n".to_owned();
        Self { headers, body: body.into_bytes(), ..Self::status(status, "Error") }
    }
}

/// Reads one request, and sends what `answer` says.
pub(crate) fn serve(
    mut stream: TcpStream,
    answer: impl FnOnce(&Request) -> Reply,
) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let mut request = first_line(&line);
    let mut body_bytes = 0;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? <= 2 {
            break;
        }
        let (name, value) = line.split_once(':').unwrap_or((&line, ""));
        let value = value.trim();
        match name.to_ascii_lowercase().as_str() {
            "content-length" => body_bytes = value.parse().unwrap_or(0),
            "range" => request.range = Some(value.to_owned()),
            "authorization" => {
                let named = value.split_once("Credential=").map_or("", |(_, rest)| rest);
                request.signer = named.split('/').next().unwrap_or_default().to_owned();
            }
            "if-none-match" => request.is_create = value == "*",
            _ => {}
        }
    }
    reader.by_ref().take(body_bytes).read_to_end(&mut request.body)?;
    send(&mut stream, &answer(&request))
}

fn first_line(line: &str) -> Request {
    let mut words = line.split(' ');
    let method = words.next().unwrap_or_default().to_owned();
    let target = words.next().unwrap_or_default();
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let path = path.trim_start_matches('/');
    let (bucket, key) = path.split_once('/').unwrap_or((path, ""));
    let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    Request {
        is_head: method == "HEAD",
        method,
        bucket: decoded(bucket),
        key: decoded(key),
        query: pairs.map(|(name, value)| (decoded(name), decoded(value))).collect(),
        ..Request::default()
    }
}

/// Takes out `%20` and the like.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        let hex = |byte: Option<u8>| (byte? as char).to_digit(16);
        match byte {
            b'%' => {
                let (high, low) = (hex(rest.next()), hex(rest.next()));
                bytes.push((high.unwrap_or(0) * 16 + low.unwrap_or(0)) as u8);
            }
            other => bytes.push(other),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn send(stream: &mut TcpStream, reply: &Reply) -> std::io::Result<()> {
    let Reply { status, reason, headers, body, .. } = reply;
    match reply.manner {
        Manner::Nothing => return Ok(()),
        Manner::Hang => {
            std::thread::sleep(Duration::from_secs(3600));
            return Ok(());
        }
        Manner::Garbage => return stream.write_all(b"SSH-2.0-OpenSSH_10.0\r\n"),
        _ => {}
    }
    let head = format!("HTTP/1.1 {status} {reason}\r\nconnection: close\r\n{headers}");
    let length = body.len() + usize::from(reply.manner == Manner::Short);
    match reply.manner {
        Manner::Endless => write!(stream, "{head}\r\n")?,
        _ if *status == 204 || *status == 304 => return write!(stream, "{head}\r\n"),
        _ => write!(stream, "{head}content-length: {length}\r\n\r\n")?,
    }
    if reply.is_head {
        return Ok(());
    }
    match reply.manner {
        Manner::Drip => {
            for piece in body.chunks(body.len() / 8 + 1) {
                stream.write_all(piece)?;
                std::thread::sleep(Duration::from_millis(40));
            }
            Ok(())
        }
        Manner::Endless => {
            // The client has to end it.
            while stream.write_all(&[b' '; 65536]).is_ok() {}
            Ok(())
        }
        _ => stream.write_all(body),
    }
}
